// One camera as a Motion JPEG stream in an `<img>`, for walls without a WebSocket.
//
// A browser tells nothing about such a stream: neither new pictures nor its end. Two witnesses are
// heard instead. The agent tells in its list what it has delivered to this stream, which has a name
// of its own. And the page looks itself: once a second it samples a few hundred pixels, whose noise
// differs from picture to picture. A quiet scene is believed on the agent's word alone for a while;
// then the stream is asked for anew, for its first picture announces itself by `load`.

import { agentUrl } from "./agent-url.js";

/** Sampling interval in milliseconds. */
const SAMPLE_EVERY = 1000;
/** Without any proof of life for this long, in milliseconds, the stream is asked for anew. */
const RENEW_AFTER = 3000;
/** Nor is the agent believed without the page's own eyes for longer than this, in milliseconds. */
const UNSEEN_FOR = 15_000;
/** The agent's word alone counts up to here: something between it and the page may hold pictures back. */
const BELIEVED_FOR = 20_000;
/** Not before this many milliseconds after the last request. */
const RENEW_EVERY = 2000;
const SAMPLE = { width: 64, height: 36 };
/** Tells this page's streams from those of all others. */
const PAGE = Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36)).join("");
let named = 0;

export class MotionJpeg {
    /** The name under which the agent lists this stream. */
    viewer = "";

    #image;
    #picture;
    #address = null;
    #requestedAt = 0;
    #sampledAt = 0;
    /** Page times of the last proofs that the picture is new; null before the first. */
    #seenAt = null;
    #toldAt = null;
    #failed = false;
    #loaded = false;
    #hash = 0;
    #sampler;

    /**
     * @param {HTMLImageElement} image
     * @param {import("./picture.js").Picture} picture lies under the image and keeps its last picture
     *     while it is asked for again
     */
    constructor(image, picture) {
        this.#image = image;
        this.#picture = picture;
        image.onload = () => this.#arrived();
        image.onerror = () => {
            this.#failed = this.#address !== null;
        };
    }

    /** Page time of the last proof that the picture is new; null before the first. */
    get provenAt() {
        if (this.#seenAt === null) return null; // the agent may have delivered, but nothing can be seen
        return Math.max(this.#seenAt, Math.min(this.#toldAt ?? 0, this.#seenAt + BELIEVED_FOR));
    }

    /** Watches `camera` at `size` (device pixels); nothing happens if that is so already. */
    watch(camera, [width, height], fps) {
        const address = agentUrl(`live/${encodeURIComponent(camera)}?size=${width}x${height}&fps=${fps}`);
        if (address === this.#address) return;
        this.#address = address;
        this.#request(performance.now());
    }

    /** Gives the connection back; the last picture stays on the canvas below. */
    stop() {
        if (this.#address === null) return;
        this.#address = null;
        this.#letGo();
    }

    /** As `stop`, and nothing proven before counts any more. */
    release() {
        this.stop();
        this.#seenAt = this.#toldAt = null;
    }

    /**
     * Takes the agent's word of page time `heardAt` about the streams of this camera.
     * @param {{viewer: string, age: number | null}[]} streams `age` in seconds
     */
    told(streams, heardAt) {
        const mine = streams.find((stream) => stream.viewer === this.viewer);
        if (mine === undefined || mine.age === null) return;
        this.#toldAt = Math.max(this.#toldAt ?? 0, heardAt - mine.age * 1000);
    }

    /** Looks for life; call it several times a second. */
    check(now) {
        if (this.#address === null) return;
        if (this.#loaded && now - this.#sampledAt >= SAMPLE_EVERY) this.#sample(now);
        const proven = Math.max(this.provenAt ?? 0, this.#requestedAt);
        const seen = Math.max(this.#seenAt ?? 0, this.#requestedAt);
        const due = this.#failed || now - proven > RENEW_AFTER || now - seen > UNSEEN_FOR;
        if (due && now - this.#requestedAt > RENEW_EVERY) this.#request(now);
    }

    #request(now) {
        this.#letGo();
        this.#failed = false;
        this.#requestedAt = now;
        // A new name each time, or the browser takes the old, dead answer from its memory.
        named += 1;
        this.viewer = `${PAGE}-${named}`;
        this.#image.src = `${this.#address}&viewer=${this.viewer}`;
    }

    #letGo() {
        if (this.#loaded) this.#picture.keep(this.#image);
        this.#loaded = false;
        this.#image.hidden = true;
        this.#image.removeAttribute("src"); // closes the connection
    }

    #arrived() {
        if (this.#address === null) return;
        // `load` comes once per request in Chromium and once per picture elsewhere: both prove life.
        this.#loaded = true;
        this.#image.hidden = false;
        this.#seenAt = performance.now();
    }

    #sample(now) {
        this.#sampledAt = now;
        this.#sampler ??= new OffscreenCanvas(SAMPLE.width, SAMPLE.height).getContext("2d", {
            alpha: false,
            willReadFrequently: true,
        });
        // Without smoothing each sample is one pixel of the camera's, with its noise.
        this.#sampler.imageSmoothingEnabled = false;
        this.#sampler.drawImage(this.#image, 0, 0, SAMPLE.width, SAMPLE.height);
        const { data } = this.#sampler.getImageData(0, 0, SAMPLE.width, SAMPLE.height);
        const hash = new Uint32Array(data.buffer).reduce((sum, pixel) => (Math.imul(sum, 31) + pixel) | 0, 7);
        if (hash !== this.#hash) this.#seenAt = now;
        this.#hash = hash;
    }
}
