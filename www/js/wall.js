// The wall: lays tiles out, gives each its camera, asks for their pictures and keeps them honest.
//
// It knows two transports, the wall socket and Motion JPEG; only one is in use at a time. Four
// times a second it judges every tile, whatever did or did not arrive.

import { CameraTile } from "./camera-tile.js";
import { pair } from "./camera-list.js";
import { UnitDecoder } from "./decoder.js";
import { FORMAT } from "./frame.js";
import { Governor } from "./governor.js";
import { History } from "./history.js";
import { t } from "./language.js";
import { MOTION_JPEG_PANELS, arrange, panelsOf, step } from "./layout.js";
import { judge } from "./liveness.js";
import { Touch } from "./touch.js";

const JUDGE_EVERY = 250;
/** How well this terminal draws is measured over this many milliseconds. */
const MEASURE_EVERY = 1000;
/** A wall that is being resized is laid out and asked for again when it has been still this long, milliseconds. */
const SETTLED_AFTER = 200;
/** A camera whose video the browser could not decode is tried again after this, in milliseconds. */
const DECODE_AGAIN_AFTER = 600_000;
const CODECS = Object.freeze({ h264: "H.264", h265: "H.265", jpeg: "JPEG" });

/** Pictures per second asked for, by number of panels: small pictures need fewer. */
function rateOf(panels) {
    if (panels <= 4) return 25;
    if (panels <= 9) return 15;
    return panels <= 16 ? 12 : 10;
}

export class CameraWall {
    /** "socket" or "mjpeg". */
    transport = "socket";
    /** What the browser can show, the one it likes best first. */
    formats = ["jpeg"];
    page = 0;
    pages = 1;
    /** Identifier of the camera shown alone, or null. */
    enlarged = null;
    /** What was seen on the tiles. */
    history = new History();

