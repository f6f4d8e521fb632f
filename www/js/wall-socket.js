// The one WebSocket of the whole wall, subprotocol cctv.wall.1, with unlimited reconnects.
//
// An open socket proves nothing: if the agent answers no ping, the page opens another one.

import { AgentClock } from "./agent-clock.js";
import { parseFrame } from "./frame.js";

/** @import { Frame, TileReport, TileRequest } from "./types" */

export const SUBPROTOCOL = "cctv.wall.1";
/** Delays before reconnecting, in milliseconds; the last one repeats. */
const BACKOFF = [0, 1000, 2000, 3000, 5000];
/** A connection that lasted this long, in milliseconds, resets the backoff. */
const STABLE_AFTER = 5000;
const PING_INTERVAL = 1000;
/** For a pong and for opening the socket, in milliseconds. */
const ANSWER_TIMEOUT = 3000;
const TICK_INTERVAL = 250;
/** A tick later than this, in milliseconds, means that the page itself was suspended. */
const MAX_TICK_DELAY = 1500;
/** Credits of one burst of pictures share a message, in milliseconds. */
const CREDIT_DELAY = 8;

/**
 * @typedef {object} Listener
 * @property {() => void} onOpen
 * @property {(camera: string, report: TileReport) => void} onState the state of a tile changed
 * @property {(camera: string, frame: Frame, drawn: () => void) => void} onFrame `drawn` requests the next
 *     picture; call it once the frame is drawn or dropped
 * @property {(errors: string[]) => void} onConfigError gets all errors in cameras.toml
 * @property {(told: any) => void} [onCallUps] the wall is told what to bring to the front
 * @property {(told: any) => void} [onPtz] who steers a camera has changed
 * @property {(text: string) => void} onRefused the agent did not accept a message of this page
 */

export class WallSocket {
    clock = new AgentClock();
    /** Page time of the agent's last valid message. */
    lastMessageAt = performance.now();

    #url;
    #listener;
    /** @type {WebSocket | null} */
    #socket = null;
    #isOpen = false;
    /** Page time at which the current attempt or connection began. */
    #since = 0;
    #attempts = 0;
    #reconnectTimer = 0;
    #ticker = 0;
    #tickedAt = 0;
    #ping = { number: 0, sentAt: 0, answered: true };
    /** @type {TileRequest[]} */
    #requests = [];
    /** The wall whose call-ups are told; null: not known yet. @type {string | null} */
    #wall = null;
    /** The last `show` message on this connection. */
    #sentShow = "";
    /** The camera that the agent last named for each tile, on this connection. @type {Map<number, string>} */
    #cameras = new Map();
    /** @type {Map<number, number>} */
    #credits = new Map();
    #creditTimer = 0;

    /** @param {string} url @param {Listener} listener */
    constructor(url, listener) {
        this.#url = url;
        this.#listener = listener;
    }

