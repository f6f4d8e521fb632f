// Follows what the agent lets this wall show: the steps of a tour. Loaded with the first one.
//
// A person's hand goes before: while a camera is large, a dialog or the panel is open, another page is turned to or another
// layout chosen, the tour waits at this page, until nobody has touched anything for a while.

import { parseLayout } from "./settings.js";

/** @typedef {{layout: string, cameras: string[] | null}} Scene as the page shows it */
/**
 * @typedef {object} Page
 * @property {import("./wall.js").CameraWall} wall
 * @property {import("./camera-list.js").CameraList} list
 * @property {import("./settings.js").Settings} settings
 * @property {import("./rotation.js").Rotation} rotation
 * @property {{isOpen: boolean}} panel
 * @property {() => void} closePanel
 */

const TICK_INTERVAL = 250;
const HANDS = ["pointerdown", "pointermove", "keydown", "wheel"];

/** The scene in a message of the agent; null: there is none. @param {any} told @returns {Scene | null} */
function sceneIn(told) {
    if (told === null || typeof told !== "object") return null;
    const cameras = Array.isArray(told.cameras) ? told.cameras.filter((id) => typeof id === "string") : null;
    return { layout: parseLayout(told.layout ?? "auto") ?? "auto", cameras };
}

export class Director {
    /** A tour waits for this time after the last touch, in milliseconds. */
    static patience = 60_000;

    #page;
    /** @type {Scene | null} */
    #scene = null;
    /** The scene on the screen, as text. */
    #shown = "null";
    /** Page time of the last touch. */
    #handAt = -Infinity;
    /** A page whose address says what it shows follows no tour. */
    #isOwn = /[?&](layout|cameras)=/.test(location.search);

    /** @param {Page} page */
    constructor(page) {
        this.#page = page;
        for (const hand of HANDS) document.addEventListener(hand, () => (this.#handAt = performance.now()), { capture: true, passive: true });
        setInterval(() => this.tick(), TICK_INTERVAL);
    }

    /** Takes the scene of a message of the agent. @param {any} told */
    take(told) {
        this.#scene = this.#isOwn ? null : sceneIn(told);
        this.tick();
    }

    /** Shows the scene, unless a person has turned to something else. */
    tick(now = performance.now()) {
        // Motion JPEG hears nothing of steps.
        const scene = this.#page.wall.transport === "socket" ? this.#scene : null;
        if (this.#isAway()) {
            if (now - this.#handAt < Director.patience || (scene === null && this.#shown === "null")) return;
            this.#return();
        }
        const { wall, list, settings, rotation } = this.#page;
        const text = JSON.stringify(scene);
        if (text === this.#shown && wall.directed === (scene?.layout ?? null)) return;
        this.#shown = text;
        settings.directed = scene;
        list.select(settings.cameras);
        wall.directed = scene?.layout ?? null;
        wall.page = 0;
        rotation.restart(now);
        wall.arrange();
    }

    /** Whether a person has turned to something else than the wall. */
    #isAway() {
        const { wall, settings, panel } = this.#page;
        const isTurned = wall.page !== 0 && settings.rotate === 0;
        const hasOtherLayout = this.#shown !== "null" && wall.directed === null;
        return wall.enlarged !== null || Boolean(wall.zoom?.camera) || isTurned || hasOtherLayout || panel.isOpen || document.querySelector("dialog[open]") !== null;
    }

    /** Goes back to the wall. */
    #return() {
        const { wall, panel, closePanel } = this.#page;
        for (const dialog of document.querySelectorAll("dialog[open]")) /** @type {HTMLDialogElement} */ (dialog).close();
        if (panel.isOpen) closePanel();
        wall.zoom?.end();
        wall.enlarged = null;
        wall.page = 0;
        wall.arrange();
    }
}
