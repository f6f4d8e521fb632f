// What is on the canvas of one tile, and the decoding of its JPEGs, one at a time, the newest winning.
//
// A picture on its way is never waited for twice: while one is decoded the newest arrival waits
// alone, and an older one never follows a newer one onto the canvas. Every bitmap is closed.
//
// `offer` takes encoded JPEGs; whoever decodes something else hands the decoded image to `draw`.

import { isNewer } from "./frame.js";

/** A decoder that takes longer, in milliseconds, is not waited for. */
const DECODE_WITHIN = 3000;
/** The measured rate looks back this far, in milliseconds. */
const RATE_WINDOW = 3000;

export class Picture {
    /** What is on the canvas; `arrived` is page time, `taken` agent time in milliseconds. */
    shown = null;
    width = 0;
    height = 0;

    #canvas;
    #context;
    #decoding = null;
    #waiting = null;
    /** @type {number[]} page times of the last pictures drawn */
    #drawnAt = [];
    #lag = { sum: 0, count: 0 };

    /** @param {HTMLCanvasElement} canvas */
    constructor(canvas) {
        this.#canvas = canvas;
        this.#context = canvas.getContext("2d", { alpha: false });
    }

    /**
     * Takes a frame that arrived at page time `now`; calls `done` when it is drawn or given up.
     * @param {import("./frame.js").Frame} frame
     */
    offer(frame, now, done) {
        const job = { frame, arrived: now, done };
        if (this.#decoding !== null && now - this.#decoding.arrived < DECODE_WITHIN) {
            const passed = this.#waiting;
            if (passed !== null && !isNewer(frame, passed.frame)) {
                done();
            } else {
                this.#waiting = job;
                passed?.done();
            }
            return;
        }
        this.#decode(job);
    }

    /** Pictures drawn per second of late; 0 when none were. */
    rate(now) {
        const recent = this.#drawnAt.filter((at) => now - at < RATE_WINDOW);
        const span = recent.length < 2 ? 0 : recent.at(-1) - recent[0];
        // A burst after a standstill may be drawn within one tick of the clock.
        return span > 0 ? ((recent.length - 1) * 1000) / span : 0;
    }

    /**
     * Milliseconds from arrival to drawing of the pictures drawn since the last call, added up, and
     * their number.
     */
    takeLag() {
        const lag = this.#lag;
        this.#lag = { sum: 0, count: 0 };
        return lag;
    }

    /** Blanks the canvas; whatever is still being decoded is thrown away. */
    clear() {
        this.#decoding = null;
        this.#waiting = null;
        this.#drawnAt = [];
        this.shown = null;
        this.width = 0;
        this.height = 0;
        this.#canvas.width = 1; // frees the pixels as well
        this.#canvas.height = 1;
    }

    async #decode(job) {
        this.#decoding = job;
        let bitmap = null;
        try {
            bitmap = await createImageBitmap(new Blob([job.frame.payload], { type: "image/jpeg" }));
        } catch {
            // A damaged picture is skipped; the age of the one shown goes on growing.
        }
        if (this.#decoding === job) {
            if (bitmap !== null) this.draw(bitmap, [bitmap.width, bitmap.height], job.frame, job.arrived);
            this.#decoding = null;
        }
        bitmap?.close();
        job.done();
        if (this.#decoding === null && this.#waiting !== null) {
            const next = this.#waiting;
            this.#waiting = null;
            this.#decode(next);
        }
    }

    /**
     * Draws a decoded picture unless a newer one is shown; returns whether it did. The image stays the
     * caller's, to be closed.
     * @param {CanvasImageSource} image an ImageBitmap or a VideoFrame
     * @param {[number, number]} size to draw it at, which gives it its shape
     * @param {{sequence: number, taken: number}} frame what it was decoded from
     * @param {number} arrived page time at which that came
     */
    draw(image, [width, height], frame, arrived) {
        if (!isNewer(frame, this.shown)) return false;
        const canvas = this.#canvas;
        if (canvas.width !== width || canvas.height !== height) {
            canvas.width = this.width = width;
            canvas.height = this.height = height;
        }
        this.#context.drawImage(image, 0, 0, width, height);
        this.shown = { sequence: frame.sequence, taken: frame.taken, arrived };
        const now = performance.now();
        this.#lag.sum += now - arrived;
        this.#lag.count += 1;
        this.#drawnAt.push(now);
        while (now - this.#drawnAt[0] > RATE_WINDOW) this.#drawnAt.shift();
        return true;
    }

    /** Keeps the pixels of `image` as a picture of the past, for an `<img>` about to be begun again. */
    keep(image) {
        if (image.naturalWidth === 0) return;
        this.#canvas.width = image.naturalWidth;
        this.#canvas.height = image.naturalHeight;
        this.#context.drawImage(image, 0, 0);
    }
}
