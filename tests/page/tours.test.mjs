// What the agent lets a wall show in the place of its settings, step by step, and a person's hand, which goes before.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readTiles, until } from "./browser.mjs";
import { agent, page, shows, tilesAre, useFixture } from "./fixture.mjs";

const NO_SETTINGS = { layout: null, cameras: null, rotate: null, language: null, sign_of_life: null };

useFixture({
    names: ["Gate", "Porch", "Yard", "Roof", "Dock", "Till"],
    width: 160,
    prepareAgent: () => {
        agent.walls = [{ ...NO_SETTINGS, name: "", layout: "4", cameras: ["camera-0", "camera-1"] }];
    },
});

const NOTHING = { shown: [], marked: [] };

/** A step of a tour as the agent tells it. */
const step = (cameras, layout = null, more = {}) => ({ ...NOTHING, scene: { by: "tour", layout, cameras: cameras?.map((i) => `camera-${i}`) ?? null, step: 1, steps: 2, seconds: 20, ...more } });

const grid = () => page.locator("#wall").getAttribute("data-grid");
const named = () => until("the wall is named", () => agent.followed.length > 0);

async function open(query = "") {
    await page.goto(`${agent.url}${query}`);
    await named();
}

/** The page waits so long for a hand, in milliseconds. */
const wait = (patience) => page.evaluate(async (time) => {
    (await import("/js/director.js")).Director.patience = time;
}, patience);

test("a page follows each step at once, and the wall's own cameras come back without a tour", async () => {
    await open();
    await shows("0 1");
    await page.evaluate(() => (window.isSamePage = true));
    agent.callUp(step([2, 3, 4], "1+5"));
    await shows("2 3 4");
    assert.equal(await grid(), "3x3");
    await until("live", tilesAre("live", 3));
    agent.callUp(step([4, 3], "auto"));
    await shows("4 3");
    agent.callUp(step(["5", "0"], ["camera-5 camera-5 camera-0"]));
    await shows("5 0");
    assert.equal(await grid(), "3x1");
    // All cameras, and the layout that fits.
    agent.callUp(step(null));
    await shows("0 1 2 3 4 5");
    agent.callUp(NOTHING);
    await shows("0 1");
    assert.equal(await grid(), "2x2");
    assert.equal(await page.evaluate(() => window.isSamePage), true, "the page was not loaded again");
});

test("tiles of cameras that stay keep their pictures from step to step", async () => {
    await open();
    agent.callUp(step([0, 2, 3], "4"));
    await shows("0 2 3");
    await until("live", tilesAre("live", 3));
    await page.evaluate(() => (window.tile = document.querySelector("camera-tile[camera=camera-2]")));
    agent.callUp(step([2, 0, 4], "1+5"));
    await shows("2 0 4");
    assert.ok(await page.evaluate(() => window.tile === document.querySelector("camera-tile[camera=camera-2]")));
    assert.deepEqual((await readTiles(page)).slice(0, 2).map(({ verdict }) => verdict), ["live", "live"]);
});

test("a page that is opened in the middle joins, and one that loses its socket goes on", async () => {
    agent.callUps = step([3, 4], "4");
    await open();
    await shows("3 4");
    agent.callUps = step([5], "1");
    agent.dropSockets();
    await shows("5");
});

test("a call-up goes before a step, also of a camera that is in another one", async () => {
    await open();
    agent.callUp(step([2, 3], "4"));
    await shows("2 3");
    agent.callUp({ ...step([2, 3], "4"), shown: [{ camera: "camera-5", seconds: 60, by: "rule", number: 1 }] });
    await shows("5");
    await until("live", tilesAre("live", 1));
    agent.callUp({ ...step([4, 0], "4"), shown: [{ camera: "camera-5", seconds: 60, by: "rule", number: 1 }] });
    await page.waitForTimeout(600);
    await shows("5");
    agent.callUp(step([4, 0], "4"));
    await shows("4 0");
});

