// The modules of the page that need no agent: verdict, layout, settings, clock and others.

import assert from "node:assert/strict";
import { test } from "node:test";

import { noFrame, reasonOf, retry } from "./fake-agent.mjs";
import { agent, page, useFixture } from "./fixture.mjs";

useFixture({ names: [], width: 0, preparePage: () => page.goto(agent.url) });

/** Calls a function of a module with each list of arguments, in the page. */
const run = (module, name, cases) => page.evaluate(async ([url, fn, all]) => {
    const loaded = await import(url);
    return all.map((given) => loaded[fn](...given));
}, [`/js/${module}.js`, name, cases]);

test("a picture is live only if the agent answers, the state is live and the picture is new", async () => {
    const good = { silence: 100, state: "live", age: 500, fps: 25 };
    const cases = [
        [{}, "live"],
        [{ age: 3999 }, "live"],
        [{ age: 4000 }, "stale"],
        [{ age: null }, "connecting"],
        [{ state: "stalled" }, "stalled"],
        [{ state: "denied", age: null }, "denied"],
        [{ state: null }, "connecting"],
        [{ state: "wonderful" }, "connecting"],
        [{ silence: 2500 }, "silent"],
        [{ age: 6000, fps: 0.25 }, "live"],
        [{ age: 10_000, fps: 0.25 }, "stale"],
        [{ age: 5000, fps: null }, "stale"],
    ];
    const verdicts = await run("liveness", "verdictOf", cases.map(([change]) => [{ ...good, ...change }]));
    assert.deepEqual(verdicts, cases.map(([, verdict]) => verdict));
    const unknown = await page.evaluate(async () => (await import("/js/liveness.js")).verdictOf({ silence: NaN, state: "live", age: 1, fps: 25 }));
    assert.equal(unknown, "silent");
});

