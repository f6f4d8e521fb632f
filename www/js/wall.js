// The wall: assigns cameras to tiles, requests their pictures, and checks every tile.
//
// One of two transports is in use, the wall socket or Motion JPEG. Every tile is updated four times a second.

import { CameraTile } from "./camera-tile.js";
import { parseSize } from "./camera-list.js";
import { VideoFrameDecoder } from "./decoder.js";
import { Demand, TICK_INTERVAL } from "./demand.js";
import { FORMAT } from "./frame.js";
import { History } from "./history.js";
import { t } from "./language.js";
import { MAX_MOTION_JPEG_PANELS, arrange, panelsOf, step } from "./layout.js";
import { ReasonTimes } from "./reason-text.js";
import { RovingFocus } from "./roving-focus.js";
import { statusFromList, statusFromSocket } from "./tile-status.js";
import { Touch } from "./touch.js";

/** @import { Frame, Slot, TileReport, Transport } from "./types" */

/** After a resize the wall waits this long for the next one, in milliseconds. */
const RESIZE_DEBOUNCE = 200;
/** @type {Record<string, string>} */
const FORMAT_NAMES = Object.freeze({ h264: "H.264", h265: "H.265", jpeg: "JPEG" });

export class CameraWall {
    /** @type {Transport} */
    transport = "socket";
    page = 0;
    pages = 1;
    /** Identifier of the camera shown alone, or null. @type {string | null} */
    enlarged = null;
    /** Loaded when it is used. @type {import("./zoom.js").Zoom | null} */
    zoom = null;
    /** Cameras that the agent brings to the front; a person's choice goes before. @type {string[]} */
    called = [];
    /** The layout of a step of a tour, or null; a person's choice ends it. @type {string | null} */
    directed = null;
    /** Whether the screen is meant to be off: nothing is shown and requested. */
    isDark = false;
    /** Called when a person puts them away. */
    onPutAway = () => {};
    history = new History();
    demand = new Demand();

    #root;
    #socket;
    #list;
    #onChange;
    #focus;
    #startedAt = performance.now();
    #chosenLayout = "auto";
    /** The layout that the agent sets for a while, or null. @type {string | null} */
    #calledLayout = null;
    /** @type {Slot[]} */
    #slots = [];
    /** Tiles on the screen, by camera. @type {Map<string, CameraTile>} */
    #tiles = new Map();
    /** The socket's last report, by camera. @type {Map<string, TileReport>} */
    #reports = new Map();
    #reasonTimes = new ReasonTimes();
    #resizeTimer = 0;

