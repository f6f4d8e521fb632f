// The sound of one camera, the selected one. Loaded when somebody wants to hear, or may hear the camera that is alone on
// the screen.
//
// No camera is heard before somebody wants it, and one at a time. Sound is heard only beside a live picture: it is muted
// when the picture is not live, and ends when the camera leaves the screen or the page is left.

import { agentUrl } from "./agent-url.js";
import { decodeG711 } from "./g711.js";
import { addTexts, currentLanguage, t, translate } from "./language.js";
import { explain, reasonIn } from "./reason-text.js";
import { SoundPlayer } from "./sound-player.js";
import { addStyleSheet } from "./style-sheet.js";

/** @import { CameraWall } from "./wall.js" */
/** @import { CameraList } from "./camera-list.js" */
/** @import { Notices } from "./notices.js" */

addTexts({
    en: {
        "sound.begin": "Listen (A)",
        "sound.heard": "You hear {name} – mute (A)",
        "sound.opening": "Sound …",
        "sound.muted": "No sound: the picture is not live",
        "sound.silent": "No sound comes",
        "sound.blocked": "Press A or click to hear",
        "sound.help": "Hear the camera, or mute it",
        "sound.none": "{name} cannot be heard: it has no sound = true in cameras.toml.",
        "sound.mayNot": "{name}: you may not listen.",
        "sound.failed": "{name} cannot be heard: {reason}",
        "sound.unknown": "the agent gave no sound",
        "sound.browser": "{name}: this browser cannot decode its sound ({codec}) here. Open the wall by https, or at the machine itself, or set the camera to G.711.",
    },
    "zh-TW": {
        "sound.begin": "收聽（A）",
        "sound.heard": "正在收聽 {name} – 靜音（A）",
        "sound.opening": "聲音開啟中…",
        "sound.muted": "無聲音：畫面非即時",
        "sound.silent": "沒有收到聲音",
        "sound.blocked": "按 A 或點選以收聽",
        "sound.help": "收聽攝影機，或靜音",
        "sound.none": "無法收聽 {name}：cameras.toml 中未設定 sound = true。",
        "sound.mayNot": "{name}：您無權收聽。",
        "sound.failed": "無法收聽 {name}：{reason}",
        "sound.unknown": "代理程式未提供聲音",
        "sound.browser": "{name}：瀏覽器無法在此解碼其聲音（{codec}）。請以 https 開啟電視牆，或在本機開啟，或將攝影機設為 G.711。",
    },
});

const TICK_INTERVAL = 100;
/** Sound is told to be missing after this time, in milliseconds. */
const SILENT_AFTER = 1500;
/** A session that has ended is asked for again after this time, in milliseconds; the agent makes the camera's pauses. */
const RETRY_AFTER = 2000;
/** The longest frame that is believed, in bytes. */
const MAX_FRAME = 1 << 20;
const HEADER = 16;

/** @typedef {{format: "pcmu" | "pcma" | "aac", codec: string, sample_rate: number, channels: number, config: string | null, now: number}} Format */

export class Sound {
    #wall;
    #list;
    #notices;
    #mark = document.createElement("button");
    #text = document.createElement("span");
    /** The camera that is to be heard. @type {string | null} */
    #camera = null;
    /** @type {AudioContext | null} */
    #context = null;
    /** @type {SoundPlayer | null} */
    #player = null;
    /** @type {AbortController | null} */
    #request = null;
    /** @type {AudioDecoder | null} */
    #decoder = null;

    /** @param {CameraWall} wall @param {CameraList} list @param {Notices} notices */
    constructor(wall, list, notices) {
        this.#wall = wall;
        this.#list = list;
        this.#notices = notices;
        addStyleSheet("sound");
        this.#mark.className = "sound";
        this.#mark.append(document.createElement("i"), this.#text);
        this.#mark.addEventListener("click", () => this.toggle(this.#mark.closest("camera-tile")?.getAttribute("camera") ?? null));
        // The wall takes a double click and a tap for its own.
        for (const event of ["dblclick", "pointerdown", "pointerup"]) this.#mark.addEventListener(event, (one) => one.stopPropagation());
        const help = document.createElement("div");
        help.innerHTML = "<dt><kbd>A</kbd></dt><dd data-text=\"sound.help\"></dd>";
        document.querySelector("#help dl")?.append(help);
        translate(help);
        window.addEventListener("pagehide", () => this.end());
        document.addEventListener("visibilitychange", () => document.hidden && this.end());
        setInterval(() => this.tick(), TICK_INTERVAL);
        this.tick();
    }

