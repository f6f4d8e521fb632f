// Saves the picture of a tile as a file in the camera's own size. Only a live picture is saved: for any
// other the agent answers 503, and the page shows a message.

import { agentUrl } from "./agent-url.js";

/** The agent may have to start the decoder first; in milliseconds. */
const SNAPSHOT_TIMEOUT = 15_000;
/** The browser has read the file by then, in milliseconds. */
const REVOKE_AFTER = 60_000;

/** The agent has no live picture of a camera in state `state`. */
export class NotLiveError extends Error {
    /** @param {string} state */
    constructor(state) {
        super(`not live: ${state}`);
        this.state = state;
    }
}

/**
 * Fetches the newest picture of `camera` and starts its download; returns the file name.
 * @param {string} camera
 * @throws {NotLiveError} or whatever `fetch` throws
 */
export async function saveSnapshot(camera) {
    const answer = await fetch(agentUrl(`snapshot/${encodeURIComponent(camera)}`), {
        cache: "no-store",
        signal: AbortSignal.timeout(SNAPSHOT_TIMEOUT),
    });
    const state = answer.headers.get("X-State");
    if (answer.status === 503) throw new NotLiveError(state ?? "connecting");
    if (!answer.ok || answer.headers.get("Content-Type") !== "image/jpeg") throw new Error(`the agent answered ${answer.status}`);
    const picture = await answer.blob();
    const taken = Number(answer.headers.get("X-Timestamp"));
    const name = fileName(camera, taken > 0 ? new Date(taken * 1000) : new Date());
    const link = document.createElement("a");
    link.href = URL.createObjectURL(picture);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_AFTER);
    return name;
}

/**
 * Such as gate-2026-11-22T21-04-05.jpg, in the browser's time zone; without characters that a file system refuses.
 * @param {string} camera
 * @param {Date} taken
 */
export function fileName(camera, taken) {
    const pad = (number) => String(number).padStart(2, "0");
    const date = [taken.getFullYear(), pad(taken.getMonth() + 1), pad(taken.getDate())].join("-");
    const time = [taken.getHours(), taken.getMinutes(), taken.getSeconds()].map(pad).join("-");
    return `${camera}-${date}T${time}.jpg`;
}
