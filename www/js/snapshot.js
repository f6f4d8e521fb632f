// Saving what a tile shows, as a file in the camera's own size. A picture that is not live is never
// saved: the agent answers 503 with its card then, and that is told instead.

import { agentUrl } from "./agent-url.js";

/** The agent may first have to start the decoder; in milliseconds. */
const ANSWER_WITHIN = 15_000;
/** The browser has read the file by then, in milliseconds. */
const KEPT_FOR = 60_000;

/** The agent has no live picture; `state` is its word for why. */
export class NotLive extends Error {
    constructor(state) {
        super(`not live: ${state}`);
        this.state = state;
    }
}

/**
 * Fetches the newest picture of `camera` and hands it to the browser as a download; returns its name.
 * @throws {NotLive} or whatever `fetch` throws
 */
export async function saveSnapshot(camera) {
    const answer = await fetch(agentUrl(`snapshot/${encodeURIComponent(camera)}`), {
        cache: "no-store",
        signal: AbortSignal.timeout(ANSWER_WITHIN),
    });
    const state = answer.headers.get("X-State");
    if (answer.status === 503) throw new NotLive(state ?? "connecting");
    if (!answer.ok || answer.headers.get("Content-Type") !== "image/jpeg") throw new Error(`the agent answered ${answer.status}`);
    const picture = await answer.blob();
    const taken = Number(answer.headers.get("X-Timestamp"));
    const name = fileName(camera, taken > 0 ? new Date(taken * 1000) : new Date());
    const link = document.createElement("a");
    link.href = URL.createObjectURL(picture);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), KEPT_FOR);
    return name;
}

/** As gate-2026-11-22T21-04-05.jpg, in this browser's time zone: no file system takes offence at it. */
export function fileName(camera, taken) {
    const two = (number) => String(number).padStart(2, "0");
    const day = [taken.getFullYear(), two(taken.getMonth() + 1), two(taken.getDate())].join("-");
    const time = [taken.getHours(), taken.getMinutes(), taken.getSeconds()].map(two).join("-");
    return `${camera}-${day}T${time}.jpg`;
}
