// The pure parts of the page, in the browser that runs them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startBrowser } from "./browser.mjs";
import { StandIn } from "./stand-in.mjs";

let agent;
let browser;
let page;

before(async () => {
    agent = new StandIn([], []);
    await agent.start();
    browser = await startBrowser();
    page = browser.pages()[0];
    await page.goto(agent.url);
});
after(async () => {
    await browser?.close();
    await agent?.kill();
});

/** Runs `cases` of arguments through a function of a module of the page. */
const run = (module, name, cases) => page.evaluate(async ([from, what, all]) => {
    const loaded = await import(from);
    return all.map((given) => loaded[what](...given));
}, [`/js/${module}.js`, name, cases]);

test("only a heard agent, the word live and a fresh picture together are live", async () => {
    const good = { agentSilent: 100, state: "live", age: 500, fps: 25 };
    const cases = [
        [{}, "live"],
        [{ age: 3999 }, "live"],
        [{ age: 4000 }, "stale"],
        [{ age: null }, "connecting"],
        [{ state: "stalled" }, "stalled"],
        [{ state: "denied", age: null }, "denied"],
        [{ state: null }, "connecting"],
        [{ state: "wonderful" }, "connecting"],
        [{ agentSilent: 2500 }, "silent"],
        [{ age: 6000, fps: 0.25 }, "live"],
        [{ age: 10_000, fps: 0.25 }, "stale"],
        [{ age: 5000, fps: null }, "stale"],
    ];
    const verdicts = await run("liveness", "judge", cases.map(([change]) => [{ ...good, ...change }]));
    assert.deepEqual(verdicts, cases.map(([, verdict]) => verdict));
    const unknown = await page.evaluate(async () => (await import("/js/liveness.js")).judge({ agentSilent: NaN, state: "live", age: 1, fps: 25 }));
    assert.equal(unknown, "silent");
});

test("newer is a later sequence across the wrap, or a later time", async () => {
    const shown = { sequence: 10, taken: 1000 };
    const newer = await run("frame", "isNewer", [
        [shown, null],
        [{ sequence: 11, taken: 1040 }, shown],
        [{ sequence: 10, taken: 1000 }, shown],
        [{ sequence: 9, taken: 960 }, shown],
        [{ sequence: 1, taken: 1040 }, shown],
        [{ sequence: 11, taken: 500 }, shown],
        [{ sequence: 0, taken: 1000 }, { sequence: 0xffffffff, taken: 1000 }],
    ]);
    assert.deepEqual(newer, [true, true, false, false, true, true, true]);
});

test("ages are told in the largest two units, rounded down", async () => {
    const told = await run("language", "duration", [[0], [1999], [59_999], [61_000], [3_600_000], [90_061_000]]);
    assert.deepEqual(told, ["0 s", "1 s", "59 s", "1 min 1 s", "1 h 0 min", "1 d 1 h"]);
});

test("language wishes are taken in order, every Chinese as Traditional", async () => {
    const picked = await run("language", "pickLanguage", [[["de", "zh-TW", "en"]], [["en-GB", "zh"]], [["zh-Hant-HK"]], [["fr"]], [[]]]);
    assert.deepEqual(picked, ["zh-TW", "en", "zh-TW", "en", "en"]);
});

test("cameras fill the panels page by page, and a page that is gone becomes the last", async () => {
    const cameras = ["a", "b", "c", "d", "e"];
    const plans = await run("layout", "arrange", [
        [{ cameras, panels: 4, page: 1, enlarged: null }],
        [{ cameras, panels: 4, page: 7, enlarged: "b" }],
        [{ cameras: [], panels: 4, page: 3, enlarged: "b" }],
    ]);
    assert.deepEqual(plans, [
        { side: 2, page: 1, pages: 2, places: ["e", null, null, null] },
        { side: 1, page: 1, pages: 2, places: ["b"] },
        { side: 2, page: 0, pages: 1, places: [null, null, null, null] },
    ]);
    assert.deepEqual(await run("layout", "panelsFor", [[0], [1], [2], [9], [10], [40]]), [1, 1, 4, 9, 16, 16]);
});

test("the agent's clock follows a step and prefers the quickest answer", async () => {
    const ages = await page.evaluate(async () => {
        const { AgentClock } = await import("/js/agent-clock.js");
        const clock = new AgentClock();
        const before = clock.age(0, 0, 10);
        clock.note(0, 10, 1_000_005);
        clock.note(1000, 1400, 1_001_300); // slow and skewed: not believed over the quick one
        const quick = clock.age(1_001_000, 1900, 2000);
        clock.note(3000, 3010, 5_003_005);
        return [before, quick, clock.age(5_003_000, 3900, 4000), clock.age(9e9, 3900, 4000)];
    });
    assert.deepEqual(ages, [null, 1000, 1000, 100]);
});
