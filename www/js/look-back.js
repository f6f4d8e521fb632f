// Looking back: the last seconds of one camera, over its tile, under a band that says that they are not live.
//
// The agent sends what it keeps at once, and this page decodes it. It runs to its end and then goes away, and the live
// picture, which goes on below it, is seen again. Loaded when somebody looks back for the first time.

import { agentUrl } from "./agent-url.js";
import { FORMAT, parseFrame } from "./frame.js";
import { addTexts, currentLanguage, t } from "./language.js";
import { addStyleSheet } from "./style-sheet.js";
import { drawView } from "./view.js";

/** @import { CameraTile } from "./camera-tile.js" */
/** @import { Frame, Size, View } from "./types" */

addTexts({
    en: {
        "past.band": "NOT LIVE · {time} · {seconds} s ago",
        "past.none": "{name}: nothing is kept to look back at. Set look_back in [limits].",
        "past.cannot": "{name}: this browser cannot decode its video here. Open the wall by https, or at the machine itself.",
        "past.failed": "{name}: the last seconds did not come.",
        "past.back": "Back",
        "past.pause": "Pause",
        "past.forward": "Forward",
        "past.end": "Live",
    },
    "zh-TW": {
        "past.band": "非即時 · {time} · {seconds} 秒前",
        "past.none": "{name}:沒有保留可回看的畫面。請在 [limits] 設定 look_back。",
        "past.cannot": "{name}:瀏覽器無法在此解碼其影像。請以 https 開啟電視牆,或在本機開啟。",
        "past.failed": "{name}:未能取得最近的畫面。",
        "past.back": "後退",
        "past.pause": "暫停",
        "past.forward": "前進",
        "past.end": "即時",
    },
});

/** How far back it begins, in seconds, and by how much a key drives, in milliseconds. */
const SECONDS = 30;
const STEP = 5000;
/** Time for the agent to send what it keeps, in milliseconds. */
const FETCH_TIMEOUT = 20_000;
/** Units given to the decoder beyond what is seen, in milliseconds of the video, and at most so many at a time. */
const AHEAD = 300;
const MAX_QUEUE = 12;
/** Somebody who pauses and goes away finds the live picture again, in milliseconds. */
const PAUSE_TIMEOUT = 60_000;

/** @typedef {{format: string, codec: string | null, size: Size, display: Size, view: View | null, now: number}} Video */

/** The units in what the agent sent. @param {ArrayBuffer} buffer @returns {Frame[]} */
function unitsIn(buffer) {
    const view = new DataView(buffer);
    const units = [];
    for (let at = 0; at + 4 <= buffer.byteLength; ) {
        const length = view.getUint32(at, true);
        const unit = parseFrame(buffer.slice(at + 4, at + 4 + length));
        if (unit !== null) units.push(unit);
        at += 4 + length;
    }
    return units;
}

export class LookBack {
    #tile;
    /** @type {Frame[]} */
    #units;
    /** @type {Video} */
    #video;
    #ageOf;
    #onEnd;
    #root = document.createElement("div");
    #canvas = document.createElement("canvas");
    #band = document.createElement("strong");
    #line = document.createElement("i");
    #pauseButton = document.createElement("button");
    /** @type {VideoDecoder | null} */
    #decoder = null;
    /** The next unit for the decoder. */
    #next = 0;
    /** Agent time of what is on the canvas; 0: nothing yet. */
    #shown = 0;
    /** Agent time of the picture to begin with: those that the decoder needs before it are not seen. */
    #first = 0;
    /** Agent time that is to be seen at page time `#from.at`. */
    #from = { taken: 0, at: 0 };
    /** Page time since which it is paused; null: it runs. @type {number | null} */
    #pausedAt = null;
    /** Pictures out of the decoder that are not due yet. @type {{taken: number, image: VideoFrame}[]} */
    #waiting = [];
    #isDecodingJpeg = false;
    #isOver = false;
    /** @param {KeyboardEvent} event */
    #onKey = (event) => this.#key(event);

    /**
     * Fetches the last `seconds` of the camera of `tile` and runs them over it.
     * @param {CameraTile} tile
     * @param {{id: string, name: string}} camera
     * @param {number} seconds whole ones
     * @param {(taken: number, now: number) => number | null} ageOf a picture, by the agent's clock, in milliseconds
     * @param {() => void} onEnd
     * @returns {Promise<LookBack | string>} or what to tell the person
     */
    static async open(tile, { id, name }, seconds, ageOf, onEnd) {
        try {
            const answer = await fetch(agentUrl(`api/cameras/${encodeURIComponent(id)}/past?seconds=${seconds}`), {
                cache: "no-store",
                signal: AbortSignal.timeout(FETCH_TIMEOUT),
            });
            if (answer.status === 404) return t("past.none", { name });
            if (!answer.ok) return t("past.failed", { name });
            /** @type {Video} */
            const video = JSON.parse(answer.headers.get("X-Video") ?? "");
            if (video.format !== "jpeg" && !(await canDecode(video))) return t("past.cannot", { name });
            const units = unitsIn(await answer.arrayBuffer());
            if (units.length === 0) return t("past.none", { name });
            return new LookBack(tile, units, video, seconds, ageOf, onEnd);
        } catch (error) {
            console.warn("look back:", error);
            return t("past.failed", { name });
        }
    }

