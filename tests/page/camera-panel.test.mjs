// The camera panel: all facts about one camera, the plot of its ages, and its state changes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { until } from "./browser.mjs";
import { noFrame, reasonOf, retry } from "./fake-agent.mjs";
import { agent, page, tilesAre, useFixture } from "./fixture.mjs";

useFixture({ names: ["Gate", "Porch", "Yard", "Roof"], width: 160 });

async function openWall(search = "?layout=4") {
    await page.goto(`${agent.url}${search}`);
    await until("all live", tilesAre("live", 4));
}
const fact = (name) => page.$$eval("#info dl > div", (rows, wanted) =>
    rows.find((row) => row.firstChild.textContent === wanted && !row.hidden)?.lastChild.textContent, name);
const infoOpen = () => page.isVisible("#info");
/** Opens the panel, which is loaded when it is opened for the first time. */
async function openPanel() {
    await page.keyboard.press("i");
    await until("the panel", infoOpen);
}

test("I opens the panel of the focused camera beside the tiles", async () => {
    await openWall();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await openPanel();
    assert.equal(await page.textContent("#info h2"), "Porch");
    assert.equal(await fact("Camera sends"), "h264 · 1920×1080 · 12.0 fps · 4.12 Mbit/s");
    assert.equal(await fact("Viewers"), "1");
    assert.equal(await fact("Reconnects"), "3 · stalls: 1");
    assert.equal(await fact("Last error"), "no frame for 5.0 s");
    assert.equal(await fact("Address"), "192.168.1.64 · Profile_1");
    assert.equal(await fact("TLS key"), "sha256:0f1e");
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
    await until("it is closed", async () => !(await infoOpen()));
    await page.click("[data-action=cameraPanel]");
    await until("it is open again", infoOpen);
    await until("its button is pressed", async () => (await page.getAttribute("[data-action=cameraPanel]", "aria-pressed")) === "true");
    await page.keyboard.press("i");
    await until("it is closed again", async () => !(await infoOpen()));
});

test("the panel shows both streams of a camera, and why one replaces the other", async () => {
    const why = "the main stream stands in for the small one, which is offline";
    Object.assign(agent.cameras[0], reasonOf(["stand_in", { shown: "main", wanted: "small", state: "offline" }, why]));
    agent.cameras[0].profiles = [
        { stream: "main", state: "live", why: "", size: [1920, 1080], viewers: 2 },
        { stream: "small", state: "offline", why: "no frame for 5.0 s", size: null, viewers: 0 },
    ];
    await openWall();
    await openPanel();
    assert.equal(await fact("Streams"), "Main: Live 1920×1080 (2 watching) / Small: Offline");
    assert.equal(await fact("Note"), why);
    await openWall("?layout=4&lang=zh-TW");
    await openPanel();
    await until("the Chinese note", async () => (await fact("備註")) === "small 串流無法使用（offline），以另一個串流代替");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await until("a camera with one stream has neither", async () =>
        (await page.textContent("#info h2")) === "Porch" && (await fact("備註")) === undefined && (await fact("串流")) === undefined);
});

test("the panel shows what was lost of the camera's packets, and the camera's clock", async () => {
    const reception = { packets: 99_950, lost: 50, late: 3, foreign: 0, resyncs: 1, jitter: 0.0021, damaged_frames: 12, waiting_for_key_frame: null, camera_clock: -3.25 };
    agent.cameras[0].reception = reception;
    await openWall();
    await openPanel();
    assert.equal(await fact("Reception"), "50 of 99950 packets lost · damaged frames: 12 · jitter 2.1 ms");
    assert.match(await fact("Camera's clock (not used)"), /^−3\.[23] s$/);
    await openWall("?layout=4&lang=zh-TW");
    await openPanel();
    assert.equal(await fact("接收"), "99950 個封包遺失 50 個 · 損壞影格 12 個 · 抖動 2.1 ms");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await until("a camera that a worker reads has neither", async () =>
        (await page.textContent("#info h2")) === "Porch" && (await fact("接收")) === undefined && (await fact("攝影機時鐘（不採用）")) === undefined);
    for (const camera_clock of [null, "now"]) {
        agent.setCamera("camera-1", { reception: { ...reception, camera_clock } });
        await until("reception alone", async () => (await fact("接收")) !== undefined);
        assert.equal(await fact("攝影機時鐘（不採用）"), undefined);
    }
});

test("the plot shows a stall, and the state log says when and why", async () => {
    await openWall();
    await openPanel();
    const columns = () => page.$eval("#info canvas", (canvas) => {
        const pen = canvas.getContext("2d");
        const { data } = pen.getImageData(0, 4, canvas.width, 1); // near the top: only what is not live reaches it
        return Array.from({ length: canvas.width }, (_, i) => data[4 * i] > 200).filter(Boolean).length;
    });
    const share = async () => Number(/live (\d+) %/.exec(await page.textContent("#info .summary"))?.[1] ?? 0);
    await until("some seconds, of which the first was spent connecting", async () => (await share()) >= 50);
    const connecting = await columns();
    agent.setCamera("camera-0", { state: "stalled", ...reasonOf(noFrame(5), retry(60, 2)) });
    await until("seconds not live", async () => (await columns()) > connecting + 1);
    const log = await page.$$eval("#info .state-log li", (items) => items.map((item) => item.textContent));
    assert.match(log[0], /^\d\d:\d\d:\d\d Stalled – no frame for 5\.0 s$/);
    assert.match(log[1], /^\d\d:\d\d:\d\d Live$/);
    assert.equal(await page.textContent("#info .state"), "Stalled");
    assert.ok((await share()) < 100);
    assert.equal(await page.getAttribute("#info canvas", "aria-label"), await page.textContent("#info .summary"));
});

test("the history keeps the worst value of each second and forgets after five minutes", async () => {
    await page.goto(agent.url);
    const seen = await page.evaluate(async () => {
        const { History, SECONDS } = await import("/js/history.js");
        const history = new History();
        const note = (second, age, verdict = "live") => history.note("a", { verdict, why: verdict === "live" ? "" : "because", reason: [], age }, second * 1000);
        note(10, 50);
        note(10.5, 900);
        note(10.9, 80);
        note(13, 100);
        const early = history.seconds("a", 13_000).slice(-4);
        note(14, null, "offline");
        note(14.5, 40);
        const late = history.seconds("a", 14_900).at(-1);
        const changes = history.changes("a").map(({ verdict, why }) => [verdict, why]);
        note(10 + SECONDS + 2, 70);
        const gone = history.seconds("a", (10 + SECONDS + 2) * 1000).map((one) => one?.age ?? null);
        history.retain(["b"]);
        return { early, late: [late.age === Infinity, late.live], changes, gone: [gone[0], gone.at(-1), gone.filter((age) => age !== null).length],
            retained: history.seconds("a", 13_000).filter(Boolean).length };
    });
    assert.deepEqual(seen, {
        early: [{ age: 900, live: true }, null, null, { age: 100, live: true }],
        late: [true, false],
        changes: [["live", ""], ["offline", "because"], ["live", ""]],
        gone: [100, 70, 3],
        retained: 0,
    });
});