    /** The camera that is to be heard; null: none. */
    get camera() {
        return this.#camera;
    }

    /** Hears this camera, or mutes it if it is heard. @param {string | null} camera */
    toggle(camera) {
        const isOwn = camera !== null && camera === this.#camera;
        if (isOwn && this.#context?.state === "suspended") {
            void this.#context.resume();
            return;
        }
        this.end();
        const facts = this.#list.cameras.find(({ id }) => id === camera);
        if (isOwn || facts === undefined || this.#wall.tileOf(facts.id) === undefined) return;
        const { id, name } = facts;
        if (!facts.sound) this.#notices.showMessage(t("sound.none", { name }));
        else if (!facts.mayListen) this.#notices.showMessage(t("sound.mayNot", { name }));
        else void this.#begin(id, name);
        this.tick();
    }

    /** Mutes at once. */
    end() {
        this.#camera = null;
        this.#request?.abort();
        this.#request = null;
        this.#closeDecoder();
        this.#player?.close();
        this.#player = null;
        void this.#context?.close();
        this.#context = null;
        this.tick();
    }

    /** Mutes what is not live, and shows what is heard. */
    tick(now = performance.now()) {
        const camera = this.#camera;
        const tile = camera === null ? undefined : this.#wall.tileOf(camera);
        if (camera !== null && (tile === undefined || this.#wall.selected !== camera)) {
            this.end();
            return;
        }
        if (tile === undefined || this.#player === null) {
            this.#offer();
            return;
        }
        const isLive = tile.getAttribute("verdict") === "live";
        if (this.#player.isHeard !== isLive) this.#player.setHeard(isLive);
        const isPlaying = now - this.#player.playedAt < SILENT_AFTER;
        const name = this.#list.cameras.find(({ id }) => id === camera)?.name ?? camera;
        if (!isLive) this.#show(tile, "muted", t("sound.muted"));
        else if (this.#context?.state === "suspended") this.#show(tile, "muted", t("sound.blocked"));
        else if (isPlaying) this.#show(tile, "heard", t("sound.heard", { name }));
        else this.#show(tile, "muted", t(this.#player.playedAt > 0 ? "sound.silent" : "sound.opening"));
    }

    /** Offers to hear the camera that is alone on the screen. */
    #offer() {
        const alone = this.#list.cameras.find(({ id, mayListen }) => mayListen && id === this.#wall.enlarged);
        const tile = alone && this.#wall.tileOf(alone.id);
        if (tile === undefined) this.#mark.remove();
        else this.#show(tile, "offered", t("sound.begin"));
    }

    /** @param {Element} tile @param {string} state @param {string} text */
    #show(tile, state, text) {
        if (this.#mark.parentElement !== tile) tile.append(this.#mark);
        this.#mark.dataset.state = state;
        this.#mark.setAttribute("aria-pressed", String(state === "heard"));
        this.#mark.lang = currentLanguage();
        if (this.#text.textContent === text) return;
        this.#text.textContent = text;
        this.#mark.setAttribute("aria-label", text);
    }

    /** @param {string} id @param {string} name */
    async #begin(id, name) {
        this.#camera = id;
        this.#context = new AudioContext({ latencyHint: "interactive" });
        void this.#context.resume();
        const player = (this.#player = new SoundPlayer(this.#context));
        let hasPlayed = false;
        while (this.#player === player) {
            const request = (this.#request = new AbortController());
            const failure = await this.#read(id, name, player, request.signal, () => (hasPlayed = true));
            if (this.#player !== player) return;
            if (failure !== null && !hasPlayed) {
                this.end();
                this.#notices.showMessage(failure);
                return;
            }
            await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER));
        }
    }

    /**
     * Plays what the agent sends, to its end. Returns what to tell the person if it gave nothing.
     * @param {string} id @param {string} name @param {SoundPlayer} player @param {AbortSignal} signal @param {() => void} onPlay
     * @returns {Promise<string | null>}
     */
    async #read(id, name, player, signal, onPlay) {
        try {
            const answer = await fetch(agentUrl(`api/cameras/${encodeURIComponent(id)}/sound`), { cache: "no-store", signal });
            if (!answer.ok || answer.body === null) return t("sound.failed", { name, reason: await reasonOf(answer) });
            /** @type {Format} */
            const format = JSON.parse(answer.headers.get("X-Audio") ?? "");
            player.note(format.now, performance.now());
            const decode = await this.#decoderOf(format, player);
            if (decode === null) return t("sound.browser", { name, codec: format.codec });
            onPlay();
            await readFrames(answer.body.getReader(), decode);
            return null;
        } catch (error) {
            if (signal.aborted) return null;
            console.warn("sound:", error);
            return t("sound.failed", { name, reason: t("sound.unknown") });
        } finally {
            this.#closeDecoder();
        }
    }

    /**
     * What plays a unit of this format; null: this browser cannot.
     * @param {Format} format @param {SoundPlayer} player
     * @returns {Promise<((payload: Uint8Array<ArrayBuffer>, taken: number) => void) | null>}
     */
    async #decoderOf(format, player) {
        const { format: law, codec, sample_rate: rate, channels } = format;
        if (law === "pcma" || law === "pcmu") {
            return (payload, taken) => player.play(decodeG711(law, payload, channels), rate, taken, performance.now());
        }
        if (law !== "aac" || !window.isSecureContext || !("AudioDecoder" in window) || format.config === null) return null;
        const config = { codec, sampleRate: rate, numberOfChannels: channels, description: bytesOf(format.config) };
        const support = await AudioDecoder.isConfigSupported(config).catch(() => null);
        if (support?.supported !== true) return null;
        const decoder = (this.#decoder = new AudioDecoder({
            output: (data) => {
                const samples = Array.from({ length: data.numberOfChannels }, (_, planeIndex) => {
                    const plane = new Float32Array(data.numberOfFrames);
                    data.copyTo(plane, { planeIndex, format: "f32-planar" });
                    return plane;
                });
                player.play(samples, data.sampleRate, data.timestamp / 1000, performance.now());
                data.close();
            },
            error: (error) => console.warn("sound:", error),
        }));
        decoder.configure(config);
        return (payload, taken) => {
            if (decoder.state !== "configured") throw new Error("the decoder has given up");
            decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: Math.round(taken * 1000), data: payload }));
        };
    }

    #closeDecoder() {
        if (this.#decoder !== null && this.#decoder.state !== "closed") this.#decoder.close();
        this.#decoder = null;
    }
}

