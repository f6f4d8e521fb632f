// Digital zoom of one tile: wheel, keys, two fingers. A small frame says which part of the picture is
// seen. It ends after a minute without input. Loaded when somebody zooms for the first time.

import { addTexts, t } from "./language.js";
import { addStyleSheet } from "./style-sheet.js";

/** @import { CameraTile } from "./camera-tile.js" */
/** @import { CameraWall } from "./wall.js" */
/** @typedef {[number, number]} Point in CSS pixels from the upper left corner of the tile, or in parts of the picture */

addTexts({
    en: { "zoom.factor": "{factor}×", "zoom.label": "Enlarged {factor} times" },
    "zh-TW": { "zoom.factor": "{factor}×", "zoom.label": "放大 {factor} 倍" },
});

const MAX_FACTOR = 8;
/** A picture enlarged by less is shown whole. */
const MIN_FACTOR = 1.05;
/** Of a key. */
const KEY_STEP = 1.5;
/** Of a pixel that the wheel turns, and of a line. */
const WHEEL_STEP = 1.0015;
const LINE_HEIGHT = 30;
/** An arrow key moves by this part of what is seen. */
const MOVE = 0.2;

/** @type {Record<string, Point>} */
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const clamp = (value, min, max) => Math.min(max, Math.max(min, value));

export class Zoom {
    /** It ends after this time without input, in milliseconds. */
    static limit = 60_000;

    #wall;
    /** @type {CameraTile | null} */
    #tile = null;
    #factor = 1;
    /** The part of the picture that is in the middle of the tile. @type {Point} */
    #center = [0.5, 0.5];
    #endTimer = 0;
    /** Fingers, or the pressed mouse, on the wall. @type {Map<number, Point>} */
    #pointers = new Map();
    #map = document.createElement("div");
    #part = document.createElement("i");
    #text = document.createElement("output");
    #onResize = new ResizeObserver(() => this.#draw());

