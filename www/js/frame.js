// One binary message of the wall socket: a 16 byte head, little endian, then the encoded picture.
//
// `isNewer` decides by sequence *or* time on purpose: a sequence begins again when the agent or a
// camera's worker does, and the agent's clock may be set back; both at once does not happen.

const VERSION = 1;
const HEAD_BYTES = 16;

/** Formats as numbered on the wire. */
export const FORMAT = Object.freeze({ jpeg: 1, h264: 2, h265: 3 });

/**
 * @typedef {object} Frame
 * @property {number} format one of `FORMAT`
 * @property {number} tile number given in `show`, 0 to 255
 * @property {boolean} key decodable on its own
 * @property {boolean} skipped frames were left out before this one
 * @property {number} sequence unsigned 32 bits, wraps
 * @property {number} taken when the agent received it, Unix milliseconds by the agent's clock
 * @property {Uint8Array} payload
 */

/**
 * Returns null for anything that is not a frame of this version with at least one byte of picture.
 * @param {ArrayBuffer} buffer
 * @returns {Frame | null}
 */
export function parseFrame(buffer) {
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength <= HEAD_BYTES) return null;
    const view = new DataView(buffer);
    const format = view.getUint8(1);
    if (view.getUint8(0) !== VERSION || format < FORMAT.jpeg || format > FORMAT.h265) return null;
    const flags = view.getUint8(3);
    return {
        format,
        tile: view.getUint8(2),
        key: (flags & 1) !== 0,
        skipped: (flags & 2) !== 0,
        sequence: view.getUint32(4, true),
        taken: Number(view.getBigUint64(8, true)) / 1000,
        payload: new Uint8Array(buffer, HEAD_BYTES),
    };
}

/**
 * Whether `frame` may replace `shown` on the screen.
 * @param {{sequence: number, taken: number}} frame
 * @param {{sequence: number, taken: number} | null} shown
 */
export function isNewer(frame, shown) {
    if (shown === null) return true;
    const ahead = (frame.sequence - shown.sequence) | 0; // signed distance, right across the wrap
    return ahead > 0 || frame.taken > shown.taken;
}
