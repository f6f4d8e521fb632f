// The wall: lays tiles out, gives each its camera, asks for their pictures and keeps them honest.
//
// It knows two transports, the wall socket and Motion JPEG; only one is in use at a time. Four
// times a second it judges every tile, whatever did or did not arrive.

import { CameraTile } from "./camera-tile.js";
import { pair } from "./camera-list.js";
import { MOTION_JPEG_PANELS, arrange, panelsFor, step } from "./layout.js";
import { judge } from "./liveness.js";

const JUDGE_EVERY = 250;
/** A wall that is being resized is asked for again when it has been still this long, milliseconds. */
const SETTLED_AFTER = 200;
/** Pictures per second asked for, by number of panels: small pictures need fewer. */
const RATES = new Map([[1, 25], [4, 25], [9, 15], [16, 12]]);

export class CameraWall {
    /** "socket" or "mjpeg". */
    transport = "socket";
    page = 0;
    pages = 1;
    /** Identifier of the camera shown alone, or null. */
    enlarged = null;

    #root;
    #socket;
    #list;
    #changed;
    #began = performance.now();
    /** Panels as chosen; null follows the number of cameras. */
    #wanted = null;
    #side = 1;
    #focus = 0;
    /** @type {Map<string, CameraTile>} tiles on the screen by camera */
    #tiles = new Map();
    /** @type {Map<string, object>} the socket's last report by camera */
    #reports = new Map();
    #settling = 0;

