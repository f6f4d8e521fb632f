// Pages of other people: <cctv-view>, connect(), and the two ways of the older system. None of them may
// show as live what is not.

import assert from "node:assert/strict";
import { createServer, request as ask } from "node:http";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { startBrowser, until } from "./browser.mjs";
import { makePictures, readMarks } from "./pictures.mjs";
import { StandIn } from "./stand-in.mjs";

let pictures;
let agent;
let browser;
let page;

before(async () => {
    pictures = await makePictures(3, 320);
    browser = await startBrowser();
});
after(() => browser?.close());
beforeEach(async () => {
    agent = new StandIn(pictures, ["Gate", "Porch", "Yard"]);
    await agent.start();
    page = await browser.newPage();
});
afterEach(async () => {
    await page.close();
    agent.hung = false;
    await agent.kill().catch(() => {});
});

/** What each <cctv-view> says. */
const views = () => page.$$eval("cctv-view", (all) => all.map((view) => {
    const text = (part) => view.shadowRoot.querySelector(`.${part}`).textContent;
    return {
        verdict: view.getAttribute("verdict"),
        label: view.getAttribute("aria-label"),
        headline: text("headline"),
        finding: text("finding"),
        reason: text("reason"),
        bandShown: getComputedStyle(view.shadowRoot.querySelector(".band")).display !== "none",
        dimmed: getComputedStyle(view.shadowRoot.querySelector("canvas")).filter !== "none",
    };
}));
const verdicts = async () => (await views()).map(({ verdict }) => verdict).join();
/** The pictures' own numbers, from inside the views or the figures. */
const marks = () => page.evaluate((source) => {
    const read = new Function(`return ${source}`)();
    return read([...document.querySelectorAll("cctv-view, figure")].map((one) => one.shadowRoot ?? one));
}, readMarks.toString());
async function eachMoves(cameras) {
    await until("each its camera", async () => (await marks()).map((mark) => mark?.camera).join() === cameras);
    const first = await marks();
    const moved = first.map(() => false);
    await until("all move", async () => {
        (await marks()).forEach((mark, i) => (moved[i] ||= mark !== null && mark.frame !== first[i].frame));
        return moved.every(Boolean);
    });
}

test("views show each its camera over one socket, as large as they are", async () => {
    await page.goto(`${agent.url}examples/view.html?cameras=camera-2,camera-0,camera-2`);
    await until("live", async () => (await verdicts()) === "live,live,live");
    await eachMoves("2,0,2");
    assert.equal(agent.viewers, 1);
    const wide = await page.$eval("cctv-view", (view) => view.clientWidth);
    await until("asked for in that size", () => agent.asked.at(-1).length === 3 && agent.asked.at(-1).every(({ size }) => size[0] === wide));
    const [view] = await views();
    assert.deepEqual([view.bandShown, view.dimmed, view.label], [false, false, "Yard: Live"]);
    await page.setViewportSize({ width: 700, height: 500 });
    await until("one beside the other or below, asked for anew", async () => {
        const now = await page.$eval("cctv-view", (one) => one.clientWidth);
        return now !== wide && agent.asked.at(-1)[0]?.size[0] === now;
    });
    await until("what is below the edge is not asked for", () => agent.asked.at(-1).length < 3);
    await page.evaluate(() => document.querySelector("main").replaceChildren());
    await until("nobody watches, nothing is open", () => agent.viewers === 0);
});

test("a view says when its camera fails, when pictures stop, and when the agent is gone; and heals", async () => {
    await page.goto(`${agent.url}examples/view.html`);
    await until("live", async () => (await verdicts()) === "live,live,live");
    await page.evaluate(() => {
        window.turns = [];
        document.addEventListener("verdict", (event) => window.turns.push([event.target.getAttribute("camera"), event.detail.verdict]));
    });
    agent.report("camera-0", { state: "denied", why: "check username and password; trying again in 30 min or after a reload" });
    agent.cameras[1].moving = false;
    await until("both said", async () => (await verdicts()) === "denied,stale,live");
    const [denied, stale] = await views();
    assert.deepEqual([denied.headline, denied.bandShown, denied.dimmed], ["NOT LIVE", true, true]);
    assert.match(denied.reason, /^check username and password Next attempt in (30|29) min/);
    assert.match(stale.finding, /^No new picture, last picture \d s ago$/);
    assert.deepEqual([stale.bandShown, stale.dimmed], [true, true]);
    assert.deepEqual((await page.evaluate(() => window.turns)).sort(), [["camera-0", "denied"], ["camera-1", "stale"]]);
    await agent.kill();
    await until("gone", async () => (await verdicts()) === "silent,silent,silent");
    assert.ok((await views()).every(({ bandShown, dimmed }) => bandShown && dimmed));
    agent.report("camera-0", { state: "live", why: "" });
    agent.cameras[1].moving = true;
    await agent.start();
    await until("healed", async () => (await verdicts()) === "live,live,live");
});

