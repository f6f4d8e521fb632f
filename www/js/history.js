// What this page itself has seen of each camera in the last minutes: how old its picture was second by
// second, and when and why it went from live to not live and back. Kept in memory, and only here.

/** Seconds looked back. */
export const SECONDS = 300;
/** Turns of the verdict remembered for each camera. */
const TURNS = 6;

/**
 * @typedef {object} Turn
 * @property {number} at Unix milliseconds by this browser's clock, for reading only
 * @property {import("./liveness.js").Verdict} verdict
 * @property {string} why
 */

export class History {
    /** @type {Map<string, {second: number, ages: Float32Array, live: Uint8Array, turns: Turn[], facts: object}>} */
    #cameras = new Map();

    /**
     * Takes what is told on a tile at page time `now`.
     * @param {{verdict: string, why: string, age: number | null}} facts
     */
    note(camera, facts, now) {
        const second = Math.floor(now / 1000);
        let seen = this.#cameras.get(camera);
        if (seen === undefined) {
            seen = { second, ages: new Float32Array(SECONDS).fill(NaN), live: new Uint8Array(SECONDS), turns: [], facts };
            this.#cameras.set(camera, seen);
        }
        // Seconds in which nobody looked stay unknown.
        for (let past = Math.max(seen.second + 1, second - SECONDS + 1); past <= second; past += 1) seen.ages[past % SECONDS] = NaN;
        const place = second % SECONDS;
        const fresh = second !== seen.second || Number.isNaN(seen.ages[place]);
        const age = facts.age ?? Infinity;
        // The worst of the second counts.
        seen.ages[place] = fresh ? age : Math.max(seen.ages[place], age);
        seen.live[place] = Number(facts.verdict === "live" && (fresh || seen.live[place] === 1));
        seen.second = second;
        seen.facts = facts;
        const last = seen.turns.at(-1);
        if (last?.verdict === facts.verdict) {
            if (facts.why !== "") last.why = facts.why;
        } else {
            seen.turns.push({ at: Date.now(), verdict: facts.verdict, why: facts.why });
            if (seen.turns.length > TURNS) seen.turns.shift();
        }
    }

    /** What was told last; undefined for a camera that was not on the screen. */
    latest(camera) {
        return this.#cameras.get(camera)?.facts;
    }

    /** Newest first. @returns {Turn[]} */
    turns(camera) {
        return [...(this.#cameras.get(camera)?.turns ?? [])].reverse();
    }

    /**
     * The last `SECONDS` seconds, oldest first; null where nobody looked, infinite where there was no picture.
     * @returns {({age: number, live: boolean} | null)[]} age in milliseconds
     */
    seconds(camera, now) {
        const seen = this.#cameras.get(camera);
        const end = Math.floor(now / 1000);
        return Array.from({ length: SECONDS }, (_, i) => {
            const second = end - SECONDS + 1 + i;
            const known = seen !== undefined && second >= 0 && second <= seen.second && second > seen.second - SECONDS;
            const age = known ? seen.ages[second % SECONDS] : NaN;
            return Number.isNaN(age) ? null : { age, live: seen.live[second % SECONDS] === 1 };
        });
    }

    /** Forgets all cameras but these. */
    keep(cameras) {
        for (const camera of this.#cameras.keys()) if (!cameras.includes(camera)) this.#cameras.delete(camera);
    }
}
