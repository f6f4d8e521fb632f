// The wall over the socket: every tile shows its own camera and never shows an old picture as live.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readTiles, until } from "./browser.mjs";
import { agent, eachMoves, page, pictures, readPageMarks as marks, tilesAre, useFixture } from "./fixture.mjs";
import { FRAMES } from "./pictures.mjs";

let requested;

useFixture({
    names: Array.from({ length: 16 }, (_, i) => `Camera number ${i}`),
    preparePage: async () => {
        requested = [];
        page.on("request", (request) => requested.push(request.url()));
    },
});

const verdict = async (camera) => (await readTiles(page)).find((tile) => tile.camera === camera)?.verdict;
const allLive = (count) => tilesAre("live", count);

for (const [layout, panels] of [[1, 1], [4, 4], [9, 9], [16, 16], ["1%2B5", 6], ["1%2B7", 8], ["1%2B12", 13]]) {
    test(`layout ${decodeURIComponent(layout)} shows every camera in its own tile, moving`, async () => {
        await page.goto(`${agent.url}?layout=${layout}`);
        await until("all tiles live", allLive(panels));
        await eachMoves([...Array(panels).keys()].join());
    });
}

test("the page requests pictures in the device pixels of the tiles, also after a resize", async () => {
    await page.goto(`${agent.url}?layout=4`);
    const requested = () => agent.shows.at(-1);
    await until("four tiles requested", () => requested()?.length === 4);
    const sizes = () => page.$$eval("camera-tile .frame", (frames) => frames.map((frame) => [
        Math.round(frame.clientWidth * devicePixelRatio),
        Math.round(frame.clientHeight * devicePixelRatio),
    ]));
    const equal = async () => JSON.stringify(requested().map((request) => request.size)) === JSON.stringify(await sizes());
    await until("sizes as laid out", equal);
    assert.ok(requested().every((request) => request.accept.at(-1) === "jpeg"), "every browser can show JPEG");
    const before = JSON.stringify(requested());
    await page.setViewportSize({ width: 1000, height: 500 });
    await until("sizes requested again", async () => JSON.stringify(requested()) !== before && (await equal()));
    await page.setViewportSize({ width: 1280, height: 720 });
});

test("the page credits every drawn picture with its sequence", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await until("forty credits", () => agent.credits.length >= 40);
    const tiles = new Set(agent.credits.flatMap((credit) => Object.keys(credit)));
    assert.deepEqual([...tiles].sort(), ["0", "1", "2", "3"]);
    for (const tile of tiles) {
        const sequences = agent.credits.map((credit) => credit[tile]).filter((sequence) => sequence !== undefined);
        assert.deepEqual(sequences, [...sequences].sort((a, b) => a - b));
    }
});

test("a tile that is not live shows the state, the agent's reason and a dimmed picture", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await until("all live", allLive(4));
    const states = [
        ["stalled", "Stalled", "no frame for 5.0 s; reconnecting in 2 s"],
        ["offline", "Offline", "cannot reach 192.168.1.20"],
        ["denied", "Login refused", "check username and password"],
        ["connecting", "Connecting", "asking for the stream"],
    ];
    for (const [state, text, why] of states) {
        agent.setCamera("camera-2", { state, why });
        await until(`camera-2 is ${state}`, async () => (await verdict("camera-2")) === state);
        const tiles = await readTiles(page);
        const tile = tiles[2];
        assert.equal(tile.state, text);
        assert.equal(tile.reason, why);
        assert.equal(tile.headline, "NOT LIVE");
        assert.match(tile.summary, /last picture \d+ s ago/);
        assert.ok(tile.bannerShown && tile.dimmed);
        assert.ok(!tiles[1].bannerShown && !tiles[1].dimmed);
    }
    agent.setCamera("camera-2", { state: "live", why: "" });
    await until("live again", allLive(4));
});

