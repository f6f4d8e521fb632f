// One binary message of the wall socket: a header of 16 bytes, little endian, then the encoded picture.
//
// `isNewer` accepts a later sequence *or* a later time: a sequence restarts with the agent or the
// camera's worker, and the agent's clock may be set back. Both at once does not happen.

/** @import { Frame, FrameLabel } from "./types" */

const VERSION = 1;
const HEADER_BYTES = 16;

/** Format numbers in the header. */
export const FORMAT = Object.freeze({ jpeg: 1, h264: 2, h265: 3 });

/**
 * Returns null for anything that is not a frame of this version with at least one byte of payload.
 * @param {unknown} buffer
 * @returns {Frame | null}
 */
export function parseFrame(buffer) {
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength <= HEADER_BYTES) return null;
    const view = new DataView(buffer);
    const format = view.getUint8(1);
    if (view.getUint8(0) !== VERSION || format < FORMAT.jpeg || format > FORMAT.h265) return null;
    const flags = view.getUint8(3);
    return {
        format,
        tile: view.getUint8(2),
        key: (flags & 1) !== 0,
        skipped: (flags & 2) !== 0,
        damaged: (flags & 4) !== 0,
        sequence: view.getUint32(4, true),
        taken: Number(view.getBigUint64(8, true)) / 1000,
        payload: new Uint8Array(buffer, HEADER_BYTES),
    };
}

/**
 * Whether `frame` may replace `shown` on the screen.
 * @param {FrameLabel} frame
 * @param {FrameLabel | null} shown
 */
export function isNewer(frame, shown) {
    if (shown === null) return true;
    const ahead = (frame.sequence - shown.sequence) | 0; // signed distance, correct across the wrap
    return ahead > 0 || frame.taken > shown.taken;
}
