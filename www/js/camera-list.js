// The agent's list of cameras, asked for again and again: /api/cameras.
//
// Entries are checked field by field: a page that runs for months meets agents of other versions.

import { agentUrl } from "./agent-url.js";

/** Deadline of one request, in milliseconds. */
const ANSWER_WITHIN = 2500;
/** A worker's part of a core is measured over this many milliseconds at least. */
const WORK_OVER = 900;

/**
 * @typedef {object} CameraFacts
 * @property {string} id
 * @property {string} name
 * @property {string | null} state
 * @property {string} why
 * @property {number | null} age of the newest picture in seconds
 * @property {string | null} codec
 * @property {[number, number] | null} size
 * @property {number | null} fps
 * @property {number | null} since seconds for which the state has been the same
 * @property {number | null} bitrate bits per second
 * @property {number | null} viewers
 * @property {number | null} reconnects
 * @property {number | null} stalls
 * @property {string} lastError empty if there was none
 * @property {string} address
 * @property {string} profile
 * @property {ProfileFacts[]} profiles the camera's two streams; empty where it has one
 * @property {{share: number | null, memory: number | null} | null} worker its part of one core, 0 to 1 and
 *     above, and bytes; null while there is none
 * @property {{viewer: string, age: number | null}[]} streams Motion JPEG streams with a name; age in seconds
 */

/**
 * @typedef {object} ProfileFacts
 * @property {string} stream "main" or "small"
 * @property {string} state as a camera's, or "resting": not open, as nobody needs it
 * @property {string} why
 * @property {[number, number] | null} size
 * @property {number | null} viewers
 */

export class CameraList {
    /** @type {CameraFacts[]} */
    cameras = [];
    version = "";
    /** Seconds, and a number; null where the agent does not tell. */
    uptime = null;
    viewers = null;
    /** Cameras asked for that the agent does not have. @type {string[]} */
    missing = [];
    /** Page time of the last good answer; null before the first. */
    heardAt = null;

    #listed;
    #told;
    #every;
    #timer = 0;
    #asking = null;
    #again = false;
    /** @type {Map<string, {pid: number, spent: number, at: number, share: number | null}>} workers' processor seconds by camera */
    #work = new Map();

    /**
     * @param {object} listener
     * @param {(complaints: string[]) => void} listener.listed
     * @param {(walls: object[]) => string[] | null} listener.told how cameras.toml has the walls; returns
     *     the cameras wanted, in this order; null: all
     */
    constructor({ listed, told }) {
        this.#listed = listed;
        this.#told = told;
    }

    /** Asks now and then every `every` milliseconds after an answer or a failure. */
    ask(every) {
        this.#every = every;
        this.refresh();
    }

    /** Asks now; a request under way is followed by another, for it may be too old. */
    refresh() {
        if (this.#asking !== null) {
            this.#again = true;
            return;
        }
        clearTimeout(this.#timer);
        if (document.hidden) return; // whoever makes the page visible refreshes
        this.#asking = this.#request().finally(() => {
            this.#asking = null;
            const pause = this.#again ? 0 : this.#every;
            this.#again = false;
            this.#timer = setTimeout(() => this.refresh(), pause);
        });
    }

    /** Works out a worker's part of a core from what it had spent at the answer before. */
    #worked(camera, worker) {
        if (camera === undefined) return;
        const spent = number(worker?.cpu_seconds);
        if (spent === null) {
            this.#work.delete(camera.id);
            return;
        }
        const at = this.heardAt;
        const last = this.#work.get(camera.id);
        let work = last;
        if (last === undefined || last.pid !== worker.pid) work = { pid: worker.pid, spent, at, share: null };
        else if (at - last.at >= WORK_OVER) work = { pid: worker.pid, spent, at, share: (spent - last.spent) / ((at - last.at) / 1000) };
        this.#work.set(camera.id, work);
        camera.worker = { share: work.share, memory: number(worker.memory_bytes) };
    }

    async #request() {
        let answer;
        try {
            const response = await fetch(agentUrl("api/cameras"), {
                cache: "no-store",
                signal: AbortSignal.timeout(ANSWER_WITHIN),
            });
            if (!response.ok) return;
            answer = await response.json();
        } catch {
            return; // the tiles say by themselves when nobody answers
        }
        if (answer === null || !Array.isArray(answer.cameras)) return;
        this.heardAt = performance.now();
        const all = answer.cameras.map(facts).filter((camera) => camera !== null);
        answer.cameras.forEach((entry) => this.#worked(all.find((camera) => camera.id === entry?.id), entry?.worker));
        const walls = Array.isArray(answer.walls) ? answer.walls : [];
        const only = this.#told(walls.filter((wall) => wall !== null && typeof wall === "object"));
        const ids = only === null ? null : [...new Set(only)];
        this.cameras = ids?.map((id) => all.find((camera) => camera.id === id)).filter(Boolean) ?? all;
        this.missing = ids?.filter((id) => !all.some((camera) => camera.id === id)) ?? [];
        this.version = typeof answer.version === "string" ? answer.version : "";
        this.uptime = number(answer.uptime);
        this.viewers = number(answer.viewers);
        const complaints = Array.isArray(answer.complaints) ? answer.complaints : [];
        this.#listed(complaints.filter((text) => typeof text === "string"));
    }
}

function number(value) {
    return Number.isFinite(value) ? value : null;
}

function text(value) {
    return typeof value === "string" ? value : "";
}

/** @returns {CameraFacts | null} */
function facts(entry) {
    if (entry === null || typeof entry !== "object" || typeof entry.id !== "string" || entry.id === "") return null;
    return {
        id: entry.id,
        name: typeof entry.name === "string" && entry.name !== "" ? entry.name : entry.id,
        state: typeof entry.state === "string" ? entry.state : null,
        why: typeof entry.why === "string" ? entry.why : "",
        age: Number.isFinite(entry.age) ? entry.age : null,
        codec: typeof entry.codec === "string" ? entry.codec : null,
        size: pair(entry.size),
        fps: number(entry.fps),
        since: number(entry.since),
        bitrate: number(entry.bitrate),
        viewers: number(entry.viewers),
        reconnects: number(entry.reconnects),
        stalls: number(entry.stalls),
        lastError: text(entry.last_error),
        address: text(entry.address),
        profile: text(entry.profile),
        worker: null,
        profiles: Array.isArray(entry.profiles) ? entry.profiles.map(profile).filter((one) => one !== null) : [],
        streams: Array.isArray(entry.streams) ? entry.streams.map(stream).filter((one) => one !== null) : [],
    };
}

function stream(entry) {
    if (entry === null || typeof entry !== "object" || typeof entry.viewer !== "string") return null;
    return { viewer: entry.viewer, age: Number.isFinite(entry.age) ? entry.age : null };
}

/** @returns {ProfileFacts | null} */
function profile(entry) {
    if (entry === null || typeof entry !== "object") return null;
    const { stream: name, state, why, size, viewers } = entry;
    return { stream: text(name), state: text(state), why: text(why), size: pair(size), viewers: number(viewers) };
}

/** @returns {[number, number] | null} */
export function pair(size) {
    const right = Array.isArray(size) && size.length === 2 && size.every((side) => Number.isFinite(side) && side > 0);
    return right ? [size[0], size[1]] : null;
}
