// The script of all example pages: one view for each camera of the agent, or for those in the URL, such
// as ?cameras=gate,yard. `data-way` of the body chooses the way.

import { agentUrl } from "../js/agent-url.js";
import { OldProtocolPuller } from "./old-protocol.js";
import { pullMotionJpeg, MAX_STREAMS } from "./motion-jpeg.js";

const LIST_TIMEOUT = 2500;
const RETRY_AFTER = 1000;

const root = /** @type {HTMLElement} */ (document.querySelector("main"));
const query = new URLSearchParams(location.search);
const sides = query.get("size")?.split("x").map(Number);
/** @type {[number, number]} */
const size = sides?.length === 2 ? [sides[0], sides[1]] : [640, 360];

/** @param {string} camera @param {HTMLElement[]} content */
function createFigure(camera, content) {
    const element = document.createElement("figure");
    const caption = document.createElement("figcaption");
    element.dataset.camera = camera;
    element.append(...content, caption);
    root.append(element);
    return {
        element,
        show: (isLive, text) => {
            element.toggleAttribute("live", isLive);
            if (caption.textContent !== text) caption.textContent = text;
        },
    };
}

/** @type {Record<string, (cameras: string[]) => void>} */
const ways = {
    view: (cameras) => {
        for (const camera of cameras) {
            const view = document.createElement("cctv-view");
            view.setAttribute("camera", camera);
            root.append(view);
        }
    },
    old: (cameras) => {
        for (const camera of cameras) {
            const image = new Image();
            const { element, show } = createFigure(camera, [image]);
            const onCheck = (silent) => show(silent === null, silent === null ? camera
                : silent === Infinity ? `${camera} – NOT LIVE: no picture yet`
                    : `${camera} – NOT LIVE: nothing new for ${Math.floor(silent / 1000)} s`);
            Object.assign(element, { puller: new OldProtocolPuller(image, camera, onCheck, size) });
        }
    },
    mjpeg: (cameras) => {
        pullMotionJpeg(cameras.slice(0, MAX_STREAMS).map((camera) => {
            const [image, canvas] = [new Image(), document.createElement("canvas")];
            const { show } = createFigure(camera, [canvas, image]);
            const onVerdict = (verdict, age) => show(verdict === "live", verdict === "live" ? camera
                : `${camera} – NOT LIVE: ${verdict}${age === null ? "" : `, last picture ${Math.floor(age / 1000)} s ago`}`);
            return { camera, image, canvas, size, onVerdict };
        }));
    },
};

async function listCameras() {
    const given = query.get("cameras")?.split(",").filter(Boolean);
    if (given !== undefined) return given;
    for (;;) {
        try {
            const response = await fetch(agentUrl("api/cameras"), { cache: "no-store", signal: AbortSignal.timeout(LIST_TIMEOUT) });
            return (await response.json()).cameras.map(({ id }) => id);
        } catch {
            await new Promise((next) => setTimeout(next, RETRY_AFTER));
        }
    }
}

ways[document.body.dataset.way ?? "view"](await listCameras());
