// The measurements behind the tables of scripts/wall-run.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";

import { until } from "./browser.mjs";
import { cpuSeconds, descendants, line, proportional, resident, trend } from "./measure.mjs";

test("a fitted line has the slope of the values and its standard error", () => {
    const times = [0, 1, 2, 3, 4];
    const exact = line(times, times.map((time) => 7 + 3 * time));
    assert.ok(Math.abs(exact.slope - 3) < 1e-9 && exact.error < 1e-9);
    const rough = line(times, [0, 1, 0, 1, 0]);
    assert.ok(Math.abs(rough.slope) < rough.error, "up and down is no growth");
});

test("a leak is growth, also under a sawtooth; a sawtooth, a temporary step and small noise are not", () => {
    const times = Array.from({ length: 60 }, (_, i) => i);
    const grows = (value) => trend(times, times.map(value), 10).grows;
    assert.ok(grows((i) => 300 + i));
    assert.ok(grows((i) => 300 + i + 20 * (i % 7)));
    assert.ok(!grows((i) => 300 + 20 * (i % 7)));
    assert.ok(!grows((i) => (i > 45 && i < 59 ? 450 : 330)));
    assert.ok(!grows((i) => 300 + 0.01 * i));
});

test("a busy child process is found with its processor time and memory", async () => {
    const child = spawn(process.execPath, ["-e", "const all = []; setInterval(() => all.push(Math.sqrt(all.length)), 0); for (;;) Math.random();"], { stdio: "ignore" });
    try {
        await until("found", async () => (await descendants()).includes(child.pid));
        await until("it spends time", async () => (await cpuSeconds([child.pid])) > 0.2);
        await until("it has memory", async () => (await proportional([child.pid])) > 1e6 && (await resident(child.pid)) > 1e6);
    } finally {
        child.kill("SIGKILL");
    }
});
