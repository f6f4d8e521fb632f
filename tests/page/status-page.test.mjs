// The status page: the table of all cameras.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readTiles, until } from "./browser.mjs";
import { reasonOf, retry } from "./fake-agent.mjs";
import { agent, page, tilesAre, useFixture } from "./fixture.mjs";

useFixture({ names: ["Gate", "Porch", "Yard", "Roof"], width: 160 });

test("the wall links to the status page, which lists all cameras and refreshes itself", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await until("all live", tilesAre("live", 4));
    await page.click("a[href='status.html']");
    await page.waitForURL(/status\.html/);
    const cells = (i) => page.$$eval("tbody tr", (all, at) => [...(all[at]?.cells ?? [])].map((cell) => cell.innerText.replace(/\s+/g, " ").trim()), i);
    await until("four rows", async () => (await page.$$("tbody tr")).length === 4);
    await until("figures", async () => /^2\d %$/.test((await cells(1))[10]));
    const row = await cells(1);
    assert.deepEqual([row[0], row[1], ...row.slice(3, 10), row[11]], ["Porch", "Live", "h264", "1920×1080", "12.0", "4.12", "1", "3", "1", "85 MiB"]);
    await page.evaluate(() => (window.kept = document.querySelector("tbody tr")));
    const refused = ["cannot_connect", { host: "10.0.0.4", error: "connection refused" }, "cannot connect to 10.0.0.4: connection refused"];
    agent.setCamera("camera-0", { state: "offline", ...reasonOf(refused, retry(60, 2)) });
    agent.complaints = ["cameras.toml:9:6: no"];
    await until("the message", async () => /^Offline cannot connect to 10\.0\.0\.4: connection refused · Next attempt in \d+ s \(no\. 2\)$/.test((await cells(0))[1]));
    assert.equal(await page.textContent("[data-slot=summary]"), "3 of 4 live");
    assert.equal(await page.textContent("#config-errors"), "cameras.toml:9:6: no");
    agent.runsAsRoot = true;
    await until("root", async () => (await page.$$eval("#config-errors li", (all) => all.map((item) => item.textContent))).at(-1) === "The agent runs as root. Start it with --user cctv-agent.");
    agent.runsAsRoot = false;
    assert.ok(await page.evaluate(() => window.kept === document.querySelector("tbody tr")), "rows stay the same elements");
    // For screen readers: a caption, and headers of columns and rows.
    const table = page.getByRole("table", { name: "All cameras as the agent reports them now" });
    assert.equal(await table.getByRole("columnheader").count(), 12);
    assert.equal(await table.getByRole("rowheader").count(), 4);
    await page.click("tbody a");
    await until("that camera alone", async () => (await readTiles(page)).map((tile) => tile.camera).join() === "camera-0");
});

test("the fingerprint of the certificate is on the status page, and on this machine's own wall after a start", async () => {
    const fingerprint = Array(32).fill("AB").join(":");
    agent.tls = { fingerprint, own: true, announced: false, expires: 315360000 };
    await page.goto(`${agent.url}status.html`);
    await until("the fingerprint", async () => (await page.textContent("[data-slot=agent]")).endsWith(`SHA-256: ${fingerprint}`));
    await page.goto(`${agent.url}?layout=4`);
    await until("all live", tilesAre("live", 4));
    assert.equal(await page.isVisible("#notices"), false);
    agent.tls.announced = true;
    await until("the message", async () => (await page.textContent("#notices")).includes(fingerprint));
    agent.tls = null;
    await until("its end", async () => !(await page.isVisible("#notices")));
});

test("both languages of the status page are complete", async () => {
    await page.goto(`${agent.url}status.html`);
    const [english, chinese, used] = await page.evaluate(async () => {
        const { TEXTS } = await import("/js/status-texts.js");
        return [Object.keys(TEXTS.en), Object.keys(TEXTS["zh-TW"]), [...document.querySelectorAll("[data-text^=status]")].map((one) => one.dataset.text)];
    });
    assert.deepEqual(chinese, english);
    assert.deepEqual(used.filter((key) => !english.includes(key)), []);
});

test("an old table says so in every row and recovers by itself", async () => {
    await page.goto(`${agent.url}status.html?lang=zh-TW`);
    const states = () => page.$$eval("tbody strong", (all) => all.map((one) => one.textContent));
    await until("live", async () => (await states()).join() === "即時,即時,即時,即時");
    assert.deepEqual([await page.getAttribute("html", "lang"), await page.title()], ["zh-TW", "攝影機"]);
    agent.cameras[1].moving = false;
    await until("an old picture is not called live", async () => (await states())[1] === "沒有新畫面");
    agent.hung = true;
    await until("silent", async () => (await states()).every((state) => state === "代理程式沒有回應"));
    assert.match(await page.textContent("[data-slot=agent]"), /本表是舊的/);
    assert.ok(await page.evaluate(() => document.body.hasAttribute("silent")));
    agent.hung = false;
    await until("back", async () => (await states())[0] === "即時");
});
