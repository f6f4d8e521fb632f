// The set-up that tests on a real agent share. scripts/test (step wall) starts the agent and sets:
//
// CCTV_AGENT_URL, the agent's address; CCTV_CAMERA_CONTROL, the control port of the virtual cameras, which
// takes POST /<id>/stall and /<id>/resume; CCTV_CONFIG, the agent's cameras.toml, which tests change and
// restore; CCTV_STALL_AFTER, the agent's `stall_after` in seconds if it is not 5. Without them tests skip.

import assert from "node:assert/strict";
import { after, before } from "node:test";

import { readTiles, startBrowser } from "./browser.mjs";

export const AGENT = process.env.CCTV_AGENT_URL;
export const CONFIG = process.env.CCTV_CONFIG;
const CONTROL = process.env.CCTV_CAMERA_CONTROL;
export const STALL_AFTER = Number(process.env.CCTV_STALL_AFTER ?? 5) * 1000;
/** Until a real camera is live, in milliseconds. */
export const LIVE_TIMEOUT = 60_000;
const CONTROL_TIMEOUT = 5000;

export const needsAgent = { skip: AGENT ? false : "CCTV_AGENT_URL is not set" };
export const needsControl = { skip: AGENT && CONTROL ? false : "CCTV_AGENT_URL and CCTV_CAMERA_CONTROL are not both set" };
export const needsConfig = { skip: AGENT && CONFIG ? false : "CCTV_AGENT_URL and CCTV_CONFIG are not both set" };

/** @type {import("playwright-core").BrowserContext} */
export let browser;

/**
 * Registers the hooks of a test file.
 * @param {object} [options]
 * @param {string[]} [options.args] of the browser
 * @param {() => Promise<unknown>} [options.prepare] called once the browser has started
 */
export function useBrowser({ args = [], prepare } = {}) {
    before(async () => {
        if (!AGENT) return;
        // The agent's own certificate is known to no browser; a person confirms it once.
        browser = await startBrowser({ args, ignoreHTTPSErrors: true });
        await prepare?.();
    });
    after(() => browser?.close());
}

/** The URL of a page or file of the agent. */
export const urlOf = (path) => new URL(path, AGENT).href;

/** The answer of /api/cameras. */
export const readApi = async () => (await fetch(urlOf("/api/cameras"))).json();

/** Whether all tiles of the page are live. */
export async function allLive(page) {
    const tiles = await readTiles(page);
    return tiles.length > 0 && tiles.every((tile) => tile.verdict === "live");
}

/** What the virtual camera says of itself. */
export async function facts(camera) {
    return (await fetch(new URL(`/${camera}`, CONTROL), { signal: AbortSignal.timeout(CONTROL_TIMEOUT) })).json();
}

/** Tells the virtual camera to do something. */
export async function control(camera, command) {
    const answer = await fetch(new URL(`/${camera}/${command}`, CONTROL), { method: "POST", signal: AbortSignal.timeout(CONTROL_TIMEOUT) });
    assert.ok(answer.ok, `${command} of ${camera}: ${answer.status}`);
}
