// The page in Debian's Firefox: pictures, truth and every transport. All else is tested in Chromium.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { until } from "./browser.mjs";
import { hasFirefox, startFirefox } from "./firefox.mjs";
import { makePictures, readMarks } from "./pictures.mjs";
import { StandIn } from "./stand-in.mjs";

const inFirefox = { skip: (await hasFirefox()) ? false : "there is no firefox-esr" };
let pictures;
let agent;
let firefox;

before(async () => {
    if (inFirefox.skip) return;
    pictures = await makePictures(4, 320);
    firefox = await startFirefox();
});
after(() => firefox?.close());
beforeEach(async () => {
    if (inFirefox.skip) return;
    agent = new StandIn(pictures, ["Gate", "Porch", "Yard", "Roof"]);
    await agent.start();
});
afterEach(async () => {
    if (inFirefox.skip) return;
    await firefox.goto("about:blank");
    agent.hung = false;
    await agent.kill().catch(() => {});
});

const verdicts = () => firefox.evaluate(() => [...document.querySelectorAll("camera-tile, cctv-view")].map((tile) => tile.getAttribute("verdict")).join());
const marks = () => firefox.evaluate(`() => (${readMarks})([...document.querySelectorAll("camera-tile, figure, cctv-view")].map((one) => one.shadowRoot ?? one))`);
async function eachMoves(cameras) {
    await until("each its camera", async () => (await marks()).map((mark) => mark?.camera).join() === cameras);
    const first = await marks();
    const moved = first.map(() => false);
    await until("all move", async () => {
        (await marks()).forEach((mark, i) => (moved[i] ||= mark !== null && mark.frame !== first[i].frame));
        return moved.every(Boolean);
    });
}

test("Firefox: the wall is live over the socket, draws and says so, and tells a stall and a silent agent", inFirefox, async () => {
    await firefox.goto(`${agent.url}?layout=4`);
    await until("live", async () => (await verdicts()) === "live,live,live,live");
    await eachMoves("0,1,2,3");
    assert.equal(agent.viewers, 1);
    assert.ok(agent.credits.length > 0, "drawn is told");
    if (process.env.CCTV_SCREENS) await writeFile(`${process.env.CCTV_SCREENS}/firefox.png`, await firefox.screenshot());
    agent.cameras[1].moving = false;
    await until("stale", async () => (await verdicts()) === "live,stale,live,live");
    agent.hung = true;
    await until("silent", async () => (await verdicts()) === "silent,silent,silent,silent");
    agent.hung = false;
    agent.cameras[1].moving = true;
    await until("live again", async () => (await verdicts()) === "live,live,live,live");
    await firefox.key("i");
    await until("information", () => firefox.evaluate(() => document.querySelector("#info h2").textContent === "Gate"));
});

test("Firefox: Motion JPEG moves, and a stream that stops is not called live", inFirefox, async () => {
    await firefox.goto(`${agent.url}?transport=mjpeg`);
    await until("live", async () => (await verdicts()) === "live,live,live,live");
    await eachMoves("0,1,2,3");
    agent.muted.add("camera-2");
    await until("stale", async () => (await verdicts()) === "live,live,stale,live");
    agent.muted.delete("camera-2");
    await until("live again", async () => (await verdicts()) === "live,live,live,live");
});

test("Firefox: <cctv-view>, the older system's two ways and the status page work", inFirefox, async () => {
    await firefox.goto(`${agent.url}examples/view.html`);
    await until("live", async () => (await verdicts()) === "live,live,live,live");
    for (const way of ["old-protocol", "motion-jpeg"]) {
        await firefox.goto(`${agent.url}examples/${way}.html`);
        await until(`${way} live`, () => firefox.evaluate(() => document.querySelectorAll("figure[live]").length >= 4));
        await eachMoves("0,1,2,3");
    }
    await firefox.goto(`${agent.url}status.html`);
    await until("the table", () => firefox.evaluate(() => [...document.querySelectorAll("tbody strong")].map((one) => one.textContent).join() === "Live,Live,Live,Live"));
});
