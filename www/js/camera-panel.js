// The panel beside the wall with all information about one camera: what the agent reports, what this page
// sees, and a plot of the picture's age in the last minutes. Loaded when it is opened for the first time.

import { agentUrl, loginUrl } from "./agent-url.js";
import { SECONDS } from "./history.js";
import { addTexts, duration, t, translate } from "./language.js";
import { SHOW_AGE_AFTER } from "./liveness.js";
import { explain } from "./reason-text.js";
import { addStyleSheet } from "./style-sheet.js";

/** @import { CameraFacts, ProfileFacts, ReceptionFacts, TileStatus, WorkerFacts } from "./types" */

addTexts({
    en: {
        "profile.main": "Main:",
        "profile.small": "Small:",
        "profile.viewers": "({viewers} watching)",
        "info.title": "Information",
        "info.close": "Close (I)",
        "info.stream": "Camera sends",
        "info.note": "Note",
        "info.streams": "Streams",
        "info.shown": "This page draws",
        "info.age": "Picture's age",
        "info.since": "Since",
        "info.sinceFor": "{state} for {time}",
        "info.viewers": "Viewers",
        "info.reconnects": "Reconnects",
        "info.stalls": "stalls: {stalls}",
        "info.reception": "Reception",
        "info.lost": "{lost} of {packets} packets lost · damaged frames: {damaged}",
        "info.jitter": "jitter {ms} ms",
        "info.clock": "Camera's clock (not used)",
        "info.error": "Last error",
        "info.worker": "Worker process",
        "info.address": "Address",
        "info.key": "TLS key",
        "info.ages": "Age of the picture",
        "info.minutes": "5 min ago",
        "info.now": "now",
        "info.plot": "Last {minutes} min: live {share}, oldest live picture {oldest}",
        "info.stateLog": "State changes seen by this page",
        "info.snapshot": "Save picture (S)",
        "info.sound": "Listen, or mute (A)",
        "info.logout": "Log out {user}",
    },
    "zh-TW": {
        "profile.main": "主串流",
        "profile.small": "子串流",
        "profile.viewers": "（{viewers} 人觀看）",
        "info.title": "資訊",
        "info.close": "關閉（I）",
        "info.stream": "攝影機傳送",
        "info.note": "備註",
        "info.streams": "串流",
        "info.shown": "本頁顯示",
        "info.age": "畫面時間差",
        "info.since": "狀態持續",
        "info.sinceFor": "{state}，已 {time}",
        "info.viewers": "觀看數",
        "info.reconnects": "重新連線",
        "info.stalls": "停滯 {stalls} 次",
        "info.reception": "接收",
        "info.lost": "{packets} 個封包遺失 {lost} 個 · 損壞影格 {damaged} 個",
        "info.jitter": "抖動 {ms} ms",
        "info.clock": "攝影機時鐘（不採用）",
        "info.error": "最近的錯誤",
        "info.worker": "處理程序",
        "info.address": "位址",
        "info.key": "TLS 金鑰",
        "info.ages": "畫面時間差",
        "info.minutes": "5 分鐘前",
        "info.now": "現在",
        "info.plot": "最近 {minutes} 分鐘：即時 {share}，即時畫面最大時間差 {oldest}",
        "info.stateLog": "本頁所見",
        "info.snapshot": "儲存畫面（S）",
        "info.sound": "收聽或靜音（A）",
        "info.logout": "登出 {user}",
    },
});

const CONTENT = `
    <header>
        <h2 data-slot="name"></h2>
        <button class="dismiss" data-label="info.close" data-slot="close"></button>
    </header>
    <p class="state" data-slot="state"></p>
    <h3 data-text="info.ages"></h3>
    <div class="plot"><canvas role="img" data-slot="plot"></canvas><span data-slot="top"></span></div>
    <p class="axis"><span data-text="info.minutes"></span><span data-text="info.now"></span></p>
    <p class="summary" data-slot="summary"></p>
    <dl data-slot="facts"></dl>
    <h3 data-text="info.stateLog"></h3>
    <ol class="state-log" data-slot="state-log"></ol>
    <button class="worded" data-slot="snapshot" data-text="info.snapshot"></button>
    <button class="worded" data-slot="lookBack" data-text="help.lookBack"></button>
    <button class="worded" data-slot="sound" data-text="info.sound" hidden></button>
    <button class="worded" data-slot="logout" hidden></button>
`;

/** Size of the plot, in CSS pixels. */
const PLOT = { width: 300, height: 84 };
const PLOT_INTERVAL = 1000;

export class CameraPanel {
    #root;
    #list;
    #wall;
    /** @type {string | null} */
    #camera = null;
    /** Name and value of each row, by key. @type {Map<string, {name: HTMLElement, value: HTMLElement, row: HTMLElement}>} */
    #rows = new Map();
    /** @type {Map<Element, string>} */
    #texts = new Map();
    #stateLog = "";
    #plottedAt = -Infinity;

