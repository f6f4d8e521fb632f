// A real Chromium for the tests, and patient ways of looking at the wall in it.

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

/** Deadline of a condition where the test names none, in milliseconds: generous, for busy machines. */
export const SOON = 20_000;

/** Starts Chromium with an empty profile of its own; `close` ends every process of it. */
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

/** Waits until `probe` gives something true; the last thing it gave stands in the error. */
export async function until(what, probe, within = SOON) {
    const deadline = Date.now() + within;
    let last;
    for (;;) {
        last = await probe();
        if (last) return last;
        if (Date.now() > deadline) throw new Error(`not within ${within / 1000} s: ${what}; last: ${JSON.stringify(last)}`);
        await new Promise((next) => setTimeout(next, 50));
    }
}

/** What each tile says, in the order of the wall. */
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
                finding: text("finding"),
                reason: text("reason"),
                bandShown: getComputedStyle(tile.querySelector(".band")).display !== "none",
                dimmed: getComputedStyle(tile.querySelector(".frame")).filter !== "none",
            };
        }),
    );
}
