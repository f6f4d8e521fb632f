// Looking back on a real agent: the clock in the picture is what the band says, and the live picture comes back.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";

import { until } from "./browser.mjs";
import { CONFIG, LIVE_TIMEOUT, allLive as allTilesLive, browser, needsConfig, readApi, urlOf, useBrowser } from "./live-fixture.mjs";
import { installStamp } from "./stamp.mjs";

/** What a busy machine may take to encode a frame and to send it, in milliseconds. */
const SLACK = 1500;

let page;

useBrowser({
    prepare: async () => {
        page = await browser.newPage();
        await installStamp(page);
    },
});

/** The stamp of the picture, and what the page says of it; null without a stamp. Runs in the page. */
function seen(root) {
    const stamp = window.stampOf(root.querySelector("canvas"));
    return stamp && { clock: stamp.clock, taken: Number(root.dataset.taken), band: root.querySelector("strong").textContent, now: Date.now() };
}

const look = () => page.$eval(".look-back", seen).catch(() => null);
const isOpen = async () => (await page.locator(".look-back").count()) === 1;

test("the past runs under a band, its clock is right, it drives back and forth, and the live picture comes back", needsConfig, async () => {
    const before = await readFile(CONFIG, "utf8");
    const { pid, cameras } = await readApi();
    const since = (await readApi()).reload.count;
    const set = async (text, reloads) => {
        await writeFile(CONFIG, text);
        process.kill(pid, "SIGHUP");
        await until("read again", async () => (await readApi()).reload.count >= since + reloads);
    };
    const kept = (id) => fetch(urlOf(`/api/cameras/${id}/past?seconds=60`));
    const { id } = cameras.find((camera) => camera.codec === "h264");
    try {
        assert.equal((await kept(id)).status, 404, "nothing is kept unless the file says so");
        await set(`${before}\n[limits]\nlook_back = 60\n`, 1);
        await page.goto(urlOf(`/?cameras=${id}`));
        await until("live", () => allTilesLive(page), LIVE_TIMEOUT);
        // Enough to look back at.
        await until("fifteen seconds", async () => {
            const answer = await kept(id);
            if (!answer.ok) return false;
            const buffer = Buffer.from(await answer.arrayBuffer());
            return Number(JSON.parse(answer.headers.get("X-Video")).now) - Number(buffer.readBigUInt64LE(12)) / 1000 > 15_000;
        }, LIVE_TIMEOUT);
        await page.locator("camera-tile").focus();
        await page.keyboard.press("b");
        const first = await until("the past", look);
        // Nothing covers what says so, nor what ends it.
        for (const part of ["strong", "button:last-child"]) {
            assert.ok(await page.$eval(`.look-back ${part}`, (element) => {
                const { x, y, width, height } = element.getBoundingClientRect();
                return width > 40 && height > 10 && document.elementFromPoint(x + width / 2, y + height / 2) === element;
            }), part);
        }
        assert.match(first.band, /^NOT LIVE · \d\d:\d\d:\d\d · \d+\.\d s ago$/);
        // The stamp is made before the frame is encoded and sent: a frame of time, and what a busy machine takes. The
        // band is written with each frame of the screen, which a busy machine draws late now and then.
        const [latencies, differences] = [[], []];
        let last = first.clock;
        // It runs on meanwhile, to its end.
        while (latencies.length < 12) {
            assert.ok(await isOpen(), `it is over after ${latencies.length} looks`);
            const now = await look();
            if (now !== null) {
                latencies.push(now.taken - now.clock);
                assert.ok(now.clock >= last, "it runs forward");
                last = now.clock;
                const told = Number(/· ([\d.]+) s ago/.exec(now.band)[1]);
                differences.push(Math.abs(told * 1000 - (now.now - now.taken)));
            }
            await page.waitForTimeout(50);
        }
        const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
        const latency = median(latencies);
        console.log(`# clock of the picture and band: ${latency} ms apart (median of ${latencies.length})`);
        assert.ok(latency >= 0 && latency < SLACK, String(latencies));
        assert.ok(median(differences) < 300, `the band says when the picture was: ${differences}`);
        assert.ok(last > first.clock, "it moves");
        // Back, and on.
        await page.keyboard.press("ArrowLeft");
        await page.keyboard.press(" ");
        // Paused, but the picture where it stands may be decoded yet.
        await until("an earlier picture that stands still and grows older", async () => {
            const now = await look();
            if (now === null || now.clock >= last) return false;
            await page.waitForTimeout(700);
            const later = await look();
            return later.clock === now.clock && later.band !== now.band;
        });
        await page.keyboard.press(" ");
        for (let n = 0; n < 12 && (await isOpen()); n += 1) await page.keyboard.press("ArrowRight");
        await until("the end", async () => !(await isOpen()));
        await until("the live picture", () => allTilesLive(page), LIVE_TIMEOUT);
        // By itself, too: it runs on from five to ten seconds before its end.
        await page.keyboard.press("b");
        const again = await until("the past again", look);
        const ago = Number(/· ([\d.]+) s ago/.exec(again.band)[1]);
        for (let n = 0; n < Math.floor(ago / 5) - 1; n += 1) await page.keyboard.press("ArrowRight");
        assert.ok(await isOpen());
        await until("its end", async () => !(await isOpen()), LIVE_TIMEOUT);
        // What calls the camera up may begin it, before that moment.
        const rung = Date.now();
        const shown = await fetch(urlOf("/api/wall/show"), { method: "POST", body: JSON.stringify({ camera: id, seconds: 60, look_back: true }) });
        assert.equal(shown.status, 200, await shown.text());
        const bell = await until("the past of the bell", look);
        assert.ok(bell.clock < rung && bell.clock > rung - 15_000, `${bell.clock - rung} ms`);
        assert.match(bell.band, /^NOT LIVE/);
        await until("its end", async () => !(await isOpen()), LIVE_TIMEOUT);
        await fetch(urlOf("/api/wall/clear"), { method: "POST" });
        // A camera that sends JPEG.
        const jpeg = cameras.find((camera) => camera.codec === "jpeg").id;
        await page.goto(urlOf(`/?cameras=${jpeg}`));
        await until("live", () => allTilesLive(page), LIVE_TIMEOUT);
        await page.locator("camera-tile").focus();
        await page.keyboard.press("b");
        const one = await until("the past of JPEG", look);
        const other = await until("it to run", async () => {
            const now = await look();
            return now !== null && now.clock > one.clock && now;
        });
        assert.ok(Math.abs(other.taken - other.clock) < SLACK, `${other.taken} and ${other.clock}`);
        await page.keyboard.press("Escape");
        assert.equal(await isOpen(), false);
    } finally {
        await set(before, 2);
    }
    assert.equal((await kept(id)).status, 404, "what was kept is forgotten");
});
