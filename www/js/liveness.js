// What a tile may claim about its picture. Pure: time and facts come in, a verdict comes out.
//
// Only the verdict "live" leaves a picture bright. Everything unknown is not live.

/** A live tile shows the age of its picture from here on, in milliseconds. */
export const TELL_AGE_AFTER = 2000;
/** Without a newer picture for this long a tile is stale, whatever the agent says, in milliseconds. */
export const STALE_AFTER = 4000;
/** A camera slower than one picture in four seconds is stale after this many intervals. */
const STALE_INTERVALS = 2.5;
/** An agent not heard of for this long does not answer, in milliseconds. Tiles must say so within 3 s. */
export const SILENT_AFTER = 2500;

/** States as the agent words them. */
export const STATES = Object.freeze(["connecting", "live", "stalled", "offline", "denied"]);

/**
 * @typedef {"live"|"connecting"|"stalled"|"offline"|"denied"|"stale"|"silent"} Verdict
 * "stale" and "silent" are the page's own findings: no new picture, and no agent.
 */

/**
 * @param {object} facts
 * @param {number} facts.agentSilent milliseconds since the agent was last heard of
 * @param {string | null} facts.state the agent's word, null before it said any
 * @param {number | null} facts.age of the picture shown, milliseconds; null without one
 * @param {number | null} facts.fps the camera's rate, if known
 * @returns {Verdict}
 */
export function judge({ agentSilent, state, age, fps }) {
    if (!(agentSilent < SILENT_AFTER)) return "silent";
    if (!STATES.includes(state)) return "connecting";
    if (state !== "live") return state;
    if (age === null) return "connecting";
    return age < staleAfter(fps) ? "live" : "stale";
}

/** Milliseconds without a newer picture after which one at `fps` pictures per second is stale. */
export function staleAfter(fps) {
    return fps > 0 ? Math.max(STALE_AFTER, (STALE_INTERVALS * 1000) / fps) : STALE_AFTER;
}
