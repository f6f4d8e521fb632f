// What the wall requests from the agent for its tiles: size, frame rate and formats.

import { Governor } from "./governor.js";

/** @import { TileRequest } from "./types" */
/** @import { CameraTile } from "./camera-tile.js" */

/** Interval of `measure`, in milliseconds. */
export const TICK_INTERVAL = 250;
/** How well this terminal draws is measured over this time, in milliseconds. */
const MEASURE_INTERVAL = 1000;
/** Video that the browser could not decode is requested again after this time, in milliseconds. */
const UNDECODABLE_FOR = 600_000;

/** Frames per second by number of panels; small pictures need fewer. @param {number} panels */
function defaultFps(panels) {
    if (panels <= 4) return 25;
    if (panels <= 9) return 15;
    return panels <= 16 ? 12 : 10;
}

export class Demand {
    /** What the browser can show, the preferred format first. */
    formats = ["jpeg"];

    #governor = new Governor();
    /** Video that the browser could not decode, by camera. @type {Map<string, {format: string, until: number}>} */
    #undecodable = new Map();
    #measured = { at: performance.now(), tickedAt: performance.now(), late: 0 };

    /** Maximum frames per second of a tile because this terminal cannot draw more; null: no limit. */
    get limit() {
        return this.#governor.limit < defaultFps(1) ? this.#governor.limit : null;
    }

    /** Frames per second of a tile; the large one of a mixed layout gets more. @param {number} panels @param {boolean} isLarge */
    fps(panels, isLarge) {
        const fps = defaultFps(isLarge ? (panels > 9 ? 9 : 1) : panels);
        return Math.min(fps, this.#governor.limit);
    }

    /** @param {string} camera @param {CameraTile} tile @param {number} fps @returns {TileRequest} */
    request(camera, tile, fps) {
        const failed = this.#undecodable.get(camera)?.format;
        return { tile: tile.number, camera, size: tile.pixels, fps, accept: this.formats.filter((format) => format !== failed) };
    }

    /** @param {string} camera @param {string} format */
    markUndecodable(camera, format) {
        this.#undecodable.set(camera, { format, until: performance.now() + UNDECODABLE_FOR });
    }

    /** @param {string} camera */
    isUndecodable(camera) {
        return this.#undecodable.has(camera);
    }

    /** Allows video again whose time has passed; returns whether there was any. @param {number} now page time */
    retryUndecodable(now) {
        const expired = [...this.#undecodable].filter(([, { until }]) => now > until);
        for (const [camera] of expired) this.#undecodable.delete(camera);
        return expired.length > 0;
    }

    /**
     * Measures how well drawing keeps up; call it every `TICK_INTERVAL`. Returns whether the limit changed.
     * @param {CameraTile[]} tiles
     * @param {number} panels
     * @param {number} now page time
     */
    measure(tiles, panels, now) {
        const late = Math.max(this.#measured.late, now - this.#measured.tickedAt - TICK_INTERVAL);
        if (now - this.#measured.at < MEASURE_INTERVAL) {
            Object.assign(this.#measured, { tickedAt: now, late });
            return false;
        }
        this.#measured = { at: now, tickedAt: now, late: 0 };
        let [sum, count] = [0, 0];
        for (const tile of tiles) {
            const lag = tile.picture.takeLag();
            sum += lag.sum;
            count += lag.count;
        }
        if (document.hidden) {
            this.#governor.reset();
            return false;
        }
        return this.#governor.note({ fps: this.fps(panels, true), lag: count === 0 ? null : sum / count, late });
    }
}
