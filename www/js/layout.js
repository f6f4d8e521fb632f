// Which camera stands where: panels, pages, and one tile enlarged. Pure.

/** Numbers of panels, each a square grid. */
export const PANELS = Object.freeze([1, 4, 9, 16]);
/** Motion JPEG holds one of the six connections a browser opens to a host for each panel. */
export const MOTION_JPEG_PANELS = 4;

/** The smallest wall that holds `count` cameras, or the largest there is. */
export function panelsFor(count) {
    return PANELS.find((panels) => panels >= count) ?? PANELS.at(-1);
}

/**
 * @template T
 * @param {object} wanted
 * @param {T[]} wanted.cameras
 * @param {number} wanted.panels one of `PANELS`
 * @param {number} wanted.page from 0; clamped
 * @param {T | null} wanted.enlarged this camera alone
 * @returns {{side: number, page: number, pages: number, places: (T | null)[]}}
 *     places row by row, null where nothing stands; `side` panels in a row
 */
export function arrange({ cameras, panels, page, enlarged }) {
    const pages = Math.max(1, Math.ceil(cameras.length / panels));
    const shown = Math.min(Math.max(0, page), pages - 1);
    if (enlarged !== null && cameras.includes(enlarged)) {
        return { side: 1, page: shown, pages, places: [enlarged] };
    }
    const places = Array.from({ length: panels }, (_, i) => cameras[shown * panels + i] ?? null);
    return { side: Math.sqrt(panels), page: shown, pages, places };
}

/**
 * Where an arrow key leads from place `from`; `turn` is -1 or 1 when it leaves the page sideways.
 * @returns {{place: number, turn: -1 | 0 | 1}}
 */
export function step(from, key, side) {
    const row = Math.floor(from / side);
    const column = from % side;
    switch (key) {
        case "ArrowUp": return { place: row > 0 ? from - side : from, turn: 0 };
        case "ArrowDown": return { place: row < side - 1 ? from + side : from, turn: 0 };
        case "ArrowLeft": return column > 0 ? { place: from - 1, turn: 0 } : { place: from + side - 1, turn: -1 };
        case "ArrowRight": return column < side - 1 ? { place: from + 1, turn: 0 } : { place: from - side + 1, turn: 1 };
        default: return { place: from, turn: 0 };
    }
}
