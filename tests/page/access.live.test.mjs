// Access control on a real agent: pages of other sites in a real browser, and the wall behind a real nginx.
//
// The browser resolves all names of these tests to 127.0.0.1, as after a DNS rebinding attack.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createServer } from "node:http";
import { connect } from "node:net";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

import { readTiles, until } from "./browser.mjs";
import { AGENT, CONFIG, LIVE_TIMEOUT, browser, needsConfig, readApi, urlOf, useBrowser } from "./live-fixture.mjs";

const WWW = fileURLToPath(new URL("../../www/", import.meta.url));
const MANUAL = fileURLToPath(new URL("../../docs/installing.md", import.meta.url));
const TYPES = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const NAMES = ["evil.example", "intranet.example", "wall.example.com"];

let page;
let cameras;

useBrowser({ args: [
    `--host-resolver-rules=${NAMES.map((name) => `MAP ${name} 127.0.0.1`).join()}`,
    // Newer Chromium asks before a page of another site may reach loopback. Others do not, and a person may allow it.
    "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
], prepare: async () => {
    cameras = (await readApi()).cameras.map(({ id }) => id);
} });
beforeEach(async () => {
    page = await browser?.newPage();
});
afterEach(() => page?.close());

/** Runs `work` with `lines` added to [server] of cameras.toml. */
async function withServer(lines, work) {
    const text = await readFile(CONFIG, "utf8");
    const reload = async (changed) => {
        const { pid, reload: { count } } = await readApi();
        await writeFile(CONFIG, changed);
        process.kill(pid, "SIGHUP");
        const answered = await until("the reload", async () => {
            const now = (await readApi()).reload;
            return now.count > count && now;
        });
        assert.equal(answered.taken, true, answered.outcome);
    };
    try {
        await reload(text.replace("[server]\n", `[server]\n${lines}\n`));
        await work();
    } finally {
        await reload(text);
    }
}

/** What a page can read and show of the agent at the URL `agent`. Runs in the page. */
async function probe([agent, camera]) {
    const address = (path) => new URL(path, agent).href;
    const read = async (path) => {
        try {
            const answer = await fetch(address(path), { signal: AbortSignal.timeout(10_000) });
            return { status: answer.status, text: (await answer.text()).slice(0, 2000) };
        } catch (error) {
            return { status: 0, text: String(error) };
        }
    };
    const shows = (path) => new Promise((seen) => {
        const image = new Image();
        image.onload = () => seen(true);
        image.onerror = () => seen(false);
        image.src = address(path);
        document.body.append(image);
    });
    const opens = (path, protocols) => new Promise((seen) => {
        const socket = new WebSocket(address(path).replace(/^http/, "ws"), protocols);
        socket.onopen = () => {
            seen(true);
            socket.close();
        };
        socket.onerror = () => seen(false);
    });
    const result = {
        list: await read("api/cameras"),
        snapshot: await read(`snapshot/${camera}`),
        metrics: await read("metrics"),
        picture: await shows(`snapshot/${camera}`),
        stream: await shows(`live/${camera}`),
        wall: await opens("ws", "cctv.wall.1"),
        old: await opens(`ws/${camera}`),
    };
    document.querySelectorAll("img").forEach((image) => image.removeAttribute("src"));
    return result;
}

/** Starts the server of another site, with an empty page and copies of the agent's files. */
async function startSite() {
    const site = createServer(async (request, response) => {
        const { pathname } = new URL(request.url, "http://site");
        if (pathname === "/") {
            response.setHeader("Content-Type", "text/html").end("<!doctype html><body></body>");
            return;
        }
        try {
            const bytes = await readFile(join(WWW, pathname));
            response.setHeader("Content-Type", TYPES[extname(pathname)] ?? "text/plain").end(bytes);
        } catch {
            response.writeHead(404).end();
        }
    });
    await new Promise((ready) => site.listen(0, "127.0.0.1", ready));
    return site;
}

