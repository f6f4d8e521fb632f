// Decodes G.711 (ITU-T G.711): a byte for each sample. Works in every browser, over http, too.

/** @param {number} code A-law @returns {number} -1 to 1 */
function fromA(code) {
    const bits = code ^ 0x55;
    const exponent = (bits >> 4) & 7;
    const mantissa = (bits & 15) << 4;
    const size = exponent === 0 ? mantissa + 8 : (mantissa + 0x108) << (exponent - 1);
    return (bits & 0x80 ? size : -size) / 32768;
}

/** @param {number} code µ-law @returns {number} -1 to 1 */
function fromMu(code) {
    const bits = ~code & 0xff;
    const size = ((((bits & 15) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84;
    return (bits & 0x80 ? -size : size) / 32768;
}

const TABLES = {
    pcma: Float32Array.from({ length: 256 }, (_, code) => fromA(code)),
    pcmu: Float32Array.from({ length: 256 }, (_, code) => fromMu(code)),
};

/**
 * The samples of each channel.
 * @param {"pcma" | "pcmu"} law
 * @param {Uint8Array} bytes
 * @param {number} channels
 */
export function decodeG711(law, bytes, channels) {
    const table = TABLES[law];
    const frames = Math.floor(bytes.length / channels);
    return Array.from({ length: channels }, (_, channel) => {
        const samples = new Float32Array(frames);
        for (let i = 0; i < frames; i++) samples[i] = table[bytes[i * channels + channel]];
        return samples;
    });
}
