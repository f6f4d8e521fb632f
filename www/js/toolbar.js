// The bar above the wall: controls, layout, and how many cameras are live.

import { t, duration } from "./language.js";
import { layoutIcon, layoutName } from "./layout-icon.js";
import { SILENT_AFTER } from "./liveness.js";

export class Toolbar {
    #root;
    #wall;
    #socket;
    /** @type {Map<string, string>} */
    #texts = new Map();
    #iconKey = "";

    /**
     * @param {HTMLElement} root
     * @param {import("./wall.js").CameraWall} wall
     * @param {import("./wall-socket.js").WallSocket} socket
     * @param {Record<string, (argument?: any) => void>} actions the same as for the keyboard
     */
    constructor(root, wall, socket, actions) {
        this.#root = root;
        this.#wall = wall;
        this.#socket = socket;
        for (const button of root.querySelectorAll("button[data-action]")) {
            button.addEventListener("click", () => actions[button.getAttribute("data-action") ?? ""]());
        }
    }

    /** Shows the current state. @param {number} rotate seconds for each page; 0: pages do not turn */
    draw(rotate) {
        const wall = this.#wall;
        const silence = wall.silence();
        const isSilent = !(silence < SILENT_AFTER);
        const counts = wall.counts;
        const summary = counts.all === 0 ? "" : t("summary.live", counts);
        this.#setText("summary", isSilent ? t("summary.silent") : summary);
        this.#root.toggleAttribute("alarmed", isSilent || counts.live < counts.all);
        this.#setText("silence", isSilent ? duration(silence) : "");
        this.#setText("time", isSilent ? "" : this.#time());
        const hasPages = wall.pages > 1;
        this.#setHidden("previousPage", !hasPages);
        this.#setHidden("nextPage", !hasPages);
        this.#setText("page", hasPages ? t("tools.page", { page: wall.page + 1, pages: wall.pages }) : "");
        this.#setHidden("back", wall.enlarged === null);
        this.#setHidden("rotate", !hasPages);
        this.setPressed("rotate", rotate > 0);
        this.#setLabel("rotate", t(rotate > 0 ? "tools.rotating" : "tools.still"));
        this.#setText("rotating", rotate > 0 ? t("age.seconds", { s: rotate }) : "");
        this.#drawLayout();
    }

    #drawLayout() {
        const { layout, aspect } = this.#wall;
        const { all } = this.#wall.counts;
        const key = `${layout} ${all} ${Math.round(aspect * 20)}`;
        if (key !== this.#iconKey) this.#find("[data-slot=icon]").replaceChildren(layoutIcon(layout, aspect, all));
        this.#iconKey = key;
        this.#setText("layout", layoutName(layout));
        this.#setLabel("layouts", t("layout.shown", { layout: layoutName(layout) }));
    }

    /** Sets the tooltip and the accessible name of a button. */
    #setLabel(action, text) {
        const button = this.#button(action);
        if (button.title === text) return;
        button.title = text;
        button.setAttribute("aria-label", text);
    }

    /** The agent's time if it is known, in this page's time zone. */
    #time() {
        const now = this.#socket.clock.at(performance.now()) ?? Date.now();
        return new Date(now).toLocaleTimeString("en-GB");
    }

    /** @returns {any} an element of the page's own HTML */
    #find(selector) {
        return this.#root.querySelector(selector);
    }

    #button(action) {
        return this.#find(`[data-action="${action}"]`);
    }

    /** Shows a button as pressed, or not. */
    setPressed(action, pressed) {
        const button = this.#button(action);
        if (button.getAttribute("aria-pressed") !== String(pressed)) button.setAttribute("aria-pressed", String(pressed));
    }

    #setHidden(action, hidden) {
        const button = this.#button(action);
        if (button.hidden !== hidden) button.hidden = hidden;
    }

    #setText(slot, text) {
        if (this.#texts.get(slot) === text) return;
        this.#texts.set(slot, text);
        this.#find(`[data-slot="${slot}"]`).textContent = text;
    }
}
