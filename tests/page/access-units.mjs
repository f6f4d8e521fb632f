// H.264 as cameras send it, made with ffmpeg. Each picture contains its number in its pixels: eight squares
// in the upper left corner, light for 1, the lowest bit first.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

const SQUARE = 20;
const BITS = 8;
const FFMPEG_TIMEOUT = 60_000;
const AUD = Buffer.from([0, 0, 0, 1, 9]);

/**
 * Access units in decoding order, with parameter sets before each key frame; `aspect` is that of a sample.
 * `bright`: left, top, right and lower edge of a bright part of a black picture, in parts of the whole,
 * instead of the test picture with its number. `extra`: more parameters of x264.
 * @returns {Promise<{key: boolean, data: string}[]>} data in base64
 */
export async function makeUnits({
    frames, group = 50, bframes = 0, width = 320, height = 180, aspect = "1/1", bright = null,
    pixels = "yuv420p", profile = "high", extra = "",
}) {
    const bits = Array.from({ length: BITS }, (_, bit) => [
        `drawbox=x=${bit * SQUARE}:y=0:w=${SQUARE}:h=${SQUARE}:color=black:t=fill`,
        `drawbox=x=${bit * SQUARE}:y=0:w=${SQUARE}:h=${SQUARE}:color=white:t=fill:enable='eq(mod(floor(n/${2 ** bit}),2),1)'`,
    ]);
    const [source, drawn] = bright === null ? ["testsrc2=", bits.flat()] : ["color=black:", [brightPart(bright, width, height)]];
    const filter = [...drawn, `setsar=${aspect}`].join(",");
    const x264 = `keyint=${group}:min-keyint=${group}:scenecut=0:bframes=${bframes}:b-adapt=0:aud=1:repeat-headers=1${extra}`;
    const args = [
        "-v", "error", "-f", "lavfi", "-i", `${source}size=${width}x${height}:rate=25`, "-vf", filter, "-frames:v", String(frames),
        "-c:v", "libx264", "-threads", "1", "-profile:v", profile, "-pix_fmt", pixels, "-x264-params", x264, "-f", "h264", "-",
    ];
    const options = { timeout: FFMPEG_TIMEOUT, encoding: "buffer", maxBuffer: 64 << 20 };
    const { stdout } = await promisify(execFile)("ffmpeg", args, options);
    const units = [];
    for (let at = stdout.indexOf(AUD); at >= 0;) {
        const next = stdout.indexOf(AUD, at + 1);
        const data = stdout.subarray(at, next < 0 ? stdout.length : next);
        units.push({ key: data.includes(Buffer.from([0, 0, 1, 0x65])), data: data.toString("base64") });
        at = next;
    }
    return units;
}

function brightPart([left, top, right, bottom], width, height) {
    const [x, y] = [left * width, top * height];
    return `drawbox=x=${x}:y=${y}:w=${right * width - x}:h=${bottom * height - y}:color=white:t=fill`;
}

/** A JPEG of this size, as `WxH`. */
export async function makeJpeg(size) {
    const args = ["-v", "error", "-f", "lavfi", "-i", `color=gray:size=${size}`, "-frames:v", "1", "-f", "mjpeg", "-"];
    return (await promisify(execFile)("ffmpeg", args, { timeout: FFMPEG_TIMEOUT, encoding: "buffer" })).stdout;
}

/**
 * Adds `window.lab` to the page: decoders of `js/decoder.js` that record what they draw, and a count of
 * closed VideoFrames.
 */
export function installLab(page) {
    return page.evaluate(async ([square, bits]) => {
        const { VideoFrameDecoder, showableFormats } = await import("/js/decoder.js");
        const closings = new Map();
        const close = VideoFrame.prototype.close;
        VideoFrame.prototype.close = function () {
            closings.set(this, (closings.get(this) ?? 0) + 1);
            close.call(this);
        };
        let made = 0;
        const Native = window.VideoDecoder;
        window.VideoDecoder = class extends Native {
            constructor({ output, error }) {
                super({
                    output: (picture) => {
                        made += 1;
                        output(picture);
                    },
                    error,
                });
            }
        };
        const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        window.lab = {
            showableFormats,
            /** Agent time of a unit is page time minus `delay` milliseconds. */
            start(codec, age = (taken, arrived, now) => now - taken) {
                const lab = { drawn: [], sizes: [], labels: [], reasons: [], credits: 0, sequence: 0 };
                const context = new OffscreenCanvas(640, 640).getContext("2d", { willReadFrequently: true });
                const draw = (picture, size, label) => {
                    context.drawImage(picture, 0, 0, picture.visibleRect.width, picture.visibleRect.height);
                    const light = (bit) => context.getImageData((bit + 0.5) * square, square / 2, 1, 1).data[1] > 128;
                    lab.drawn.push(Array.from({ length: bits }, (_, bit) => (light(bit) ? 2 ** bit : 0)).reduce((a, b) => a + b));
                    lab.sizes.push(size.join("x"));
                    lab.labels.push(label);
                };
                lab.decoder = new VideoFrameDecoder({ draw, age, onFailure: (reason) => lab.reasons.push(reason) });
                lab.decoder.setStream(codec);
                lab.push = ({ key, data }, old = 0, more = {}) => {
                    const now = performance.now();
                    lab.sequence += 1;
                    const frame = { format: 2, tile: 0, key, skipped: false, sequence: lab.sequence, taken: now - old, payload: bytes(data), ...more };
                    lab.decoder.push(frame, now, () => (lab.credits += 1));
                };
                return lab;
            },
            /** Waits until `is` is true; returns whether it is. */
            async until(is, timeout = 10_000) {
                const deadline = performance.now() + timeout;
                while (!is() && performance.now() < deadline) await new Promise((next) => setTimeout(next, 5));
                return is();
            },
            /** Pushes units one by one. */
            async play(lab, units) {
                for (const unit of units) {
                    lab.push(unit);
                    await new Promise((next) => setTimeout(next, 10));
                }
            },
            closings: () => ({ made, once: [...closings.values()].filter((count) => count === 1).length, more: [...closings.values()].filter((count) => count > 1).length }),
        };
    }, [SQUARE, BITS]);
}
