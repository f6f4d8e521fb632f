// js/decoder.js with the browser's own decoder: order, catching up, bounds, failures, and no picture
// left open.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { startBrowser, until } from "./browser.mjs";
import { StandIn } from "./stand-in.mjs";
import { equip, makeJpeg, makeUnits } from "./units.mjs";

const CODEC = "avc1.640028";
const RUBBISH = { key: true, data: Buffer.alloc(2000, 0xa5).toString("base64") };

let agent;
let browser;
let page;
let plain;
let reordered;

before(async () => {
    [plain, reordered] = await Promise.all([makeUnits({ frames: 150 }), makeUnits({ frames: 60, bframes: 2 })]);
    agent = new StandIn([[]], ["Gate"]);
    agent.cameras[0].moving = false; // what it shows is said by the tests
    await agent.start();
    browser = await startBrowser();
});
after(async () => {
    await browser?.close();
    await agent?.kill();
});
beforeEach(async () => {
    page = await browser.newPage();
    await page.goto(agent.url);
    await equip(page);
});
afterEach(async () => {
    const closings = () => page.evaluate(() => window.lab.closings());
    const { made, once, more } = await closings();
    await page.close();
    assert.deepEqual({ once, more }, { once: made, more: 0 }, "every VideoFrame is closed, and once");
});

test("this browser decodes H.264, and says what it can show", async () => {
    const formats = await page.evaluate(() => window.lab.showableFormats());
    assert.equal(formats[0], "h264");
    assert.equal(formats.at(-1), "jpeg");
});

