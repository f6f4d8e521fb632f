// The agent's list of cameras, polled from /api/cameras.
//
// Every field is checked: a page that runs for months meets agents of other versions.

import { agentUrl, loginUrl } from "./agent-url.js";
import { reasonIn } from "./reason-text.js";

/** @import { CameraFacts, ProfileFacts, ReceptionFacts, Size, StreamFacts, WallSection } from "./types" */

/** In milliseconds. */
const REQUEST_TIMEOUT = 2500;
/** Minimum time over which a worker's processor share is measured, in milliseconds. */
const MIN_CPU_WINDOW = 900;

export class CameraList {
    /** Those of the wall, in its order. @type {CameraFacts[]} */
    cameras = [];
    /** All that the agent has for this user. @type {CameraFacts[]} */
    all = [];
    version = "";
    /** Whether the agent is root, which it need not be. */
    runsAsRoot = false;
    /** The agent's uptime in seconds, if known. @type {number | null} */
    uptime = null;
    /** The fingerprint of the agent's certificate. */
    fingerprint = "";
    /** The fingerprint must be shown now. */
    isAnnounced = false;
    /** Who is logged in with this browser; empty without a login. */
    user = "";
    /** @type {number | null} */
    viewers = null;
    /** Requested cameras that the agent does not have. @type {string[]} */
    missing = [];
    /** Page time of the last valid answer; null before the first. @type {number | null} */
    answeredAt = null;

    #onList;
    #onWalls;
    #interval = 0;
    #timer = 0;
    #isRequesting = false;
    #repeat = false;
    /** Processor seconds of the workers, by camera. @type {Map<string, {pid: number, seconds: number, at: number, cpu: number | null}>} */
    #workers = new Map();

    /**
     * @param {object} listener
     * @param {(errors: string[]) => void} listener.onList gets the errors in cameras.toml
     * @param {(walls: WallSection[]) => string[] | null} listener.onWalls gets the walls of cameras.toml;
     *     returns the cameras to list, in this order; null: all
     */
    constructor({ onList, onWalls }) {
        this.#onList = onList;
        this.#onWalls = onWalls;
    }

    /** Requests the list now, and again `interval` milliseconds after each answer or failure. @param {number} interval */
    poll(interval) {
        this.#interval = interval;
        this.refresh();
    }

    /** Requests the list now. A running request is followed by another one, because its answer may be too old. */
    refresh() {
        if (this.#isRequesting) {
            this.#repeat = true;
            return;
        }
        clearTimeout(this.#timer);
        if (document.hidden) return; // the page calls refresh() when it becomes visible
        this.#isRequesting = true;
        this.#request().finally(() => {
            this.#isRequesting = false;
            const pause = this.#repeat ? 0 : this.#interval;
            this.#repeat = false;
            this.#timer = window.setTimeout(() => this.refresh(), pause);
        });
    }

    async #request() {
        let answer;
        try {
            const response = await fetch(agentUrl("api/cameras"), {
                cache: "no-store",
                signal: AbortSignal.timeout(REQUEST_TIMEOUT),
            });
            if (response.status === 401) location.href = loginUrl();
            if (!response.ok) return;
            answer = await response.json();
        } catch {
            return; // the tiles show by themselves that the agent does not answer
        }
        if (answer === null || !Array.isArray(answer.cameras)) return;
        const now = performance.now();
        this.answeredAt = now;
        const all = /** @type {any[]} */ (answer.cameras).map(parseCamera).filter((camera) => camera !== null);
        for (const entry of answer.cameras) {
            const camera = all.find(({ id }) => id === entry?.id);
            if (camera !== undefined) this.#measureWorker(camera, entry.worker, now);
        }
        const walls = Array.isArray(answer.walls) ? answer.walls : [];
        this.all = all;
        this.select(this.#onWalls(walls.filter((wall) => wall !== null && typeof wall === "object")));
        this.version = text(answer.version);
        this.uptime = number(answer.uptime);
        this.viewers = number(answer.viewers);
        this.runsAsRoot = answer.runs_as_root === true;
        this.fingerprint = text(answer.tls?.fingerprint);
        this.user = answer.user?.session === true ? text(answer.user.name) : "";
        this.isAnnounced = answer.tls?.announced === true;
        const errors = Array.isArray(answer.complaints) ? answer.complaints : [];
        this.#onList(errors.filter((error) => typeof error === "string"));
    }

    /** Chooses the cameras of the wall, in this order; null: all. @param {string[] | null} only */
    select(only) {
        const ids = only === null ? null : [...new Set(only)];
        this.cameras = ids?.flatMap((id) => this.all.find((camera) => camera.id === id) ?? []) ?? this.all;
        this.missing = ids?.filter((id) => !this.all.some((camera) => camera.id === id)) ?? [];
    }

    /**
     * Computes a worker's processor share from the difference to an earlier answer.
     * @param {CameraFacts} camera
     * @param {any} worker
     * @param {number} at
     */
    #measureWorker(camera, worker, at) {
        const seconds = number(worker?.cpu_seconds);
        if (seconds === null) {
            this.#workers.delete(camera.id);
            return;
        }
        let last = this.#workers.get(camera.id);
        if (last === undefined || last.pid !== worker.pid) last = { pid: worker.pid, seconds, at, cpu: null };
        else if (at - last.at >= MIN_CPU_WINDOW) last = { pid: worker.pid, seconds, at, cpu: (seconds - last.seconds) / ((at - last.at) / 1000) };
        this.#workers.set(camera.id, last);
        camera.worker = { cpu: last.cpu, memory: number(worker.memory_bytes) };
    }
}

