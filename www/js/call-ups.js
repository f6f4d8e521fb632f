// Call-ups: what the agent brings to the front of this wall for a while. Loaded with the first one.
//
// The page ends each call-up itself, so an agent that is gone leaves nothing large on a wall. A person's hand goes before:
// a camera that a person enlarged stays, and what a person has put away does not come back until something new is called
// up.

/** @typedef {{camera: string, seconds: number, by: string, number: number}} CallUp as the agent tells it */
/** @typedef {{layout: string, seconds: number}} OtherLayout */

const TICK_INTERVAL = 250;
/** No colour that says something of a picture. */
const COLOUR = "#4cc3ff";
const FRAME = `position: absolute; inset: 0; z-index: 3; border: 5px solid ${COLOUR}; pointer-events: none`;

/** The list of call-ups in a message of the agent. @param {any} list @returns {CallUp[]} */
function callUpsIn(list) {
    const isOne = (one) => typeof one?.camera === "string" && Number.isFinite(one.seconds) && Number.isFinite(one.number);
    return Array.isArray(list) ? list.filter(isOne) : [];
}

function frameOf() {
    const frame = document.createElement("i");
    frame.className = "called-up";
    frame.style.cssText = FRAME;
    return frame;
}

export class CallUps {
    #wall;
    #root;
    /** Page time at which the last message came. */
    #toldAt = 0;
    /** @type {CallUp[]} */
    #shown = [];
    /** @type {CallUp[]} */
    #marked = [];
    /** @type {OtherLayout | null} */
    #layout = null;
    /** The newest call-up that a person has put away. */
    #putAway = 0;
    #label = document.createElement("div");

    /** @param {import("./wall.js").CameraWall} wall @param {HTMLElement} root of its tiles */
    constructor(wall, root) {
        this.#wall = wall;
        this.#root = root;
        this.#label.id = "called-up";
        this.#label.style.cssText = `position: absolute; right: 0; bottom: 0; padding: 0 0.5em; background: ${COLOUR}; color: #000; font: 1.2em sans-serif`;
        wall.onPutAway = () => {
            this.#putAway = Math.max(this.#putAway, ...this.#shown.map(({ number }) => number));
            this.#layout = null;
            this.tick();
        };
        setInterval(() => this.tick(), TICK_INTERVAL);
    }

    /** Takes a message of the agent. @param {any} told */
    take(told, now = performance.now()) {
        this.#toldAt = now;
        this.#shown = callUpsIn(told?.shown);
        this.#marked = callUpsIn(told?.marked);
        this.#layout = typeof told?.layout?.layout === "string" ? told.layout : null;
        this.tick(now);
    }

    /** Shows what is called up now. */
    tick(now = performance.now()) {
        const left = ({ seconds }) => seconds - (now - this.#toldAt) / 1000;
        const shown = this.#shown.filter((one) => left(one) > 0 && one.number > this.#putAway);
        const layout = this.#layout !== null && left(this.#layout) > 0 ? this.#layout.layout : null;
        this.#wall.callUp(shown.map(({ camera }) => camera), layout);
        const marked = new Set(this.#marked.filter((one) => left(one) > 0).map(({ camera }) => camera));
        for (const tile of this.#root.querySelectorAll("camera-tile")) {
            const frame = tile.querySelector(".called-up");
            if (!marked.has(tile.getAttribute("camera") ?? "")) frame?.remove();
            else if (frame === null) tile.append(frameOf());
        }
        if (shown.length === 0 || this.#wall.enlarged !== null) {
            this.#label.remove();
            return;
        }
        const seconds = Math.ceil(Math.max(...shown.map(left)));
        this.#label.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
        if (!this.#label.isConnected) this.#root.parentElement?.append(this.#label);
    }
}