    /**
     * @param {CameraTile} tile
     * @param {Frame[]} units
     * @param {Video} video
     * @param {number} seconds
     * @param {(taken: number, now: number) => number | null} ageOf
     * @param {() => void} onEnd
     */
    constructor(tile, units, video, seconds, ageOf, onEnd) {
        this.#tile = tile;
        this.#units = units;
        this.#video = video;
        this.#ageOf = ageOf;
        this.#onEnd = onEnd;
        addStyleSheet("look-back");
        this.#root.className = "look-back";
        const bar = document.createElement("div");
        const button = (label, sign, act) => {
            const element = label === "past.pause" ? this.#pauseButton : document.createElement("button");
            element.type = "button";
            element.textContent = sign;
            element.title = t(label);
            element.setAttribute("aria-label", t(label));
            element.addEventListener("click", (event) => {
                event.stopPropagation();
                act();
            });
            return element;
        };
        bar.append(
            button("past.back", "\u22125 s", () => this.drive(-STEP)),
            button("past.pause", "||", () => this.pause()),
            button("past.forward", "+5 s", () => this.drive(STEP)),
            button("past.end", "\u2715", () => this.end()),
        );
        this.#root.append(this.#canvas, this.#band, this.#line, bar);
        this.#root.addEventListener("dblclick", (event) => event.stopPropagation());
        tile.append(this.#root);
        document.addEventListener("keydown", this.#onKey, { capture: true });
        const last = units[units.length - 1].taken;
        this.#seek(Math.max(units[0].taken, last - seconds * 1000));
        this.#step();
    }

    /** Goes on `by` milliseconds earlier or later; past the end it ends. @param {number} by */
    drive(by) {
        const to = this.#wanted(performance.now()) + by;
        if (to >= this.#units[this.#units.length - 1].taken) this.end();
        else this.#seek(Math.max(to, this.#units[0].taken));
    }

    pause() {
        const now = performance.now();
        if (this.#pausedAt === null) {
            this.#from = { taken: this.#wanted(now), at: now };
            this.#pausedAt = now;
        } else {
            this.#from.at = now;
            this.#pausedAt = null;
        }
        this.#pauseButton.textContent = this.#pausedAt === null ? "||" : "\u25b6";
    }

    end() {
        if (this.#isOver) return;
        this.#isOver = true;
        document.removeEventListener("keydown", this.#onKey, { capture: true });
        this.#reset();
        this.#root.remove();
        this.#onEnd();
    }

    /** Agent time that is to be seen now. @param {number} now */
    #wanted(now) {
        return this.#from.taken + (this.#pausedAt === null ? now - this.#from.at : 0);
    }

    /** @param {KeyboardEvent} event */
    #key(event) {
        /** @type {Record<string, () => void>} */
        const acts = {
            ArrowLeft: () => this.drive(-STEP),
            ArrowRight: () => this.drive(STEP),
            MediaRewind: () => this.drive(-STEP),
            MediaFastForward: () => this.drive(STEP),
            " ": () => this.pause(),
            MediaPlayPause: () => this.pause(),
            Escape: () => this.end(),
            Backspace: () => this.end(),
            BrowserBack: () => this.end(),
            GoBack: () => this.end(),
            b: () => this.end(),
        };
        const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
        if (act === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        event.stopPropagation();
        act();
    }

    /** Begins anew at the last key frame before agent time `taken`. @param {number} taken */
    #seek(taken) {
        this.#reset();
        const now = performance.now();
        this.#from = { taken, at: now };
        if (this.#pausedAt !== null) this.#pausedAt = now;
        this.#next = 0;
        this.#first = 0;
        this.#units.forEach((unit, i) => {
            if (unit.taken > taken) return;
            this.#first = unit.taken;
            if (unit.key) this.#next = i;
        });
    }

    #reset() {
        if (this.#decoder !== null && this.#decoder.state !== "closed") this.#decoder.close();
        this.#decoder = null;
        for (const { image } of this.#waiting) image.close();
        this.#waiting = [];
    }

    /** Draws what is due and gives the decoder what follows; runs with each frame of the screen. */
    #step() {
        if (this.#isOver) return;
        const now = performance.now();
        const wanted = this.#wanted(now);
        const isAtEnd = this.#pausedAt === null && wanted >= this.#units[this.#units.length - 1].taken;
        const isForgotten = this.#pausedAt !== null && now - this.#pausedAt > PAUSE_TIMEOUT;
        if (isAtEnd || isForgotten || !this.#tile.isConnected) {
            this.end();
            return;
        }
        if (this.#video.format === "jpeg") void this.#feedJpeg(wanted);
        else this.#feed(wanted);
        const due = this.#waiting.filter(({ taken }) => taken <= wanted);
        if (due.length > 0) {
            this.#waiting = this.#waiting.filter(({ taken }) => taken > wanted);
            const newest = due[due.length - 1];
            this.#draw(newest.image, newest.taken);
            for (const { image } of due) image.close();
        }
        this.#tell(now);
        requestAnimationFrame(() => this.#step());
    }

    /** @param {number} wanted */
    #feed(wanted) {
        this.#decoder ??= this.#newDecoder();
        while (this.#next < this.#units.length && this.#decoder.decodeQueueSize < MAX_QUEUE) {
            const { key, taken, payload } = this.#units[this.#next];
            if (taken > wanted + AHEAD) return;
            // Microseconds keep the time of the unit, by which its picture is known again.
            const timestamp = Math.round(taken * 1000);
            this.#decoder.decode(new EncodedVideoChunk({ type: key ? "key" : "delta", timestamp, data: payload }));
            this.#next += 1;
        }
    }

    #newDecoder() {
        const decoder = new VideoDecoder({
            output: (image) => {
                const taken = image.timestamp / 1000;
                // Microseconds are whole, agent time need not be.
                if (this.#decoder === decoder && !this.#isOver && taken > this.#first - 1) this.#waiting.push({ taken, image });
                else image.close();
            },
            error: (error) => {
                console.warn("look back:", error);
                if (this.#decoder === decoder) this.end();
            },
        });
        decoder.configure({ codec: this.#video.codec ?? "", optimizeForLatency: true });
        return decoder;
    }

    /** @param {number} wanted */
    async #feedJpeg(wanted) {
        if (this.#isDecodingJpeg) return;
        let index = this.#next;
        while (index + 1 < this.#units.length && this.#units[index + 1].taken <= wanted) index += 1;
        const { taken, payload } = this.#units[index];
        if (taken === this.#shown || taken > wanted) return;
        this.#isDecodingJpeg = true;
        try {
            const bitmap = await createImageBitmap(new Blob([payload], { type: "image/jpeg" }));
            if (!this.#isOver) this.#draw(bitmap, taken);
            bitmap.close();
            this.#next = index;
        } catch {
            this.#next = Math.min(index + 1, this.#units.length - 1);
        }
        this.#isDecodingJpeg = false;
    }

    /** @param {VideoFrame | ImageBitmap} image @param {number} taken */
    #draw(image, taken) {
        const [width, height] = this.#video.display;
        if (this.#canvas.width !== width || this.#canvas.height !== height) {
            this.#canvas.width = width;
            this.#canvas.height = height;
        }
        const context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d", { alpha: false }));
        if (this.#video.view === null) context.drawImage(image, 0, 0, width, height);
        else drawView(context, image, width, height, this.#video.view);
        this.#shown = taken;
        this.#root.dataset.taken = String(taken);
    }

    /** Says what time it is in the picture, and how long ago that was. @param {number} now */
    #tell(now) {
        const [first, last] = [this.#units[0].taken, this.#units[this.#units.length - 1].taken];
        const part = last > first ? (this.#shown - first) / (last - first) : 1;
        this.#line.style.width = `${Math.min(1, Math.max(0, part)) * 100}%`;
        if (this.#shown === 0) return;
        const age = this.#ageOf(this.#shown, now);
        const time = new Date(this.#shown).toLocaleTimeString(currentLanguage(), { hour12: false });
        const seconds = age === null ? "?" : (age / 1000).toFixed(1);
        this.#band.textContent = t("past.band", { time, seconds });
    }
}

/**
 * Runs the last seconds of a camera over its tile.
 * @param {import("./wall.js").CameraWall} wall
 * @param {import("./camera-list.js").CameraList} list
 * @param {import("./wall-socket.js").WallSocket} socket
 * @param {import("./notices.js").Notices} notices
 * @param {string | null} of the camera
 * @param {number} [seconds] whole ones
 */
export async function lookBack(wall, list, socket, notices, of, seconds = SECONDS) {
    const camera = list.cameras.find(({ id }) => id === of);
    const tile = camera && wall.tileOf(camera.id);
    if (camera === undefined || tile === undefined || tile.querySelector(".look-back")) return;
    const told = await LookBack.open(tile, camera, seconds, (taken, now) => socket.clock.age(taken, now, now), () => tile.focus());
    if (typeof told === "string") notices.showMessage(told);
}

/** Whether this browser decodes the camera's own video. @param {Video} video */
async function canDecode({ format, codec }) {
    if (!window.isSecureContext || !("VideoDecoder" in window) || codec === null || !(format in FORMAT)) return false;
    return (await VideoDecoder.isConfigSupported({ codec, optimizeForLatency: true })).supported === true;
}
