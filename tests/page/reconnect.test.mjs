// The agent dies, hangs, comes back: the wall says so within 3 s and heals without a reload.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { readTiles, startBrowser, until } from "./browser.mjs";
import { makePictures } from "./pictures.mjs";
import { StandIn } from "./stand-in.mjs";

let pictures;
let agent;
let browser;
let page;

before(async () => {
    pictures = await makePictures(4, 160);
    browser = await startBrowser();
});
after(() => browser?.close());
beforeEach(async () => {
    agent = new StandIn(pictures, ["Gate", "Porch", "Yard", "Roof"]);
    await agent.start();
    page = await browser.newPage();
    await page.addInitScript(watchVerdicts);
    await page.goto(agent.url);
    await until("all live", all("live"));
    await page.evaluate(() => (window.same_page = true));
});
afterEach(async () => {
    await page.close();
    agent.hung = false;
    await agent.kill().catch(() => {});
});

const all = (verdict) => async () => {
    const tiles = await readTiles(page);
    return tiles.length === 4 && tiles.every((tile) => tile.verdict === verdict);
};

/** Runs in the page: keeps when all tiles first said "silent" and when a frame or pong last came. */
function watchVerdicts() {
    window.lastWord = performance.now();
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
            this.addEventListener("message", () => (window.lastWord = performance.now()));
        }
    };
    new MutationObserver(() => {
        const tiles = [...document.querySelectorAll("camera-tile")];
        if (tiles.length === 0 || !tiles.every((tile) => tile.getAttribute("verdict") === "silent")) return;
        window.silentAt ??= performance.now() - window.lastWord;
    }).observe(document, { subtree: true, childList: true, attributes: true });
}

async function toldInTime() {
    await until("every tile says that the agent does not answer", all("silent"));
    const { after, late } = await page.evaluate(() => ({ after: window.silentAt, late: window.late }));
    assert.ok(after > 2000 && after < 3000 + late, `told after ${after} ms, the machine ${late} ms late`);
    const [tile] = await readTiles(page);
    assert.equal(tile.headline, "NOT LIVE");
    assert.match(tile.finding, /^Agent does not answer, last picture \d+ s ago$/);
    assert.ok(tile.bandShown && tile.dimmed);
    const summary = await page.textContent("[data-slot=summary]");
    assert.equal(summary, "Agent does not answer");
}

async function healed() {
    await until("all live again", all("live"));
    assert.equal(await page.evaluate(() => window.same_page), true, "the page was not reloaded");
}

test("a killed agent is told within 3 s, and its successor found without a reload", async () => {
    await agent.kill();
    await toldInTime();
    await agent.start();
    await healed();
});

test("a quick restart is bridged at once", async () => {
    const shows = agent.asked.length;
    await agent.kill();
    await agent.start();
    await until("asked again", () => agent.asked.length > shows);
    assert.equal(agent.asked.at(-1).length, 4);
    await healed();
});

test("a hung agent is told within 3 s, dropped, and dialled again", async () => {
    agent.hung = true;
    const dials = () => agent.requests.filter((path) => path === "/ws").length;
    const before = dials();
    await toldInTime();
    await until("dialled again and again", () => dials() >= before + 2);
    agent.hung = false;
    await healed();
});

test("pauses between attempts grow to five seconds and attempts never end", async () => {
    const times = [];
    agent.requests.push = function (path) {
        if (path === "/ws") times.push(Date.now());
        return Array.prototype.push.call(this, path);
    };
    // A server that ends every socket at once: the worst case for hasty redialling.
    const refuse = (request, socket) => (agent.requests.push(request.url), socket.destroy());
    await agent.kill();
    await agent.start(refuse);
    await until("six attempts", () => times.length >= 6, 40_000);
    const pauses = times.slice(1, 6).map((time, i) => time - times[i]);
    [1000, 2000, 3000, 5000].forEach((least, i) => assert.ok(pauses[i] >= least - 50, `pauses: ${pauses}`));
    await agent.kill();
    await agent.start();
    await healed();
});

test("cameras added to the configuration appear, and those removed go", async () => {
    agent.cameras.pop();
    agent.say(JSON.stringify({ config: [] }));
    await until("three tiles", async () => (await readTiles(page)).length === 3);
    agent.cameras[0].name = "Main gate";
    agent.say(JSON.stringify({ config: [] }));
    await until("the new name", async () => (await readTiles(page))[0].name === "Main gate");
    await until("live", async () => (await readTiles(page)).every((tile) => tile.verdict === "live"));
});

test("a new agent version makes the page load itself anew, once", async () => {
    const loads = () => agent.requests.filter((path) => path === "/").length;
    const before = loads();
    agent.version = "2";
    await until("loaded anew", () => page.evaluate(() => window.same_page !== true).catch(() => false), 40_000);
    await until("all live", all("live"));
    const lists = agent.requests.filter((path) => path === "/api/cameras").length;
    await until("three more lists", () => agent.requests.filter((path) => path === "/api/cameras").length >= lists + 3, 40_000);
    // Once to see that all is there, once to load it.
    assert.ok(loads() <= before + 2, `${loads() - before} loads`);
});

test("a new version that cannot be loaded whole leaves the old page running", async () => {
    agent.missing.add("/js/wall.js");
    agent.version = "2";
    const looked = () => agent.requests.filter((path) => path === "/js/wall.js").length;
    const before = looked();
    await until("tried and tried again", () => looked() >= before + 2, 40_000);
    assert.equal(await page.evaluate(() => window.same_page), true);
    await until("all live", all("live"));
    agent.missing.clear();
    await until("loaded anew", () => page.evaluate(() => window.same_page !== true).catch(() => false), 40_000);
});
