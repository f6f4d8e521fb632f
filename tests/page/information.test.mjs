// What else a person wants to know: the panel about one camera, its picture as a file, the table of all.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { readTiles, startBrowser, until } from "./browser.mjs";
import { makePictures } from "./pictures.mjs";
import { StandIn } from "./stand-in.mjs";

let pictures;
let agent;
let browser;
let page;

before(async () => {
    pictures = await makePictures(4, 160);
    browser = await startBrowser();
});
after(() => browser?.close());
beforeEach(async () => {
    agent = new StandIn(pictures, ["Gate", "Porch", "Yard", "Roof"]);
    await agent.start();
    page = await browser.newPage();
});
afterEach(async () => {
    await page.evaluate(() => localStorage.clear());
    await page.close();
    agent.hung = false;
    await agent.kill();
});

async function openWall(search = "?layout=4") {
    await page.goto(`${agent.url}${search}`);
    await until("all live", async () => {
        const tiles = await readTiles(page);
        return tiles.length === 4 && tiles.every((tile) => tile.verdict === "live");
    });
}
const fact = (name) => page.$$eval("#info dl > div", (rows, wanted) =>
    rows.find((row) => row.firstChild.textContent === wanted && !row.hidden)?.lastChild.textContent, name);
const infoOpen = () => page.isVisible("#info");

test("I tells everything about the camera with the focus, and hides no tile", async () => {
    await openWall();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("i");
    assert.equal(await page.textContent("#info h2"), "Porch");
    assert.equal(await fact("Camera sends"), "h264 · 1920×1080 · 12.0 fps · 4.12 Mbit/s");
    assert.equal(await fact("Viewers"), "1");
    assert.equal(await fact("Reconnects"), "3 · stalls: 1");
    assert.equal(await fact("Last error"), "no frame for 5.0 s");
    assert.equal(await fact("Address"), "192.168.1.64 · Profile_1");
    assert.match(await fact("Since"), /^Live for 1 min/);
    await until("what is drawn", async () => /^WebSocket · (.+ · )?160×90 · \d+\.\d fps$/.test(await fact("This page draws")));
    await until("the worker's part of a core", async () => /^2[0-9] % CPU · 85 MiB$/.test(await fact("Worker process")));
    await until("the wall has made room", async () => {
        const [panel, tiles] = await page.evaluate(() => [document.querySelector("#info").getBoundingClientRect().left,
            [...document.querySelectorAll("camera-tile")].map((tile) => tile.getBoundingClientRect().right)]);
        return tiles.every((right) => right <= panel);
    });
    await page.keyboard.press("ArrowDown");
    await until("it follows the focus", async () => (await page.textContent("#info h2")) === "Roof");
    await page.keyboard.press("Escape");
    assert.equal(await infoOpen(), false);
    await page.click("[data-action=information]");
    assert.equal(await infoOpen(), true);
    assert.equal(await page.getAttribute("[data-action=information]", "aria-pressed"), "true");
    await page.keyboard.press("i");
    assert.equal(await infoOpen(), false);
});

test("both streams of a camera are told, and why a live one is shown by the wrong one", async () => {
    const why = "the main stream stands in for the small one, which is offline";
    agent.cameras[0].why = why;
    agent.cameras[0].profiles = [
        { stream: "main", state: "live", why: "", size: [1920, 1080], viewers: 2 },
        { stream: "small", state: "offline", why: "no frame for 5.0 s", size: null, viewers: 0 },
    ];
    await openWall();
    await page.keyboard.press("i");
    assert.equal(await fact("Streams"), "Main: Live 1920×1080 (2 watching) / Small: Offline");
    assert.equal(await fact("Note"), why);
    await openWall("?layout=4&lang=zh-TW");
    await page.keyboard.press("i");
    await until("the Chinese note", async () => (await fact("備註")) === "small 串流無法使用（offline），以另一個串流代替");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await until("a camera with one stream has neither", async () =>
        (await page.textContent("#info h2")) === "Porch" && (await fact("備註")) === undefined && (await fact("串流")) === undefined);
});

test("the plot shows a stall as such, and the turns say when and why", async () => {
    await openWall();
    await page.keyboard.press("i");
    const columns = () => page.$eval("#info canvas", (canvas) => {
        const pen = canvas.getContext("2d");
        const { data } = pen.getImageData(0, 4, canvas.width, 1); // near the top: only what is not live reaches it
        return Array.from({ length: canvas.width }, (_, i) => data[4 * i] > 200).filter(Boolean).length;
    });
    const share = async () => Number(/live (\d+) %/.exec(await page.textContent("#info .summary"))?.[1] ?? 0);
    await until("some seconds, of which the first was spent connecting", async () => (await share()) >= 50);
    const connecting = await columns();
    agent.report("camera-0", { state: "stalled", why: "no frame for 5.0 s; trying again in 60 s (attempt 2)" });
    await until("seconds not live", async () => (await columns()) > connecting + 1);
    const turns = await page.$$eval("#info li", (items) => items.map((item) => item.textContent));
    assert.match(turns[0], /^\d\d:\d\d:\d\d Stalled – no frame for 5\.0 s$/);
    assert.match(turns[1], /^\d\d:\d\d:\d\d Live$/);
    assert.equal(await page.textContent("#info .state"), "Stalled");
    assert.ok((await share()) < 100);
    assert.equal(await page.getAttribute("#info canvas", "aria-label"), await page.textContent("#info .summary"));
});

