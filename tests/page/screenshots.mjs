// Takes the screenshots of docs/screens/ from a real agent with sixteen virtual cameras. scripts/screenshots
// starts it and sets the environment.
//
// usage: node screenshots.mjs FOLDER [NAME...]     only screenshots whose names start with a NAME

import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { readTiles, startBrowser, until } from "./browser.mjs";

const AGENT = process.env.CCTV_AGENT_URL;
const CONTROL = process.env.CCTV_CAMERA_CONTROL;
const CONFIG = process.env.CCTV_CONFIG;
const [FOLDER, ...WANTED] = process.argv.slice(2);
const QUALITY = 80;
const MAX_BYTES = 300_000;
const TIMEOUT = 120_000;
const LANDSCAPE = { width: 1280, height: 720 };
const PORTRAIT = { width: 720, height: 1280 };
const FOUR = "cameras=gate,yard,hall,dock";

const browser = await startBrowser();
const page = await browser.newPage();
const { pid } = await (await fetch(new URL("/api/cameras", AGENT))).json();

const wanted = (name) => WANTED.length === 0 || WANTED.some((begin) => name.startsWith(begin));
async function shoot(name) {
    const path = join(FOLDER, `${name}.jpg`);
    await page.screenshot({ path, type: "jpeg", quality: QUALITY });
    const { size } = await stat(path);
    console.log(`${name}.jpg: ${Math.round(size / 1000)} kB`);
    if (size > MAX_BYTES) throw new Error(`${name}.jpg is larger than ${MAX_BYTES} bytes`);
}
async function open(search, viewport = LANDSCAPE) {
    await page.evaluate(() => localStorage.clear()).catch(() => {}); // a blank page has no storage
    await page.setViewportSize(viewport);
    await page.goto(new URL(search, AGENT).href);
}
const verdicts = async () => Object.fromEntries((await readTiles(page)).map((tile) => [tile.camera, tile.verdict]));
/** Waits until all tiles have an `expected` verdict, or are live, and until the measured rates are stable. */
async function waitForTiles(expected = {}) {
    await until(`tiles as ${JSON.stringify(expected)}`, async () => {
        const now = Object.entries(await verdicts());
        return now.length > 0 && now.every(([camera, verdict]) => (expected[camera] ?? ["live"]).includes(verdict));
    }, TIMEOUT);
    await page.waitForTimeout(3500);
}
async function control(camera, what) {
    const answer = await fetch(new URL(`/${camera}/${what}`, CONTROL), { method: "POST" });
    if (!answer.ok) throw new Error(`${what} of ${camera}: ${answer.status} ${await answer.text()}`);
}
/** Takes a screenshot of a wall whose tiles are all live. */
async function wall(name, search, viewport) {
    if (!wanted(name)) return;
    await open(search, viewport);
    await waitForTiles();
    await shoot(name);
}

try {
    await wall("wall", `/?${FOUR}&lang=en`);
    for (const layout of ["1", "4", "9", "16", "25", "1+5", "1+7", "1+12"]) await wall(`layout-${layout}`, `/?layout=${layout.replace("+", "%2B")}`);
    await wall("layout-auto-6", "/?cameras=gate,yard,hall,dock,roof,store");
    await wall("portrait-8", "/?cameras=gate,yard,hall,dock,roof,store,lobby,stairs", PORTRAIT);
    await wall("portrait-1+7", "/?layout=1%2B7", PORTRAIT);
    await wall("phone", `/?${FOUR}`, { width: 390, height: 780 });
    await wall("motion-jpeg", `/?${FOUR}&transport=mjpeg`);
    await wall("zh-TW", "/?layout=9&lang=zh-TW");

    if (wanted("layouts")) {
        await open("/?layout=9");
        await waitForTiles();
        await page.keyboard.press("l");
        await page.waitForSelector("#layouts[open]");
        await shoot("layouts");
        await page.keyboard.press("Escape");
        await page.keyboard.press("?");
        await shoot("layouts-help");
    }
    for (const [name, language, viewport] of [
        ["login", "en", LANDSCAPE],
        ["login-zh-TW", "zh-TW", LANDSCAPE],
        ["login-phone", "en", { width: 390, height: 780 }],
    ]) {
        if (!wanted(name)) continue;
        await open(`/login?to=${encodeURIComponent(`?lang=${language}`)}`, viewport);
        await until("its language", async () => (await page.getAttribute("html", "lang")) === language, TIMEOUT);
        await shoot(name);
    }
    if (wanted("examples")) {
        await open(`/examples/view.html?${FOUR}`);
        await until("views live", async () => (await page.$$("cctv-view[verdict=live]")).length === 4, TIMEOUT);
        await shoot("examples");
    }

    if (["failures", "info", "status"].some((name) => WANTED.length === 0 || WANTED.includes(name))) await failures();
} finally {
    await browser.close();
}

