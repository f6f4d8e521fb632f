// What this page saw of each camera in the last minutes: the picture's age second by second, and the
// changes between live and not live. It exists in the page's memory only.

/** @import { StateChange, TileStatus } from "./types" */

/** Seconds remembered. */
export const SECONDS = 300;
/** State changes remembered for each camera. */
const MAX_CHANGES = 6;

/**
 * @typedef {object} CameraHistory
 * @property {number} second page time of the newest entry in seconds
 * @property {Float32Array} ages a ring of `SECONDS` entries, NaN where the camera was not shown
 * @property {Uint8Array} live
 * @property {StateChange[]} changes
 * @property {TileStatus} status
 */

export class History {
    /** @type {Map<string, CameraHistory>} */
    #cameras = new Map();

    /**
     * Records the status of a tile at page time `now`.
     * @param {string} camera
     * @param {TileStatus} status
     * @param {number} now
     */
    note(camera, status, now) {
        const second = Math.floor(now / 1000);
        let past = this.#cameras.get(camera);
        if (past === undefined) {
            past = { second, ages: new Float32Array(SECONDS).fill(NaN), live: new Uint8Array(SECONDS), changes: [], status };
            this.#cameras.set(camera, past);
        }
        // Seconds in which the camera was not shown stay unknown.
        for (let missed = Math.max(past.second + 1, second - SECONDS + 1); missed <= second; missed += 1) past.ages[missed % SECONDS] = NaN;
        const i = second % SECONDS;
        const first = second !== past.second || Number.isNaN(past.ages[i]);
        const age = status.age ?? Infinity;
        // The worst value of the second counts.
        past.ages[i] = first ? age : Math.max(past.ages[i], age);
        past.live[i] = Number(status.verdict === "live" && (first || past.live[i] === 1));
        past.second = second;
        past.status = status;
        const last = past.changes.at(-1);
        if (last?.verdict === status.verdict) {
            if (status.why !== "") Object.assign(last, { why: status.why, reason: status.reason });
        } else {
            past.changes.push({ at: Date.now(), verdict: status.verdict, why: status.why, reason: status.reason });
            if (past.changes.length > MAX_CHANGES) past.changes.shift();
        }
    }

    /** The last status; undefined for a camera that was not on the screen. @param {string} camera */
    latest(camera) {
        return this.#cameras.get(camera)?.status;
    }

    /** State changes, newest first. @param {string} camera @returns {StateChange[]} */
    changes(camera) {
        return [...(this.#cameras.get(camera)?.changes ?? [])].reverse();
    }

    /**
     * The last `SECONDS` seconds, oldest first; null where the camera was not shown.
     * @param {string} camera
     * @param {number} now page time
     * @returns {({age: number, live: boolean} | null)[]} age in milliseconds, infinite without a picture
     */
    seconds(camera, now) {
        const past = this.#cameras.get(camera);
        const end = Math.floor(now / 1000);
        return Array.from({ length: SECONDS }, (_, i) => {
            const second = end - SECONDS + 1 + i;
            if (past === undefined || second < 0 || second > past.second || second <= past.second - SECONDS) return null;
            const age = past.ages[second % SECONDS];
            return Number.isNaN(age) ? null : { age, live: past.live[second % SECONDS] === 1 };
        });
    }

    /** Drops all cameras but these. @param {string[]} cameras */
    retain(cameras) {
        for (const camera of this.#cameras.keys()) if (!cameras.includes(camera)) this.#cameras.delete(camera);
    }
}