test("a frozen picture first shows its age and then becomes stale although the agent reports live", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await until("all live", allLive(4));
    agent.cameras[1].moving = false;
    await until("an age on a live picture", async () => {
        const tile = (await readTiles(page))[1];
        return tile.verdict === "live" && /^[23] s old$/.test(tile.age);
    });
    await until("stale", async () => (await verdict("camera-1")) === "stale");
    const tile = (await readTiles(page))[1];
    assert.equal(tile.headline, "NOT LIVE");
    assert.match(tile.summary, /^No new picture, last picture [4-9] s ago$/);
    assert.ok(tile.bannerShown && tile.dimmed);
    agent.cameras[1].moving = true;
    await until("live again", allLive(4));
});

test("ages are correct when the agent's clock is an hour ahead", async () => {
    agent.clockAhead = 3_600_000;
    await page.goto(`${agent.url}?layout=1`);
    await until("live", allLive(1));
    agent.cameras[0].moving = false;
    await until("stale", async () => (await verdict("camera-0")) === "stale");
    assert.match((await readTiles(page))[0].summary, /last picture \d s ago/);
});

test("a picture that is old on arrival is never shown as live", async () => {
    agent.cameras.forEach((camera) => (camera.moving = false));
    Object.assign(agent.cameras[0], { sequence: 7, taken: Date.now() - 60_000 });
    await page.addInitScript(() => {
        window.seen = new Set();
        const look = () => document.querySelectorAll("camera-tile").forEach((tile) => window.seen.add(tile.getAttribute("verdict")));
        new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
    });
    await page.goto(`${agent.url}?layout=1`);
    await until("stale", async () => (await verdict("camera-0")) === "stale");
    assert.ok(!(await page.evaluate(() => [...window.seen])).includes("live"));
    assert.match((await readTiles(page))[0].summary, /1 min \d+ s ago/);
});

test("the page never draws an older picture over a newer one", async () => {
    agent.cameras.forEach((camera) => (camera.moving = false));
    await page.goto(`${agent.url}?layout=1`);
    await until("one viewer asking", () => agent.shows.at(-1)?.length === 1);
    const now = agent.now();
    agent.sendBinary(agent.frame(0, 109, now, pictures[0][9]));
    await until("the newer drawn", async () => (await marks())[0]?.frame === 9);
    agent.sendBinary(agent.frame(0, 103, now - 400, pictures[0][3]));
    agent.sendBinary(agent.frame(0, 110, now + 40, pictures[0][10]));
    await until("the next drawn", async () => {
        const { frame } = (await marks())[0];
        assert.notEqual(frame, 3);
        return frame === 10;
    });
    // A new worker counts from 1 again; its pictures are newer all the same.
    agent.sendBinary(agent.frame(0, 1, now + 80, pictures[0][12]));
    await until("a restarted sequence drawn", async () => (await marks())[0].frame === 12);
});

test("pictures of a tile's previous camera are not drawn under the new name", async () => {
    await page.goto(`${agent.url}?layout=1`);
    await until("live", allLive(1));
    agent.cameras.forEach((camera) => (camera.moving = false));
    await page.keyboard.press("PageDown");
    await until("the next camera requested", () => agent.shows.at(-1)[0]?.camera === "camera-1");
    await until("its last picture drawn", async () => (await marks())[0]?.camera === 1);
    // A frame that is not on the tile yet; otherwise the wait below ends before anything is drawn.
    const next = ((await marks())[0].frame + 1) % FRAMES;
    // Records under which camera's name the tile draws.
    await page.evaluate(() => {
        const tile = document.querySelector("camera-tile");
        window.strange = [];
        const draw = CanvasRenderingContext2D.prototype.drawImage;
        CanvasRenderingContext2D.prototype.drawImage = function (...given) {
            if (tile.contains(this.canvas)) window.strange.push(tile.getAttribute("camera"));
            return draw.apply(this, given);
        };
    });
    agent.sendText(JSON.stringify({ tile: 0, camera: "camera-0", name: "late", state: "live", why: "" }));
    agent.sendBinary(agent.frame(0, 9999, agent.now(), pictures[0][5]));
    agent.sendText(JSON.stringify({ tile: 0, camera: "camera-1", name: "Camera number 1", state: "live", why: "" }));
    agent.sendBinary(agent.frame(0, 10, agent.now(), pictures[1][next]));
    await until("the new camera's picture", async () => (await marks())[0]?.frame === next);
    assert.deepEqual(await page.evaluate(() => window.strange), ["camera-1"]);
    assert.equal((await readTiles(page))[0].name, "Camera number 1");
});

