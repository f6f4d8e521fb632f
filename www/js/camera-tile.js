// One camera on the wall: its picture, its caption, and the banner that says why it is not live.
//
// The `verdict` attribute holds the result of `liveness.js`; CSS dims and marks the tile by it, and this
// module adds the text. Nothing here decides whether a picture is live.

import { t, duration } from "./language.js";
import { SHOW_AGE_AFTER } from "./liveness.js";
import { MotionJpeg } from "./motion-jpeg.js";
import { Picture } from "./picture.js";
import { damageIn, explain } from "./reason-text.js";

/** @import { Size, TileStatus, Transport } from "./types" */

/** The activity mark crosses a tile in this many steps; each step is one new picture. */
const ACTIVITY_STEPS = 12;
/** Time between two steps if the user prefers reduced motion, in milliseconds. */
const REDUCED_MOTION_INTERVAL = 1000;
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** Limits of the requested size, in pixels. */
const MIN_SIDE = 16;
const MAX_SIDE = 7680;

export class CameraTile extends HTMLElement {
    /** @type {Picture} */
    picture;
    /** @type {MotionJpeg} */
    stream;
    /** For the camera's own video, on the wall socket. @type {import("./decoder.js").VideoFrameDecoder | null} */
    video = null;
    /** The number of this tile on the wall socket, 0 to 255. */
    number = 0;
    /** How many times larger than the tile the picture should be. */
    zoom = 1;
    /** @type {HTMLElement} */
    frame;

    #image;
    #canvas;
    /** @type {Record<string, HTMLElement>} */
    #parts = {};
    /** @type {Map<string | Element, string>} */
    #texts = new Map();
    /** The activity mark: its step, and the picture that moved it there. @type {{step: number, provenAt: number | null, at: number}} */
    #activity = { step: 0, provenAt: null, at: 0 };

