// The mark of a damaged picture on a tile: no later than the picture, in both languages, whatever the settings.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { makeUnits } from "./access-units.mjs";
import { readTiles, until } from "./browser.mjs";
import { reasonOf } from "./fake-agent.mjs";
import { agent, page, tilesAre, useFixture } from "./fixture.mjs";

const DAMAGED = reasonOf(["picture_damaged", { percent: 1.2 }, "picture damaged: 1.2 % of packets lost"]);
const STANDS_IN = ["stand_in", { shown: "small", wanted: "main", state: "stalled" }, "the small stream stands in for the main one, which is stalled"];

useFixture({ names: ["Gate", "Porch", "Yard", "Roof"] });

/** The text of a tile's mark; null if it is not to be seen, or not at the picture's upper edge. */
const markOf = (i) => page.$$eval("camera-tile", (tiles, at) => {
    const mark = tiles[at]?.querySelector(".damage");
    if (!mark) return null; // the page has no tiles yet
    const [tile, box] = [tiles[at].getBoundingClientRect(), mark.getBoundingClientRect()];
    const lies = box.width === tile.width && box.height >= 14 && Math.abs(box.top - tile.top) < 1;
    const isOnTop = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2) === mark;
    return getComputedStyle(mark).display !== "none" && lies && isOnTop ? mark.textContent : null;
}, i);

test("a damaged picture is live under a mark, by every transport, in both languages and whatever the settings", async () => {
    for (const [query, text] of [
        ["layout=4", "picture damaged: 1.2 % of packets lost"],
        ["layout=4&life=off&transport=mjpeg", "picture damaged: 1.2 % of packets lost"],
        ["layout=16&life=on", "picture damaged: 1.2 % of packets lost"],
        ["layout=4&lang=zh-TW", "畫面損壞：封包遺失 1.2 %"],
    ]) {
        agent.setCamera("camera-1", { state: "live", ...DAMAGED });
        await page.goto(`${agent.url}?${query}`);
        await until(`the mark with ${query}`, async () => (await markOf(1)) === text);
        await until("a picture", async () => (await readTiles(page))[1].verdict === "live");
        const [clean, tile] = await readTiles(page);
        assert.ok(!tile.dimmed && !tile.bannerShown, "it is live");
        assert.deepEqual([await markOf(0), clean.verdict], [null, "live"]);
        const label = await page.$eval("camera-tile[camera=camera-1]", (one) => one.getAttribute("aria-label"));
        assert.ok(label.endsWith(text), label);
        agent.setCamera("camera-1", { state: "live", why: "" });
        await until("the mark to go", async () => (await markOf(1)) === null);
    }
});

test("beside another remark only the damage is on the picture, and the panel says both", async () => {
    const both = { why: `${DAMAGED.why}; ${STANDS_IN[2]}`, reason: [...DAMAGED.reason, ...reasonOf(STANDS_IN).reason] };
    agent.setCamera("camera-0", { state: "live", ...both });
    await page.goto(`${agent.url}?cameras=camera-0`);
    await until("the mark", async () => (await markOf(0)) === DAMAGED.why);
    await page.keyboard.press("i");
    await until("the panel", async () => (await page.textContent("#info")).includes(both.why));
    agent.setCamera("camera-0", { state: "stalled", why: "no frame for 5.0 s" });
    await until("the banner instead", async () => (await markOf(0)) === null && (await readTiles(page))[0].bannerShown);
});

test("a picture that is late or rare says so on the tile", async () => {
    const late = ["in_pieces", {}, "the stream comes in pieces (HLS): the picture is some seconds old"];
    const rare = ["snapshots", { seconds: 1 }, "snapshots instead of the stream, at most one picture every 1.0 s"];
    const cause = ["stream_without_video", {}, "the stream has no video"];
    for (const [query, one, texts] of [["", late, [late]], ["&transport=mjpeg", late, [late]], ["", rare, [rare, cause]]]) {
        agent.setCamera("camera-0", { state: "live", why: texts.map(([, , text]) => text).join("; "), reason: texts.flatMap((text) => reasonOf(text).reason) });
        await page.goto(`${agent.url}?cameras=camera-0${query}`);
        await until(`the mark of ${one[0]}`, async () => (await markOf(0)) === one[2]);
        await until("a picture", async () => (await readTiles(page))[0].verdict === "live");
        assert.ok(!(await readTiles(page))[0].bannerShown);
    }
});

let units;
before(async () => (units = await makeUnits({ frames: 40, group: 10 })));

/** Sends a unit of the camera's own video to tile 0. */
function send(number, isDamaged) {
    const { key, data } = units[number];
    const bytes = agent.frame(0, number + 1, agent.now(), Buffer.from(data, "base64"));
    bytes.writeUInt8(2, 1);
    bytes.writeUInt8((key ? 1 : 0) | (isDamaged ? 4 : 0), 3);
    agent.sendBinary(bytes);
}

test("the mark of the camera's own video is there no later than its picture, and until the last one is replaced", async () => {
    Object.assign(agent.cameras[0], { moving: false, sequence: undefined }); // its pictures are sent below
    await page.addInitScript(() => {
        window.seen = [];
        const draw = CanvasRenderingContext2D.prototype.drawImage;
        CanvasRenderingContext2D.prototype.drawImage = function (image, ...more) {
            if (image instanceof VideoFrame) window.seen.push(document.querySelector("camera-tile .damage").textContent);
            return draw.call(this, image, ...more);
        };
    });
    await page.goto(`${agent.url}?cameras=camera-0`);
    await until("the tile", tilesAre("connecting", 1));
    // The reason is not in the state: the flag of the units alone must do.
    const state = { tile: 0, camera: "camera-0", name: "Gate", state: "live", why: "", format: "h264", codec: "avc1.64000c", size: [320, 180], fps: 25 };
    agent.sendText(JSON.stringify(state));
    const seen = (count) => until(`${count} pictures`, async () => {
        const marks = await page.evaluate(() => window.seen);
        return marks.length >= count && marks;
    });
    for (let number = 0; number < 20; number += 1) {
        send(number, number >= 10);
        await seen(number + 1);
    }
    assert.deepEqual(await seen(20), [...Array(10).fill(""), ...Array(10).fill("picture damaged")]);
    assert.equal(await markOf(0), "picture damaged");
    send(20, false);
    await until("the mark to go", async () => (await markOf(0)) === null);
});