    #root;
    #socket;
    #list;
    #changed;
    #began = performance.now();
    #wanted = "auto";
    /** @type {import("./layout.js").Place[]} */
    #places = [];
    #focus = 0;
    /** @type {Map<string, CameraTile>} tiles on the screen by camera */
    #tiles = new Map();
    /** @type {Map<string, object>} the socket's last report by camera */
    #reports = new Map();
    /** @type {Map<string, {format: string, until: number}>} what the browser could not decode, by camera */
    #refused = new Map();
    /** @type {Map<string, {why: string, since: number}>} since when a camera's reason is the same */
    #whys = new Map();
    #settling = 0;
    #governor = new Governor();
    #measured = { at: performance.now(), tick: performance.now(), late: 0 };

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
        new Touch(root, { tapped: (camera) => this.enlarge(camera), swiped: (by) => this.#swiped(by) });
        root.addEventListener("focusin", (event) => this.#focused(event.target));
        setInterval(() => this.#tick(), JUDGE_EVERY);
    }

    /** The layout in use: in Motion JPEG never more panels than the browser has connections for. */
    get layout() {
        const panels = panelsOf(this.#wanted, this.#list.cameras.length);
        return this.transport === "mjpeg" && panels > MOTION_JPEG_PANELS ? String(MOTION_JPEG_PANELS) : this.#wanted;
    }

    /** Whether this transport can show as many panels. */
    allows(layout) {
        return this.transport !== "mjpeg" || layout === "auto" || panelsOf(layout, 0) <= MOTION_JPEG_PANELS;
    }

    /** Lays out anew; shows all cameras again if one was alone. @param {string} layout one of `LAYOUTS` */
    chooseLayout(layout) {
        this.#wanted = layout;
        this.enlarged = null;
        this.arrange();
    }

    /** Width of the wall divided by its height. */
    get shape() {
        const { clientWidth: width, clientHeight: height } = this.#root;
        return width > 0 && height > 0 ? width / height : window.innerWidth / Math.max(1, window.innerHeight);
    }

    /** Pictures per second each tile is limited to because this terminal cannot draw more; null: no limit. */
    get limit() {
        return this.#governor.limit < rateOf(1) ? this.#governor.limit : null;
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
        if (this.#places.length === 0) return;
        const here = this.#root.contains(document.activeElement);
        const { place, turn } = step(this.#places, this.#focus, key);
        if (here && turn !== 0 && this.pages > 1) this.turn(turn);
        const next = !here || (turn !== 0 && this.pages === 1) ? this.#focus : place;
        this.#root.children[next]?.focus({ preventScroll: true });
    }

    /** A tile's state as the socket told it. */
    reported(camera, report) {
        this.#reports.set(camera, report);
        const video = this.#tiles.get(camera)?.video;
        if (report.format === "h264" || report.format === "h265") video?.expect(report.codec ?? null, pair(report.display));
        else video?.close();
        this.judge();
    }

    /** A picture from the socket. */
    pictured(camera, frame, drawn) {
        const tile = this.#tiles.get(camera);
        if (tile === undefined) drawn();
        else if (frame.format !== FORMAT.jpeg) tile.video.offer(frame, performance.now(), drawn);
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

    /** The camera that has the focus, or had it last, or is alone on the screen; null: none. */
    get chosen() {
        return this.enlarged ?? this.#root.children[this.#focus]?.getAttribute("camera") ?? null;
    }

    /** Milliseconds since the agent was last heard of on the transport in use. */
    agentSilent(now = performance.now()) {
        return now - (this.transport === "socket" ? this.#socket.heardAt : (this.#list.heardAt ?? this.#began));
    }

    /** Puts every tile in its place; tiles whose camera stays keep their picture. */
    arrange() {
        const cameras = this.#list.cameras;
        if (!cameras.some((camera) => camera.id === this.enlarged)) this.enlarged = null;
        const ids = cameras.map((camera) => camera.id);
        this.history.keep(ids);
        const plan = arrange({ cameras: ids, layout: this.layout, page: this.page, enlarged: this.enlarged, shape: this.shape });
        this.page = plan.page;
        this.pages = plan.pages;
        this.#places = plan.places;
        this.#root.style.setProperty("--columns", plan.columns);
        this.#root.style.setProperty("--rows", plan.rows);
        this.#root.dataset.grid = `${plan.columns}x${plan.rows}`;

        const shown = new Set(plan.places.map((place) => place.camera));
        for (const camera of [...this.#tiles.keys()].filter((id) => !shown.has(id))) {
            this.#tiles.get(camera).release();
            this.#tiles.delete(camera);
            this.#reports.delete(camera);
            this.#whys.delete(camera);
        }
        const before = [...this.#root.children];
        const spare = before.filter((element) => !element.hasAttribute("camera"));
        const elements = plan.places.map(({ camera }) => (camera === null ? (spare.shift() ?? emptyTile()) : this.#tileFor(camera)));
        plan.places.forEach(({ columns, rows }, i) => {
            elements[i].style.gridArea = columns * rows > 1 ? `span ${rows} / span ${columns}` : "";
        });
        const focused = this.#root.contains(document.activeElement);
        // Moving an element takes its focus and restarts its stream: only when something changed.
        const same = elements.length === before.length && elements.every((element, i) => element === before[i]);
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
            tile.video = this.#videoOf(camera, tile.picture);
            this.#tiles.set(camera, tile);
        }
        tile.name(camera, this.#facts(camera).name);
        return tile;
    }

    #videoOf(camera, picture) {
        return new UnitDecoder({
            draw: (image, size, label, arrived) => picture.draw(image, size, label, arrived),
            age: (taken, arrived, now) => this.#socket.clock.age(taken, arrived, now),
            failed: (reason) => {
                const format = this.#reports.get(camera)?.format;
                console.warn(`${camera}: this browser cannot decode its ${format}: ${reason}`);
                this.#refused.set(camera, { format, until: performance.now() + DECODE_AGAIN_AFTER });
                this.request();
            },
        });
    }

    /** How the camera's picture comes, in words. */
    #encoding(camera) {
        const format = this.#reports.get(camera)?.format;
        const codec = CODECS[this.#facts(camera)?.codec] ?? CODECS.jpeg;
        if (format !== "jpeg" || codec === CODECS.jpeg) return CODECS[format] ?? "";
        return t(this.#refused.has(camera) ? "facts.undecodable" : "facts.asJpeg", { codec });
    }

    #facts(camera) {
        return this.#list.cameras.find((entry) => entry.id === camera);
    }

    /** Asks for what is on the screen, and for nothing while nobody can see it. */
    request() {
        const shown = document.hidden ? [] : this.#places.flatMap(({ camera, columns, rows }) =>
            camera === null ? [] : [{ camera, tile: this.#tiles.get(camera), fps: this.#rate(columns * rows > 1) }]);
        if (this.transport === "socket") {
            const accept = (camera) => this.formats.filter((format) => format !== this.#refused.get(camera)?.format);
            this.#socket.show(shown.map(({ camera, tile, fps }) => ({ tile: tile.number, camera, size: tile.pixels, fps, accept: accept(camera) })));
            if (document.hidden) for (const tile of this.#tiles.values()) tile.video.close();
        } else if (document.hidden) {
            for (const tile of this.#tiles.values()) tile.stream.stop();
        } else {
            for (const { camera, tile, fps } of shown) tile.stream.watch(camera, tile.pixels, fps);
        }
    }

    /** Pictures per second for a tile; the large one of a mixed layout gets more. */
    #rate(large) {
        const panels = this.#places.length;
        return Math.min(large ? rateOf(panels > 9 ? 9 : 1) : rateOf(panels), this.#governor.limit);
    }

    /** Judges every tile now. */
    judge() {
        const now = performance.now();
        const forgotten = [...this.#refused].filter(([, { until }]) => now > until);
        for (const [camera] of forgotten) this.#refused.delete(camera);
        if (forgotten.length > 0) this.request();
        for (const [camera, tile] of this.#tiles) {
            const facts = this.transport === "socket" ? this.#bySocket(camera, tile, now) : this.#byList(camera, tile, now);
            tile.tell(facts, now);
            this.history.note(camera, facts, now);
        }
        this.#changed();
    }

    #tick() {
        const now = performance.now();
        const measured = this.#measured;
        measured.late = Math.max(measured.late, now - measured.tick - JUDGE_EVERY);
        measured.tick = now;
        if (now - measured.at >= MEASURE_EVERY) this.#govern(now);
        this.judge();
    }

    /** Asks for fewer pictures when drawing falls behind, and for more when it is easy. */
    #govern(now) {
        let [sum, count] = [0, 0];
        for (const tile of this.#tiles.values()) {
            const lag = tile.picture.takeLag();
            sum += lag.sum;
            count += lag.count;
        }
        const { late } = this.#measured;
        this.#measured = { at: now, tick: now, late: 0 };
        if (document.hidden) {
            this.#governor.pause();
        } else if (this.#governor.note({ fps: this.#rate(true), lag: count === 0 ? null : sum / count, late })) {
            console.info(`wall: each tile is now asked for ${this.#governor.limit} pictures per second at most`);
            this.request();
        }
        if (this.limit === null) delete this.#root.dataset.limit;
        else this.#root.dataset.limit = String(this.limit);
    }

    #since(camera, why, now) {
        if (this.#whys.get(camera)?.why !== why) this.#whys.set(camera, { why, since: now });
        return this.#whys.get(camera).since;
    }

    #bySocket(camera, tile, now) {
        const report = this.#reports.get(camera);
        const shown = tile.picture.shown;
        const age = shown === null ? null : this.#socket.clock.age(shown.taken, shown.arrived, now);
        const fps = Number.isFinite(report?.fps) ? report.fps : null;
        const verdict = judge({ agentSilent: this.agentSilent(now), state: report?.state ?? null, age, fps });
        const measured = tile.picture.rate(now);
        const why = verdict === report?.state && typeof report.why === "string" ? report.why : "";
        return {
            verdict,
            why,
            since: this.#since(camera, why, now),
            age,
            proof: shown?.arrived ?? null,
            transport: "socket",
            video: this.#encoding(camera),
            drawn: shown === null ? null : `${tile.picture.width}×${tile.picture.height}`,
            size: pair(report?.size) ?? this.#facts(camera)?.size ?? null,
            fps: measured > 0 ? measured : null,
        };
    }

    #byList(camera, tile, now) {
        const { state, why: said, age: told, size, fps, streams } = this.#facts(camera);
        if (this.#list.heardAt !== null) tile.stream.told(streams, this.#list.heardAt);
        tile.stream.check(now);
        const proven = tile.stream.provenAt;
        // The older of two witnesses: the agent's word about the camera, our eyes about the stream.
        const byAgent = told === null ? 0 : told * 1000 + (now - this.#list.heardAt);
        const age = proven === null ? null : Math.max(now - proven, byAgent);
        const verdict = judge({ agentSilent: this.agentSilent(now), state, age, fps });
        const why = verdict === state ? said : "";
        return { verdict, why, since: this.#since(camera, why, now), age, proof: proven, transport: "mjpeg", size, fps };
    }

    #settle() {
        clearTimeout(this.#settling);
        this.#settling = setTimeout(() => this.arrange(), SETTLED_AFTER);
    }

    #nextEnlarged(by) {
        const ids = this.#list.cameras.map((camera) => camera.id);
        const next = ids[(ids.indexOf(this.enlarged) + by + ids.length) % ids.length];
        const panels = panelsOf(this.layout, ids.length);
        this.page = Math.floor(ids.indexOf(next) / panels);
        this.#focus = ids.indexOf(next) % panels;
        this.enlarged = next;
        this.arrange();
        this.#tiles.get(next)?.focus({ preventScroll: true });
    }

    #swiped(by) {
        if (this.enlarged !== null) this.#nextEnlarged(by);
        else if (this.pages > 1) this.turn(by);
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
