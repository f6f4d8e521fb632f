// The wall over Motion JPEG: at most four streams, and honest although browsers report no events of them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readTiles, until } from "./browser.mjs";
import { agent, eachMoves, page, tilesAre, useFixture } from "./fixture.mjs";

const allLive = tilesAre("live", 4);
const tile = async (i) => (await readTiles(page))[i];

useFixture({
    names: ["Gate", "Porch", "Yard", "Roof", "Hall", "Dock"],
    preparePage: async () => {
        await page.goto(`${agent.url}?transport=mjpeg`);
        await until("four live", allLive);
    },
});

test("four tiles show their own cameras, moving, over four connections and no socket", async () => {
    await eachMoves("0,1,2,3");
    assert.deepEqual(agent.streams.sort(), ["camera-0", "camera-1", "camera-2", "camera-3"]);
    assert.equal(agent.viewers, 0);
    assert.match(agent.requests.find((path) => path.startsWith("/live/camera-0")), /\?size=\d+x\d+&fps=25/);
    assert.match((await tile(0)).facts, /Motion JPEG/);
});

test("larger layouts are refused with a reason, and M switches back to the socket", async () => {
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

test("a page turn closes the old connections", async () => {
    await page.keyboard.press("PageDown");
    await until("two streams", () => agent.streams.sort().join() === "camera-4,camera-5");
    await page.keyboard.press("PageUp");
    await until("four streams", () => agent.streams.length === 4);
    await until("four live", allLive);
});

test("a stalled camera is recognised from the camera list", async () => {
    agent.setCamera("camera-1", { state: "stalled", why: "no frame for 5.0 s" });
    await until("stalled", async () => (await tile(1)).verdict === "stalled");
    const { reason, bannerShown, dimmed } = await tile(1);
    assert.ok(bannerShown && dimmed);
    assert.equal(reason, "no frame for 5.0 s");
    agent.setCamera("camera-1", { state: "live", why: "" });
    await until("live again", allLive);
});

test("a frozen stream is stale and requested again although the agent reports live", async () => {
    agent.muted.add("camera-2");
    await until("stale", async () => (await tile(2)).verdict === "stale");
    const requested = () => agent.requests.filter((path) => path.startsWith("/live/camera-2")).length;
    const before = requested();
    await until("requested again", () => requested() > before);
    assert.ok(new Set(agent.requests.filter((path) => path.startsWith("/live/camera-2"))).size > 1, "addresses differ");
    agent.muted.clear();
    await until("live again", allLive);
});

test("a still scene stays live by the agent's list and is requested again only rarely", async () => {
    agent.frozen.add("camera-3");
    const requested = () => agent.requests.filter((path) => path.startsWith("/live/camera-3")).length;
    const lists = () => agent.requests.filter((path) => path === "/api/cameras").length;
    const [before, from] = [requested(), lists()];
    const seen = new Set();
    const look = async () => seen.add((await tile(3)).verdict);
    await until("eight lists", async () => (await look(), lists() >= from + 8));
    assert.equal(requested(), before, "the agent reports deliveries, so nothing is requested again");
    await until("requested again to see new pixels", async () => (await look(), requested() > before), 40_000);
    assert.deepEqual([...seen], ["live"]);
});

test("pictures that a proxy delays become stale whatever the agent reports as sent", async () => {
    agent.delayed.add("camera-1");
    await until("stale", async () => (await tile(1)).verdict === "stale", 60_000);
    assert.ok((await tile(1)).bannerShown && (await tile(1)).dimmed);
    agent.delayed.clear();
    await until("live again", allLive);
});

test("every stream request has a new name for the agent's list", async () => {
    const viewers = agent.requests.filter((path) => path.startsWith("/live/")).map((path) => new URL(path, agent.url).searchParams.get("viewer"));
    assert.ok(viewers.every((viewer) => /^[\w-]{1,64}$/.test(viewer)), viewers.join());
    assert.equal(new Set(viewers).size, viewers.length);
});

test("a killed agent shows as silent, and the page recovers when it is back", async () => {
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
