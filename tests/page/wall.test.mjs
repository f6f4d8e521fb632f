// A guard looks at the wall: every picture is from the camera it is said to be, and none lies.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { readTiles, startBrowser, until } from "./browser.mjs";
import { FRAMES, makePictures, readMarks } from "./pictures.mjs";
import { StandIn } from "./stand-in.mjs";

const NAMES = Array.from({ length: 16 }, (_, i) => `Camera number ${i}`);
let pictures;
let agent;
let browser;
let page;
let requested;

before(async () => {
    pictures = await makePictures(16, 320);
    browser = await startBrowser();
});
after(() => browser?.close());
beforeEach(async () => {
    agent = new StandIn(pictures, NAMES);
    await agent.start();
    page = await browser.newPage();
    requested = [];
    page.on("request", (request) => requested.push(request.url()));
});
afterEach(async () => {
    await page.close();
    await agent.kill();
});

const verdict = async (camera) => (await readTiles(page)).find((tile) => tile.camera === camera)?.verdict;
const marks = () => page.$$eval("camera-tile", readMarks);
const allLive = (count) => async () => {
    const tiles = await readTiles(page);
    return tiles.length === count && tiles.every((tile) => tile.verdict === "live");
};

for (const [layout, panels] of [[1, 1], [4, 4], [9, 9], [16, 16], ["1%2B5", 6], ["1%2B7", 8], ["1%2B12", 13]]) {
    test(`layout ${decodeURIComponent(layout)}: every tile is drawn from its camera, and moves`, async () => {
        await page.goto(`${agent.url}?layout=${layout}`);
        await until("all tiles live", allLive(panels));
        const first = await marks();
        assert.deepEqual(first.map((mark) => mark.camera), [...Array(panels).keys()]);
        const moved = first.map(() => false);
        await until("every tile moves", async () => {
            (await marks()).forEach((mark, i) => (moved[i] ||= mark.frame !== first[i].frame));
            return moved.every(Boolean);
        });
    });
}

test("sizes asked for are the tiles' device pixels, and follow the window", async () => {
    await page.goto(`${agent.url}?layout=4`);
    const asked = () => agent.asked.at(-1);
    await until("four tiles asked for", () => asked()?.length === 4);
    const sizes = () => page.$$eval("camera-tile .frame", (frames) => frames.map((frame) => [
        Math.round(frame.clientWidth * devicePixelRatio),
        Math.round(frame.clientHeight * devicePixelRatio),
    ]));
    const equal = async () => JSON.stringify(asked().map((place) => place.size)) === JSON.stringify(await sizes());
    await until("sizes as laid out", equal);
    assert.ok(asked().every((place) => place.accept.at(-1) === "jpeg"), "every browser can show JPEG");
    const before = JSON.stringify(asked());
    await page.setViewportSize({ width: 1000, height: 500 });
    await until("sizes asked for anew", async () => JSON.stringify(asked()) !== before && (await equal()));
    await page.setViewportSize({ width: 1280, height: 720 });
});

test("every picture drawn is credited with its sequence", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await until("forty credits", () => agent.credits.length >= 40);
    const tiles = new Set(agent.credits.flatMap((credit) => Object.keys(credit)));
    assert.deepEqual([...tiles].sort(), ["0", "1", "2", "3"]);
    for (const tile of tiles) {
        const sequences = agent.credits.map((credit) => credit[tile]).filter((sequence) => sequence !== undefined);
        assert.deepEqual(sequences, [...sequences].sort((a, b) => a - b));
    }
});

test("states are told in words with the agent's reason, and the picture is dimmed", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await until("all live", allLive(4));
    const told = [
        ["stalled", "Stalled", "no frame for 5.0 s; reconnecting in 2 s"],
        ["offline", "Offline", "cannot reach 192.168.1.20"],
        ["denied", "Login refused", "check username and password"],
        ["connecting", "Connecting", "asking for the stream"],
    ];
    for (const [state, word, why] of told) {
        agent.report("camera-2", { state, why });
        await until(`camera-2 is ${state}`, async () => (await verdict("camera-2")) === state);
        const tiles = await readTiles(page);
        const tile = tiles[2];
        assert.equal(tile.state, word);
        assert.equal(tile.reason, why);
        assert.equal(tile.headline, "NOT LIVE");
        assert.match(tile.finding, /last picture \d+ s ago/);
        assert.ok(tile.bandShown && tile.dimmed);
        assert.ok(!tiles[1].bandShown && !tiles[1].dimmed);
    }
    agent.report("camera-2", { state: "live", why: "" });
    await until("live again", allLive(4));
});

test("a picture that does not follow tells its age, then is marked as stale though the agent says live", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await until("all live", allLive(4));
    agent.cameras[1].moving = false;
    await until("an age is told on a picture still live", async () => {
        const tile = (await readTiles(page))[1];
        return tile.verdict === "live" && /^[23] s old$/.test(tile.age);
    });
    await until("stale", async () => (await verdict("camera-1")) === "stale");
    const tile = (await readTiles(page))[1];
    assert.equal(tile.headline, "NOT LIVE");
    assert.match(tile.finding, /^No new picture, last picture [4-9] s ago$/);
    assert.ok(tile.bandShown && tile.dimmed);
    agent.cameras[1].moving = true;
    await until("live again", allLive(4));
});

