// Limits the frame rate to what this terminal can draw. Pure: measurements come in, a limit comes out.
//
// The limit falls soon and rises late. After a rise that had to be taken back at once, the next rise
// waits twice as long, so that a terminal at its limit does not oscillate.

/** Limits in frames per second, the rates at which the agent encodes; the last is the minimum. */
export const STEPS = Object.freeze([25, 15, 10, 5, 2, 1]);
/** Share of the frame interval that drawing takes: too much, and little enough to try a higher rate. */
const HIGH_LOAD = 0.9;
const LOW_LOAD = 0.3;
/** Consecutive measurements, one a second, before the limit falls. */
const LOWER_AFTER = 3;
/** Consecutive measurements before the limit rises: at first, and at most. */
const RAISE_AFTER = 20;
const MAX_RAISE_AFTER = 640;

export class Governor {
    #step = 0;
    #highCount = 0;
    #lowCount = 0;
    #raiseAfter = RAISE_AFTER;
    /** Measurements since the limit last rose. */
    #sinceRaised = Infinity;

    /** Maximum frames per second of each tile. */
    get limit() {
        return STEPS[this.#step];
    }

    /**
     * Takes one second's measurement; returns whether the limit changed.
     * @param {object} measured
     * @param {number} measured.fps highest rate requested
     * @param {number | null} measured.lag mean milliseconds from arrival to drawing; null: nothing was drawn
     * @param {number} measured.late largest delay of a timer of this page, in milliseconds
     */
    note({ fps, lag, late }) {
        this.#sinceRaised += 1;
        if (lag === null) {
            this.reset();
            return false;
        }
        const load = (Math.max(lag, late) * Math.min(fps, this.limit)) / 1000;
        this.#highCount = load > HIGH_LOAD ? this.#highCount + 1 : 0;
        this.#lowCount = load < LOW_LOAD ? this.#lowCount + 1 : 0;
        if (this.#highCount >= LOWER_AFTER && this.#step < STEPS.length - 1) return this.#lower();
        if (this.#lowCount >= this.#raiseAfter && this.#step > 0) return this.#raise();
        return false;
    }

    /** Discards recent measurements, for a page that was hidden. */
    reset() {
        this.#highCount = this.#lowCount = 0;
    }

    #lower() {
        const raisedTooEarly = this.#sinceRaised < this.#raiseAfter;
        this.#raiseAfter = raisedTooEarly ? Math.min(this.#raiseAfter * 2, MAX_RAISE_AFTER) : RAISE_AFTER;
        this.#step += 1;
        this.reset();
        return true;
    }

    #raise() {
        this.#step -= 1;
        this.reset();
        this.#sinceRaised = 0;
        return true;
    }
}
