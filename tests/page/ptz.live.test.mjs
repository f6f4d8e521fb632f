// Steering on a real agent with a virtual camera that moves until the agent stops it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { until } from "./browser.mjs";
import { LIVE_TIMEOUT, allLive, browser, facts, needsControl, urlOf, useBrowser } from "./live-fixture.mjs";

const CAMERA = "yard";
/** The camera stands within this time of the end of its page, in milliseconds. */
const STANDS_WITHIN = 1000;
/** How often that is measured: this machine may do something else the first time. */
const MEASUREMENTS = 5;

useBrowser();

const view = async () => (await facts(CAMERA)).ptz;

/** Opens a page on which the camera moves because a key is held. */
async function steer(key) {
    const page = await browser.newPage();
    await page.goto(urlOf(`/?cameras=${CAMERA},gate`));
    await until("all live", () => allLive(page), LIVE_TIMEOUT);
    await page.locator(`camera-tile[camera="${CAMERA}"]`).dblclick();
    await page.locator(".ptz-offer").click();
    await page.locator(".ptz .presets button", { hasText: "Door" }).waitFor();
    const before = await view();
    await page.keyboard.down(key);
    await until("the camera moves", async () => Math.abs((await view()).pan - before.pan) > 0.02);
    return page;
}

test("a camera follows the keys, and stands when they are let go", needsControl, async () => {
    const page = await steer("ArrowRight");
    assert.ok((await view()).moving);
    await page.keyboard.up("ArrowRight");
    await until("it stands", async () => !(await view()).moving);
    await page.keyboard.press("1");
    await until("preset 1", async () => Math.abs((await view()).pan + 0.5) < 0.01);
    await page.keyboard.press("Home");
    await until("home", async () => Math.abs((await view()).pan) < 0.01);
    assert.equal(await page.locator(".ptz output").textContent(), "You steer Yard 停車場");
    await page.close();
});

test("a camera stands within a second when its page is killed", needsControl, async () => {
    const times = [];
    while (times.length < MEASUREMENTS && !times.some((time) => time <= STANDS_WITHIN)) {
        const page = await steer(times.length % 2 === 0 ? "ArrowLeft" : "ArrowRight");
        const client = await page.context().newCDPSession(page);
        const killed = Date.now();
        void client.send("Page.crash").catch(() => {}); // nobody is left to answer
        await until("it stands", async () => !(await view()).moving);
        times.push((await view()).rested_ms - killed);
        await page.close();
    }
    console.info(`stood ${times.join(", ")} ms after its page was killed`);
    assert.ok(times.some((time) => time <= STANDS_WITHIN), `${times}`);
});
