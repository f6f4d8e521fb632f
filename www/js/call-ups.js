// Call-ups: what the agent brings to the front of this wall for a while. Loaded with the first one.
//
// The page ends each call-up itself, so an agent that is gone leaves nothing large on a wall. A person's hand goes before:
// a camera that a person enlarged stays, and what a person has put away does not come back until something new is called
// up.

/** @typedef {{camera: string, seconds: number, by: string, number: number, sound?: boolean, look_back?: number}} CallUp as the agent tells it */
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

/** The notes of the tone, in Hz, and how long each sounds, in seconds. */
const NOTES = [880, 660];
const NOTE_LENGTH = 0.18;
const VOLUME = 0.25;

/** Looking back begins so many seconds before the call-up, and only if it is no older: a page that comes later is live. */
const LEAD = 5;
const LATEST = 3;

/** The frame of a marked tile; with the sign of a tone, which those see who cannot hear it. @param {boolean} sound */
function frameOf(sound) {
    const frame = document.createElement("i");
    frame.className = "called-up";
    frame.style.cssText = `${FRAME}; color: ${COLOUR}; font: bold 2em sans-serif; padding: 0.1em 0.3em`;
    frame.textContent = sound ? "\u266a" : "";
    return frame;
}

/** Plays a short tone, if the browser lets a page do that which nobody has touched. @param {AudioContext} context */
function playTone(context) {
    const volume = context.createGain();
    volume.gain.value = VOLUME;
    volume.connect(context.destination);
    NOTES.forEach((note, i) => {
        const oscillator = context.createOscillator();
        oscillator.frequency.value = note;
        oscillator.connect(volume);
        oscillator.start(context.currentTime + i * NOTE_LENGTH);
        oscillator.stop(context.currentTime + (i + 1) * NOTE_LENGTH);
    });
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
    /** The newest call-up for which the tone was played. */
    #sounded = 0;
    /** The newest call-up for which this page has looked back. */
    #lookedBack = 0;
    /** @type {(camera: string, seconds: number) => unknown} */
    #lookBack;
    /** Made with the first tone. @type {AudioContext | null} */
    #audio = null;
    /** The newest call-up that a person has put away. */
    #putAway = 0;
    #label = document.createElement("div");

    /**
     * @param {import("./wall.js").CameraWall} wall
     * @param {HTMLElement} root of its tiles
     * @param {(camera: string, seconds: number) => unknown} lookBack runs a camera from so many seconds ago
     */
    constructor(wall, root, lookBack) {
        this.#wall = wall;
        this.#lookBack = lookBack;
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
        this.#sound();
        for (const { camera, number, look_back: since } of this.#shown) {
            if (since === undefined || number <= this.#lookedBack || number <= this.#putAway) continue;
            this.#lookedBack = number;
            if (since <= LATEST && this.#wall.enlarged === null) this.#lookBack(camera, since + LEAD);
        }
    }

    /** Plays the tone for what is new; a context that the browser holds back plays nothing later, when it is old. */
    async #sound() {
        const newest = Math.max(0, ...this.#marked.filter(({ sound }) => sound === true).map(({ number }) => number));
        if (newest <= this.#sounded) return;
        this.#sounded = newest;
        this.#audio ??= new AudioContext();
        const started = this.#audio.resume().then(() => true);
        const late = new Promise((resolve) => setTimeout(() => resolve(false), TICK_INTERVAL));
        if (await Promise.race([started, late])) playTone(this.#audio);
        else console.info("wall: the browser plays no tone before somebody touches the page");
    }

    /** Shows what is called up now. */
    tick(now = performance.now()) {
        const left = ({ seconds }) => seconds - (now - this.#toldAt) / 1000;
        const shown = this.#shown.filter((one) => left(one) > 0 && one.number > this.#putAway);
        const layout = this.#layout !== null && left(this.#layout) > 0 ? this.#layout.layout : null;
        this.#wall.callUp(shown.map(({ camera }) => camera), layout);
        const marked = this.#marked.filter((one) => left(one) > 0);
        for (const tile of this.#root.querySelectorAll("camera-tile")) {
            const frame = tile.querySelector(".called-up");
            const ofTile = marked.filter(({ camera }) => camera === tile.getAttribute("camera"));
            const sound = ofTile.some((one) => one.sound === true);
            if (ofTile.length === 0 || (frame !== null && (frame.textContent !== "") !== sound)) frame?.remove();
            if (ofTile.length > 0 && !frame?.isConnected) tile.append(frameOf(sound));
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
