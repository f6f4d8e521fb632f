// The dialog for layout, rotation, activity mark and transport. Loaded when it is opened for the first time.

import { t } from "./language.js";
import { LAYOUTS, MAX_MOTION_JPEG_PANELS, panelsOf } from "./layout.js";
import { layoutIcon, layoutName } from "./layout-icon.js";

/** Seconds offered for each page, besides the current setting. */
const ROTATIONS = [0, 10, 15, 30, 60];

export class LayoutChooser {
    #root;
    #actions;
    #drawnKey = "";

    /**
     * @param {HTMLDialogElement} root
     * @param {object} actions
     * @param {(layout: string) => void} actions.layout
     * @param {(seconds: number) => void} actions.setRotation
     * @param {(shown: boolean) => void} actions.setActivityMark
     * @param {(transport: "socket" | "mjpeg") => void} actions.setTransport
     */
    constructor(root, actions) {
        this.#root = root;
        this.#actions = actions;
        root.addEventListener("change", (event) => this.#onChange(event.target));
        root.addEventListener("click", (event) => {
            if (event.target === root) root.close(); // a click on the backdrop
        });
    }

    /** Opens or closes the dialog. @param {() => void} fill calls `draw` */
    toggle(fill) {
        if (this.#root.open) {
            this.#root.close();
            return;
        }
        this.#root.showModal();
        fill();
        this.#find("input[name=layout]:checked")?.focus();
    }

    /**
     * Shows the current settings; cheap when nothing changed.
     * @param {{layout: string, drawn: string[], rotate: number, life: boolean, transport: string, aspect: number, language: string}} now
     */
    draw(now) {
        const key = JSON.stringify({ ...now, aspect: Math.round(now.aspect * 20) });
        if (key === this.#drawnKey || !this.#root.open) return;
        this.#drawnKey = key;
        const focused = /** @type {any} */ (document.activeElement)?.closest("#layouts input")?.value;
        const options = [...LAYOUTS, ...now.drawn].map((layout) => {
            const input = document.createElement("input");
            Object.assign(input, { type: "radio", name: "layout", value: layout, checked: layout === now.layout });
            input.disabled = now.transport === "mjpeg" && layout !== "auto" && panelsOf(layout, 0) > MAX_MOTION_JPEG_PANELS;
            const label = document.createElement("label");
            label.append(input, layoutIcon(layout, now.aspect), layoutName(layout));
            return label;
        });
        this.#slot("layouts").replaceChildren(...options);
        if (focused !== undefined && this.#root.open) this.#find(`input[value="${focused}"]`)?.focus();
        const seconds = [...new Set([...ROTATIONS, now.rotate])].sort((a, b) => a - b);
        this.#slot("rotate").replaceChildren(...seconds.map((s) =>
            new Option(s === 0 ? t("rotate.never") : t("rotate.every", { seconds: s }), String(s), false, s === now.rotate)));
        this.#slot("life").checked = now.life;
        this.#slot("transport").value = now.transport;
    }

    #onChange(input) {
        if (input.name === "layout") this.#actions.layout(input.value);
        else if (input.name === "rotate") this.#actions.setRotation(Number(input.value));
        else if (input.name === "life") this.#actions.setActivityMark(input.checked);
        else if (input.name === "transport") this.#actions.setTransport(input.value);
    }

    /** @returns {any} an element of the page's own HTML */
    #find(selector) {
        return this.#root.querySelector(selector);
    }

    #slot(name) {
        return this.#find(`[data-slot="${name}"]`);
    }
}
