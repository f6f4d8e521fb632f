// Live pictures of cctv-agent for pages of your own. Documentation: docs/pages.md.
//
//     <script type="module" src="/js/cctv.js"></script>
//     <cctv-view camera="gate"></cctv-view>
//
// It is made of the wall's own parts, and as honest: only what is proven live is bright. A page of
// another origin is refused by the agent unless its cameras.toml names it (`embed`); the views say so.

import { socketUrl } from "./agent-url.js";
import { FORMAT } from "./frame.js";
import { chooseLanguage, duration, pickLanguage, t } from "./language.js";
import { judge, TELL_AGE_AFTER } from "./liveness.js";
import { Picture } from "./picture.js";
import { explain } from "./reasons.js";
import { WallSocket } from "./wall-socket.js";

const JUDGE_EVERY = 250;
/** Tiles have numbers of one byte. */
const MOST_VIEWS = 256;
const USUAL_FPS = 25;
/** Pixels of a picture asked for whose place has no size. */
const USUAL_SIZE = [640, 360];

/** @type {Map<string, Agent>} one connection for each agent, however many views */
const agents = new Map();

/**
 * Returns the page's connection to an agent; it is opened with the first watch and closed with the last.
 * @param {string | URL} [agent] the address of its page, by default that from which this module came
 * @returns {Agent}
 */
export function connect(agent = new URL("..", import.meta.url)) {
    const url = socketUrl("ws", new URL(agent, document.baseURI));
    let known = agents.get(url);
    if (known === undefined) agents.set(url, (known = new Agent(new URL(url))));
    return known;
}

/**
 * @typedef {object} Told what may be said about a picture now
 * @property {import("./liveness.js").Verdict} verdict "live", or why not
 * @property {boolean} live
 * @property {number | null} age of the picture on the canvas in milliseconds; null: there is none
 * @property {string} name of the camera, as the agent has it
 * @property {string} why the agent's own words for why it is not live; may be empty
 * @property {number} since page time (`performance.now()`) at which it said so
 */

class Agent {
    #url;
    #socket;
    /** @type {Map<number, Watch>} by number of the tile */
    #watches = new Map();
    #ticker = 0;
    #opened = false;

