// What is on the screen while somebody steers: pads for mouse and touch, the presets, and who steers.

import { t, translate } from "./language.js";

/** @typedef {{number: number, name: string}} Preset */
/**
 * @typedef {object} Actions
 * @property {(pad: string) => void} press a pad, by the name of its key
 * @property {(pad: string) => void} release
 * @property {(destination: {preset: number} | {home: true}) => void} go
 * @property {() => void} end
 */

/** Pads in rows: the name of the key that does the same, and its sign. */
const DIRECTION_PADS = [
    ["", ""], ["ArrowUp", "▲"], ["", ""],
    ["ArrowLeft", "◀"], ["Home", "⌂"], ["ArrowRight", "▶"],
    ["", ""], ["ArrowDown", "▼"], ["", ""],
];
const ZOOM_PADS = [["+", "+"], ["-", "−"]];

/** @param {string} name @param {string} className @param {(HTMLElement | string)[]} children */
function element(name, className, ...children) {
    const made = document.createElement(name);
    made.className = className;
    made.append(...children);
    return made;
}

export class PtzPanel {
    root = element("section", "ptz");
    #actions;
    #status = document.createElement("output");
    #presets = element("div", "presets");

    /** @param {Actions} actions */
    constructor(actions) {
        this.#actions = actions;
        const close = element("button", "dismiss");
        close.dataset.label = "ptz.end";
        close.addEventListener("click", () => actions.end());
        this.root.append(
            element("header", "", this.#status, close),
            element("div", "pads", ...DIRECTION_PADS.map((pad) => this.#pad(pad))),
            element("div", "pads zooms", ...ZOOM_PADS.map((pad) => this.#pad(pad))),
            this.#presets,
        );
        this.root.setAttribute("role", "region");
        this.root.dataset.label = "ptz.label";
        // Of the digital zoom below.
        this.root.addEventListener("wheel", (event) => event.preventDefault(), { passive: false });
        this.root.addEventListener("contextmenu", (event) => event.preventDefault());
        translate(this.root);
    }

    /** @param {string} text @param {boolean} isWrong */
    setStatus(text, isWrong) {
        if (this.#status.textContent !== text) this.#status.textContent = text;
        this.#status.toggleAttribute("wrong", isWrong);
    }

    /** @param {Preset[]} presets */
    setPresets(presets) {
        this.#presets.replaceChildren(...presets.map(({ number, name }) => {
            const button = document.createElement("button");
            button.append(element("kbd", "", String(number)), name);
            button.addEventListener("click", () => this.#actions.go({ preset: number }));
            return button;
        }));
        if (presets.length === 0) this.#presets.textContent = t("ptz.noPresets");
    }

    /** @param {string[]} pad key and sign */
    #pad([key, sign]) {
        if (key === "") return document.createElement("i");
        const button = document.createElement("button");
        button.textContent = sign;
        button.dataset.label = `ptz.${key}`;
        button.dataset.key = key;
        if (key === "Home") {
            button.addEventListener("click", () => this.#actions.go({ home: true }));
            return button;
        }
        button.addEventListener("pointerdown", (event) => {
            if (event.pointerType === "mouse" && event.button !== 0) return;
            event.preventDefault();
            button.setPointerCapture(event.pointerId);
            button.setAttribute("aria-pressed", "true");
            this.#actions.press(key);
        });
        for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
            button.addEventListener(end, () => {
                button.removeAttribute("aria-pressed");
                this.#actions.release(key);
            });
        }
        return button;
    }
}
