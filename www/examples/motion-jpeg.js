// The older system's second way: an `<img>` whose address is a Motion JPEG stream.
//
// A browser tells a page neither new pictures of such a stream nor its end: left alone, the last one
// stays for ever and looks live. /js/motion-jpeg.js watches: the agent lists in /api/cameras what it has
// delivered to this very stream, and the page looks at the pixels itself. It asks anew when both fall
// silent, and keeps the last picture on a canvas below the image in the meantime.

import { CameraList } from "../js/camera-list.js";
import { judge } from "../js/liveness.js";
import { MotionJpeg } from "../js/motion-jpeg.js";
import { Picture } from "../js/picture.js";

/** The agent is asked for its witness this often, in milliseconds. */
const LIST_EVERY = 1000;

/** A browser has six connections for one agent: four streams, and two for everything else. */
export const MOST_STREAMS = 4;

/**
 * Watches cameras in elements that hold an `<img>` above a `<canvas>`.
 * @param {{camera: string, image: HTMLImageElement, canvas: HTMLCanvasElement, size: [number, number],
 *     told: (verdict: string, age: number | null) => void}[]} views `told` is called four times a second:
 *     only a picture with the verdict "live" may look so; `age` in milliseconds
 */
export function pullMotionJpeg(views) {
    const began = performance.now();
    const list = new CameraList({ told: () => null, listed: () => {} });
    const streams = views.slice(0, MOST_STREAMS).map((view) => {
        const stream = new MotionJpeg(view.image, new Picture(view.canvas));
        stream.watch(view.camera, view.size, 25);
        return { stream, ...view };
    });
    list.ask(LIST_EVERY);
    document.addEventListener("visibilitychange", () => list.refresh());
    setInterval(() => {
        const now = performance.now();
        for (const { camera, stream, told } of streams) {
            const facts = list.cameras.find(({ id }) => id === camera);
            if (facts !== undefined && list.heardAt !== null) stream.told(facts.streams, list.heardAt);
            stream.check(now);
            const byAgent = facts?.age == null ? 0 : facts.age * 1000 + (now - list.heardAt);
            const age = stream.provenAt === null ? null : Math.max(now - stream.provenAt, byAgent);
            const agentSilent = now - (list.heardAt ?? began);
            told(judge({ agentSilent, state: facts?.state ?? null, age, fps: facts?.fps ?? null }), age);
        }
    }, 250);
}
