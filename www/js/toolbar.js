// The bar above the wall: what is shown and how, and how many cameras are live.

import { t, duration } from "./language.js";
import { layoutIcon, layoutName } from "./layout-chooser.js";
import { SILENT_AFTER } from "./liveness.js";

export class Toolbar {
    #root;
    #wall;
    #socket;
    #said = new Map();
    #icon = "";

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

    /** Says how things stand now. @param {number} rotate seconds for each page; 0: they stay */
    draw(rotate) {
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
        this.#hide("rotate", !several);
        this.press("rotate", rotate > 0);
        this.#name("rotate", t(rotate > 0 ? "tools.rotating" : "tools.still"));
        this.#say("rotating", rotate > 0 ? t("age.seconds", { s: rotate }) : "");
        this.#drawLayout();
    }

    #drawLayout() {
        const { layout, shape } = this.#wall;
        const { all } = this.#wall.counts;
        const icon = `${layout} ${all} ${Math.round(shape * 20)}`;
        if (icon !== this.#icon) this.#root.querySelector("[data-slot=icon]").replaceChildren(layoutIcon(layout, shape, all));
        this.#icon = icon;
        this.#say("layout", layoutName(layout));
        this.#name("layouts", t("layout.shown", { layout: layoutName(layout) }));
    }

    /** What a button is called, by people who see and who do not. */
    #name(action, text) {
        const button = this.#button(action);
        if (button.title === text) return;
        button.title = text;
        button.setAttribute("aria-label", text);
    }

    /** The agent's clock where it is known, in this page's time zone. */
    #time() {
        const now = this.#socket.clock.at(performance.now()) ?? Date.now();
        return new Date(now).toLocaleTimeString("en-GB");
    }

    #button(action) {
        return this.#root.querySelector(`[data-action="${action}"]`);
    }

    /** Whether a button is shown as pressed. */
    press(action, pressed) {
        const button = this.#button(action);
        if (button.getAttribute("aria-pressed") !== String(pressed)) button.setAttribute("aria-pressed", String(pressed));
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
