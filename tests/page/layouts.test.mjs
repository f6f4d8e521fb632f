// An installer decides what each screen shows, in cameras.toml or in the address, and nobody clicks.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { readTiles, startBrowser, until } from "./browser.mjs";
import { makePictures } from "./pictures.mjs";
import { StandIn } from "./stand-in.mjs";

const NAMES = ["Gate", "Porch", "Yard", "Roof", "Hall", "Dock", "Lift"];
const SAYS_NOTHING = { layout: null, cameras: null, rotate: null, language: null, sign_of_life: null };
let pictures;
let agent;
let browser;
let page;

before(async () => {
    pictures = await makePictures(7, 160);
    browser = await startBrowser();
});
after(() => browser?.close());
beforeEach(async () => {
    agent = new StandIn(pictures, NAMES);
    agent.walls = [{ name: "", ...SAYS_NOTHING }];
    await agent.start();
    page = await browser.newPage();
});
afterEach(async () => {
    await page.evaluate(() => localStorage.clear());
    await page.close();
    await agent.kill();
});

const cameras = async () => (await readTiles(page)).map((tile) => tile.camera.slice("camera-".length)).join(" ");
const shows = (wanted) => until(`cameras ${wanted}`, async () => (await cameras()) === wanted || undefined);
const grid = () => page.getAttribute("#wall", "data-grid");
const boxes = () => page.$$eval("camera-tile", (tiles) => tiles.map((tile) => {
    const { x, y, width, height } = tile.getBoundingClientRect();
    return { x, y, width, height };
}));
/** The agent's file was changed and reloaded; the page asks again by itself. */
const reload = (change) => {
    agent.walls = change;
    agent.say(JSON.stringify({ config: [] })); // else it is noticed at the next look, seconds later
};

test("one large tile stands beside small ones, asks for more, and all are live", async () => {
    await page.goto(`${agent.url}?layout=1+5`);
    await shows("0 1 2 3 4 5");
    const [large, ...small] = await boxes();
    for (const tile of small) assert.ok(large.width > 1.9 * tile.width && large.height > 1.9 * tile.height);
    await until("asked by size", () => agent.asked.at(-1)?.length === 6);
    const [first, second] = agent.asked.at(-1);
    assert.ok(first.size[0] > 1.9 * second.size[0] && first.fps > second.fps, JSON.stringify([first, second]));
    await until("live", async () => (await readTiles(page)).every((tile) => tile.verdict === "live"));
});

