// Sends a person's words about one camera to the agent: how it shall move, that it shall stop, where it shall go.
//
// One request at a time, so that no word overtakes a later one. A word moves the camera for half a second; while somebody
// steers they are repeated. If they end, whatever the reason, the agent stops the camera.

import { agentUrl } from "./agent-url.js";

/** @typedef {{pan: number, tilt: number, zoom: number}} Motion speeds from -1 to 1 */
/** @typedef {{status: number, answer: any}} Answer status 0: the agent does not answer */

/** In milliseconds. */
const REPEAT_INTERVAL = 200;
const WORD_TIMEOUT = 1500;
/** The camera itself is waited for. */
const GOTO_TIMEOUT = 15_000;

export class PtzWords {
    #url;
    #onAnswer;
    #motion;
    /** The word that waits for the answer to the one before. @type {object | null} */
    #next = null;
    #isBusy = false;
    #repeating = 0;

    /**
     * @param {string} camera
     * @param {() => Motion | null} motion how the camera shall move now; null: not at all
     * @param {(answer: Answer) => void} onAnswer
     */
    constructor(camera, motion, onAnswer) {
        this.#url = agentUrl(`api/cameras/${encodeURIComponent(camera)}/ptz`);
        this.#motion = motion;
        this.#onAnswer = onAnswer;
    }

    /** Tells at once how the camera shall move now, and again while it moves. */
    move() {
        clearInterval(this.#repeating);
        const motion = this.#motion();
        if (motion === null) {
            this.stop();
            return;
        }
        this.#say(motion);
        this.#repeating = window.setInterval(() => {
            const now = this.#motion();
            if (now === null) this.stop();
            else this.#say(now);
        }, REPEAT_INTERVAL);
    }

    /** Ends every movement. */
    stop() {
        clearInterval(this.#repeating);
        this.#repeating = 0;
        this.#say({ stop: true });
    }

    /** Says nothing more: the agent does not answer, or does not obey. */
    fall() {
        clearInterval(this.#repeating);
        this.#repeating = 0;
        this.#next = null;
    }

    /** Sends the camera somewhere. @param {{preset: number | string} | {home: true}} destination */
    async go(destination) {
        clearInterval(this.#repeating);
        this.#repeating = 0;
        this.#next = null;
        this.#onAnswer(await this.#request("POST", destination, GOTO_TIMEOUT));
    }

    /** Asks what the agent knows of the camera, with its presets. */
    async ask() {
        this.#onAnswer(await this.#request("GET", undefined, GOTO_TIMEOUT));
    }

    /** @param {object} word */
    #say(word) {
        this.#next = word;
        void this.#flush();
    }

    async #flush() {
        if (this.#isBusy) return;
        this.#isBusy = true;
        while (this.#next !== null) {
            const word = this.#next;
            this.#next = null;
            this.#onAnswer(await this.#request("POST", word, WORD_TIMEOUT));
        }
        this.#isBusy = false;
    }

    /** @param {string} method @param {object | undefined} word @param {number} limit @returns {Promise<Answer>} */
    async #request(method, word, limit) {
        try {
            const response = await fetch(this.#url, {
                method,
                body: word && JSON.stringify(word),
                cache: "no-store",
                // A stop is sent also while the page is being left.
                keepalive: true,
                signal: AbortSignal.timeout(limit),
            });
            return { status: response.status, answer: await response.json() };
        } catch {
            return { status: 0, answer: null };
        }
    }
}