/** Three cameras fail in different ways, then the agent. */
async function failures() {
    // After a while the agent reports a stalled camera as offline.
    const expected = { yard: ["stalled", "offline"], hall: ["offline"], dock: ["denied"] };
    await open(`/?${FOUR}`);
    await waitForTiles();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("i");
    await until("some history", async () => {
        await page.waitForTimeout(1000);
        return page.evaluate(() => performance.now() > 45_000);
    }, TIMEOUT);
    await control("hall", "refuse");
    await control("hall", "drop");
    await control("dock", "wrongpassword");
    await control("dock", "drop");
    await until("denied and offline", async () => {
        const now = await verdicts();
        return now.dock === "denied" && now.hall === "offline";
    }, TIMEOUT);
    await control("yard", "stall");
    await until("stalled", async () => (await verdicts()).yard === "stalled", TIMEOUT);
    await waitForTiles(expected);
    await shoot("info");
    await page.keyboard.press("i");
    await page.waitForTimeout(1000);
    await page.evaluate(() => document.activeElement.blur());
    await waitForTiles(expected);
    await shoot("failures");

    const devtools = await browser.newCDPSession(page);
    await devtools.send("Emulation.setEmulatedVisionDeficiency", { type: "achromatopsia" });
    await shoot("failures-black-and-white");
    await devtools.send("Emulation.setEmulatedVisionDeficiency", { type: "none" });

    await open("/?layout=16");
    await waitForTiles(expected);
    await shoot("failures-16");
    await open(`/?${FOUR}&lang=zh-TW`);
    await waitForTiles(expected);
    await shoot("failures-zh-TW");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("i");
    await page.waitForTimeout(5000);
    await shoot("info-zh-TW");

    const before = await readFile(CONFIG, "utf8");
    try {
        await writeFile(CONFIG, before.replace('id = "gate"', 'id = "gate"\nprofil = "Profile_1"').replace('ip = "127.0.0.', 'ip = "10.0.0.300.'));
        process.kill(pid, "SIGHUP");
        await open(`/?${FOUR}`);
        await until("complaints", () => page.isVisible("#notices .config-error"), TIMEOUT);
        await waitForTiles(expected);
        await shoot("failures-complaints");
        for (const language of ["en", "zh-TW"]) {
            await open(`/status.html?lang=${language}`);
            await until("the table", async () => (await page.$$("tbody tr[data-verdict=live]")).length >= 10, TIMEOUT);
            await page.waitForTimeout(4000);
            await shoot(language === "en" ? "status" : "status-zh-TW");
        }
    } finally {
        await writeFile(CONFIG, before);
        process.kill(pid, "SIGHUP");
    }

    await open("/?layout=9");
    await waitForTiles(expected);
    process.kill(pid, "SIGSTOP");
    try {
        await until("silent", async () => Object.values(await verdicts()).every((verdict) => verdict === "silent"), TIMEOUT);
        await page.waitForTimeout(6000);
        await shoot("failures-no-agent");
    } finally {
        process.kill(pid, "SIGCONT");
    }
}