test("every picture is drawn, in order, at once", async () => {
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

test("B-frames are drawn in the order of presentation, each newer than the one before", async () => {
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

test("of the kept group only the newest picture is drawn, then every one", async () => {
    const drawn = await page.evaluate(async ([codec, units]) => {
        const lab = window.lab.start(codec);
        units.slice(0, 40).forEach((unit, n) => lab.offer(unit, (40 - n) * 40));
        await window.lab.until(() => lab.drawn.includes(39));
        await window.lab.play(lab, units.slice(40, 50));
        await window.lab.until(() => lab.drawn.includes(49));
        lab.decoder.close();
        return lab.drawn;
    }, [CODEC, plain]);
    assert.ok(drawn[0] >= 30, `the past is not shown: ${drawn}`);
    assert.deepEqual(drawn.slice(-11), [39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49]);
});

test("the group is caught up with where nobody knows the agent's time, or it is wrong", async () => {
    for (const wrong of ["null", "3600000"]) {
        const drawn = await page.evaluate(async ([codec, units, age]) => {
            const lab = window.lab.start(codec, () => JSON.parse(age));
            units.forEach((unit) => lab.offer(unit));
            await window.lab.until(() => lab.drawn.includes(39));
            lab.decoder.close();
            return lab.drawn;
        }, [CODEC, plain.slice(0, 40), wrong]);
        assert.equal(drawn.at(-1), 39);
        assert.ok(drawn.length <= 3, `${drawn}`);
    }
});

test("a browser that falls behind leaves units out up to a key frame", async () => {
    const { drawn, skipped, most } = await page.evaluate(async ([codec, units]) => {
        const lab = window.lab.start(codec);
        await window.lab.play(lab, units.slice(0, 5));
        await window.lab.until(() => lab.drawn.includes(4));
        units.slice(5, 50).forEach((unit) => lab.offer(unit));
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

test("after frames left out by the agent nothing is drawn before a key frame", async () => {
    const drawn = await page.evaluate(async ([codec, units]) => {
        const lab = window.lab.start(codec);
        await window.lab.play(lab, units.slice(0, 10));
        await window.lab.until(() => lab.drawn.includes(9));
        lab.offer(units[20], 0, { skipped: true });
        await window.lab.play(lab, units.slice(21, 30));
        await window.lab.play(lab, units.slice(50, 55));
        await window.lab.until(() => lab.drawn.includes(54));
        lab.decoder.close();
        return lab.drawn;
    }, [CODEC, plain]);
    assert.deepEqual(drawn, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 50, 51, 52, 53, 54]);
});

test("a damaged stream heals with the next key frame; one that stays so is given up, once", async () => {
    const { drawn, healed, reasons } = await page.evaluate(async ([codec, units, rubbish]) => {
        const lab = window.lab.start(codec);
        await window.lab.play(lab, units.slice(0, 5));
        const fail = async (count) => {
            lab.offer(rubbish);
            await window.lab.until(() => lab.decoder.counts.failures === count);
        };
        lab.decoder.expect("avc1.64001f"); // another variant: a decoder of its own, whose first unit is rubbish
        await fail(1);
        await window.lab.play(lab, units.slice(50, 55));
        await window.lab.until(() => lab.drawn.includes(54));
        const healed = lab.reasons.length;
        lab.decoder.expect(codec);
        await fail(2);
        await fail(3);
        lab.decoder.close();
        return { drawn: lab.drawn, healed, reasons: lab.reasons };
    }, [CODEC, plain, RUBBISH]);
    assert.deepEqual(drawn.slice(-5), [50, 51, 52, 53, 54]);
    assert.equal(healed, 0);
    assert.equal(reasons.length, 1);
    assert.ok(reasons[0].length > 5, reasons[0]);
});

test("a codec that the browser does not have is given up at once", async () => {
    const reasons = await page.evaluate(async ([units]) => {
        const lab = window.lab.start("avc1.f4ffff");
        lab.offer(units[0]);
        await window.lab.until(() => lab.reasons.length > 0);
        lab.decoder.close();
        return lab.reasons;
    }, [plain]);
    assert.equal(reasons.length, 1);
});

test("another resolution is drawn in its own size from its first key frame on", async () => {
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

test("the agent is told what was taken now and then, not every time", async () => {
    const credits = await page.evaluate(async ([codec, units]) => {
        const lab = window.lab.start(codec);
        units.forEach((unit) => lab.offer(unit));
        lab.decoder.close();
        return lab.credits;
    }, [CODEC, plain.slice(0, 20)]);
    assert.equal(credits, 1);
});

test("a picture has the shape that the agent tells, else that of the browser", async () => {
    const units = await makeUnits({ frames: 10, group: 5, aspect: "16/11" });
    const sizes = await page.evaluate(async ([codec, units]) => {
        const play = async (...shapes) => {
            const lab = window.lab.start(codec);
            for (const [n, shape] of shapes.entries()) {
                lab.decoder.expect(codec, shape);
                await window.lab.play(lab, units.slice(n * 5, n * 5 + 5));
            }
            await window.lab.until(() => lab.drawn.length === shapes.length * 5);
            lab.decoder.close();
            return lab.sizes;
        };
        // The last two: it changes with a key frame, and the agent thinks little of what the stream says.
        return { browser: await play(null), stated: await play([466, 180]), changed: await play([466, 180], [320, 180]) };
    }, [CODEC, units]);
    assert.deepEqual(sizes.stated, Array(5).fill("466x180"));
    assert.deepEqual(sizes.changed, [...Array(5).fill("466x180"), ...Array(5).fill("320x180")]);
    const [width, height] = sizes.browser[0].split("x").map(Number);
    assert.ok(Math.abs(width / height - (320 * 16) / 11 / 180) < 0.02, sizes.browser[0]);
});

test("a tile keeps its shape when its picture comes in another way", async () => {
    const { id } = agent.cameras[0];
    agent.asked.length = 0;
    await page.goto(`${agent.url}?layout=1`);
    await equip(page);
    await until("the tile to be asked for", () => agent.asked.some((show) => show.some(({ camera }) => camera === id)));
    const tell = (format, codec) => {
        agent.say(JSON.stringify({ tile: 0, camera: id, name: "Gate", state: "live", why: "", format, codec, size: [320, 180], display: [466, 180], fps: 25 }));
    };
    const canvas = () => page.$eval("camera-tile canvas", (canvas) => {
        const light = (x) => canvas.getContext("2d").getImageData(x, 10, 1, 1).data[1] > 128;
        return { size: [canvas.width, canvas.height], light: [24, 34].map(light) };
    });
    const frame = (format, sequence, data) => {
        const bytes = agent.frame(0, sequence, agent.now(), data);
        bytes.writeUInt8(format, 1);
        agent.sayBytes(bytes);
    };
    const units = await makeUnits({ frames: 2, group: 2, aspect: "16/11" });
    tell("h264", CODEC);
    // The second picture has its first square lit: 20 samples wide, 29 pixels of the canvas.
    units.forEach(({ data }, n) => frame(2, n + 1, Buffer.from(data, "base64")));
    const untouched = await until("the untouched picture", async () => {
        const drawn = await canvas();
        return drawn.light[0] && drawn;
    });
    assert.deepEqual([untouched.size, untouched.light], [[466, 180], [true, false]]);
    tell("jpeg", "mjpeg");
    // As the agent scales it to a smaller tile.
    frame(1, 3, await makeJpeg("232x90"));
    await until("the JPEG, of the same shape", async () => String((await canvas()).size) === "232,90");
});
