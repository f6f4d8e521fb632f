// Snapshots: the S key saves the picture of a tile as a file.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { until } from "./browser.mjs";
import { agent, page, pictures, tilesAre, useFixture } from "./fixture.mjs";

useFixture({ names: ["Gate", "Porch", "Yard", "Roof"], width: 160 });

async function openWall(search = "?layout=4") {
    await page.goto(`${agent.url}${search}`);
    await until("all live", tilesAre("live", 4));
}

test("S saves the picture in full size, named by camera and time", async () => {
    await openWall();
    await page.focus("camera-tile[camera=camera-2]");
    const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("s")]);
    assert.match(download.suggestedFilename(), /^camera-2-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.jpg$/);
    assert.deepEqual(await readFile(await download.path()), pictures[2][0]);
    assert.ok(agent.requests.includes("/snapshot/camera-2"), "requested in the camera's own size");
    await until("the message", async () => (await page.textContent("#notices")).includes(download.suggestedFilename()));
    const name = await page.evaluate(async () => (await import("/js/snapshot.js")).fileName("gate", new Date(2026, 10, 22, 21, 4, 5)));
    assert.equal(name, "gate-2026-11-22T21-04-05.jpg");
});

test("a picture that is not live is never saved, and a message says why", async () => {
    await openWall();
    const downloads = [];
    page.on("download", (download) => downloads.push(download));
    agent.setCamera("camera-0", { state: "stalled", why: "no frame" });
    await page.keyboard.press("s");
    await until("the message", async () => /Not saved: Gate is not live \(Stalled\)/.test(await page.textContent("#notices")));
    agent.setCamera("camera-0", { state: "live", why: "" });
    agent.hung = true;
    await agent.kill();
    await page.keyboard.press("s");
    await until("the message", async () => /Not saved: the agent gave no picture of Gate/.test(await page.textContent("#notices")));
    assert.deepEqual(downloads, []);
    agent.hung = false;
    await agent.start();
});


test("where the wall keeps pictures, the agent saves it, and says why if it cannot", async () => {
    const downloads = [];
    page.on("download", (download) => downloads.push(download));
    agent.walls = [{ name: "" }, { name: "hall", keeps_pictures: true }];
    await openWall("?layout=4&wall=hall");
    await page.focus("camera-tile[camera=camera-2]");
    await page.keyboard.press("s");
    await until("the message", async () => (await page.textContent("#notices")).includes("Saved: kept.jpg"));
    assert.ok(agent.requests.includes("/snapshot/camera-2?wall=hall"));
    agent.keeping = { status: 507, answer: { error: "/media/stick is not there" } };
    await page.keyboard.press("s");
    await until("why", async () => (await page.textContent("#notices")).includes("Not saved: /media/stick is not there"));
    agent.setCamera("camera-2", { state: "stalled", why: "no frame" });
    await page.keyboard.press("s");
    await until("not live", async () => (await page.textContent("#notices")).includes("Not saved: Yard is not live"));
    assert.deepEqual(downloads, []);
});
