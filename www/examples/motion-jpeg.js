// The older system's second way: an `<img>` whose `src` is a Motion JPEG stream.
//
// A browser reports neither new pictures of such a stream nor its end; by itself, the last picture stays
// for ever and looks live. /js/motion-jpeg.js watches the stream: the agent lists in /api/cameras what it
// delivered to it, and the page samples the pixels. If both stop, it requests the stream again. In the
// meantime it keeps the last picture on a canvas below the image.

import { CameraList } from "../js/camera-list.js";
import { verdictOf } from "../js/liveness.js";
import { MotionJpeg } from "../js/motion-jpeg.js";
import { Picture } from "../js/picture.js";

/** Polling interval of the camera list, in milliseconds. */
const LIST_INTERVAL = 1000;
const UPDATE_INTERVAL = 250;

/** A browser opens six connections to one agent: four streams, and two for everything else. */
export const MAX_STREAMS = 4;

/**
 * Shows cameras in elements with an `<img>` above a `<canvas>`.
 * @param {{camera: string, image: HTMLImageElement, canvas: HTMLCanvasElement, size: [number, number],
 *     onVerdict: (verdict: string, age: number | null) => void}[]} views `onVerdict` is called four times a
 *     second: only a picture with the verdict "live" may look live; `age` in milliseconds
 */
export function pullMotionJpeg(views) {
    const startedAt = performance.now();
    const list = new CameraList({ onWalls: () => null, onList: () => {} });
    const streams = views.slice(0, MAX_STREAMS).map((view) => {
        const stream = new MotionJpeg(view.image, new Picture(view.canvas));
        stream.watch(view.camera, view.size, 25);
        return { stream, ...view };
    });
    list.poll(LIST_INTERVAL);
    document.addEventListener("visibilitychange", () => list.refresh());
    setInterval(() => {
        const now = performance.now();
        for (const { camera: id, stream, onVerdict } of streams) {
            const camera = list.cameras.find((one) => one.id === id);
            if (camera !== undefined && list.answeredAt !== null) stream.onList(camera.streams, list.answeredAt);
            stream.check(now);
            const listAge = camera?.age == null ? 0 : camera.age * 1000 + (now - (list.answeredAt ?? now));
            const age = stream.provenAt === null ? null : Math.max(now - stream.provenAt, listAge);
            const silence = now - (list.answeredAt ?? startedAt);
            onVerdict(verdictOf({ silence, state: camera?.state ?? null, age, fps: camera?.fps ?? null }), age);
        }
    }, UPDATE_INTERVAL);
}
