// The agent's clock as seen from this page, which may run on another machine with another time.
//
// Page times are `performance.now()`, which nobody can set; agent times are Unix milliseconds.

const SAMPLES = 6;
/** A jump beyond this, in milliseconds, means that a clock was set: older samples are worthless. */
const STEP = 1000;

export class AgentClock {
    /** @type {{offset: number, roundTrip: number}[]} newest last */
    #samples = [];

    /** The answer to a ping sent at `sent` came at `received` (page) and told `agentNow` (agent). */
    note(sent, received, agentNow) {
        const roundTrip = received - sent;
        const offset = agentNow - (sent + roundTrip / 2);
        const last = this.#samples.at(-1);
        if (last !== undefined && Math.abs(offset - last.offset) > STEP + roundTrip) this.#samples = [];
        this.#samples.push({ offset, roundTrip });
        if (this.#samples.length > SAMPLES) this.#samples.shift();
    }

    /** Agent time at page time `now`, by the quickest of the last answers; null before the first. */
    at(now) {
        if (this.#samples.length === 0) return null;
        const best = this.#samples.reduce((a, b) => (b.roundTrip <= a.roundTrip ? b : a));
        return now + best.offset;
    }

    /**
     * Age in milliseconds of a picture taken at `taken` (agent) that arrived at `arrived` (page).
     * Never less than the time since it arrived, whatever the clocks say; null while the agent's
     * clock is unknown, for then a picture may be of any age.
     */
    age(taken, arrived, now) {
        const agentNow = this.at(now);
        return agentNow === null ? null : Math.max(now - arrived, agentNow - taken);
    }
}
