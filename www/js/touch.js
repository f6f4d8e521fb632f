// Fingers and mouse on the wall: a double click or a tap on a camera, and a swipe to the side.

/** A finger that moved less than this, in CSS pixels, tapped; one that moved further than `SWIPE` sideways swiped. */
const TAP = 12;
const SWIPE = 60;
/** A second tap so soon, in milliseconds, is the other half of a double one. */
const DOUBLE_WITHIN = 350;

export class Touch {
    #listener;
    #down = null;
    #tappedAt = -Infinity;

    /**
     * @param {HTMLElement} root
     * @param {object} listener
     * @param {(camera: string) => void} listener.tapped
     * @param {(by: -1 | 1) => void} listener.swiped 1: towards the next
     */
    constructor(root, listener) {
        this.#listener = listener;
        root.addEventListener("dblclick", (event) => {
            if (event.timeStamp - this.#tappedAt > DOUBLE_WITHIN) this.#tap(event.target);
        });
        root.addEventListener("pointerdown", (event) => {
            this.#down = event.pointerType === "mouse" || !event.isPrimary ? null : event;
        });
        root.addEventListener("pointercancel", () => (this.#down = null));
        root.addEventListener("pointerup", (event) => this.#up(event));
    }

    #up(event) {
        const down = this.#down;
        this.#down = null;
        if (down === null || event.pointerId !== down.pointerId) return;
        const [x, y] = [event.clientX - down.clientX, event.clientY - down.clientY];
        if (Math.hypot(x, y) < TAP) {
            if (event.timeStamp - this.#tappedAt < DOUBLE_WITHIN) return;
            this.#tappedAt = event.timeStamp;
            this.#tap(event.target);
        } else if (Math.abs(x) > SWIPE && Math.abs(x) > 2 * Math.abs(y)) {
            this.#listener.swiped(x < 0 ? 1 : -1);
        }
    }

    #tap(target) {
        const camera = target.closest?.("camera-tile")?.getAttribute("camera");
        if (camera) this.#listener.tapped(camera);
    }
}
