// The controls of the wall: keys, mouse, languages, a hidden page, errors in cameras.toml.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readTiles, startBrowser, until } from "./browser.mjs";
import { agent, page, shows, useFixture } from "./fixture.mjs";

useFixture({
    names: ["Gate", "Porch", "Yard", "Roof", "Hall", "Dock"],
    width: 160,
    preparePage: () => page.addInitScript(() => {
        let hidden = false;
        Object.defineProperty(document, "hidden", { get: () => hidden });
        window.hide = (now) => {
            hidden = now;
            document.dispatchEvent(new Event("visibilitychange"));
        };
    }),
});

const focused = () => page.evaluate(() => document.activeElement.getAttribute("camera"));

test("the default layout has as many panels as there are cameras", async () => {
    await page.goto(agent.url);
    await shows("0 1 2 3 4 5");
    assert.equal(await page.getAttribute("#wall", "data-grid"), "3x2");
    assert.equal(await page.locator("#wall > .empty").count(), 0);
});

test("digits choose the layout, the browser stores it, and pages turn in a circle", async () => {
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

test("arrow keys move the focus and turn the page at the edge; Enter enlarges, Esc goes back", async () => {
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
    await until("requested in large", () => agent.shows.at(-1).length === 1 && agent.shows.at(-1)[0].size[0] > 1000);
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

test("a double click enlarges a camera, and another one goes back", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await shows("0 1 2 3");
    await page.dblclick("camera-tile[camera=camera-2]");
    await shows("2");
    await page.dblclick("camera-tile[camera=camera-2]");
    await shows("0 1 2 3");
});

test("the question mark opens and closes the help, and Esc closes it", async () => {
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

test("F enters and leaves full screen", async () => {
    await page.goto(agent.url);
    await shows("0 1 2 3 4 5");
    const full = () => page.evaluate(() => document.fullscreenElement !== null);
    await page.keyboard.press("f");
    await until("full screen", full);
    await page.keyboard.press("f");
    await until("no full screen", async () => !(await full()));
});

test("every control has an accessible name, and the name of a tile includes its state", async () => {
    await page.goto(agent.url);
    await until("live", async () => (await readTiles(page)).some((tile) => tile.verdict === "live"));
    const nameless = await page.$$eval("button", (buttons) =>
        buttons.filter((button) => !button.getAttribute("aria-label") && !button.textContent.trim()).map((button) => button.outerHTML));
    assert.deepEqual(nameless, []);
    agent.setCamera("camera-1", { state: "denied", why: "check the password" });
    await until("named", async () =>
        (await page.getAttribute("camera-tile[camera=camera-1]", "aria-label")) === "Porch: Login refused. check the password");
});

test("a hidden page requests nothing, and a visible page requests everything again", async () => {
    await page.goto(agent.url);
    await until("requested", () => agent.shows.at(-1)?.length === 6);
    await page.evaluate(() => window.hide(true));
    await until("requested nothing", () => agent.shows.at(-1).length === 0);
    await page.setViewportSize({ width: 1100, height: 700 });
    await page.evaluate(() => window.hide(false));
    await until("requested again", () => agent.shows.at(-1).length === 6);
    await until("live", async () => (await readTiles(page)).every((tile) => tile.verdict === "live"));
});

test("errors in cameras.toml show as plain text until dismissed", async () => {
    agent.complaints = ['cameras.toml:14:1: camera "gate": unknown key "profil"', "<img src=x onerror=alert(1)>"];
    await page.goto(agent.url);
    await until("the strip", () => page.isVisible("#notices .config-error"));
    assert.deepEqual(await page.$$eval("#notices li", (items) => items.map((item) => item.textContent)), [
        'cameras.toml:14:1: camera "gate": unknown key "profil"',
        "<img src=x onerror=alert(1)>",
    ]);
    await page.click("#notices .dismiss");
    assert.equal(await page.isVisible("#notices"), false);
    agent.complaints = ["9:6: another"];
    agent.sendText(JSON.stringify({ config: agent.complaints }));
    await until("new complaints", () => page.isVisible("#notices .config-error"));
    agent.complaints = [];
    agent.sendText(JSON.stringify({ config: [] }));
    await until("none left", async () => !(await page.isVisible("#notices")));
});

test("an agent that runs as root says so, in both languages and below the errors in cameras.toml", async () => {
    agent.runsAsRoot = true;
    agent.complaints = ["1:1: an error"];
    const items = () => page.$$eval("#notices li", (all) => all.map((item) => item.textContent));
    try {
        await page.goto(`${agent.url}?lang=en`);
        await until("English", async () => (await items()).join() === "1:1: an error,The agent runs as root. Start it with --user cctv-agent.");
        await page.goto(`${agent.url}?lang=zh-TW`);
        await until("Chinese", async () => (await items()).at(-1) === "代理程式以 root 執行。請以 --user cctv-agent 啟動。");
    } finally {
        agent.runsAsRoot = false;
        agent.complaints = [];
    }
    await page.goto(agent.url);
    await until("live", async () => (await readTiles(page)).some((tile) => tile.verdict === "live"));
    assert.deepEqual(await items(), []);
});

test("the language follows the browser or the URL, and both languages are complete", async () => {
    const chinese = await startBrowser({ locale: "zh-TW" });
    try {
        const other = await chinese.newPage();
        const stated = async () => other.evaluate(() => [document.documentElement.lang, document.title]);
        await other.goto(agent.url);
        await until("the Chinese title", async () => (await stated()).join() === "zh-TW,監視牆");
        await until("Chinese tiles", async () => (await readTiles(other)).some((tile) => tile.state === "即時"));
        await other.goto(`${agent.url}?lang=en`);
        assert.deepEqual(await stated(), ["en", "Camera wall"]);
    } finally {
        await chinese.close();
    }
    await page.goto(`${agent.url}?lang=zh-TW`);
    assert.equal(await page.getAttribute("html", "lang"), "zh-TW");
    const texts = await page.evaluate(async () => ({
        en: (await import("/js/language.js")).ENGLISH,
        "zh-TW": await (await fetch("/texts/zh-TW.json")).json(),
    }));
    assert.deepEqual(Object.keys(texts["zh-TW"]), Object.keys(texts.en));
    const placeholders = (text) => (text.match(/\{\w+\}/g) ?? []).sort();
    for (const key of Object.keys(texts.en)) assert.deepEqual(placeholders(texts["zh-TW"][key]), placeholders(texts.en[key]), key);
    const used = await page.evaluate(() => [...document.querySelectorAll("[data-text], [data-label]")].flatMap((one) =>
        [one.dataset.text, one.dataset.label].filter(Boolean)));
    for (const key of used) assert.ok(key in texts.en, key);
});

test("a page whose texts do not come is in English, and in its own language once they do", async () => {
    agent.missing.add("/texts/zh-TW.json");
    await page.goto(`${agent.url}?lang=zh-TW`);
    await until("English tiles", async () => (await readTiles(page)).some((tile) => tile.state === "Live"));
    assert.equal(await page.title(), "Camera wall");
    agent.missing.clear();
    await until("Chinese tiles", async () => (await readTiles(page)).some((tile) => tile.state === "即時"));
    await until("the title", async () => (await page.title()) === "監視牆");
});

test("the URL chooses cameras and their order", async () => {
    await page.goto(`${agent.url}?cameras=camera-3,camera-1,nobody`);
    await shows("3 1");
});

test("without cameras the page says what to do", async () => {
    agent.cameras = [];
    await page.goto(agent.url);
    await until("shown", async () => (await page.textContent("#nothing-headline")) === "No cameras yet");
});
