// Somebody uses the wall: keys, mouse, languages, a page out of sight, a bad cameras.toml.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { readTiles, startBrowser, until } from "./browser.mjs";
import { makePictures } from "./pictures.mjs";
import { StandIn } from "./stand-in.mjs";

const NAMES = ["Gate", "Porch", "Yard", "Roof", "Hall", "Dock"];
let pictures;
let agent;
let browser;
let page;

before(async () => {
    pictures = await makePictures(6, 160);
    browser = await startBrowser();
});
after(() => browser?.close());
beforeEach(async () => {
    agent = new StandIn(pictures, NAMES);
    await agent.start();
    page = await browser.newPage();
    await page.addInitScript(() => {
        let hidden = false;
        Object.defineProperty(document, "hidden", { get: () => hidden });
        window.hide = (now) => {
            hidden = now;
            document.dispatchEvent(new Event("visibilitychange"));
        };
    });
});
afterEach(async () => {
    await page.evaluate(() => localStorage.clear());
    await page.close();
    await agent.kill();
});

const cameras = async () => (await readTiles(page)).map((tile) => tile.camera.slice("camera-".length)).join(" ");
const shows = (wanted) => until(`cameras ${wanted}`, async () => (await cameras()) === wanted || undefined);
const focused = () => page.evaluate(() => document.activeElement.getAttribute("camera"));

test("without a choice the wall is as large as the cameras need", async () => {
    await page.goto(agent.url);
    await shows("0 1 2 3 4 5");
    assert.equal(await page.getAttribute("#wall", "data-grid"), "3x2");
    assert.equal(await page.locator("#wall > .empty").count(), 0);
});

test("digits choose the layout, which is remembered, and pages turn round", async () => {
    await page.goto(agent.url);
    await shows("0 1 2 3 4 5");
    await page.keyboard.press("4");
    await shows("0 1 2 3");
    await page.keyboard.press("PageDown");
    await shows("4 5");
    await page.keyboard.press("PageDown");
    await shows("0 1 2 3");
    await page.keyboard.press("PageUp");
    await shows("4 5");
    assert.equal((await page.textContent("[data-slot=page]")).trim(), "2 / 2");
    await page.keyboard.press("1");
    await shows("1");
    for (const [digits, layout] of [["16", "16"], ["25", "25"], ["13", "1 + 12"], ["6", "1 + 5"], ["8", "1 + 7"], ["9", "9"], ["0", "Auto"]]) {
        for (const digit of digits) await page.keyboard.press(digit);
        await shows("0 1 2 3 4 5");
        assert.equal(await page.textContent("[data-slot=layout]"), layout);
    }
    await page.keyboard.press("4");
    await shows("0 1 2 3");
    await page.reload();
    await shows("0 1 2 3");
});

test("arrows move the focus and turn the page at the edge; Enter enlarges, Esc goes back", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await shows("0 1 2 3");
    await page.keyboard.press("ArrowRight");
    assert.equal(await focused(), "camera-0");
    await page.keyboard.press("ArrowRight");
    assert.equal(await focused(), "camera-1");
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(), "camera-3");
    await page.keyboard.press("Enter");
    await shows("3");
    assert.equal(await focused(), "camera-3");
    await until("asked for in large", () => agent.asked.at(-1).length === 1 && agent.asked.at(-1)[0].size[0] > 1000);
    await page.keyboard.press("Escape");
    await shows("0 1 2 3");
    assert.equal(await focused(), "camera-3");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowRight");
    await shows("4 5");
    assert.equal(await focused(), "camera-4");
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement, "::after").boxShadow);
    assert.notEqual(outline, "none");
});

test("a double click enlarges, another goes back", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await shows("0 1 2 3");
    await page.dblclick("camera-tile[camera=camera-2]");
    await shows("2");
    await page.dblclick("camera-tile[camera=camera-2]");
    await shows("0 1 2 3");
});

test("question mark opens the help and closes it, and so does Esc", async () => {
    await page.goto(agent.url);
    await shows("0 1 2 3 4 5");
    const open = () => page.evaluate(() => document.querySelector("#help").open);
    await page.keyboard.press("?");
    assert.equal(await open(), true);
    await page.keyboard.press("1");
    await shows("0 1 2 3 4 5");
    await page.keyboard.press("?");
    assert.equal(await open(), false);
    await page.click("[data-action=help]");
    assert.equal(await open(), true);
    await page.keyboard.press("Escape");
    await until("help closed", async () => !(await open()));
});

