// Stands in for the agent where a test must decide what the agent says, or that it says nothing.
//
// It speaks the page's whole contract: files, /api/cameras, /live/<id> and the wall socket with its
// credits. What the page asked for is kept in `asked`, `credits` and `requests`.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { ServerSocket } from "./web-socket-server.mjs";

const WWW = fileURLToPath(new URL("../../www/", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const SECURITY = "default-src 'self'; img-src 'self' data: blob:";
/** A JPEG tile without a credit is sent its next picture after this many milliseconds. */
const CREDIT_WITHIN = 1000;
const BOUNDARY = "picture";

export class StandIn {
    port = 0;
    /** @type {{id: string, name: string, state: string, why: string, moving: boolean}[]} */
    cameras;
    complaints = [];
    version = "1";
    /** As in /api/cameras; the one without a name first. */
    walls = [];
    /** Milliseconds by which the agent's clock is ahead of everybody else's. */
    clockAhead = 0;
    /** Neither socket nor HTTP answers while true, though connections are accepted. */
    hung = false;
    /** Every `show` received, newest last. */
    asked = [];
    /** Every `drawn` received. */
    credits = [];
    /** Paths of all HTTP requests. */
    requests = [];
    /** Cameras whose Motion JPEG streams send nothing, though they are live. */
    muted = new Set();
    /** Cameras whose Motion JPEG streams are held back on their way: sent, says the agent. */
    heldBack = new Set();
    /** Paths of files that are not there. */
    missing = new Set();
    /** Origins of other sites' pages that may open sockets. */
    embed = [];
    /** The Content-Security-Policy of all answers; a page of somebody else may have another. */
    security = SECURITY;
    /** Cameras whose pictures are all alike. */
    still = new Set();

    #pictures;
    #rate;
    #server = null;
    #began = Date.now();
    #clock = 0;
    #beat = 0;
    #sockets = new Set();
    #walls = new Set();
    #streams = new Set();
    #old = new Set();

    /**
     * @param {Buffer[][]} pictures by camera and frame
     * @param {string[]} names one camera for each
     * @param {number} rate pictures per second
     */
    constructor(pictures, names, rate = 12) {
        this.#pictures = pictures;
        this.#rate = rate;
        this.cameras = names.map((name, i) => ({ id: `camera-${i}`, name, state: "live", why: "", moving: true }));
    }

    get url() {
        return `http://127.0.0.1:${this.port}/`;
    }

    get streams() {
        return [...this.#streams].map((stream) => stream.camera.id);
    }

    get viewers() {
        return this.#walls.size;
    }

    /**
     * Listens, on the port it had before if it had one.
     * @param upgrade what to do with a WebSocket, if not to serve it
     */
    async start(upgrade = (request, socket) => this.#upgrade(request, socket)) {
        this.#server = createServer((request, response) => this.#answer(request, response));
        this.#server.on("upgrade", upgrade);
        this.#server.on("connection", (socket) => {
            this.#sockets.add(socket);
            socket.on("close", () => this.#sockets.delete(socket));
        });
        await new Promise((ready, failed) => {
            this.#server.once("error", failed);
            this.#server.listen(this.port, "127.0.0.1", ready);
        });
        this.port = this.#server.address().port;
        this.#clock = setInterval(() => this.#tick(), 1000 / this.#rate);
    }

    /** Ends like a killed process: every connection is gone at once. */
    async kill() {
        clearInterval(this.#clock);
        const closed = new Promise((done) => this.#server.close(done));
        for (const socket of this.#sockets) socket.destroy();
        this.#walls.clear();
        this.#streams.clear();
        this.#old.clear();
        await closed;
    }

    /** Changes what is known of a camera, and tells. */
    report(id, change) {
        const camera = this.cameras.find((one) => one.id === id);
        Object.assign(camera, change);
        for (const wall of this.#walls) {
            for (const seat of wall.seats.values()) if (seat.camera === camera) this.#tell(wall, seat);
        }
    }

    /** Sends text to every wall as it is. */
    say(text) {
        for (const wall of this.#walls) wall.socket.sendText(text);
    }

    /** Sends bytes to every wall as they are. */
    sayBytes(bytes) {
        for (const wall of this.#walls) wall.socket.sendBinary(bytes);
    }

    now() {
        return Date.now() + this.clockAhead;
    }

    /** A binary message of cctv.wall.1; `taken` in Unix milliseconds. */
    frame(tile, sequence, taken, picture) {
        const head = Buffer.alloc(16);
        head.writeUInt8(1, 0);
        head.writeUInt8(1, 1);
        head.writeUInt8(tile, 2);
        head.writeUInt8(1, 3);
        head.writeUInt32LE(sequence, 4);
        head.writeBigUInt64LE(BigInt(Math.round(taken * 1000)), 8);
        return Buffer.concat([head, picture]);
    }

    #tick() {
        if (this.hung) return;
        this.#beat += 1;
        for (const camera of this.cameras) {
            if (camera.moving && camera.state === "live") Object.assign(camera, { sequence: this.#beat, taken: this.now() });
        }
        for (const wall of this.#walls) for (const seat of wall.seats.values()) this.#serve(wall, seat);
        for (const viewer of this.#old) this.#sendOld(viewer);
        for (const stream of this.#streams) this.#part(stream);
    }

    #picture(camera) {
        const frames = this.#pictures[this.cameras.indexOf(camera)];
        return frames[this.still.has(camera.id) ? 0 : camera.sequence % frames.length];
    }

    #serve(wall, seat) {
        const { camera } = seat;
        if (camera.state !== "live" || camera.sequence === undefined || camera.sequence === seat.sent) return;
        if (seat.drawn !== seat.sent && Date.now() - seat.sentAt < CREDIT_WITHIN) return;
        const picture = this.#picture(camera);
        wall.socket.sendBinary(this.frame(seat.tile, camera.sequence, camera.taken, picture));
        seat.sent = camera.sequence;
        seat.sentAt = Date.now();
    }

    #tell(wall, { tile, camera }) {
        const { id, name, state, why } = camera;
        const size = state === "live" ? [1920, 1080] : undefined;
        wall.socket.sendText(JSON.stringify({ tile, camera: id, name, state, why, format: "jpeg", size, fps: this.#rate }));
    }

    /** Serves a WebSocket that came in some other way. */
    upgraded(request, socket) {
        this.#upgrade(request, socket);
    }

    #upgrade(request, socket) {
        this.requests.push(request.url);
        if (this.hung) return;
        const { origin, host } = request.headers;
        if (origin !== undefined && new URL(origin).host !== host && !this.embed.includes(origin)) {
            socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return;
        }
        const { pathname } = new URL(request.url, this.url);
        if (pathname.startsWith("/ws/")) {
            this.#serveOld(this.cameras.find(({ id }) => id === pathname.slice("/ws/".length)), request, socket);
            return;
        }
        const wall = { socket: new ServerSocket(request, socket, "cctv.wall.1"), seats: new Map() };
        this.#walls.add(wall);
        socket.on("close", () => this.#walls.delete(wall));
        wall.socket.onText = (text) => {
            if (!this.hung) this.#heard(wall, JSON.parse(text));
        };
        if (this.complaints.length > 0) wall.socket.sendText(JSON.stringify({ config: this.complaints }));
    }

    /** The old protocol; what is not new is sent again after a second. */
    #serveOld(camera, request, socket) {
        const viewer = { camera, socket: new ServerSocket(request, socket), sent: null, sentAt: 0 };
        this.#old.add(viewer);
        socket.on("close", () => this.#old.delete(viewer));
    }

    #sendOld(viewer) {
        const { camera } = viewer;
        if (camera.sequence === undefined || this.muted.has(camera.id)) return;
        if (viewer.sent === camera.sequence && Date.now() - viewer.sentAt < 1000) return;
        Object.assign(viewer, { sent: camera.sequence, sentAt: Date.now() });
        const url = `data:image/jpeg;base64,${this.#picture(camera).toString("base64")}`;
        const pieces = url.match(/.{1,2000}/g);
        viewer.socket.sendText(`::${pieces.length}::`);
        pieces.forEach((piece, i) => viewer.socket.sendText(`~${i + 1}~${piece}`));
    }

    #heard(wall, { show, drawn, ping }) {
        if (ping !== undefined) wall.socket.sendText(JSON.stringify({ pong: ping, now: this.now() }));
        if (drawn !== undefined) {
            this.credits.push(drawn);
            for (const [tile, sequence] of Object.entries(drawn)) {
                const seat = wall.seats.get(Number(tile));
                if (seat !== undefined) seat.drawn = sequence;
            }
        }
        if (show === undefined) return;
        this.asked.push(show);
        const before = wall.seats;
        wall.seats = new Map();
        for (const { tile, camera: id } of show) {
            const old = before.get(tile);
            const camera = this.cameras.find((one) => one.id === id);
            if (camera === undefined) {
                wall.socket.sendText(JSON.stringify({ error: `no camera ${id}` }));
                continue;
            }
            const seat = old?.camera === camera ? old : { tile, camera, sent: null, drawn: null, sentAt: 0 };
            wall.seats.set(tile, seat);
            if (seat !== old) this.#tell(wall, seat);
        }
    }

    async #answer(request, response) {
        const { pathname } = new URL(request.url, this.url);
        this.requests.push(request.url);
        if (this.hung) return;
        response.setHeader("Content-Security-Policy", this.security);
        if (pathname === "/api/cameras") {
            response.setHeader("Content-Type", "application/json");
            response.end(JSON.stringify({ cameras: this.cameras.map((one) => this.#facts(one)), complaints: this.complaints, version: this.version, uptime: (Date.now() - this.#began) / 1000, viewers: this.viewers, walls: this.walls }));
        } else if (pathname.startsWith("/snapshot/")) {
            this.#snapshot(this.cameras.find(({ id }) => id === pathname.slice("/snapshot/".length)), response);
        } else if (pathname.startsWith("/live/")) {
            this.#stream(pathname.slice("/live/".length), new URL(request.url, this.url).searchParams.get("viewer"), response);
        } else {
            await this.#file(pathname === "/" ? "/index.html" : pathname, response);
        }
    }

    #facts({ id, name, state, why, taken, profiles = [] }) {
        const ageOf = (taken) => (taken === undefined ? null : (this.now() - taken) / 1000);
        const age = ageOf(taken);
        const mine = [...this.#streams].filter((stream) => stream.camera.id === id && stream.viewer !== null);
        const streams = mine.map(({ viewer, taken }) => ({ viewer, fps: 12, age: state === "live" ? ageOf(taken) : null }));
        const worker = state === "live" ? { pid: 7, cpu_seconds: (Date.now() - this.#began) / 4000, memory_bytes: 85 << 20 } : null;
        return { streams, id, name, state, why, age, codec: "h264", size: [1920, 1080], fps: this.#rate, viewers: 1, since: 61, bitrate: 4_120_000,
            reconnects: 3, stalls: 1, last_error: "no frame for 5.0 s", address: "192.168.1.64", profile: "Profile_1", worker, profiles };
    }

    #snapshot(camera, response) {
        const live = camera.state === "live" && camera.sequence !== undefined;
        const picture = this.#pictures[this.cameras.indexOf(camera)][0];
        response.writeHead(live ? 200 : 503, { "Content-Type": "image/jpeg", "X-State": camera.state, "X-Timestamp": String((camera.taken ?? 0) / 1000) });
        response.end(picture);
    }

    #stream(id, viewer, response) {
        const camera = this.cameras.find((one) => one.id === id);
        const stream = { camera, viewer, response, taken: undefined };
        this.#streams.add(stream);
        response.on("close", () => this.#streams.delete(stream));
        response.writeHead(200, { "Content-Type": `multipart/x-mixed-replace; boundary=${BOUNDARY}`, "Cache-Control": "no-store" });
        response.write(`--${BOUNDARY}\r\n`);
    }

    #part(stream) {
        const { camera, response } = stream;
        if (camera.sequence === undefined || this.muted.has(camera.id) || response.writableNeedDrain) return;
        stream.taken = camera.taken;
        if (this.heldBack.has(camera.id)) return;
        const picture = this.#picture(camera);
        response.write(`Content-Type: image/jpeg\r\nContent-Length: ${picture.length}\r\n\r\n`);
        response.write(picture);
        response.write(`\r\n--${BOUNDARY}\r\n`);
    }

    async #file(pathname, response) {
        const path = normalize(join(WWW, pathname));
        try {
            const bytes = await readFile(path.startsWith(WWW) && !this.missing.has(pathname) ? path : "");
            response.setHeader("Content-Type", TYPES[extname(path)] ?? "application/octet-stream");
            response.end(bytes);
        } catch {
            response.writeHead(404).end();
        }
    }
}
