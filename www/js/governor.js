// How many pictures per second this terminal can draw. Pure: measurements come in, a limit comes out.
//
// A limit is lowered soon and raised late. One that had to be taken back at once is tried again only
// after twice the time, so that a terminal at its limit does not go to and fro.

/** Limits in pictures per second, those the agent encodes at; the last is not undercut. */
export const STEPS = Object.freeze([25, 15, 10, 5, 2, 1]);
/** Drawing takes this part of the time between two pictures: too much, and little enough to try more. */
const TOO_MUCH = 0.9;
const LITTLE = 0.3;
/** Measurements in a row, one a second, until the limit is lowered. */
const LOWER_AFTER = 3;
/** And until it is raised: at first, and at most. */
const RAISE_AFTER = 20;
const RAISE_AFTER_AT_MOST = 640;

export class Governor {
    #step = 0;
    #bad = 0;
    #good = 0;
    #raiseAfter = RAISE_AFTER;
    /** Measurements since the limit was raised the last time. */
    #sinceRaised = Infinity;

    /** Pictures per second for each tile, at most. */
    get limit() {
        return STEPS[this.#step];
    }

    /**
     * Takes one second's measurement; returns whether the limit changed.
     * @param {object} measured
     * @param {number} measured.fps highest rate asked for
     * @param {number | null} measured.lag milliseconds from arrival to drawing, on average; null: nothing drawn
     * @param {number} measured.late by how many milliseconds a timer of this page was late, at worst
     */
    note({ fps, lag, late }) {
        this.#sinceRaised += 1;
        if (lag === null) {
            this.#bad = this.#good = 0;
            return false;
        }
        const pressure = (Math.max(lag, late) * Math.min(fps, this.limit)) / 1000;
        this.#bad = pressure > TOO_MUCH ? this.#bad + 1 : 0;
        this.#good = pressure < LITTLE ? this.#good + 1 : 0;
        if (this.#bad >= LOWER_AFTER && this.#step < STEPS.length - 1) return this.#lower();
        if (this.#good >= this.#raiseAfter && this.#step > 0) return this.#raise();
        return false;
    }

    /** Forgets what was measured, for a page that was out of sight. */
    pause() {
        this.#bad = this.#good = 0;
    }

    #lower() {
        const tooEarly = this.#sinceRaised < this.#raiseAfter;
        this.#raiseAfter = tooEarly ? Math.min(this.#raiseAfter * 2, RAISE_AFTER_AT_MOST) : RAISE_AFTER;
        this.#step += 1;
        this.#bad = this.#good = 0;
        return true;
    }

    #raise() {
        this.#step -= 1;
        this.#bad = this.#good = 0;
        this.#sinceRaised = 0;
        return true;
    }
}