    /**
     * @param {HTMLElement} root
     * @param {import("./camera-list.js").CameraList} list
     * @param {import("./wall.js").CameraWall} wall
     * @param {{cameraPanel: () => void, snapshot: () => void, lookBack: () => void, sound: () => void}} actions
     */
    constructor(root, list, wall, actions) {
        this.#root = root;
        this.#list = list;
        this.#wall = wall;
        addStyleSheet("info");
        root.innerHTML = CONTENT;
        root.dataset.label = "info.title";
        translate(document);
        this.#slot("close").onclick = () => actions.cameraPanel();
        this.#slot("snapshot").onclick = () => actions.snapshot();
        this.#slot("lookBack").onclick = () => actions.lookBack();
        this.#slot("sound").onclick = () => actions.sound();
        this.#slot("logout").onclick = async () => {
            const answer = await fetch(agentUrl("logout"), { method: "POST" });
            if (answer.ok) location.href = loginUrl();
        };
    }

    get isOpen() {
        return !this.#root.hidden;
    }

    toggle() {
        this.#root.hidden = this.isOpen;
        this.#plottedAt = -Infinity;
        this.draw(performance.now());
    }

    /** Shows the focused camera; call it whenever something may have changed. @param {number} now page time */
    draw(now) {
        if (!this.isOpen) return;
        const id = this.#wall.selected ?? this.#list.cameras[0]?.id ?? null;
        if (id !== this.#camera) this.#plottedAt = -Infinity;
        this.#camera = id;
        const camera = this.#list.all.find((entry) => entry.id === id);
        if (camera === undefined) {
            this.toggle();
            return;
        }
        const status = this.#wall.history.latest(camera.id);
        this.#setText(this.#slot("name"), camera.name);
        const { user } = this.#list;
        this.#setText(this.#slot("logout"), t("info.logout", { user }));
        this.#slot("logout").hidden = user === "";
        this.#slot("sound").hidden = !camera.mayListen;
        this.#setText(this.#slot("state"), status === undefined ? "" : t(`state.${status.verdict}`));
        this.#root.dataset.verdict = status?.verdict ?? "";
        for (const [key, text] of rowTexts(camera, status, now - (this.#list.answeredAt ?? now))) this.#drawRow(key, text);
        this.#drawStateLog(camera.id, now);
        if (now - this.#plottedAt < PLOT_INTERVAL) return;
        this.#plottedAt = now;
        this.#plot(this.#wall.history.seconds(camera.id, now));
    }

    #drawRow(key, text) {
        let parts = this.#rows.get(key);
        if (parts === undefined) {
            parts = { row: document.createElement("div"), name: document.createElement("dt"), value: document.createElement("dd") };
            parts.row.append(parts.name, parts.value);
            this.#slot("facts").append(parts.row);
            this.#rows.set(key, parts);
        }
        this.#setText(parts.name, t(`info.${key}`));
        this.#setText(parts.value, text);
        if (parts.row.hidden !== (text === "")) parts.row.hidden = text === "";
    }

    /** @param {string} camera @param {number} now */
    #drawStateLog(camera, now) {
        const lines = this.#wall.history.changes(camera).map(({ at, verdict, ...agentReason }) => {
            const time = new Date(at).toLocaleTimeString("en-GB");
            const { reason } = explain(agentReason, now, now);
            return `${time} ${t(`state.${verdict}`)}${reason === "" ? "" : ` – ${reason}`}`;
        });
        if (lines.join("\n") === this.#stateLog) return;
        this.#stateLog = lines.join("\n");
        this.#slot("state-log").replaceChildren(...lines.map((line) => {
            const item = document.createElement("li");
            item.textContent = line;
            return item;
        }));
    }

    /**
     * Draws a column for each second: its height is the picture's age; full and bright means not live.
     * @param {({age: number, live: boolean} | null)[]} seconds
     */
    #plot(seconds) {
        const canvas = this.#slot("plot");
        const scale = window.devicePixelRatio || 1;
        const [width, height] = [Math.round(PLOT.width * scale), Math.round(PLOT.height * scale)];
        if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
        const known = seconds.filter((second) => second !== null);
        const live = known.filter((second) => second.live);
        const oldest = Math.max(0, ...live.map((second) => second.age));
        const top = Math.max(SHOW_AGE_AFTER, Math.ceil(oldest / 1000) * 1000);
        const style = getComputedStyle(this.#root);
        const colour = (name) => style.getPropertyValue(name);
        const context = canvas.getContext("2d", { alpha: false });
        context.fillStyle = colour("--ground");
        context.fillRect(0, 0, width, height);
        context.fillStyle = colour("--line");
        for (const part of [0, 0.5]) context.fillRect(0, Math.round(part * height), width, 1);
        const step = width / seconds.length;
        seconds.forEach((second, i) => {
            if (second === null) return;
            const [left, right] = [Math.round(i * step), Math.round((i + 1) * step)];
            const column = second.live ? Math.max(scale, (second.age / top) * height) : height;
            context.fillStyle = colour(second.live ? "--soft" : "--attention");
            context.fillRect(left, height - column, right - left, column);
        });
        this.#setText(this.#slot("top"), t("age.seconds", { s: top / 1000 }));
        const share = known.length === 0 ? "–" : `${Math.floor((100 * live.length) / known.length)} %`;
        const summary = t("info.plot", { minutes: SECONDS / 60, share, oldest: `${(oldest / 1000).toFixed(1)} s` });
        this.#setText(this.#slot("summary"), summary);
        if (canvas.getAttribute("aria-label") !== summary) canvas.setAttribute("aria-label", summary);
    }

    /** @returns {any} an element of the page's own HTML */
    #slot(name) {
        return this.#root.querySelector(`[data-slot="${name}"]`);
    }

    #setText(element, text) {
        if (this.#texts.get(element) === text) return;
        this.#texts.set(element, text);
        element.textContent = text;
    }
}

