// Steering: keys, pads, presets, who else steers, and that the camera is stopped whatever happens to the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { until } from "./browser.mjs";
import { agent, page, shows, useFixture } from "./fixture.mjs";

useFixture({ names: ["Gate", "Porch", "Yard"], prepareAgent: () => Object.assign(agent.cameras[1], { ptz: true, may_steer: true }) });

const PATH = "/api/cameras/camera-1/ptz";
const words = () => agent.words.map(({ word }) => word);
const last = () => words().at(-1);
const isMove = (word) => word !== undefined && ("pan" in word || "tilt" in word || "zoom" in word);
const status = () => page.locator(".ptz output").textContent();
const pad = (key) => page.locator(`.ptz [data-key="${key}"]`);

/** Opens the wall with the camera that can be steered alone. */
async function open(query = "?layout=4") {
    await page.goto(`${agent.url}${query}`);
    await shows("0 1 2");
    await page.locator('camera-tile[camera="camera-1"]').dblclick();
    await shows("1");
    await page.locator(".ptz-offer").waitFor();
}

async function steer() {
    await open();
    await page.keyboard.press("p");
    await page.locator(".ptz .presets button").first().waitFor();
    agent.words.length = 0;
}

test("only a camera that can be steered offers it, and only while it is alone", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await shows("0 1 2");
    await page.locator('camera-tile[camera="camera-0"]').dblclick();
    await shows("0");
    await page.keyboard.press("p");
    await page.waitForTimeout(400);
    assert.equal(await page.locator(".ptz, .ptz-offer").count(), 0);
    assert.ok(!agent.requests.some((url) => url.includes("ptz")), "nothing of it is even loaded");
    await page.keyboard.press("ArrowRight");
    await shows("1");
    await page.locator(".ptz-offer").click();
    await page.locator(".ptz").waitFor();
    assert.equal(await status(), "You steer Porch");
    await page.keyboard.press("?");
    assert.ok((await page.locator("#help").textContent()).includes("Steer the enlarged camera"));
});

test("held arrows move the camera again and again, and letting go stops it", async () => {
    await steer();
    await page.keyboard.down("ArrowLeft");
    await until("some words", () => words().filter(isMove).length >= 4);
    const moves = words().filter(isMove);
    assert.ok(moves.every(({ pan, tilt, zoom }) => pan < 0 && tilt === 0 && zoom === 0), JSON.stringify(moves));
    assert.ok(moves.at(-1).pan < moves[0].pan, "faster and faster");
    const times = agent.words.filter(({ word }) => isMove(word)).map(({ at }) => at);
    assert.ok(times.at(-1) - times[0] < 500 * (times.length - 1), "more often than words last");
    await page.keyboard.down("ArrowUp");
    await until("both directions", () => isMove(last()) && last().pan < 0 && last().tilt > 0);
    await page.keyboard.up("ArrowLeft");
    await until("up alone", () => isMove(last()) && last().pan === 0 && last().tilt > 0);
    await page.keyboard.up("ArrowUp");
    await until("a stop", () => last().stop === true);
    const count = words().length;
    await page.waitForTimeout(600);
    assert.equal(words().length, count, "nothing more is said");
    await shows("1");
    await page.keyboard.down("+");
    await until("zoom", () => isMove(last()) && last().zoom > 0);
    await page.keyboard.up("+");
    await until("a stop", () => last().stop === true);
    assert.equal(await page.locator("camera-tile[zoomed]").count(), 0, "no digital zoom");
});

test("digits, Home and the list of presets send the camera there", async () => {
    await steer();
    await page.keyboard.press("2");
    await until("preset 2", () => last()?.preset === 2);
    await page.keyboard.press("Home");
    await until("home", () => last()?.home === true);
    await page.locator(".ptz .presets button", { hasText: "Door" }).click();
    await until("preset 7", () => last()?.preset === 7);
    await shows("1");
    assert.equal(await page.locator("#wall").getAttribute("data-grid"), "1x1", "no layout was chosen");
    await page.keyboard.press("Escape");
    await page.locator(".ptz").waitFor({ state: "detached" });
    await shows("1");
    await page.keyboard.press("Escape");
    await shows("0 1 2");
});

