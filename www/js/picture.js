// The canvas of one tile, and its JPEG decoder: one decode at a time, the newest picture wins.
//
// While one picture is decoded, only the newest arrival waits. An older picture never replaces a newer
// one on the canvas. Every bitmap is closed.
//
// `push` takes encoded JPEGs; other decoders pass their decoded images to `draw`.

import { isNewer } from "./frame.js";

/** @import { Frame, FrameLabel, Size, View } from "./types" */

/** After this time, in milliseconds, a decode is no longer waited for. */
const DECODE_TIMEOUT = 3000;
/** Time over which the frame rate is measured, in milliseconds. */
const RATE_WINDOW = 3000;

/** Loaded when needed. @type {typeof import("./view.js").drawView | null} */
let drawView = null;

/** @typedef {{frame: Frame, arrived: number, done: () => void}} Job */

export class Picture {
    /** What is on the canvas; `arrived` is page time. @type {FrameLabel & {arrived: number} | null} */
    shown = null;
    width = 0;
    height = 0;

    #canvas;
    #context;
    /** @type {Job | null} */
    #decoding = null;
    /** @type {Job | null} */
    #waiting = null;
    /** @type {number[]} page times of the last pictures drawn */
    #drawnAt = [];
    #lag = { sum: 0, count: 0 };

    /** @param {HTMLCanvasElement} canvas */
    constructor(canvas) {
        this.#canvas = canvas;
        this.#context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
    }

    /**
     * Takes a frame; calls `done` once it is drawn or dropped.
     * @param {Frame} frame
     * @param {number} now page time of its arrival
     * @param {() => void} done
     */
    push(frame, now, done) {
        const job = { frame, arrived: now, done };
        if (this.#decoding !== null && now - this.#decoding.arrived < DECODE_TIMEOUT) {
            const replaced = this.#waiting;
            if (replaced !== null && !isNewer(frame, replaced.frame)) {
                done();
            } else {
                this.#waiting = job;
                replaced?.done();
            }
            return;
        }
        this.#decode(job);
    }

    /** Pictures drawn per second recently; 0 if there were none. @param {number} now page time */
    rate(now) {
        const recent = this.#drawnAt.filter((at) => now - at < RATE_WINDOW);
        const span = recent.length < 2 ? 0 : recent[recent.length - 1] - recent[0];
        // A burst after a standstill may be drawn within one tick of the clock.
        return span > 0 ? ((recent.length - 1) * 1000) / span : 0;
    }

    /** The summed milliseconds from arrival to drawing of all pictures since the last call, and their number. */
    takeLag() {
        const lag = this.#lag;
        this.#lag = { sum: 0, count: 0 };
        return lag;
    }

    /** Blanks the canvas and discards running decodes. */
    clear() {
        this.#decoding = null;
        this.#waiting = null;
        this.#drawnAt = [];
        this.shown = null;
        this.width = 0;
        this.height = 0;
        this.#canvas.width = 1; // also frees the pixels
        this.#canvas.height = 1;
    }

    /** @param {Job} job */
    async #decode(job) {
        this.#decoding = job;
        let bitmap = null;
        try {
            bitmap = await createImageBitmap(new Blob([job.frame.payload], { type: "image/jpeg" }));
        } catch {
            // A damaged picture is skipped; the age of the picture shown keeps growing.
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
     * Draws a decoded picture unless a newer one is shown; returns whether it did. The caller closes the image.
     * @param {CanvasImageSource} image an ImageBitmap or a VideoFrame
     * @param {Size} size of the canvas, which sets the aspect ratio
     * @param {FrameLabel} frame the source of the image
     * @param {number} arrived page time of its arrival
     * @param {View | null} [view] what is done to it
     */
    draw(image, [width, height], frame, arrived, view = null) {
        if (!isNewer(frame, this.shown)) return false;
        if (view !== null && drawView === null) {
            void import("./view.js").then((loaded) => ({ drawView } = loaded));
            return false;
        }
        const canvas = this.#canvas;
        if (canvas.width !== width || canvas.height !== height) {
            canvas.width = this.width = width;
            canvas.height = this.height = height;
        }
        if (view === null) this.#context.drawImage(image, 0, 0, width, height);
        else drawView?.(this.#context, /** @type {any} */ (image), width, height, view);
        this.shown = { sequence: frame.sequence, taken: frame.taken, damaged: frame.damaged, arrived };
        const now = performance.now();
        this.#lag.sum += now - arrived;
        this.#lag.count += 1;
        this.#drawnAt.push(now);
        while (now - this.#drawnAt[0] > RATE_WINDOW) this.#drawnAt.shift();
        return true;
    }

    /** Copies the pixels of an `<img>` before its stream is requested again. @param {HTMLImageElement} image */
    copyFrom(image) {
        if (image.naturalWidth === 0) return;
        this.#canvas.width = image.naturalWidth;
        this.#canvas.height = image.naturalHeight;
        this.#context.drawImage(image, 0, 0);
    }
}
