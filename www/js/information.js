// The panel beside the wall that tells everything about one camera: what the agent says of it, what
// this page sees of it, and a plot of the picture's age in the last minutes.

import { SECONDS } from "./history.js";
import { duration, t } from "./language.js";
import { TELL_AGE_AFTER } from "./liveness.js";
import { explain } from "./reasons.js";

/** Size of the plot, in CSS pixels. */
const PLOT = { width: 300, height: 84 };
const PLOT_EVERY = 1000;

export class Information {
    #root;
    #list;
    #wall;
    #camera = null;
    #rows = new Map();
    #said = new Map();
    #turns = "";
    #plottedAt = -Infinity;

    /**
     * @param {HTMLElement} root
     * @param {import("./camera-list.js").CameraList} list
     * @param {import("./wall.js").CameraWall} wall
     * @param {{information: () => void, snapshot: () => void}} actions
     */
    constructor(root, list, wall, actions) {
        this.#root = root;
        this.#list = list;
        this.#wall = wall;
        this.#slot("close").onclick = () => actions.information();
        this.#slot("snapshot").onclick = () => actions.snapshot();
    }

    get open() {
        return !this.#root.hidden;
    }

    toggle() {
        this.#root.hidden = this.open;
        this.#plottedAt = -Infinity;
        this.draw(performance.now());
    }

    /** Tells about the camera that has the focus; call it whenever something may have changed. */
    draw(now) {
        if (!this.open) return;
        const camera = this.#wall.chosen ?? this.#list.cameras[0]?.id ?? null;
        if (camera !== this.#camera) this.#plottedAt = -Infinity;
        this.#camera = camera;
        const told = this.#list.cameras.find((entry) => entry.id === camera);
        if (told === undefined) {
            this.toggle();
            return;
        }
        const seen = this.#wall.history.latest(camera);
        this.#say(this.#slot("name"), told.name);
        this.#say(this.#slot("state"), seen === undefined ? "" : t(`state.${seen.verdict}`));
        this.#root.dataset.verdict = seen?.verdict ?? "";
        for (const [key, text] of rows(told, seen, now - (this.#list.heardAt ?? now))) this.#row(key, text);
        this.#tellTurns(camera, now);
        if (now - this.#plottedAt < PLOT_EVERY) return;
        this.#plottedAt = now;
        this.#plot(this.#wall.history.seconds(camera, now));
    }

    #row(key, text) {
        let value = this.#rows.get(key);
        if (value === undefined) {
            const row = document.createElement("div");
            const name = document.createElement("dt");
            value = document.createElement("dd");
            row.append(name, value);
            this.#slot("facts").append(row);
            this.#rows.set(key, value);
        }
        this.#say(value.previousSibling, t(`info.${key}`));
        this.#say(value, text);
        if (value.parentElement.hidden !== (text === "")) value.parentElement.hidden = text === "";
    }

    #tellTurns(camera, now) {
        const turns = this.#wall.history.turns(camera);
        const texts = turns.map(({ at, verdict, why }) => {
            const time = new Date(at).toLocaleTimeString("en-GB");
            const { reason } = explain(why, now, now);
            return `${time} ${t(`state.${verdict}`)}${reason === "" ? "" : ` – ${reason}`}`;
        });
        if (texts.join("\n") === this.#turns) return;
        this.#turns = texts.join("\n");
        this.#slot("turns").replaceChildren(...texts.map((text) => {
            const item = document.createElement("li");
            item.textContent = text;
            return item;
        }));
    }

    /** A column for each second: as high as the picture was old, and full and bright where it was not live. */
    #plot(seconds) {
        const canvas = this.#slot("plot");
        const scale = window.devicePixelRatio || 1;
        const [width, height] = [Math.round(PLOT.width * scale), Math.round(PLOT.height * scale)];
        if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
        const known = seconds.filter((second) => second !== null);
        const lived = known.filter((second) => second.live);
        const oldest = Math.max(0, ...lived.map((second) => second.age));
        const top = Math.max(TELL_AGE_AFTER, Math.ceil(oldest / 1000) * 1000);
        const style = getComputedStyle(this.#root);
        const colour = (name) => style.getPropertyValue(name);
        const pen = canvas.getContext("2d", { alpha: false });
        pen.fillStyle = colour("--ground");
        pen.fillRect(0, 0, width, height);
        pen.fillStyle = colour("--line");
        for (const part of [0, 0.5]) pen.fillRect(0, Math.round(part * height), width, 1);
        const step = width / seconds.length;
        seconds.forEach((second, i) => {
            if (second === null) return;
            const [left, right] = [Math.round(i * step), Math.round((i + 1) * step)];
            const tall = second.live ? Math.max(scale, (second.age / top) * height) : height;
            pen.fillStyle = colour(second.live ? "--soft" : "--attention");
            pen.fillRect(left, height - tall, right - left, tall);
        });
        this.#say(this.#slot("top"), t("age.seconds", { s: top / 1000 }));
        const share = known.length === 0 ? "–" : `${Math.floor((100 * lived.length) / known.length)} %`;
        const summary = t("info.plot", { minutes: SECONDS / 60, share, oldest: `${(oldest / 1000).toFixed(1)} s` });
        this.#say(this.#slot("summary"), summary);
        if (canvas.getAttribute("aria-label") !== summary) canvas.setAttribute("aria-label", summary);
    }

    #slot(name) {
        return this.#root.querySelector(`[data-slot="${name}"]`);
    }

