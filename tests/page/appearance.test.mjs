// The look of the wall from three metres and in black and white: live and not live differ at a glance.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { readTiles, until } from "./browser.mjs";
import { noFrame, reasonOf, retry } from "./fake-agent.mjs";
import { agent, page, tilesAre, useFixture } from "./fixture.mjs";

/** Maximum size of the whole page on the network, in bytes. */
const MAX_PAGE_BYTES = 64_000;

useFixture({ names: ["Gate", "Porch", "Yard", "Roof"] });

const verdict = async (i) => (await readTiles(page))[i]?.verdict;
const allLive = tilesAre("live", 4);
const activityOf = (i) => page.$$eval("camera-tile", (tiles, at) => {
    const mark = tiles[at].querySelector(".activity");
    return getComputedStyle(mark).display === "none" ? null : mark.style.transform;
}, i);

test("the activity mark moves only with new pictures and disappears on a tile that is not live", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await until("all live", allLive);
    const places = new Set();
    await until("it moves", async () => places.add(await activityOf(1)).size >= 4);
    agent.cameras[1].moving = false;
    await until("a second without a picture", async () => (await readTiles(page))[1].age !== "");
    const stood = await activityOf(1);
    const others = new Set();
    await until("others go on", async () => {
        if ((await verdict(1)) === "live") assert.equal(await activityOf(1), stood);
        return others.add(await activityOf(2)).size >= 4;
    });
    await until("stale", async () => (await verdict(1)) === "stale");
    assert.equal(await activityOf(1), null, "no activity mark on a tile that is not live");
});

test("the URL switches the activity mark off, and reduced motion slows it down", async () => {
    await page.goto(`${agent.url}?layout=4&life=off`);
    await until("all live", allLive);
    assert.equal(await activityOf(0), null);
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.goto(`${agent.url}?layout=4&life=on`);
    await until("all live", allLive);
    const steps = await page.evaluate(() => new Promise((done) => {
        const mark = document.querySelector("camera-tile .activity");
        const at = [];
        new MutationObserver(() => at.push(performance.now())).observe(mark, { attributes: true });
        const look = setInterval(() => at.length >= 4 && (clearInterval(look), done(at.slice(1).map((time, i) => time - at[i]))), 50);
    }));
    // Seen by the next frame of the screen, which a busy machine draws late: the one after it then comes sooner.
    assert.ok(steps.every((step) => step >= 700), `steps: ${steps}`);
    const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((one) =>
        [getComputedStyle(one).transitionDuration, getComputedStyle(one).animationDuration].some((time) => parseFloat(time) > 0)).length);
    assert.equal(moving, 0, "nothing glides");
    await page.emulateMedia({ reducedMotion: null });
});

test("in black and white a tile that is not live differs from all others", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await until("all live", allLive);
    agent.setCamera("camera-3", { state: "offline", why: "cannot reach it" });
    await until("offline", async () => (await verdict(3)) === "offline");
    const { x, y, width, height } = await page.$eval("camera-tile[camera=camera-3] .banner", (banner) => banner.getBoundingClientRect().toJSON());
    const shot = (await page.screenshot()).toString("base64");
    const seen = await page.evaluate(async ([data, box]) => {
        const image = new Image();
        image.src = `data:image/png;base64,${data}`;
        await image.decode();
        const copy = new OffscreenCanvas(image.width, image.height).getContext("2d");
        copy.drawImage(image, 0, 0);
        const greys = (left, top, wide, high) => {
            const { data } = copy.getImageData(left, top, wide, high);
            return Array.from({ length: data.length / 4 }, (_, i) => 0.2126 * data[4 * i] + 0.7152 * data[4 * i + 1] + 0.0722 * data[4 * i + 2]);
        };
        const mean = (all) => all.reduce((sum, one) => sum + one, 0) / all.length;
        const tile = document.querySelector("camera-tile[camera=camera-3]").getBoundingClientRect();
        const hatched = greys(box.x, box.y + 2, box.width, 1);
        return {
            banner: mean(greys(box.x + 4, box.y + box.height / 2, 20, 4)),
            picture: Math.max(...greys(tile.x, tile.y + 20, tile.width, 8)),
            stripes: hatched.filter((grey, i) => i > 0 && (grey > 90) !== (hatched[i - 1] > 90)).length,
        };
    }, [shot, { x, y, width, height }]);
    assert.ok(seen.banner > 150 && seen.picture < 110, `a light banner on a dark picture: ${JSON.stringify(seen)}`);
    assert.ok(seen.stripes >= 20, `hatched edges: ${JSON.stringify(seen)}`);
    assert.ok(height > 0.3 * (await page.$eval("camera-tile", (tile) => tile.clientHeight)), "and the banner is large");
});