test("the page survives invalid messages on the socket", async () => {
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(`${agent.url}?layout=4`);
    await until("all live", allLive(4));
    const shows = agent.shows.length;
    for (const text of ["", "{", "null", "[]", "7", '"x"', "{}", '{"tile":0}', '{"tile":"a","camera":{},"state":[]}',
        '{"config":7}', '{"config":[null,{}]}', '{"error":{}}', '{"pong":"x"}', '{"pong":1e9,"now":"x"}', "\u0000\uffff"]) agent.sendText(text);
    const good = agent.frame(0, 4_000_000_000, agent.now(), pictures[0][0]);
    const changed = (at, value) => Buffer.from(good).fill(value, at, at + 1);
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(1), good.subarray(0, 15), good.subarray(0, 16), changed(0, 9), changed(1, 77),
        changed(2, 200), agent.frame(1, 5, agent.now(), Buffer.from("no picture at all"))]) agent.sendBinary(bytes);
    const credited = agent.credits.length;
    await until("forty more credits", () => agent.credits.length > credited + 40);
    await until("all live", allLive(4));
    assert.deepEqual(errors, []);
    assert.equal(agent.shows.length, shows, "the socket was kept");
});

test("the page requests nothing from other hosts and obeys its Content-Security-Policy", async () => {
    const refused = [];
    page.on("console", (message) => message.text().includes("Content Security Policy") && refused.push(message.text()));
    await page.goto(`${agent.url}?layout=4`);
    await until("all live", allLive(4));
    await page.keyboard.press("m");
    await until("Motion JPEG", () => agent.streams.length === 4);
    await page.keyboard.press("?");
    assert.deepEqual(requested.filter((url) => !url.startsWith(agent.url)), []);
    assert.deepEqual(refused, []);
});

test("bitmaps are closed and memory stays flat over hundreds of pictures and many page turns", async () => {
    await page.addInitScript(() => {
        window.open_bitmaps = 0;
        const create = window.createImageBitmap;
        window.createImageBitmap = async (...given) => {
            const bitmap = await create(...given);
            window.open_bitmaps += 1;
            const close = bitmap.close.bind(bitmap);
            bitmap.close = () => (window.open_bitmaps -= 1, close());
            return bitmap;
        };
    });
    const session = await page.context().newCDPSession(page);
    const counters = async () => {
        await session.send("HeapProfiler.collectGarbage");
        return session.send("Memory.getDOMCounters");
    };
    await page.goto(`${agent.url}?layout=4`);
    const round = async () => {
        for (let turn = 0; turn < 8; turn += 1) {
            await page.keyboard.press("PageDown");
            await until("the page turned to is live", allLive(4));
        }
    };
    await round();
    const before = await counters();
    const credited = agent.credits.length;
    for (let again = 0; again < 4; again += 1) await round();
    await until("hundreds of pictures", () => agent.credits.length > credited + 200);
    const after = await counters();
    assert.ok(after.nodes < before.nodes * 1.3 + 100, `nodes: ${before.nodes}, then ${after.nodes}`);
    assert.ok(after.jsEventListeners < before.jsEventListeners * 1.3 + 20, `listeners: ${before.jsEventListeners}, then ${after.jsEventListeners}`);
    assert.ok((await page.evaluate(() => window.open_bitmaps)) <= 4);
});
