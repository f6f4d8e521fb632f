// The connection of other pages to an agent: one wall socket for all pictures of a page.

import { socketUrl } from "./agent-url.js";
import { FORMAT } from "./frame.js";
import { verdictOf } from "./liveness.js";
import { Picture } from "./picture.js";
import { reasonIn } from "./reason-text.js";
import { WallSocket } from "./wall-socket.js";

/** @import { Size, TileReport, ViewStatus } from "./types" */

/** In milliseconds. */
const UPDATE_INTERVAL = 250;
/** Tile numbers have one byte. */
const MAX_WATCHES = 256;
export const DEFAULT_FPS = 25;
/** @type {Size} */
const DEFAULT_SIZE = [640, 360];

/** Connections by the URL of their socket. @type {Map<string, AgentConnection>} */
const connections = new Map();

/**
 * Returns the page's connection to an agent. It opens with the first watch and closes with the last.
 * @param {string | URL} [agent] the URL of the agent's page; default: where this module came from
 * @returns {AgentConnection}
 */
export function connect(agent = new URL("..", import.meta.url)) {
    const url = socketUrl("ws", new URL(agent, document.baseURI));
    let connection = connections.get(url);
    if (connection === undefined) connections.set(url, (connection = new AgentConnection(new URL(url))));
    return connection;
}

export class AgentConnection {
    #url;
    #socket;
    /** @type {Map<number, Watch>} by tile number */
    #watches = new Map();
    #ticker = 0;
    #wasOpen = false;

    /** @param {URL} url of the socket */
    constructor(url) {
        this.#url = url;
        this.#socket = new WallSocket(url.href, {
            onOpen: () => (this.#wasOpen = true),
            onState: (camera, report) => {
                const watch = this.#watches.get(report.tile);
                if (watch?.camera === camera) watch.setReport(report);
            },
            onFrame: (camera, frame, drawn) => {
                const watch = this.#watches.get(frame.tile);
                if (watch?.camera === camera && frame.format === FORMAT.jpeg) watch.picture.push(frame, performance.now(), drawn);
                else drawn();
            },
            onConfigError: () => {},
            onRefused: (text) => console.warn(`cctv: ${text}`),
        });
    }

    /** The agent's origin, such as `http://host`. */
    get origin() {
        return this.#url.origin.replace(/^ws/, "http");
    }

    /** Whether the agent seems to refuse this page: the page has another origin, and no socket ever opened. */
    get isRefused() {
        return this.origin !== location.origin && !this.#wasOpen;
    }

    /**
     * Draws a camera on a canvas until the watch is closed.
     * @param {string} camera
     * @param {object} options
     * @param {HTMLCanvasElement} options.canvas the agent sets its pixel size; set its display size by CSS
     * @param {Size} [options.size] in device pixels; the agent sends this size
     * @param {number} [options.fps] maximum
     * @param {(status: ViewStatus) => void} options.changed called four times a second; the page must not
     *     show anything as live that is not `live`
     * @returns {Watch}
     */
    watch(camera, { canvas, size = DEFAULT_SIZE, fps = DEFAULT_FPS, changed }) {
        let number = 0;
        while (this.#watches.has(number)) number += 1;
        if (number >= MAX_WATCHES) throw new RangeError(`no more than ${MAX_WATCHES} views of one agent`);
        const watch = new Watch({ camera, canvas, size, fps, changed }, {
            onChange: () => this.#show(),
            onClose: () => this.#remove(number),
        });
        this.#watches.set(number, watch);
        if (this.#ticker === 0) this.#start();
        this.#show();
        return watch;
    }

    #start() {
        this.#ticker = window.setInterval(() => this.#update(), UPDATE_INTERVAL);
        document.addEventListener("visibilitychange", this.#onVisibility);
        this.#socket.start();
    }

    /** @param {number} number */
    #remove(number) {
        this.#watches.delete(number);
        this.#show();
        if (this.#watches.size > 0) return;
        clearInterval(this.#ticker);
        this.#ticker = 0;
        document.removeEventListener("visibilitychange", this.#onVisibility);
        this.#socket.stop();
    }

    #onVisibility = () => {
        this.#show();
        if (!document.hidden) this.#socket.checkNow();
        this.#update();
    };

    /** Requests what a person can see; a hidden page requests nothing. */
    #show() {
        const visible = document.hidden ? [] : [...this.#watches].filter(([, watch]) => watch.isVisible);
        this.#socket.show(visible.map(([tile, { camera, size, fps }]) => ({ tile, camera, size, fps, accept: ["jpeg"] })));
    }

    #update() {
        const now = performance.now();
        for (const watch of this.#watches.values()) watch.update(this.#socket, now);
    }
}

/** One camera on one canvas: docs/pages.md. */
export class Watch {
    picture;
    camera;
    size;
    fps;
    isVisible = true;

    #changed;
    #owner;
    /** @type {TileReport | null} */
    #report = null;
    #reason = { text: "", since: 0 };

    /**
     * @param {object} options
     * @param {string} options.camera
     * @param {HTMLCanvasElement} options.canvas
     * @param {Size} options.size
     * @param {number} options.fps
     * @param {(status: ViewStatus) => void} options.changed
     * @param {{onChange: () => void, onClose: () => void}} owner
     */
    constructor({ camera, canvas, size, fps, changed }, owner) {
        this.camera = camera;
        this.size = size;
        this.fps = fps;
        this.picture = new Picture(canvas);
        this.#changed = changed;
        this.#owner = owner;
    }

    /** @param {Size} size in device pixels */
    resize(size) {
        if (size[0] === this.size[0] && size[1] === this.size[1]) return;
        this.size = size;
        this.#owner.onChange();
    }

    /** Sets whether a person can see the canvas; otherwise the agent sends nothing. @param {boolean} isVisible */
    see(isVisible) {
        if (isVisible === this.isVisible) return;
        this.isVisible = isVisible;
        this.#owner.onChange();
    }

    close() {
        this.picture.clear();
        this.#owner.onClose();
    }

    /** @param {TileReport} report */
    setReport(report) {
        this.#report = report;
    }

    /** @param {WallSocket} socket @param {number} now page time */
    update(socket, now) {
        const { shown } = this.picture;
        const age = shown === null ? null : socket.clock.age(shown.taken, shown.arrived, now);
        const report = this.#report;
        const fps = typeof report?.fps === "number" && Number.isFinite(report.fps) ? report.fps : null;
        const verdict = verdictOf({ silence: now - socket.lastMessageAt, state: report?.state ?? null, age, fps });
        const { why, reason } = reasonIn(verdict === report?.state ? report : undefined);
        if (why !== this.#reason.text) this.#reason = { text: why, since: now };
        const name = typeof report?.name === "string" ? report.name : this.camera;
        this.#changed({ verdict, live: verdict === "live", age, name, why, reason, since: this.#reason.since });
    }
}
