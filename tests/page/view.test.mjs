// A camera's own video on the canvas, cut, mirrored and turned as the agent says: every edge is where
// it is in the agent's pictures, see worker/tests/decoding/turned.rs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { makeUnits } from "./access-units.mjs";
import { agent, page, useFixture } from "./fixture.mjs";

useFixture({
    names: ["Gate"],
    width: 0,
    prepareAgent: () => {
        agent.cameras[0].moving = false; // the test draws
    },
    preparePage: () => page.goto(agent.url),
});

/** Left, top, right and lower edge of the bright part of a black picture, in parts of the whole. */
const BRIGHT = [0.25, 0.125, 0.5, 0.75];
const WHOLE = [0, 0, 1, 1];

/** Where the edges must be on a canvas of `size`, in pixels. */
function truth({ crop: [left, top, width, height], mirror, turn }, [across, down]) {
    const seen = (x, y) => {
        let point = [(x - left) / width, (y - top) / height];
        if (mirror) point = [1 - point[0], point[1]];
        for (let degrees = 0; degrees < turn; degrees += 90) point = [1 - point[1], point[0]];
        return [point[0] * across, point[1] * down];
    };
    const [[ax, ay], [bx, by]] = [seen(BRIGHT[0], BRIGHT[1]), seen(BRIGHT[2], BRIGHT[3])];
    return [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
}

/** Each view with the size of the canvas that the agent reports with it. */
function* views([width], [across, down]) {
    for (const crop of [WHOLE, [Math.round(width * 0.1) * 2 / width, 0, 1 - Math.round(width * 0.1) * 2 / width, 0.9]]) {
        for (const mirror of [false, true]) {
            for (const turn of [0, 90, 180, 270]) {
                const part = [Math.round(across * crop[2]), Math.round(down * crop[3])];
                yield { view: { crop, mirror, turn }, size: turn % 180 === 0 ? part : [part[1], part[0]] };
            }
        }
    }
}

test("every edge is where the agent's own pictures have it, with five shapes of samples", async () => {
    for (const [samples, aspect, display] of [
        [[640, 360], "1/1", [640, 360]],
        [[704, 576], "16/11", [1024, 576]],
        [[704, 576], "12/11", [768, 576]],
        [[704, 480], "10/11", [704, 528]],
        [[720, 288], "32/45", [720, 406]],
    ]) {
        const [unit] = await makeUnits({ frames: 1, width: samples[0], height: samples[1], aspect, bright: BRIGHT });
        const cases = [...views(samples, display)].map(({ view, size }) => ({ view, size, wanted: truth(view, size) }));
        const all = await page.evaluate(async ([{ data }, given]) => {
            const { Picture } = await import("/js/picture.js");
            const { VideoFrameDecoder } = await import("/js/decoder.js");
            const found = [];
            for (const { view, size, wanted } of given) {
                const canvas = document.createElement("canvas");
                const picture = new Picture(canvas);
                await new Promise((drawn, failed) => {
                    const decoder = new VideoFrameDecoder({
                        // The module that draws views is loaded with the first one.
                        draw: (...args) => (picture.draw(...args) ? drawn() : setTimeout(push, 20)),
                        age: () => 0,
                        onFailure: failed,
                    });
                    decoder.setStream("avc1.640028", size, view);
                    const payload = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
                    const unit = { format: 2, key: true, skipped: false, damaged: false, sequence: 1, taken: 1, payload };
                    const push = () => decoder.push(unit, performance.now(), () => {});
                    push();
                });
                const { data: pixels } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                const isBright = (x, y) => pixels[(y * canvas.width + x) * 4 + 1] > 127;
                const [row, column] = [Math.floor((wanted[1] + wanted[3]) / 2), Math.floor((wanted[0] + wanted[2]) / 2)];
                const across = [...Array(canvas.width).keys()].filter((x) => isBright(x, row));
                const down = [...Array(canvas.height).keys()].filter((y) => isBright(column, y));
                found.push({ size: [canvas.width, canvas.height], got: [across[0], down[0], across.at(-1) + 1, down.at(-1) + 1] });
            }
            return found;
        }, [unit, cases]);
        all.forEach(({ size, got }, n) => {
            const what = `${samples} ${aspect} ${JSON.stringify(cases[n])}: ${got}`;
            assert.deepEqual(size, cases[n].size, what);
            assert.ok(got.every((edge, i) => Math.abs(edge - cases[n].wanted[i]) <= 1), what);
        });
    }
});

test("another view or shape of the same samples applies at once, and other samples wait for their key frame", async () => {
    const [unit] = await makeUnits({ frames: 1, width: 640, height: 360, bright: BRIGHT });
    const sizes = await page.evaluate(async ([{ data }]) => {
        const { VideoFrameDecoder } = await import("/js/decoder.js");
        const payload = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        const drawn = [];
        let onDrawn = () => {};
        const decoder = new VideoFrameDecoder({
            draw: (image, size, label, arrived, view) => onDrawn(drawn.push(`${size} ${view?.turn ?? "as sent"}`)),
            age: () => 0,
            onFailure: () => {},
        });
        let sequence = 0;
        const show = async (change) => {
            const done = new Promise((resolve) => (onDrawn = resolve));
            sequence += 1;
            const frame = { format: 2, key: true, skipped: false, damaged: false, sequence, taken: sequence, payload };
            decoder.push(frame, performance.now(), () => {});
            change(); // before the picture comes out of the decoder
            await done;
        };
        const turned = { crop: [0, 0, 1, 1], mirror: false, turn: 90 };
        decoder.setStream("avc1.640028", [640, 360], null, [640, 360]);
        await show(() => {});
        await show(() => decoder.setStream("avc1.640028", [360, 640], turned, [640, 360]));
        await show(() => decoder.setStream("avc1.640028", [1080, 1920], turned, [1920, 1080]));
        await show(() => {});
        return drawn;
    }, [unit]);
    assert.deepEqual(sizes, ["640,360 as sent", "360,640 90", "360,640 90", "1080,1920 90"]);
});