    constructor(url) {
        this.#url = url;
        this.#socket = new WallSocket(url.href, {
            opened: () => (this.#opened = true),
            reported: (camera, report) => {
                for (const watch of this.#watches.values()) {
                    if (watch.camera === camera && watch.number === report.tile) watch.reported(report);
                }
            },
            pictured: (camera, frame, drawn) => {
                const watch = this.#watches.get(frame.tile);
                if (watch?.camera === camera && frame.format === FORMAT.jpeg) watch.picture.offer(frame, performance.now(), drawn);
                else drawn();
            },
            complained: () => {},
            refused: (text) => console.warn(`cctv: ${text}`),
        });
    }

    /** Where its page is, as `http://host/`. */
    get origin() {
        return this.#url.origin.replace(/^ws/, "http");
    }

    /** Whether the agent seems to refuse this page: it is of another origin, and no socket was ever opened. */
    get refuses() {
        return this.origin !== location.origin && !this.#opened;
    }

    /**
     * Draws a camera on a canvas until the watch is closed.
     * @param {string} camera
     * @param {object} options
     * @param {HTMLCanvasElement} options.canvas its pixels are the agent's; size it by CSS
     * @param {[number, number]} [options.size] in device pixels: what you show is what is sent
     * @param {number} [options.fps] at most
     * @param {(told: Told) => void} options.changed called four times a second; whatever is not `live` must
     *     not look so
     * @returns {Watch}
     */
    watch(camera, { canvas, size = USUAL_SIZE, fps = USUAL_FPS, changed }) {
        let number = 0;
        while (this.#watches.has(number)) number += 1;
        if (number >= MOST_VIEWS) throw new RangeError(`no more than ${MOST_VIEWS} views of one agent`);
        const watch = new Watch({ camera, canvas, size, fps, changed, number }, {
            changed: () => this.#show(),
            closed: () => this.#close(number),
        });
        this.#watches.set(number, watch);
        if (this.#ticker === 0) this.#start();
        this.#show();
        return watch;
    }

    #start() {
        this.#ticker = setInterval(() => this.#judge(), JUDGE_EVERY);
        document.addEventListener("visibilitychange", this.#seen);
        this.#socket.start();
    }

    #close(number) {
        this.#watches.delete(number);
        this.#show();
        if (this.#watches.size > 0) return;
        clearInterval(this.#ticker);
        this.#ticker = 0;
        document.removeEventListener("visibilitychange", this.#seen);
        this.#socket.stop();
    }

    #seen = () => {
        this.#show();
        if (!document.hidden) this.#socket.hurry();
        this.#judge();
    };

    /** Nothing is asked for while nobody can see it. */
    #show() {
        const places = document.hidden ? [] : [...this.#watches.values()].filter((watch) => watch.visible);
        this.#socket.show(places.map(({ number: tile, camera, size, fps }) => ({ tile, camera, size, fps, accept: ["jpeg"] })));
    }

    #judge() {
        const now = performance.now();
        for (const watch of this.#watches.values()) watch.judge(this.#socket, now);
    }
}

class Watch {
    picture;
    number;
    camera;
    size;
    fps;
    visible = true;

    #changed;
    #agent;
    #report = null;
    #why = { text: "", since: 0 };

    constructor({ camera, canvas, size, fps, changed, number }, agent) {
        Object.assign(this, { camera, size, fps, number });
        this.picture = new Picture(canvas);
        this.#changed = changed;
        this.#agent = agent;
    }

    /** @param {[number, number]} size in device pixels */
    resize(size) {
        if (size[0] === this.size[0] && size[1] === this.size[1]) return;
        this.size = size;
        this.#agent.changed();
    }

    /** Whether a person can see it; what is out of sight is not sent. */
    see(visible) {
        if (visible === this.visible) return;
        this.visible = visible;
        this.#agent.changed();
    }

    close() {
        this.picture.clear();
        this.#agent.closed();
    }

    reported(report) {
        this.#report = report;
    }

    judge(socket, now) {
        const { shown } = this.picture;
        const age = shown === null ? null : socket.clock.age(shown.taken, shown.arrived, now);
        const report = this.#report;
        const fps = Number.isFinite(report?.fps) ? report.fps : null;
        const verdict = judge({ agentSilent: now - socket.heardAt, state: report?.state ?? null, age, fps });
        const why = verdict === report?.state && typeof report.why === "string" ? report.why : "";
        if (why !== this.#why.text) this.#why = { text: why, since: now };
        const name = typeof report?.name === "string" ? report.name : this.camera;
        this.#changed({ verdict, live: verdict === "live", age, name, why, since: this.#why.since });
    }
}

const STYLE = `
:host { display: block; position: relative; overflow: hidden; container-type: inline-size; min-width: 48px; aspect-ratio: 16 / 9;
    background: #08090b; color: #edf0f3; font: 14px/1.3 system-ui, "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
:host([hidden]) { display: none; }
canvas { position: absolute; width: 100%; height: 100%; object-fit: contain; }
:host(:not([verdict="live"])) canvas { filter: grayscale(1) brightness(0.38); }
:host([blank]) canvas { visibility: hidden; }
.band { position: absolute; top: 50%; left: 0; right: 0; padding: 0.5em 1em; transform: translateY(-50%); text-align: center;
    background: #f5b62e; color: #120d02; border: solid transparent; border-width: 6px 0;
    background: linear-gradient(#f5b62e, #f5b62e) padding-box, repeating-linear-gradient(-45deg, #f5b62e 0 12px, #000 12px 24px) border-box; }
:host([verdict="live"]) .band { display: none; }
:host([verdict="connecting"]) .band { background: #111418; color: #edf0f3; border: 1px solid #6f7b88; border-width: 1px 0; }
.headline { display: block; font-weight: 800; font-size: clamp(14px, 9cqw, 72px); line-height: 1.1; }
.finding { display: block; font-weight: 700; font-size: clamp(11px, 4cqw, 32px); }
.reason { display: block; font-size: clamp(11px, 3cqw, 22px); }
.age { position: absolute; left: 0; bottom: 0; padding: 0 0.4em; background: #f5b62e; color: #120d02; font-weight: 700; }
.age:empty { display: none; }
`;

/**
 * One live picture. Attributes: `camera` (its identifier), `agent` (address of the agent's page), `fps`.
 * Sets `verdict`; event `verdict` when that changes. Parts to style: `picture`, `band`, `age`.
 */
export class CctvView extends HTMLElement {
    static observedAttributes = ["camera", "agent", "fps"];

    /** @type {Told | null} what was told last */
    told = null;

    #parts = {};
    #watch = null;
    #resized = new ResizeObserver(() => this.#watch?.resize(this.#pixels));
    #sight = new IntersectionObserver(([...entries]) => this.#watch?.see(entries.at(-1).isIntersecting));

    constructor() {
        super();
        const root = this.attachShadow({ mode: "open" });
        // A sheet made by script needs no leave from a Content-Security-Policy without inline styles.
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(STYLE);
        root.adoptedStyleSheets = [sheet];
        const part = (tag, name, ...children) => {
            const element = document.createElement(tag);
            element.className = name;
            element.append(...children);
            this.#parts[name] = element;
            return element;
        };
        const band = part("div", "band", part("strong", "headline"), part("span", "finding"), part("span", "reason"));
        root.append(part("canvas", "picture"), band, part("span", "age"));
        for (const name of ["picture", "band", "age"]) this.#parts[name].setAttribute("part", name);
        this.#parts.picture.setAttribute("aria-hidden", "true"); // the view itself is the picture
    }

    connectedCallback() {
        if (!this.hasAttribute("role")) this.setAttribute("role", "img");
        this.#begin();
        this.#resized.observe(this);
        this.#sight.observe(this);
    }

    disconnectedCallback() {
        this.#resized.disconnect();
        this.#sight.disconnect();
        this.#end();
    }

    attributeChangedCallback(name, before, after) {
        if (before !== after && this.isConnected) this.#begin();
    }

    #begin() {
        this.#end();
        this.#told({ verdict: "connecting", live: false, age: null, name: this.getAttribute("camera") ?? "", why: "", since: 0 });
        const camera = this.getAttribute("camera");
        if (camera === null || camera === "") return;
        const agent = connect(this.getAttribute("agent") ?? undefined);
        chooseLanguage(pickLanguage(document.documentElement.lang ? [document.documentElement.lang] : navigator.languages), null);
        const fps = Number(this.getAttribute("fps")) || USUAL_FPS;
        this.#watch = agent.watch(camera, { canvas: this.#parts.picture, size: this.#pixels, fps, changed: (told) => {
            const refused = told.verdict === "silent" && agent.refuses;
            this.#told(refused ? { ...told, why: t("view.foreign", { agent: agent.origin }) } : told);
        } });
    }

    #end() {
        this.#watch?.close();
        this.#watch = null;
    }

    get #pixels() {
        const scale = window.devicePixelRatio || 1;
        return [this.clientWidth, this.clientHeight].map((side) => Math.min(7680, Math.max(16, Math.round(side * scale))));
    }

    #told(told) {
        const turned = this.getAttribute("verdict") !== told.verdict;
        this.told = told;
        if (turned) this.setAttribute("verdict", told.verdict);
        this.toggleAttribute("blank", told.age === null);
        const state = t(`state.${told.verdict}`);
        const old = told.age === null ? t("age.none") : t("age.last", { age: duration(told.age) });
        const { reason, doing } = explain(told.why, told.since, performance.now());
        const connecting = told.verdict === "connecting";
        this.#say("headline", told.live ? "" : t(connecting ? "band.connecting" : "band.notLive"));
        this.#say("finding", told.live ? "" : t("band.finding", { finding: t(`finding.${told.verdict}`), age: old }));
        this.#say("reason", told.live ? "" : `${reason || t(`reason.${told.verdict}`)} ${doing}`);
        this.#say("age", told.live && told.age > TELL_AGE_AFTER ? t("age.old", { age: duration(told.age) }) : "");
        const label = `${told.name}: ${state}${told.live ? "" : `. ${reason || t(`reason.${told.verdict}`)}`}`;
        if (this.getAttribute("aria-label") !== label) this.setAttribute("aria-label", label);
        if (turned) this.dispatchEvent(new CustomEvent("verdict", { detail: told, bubbles: true }));
    }

    #say(part, text) {
        if (this.#parts[part].textContent !== text) this.#parts[part].textContent = text;
    }
}

customElements.define("cctv-view", CctvView);
