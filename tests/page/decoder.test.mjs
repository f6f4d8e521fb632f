// js/decoder.js with the browser's own decoder: order, catching up, limits, failures, and no picture
// left open.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { installLab, makeJpeg, makeUnits } from "./access-units.mjs";
import { until } from "./browser.mjs";
import { agent, page, useFixture } from "./fixture.mjs";

const CODEC = "avc1.640028";
const INVALID_UNIT = { key: true, data: Buffer.alloc(2000, 0xa5).toString("base64") };

let plain;
let reordered;

before(async () => {
    [plain, reordered] = await Promise.all([makeUnits({ frames: 150 }), makeUnits({ frames: 60, bframes: 2 })]);
});
useFixture({
    names: ["Gate"],
    width: 0,
    prepareAgent: () => {
        agent.cameras[0].moving = false; // the tests send its pictures
    },
    preparePage: async () => {
        await page.goto(agent.url);
        await installLab(page);
    },
    checkPage: async () => {
        const { made, once, more } = await page.evaluate(() => window.lab.closings());
        assert.deepEqual({ once, more }, { once: made, more: 0 }, "every VideoFrame is closed, and once");
    },
});

test("this browser decodes H.264 and lists the formats it can show", async () => {
    const formats = await page.evaluate(() => window.lab.showableFormats());
    assert.equal(formats[0], "h264");
    assert.equal(formats.at(-1), "jpeg");
});

test("every picture is drawn in order and without delay", async () => {
    const { drawn, failures } = await page.evaluate(async ([codec, units]) => {
        const lab = window.lab.start(codec);
        await window.lab.play(lab, units);
        await window.lab.until(() => lab.drawn.length === units.length);
        lab.decoder.close();
        return { drawn: lab.drawn, failures: lab.decoder.counts.failures };
    }, [CODEC, plain.slice(0, 60)]);
    assert.deepEqual(drawn, Array.from({ length: 60 }, (_, n) => n));
    assert.equal(failures, 0);
});

test("B-frames are drawn in presentation order, each newer than the one before", async () => {
    const { drawn, labels } = await page.evaluate(async ([codec, units]) => {
        const lab = window.lab.start(codec);
        await window.lab.play(lab, units);
        await window.lab.until(() => lab.drawn.length > units.length - 5);
        lab.decoder.close();
        return { drawn: lab.drawn, labels: lab.labels };
    }, [CODEC, reordered]);
    assert.ok(drawn.length > 50);
    assert.deepEqual(drawn, Array.from(drawn, (_, n) => n));
    const newer = labels.slice(1).every((label, n) => label.taken > labels[n].taken && label.sequence >= labels[n].sequence);
    assert.ok(newer, "no later picture passes for an older one");
});

test("profiles of cameras are decoded", async () => {
    for (const [codec, more] of [
        ["avc1.6e0028", { profile: "high10", pixels: "yuv420p10le" }],
        ["avc1.7a0028", { profile: "high422", pixels: "yuv422p" }],
        ["avc1.640028", { pixels: "gray" }],
        ["avc1.640028", { extra: ":interlaced=1" }],
    ]) {
        const units = await makeUnits({ frames: 20, height: 192, ...more });
        const { drawn, reasons } = await page.evaluate(async ([codec, units]) => {
            const lab = window.lab.start(codec);
            await window.lab.play(lab, units);
            await window.lab.until(() => lab.drawn.length >= units.length || lab.reasons.length > 0);
            lab.decoder.close();
            return { drawn: lab.drawn, reasons: lab.reasons };
        }, [codec, units]);
        assert.deepEqual(reasons, [], codec);
        assert.equal(drawn.length, 20, codec);
    }
});

test("an open group without IDR pictures is drawn from its recovery point on", async () => {
    const open = await makeUnits({ frames: 75, group: 25, extra: ":open-gop=1" });
    const units = open.slice(25).map((unit, n) => ({ ...unit, key: n % 25 === 0 }));
    const { drawn, failures } = await page.evaluate(async ([codec, units]) => {
        const lab = window.lab.start(codec);
        await window.lab.play(lab, units);
        await window.lab.until(() => lab.drawn.length >= units.length);
        lab.decoder.close();
        return { drawn: lab.drawn, failures: lab.decoder.counts.failures };
    }, [CODEC, units]);
    assert.deepEqual(drawn, Array.from({ length: 50 }, (_, n) => n + 25));
    assert.equal(failures, 0);
});