    /**
     * @param {HTMLElement} root
     * @param {import("./wall-socket.js").WallSocket} socket
     * @param {import("./camera-list.js").CameraList} list
     * @param {() => void} changed called when layout, page, transport or a verdict may have changed
     */
    constructor(root, socket, list, changed) {
        this.#root = root;
        this.#socket = socket;
        this.#list = list;
        this.#changed = changed;
        new ResizeObserver(() => this.#settle()).observe(root);
        window.addEventListener("resize", () => this.#settle()); // also a change of zoom
        root.addEventListener("dblclick", (event) => this.#enlargeAt(event));
        root.addEventListener("focusin", (event) => this.#focused(event.target));
        setInterval(() => this.judge(), JUDGE_EVERY);
    }

    /** Panels on a page: never more in Motion JPEG than the browser has connections for. */
    get panels() {
        const panels = this.#wanted ?? panelsFor(this.#list.cameras.length);
        return this.transport === "mjpeg" ? Math.min(panels, MOTION_JPEG_PANELS) : panels;
    }

    /** Returns whether it was possible. @param {number | null} panels */
    choosePanels(panels) {
        if (this.transport === "mjpeg" && panels > MOTION_JPEG_PANELS) return false;
        this.#wanted = panels;
        this.enlarged = null;
        this.arrange();
        return true;
    }

    /** @param {"socket" | "mjpeg"} transport */
    chooseTransport(transport) {
        this.transport = transport;
        for (const tile of this.#tiles.values()) tile.release();
        this.#reports.clear();
        if (transport === "mjpeg") this.#socket.stop();
        else this.#socket.start();
        this.arrange();
    }

    turn(by) {
        this.page = (this.page + by + this.pages) % this.pages;
        this.enlarged = null;
        this.arrange();
    }

    /** Shows one camera alone, or all again if it is alone already. */
    enlarge(camera) {
        const back = this.enlarged;
        this.enlarged = back === null ? camera : null;
        this.arrange();
        this.#tiles.get(back ?? camera)?.focus({ preventScroll: true });
    }

    /** Returns whether a camera was enlarged. */
    shrink() {
        if (this.enlarged === null) return false;
        this.enlarge(this.enlarged);
        return true;
    }

    enlargeFocused() {
        const tile = document.activeElement?.closest?.("camera-tile") ?? this.#root.children[this.#focus];
        if (this.enlarged !== null) this.shrink();
        else if (tile?.hasAttribute("camera")) this.enlarge(tile.getAttribute("camera"));
    }

    /** Moves the focus as an arrow key says, turning the page at its edge. */
    move(key) {
        if (this.enlarged !== null) {
            this.#nextEnlarged(key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1);
            return;
        }
        const here = this.#root.contains(document.activeElement);
        const { place, turn } = step(this.#focus, key, this.#side);
        if (turn !== 0 && this.pages > 1) this.turn(turn);
        const next = !here ? this.#focus : turn === 0 || this.pages > 1 ? place : this.#focus;
        this.#root.children[next]?.focus({ preventScroll: true });
    }

    /** A tile's state as the socket told it. */
    reported(camera, report) {
        this.#reports.set(camera, report);
        this.judge();
    }

    /** A picture from the socket. */
    pictured(camera, frame, drawn) {
        const tile = this.#tiles.get(camera);
        if (tile === undefined) drawn();
        else tile.picture.offer(frame, performance.now(), drawn);
    }

    /** How many of all cameras are live; those on the screen by this page's own judgement. */
    get counts() {
        let live = 0;
        for (const camera of this.#list.cameras) {
            const tile = this.#tiles.get(camera.id);
            const word = tile === undefined ? camera.state : tile.getAttribute("verdict");
            live += Number(word === "live");
        }
        return { live, all: this.#list.cameras.length };
    }

    /** Milliseconds since the agent was last heard of on the transport in use. */
    agentSilent(now = performance.now()) {
        return now - (this.transport === "socket" ? this.#socket.heardAt : (this.#list.heardAt ?? this.#began));
    }

    /** Puts every tile in its place; tiles whose camera stays keep their picture. */
    arrange() {
        const cameras = this.#list.cameras;
        const panels = this.panels;
        if (!cameras.some((camera) => camera.id === this.enlarged)) this.enlarged = null;
        const ids = cameras.map((camera) => camera.id);
        const plan = arrange({ cameras: ids, panels, page: this.page, enlarged: this.enlarged });
        this.page = plan.page;
        this.pages = plan.pages;
        this.#side = plan.side;
        this.#root.dataset.side = String(plan.side);

        for (const camera of [...this.#tiles.keys()].filter((id) => !plan.places.includes(id))) {
            this.#tiles.get(camera).release();
            this.#tiles.delete(camera);
            this.#reports.delete(camera);
        }
        const elements = plan.places.map((camera) => (camera === null ? emptyTile() : this.#tileFor(camera)));
        const focused = this.#root.contains(document.activeElement);
        // Moving an element takes its focus and restarts its stream: only when something changed.
        const same = elements.length === this.#root.childElementCount &&
            elements.every((element, i) => element === this.#root.children[i] ||
                (plan.places[i] === null && !this.#root.children[i].hasAttribute("camera")));
        if (!same) this.#root.replaceChildren(...elements);
        this.#focus = Math.min(this.#focus, plan.places.length - 1);
        this.#rove();
        if (focused && !same) this.#root.children[this.#focus]?.focus({ preventScroll: true });
        this.judge();
        this.request();
    }

    #tileFor(camera) {
        let tile = this.#tiles.get(camera);
        if (tile === undefined) {
            tile = new CameraTile();
            const taken = new Set([...this.#tiles.values()].map((other) => other.number));
            tile.number = 0;
            while (taken.has(tile.number)) tile.number += 1;
            this.#tiles.set(camera, tile);
        }
        tile.name(camera, this.#facts(camera).name);
        return tile;
    }

    #facts(camera) {
        return this.#list.cameras.find((entry) => entry.id === camera);
    }

    /** Asks for what is on the screen, and for nothing while nobody can see it. */
    request() {
        const shown = document.hidden ? [] : [...this.#tiles];
        const fps = RATES.get(this.#side * this.#side);
        if (this.transport === "socket") {
            this.#socket.show(shown.map(([camera, tile]) => ({ tile: tile.number, camera, size: tile.pixels, fps })));
        } else if (document.hidden) {
            for (const tile of this.#tiles.values()) tile.stream.stop();
        } else {
            for (const [camera, tile] of shown) tile.stream.watch(camera, tile.pixels, fps);
        }
    }

    /** Judges every tile now. */
    judge() {
        const now = performance.now();
        for (const [camera, tile] of this.#tiles) {
            tile.tell(this.transport === "socket" ? this.#bySocket(camera, tile, now) : this.#byList(camera, tile, now));
        }
        this.#changed();
    }

    #bySocket(camera, tile, now) {
        const report = this.#reports.get(camera);
        const shown = tile.picture.shown;
        const age = shown === null ? null : this.#socket.clock.age(shown.taken, shown.arrived, now);
        const fps = Number.isFinite(report?.fps) ? report.fps : null;
        const verdict = judge({ agentSilent: this.agentSilent(now), state: report?.state ?? null, age, fps });
        const measured = tile.picture.rate(now);
        return {
            verdict,
            why: verdict === report?.state && typeof report.why === "string" ? report.why : "",
            age,
            transport: "socket",
            size: pair(report?.size) ?? this.#facts(camera)?.size ?? null,
            fps: measured > 0 ? measured : null,
        };
    }

    #byList(camera, tile, now) {
        tile.stream.check(now);
        const { state, why, age: told, size, fps } = this.#facts(camera);
        const proven = tile.stream.provenAt;
        // The older of two witnesses: the agent's word about the camera, our eyes about the stream.
        const byAgent = told === null ? 0 : told * 1000 + (now - this.#list.heardAt);
        const age = proven === null ? null : Math.max(now - proven, byAgent);
        const verdict = judge({ agentSilent: this.agentSilent(now), state, age, fps });
        return { verdict, why: verdict === state ? why : "", age, transport: "mjpeg", size, fps };
    }

    #settle() {
        clearTimeout(this.#settling);
        this.#settling = setTimeout(() => this.request(), SETTLED_AFTER);
    }

    #nextEnlarged(by) {
        const ids = this.#list.cameras.map((camera) => camera.id);
        const next = ids[(ids.indexOf(this.enlarged) + by + ids.length) % ids.length];
        this.page = Math.floor(ids.indexOf(next) / this.panels);
        this.#focus = ids.indexOf(next) % this.panels;
        this.enlarged = next;
        this.arrange();
        this.#tiles.get(next)?.focus({ preventScroll: true });
    }

    #enlargeAt(event) {
        const camera = event.target.closest("camera-tile")?.getAttribute("camera");
        if (camera) this.enlarge(camera);
    }

    #focused(target) {
        if (this.enlarged !== null) return;
        const place = [...this.#root.children].indexOf(target.closest("#wall > *"));
        if (place >= 0) this.#focus = place;
        this.#rove();
    }

    /** Tab reaches the wall once; arrows move within it. */
    #rove() {
        const alone = this.#root.childElementCount === 1;
        [...this.#root.children].forEach((element, place) => {
            element.tabIndex = alone || place === this.#focus ? 0 : -1;
        });
    }
}

function emptyTile() {
    const element = document.createElement("div");
    element.className = "empty";
    element.tabIndex = -1;
    return element;
}
