// The older system's first way: a WebSocket for each camera, whose text messages join to a data: URL
// for `img.src`. Copy this file; it needs no other.
//
// This protocol carries no time and no state. The agent sends something at least once a second, and the
// card instead of a picture as soon as the camera is not live; so what can be watched for is silence
// (agent, network or socket gone) and sameness. Late pictures look like new ones here: where that
// matters, use /js/cctv.js, which knows each picture's age.

/** Nothing came for so long, in milliseconds: the picture is not shown as live any more. */
const SILENT_AFTER = 3000;
/** Nor when nothing but the very same picture came for so long: a camera's noise alone makes them differ. */
const SAME_AFTER = 10_000;
/** Pauses before dialling again, in milliseconds; the last one repeats. */
const PAUSES = [0, 1000, 2000, 5000];

export class OldProtocolPuller {
    /** Pictures shown so far. */
    pictures = 0;

    #image;
    #url;
    #told;
    #socket = null;
    #attempts = 0;
    #pieces = [];
    #heardAt = performance.now();
    #newAt = -Infinity;
    #last = "";

    /**
     * @param {HTMLImageElement} image
     * @param {string} camera identifier, as in cameras.toml
     * @param {(silent: number | null) => void} told called four times a second: null while the picture may be
     *     called live, else for how many milliseconds it was not renewed
     * @param {[number, number] | null} size wanted, in pixels
     * @param {URL} agent address of the agent's page, by default that from which this file came
     */
    constructor(image, camera, told, size = null, agent = new URL("..", import.meta.url)) {
        this.#image = image;
        this.#told = told;
        const query = size === null ? "" : `?size=${size.join("x")}`;
        this.#url = new URL(`ws/${encodeURIComponent(camera)}${query}`, agent);
        this.#url.protocol = this.#url.protocol === "https:" ? "wss:" : "ws:";
        this.#dial();
        setInterval(() => this.#judge(), 250);
    }

    #dial() {
        this.#heardAt = performance.now();
        this.#pieces = [];
        const socket = new WebSocket(this.#url);
        this.#socket = socket;
        socket.onmessage = ({ data }) => this.#received(data);
        socket.onclose = () => this.#lost();
    }

    #lost() {
        if (this.#socket === null) return;
        this.#socket.onmessage = this.#socket.onclose = null;
        this.#socket.close();
        this.#socket = null;
        setTimeout(() => this.#dial(), PAUSES[Math.min(this.#attempts, PAUSES.length - 1)]);
        this.#attempts += 1;
    }

    /** First `::N::`, then N times `~i~piece`, i from 1 to N. */
    #received(text) {
        const head = /^::(\d+)::$/.exec(text);
        if (head !== null) {
            this.#pieces = new Array(Number(head[1])).fill(null);
            return;
        }
        const end = text.indexOf("~", 1);
        const number = Number(text.slice(1, end));
        if (!(number >= 1 && number <= this.#pieces.length)) return;
        this.#pieces[number - 1] = text.slice(end + 1);
        if (number < this.#pieces.length || this.#pieces.includes(null)) return;
        this.#show(this.#pieces.join(""));
    }

    #show(url) {
        this.#heardAt = performance.now();
        this.#attempts = 0;
        if (url === this.#last) return; // sent again: no proof of anything new
        this.#last = url;
        this.#newAt = this.#heardAt;
        this.pictures += 1;
        this.#image.src = url;
    }

    #judge() {
        const now = performance.now();
        const silent = now - this.#heardAt;
        const same = now - this.#newAt;
        this.#told(silent < SILENT_AFTER && same < SAME_AFTER ? null : Math.max(silent, same));
        // A socket that says nothing is dropped, open or not: it may be half dead for ever.
        if (silent > SILENT_AFTER && this.#socket !== null) this.#lost();
    }
}
