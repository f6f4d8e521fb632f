// One WebSocket for the whole wall, kept up for ever: subprotocol cctv.wall.1.
//
// An open socket proves nothing. The agent must answer pings; one that does not is dropped and
// dialled again. Numbers of tiles in use are remembered and told anew after each reconnect.

import { AgentClock } from "./agent-clock.js";
import { parseFrame } from "./frame.js";

export const SUBPROTOCOL = "cctv.wall.1";
/** Pauses before dialling again, in milliseconds; the last one repeats. */
const PAUSES = [0, 1000, 2000, 3000, 5000];
/** A connection this old, in milliseconds, makes the next loss start at the shortest pause again. */
const STEADY_AFTER = 5000;
const PING_EVERY = 1000;
/** Deadline for a pong and for opening a socket, in milliseconds. */
const ANSWER_WITHIN = 3000;
const TICK = 250;
/** A tick later than this means that the page itself slept; nobody else may be blamed for it. */
const OVERSLEPT = 1500;
/** Credits of one burst of pictures share a message, in milliseconds. */
const CREDIT_DELAY = 8;

/**
 * @typedef {object} Place one entry of `show`
 * @property {number} tile
 * @property {string} camera
 * @property {[number, number]} size in device pixels
 * @property {number} fps
 * @property {string[]} accept formats, the one liked best first
 */

export class WallSocket {
    clock = new AgentClock();
    /** Page time at which the agent last said something that made sense. */
    heardAt = performance.now();

    #url;
    #listener;
    #socket = null;
    #open = false;
    #since = 0;
    #attempts = 0;
    #redial = 0;
    #ticker = 0;
    #tickedAt = 0;
    #ping = { number: 0, sent: 0, answered: true };
    /** @type {Place[]} */
    #places = [];
    #shown = "";
    /** @type {Map<number, string>} the camera the agent last named for a tile, on this connection */
    #told = new Map();
    /** @type {Map<number, number>} */
    #credits = new Map();
    #creditTimer = 0;

    /**
     * @param {string} url
     * @param {object} listener
     * @param {() => void} listener.opened
     * @param {(camera: string, report: object) => void} listener.reported a tile's state changed
     * @param {(camera: string, frame: import("./frame.js").Frame, drawn: () => void) => void} listener.pictured
     *     `drawn` asks for the next picture; call it once the frame is drawn or given up
     * @param {(texts: string[]) => void} listener.complained about the configuration
     * @param {(text: string) => void} listener.refused the agent did not understand this page
     */
    constructor(url, listener) {
        this.#url = url;
        this.#listener = listener;
    }

