// Lets a wall of 16 tiles run in Chromium and looks every few seconds at whatever could grow: memory of
// browser and agent, the page's heap, bitmaps, and the age of the pictures on the screen. Started by
// scripts/wall-run, which names the agent in CCTV_AGENT_URL.
//
// usage: node wall-run.mjs MINUTES [FILE]    FILE gets every sample, as lines of JSON; with CCTV_VIDEO=off
// all pictures come as JPEG

import { appendFileSync } from "node:fs";

import { startBrowser, until } from "./browser.mjs";
import { cpuSeconds, descendants, proportional, resident, trend } from "./measure.mjs";

const AGENT = process.env.CCTV_AGENT_URL;
const MINUTES = Number(process.argv[2]);
const FILE = process.argv[3];
const VIDEO = process.env.CCTV_VIDEO === "off" ? "&video=off" : "";
const TILES = 16;
const EVERY = 5000;
const LIVE_WITHIN = 120_000;
/** Caches fill and code is compiled in the beginning: that part of the run, and at least so many seconds, is no trend. */
const WARM_PART = 1 / 12;
const WARM_SECONDS = 30;
const MB = 1e6;

/** What is watched: where it is in a sample, how it is shown, and growth over the whole run that does not matter. */
const WATCHED = [
    { name: "browser, PSS of all processes", of: (s) => s.browser / MB, unit: "MB", fine: (mean) => mean * 0.03 },
    { name: "page, JS heap after collection", of: (s) => s.heap / MB, unit: "MB", fine: () => 0.5 },
    { name: "agent, RSS", of: (s) => s.agent / MB, unit: "MB", fine: (mean) => mean * 0.03 },
    { name: "workers, RSS together", of: (s) => s.workers / MB, unit: "MB", fine: (mean) => mean * 0.03 },
    { name: "age on the screen, median tile", of: (s) => s.ages[TILES / 2], unit: "ms", fine: () => 50 },
    { name: "age on the screen, oldest tile", of: (s) => s.ages.at(-1), unit: "ms", fine: () => 200 },
    { name: "bitmaps and video frames open", of: (s) => s.bitmaps.made - s.bitmaps.closed, unit: "", fine: () => 2 },
    { name: "elements in the page", of: (s) => s.nodes, unit: "", fine: () => 20 },
];

if (!(MINUTES > 0) || !AGENT) {
    console.error("usage: CCTV_AGENT_URL=http://… node wall-run.mjs MINUTES [FILE]");
    process.exit(64);
}

const browser = await startBrowser();
try {
    const page = await browser.newPage();
    await page.addInitScript(() => {
        window.bitmaps = { made: 0, closed: 0, most: 0 };
        const create = window.createImageBitmap;
        window.createImageBitmap = async (...given) => {
            const bitmap = await create(...given);
            window.bitmaps.made += 1;
            window.bitmaps.most = Math.max(window.bitmaps.most, window.bitmaps.made - window.bitmaps.closed);
            return bitmap;
        };
        const close = ImageBitmap.prototype.close;
        ImageBitmap.prototype.close = function closeCounted() {
            window.bitmaps.closed += 1;
            close.call(this);
        };
        // Decoded video counts alike: whoever forgets to close a frame stops the decoder.
        if (!("VideoDecoder" in window)) return;
        window.VideoDecoder = class extends VideoDecoder {
            constructor(init) {
                super({ ...init, output: (frame) => {
                    window.bitmaps.made += 1;
                    window.bitmaps.most = Math.max(window.bitmaps.most, window.bitmaps.made - window.bitmaps.closed);
                    init.output(frame);
                } });
            }
        };
        const closeFrame = VideoFrame.prototype.close;
        VideoFrame.prototype.close = function closeCounted() {
            window.bitmaps.closed += 1;
            closeFrame.call(this);
        };
    });
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    let loads = 0;
    page.on("load", () => (loads += 1));
    await page.goto(new URL(`/?layout=16${VIDEO}`, AGENT).href);
    const live = () => page.$$eval("camera-tile", (tiles) => tiles.filter((tile) => tile.getAttribute("verdict") === "live").length);
    await until(`${TILES} live tiles`, async () => (await live()) === TILES, LIVE_WITHIN);
    const devtools = await browser.newCDPSession(page);
    await devtools.send("Performance.enable");

    const pids = await descendants();
    const { pid } = await (await fetch(new URL("/api/cameras", AGENT))).json();
    const began = Date.now();
    const spent = { browser: await cpuSeconds(pids), agent: await cpuSeconds([pid]) };
    const samples = [];
    while (Date.now() - began < MINUTES * 60_000) {
        await new Promise((next) => setTimeout(next, Math.max(0, began + (samples.length + 1) * EVERY - Date.now())));
        samples.push(await sample(page, devtools, pid));
        if (FILE !== undefined) appendFileSync(FILE, `${JSON.stringify({ second: (Date.now() - began) / 1000, ...samples.at(-1) })}\n`);
    }
    const seconds = (Date.now() - began) / 1000;
    const cost = {
        browser: ((await cpuSeconds(await descendants())) - spent.browser) / seconds,
        agent: ((await cpuSeconds([pid])) - spent.agent) / seconds,
    };
    process.exitCode = report({ samples, seconds, cost, errors, loads }) ? 0 : 1;
} finally {
    await browser.close();
}

