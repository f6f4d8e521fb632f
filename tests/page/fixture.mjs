// The set-up that page tests share: a browser for each file, and a fake agent and a page for each test.
//
// The exports are live bindings: a test imports `agent` and `page` and always sees those of its own test.

import { after, afterEach, before, beforeEach } from "node:test";

import { readTiles, startBrowser, until } from "./browser.mjs";
import { FakeAgent } from "./fake-agent.mjs";
import { makePictures, readMarks } from "./pictures.mjs";

/** Every element that shows a camera. */
const PICTURES = "camera-tile, cctv-view, figure";

/** @type {import("playwright-core").BrowserContext} */
export let browser;
/** @type {FakeAgent} */
export let agent;
/** @type {import("playwright-core").Page} */
export let page;
/** JPEGs by camera and frame. @type {Buffer[][]} */
export let pictures;

/**
 * Registers the hooks of a test file.
 * @param {object} options
 * @param {string[]} options.names a camera of the fake agent for each
 * @param {number} [options.width] of its pictures in pixels; 0: it has none
 * @param {() => void} [options.prepareAgent] called before the agent starts
 * @param {() => Promise<unknown>} [options.preparePage] called with each new page
 * @param {() => Promise<unknown>} [options.checkPage] called after each test, before the page closes
 */
export function useFixture({ names, width = 320, prepareAgent, preparePage, checkPage }) {
    before(async () => {
        pictures = width === 0 ? names.map(() => []) : await makePictures(names.length, width);
        browser = await startBrowser();
    });
    after(() => browser?.close());
    beforeEach(async () => {
        agent = new FakeAgent(pictures, names);
        prepareAgent?.();
        await agent.start();
        page = await browser.newPage();
        await preparePage?.();
    });
    afterEach(async () => {
        try {
            await checkPage?.();
        } finally {
            await page.evaluate(() => localStorage.clear()).catch(() => {}); // a blank page has no storage
            await page.close();
            agent.hung = false;
            await agent.kill();
        }
    });
}

/** Runs `work` with the page of another browser as `page`. */
export async function withBrowser(other, work) {
    const own = page;
    try {
        page = await other.newPage();
        await work();
    } finally {
        page = own;
        await other.close();
    }
}

/** A condition for `until`: there are `count` tiles, all with this verdict. */
export const tilesAre = (verdict, count) => async () => {
    const tiles = await readTiles(page);
    return tiles.length === count && tiles.every((tile) => tile.verdict === verdict);
};

/** Waits until the wall shows these cameras by number, such as "0 1 2". */
export async function shows(cameras) {
    const shown = async () => (await readTiles(page)).map((tile) => tile.camera.slice("camera-".length)).join(" ");
    await until(`cameras ${cameras}`, async () => (await shown()) === cameras || undefined);
}

/** Camera and frame number in the picture of each tile, view or figure of the page. */
export const readPageMarks = () => page.$$eval(PICTURES, readMarks);

/** Waits until each picture of the page comes from its camera, such as "0,1,2", and moves. */
export async function eachMoves(cameras, marks = readPageMarks) {
    const first = await until("each its camera", async () => {
        const seen = await marks();
        return seen.map((mark) => mark?.camera).join() === cameras && seen;
    });
    const moved = first.map(() => false);
    await until("all move", async () => {
        (await marks()).forEach((mark, i) => (moved[i] ||= mark !== null && mark.frame !== first[i].frame));
        return moved.every(Boolean);
    });
}
