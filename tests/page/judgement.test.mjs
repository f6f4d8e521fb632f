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
    const shape = 16 / 9;
    const plans = await run("layout", "arrange", [
        [{ cameras, layout: "4", page: 1, enlarged: null, shape }],
        [{ cameras, layout: "4", page: 7, enlarged: "b", shape }],
        [{ cameras: [], layout: "4", page: 3, enlarged: "b", shape }],
    ]);
    const told = plans.map(({ columns, rows, page, pages, places }) => [columns, rows, page, pages, places.map(({ camera }) => camera)]);
    assert.deepEqual(told, [
        [2, 2, 1, 2, ["e", null, null, null]],
        [1, 1, 1, 2, ["b"]],
        [2, 2, 0, 1, [null, null, null, null]],
    ]);
    assert.deepEqual(await run("layout", "panelsOf", [["auto", 0], ["auto", 7], ["auto", 40], ["16", 3], ["1+12", 3]]), [1, 7, 25, 16, 13]);
});

test("grids fit the shape of the wall, and a large picture is large", async () => {
    const grid = async (layout, shape, count) => {
        const [panels] = await run("layout", "panelsOf", [[layout, count]]);
        const [{ columns, rows, large }] = await run("layout", "gridOf", [[layout, panels, shape]]);
        return `${columns}x${rows} ${large.columns}x${large.rows}`;
    };
    const [lies, stands] = [1920 / 1036, 1080 / 1876];
    for (const [layout, shape, wanted] of [
        ["1", lies, "1x1 1x1"], ["4", lies, "2x2 1x1"], ["9", lies, "3x3 1x1"], ["16", lies, "4x4 1x1"], ["25", lies, "5x5 1x1"],
        ["1+5", lies, "3x3 2x2"], ["1+7", lies, "4x4 3x3"], ["1+12", lies, "4x4 2x2"],
        ["4", stands, "1x4 1x1"], ["9", stands, "2x5 1x1"], ["4", 4, "4x1 1x1"],
    ]) assert.equal(await grid(layout, shape), wanted, `${layout} at ${shape}`);
    for (const layout of ["1+5", "1+7", "1+12"]) {
        const [columns, wide] = (await grid(layout, stands)).match(/^(\d+)x\d+ (\d+)/).slice(1);
        assert.equal(columns, wide, `${layout} on a standing screen: the large one takes the whole width`);
    }
    assert.equal(await grid("auto", lies, 2), "2x1 1x1");
    assert.equal(await grid("auto", stands, 2), "1x2 1x1");
    assert.equal(await grid("auto", lies, 12), "4x3 1x1");
});

test("every cell of every plan belongs to one tile", async () => {
    const cameras = Array.from({ length: 30 }, (_, i) => String(i));
    const cases = ["auto", "1", "4", "9", "16", "25", "1+5", "1+7", "1+12"].flatMap((layout) =>
        [0.4, 0.6, 1, 1.4, 1.8, 2.4, 4].map((shape) => [{ cameras, layout, page: 0, enlarged: null, shape }]));
    for (const [i, { columns, rows, places }] of (await run("layout", "arrange", cases)).entries()) {
        const cells = places.flatMap((place) => Array.from({ length: place.columns * place.rows }, (_, n) =>
            `${place.column + (n % place.columns)},${place.row + Math.floor(n / place.columns)}`));
        assert.equal(new Set(cells).size, cells.length, JSON.stringify(cases[i]));
        assert.equal(cells.length, columns * rows, JSON.stringify(cases[i]));
    }
});

test("arrows find the neighbour also beside a large tile", async () => {
    const [{ places }] = await run("layout", "arrange", [[{ cameras: ["a", "b", "c", "d", "e", "f"], layout: "1+5", page: 0, enlarged: null, shape: 16 / 9 }]]);
    const steps = await run("layout", "step", [
        [places, 0, "ArrowRight"], [places, 2, "ArrowLeft"], [places, 0, "ArrowDown"], [places, 4, "ArrowUp"],
        [places, 5, "ArrowUp"], [places, 1, "ArrowRight"], [places, 3, "ArrowLeft"], [places, 0, "ArrowUp"],
    ]);
    assert.deepEqual(steps.map(({ place, turn }) => [place, turn]), [[1, 0], [0, 0], [3, 0], [0, 0], [2, 0], [0, 1], [5, -1], [0, 0]]);
});

