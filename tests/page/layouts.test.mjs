// Layouts, pages and walls, chosen in cameras.toml, in the URL or on the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readTiles, startBrowser, until } from "./browser.mjs";
import { FakeAgent } from "./fake-agent.mjs";
import { agent, page, pictures, shows, tilesAre, useFixture, withBrowser } from "./fixture.mjs";

const NO_SETTINGS = { layout: null, cameras: null, rotate: null, language: null, sign_of_life: null };

useFixture({
    names: ["Gate", "Porch", "Yard", "Roof", "Hall", "Dock", "Lift"],
    width: 160,
    prepareAgent: () => {
        agent.walls = [{ name: "", ...NO_SETTINGS }];
    },
});

const grid = () => page.getAttribute("#wall", "data-grid");
const boxes = () => page.$$eval("camera-tile", (tiles) => tiles.map((tile) => {
    const { x, y, width, height } = tile.getBoundingClientRect();
    return { x, y, width, height };
}));
/** The agent has reloaded a changed file; the page requests the list by itself. */
const reload = (change) => {
    agent.walls = change;
    agent.sendText(JSON.stringify({ config: [] })); // otherwise the page notices it seconds later, with its next poll
};

test("a mixed layout has one large tile, which requests larger pictures, and all tiles are live", async () => {
    await page.goto(`${agent.url}?layout=1+5`);
    await shows("0 1 2 3 4 5");
    const [large, ...small] = await boxes();
    for (const tile of small) assert.ok(large.width > 1.9 * tile.width && large.height > 1.9 * tile.height);
    await until("requested by size", () => agent.shows.at(-1)?.length === 6);
    const [first, second] = agent.shows.at(-1);
    assert.ok(first.size[0] > 1.9 * second.size[0] && first.fps > second.fps, JSON.stringify([first, second]));
    await until("live", async () => (await readTiles(page)).every((tile) => tile.verdict === "live"));
});

test("a rotated screen gets another grid", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await shows("0 1 2 3");
    assert.equal(await grid(), "2x2");
    await page.setViewportSize({ width: 600, height: 1100 });
    await until("four below each other", async () => (await grid()) === "1x4");
    const [first, second] = await boxes();
    assert.ok(first.x === second.x && second.y > first.y);
    await page.setViewportSize({ width: 1280, height: 720 });
    await until("two by two", async () => (await grid()) === "2x2");
});

test("a picture of the grid in cameras.toml is drawn as it stands there, on a portrait screen too", async () => {
    const layout = ["camera-0 camera-0 camera-1", "camera-0 camera-0 .", "camera-2 camera-9 camera-3"];
    const cameras = ["camera-0", "camera-1", "camera-2", "camera-9", "camera-3"];
    agent.walls = [{ ...NO_SETTINGS, name: "", layout, cameras }];
    await page.goto(agent.url);
    await shows("0 1 2 3");
    assert.equal(await grid(), "3x3");
    /** Left, top, right and lower edge of each tile, in thirds of the wall. */
    const places = () => page.evaluate(() => {
        const wall = document.querySelector("#wall").getBoundingClientRect();
        return [...document.querySelectorAll("camera-tile")].map((tile) => {
            const { left, top, right, bottom } = tile.getBoundingClientRect();
            const [x, y] = [(at) => Math.round((3 * (at - wall.x)) / wall.width), (at) => Math.round((3 * (at - wall.y)) / wall.height)];
            return [x(left), y(top), x(right), y(bottom)].join("");
        }).join(" ");
    });
    assert.equal(await places(), "0022 2031 0213 2233");
    // Neither the empty place nor that of a camera which is not there for this user is filled.
    assert.equal(await page.locator("#wall > .empty").count(), 2);
    await until("live", async () => (await readTiles(page)).every((tile) => tile.verdict === "live"));
    await page.setViewportSize({ width: 600, height: 1100 });
    await until("the same grid", async () => (await places()) === "0022 2031 0213 2233");
    await page.setViewportSize({ width: 1280, height: 720 });

    // A person may have another one, and the own one again.
    await page.keyboard.press("l");
    const own = page.locator("#layouts label:has([value^='/'])");
    assert.equal((await own.textContent()).trim(), "Own");
    assert.equal(await own.locator("rect").count(), 6);
    assert.ok(await own.locator("input").isChecked());
    await page.click("#layouts label:has([value='4'])");
    await until("2x2", async () => (await grid()) === "2x2");
    await own.click();
    await until("3x3", async () => (await grid()) === "3x3");
    await page.keyboard.press("Escape");
    await page.dblclick('camera-tile[camera="camera-3"]');
    await shows("3");
    await page.keyboard.press("Escape");
    await shows("0 1 2 3");
    // Motion JPEG has no connections for so many.
    await page.goto(`${agent.url}?transport=mjpeg`);
    await until("four panels", async () => (await grid()) === "2x2");
    agent.walls = [{ ...NO_SETTINGS, name: "", layout: ["camera-1 camera-1 camera-3"], cameras: ["camera-1", "camera-3"] }];
    await until("the new one", async () => (await grid()) === "3x1");
    await shows("1 3");
});