test("pads move it with mouse and finger and are large enough for one", async () => {
    await steer();
    const box = await pad("ArrowRight").boundingBox();
    assert.ok(box.width >= 44 && box.height >= 44, JSON.stringify(box));
    const [over, wall] = [await page.locator(".ptz").boundingBox(), await page.locator("#wall").boundingBox()];
    assert.deepEqual(over, wall, "over the picture, which keeps its place");
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.down();
    await until("to the right", () => words().filter(isMove).length >= 2 && last().pan > 0);
    await page.mouse.up();
    await until("a stop", () => last().stop === true);
    const client = await page.context().newCDPSession(page);
    const zoom = await pad("-").boundingBox();
    await client.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [{ x: zoom.x + 20, y: zoom.y + 20 }] });
    await until("away", () => isMove(last()) && last().zoom < 0);
    // A finger that leaves the pad still holds it.
    await client.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: [{ x: zoom.x + 220, y: zoom.y - 100 }] });
    await client.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    await until("a stop", () => last().stop === true);
    // Neither a tap nor a swipe of the wall, nor the wheel.
    await page.mouse.wheel(0, -600);
    await shows("1");
    assert.equal(await page.locator("camera-tile[zoomed]").count(), 0);
});

test("whatever takes the page's attention away stops the camera", async () => {
    for (const [what, act] of [
        ["blur", () => page.evaluate(() => window.dispatchEvent(new Event("blur")))],
        ["the end of steering", () => page.keyboard.press("p")],
        ["another camera", () => page.evaluate(() => document.querySelector('[data-action="back"]').click())],
        ["leaving the page", () => page.evaluate(() => window.dispatchEvent(new Event("pagehide")))],
    ]) {
        await steer();
        await page.keyboard.down("ArrowDown");
        await until("it moves", () => isMove(last()));
        await act();
        await until(`a stop after ${what}`, () => last().stop === true);
        await page.keyboard.up("ArrowDown");
        const count = words().filter(isMove).length;
        await page.waitForTimeout(500);
        assert.equal(words().filter(isMove).length, count, what);
    }
});

test("an agent that is gone or refuses ends the words, and the page says so", async () => {
    await steer();
    agent.ptzAnswer = [409, { error: "chief steers this camera" }];
    await page.keyboard.down("ArrowLeft");
    await until("the refusal", async () => (await status()) === "chief steers this camera");
    await page.waitForTimeout(300);
    const count = words().length;
    await page.waitForTimeout(500);
    assert.equal(words().length, count, "no word after it");
    await page.keyboard.up("ArrowLeft");
    agent.ptzAnswer = [200, { by: "127.0.0.1", own: true, moving: false, error: "the camera was not moved", reason: [{ code: "not_moved", params: {}, text: "the camera was not moved" }] }];
    await page.keyboard.press("ArrowLeft");
    await until("the error", async () => (await status()) === "the camera was not moved");
    agent.ptzAnswer = [403, { error: "no" }];
    await page.keyboard.press("ArrowLeft");
    await until("no right", async () => (await status()) === "You may not steer.");
    agent.hung = true;
    await page.keyboard.down("ArrowLeft");
    await until("no answer", async () => (await status()) === "The agent does not answer.");
    await page.keyboard.up("ArrowLeft");
});

test("others see who steers, and this page does not name itself", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await shows("0 1 2");
    const label = () => page.locator(".ptz-by").allTextContents();
    agent.sendText(JSON.stringify({ ptz: { camera: "camera-1", by: "chief", own: false } }));
    await until("who steers", async () => (await label()).join() === "chief steers");
    assert.equal(await page.locator('camera-tile[camera="camera-1"] .ptz-by').count(), 1);
    agent.sendText(JSON.stringify({ ptz: { camera: "camera-1", by: "guard", own: true } }));
    await until("nobody else", async () => (await label()).length === 0);
    agent.sendText(JSON.stringify({ ptz: { camera: "camera-1", by: "chief", own: false } }));
    await page.locator('camera-tile[camera="camera-1"]').dblclick();
    await shows("1");
    await page.keyboard.press("p");
    await until("the panel says so", async () => (await status()) === "chief steers");
    agent.sendText(JSON.stringify({ ptz: { camera: "camera-1", by: null, own: false } }));
    await until("it is free", async () => (await status()) === "You steer Porch");
});

test("it ends by itself without input, and its texts are in the language of the page", async () => {
    await open("?layout=4&lang=zh-TW");
    assert.equal(await page.locator(".ptz-offer").textContent(), "操控（P）");
    await page.keyboard.press("p");
    await until("steering", async () => (await status()) === "您正在操控 Porch");
    assert.equal(await pad("Home").getAttribute("aria-label"), "原位");
    await page.evaluate(async () => ((await import("/js/ptz.js")).Ptz.limit = 300));
    await page.locator(".ptz").waitFor({ state: "detached" });
    await shows("1");
    assert.ok(agent.requests.includes(PATH), "the presets were asked for");
});