test("a camera that a person enlarged stays, and the tour goes on a while after the last touch", async () => {
    await open();
    agent.callUp(step([2, 3], "4"));
    await shows("2 3");
    await page.dblclick("camera-tile[camera=camera-3]");
    await shows("3");
    agent.callUp(step([0, 1], "4"));
    await page.waitForTimeout(600);
    await shows("3");
    // Back by hand: the tour is where the agent has it.
    await page.keyboard.press("Escape");
    await shows("0 1");
    await page.dblclick("camera-tile[camera=camera-1]");
    await shows("1");
    await wait(1500);
    await shows("0 1");
});

test("another layout and a dialog hold the tour as well", async () => {
    await open();
    agent.callUp(step([2, 3], "1+5"));
    await shows("2 3");
    await page.keyboard.press("9");
    await until("3x3", async () => (await grid()) === "3x3");
    await page.keyboard.press("1");
    await shows("2");
    agent.callUp(step([4, 5], "4"));
    await page.waitForTimeout(600);
    await shows("2");
    await wait(1500);
    await shows("4 5");
    assert.equal(await grid(), "2x2");

    await wait(60_000);
    await page.keyboard.press("?");
    await until("the help", () => page.isVisible("#help[open]"));
    agent.callUp(step([0], "1"));
    await page.waitForTimeout(600);
    await shows("4 5");
    await page.keyboard.press("Escape");
    await shows("0");
});

test("pages of a step are turned by hand, and the next step begins with its first", async () => {
    await open();
    agent.callUp(step([0, 1, 2], "1"));
    await shows("0");
    await page.keyboard.press("PageDown");
    await shows("1");
    agent.callUp(step([3, 4], "1"));
    await page.waitForTimeout(600);
    await shows("1");
    await wait(1000);
    await shows("3");
});

test("a page whose address says what it shows follows no tour", async () => {
    agent.callUps = step([2, 3], "4");
    await open("?cameras=camera-5,camera-4");
    await shows("5 4");
    await page.waitForTimeout(600);
    await shows("5 4");
});

test("a step that is nonsense is not shown", async () => {
    await open();
    await shows("0 1");
    agent.callUp({ ...NOTHING, scene: { cameras: 7, layout: "7" } });
    await shows("0 1 2 3 4 5");
    agent.callUp({ ...NOTHING, scene: "night" });
    await shows("0 1");
});

/** The screen is off, as the agent tells it. */
const off = (until = "06:00", day = null) => ({ ...NOTHING, scene: { by: "timetable", screen: "off", until, until_day: day, layout: null, cameras: null } });
const isDark = () => page.evaluate(() => document.querySelector("#dark") !== null);
const text = () => page.locator("#dark p").textContent({ timeout: 1000 }).catch(() => null);

/** Whether every pixel of the page is black. */
async function isBlack() {
    const shot = (await page.screenshot()).toString("base64");
    return page.evaluate(async (data) => {
        const image = new Image();
        image.src = `data:image/png;base64,${data}`;
        await image.decode();
        const canvas = new OffscreenCanvas(image.width, image.height);
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        const { data: pixels } = context.getImageData(0, 0, image.width, image.height);
        return pixels.every((value, i) => i % 4 === 3 || value === 0);
    }, shot);
}

test("a screen that is off is wholly black and fetches no pictures, and comes back without a new page", async () => {
    await open();
    await until("live", tilesAre("live", 2));
    await page.evaluate(() => (window.isSamePage = true));
    await page.keyboard.press("?");
    await until("the help", () => page.isVisible("#help[open]"));
    agent.callUp(off());
    await until("dark", isDark);
    assert.ok(await isBlack());
    await until("nothing is requested", () => agent.shows.at(-1)?.length === 0);
    assert.equal(await page.locator("camera-tile").count(), 0);
    agent.callUp(step([2, 3], "4"));
    await shows("2 3");
    await until("live", tilesAre("live", 2));
    assert.equal(await isDark(), false);
    assert.equal(await page.evaluate(() => window.isSamePage), true);
});

