// Digital zoom: wheel, keys, two fingers, the small frame that says where, and its end.

import assert from "node:assert/strict";
import { test } from "node:test";

import { until } from "./browser.mjs";
import { agent, page, tilesAre, useFixture } from "./fixture.mjs";

useFixture({ names: ["Gate", "Porch", "Yard", "Roof"], width: 640 });

/** Opens the wall, and waits until all tiles are live. */
async function open(query = "?layout=4") {
    await page.goto(`${agent.url}${query}`);
    await until("all live", tilesAre("live", 4));
}

const NONE = { factor: 1, center: [0.5, 0.5], map: null, text: null };

/** What the tile of camera `i` shows: how much it is enlarged, what is in its middle, and the frame that says so. */
const zoomOf = (i) => page.$eval(`camera-tile[camera="camera-${i}"]`, (tile, none) => {
    const frame = tile.querySelector(".frame");
    const matrix = new DOMMatrix(getComputedStyle(frame).transform);
    const map = tile.querySelector(".zoom-map");
    if (map === null) return none;
    const [whole, part] = [map.getBoundingClientRect(), map.querySelector("i").getBoundingClientRect()];
    const canvas = tile.querySelector("canvas");
    const scale = Math.min(frame.clientWidth / canvas.width, frame.clientHeight / canvas.height);
    const center = [0.5 - matrix.e / matrix.a / (canvas.width * scale), 0.5 - matrix.f / matrix.d / (canvas.height * scale)];
    const inMap = [(part.left - whole.left) / whole.width, (part.top - whole.top) / whole.height, part.width / whole.width, part.height / whole.height];
    return { factor: matrix.a, center, map: inMap, text: map.querySelector("output").textContent };
}, NONE);

const isNear = (got, wanted, slack = 0.02) => Math.abs(got - wanted) <= slack;
const requestOf = (i) => agent.shows.at(-1).find(({ camera }) => camera === `camera-${i}`);
const box = (i) => page.locator(`camera-tile[camera="camera-${i}"]`).boundingBox();

test("the wheel enlarges what is under the pointer, and the small frame says which part is seen", async () => {
    await open();
    const before = requestOf(1).size;
    const other = requestOf(0);
    const { x, y, width, height } = await box(1);
    await page.mouse.move(x + width * 0.75, y + height * 0.25);
    await page.mouse.wheel(0, -600);
    const zoom = await until("it is enlarged", async () => {
        const now = await zoomOf(1);
        // The style of the small frame is loaded with the first zoom.
        return now.factor > 2 && now.map[3] > 0 && now.map[2] > 0 && now;
    });
    // The point under the pointer stays, so what is seen lies to the right and above.
    assert.ok(isNear(zoom.center[0] + 0.25 / zoom.factor, 0.75), `${zoom.center}`);
    assert.ok(zoom.center[1] < 0.45, `${zoom.center}`);
    const [left, top, across, down] = zoom.map;
    // The tile is wider than the picture.
    assert.ok(isNear(left + across / 2, zoom.center[0]) && isNear(top + down / 2, zoom.center[1]), `${zoom.map}`);
    assert.ok(isNear(down, 1 / zoom.factor) && across >= down, `${zoom.map}`);
    assert.equal(zoom.text, `${zoom.factor.toFixed(1)}×`);
    assert.deepEqual(await zoomOf(0), NONE);
    await until("a larger picture is asked for", () => requestOf(1).size[0] >= 2 * before[0] - 2);
    await page.mouse.wheel(0, 2000);
    await until("the whole picture again", async () => (await zoomOf(1)).map === null);
    await until("the usual picture is asked for", () => requestOf(1).size[0] === before[0]);
    // A busy machine asks for fewer pictures a second.
    assert.deepEqual({ ...requestOf(0), fps: 0 }, { ...other, fps: 0 }, "nothing else changes");
});

