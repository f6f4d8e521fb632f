// A real Firefox, driven by Marionette: Firefox's own remote protocol, JSON over TCP, the one that
// geckodriver speaks. playwright-core can drive only a patched Firefox, not Debian's.

import { spawn } from "node:child_process";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { until } from "./browser.mjs";

const FIREFOX = process.env.CCTV_FIREFOX ?? "/usr/bin/firefox-esr";
/** The first start writes a profile and reads 200 MB; in milliseconds. */
const START_TIMEOUT = 90_000;
const ANSWER_TIMEOUT = 60_000;
const PREFERENCES = {
    "marionette.port": 0,
    "datareporting.policy.dataSubmissionEnabled": false,
    "toolkit.telemetry.reportingpolicy.firstRun": false,
    "browser.shell.checkDefaultBrowser": false,
    "browser.startup.page": 0,
    "app.normandy.enabled": false,
    "network.captive-portal-service.enabled": false,
    "network.connectivity-service.enabled": false,
    "browser.safebrowsing.malware.enabled": false,
    "browser.safebrowsing.phishing.enabled": false,
    "services.settings.server": "data:,",
    "extensions.getAddons.cache.enabled": false,
    "intl.locale.requested": "en-US",
    "intl.accept_languages": "en",
};

/** Whether it is installed. */
export const hasFirefox = () => access(FIREFOX).then(() => true, () => false);

/** Starts Firefox headless with its own empty profile; `close` ends all its processes. */
export async function startFirefox() {
    const profile = await mkdtemp(join(tmpdir(), "wall-firefox-"));
    const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});`);
    await writeFile(join(profile, "user.js"), lines.join("\n"));
    const child = spawn(FIREFOX, ["--headless", "--no-remote", "--profile", profile, "--marionette", "about:blank"], {
        stdio: "ignore",
        detached: true, // its own process group, to end all processes together
        env: { ...process.env, HOME: profile, MOZ_HEADLESS: "1", MOZ_CRASHREPORTER_DISABLE: "1" },
    });
    const ended = new Promise((done) => child.on("exit", done).on("error", done));
    const end = async () => {
        try {
            process.kill(-child.pid, "SIGKILL");
        } catch {
            // It has ended by itself.
        }
        await ended;
        await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    };
    try {
        const port = await until("Firefox listens", () => readFile(join(profile, "MarionetteActivePort"), "utf8").catch(() => null), START_TIMEOUT);
        const firefox = new Firefox(await dial(Number(port)), end);
        await firefox.greeted;
        await firefox.send("WebDriver:NewSession", { capabilities: { alwaysMatch: { acceptInsecureCerts: false } } });
        await firefox.send("WebDriver:SetTimeouts", { script: ANSWER_TIMEOUT, pageLoad: ANSWER_TIMEOUT });
        return firefox;
    } catch (error) {
        await end();
        throw error;
    }
}

function dial(port) {
    return new Promise((ready, failed) => {
        const socket = connect(port, "127.0.0.1", () => ready(socket)).once("error", failed);
    });
}

class Firefox {
    greeted;

    #socket;
    #end;
    #number = 0;
    #waiting = new Map();
    #pending = Buffer.alloc(0);

    constructor(socket, end) {
        this.#socket = socket;
        this.#end = end;
        this.greeted = new Promise((done) => this.#waiting.set("greeting", { done }));
        socket.on("data", (data) => this.#onData(data));
        socket.on("error", () => {});
        socket.on("close", () => {
            for (const { failed } of this.#waiting.values()) failed?.(new Error("Firefox ended"));
        });
    }

    /** One command; https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html */
    send(name, parameters = {}) {
        this.#number += 1;
        const number = this.#number;
        const text = JSON.stringify([0, number, name, parameters]);
        this.#socket.write(`${Buffer.byteLength(text)}:${text}`);
        return new Promise((done, failed) => {
            const timer = setTimeout(() => failed(new Error(`Firefox did not answer ${name}`)), ANSWER_TIMEOUT);
            const settle = (how) => (value) => {
                clearTimeout(timer);
                how(value);
            };
            this.#waiting.set(number, { done: settle(done), failed: settle(failed) });
        });
    }

    goto(url) {
        return this.send("WebDriver:Navigate", { url });
    }

    /** Runs `work` in the page and returns what it returns. */
    async evaluate(work, ...args) {
        const script = `return (${work})(...arguments)`;
        return (await this.send("WebDriver:ExecuteScript", { script, args, newSandbox: false, sandbox: null })).value;
    }

    /** Types one key into the page. */
    key(value) {
        const actions = [{ type: "key", id: "keyboard", actions: [{ type: "keyDown", value }, { type: "keyUp", value }] }];
        return this.send("WebDriver:PerformActions", { actions });
    }

    /** A PNG of what is on its screen. */
    async screenshot() {
        return Buffer.from((await this.send("WebDriver:TakeScreenshot", { full: false })).value, "base64");
    }

    async close() {
        this.#socket.destroy();
        await this.#end();
    }

    /** Each message is its length in bytes, a colon, and JSON. */
    #onData(data) {
        this.#pending = Buffer.concat([this.#pending, data]);
        for (;;) {
            const colon = this.#pending.indexOf(":");
            if (colon < 0) return;
            const end = colon + 1 + Number(this.#pending.subarray(0, colon));
            if (this.#pending.length < end) return;
            const message = JSON.parse(this.#pending.subarray(colon + 1, end));
            this.#pending = this.#pending.subarray(end);
            this.#onMessage(message);
        }
    }

    #onMessage(message) {
        if (!Array.isArray(message)) {
            this.#waiting.get("greeting").done(message);
            return;
        }
        const [, number, error, result] = message;
        const waiting = this.#waiting.get(number);
        this.#waiting.delete(number);
        if (error === null) waiting?.done(result);
        else waiting?.failed(new Error(`${error.error}: ${error.message}`));
    }
}