test("ages are right though the agent's clock is an hour ahead", async () => {
    agent.clockAhead = 3_600_000;
    await page.goto(`${agent.url}?layout=1`);
    await until("live", allLive(1));
    agent.cameras[0].moving = false;
    await until("stale", async () => (await verdict("camera-0")) === "stale");
    assert.match((await readTiles(page))[0].finding, /last picture \d s ago/);
});

test("a picture already old when it arrives is never shown as live", async () => {
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
    assert.match((await readTiles(page))[0].finding, /1 min \d+ s ago/);
});

test("an older picture of a tile is never drawn over a newer one", async () => {
    agent.cameras.forEach((camera) => (camera.moving = false));
    await page.goto(`${agent.url}?layout=1`);
    await until("one viewer asking", () => agent.asked.at(-1)?.length === 1);
    const now = agent.now();
    agent.sayBytes(agent.frame(0, 109, now, pictures[0][9]));
    await until("the newer drawn", async () => (await marks())[0]?.frame === 9);
    agent.sayBytes(agent.frame(0, 103, now - 400, pictures[0][3]));
    agent.sayBytes(agent.frame(0, 110, now + 40, pictures[0][10]));
    await until("the next drawn", async () => {
        const { frame } = (await marks())[0];
        assert.notEqual(frame, 3);
        return frame === 10;
    });
    // A worker that was replaced counts from 1 again: a later picture all the same.
    agent.sayBytes(agent.frame(0, 1, now + 80, pictures[0][12]));
    await until("a restarted sequence drawn", async () => (await marks())[0].frame === 12);
});

test("pictures of a tile's former camera are not drawn under the new name", async () => {
    await page.goto(`${agent.url}?layout=1`);
    await until("live", allLive(1));
    agent.cameras.forEach((camera) => (camera.moving = false));
    await page.keyboard.press("PageDown");
    await until("the next camera asked for", () => agent.asked.at(-1)[0]?.camera === "camera-1");
    await until("its last picture drawn", async () => (await marks())[0]?.camera === 1);
    // One that is not on the tile already: else the wait below would be over before anything is drawn.
    const next = ((await marks())[0].frame + 1) % FRAMES;
    // Before the agent named the new camera, this one would still be the old camera's.
    await page.evaluate(() => {
        const tile = document.querySelector("camera-tile");
        window.strange = [];
        const draw = CanvasRenderingContext2D.prototype.drawImage;
        CanvasRenderingContext2D.prototype.drawImage = function (...given) {
            if (tile.contains(this.canvas)) window.strange.push(tile.getAttribute("camera"));
            return draw.apply(this, given);
        };
    });
    agent.say(JSON.stringify({ tile: 0, camera: "camera-0", name: "late", state: "live", why: "" }));
    agent.sayBytes(agent.frame(0, 9999, agent.now(), pictures[0][5]));
    agent.say(JSON.stringify({ tile: 0, camera: "camera-1", name: "Camera number 1", state: "live", why: "" }));
    agent.sayBytes(agent.frame(0, 10, agent.now(), pictures[1][next]));
    await until("the new camera's picture", async () => (await marks())[0]?.frame === next);
    assert.deepEqual(await page.evaluate(() => window.strange), ["camera-1"]);
    assert.equal((await readTiles(page))[0].name, "Camera number 1");
});

test("rubbish on the socket is survived", async () => {
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(`${agent.url}?layout=4`);
    await until("all live", allLive(4));
    const shows = agent.asked.length;
    for (const text of ["", "{", "null", "[]", "7", '"x"', "{}", '{"tile":0}', '{"tile":"a","camera":{},"state":[]}',
        '{"config":7}', '{"config":[null,{}]}', '{"error":{}}', '{"pong":"x"}', '{"pong":1e9,"now":"x"}', "\u0000\uffff"]) agent.say(text);
    const good = agent.frame(0, 4_000_000_000, agent.now(), pictures[0][0]);
    const changed = (at, value) => Buffer.from(good).fill(value, at, at + 1);
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(1), good.subarray(0, 15), good.subarray(0, 16), changed(0, 9), changed(1, 77),
        changed(2, 200), agent.frame(1, 5, agent.now(), Buffer.from("no picture at all"))]) agent.sayBytes(bytes);
    const credited = agent.credits.length;
    await until("forty more credits", () => agent.credits.length > credited + 40);
    await until("all live", allLive(4));
    assert.deepEqual(errors, []);
    assert.equal(agent.asked.length, shows, "the socket was kept");
});

test("no other host is asked for anything, and the policy is kept", async () => {
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

test("bitmaps are closed and nothing piles up over hundreds of pictures and many turns of the page", async () => {
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
