// Moving test pictures, made with ffmpeg. Their pixels contain the camera and the frame number: two
// reference blocks, four bits of camera, four bits of frame, light for 1.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const WIDTH = 640;
export const FRAMES = 16;
const BLOCK = { x: 16, y: 14, step: 22, side: 18 };
const FFMPEG_TIMEOUT = 60_000;

const SCENES = [
    "gradients=c0=0x1d2b3a:c1=0x54708a:c2=0x8fa3b0:n=3:speed=0.05",
    "testsrc2",
    "gradients=c0=0x2f3a22:c1=0x7a8c55:c2=0xc9c08a:n=3:speed=0.04",
    "mandelbrot=start_scale=0.6:end_scale=0.2",
    "gradients=c0=0x3b2a20:c1=0x9c6b45:c2=0xe0c097:n=3:speed=0.05",
    "gradients=c0=0x101c14:c1=0x3c6b4c:c2=0xa9c6a0:n=3:speed=0.04",
    "gradients=c0=0x151a2c:c1=0x40508c:c2=0x9fb4d8:n=3:speed=0.06",
    "gradients=c0=0x2b2b2b:c1=0x8a8a84:c2=0xd6d3c4:n=3:speed=0.05",
];

/**
 * Pictures of `cameras` cameras (at most 16), `FRAMES` each, about `width` pixels wide (16:9).
 * @returns {Promise<Buffer[][]>} JPEGs by camera and frame
 */
export async function makePictures(cameras, width = 320) {
    const folder = await mkdtemp(join(tmpdir(), "wall-pictures-"));
    try {
        const pictures = [];
        for (let camera = 0; camera < cameras; camera += 1) pictures.push(await makeOne(folder, camera, width));
        return pictures;
    } finally {
        await rm(folder, { recursive: true });
    }
}

async function makeOne(folder, camera, width) {
    const scene = SCENES[camera % SCENES.length];
    const source = `${scene}${scene.includes("=") ? ":" : "="}size=${WIDTH}x${(WIDTH * 9) / 16}:rate=8`;
    const steps = Array.from({ length: FRAMES }, (_, n) => `drawbox=x=${40 + n * 34}:y=190:w=56:h=110:color=white@0.5:t=fill:enable='eq(n,${n})'`);
    const shade = `hue=h=${(camera * 47) % 360}`;
    const filter = [shade, ...steps, "noise=alls=6:allf=t", ...blocks(camera), `scale=${width}:-2`].join(",");
    const pattern = join(folder, `${camera}-%02d.jpg`);
    const args = ["-v", "error", "-f", "lavfi", "-i", source, "-vf", filter, "-frames:v", String(FRAMES), "-q:v", "4", pattern];
    await promisify(execFile)("ffmpeg", args, { timeout: FFMPEG_TIMEOUT });
    const names = (await readdir(folder)).filter((name) => name.startsWith(`${camera}-`)).sort();
    return Promise.all(names.map((name) => readFile(join(folder, name))));
}

function blocks(camera) {
    const light = [1, 0, ...[0, 1, 2, 3].map((bit) => (camera >> bit) & 1)];
    const fixed = light.map((on, i) => block(i, on ? "white" : "black", ""));
    const counting = [0, 1, 2, 3].flatMap((bit) => [
        block(light.length + bit, "black", ""),
        block(light.length + bit, "white", `:enable='eq(mod(floor(n/${2 ** bit}),2),1)'`),
    ]);
    return [...fixed, ...counting];
}

function block(i, color, enable) {
    const { x, y, step, side } = BLOCK;
    return `drawbox=x=${x + i * step}:y=${y}:w=${side}:h=${side}:color=${color}:t=fill${enable}`;
}

/**
 * Reads camera and frame from the pixels of each tile's canvas or image; null without a picture. Runs in
 * the page, so it cannot use the constants above.
 * @returns {({camera: number, frame: number} | null)[]}
 */
export function readMarks(tiles) {
    return tiles.map((tile) => {
        const sources = [...(tile.shadowRoot ?? tile).querySelectorAll("img, canvas")].reverse();
        const source = sources.find((one) => !one.hidden && (one.naturalWidth ?? one.width) > 16);
        if (source === undefined) return null;
        const width = source.naturalWidth ?? source.width;
        const height = source.naturalHeight ?? source.height;
        const copy = new OffscreenCanvas(width, height).getContext("2d");
        copy.drawImage(source, 0, 0);
        const scale = width / 640;
        const light = (i) => copy.getImageData(Math.round((25 + i * 22) * scale), Math.round(23 * scale), 1, 1).data[1];
        if (light(0) - light(1) < 80) return null;
        const middle = (light(0) + light(1)) / 2;
        const number = (from) => [0, 1, 2, 3].reduce((sum, bit) => sum + (light(from + bit) > middle ? 2 ** bit : 0), 0);
        return { camera: number(2), frame: number(6) };
    });
}
