// Which camera stands where: layouts, pages, and one tile enlarged. Pure.
//
// Nothing here is measured in pixels but the shape of the wall: grids are chosen so that pictures of
// 16:9 come out as large as they can, on a screen that lies or stands.

/** Names of layouts as `cameras.toml`, addresses and this page write them, in the order they are offered. */
export const LAYOUTS = Object.freeze(["auto", "1", "4", "9", "16", "25", "1+5", "1+7", "1+12"]);
/** Motion JPEG holds one of the six connections a browser opens to a host for each panel. */
export const MOTION_JPEG_PANELS = 4;

const PICTURE = 16 / 9;
/** An automatic wall holds no more panels than this; further cameras stand on further pages. */
const MOST_PANELS = 25;
/** The large tile of `1+5` and its like shows at least so many times the picture of a small one. */
const LARGE_TO_SMALL = 3;
/** Grids are not made finer than this. */
const MOST_COLUMNS = 10;
const MOST_ROWS = 14;
/** Differences in size below this part of the wall cannot be seen. */
const UNSEEN = 1e-4;

/** Panels of `layout` on a wall of `count` cameras. */
export function panelsOf(layout, count) {
    if (layout === "auto") return Math.min(Math.max(1, count), MOST_PANELS);
    return layout.split("+").reduce((sum, panels) => sum + Number(panels), 0);
}

/**
 * @typedef {object} Place
 * @property {string | null} camera null where nothing stands
 * @property {number} column from 0
 * @property {number} row from 0
 * @property {number} columns how many it spans
 * @property {number} rows how many it spans
 *
 * @typedef {object} Plan
 * @property {number} columns
 * @property {number} rows
 * @property {number} page from 0
 * @property {number} pages
 * @property {Place[]} places row by row, the large one first; every cell of the grid belongs to one
 */

/**
 * @param {object} wanted
 * @param {string[]} wanted.cameras
 * @param {string} wanted.layout one of `LAYOUTS`
 * @param {number} wanted.page clamped
 * @param {string | null} wanted.enlarged this camera alone
 * @param {number} wanted.shape width of the wall divided by its height
 * @returns {Plan}
 */
export function arrange({ cameras, layout, page, enlarged, shape }) {
    const panels = panelsOf(layout, cameras.length);
    const pages = Math.max(1, Math.ceil(cameras.length / panels));
    const shown = Math.min(Math.max(0, page), pages - 1);
    if (enlarged !== null && cameras.includes(enlarged)) {
        return { ...gridOf("1", 1, shape), page: shown, pages, places: [cell(enlarged, 0, 0)] };
    }
    const grid = gridOf(layout, panels, shape);
    const here = cameras.slice(shown * panels, (shown + 1) * panels);
    return { columns: grid.columns, rows: grid.rows, page: shown, pages, places: fill(grid, here) };
}

const cell = (camera, column, row, columns = 1, rows = 1) => ({ camera, column, row, columns, rows });

function fill({ columns, rows, large }, cameras) {
    const waiting = [...cameras];
    const places = [cell(waiting.shift() ?? null, 0, 0, large.columns, large.rows)];
    for (let row = 0; row < rows; row += 1) {
        for (let column = 0; column < columns; column += 1) {
            if (row < large.rows && column < large.columns) continue;
            places.push(cell(waiting.shift() ?? null, column, row));
        }
    }
    return places;
}

/** The grid of `layout` on a wall of this shape: its cells, and how many the first tile spans. */
export function gridOf(layout, panels, shape) {
    const mixed = layout.includes("+");
    const small = mixed ? panels - 1 : panels;
    let best = null;
    for (let columns = 1; columns <= Math.min(panels, MOST_COLUMNS); columns += 1) {
        if (!mixed) best = better(best, candidate(columns, Math.ceil(panels / columns), 1, 1, panels, shape));
        else for (let wide = 1; wide <= columns; wide += 1) {
            for (let high = 1; high <= MOST_ROWS; high += 1) {
                const rows = Math.max(high, Math.ceil((small + wide * high) / columns));
                if (rows <= MOST_ROWS) best = better(best, candidate(columns, rows, wide, high, panels, shape, LARGE_TO_SMALL));
            }
        }
    }
    return best;
}

function candidate(columns, rows, wide, high, panels, shape, atLeast = 0) {
    const [width, height] = [shape / columns, 1 / rows];
    const picture = (w, h) => Math.min(w, h * PICTURE) * Math.min(h, w / PICTURE);
    const [small, large] = [picture(width, height), picture(width * wide, height * high)];
    if (large < small * atLeast) return null;
    const seen = (large + small * (panels - 1)) / shape;
    const empty = columns * rows - wide * high + 1 - panels;
    return { columns, rows, large: { columns: wide, rows: high }, seen, empty, slant: Math.abs(columns - rows) };
}

/** The one that shows more, then the one with fewer empty cells, then the one nearer to a square. */
function better(one, other) {
    if (one === null || other === null) return one ?? other;
    if (Math.abs(other.seen - one.seen) > UNSEEN) return other.seen > one.seen ? other : one;
    if (other.empty !== one.empty) return other.empty < one.empty ? other : one;
    return other.slant < one.slant ? other : one;
}

const DIRECTIONS = {
    ArrowLeft: { along: "column", by: -1 },
    ArrowRight: { along: "column", by: 1 },
    ArrowUp: { along: "row", by: -1 },
    ArrowDown: { along: "row", by: 1 },
};

/**
 * Where an arrow key leads from place `from`; `turn` is -1 or 1 when it leaves the page sideways, and
 * `place` then lies at the other edge.
 * @param {Place[]} places
 * @returns {{place: number, turn: -1 | 0 | 1}}
 */
export function step(places, from, key) {
    const { along, by } = DIRECTIONS[key];
    const here = places[from];
    const sideways = along === "column";
    const [start, span] = sideways ? ["column", "columns"] : ["row", "rows"];
    const [crossStart, crossSpan] = sideways ? ["row", "rows"] : ["column", "columns"];
    const across = (place) => // how far beside, 0 where they overlap
        Math.max(0, place[crossStart] - here[crossStart] - here[crossSpan] + 1, here[crossStart] - place[crossStart] - place[crossSpan] + 1);
    const nearest = (distance) => {
        let found = null;
        places.forEach((place, i) => {
            const far = distance(place);
            if (far === null) return;
            const cost = far * 100 + across(place) * 10 + place[crossStart] / 100;
            if (found === null || cost < found.cost) found = { i, cost };
        });
        return found?.i ?? null;
    };
    const ahead = (place) => (by > 0 ? place[start] - here[start] - here[span] : here[start] - place[start] - place[span]);
    const next = nearest((place) => (ahead(place) >= 0 && across(place) === 0 ? ahead(place) : null));
    if (next !== null) return { place: next, turn: 0 };
    if (!sideways) return { place: from, turn: 0 };
    const edge = nearest((place) => (by > 0 ? place.column : -place.column - place.columns) + 100);
    return { place: edge, turn: by };
}
