// The bar above the wall: what is shown and how, and how many cameras are live.

import { t, duration } from "./language.js";
import { MOTION_JPEG_PANELS, PANELS } from "./layout.js";
import { SILENT_AFTER } from "./liveness.js";

const PANEL_NAMES = ["one", "four", "nine", "sixteen"];

export class Toolbar {
    #root;
    #wall;
    #socket;
    #said = new Map();

    /**
     * @param {HTMLElement} root
     * @param {import("./wall.js").CameraWall} wall
     * @param {import("./wall-socket.js").WallSocket} socket
     * @param {Record<string, (key?: string) => void>} actions as for the keyboard
     */
    constructor(root, wall, socket, actions) {
        this.#root = root;
        this.#wall = wall;
        this.#socket = socket;
        for (const button of root.querySelectorAll("button[data-action]")) {
            button.onclick = () => actions[button.dataset.action]();
        }
    }

    /** Says how things stand now. */
    draw() {
        const wall = this.#wall;
        const silent = wall.agentSilent();
        const gone = !(silent < SILENT_AFTER);
        const counts = wall.counts;
        const summary = counts.all === 0 ? "" : t("summary.live", counts);
        this.#say("summary", gone ? t("summary.silent") : summary);
        this.#root.toggleAttribute("alarmed", gone || counts.live < counts.all);
        this.#say("silence", gone ? duration(silent) : "");
        this.#say("time", gone ? "" : this.#time());
        const several = wall.pages > 1;
        this.#hide("previousPage", !several);
        this.#hide("nextPage", !several);
        this.#say("page", several ? t("tools.page", { page: wall.page + 1, pages: wall.pages }) : "");
        this.#hide("back", wall.enlarged === null);
        PANELS.forEach((panels, i) => {
            const button = this.#button(PANEL_NAMES[i]);
            button.setAttribute("aria-pressed", String(wall.panels === panels && wall.enlarged === null));
            button.setAttribute("aria-disabled", String(wall.transport === "mjpeg" && panels > MOTION_JPEG_PANELS));
        });
        this.#say("transport", t(`transport.${wall.transport}`));
        const transport = `${t(`transport.${wall.transport}`)} – ${t("tools.transport")}`;
        this.#button("transport").setAttribute("aria-label", transport);
        this.#button("transport").title = transport;
    }

    /** The agent's clock where it is known, in this page's time zone. */
    #time() {
        const now = this.#socket.clock.at(performance.now()) ?? Date.now();
        return new Date(now).toLocaleTimeString("en-GB");
    }

    #button(action) {
        return this.#root.querySelector(`[data-action="${action}"]`);
    }

    #hide(action, hidden) {
        const button = this.#button(action);
        if (button.hidden !== hidden) button.hidden = hidden;
    }

    #say(slot, text) {
        if (this.#said.get(slot) === text) return;
        this.#said.set(slot, text);
        this.#root.querySelector(`[data-slot="${slot}"]`).textContent = text;
    }
}
