// The page in Debian's Firefox and WebKit: pictures, verdicts and every transport. All other tests run in
// Chromium.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { until } from "./browser.mjs";
import { eachMoves } from "./fixture.mjs";
import { hasFirefox, startFirefox } from "./firefox.mjs";
import { makePictures, readMarks } from "./pictures.mjs";
import { FakeAgent } from "./fake-agent.mjs";
import { hasWebKit, startWebKit } from "./webkit.mjs";

let pictures;
before(async () => {
    pictures = await makePictures(4, 320);
});

for (const { name, start, skip } of [
    { name: "Firefox", start: startFirefox, skip: (await hasFirefox()) ? false : "there is no firefox-esr" },
    { name: "WebKit", start: startWebKit, skip: (await hasWebKit()) ? false : "there are no webkit2gtk-driver and xvfb" },
]) describe(name, { skip }, () => {
    let agent;
    let browser;

    before(async () => {
        browser = await start();
    });
    after(() => browser?.close());
    beforeEach(async () => {
        agent = new FakeAgent(pictures, ["Gate", "Porch", "Yard", "Roof"]);
        await agent.start();
    });
    afterEach(async () => {
        await browser.goto("about:blank");
        agent.hung = false;
        await agent.kill().catch(() => {});
    });

    const verdicts = () => browser.evaluate(() => [...document.querySelectorAll("camera-tile, cctv-view")].map((tile) => tile.getAttribute("verdict")).join());
    const marks = () => browser.evaluate(`() => (${readMarks})([...document.querySelectorAll("camera-tile, figure, cctv-view")])`);

    test("the wall over the socket is live and shows a frozen picture and a silent agent", async () => {
        await browser.goto(`${agent.url}?layout=4`);
        await until("live", async () => (await verdicts()) === "live,live,live,live");
        await eachMoves("0,1,2,3", marks);
        assert.equal(agent.viewers, 1);
        assert.ok(agent.credits.length > 0, "credits are sent");
        if (process.env.CCTV_SCREENS) await writeFile(`${process.env.CCTV_SCREENS}/${name}.png`, await browser.screenshot());
        agent.cameras[1].moving = false;
        await until("stale", async () => (await verdicts()) === "live,stale,live,live");
        agent.hung = true;
        await until("silent", async () => (await verdicts()) === "silent,silent,silent,silent");
        agent.hung = false;
        agent.cameras[1].moving = true;
        await until("live again", async () => (await verdicts()) === "live,live,live,live");
        await browser.key("i");
        await until("information", () => browser.evaluate(() => document.querySelector("#info h2")?.textContent === "Gate"));
    });

    test("the wall over Motion JPEG moves and shows a frozen stream as stale", async () => {
        await browser.goto(`${agent.url}?transport=mjpeg`);
        await until("live", async () => (await verdicts()) === "live,live,live,live");
        await eachMoves("0,1,2,3", marks);
        agent.muted.add("camera-2");
        await until("stale", async () => (await verdicts()) === "live,live,stale,live");
        agent.muted.delete("camera-2");
        await until("live again", async () => (await verdicts()) === "live,live,live,live");
    });

    test("<cctv-view>, the older system's two ways and the status page are live", async () => {
        await browser.goto(`${agent.url}examples/view.html`);
        await until("live", async () => (await verdicts()) === "live,live,live,live");
        for (const way of ["old-protocol", "motion-jpeg"]) {
            await browser.goto(`${agent.url}examples/${way}.html`);
            await until(`${way} live`, () => browser.evaluate(() => document.querySelectorAll("figure[live]").length >= 4));
            await eachMoves("0,1,2,3", marks);
        }
        await browser.goto(`${agent.url}status.html`);
        await until("the table", () => browser.evaluate(() => [...document.querySelectorAll("tbody strong")].map((one) => one.textContent).join() === "Live,Live,Live,Live"));
    });
});