test("a screen that is turned gets another grid", async () => {
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

test("cameras.toml chooses layout, cameras, language and the sign of life", async () => {
    agent.walls = [{ name: "", layout: "4", cameras: ["camera-5", "camera-2"], rotate: null, language: "zh-TW", sign_of_life: false }];
    await page.goto(agent.url);
    await shows("5 2");
    assert.equal(await grid(), "2x2");
    assert.deepEqual(await page.evaluate(() => [document.documentElement.lang, document.title]), ["zh-TW", "監視牆"]);
    await until("live", async () => (await readTiles(page)).every((tile) => tile.state === "即時"));
    assert.equal(await page.isVisible("camera-tile .life"), false);
});

test("the address names one of several walls, and goes before what that says", async () => {
    agent.walls.push({ ...SAYS_NOTHING, name: "hall", layout: "1", cameras: ["camera-3", "camera-4"] });
    await page.goto(`${agent.url}?wall=hall`);
    await shows("3");
    await page.goto(`${agent.url}?wall=hall&layout=4&cameras=camera-1`);
    await shows("1");
    assert.equal(await grid(), "2x2");
    await page.goto(`${agent.url}?wall=nobody&cameras=camera-1,ghost`);
    await shows("1");
    const said = await page.$$eval("#notices li", (items) => items.map((item) => item.textContent));
    assert.deepEqual(said, ["cameras.toml has no wall named nobody; this is the one without a name.", "Not in cameras.toml: ghost"]);
});

test("an open page follows a reload without a click, and forgets what was chosen before it", async () => {
    await page.goto(agent.url);
    await shows("0 1 2 3 4 5 6");
    await page.evaluate(() => (window.same_page = true));
    await page.keyboard.press("4");
    await shows("0 1 2 3");
    reload([{ ...SAYS_NOTHING, name: "", layout: "1+5", cameras: ["camera-6", "camera-0"], language: "zh-TW" }]);
    await shows("6 0");
    assert.equal(await page.textContent("[data-slot=layout]"), "1 + 5");
    assert.equal(await page.getAttribute("html", "lang"), "zh-TW");
    await until("Chinese tiles", async () => (await readTiles(page)).every((tile) => tile.state === "即時"));
    reload([{ ...SAYS_NOTHING, name: "" }]);
    await shows("0 1 2 3 4 5 6");
    assert.equal(await page.evaluate(() => window.same_page), true, "the page was not reloaded");
});

test("without a word from anybody an open page finds the change by itself", async () => {
    await page.goto(agent.url);
    await shows("0 1 2 3 4 5 6");
    agent.walls = [{ ...SAYS_NOTHING, name: "", layout: "1" }];
    await shows("0");
});

test("pages turn by themselves, round and round, R stops them, and one camera alone stays", async () => {
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

test("L opens the choice, arrows and mouse choose, Esc closes", async () => {
    await page.goto(agent.url);
    await shows("0 1 2 3 4 5 6");
    const open = () => page.evaluate(() => document.querySelector("#layouts").open);
    await page.keyboard.press("l");
    assert.equal(await open(), true);
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
    assert.equal(await page.isVisible("camera-tile .life"), false);
    await page.keyboard.press("Escape");
    await until("closed", async () => !(await open()));
    await page.reload();
    await shows("0 1 2 3 4 5");
    assert.match(await page.textContent("[data-action=rotate]"), /60 s/);
    assert.equal(await page.isVisible("camera-tile .life"), false, "remembered");
    const names = await page.$$eval("#layouts input, #layouts select", (all) => all.map((one) => one.labels[0]?.textContent.trim() ?? ""));
    assert.ok(names.every((name) => name !== ""), `every choice has a name: ${names}`);
});

test("a finger's tap shows one camera large and back, and a swipe turns the page", async () => {
    const touching = await startBrowser({ hasTouch: true, isMobile: true, viewport: { width: 800, height: 600 } });
    try {
        page = await touching.newPage();
        await page.goto(`${agent.url}?layout=4`);
        await shows("0 1 2 3");
        await page.tap("camera-tile[camera=camera-2]");
        await shows("2");
        // Not the second half of a double tap.
        await until("asked for alone", () => agent.asked.at(-1)?.length === 1);
        await page.waitForFunction((at) => performance.now() > at + 400, await page.evaluate(() => performance.now()));
        await page.tap("camera-tile");
        await shows("0 1 2 3");
        const session = await page.context().newCDPSession(page);
        const touch = (type, x) => session.send("Input.dispatchTouchEvent", { type, touchPoints: x === null ? [] : [{ x, y: 300 }] });
        await touch("touchStart", 600);
        for (const x of [500, 400, 300]) await touch("touchMove", x);
        await touch("touchEnd", null);
        await shows("4 5 6");
    } finally {
        await touching.close();
        page = await browser.newPage();
        await page.goto(agent.url);
    }
});

test("twenty-five panels ask for each camera once over one socket", async () => {
    const many = new StandIn(Array.from({ length: 25 }, (_, i) => pictures[i % 7]), Array.from({ length: 25 }, (_, i) => `Camera ${i}`), 5);
    await many.start();
    try {
        await page.goto(`${many.url}?layout=25`);
        await until("all live", async () => {
            const tiles = await readTiles(page);
            return tiles.length === 25 && tiles.every((tile) => tile.verdict === "live");
        }, 40_000);
        assert.equal(await grid(), "5x5");
        assert.equal(many.viewers, 1);
        assert.equal(new Set(many.asked.at(-1).map((place) => place.camera)).size, 25);
    } finally {
        await page.goto("about:blank");
        await many.kill();
        await page.goto(agent.url);
    }
});
