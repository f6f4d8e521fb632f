// The wall on a real agent with virtual cameras: every tile moves, and a stalled camera shows.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";

import { readTiles, until } from "./browser.mjs";
import { CONFIG, LIVE_TIMEOUT, STALL_AFTER, allLive as allTilesLive, browser, control, needsAgent, needsConfig, needsControl, readApi, urlOf, useBrowser } from "./live-fixture.mjs";

/** From `stall_after` to the state on the tile, in milliseconds. */
const SHOW_TIMEOUT = 3000;
const RECOVERY_TIMEOUT = 90_000;

let page;

useBrowser({
    prepare: async () => {
        page = await browser.newPage();
    },
});

const allLive = () => allTilesLive(page);

/** A hash of the pixels of each tile; null without a picture. Runs in the page. */
function hashes(tiles) {
    return tiles.map((tile) => {
        const source = [...(tile.shadowRoot ?? tile).querySelectorAll("img, canvas")].reverse().find((one) => !one.hidden && (one.naturalWidth ?? one.width) > 16);
        if (source === undefined) return null;
        const copy = new OffscreenCanvas(160, 90).getContext("2d");
        copy.drawImage(source, 0, 0, 160, 90);
        return copy.getImageData(0, 0, 160, 90).data.reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, 7);
    });
}

async function allMove() {
    const look = () => page.$$eval("camera-tile", hashes);
    const first = await look();
    assert.ok(first.length > 0);
    const moved = first.map(() => false);
    await until("every tile moves", async () => {
        (await look()).forEach((hash, i) => (moved[i] ||= hash !== null && hash !== first[i]));
        return moved.every(Boolean);
    });
}

for (const transport of ["socket", "mjpeg"]) {
    test(`all tiles are live and move over ${transport}`, needsAgent, async () => {
        await page.goto(urlOf(`/?layout=4&transport=${transport}`));
        await until("all live", allLive, LIVE_TIMEOUT);
        await allMove();
    });

    test(`a stalled camera shows on its tile over ${transport} and recovers`, needsControl, async () => {
        await page.goto(urlOf(`/?layout=4&transport=${transport}`));
        await until("all live", allLive, LIVE_TIMEOUT);
        const { camera } = (await readTiles(page))[0];
        const tile = async () => (await readTiles(page)).find((one) => one.camera === camera);
        await control(camera, "stall");
        try {
            await until(`${camera} not live`, async () => (await tile()).verdict !== "live", STALL_AFTER + SHOW_TIMEOUT);
            const { bannerShown, dimmed, headline } = await tile();
            assert.ok(bannerShown && dimmed);
            assert.equal(headline, "NOT LIVE");
        } finally {
            await control(camera, "resume");
        }
        await until("live again", allLive, RECOVERY_TIMEOUT);
        await allMove();
    });
}

test("a camera that is called up is moving and alone on the screen, and the wall comes back", needsAgent, async () => {
    await page.goto(urlOf("/?layout=4"));
    await until("all live", allLive, LIVE_TIMEOUT);
    const before = (await readTiles(page)).map((tile) => tile.camera).join();
    const { camera } = (await readTiles(page))[1];
    const shown = async () => (await readTiles(page)).map((tile) => tile.camera).join();
    const began = performance.now();
    const answer = await fetch(urlOf("/api/wall/show"), { method: "POST", body: JSON.stringify({ camera, seconds: 20 }) });
    assert.equal(answer.status, 200);
    assert.equal((await answer.json()).shown[0].camera, camera);
    await until("it is alone and live", async () => (await shown()) === camera && (await allLive()));
    console.log(`# on the screen ${(performance.now() - began).toFixed(0)} ms after the request`);
    await allMove();
    const cleared = await fetch(urlOf("/api/wall/clear"), { method: "POST" });
    assert.deepEqual((await cleared.json()).shown, []);
    await until("all are back", async () => (await shown()) === before && (await allLive()), LIVE_TIMEOUT);
});