/**
 * The rows as key and text; rows with an empty text are hidden.
 * @param {CameraFacts} camera
 * @param {TileStatus | undefined} status
 * @param {number} sinceAnswer milliseconds since the agent's answer
 */
function rowTexts(camera, status, sinceAnswer) {
    const join = (...parts) => parts.filter((part) => part !== null && part !== "").join(" · ");
    const age = status?.age ?? null;
    return [
        ["stream", join(camera.codec, camera.size?.join("×") ?? null, rateText(camera.fps), bitrateText(camera.bitrate))],
        // A live camera has a reason only if the other one of its streams replaces the requested one.
        ["note", join(camera.state === "live" ? explain(camera, 0, 0).reason : "", explain(camera.asJpeg, 0, 0).reason)],
        ["streams", camera.profiles.map(profileText).join(" / ")],
        ["shown", status === undefined ? "" : join(t(`transport.${status.transport}`), status.video ?? null, status.drawn ?? null, rateText(status.fps))],
        ["age", age === null ? t("age.none") : age < 60_000 ? `${(age / 1000).toFixed(2)} s` : duration(age)],
        ["since", camera.since === null || camera.state === null ? "" : t("info.sinceFor", { state: t(`state.${camera.state}`), time: duration(camera.since * 1000 + sinceAnswer) })],
        ["viewers", numberText(camera.viewers)],
        ["reconnects", join(numberText(camera.reconnects), camera.stalls === null ? null : t("info.stalls", { stalls: camera.stalls }))],
        ["reception", receptionText(camera.reception)],
        ["clock", clockText(camera.reception)],
        ["error", explain(camera.lastError, 0, 0).reason],
        ["worker", join(cpuText(camera.worker), memoryText(camera.worker))],
        ["address", join(camera.address, camera.profile)],
        ["key", camera.tlsKey],
    ];
}

/** @param {ProfileFacts} profile */
function profileText({ stream, state, size, viewers }) {
    const parts = [t(`profile.${stream}`), t(`state.${state}`), size?.join("×"), viewers ? t("profile.viewers", { viewers }) : ""];
    return parts.filter(Boolean).join(" ");
}

/** @param {ReceptionFacts | null} reception */
function receptionText(reception) {
    if (reception === null) return "";
    const jitter = reception.jitter === null ? "" : ` · ${t("info.jitter", { ms: (reception.jitter * 1000).toFixed(1) })}`;
    return `${t("info.lost", { ...reception })}${jitter}`;
}

/** By how much the camera's clock is ahead. @param {ReceptionFacts | null} reception */
function clockText(reception) {
    const ahead = reception?.clock ?? null;
    return ahead === null ? "" : `${ahead < 0 ? "−" : "+"}${Math.abs(ahead).toFixed(1)} s`;
}

/** @param {number | null} number */
const numberText = (number) => (number === null ? "" : String(number));

/** @param {number | null} fps */
const rateText = (fps) => (fps === null ? "" : t("facts.fps", { fps: fps.toFixed(1) }));

/** @param {number | null} bitrate */
const bitrateText = (bitrate) => (bitrate === null ? "" : `${(bitrate / 1e6).toFixed(2)} Mbit/s`);

/** The share of one core. @param {WorkerFacts | null} worker */
const cpuText = (worker) => (worker === null || worker.cpu === null ? "" : `${Math.round(worker.cpu * 100)} % CPU`);

/** @param {WorkerFacts | null} worker */
const memoryText = (worker) => (worker === null || worker.memory === null ? "" : `${Math.round(worker.memory / (1 << 20))} MiB`);
