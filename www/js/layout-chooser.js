// The dialog for layout, rotation, activity mark and transport.
//
// The layout icons follow the same rules as the wall, at its current aspect ratio.

import { t } from "./language.js";
import { LAYOUTS, MAX_MOTION_JPEG_PANELS, gridOf, panelsOf } from "./layout.js";

const SVG = "http://www.w3.org/2000/svg";
/** The longer side of an icon, in its own units. */
const ICON_SIZE = 30;
/** Seconds offered for each page, besides the current setting. */
const ROTATIONS = [0, 10, 15, 30, 60];
/** The icon of the automatic layout shows this many cameras. */
const SAMPLE_CAMERAS = 6;

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
     * @param {{layout: string, rotate: number, life: boolean, transport: string, aspect: number, language: string}} now
     */
    draw(now) {
        const key = JSON.stringify({ ...now, aspect: Math.round(now.aspect * 20) });
        if (key === this.#drawnKey || !this.#root.open) return;
        this.#drawnKey = key;
        const focused = /** @type {any} */ (document.activeElement)?.closest("#layouts input")?.value;
        const options = LAYOUTS.map((layout) => {
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

/** The display name of a layout. @param {string} layout */
export function layoutName(layout) {
    return layout === "auto" ? t("layout.auto") : layout.replace("+", " + ");
}

/**
 * An icon of a layout on a wall of this aspect ratio.
 * @param {string} layout
 * @param {number} aspect
 * @param {number} cameras in the automatic layout
 */
export function layoutIcon(layout, aspect, cameras = SAMPLE_CAMERAS) {
    const { columns, rows, large } = gridOf(layout, panelsOf(layout, cameras), aspect);
    const [width, height] = aspect >= 1 ? [ICON_SIZE, ICON_SIZE / Math.min(aspect, 2)] : [ICON_SIZE * Math.max(aspect, 0.5), ICON_SIZE];
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("width", String(width));
    svg.setAttribute("height", String(height));
    svg.setAttribute("aria-hidden", "true");
    const addRect = (column, row, wide, high) => {
        const rect = document.createElementNS(SVG, "rect");
        const gap = columns > 3 || rows > 3 ? 0.4 : 0.7;
        const sides = { x: (column * width) / columns + gap, y: (row * height) / rows + gap, width: (wide * width) / columns - gap * 2, height: (high * height) / rows - gap * 2 };
        for (const [name, value] of Object.entries(sides)) rect.setAttribute(name, value.toFixed(2));
        svg.append(rect);
    };
    addRect(0, 0, large.columns, large.rows);
    for (let row = 0; row < rows; row += 1) {
        for (let column = 0; column < columns; column += 1) {
            if (row >= large.rows || column >= large.columns) addRect(column, row, 1, 1);
        }
    }
    return svg;
}
