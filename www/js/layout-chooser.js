// The dialog in which layout, rotation, sign of life and transport are chosen, by mouse, finger or keys.
//
// The small pictures of layouts are drawn by the same rules as the wall, for its present shape.

import { t } from "./language.js";
import { LAYOUTS, MOTION_JPEG_PANELS, gridOf, panelsOf } from "./layout.js";

const SVG = "http://www.w3.org/2000/svg";
/** The longer side of a small picture, in its own units. */
const DRAWN = 30;
/** Seconds offered for each page, besides those in use. */
const ROTATIONS = [0, 10, 15, 30, 60];
/** An automatic layout is drawn as if there were so many cameras. */
const SOME = 6;

export class LayoutChooser {
    #root;
    #actions;
    #drawn = "";

    /**
     * @param {HTMLDialogElement} root
     * @param {object} actions
     * @param {(layout: string) => void} actions.layout
     * @param {(seconds: number) => void} actions.rotateEvery
     * @param {(shown: boolean) => void} actions.life
     * @param {(transport: "socket" | "mjpeg") => void} actions.chooseTransport
     */
    constructor(root, actions) {
        this.#root = root;
        this.#actions = actions;
        root.addEventListener("change", (event) => this.#changed(event.target));
        root.addEventListener("click", (event) => {
            if (event.target === root) root.close(); // beside the dialog
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
        this.#root.querySelector("input[name=layout]:checked")?.focus();
    }

    /**
     * Says how things stand; cheap where nothing changed.
     * @param {{layout: string, rotate: number, life: boolean, transport: string, shape: number, language: string}} now
     */
    draw(now) {
        const key = JSON.stringify({ ...now, shape: Math.round(now.shape * 20) });
        if (key === this.#drawn || !this.#root.open) return;
        this.#drawn = key;
        const chosen = document.activeElement?.closest?.("#layouts input")?.value;
        const options = LAYOUTS.map((layout) => {
            const input = document.createElement("input");
            Object.assign(input, { type: "radio", name: "layout", value: layout, checked: layout === now.layout });
            input.disabled = now.transport === "mjpeg" && layout !== "auto" && panelsOf(layout, 0) > MOTION_JPEG_PANELS;
            const label = document.createElement("label");
            label.append(input, layoutIcon(layout, now.shape), layoutName(layout));
            return label;
        });
        this.#slot("layouts").replaceChildren(...options);
        if (chosen !== undefined && this.#root.open) this.#root.querySelector(`input[value="${chosen}"]`)?.focus();
        const rotate = this.#slot("rotate");
        const all = [...new Set([...ROTATIONS, now.rotate])].sort((a, b) => a - b);
        rotate.replaceChildren(...all.map((seconds) =>
            new Option(seconds === 0 ? t("rotate.never") : t("rotate.every", { seconds }), seconds, false, seconds === now.rotate)));
        this.#slot("life").checked = now.life;
        this.#slot("transport").value = now.transport;
    }

    #changed(input) {
        if (input.name === "layout") this.#actions.layout(input.value);
        else if (input.name === "rotate") this.#actions.rotateEvery(Number(input.value));
        else if (input.name === "life") this.#actions.life(input.checked);
        else if (input.name === "transport") this.#actions.chooseTransport(input.value);
    }

    #slot(name) {
        return this.#root.querySelector(`[data-slot="${name}"]`);
    }
}

/** What people call a layout. */
export function layoutName(layout) {
    return layout === "auto" ? t("layout.auto") : layout.replace("+", " + ");
}

/** A small drawing of a layout on a wall of this shape; an automatic one with so many cameras. */
export function layoutIcon(layout, shape, cameras = SOME) {
    const { columns, rows, large } = gridOf(layout, panelsOf(layout, cameras), shape);
    const [width, height] = shape >= 1 ? [DRAWN, DRAWN / Math.min(shape, 2)] : [DRAWN * Math.max(shape, 0.5), DRAWN];
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("width", String(width));
    svg.setAttribute("height", String(height));
    svg.setAttribute("aria-hidden", "true");
    const block = (column, row, wide, high) => {
        const rect = document.createElementNS(SVG, "rect");
        const gap = columns > 3 || rows > 3 ? 0.4 : 0.7;
        const sides = { x: (column * width) / columns + gap, y: (row * height) / rows + gap, width: (wide * width) / columns - gap * 2, height: (high * height) / rows - gap * 2 };
        for (const [name, value] of Object.entries(sides)) rect.setAttribute(name, value.toFixed(2));
        svg.append(rect);
    };
    block(0, 0, large.columns, large.rows);
    for (let row = 0; row < rows; row += 1) {
        for (let column = 0; column < columns; column += 1) {
            if (row >= large.rows || column >= large.columns) block(column, row, 1, 1);
        }
    }
    return svg;
}