    /**
     * @param {HTMLElement} root
     * @param {import("./wall-socket.js").WallSocket} socket
     * @param {import("./camera-list.js").CameraList} list
     * @param {() => void} onChange layout, page, transport or a verdict may have changed
     */
    constructor(root, socket, list, onChange) {
        this.#root = root;
        this.#socket = socket;
        this.#list = list;
        this.#onChange = onChange;
        this.#focus = new RovingFocus(root);
        new ResizeObserver(() => this.#onResize()).observe(root);
        window.addEventListener("resize", () => this.#onResize()); // also fires when the zoom changes
        new Touch(root, { onTap: (camera) => this.enlarge(camera), onSwipe: (by) => this.#onSwipe(by) });
        root.addEventListener("wheel", (event) => this.useZoom((zoom) => zoom.onWheel(event)), { once: true });
        root.addEventListener("pointerdown", (event) => {
            if (!event.isPrimary) this.useZoom(() => {}); // it learns of the fingers by their moves
        });
        root.addEventListener("focusin", (event) => {
            if (this.enlarged === null) this.#focus.follow(event.target);
        });
        setInterval(() => this.#tick(), TICK_INTERVAL);
    }

    /** The layout in use: Motion JPEG limits the panels to the browser's connections. */
    get layout() {
        const layout = this.#calledLayout ?? this.directed ?? this.#chosenLayout;
        const panels = panelsOf(layout, this.#list.cameras.length);
        return this.transport === "mjpeg" && panels > MAX_MOTION_JPEG_PANELS ? String(MAX_MOTION_JPEG_PANELS) : layout;
    }

    /** Whether the transport can show this layout. @param {string} layout */
    allows(layout) {
        return this.transport !== "mjpeg" || layout === "auto" || panelsOf(layout, 0) <= MAX_MOTION_JPEG_PANELS;
    }

    /** Sets the layout and ends the view of one camera alone. @param {string} layout one of `LAYOUTS` */
    chooseLayout(layout) {
        this.#chosenLayout = layout;
        this.directed = this.enlarged = null;
        this.putAway();
        this.arrange();
    }

    /** Brings these cameras to the front, and sets the layout of the others. @param {string[]} cameras @param {string | null} layout */
    callUp(cameras, layout) {
        if (String(cameras) === String(this.called) && layout === this.#calledLayout) return;
        this.called = cameras;
        this.#calledLayout = layout;
        this.arrange();
    }

    /** Whether a camera of this wall is brought to the front. */
    get isCalled() {
        return this.called.some((id) => this.#facts(id) !== undefined);
    }

    /** Puts away what the agent brings to the front; returns whether it does. */
    putAway() {
        if (this.called.length === 0 && this.#calledLayout === null) return false;
        this.onPutAway();
        return true;
    }

    /** Width of the wall divided by its height. */
    get aspect() {
        const { clientWidth: width, clientHeight: height } = this.#root;
        return width > 0 && height > 0 ? width / height : window.innerWidth / Math.max(1, window.innerHeight);
    }

    /** @param {Transport} transport */
    chooseTransport(transport) {
        this.transport = transport;
        for (const tile of this.#tiles.values()) tile.release();
        this.#reports.clear();
        if (transport === "mjpeg") this.#socket.stop();
        else this.#socket.start();
        this.arrange();
    }

    /** Turns to another page. @param {number} by */
    turn(by) {
        this.putAway();
        this.page = (this.page + by + this.pages) % this.pages;
        this.enlarged = null;
        this.arrange();
    }

    /** Shows one camera alone, or all again. @param {string} camera */
    enlarge(camera) {
        const before = this.enlarged;
        this.enlarged = before === null ? camera : null;
        this.arrange();
        this.#tiles.get(before ?? camera)?.focus({ preventScroll: true });
    }

    /** Shows all cameras again; returns whether some were large. */
    shrink() {
        if (this.enlarged === null) return this.putAway();
        this.enlarge(this.enlarged);
        return true;
    }

    enlargeFocused() {
        const tile = document.activeElement?.closest?.("camera-tile") ?? this.#focus.element;
        const camera = tile?.getAttribute("camera");
        if (this.enlarged !== null) this.shrink();
        else if (camera) this.enlarge(camera);
    }

    /** Does something with the digital zoom. @param {(zoom: import("./zoom.js").Zoom) => void} act */
    async useZoom(act) {
        const { Zoom } = await import("./zoom.js");
        act((this.zoom ??= new Zoom(this.#root, this)));
    }

    /** Moves the focus in the direction of an arrow key; turns the page at its edge. @param {string} key */
    move(key) {
        if (this.zoom?.move(key)) return;
        if (this.enlarged !== null) {
            this.#enlargeNext(key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1);
            return;
        }
        if (this.#slots.length === 0) return;
        const isInside = this.#focus.isInside();
        const { to, turn } = step(this.#slots, this.#focus.index, key);
        if (isInside && turn !== 0 && this.pages > 1) this.turn(turn);
        if (isInside && (turn === 0 || this.pages > 1)) this.#focus.index = Math.min(to, this.#slots.length - 1);
        this.#focus.focus();
    }

    /** The socket reported the state of a tile. @param {string} camera @param {TileReport} report */
    setReport(camera, report) {
        this.#reports.set(camera, report);
        const video = this.#tiles.get(camera)?.video;
        if (report.format === "h264" || report.format === "h265") video?.setStream(report.codec ?? null, parseSize(report.display), report.view ?? null, parseSize(report.size));
        else video?.close();
        this.update();
    }

    /** The socket delivered a frame. @param {string} camera @param {Frame} frame @param {() => void} drawn */
    pushFrame(camera, frame, drawn) {
        const tile = this.#tiles.get(camera);
        if (tile === undefined) drawn();
        else if (frame.format !== FORMAT.jpeg) tile.video?.push(frame, performance.now(), drawn);
        else tile.picture.push(frame, performance.now(), drawn);
    }

    /** How many of all cameras are live: by this page's verdict where there is a tile, else by the agent's state. */
    get counts() {
        let live = 0;
        for (const camera of this.#list.cameras) {
            const tile = this.#tiles.get(camera.id);
            const state = tile === undefined ? camera.state : tile.getAttribute("verdict");
            live += Number(state === "live");
        }
        return { live, all: this.#list.cameras.length };
    }

    /** The camera that is alone on the screen, has the focus or had it last; null: none. */
    get selected() {
        return this.enlarged ?? this.#focus.element?.getAttribute("camera") ?? null;
    }

    /** The tile of a camera on the screen. @param {string} camera */
    tileOf(camera) {
        return this.#tiles.get(camera);
    }

    /** Milliseconds since the agent last answered on the transport in use. */
    silence(now = performance.now()) {
        return now - (this.transport === "socket" ? this.#socket.lastMessageAt : (this.#list.answeredAt ?? this.#startedAt));
    }

    /** Puts every tile in its slot; tiles whose camera stays keep their picture. */
    arrange() {
        const ids = this.isDark ? [] : this.#list.cameras.map(({ id }) => id);
        if (this.enlarged !== null && !ids.includes(this.enlarged)) this.enlarged = null;
        this.history.retain(this.#list.all.map(({ id }) => id));
        // Also one that is not in this step of a tour.
        const called = this.enlarged === null && !this.isDark ? this.called.filter((id) => this.#facts(id) !== undefined) : [];
        const isCalled = called.length > 0;
        // Alone, or in a grid of 2 by 2 or 3 by 3.
        const grid = called.length > 4 ? "9" : called.length > 1 ? "4" : "1";
        const plan = arrange({ cameras: isCalled ? called : ids, layout: isCalled ? grid : this.layout, page: isCalled ? 0 : this.page, enlarged: this.enlarged, aspect: this.aspect });
        if (!isCalled) ({ page: this.page, pages: this.pages } = plan);
        this.#slots = plan.slots;
        this.#root.style.setProperty("--columns", String(plan.columns));
        this.#root.style.setProperty("--rows", String(plan.rows));
        this.#root.dataset.grid = `${plan.columns}x${plan.rows}`;
        this.#removeTilesExcept(new Set(plan.slots.map(({ camera }) => camera)));

        /** @type {any[]} */
        const before = [...this.#root.children];
        const empty = before.filter((element) => !element.hasAttribute("camera"));
        /** @type {HTMLElement[]} */
        const elements = plan.slots.map(({ camera }) => (camera === null ? (empty.shift() ?? createEmptyTile()) : this.#tileFor(camera)));
        plan.slots.forEach(({ columns, rows }, i) => {
            elements[i].style.gridArea = columns * rows > 1 ? `span ${rows} / span ${columns}` : "";
        });
        const hadFocus = this.#focus.isInside();
        // Moving an element takes its focus and restarts its stream, so do it only after a change.
        const isSame = elements.length === before.length && elements.every((element, i) => element === before[i]);
        if (!isSame) this.#root.replaceChildren(...elements);
        this.#focus.index = Math.min(this.#focus.index, plan.slots.length - 1);
        this.#focus.update();
        if (hadFocus && !isSame) this.#focus.focus();
        this.update();
        this.request();
    }

    /** @param {Set<string | null>} cameras */
    #removeTilesExcept(cameras) {
        for (const [camera, tile] of [...this.#tiles]) {
            if (cameras.has(camera)) continue;
            tile.release();
            this.#tiles.delete(camera);
            this.#reports.delete(camera);
            this.#reasonTimes.delete(camera);
        }
    }

    /** @param {string} camera */
    #tileFor(camera) {
        let tile = this.#tiles.get(camera);
        if (tile === undefined) {
            tile = new CameraTile();
            const used = new Set([...this.#tiles.values()].map(({ number }) => number));
            while (used.has(tile.number)) tile.number += 1;
            tile.video = this.#createDecoder(camera, tile);
            this.#tiles.set(camera, tile);
        }
        tile.setCamera(camera, this.#facts(camera)?.name ?? camera);
        return tile;
    }

    /** @param {string} camera @param {CameraTile} tile */
    #createDecoder(camera, tile) {
        return new VideoFrameDecoder({
            draw: (image, ...drawn) => {
                if (drawn[1].damaged) tile.showDamage();
                tile.picture.draw(image, ...drawn);
            },
            age: (taken, arrived, now) => this.#socket.clock.age(taken, arrived, now),
            onFailure: (reason) => {
                const format = this.#reports.get(camera)?.format ?? "";
                console.warn(`${camera}: this browser cannot decode its ${format}: ${reason}`);
                this.demand.markUndecodable(camera, format);
                this.request();
            },
        });
    }

    /** How the camera's picture is encoded, as text. @param {string} camera */
    #encodingText(camera) {
        const format = this.#reports.get(camera)?.format ?? "";
        const codec = FORMAT_NAMES[this.#facts(camera)?.codec ?? ""] ?? FORMAT_NAMES.jpeg;
        if (format !== "jpeg" || codec === FORMAT_NAMES.jpeg) return FORMAT_NAMES[format] ?? "";
        return t(this.demand.isUndecodable(camera) ? "facts.undecodable" : "facts.asJpeg", { codec });
    }

    #facts(camera) {
        return this.#list.all.find(({ id }) => id === camera);
    }

    /** Requests what is on the screen; a hidden page requests nothing. */
    request() {
        const shown = document.hidden ? [] : this.#slots.flatMap(({ camera, columns, rows }) => {
            const tile = camera === null ? undefined : this.#tiles.get(camera);
            return camera === null || tile === undefined ? [] : [{ camera, tile, fps: this.demand.fps(this.#slots.length, columns * rows > 1) }];
        });
        if (this.transport === "socket") {
            this.#socket.show(shown.map(({ camera, tile, fps }) => this.demand.request(camera, tile, fps)));
            if (document.hidden) for (const tile of this.#tiles.values()) tile.video?.close();
        } else if (document.hidden) {
            for (const tile of this.#tiles.values()) tile.stream.stop();
        } else {
            for (const { camera, tile, fps } of shown) tile.stream.watch(camera, tile.pixels, fps);
        }
    }

    /** Updates every tile now. */
    update() {
        const now = performance.now();
        if (this.demand.retryUndecodable(now)) this.request();
        for (const [camera, tile] of this.#tiles) {
            const status = this.#status(camera, tile, now);
            tile.update(status, now);
            this.history.note(camera, status, now);
        }
        this.#onChange();
    }

    /** @param {string} id @param {CameraTile} tile @param {number} now */
    #status(id, tile, now) {
        const camera = this.#facts(id);
        const silence = this.silence(now);
        const status = this.transport === "socket" || camera === undefined
            ? statusFromSocket({ tile, report: this.#reports.get(id), camera, video: this.#encodingText(id), clock: this.#socket.clock, silence }, now)
            : statusFromList({ tile, camera, answeredAt: this.#list.answeredAt, silence }, now);
        return { ...status, since: this.#reasonTimes.since(id, status.why, now) };
    }

    #tick() {
        if (this.demand.measure([...this.#tiles.values()], this.#slots.length, performance.now())) {
            const { limit } = this.demand;
            console.info(`wall: frame rate limit of each tile: ${limit ?? "none"}`);
            if (limit === null) delete this.#root.dataset.limit;
            else this.#root.dataset.limit = String(limit);
            this.request();
        }
        this.update();
    }

    #onResize() {
        clearTimeout(this.#resizeTimer);
        this.#resizeTimer = window.setTimeout(() => this.arrange(), RESIZE_DEBOUNCE);
    }

    /** @param {number} by */
    #enlargeNext(by) {
        const ids = this.#list.cameras.map(({ id }) => id);
        const next = (ids.findIndex((id) => id === this.enlarged) + by + ids.length) % ids.length;
        const panels = panelsOf(this.layout, ids.length);
        this.page = Math.floor(next / panels);
        this.#focus.index = next % panels;
        this.enlarged = ids[next];
        this.arrange();
        this.#tiles.get(ids[next])?.focus({ preventScroll: true });
    }

    #onSwipe(by) {
        if (this.zoom?.camera) return;
        if (this.enlarged !== null) this.#enlargeNext(by);
        else if (this.pages > 1) this.turn(by);
    }
}

function createEmptyTile() {
    const element = document.createElement("div");
    element.className = "empty";
    element.tabIndex = -1;
    return element;
}
