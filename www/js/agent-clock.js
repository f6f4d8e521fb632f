// The agent's clock, estimated on this page, which may run on another machine with another time.
//
// Page times are `performance.now()`, which nobody can set. Agent times are Unix milliseconds.

const MAX_SAMPLES = 6;
/** A larger jump, in milliseconds, means that a clock was set; older samples are then dropped. */
const MAX_JUMP = 1000;

export class AgentClock {
    /** @type {{offset: number, roundTrip: number}[]} newest last */
    #samples = [];

    /**
     * Adds a sample from a ping and its answer.
     * @param {number} sent page time
     * @param {number} received page time
     * @param {number} agentNow agent time in the answer
     */
    note(sent, received, agentNow) {
        const roundTrip = received - sent;
        const offset = agentNow - (sent + roundTrip / 2);
        const last = this.#samples.at(-1);
        if (last !== undefined && Math.abs(offset - last.offset) > MAX_JUMP + roundTrip) this.#samples = [];
        this.#samples.push({ offset, roundTrip });
        if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
    }

    /** Agent time at page time `now`, by the quickest recent answer; null before the first. @param {number} now */
    at(now) {
        if (this.#samples.length === 0) return null;
        const best = this.#samples.reduce((a, b) => (b.roundTrip <= a.roundTrip ? b : a));
        return now + best.offset;
    }

    /**
     * Age of a picture in milliseconds. Never less than the time since it arrived, whatever the clocks
     * say. Null while the agent's clock is unknown: the picture may then have any age.
     * @param {number} taken agent time
     * @param {number} arrived page time
     * @param {number} now page time
     */
    age(taken, arrived, now) {
        const agentNow = this.at(now);
        return agentNow === null ? null : Math.max(now - arrived, agentNow - taken);
    }
}
