// Decides when a wall turns to its next page. Pure: time comes in, a decision comes out.
//
// User input restarts the interval. It also restarts while the wall shows one camera alone or a dialog.

export class Rotation {
    /** Seconds for each page; 0: never. */
    interval = 0;
    #since = 0;

    /** Restarts the interval after user input. @param {number} now page time */
    restart(now) {
        this.#since = now;
    }

    /**
     * Whether to turn to the next page now.
     * @param {number} now page time in milliseconds
     * @param {boolean} paused pages must not turn now
     */
    isDue(now, paused) {
        if (this.interval === 0 || paused) {
            this.#since = now;
            return false;
        }
        if (now - this.#since < this.interval * 1000) return false;
        this.#since = now;
        return true;
    }
}
