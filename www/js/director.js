// Follows what the agent lets this wall show: the steps of a tour, another wall or a dark screen at some time of day.
// Also goes back to the wall when nobody has touched anything for a while. Loaded when one of these is needed.
//
// A person's hand goes before: while a camera is large, a dialog or the panel is open, another page is turned to or another
// layout chosen, the tour waits at this page, until nobody has touched anything for a while. A dark screen is lit for so
// long by a key or a touch, and by a camera that is called up for its time. If the agent does not answer, it is lit, too:
// a screen that is dark for ever would look like one that is meant to be.

import { addTexts, currentLanguage, t } from "./language.js";
import { parseLayout } from "./settings.js";

/** @typedef {{layout: string, cameras: string[] | null}} Scene as the page shows it */
/** @typedef {{until: string | null, day: string | null}} Night until when the screen is off */
/**
 * @typedef {object} Page
 * @property {import("./wall.js").CameraWall} wall
 * @property {import("./camera-list.js").CameraList} list
 * @property {import("./settings.js").Settings} settings
 * @property {import("./rotation.js").Rotation} rotation
 * @property {() => boolean} panelIsOpen
 * @property {() => void} closePanel
 */

addTexts({
    en: {
        "dark.until": "The screen is off until {time}, as the timetable says. A key or a touch lights it.",
        "dark.ever": "The screen is off, as the timetable says. A key or a touch lights it.",
    },
    "zh-TW": {
        "dark.until": "依時間表，螢幕關閉至 {time}。按任意鍵或觸碰即可點亮。",
        "dark.ever": "依時間表，螢幕已關閉。按任意鍵或觸碰即可點亮。",
    },
});

const TICK_INTERVAL = 250;
/** The text on a dark screen stays for this time after the mouse has moved, in milliseconds. */
const TEXT_TIME = 4000;
/** A dark screen is lit if the agent is silent for so long, in milliseconds; it may have been started again. */
const MAX_SILENCE = 30_000;
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const COVER = "position: fixed; inset: 0; z-index: 1000; display: grid; place-items: end center; padding: 2vmin; background: #000; cursor: none";
/** Dim, and large enough to be read at the screen. */
const TEXT = "color: #777; font: 14px sans-serif";
const HANDS = ["pointerdown", "pointermove", "keydown", "wheel"];

/** The scene in a message of the agent; null: there is none. @param {any} told @returns {Scene | null} */
function sceneIn(told) {
    if (told === null || typeof told !== "object") return null;
    const cameras = Array.isArray(told.cameras) ? told.cameras.filter((id) => typeof id === "string") : null;
    return { layout: parseLayout(told.layout ?? "auto") ?? "auto", cameras };
}

/** Until when a scene leaves the screen off; null: it is on. @param {any} told @returns {Night | null} */
function nightIn(told) {
    if (told?.screen !== "off") return null;
    const text = (value) => (typeof value === "string" ? value : null);
    return { until: text(told.until), day: text(told.until_day) };
}

export class Director {
    /** A tour waits for this time after the last touch if the file does not say, in milliseconds. */
    static patience = 60_000;

    #page;
    /** @type {Scene | null} */
    #scene = null;
    /** The scene on the screen, as text. */
    #shown = "null";
    /** @type {Night | null} */
    #night = null;
    /** Page time until which a person has lit the screen. */
    #litUntil = -Infinity;
    /** Page time at which the mouse was last moved on the dark screen. */
    #movedAt = -Infinity;
    #cover = document.createElement("div");
    #text = document.createElement("p");
    /** Page time of the last touch. */
    #handAt = performance.now();
    /** A page whose address says what it shows follows no tour. */
    #isOwn = /[?&](layout|cameras)=/.test(location.search);

    /** @param {Page} page */
    constructor(page) {
        this.#page = page;
        this.#cover.id = "dark";
        this.#cover.style.cssText = COVER;
        this.#text.style.cssText = TEXT;
        this.#cover.append(this.#text);
        for (const hand of HANDS) window.addEventListener(hand, (event) => this.#onHand(event), { capture: true, passive: false });
        setInterval(() => this.tick(), TICK_INTERVAL);
    }

    /** Milliseconds. */
    get #patience() {
        const { backAfter } = this.#page.settings;
        return backAfter > 0 ? backAfter * 1000 : Director.patience;
    }

    /** Takes the scene of a message of the agent. @param {any} told null: there is none; undefined: nothing is known of it */
    take(told) {
        if (told === undefined) return;
        this.#night = nightIn(told);
        if (this.#night === null) this.#litUntil = -Infinity;
        this.#scene = this.#isOwn || this.#night !== null ? null : sceneIn(told);
        this.tick();
    }

    /** Shows the scene, unless a person has turned to something else. */
    tick(now = performance.now()) {
        this.#darken(now);
        // Motion JPEG hears nothing of steps.
        const scene = this.#page.wall.transport === "socket" ? this.#scene : null;
        if (this.#isAway()) {
            const mayReturn = scene !== null || this.#shown !== "null" || this.#page.settings.backAfter > 0;
            if (!mayReturn || now - this.#handAt < this.#patience) return;
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

    /** @param {Event} event */
    #onHand(event) {
        const now = performance.now();
        this.#handAt = now;
        const wasDark = this.#page.wall.isDark;
        if (wasDark && event.type === "pointermove") this.#movedAt = now;
        else if (this.#night !== null) this.#litUntil = now + this.#patience;
        // What lights the screen does nothing else.
        if (wasDark) {
            event.stopImmediatePropagation();
            if (event.cancelable) event.preventDefault();
        }
        this.#darken(now);
    }

    /** Covers the page while the screen is off. @param {number} now */
    #darken(now) {
        const { wall } = this.#page;
        const isMeant = this.#night !== null && wall.transport === "socket";
        const isDark = isMeant && now >= this.#litUntil && !wall.isCalled && wall.silence(now) < MAX_SILENCE;
        const text = isDark && now - this.#movedAt < TEXT_TIME ? this.#nightText() : "";
        if (this.#text.textContent !== text) this.#text.textContent = text;
        if (isDark === wall.isDark) return;
        wall.isDark = isDark;
        if (isDark) {
            this.#return();
            document.body.append(this.#cover);
        } else {
            this.#cover.remove();
            wall.arrange();
        }
    }

    #nightText() {
        const { until = null, day = null } = this.#night ?? {};
        if (until === null) return t("dark.ever");
        // 2024-01-01 was a Monday.
        const date = new Date(2024, 0, 1 + DAYS.indexOf(day ?? ""));
        const weekday = day === null ? "" : `${date.toLocaleDateString(currentLanguage(), { weekday: "long" })} `;
        return t("dark.until", { time: weekday + until });
    }

    /** Whether a person has turned to something else than the wall. */
    #isAway() {
        const { wall, settings, panelIsOpen } = this.#page;
        const isTurned = wall.page !== 0 && settings.rotate === 0;
        const hasOtherLayout = this.#shown !== "null" && wall.directed === null;
        return wall.enlarged !== null || Boolean(wall.zoom?.camera) || isTurned || hasOtherLayout || panelIsOpen() || document.querySelector("dialog[open]") !== null;
    }

    /** Goes back to the wall. */
    #return() {
        const { wall, panelIsOpen, closePanel } = this.#page;
        for (const dialog of document.querySelectorAll("dialog[open]")) /** @type {HTMLDialogElement} */ (dialog).close();
        if (panelIsOpen()) closePanel();
        wall.zoom?.end();
        wall.enlarged = null;
        wall.page = 0;
        wall.arrange();
    }
}
