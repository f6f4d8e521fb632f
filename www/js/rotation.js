// Turns the pages of a wall by itself. Pure: time comes in, "now" comes out.
//
// Whoever touches the wall gets the full time again; while somebody looks at one camera, or at a
// dialog, nothing turns.

export class Rotation {
    /** Seconds for each page; 0: never. */
    every = 0;
    #since = 0;

    /** Somebody did something, or a page has just begun. */
    rest(now) {
        this.#since = now;
    }

    /**
     * Whether to turn to the next page now.
     * @param {number} now page time in milliseconds
     * @param {boolean} held something is looked at, or nothing can be seen
     */
    due(now, held) {
        if (this.every === 0 || held) {
            this.#since = now;
            return false;
        }
        if (now - this.#since < this.every * 1000) return false;
        this.#since = now;
        return true;
    }
}
