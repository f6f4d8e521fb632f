// The page on a real agent with real streams: every tile moves, and a stalled camera is told.
//
// CCTV_AGENT_URL is the agent's address; CCTV_CAMERA_CONTROL that of the virtual camera's control
// port, which takes POST /<id>/stall and /<id>/resume with the identifiers of cameras.toml;
// CCTV_STALL_AFTER the agent's `stall_after` in seconds, if it is not 5; CCTV_CONFIG its cameras.toml,
// which is changed and put back.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { readTiles, startBrowser, until } from "./browser.mjs";

const AGENT = process.env.CCTV_AGENT_URL;
const CONTROL = process.env.CCTV_CAMERA_CONTROL;
const CONFIG = process.env.CCTV_CONFIG;
const STALL_AFTER = Number(process.env.CCTV_STALL_AFTER ?? 5) * 1000;
/** How long after `stall_after` a tile may take to tell, in milliseconds. */
const TOLD_WITHIN = 3000;
const FIRST_PICTURES_WITHIN = 60_000;
const HEALED_WITHIN = 90_000;

const agentOnly = { skip: AGENT ? false : "CCTV_AGENT_URL is not set" };
const withFaults = { skip: AGENT && CONTROL ? false : "CCTV_AGENT_URL and CCTV_CAMERA_CONTROL are not both set" };

const withConfig = { skip: AGENT && CONFIG ? false : "CCTV_AGENT_URL and CCTV_CONFIG are not both set" };

let browser;
let page;

before(async () => {
    if (!AGENT) return;
    browser = await startBrowser();
    page = await browser.newPage();
});
after(() => browser?.close());

/** A number for the pixels of each tile; null where there is no picture. Runs in the page. */
function hashes(tiles) {
    return tiles.map((tile) => {
        const source = [...tile.querySelectorAll("img, canvas")].reverse().find((one) => !one.hidden && (one.naturalWidth ?? one.width) > 16);
        if (source === undefined) return null;
        const copy = new OffscreenCanvas(160, 90).getContext("2d");
        copy.drawImage(source, 0, 0, 160, 90);
        return copy.getImageData(0, 0, 160, 90).data.reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, 7);
    });
}

async function allMove() {
    const look = () => page.$$eval("camera-tile", hashes);
    const first = await look();
    assert.ok(first.length > 0);
    const moved = first.map(() => false);
    await until("every tile moves", async () => {
        (await look()).forEach((hash, i) => (moved[i] ||= hash !== null && hash !== first[i]));
        return moved.every(Boolean);
    });
}

const allLive = async () => {
    const tiles = await readTiles(page);
    return tiles.length > 0 && tiles.every((tile) => tile.verdict === "live");
};

async function control(camera, what) {
    const answer = await fetch(new URL(`/${camera}/${what}`, CONTROL), { method: "POST", signal: AbortSignal.timeout(5000) });
    assert.ok(answer.ok, `${what} of ${camera}: ${answer.status}`);
}

for (const transport of ["socket", "mjpeg"]) {
    test(`all tiles of a real agent are live and move over ${transport}`, agentOnly, async () => {
        await page.goto(new URL(`/?layout=4&transport=${transport}`, AGENT).href);
        await until("all live", allLive, FIRST_PICTURES_WITHIN);
        await allMove();
    });

    test(`a camera that stalls is told on its tile over ${transport}, and is live again after`, withFaults, async () => {
        await page.goto(new URL(`/?layout=4&transport=${transport}`, AGENT).href);
        await until("all live", allLive, FIRST_PICTURES_WITHIN);
        const { camera } = (await readTiles(page))[0];
        const tile = async () => (await readTiles(page)).find((one) => one.camera === camera);
        await control(camera, "stall");
        try {
            await until(`${camera} not live`, async () => (await tile()).verdict !== "live", STALL_AFTER + TOLD_WITHIN);
            const { bandShown, dimmed, headline } = await tile();
            assert.ok(bandShown && dimmed);
            assert.equal(headline, "NOT LIVE");
        } finally {
            await control(camera, "resume");
        }
        await until("live again", allLive, HEALED_WITHIN);
        await allMove();
    });
}