/** Why there is no sound, in the language of the page. @param {Response} answer */
async function reasonOf(answer) {
    const told = await answer.json().catch(() => ({}));
    const { reason } = explain(reasonIn({ why: told?.error, reason: told?.reason }), 0, 0);
    return reason === "" ? t("sound.unknown") : reason;
}

/** @param {string} base64 */
function bytesOf(base64) {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/**
 * Hands on each unit: its length in 4 bytes, a header with the agent's time, and its bytes.
 * @param {ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>} reader
 * @param {(payload: Uint8Array<ArrayBuffer>, taken: number) => void} onUnit
 */
async function readFrames(reader, onUnit) {
    let rest = new Uint8Array(0);
    for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        const all = new Uint8Array(rest.length + value.length);
        all.set(rest);
        all.set(value, rest.length);
        const view = new DataView(all.buffer);
        let at = 0;
        while (at + 4 <= all.length) {
            const length = view.getUint32(at, true);
            if (length < HEADER || length > MAX_FRAME) throw new Error(`a frame of ${length} bytes`);
            if (at + 4 + length > all.length) break;
            const taken = Number(view.getBigUint64(at + 12, true)) / 1000;
            onUnit(all.slice(at + 4 + HEADER, at + 4 + length), taken);
            at += 4 + length;
        }
        rest = all.slice(at);
    }
}
