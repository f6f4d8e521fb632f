// Decodes a camera's own H.264 or H.265 for one tile, with the browser's decoder (WebCodecs).
//
// Units depend on each other: what is left out costs everything up to the next key frame. A new tile
// begins with the units since the last key frame; they are decoded as fast as can be, and only the
// newest is drawn. Every VideoFrame is closed exactly once, here.

import { FORMAT } from "./frame.js";

/** What is asked of a browser before the cameras are known: High profile, and Main of H.265. */
const PROBES = { h264: "avc1.640028", h265: "hvc1.1.6.L123.B0" };
/** A browser that does not answer what it can decode within this, in milliseconds, is not asked on. */
const ANSWER_WITHIN = 1000;
/** A picture this old, in milliseconds, is one of the past: it is decoded, and drawn only as the last. */
const PAST = 400;
/** One that comes later than this, in milliseconds, begins a time of catching up again. */
const FELL_BEHIND = 1000;
/** While catching up, a picture is drawn if none follows for this long, in milliseconds… */
const QUIET = 80;
/** …and one each second in any case: the clock that says how old pictures are may be wrong. */
const CATCH_UP_WITHIN = 1000;
/** More units than this in front of a key frame are passed by. */
const MOST_BEFORE_KEY = 8;
/** With more units than this in the decoder's queue, it waits for a key frame. */
const MOST_QUEUED = 30;
/** And while it catches up: more than the agent ever keeps. */
const MOST_QUEUED_AT_FIRST = 700;
/** A decoder that owes a picture for this long, in milliseconds, while units arrive is stuck. */
const STUCK_AFTER = 5000;
/** Pictures that a decoder holds back to put them in order, at most. */
const MOST_HELD_BACK = 32;
/** So many failures within so many milliseconds are one too many. */
const MOST_FAILURES = 3;
const FAILURES_WITHIN = 60_000;
/** The agent is told what was drawn this often, in milliseconds: it does not wait for it. */
const CREDIT_EVERY = 1000;

const configuration = (codec) => ({ codec, optimizeForLatency: true, hardwareAcceleration: "no-preference" });

/**
 * The formats this browser can show here, the one it likes best first. Only a secure context (https,
 * or the machine itself) has decoders.
 * @returns {Promise<string[]>}
 */
export async function showableFormats() {
    const formats = [];
    if (window.isSecureContext && "VideoDecoder" in window) {
        for (const [format, codec] of Object.entries(PROBES)) {
            try {
                const late = new Promise((_, fail) => setTimeout(fail, ANSWER_WITHIN));
                const answer = await Promise.race([VideoDecoder.isConfigSupported(configuration(codec)), late]);
                if (answer.supported) formats.push(format);
            } catch {
                // A browser that does not even know the name cannot decode it.
            }
        }
    }
    return [...formats, "jpeg"];
}

export class UnitDecoder {
    /** Units given to the decoder, and pictures that came of them. */
    counts = { units: 0, pictures: 0, drawn: 0, skipped: 0, failures: 0 };

    #draw;
    #age;
    #failed;
    /** @type {VideoDecoder | null} */
    #decoder = null;
    /** What the decoder is configured for, and what the agent says that the stream is. */
    #configured = null;
    #told = null;
    /** The size that the agent says the picture has on square pixels, for the decoder there is and for the next. */
    #shape = null;
    #nextShape = null;
    #awaitsKey = true;
    /** @type {Map<number, {sequence: number, taken: number, arrived: number}>} in the decoder, by time stamp */
    #inside = new Map();
    #stamp = 0;
    /** What the newest picture was labelled with. */
    #label = null;
    /** While catching up: page time at which that began. */
    #catchingUpSince = null;
    /** @type {{picture: VideoFrame, label: object} | null} waits for QUIET */
    #held = null;
    #quiet = 0;
    /** @type {number[]} page times of failures */
    #failures = [];
    #creditedAt = -Infinity;

    /**
     * @param {object} use
     * @param {(picture: VideoFrame, size: [number, number], label: {sequence: number, taken: number}, arrived: number) => void} use.draw
     *     draws at once, at `size` in pixels; the picture is closed afterwards
     * @param {(taken: number, arrived: number, now: number) => number | null} use.age milliseconds since a
     *     picture was taken (agent time) that arrived at `arrived` (page time); null: not known
     * @param {(reason: string) => void} use.failed this decoder is of no use for this stream
     */
    constructor({ draw, age, failed }) {
        this.#draw = draw;
        this.#age = age;
        this.#failed = failed;
    }

    /**
     * The agent's word of what comes next.
     * @param {string | null} codec as browsers name it: `avc1.640028`
     * @param {[number, number] | null} shape size on square pixels; null: as the browser says. Not every decoder obeys
     *     the sample aspect in the stream, and none leaves a nonsensical one alone as the agent does for its JPEGs
     */
    expect(codec, shape = null) {
        this.#told = codec;
        this.#nextShape = shape;
    }