test("the rate is lowered when drawing falls behind and raised late, later still if that failed", async () => {
    const story = await page.evaluate(async () => {
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
    assert.deepEqual(story, [25, 25, 25, 15, 15, 25, 15, 15, 25, 25, 15, 1]);
});

test("pages turn when it is time, and not while somebody looks", async () => {
    const due = await page.evaluate(async () => {
        const { Rotation } = await import("/js/rotation.js");
        const rotation = new Rotation();
        const never = rotation.due(1e9, false);
        rotation.every = 10;
        rotation.rest(1000);
        const first = [rotation.due(10_999, false), rotation.due(11_000, false), rotation.due(11_001, false)];
        rotation.rest(20_000);
        return [never, ...first, rotation.due(21_001, false), rotation.due(30_000, true), rotation.due(39_999, false), rotation.due(40_000, false)];
    });
    assert.deepEqual(due, [false, false, true, false, false, false, false, true]);
});

test("a choice holds until the wall's section changes, and the address goes before memory", async () => {
    const story = await page.evaluate(async () => {
        const { Settings } = await import("/js/settings.js");
        localStorage.clear();
        const walls = (layout) => [{ name: "", layout, cameras: null, rotate: null, language: null, sign_of_life: null }, { name: "hall", layout: "1+5", cameras: ["b"], rotate: 20, language: "zh-TW", sign_of_life: false }];
        const seen = [];
        const open = (search, layout = "9") => {
            const settings = new Settings(search);
            settings.told(walls(layout));
            seen.push(settings.layout);
            return settings;
        };
        const first = open("");
        first.choose({ layout: "4" });
        seen.push(first.layout);
        open(""); // remembered
        open("?layout=1%2B7");
        open("?layout=1+7"); // a plus sign as people type it
        open("?layout=77"); // no layout: as if it were not there
        first.told(walls("16")); // an open page follows a reload
        seen.push(first.layout);
        open("", "16"); // and so does the next one
        open("", "9"); // what was forgotten stays forgotten
        const hall = open("?wall=hall");
        seen.push([hall.rotate, hall.life, hall.languages[0], hall.cameras].join());
        const other = open("?wall=nobody&cameras=x,,y&rotate=0&life=on");
        seen.push([other.unknown, other.cameras.join("+"), other.rotate, other.life].join());
        localStorage.setItem("cctv.wall", '{"layout":{"a":1},"rotate":"x","transport":7,"life":"no"}');
        const spoilt = open("");
        seen.push([spoilt.rotate, spoilt.transport, spoilt.life].join());
        localStorage.clear();
        return seen;
    });
    assert.deepEqual(story, ["9", "4", "4", "1+7", "1+7", "4", "16", "16", "9", "1+5", "20,false,zh-TW,b", "9", "true,x+y,0,true", "9", "0,socket,true"]);
});

test("the agent's reasons become a countdown, and Chinese where they are known", async () => {
    const told = await page.evaluate(async () => {
        const { explain } = await import("/js/reasons.js");
        const { chooseLanguage } = await import("/js/language.js");
        const cases = [
            ["no frame for 5.0 s; trying again in 4 s (attempt 3)", 1500],
            ["no frame for 5.0 s; trying again in 4 s (attempt 3)", 4000],
            ["it refused the login; check username and password; trying again in 30 min or after a reload", 0],
            ["asking 10.0.0.1 for its stream", 0],
            ["", 0],
        ];
        const all = () => cases.map(([why, later]) => Object.values(explain(why, 1000, 1000 + later)).join(" | "));
        const english = all();
        chooseLanguage("zh-TW");
        const chinese = all();
        chooseLanguage("en");
        return { english, chinese };
    });
    assert.deepEqual(told.english, [
        "no frame for 5.0 s | Next attempt in 3 s (no. 3)",
        "no frame for 5.0 s | Trying now (no. 3)",
        "it refused the login; check username and password | Next attempt in 30 min 0 s, or after a reload",
        "asking 10.0.0.1 for its stream | ",
        " | ",
    ]);
    assert.deepEqual(told.chinese, [
        "5.0 秒沒有收到影像 | 3 秒後再試（第 3 次）",
        "5.0 秒沒有收到影像 | 正在重試（第 3 次）",
        "it refused the login；請檢查使用者名稱與密碼 | 30 分 0 秒後再試，或於重新載入後",
        "正在向 10.0.0.1 查詢串流 | ",
        " | ",
    ]);
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
