// Sound: nothing is heard before somebody wants it, one camera at a time, never beside a picture that is not live.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

import { until } from "./browser.mjs";
import { noFrame, reasonOf, retry } from "./fake-agent.mjs";
import { agent, page, shows, useFixture } from "./fixture.mjs";

useFixture({
    names: ["Gate", "Porch", "Yard"],
    prepareAgent: () => {
        for (const camera of agent.cameras.slice(0, 2)) Object.assign(camera, { sound: true, may_listen: true });
    },
    // What is given to be played: when, for how long, and how loud its camera is.
    preparePage: () => page.addInitScript(() => {
        const { start } = AudioBufferSourceNode.prototype;
        const { connect } = AudioNode.prototype;
        const played = (window.played = []);
        AudioNode.prototype.connect = function (to, ...rest) {
            this.into = to;
            return connect.call(this, to, ...rest);
        };
        AudioBufferSourceNode.prototype.start = function (when) {
            played.push({ when, waits: when - this.context.currentTime, seconds: this.buffer.duration, peak: Math.max(...this.buffer.getChannelData(0)) });
            window.gain = this.into.gain;
            start.call(this, when);
        };
    }),
});

/** A tone as AAC of 16 kHz, one channel: frames of 64 ms, without the heads of ADTS. */
async function aacFrames() {
    const command = "-v error -f lavfi -i sine=frequency=500:sample_rate=16000:duration=2 -af volume=12dB -ac 1 -c:a aac -b:a 32k -f adts -";
    const { stdout } = await promisify(execFile)("ffmpeg", command.split(" "), { encoding: "buffer" });
    const frames = [];
    for (let at = 0; at + 7 <= stdout.length; ) {
        const length = ((stdout[at + 3] & 3) << 11) | (stdout[at + 4] << 3) | (stdout[at + 5] >> 5);
        frames.push(stdout.subarray(at + ((stdout[at + 1] & 1) === 1 ? 7 : 9), at + length));
        at += length;
    }
    return frames;
}

const mark = (camera) => page.locator(`camera-tile[camera="camera-${camera}"] .sound`);
const stateOf = (camera) => mark(camera).evaluateAll((marks) => marks[0]?.dataset.state ?? null);
const heard = (camera) => async () => (await stateOf(camera)) === "heard";
const listeners = (camera) => agent.listeners.get(`camera-${camera}`) ?? 0;
const played = () => page.evaluate(() => window.played);
const message = () => page.textContent("#notices");

async function open() {
    await page.goto(`${agent.url}?layout=4`);
    await shows("0 1 2");
}

async function listen() {
    await open();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("a");
    await until("sound of the first camera", heard(0));
}

test("nothing is heard before somebody wants it, then one camera at a time", async () => {
    await open();
    assert.ok(!agent.requests.some((url) => url.includes("sound")), "nothing of it is even loaded");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("a");
    await until("sound of the first camera", heard(0));
    assert.equal(await mark(0).getAttribute("aria-label"), "You hear Gate – mute (A)");
    assert.equal(await mark(0).getAttribute("aria-pressed"), "true");
    const sounds = await played();
    assert.ok(sounds.every(({ waits, seconds, peak }) => waits >= 0 && waits < 1 && seconds === 0.04 && peak > 0.1 && peak < 1), JSON.stringify(sounds));
    // Another camera is chosen.
    await page.keyboard.press("ArrowRight");
    await until("the first one ends", async () => (await stateOf(0)) === null && listeners(0) === 0);
    await page.keyboard.press("a");
    await until("sound of the second camera", heard(1));
    assert.deepEqual([listeners(0), listeners(1), await page.locator(".sound").count()], [0, 1, 1]);
    await page.keyboard.press("a");
    await until("it is muted", async () => (await stateOf(1)) === null && listeners(1) === 0);
});

test("sound is muted at once while the picture is not live, and comes again with it", async () => {
    await listen();
    agent.setCamera("camera-0", { state: "stalled", ...reasonOf(noFrame(5), retry(60, 2)) });
    await until("it is muted", async () => (await stateOf(0)) === "muted");
    assert.equal(await mark(0).textContent(), "No sound: the picture is not live");
    assert.equal(await page.evaluate(() => window.gain.value), 0);
    const count = (await played()).length;
    await page.waitForTimeout(300);
    assert.equal((await played()).length, count, "nothing is played meanwhile");
    agent.setCamera("camera-0", { state: "live", why: "", reason: [] });
    await until("it is heard again", heard(0));
});

test("sound that is old is never heard", async () => {
    await listen();
    agent.soundDelay = 3000;
    await until("it is missing", async () => (await mark(0).textContent()) === "No sound comes");
    const count = (await played()).length;
    await page.waitForTimeout(300);
    assert.equal((await played()).length, count);
    agent.soundDelay = 0;
    await until("it is heard again", heard(0));
});

test("sound ends when its camera leaves the screen, and when the page is left", async () => {
    for (const [what, act] of [
        ["another camera alone", () => page.locator('camera-tile[camera="camera-1"]').dblclick()],
        ["leaving the page", () => page.evaluate(() => window.dispatchEvent(new Event("pagehide")))],
    ]) {
        await listen();
        await act();
        await until(`the end after ${what}`, () => listeners(0) === 0);
        assert.equal(await page.locator('.sound[data-state="heard"]').count(), 0);
    }
});

test("a camera alone on the screen offers its sound, in the language of the page", async () => {
    await page.goto(`${agent.url}?layout=4&lang=zh-TW`);
    await shows("0 1 2");
    await page.locator('camera-tile[camera="camera-1"]').dblclick();
    await mark(1).waitFor();
    assert.equal(await mark(1).textContent(), "收聽（A）");
    const box = await mark(1).boundingBox();
    assert.ok(box.width >= 44 && box.height >= 44, JSON.stringify(box));
    await mark(1).click();
    await until("sound", heard(1));
    await shows("1");
});

test("who cannot hear a camera is told why", async () => {
    await open();
    await page.keyboard.press("ArrowRight");
    agent.soundAnswer = [502, { error: "the stream has no sound", reason: [{ code: "no_sound", params: {}, text: "the stream has no sound" }] }];
    await page.keyboard.press("a");
    await until("no track", async () => (await message()).includes("Gate cannot be heard: the stream has no sound"));
    assert.equal(await page.locator(".sound").count(), 0);
    agent.soundAnswer = null;
    agent.soundFormat = { format: "aac", codec: "mp4a.40.99", config: "FAg=" };
    await page.keyboard.press("a");
    await until("the codec", async () => (await message()).includes("cannot decode its sound (mp4a.40.99)"));
    agent.soundFormat = {};
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("a");
    await until("a camera without sound", async () => (await message()).includes("Yard cannot be heard"));
});

test("AAC is decoded by the browser and heard", async () => {
    agent.soundUnits = await aacFrames();
    assert.ok(agent.soundUnits.length > 25, String(agent.soundUnits.length));
    agent.soundInterval = 64;
    // AAC-LC, 16 kHz, one channel (ISO 14496-3, AudioSpecificConfig).
    agent.soundFormat = { format: "aac", codec: "mp4a.40.2", sample_rate: 16_000, channels: 1, config: "FAg=" };
    await listen();
    const loud = async () => (await played()).filter(({ peak }) => peak > 0.1);
    const sounds = await until("the tone", async () => (await loud()).length >= 10 && loud());
    assert.ok(sounds.every(({ waits, seconds, peak }) => waits >= 0 && waits < 1 && Math.abs(seconds - 0.064) < 1e-6 && peak <= 1), JSON.stringify(sounds));
});