/** @param {unknown} value */
function number(value) {
    return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** @param {unknown} value */
function text(value) {
    return typeof value === "string" ? value : "";
}

/** @param {any} entry @returns {CameraFacts | null} */
function parseCamera(entry) {
    if (entry === null || typeof entry !== "object" || text(entry.id) === "") return null;
    return {
        id: entry.id,
        name: text(entry.name) || entry.id,
        state: typeof entry.state === "string" ? entry.state : null,
        ...reasonIn(entry),
        age: number(entry.age),
        asJpeg: reasonIn({ why: "", reason: entry.as_jpeg }),
        codec: typeof entry.codec === "string" ? entry.codec : null,
        size: parseSize(entry.size),
        fps: number(entry.fps),
        since: number(entry.since),
        bitrate: number(entry.bitrate),
        viewers: number(entry.viewers),
        reconnects: number(entry.reconnects),
        stalls: number(entry.stalls),
        lastError: reasonIn({ why: entry.last_error, reason: entry.last_error_reason }),
        address: text(entry.address),
        profile: text(entry.profile),
        tlsKey: text(entry.tls_key),
        worker: null,
        reception: parseReception(entry.reception),
        profiles: Array.isArray(entry.profiles) ? entry.profiles.map(parseProfile).filter((one) => one !== null) : [],
        maySteer: entry.may_steer === true,
        sound: entry.sound === true,
        mayListen: entry.may_listen === true,
        streams: Array.isArray(entry.streams) ? entry.streams.map(parseStream).filter((one) => one !== null) : [],
    };
}

/** @param {any} entry @returns {StreamFacts | null} */
function parseStream(entry) {
    if (entry === null || typeof entry !== "object" || typeof entry.viewer !== "string") return null;
    return { viewer: entry.viewer, age: number(entry.age) };
}

/** @param {any} entry @returns {ReceptionFacts | null} */
function parseReception(entry) {
    const [packets, lost, damaged] = [number(entry?.packets), number(entry?.lost), number(entry?.damaged_frames)];
    if (packets === null || lost === null || damaged === null) return null;
    return { packets, lost, damaged, jitter: number(entry.jitter), clock: number(entry.camera_clock) };
}

/** @param {any} entry @returns {ProfileFacts | null} */
function parseProfile(entry) {
    if (entry === null || typeof entry !== "object") return null;
    const { stream, state, size, viewers } = entry;
    return { stream: text(stream), state: text(state), ...reasonIn(entry), size: parseSize(size), viewers: number(viewers) };
}

/** @param {unknown} size @returns {Size | null} */
export function parseSize(size) {
    const isValid = Array.isArray(size) && size.length === 2 && size.every((side) => Number.isFinite(side) && side > 0);
    return isValid ? [size[0], size[1]] : null;
}