    constructor() {
        super();
        const part = (tag, name, ...children) => {
            const element = document.createElement(tag);
            element.className = name;
            element.append(...children);
            this.#parts[name] = element;
            return element;
        };
        this.#canvas = document.createElement("canvas");
        this.#canvas.setAttribute("role", "img");
        this.#image = document.createElement("img");
        this.#image.hidden = true;
        this.#image.alt = "";
        this.frame = part("div", "frame", this.#canvas, this.#image);
        part(
            "div",
            "banner",
            part("strong", "headline"),
            part("span", "summary"),
            part("span", "reason"),
            part("span", "next-step"),
        );
        part("div", "damage");
        part("i", "activity").setAttribute("aria-hidden", "true");
        part(
            "div",
            "caption",
            part("span", "name"),
            part("output", "state"),
            part("span", "age"),
            part("span", "facts"),
        );
        this.#parts.state.setAttribute("aria-live", "polite");
        this.picture = new Picture(this.#canvas);
        this.stream = new MotionJpeg(this.#image, this.picture);
    }

    connectedCallback() {
        if (this.childElementCount > 0) return;
        this.append(this.frame, this.#parts.damage, this.#parts.banner, this.#parts.caption, this.#parts.activity);
        this.setAttribute("role", "group");
        this.tabIndex = -1;
    }

    /** @param {string} id @param {string} name */
    setCamera(id, name) {
        this.setAttribute("camera", id);
        this.#setText("name", name);
    }

    /** The size to request from the agent, in device pixels. @returns {Size} */
    get pixels() {
        const scale = this.zoom * (window.devicePixelRatio || 1);
        const side = (length) => Math.min(MAX_SIDE, Math.max(MIN_SIDE, Math.round(length * scale)));
        return [side(this.frame.clientWidth), side(this.frame.clientHeight)];
    }

    /** The size of the picture shown. @returns {Size} */
    get pictureSize() {
        return this.#image.hidden ? [this.#canvas.width, this.#canvas.height] : [this.#image.naturalWidth || 1, this.#image.naturalHeight || 1];
    }

    /** Shows a status. @param {TileStatus} status @param {number} now page time */
    update(status, now) {
        const { verdict, age, transport, video = "", size, fps } = status;
        const isLive = verdict === "live";
        if (this.getAttribute("verdict") !== verdict) this.setAttribute("verdict", verdict);
        this.toggleAttribute("blank", age === null);
        this.#setText("state", t(`state.${verdict}`));
        const showAge = isLive && age !== null && age > SHOW_AGE_AFTER; // the banner shows the age of other pictures
        this.#setText("age", showAge ? t("age.old", { age: duration(age) }) : "");
        this.#setText("facts", factsText(transport, video, size, isLive ? fps : null));
        const damage = isLive && status.damaged ? explain(damageIn(status), now, now).reason || t("banner.damaged") : "";
        this.#setText("damage", damage);
        if (isLive) this.#showLive(status.provenAt, damage, now);
        else this.#showBanner(status, now);
        this.#setLabel(this.#canvas, t("tile.picture", { name: this.#parts.name.textContent }));
    }

    /** Shows the mark of a damaged picture, which is about to be drawn, until the next `update`. */
    showDamage() {
        if (this.#parts.damage.textContent === "") this.#setText("damage", t("banner.damaged"));
    }

    #showLive(provenAt, damage, now) {
        for (const part of ["headline", "summary", "reason", "next-step"]) this.#setText(part, "");
        this.#setLabel(this, `${this.#parts.name.textContent}: ${t("state.live")}${damage === "" ? "" : `. ${damage}`}`);
        const { step, provenAt: before, at } = this.#activity;
        // Only new pictures move the mark: one that moved by itself would call a frozen picture live.
        if (provenAt === before || (reducedMotion.matches && now - at < REDUCED_MOTION_INTERVAL)) return;
        this.#activity = { step: (step + 1) % ACTIVITY_STEPS, provenAt, at: now };
        this.#parts.activity.style.transform = `translateX(${this.#activity.step * 100}%)`;
    }

    /** @param {TileStatus} status @param {number} now */
    #showBanner({ verdict, why, reason: parts, since, age }, now) {
        const ageText = age === null ? t("age.none") : t("age.last", { age: duration(age) });
        const isFirst = verdict === "connecting" && age === null;
        const { reason, nextStep } = explain({ why, reason: parts }, since, now);
        const shownReason = reason || t(`reason.${verdict}`);
        this.#setText("headline", t(isFirst ? "banner.connecting" : "banner.notLive"));
        this.#setText("summary", isFirst ? ageText : t("banner.summary", { problem: t(`problem.${verdict}`), age: ageText }));
        this.#setText("reason", shownReason);
        this.#setText("next-step", nextStep);
        this.#setLabel(this, `${this.#parts.name.textContent}: ${t(`state.${verdict}`)}. ${shownReason}`);
    }

    /** Releases picture, stream and memory. */
    release() {
        this.stream.release();
        this.video?.close();
        this.picture.clear();
    }

    // Setting the same text again would cause a layout, and screen readers would speak it again.
    #setText(part, text) {
        if (this.#texts.get(part) === text) return;
        this.#texts.set(part, text);
        this.#parts[part].textContent = text;
    }

    #setLabel(element, text) {
        if (this.#texts.get(element) === text) return;
        this.#texts.set(element, text);
        element.setAttribute("aria-label", text);
    }
}

/** @param {Transport} transport @param {string} video @param {Size | null} size @param {number | null} fps */
function factsText(transport, video, size, fps) {
    const parts = [];
    if (size !== null) parts.push(`${size[0]}×${size[1]}`);
    if (fps !== null) parts.push(t("facts.fps", { fps: fps < 9.5 ? fps.toFixed(1) : fps.toFixed(0) }));
    if (transport === "mjpeg") parts.push(t("transport.mjpeg")); // the fallback is shown, the default is not
    if (video !== "") parts.push(video);
    return parts.join(" · ");
}

customElements.define("camera-tile", CameraTile);
