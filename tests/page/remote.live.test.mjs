// The wall as another machine sees it: by https at the agent's own port, with the agent's own certificate.
//
// tests/network/https.rs runs this in a network namespace of its own and sets CCTV_REMOTE_URL, the agent's
// address by http. Without it the test is skipped.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readTiles, startBrowser, until } from "./browser.mjs";

const REMOTE = process.env.CCTV_REMOTE_URL;
const LIVE_TIMEOUT = 60_000;

test("a remote page is a secure context and gets the camera's own video", { skip: REMOTE ? false : "CCTV_REMOTE_URL is not set" }, async () => {
    const browser = await startBrowser({ ignoreHTTPSErrors: true });
    try {
        const page = await browser.newPage();
        await page.goto(REMOTE);
        assert.equal(page.url(), REMOTE.replace(/^http:/, "https:"), "http leads to https at the same port");
        assert.equal(await page.evaluate(() => isSecureContext && "VideoDecoder" in window), true);
        await until("a live tile", async () => (await readTiles(page)).some(({ verdict }) => verdict === "live"), LIVE_TIMEOUT);
        const [tile] = await readTiles(page);
        assert.match(tile.facts, /H\.264$/);
        const api = await page.evaluate(async () => (await fetch("/api/cameras")).json());
        const [camera] = api.cameras;
        assert.deepEqual([camera.decoding, camera.worker, camera.renditions], [false, null, []], "nothing is decoded here");
        assert.equal(camera.untouched, 1);
        assert.deepEqual(api.complaints, []);
    } finally {
        await browser.close();
    }
});
