// The older system's first way: one WebSocket for each camera, whose text messages join to a data: URL
// for `img.src`. Copy this file; it needs no other.
//
// This protocol carries neither time nor state. The agent sends something at least once a second, and a
// placeholder image as soon as the camera is not live. So a page can notice two things: silence (agent,
// network or socket failed) and repetition of the same picture. Late pictures look like new ones; if that
// matters, use /js/cctv.js, which knows the age of each picture.

/** After this silence, in milliseconds, the picture is not shown as live. */
const SILENT_AFTER = 3000;
/** The same for one unchanged picture: a camera's noise makes all pictures differ. */
const UNCHANGED_AFTER = 10_000;
/** Delays before reconnecting, in milliseconds; the last one repeats. */
const BACKOFF = [0, 1000, 2000, 5000];
const CHECK_INTERVAL = 250;

export class OldProtocolPuller {
    /** Pictures shown so far. */
    pictures = 0;

    #image;
    #url;
    #onCheck;
    /** @type {WebSocket | null} */
    #socket = null;
    #attempts = 0;
    /** @type {(string | null)[]} */
    #pieces = [];
    #lastMessageAt = performance.now();
    #changedAt = -Infinity;
    #lastPicture = "";

    /**
     * @param {HTMLImageElement} image
     * @param {string} camera identifier, as in cameras.toml
     * @param {(silent: number | null) => void} onCheck called four times a second: null while the picture
     *     is live, else the milliseconds since it last changed
     * @param {[number, number] | null} size in pixels
     * @param {URL} agent URL of the agent's page; default: where this file came from
     */
    constructor(image, camera, onCheck, size = null, agent = new URL("..", import.meta.url)) {
        this.#image = image;
        this.#onCheck = onCheck;
        const query = size === null ? "" : `?size=${size.join("x")}`;
        this.#url = new URL(`ws/${encodeURIComponent(camera)}${query}`, agent);
        this.#url.protocol = this.#url.protocol === "https:" ? "wss:" : "ws:";
        this.#connect();
        setInterval(() => this.#check(), CHECK_INTERVAL);
    }

    #connect() {
        this.#lastMessageAt = performance.now();
        this.#pieces = [];
        const socket = new WebSocket(this.#url);
        this.#socket = socket;
        socket.onmessage = ({ data }) => this.#onMessage(data);
        socket.onclose = () => this.#reconnect();
    }

    #reconnect() {
        if (this.#socket === null) return;
        this.#socket.onmessage = this.#socket.onclose = null;
        this.#socket.close();
        this.#socket = null;
        setTimeout(() => this.#connect(), BACKOFF[Math.min(this.#attempts, BACKOFF.length - 1)]);
        this.#attempts += 1;
    }

    /** Takes `::N::`, then N times `~i~piece`, i from 1 to N. @param {string} text */
    #onMessage(text) {
        const header = /^::(\d+)::$/.exec(text);
        if (header !== null) {
            this.#pieces = new Array(Number(header[1])).fill(null);
            return;
        }
        const end = text.indexOf("~", 1);
        const number = Number(text.slice(1, end));
        if (!(number >= 1 && number <= this.#pieces.length)) return;
        this.#pieces[number - 1] = text.slice(end + 1);
        if (number < this.#pieces.length || this.#pieces.includes(null)) return;
        this.#show(this.#pieces.join(""));
    }

    /** @param {string} url */
    #show(url) {
        this.#lastMessageAt = performance.now();
        this.#attempts = 0;
        if (url === this.#lastPicture) return; // a repeated picture proves nothing
        this.#lastPicture = url;
        this.#changedAt = this.#lastMessageAt;
        this.pictures += 1;
        this.#image.src = url;
    }

    #check() {
        const now = performance.now();
        const silence = now - this.#lastMessageAt;
        const unchanged = now - this.#changedAt;
        this.#onCheck(silence < SILENT_AFTER && unchanged < UNCHANGED_AFTER ? null : Math.max(silence, unchanged));
        // A silent socket is closed, open or not: it may be half open for ever.
        if (silence > SILENT_AFTER && this.#socket !== null) this.#reconnect();
    }
}
