// What this page is to show: by what a person chose here, by its address, by this browser's memory,
// by the wall's section in cameras.toml, or by itself, in this order.
//
// A choice holds until the wall's section says something else: an installer who changes the file
// finds every screen following it, whatever was pressed there before.

import { LAYOUTS } from "./layout.js";

const PLACE = "cctv.wall";

/**
 * @typedef {object} WallSection as the agent tells it; null where the file says nothing
 * @property {string} name empty for the one without a name
 * @property {string | null} layout
 * @property {string[] | null} cameras
 * @property {number | null} rotate
 * @property {string | null} language
 * @property {boolean | null} sign_of_life
 */

const KINDS = {
    layout: (value) => (LAYOUTS.includes(String(value)) ? String(value) : null),
    rotate: (value) => (Number.isFinite(Number(value)) && (Number(value) === 0 || Number(value) >= 3) ? Number(value) : null),
    life: (value) => (typeof value === "boolean" ? value : null),
    transport: (value) => (value === "socket" || value === "mjpeg" ? value : null),
};
const BY_ITSELF = { layout: "auto", rotate: 0, life: true, transport: "socket" };
/** Seconds for each page where a person wants rotation and nobody said how fast. */
const USUAL_ROTATION = 15;

export class Settings {
    /** The wall this page shows; empty for the one without a name. */
    name;
    /** Whether cameras.toml has no wall of that name. */
    unknown = false;

    #address;
    #addressed;
    #remembered;
    #chosen = {};
    #file = {};
    /** The wall's section as text; null before it was told. */
    #print = null;

    /** @param {string} search the part of the address behind `?` */
    constructor(search) {
        this.#address = new URLSearchParams(search);
        this.name = this.#address.get("wall") ?? "";
        const [layout, rotate, transport] = ["layout", "rotate", "transport"].map((key) => this.#address.get(key));
        // A plus sign in an address is read as a blank.
        const given = { layout: layout?.replace(" ", "+"), rotate: rotate || null, transport };
        const life = { on: true, off: false }[this.#address.get("life")];
        this.#addressed = sound({ ...given, life });
        this.#remembered = recall(this.name);
    }

    get layout() { return this.#get("layout"); }
    /** Seconds for each page of cameras; 0: they stay. */
    get rotate() { return this.#get("rotate"); }
    /** Whether live tiles carry a moving mark. */
    get life() { return this.#get("life"); }
    /** @returns {"socket" | "mjpeg"} */
    get transport() { return "WebSocket" in window ? this.#get("transport") : "mjpeg"; }

    /** Only these, in this order; null: all. @returns {string[] | null} */
    get cameras() {
        const given = this.#address.get("cameras")?.split(",").filter((id) => id !== "");
        return given ?? this.#file.cameras ?? null;
    }

    /** Best first, as BCP 47 tags. @returns {readonly string[]} */
    get languages() {
        // Before the agent has said anything the language of the last time is the best guess.
        const guess = this.#print === null ? this.#remembered.language : null;
        const wish = this.#address.get("lang") ?? this.#file.language ?? guess;
        return typeof wish === "string" ? [wish] : navigator.languages;
    }

    /** What to rotate at if somebody asks for it now. */
    get rotation() {
        return this.rotate || this.#addressed.rotate || this.#file.rotate || USUAL_ROTATION;
    }

    /** Takes the walls as the agent tells them. @param {WallSection[]} walls */
    told(walls) {
        const mine = walls.find((wall) => wall.name === this.name);
        this.unknown = mine === undefined && this.name !== "";
        const section = mine ?? walls.find((wall) => wall.name === "") ?? {};
        const print = JSON.stringify(section);
        if (print === this.#print) return;
        if (this.#print !== null || this.#remembered.print !== print) {
            this.#remembered = {};
            if (this.#print !== null) this.#chosen = {};
        }
        this.#print = print;
        this.#file = { ...sound({ layout: section.layout, rotate: section.rotate, life: section.sign_of_life }) };
        if (Array.isArray(section.cameras)) this.#file.cameras = section.cameras.filter((id) => typeof id === "string");
        if (typeof section.language === "string") this.#file.language = section.language;
        this.#keep();
    }

    /** A person chose: holds from now on, and the next time unless the address says otherwise. */
    choose(choice) {
        Object.assign(this.#chosen, choice);
        this.#keep();
    }

    #get(key) {
        return this.#chosen[key] ?? this.#addressed[key] ?? this.#remembered[key] ?? this.#file[key] ?? BY_ITSELF[key];
    }

    #keep() {
        const memory = { ...this.#remembered, ...this.#chosen, print: this.#print, language: this.#file.language };
        try {
            localStorage.setItem(place(this.name), JSON.stringify(memory));
        } catch {
            // A kiosk without storage starts as address and file say, each time.
        }
    }
}

const place = (name) => (name === "" ? PLACE : `${PLACE}.${name}`);

function recall(name) {
    try {
        const memory = JSON.parse(localStorage.getItem(place(name)) ?? "{}");
        if (memory === null || typeof memory !== "object") return {};
        return { ...sound(memory), print: memory.print, language: memory.language };
    } catch {
        return {};
    }
}

/** Only what a setting can be. */
function sound(values) {
    const entries = Object.entries(KINDS).map(([key, check]) => [key, values[key] == null ? null : check(values[key])]);
    return Object.fromEntries(entries.filter(([, value]) => value !== null));
}