    /** Dials, and keeps dialling until `stop`. */
    start() {
        if (this.#ticker !== 0) return;
        this.#tickedAt = this.heardAt = performance.now(); // silence counts from here
        this.#ticker = setInterval(() => this.#tick(), TICK);
        this.#attempts = 0;
        this.#dial();
    }

    stop() {
        clearInterval(this.#ticker);
        clearTimeout(this.#redial);
        this.#ticker = 0;
        this.#redial = 0;
        this.#forget();
    }

    /** Asks, or dials, at once instead of when it is time; for a page that is looked at again. */
    hurry() {
        if (this.#open && this.#ping.answered) this.#sendPing(performance.now());
        if (this.#redial === 0) return;
        clearTimeout(this.#redial);
        this.#dial();
    }

    /** Replaces what the agent is asked for. @param {Place[]} places */
    show(places) {
        this.#places = places;
        this.#tellPlaces();
    }

    #dial() {
        this.#redial = 0;
        this.#since = performance.now();
        let socket;
        try {
            socket = new WebSocket(this.#url, SUBPROTOCOL);
        } catch (error) {
            console.warn("wall socket:", error);
            this.#lost();
            return;
        }
        socket.binaryType = "arraybuffer";
        socket.onopen = () => this.#opened();
        socket.onmessage = (event) => this.#received(event.data);
        socket.onclose = () => this.#lost();
        this.#socket = socket;
    }

    #opened() {
        this.#open = true;
        this.#since = performance.now();
        this.#ping.answered = true;
        this.#tellPlaces();
        this.#sendPing(this.#since);
        this.#listener.opened();
    }

    /** Lets go of the socket without a word from it any more; a hung peer may never close it. */
    #forget() {
        const socket = this.#socket;
        this.#socket = null;
        this.#open = false;
        this.#shown = "";
        this.#told.clear();
        this.#credits.clear();
        if (socket === null) return;
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.close();
    }

    #lost() {
        if (this.#open && performance.now() - this.#since > STEADY_AFTER) this.#attempts = 0;
        this.#forget();
        const pause = PAUSES[Math.min(this.#attempts, PAUSES.length - 1)];
        this.#attempts += 1;
        this.#redial = setTimeout(() => this.#dial(), pause);
    }

    #tick() {
        const now = performance.now();
        const slept = now - this.#tickedAt;
        this.#tickedAt = now;
        if (this.#socket === null) return;
        if (slept > OVERSLEPT) {
            // The answers of the time slept are still in the queue behind this tick.
            this.#since += slept;
            this.#ping.sent += slept;
        }
        if (!this.#open) {
            if (now - this.#since > ANSWER_WITHIN) this.#lost();
        } else if (!this.#ping.answered) {
            if (now - this.#ping.sent > ANSWER_WITHIN) this.#lost();
        } else if (now - this.#ping.sent >= PING_EVERY) {
            this.#sendPing(now);
        }
    }

    #sendPing(now) {
        this.#ping = { number: this.#ping.number + 1, sent: now, answered: false };
        this.#send({ ping: this.#ping.number });
    }

    #send(message) {
        if (this.#open && this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
    }

    #tellPlaces() {
        if (!this.#open) return;
        const show = this.#places;
        const text = JSON.stringify(show);
        if (text === this.#shown) return;
        this.#shown = text;
        this.#send({ show });
    }

    #received(data) {
        if (typeof data !== "string") {
            this.#receivedFrame(parseFrame(data));
            return;
        }
        let message;
        try {
            message = JSON.parse(data);
        } catch {
            return; // rubbish is no reason to lose the wall; a silent agent is, and the pings see that
        }
        if (message === null || typeof message !== "object") return;
        if ("pong" in message) this.#receivedPong(message);
        else if ("tile" in message) this.#receivedReport(message);
        else if (Array.isArray(message.config)) this.#listener.complained(message.config.filter(isText));
        else if (isText(message.error)) this.#listener.refused(message.error);
    }

    #receivedPong({ pong, now }) {
        if (pong !== this.#ping.number || this.#ping.answered) return;
        this.#ping.answered = true;
        this.heardAt = performance.now();
        if (Number.isFinite(now)) this.clock.note(this.#ping.sent, this.heardAt, now);
    }

    #receivedReport(report) {
        if (!isText(report.camera) || !isText(report.state)) return;
        this.heardAt = performance.now();
        this.#told.set(report.tile, report.camera);
        const wanted = this.#places.find((place) => place.tile === report.tile);
        if (wanted?.camera === report.camera) this.#listener.reported(report.camera, report);
    }

    #receivedFrame(frame) {
        if (frame === null) return;
        this.heardAt = performance.now();
        // A frame of the tile's former camera may still be under way: it belongs to the camera the
        // agent named last, and is drawn only where that is the one wanted.
        const wanted = this.#places.find((place) => place.tile === frame.tile);
        if (wanted === undefined || this.#told.get(frame.tile) !== wanted.camera) return;
        const socket = this.#socket;
        this.#listener.pictured(wanted.camera, frame, () => {
            if (this.#socket === socket) this.#credit(frame.tile, frame.sequence);
        });
    }

    #credit(tile, sequence) {
        this.#credits.set(tile, sequence);
        if (this.#creditTimer !== 0) return;
        this.#creditTimer = setTimeout(() => {
            this.#creditTimer = 0;
            if (this.#credits.size === 0) return;
            this.#send({ drawn: Object.fromEntries(this.#credits) });
            this.#credits.clear();
        }, CREDIT_DELAY);
    }
}

function isText(value) {
    return typeof value === "string";
}
