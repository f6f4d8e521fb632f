// What a tile shows about its camera, from the wall socket or, in Motion JPEG, from the camera list.

import { parseSize } from "./camera-list.js";
import { verdictOf } from "./liveness.js";
import { NO_REASON, damageIn, reasonIn } from "./reason-text.js";

/** @import { CameraFacts, TileReport, TileStatus } from "./types" */
/** @import { CameraTile } from "./camera-tile.js" */

/** @typedef {Omit<TileStatus, "since">} Status without the time of its reason */

/**
 * @param {object} source
 * @param {CameraTile} source.tile
 * @param {TileReport | undefined} source.report
 * @param {CameraFacts | undefined} source.camera
 * @param {string} source.video how the picture is encoded, as text
 * @param {import("./agent-clock.js").AgentClock} source.clock
 * @param {number} source.silence of the agent, in milliseconds
 * @param {number} now page time
 * @returns {Status}
 */
export function statusFromSocket({ tile, report, camera, video, clock, silence }, now) {
    const { shown, width, height } = tile.picture;
    const age = shown === null ? null : clock.age(shown.taken, shown.arrived, now);
    const fps = typeof report?.fps === "number" && Number.isFinite(report.fps) ? report.fps : null;
    const verdict = verdictOf({ silence, state: report?.state ?? null, age, fps });
    const rate = tile.picture.rate(now);
    const reason = reasonIn(verdict === report?.state ? report : undefined);
    return {
        verdict,
        ...reason,
        // The agent says so before it sends such a picture, and no longer before the last one is drawn.
        damaged: damageIn(reason).why !== "" || shown?.damaged === true,
        age,
        provenAt: shown?.arrived ?? null,
        transport: "socket",
        video,
        drawn: shown === null ? null : `${width}×${height}`,
        size: parseSize(report?.size) ?? camera?.size ?? null,
        fps: rate > 0 ? rate : null,
    };
}

/**
 * @param {object} source
 * @param {CameraTile} source.tile
 * @param {CameraFacts} source.camera
 * @param {number | null} source.answeredAt page time of the camera list
 * @param {number} source.silence of the agent, in milliseconds
 * @param {number} now page time
 * @returns {Status}
 */
export function statusFromList({ tile, camera, answeredAt, silence }, now) {
    const { state, why, reason, size, fps, streams } = camera;
    if (answeredAt !== null) tile.stream.onList(streams, answeredAt);
    tile.stream.check(now);
    const { provenAt } = tile.stream;
    // The older of two ages counts: that of the camera's picture in the list, and that of this stream.
    const listAge = camera.age === null ? 0 : camera.age * 1000 + (now - (answeredAt ?? now));
    const age = provenAt === null ? null : Math.max(now - provenAt, listAge);
    const verdict = verdictOf({ silence, state, age, fps });
    const agentReason = verdict === state ? { why, reason } : NO_REASON;
    return { verdict, ...agentReason, damaged: damageIn(agentReason).why !== "", age, provenAt, transport: "mjpeg", size, fps };
}