test("the mouse shows in both languages why it is dark, and a key lights it for a while and does nothing else", async () => {
    agent.callUps = off();
    await open("?lang=en");
    await until("dark", isDark);
    assert.equal(await text(), "");
    await page.mouse.move(100, 100);
    await page.mouse.move(120, 120);
    await until("the text", async () => (await text()) === "The screen is off until 06:00, as the timetable says. A key or a touch lights it.");
    await until("it goes away", async () => (await text()) === "");
    await until("black again", isBlack);
    agent.callUp(off("00:00", "sat"));
    await page.mouse.move(100, 100);
    await until("the day", async () => (await text())?.includes("until Saturday 00:00,"));
    agent.callUp(off(null));
    await until("for ever", async () => (await text())?.startsWith("The screen is off, as"));

    await wait(2500);
    await page.keyboard.press("9"); // would choose another layout
    await until("lit", async () => !(await isDark()));
    await shows("0 1");
    assert.equal(await grid(), "2x2");
    await until("live", tilesAre("live", 2));
    await until("dark again", isDark);
    await page.mouse.click(300, 300);
    await shows("0 1");
    // Whoever goes on with it has it longer.
    await page.keyboard.press("9");
    await until("another layout", async () => (await grid()) === "3x3");
    await until("dark again", isDark);

    agent.callUps = off("06:00", "sat");
    await open("?lang=zh-TW");
    await until("dark", isDark);
    await page.mouse.move(100, 100);
    await page.mouse.move(120, 120);
    await until("the text", async () => (await text()) === "依時間表，螢幕關閉至 星期六 06:00。按任意鍵或觸碰即可點亮。");
});

test("a camera that is called up lights a dark screen for its time, and one that is only marked does not", async () => {
    agent.callUps = off();
    await open();
    await until("dark", isDark);
    agent.callUp({ ...off(), marked: [{ camera: "camera-1", seconds: 60, by: "rule", number: 1 }] });
    await page.waitForTimeout(600);
    assert.ok(await isDark());
    agent.callUp({ ...off(), shown: [{ camera: "camera-5", seconds: 5, by: "rule", number: 2 }] });
    await shows("5");
    await until("live", tilesAre("live", 1));
    assert.equal(await isDark(), false);
    await until("dark again", isDark);
    assert.ok(await isBlack());
});

test("a dark screen is lit when the agent does not answer any more", async () => {
    await page.clock.install();
    agent.callUps = off();
    await open();
    await until("dark", async () => {
        await page.clock.runFor(300);
        return isDark();
    });
    await agent.kill();
    await page.clock.runFor(20_000);
    assert.ok(await isDark(), "it may be started again");
    await until("lit", async () => {
        await page.clock.runFor(2000);
        return !(await isDark());
    });
    await agent.start();
    await until("dark again", async () => {
        await page.clock.runFor(1000);
        return isDark();
    });
});

test("a page goes back to the wall after back_after, and to its first page where pages do not turn by themselves", async () => {
    agent.walls = [{ ...NO_SETTINGS, name: "", layout: "1", back_after: 5 }];
    await open();
    await shows("0");
    await page.keyboard.press("PageDown");
    await shows("1");
    await page.waitForTimeout(3000);
    await page.mouse.move(200, 200); // each touch begins the time anew
    await page.waitForTimeout(3000);
    await shows("1");
    await shows("0");
    await page.dblclick("camera-tile");
    await page.keyboard.press("i");
    await page.keyboard.press("l");
    await until("a dialog", () => page.isVisible("#layouts[open]"));
    await until("all closed", async () => !(await page.isVisible("dialog[open]")) && !(await page.isVisible("#info")));
    await until("nothing is large", async () => !(await page.isVisible("[data-action=back]")));
    await shows("0");
});