test("cameras.toml sets layout, cameras, language and activity mark", async () => {
    agent.walls = [{ name: "", layout: "4", cameras: ["camera-5", "camera-2"], rotate: null, language: "zh-TW", sign_of_life: false }];
    await page.goto(agent.url);
    await shows("5 2");
    assert.equal(await grid(), "2x2");
    assert.deepEqual(await page.evaluate(() => [document.documentElement.lang, document.title]), ["zh-TW", "監視牆"]);
    await until("live", async () => (await readTiles(page)).every((tile) => tile.state === "即時"));
    assert.equal(await page.isVisible("camera-tile .activity"), false);
});

test("the URL chooses a named wall and overrides its settings", async () => {
    agent.walls.push({ ...NO_SETTINGS, name: "hall", layout: "1", cameras: ["camera-3", "camera-4"] });
    await page.goto(`${agent.url}?wall=hall`);
    await shows("3");
    await page.goto(`${agent.url}?wall=hall&layout=4&cameras=camera-1`);
    await shows("1");
    assert.equal(await grid(), "2x2");
    await page.goto(`${agent.url}?wall=nobody&cameras=camera-1,ghost`);
    await shows("1");
    const messages = await page.$$eval("#notices li", (items) => items.map((item) => item.textContent));
    assert.deepEqual(messages, ["cameras.toml has no wall named nobody; this is the one without a name.", "Not in cameras.toml: ghost"]);
});

test("an open page follows a reload and drops earlier choices", async () => {
    await page.goto(agent.url);
    await shows("0 1 2 3 4 5 6");
    await page.evaluate(() => (window.same_page = true));
    await page.keyboard.press("4");
    await shows("0 1 2 3");
    reload([{ ...NO_SETTINGS, name: "", layout: "1+5", cameras: ["camera-6", "camera-0"], language: "zh-TW" }]);
    await shows("6 0");
    assert.equal(await page.textContent("[data-slot=layout]"), "1 + 5");
    assert.equal(await page.getAttribute("html", "lang"), "zh-TW");
    await until("Chinese tiles", async () => (await readTiles(page)).every((tile) => tile.state === "即時"));
    reload([{ ...NO_SETTINGS, name: "" }]);
    await shows("0 1 2 3 4 5 6");
    assert.equal(await page.evaluate(() => window.same_page), true, "the page was not reloaded");
});

test("an open page finds a change by polling", async () => {
    await page.goto(agent.url);
    await shows("0 1 2 3 4 5 6");
    agent.walls = [{ ...NO_SETTINGS, name: "", layout: "1" }];
    await shows("0");
});

