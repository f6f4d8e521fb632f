// The agent dies, hangs and comes back: the wall shows it within 3 s and recovers without a reload.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";

import { readTiles, until } from "./browser.mjs";
import { agent, page, tilesAre, useFixture } from "./fixture.mjs";

const all = (verdict) => tilesAre(verdict, 4);

useFixture({
    names: ["Gate", "Porch", "Yard", "Roof"],
    width: 160,
    preparePage: async () => {
        await page.addInitScript(watchVerdicts);
        await page.goto(agent.url);
        await until("all live", all("live"));
        await page.evaluate(() => (window.same_page = true));
    },
});

/** Runs in the page: records when all tiles first showed "silent" and when the last message came. */
function watchVerdicts() {
    window.lastMessageAt = performance.now();
    window.silentAt = null;
    window.late = 0; // how far behind this machine is
    let due = performance.now() + 50;
    setInterval(() => {
        window.late = Math.max(window.late, performance.now() - due);
        due = performance.now() + 50;
    }, 50);
    const real = window.WebSocket;
    window.WebSocket = class extends real {
        constructor(...given) {
            super(...given);
            this.addEventListener("message", () => (window.lastMessageAt = performance.now()));
        }
    };
    new MutationObserver(() => {
        const tiles = [...document.querySelectorAll("camera-tile")];
        if (tiles.length === 0 || !tiles.every((tile) => tile.getAttribute("verdict") === "silent")) return;
        window.silentAt ??= performance.now() - window.lastMessageAt;
    }).observe(document, { subtree: true, childList: true, attributes: true });
}

async function showsSilenceInTime() {
    await until("every tile says that the agent does not answer", all("silent"));
    const { after, late } = await page.evaluate(() => ({ after: window.silentAt, late: window.late }));
    assert.ok(after > 2000 && after < 3000 + late, `shown after ${after} ms, the machine ${late} ms late`);
    const [tile] = await readTiles(page);
    assert.equal(tile.headline, "NOT LIVE");
    assert.match(tile.summary, /^Agent does not answer, last picture \d+ s ago$/);
    assert.ok(tile.bannerShown && tile.dimmed);
    const summary = await page.textContent("[data-slot=summary]");
    assert.equal(summary, "Agent does not answer");
}

async function recovers() {
    await until("all live again", all("live"));
    assert.equal(await page.evaluate(() => window.same_page), true, "the page was not reloaded");
}

test("a killed agent shows within 3 s, and the page recovers without a reload", async () => {
    await agent.kill();
    await showsSilenceInTime();
    await agent.start();
    await recovers();
});

test("the page reconnects at once after a quick restart", async () => {
    const shows = agent.shows.length;
    await agent.kill();
    await agent.start();
    await until("requested again", () => agent.shows.length > shows);
    assert.equal(agent.shows.at(-1).length, 4);
    await recovers();
});

test("a hung agent shows within 3 s, and the page closes the socket and reconnects", async () => {
    agent.hung = true;
    const attempts = () => agent.requests.filter((path) => path === "/ws").length;
    const before = attempts();
    await showsSilenceInTime();
    await until("dialled again and again", () => attempts() >= before + 2);
    agent.hung = false;
    await recovers();
});

test("delays between attempts grow to five seconds, and attempts never end", async () => {
    const times = [];
    agent.requests.push = function (path) {
        if (path === "/ws") times.push(Date.now());
        return Array.prototype.push.call(this, path);
    };
    // A server that closes every socket at once is the worst case for the backoff.
    const refuse = (request, socket) => (agent.requests.push(request.url), socket.destroy());
    await agent.kill();
    await agent.start(refuse);
    await until("six attempts", () => times.length >= 6, 40_000);
    const pauses = times.slice(1, 6).map((time, i) => time - times[i]);
    [1000, 2000, 3000, 5000].forEach((least, i) => assert.ok(pauses[i] >= least - 50, `pauses: ${pauses}`));
    await agent.kill();
    await agent.start();
    await recovers();
});

test("removed cameras disappear and renamed ones change their name", async () => {
    agent.cameras.pop();
    agent.sendText(JSON.stringify({ config: [] }));
    await until("three tiles", async () => (await readTiles(page)).length === 3);
    agent.cameras[0].name = "Main gate";
    agent.sendText(JSON.stringify({ config: [] }));
    await until("the new name", async () => (await readTiles(page))[0].name === "Main gate");
    await until("live", async () => (await readTiles(page)).every((tile) => tile.verdict === "live"));
});

test("a new agent version reloads the page once", async () => {
    const loads = () => agent.requests.filter((path) => path === "/").length;
    const before = loads();
    agent.version = "2";
    await until("reloaded", () => page.evaluate(() => window.same_page !== true).catch(() => false), 40_000);
    await until("all live", all("live"));
    const lists = agent.requests.filter((path) => path === "/api/cameras").length;
    await until("three more lists", () => agent.requests.filter((path) => path === "/api/cameras").length >= lists + 3, 40_000);
    // Once to check that all files are there, once to load them.
    assert.ok(loads() <= before + 2, `${loads() - before} loads`);
});

test("a new version with a missing file leaves the old page running", async () => {
    agent.missing.add("/js/wall.js");
    agent.version = "2";
    const looked = () => agent.requests.filter((path) => path === "/js/wall.js").length;
    const before = looked();
    await until("tried and tried again", () => looked() >= before + 2, 40_000);
    assert.equal(await page.evaluate(() => window.same_page), true);
    await until("all live", all("live"));
    agent.missing.clear();
    await until("reloaded", () => page.evaluate(() => window.same_page !== true).catch(() => false), 40_000);
});

test("a connection that is reset while the agent hangs breaks nothing", async () => {
    agent.hung = true;
    const request = "GET /ws HTTP/1.1\r\nHost: wall\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    const socket = connect(agent.port, "127.0.0.1", () => socket.write(request));
    const seen = () => agent.requests.filter((path) => path === "/ws").length;
    const before = seen();
    await until("the request has arrived", () => seen() > before);
    socket.resetAndDestroy();
    await showsSilenceInTime();
    agent.hung = false;
    await recovers();
});
