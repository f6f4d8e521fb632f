// Decodes the JPEGs of one tile and draws them to its canvas, one at a time, the newest winning.
//
// A picture on its way is never waited for twice: while one is decoded the newest arrival waits
// alone, and an older one never follows a newer one onto the canvas. Every bitmap is closed.

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
        if (recent.length < 2) return 0;
        return ((recent.length - 1) * 1000) / (recent.at(-1) - recent[0]);
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
            if (bitmap !== null && isNewer(job.frame, this.shown)) this.#draw(bitmap, job);
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

    #draw(bitmap, { frame, arrived }) {
        const canvas = this.#canvas;
        if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
            canvas.width = this.width = bitmap.width;
            canvas.height = this.height = bitmap.height;
        }
        this.#context.drawImage(bitmap, 0, 0);
        this.shown = { sequence: frame.sequence, taken: frame.taken, arrived };
        const now = performance.now();
        this.#drawnAt.push(now);
        while (now - this.#drawnAt[0] > RATE_WINDOW) this.#drawnAt.shift();
    }

    /** Keeps the pixels of `image` as a picture of the past, for an `<img>` about to be begun again. */
    keep(image) {
        if (image.naturalWidth === 0) return;
        this.#canvas.width = image.naturalWidth;
        this.#canvas.height = image.naturalHeight;
        this.#context.drawImage(image, 0, 0);
    }
}
