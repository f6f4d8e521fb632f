// One camera as a Motion JPEG stream in an `<img>`, for pages without a WebSocket.
//
// A browser reports neither new pictures of such a stream nor its end. Two sources prove that pictures
// arrive. The agent's camera list says what it delivered to this stream, which has a name of its own.
// And once a second the page samples a few hundred pixels, whose noise differs between pictures. For a
// still scene the agent's list alone is enough for a while; then the page requests the stream again,
// because `load` announces the first picture.

import { agentUrl } from "./agent-url.js";

/** @import { Size, StreamFacts } from "./types" */

/** Sampling interval in milliseconds. */
const SAMPLE_INTERVAL = 1000;
/** Without any proof for this long, in milliseconds, the page requests the stream again. */
const RETRY_AFTER = 3000;
/** The same without a change seen in the pixels, in milliseconds. */
const RETRY_AFTER_UNSEEN = 15_000;
/** The agent's list alone counts for this long: a proxy may hold pictures back. In milliseconds. */
const MAX_UNSEEN = 20_000;
/** Minimum time between two requests, in milliseconds. */
const MIN_RETRY_INTERVAL = 2000;
const SAMPLE = { width: 64, height: 36 };
/** Distinguishes this page's streams from all others. */
const PAGE_ID = Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36)).join("");
let requests = 0;

export class MotionJpeg {
    /** The name of this stream in the agent's list. */
    viewer = "";

    #image;
    #picture;
    /** @type {string | null} */
    #url = null;
    #requestedAt = 0;
    #sampledAt = 0;
    /** Page time of the last change seen in the pixels. @type {number | null} */
    #seenAt = null;
    /** Page time of the last delivery in the agent's list. @type {number | null} */
    #deliveredAt = null;
    #failed = false;
    #loaded = false;
    #hash = 0;
    /** @type {OffscreenCanvasRenderingContext2D | null} */
    #sampler = null;

    /**
     * @param {HTMLImageElement} image
     * @param {import("./picture.js").Picture} picture lies below the image and keeps its last picture
     *     during a new request
     */
    constructor(image, picture) {
        this.#image = image;
        this.#picture = picture;
        image.onload = () => this.#onLoad();
        image.onerror = () => {
            this.#failed = this.#url !== null;
        };
    }

    /** Page time of the last proof of a new picture; null before the first. */
    get provenAt() {
        if (this.#seenAt === null) return null; // the agent may have delivered, but the page shows nothing yet
        return Math.max(this.#seenAt, Math.min(this.#deliveredAt ?? 0, this.#seenAt + MAX_UNSEEN));
    }

    /**
     * Requests `camera` at `size` (device pixels), unless that stream runs already.
     * @param {string} camera
     * @param {Size} size
     * @param {number} fps
     */
    watch(camera, [width, height], fps) {
        const url = agentUrl(`live/${encodeURIComponent(camera)}?size=${width}x${height}&fps=${fps}`);
        if (url === this.#url) return;
        this.#url = url;
        this.#request(performance.now());
    }

    /** Closes the connection; the last picture stays on the canvas below. */
    stop() {
        if (this.#url === null) return;
        this.#url = null;
        this.#disconnect();
    }

    /** Like `stop`, and discards all proof. */
    release() {
        this.stop();
        this.#seenAt = this.#deliveredAt = null;
    }

    /**
     * Takes what the agent's list says about the streams of this camera.
     * @param {StreamFacts[]} streams
     * @param {number} answeredAt page time of the list
     */
    onList(streams, answeredAt) {
        const own = streams.find((stream) => stream.viewer === this.viewer);
        if (own === undefined || own.age === null) return;
        this.#deliveredAt = Math.max(this.#deliveredAt ?? 0, answeredAt - own.age * 1000);
    }

    /** Samples the picture and retries the stream; call it several times a second. @param {number} now page time */
    check(now) {
        if (this.#url === null) return;
        if (this.#loaded && now - this.#sampledAt >= SAMPLE_INTERVAL) this.#sample(now);
        const proven = Math.max(this.provenAt ?? 0, this.#requestedAt);
        const seen = Math.max(this.#seenAt ?? 0, this.#requestedAt);
        const isDue = this.#failed || now - proven > RETRY_AFTER || now - seen > RETRY_AFTER_UNSEEN;
        if (isDue && now - this.#requestedAt > MIN_RETRY_INTERVAL) this.#request(now);
    }

    #request(now) {
        this.#disconnect();
        this.#failed = false;
        this.#requestedAt = now;
        // Each request has a new name; otherwise the browser reuses the old, dead answer.
        requests += 1;
        this.viewer = `${PAGE_ID}-${requests}`;
        this.#image.src = `${this.#url}&viewer=${this.viewer}`;
    }

    #disconnect() {
        if (this.#loaded) this.#picture.copyFrom(this.#image);
        this.#loaded = false;
        this.#image.hidden = true;
        this.#image.removeAttribute("src"); // closes the connection
    }

    #onLoad() {
        if (this.#url === null) return;
        // `load` fires once per request in Chromium and once per picture elsewhere; both prove a new picture.
        this.#loaded = true;
        this.#image.hidden = false;
        this.#seenAt = performance.now();
    }

    #sample(now) {
        this.#sampledAt = now;
        this.#sampler ??= createSampler();
        this.#sampler.drawImage(this.#image, 0, 0, SAMPLE.width, SAMPLE.height);
        const { data } = this.#sampler.getImageData(0, 0, SAMPLE.width, SAMPLE.height);
        const hash = new Uint32Array(data.buffer).reduce((sum, pixel) => (Math.imul(sum, 31) + pixel) | 0, 7);
        if (hash !== this.#hash) this.#seenAt = now;
        this.#hash = hash;
    }
}

function createSampler() {
    const canvas = new OffscreenCanvas(SAMPLE.width, SAMPLE.height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false, willReadFrequently: true }));
    // Without smoothing each sample is one pixel of the camera's picture, with its noise.
    context.imageSmoothingEnabled = false;
    return context;
}