test("history keeps the worst of each second, forgets after minutes, and knows what it did not see", async () => {
    await page.goto(agent.url);
    const seen = await page.evaluate(async () => {
        const { History, SECONDS } = await import("/js/history.js");
        const history = new History();
        const note = (second, age, verdict = "live") => history.note("a", { verdict, why: verdict === "live" ? "" : "because", age }, second * 1000);
        note(10, 50);
        note(10.5, 900);
        note(10.9, 80);
        note(13, 100);
        const early = history.seconds("a", 13_000).slice(-4);
        note(14, null, "offline");
        note(14.5, 40);
        const late = history.seconds("a", 14_900).at(-1);
        const turns = history.turns("a").map(({ verdict, why }) => [verdict, why]);
        note(10 + SECONDS + 2, 70);
        const gone = history.seconds("a", (10 + SECONDS + 2) * 1000).map((one) => one?.age ?? null);
        history.keep(["b"]);
        return { early, late: [late.age === Infinity, late.live], turns, gone: [gone[0], gone.at(-1), gone.filter((age) => age !== null).length],
            kept: history.seconds("a", 13_000).filter(Boolean).length };
    });
    assert.deepEqual(seen, {
        early: [{ age: 900, live: true }, null, null, { age: 100, live: true }],
        late: [true, false],
        turns: [["live", ""], ["offline", "because"], ["live", ""]],
        gone: [100, 70, 3],
        kept: 0,
    });
});

test("S saves what the tile shows in full size, named by camera and time", async () => {
    await openWall();
    await page.focus("camera-tile[camera=camera-2]");
    const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("s")]);
    assert.match(download.suggestedFilename(), /^camera-2-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.jpg$/);
    assert.deepEqual(await readFile(await download.path()), pictures[2][0]);
    assert.ok(agent.requests.includes("/snapshot/camera-2"), "asked for in the camera's own size");
    await until("told", async () => (await page.textContent("#notices")).includes(download.suggestedFilename()));
    const name = await page.evaluate(async () => (await import("/js/snapshot.js")).fileName("gate", new Date(2026, 10, 22, 21, 4, 5)));
    assert.equal(name, "gate-2026-11-22T21-04-05.jpg");
});

test("a picture that is not live is told, never saved", async () => {
    await openWall();
    const downloads = [];
    page.on("download", (download) => downloads.push(download));
    agent.report("camera-0", { state: "stalled", why: "no frame" });
    await page.keyboard.press("s");
    await until("told", async () => /Not saved: Gate is not live \(Stalled\)/.test(await page.textContent("#notices")));
    agent.report("camera-0", { state: "live", why: "" });
    agent.hung = true;
    await agent.kill();
    await page.keyboard.press("s");
    await until("told", async () => /Not saved: the agent gave no picture of Gate/.test(await page.textContent("#notices")));
    assert.deepEqual(downloads, []);
    await agent.start();
});

test("the status page lists all cameras, refreshes itself, and is found from the wall", async () => {
    await openWall();
    await page.click("a[href='status.html']");
    await page.waitForURL(/status\.html/);
    const cells = (i) => page.$$eval("tbody tr", (all, at) => [...(all[at]?.cells ?? [])].map((cell) => cell.innerText.replace(/\s+/g, " ").trim()), i);
    await until("four rows", async () => (await page.$$("tbody tr")).length === 4);
    await until("figures", async () => /^2\d %$/.test((await cells(1))[10]));
    const row = await cells(1);
    assert.deepEqual([row[0], row[1], ...row.slice(3, 10), row[11]], ["Porch", "Live", "h264", "1920×1080", "12.0", "4.12", "1", "3", "1", "85 MiB"]);
    await page.evaluate(() => (window.kept = document.querySelector("tbody tr")));
    agent.report("camera-0", { state: "offline", why: "cannot connect to 10.0.0.4: connection refused; trying again in 60 s (attempt 2)" });
    agent.complaints = ["cameras.toml:9:6: no"];
    await until("told", async () => /^Offline cannot connect to 10\.0\.0\.4: connection refused · Next attempt in \d+ s \(no\. 2\)$/.test((await cells(0))[1]));
    assert.equal(await page.textContent("[data-slot=summary]"), "3 of 4 live");
    assert.equal(await page.textContent("#complaints"), "cameras.toml:9:6: no");
    assert.ok(await page.evaluate(() => window.kept === document.querySelector("tbody tr")), "rows stay the same elements");
    // For who listens: a caption, and heads for columns and rows.
    const table = page.getByRole("table", { name: "All cameras as the agent has them now" });
    assert.equal(await table.getByRole("columnheader").count(), 12);
    assert.equal(await table.getByRole("rowheader").count(), 4);
    await page.click("tbody a");
    await until("that camera alone", async () => (await readTiles(page)).map((tile) => tile.camera).join() === "camera-0");
});

test("both languages of the status page are complete", async () => {
    await page.goto(`${agent.url}status.html`);
    const [english, chinese, used] = await page.evaluate(async () => {
        const { WORDS } = await import("/js/status-words.js");
        return [Object.keys(WORDS.en), Object.keys(WORDS["zh-TW"]), [...document.querySelectorAll("[data-text^=status]")].map((one) => one.dataset.text)];
    });
    assert.deepEqual(chinese, english);
    assert.deepEqual(used.filter((key) => !english.includes(key)), []);
});

test("a table that is old says so in every row, and is new again by itself", async () => {
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
