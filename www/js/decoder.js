// Decodes a camera's own H.264 or H.265 for one tile, with the browser's decoder (WebCodecs).
//
// A new tile starts with the units since the last key frame, decoded at full speed, of which only the
// newest picture is drawn. Every VideoFrame is closed exactly once, in this file.

import { FORMAT } from "./frame.js";

/** @import { Frame, FrameLabel, Size, View } from "./types" */

/** Codecs tested before the cameras are known. */
const PROBES = { h264: "avc1.640028", h265: "hvc1.1.6.L123.B0" };
/** For the browser's answer which codecs it supports, in milliseconds. */
const PROBE_TIMEOUT = 1000;
/** An older picture, in milliseconds, counts as late; while catching up only the last late one is drawn. */
const LATE_AFTER = 400;
/** A picture that arrives later than this, in milliseconds, starts catching up again. */
const BEHIND_AFTER = 1000;
/** While catching up, a picture is drawn if no other follows within this time, in milliseconds… */
const HOLD_TIMEOUT = 80;
/** …and catching up ends after this time in any case: the clock behind the ages may be wrong. */
const CATCH_UP_TIMEOUT = 1000;
/** With more units than this in the queue, a key frame restarts the decoder. */
const MAX_QUEUE_AT_KEY = 8;
/** With more units than this in the queue beside the first group, units are dropped up to the next key frame. */
const MAX_QUEUE = 30;
/** Of the whole queue: more than the agent ever keeps. */
const MAX_UNITS = 11_000;
/** The first group has come after this time in any case, in milliseconds. */
const GROUP_TIMEOUT = 30_000;
/** A decoder without output for this long, in milliseconds, while units arrive, is stuck. */
const STUCK_AFTER = 5000;
/** Maximum number of pictures that a decoder holds back to reorder them. */
const MAX_REORDERED = 32;
/** This many failures within the window, in milliseconds, end decoding. */
const MAX_FAILURES = 3;
const FAILURE_WINDOW = 60_000;
/** Interval of the credits to the agent, in milliseconds; it does not wait for them. */
const CREDIT_INTERVAL = 1000;

/** @param {string} codec @returns {VideoDecoderConfig} */
const decoderConfig = (codec) => ({ codec, optimizeForLatency: true, hardwareAcceleration: "no-preference" });

/**
 * The formats that this browser can show, the preferred one first. Only a secure context (https or the
 * same machine) has video decoders.
 * @returns {Promise<string[]>}
 */
export async function showableFormats() {
    const formats = [];
    if (window.isSecureContext && "VideoDecoder" in window) {
        for (const [format, codec] of Object.entries(PROBES)) {
            try {
                /** @type {Promise<never>} */
                const timeout = new Promise((_, reject) => setTimeout(reject, PROBE_TIMEOUT));
                const answer = await Promise.race([VideoDecoder.isConfigSupported(decoderConfig(codec)), timeout]);
                if (answer.supported) formats.push(format);
            } catch {
                // A browser that does not know the codec's name cannot decode it.
            }
        }
    }
    return [...formats, "jpeg"];
}

/** @typedef {FrameLabel & {arrived: number}} Unit what is remembered of a unit in the decoder */

export class VideoFrameDecoder {
    /** Units given to the decoder, and the pictures it returned. */
    counts = { units: 0, pictures: 0, drawn: 0, skipped: 0, failures: 0 };

    #draw;
    #age;
    #onFailure;
    /** @type {VideoDecoder | null} */
    #decoder = null;
    /** The codec of the decoder, and of the next stream. @type {string | null} */
    #codec = null;
    /** @type {string | null} */
    #nextCodec = null;
    /** Picture size on square pixels, for the decoder and for the next stream. @type {Size | null} */
    #displaySize = null;
    /** @type {Size | null} */
    #nextDisplaySize = null;
    /** @type {Size | null} */
    #size = null;
    /** @type {View | null} */
    #view = null;
    #awaitsKey = true;
    /** Units in the decoder, by timestamp. @type {Map<number, Unit>} */
    #decoding = new Map();
    #timestamp = 0;
    /** Label of the newest picture. @type {FrameLabel | null} */
    #lastLabel = null;
    /** Page time at which catching up began; null otherwise. @type {number | null} */
    #catchingUpSince = null;
    /** Page time at which the first group must have come; 0 once it has. */
    #groupUntil = 0;
    /** The shortest queue since then: what is left of the group. */
    #backlog = 0;
    /** Page time of the decoder's last output. */
    #outputAt = 0;
    /** The picture that waits for HOLD_TIMEOUT. @type {{picture: VideoFrame, label: FrameLabel, arrived: number} | null} */
    #held = null;
    #holdTimer = 0;
    /** @type {number[]} page times of failures */
    #failures = [];
    #creditedAt = -Infinity;