    #say(element, text) {
        if (this.#said.get(element) === text) return;
        this.#said.set(element, text);
        element.textContent = text;
    }
}

/** What is told, by key; an empty text is not shown. `ago`: milliseconds since the agent told it. */
function rows(told, seen, ago) {
    const list = (...parts) => parts.filter((part) => part !== null && part !== "").join(" · ");
    const age = seen?.age ?? null;
    return [
        ["stream", list(told.codec, told.size?.join("×") ?? null, rateText(told.fps), bitrateText(told.bitrate))],
        // A live camera has a reason only where it is shown by a stream that does not suit.
        ["note", told.state === "live" ? explain(told.why, 0, 0).reason : ""],
        ["streams", told.profiles.map(profileText).join(" / ")],
        ["shown", seen === undefined ? "" : list(t(`transport.${seen.transport}`), seen.video ?? null, seen.drawn ?? null, rateText(seen.fps))],
        ["age", age === null ? t("age.none") : age < 60_000 ? `${(age / 1000).toFixed(2)} s` : duration(age)],
        ["since", told.since === null || told.state === null ? "" : t("info.sinceFor", { state: t(`state.${told.state}`), time: duration(told.since * 1000 + ago) })],
        ["viewers", numberText(told.viewers)],
        ["reconnects", list(numberText(told.reconnects), told.stalls === null ? null : t("info.stalls", { stalls: told.stalls }))],
        ["error", explain(told.lastError, 0, 0).reason],
        ["worker", list(cpuText(told.worker), memoryText(told.worker))],
        ["address", list(told.address, told.profile)],
    ];
}

function profileText({ stream, state, size, viewers }) {
    const parts = [t(`profile.${stream}`), t(`state.${state}`), size?.join("×"), viewers ? t("profile.viewers", { viewers }) : ""];
    return parts.filter(Boolean).join(" ");
}

const numberText = (number) => (number === null ? "" : String(number));

export function rateText(fps) {
    return fps === null ? "" : t("facts.fps", { fps: fps.toFixed(1) });
}

export function bitrateText(bitrate) {
    return bitrate === null ? "" : `${(bitrate / 1e6).toFixed(2)} Mbit/s`;
}

/** Of one core. */
export function cpuText(worker) {
    return worker === null || worker.share === null ? "" : `${Math.round(worker.share * 100)} % CPU`;
}

export function memoryText(worker) {
    return worker === null || worker.memory === null ? "" : `${Math.round(worker.memory / (1 << 20))} MiB`;
}