test("only the newest picture of the first group is drawn, and then every picture", async () => {
    const drawn = await page.evaluate(async ([codec, units]) => {
        const lab = window.lab.start(codec);
        units.slice(0, 40).forEach((unit, n) => lab.push(unit, (40 - n) * 40));
        await window.lab.until(() => lab.drawn.includes(39));
        await window.lab.play(lab, units.slice(40, 50));
        await window.lab.until(() => lab.drawn.includes(49));
        lab.decoder.close();
        return lab.drawn;
    }, [CODEC, plain]);
    assert.ok(drawn[0] >= 30, `late pictures are not drawn: ${drawn}`);
    assert.deepEqual(drawn.slice(-11), [39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49]);
});

test("a first group of many units is decoded whole, and only its newest picture is drawn", async () => {
    const units = await makeUnits({ frames: 910, group: 1000, width: 160, height: 90 });
    const { first, last, skipped } = await page.evaluate(async ([codec, units]) => {
        const lab = window.lab.start(codec);
        units.slice(0, 900).forEach((unit, n) => lab.push(unit, (900 - n) * 40));
        // New units come while the group is decoded.
        await window.lab.play(lab, units.slice(900));
        await window.lab.until(() => lab.labels.at(-1)?.sequence === 910, 60_000);
        lab.decoder.close();
        return { first: lab.labels[0].sequence, last: lab.labels.at(-1).sequence, skipped: lab.decoder.counts.skipped };
    }, [CODEC, units]);
    assert.deepEqual([last, skipped], [910, 0]);
    assert.ok(first >= 850, `an old picture is not drawn: ${first}`);
});

test("catching up ends when the agent's time is unknown or wrong", async () => {
    for (const wrong of ["null", "3600000"]) {
        const drawn = await page.evaluate(async ([codec, units, age]) => {
            const lab = window.lab.start(codec, () => JSON.parse(age));
            units.forEach((unit) => lab.push(unit));
            await window.lab.until(() => lab.drawn.includes(39));
            lab.decoder.close();
            return lab.drawn;
        }, [CODEC, plain.slice(0, 40), wrong]);
        assert.equal(drawn.at(-1), 39);
        assert.ok(drawn.length <= 3, `${drawn}`);
    }
});

test("a browser that falls behind drops units up to a key frame", async () => {
    const { drawn, skipped, most } = await page.evaluate(async ([codec, units]) => {
        const lab = window.lab.start(codec);
        await window.lab.play(lab, units.slice(0, 5));
        await window.lab.until(() => lab.drawn.includes(4));
        units.slice(5, 50).forEach((unit) => lab.push(unit));
        const { units: taken, pictures, skipped } = lab.decoder.counts;
        await window.lab.until(() => lab.decoder.counts.pictures === taken);
        await window.lab.play(lab, units.slice(50, 60));
        await window.lab.until(() => lab.drawn.includes(59));
        lab.decoder.close();
        return { drawn: lab.drawn, skipped, most: taken - pictures };
    }, [CODEC, plain]);
    assert.ok(skipped >= 10 && most <= 35, `${skipped} left out, ${most} in the decoder`);
    assert.deepEqual(drawn, [...Array.from({ length: 5 + most }, (_, n) => n), 50, 51, 52, 53, 54, 55, 56, 57, 58, 59]);
});

test("nothing is drawn after skipped frames until the next key frame", async () => {
    const drawn = await page.evaluate(async ([codec, units]) => {
        const lab = window.lab.start(codec);
        await window.lab.play(lab, units.slice(0, 10));
        await window.lab.until(() => lab.drawn.includes(9));
        lab.push(units[20], 0, { skipped: true });
        await window.lab.play(lab, units.slice(21, 30));
        await window.lab.play(lab, units.slice(50, 55));
        await window.lab.until(() => lab.drawn.includes(54));
        lab.decoder.close();
        return lab.drawn;
    }, [CODEC, plain]);
    assert.deepEqual(drawn, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 50, 51, 52, 53, 54]);
});

test("a damaged stream recovers with the next key frame, and repeated damage ends decoding once", async () => {
    const { drawn, healed, reasons } = await page.evaluate(async ([codec, units, invalid]) => {
        const lab = window.lab.start(codec);
        await window.lab.play(lab, units.slice(0, 5));
        const fail = async (count) => {
            lab.push(invalid);
            await window.lab.until(() => lab.decoder.counts.failures === count);
        };
        lab.decoder.setStream("avc1.64001f"); // another codec string starts a new decoder, whose first unit is invalid
        await fail(1);
        await window.lab.play(lab, units.slice(50, 55));
        await window.lab.until(() => lab.drawn.includes(54));
        const healed = lab.reasons.length;
        lab.decoder.setStream(codec);
        await fail(2);
        await fail(3);
        lab.decoder.close();
        return { drawn: lab.drawn, healed, reasons: lab.reasons };
    }, [CODEC, plain, INVALID_UNIT]);
    assert.deepEqual(drawn.slice(-5), [50, 51, 52, 53, 54]);
    assert.equal(healed, 0);
    assert.equal(reasons.length, 1);
    assert.ok(reasons[0].length > 5, reasons[0]);
});

