// Settings of this page, from these sources in order: a choice on this page, the URL, this browser's
// storage, the wall's section of cameras.toml, defaults.
//
// A choice is valid until the wall's section changes: an installer who edits the file sees every screen
// follow it, whatever was chosen there before.

import { LAYOUTS, isDrawn } from "./layout.js";

/** @import { Transport, WallSection } from "./types" */

/**
 * @typedef {object} Values
 * @property {string} [layout]
 * @property {number} [rotate]
 * @property {number} [backAfter]
 * @property {boolean} [life] the activity mark
 * @property {Transport} [transport]
 */

const STORAGE_KEY = "cctv.wall";

/** @param {any} value */
const seconds = (value) => (Number.isFinite(Number(value)) && (Number(value) === 0 || Number(value) >= 3) ? Number(value) : null);
/** Returns the value of a setting, or null for an invalid one. @type {Record<string, (value: any) => any>} */
const PARSERS = {
    layout: parseLayout,
    rotate: seconds,
    backAfter: seconds,
    life: (value) => (typeof value === "boolean" ? value : null),
    transport: (value) => (value === "socket" || value === "mjpeg" ? value : null),
};
/** @type {Required<Values>} */
const DEFAULTS = { layout: "auto", rotate: 0, backAfter: 0, life: true, transport: "socket" };
/** Seconds for each page if rotation is switched on without an interval. */
const DEFAULT_ROTATION = 15;

export class Settings {
    /** The wall this page shows; empty for the unnamed one. */
    name;
    /** What a tour shows in the place of the wall's cameras. @type {{cameras: string[] | null} | null} */
    directed = null;
    /** Whether cameras.toml has no wall of that name. */
    isUnknown = false;
    /** The agent keeps pictures that are saved at this screen. */
    keepsPictures = false;

    #url;
    /** @type {Values} */
    #fromUrl;
    /** @type {Values & {print?: string, language?: string}} */
    #stored;
    /** @type {Values} */
    #chosen = {};
    /** @type {Values & {cameras?: string[], language?: string}} */
    #fromFile = {};
    /** The wall's section as text, to notice changes; null before the agent's first answer. @type {string | null} */
    #fingerprint = null;

    /** @param {string} search the query of the page's URL */
    constructor(search) {
        this.#url = new URLSearchParams(search);
        this.name = this.#url.get("wall") ?? "";
        const [layout, rotate, transport, life] = ["layout", "rotate", "transport", "life"].map((key) => this.#url.get(key));
        this.#fromUrl = valid({
            layout: layout?.replace(" ", "+"), // a plus sign in a query is read as a space
            rotate: rotate || null,
            transport,
            life: life === "on" ? true : life === "off" ? false : null,
        });
        this.#stored = load(this.name);
    }

    /** @returns {string} */
    get layout() { return this.#get("layout"); }
    /** The picture of the grid in cameras.toml, if there is one. */
    get drawn() { return [this.#fromFile.layout ?? ""].filter(isDrawn); }
    /** Seconds for each page of cameras; 0: pages do not turn. @returns {number} */
    get rotate() { return this.#get("rotate"); }
    /** Seconds without a touch until the page goes back to the wall; 0: never. @returns {number} */
    get backAfter() { return this.#get("backAfter"); }
    /** Whether live tiles have the activity mark. @returns {boolean} */
    get life() { return this.#get("life"); }
    /** @returns {Transport} */
    get transport() { return "WebSocket" in window ? this.#get("transport") : "mjpeg"; }

    /** Show only these, in this order; null: all. @returns {string[] | null} */
    get cameras() {
        const given = this.#url.get("cameras")?.split(",").filter((id) => id !== "");
        return given ?? (this.directed ?? this.#fromFile).cameras ?? null;
    }

    /** BCP 47 tags, best first. @returns {readonly string[]} */
    get languages() {
        // Before the agent's first answer the language of the last visit is the best guess.
        const guess = this.#fingerprint === null ? this.#stored.language : null;
        const language = this.#url.get("lang") ?? this.#fromFile.language ?? guess;
        return typeof language === "string" ? [language] : navigator.languages;
    }

    /** Seconds for each page if rotation is switched on now. */
    get rotationInterval() {
        return this.rotate || this.#fromUrl.rotate || this.#fromFile.rotate || DEFAULT_ROTATION;
    }

    /** Takes the walls from the agent's answer. @param {WallSection[]} walls */
    setWalls(walls) {
        const own = walls.find((wall) => wall.name === this.name);
        this.isUnknown = own === undefined && this.name !== "";
        const section = own ?? walls.find((wall) => wall.name === "") ?? {};
        const fingerprint = JSON.stringify(section);
        if (fingerprint === this.#fingerprint) return;
        if (this.#fingerprint !== null || this.#stored.print !== fingerprint) {
            this.#stored = {};
            if (this.#fingerprint !== null) this.#chosen = {};
        }
        this.#fingerprint = fingerprint;
        this.#fromFile = valid({ layout: section.layout, rotate: section.rotate, backAfter: section.back_after, life: section.sign_of_life });
        this.keepsPictures = section.keeps_pictures === true;
        if (Array.isArray(section.cameras)) this.#fromFile.cameras = section.cameras.filter((id) => typeof id === "string");
        if (typeof section.language === "string") this.#fromFile.language = section.language;
        this.#save();
    }

    /** Takes a choice made on this page; it is stored for the next visit. @param {Values} choice */
    choose(choice) {
        Object.assign(this.#chosen, choice);
        this.#save();
    }

    /** @returns {any} */
    #get(key) {
        return this.#chosen[key] ?? this.#fromUrl[key] ?? this.#stored[key] ?? this.#fromFile[key] ?? DEFAULTS[key];
    }

    #save() {
        const stored = { ...this.#stored, ...this.#chosen, print: this.#fingerprint, language: this.#fromFile.language };
        try {
            localStorage.setItem(storageKey(this.name), JSON.stringify(stored));
        } catch {
            // A kiosk without storage starts from URL and file each time.
        }
    }
}

/** The name of a layout, or a picture of the grid as one text; null for neither. @param {unknown} value */
export function parseLayout(value) {
    const layout = Array.isArray(value) ? `/${value.join("/")}` : String(value);
    return LAYOUTS.includes(layout) || isDrawn(layout) ? layout : null;
}

/** @param {string} name */
const storageKey = (name) => (name === "" ? STORAGE_KEY : `${STORAGE_KEY}.${name}`);

/** @param {string} name */
function load(name) {
    try {
        const stored = JSON.parse(localStorage.getItem(storageKey(name)) ?? "{}");
        if (stored === null || typeof stored !== "object") return {};
        return { ...valid(stored), print: stored.print, language: stored.language };
    } catch {
        return {};
    }
}

/** The valid values among `values`. @param {Record<string, unknown>} values @returns {Values} */
function valid(values) {
    const entries = Object.entries(PARSERS).map(([key, parse]) => [key, values[key] == null ? null : parse(values[key])]);
    return Object.fromEntries(entries.filter(([, value]) => value !== null));
}