test("every text has contrast AA or better, even on a white picture", async () => {
    await page.goto(`${agent.url}?layout=4&rotate=9`);
    await until("all live", allLive);
    agent.cameras.push({ id: "camera-4", name: "More", state: "offline", why: "", moving: false });
    agent.complaints = ["cameras.toml:1:1: no"];
    agent.sendText(JSON.stringify({ config: agent.complaints }));
    agent.setCamera("camera-0", { state: "denied", ...reasonOf(noFrame(5), retry(9, 1)) });
    agent.setCamera("camera-1", { state: "connecting", why: "asking" });
    await until("denied", async () => (await verdict(0)) === "denied");
    const poor = () => page.evaluate(() => {
        const channel = (value) => ((value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
        const parse = (text) => text.match(/[\d.]+/g).map(Number);
        const over = (top, below) => {
            const alpha = top[3] ?? 1;
            return [0, 1, 2].map((i) => top[i] * alpha + below[i] * (1 - alpha));
        };
        const ground = (element) => {
            if (element.matches(".banner")) {
                const own = getComputedStyle(element);
                return own.backgroundImage === "none" ? parse(own.backgroundColor) : [245, 182, 46];
            }
            if (element.matches(".frame, camera-tile")) return [255, 255, 255]; // a picture of snow
            const colour = parse(getComputedStyle(element).backgroundColor);
            const parent = element.parentElement;
            return (colour[3] ?? 1) === 1 || parent === null ? colour : over(colour, ground(parent));
        };
        const texts = [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility({ visibilityProperty: true }) &&
            !one.closest("[aria-disabled=true], :disabled, noscript, [disabled]") && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ""));
        return texts.map((element) => {
            const below = ground(element);
            const [a, b] = [luminance(over(parse(getComputedStyle(element).color), below)), luminance(below)].sort((x, y) => y - x);
            return [(a + 0.05) / (b + 0.05), element.textContent.trim().slice(0, 30)];
        }).filter(([contrast]) => contrast < 4.5);
    });
    assert.deepEqual(await poor(), []);
    for (const key of ["l", "?"]) {
        await page.keyboard.press(key);
        await until("a dialog", () => page.isVisible("dialog[open]"));
        assert.deepEqual(await poor(), [], `with ${key} open`);
        await page.keyboard.press("Escape");
        await until("no dialog", async () => !(await page.isVisible("dialog[open]")));
    }
    for (const camera of ["camera-0", "camera-3"]) {
        await page.focus(`camera-tile[camera=${camera}]`);
        await page.keyboard.press("i");
        await until("the panel", () => page.isVisible("#info li"));
        assert.deepEqual(await poor(), [], `with information on ${camera}`);
        await page.keyboard.press("i");
    }
    await page.goto(`${agent.url}status.html`);
    await until("the table", async () => (await page.$$("tbody tr")).length === 5);
    assert.deepEqual(await poor(), [], "the table");
    agent.hung = true;
    await until("an old table", () => page.evaluate(() => document.body.hasAttribute("silent")));
    assert.deepEqual(await poor(), [], "the old table");
});

test("the tile counts down to the agent's next attempt", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await until("all live", allLive);
    agent.setCamera("camera-2", { state: "stalled", ...reasonOf(noFrame(5), retry(60, 2)) });
    const nextStep = () => page.$eval("camera-tile[camera=camera-2] .next-step", (element) => element.textContent);
    const left = async () => Number(/^Next attempt in (\d+) s \(no\. 2\)$/.exec(await nextStep())?.[1]);
    await until("the message", async () => (await left()) <= 60);
    const first = await left();
    await until("counted down", async () => (await left()) < first);
});

test("a slow terminal requests fewer pictures, and they stay current", async () => {
    await page.addInitScript(() => {
        const create = window.createImageBitmap;
        window.slow = 0;
        window.createImageBitmap = async (...given) => {
            const bitmap = await create(...given);
            if (window.slow > 0) await new Promise((done) => setTimeout(done, window.slow));
            return bitmap;
        };
    });
    await page.goto(`${agent.url}?layout=4`);
    await until("all live", allLive);
    await page.evaluate(() => (window.slow = 300));
    await until("requested fewer", () => agent.shows.at(-1).every((request) => request.fps <= 5), 60_000);
    const tile = (await readTiles(page))[0];
    assert.equal(tile.verdict, "live");
    assert.equal(tile.age, "", "no lag piles up");
    assert.ok(Number(await page.getAttribute("#wall", "data-limit")) <= 5);
});

test("nothing reaches beyond the screen of a phone", async () => {
    const before = page.viewportSize();
    await page.setViewportSize({ width: 360, height: 780 });
    try {
        for (const language of ["en", "zh-TW"]) {
            // With pages to turn the bar has the most in it.
            await page.goto(`${agent.url}?layout=1&lang=${language}`);
            await until("a tile", async () => (await readTiles(page)).length === 1);
            const right = await page.$$eval("#tools, #notices, #wall, camera-tile", (all) => Math.max(...all.map((one) => one.getBoundingClientRect().right)));
            assert.ok(right <= 360, `${language}: ${right} pixels`);
        }
    } finally {
        if (before !== null) await page.setViewportSize(before);
    }
});

test("the whole page has less than 64 kB compressed", async () => {
    const bodies = new Map();
    page.on("response", async (response) => {
        const { pathname } = new URL(response.url());
        if (pathname.startsWith("/api/")) return;
        bodies.set(pathname, response.body());
    });
    await page.goto(`${agent.url}?layout=4`);
    await until("all live", allLive);
    let sum = 0;
    for (const [, body] of bodies) sum += gzipSync(await body).length;
    assert.ok(bodies.size > 15, `${[...bodies.keys()]}`);
    assert.ok(sum < MAX_PAGE_BYTES, `${sum} bytes in ${bodies.size} files`);
    console.log(`# the page: ${sum} bytes compressed in ${bodies.size} files`);
});
