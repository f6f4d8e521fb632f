// Other people's pages: <cctv-view>, connect(), and the older system's two ways. None of them may show an
// old picture as live.

import assert from "node:assert/strict";
import { createServer, request as httpRequest } from "node:http";
import { test } from "node:test";

import { until } from "./browser.mjs";
import { FakeAgent, reasonOf } from "./fake-agent.mjs";
import { agent, eachMoves, page, useFixture } from "./fixture.mjs";

useFixture({ names: ["Gate", "Porch", "Yard"] });

/** The texts and the look of each <cctv-view>. */
const views = () => page.$$eval("cctv-view", (all) => all.map((view) => {
    const text = (part) => view.shadowRoot.querySelector(`.${part}`).textContent;
    return {
        verdict: view.getAttribute("verdict"),
        label: view.getAttribute("aria-label"),
        headline: text("headline"),
        summary: text("summary"),
        reason: text("reason"),
        bannerShown: getComputedStyle(view.shadowRoot.querySelector(".banner")).display !== "none",
        dimmed: getComputedStyle(view.shadowRoot.querySelector("canvas")).filter !== "none",
    };
}));
const verdicts = async () => (await views()).map(({ verdict }) => verdict).join();

test("each view shows its camera in its own size, over one socket", async () => {
    await page.goto(`${agent.url}examples/view.html?cameras=camera-2,camera-0,camera-2`);
    await until("live", async () => (await verdicts()) === "live,live,live");
    await eachMoves("2,0,2");
    assert.equal(agent.viewers, 1);
    const wide = await page.$eval("cctv-view", (view) => view.clientWidth);
    await until("requested in that size", () => agent.shows.at(-1).length === 3 && agent.shows.at(-1).every(({ size }) => size[0] === wide));
    const [view] = await views();
    assert.deepEqual([view.bannerShown, view.dimmed, view.label], [false, false, "Yard: Live"]);
    await page.setViewportSize({ width: 700, height: 500 });
    await until("one beside the other or below, requested again", async () => {
        const now = await page.$eval("cctv-view", (one) => one.clientWidth);
        return now !== wide && agent.shows.at(-1)[0]?.size[0] === now;
    });
    await until("what is below the edge is not requested", () => agent.shows.at(-1).length < 3);
    await page.evaluate(() => document.querySelector("main").replaceChildren());
    await until("nobody watches, nothing is open", () => agent.viewers === 0);
});

test("a view shows a failed camera, a frozen picture and a dead agent, and recovers", async () => {
    await page.goto(`${agent.url}examples/view.html`);
    await until("live", async () => (await verdicts()) === "live,live,live");
    await page.evaluate(() => {
        window.changes = [];
        document.addEventListener("verdict", (event) => window.changes.push([event.target.getAttribute("camera"), event.detail.verdict]));
    });
    const [advice, pause] = [["check_login", {}, "check username and password"], ["retry_after_reload", { minutes: 30 }, "trying again in 30 min or after a reload"]];
    agent.setCamera("camera-0", { state: "denied", ...reasonOf(advice, pause) });
    agent.cameras[1].moving = false;
    await until("both states", async () => (await verdicts()) === "denied,stale,live");
    const [denied, stale] = await views();
    assert.deepEqual([denied.headline, denied.bannerShown, denied.dimmed], ["NOT LIVE", true, true]);
    assert.match(denied.reason, /^check username and password Next attempt in (30|29) min/);
    assert.match(stale.summary, /^No new picture, last picture \d s ago$/);
    assert.deepEqual([stale.bannerShown, stale.dimmed], [true, true]);
    assert.deepEqual((await page.evaluate(() => window.changes)).sort(), [["camera-0", "denied"], ["camera-1", "stale"]]);
    await agent.kill();
    await until("gone", async () => (await verdicts()) === "silent,silent,silent");
    assert.ok((await views()).every(({ bannerShown, dimmed }) => bannerShown && dimmed));
    agent.setCamera("camera-0", { state: "live", why: "" });
    agent.cameras[1].moving = true;
    await agent.start();
    await until("recovered", async () => (await verdicts()) === "live,live,live");
});

test("connect() draws on any canvas, reports the status, and closes its socket", async () => {
    await page.goto(`${agent.url}examples/view.html?cameras=camera-0`);
    await page.evaluate(async () => {
        const { connect } = await import("/js/cctv.js");
        window.viewStatus = null;
        const canvas = document.createElement("canvas");
        const figure = document.createElement("figure");
        figure.append(canvas);
        document.querySelector("main").replaceChildren(figure);
        window.agent = connect();
        window.watch = window.agent.watch("camera-1", { canvas, size: [320, 180], fps: 5, changed: (status) => (window.viewStatus = status) });
    });
    await until("live", () => page.evaluate(() => window.viewStatus?.live));
    await eachMoves("1");
    assert.deepEqual(agent.shows.at(-1), [{ tile: agent.shows.at(-1)[0].tile, camera: "camera-1", size: [320, 180], fps: 5, accept: ["jpeg"] }]);
    assert.equal(await page.evaluate(() => window.viewStatus.name), "Porch");
    agent.cameras[1].moving = false;
    await until("not live", () => page.evaluate(() => window.viewStatus.live === false && window.viewStatus.age >= 4000));
    assert.ok(await page.evaluate(async () => (await import("/js/cctv.js")).connect() === window.agent), "one connection for all");
    await page.evaluate(() => window.watch.close());
    await until("closed", () => agent.viewers === 0);
});

