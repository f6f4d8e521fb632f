// Decides whether a picture may be shown as live. Pure: facts come in, a verdict comes out.
//
// Only the verdict "live" leaves a picture bright. Everything unknown is not live.

/** @import { Verdict } from "./types" */

/** A live tile shows the age of its picture from here on, in milliseconds. */
export const SHOW_AGE_AFTER = 2000;
/** Without a newer picture for this long a tile is stale, whatever the agent reports, in milliseconds. */
export const STALE_AFTER = 4000;
/** A camera slower than one picture in four seconds is stale after this many intervals. */
const STALE_INTERVALS = 2.5;
/** After this silence the agent counts as not answering, in milliseconds. Tiles must show it within 3 s. */
export const SILENT_AFTER = 2500;

/** States as the agent reports them. @type {readonly Verdict[]} */
export const STATES = Object.freeze(["connecting", "live", "stalled", "offline", "denied"]);

/**
 * @param {object} facts
 * @param {number} facts.silence milliseconds since the agent last answered
 * @param {string | null} facts.state as the agent reports it; null before its first report
 * @param {number | null} facts.age of the picture shown in milliseconds; null without one
 * @param {number | null} facts.fps the camera's frame rate, if known
 * @returns {Verdict}
 */
export function verdictOf({ silence, state, age, fps }) {
    if (!(silence < SILENT_AFTER)) return "silent";
    const known = STATES.find((one) => one === state);
    if (known === undefined) return "connecting";
    if (known !== "live") return known;
    if (age === null) return "connecting";
    return age < staleAfter(fps) ? "live" : "stale";
}

/** Milliseconds without a newer picture after which a camera at this frame rate is stale. @param {number | null} fps */
export function staleAfter(fps) {
    return fps !== null && fps > 0 ? Math.max(STALE_AFTER, (STALE_INTERVALS * 1000) / fps) : STALE_AFTER;
}
