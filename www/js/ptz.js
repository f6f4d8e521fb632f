// Steers cameras that can be turned and zoomed. Loaded when such a camera is alone on the screen, or when somebody steers
// one.
//
// P begins and ends it. Meanwhile keys and pads move the camera, not the wall. Whatever takes the page's attention away
// stops the camera: the agent does so, too, when no word comes.

import { addTexts, t, translate } from "./language.js";
import { PtzPanel } from "./ptz-panel.js";
import { PtzWords } from "./ptz-words.js";
import { explain, reasonIn } from "./reason-text.js";
import { addStyleSheet } from "./style-sheet.js";

/** @import { CameraWall } from "./wall.js" */
/** @import { CameraList } from "./camera-list.js" */
/** @import { Answer } from "./ptz-words.js" */

addTexts({
    en: {
        "ptz.begin": "Steer (P)",
        "ptz.label": "Steering",
        "ptz.end": "End steering (P)",
        "ptz.help": "Steer the enlarged camera: arrows, + and −, digits for presets, Home",
        "ptz.steers": "{by} steers",
        "ptz.own": "You steer {name}",
        "ptz.silent": "The agent does not answer.",
        "ptz.mayNot": "You may not steer.",
        "ptz.noPresets": "No presets",
        "ptz.ArrowLeft": "Left",
        "ptz.ArrowRight": "Right",
        "ptz.ArrowUp": "Up",
        "ptz.ArrowDown": "Down",
        "ptz.Home": "Home position",
        "ptz.+": "Zoom in",
        "ptz.-": "Zoom out",
    },
    "zh-TW": {
        "ptz.begin": "操控（P）",
        "ptz.label": "操控",
        "ptz.end": "結束操控（P）",
        "ptz.help": "操控放大的攝影機：方向鍵、+ 與 −、數字為預設點、Home",
        "ptz.steers": "{by} 操控中",
        "ptz.own": "您正在操控 {name}",
        "ptz.silent": "代理程式沒有回應。",
        "ptz.mayNot": "您無權操控。",
        "ptz.noPresets": "沒有預設點",
        "ptz.ArrowLeft": "左",
        "ptz.ArrowRight": "右",
        "ptz.ArrowUp": "上",
        "ptz.ArrowDown": "下",
        "ptz.Home": "原位",
        "ptz.+": "拉近",
        "ptz.-": "拉遠",
    },
});

const TICK_INTERVAL = 250;
/** The speed grows from the lowest to the highest in this time, in milliseconds. */
const LOWEST_SPEED = 0.3;
const GROWTH = 1500;
/** A held key repeats itself; one that does not for so long, in milliseconds, has been let go unseen. */
const MAX_KEY_SILENCE = 10_000;

/** Directions of keys, as pan, tilt and zoom. @type {Record<string, [number, number, number]>} */
const DIRECTIONS = {
    ArrowLeft: [-1, 0, 0],
    ArrowRight: [1, 0, 0],
    ArrowUp: [0, 1, 0],
    ArrowDown: [0, -1, 0],
    "+": [0, 0, 1],
    "-": [0, 0, -1],
};
/** Keys that do the same as others. @type {Record<string, string>} */
const SYNONYMS = {
    "=": "+",
    ZoomIn: "+",
    PageUp: "+",
    ChannelUp: "+",
    MediaFastForward: "+",
    _: "-",
    ZoomOut: "-",
    PageDown: "-",
    ChannelDown: "-",
    MediaRewind: "-",
};
const END_KEYS = ["Escape", "Backspace", "BrowserBack", "GoBack", "p"];

export class Ptz {
    /** Steering ends after this time without input, in milliseconds. */
    static limit = 60_000;

    #wall;
    #list;
    #root;
    #offer = document.createElement("button");
    /** What is on the screen while this page steers. @type {PtzPanel | null} */
    #panel = null;
    /** @type {PtzWords | null} */
    #words = null;
    /** The camera that this page steers. @type {string | null} */
    #camera = null;
    /** Keys and pads that are held, and since when. @type {Map<string, number>} */
    #held = new Map();
    #inputAt = 0;
    /** What went wrong last; empty: nothing. */
    #error = "";
    /** Who else steers, by camera. @type {Map<string, string>} */
    #others = new Map();

