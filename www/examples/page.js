// Puts the examples' pages together: one view for each camera of the agent, or for those in the
// address, as ?cameras=gate,yard. `data-way` of the body says by which way.

import { agentUrl } from "../js/agent-url.js";
import { OldProtocolPuller } from "./old-protocol.js";
import { pullMotionJpeg, MOST_STREAMS } from "./motion-jpeg.js";

const root = document.querySelector("main");
const address = new URLSearchParams(location.search);
const sides = address.get("size")?.split("x").map(Number);
const size = sides?.length === 2 ? sides : [640, 360];

function figure(camera, content) {
    const element = document.createElement("figure");
    const caption = document.createElement("figcaption");
    element.dataset.camera = camera;
    element.append(...content, caption);
    root.append(element);
    return {
        element,
        say: (live, text) => {
            element.toggleAttribute("live", live);
            if (caption.textContent !== text) caption.textContent = text;
        },
    };
}

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
            const { element, say } = figure(camera, [image]);
            const told = (silent) => say(silent === null, silent === null ? camera
                : silent === Infinity ? `${camera} – NOT LIVE: no picture yet`
                    : `${camera} – NOT LIVE: nothing new for ${Math.floor(silent / 1000)} s`);
            element.puller = new OldProtocolPuller(image, camera, told, size);
        }
    },
    mjpeg: (cameras) => {
        pullMotionJpeg(cameras.slice(0, MOST_STREAMS).map((camera) => {
            const [image, canvas] = [new Image(), document.createElement("canvas")];
            const { say } = figure(camera, [canvas, image]);
            const told = (verdict, age) => say(verdict === "live", verdict === "live" ? camera
                : `${camera} – NOT LIVE: ${verdict}${age === null ? "" : `, last picture ${Math.floor(age / 1000)} s ago`}`);
            return { camera, image, canvas, size, told };
        }));
    },
};

async function begin() {
    const given = address.get("cameras")?.split(",").filter(Boolean);
    if (given !== undefined) return given;
    for (;;) {
        try {
            const answer = await (await fetch(agentUrl("api/cameras"), { cache: "no-store", signal: AbortSignal.timeout(2500) })).json();
            return answer.cameras.map(({ id }) => id);
        } catch {
            await new Promise((next) => setTimeout(next, 1000));
        }
    }
}
ways[document.body.dataset.way](await begin());
