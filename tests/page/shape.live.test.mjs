// The shape of a picture on a real agent: what the page draws, /live and /snapshot agree in where its edges are.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";

import { until } from "./browser.mjs";
import { AGENT, CONFIG, LIVE_TIMEOUT, allLive, browser, control, needsConfig, needsControl, readApi, urlOf, useBrowser } from "./live-fixture.mjs";

/** Sample aspect ratios: of square samples, of analogue cameras, and one of wide samples. */
const SAMPLES = [[1, 1], [16, 11], [12, 11], [10, 11], [40, 33]];
const CODECS = ["h264", "h265", "jpeg"];
const needsBoth = AGENT && !needsConfig.skip && !needsControl.skip ? {} : { skip: "CCTV_AGENT_URL, CCTV_CAMERA_CONTROL and CCTV_CONFIG are not all set" };

let page;

useBrowser({ prepare: async () => (page = await browser.newPage()) });

/** Runs in the page: size and edges of the stamp's cells (docs/virtual-camera.md) by each way, in parts of the picture; null while a way has no stamp. */
async function waysOf(id) {
    const load = (url) => new Promise((loaded, failed) => {
        const image = new Image();
        image.onload = () => loaded(image);
        image.onerror = () => failed(new Error(`no picture from ${url}`));
        image.src = url;
    });
    const edges = (source, width, height) => {
        const canvas = new OffscreenCanvas(width, height);
        const pen = canvas.getContext("2d");
        pen.drawImage(source, 0, 0);
        const { data } = pen.getImageData(0, 0, width, height);
        const light = (x, y) => data[(y * width + x) * 4 + 1];
        const cell = (n, cells, size) => Math.floor(((n + 0.5) / cells) * size);
        /** Where the light passes the middle between two cells, between two pixels as the levels say. */
        const passes = (level, from, to) => {
            const middle = (level(from) + level(to)) / 2;
            const rises = level(to) > level(from);
            if (Math.abs(level(to) - level(from)) < 80) return null;
            for (let at = from; at < to; at += 1) {
                const [a, b] = [level(at), level(at + 1)];
                if (rises ? b >= middle : b <= middle) return at + 0.5 + (a === b ? 0 : (middle - a) / (b - a));
            }
            return null;
        };
        const [row, column] = [cell(43, 45, height), cell(14, 80, width)];
        const across = (n) => passes((x) => light(x, row), cell(n, 80, width), cell(n + 1, 80, width));
        const found = [across(14), across(64), passes((y) => light(column, y), row, cell(44, 45, height))];
        return found.includes(null) ? null : { size: [width, height], edges: [found[0] / width, found[1] / width, found[2] / height] };
    };
    const drawn = document.querySelector(`camera-tile[camera="${id}"] canvas`);
    const [snapshot, live] = await Promise.all([load(`/snapshot/${id}?at=${Date.now()}`), load(`/live/${id}?at=${Date.now()}`)]);
    const ways = {
        canvas: edges(drawn, drawn.width, drawn.height),
        snapshot: edges(snapshot, snapshot.naturalWidth, snapshot.naturalHeight),
        live: edges(live, live.naturalWidth, live.naturalHeight),
    };
    live.src = "";
    return Object.values(ways).includes(null) ? null : ways;
}

/** Greatest common divisor. */
const divisor = (a, b) => (b === 0 ? a : divisor(b, a % b));

test("with five shapes of samples in H.264, H.265 and JPEG, the page, /live and /snapshot have the same edges", needsBoth, async () => {
    const before = await readFile(CONFIG, "utf8");
    const { cameras } = await readApi();
    const ids = CODECS.map((codec) => cameras.find((camera) => camera.codec === codec)?.id);
    assert.ok(!ids.includes(undefined), `one camera of each codec: ${ids}`);
    const [width, height] = cameras.find(({ id }) => id === ids[2]).size;
    const configure = async (text) => {
        const { pid, reload: { count } } = await readApi();
        await writeFile(CONFIG, text);
        process.kill(pid, "SIGHUP");
        await until("read again", async () => (await readApi()).reload.count > count);
    };
    try {
        await page.goto(urlOf(`/?layout=4&cameras=${ids}`));
        for (const [across, down] of SAMPLES) {
            // A JPEG does not tell its shape; the file does.
            const [shownWidth, shownHeight] = [width * across, height * down];
            const common = divisor(shownWidth, shownHeight);
            await configure(before.replace(`id = "${ids[2]}"\n`, `id = "${ids[2]}"\naspect = "${shownWidth / common}:${shownHeight / common}"\n`));
            for (const id of ids.slice(0, 2)) await control(id, `aspect?to=${across}:${down}`);
            await until("live", () => allLive(page), LIVE_TIMEOUT);
            for (const id of ids) {
                const shape = shownWidth / shownHeight;
                const ways = await until(`${id} in the shape of samples ${across}:${down}`, async () => {
                    const now = await page.evaluate(waysOf, id).catch(() => null);
                    return now !== null && Object.values(now).every(({ size }) => Math.abs(size[0] - size[1] * shape) <= 2) && now;
                }, LIVE_TIMEOUT);
                for (const way of ["snapshot", "live"]) {
                    const [seen, drawn] = [ways[way], ways.canvas];
                    seen.edges.forEach((edge, n) => {
                        // A pixel of the smaller one of the two pictures.
                        const pixels = Math.min(seen.size[n === 2 ? 1 : 0], drawn.size[n === 2 ? 1 : 0]);
                        const apart = Math.abs(edge - drawn.edges[n]) * pixels;
                        assert.ok(apart <= 1, `${id}, samples ${across}:${down}, ${way}, edge ${n}: ${apart.toFixed(2)} pixels in ${JSON.stringify(ways)}`);
                    });
                }
            }
        }
    } finally {
        for (const id of ids.slice(0, 2)) await control(id, "resume");
        await configure(before);
    }
});