    /** @param {HTMLElement} root @param {CameraWall} wall */
    constructor(root, wall) {
        this.#wall = wall;
        addStyleSheet("zoom");
        this.#map.className = "zoom-map";
        this.#map.append(this.#part, this.#text);
        root.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
        root.addEventListener("pointerdown", (event) => this.#onDown(event));
        root.addEventListener("pointermove", (event) => this.#onMove(event));
        for (const end of ["pointerup", "pointercancel"]) {
            document.addEventListener(end, (event) => this.#pointers.delete(/** @type {PointerEvent} */ (event).pointerId));
        }
    }

    /** The camera whose picture is enlarged; null: none. */
    get camera() {
        if (this.#tile?.isConnected === false) this.end();
        return this.#tile?.getAttribute("camera") ?? null;
    }

    /** Enlarges the picture of the selected tile by a step, or the other way. @param {number} by 1 or -1 */
    step(by) {
        const tile = this.#tileOf(document.querySelector(`camera-tile[camera="${CSS.escape(this.#wall.selected ?? "")}"]`));
        if (tile !== null) this.#zoom(tile, KEY_STEP ** by, [tile.clientWidth / 2, tile.clientHeight / 2]);
    }

    /** Moves what is seen in the direction of an arrow key; returns whether the selected tile is enlarged. @param {string} key */
    move(key) {
        if (this.camera === null || this.camera !== this.#wall.selected) return false;
        const [across, down] = this.#seen();
        const [x, y] = DIRECTIONS[key];
        this.#center = [this.#center[0] + x * across * MOVE, this.#center[1] + y * down * MOVE];
        this.#changed();
        return true;
    }

    /** Shows the whole picture; returns whether one was enlarged. */
    end() {
        const tile = this.#tile;
        if (tile === null) return false;
        clearTimeout(this.#endTimer);
        this.#onResize.disconnect();
        this.#map.remove();
        tile.frame.style.transform = "";
        tile.removeAttribute("zoomed");
        tile.zoom = 1;
        this.#tile = null;
        this.#factor = 1;
        this.#wall.request();
        return tile.isConnected;
    }

    /** @param {WheelEvent} event */
    onWheel(event) {
        const tile = this.#tileOf(event.target);
        // With Ctrl the browser enlarges the page.
        if (tile === null || event.ctrlKey) return;
        event.preventDefault();
        const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE_HEIGHT);
        this.#zoom(tile, WHEEL_STEP ** -pixels, pointIn(tile, event));
    }

    /** A finger touches the wall, or the mouse is pressed. @param {PointerEvent} event */
    #onDown(event) {
        const tile = this.#tileOf(event.target);
        if (tile === null || (event.pointerType === "mouse" && event.button !== 0)) return;
        this.#pointers.set(event.pointerId, pointIn(tile, event));
    }

    /** @param {PointerEvent} event */
    #onMove(event) {
        const tile = this.#tileOf(event.target);
        if (tile === null || event.buttons === 0) return;
        const before = this.#pointers.get(event.pointerId);
        const now = pointIn(tile, event);
        this.#pointers.set(event.pointerId, now);
        // The first finger may have come down before this module was there.
        if (before === undefined || this.#pointers.size > 2) return;
        const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
        if (other === undefined) {
            if (tile === this.#tile) this.#drag([now[0] - before[0], now[1] - before[1]]);
            return;
        }
        const distance = (point) => Math.max(1, Math.hypot(point[0] - other[0], point[1] - other[1]));
        this.#zoom(tile, distance(now) / distance(before), other);
    }

    /** The tile of an element if it has a picture. @param {any} element @returns {CameraTile | null} */
    #tileOf(element) {
        const tile = element?.closest?.("camera-tile") ?? null;
        return tile === null || tile.hasAttribute("blank") ? null : tile;
    }

    /** @param {CameraTile} tile @param {number} by @param {Point} at stays where it is */
    #zoom(tile, by, at) {
        if (tile !== this.#tile) {
            if (by <= 1) return;
            this.end();
            this.#tile = tile;
            this.#center = [0.5, 0.5];
            tile.append(this.#map);
            this.#onResize.observe(tile);
        }
        const factor = Math.min(MAX_FACTOR, this.#factor * by);
        if (factor < MIN_FACTOR && by < 1) {
            this.end();
            return;
        }
        const { frame, picture } = this.#sizes(tile);
        const point = (axis) => this.#center[axis] + ((at[axis] - frame[axis] / 2) / picture[axis]) * (1 / this.#factor - 1 / factor);
        this.#center = [point(0), point(1)];
        this.#factor = factor;
        this.#changed();
    }

    /** @param {Point} by */
    #drag(by) {
        if (this.#tile === null) return;
        const { picture } = this.#sizes(this.#tile);
        const moved = (axis) => this.#center[axis] - by[axis] / picture[axis] / this.#factor;
        this.#center = [moved(0), moved(1)];
        this.#changed();
    }

    #changed() {
        if (this.#tile === null) return;
        clearTimeout(this.#endTimer);
        this.#endTimer = window.setTimeout(() => this.end(), Zoom.limit);
        // In few steps, so that viewers share pictures.
        const zoom = 2 ** Math.ceil(Math.log2(this.#factor));
        if (this.#tile.zoom !== zoom) {
            this.#tile.zoom = zoom;
            this.#wall.request();
        }
        this.#draw();
    }

    /** The tile's size and that of the whole picture in it before it is enlarged. @param {CameraTile} tile @returns {{frame: Point, picture: Point}} */
    #sizes(tile) {
        const { clientWidth: width, clientHeight: height } = tile.frame;
        const [across, down] = tile.pictureSize;
        const scale = Math.min(width / across, height / down);
        return { frame: [width, height], picture: [across * scale, down * scale] };
    }

    /** The part of the picture's width and height that is seen. @returns {Point} */
    #seen() {
        if (this.#tile === null) return [1, 1];
        const { frame, picture } = this.#sizes(this.#tile);
        const part = (axis) => Math.min(1, frame[axis] / picture[axis] / this.#factor);
        return [part(0), part(1)];
    }

    #draw() {
        const tile = this.#tile;
        if (tile === null) return;
        const { picture } = this.#sizes(tile);
        const seen = this.#seen();
        const centered = (axis) => clamp(this.#center[axis], seen[axis] / 2, 1 - seen[axis] / 2);
        this.#center = [centered(0), centered(1)];
        const shift = (axis) => -(this.#center[axis] - 0.5) * picture[axis] * this.#factor;
        tile.frame.style.transform = `translate(${shift(0)}px, ${shift(1)}px) scale(${this.#factor})`;
        tile.setAttribute("zoomed", "");
        const percent = (part) => `${part * 100}%`;
        this.#map.style.setProperty("--ratio", String(picture[0] / picture[1]));
        Object.assign(this.#part.style, {
            left: percent(this.#center[0] - seen[0] / 2),
            top: percent(this.#center[1] - seen[1] / 2),
            width: percent(seen[0]),
            height: percent(seen[1]),
        });
        const factor = this.#factor.toFixed(1);
        this.#text.textContent = t("zoom.factor", { factor });
        this.#text.setAttribute("aria-label", t("zoom.label", { factor }));
    }
}

/** @param {CameraTile} tile @param {MouseEvent} event @returns {Point} */
function pointIn(tile, event) {
    const { left, top } = tile.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
}
