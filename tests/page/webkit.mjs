// A real WebKit, Debian's own build of WebKitGTK as in epiphany and surf: its MiniBrowser, driven by
// WebKitWebDriver (W3C WebDriver over HTTP) on the virtual screen of Xvfb.

import { spawn } from "node:child_process";
import { access, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { until } from "./browser.mjs";

const DRIVER = "/usr/bin/WebKitWebDriver";
const SCREEN = "/usr/bin/Xvfb";
const BROWSER = `/usr/lib/${{ arm64: "aarch64", x64: "x86_64" }[process.arch]}-linux-gnu/webkit2gtk-4.1/MiniBrowser`;
const START_TIMEOUT = 60_000;
const ANSWER_TIMEOUT = 60_000;

/** Whether all three are installed. */
export async function hasWebKit() {
    const there = await Promise.all([DRIVER, SCREEN, BROWSER].map((path) => access(path).then(() => true, () => false)));
    return there.every(Boolean);
}

/** Starts WebKit with its own home directory; `close` ends all its processes. */
export async function startWebKit() {
    const home = await mkdtemp(join(tmpdir(), "wall-webkit-"));
    const children = [];
    const start = (program, args, options = {}) => {
        const child = spawn(program, args, { detached: true, ...options });
        children.push(child);
        return child;
    };
    const end = async () => {
        for (const child of children.reverse()) {
            const ended = new Promise((done) => (child.exitCode ?? child.signalCode) === null ? child.on("exit", done) : done());
            try {
                process.kill(-child.pid, "SIGKILL");
            } catch {
                // It has ended by itself.
            }
            await ended;
        }
        await rm(home, { recursive: true, force: true, maxRetries: 5 });
    };
    try {
        const screen = start(SCREEN, ["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"], { stdio: ["ignore", "pipe", "ignore"] });
        let display = "";
        screen.stdout.on("data", (data) => (display += data));
        await until("a screen", () => /\d\n/.test(display), START_TIMEOUT);
        const port = await freePort();
        start(DRIVER, [`--port=${port}`, "--host=127.0.0.1"], {
            stdio: "ignore",
            env: { ...process.env, DISPLAY: `:${display.trim()}`, HOME: home, XDG_RUNTIME_DIR: home, GDK_BACKEND: "x11", NO_AT_BRIDGE: "1",
                LIBGL_ALWAYS_SOFTWARE: "1", WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1", LC_ALL: "C.UTF-8" },
        });
        const webkit = new WebKit(`http://127.0.0.1:${port}`, end);
        await until("the driver", () => webkit.call("GET", "/status").then((status) => status.ready, () => false), START_TIMEOUT);
        await webkit.begin();
        return webkit;
    } catch (error) {
        await end();
        throw error;
    }
}

/** Finds a free port: the driver cannot choose one by itself. */
async function freePort() {
    const server = createServer();
    await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
    const { port } = server.address();
    await new Promise((done) => server.close(done));
    return port;
}

class WebKit {
    #address;
    #end;
    #session = "";

    constructor(address, end) {
        this.#address = address;
        this.#end = end;
    }

    async begin() {
        const options = { binary: BROWSER, args: ["--automation"] };
        const { sessionId } = await this.call("POST", "/session", { capabilities: { alwaysMatch: { "webkitgtk:browserOptions": options } } });
        this.#session = `/session/${sessionId}`;
        await this.call("POST", `${this.#session}/timeouts`, { script: ANSWER_TIMEOUT, pageLoad: ANSWER_TIMEOUT });
    }

    /** One command; https://www.w3.org/TR/webdriver2/ */
    async call(method, path, parameters) {
        const answer = await fetch(this.#address + path, { method, body: parameters && JSON.stringify(parameters), signal: AbortSignal.timeout(ANSWER_TIMEOUT) });
        const { value } = await answer.json();
        if (!answer.ok) throw new Error(`${value.error}: ${value.message}`);
        return value;
    }

    goto(url) {
        return this.call("POST", `${this.#session}/url`, { url });
    }

    /** Runs `work` in the page and returns what it returns. */
    evaluate(work, ...args) {
        return this.call("POST", `${this.#session}/execute/sync`, { script: `return (${work})(...arguments)`, args });
    }

    /** Types one key into the page. */
    key(value) {
        const actions = [{ type: "key", id: "keyboard", actions: [{ type: "keyDown", value }, { type: "keyUp", value }] }];
        return this.call("POST", `${this.#session}/actions`, { actions });
    }

    /** A PNG of what is on its screen. */
    async screenshot() {
        return Buffer.from(await this.call("GET", `${this.#session}/screenshot`), "base64");
    }

    async close() {
        await this.call("DELETE", this.#session).catch(() => {});
        await this.#end();
    }
}