test("pages turn automatically in a circle, R stops them, and an enlarged camera stays", async () => {
    await page.goto(`${agent.url}?layout=4&rotate=3`);
    await shows("0 1 2 3");
    await shows("4 5 6");
    await shows("0 1 2 3");
    assert.match(await page.textContent("[data-action=rotate]"), /3 s/);
    await page.dblclick("camera-tile[camera=camera-1]");
    await shows("1");
    const turned = await page.evaluate(() => new Promise((done) => {
        let turns = 0;
        new MutationObserver(() => (turns += 1)).observe(document.querySelector("#wall"), { childList: true });
        setTimeout(() => done(turns), 4000); // longer than a page stays
    }));
    assert.equal(turned, 0, "one camera alone stays");
    await page.keyboard.press("Escape");
    await shows("0 1 2 3");
    await shows("4 5 6");
    await page.keyboard.press("r");
    assert.equal(await page.getAttribute("[data-action=rotate]", "aria-pressed"), "false");
    const still = await page.evaluate(() => new Promise((done) => {
        let turns = 0;
        new MutationObserver(() => (turns += 1)).observe(document.querySelector("#wall"), { childList: true });
        setTimeout(() => done(turns), 4000);
    }));
    assert.equal(still, 0, "stopped");
    await page.keyboard.press("r");
    await shows("0 1 2 3");
});

test("L opens the layout dialog, arrow keys and mouse choose, Esc closes it", async () => {
    await page.goto(agent.url);
    await shows("0 1 2 3 4 5 6");
    const open = () => page.evaluate(() => document.querySelector("#layouts").open);
    await page.keyboard.press("l");
    await until("it is open", open);
    const chosen = () => page.evaluate(() => [document.activeElement.value, document.querySelector("input[name=layout]:checked").value]);
    assert.deepEqual(await chosen(), ["auto", "auto"]);
    await page.keyboard.press("ArrowRight");
    await shows("0");
    await page.keyboard.press("ArrowRight");
    await shows("0 1 2 3");
    assert.deepEqual(await chosen(), ["4", "4"]);
    await page.click("#layouts label:has([value='1+5'])");
    await shows("0 1 2 3 4 5");
    await page.selectOption("#layouts [name=rotate]", "60");
    assert.match(await page.textContent("[data-action=rotate]"), /60 s/);
    await page.uncheck("#layouts [name=life]");
    assert.equal(await page.isVisible("camera-tile .activity"), false);
    await page.keyboard.press("Escape");
    await until("closed", async () => !(await open()));
    await page.reload();
    await shows("0 1 2 3 4 5");
    assert.match(await page.textContent("[data-action=rotate]"), /60 s/);
    assert.equal(await page.isVisible("camera-tile .activity"), false, "remembered");
    const names = await page.$$eval("#layouts input, #layouts select", (all) => all.map((one) => one.labels[0]?.textContent.trim() ?? ""));
    assert.ok(names.every((name) => name !== ""), `every choice has a name: ${names}`);
});

test("a tap enlarges a camera and goes back, and a swipe turns the page", async () => {
    const touchScreen = await startBrowser({ hasTouch: true, isMobile: true, viewport: { width: 800, height: 600 } });
    await withBrowser(touchScreen, async () => {
        await page.goto(`${agent.url}?layout=4`);
        await shows("0 1 2 3");
        await page.tap("camera-tile[camera=camera-2]");
        await shows("2");
        // Later than the second half of a double tap.
        await until("requested alone", () => agent.shows.at(-1)?.length === 1);
        await page.waitForFunction((at) => performance.now() > at + 400, await page.evaluate(() => performance.now()));
        await page.tap("camera-tile");
        await shows("0 1 2 3");
        const session = await page.context().newCDPSession(page);
        const touch = (type, x) => session.send("Input.dispatchTouchEvent", { type, touchPoints: x === null ? [] : [{ x, y: 300 }] });
        await touch("touchStart", 600);
        for (const x of [500, 400, 300]) await touch("touchMove", x);
        await touch("touchEnd", null);
        await shows("4 5 6");
    });
});

test("twenty-five panels request each camera once over one socket", async () => {
    const many = new FakeAgent(Array.from({ length: 25 }, (_, i) => pictures[i % 7]), Array.from({ length: 25 }, (_, i) => `Camera ${i}`), 5);
    await many.start();
    try {
        await page.goto(`${many.url}?layout=25`);
        await until("all live", tilesAre("live", 25), 40_000);
        assert.equal(await grid(), "5x5");
        assert.equal(many.viewers, 1);
        assert.equal(new Set(many.shows.at(-1).map((request) => request.camera)).size, 25);
    } finally {
        await page.goto("about:blank");
        await many.kill();
    }
});