    /**
     * Takes a unit that arrived at page time `now`. `done` is called now and then, for the newest.
     * @param {import("./frame.js").Frame} frame
     */
    offer(frame, now, done) {
        if (now - this.#creditedAt >= CREDIT_EVERY) {
            this.#creditedAt = now;
            done();
        }
        if (frame.format === FORMAT.jpeg || this.#told === null) return;
        const oldest = this.#inside.values().next().value;
        if (oldest !== undefined && now - oldest.arrived > STUCK_AFTER) {
            this.#break("no picture comes out of it");
        }
        if (frame.key) this.#begin(now);
        else if (this.#awaitsKey || frame.skipped || this.#isFull()) {
            this.#awaitsKey = true;
            this.counts.skipped += 1;
            return;
        }
        if (this.#decoder === null) return;
        const age = this.#age(frame.taken, now, now);
        if (age !== null && age > FELL_BEHIND) this.#catchingUpSince ??= now;
        this.#stamp += 1;
        const { sequence, taken, payload } = frame;
        try {
            const type = frame.key ? "key" : "delta";
            this.#decoder.decode(new EncodedVideoChunk({ type, timestamp: this.#stamp, data: payload }));
            this.#inside.set(this.#stamp, { sequence, taken, arrived: now });
            this.counts.units += 1;
        } catch (error) {
            this.#break(error.message);
        }
    }

    /** Lets go of decoder and pictures; the next unit begins anew. */
    close() {
        this.#stop();
        this.#told = null;
        this.#nextShape = null;
        this.#label = null;
        this.#failures = [];
    }

    #isFull() {
        const most = this.#catchingUpSince === null ? MOST_QUEUED : MOST_QUEUED_AT_FIRST;
        return this.#decoder !== null && this.#decoder.decodeQueueSize > most;
    }

    /** A key frame came: begins with it where there is reason to, else it is one unit like others. */
    #begin(now) {
        const sameStream = this.#configured === this.#told && String(this.#shape) === String(this.#nextShape);
        const same = this.#decoder !== null && sameStream && !this.#awaitsKey;
        this.#awaitsKey = false;
        if (same && this.#decoder.decodeQueueSize <= MOST_BEFORE_KEY) return;
        this.#stop();
        this.#awaitsKey = false;
        this.#catchingUpSince = now;
        const decoder = new VideoDecoder({
            output: (picture) => this.#take(decoder, picture),
            error: (error) => {
                if (this.#decoder === decoder) this.#break(error.message, error.name === "NotSupportedError");
            },
        });
        this.#decoder = decoder;
        this.#configured = this.#told;
        this.#shape = this.#nextShape;
        try {
            decoder.configure(configuration(this.#told));
        } catch (error) {
            this.#break(error.message, true);
        }
    }

    #stop() {
        if (this.#decoder !== null && this.#decoder.state !== "closed") this.#decoder.close();
        this.#decoder = null;
        this.#awaitsKey = true;
        this.counts.skipped += this.#inside.size;
        this.#inside.clear();
        this.#catchingUpSince = null;
        this.#letGo();
    }

    #break(reason, forGood = false) {
        this.#stop();
        this.counts.failures += 1;
        const now = performance.now();
        this.#failures = [...this.#failures.filter((at) => now - at < FAILURES_WITHIN), now];
        if (forGood || this.#failures.length >= MOST_FAILURES) {
            this.#failures = [];
            this.#failed(reason);
        }
    }

    /** A picture is finished; they come in the order in which they are to be shown. */
    #take(decoder, picture) {
        const unit = this.#inside.get(picture.timestamp);
        if (decoder !== this.#decoder || unit === undefined) {
            picture.close();
            return;
        }
        // Units that gave no picture are not waited for.
        for (const stamp of this.#inside.keys()) {
            if (stamp === picture.timestamp || stamp < picture.timestamp - MOST_HELD_BACK) this.#inside.delete(stamp);
        }
        this.counts.pictures += 1;
        this.#label = follow(unit, this.#label);
        const now = performance.now();
        if (this.#catchingUpSince !== null && !this.#hasCaughtUp(unit, now)) {
            this.#hold(picture, this.#label, unit.arrived);
            return;
        }
        this.#show(picture, this.#label, unit.arrived);
    }

    #hasCaughtUp(unit, now) {
        const age = this.#age(unit.taken, unit.arrived, now);
        const young = age !== null && age < PAST;
        return young || now - this.#catchingUpSince >= CATCH_UP_WITHIN;
    }

    #show(picture, label, arrived) {
        this.#letGo();
        this.#catchingUpSince = null;
        try {
            this.#draw(picture, this.#shape ?? [picture.displayWidth, picture.displayHeight], label, arrived);
            this.counts.drawn += 1;
        } finally {
            picture.close();
        }
    }

    #hold(picture, label, arrived) {
        this.#letGo();
        this.#held = { picture, label, arrived };
        this.#quiet = setTimeout(() => {
            const { picture, label, arrived } = this.#held;
            this.#held = null;
            this.#show(picture, label, arrived);
        }, QUIET);
    }

    #letGo() {
        clearTimeout(this.#quiet);
        this.#held?.picture.close();
        this.#held = null;
    }
}

/**
 * What a picture is called: by its unit, except that one that was sent before pictures shown before it
 * (they were B-frames) goes on from those. A clock set back is no reason to.
 */
function follow({ sequence, taken }, before) {
    const behind = before === null ? -1 : before.taken - taken;
    if (behind < 0 || behind > FELL_BEHIND) return { sequence, taken };
    return { sequence: before.sequence, taken: before.taken + 0.001 };
}
