// Runs a wall of 16 tiles in Chromium and samples everything that could grow: memory of browser and agent,
// the page's heap, bitmaps, and the age of the pictures. scripts/wall-run starts it and sets CCTV_AGENT_URL.
//
// usage: node wall-run.mjs MINUTES [FILE]    FILE gets every sample as lines of JSON; with
// CCTV_VIDEO=off all pictures are JPEG

import { appendFileSync } from "node:fs";

import { startBrowser, until } from "./browser.mjs";
import { cpuSeconds, descendants, proportional, resident, trend } from "./measure.mjs";

const AGENT = process.env.CCTV_AGENT_URL;
const MINUTES = Number(process.argv[2]);
const FILE = process.argv[3];
const VIDEO = process.env.CCTV_VIDEO === "off" ? "&video=off" : "";
const TILES = 16;
const SAMPLE_INTERVAL = 5000;
const LIVE_TIMEOUT = 120_000;
/** Start of the run that is left out, while caches fill and code is compiled: a share, and a minimum in seconds. */
const WARM_PART = 1 / 12;
const WARM_SECONDS = 30;
const MB = 1e6;

/** The values to watch, with the growth over the whole run that is tolerated. */
const WATCHED = [
    { name: "browser, PSS of all processes", of: (s) => s.browser / MB, unit: "MB", tolerance: (mean) => mean * 0.03 },
    { name: "page, JS heap after collection", of: (s) => s.heap / MB, unit: "MB", tolerance: () => 0.5 },
    { name: "agent, RSS", of: (s) => s.agent / MB, unit: "MB", tolerance: (mean) => mean * 0.03 },
    { name: "workers, RSS together", of: (s) => s.workers / MB, unit: "MB", tolerance: (mean) => mean * 0.03 },
    { name: "age on the screen, median tile", of: (s) => s.ages[TILES / 2], unit: "ms", tolerance: () => 50 },
    { name: "age on the screen, oldest tile", of: (s) => s.ages.at(-1), unit: "ms", tolerance: () => 200 },
    { name: "bitmaps and video frames open", of: (s) => s.bitmaps.made - s.bitmaps.closed, unit: "", tolerance: () => 2 },
    { name: "elements in the page", of: (s) => s.nodes, unit: "", tolerance: () => 20 },
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
        // Decoded video frames count too: an unclosed frame stops the decoder.
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
    await until(`${TILES} live tiles`, async () => (await live()) === TILES, LIVE_TIMEOUT);
    const devtools = await browser.newCDPSession(page);
    await devtools.send("Performance.enable");

    const pids = await descendants();
    const { pid } = await (await fetch(new URL("/api/cameras", AGENT))).json();
    const startedAt = Date.now();
    const spent = { browser: await cpuSeconds(pids), agent: await cpuSeconds([pid]) };
    const samples = [];
    while (Date.now() - startedAt < MINUTES * 60_000) {
        await new Promise((next) => setTimeout(next, Math.max(0, startedAt + (samples.length + 1) * SAMPLE_INTERVAL - Date.now())));
        samples.push(await sample(page, devtools, pid));
        if (FILE !== undefined) appendFileSync(FILE, `${JSON.stringify({ second: (Date.now() - startedAt) / 1000, ...samples.at(-1) })}\n`);
    }
    const seconds = (Date.now() - startedAt) / 1000;
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
            // Agent and browser run on one machine and share its clock.
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

/** Prints the results; returns whether nothing grew. */
function report({ samples, seconds, cost, errors, loads }) {
    const warm = Math.max(WARM_SECONDS, seconds * WARM_PART) * 1000;
    const warmSamples = samples.filter(({ at }) => at - samples[0].at >= warm);
    const minutes = warmSamples.map(({ at }) => (at - warmSamples[0].at) / 60_000);
    console.log(`${TILES} tiles for ${(seconds / 60).toFixed(1)} min; a sample every ${SAMPLE_INTERVAL / 1000} s, the first ${warm / 1000} s left out: ${warmSamples.length} samples\n`);
    console.log("| value | first | last | min | max | slope per minute, ± standard error | growth in this run | minimum rose by | |");
    console.log("|---|---|---|---|---|---|---|---|---|");
    let flat = true;
    for (const { name, of, unit, tolerance } of WATCHED) {
        const values = warmSamples.map(of);
        const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
        const { slope, error, growth, risen, grows } = trend(minutes, values, tolerance(mean));
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
    const isFlat = flat && errors.length === 0 && loads === 1;
    console.log(`verdict: ${isFlat ? "flat" : "NOT FLAT"}`);
    return isFlat;
}