test("a page with a rebound name gets nothing from the agent, and the agent's own page gets everything", needsConfig, async () => {
    const { port } = new URL(AGENT);
    const evil = `http://evil.example:${port}/`;
    // Rebinding: the page came from the other site's own server, and its name now resolves to this machine.
    await page.route(evil, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><body></body>" }));
    await page.goto(evil);
    assert.equal(await page.evaluate(() => location.origin), new URL(evil).origin);
    const seen = await page.evaluate(probe, [evil, cameras[0]]);
    for (const { status, text } of [seen.list, seen.snapshot, seen.metrics]) {
        assert.equal(status, 421, text);
        assert.match(text, /evil\.example.* is not a name of this machine/);
        assert.ok(!cameras.some((camera) => text.includes(camera)), text);
    }
    assert.deepEqual([seen.picture, seen.stream, seen.wall, seen.old], [false, false, false, false]);

    await page.goto(urlOf("/status.html"));
    await until("live", () => page.$$eval("tbody tr", (rows) => rows[0]?.dataset.verdict === "live"), LIVE_TIMEOUT);
    const own = await page.evaluate(probe, [AGENT, cameras[0]]);
    assert.deepEqual([own.list.status, own.snapshot.status, own.metrics.status], [200, 200, 200]);
    assert.deepEqual([own.picture, own.stream, own.wall, own.old], [true, true, true, true]);
});

test("a page of another site shows nothing, and with embed pictures, frames and sockets", needsConfig, async () => {
    const site = await startSite();
    const { port } = site.address();
    const visit = async (name, agent = AGENT) => {
        await page.goto(`http://${name}:${port}/`);
        const seen = await page.evaluate(probe, [agent, cameras[0]]);
        // Another site cannot read any answer: the agent never sends Access-Control headers.
        assert.deepEqual([seen.list.status, seen.snapshot.status, seen.metrics.status], [0, 0, 0], name);
        return [seen.picture, seen.stream, seen.wall, seen.old];
    };
    const refused = [];
    page.on("console", (message) => /frame-ancestors/.test(message.text()) && refused.push(message.text()));
    /** The tiles of the wall in a frame of the page. */
    const framed = async () => {
        await page.evaluate(([agent, camera]) => new Promise((loaded) => {
            const frame = document.createElement("iframe");
            frame.src = `${agent}?cameras=${camera}`;
            frame.width = 640;
            frame.height = 360;
            frame.onload = loaded;
            document.body.append(frame);
        }), [urlOf("/"), cameras[0]]);
        const frame = await (await page.waitForSelector("iframe")).contentFrame();
        return () => frame.$$eval("camera-tile", (all) => all.map((tile) => tile.getAttribute("verdict")));
    };
    const nothing = [false, false, false, false];
    const everything = [true, true, true, true];
    try {
        assert.deepEqual(await visit("intranet.example"), nothing);
        const tiles = await framed();
        await until("no frame either", () => refused.length > 0);
        assert.deepEqual(await tiles(), []);
        await withServer(`embed = ["http://intranet.example:${port}"]`, async () => {
            assert.deepEqual(await visit("intranet.example"), everything);
            const tiles = await framed();
            await until("a live tile in the frame", async () => (await tiles()).join() === "live", LIVE_TIMEOUT);
            await page.evaluate(async ([agent, camera]) => {
                await import("/js/cctv.js");
                const view = document.createElement("cctv-view");
                view.setAttribute("agent", agent);
                view.setAttribute("camera", camera);
                document.body.replaceChildren(view);
            }, [AGENT, cameras[0]]);
            await until("a view by a copy of the module", async () => (await page.getAttribute("cctv-view", "verdict")) === "live", LIVE_TIMEOUT);
            assert.deepEqual(await visit("evil.example"), nothing, "other sites are still refused");
        });
        // At a name that is neither loopback nor https, a browser does not send Sec-Fetch-Site.
        // Whoever asks for that name needs a login, unless the file says otherwise.
        await withServer(`plain_http = true\nwithout_login = "everybody"\nnames = ["wall.example.com"]\nembed = ["http://intranet.example:${port}"]`, async () => {
            const wall = `http://wall.example.com:${new URL(AGENT).port}/`;
            assert.deepEqual(await visit("evil.example", wall), nothing);
            assert.deepEqual(await visit("intranet.example", wall), everything);
            assert.deepEqual(await visit("wall.example.com", wall), everything, "the same name, another port");
        });
        assert.deepEqual(await visit("intranet.example"), nothing, "and this one again after its removal from embed");
        // A link works: the other site's page cannot read what opens.
        await page.goto(`http://evil.example:${port}/`);
        await page.evaluate((address) => {
            const link = document.createElement("a");
            link.href = address;
            link.textContent = "cameras";
            document.body.append(link);
        }, urlOf("/api/cameras"));
        const [answer] = await Promise.all([page.waitForNavigation(), page.click("a")]);
        assert.equal(answer.status(), 200);
    } finally {
        site.closeAllConnections();
        site.close();
    }
});

/** Starts nginx with one server for each of `ways`, with the manual's lines; returns a function that ends it. */
async function startNginx(ways) {
    const folder = await mkdtemp(join(tmpdir(), "cctv-nginx-"));
    const manual = (await readFile(MANUAL, "utf8")).match(/```nginx\n(.*?)```/s)[1];
    const agent = AGENT.replace(/\/$/, "");
    execFileSync("openssl", [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=wall.example.com",
        "-keyout", join(folder, "wall.key"), "-out", join(folder, "wall.pem"),
    ], { stdio: "ignore" });
    const servers = ways.map(({ port, path, slash, host }) => manual
        .replace("listen 443 ssl;", `listen 127.0.0.1:${port} ssl;`)
        .replace("/etc/ssl/wall.pem", "wall.pem")
        .replace("/etc/ssl/private/wall.key", "wall.key")
        .replace("location /", `location ${path}`)
        .replace("proxy_set_header Host $host;", host)
        .replace("proxy_pass http://127.0.0.1:8080;", `proxy_pass ${agent}${slash};`));
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${kind};`);
    await writeFile(join(folder, "nginx.conf"), [
        "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log error.log;",
        "events { worker_connections 256; }",
        `http { access_log off; ${paths.join(" ")}`,
        ...servers,
        "}",
    ].join("\n"));
    const child = spawn("nginx", ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", "error.log"], { stdio: "inherit" });
    const ended = new Promise((done) => child.once("exit", done).once("error", done));
    for (const { port } of ways) {
        await until(`nginx at port ${port}; is it installed (scripts/packages)?`, () => new Promise((answered) => {
            const socket = connect(port, "127.0.0.1", () => answered(socket.destroy()));
            socket.on("error", () => answered(null));
        }));
    }
    return async () => {
        child.kill("SIGKILL");
        await ended;
        await rm(folder, { recursive: true });
    };
}

/** Finds free ports. */
async function freePorts(count) {
    const servers = await Promise.all(Array.from({ length: count }, async () => {
        const server = createServer();
        await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
        return server;
    }));
    const ports = servers.map((server) => server.address().port);
    await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
    return ports;
}

test("the wall is live behind nginx under another name, in four configurations", needsConfig, async () => {
    const ways = [
        { path: "/", slash: "", host: "" },
        { path: "/", slash: "", host: "proxy_set_header Host $host;" },
        { path: "/", slash: "", host: "proxy_set_header Host $host:$server_port;" },
        { path: "/wall/", slash: "/", host: "" },
    ];
    (await freePorts(ways.length)).forEach((port, i) => (ways[i].port = port));
    const end = await startNginx(ways);
    const failed = [];
    page.on("response", (response) => response.status() >= 400 && failed.push(`${response.status()} ${response.url()}`));
    try {
        // Without `trusted_proxies` and `names` nothing is live under this name.
        for (const { port, path, host } of ways) {
            const answer = await page.goto(`https://wall.example.com:${port}${path}`);
            assert.equal(answer.status(), host === "" ? 403 : 421);
            assert.match(await answer.text(), host === "" ? /trusted_proxies = / : /wall\.example\.com.*`names` below \[server\]/);
        }
        await page.goto("about:blank");
        failed.length = 0;
        // Whoever comes through the proxy is on another machine.
        await withServer('names = ["wall.example.com"]\ntrusted_proxies = ["127.0.0.1"]\nwithout_login = "everybody"', async () => {
            for (const { port, path } of ways) {
                const at = (rest) => `https://wall.example.com:${port}${path}${rest}`;
                for (const rest of [`?cameras=${cameras[0]}`, `?cameras=${cameras[0]}&transport=mjpeg`]) {
                    await page.goto(at(rest));
                    const verdicts = async () => (await readTiles(page)).map(({ verdict }) => verdict).join();
                    await until(`live at ${at(rest)}`, async () => (await verdicts()) === "live", LIVE_TIMEOUT);
                }
                await page.goto(at("status.html"));
                await until("the table", () => page.$$eval("tbody tr", (rows) => rows.some((row) => row.dataset.verdict === "live")), LIVE_TIMEOUT);
                await page.goto(at(`examples/old-protocol.html?cameras=${cameras[0]}`));
                await until("the old protocol", async () => (await page.$$("figure[live]")).length === 1, LIVE_TIMEOUT);
            }
            assert.deepEqual(failed.filter((one) => !one.endsWith("/favicon.ico")), []);
        });
    } finally {
        await end();
    }
});