    /** Connects, and reconnects until `stop`. */
    start() {
        if (this.#ticker !== 0) return;
        this.#tickedAt = this.lastMessageAt = performance.now(); // silence counts from here
        this.#ticker = window.setInterval(() => this.#tick(), TICK_INTERVAL);
        this.#attempts = 0;
        this.#connect();
    }

    stop() {
        clearInterval(this.#ticker);
        clearTimeout(this.#reconnectTimer);
        this.#ticker = 0;
        this.#reconnectTimer = 0;
        this.#close();
    }

    /** Sends a ping or reconnects at once, for a page that becomes visible again. */
    checkNow() {
        if (this.#isOpen && this.#ping.answered) this.#sendPing(performance.now());
        if (this.#reconnectTimer === 0) return;
        clearTimeout(this.#reconnectTimer);
        this.#connect();
    }

    /** Asks for the call-ups of this wall. @param {string} wall */
    follow(wall) {
        if (wall === this.#wall) return;
        this.#wall = wall;
        this.#send({ wall });
    }

    /** Replaces the requested tiles. @param {TileRequest[]} requests */
    show(requests) {
        this.#requests = requests;
        this.#sendShow();
    }

    #connect() {
        this.#reconnectTimer = 0;
        this.#since = performance.now();
        let socket;
        try {
            socket = new WebSocket(this.#url, SUBPROTOCOL);
        } catch (error) {
            console.warn("wall socket:", error);
            this.#reconnect();
            return;
        }
        socket.binaryType = "arraybuffer";
        socket.onopen = () => this.#onOpen();
        socket.onmessage = (event) => this.#onMessage(event.data);
        socket.onclose = () => this.#reconnect();
        this.#socket = socket;
    }

    #onOpen() {
        this.#isOpen = true;
        this.#since = performance.now();
        this.#ping.answered = true;
        this.#sendShow();
        if (this.#wall !== null) this.#send({ wall: this.#wall });
        this.#sendPing(this.#since);
        this.#listener.onOpen();
    }

    /** Closes the socket and ignores its further events; with a hung peer `onclose` may never come. */
    #close() {
        const socket = this.#socket;
        this.#socket = null;
        this.#isOpen = false;
        this.#sentShow = "";
        this.#cameras.clear();
        this.#credits.clear();
        if (socket === null) return;
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.close();
    }

    #reconnect() {
        if (this.#isOpen && performance.now() - this.#since > STABLE_AFTER) this.#attempts = 0;
        this.#close();
        const delay = BACKOFF[Math.min(this.#attempts, BACKOFF.length - 1)];
        this.#attempts += 1;
        this.#reconnectTimer = window.setTimeout(() => this.#connect(), delay);
    }

    #tick() {
        const now = performance.now();
        const passed = now - this.#tickedAt;
        this.#tickedAt = now;
        if (this.#socket === null) return;
        if (passed > MAX_TICK_DELAY) {
            // Answers from the time of suspension are still queued behind this tick.
            this.#since += passed;
            this.#ping.sentAt += passed;
        }
        if (!this.#isOpen) {
            if (now - this.#since > ANSWER_TIMEOUT) this.#reconnect();
        } else if (!this.#ping.answered) {
            if (now - this.#ping.sentAt > ANSWER_TIMEOUT) this.#reconnect();
        } else if (now - this.#ping.sentAt >= PING_INTERVAL) {
            this.#sendPing(now);
        }
    }

    /** @param {number} now */
    #sendPing(now) {
        this.#ping = { number: this.#ping.number + 1, sentAt: now, answered: false };
        this.#send({ ping: this.#ping.number });
    }

    /** @param {object} message */
    #send(message) {
        if (this.#isOpen && this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
    }

    #sendShow() {
        if (!this.#isOpen) return;
        const show = this.#requests;
        const text = JSON.stringify(show);
        if (text === this.#sentShow) return;
        this.#sentShow = text;
        this.#send({ show });
    }

    /** @param {unknown} data */
    #onMessage(data) {
        if (typeof data !== "string") {
            this.#onFrame(parseFrame(data));
            return;
        }
        let message;
        try {
            message = JSON.parse(data);
        } catch {
            return; // an invalid message does not end the connection; the pings notice a silent agent
        }
        if (message === null || typeof message !== "object") return;
        if ("pong" in message) this.#onPong(message);
        else if ("tile" in message) this.#onReport(message);
        else if (Array.isArray(message.config)) this.#listener.onConfigError(message.config.filter(isText));
        else if ("wall" in message) this.#listener.onCallUps?.(message.wall);
        else if ("ptz" in message) this.#listener.onPtz?.(message.ptz);
        else if (isText(message.error)) this.#listener.onRefused(message.error);
    }

    #onPong({ pong, now }) {
        if (pong !== this.#ping.number || this.#ping.answered) return;
        this.#ping.answered = true;
        this.lastMessageAt = performance.now();
        if (Number.isFinite(now)) this.clock.note(this.#ping.sentAt, this.lastMessageAt, now);
    }

    #onReport(report) {
        if (!isText(report.camera) || !isText(report.state)) return;
        this.lastMessageAt = performance.now();
        this.#cameras.set(report.tile, report.camera);
        const requested = this.#requests.find(({ tile }) => tile === report.tile);
        if (requested?.camera === report.camera) this.#listener.onState(report.camera, report);
    }

    /** @param {Frame | null} frame */
    #onFrame(frame) {
        if (frame === null) return;
        this.lastMessageAt = performance.now();
        // It is of the camera that the agent named last, which may be the tile's previous one.
        const requested = this.#requests.find(({ tile }) => tile === frame.tile);
        if (requested === undefined || this.#cameras.get(frame.tile) !== requested.camera) return;
        const socket = this.#socket;
        this.#listener.onFrame(requested.camera, frame, () => {
            if (this.#socket === socket) this.#credit(frame.tile, frame.sequence);
        });
    }

    /** @param {number} tile @param {number} sequence */
    #credit(tile, sequence) {
        this.#credits.set(tile, sequence);
        if (this.#creditTimer !== 0) return;
        this.#creditTimer = window.setTimeout(() => {
            this.#creditTimer = 0;
            if (this.#credits.size === 0) return;
            this.#send({ drawn: Object.fromEntries(this.#credits) });
            this.#credits.clear();
        }, CREDIT_DELAY);
    }
}

/** @param {unknown} value */
function isText(value) {
    return typeof value === "string";
}