    /** @param {CameraWall} wall @param {CameraList} list @param {HTMLElement} root of the wall's tiles */
    constructor(wall, list, root) {
        this.#wall = wall;
        this.#list = list;
        this.#root = root;
        addStyleSheet("ptz");
        this.#offer.className = "ptz-offer";
        this.#offer.dataset.text = "ptz.begin";
        this.#offer.addEventListener("click", () => this.#begin());
        // The wall takes a double click and a tap for its own.
        for (const event of ["dblclick", "pointerdown", "pointerup"]) this.#offer.addEventListener(event, (one) => one.stopPropagation());
        const help = document.createElement("div");
        help.innerHTML = "<dt><kbd>P</kbd></dt><dd data-text=\"ptz.help\"></dd>";
        document.querySelector("#help dl")?.append(help);
        translate(help);
        // Before the wall's own keys.
        window.addEventListener("keydown", (event) => this.#onKeyDown(event), { capture: true });
        window.addEventListener("keyup", (event) => this.#release(nameOf(event)), { capture: true });
        window.addEventListener("blur", () => this.#letGo());
        window.addEventListener("pagehide", () => this.#letGo());
        document.addEventListener("visibilitychange", () => this.#letGo());
        setInterval(() => this.tick(), TICK_INTERVAL);
        this.tick();
    }

    /** The agent tells who steers a camera. @param {any} told */
    take(told) {
        if (typeof told?.camera !== "string") return;
        if (typeof told.by === "string" && told.own !== true) this.#others.set(told.camera, told.by);
        else this.#others.delete(told.camera);
        this.tick();
    }

    /** Shows what can be done now, and who else steers. */
    tick(now = performance.now()) {
        const alone = this.#wall.enlarged;
        const isIdle = this.#held.size === 0 && now - this.#inputAt > Ptz.limit;
        if (this.#camera !== null && (this.#camera !== alone || isIdle || !this.#maySteer(alone))) this.#end();
        if (this.#held.size > 0 && now - this.#inputAt > MAX_KEY_SILENCE && !this.#panel?.root.querySelector("[aria-pressed]")) this.#letGo();
        for (const tile of this.#root.querySelectorAll("camera-tile")) {
            const camera = tile.getAttribute("camera") ?? "";
            showSteerer(tile, camera === this.#camera ? undefined : this.#others.get(camera));
            if (camera === alone && this.#camera === null && this.#maySteer(alone)) {
                if (this.#offer.parentElement !== tile) tile.append(this.#offer);
                this.#offer.textContent = t("ptz.begin");
            }
        }
        if (this.#camera !== null || !this.#maySteer(alone)) this.#offer.remove();
        this.#draw();
    }

    #draw() {
        if (this.#panel === null || this.#camera === null) return;
        const other = this.#others.get(this.#camera);
        const name = this.#list.cameras.find(({ id }) => id === this.#camera)?.name ?? this.#camera;
        const text = other === undefined ? t("ptz.own", { name }) : t("ptz.steers", { by: other });
        this.#panel.setStatus(this.#error || text, this.#error !== "" || other !== undefined);
    }

    /** @param {string | null} camera */
    #maySteer(camera) {
        return this.#list.cameras.some(({ id, maySteer }) => id === camera && maySteer);
    }

    #begin() {
        const camera = this.#wall.enlarged;
        if (camera === null || !this.#maySteer(camera)) return;
        this.#wall.zoom?.end();
        this.#camera = camera;
        this.#error = "";
        this.#inputAt = performance.now();
        this.#words = new PtzWords(camera, () => this.#motion(), (answer) => this.#onAnswer(answer));
        this.#panel = new PtzPanel({
            press: (pad) => this.#press(pad),
            release: (pad) => this.#release(pad),
            go: (destination) => this.#go(destination),
            end: () => this.#end(),
        });
        document.body.append(this.#panel.root);
        void this.#words.ask();
        this.tick();
    }

    #end() {
        this.#letGo();
        this.#panel?.root.remove();
        this.#panel = null;
        this.#words = null;
        this.#camera = null;
        this.tick();
    }

    /** How the camera shall move now. @returns {import("./ptz-words.js").Motion | null} */
    #motion(now = performance.now()) {
        if (this.#held.size === 0) return null;
        const speeds = [0, 0, 0];
        for (const [key, since] of this.#held) {
            const speed = Math.min(1, LOWEST_SPEED + ((1 - LOWEST_SPEED) * (now - since)) / GROWTH);
            DIRECTIONS[key].forEach((direction, axis) => (speeds[axis] += direction * speed));
        }
        const [pan, tilt, zoom] = speeds.map((speed) => Math.round(Math.max(-1, Math.min(1, speed)) * 100) / 100);
        // Two keys that cancel each other.
        return pan === 0 && tilt === 0 && zoom === 0 ? null : { pan, tilt, zoom };
    }

    /** @param {string} key a direction */
    #press(key) {
        this.#inputAt = performance.now();
        if (this.#held.has(key)) return;
        this.#held.set(key, this.#inputAt);
        this.#words?.move();
    }

    /** @param {string} key */
    #release(key) {
        if (!this.#held.delete(key)) return;
        this.#inputAt = performance.now();
        this.#words?.move();
    }

    /** Stops the camera if this page moves it. */
    #letGo() {
        if (this.#held.size === 0) return;
        this.#held.clear();
        this.#words?.stop();
    }

    /** @param {{preset: number} | {home: true}} destination */
    #go(destination) {
        this.#inputAt = performance.now();
        this.#held.clear();
        void this.#words?.go(destination);
    }

    /** @param {KeyboardEvent} event */
    #onKeyDown(event) {
        if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]") !== null) return;
        const key = nameOf(event);
        if (this.#camera === null) {
            if (key === "p" && !event.repeat && this.#maySteer(this.#wall.enlarged)) this.#begin();
            else return;
        } else if (key in DIRECTIONS) this.#press(key);
        else if (/^[1-9]$/.test(key)) this.#go({ preset: Number(key) });
        else if (key === "Home") this.#go({ home: true });
        else if (END_KEYS.includes(key)) this.#end();
        else if (key === "Enter" || key === "0") {
            // A pad or a preset that has the focus is pressed; the wall stays as it is.
            if (event.target instanceof HTMLButtonElement && key === "Enter") return;
        } else return;
        event.preventDefault();
        event.stopImmediatePropagation();
    }

    /** @param {Answer} one */
    #onAnswer({ status, answer }) {
        if (this.#panel === null) return;
        if (status === 200) {
            const { reason } = explain(reasonIn({ why: answer?.error, reason: answer?.reason }), 0, 0);
            this.#error = reason;
            if (Array.isArray(answer?.presets)) this.#panel.setPresets(answer.presets.filter(isPreset));
        } else {
            this.#held.clear();
            this.#words?.fall();
            if (status === 0) this.#error = t("ptz.silent");
            else if (status === 403) this.#error = t("ptz.mayNot");
            // Who steers is told by the socket, if there is one.
            else this.#error = status === 409 && this.#others.has(this.#camera ?? "") ? "" : String(answer?.error ?? status);
        }
        this.#draw();
    }
}

/** @param {any} preset */
function isPreset(preset) {
    return Number.isFinite(preset?.number) && typeof preset.name === "string";
}

/** The name of a key here. @param {KeyboardEvent} event */
function nameOf({ key }) {
    const name = key.length === 1 ? key.toLowerCase() : key;
    return SYNONYMS[name] ?? name;
}

/** Says on a tile who steers its camera. @param {Element} tile @param {string | undefined} by */
function showSteerer(tile, by) {
    let label = tile.querySelector(".ptz-by");
    if (by === undefined) {
        label?.remove();
        return;
    }
    if (label === null) {
        label = document.createElement("p");
        label.className = "ptz-by";
        tile.append(label);
    }
    const text = t("ptz.steers", { by });
    if (label.textContent !== text) label.textContent = text;
}
