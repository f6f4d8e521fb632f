// One camera on the wall: its picture, its caption, and the band that says why it is not live.
//
// The `verdict` attribute holds what `liveness.js` found; CSS dims and marks by it. The script says
// the same in words. Nothing here decides whether a picture is live.

import { t, duration } from "./language.js";
import { TELL_AGE_AFTER } from "./liveness.js";
import { MotionJpeg } from "./motion-jpeg.js";
import { Picture } from "./picture.js";
import { explain } from "./reasons.js";

/** The sign of life crosses a tile in so many steps; each is a new picture's. */
const LIFE_STEPS = 12;
/** Who wants little motion sees one step in so many milliseconds. */
const CALM_STEP = 1000;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** The longest dimension asked of the agent, in pixels. */
const LARGEST = 7680;

export class CameraTile extends HTMLElement {
    /** @type {Picture} */
    picture;
    /** @type {MotionJpeg} */
    stream;
    /** @type {import("./decoder.js").UnitDecoder | null} for the camera's own video, on the wall socket */
    video = null;
    /** The number this tile has on the wall socket, 0 to 255. */
    number = 0;

    #frame;
    #image;
    #canvas;
    #parts = {};
    #said = new Map();
    /** The sign of life: where it stands, and the picture that moved it there. */
    #life = { step: 0, picture: null, at: 0 };

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
        this.#frame = part("div", "frame", this.#canvas, this.#image);
        this.#parts.band = part(
            "div",
            "band",
            part("strong", "headline"),
            part("span", "finding"),
            part("span", "reason"),
            part("span", "doing"),
        );
        part("i", "life").setAttribute("aria-hidden", "true");
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
        this.append(this.#frame, this.#parts.band, this.#parts.caption, this.#parts.life);
        this.setAttribute("role", "group");
        this.tabIndex = -1;
    }

    /** Names the tile; an empty one has neither camera nor picture. */
    name(id, name) {
        this.setAttribute("camera", id);
        this.#say("name", name);
    }

    /** What to ask the agent for: the picture's place in device pixels. @returns {[number, number]} */
    get pixels() {
        const scale = window.devicePixelRatio || 1;
        const side = (length) => Math.min(LARGEST, Math.max(16, Math.round(length * scale)));
        return [side(this.#frame.clientWidth), side(this.#frame.clientHeight)];
    }

    /**
     * @param {object} facts
     * @param {import("./liveness.js").Verdict} facts.verdict
     * @param {string} facts.why the agent's reason, empty if it gave none
     * @param {number} facts.since page time at which it gave it
     * @param {number | null} facts.age milliseconds, null without a picture
     * @param {number | null} facts.proof page time of the last proof that the picture moves
     * @param {string} facts.transport
     * @param {string} [facts.video] how the picture is encoded, in words; empty if not known
     * @param {[number, number] | null} facts.size of the camera's picture
     * @param {number | null} facts.fps
     * @param {number} now page time
     */
    tell({ verdict, why, since, age, proof, transport, video = "", size, fps }, now) {
        if (this.getAttribute("verdict") !== verdict) this.setAttribute("verdict", verdict);
        this.toggleAttribute("blank", age === null);
        const word = t(`state.${verdict}`);
        const old = age === null ? t("age.none") : t("age.last", { age: duration(age) });
        this.#say("state", word);
        const telling = verdict === "live" && age > TELL_AGE_AFTER; // the band tells the age of the others
        this.#say("age", telling ? t("age.old", { age: duration(age) }) : "");
        this.#say("facts", facts(transport, video, size, verdict === "live" ? fps : null));
        if (verdict === "live") this.#live(word, proof, now);
        else this.#notLive(verdict, word, old, why, since, age, now);
        this.#label(this.#canvas, t("tile.picture", { name: this.#parts.name.textContent }));
    }

    #live(word, proof, now) {
        for (const part of ["headline", "finding", "reason", "doing"]) this.#say(part, "");
        this.#label(this, `${this.#parts.name.textContent}: ${word}`);
        const life = this.#life;
        // Moved by pictures and by nothing else: a mark that went on by itself would be the very lie.
        if (proof === life.picture || (calm.matches && now - life.at < CALM_STEP)) return;
        this.#life = { step: (life.step + 1) % LIFE_STEPS, picture: proof, at: now };
        this.#parts.life.style.transform = `translateX(${this.#life.step * 100}%)`;
    }

    #notLive(verdict, word, old, why, since, age, now) {
        const starting = verdict === "connecting" && age === null;
        const { reason, doing } = explain(why, since, now);
        const told = reason || t(`reason.${verdict}`);
        this.#say("headline", t(starting ? "band.connecting" : "band.notLive"));
        this.#say("finding", starting ? old : t("band.finding", { finding: t(`finding.${verdict}`), age: old }));
        this.#say("reason", told);
        this.#say("doing", doing);
        this.#label(this, `${this.#parts.name.textContent}: ${word}. ${told}`);
    }

    /** Gives up picture, stream and memory. */
    release() {
        this.stream.release();
        this.video?.close();
        this.picture.clear();
    }

    // Setting equal text would make the page lay out, and screen readers speak, for nothing.
    #say(part, text) {
        if (this.#said.get(part) === text) return;
        this.#said.set(part, text);
        this.#parts[part].textContent = text;
    }

    #label(element, text) {
        if (this.#said.get(element) === text) return;
        this.#said.set(element, text);
        element.setAttribute("aria-label", text);
    }
}

function facts(transport, video, size, fps) {
    const parts = [];
    if (size !== null) parts.push(`${size[0]}×${size[1]}`);
    if (fps !== null) parts.push(t("facts.fps", { fps: fps < 9.5 ? fps.toFixed(1) : fps.toFixed(0) }));
    if (transport === "mjpeg") parts.push(t("transport.mjpeg")); // the lesser way is worth a word
    if (video !== "") parts.push(video);
    return parts.join(" · ");
}

customElements.define("camera-tile", CameraTile);