async function sample(page, devtools, pid) {
    await devtools.send("HeapProfiler.collectGarbage");
    const { metrics } = await devtools.send("Performance.getMetrics");
    const metric = (name) => metrics.find((one) => one.name === name).value;
    const { cameras } = await (await fetch(new URL("/api/cameras", AGENT))).json();
    const seen = await page.evaluate(() => {
        const tiles = [...document.querySelectorAll("camera-tile")];
        return {
            // Agent and browser are one machine here, and so have one clock.
            ages: tiles.map(({ picture }) => (picture.shown === null ? 1e6 : Date.now() - picture.shown.taken)).sort((a, b) => a - b),
            rates: tiles.map(({ picture }) => picture.rate(performance.now())),
            live: tiles.filter((tile) => tile.getAttribute("verdict") === "live").length,
            bitmaps: { ...window.bitmaps },
            limit: document.querySelector("#wall").dataset.limit ?? null,
        };
    });
    return {
        at: Date.now(),
        heap: metric("JSHeapUsedSize"),
        nodes: metric("Nodes"),
        browser: await proportional(await descendants()),
        agent: await resident(pid),
        workers: cameras.reduce((sum, camera) => sum + (camera.worker?.memory_bytes ?? 0), 0),
        ...seen,
    };
}

/** Prints what was seen; returns whether nothing grew. */
function report({ samples, seconds, cost, errors, loads }) {
    const warm = Math.max(WARM_SECONDS, seconds * WARM_PART) * 1000;
    const judged = samples.filter(({ at }) => at - samples[0].at >= warm);
    const minutes = judged.map(({ at }) => (at - judged[0].at) / 60_000);
    console.log(`${TILES} tiles for ${(seconds / 60).toFixed(1)} min; a sample every ${EVERY / 1000} s, the first ${warm / 1000} s left out: ${judged.length} samples\n`);
    console.log("| watched | first | last | least | most | slope a minute, ± standard error | growth in this run | floor has risen by | |");
    console.log("|---|---|---|---|---|---|---|---|---|");
    let flat = true;
    for (const { name, of, unit, fine } of WATCHED) {
        const values = judged.map(of);
        const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
        const { slope, error, growth, risen, grows } = trend(minutes, values, fine(mean));
        flat &&= !grows;
        const show = (value) => `${value.toFixed(unit === "ms" ? 0 : 1)} ${unit}`.trim();
        const cells = [name, show(values[0]), show(values.at(-1)), show(Math.min(...values)), show(Math.max(...values)),
            `${slope.toFixed(3)} ± ${error.toFixed(3)} ${unit}`.trim(), show(growth), show(risen), grows ? "GROWS" : "flat"];
        console.log(`| ${cells.join(" | ")} |`);
    }
    const last = samples.at(-1);
    const rates = samples.flatMap((one) => one.rates);
    const notLive = samples.filter(({ live }) => live < TILES).length;
    console.log(`
bitmaps and video frames: ${last.bitmaps.made} made, ${last.bitmaps.closed} closed, ${last.bitmaps.most} open at once at most
pictures a second and tile: ${(rates.reduce((sum, one) => sum + one, 0) / rates.length).toFixed(1)}; limit at the end: ${last.limit ?? "none"}
processor: browser ${(cost.browser * 100).toFixed(0)} % of a core, agent ${(cost.agent * 100).toFixed(1)} %
samples with a tile not live: ${notLive} of ${samples.length}; page errors: ${errors.length}; loads of the page: ${loads}`);
    const well = flat && errors.length === 0 && loads === 1;
    console.log(`verdict: ${well ? "flat" : "NOT FLAT"}`);
    return well;
}