test("an open page follows [wall] of cameras.toml after SIGHUP without a click", withConfig, async () => {
    const api = async () => (await fetch(new URL("/api/cameras", AGENT))).json();
    const before = await readFile(CONFIG, "utf8");
    const { pid, cameras } = await api();
    const [first, second] = cameras.map((camera) => camera.id);
    const shown = async () => (await readTiles(page)).map((tile) => tile.camera).join();
    await page.goto(new URL("/", AGENT).href);
    await until("all cameras", async () => (await shown()) === cameras.map((camera) => camera.id).join());
    const since = (await api()).reload.count;
    try {
        await writeFile(CONFIG, `${before}\n[wall]\nlayout = "1+5"\ncameras = ["${second}", "${first}"]\nlanguage = "zh-TW"\n`);
        process.kill(pid, "SIGHUP");
        await until("the new order", async () => (await shown()) === `${second},${first}`);
        assert.match((await api()).reload.outcome, /unchanged, wall changed$/);
        assert.equal(await page.getAttribute("html", "lang"), "zh-TW");
        assert.equal(await page.textContent("[data-slot=layout]"), "1 + 5");
        await until("all live", allLive, FIRST_PICTURES_WITHIN);
        await allMove();
    } finally {
        await writeFile(CONFIG, before);
        process.kill(pid, "SIGHUP");
        await until("read again", async () => (await api()).reload.count >= since + 2);
    }
    await until("all cameras again", async () => (await shown()) === cameras.map((camera) => camera.id).join());
});

test("the status page and the examples for other pages are live on a real agent, and move", agentOnly, async () => {
    const ids = (await (await fetch(new URL("/api/cameras", AGENT))).json()).cameras.slice(0, 4).map((camera) => camera.id).join();
    await page.goto(new URL("/status.html", AGENT).href);
    await until("all live", () => page.$$eval("tbody tr", (rows) => rows.length > 0 && rows.every((row) => row.dataset.verdict === "live")), FIRST_PICTURES_WITHIN);
    for (const [path, live] of [["view", "cctv-view[verdict=live]"], ["old-protocol", "figure[live]"], ["motion-jpeg", "figure[live]"]]) {
        await page.goto(new URL(`/examples/${path}.html?cameras=${ids}`, AGENT).href);
        const all = ids.split(",").length;
        await until(`${path} live`, async () => (await page.$$(live)).length === all, FIRST_PICTURES_WITHIN);
        const look = () => page.evaluate((source) => new Function(`return ${source}`)()(
            [...document.querySelectorAll("cctv-view, figure")].map((one) => one.shadowRoot ?? one)), hashes.toString());
        const first = await look();
        await until(`${path} moves`, async () => (await look()).every((hash, i) => hash !== null && hash !== first[i]));
    }
});

test("a snapshot of a real camera is a whole JPEG in its own size", agentOnly, async () => {
    await page.goto(new URL("/?layout=4", AGENT).href);
    await until("all live", allLive, FIRST_PICTURES_WITHIN);
    await page.keyboard.press("ArrowRight");
    const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("s")]);
    const bytes = await readFile(await download.path());
    assert.deepEqual([...bytes.subarray(0, 2), ...bytes.subarray(-2)], [0xff, 0xd8, 0xff, 0xd9]);
    const { id, size } = (await (await fetch(new URL("/api/cameras", AGENT))).json()).cameras[0];
    assert.ok(download.suggestedFilename().startsWith(`${id}-20`));
    const seen = await page.evaluate(async (data) => {
        const image = new Image();
        image.src = `data:image/jpeg;base64,${data}`;
        await image.decode();
        return [image.naturalWidth, image.naturalHeight];
    }, bytes.toString("base64"));
    assert.deepEqual(seen, size);
});

test("the agent names a Motion JPEG stream with its rate, and only while it is watched", agentOnly, async () => {
    await page.goto(new URL("/?layout=1&transport=mjpeg", AGENT).href);
    await until("live", allLive, FIRST_PICTURES_WITHIN);
    const streams = async () => (await (await fetch(new URL("/api/cameras", AGENT))).json()).cameras.flatMap((camera) => camera.streams);
    await until("one that moves", async () => {
        const [one, ...others] = await streams();
        return others.length === 0 && one?.fps > 2 && one.age < 2;
    });
    await page.goto("about:blank");
    await until("none", async () => (await streams()).length === 0);
});