test("a codec that the browser does not support fails at once", async () => {
    const reasons = await page.evaluate(async ([units]) => {
        const lab = window.lab.start("avc1.f4ffff");
        lab.push(units[0]);
        await window.lab.until(() => lab.reasons.length > 0);
        lab.decoder.close();
        return lab.reasons;
    }, [plain]);
    assert.equal(reasons.length, 1);
});

test("a new resolution is drawn in its own size from its first key frame on", async () => {
    const other = await makeUnits({ frames: 10, width: 640, height: 360 });
    const sizes = await page.evaluate(async ([codec, units, other]) => {
        const lab = window.lab.start(codec);
        await window.lab.play(lab, units.slice(0, 5));
        await window.lab.until(() => lab.drawn.length === 5);
        await window.lab.play(lab, other);
        await window.lab.until(() => lab.drawn.length === 15);
        lab.decoder.close();
        return lab.sizes;
    }, [CODEC, plain, other]);
    assert.deepEqual(new Set(sizes.slice(0, 5)), new Set(["320x180"]));
    assert.deepEqual(new Set(sizes.slice(5)), new Set(["640x360"]));
    assert.equal(sizes.length, 15);
});

test("credits go to the agent once a second, not for every unit", async () => {
    const credits = await page.evaluate(async ([codec, units]) => {
        const lab = window.lab.start(codec);
        units.forEach((unit) => lab.push(unit));
        lab.decoder.close();
        return lab.credits;
    }, [CODEC, plain.slice(0, 20)]);
    assert.equal(credits, 1);
});

test("a picture has the display size that the agent reports, otherwise the browser's", async () => {
    const units = await makeUnits({ frames: 10, group: 5, aspect: "16/11" });
    const sizes = await page.evaluate(async ([codec, units]) => {
        const play = async (...sizes) => {
            const lab = window.lab.start(codec);
            for (const [n, size] of sizes.entries()) {
                lab.decoder.setStream(codec, size);
                await window.lab.play(lab, units.slice(n * 5, n * 5 + 5));
                // A new stream drops the units that are still in the decoder.
                await window.lab.until(() => lab.drawn.length === (n + 1) * 5);
            }
            lab.decoder.close();
            return lab.sizes;
        };
        // In the last case the size changes at a key frame, and differs from the one in the stream.
        return { browser: await play(null), stated: await play([466, 180]), changed: await play([466, 180], [320, 180]) };
    }, [CODEC, units]);
    assert.deepEqual(sizes.stated, Array(5).fill("466x180"));
    assert.deepEqual(sizes.changed, [...Array(5).fill("466x180"), ...Array(5).fill("320x180")]);
    const [width, height] = sizes.browser[0].split("x").map(Number);
    assert.ok(Math.abs(width / height - (320 * 16) / 11 / 180) < 0.02, sizes.browser[0]);
});

test("a tile keeps its aspect ratio when its pictures change from video to JPEG", async () => {
    const { id } = agent.cameras[0];
    agent.shows.length = 0;
    await page.goto(`${agent.url}?layout=1`);
    await installLab(page);
    await until("the tile to be requested", () => agent.shows.some((show) => show.some(({ camera }) => camera === id)));
    const sendReport = (format, codec) => {
        agent.sendText(JSON.stringify({ tile: 0, camera: id, name: "Gate", state: "live", why: "", format, codec, size: [320, 180], display: [466, 180], fps: 25 }));
    };
    const canvas = () => page.$eval("camera-tile canvas", (canvas) => {
        const light = (x) => canvas.getContext("2d").getImageData(x, 10, 1, 1).data[1] > 128;
        return { size: [canvas.width, canvas.height], light: [24, 34].map(light) };
    });
    const frame = (format, sequence, data) => {
        const bytes = agent.frame(0, sequence, agent.now(), data);
        bytes.writeUInt8(format, 1);
        agent.sendBinary(bytes);
    };
    const units = await makeUnits({ frames: 2, group: 2, aspect: "16/11" });
    sendReport("h264", CODEC);
    // The second picture has its first square lit: 20 samples wide, 29 pixels of the canvas.
    units.forEach(({ data }, n) => frame(2, n + 1, Buffer.from(data, "base64")));
    const passthrough = await until("the passthrough picture", async () => {
        const drawn = await canvas();
        return drawn.light[0] && drawn;
    });
    assert.deepEqual([passthrough.size, passthrough.light], [[466, 180], [true, false]]);
    sendReport("jpeg", "mjpeg");
    // As the agent scales it to a smaller tile.
    frame(1, 3, await makeJpeg("232x90"));
    await until("the JPEG with the same aspect ratio", async () => String((await canvas()).size) === "232,90");
});
