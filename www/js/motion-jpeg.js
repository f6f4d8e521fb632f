// One camera as a Motion JPEG stream in an `<img>`, for walls without a WebSocket.
//
// A browser tells nothing about such a stream: neither new pictures nor its end. So the page looks
// itself: once a second it samples a few hundred pixels, whose noise differs from picture to
// picture. A picture that does not change may be a quiet scene or a dead stream; a new request
// settles it, for its first picture announces itself by `load`.

/** Sampling interval in milliseconds. */
const SAMPLE_EVERY = 1000;
/** Without a proof of life for this long, in milliseconds, the stream is asked for anew. */
const RENEW_AFTER = 3000;
/** Not before this many milliseconds after the last request. */
const RENEW_EVERY = 2000;
const SAMPLE = { width: 64, height: 36 };

export class MotionJpeg {
    /** Page time of the last proof that the picture is new; null before the first. */
    provenAt = null;

    #image;
    #picture;
    #address = null;
    #requestedAt = 0;
    #sampledAt = 0;
    #renewals = 0;
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

    /** Watches `camera` at `size` (device pixels); nothing happens if that is so already. */
    watch(camera, [width, height], fps) {
        const address = `/live/${encodeURIComponent(camera)}?size=${width}x${height}&fps=${fps}`;
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
        this.provenAt = null;
    }

    /** Looks for life; call it several times a second. */
    check(now) {
        if (this.#address === null) return;
        if (this.#loaded && now - this.#sampledAt >= SAMPLE_EVERY) this.#sample(now);
        const proof = Math.max(this.provenAt ?? 0, this.#requestedAt);
        const due = this.#failed || now - proof > RENEW_AFTER;
        if (due && now - this.#requestedAt > RENEW_EVERY) this.#request(now);
    }

    #request(now) {
        this.#letGo();
        this.#failed = false;
        this.#requestedAt = now;
        this.#renewals += 1;
        // A new address each time, or the browser takes the old, dead answer from its memory.
        this.#image.src = `${this.#address}&again=${this.#renewals}`;
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
        this.provenAt = performance.now();
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
        if (hash !== this.#hash) this.provenAt = now;
        this.#hash = hash;
    }
}