test("a page of another origin shows why it is refused, and the picture once the agent allows it", async () => {
    const other = new FakeAgent([], []);
    other.contentSecurityPolicy = "";
    await other.start();
    try {
        await page.goto(`${other.url}examples/view.html?cameras=`);
        await page.evaluate((address) => {
            const view = document.createElement("cctv-view");
            view.setAttribute("agent", address);
            view.setAttribute("camera", "camera-0");
            document.querySelector("main").append(view);
        }, agent.url);
        await until("shown", async () => (await verdicts()) === "silent");
        const [view] = await views();
        assert.ok(view.bannerShown && view.dimmed);
        const reason = "does not answer this page; pages of other origins must be listed in embed in its cameras.toml";
        assert.equal(view.reason.trim(), `${new URL(agent.url).origin} ${reason}`);
        assert.equal(agent.viewers, 0);
        agent.embed = [new URL(other.url).origin];
        await until("live by itself", async () => (await verdicts()) === "live");
        await eachMoves("0");
    } finally {
        await other.kill();
    }
});

/** Starts a proxy that serves the agent below /cameras/ and its own page at /; `strays` are all other requests. */
async function startProxy() {
    const strays = [];
    const proxy = createServer((request, response) => {
        if (request.url === "/") {
            response.setHeader("Content-Type", "text/html").end('<script type="module" src="/cameras/js/cctv.js"></script><cctv-view camera="camera-1"></cctv-view>');
            return;
        }
        if (!request.url.startsWith("/cameras/")) {
            if (request.url !== "/favicon.ico") strays.push(request.url); // requested by the browser itself
            response.writeHead(404).end();
            return;
        }
        const forwarded = httpRequest(new URL(request.url.replace(/^\/cameras\//, ""), agent.url), (answer) => {
            response.writeHead(answer.statusCode, answer.headers);
            answer.pipe(response);
        });
        forwarded.on("error", () => response.destroy());
        response.on("close", () => forwarded.destroy());
        forwarded.end();
    });
    proxy.on("upgrade", (request, socket) => {
        if (!request.url.startsWith("/cameras/ws")) {
            strays.push(request.url);
            socket.destroy();
            return;
        }
        request.url = request.url.slice("/cameras".length);
        agent.handleUpgrade(request, socket);
    });
    await new Promise((ready) => proxy.listen(0, "127.0.0.1", ready));
    const end = () => {
        proxy.closeAllConnections();
        proxy.close();
    };
    return { url: `http://127.0.0.1:${proxy.address().port}/`, strays, end };
}

test("a plain page can show a view through a proxy's path", async () => {
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

test("every page of the agent works below a proxy's path and requests nothing outside it", async () => {
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

for (const way of ["old-protocol", "motion-jpeg"]) {
    const figures = () => page.$$eval("figure", (all) => all.map((one) => ({
        live: one.hasAttribute("live"),
        text: one.querySelector("figcaption").textContent,
        dimmed: getComputedStyle(one.querySelector("img")).filter !== "none",
    })));
    test(`the example ${way} moves, recognises silence and repetition, and recovers`, async () => {
        await page.goto(`${agent.url}examples/${way}.html`);
        const allLive = async () => {
            const all = await figures();
            return all.length === 3 && all.every(({ live, dimmed }) => live && !dimmed);
        };
        await until("all live", allLive);
        await eachMoves("0,1,2");
        agent.muted.add("camera-1");
        await until("only the silent one is not live", async () => {
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

test("no page requests anything from other hosts or runs inline script", async () => {
    const hosts = new Set();
    page.on("request", (request) => hosts.add(new URL(request.url()).host));
    const refused = [];
    page.on("console", (message) => /Content Security Policy/.test(message.text()) && refused.push(message.text()));
    for (const path of ["", "status.html", "examples/view.html", "examples/old-protocol.html", "examples/motion-jpeg.html"]) {
        await page.goto(agent.url + path);
        await page.waitForLoadState("networkidle").catch(() => {});
        const inline = await page.$$eval("script:not([src]), style, [style*=url], [onload], [onclick], [onerror]", (all) => all.map((one) => one.outerHTML));
        assert.deepEqual(inline, [], path);
    }
    assert.deepEqual([...hosts], [new URL(agent.url).host]);
    assert.deepEqual(refused, []);
});
