// Name and icon of a layout. The icon follows the same rules as the wall, at its current aspect ratio.

import { t } from "./language.js";
import { arrange, isDrawn, panelsOf } from "./layout.js";

const SVG = "http://www.w3.org/2000/svg";
/** The longer side of an icon, in its own units. */
const ICON_SIZE = 30;
/** The icon of the automatic layout shows this many cameras. */
const SAMPLE_CAMERAS = 6;

/** The display name of a layout. @param {string} layout */
export function layoutName(layout) {
    return isDrawn(layout) ? t("layout.drawn") : layout === "auto" ? t("layout.auto") : layout.replace("+", " + ");
}

/**
 * An icon of a layout on a wall of this aspect ratio.
 * @param {string} layout
 * @param {number} aspect
 * @param {number} cameras in the automatic layout
 */
export function layoutIcon(layout, aspect, cameras = SAMPLE_CAMERAS) {
    // Any names will do, as a picture of the grid has its own.
    const shown = Array.from({ length: panelsOf(layout, cameras) }, (_, i) => String(i));
    const { columns, rows, slots } = arrange({ cameras: shown, layout, page: 0, enlarged: null, aspect });
    const [width, height] = aspect >= 1 ? [ICON_SIZE, ICON_SIZE / Math.min(aspect, 2)] : [ICON_SIZE * Math.max(aspect, 0.5), ICON_SIZE];
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("width", String(width));
    svg.setAttribute("height", String(height));
    svg.setAttribute("aria-hidden", "true");
    const gap = columns > 3 || rows > 3 ? 0.4 : 0.7;
    for (const { column, row, columns: wide, rows: high } of slots) {
        const rect = document.createElementNS(SVG, "rect");
        const sides = { x: (column * width) / columns + gap, y: (row * height) / rows + gap, width: (wide * width) / columns - gap * 2, height: (high * height) / rows - gap * 2 };
        for (const [name, value] of Object.entries(sides)) rect.setAttribute(name, value.toFixed(2));
        svg.append(rect);
    }
    return svg;
}
