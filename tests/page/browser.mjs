// Starts Chromium for the tests, and reads the tiles of the wall in it.

import { chromium } from "playwright-core";

const CHROMIUM = process.env.CCTV_CHROMIUM ?? "/usr/bin/chromium";
const ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/** Default timeout of a condition in milliseconds; long enough for busy machines. */
const DEFAULT_TIMEOUT = 20_000;

/** Starts Chromium with its own empty profile; `close` ends all its processes. */
export function startBrowser({ args = [], ...options } = {}) {
    return chromium.launchPersistentContext("", {
        executablePath: CHROMIUM,
        args: [...ARGUMENTS, ...args],
        headless: true,
        locale: "en-GB",
        viewport: { width: 1280, height: 720 },
        timeout: 60_000,
        ...options,
    });
}

/** Waits until `probe` returns something true; the error has its last value. */
export async function until(what, probe, timeout = DEFAULT_TIMEOUT) {
    const deadline = Date.now() + timeout;
    let last;
    for (;;) {
        last = await probe();
        if (last) return last;
        if (Date.now() > deadline) throw new Error(`not within ${timeout / 1000} s: ${what}; last value: ${JSON.stringify(last)}`);
        await new Promise((next) => setTimeout(next, 50));
    }
}

/** The texts and the look of each tile, in the order of the wall. */
export function readTiles(page) {
    return page.evaluate(() =>
        [...document.querySelectorAll("camera-tile")].map((tile) => {
            const text = (part) => tile.querySelector(`.${part}`).textContent;
            return {
                camera: tile.getAttribute("camera"),
                verdict: tile.getAttribute("verdict"),
                name: text("name"),
                state: text("state"),
                age: text("age"),
                facts: text("facts"),
                headline: text("headline"),
                summary: text("summary"),
                reason: text("reason"),
                bannerShown: getComputedStyle(tile.querySelector(".banner")).display !== "none",
                dimmed: getComputedStyle(tile.querySelector(".frame")).filter !== "none",
            };
        }),
    );
}