test("F fills the screen and gives it back", async () => {
    await page.goto(agent.url);
    await shows("0 1 2 3 4 5");
    const full = () => page.evaluate(() => document.fullscreenElement !== null);
    await page.keyboard.press("f");
    await until("full screen", full);
    await page.keyboard.press("f");
    await until("no full screen", async () => !(await full()));
});

test("every control has a name, and a tile is named with its state", async () => {
    await page.goto(agent.url);
    await until("live", async () => (await readTiles(page)).some((tile) => tile.verdict === "live"));
    const nameless = await page.$$eval("button", (buttons) =>
        buttons.filter((button) => !button.getAttribute("aria-label") && !button.textContent.trim()).map((button) => button.outerHTML));
    assert.deepEqual(nameless, []);
    agent.report("camera-1", { state: "denied", why: "check the password" });
    await until("named", async () =>
        (await page.getAttribute("camera-tile[camera=camera-1]", "aria-label")) === "Porch: Login refused. check the password");
});

test("a hidden page asks for nothing, and for all again when it is seen", async () => {
    await page.goto(agent.url);
    await until("asked", () => agent.asked.at(-1)?.length === 6);
    await page.evaluate(() => window.hide(true));
    await until("asked for nothing", () => agent.asked.at(-1).length === 0);
    await page.setViewportSize({ width: 1100, height: 700 });
    await page.evaluate(() => window.hide(false));
    await until("asked again", () => agent.asked.at(-1).length === 6);
    await until("live", async () => (await readTiles(page)).every((tile) => tile.verdict === "live"));
});

test("complaints about cameras.toml show as a strip until dismissed, as text and nothing else", async () => {
    agent.complaints = ['cameras.toml:14:1: camera "gate": unknown key "profil"', "<img src=x onerror=alert(1)>"];
    await page.goto(agent.url);
    await until("the strip", () => page.isVisible("#notices .complaint"));
    assert.deepEqual(await page.$$eval("#notices li", (items) => items.map((item) => item.textContent)), [
        'cameras.toml:14:1: camera "gate": unknown key "profil"',
        "<img src=x onerror=alert(1)>",
    ]);
    await page.click("#notices .dismiss");
    assert.equal(await page.isVisible("#notices"), false);
    agent.complaints = ["9:6: another"];
    agent.say(JSON.stringify({ config: agent.complaints }));
    await until("new complaints", () => page.isVisible("#notices .complaint"));
    agent.complaints = [];
    agent.say(JSON.stringify({ config: [] }));
    await until("none left", async () => !(await page.isVisible("#notices")));
});

test("the language is the browser's, or the address's, and both are complete", async () => {
    const chinese = await startBrowser({ locale: "zh-TW" });
    try {
        const other = await chinese.newPage();
        const stated = async () => other.evaluate(() => [document.documentElement.lang, document.title]);
        await other.goto(agent.url);
        assert.deepEqual(await stated(), ["zh-TW", "監視牆"]);
        await until("Chinese tiles", async () => (await readTiles(other)).some((tile) => tile.state === "即時"));
        await other.goto(`${agent.url}?lang=en`);
        assert.deepEqual(await stated(), ["en", "Camera wall"]);
    } finally {
        await chinese.close();
    }
    await page.goto(`${agent.url}?lang=zh-TW`);
    assert.equal(await page.getAttribute("html", "lang"), "zh-TW");
    const words = await page.evaluate(async () => (await import("/js/language.js")).LANGUAGES);
    assert.deepEqual(Object.keys(words["zh-TW"]), Object.keys(words.en));
    const holes = (text) => (text.match(/\{\w+\}/g) ?? []).sort();
    for (const key of Object.keys(words.en)) assert.deepEqual(holes(words["zh-TW"][key]), holes(words.en[key]), key);
    const used = await page.evaluate(() => [...document.querySelectorAll("[data-text], [data-label]")].flatMap((one) =>
        [one.dataset.text, one.dataset.label].filter(Boolean)));
    for (const key of used) assert.ok(key in words.en, key);
});

test("the address chooses cameras and their order", async () => {
    await page.goto(`${agent.url}?cameras=camera-3,camera-1,nobody`);
    await shows("3 1");
});

test("no cameras: the page says so and what to do", async () => {
    agent.cameras = [];
    await page.goto(agent.url);
    await until("said", async () => (await page.textContent("#nothing-headline")) === "No cameras yet");
});
