// Sound on a real agent, of a virtual camera that beeps at each second of the clock in its picture.

import assert from "node:assert/strict";
import { test } from "node:test";

import { until } from "./browser.mjs";
import { LIVE_TIMEOUT, allLive, browser, facts, needsControl, urlOf, useBrowser } from "./live-fixture.mjs";

const CAMERA = "yard";
/** A beep is heard within this time of its second, as a median, in milliseconds: the page's buffer is 150 to
 * 350 of it, and a busy machine delivers late. */
const HEARD_WITHIN = 900;
const BEEPS = 4;

useBrowser({ args: ["--autoplay-policy=no-user-gesture-required"] });

/** Runs in the page: notes when each beep is to be heard, by the page's clock. */
function noteBeeps() {
    const beeps = (window.beeps = []);
    const { start } = AudioBufferSourceNode.prototype;
    let wasQuiet = false;
    AudioBufferSourceNode.prototype.start = function (when) {
        const samples = this.buffer.getChannelData(0);
        const first = samples.findIndex((sample) => Math.abs(sample) > 0.1);
        if (first >= 0 && wasQuiet) beeps.push(Date.now() + 1000 * (when - this.context.currentTime + first / this.buffer.sampleRate));
        wasQuiet = first < 0;
        start.call(this, when);
    };
}

test("a beep is heard at each second of the camera's clock, only while somebody listens", needsControl, async () => {
    const page = await browser.newPage();
    await page.addInitScript(noteBeeps);
    const before = (await facts(CAMERA)).sounds_opened;
    await page.goto(urlOf(`/?cameras=${CAMERA},gate`));
    await until("all live", () => allLive(page), LIVE_TIMEOUT);
    assert.equal((await facts(CAMERA)).sounds_opened, before, "nobody listens");
    await page.locator(`camera-tile[camera="${CAMERA}"]`).focus();
    await page.keyboard.press("a");
    await until("it is heard", () => page.locator('.sound[data-state="heard"]').count(), LIVE_TIMEOUT);
    const beeps = await until("beeps", async () => {
        const heard = await page.evaluate(() => window.beeps);
        return heard.length >= BEEPS && heard;
    }, LIVE_TIMEOUT);
    const late = beeps.map((at) => at % 1000).sort((a, b) => a - b);
    console.info(`beeps are heard ${late.map(Math.round).join(", ")} ms after their second`);
    const median = late[Math.floor(late.length / 2)];
    assert.ok(median > 0 && median < HEARD_WITHIN, `${late}`);
    assert.equal((await facts(CAMERA)).sounds_opened, before + 1);
    await page.keyboard.press("a");
    await until("it is muted", async () => (await page.locator('.sound[data-state="heard"]').count()) === 0);
    await page.close();
});
