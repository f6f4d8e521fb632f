// Call-ups: cameras that the agent brings to the front of a wall for a while, and a person's hand, which goes before.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readTiles, until } from "./browser.mjs";
import { agent, page, shows, useFixture } from "./fixture.mjs";

useFixture({ names: ["Gate", "Porch", "Yard", "Roof", "Dock", "Till"] });

let number = 0;

/** A call-up of camera `i`, with the next number. */
function one(i, seconds = 60) {
    number += 1;
    return { camera: `camera-${i}`, seconds, by: "script", number };
}

async function open(query = "?layout=9") {
    await page.goto(`${agent.url}${query}`);
    await until("the wall is named", () => agent.followed.length > 0);
    await shows("0 1 2 3 4 5");
}

/** The cameras that have a frame on top of all that they show. */
const marked = () => page.$$eval("camera-tile", (tiles) => tiles.filter((tile) => {
    const frame = tile.querySelector(".called-up");
    if (frame === null) return false;
    const [inner, outer] = [frame.getBoundingClientRect(), tile.getBoundingClientRect()];
    return Math.abs(inner.width - outer.width) < 2 && Math.abs(inner.height - outer.height) < 2;
}).map((tile) => tile.getAttribute("camera")).join());
const grid = () => page.locator("#wall").getAttribute("data-grid");
const label = () => page.locator("#called-up").textContent({ timeout: 1000 }).catch(() => null);

test("a camera that is called up is shown alone, and the wall comes back by itself", async () => {
    await open();
    agent.callUp({ shown: [one(2, 9)], marked: [] });
    await shows("2");
    assert.match((await label()) ?? "", /^0:0[1-9]$/);
    await shows("0 1 2 3 4 5");
    assert.equal(await page.locator("#called-up").count(), 0);
    assert.equal(await grid(), "3x3");
});

test("several share the screen, and one that ends leaves it to the others", async () => {
    await open();
    agent.callUp({ shown: [one(2), one(4)], marked: [] });
    await shows("2 4");
    assert.equal(await grid(), "2x2");
    agent.callUp({ shown: [0, 1, 2, 3, 4].map((i) => one(i)), marked: [] });
    await shows("0 1 2 3 4");
    assert.equal(await grid(), "3x3");
    agent.callUp({ shown: [], marked: [] });
    await shows("0 1 2 3 4 5");
});

test("a camera that is not live is shown large, and as not live", async () => {
    await open();
    agent.setCamera("camera-1", { state: "offline", why: "no route" });
    agent.callUp({ shown: [one(1)], marked: [] });
    await shows("1");
    await until("it says so", async () => (await readTiles(page))[0].verdict === "offline");
});

test("a person's hand goes before, and what was put away stays away until something new comes", async () => {
    await open();
    await page.locator('camera-tile[camera="camera-5"]').dblclick();
    await shows("5");
    agent.callUp({ shown: [one(2)], marked: [] });
    await page.waitForTimeout(600);
    await shows("5");
    await page.keyboard.press("Escape");
    await shows("2");
    await page.keyboard.press("Escape");
    await shows("0 1 2 3 4 5");
    const old = agent.callUps.shown;
    agent.callUp({ shown: old, marked: [one(3)] });
    await until("the mark", async () => (await marked()) === "camera-3");
    await shows("0 1 2 3 4 5");
    agent.callUp({ shown: [...old, one(1)], marked: [] });
    await shows("1");
    assert.equal(await marked(), "");
});

test("a mark leaves the camera in its place, and another layout lasts for its time", async () => {
    await open();
    agent.callUp({ shown: [], marked: [one(3, 6)], layout: { layout: "4", seconds: 6 } });
    await shows("0 1 2 3");
    assert.equal(await marked(), "camera-3");
    await shows("0 1 2 3 4 5");
    assert.equal(await marked(), "");
});

test("a tone is played once for each call-up with one, and its sign is on the tile", async () => {
    await page.addInitScript(() => {
        const create = AudioContext.prototype.createOscillator;
        Reflect.set(window, "notes", 0);
        AudioContext.prototype.createOscillator = function createOscillator() {
            Reflect.set(window, "notes", Reflect.get(window, "notes") + 1);
            return create.call(this);
        };
    });
    await open();
    // Browsers play nothing before somebody touches the page.
    await page.mouse.click(5, 5);
    const notes = () => page.evaluate(() => Reflect.get(window, "notes"));
    const first = { ...one(3), sound: true };
    agent.callUp({ shown: [], marked: [one(1), first] });
    await until("the tone", async () => (await notes()) === 2);
    assert.equal(await marked(), "camera-1,camera-3");
    assert.deepEqual(await page.locator(".called-up").allTextContents(), ["", "\u266a"]);
    agent.callUp({ shown: [], marked: [first] });
    await until("the other mark is gone", async () => (await marked()) === "camera-3");
    agent.callUp({ shown: [], marked: [first, { ...one(4), sound: true }] });
    await until("the second tone", async () => (await notes()) === 4);
    agent.callUp({ shown: [], marked: [one(3)] });
    await until("a mark without a tone", async () => (await page.locator(".called-up").allTextContents()).join() === "");
    assert.equal(await notes(), 4);
});

test("a page that is opened in the middle, or loses its socket, shows what is called up", async () => {
    agent.callUps = { shown: [one(2)], marked: [] };
    await page.goto(`${agent.url}?layout=9&wall=hall`);
    await until("the list", () => agent.requests.some((url) => url.startsWith("/api/cameras")));
    await page.waitForTimeout(500);
    assert.deepEqual(agent.followed, [], "there is no such wall, so nothing is asked of it");
    await page.goto(`${agent.url}?layout=9`);
    await shows("2");
    agent.callUps = { shown: [one(4)], marked: [] };
    agent.dropSockets();
    await shows("4");
    assert.equal(agent.followed.length, 2);
});
