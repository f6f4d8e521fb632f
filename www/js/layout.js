// Assigns cameras to the slots of a grid: layouts, pages, and one camera enlarged. Pure.
//
// The only measure is the aspect ratio of the wall. Grids are chosen so that pictures of 16:9 come out
// as large as possible, on a landscape or a portrait screen.

/** @import { Grid, Plan, Slot } from "./types" */

/** Names of layouts in `cameras.toml`, in URLs and on this page, in the order of the choice. */
export const LAYOUTS = Object.freeze(["auto", "1", "4", "9", "16", "25", "1+5", "1+7", "1+12"]);
/** Each Motion JPEG panel holds one of the six connections that a browser opens to a host. */
export const MAX_MOTION_JPEG_PANELS = 4;

const PICTURE_ASPECT = 16 / 9;
/** Maximum of the automatic layout; further cameras go to further pages. */
const MAX_PANELS = 25;
/** In mixed layouts such as `1+5` the large picture has at least this many times the area of a small one. */
const MIN_LARGE_RATIO = 3;
const MAX_COLUMNS = 10;
const MAX_ROWS = 14;
/** Differences in size below this part of the wall are ignored. */
const MIN_DIFFERENCE = 1e-4;

/** Whether `layout` is a picture of the grid: its rows, each after a slash. @param {string} layout */
export const isDrawn = (layout) => layout[0] === "/";

/** Panels of `layout` on a wall of `count` cameras. @param {string} layout @param {number} count */
export function panelsOf(layout, count) {
    if (isDrawn(layout)) return new Set(layout.match(/[\w-]+/g)).size;
    if (layout === "auto") return Math.min(Math.max(1, count), MAX_PANELS);
    return layout.split("+").reduce((sum, panels) => sum + Number(panels), 0);
}

/**
 * @param {object} options
 * @param {string[]} options.cameras
 * @param {string} options.layout one of `LAYOUTS`, or a picture of the grid
 * @param {number} options.page clamped
 * @param {string | null} options.enlarged show this camera alone
 * @param {number} options.aspect width of the wall divided by its height
 * @returns {Plan}
 */
export function arrange({ cameras, layout, page, enlarged, aspect }) {
    const panels = panelsOf(layout, cameras.length);
    const pages = isDrawn(layout) ? 1 : Math.max(1, Math.ceil(cameras.length / panels));
    const clamped = Math.min(Math.max(0, page), pages - 1);
    if (enlarged !== null && cameras.includes(enlarged)) {
        return { columns: 1, rows: 1, page: clamped, pages, slots: [slot(enlarged, 0, 0)] };
    }
    if (isDrawn(layout)) return { page: 0, pages, ...drawnSlots(layout, cameras) };
    const grid = gridOf(layout, panels, aspect);
    const shown = cameras.slice(clamped * panels, (clamped + 1) * panels);
    return { columns: grid.columns, rows: grid.rows, page: clamped, pages, slots: fill(grid, shown) };
}

const slot = (camera, column, row, columns = 1, rows = 1) => ({ camera, column, row, columns, rows });

/** The grid of which `layout` is a picture; what is not among `cameras` has an empty place. @param {string} layout @param {string[]} cameras */
function drawnSlots(layout, cameras) {
    const places = layout.slice(1).split("/").map((row) => row.split(" "));
    /** @type {Slot[]} */
    const slots = [];
    places.forEach((words, row) => words.forEach((camera, column) => {
        const isSame = (x, y) => camera !== "." && places[y]?.[x] === camera;
        if (isSame(column - 1, row) || isSame(column, row - 1)) return;
        let [columns, rows] = [1, 1];
        while (isSame(column + columns, row)) columns += 1;
        while (isSame(column, row + rows)) rows += 1;
        slots.push(slot(cameras.includes(camera) ? camera : null, column, row, columns, rows));
    }));
    return { columns: places[0].length, rows: places.length, slots };
}

/** @param {Grid} grid @param {string[]} cameras @returns {Slot[]} */
function fill({ columns, rows, large }, cameras) {
    const rest = [...cameras];
    const slots = [slot(rest.shift() ?? null, 0, 0, large.columns, large.rows)];
    for (let row = 0; row < rows; row += 1) {
        for (let column = 0; column < columns; column += 1) {
            if (row < large.rows && column < large.columns) continue;
            slots.push(slot(rest.shift() ?? null, column, row));
        }
    }
    return slots;
}

