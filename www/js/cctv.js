// Live pictures of cctv-agent for other people's pages. Documentation: docs/pages.md.
//
//     <script type="module" src="/js/cctv.js"></script>
//     <cctv-view camera="gate"></cctv-view>
//
// It uses the same modules as the wall and is as honest: only a picture that is proven live is bright.
// The agent refuses a page of another origin unless its cameras.toml lists it (`embed`); the view says so.

import { DEFAULT_FPS, connect } from "./connection.js";
import { chooseLanguage, duration, pickLanguage, t } from "./language.js";
import { SHOW_AGE_AFTER } from "./liveness.js";
import { NO_REASON, explain } from "./reason-text.js";

export { connect };

/** @import { Size, ViewStatus } from "./types" */

const STYLE = `
:host { display: block; position: relative; overflow: hidden; container-type: inline-size; min-width: 48px; aspect-ratio: 16 / 9;
    background: #08090b; color: #edf0f3; font: 14px/1.3 system-ui, "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
:host([hidden]) { display: none; }
canvas { position: absolute; width: 100%; height: 100%; object-fit: contain; }
:host(:not([verdict="live"])) canvas { filter: grayscale(1) brightness(0.38); }
:host([blank]) canvas { visibility: hidden; }
.banner { position: absolute; top: 50%; left: 0; right: 0; padding: 0.5em 1em; transform: translateY(-50%); text-align: center;
    background: #f5b62e; color: #120d02; border: solid transparent; border-width: 6px 0;
    background: linear-gradient(#f5b62e, #f5b62e) padding-box, repeating-linear-gradient(-45deg, #f5b62e 0 12px, #000 12px 24px) border-box; }
:host([verdict="live"]) .banner { display: none; }
:host([verdict="connecting"]) .banner { background: #111418; color: #edf0f3; border: 1px solid #6f7b88; border-width: 1px 0; }
.headline { display: block; font-weight: 800; font-size: clamp(14px, 9cqw, 72px); line-height: 1.1; }
.summary { display: block; font-weight: 700; font-size: clamp(11px, 4cqw, 32px); }
.reason { display: block; font-size: clamp(11px, 3cqw, 22px); }
.age { position: absolute; left: 0; bottom: 0; padding: 0 0.4em; background: #f5b62e; color: #120d02; font-weight: 700; }
.age:empty { display: none; }
`;

/** Names of the `part` attributes, which pages use in their CSS, by class. */
const PUBLIC_PARTS = { picture: "picture", banner: "band", age: "age" };

/** Limits of the requested size, in pixels. */
const MIN_SIDE = 16;
const MAX_SIDE = 7680;

/**
 * One live picture. Attributes: `camera` (its identifier), `agent` (URL of the agent's page), `fps`. Sets
 * the attribute `verdict` and fires the event `verdict` when it changes. Parts to style: `picture`,
 * `band`, `age`.
 */
export class CctvView extends HTMLElement {
    static observedAttributes = ["camera", "agent", "fps"];

    /** The last status; its name is promised by docs/pages.md. @type {ViewStatus | null} */
    told = null;

    #canvas;
    /** @type {Record<string, HTMLElement>} */
    #parts = {};
    /** @type {import("./connection.js").Watch | null} */
    #watch = null;
    #resizeObserver = new ResizeObserver(() => this.#watch?.resize(this.#pixels));
    #visibilityObserver = new IntersectionObserver((entries) => this.#watch?.see(entries[entries.length - 1].isIntersecting));

    constructor() {
        super();
        const root = this.attachShadow({ mode: "open" });
        // A style sheet made by script is allowed by a Content-Security-Policy without inline styles.
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
        this.#canvas = part("canvas", "picture");
        const banner = part("div", "banner", part("strong", "headline"), part("span", "summary"), part("span", "reason"));
        root.append(this.#canvas, banner, part("span", "age"));
        for (const [name, publicName] of Object.entries(PUBLIC_PARTS)) this.#parts[name].setAttribute("part", publicName);
        this.#canvas.setAttribute("aria-hidden", "true"); // the view itself has role="img"
    }

    connectedCallback() {
        if (!this.hasAttribute("role")) this.setAttribute("role", "img");
        this.#start();
        this.#resizeObserver.observe(this);
        this.#visibilityObserver.observe(this);
    }

    disconnectedCallback() {
        this.#resizeObserver.disconnect();
        this.#visibilityObserver.disconnect();
        this.#stop();
    }

    attributeChangedCallback(name, before, after) {
        if (before !== after && this.isConnected) this.#start();
    }

    #start() {
        this.#stop();
        this.#update({ verdict: "connecting", live: false, age: null, name: this.getAttribute("camera") ?? "", ...NO_REASON, since: 0 });
        const camera = this.getAttribute("camera");
        if (camera === null || camera === "") return;
        const connection = connect(this.getAttribute("agent") ?? undefined);
        void chooseLanguage(pickLanguage(document.documentElement.lang ? [document.documentElement.lang] : navigator.languages), null);
        const fps = Number(this.getAttribute("fps")) || DEFAULT_FPS;
        this.#watch = connection.watch(camera, { canvas: this.#canvas, size: this.#pixels, fps, changed: (status) => {
            const isRefused = status.verdict === "silent" && connection.isRefused;
            this.#update(isRefused ? { ...status, why: t("view.foreign", { agent: connection.origin }), reason: [] } : status);
        } });
    }

    #stop() {
        this.#watch?.close();
        this.#watch = null;
    }

    /** @returns {Size} */
    get #pixels() {
        const scale = window.devicePixelRatio || 1;
        const side = (length) => Math.min(MAX_SIDE, Math.max(MIN_SIDE, Math.round(length * scale)));
        return [side(this.clientWidth), side(this.clientHeight)];
    }

    /** @param {ViewStatus} status */
    #update(status) {
        const { verdict, live, age, name, since } = status;
        const hasChanged = this.getAttribute("verdict") !== verdict;
        this.told = status;
        if (hasChanged) this.setAttribute("verdict", verdict);
        this.toggleAttribute("blank", age === null);
        const ageText = age === null ? t("age.none") : t("age.last", { age: duration(age) });
        const { reason, nextStep } = explain(status, since, performance.now());
        const shownReason = reason || t(`reason.${verdict}`);
        this.#setText("headline", live ? "" : t(verdict === "connecting" ? "banner.connecting" : "banner.notLive"));
        this.#setText("summary", live ? "" : t("banner.summary", { problem: t(`problem.${verdict}`), age: ageText }));
        this.#setText("reason", live ? "" : `${shownReason} ${nextStep}`);
        this.#setText("age", live && age !== null && age > SHOW_AGE_AFTER ? t("age.old", { age: duration(age) }) : "");
        const label = `${name}: ${t(`state.${verdict}`)}${live ? "" : `. ${shownReason}`}`;
        if (this.getAttribute("aria-label") !== label) this.setAttribute("aria-label", label);
        if (hasChanged) this.dispatchEvent(new CustomEvent("verdict", { detail: status, bubbles: true }));
    }

    #setText(part, text) {
        if (this.#parts[part].textContent !== text) this.#parts[part].textContent = text;
    }
}

customElements.define("cctv-view", CctvView);