test("keys of a keyboard and of a remote control enlarge, arrows move, and Escape ends", async () => {
    await open();
    await page.locator('camera-tile[camera="camera-2"]').focus();
    await page.keyboard.press("+");
    await until("it is enlarged", async () => isNear((await zoomOf(2)).factor, 1.5));
    const press = (key) => page.evaluate((name) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true })), key);
    await press("MediaFastForward");
    const { factor, center } = await zoomOf(2);
    assert.ok(isNear(factor, 2.25), `${factor}`);
    for (const [key, axis, sign] of [["ArrowLeft", 0, -1], ["ArrowUp", 1, -1], ["ArrowRight", 0, 1], ["ArrowDown", 1, 1]]) {
        const was = (await zoomOf(2)).center;
        await page.keyboard.press(key);
        const is = (await zoomOf(2)).center;
        assert.ok((is[axis] - was[axis]) * sign > 0.05, `${key}: ${was} ${is}`);
        assert.equal(await page.evaluate(() => document.activeElement.getAttribute("camera")), "camera-2");
    }
    for (let n = 0; n < 20; n += 1) await page.keyboard.press("ArrowLeft");
    const [left] = (await zoomOf(2)).map;
    assert.ok(isNear(left, 0), `not past the edge of the picture: ${left}`);
    assert.ok(isNear(center[0], 0.5));
    await page.keyboard.press("Enter");
    await until("alone", async () => (await page.locator("camera-tile").count()) === 1);
    assert.ok(isNear((await zoomOf(2)).factor, 2.25), "enlarged to the whole wall, it stays");
    await page.keyboard.press("Escape");
    assert.deepEqual(await zoomOf(2), NONE);
    await page.keyboard.press("Escape");
    await until("all cameras", tilesAre("live", 4));
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("camera")), "camera-3", "arrows move the focus again");
    await press("ZoomIn");
    await press("-");
    assert.deepEqual(await zoomOf(3), NONE);
});

test("two fingers enlarge, one finger moves the part and turns no page", async () => {
    await open("?layout=4");
    const client = await page.context().newCDPSession(page);
    const { x, y, width, height } = await box(0);
    const touch = (type, ...points) => client.send("Input.dispatchTouchEvent", {
        type,
        touchPoints: points.map(([across, down], id) => ({ x: x + width * across, y: y + height * down, id })),
    });
    const pinch = async (from, to) => {
        await touch("touchStart", [0.5 - from, 0.5]);
        await touch("touchStart", [0.5 - from, 0.5], [0.5 + from, 0.5]);
        for (let n = 1; n <= 10; n += 1) {
            const now = from + ((to - from) * n) / 10;
            await touch("touchMove", [0.5 - now, 0.5], [0.5 + now, 0.5]);
        }
        await touch("touchEnd");
    };
    // The first gesture also loads the module, and may be over by then.
    const zoom = await until("it is enlarged", async () => {
        await pinch(0.1, 0.35);
        const now = await zoomOf(0);
        return now.factor > 2 && now;
    });
    await touch("touchStart", [0.3, 0.5]);
    for (let n = 1; n <= 5; n += 1) await touch("touchMove", [0.3 + n * 0.08, 0.5]);
    await touch("touchEnd");
    const moved = await zoomOf(0);
    assert.ok(zoom.center[0] - moved.center[0] > 0.05, `${zoom.center} ${moved.center}`);
    assert.equal(await page.locator("camera-tile").count(), 4, "no tap, no swipe");
});

test("it ends by itself after a while without input, and with its tile", async () => {
    await open();
    await page.locator('camera-tile[camera="camera-1"]').focus();
    await page.keyboard.press("+");
    await until("it is enlarged", async () => (await zoomOf(1)).factor > 1);
    await page.evaluate(async () => ((await import("/js/zoom.js")).Zoom.limit = 300));
    await page.keyboard.press("+");
    await until("it has ended", async () => (await zoomOf(1)).map === null);
    await page.evaluate(async () => ((await import("/js/zoom.js")).Zoom.limit = 60_000));
    await page.keyboard.press("+");
    await until("it is enlarged", async () => (await zoomOf(1)).factor > 1);
    await page.keyboard.press("1");
    await until("one camera on each page", tilesAre("live", 1));
    await page.keyboard.press("0");
    await until("all cameras", tilesAre("live", 4));
    assert.deepEqual(await zoomOf(0), NONE);
});

test("the texts are in the language of the page", async () => {
    await open("?layout=4&lang=zh-TW");
    await page.locator('camera-tile[camera="camera-0"]').focus();
    await page.keyboard.press("+");
    await until("it is enlarged", async () => (await zoomOf(0)).factor > 1);
    assert.equal(await page.locator(".zoom-map output").getAttribute("aria-label"), "放大 1.5 倍");
    await page.keyboard.press("?");
    assert.ok((await page.locator("#help").textContent()).includes("放大局部畫面"));
});