test("a frame is newer by its sequence, also across the wrap, or by its time", async () => {
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

test("durations show the two largest units, rounded down", async () => {
    const texts = await run("language", "duration", [[0], [1999], [59_999], [61_000], [3_600_000], [90_061_000]]);
    assert.deepEqual(texts, ["0 s", "1 s", "59 s", "1 min 1 s", "1 h 0 min", "1 d 1 h"]);
});

test("preferred languages apply in order, and every Chinese is Traditional Chinese", async () => {
    const picked = await run("language", "pickLanguage", [[["de", "zh-TW", "en"]], [["en-GB", "zh"]], [["zh-Hant-HK"]], [["fr"]], [[]]]);
    assert.deepEqual(picked, ["zh-TW", "en", "zh-TW", "en", "en"]);
});

test("cameras fill the pages in order, and a page beyond the end becomes the last", async () => {
    const cameras = ["a", "b", "c", "d", "e"];
    const aspect = 16 / 9;
    const plans = await run("layout", "arrange", [
        [{ cameras, layout: "4", page: 1, enlarged: null, aspect }],
        [{ cameras, layout: "4", page: 7, enlarged: "b", aspect }],
        [{ cameras: [], layout: "4", page: 3, enlarged: "b", aspect }],
    ]);
    const summary = plans.map(({ columns, rows, page, pages, slots }) => [columns, rows, page, pages, slots.map(({ camera }) => camera)]);
    assert.deepEqual(summary, [
        [2, 2, 1, 2, ["e", null, null, null]],
        [1, 1, 1, 2, ["b"]],
        [2, 2, 0, 1, [null, null, null, null]],
    ]);
    assert.deepEqual(await run("layout", "panelsOf", [["auto", 0], ["auto", 7], ["auto", 40], ["16", 3], ["1+12", 3]]), [1, 7, 25, 16, 13]);
});

test("grids fit the aspect ratio of the wall, and a mixed layout has one large picture", async () => {
    const grid = async (layout, aspect, count) => {
        const [panels] = await run("layout", "panelsOf", [[layout, count]]);
        const [{ columns, rows, large }] = await run("layout", "gridOf", [[layout, panels, aspect]]);
        return `${columns}x${rows} ${large.columns}x${large.rows}`;
    };
    const [landscape, portrait] = [1920 / 1036, 1080 / 1876];
    for (const [layout, aspect, wanted] of [
        ["1", landscape, "1x1 1x1"], ["4", landscape, "2x2 1x1"], ["9", landscape, "3x3 1x1"], ["16", landscape, "4x4 1x1"], ["25", landscape, "5x5 1x1"],
        ["1+5", landscape, "3x3 2x2"], ["1+7", landscape, "4x4 3x3"], ["1+12", landscape, "4x4 2x2"],
        ["4", portrait, "1x4 1x1"], ["9", portrait, "2x5 1x1"], ["4", 4, "4x1 1x1"],
    ]) assert.equal(await grid(layout, aspect), wanted, `${layout} at ${aspect}`);
    for (const layout of ["1+5", "1+7", "1+12"]) {
        const [columns, wide] = (await grid(layout, portrait)).match(/^(\d+)x\d+ (\d+)/).slice(1);
        assert.equal(columns, wide, `${layout} on a portrait screen: the large one takes the whole width`);
    }
    assert.equal(await grid("auto", landscape, 2), "2x1 1x1");
    assert.equal(await grid("auto", portrait, 2), "1x2 1x1");
    assert.equal(await grid("auto", landscape, 12), "4x3 1x1");
});

test("every cell of every plan belongs to exactly one tile", async () => {
    const cameras = Array.from({ length: 30 }, (_, i) => String(i));
    const cases = ["auto", "1", "4", "9", "16", "25", "1+5", "1+7", "1+12"].flatMap((layout) =>
        [0.4, 0.6, 1, 1.4, 1.8, 2.4, 4].map((aspect) => [{ cameras, layout, page: 0, enlarged: null, aspect }]));
    for (const [i, { columns, rows, slots }] of (await run("layout", "arrange", cases)).entries()) {
        const cells = slots.flatMap((slot) => Array.from({ length: slot.columns * slot.rows }, (_, n) =>
            `${slot.column + (n % slot.columns)},${slot.row + Math.floor(n / slot.columns)}`));
        assert.equal(new Set(cells).size, cells.length, JSON.stringify(cases[i]));
        assert.equal(cells.length, columns * rows, JSON.stringify(cases[i]));
    }
});

test("arrow keys find the neighbour also beside a large tile", async () => {
    const [{ slots }] = await run("layout", "arrange", [[{ cameras: ["a", "b", "c", "d", "e", "f"], layout: "1+5", page: 0, enlarged: null, aspect: 16 / 9 }]]);
    const steps = await run("layout", "step", [
        [slots, 0, "ArrowRight"], [slots, 2, "ArrowLeft"], [slots, 0, "ArrowDown"], [slots, 4, "ArrowUp"],
        [slots, 5, "ArrowUp"], [slots, 1, "ArrowRight"], [slots, 3, "ArrowLeft"], [slots, 0, "ArrowUp"],
    ]);
    assert.deepEqual(steps.map(({ to, turn }) => [to, turn]), [[1, 0], [0, 0], [3, 0], [0, 0], [2, 0], [0, 1], [5, -1], [0, 0]]);
});

test("the frame rate limit falls soon, rises late, and rises later still after a failed rise", async () => {
    const seen = await page.evaluate(async () => {
        const { Governor } = await import("/js/governor.js");
        const governor = new Governor();
        const limits = [];
        const note = (seconds, lag, late = 0) => {
            for (let second = 0; second < seconds; second += 1) governor.note({ fps: 25, lag, late });
            limits.push(governor.limit);
        };
        note(100, 10); // easy
        note(2, 60); // a hiccup
        note(1, 10);
        note(3, 60); // behind: one picture takes longer than the time between two
        note(19, 5);
        note(1, 5); // raised
        note(3, 60); // too early
        note(39, 5);
        note(1, 5);
        note(10, null, 900); // nothing drawn says nothing
        note(3, 5, 900); // the page itself is late
        note(30, 2000);
        return limits;
    });
    assert.deepEqual(seen, [25, 25, 25, 15, 15, 25, 15, 15, 25, 25, 15, 1]);
});

test("pages turn after the interval, and not while rotation is paused", async () => {
    const due = await page.evaluate(async () => {
        const { Rotation } = await import("/js/rotation.js");
        const rotation = new Rotation();
        const never = rotation.isDue(1e9, false);
        rotation.interval = 10;
        rotation.restart(1000);
        const first = [rotation.isDue(10_999, false), rotation.isDue(11_000, false), rotation.isDue(11_001, false)];
        rotation.restart(20_000);
        return [never, ...first, rotation.isDue(21_001, false), rotation.isDue(30_000, true), rotation.isDue(39_999, false), rotation.isDue(40_000, false)];
    });
    assert.deepEqual(due, [false, false, true, false, false, false, false, true]);
});

test("a choice is valid until the wall's section changes, and the URL overrides storage", async () => {
    const seen = await page.evaluate(async () => {
        const { Settings } = await import("/js/settings.js");
        localStorage.clear();
        const walls = (layout) => [{ name: "", layout, cameras: null, rotate: null, language: null, sign_of_life: null }, { name: "hall", layout: "1+5", cameras: ["b"], rotate: 20, language: "zh-TW", sign_of_life: false }];
        const results = [];
        const open = (search, layout = "9") => {
            const settings = new Settings(search);
            settings.setWalls(walls(layout));
            results.push(settings.layout);
            return settings;
        };
        const first = open("");
        first.choose({ layout: "4" });
        results.push(first.layout);
        open(""); // stored
        open("?layout=1%2B7");
        open("?layout=1+7"); // a plus sign as people type it
        open("?layout=77"); // an unknown layout is ignored
        first.setWalls(walls("16")); // an open page follows a reload
        results.push(first.layout);
        open("", "16"); // and so does a new page
        open("", "9"); // a dropped choice stays dropped
        const hall = open("?wall=hall");
        results.push([hall.rotate, hall.life, hall.languages[0], hall.cameras].join());
        const other = open("?wall=nobody&cameras=x,,y&rotate=0&life=on");
        results.push([other.isUnknown, other.cameras.join("+"), other.rotate, other.life].join());
        localStorage.setItem("cctv.wall", '{"layout":{"a":1},"rotate":"x","transport":7,"life":"no"}');
        const damaged = open("");
        results.push([damaged.rotate, damaged.transport, damaged.life].join());
        localStorage.clear();
        return results;
    });
    assert.deepEqual(seen, ["9", "4", "4", "1+7", "1+7", "4", "16", "16", "9", "1+5", "20,false,zh-TW,b", "9", "true,x+y,0,true", "9", "0,socket,true"]);
});

test("a reason becomes a sentence from its codes, with a countdown, in the language of the page", async () => {
    const cases = [
        [reasonOf(noFrame(5), retry(4, 3)), 1500],
        [reasonOf(noFrame(5), retry(4, 3)), 4000],
        [reasonOf(["check_login", {}, "check username and password"], ["retry_after_reload", { minutes: 30 }, "trying again in 30 min or after a reload"]), 0],
        [reasonOf(["asking", { host: "10.0.0.1" }, "asking 10.0.0.1 for its stream"]), 0],
        [reasonOf(["stream_ended_because", {}, "the stream ended:"], ["cannot_connect", { host: "10.0.0.1" }, "cannot connect to 10.0.0.1"]), 0],
        [reasonOf(["cannot_connect", { host: "10.0.0.1", error: "{host} [no]" }, "cannot connect to 10.0.0.1: {host} [no]"]), 0],
        [reasonOf(["of_a_newer_agent", { x: 1 }, "something new"]), 0],
        [{ why: "of an older agent; trying again in 4 s (attempt 3)" }, 0],
        [{ why: "damaged", reason: [null, { code: 1 }, "x"] }, 0],
        [{}, 0],
    ];
    const texts = await page.evaluate(async (cases) => {
        const { explain, loadReasonTexts, reasonIn } = await import("/js/reason-text.js");
        const { chooseLanguage } = await import("/js/language.js");
        const all = () => cases.map(([message, later]) => Object.values(explain(reasonIn(message), 1000, 1000 + later)).join(" | "));
        const english = all();
        await chooseLanguage("zh-TW");
        const early = all()[0];
        for (const deadline = Date.now() + 10_000; early === all()[0] && Date.now() < deadline;) await new Promise((done) => setTimeout(done, 10));
        await loadReasonTexts("zh-TW");
        const chinese = all();
        await chooseLanguage("en");
        return { english, early, chinese };
    }, cases);
    assert.deepEqual(texts.english, [
        "no frame for 5.0 s | Next attempt in 3 s (no. 3)",
        "no frame for 5.0 s | Trying now (no. 3)",
        "check username and password | Next attempt in 30 min 0 s, or after a reload",
        "asking 10.0.0.1 for its stream | ",
        "the stream ended: cannot connect to 10.0.0.1 | ",
        "cannot connect to 10.0.0.1: {host} [no] | ",
        "something new | ",
        "of an older agent; trying again in 4 s (attempt 3) | ",
        "damaged | ",
        " | ",
    ]);
    assert.equal(texts.early, "no frame for 5.0 s | 3 秒後再試（第 3 次）", "English until the table is there");
    assert.deepEqual(texts.chinese, [
        "5.0 秒沒有收到影像 | 3 秒後再試（第 3 次）",
        "5.0 秒沒有收到影像 | 正在重試（第 3 次）",
        "請檢查使用者名稱與密碼 | 30 分 0 秒後再試，或於重新載入後",
        "正在向 10.0.0.1 查詢串流 | ",
        "串流中斷：無法連線到 10.0.0.1 | ",
        "無法連線到 10.0.0.1（{host} [no]） | ",
        "something new | ",
        "of an older agent; trying again in 4 s (attempt 3) | ",
        "damaged | ",
        " | ",
    ]);
});

test("the agent's clock follows a jump and prefers the quickest answer", async () => {
    const ages = await page.evaluate(async () => {
        const { AgentClock } = await import("/js/agent-clock.js");
        const clock = new AgentClock();
        const before = clock.age(0, 0, 10);
        clock.note(0, 10, 1_000_005);
        clock.note(1000, 1400, 1_001_300); // slow and skewed: the quick sample wins
        const quick = clock.age(1_001_000, 1900, 2000);
        clock.note(3000, 3010, 5_003_005);
        return [before, quick, clock.age(5_003_000, 3900, 4000), clock.age(9e9, 3900, 4000)];
    });
    assert.deepEqual(ages, [null, 1000, 1000, 100]);
});
