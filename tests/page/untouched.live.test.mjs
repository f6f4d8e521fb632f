// The camera's own video on a real agent: CCTV_AGENT_URL is its address, on this machine, so that the
// page has decoders; its cameras are virtual ones. CCTV_CAMERA_CONTROL as in wall.live.test.mjs.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { readTiles, startBrowser, until } from "./browser.mjs";

const AGENT = process.env.CCTV_AGENT_URL;
const agentOnly = { skip: AGENT ? false : "CCTV_AGENT_URL is not set" };
const LIVE_WITHIN = 60_000;

let browser;
let page;

before(async () => {
    if (!AGENT) return;
    browser = await startBrowser();
    page = await browser.newPage();
});
after(() => browser?.close());

const cameras = async () => (await (await fetch(new URL("/api/cameras", AGENT))).json()).cameras;
const codecOf = async (id) => (await cameras()).find((camera) => camera.id === id).codec;
const facts = async () => new Map((await readTiles(page)).map((tile) => [tile.camera, tile.facts]));
const allLive = async () => {
    const tiles = await readTiles(page);
    return tiles.length > 0 && tiles.every((tile) => tile.verdict === "live");
};

/**
 * Frame number and age in milliseconds burnt into each tile by the virtual camera, by camera; -1 where
 * there is no stamp. Layout: docs/virtual-camera.md.
 */
const stamps = () => page.$$eval("camera-tile", (tiles) => Object.fromEntries(tiles.map((tile) => {
    const canvas = tile.querySelector("canvas");
    const { width, height } = canvas;
    if (width < 160) return [tile.getAttribute("camera"), [-1, -1]];
    const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    const edge = (n, size, cells) => Math.floor((n * size) / cells);
    const light = (column, row) => {
        const x = Math.floor((edge(column, width, 80) + edge(column + 1, width, 80)) / 2);
        const y = Math.floor((edge(row, height, 45) + edge(row + 1, height, 45)) / 2);
        return pixels[(y * width + x) * 4 + 1];
    };
    const number = (from, count, row) => Array.from({ length: count }, (_, i) => (light(from + i, row) > 127 ? 1 : 0)).reduce((sum, bit) => sum * 2 + bit, 0);
    const isStamp = light(14, 43) - light(15, 43) > 80 && light(65, 43) - light(64, 43) > 80;
    return [tile.getAttribute("camera"), isStamp ? [number(16, 32, 43), Date.now() - number(16, 48, 44)] : [-1, -1]];
})));

test("H.264 is shown as the camera sent it, H.265 as JPEG where the browser cannot, each saying so", agentOnly, async () => {
    await page.goto(new URL("/?layout=4", AGENT).href);
    await until("all live", allLive, LIVE_WITHIN);
    const canH265 = await page.evaluate(async () => (await (await import("/js/decoder.js")).showableFormats()).includes("h265"));
    const words = { h264: /· H\.264$/, h265: canH265 ? /· H\.265$/ : /· H\.265 as JPEG$/, jpeg: /· JPEG$/ };
    await until("the codecs to be known", async () => [...(await facts()).values()].every((text) => /H\.26[45]|JPEG/.test(text)));
    for (const [camera, text] of await facts()) assert.match(text, words[await codecOf(camera)], camera);
});

test("the numbers burnt into the pictures only rise, and no tile is left behind", agentOnly, async () => {
    await page.goto(new URL("/?layout=4", AGENT).href);
    await until("all live", allLive, LIVE_WITHIN);
    const first = await until("stamps", async () => {
        const all = await stamps();
        return Object.values(all).every(([frame]) => frame >= 0) && all;
    });
    let last = first;
    const ages = [];
    for (let look = 0; look < 100; look += 1) {
        const now = await stamps();
        for (const [camera, [frame, age]] of Object.entries(now)) {
            assert.ok(frame >= last[camera][0], `${camera}: ${last[camera][0]} and then ${frame}`);
            ages.push(age);
        }
        last = now;
    }
    await until("every tile to go on", async () => Object.entries(await stamps()).every(([camera, [frame]]) => frame > first[camera][0] + 25));
    ages.sort((a, b) => a - b);
    console.log(`# from drawing in the camera to looking at the page: ${ages[ages.length >> 1]} ms, 95 % ${ages[Math.floor(ages.length * 0.95)]} ms`);
});

test("while only such pages look at H.264 no worker decodes it; with ?video=off one does", agentOnly, async () => {
    await page.goto(new URL("/?layout=4", AGENT).href);
    await until("all live", allLive, LIVE_WITHIN);
    const shown = (await readTiles(page)).map((tile) => tile.camera);
    const ours = ({ id, codec }) => codec === "h264" && shown.includes(id);
    const decoded = async () => (await cameras()).filter(ours).map((camera) => camera.decoding);
    await until("no decoder", async () => (await decoded()).every((decoding) => !decoding));
    await page.goto(new URL("/?layout=4&video=off", AGENT).href);
    await until("all live", allLive, LIVE_WITHIN);
    await until("decoders", async () => (await decoded()).every(Boolean));
    for (const [camera, text] of await facts()) assert.match(text, /JPEG$/, camera);
});

test("a tile whose decoder fails goes on in JPEG and says so", agentOnly, async () => {
    const broken = await browser.newPage();
    const victim = (await cameras()).find((camera) => camera.codec === "h264").id;
    await broken.addInitScript(() => {
        let left = 3; // the patience of a tile
        const decode = VideoDecoder.prototype.decode;
        VideoDecoder.prototype.decode = function (chunk) {
            if (left > 0 && chunk.type === "key") {
                left -= 1;
                throw new Error("broken on purpose");
            }
            decode.call(this, chunk);
        };
    });
    await broken.goto(new URL(`/?layout=1&cameras=${victim}`, AGENT).href);
    const text = async () => (await readTiles(broken))[0]?.facts ?? "";
    await until("JPEG", async () => /JPEG, as this browser cannot decode its H\.264$/.test(await text()), LIVE_WITHIN);
    await until("live", async () => (await readTiles(broken))[0].verdict === "live");
    await broken.close();
});
