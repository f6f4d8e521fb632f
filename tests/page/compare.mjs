// Compares processor time and network traffic of the same four tiles over the wall socket, over Motion JPEG
// and over the older system's messages, in turns in one browser. scripts/wall-run starts it.
//
// usage: node compare.mjs SECONDS ROUNDS     CCTV_AGENT_URL is the agent's URL

import { connect, createServer } from "node:net";

import { startBrowser, until } from "./browser.mjs";
import { cpuSeconds, descendants } from "./measure.mjs";

const AGENT = new URL(process.env.CCTV_AGENT_URL);
const [SECONDS, ROUNDS] = process.argv.slice(2).map(Number);
const LIVE_TIMEOUT = 120_000;
const SETTLE_TIME = 4000;

/** A proxy between browser and agent counts the bytes of all ways. */
let passed = 0;
const proxy = createServer((near) => {
    const far = connect(Number(AGENT.port), AGENT.hostname);
    const end = () => (near.destroy(), far.destroy());
    for (const socket of [near, far]) socket.on("error", end).on("close", end);
    const pass = (from, to) => from.on("data", (data) => {
        passed += data.length;
        if (!to.write(data)) from.pause(), to.once("drain", () => from.resume());
    });
    pass(near, far);
    pass(far, near);
});
await new Promise((ready) => proxy.listen(0, "127.0.0.1", ready));
const url = (path) => `http://127.0.0.1:${proxy.address().port}${path}`;

const { cameras } = await (await fetch(new URL("/api/cameras", AGENT))).json();
const ids = cameras.slice(0, 4).map(({ id }) => id);
const browser = await startBrowser();
/** Each measurement has its own page, because a browser keeps previous pages in memory. */
let page = null;
async function openPage() {
    await page?.close();
    page = await browser.newPage();
    await page.addInitScript(countDrawn);
}

/** Count the pictures of all four tiles so far. */
const counters = {
    tiles: () => page.evaluate(() => window.drawn),
    figures: () => page.evaluate(() => [...document.querySelectorAll("figure")].reduce((sum, { puller }) => sum + puller.pictures, 0)),
};
function countDrawn() {
    window.drawn = 0;
    const draw = CanvasRenderingContext2D.prototype.drawImage;
    CanvasRenderingContext2D.prototype.drawImage = function drawCounted(image, ...rest) {
        if (image instanceof ImageBitmap || image instanceof VideoFrame) window.drawn += 1;
        draw.call(this, image, ...rest);
    };
}

try {
    await openPage();
    await page.goto(url(`/?layout=4&cameras=${ids}`));
    const size = await page.$eval("camera-tile", (tile) => tile.pixels.join("x"));
    const ways = [
        { name: "wall socket, the camera's own H.264", path: `/?layout=4&cameras=${ids}&transport=socket&life=off`, ready: "camera-tile[verdict=live]", count: counters.tiles, comes: / · H\.264$/ },
        { name: "wall socket, JPEG", path: `/?layout=4&cameras=${ids}&transport=socket&life=off&video=off`, ready: "camera-tile[verdict=live]", count: counters.tiles },
        { name: "Motion JPEG", path: `/?layout=4&cameras=${ids}&transport=mjpeg&life=off`, ready: "camera-tile[verdict=live]", count: null },
        { name: "older system: base64 in text messages", path: `/examples/old-protocol.html?cameras=${ids}&size=${size}`, ready: "figure[live]", count: counters.figures },
    ];
    const sums = new Map(ways.map(({ name }) => [name, { cpu: 0, bytes: 0, pictures: 0, seconds: 0 }]));
    for (let round = 0; round < ROUNDS; round += 1) {
        for (const way of ways) {
            const got = await measure(way);
            if (got === null) continue;
            const sum = sums.get(way.name);
            for (const key of Object.keys(sum)) sum[key] += got[key];
            console.error(`round ${round + 1}, ${way.name}: ${JSON.stringify(got)}`);
        }
    }
    table(sums, size);
} finally {
    await browser.close();
    proxy.close();
}

/** Null if the pictures do not have the format to be measured. */
async function measure({ path, ready, count, comes }) {
    await openPage();
    await page.goto(url(path));
    await until("four live", async () => (await page.$$(ready)).length === 4, LIVE_TIMEOUT);
    await new Promise((next) => setTimeout(next, SETTLE_TIME));
    const facts = await page.$$eval("camera-tile .facts", (all) => all.map((one) => one.textContent));
    if (comes !== undefined && !facts.every((text) => comes.test(text))) {
        console.error(`${path} is left out: pictures come as ${facts.join(", ")}`);
        return null;
    }
    const pids = await descendants();
    const before = { cpu: await cpuSeconds(pids), bytes: passed, pictures: (await count?.()) ?? 0, at: performance.now() };
    let [sum, samples] = [0, 0];
    while (performance.now() - before.at < SECONDS * 1000) {
        await new Promise((next) => setTimeout(next, 1000));
        if (count !== null) continue;
        // A browser cannot count the pictures of a Motion JPEG stream; the agent does.
        const now = (await (await fetch(new URL("/api/cameras", AGENT))).json()).cameras.flatMap(({ streams }) => streams);
        sum += now.reduce((total, { fps }) => total + fps, 0);
        samples += 1;
    }
    const seconds = (performance.now() - before.at) / 1000;
    return {
        cpu: (await cpuSeconds(pids)) - before.cpu,
        bytes: passed - before.bytes,
        pictures: count === null ? (sum / samples) * seconds : (await count()) - before.pictures,
        seconds,
    };
}

function table(sums, size) {
    const base = sums.get("Motion JPEG");
    console.log(`four tiles of ${size}, ${ROUNDS} rounds of ${SECONDS} s each, in turns\n`);
    console.log("| way | pictures/s a tile | browser, % of a core a tile | browser, ms a picture | kB a picture | browser, times Motion JPEG | network, times Motion JPEG |");
    console.log("|---|---|---|---|---|---|---|");
    for (const [name, { cpu, bytes, pictures, seconds }] of sums) {
        if (seconds === 0) continue;
        const [each, weight] = [cpu / pictures, bytes / pictures];
        const cells = [name, (pictures / seconds / 4).toFixed(1), ((100 * cpu) / seconds / 4).toFixed(1), (each * 1000).toFixed(2), (weight / 1000).toFixed(1),
            (each / (base.cpu / base.pictures)).toFixed(2), (weight / (base.bytes / base.pictures)).toFixed(2)];
        console.log(`| ${cells.join(" | ")} |`);
    }
}