test("connect() draws on any canvas, tells the truth, and lets go when closed", async () => {
    await page.goto(`${agent.url}examples/view.html?cameras=camera-0`);
    await page.evaluate(async () => {
        const { connect } = await import("/js/cctv.js");
        window.told = null;
        const canvas = document.createElement("canvas");
        const figure = document.createElement("figure");
        figure.append(canvas);
        document.querySelector("main").replaceChildren(figure);
        window.agent = connect();
        window.watch = window.agent.watch("camera-1", { canvas, size: [320, 180], fps: 5, changed: (told) => (window.told = told) });
    });
    await until("live", () => page.evaluate(() => window.told?.live));
    await eachMoves("1");
    assert.deepEqual(agent.asked.at(-1), [{ tile: agent.asked.at(-1)[0].tile, camera: "camera-1", size: [320, 180], fps: 5, accept: ["jpeg"] }]);
    assert.equal(await page.evaluate(() => window.told.name), "Porch");
    agent.cameras[1].moving = false;
    await until("not live", () => page.evaluate(() => window.told.live === false && window.told.age >= 4000));
    assert.ok(await page.evaluate(async () => (await import("/js/cctv.js")).connect() === window.agent), "one connection for all");
    await page.evaluate(() => window.watch.close());
    await until("closed", () => agent.viewers === 0);
});

test("a page of another origin gets a plain no instead of a picture, and the picture once the agent names it", async () => {
    const other = new StandIn([], []);
    other.security = "";
    await other.start();
    try {
        await page.goto(`${other.url}examples/view.html?cameras=`);
        await page.evaluate((address) => {
            const view = document.createElement("cctv-view");
            view.setAttribute("agent", address);
            view.setAttribute("camera", "camera-0");
            document.querySelector("main").append(view);
        }, agent.url);
        await until("said", async () => (await verdicts()) === "silent");
        const [view] = await views();
        assert.ok(view.bandShown && view.dimmed);
        const reason = "does not answer this page; pages of other origins must be named by embed in its cameras.toml";
        assert.equal(view.reason.trim(), `${new URL(agent.url).origin} ${reason}`);
        assert.equal(agent.viewers, 0);
        agent.embed = [new URL(other.url).origin];
        await until("live by itself", async () => (await verdicts()) === "live");
        await eachMoves("0");
    } finally {
        await other.kill();
    }
});

