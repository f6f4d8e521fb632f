// The camera's own video on a real agent on this machine, so that the page has video decoders.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readTiles, until } from "./browser.mjs";
import { LIVE_TIMEOUT, allLive as allTilesLive, browser, needsAgent, readApi, urlOf, useBrowser } from "./live-fixture.mjs";
import { installStamp } from "./stamp.mjs";

let page;

useBrowser({
    prepare: async () => {
        page = await browser.newPage();
        await installStamp(page);
    },
});

const cameras = async () => (await readApi()).cameras;
const codecOf = async (id) => (await cameras()).find((camera) => camera.id === id).codec;
const facts = async () => new Map((await readTiles(page)).map((tile) => [tile.camera, tile.facts]));
const allLive = () => allTilesLive(page);

/** Frame number and age in milliseconds from the stamp of the virtual camera, by camera; -1 without a stamp. */
const stamps = () => page.$$eval("camera-tile", (tiles) => Object.fromEntries(tiles.map((tile) => {
    const stamp = window.stampOf(tile.querySelector("canvas"));
    return [tile.getAttribute("camera"), stamp === null ? [-1, -1] : [stamp.frame, Date.now() - stamp.clock]];
})));

test("H.264 is shown as sent, H.265 as JPEG if the browser cannot decode it, and the tile says which", needsAgent, async () => {
    await page.goto(urlOf("/?layout=4"));
    await until("all live", allLive, LIVE_TIMEOUT);
    const canH265 = await page.evaluate(async () => (await (await import("/js/decoder.js")).showableFormats()).includes("h265"));
    const expected = { h264: /· H\.264$/, h265: canH265 ? /· H\.265$/ : /· H\.265 as JPEG$/, jpeg: /· JPEG$/ };
    await until("the codecs to be known", async () => [...(await facts()).values()].every((text) => /H\.26[45]|JPEG/.test(text)));
    for (const [camera, text] of await facts()) assert.match(text, expected[await codecOf(camera)], camera);
});

test("frame numbers in the pictures only rise, and every tile moves on", needsAgent, async () => {
    await page.goto(urlOf("/?layout=4"));
    await until("all live", allLive, LIVE_TIMEOUT);
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

test("no worker decodes H.264 for such pages, and with ?video=off one does", needsAgent, async () => {
    await page.goto(urlOf("/?layout=4"));
    await until("all live", allLive, LIVE_TIMEOUT);
    const shown = (await readTiles(page)).map((tile) => tile.camera);
    const ours = ({ id, codec }) => codec === "h264" && shown.includes(id);
    const decoded = async () => (await cameras()).filter(ours).map((camera) => camera.decoding);
    await until("no decoder", async () => (await decoded()).every((decoding) => !decoding));
    await page.goto(urlOf("/?layout=4&video=off"));
    await until("all live", allLive, LIVE_TIMEOUT);
    await until("decoders", async () => (await decoded()).every(Boolean));
    for (const [camera, text] of await facts()) assert.match(text, /JPEG$/, camera);
});

test("a tile whose decoder fails continues in JPEG and says so", needsAgent, async () => {
    const broken = await browser.newPage();
    const victim = (await cameras()).find((camera) => camera.codec === "h264").id;
    await broken.addInitScript(() => {
        let left = 3; // as many as a tile accepts
        const decode = VideoDecoder.prototype.decode;
        VideoDecoder.prototype.decode = function (chunk) {
            if (left > 0 && chunk.type === "key") {
                left -= 1;
                throw new Error("broken on purpose");
            }
            decode.call(this, chunk);
        };
    });
    await broken.goto(urlOf(`/?layout=1&cameras=${victim}`));
    const text = async () => (await readTiles(broken))[0]?.facts ?? "";
    await until("JPEG", async () => /JPEG, as this browser cannot decode its H\.264$/.test(await text()), LIVE_TIMEOUT);
    await until("live", async () => (await readTiles(broken))[0].verdict === "live");
    await broken.close();
});