    /**
     * @param {object} listener
     * @param {(picture: VideoFrame, size: Size, label: FrameLabel, arrived: number, view: View | null) => void} listener.draw
     *     draws synchronously what `view` leaves, at `size` in pixels; the picture is closed afterwards
     * @param {(taken: number, arrived: number, now: number) => number | null} listener.age of a picture in
     *     milliseconds, from agent time `taken` and page time `arrived`; null: unknown
     * @param {(reason: string) => void} listener.onFailure the browser cannot decode this stream
     */
    constructor({ draw, age, onFailure }) {
        this.#draw = draw;
        this.#age = age;
        this.#onFailure = onFailure;
    }

    /**
     * Sets what the agent reports about the following units.
     * @param {string | null} codec in the browser's notation: `avc1.640028`
     * @param {Size | null} displaySize on square pixels; null: as the browser computes it, often wrongly
     * @param {View | null} view what is done to each picture, from the next one on
     * @param {Size | null} size in samples
     */
    setStream(codec, displaySize = null, view = null, size = null) {
        // Another shape of the same samples need not wait for a key frame.
        if (codec === this.#codec && size !== null && String(size) === String(this.#size)) this.#displaySize = displaySize;
        this.#nextCodec = codec;
        this.#nextDisplaySize = displaySize;
        this.#size = size;
        this.#view = view;
    }

    /**
     * Takes an access unit.
     * @param {Frame} frame
     * @param {number} now page time of its arrival
     * @param {() => void} credit called from time to time, for the newest unit
     */
    push(frame, now, credit) {
        if (now - this.#creditedAt >= CREDIT_INTERVAL) {
            this.#creditedAt = now;
            credit();
        }
        if (frame.format === FORMAT.jpeg || this.#nextCodec === null) return;
        const oldest = this.#decoding.values().next().value;
        if (oldest !== undefined && now - Math.max(oldest.arrived, this.#outputAt) > STUCK_AFTER) {
            this.#fail("no picture comes out of it");
        }
        const age = this.#age(frame.taken, now, now);
        if (frame.key) this.#onKeyFrame(this.#nextCodec, now);
        else if (this.#awaitsKey || frame.skipped || this.#isFull(age, now)) {
            this.#awaitsKey = true;
            this.counts.skipped += 1;
            return;
        }
        if (this.#decoder === null) return;
        if (age !== null && age > BEHIND_AFTER) this.#catchingUpSince ??= now;
        this.#timestamp += 1;
        const { sequence, taken, damaged, payload } = frame;
        try {
            const type = frame.key ? "key" : "delta";
            this.#decoder.decode(new EncodedVideoChunk({ type, timestamp: this.#timestamp, data: payload }));
            this.#decoding.set(this.#timestamp, { sequence, taken, damaged, arrived: now });
            this.counts.units += 1;
        } catch (error) {
            this.#fail(/** @type {Error} */ (error).message);
        }
    }

    /** Releases decoder and pictures; the next unit starts again. */
    close() {
        this.#stop();
        this.#nextCodec = null;
        this.#nextDisplaySize = null;
        this.#lastLabel = null;
        this.#failures = [];
    }

    /** The units of the first group come at once and are old. @param {number | null} age @param {number} now */
    #isFull(age, now) {
        const queue = this.#decoder?.decodeQueueSize ?? 0;
        if ((age !== null && age < LATE_AFTER) || now > this.#groupUntil) this.#groupUntil = 0;
        this.#backlog = this.#groupUntil > 0 ? queue : Math.min(this.#backlog, queue);
        return queue > Math.min(this.#backlog + MAX_QUEUE, MAX_UNITS);
    }

    /** Starts a new decoder at a key frame, unless the current one can go on. @param {string} codec @param {number} now */
    #onKeyFrame(codec, now) {
        const sameStream = this.#codec === codec && String(this.#displaySize) === String(this.#nextDisplaySize);
        const canGoOn = this.#decoder !== null && sameStream && !this.#awaitsKey && this.#decoder.decodeQueueSize <= MAX_QUEUE_AT_KEY;
        this.#awaitsKey = false;
        if (canGoOn) return;
        this.#stop();
        this.#awaitsKey = false;
        this.#catchingUpSince = now;
        this.#groupUntil = now + GROUP_TIMEOUT;
        this.#backlog = 0;
        const decoder = new VideoDecoder({
            output: (picture) => this.#onOutput(decoder, picture),
            error: (error) => {
                if (this.#decoder === decoder) this.#fail(error.message, error.name === "NotSupportedError");
            },
        });
        this.#decoder = decoder;
        this.#codec = codec;
        this.#displaySize = this.#nextDisplaySize;
        try {
            decoder.configure(decoderConfig(codec));
        } catch (error) {
            this.#fail(/** @type {Error} */ (error).message, true);
        }
    }

    #stop() {
        if (this.#decoder !== null && this.#decoder.state !== "closed") this.#decoder.close();
        this.#decoder = null;
        this.#awaitsKey = true;
        this.counts.skipped += this.#decoding.size;
        this.#decoding.clear();
        this.#catchingUpSince = null;
        this.#dropHeld();
    }

    /** @param {string} reason */
    #fail(reason, isFinal = false) {
        this.#stop();
        this.counts.failures += 1;
        const now = performance.now();
        this.#failures = [...this.#failures.filter((at) => now - at < FAILURE_WINDOW), now];
        if (isFinal || this.#failures.length >= MAX_FAILURES) {
            this.#failures = [];
            this.#onFailure(reason);
        }
    }

    /** Takes a decoded picture; pictures come in presentation order. @param {VideoDecoder} decoder @param {VideoFrame} picture */
    #onOutput(decoder, picture) {
        const unit = this.#decoding.get(picture.timestamp);
        if (decoder !== this.#decoder || unit === undefined) {
            picture.close();
            return;
        }
        this.#outputAt = performance.now();
        // Units that gave no picture are not waited for.
        for (const timestamp of this.#decoding.keys()) {
            if (timestamp > picture.timestamp) break;
            if (timestamp === picture.timestamp || timestamp < picture.timestamp - MAX_REORDERED) this.#decoding.delete(timestamp);
        }
        this.counts.pictures += 1;
        const label = labelOf(unit, this.#lastLabel);
        this.#lastLabel = label;
        if (this.#isCatchingUp(unit, performance.now())) this.#hold(picture, label, unit.arrived);
        else this.#show(picture, label, unit.arrived);
    }

    /** @param {Unit} unit @param {number} now */
    #isCatchingUp(unit, now) {
        if (this.#catchingUpSince !== null && (this.#decoder?.decodeQueueSize ?? 0) > MAX_QUEUE) this.#catchingUpSince = now;
        if (this.#catchingUpSince === null || now - this.#catchingUpSince >= CATCH_UP_TIMEOUT) return false;
        const age = this.#age(unit.taken, unit.arrived, now);
        return age === null || age >= LATE_AFTER;
    }

    /** @param {VideoFrame} picture @param {FrameLabel} label @param {number} arrived */
    #show(picture, label, arrived) {
        this.#dropHeld();
        this.#catchingUpSince = null;
        try {
            this.#draw(picture, this.#displaySize ?? [picture.displayWidth, picture.displayHeight], label, arrived, this.#view);
            this.counts.drawn += 1;
        } finally {
            picture.close();
        }
    }

    /** @param {VideoFrame} picture @param {FrameLabel} label @param {number} arrived */
    #hold(picture, label, arrived) {
        this.#dropHeld();
        this.#held = { picture, label, arrived };
        this.#holdTimer = window.setTimeout(() => {
            this.#held = null;
            this.#show(picture, label, arrived);
        }, HOLD_TIMEOUT);
    }

    #dropHeld() {
        clearTimeout(this.#holdTimer);
        this.#held?.picture.close();
        this.#held = null;
    }
}

/**
 * The label of a picture: that of its unit, or of a B-frame the one after the last picture's.
 * @param {FrameLabel} unit
 * @param {FrameLabel | null} last
 * @returns {FrameLabel}
 */
function labelOf({ sequence, taken, damaged }, last) {
    const behind = last === null ? -1 : last.taken - taken;
    if (last === null || behind < 0 || behind > BEHIND_AFTER) return { sequence, taken, damaged };
    return { sequence: last.sequence, taken: last.taken + 0.001, damaged };
}
