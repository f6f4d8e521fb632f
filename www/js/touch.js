// Touch and mouse gestures on the wall: a tap or a double click on a camera, and a horizontal swipe.

/** Maximum movement of a tap and minimum horizontal movement of a swipe, in CSS pixels. */
const MAX_TAP = 12;
const MIN_SWIPE = 60;
/** A second tap within this time, in milliseconds, belongs to a double tap. */
const DOUBLE_TAP_TIMEOUT = 350;

export class Touch {
    #listener;
    /** @type {PointerEvent | null} */
    #down = null;
    #tappedAt = -Infinity;

    /**
     * @param {HTMLElement} root
     * @param {object} listener
     * @param {(camera: string) => void} listener.onTap
     * @param {(by: -1 | 1) => void} listener.onSwipe 1: towards the next page
     */
    constructor(root, listener) {
        this.#listener = listener;
        root.addEventListener("dblclick", (event) => {
            if (event.timeStamp - this.#tappedAt > DOUBLE_TAP_TIMEOUT) this.#tap(event.target);
        });
        root.addEventListener("pointerdown", (event) => {
            this.#down = event.pointerType === "mouse" || !event.isPrimary ? null : event;
        });
        root.addEventListener("pointercancel", () => (this.#down = null));
        root.addEventListener("pointerup", (event) => this.#onUp(event));
    }

    /** @param {PointerEvent} event */
    #onUp(event) {
        const down = this.#down;
        this.#down = null;
        if (down === null || event.pointerId !== down.pointerId) return;
        const [x, y] = [event.clientX - down.clientX, event.clientY - down.clientY];
        if (Math.hypot(x, y) < MAX_TAP) {
            if (event.timeStamp - this.#tappedAt < DOUBLE_TAP_TIMEOUT) return;
            this.#tappedAt = event.timeStamp;
            this.#tap(event.target);
        } else if (Math.abs(x) > MIN_SWIPE && Math.abs(x) > 2 * Math.abs(y)) {
            this.#listener.onSwipe(x < 0 ? 1 : -1);
        }
    }

    #tap(target) {
        const camera = target.closest?.("camera-tile")?.getAttribute("camera");
        if (camera) this.#listener.onTap(camera);
    }
}
