// Motion JPEG, for walls without a WebSocket: four at most, and honest without any event to go by.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { readTiles, startBrowser, until } from "./browser.mjs";
import { makePictures, readMarks } from "./pictures.mjs";
import { StandIn } from "./stand-in.mjs";

let pictures;
let agent;
let browser;
let page;

before(async () => {
    pictures = await makePictures(6, 320);
    browser = await startBrowser();
});
after(() => browser?.close());
beforeEach(async () => {
    agent = new StandIn(pictures, ["Gate", "Porch", "Yard", "Roof", "Hall", "Dock"]);
    await agent.start();
    page = await browser.newPage();
    await page.goto(`${agent.url}?transport=mjpeg`);
    await until("four live", allLive);
});
afterEach(async () => {
    await page.evaluate(() => localStorage.clear());
    await page.close();
    agent.hung = false;
    await agent.kill().catch(() => {});
});

const marks = () => page.$$eval("camera-tile", readMarks);
const tile = async (i) => (await readTiles(page))[i];
async function allLive() {
    const tiles = await readTiles(page);
    return tiles.length === 4 && tiles.every(({ verdict }) => verdict === "live");
}

test("four tiles move, each from its camera, over four connections and no socket", async () => {
    await until("each its camera", async () => (await marks()).map((mark) => mark?.camera).join() === "0,1,2,3");
    const first = await marks();
    const moved = first.map(() => false);
    await until("all move", async () => {
        (await marks()).forEach((mark, i) => (moved[i] ||= mark !== null && mark.frame !== first[i].frame));
        return moved.every(Boolean);
    });
    assert.deepEqual(agent.streams.sort(), ["camera-0", "camera-1", "camera-2", "camera-3"]);
    assert.equal(agent.viewers, 0);
    assert.match(agent.requests.find((path) => path.startsWith("/live/camera-0")), /\?size=\d+x\d+&fps=25/);
    assert.match((await tile(0)).facts, /Motion JPEG/);
});

test("nine and sixteen panels are refused with a reason, M goes back to the socket", async () => {
    await page.keyboard.press("9");
    await until("the reason", async () => /at most four/.test(await page.textContent("#notices")));
    assert.equal((await readTiles(page)).length, 4);
    await page.keyboard.press("m");
    await until("the socket", () => agent.viewers === 1 && agent.streams.length === 0);
    await until("live by WebSocket", async () => {
        const tiles = await readTiles(page);
        return tiles.length === 6 && tiles.every(({ verdict, facts }) => verdict === "live" && !facts.includes("Motion JPEG"));
    });
});

test("pages give their connections back", async () => {
    await page.keyboard.press("PageDown");
    await until("two streams", () => agent.streams.sort().join() === "camera-4,camera-5");
    await page.keyboard.press("PageUp");
    await until("four streams", () => agent.streams.length === 4);
    await until("four live", allLive);
});

test("a stalled camera is told by the list of cameras", async () => {
    agent.report("camera-1", { state: "stalled", why: "no frame for 5.0 s" });
    await until("stalled", async () => (await tile(1)).verdict === "stalled");
    const { reason, bandShown, dimmed } = await tile(1);
    assert.ok(bandShown && dimmed);
    assert.equal(reason, "no frame for 5.0 s");
    agent.report("camera-1", { state: "live", why: "" });
    await until("live again", allLive);
});

test("a stream that stands still though the agent says live is asked for anew, and is stale meanwhile", async () => {
    agent.muted.add("camera-2");
    await until("stale", async () => (await tile(2)).verdict === "stale");
    const asked = () => agent.requests.filter((path) => path.startsWith("/live/camera-2")).length;
    const before = asked();
    await until("asked for anew", () => asked() > before);
    assert.ok(new Set(agent.requests.filter((path) => path.startsWith("/live/camera-2"))).size > 1, "addresses differ");
    agent.muted.clear();
    await until("live again", allLive);
});

test("a quiet scene is believed on the agent's word, and looked at again only now and then", async () => {
    agent.still.add("camera-3");
    const asked = () => agent.requests.filter((path) => path.startsWith("/live/camera-3")).length;
    const lists = () => agent.requests.filter((path) => path === "/api/cameras").length;
    const [before, from] = [asked(), lists()];
    const seen = new Set();
    const look = async () => seen.add((await tile(3)).verdict);
    await until("eight lists", async () => (await look(), lists() >= from + 8));
    assert.equal(asked(), before, "the agent tells that it delivers: nothing is asked for anew");
    await until("looked at again with its own eyes", async () => (await look(), asked() > before), 40_000);
    assert.deepEqual([...seen], ["live"]);
});

test("pictures held back between agent and page are found out, whatever the agent says it sent", async () => {
    agent.heldBack.add("camera-1");
    await until("stale", async () => (await tile(1)).verdict === "stale", 60_000);
    assert.ok((await tile(1)).bandShown && (await tile(1)).dimmed);
    agent.heldBack.clear();
    await until("live again", allLive);
});

test("streams are named, each anew, so that the agent's list can be asked about them", async () => {
    const viewers = agent.requests.filter((path) => path.startsWith("/live/")).map((path) => new URL(path, agent.url).searchParams.get("viewer"));
    assert.ok(viewers.every((viewer) => /^[\w-]{1,64}$/.test(viewer)), viewers.join());
    assert.equal(new Set(viewers).size, viewers.length);
});

test("an agent killed is told within 3 s of its last answer, and its successor found", async () => {
    await agent.kill();
    await until("silent", async () => (await readTiles(page)).every(({ verdict }) => verdict === "silent"));
    await agent.start();
    await until("four live", allLive);
    await until("four streams", () => agent.streams.length === 4);
});

test("a hidden page has no streams", async () => {
    await page.evaluate(() => {
        Object.defineProperty(document, "hidden", { get: () => window.out_of_sight, configurable: true });
        window.out_of_sight = true;
        document.dispatchEvent(new Event("visibilitychange"));
    });
    await until("no streams", () => agent.streams.length === 0);
    await page.evaluate(() => {
        window.out_of_sight = false;
        document.dispatchEvent(new Event("visibilitychange"));
    });
    await until("four live", allLive);
});