/**
 * The best grid for `layout` on a wall of this aspect ratio.
 * @param {string} layout
 * @param {number} panels
 * @param {number} aspect
 * @returns {Grid}
 */
export function gridOf(layout, panels, aspect) {
    const isMixed = layout.includes("+");
    const small = isMixed ? panels - 1 : panels;
    let best = null;
    for (let columns = 1; columns <= Math.min(panels, MAX_COLUMNS); columns += 1) {
        if (!isMixed) best = better(best, candidate(columns, Math.ceil(panels / columns), 1, 1, panels, aspect));
        else for (let wide = 1; wide <= columns; wide += 1) {
            for (let high = 1; high <= MAX_ROWS; high += 1) {
                const rows = Math.max(high, Math.ceil((small + wide * high) / columns));
                if (rows <= MAX_ROWS) best = better(best, candidate(columns, rows, wide, high, panels, aspect, MIN_LARGE_RATIO));
            }
        }
    }
    return best;
}

function candidate(columns, rows, wide, high, panels, aspect, minRatio = 0) {
    const [width, height] = [aspect / columns, 1 / rows];
    const area = (w, h) => Math.min(w, h * PICTURE_ASPECT) * Math.min(h, w / PICTURE_ASPECT);
    const [small, large] = [area(width, height), area(width * wide, height * high)];
    if (large < small * minRatio) return null;
    const covered = (large + small * (panels - 1)) / aspect;
    const empty = columns * rows - wide * high + 1 - panels;
    return { columns, rows, large: { columns: wide, rows: high }, covered, empty, imbalance: Math.abs(columns - rows) };
}

/** The candidate that covers more of the wall, then the one with fewer empty cells, then the one nearer to a square. */
function better(one, other) {
    if (one === null || other === null) return one ?? other;
    if (Math.abs(other.covered - one.covered) > MIN_DIFFERENCE) return other.covered > one.covered ? other : one;
    if (other.empty !== one.empty) return other.empty < one.empty ? other : one;
    return other.imbalance < one.imbalance ? other : one;
}

/** @type {Record<string, {along: "column" | "row", by: -1 | 1}>} */
const DIRECTIONS = {
    ArrowLeft: { along: "column", by: -1 },
    ArrowRight: { along: "column", by: 1 },
    ArrowUp: { along: "row", by: -1 },
    ArrowDown: { along: "row", by: 1 },
};

/**
 * The slot to which an arrow key leads. `turn` is -1 or 1 if it leaves the page sideways; `to` is then
 * at the opposite edge.
 * @param {Slot[]} slots
 * @param {number} from index of a slot
 * @param {string} key
 * @returns {{to: number, turn: -1 | 0 | 1}}
 */
export function step(slots, from, key) {
    const { along, by } = DIRECTIONS[key];
    const here = slots[from];
    const isSideways = along === "column";
    const [start, span] = isSideways ? ["column", "columns"] : ["row", "rows"];
    const [crossStart, crossSpan] = isSideways ? ["row", "rows"] : ["column", "columns"];
    const offset = (slot) => // across the direction, 0 where the slots overlap
        Math.max(0, slot[crossStart] - here[crossStart] - here[crossSpan] + 1, here[crossStart] - slot[crossStart] - slot[crossSpan] + 1);
    const nearest = (distance) => {
        let best = { i: -1, cost: Infinity };
        slots.forEach((slot, i) => {
            const far = distance(slot);
            if (far === null) return;
            const cost = far * 100 + offset(slot) * 10 + slot[crossStart] / 100;
            if (cost < best.cost) best = { i, cost };
        });
        return best.i;
    };
    const ahead = (slot) => (by > 0 ? slot[start] - here[start] - here[span] : here[start] - slot[start] - slot[span]);
    const next = nearest((slot) => (ahead(slot) >= 0 && offset(slot) === 0 ? ahead(slot) : null));
    if (next >= 0) return { to: next, turn: 0 };
    if (!isSideways) return { to: from, turn: 0 };
    const edge = nearest((slot) => (by > 0 ? slot.column : -slot.column - slot.columns) + 100);
    return { to: edge, turn: by };
}