test("an open page follows [wall] of cameras.toml after SIGHUP", needsConfig, async () => {
    const before = await readFile(CONFIG, "utf8");
    const { pid, cameras } = await readApi();
    const [first, second] = cameras.map((camera) => camera.id);
    const shown = async () => (await readTiles(page)).map((tile) => tile.camera).join();
    await page.goto(urlOf("/"));
    await until("all cameras", async () => (await shown()) === cameras.map((camera) => camera.id).join());
    const since = (await readApi()).reload.count;
    try {
        await writeFile(CONFIG, `${before}\n[wall]\nlayout = "1+5"\ncameras = ["${second}", "${first}"]\nlanguage = "zh-TW"\n`);
        process.kill(pid, "SIGHUP");
        await until("the new order", async () => (await shown()) === `${second},${first}`);
        assert.match((await readApi()).reload.outcome, /unchanged, wall changed$/);
        assert.equal(await page.getAttribute("html", "lang"), "zh-TW");
        assert.equal(await page.textContent("[data-slot=layout]"), "1 + 5");
        await until("all live", allLive, LIVE_TIMEOUT);
        await allMove();
    } finally {
        await writeFile(CONFIG, before);
        process.kill(pid, "SIGHUP");
        await until("read again", async () => (await readApi()).reload.count >= since + 2);
    }
    await until("all cameras again", async () => (await shown()) === cameras.map((camera) => camera.id).join());
});

test("the status page and the example pages are live and move", needsAgent, async () => {
    const ids = (await readApi()).cameras.slice(0, 4).map((camera) => camera.id).join();
    await page.goto(urlOf("/status.html"));
    await until("all live", () => page.$$eval("tbody tr", (rows) => rows.length > 0 && rows.every((row) => row.dataset.verdict === "live")), LIVE_TIMEOUT);
    for (const [path, live] of [["view", "cctv-view[verdict=live]"], ["old-protocol", "figure[live]"], ["motion-jpeg", "figure[live]"]]) {
        await page.goto(urlOf(`/examples/${path}.html?cameras=${ids}`));
        const all = ids.split(",").length;
        await until(`${path} live`, async () => (await page.$$(live)).length === all, LIVE_TIMEOUT);
        const look = () => page.$$eval("cctv-view, figure", hashes);
        const first = await look();
        await until(`${path} moves`, async () => (await look()).every((hash, i) => hash !== null && hash !== first[i]));
    }
});

test("a snapshot is a complete JPEG in the camera's own size", needsAgent, async () => {
    await page.goto(urlOf("/?layout=4"));
    await until("all live", allLive, LIVE_TIMEOUT);
    await page.keyboard.press("ArrowRight");
    const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("s")]);
    const bytes = await readFile(await download.path());
    assert.deepEqual([...bytes.subarray(0, 2), ...bytes.subarray(-2)], [0xff, 0xd8, 0xff, 0xd9]);
    const { id, size } = (await readApi()).cameras[0];
    assert.ok(download.suggestedFilename().startsWith(`${id}-20`));
    const seen = await page.evaluate(async (data) => {
        const image = new Image();
        image.src = `data:image/jpeg;base64,${data}`;
        await image.decode();
        return [image.naturalWidth, image.naturalHeight];
    }, bytes.toString("base64"));
    assert.deepEqual(seen, size);
});

test("the agent lists a Motion JPEG stream with its frame rate, and only while a page shows it", needsAgent, async () => {
    await page.goto(urlOf("/?layout=1&transport=mjpeg"));
    await until("live", allLive, LIVE_TIMEOUT);
    const streams = async () => (await readApi()).cameras.flatMap((camera) => camera.streams);
    await until("one that moves", async () => {
        const [one, ...others] = await streams();
        return others.length === 0 && one?.fps > 2 && one.age < 2;
    });
    await page.goto("about:blank");
    await until("none", async () => (await streams()).length === 0);
});
