// The page on a real agent with real streams: every tile moves, and a stalled camera is told.
//
// CCTV_AGENT_URL is the agent's address; CCTV_CAMERA_CONTROL that of the virtual camera's control
// port, which takes POST /<id>/stall and /<id>/resume with the identifiers of cameras.toml;
// CCTV_STALL_AFTER the agent's `stall_after` in seconds, if it is not 5.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { readTiles, startBrowser, until } from "./browser.mjs";

const AGENT = process.env.CCTV_AGENT_URL;
const CONTROL = process.env.CCTV_CAMERA_CONTROL;
const STALL_AFTER = Number(process.env.CCTV_STALL_AFTER ?? 5) * 1000;
/** How long after `stall_after` a tile may take to tell, in milliseconds. */
const TOLD_WITHIN = 3000;
const FIRST_PICTURES_WITHIN = 60_000;
const HEALED_WITHIN = 90_000;

const agentOnly = { skip: AGENT ? false : "CCTV_AGENT_URL is not set" };
const withFaults = { skip: AGENT && CONTROL ? false : "CCTV_AGENT_URL and CCTV_CAMERA_CONTROL are not both set" };

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