/** A proxy that shows the agent below /cameras/ and a page of its own beside it; gives what else it was asked for. */
async function startProxy() {
    const strays = [];
    const proxy = createServer((request, response) => {
        if (request.url === "/") {
            response.setHeader("Content-Type", "text/html").end('<script type="module" src="/cameras/js/cctv.js"></script><cctv-view camera="camera-1"></cctv-view>');
            return;
        }
        if (!request.url.startsWith("/cameras/")) {
            if (request.url !== "/favicon.ico") strays.push(request.url); // the browser's own idea
            response.writeHead(404).end();
            return;
        }
        const asked = ask(new URL(request.url.replace(/^\/cameras\//, ""), agent.url), (answer) => {
            response.writeHead(answer.statusCode, answer.headers);
            answer.pipe(response);
        });
        asked.on("error", () => response.destroy());
        response.on("close", () => asked.destroy());
        asked.end();
    });
    proxy.on("upgrade", (request, socket) => {
        if (!request.url.startsWith("/cameras/ws")) {
            strays.push(request.url);
            socket.destroy();
            return;
        }
        request.url = request.url.slice("/cameras".length);
        agent.upgraded(request, socket);
    });
    await new Promise((ready) => proxy.listen(0, "127.0.0.1", ready));
    const end = () => {
        proxy.closeAllConnections();
        proxy.close();
    };
    return { url: `http://127.0.0.1:${proxy.address().port}/`, strays, end };
}

test("a page with no style, no name and no identifier of ours can hold a view below a proxy's path", async () => {
    const proxy = await startProxy();
    try {
        await page.goto(proxy.url);
        await until("live", async () => (await verdicts()) === "live");
        await eachMoves("1");
        assert.deepEqual(proxy.strays, []);
    } finally {
        proxy.end();
    }
});

test("every page of the agent works below a proxy's path, and asks for nothing outside of it", async () => {
    const proxy = await startProxy();
    const tiles = (selector) => async () => (await page.$$(selector)).length === 3;
    try {
        for (const [path, live] of [
            ["", "camera-tile[verdict=live]"],
            ["?transport=mjpeg", "camera-tile[verdict=live]"],
            ["status.html", "tbody tr[data-verdict=live]"],
            ["examples/view.html", "cctv-view[verdict=live]"],
            ["examples/old-protocol.html", "figure[live]"],
            ["examples/motion-jpeg.html", "figure[live]"],
        ]) {
            await page.goto(`${proxy.url}cameras/${path}`);
            await until(`${path} live`, tiles(live));
            assert.deepEqual(proxy.strays, [], path);
        }
        await page.goto(`${proxy.url}cameras/`);
        await until("live", tiles("camera-tile[verdict=live]"));
        await page.keyboard.press("ArrowRight");
        await Promise.all([page.waitForEvent("download"), page.keyboard.press("s")]);
        assert.deepEqual(proxy.strays, [], "a snapshot");
    } finally {
        proxy.end();
    }
});

for (const [way, quiet] of [["old-protocol", "silence"], ["motion-jpeg", "the agent's witness and its own eyes"]]) {
    const figures = () => page.$$eval("figure", (all) => all.map((one) => ({
        live: one.hasAttribute("live"),
        text: one.querySelector("figcaption").textContent,
        dimmed: getComputedStyle(one.querySelector("img")).filter !== "none",
    })));
    test(`the example ${way} moves, sees ${quiet}, and heals`, async () => {
        await page.goto(`${agent.url}examples/${way}.html`);
        const allLive = async () => {
            const all = await figures();
            return all.length === 3 && all.every(({ live, dimmed }) => live && !dimmed);
        };
        await until("all live", allLive);
        await eachMoves("0,1,2");
        agent.muted.add("camera-1");
        await until("the silent one is said, the others are not", async () => {
            const all = await figures();
            return !all[1].live && all[1].dimmed && /NOT LIVE/.test(all[1].text) && all[0].live && all[2].live;
        });
        agent.muted.delete("camera-1");
        await until("live again", allLive);
        agent.cameras[2].moving = false;
        await until("the same picture again and again is no live one", async () => !(await figures())[2].live);
        agent.cameras[2].moving = true;
        await until("live again", allLive);
        await agent.kill();
        await until("the agent is gone", async () => (await figures()).every(({ live, dimmed }) => !live && dimmed));
        await agent.start();
        await until("back by itself", allLive);
        await eachMoves("0,1,2");
    });
}

test("nothing of the page asks another host for anything, nor runs inline script", async () => {
    const asked = new Set();
    page.on("request", (request) => asked.add(new URL(request.url()).host));
    const refused = [];
    page.on("console", (message) => /Content Security Policy/.test(message.text()) && refused.push(message.text()));
    for (const path of ["", "status.html", "examples/view.html", "examples/old-protocol.html", "examples/motion-jpeg.html"]) {
        await page.goto(agent.url + path);
        await page.waitForLoadState("networkidle").catch(() => {});
        const inline = await page.$$eval("script:not([src]), style, [style*=url], [onload], [onclick], [onerror]", (all) => all.map((one) => one.outerHTML));
        assert.deepEqual(inline, [], path);
    }
    assert.deepEqual([...asked], [new URL(agent.url).host]);
    assert.deepEqual(refused, []);
});
