// A fake agent, for tests that decide what the agent reports, or that it hangs.
//
// It implements everything the page uses: files, /api/cameras, /live/<id>, /snapshot/<id>, the wall socket
// with its credits, and the older system's socket. It records `shows`, `credits` and `requests`.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { ServerSocket } from "./web-socket-server.mjs";

const WWW = fileURLToPath(new URL("../../www/", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data: blob:";
/** Without a credit a JPEG tile gets its next picture after this time, in milliseconds. */
const CREDIT_TIMEOUT = 1000;
const BOUNDARY = "picture";

/**
 * A reason in parts, as the agent gives it: `why` and `reason`.
 * @param {...[code: string, params: Record<string, string | number>, text: string]} parts
 */
export function reasonOf(...parts) {
    return { why: parts.map(([, , text]) => text).join("; "), reason: parts.map(([code, params, text]) => ({ code, params, text })) };
}

/** The part that announces the next attempt. @param {number} seconds @param {number} attempt */
export const retry = (seconds, attempt) => ["retry", { seconds, attempt }, `trying again in ${seconds.toFixed(0)} s (attempt ${attempt})`];

/** The part that says what is wrong. @param {number} seconds */
export const noFrame = (seconds) => ["no_frame", { seconds }, `no frame for ${seconds.toFixed(1)} s`];

export class FakeAgent {
    port = 0;
    /** @type {{id: string, name: string, state: string, why: string, moving: boolean}[]} */
    cameras;
    complaints = [];
    /** What a page is told when it names its wall. */
    callUps = { shown: [], marked: [] };
    /** What pages have asked of a camera that can be steered, and when. @type {{word: any, at: number}[]} */
    words = [];
    /** Status and body of the answer to each word. @type {[number, object]} */
    ptzAnswer = [200, { by: "127.0.0.1", own: true, moving: true, error: null, reason: null }];
    /** Open answers with the sound of each camera, by its id. @type {Map<string, number>} */
    listeners = new Map();
    /** Status and body of the answer to who wants to hear; null: there is sound. @type {[number, object] | null} */
    soundAnswer = null;
    /** What differs in the format of the sound. */
    soundFormat = {};
    /** Units that are sent one after the other, again and again; null: a tone of G.711. @type {Buffer[] | null} */
    soundUnits = null;
    /** Pause between units of sound, in milliseconds. */
    soundInterval = 40;
    /** By so many milliseconds the sound is older than it should be. */
    soundDelay = 0;
    /** The walls that pages have named. @type {string[]} */
    followed = [];
    runsAsRoot = false;
    /** The right `Authorization` of a POST to /login; null: no login is needed. @type {string | null} */
    login = null;
    /** Answers of /login before it is looked at, as status and seconds of `Retry-After`. @type {[number, number][]} */
    loginAnswers = [];
    /** `Authorization` of each POST to /login. */
    logins = [];
    isLoggedIn = false;
    /** Like a browser that keeps no cookies. */
    forgetsLogins = false;
    /** `tls` of /api/cameras. */
    tls = null;
    version = "1";
    /** As in /api/cameras; the unnamed wall first. */
    walls = [];
    /** What it answers when it is to keep a picture. */
    keeping = { status: 201, answer: { file: "kept.jpg" } };
    /** How far the agent's clock is ahead, in milliseconds. */
    clockAhead = 0;
    /** While true, neither socket nor HTTP answers, although connections are accepted. */
    hung = false;
    /** Every `show` received, newest last. */
    shows = [];
    /** Every `drawn` received. */
    credits = [];
    /** Paths of all HTTP requests. */
    requests = [];
    /** Live cameras whose Motion JPEG streams and old sockets send nothing. */
    muted = new Set();
    /** Cameras whose Motion JPEG pictures a proxy delays: the agent reports them as sent. */
    delayed = new Set();
    /** Paths of files that do not exist. */
    missing = new Set();
    /** Origins of other sites' pages that may open sockets. */
    embed = [];
    /** The Content-Security-Policy of all answers; another site may have another one. */
    contentSecurityPolicy = CONTENT_SECURITY_POLICY;
    /** Cameras whose pictures are all the same. */
    frozen = new Set();

    #pictures;
    #rate;
    #server = null;
    #startedAt = Date.now();
    #ticker = 0;
    #frameNumber = 0;
    #sockets = new Set();
    #walls = new Set();
    #streams = new Set();
    #oldViewers = new Set();

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
     * Listens, after a restart on the same port.
     * @param upgrade handles WebSocket requests instead of this agent
     */
    async start(upgrade = (request, socket) => this.#upgrade(request, socket)) {
        this.#server = createServer((request, response) => this.#onRequest(request, response));
        this.#server.on("upgrade", upgrade);
        this.#server.on("connection", (socket) => {
            this.#sockets.add(socket);
            socket.on("close", () => this.#sockets.delete(socket));
            // A browser may reset a connection at any time, also one whose upgrade is never answered.
            socket.on("error", () => socket.destroy());
        });
        await new Promise((ready, failed) => {
            this.#server.once("error", failed);
            this.#server.listen(this.port, "127.0.0.1", ready);
        });
        this.port = this.#server.address().port;
        this.#ticker = setInterval(() => this.#tick(), 1000 / this.#rate);
    }

    /** Ends like a killed process: all connections break at once. */
    async kill() {
        clearInterval(this.#ticker);
        const closed = new Promise((done) => this.#server.close(done));
        for (const socket of this.#sockets) socket.destroy();
        this.#walls.clear();
        this.#streams.clear();
        this.#oldViewers.clear();
        await closed;
    }

    /** Breaks the sockets of all walls. */
    dropSockets() {
        for (const wall of this.#walls) wall.socket.destroy();
    }

    /** Changes a camera and reports its state. */
    setCamera(id, change) {
        const camera = this.cameras.find((one) => one.id === id);
        Object.assign(camera, "why" in change ? { reason: undefined } : {}, change);
        for (const wall of this.#walls) {
            for (const shown of wall.tiles.values()) if (shown.camera === camera) this.#sendReport(wall, shown);
        }
    }

    /** Sends a text message to every wall. */
    sendText(text) {
        for (const wall of this.#walls) wall.socket.sendText(text);
    }

    /** Sends a binary message to every wall. */
    sendBinary(bytes) {
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
        this.#frameNumber += 1;
        for (const camera of this.cameras) {
            if (camera.moving && camera.state === "live") Object.assign(camera, { sequence: this.#frameNumber, taken: this.now() });
        }
        // A test may have removed a camera that a page still shows.
        const isThere = ({ camera }) => this.cameras.includes(camera);
        for (const wall of this.#walls) for (const shown of wall.tiles.values()) if (isThere(shown)) this.#sendFrame(wall, shown);
        for (const viewer of this.#oldViewers) if (isThere(viewer)) this.#sendOld(viewer);
        for (const stream of this.#streams) if (isThere(stream)) this.#sendPart(stream);
    }

    #picture(camera) {
        const frames = this.#pictures[this.cameras.indexOf(camera)];
        return frames[this.frozen.has(camera.id) ? 0 : camera.sequence % frames.length];
    }

    #sendFrame(wall, shown) {
        const { camera } = shown;
        if (camera.state !== "live" || camera.sequence === undefined || camera.sequence === shown.sent) return;
        if (shown.drawn !== shown.sent && Date.now() - shown.sentAt < CREDIT_TIMEOUT) return;
        const picture = this.#picture(camera);
        wall.socket.sendBinary(this.frame(shown.tile, camera.sequence, camera.taken, picture));
        shown.sent = camera.sequence;
        shown.sentAt = Date.now();
    }

    #sendReport(wall, { tile, camera }) {
        const { id, name, state, why, reason } = camera;
        const size = state === "live" ? [1920, 1080] : undefined;
        wall.socket.sendText(JSON.stringify({ tile, camera: id, name, state, why, reason, format: "jpeg", size, fps: this.#rate }));
    }

    /** Handles a WebSocket request that a proxy received. */
    handleUpgrade(request, socket) {
        this.#upgrade(request, socket);
    }

    #upgrade(request, socket) {
        this.requests.push(request.url);
        socket.on("error", () => socket.destroy()); // of another server's connection
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
        const wall = { socket: new ServerSocket(request, socket, "cctv.wall.1"), tiles: new Map() };
        this.#walls.add(wall);
        socket.on("close", () => this.#walls.delete(wall));
        wall.socket.onText = (text) => {
            if (!this.hung) this.#onMessage(wall, JSON.parse(text));
        };
        if (this.complaints.length > 0) wall.socket.sendText(JSON.stringify({ config: this.complaints }));
    }

    /** The old protocol; the last picture is repeated after a second. */
    #serveOld(camera, request, socket) {
        const viewer = { camera, socket: new ServerSocket(request, socket), sent: null, sentAt: 0 };
        this.#oldViewers.add(viewer);
        socket.on("close", () => this.#oldViewers.delete(viewer));
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

    /** Tells all pages what their wall brings to the front. */
    callUp(callUps) {
        this.callUps = callUps;
        for (const wall of this.#walls) if (wall.name !== undefined) wall.socket.sendText(JSON.stringify({ wall: callUps }));
    }

    #onMessage(wall, { show, drawn, ping, wall: name }) {
        if (name !== undefined) {
            wall.name = name;
            this.followed.push(name);
            wall.socket.sendText(JSON.stringify({ wall: this.callUps }));
        }
        if (ping !== undefined) wall.socket.sendText(JSON.stringify({ pong: ping, now: this.now() }));
        if (drawn !== undefined) {
            this.credits.push(drawn);
            for (const [tile, sequence] of Object.entries(drawn)) {
                const shown = wall.tiles.get(Number(tile));
                if (shown !== undefined) shown.drawn = sequence;
            }
        }
        if (show === undefined) return;
        this.shows.push(show);
        const before = wall.tiles;
        wall.tiles = new Map();
        for (const { tile, camera: id } of show) {
            const old = before.get(tile);
            const camera = this.cameras.find((one) => one.id === id);
            if (camera === undefined) {
                wall.socket.sendText(JSON.stringify({ error: `no camera ${id}` }));
                continue;
            }
            const shown = old?.camera === camera ? old : { tile, camera, sent: null, drawn: null, sentAt: 0 };
            wall.tiles.set(tile, shown);
            if (shown !== old) this.#sendReport(wall, shown);
        }
    }

    async #onRequest(request, response) {
        const { pathname } = new URL(request.url, this.url);
        this.requests.push(request.url);
        if (this.hung) return;
        response.setHeader("Content-Security-Policy", this.contentSecurityPolicy);
        if (pathname === "/login" && request.method === "POST") {
            this.#logIn(request, response);
        } else if (pathname === "/login") {
            await this.#sendFile("/login.html", response);
        } else if (pathname === "/logout" && request.method === "POST") {
            this.isLoggedIn = false;
            response.end("{}");
        } else if (pathname === "/api/cameras" && this.login !== null && !this.isLoggedIn) {
            response.writeHead(401).end("{}");
        } else if (pathname === "/api/cameras") {
            response.setHeader("Content-Type", "application/json");
            response.end(JSON.stringify({ cameras: this.cameras.map((one) => this.#cameraFacts(one)), complaints: this.complaints, user: this.isLoggedIn ? { name: "guard", may: ["watch"], session: true } : null, runs_as_root: this.runsAsRoot, tls: this.tls, version: this.version, uptime: (Date.now() - this.#startedAt) / 1000, viewers: this.viewers, walls: this.walls }));
        } else if (/^\/api\/cameras\/[^/]+\/ptz$/.test(pathname)) {
            await this.#steer(request, response);
        } else if (/^\/api\/cameras\/[^/]+\/sound$/.test(pathname)) {
            this.#sendSound(pathname.split("/")[3], response);
        } else if (pathname.startsWith("/snapshot/")) {
            this.#sendSnapshot(this.cameras.find(({ id }) => id === pathname.slice("/snapshot/".length)), request, response);
        } else if (pathname.startsWith("/live/")) {
            this.#startStream(pathname.slice("/live/".length), new URL(request.url, this.url).searchParams.get("viewer"), response);
        } else {
            await this.#sendFile(pathname === "/" ? "/index.html" : pathname, response);
        }
    }

    async #steer(request, response) {
        const [status, usual] = this.ptzAnswer;
        let answer = usual;
        if (request.method === "POST") {
            let body = "";
            for await (const piece of request) body += piece;
            this.words.push({ word: JSON.parse(body), at: Date.now() });
        } else {
            answer = { ...usual, presets: [{ number: 2, name: "Yard", token: "2" }, { number: 7, name: "Door", token: "7" }] };
        }
        response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
    }

    /** Sound, until the page ends it; a tone of G.711 µ-law if no units are given. */
    #sendSound(id, response) {
        if (this.soundAnswer !== null) {
            const [status, answer] = this.soundAnswer;
            response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
            return;
        }
        const format = { format: "pcmu", codec: "ulaw", sample_rate: 8000, channels: 1, config: null, now: this.now(), ...this.soundFormat };
        response.writeHead(200, { "Content-Type": "application/octet-stream", "X-Audio": JSON.stringify(format) });
        this.listeners.set(id, (this.listeners.get(id) ?? 0) + 1);
        let sequence = 0;
        const tone = Buffer.from(Array.from({ length: 320 }, (_, i) => (i % 8 < 4 ? 0x20 : 0xa0)));
        const timer = setInterval(() => {
            const payload = this.soundUnits?.[sequence % this.soundUnits.length] ?? tone;
            const head = Buffer.alloc(4 + 16);
            head.writeUInt32LE(16 + payload.length, 0);
            head.set([1, 16, 0, 1], 4);
            head.writeUInt32LE(sequence++, 8);
            head.writeBigUInt64LE(BigInt(Math.round((this.now() - this.soundDelay) * 1000)), 12);
            response.write(Buffer.concat([head, payload]));
        }, this.soundInterval);
        response.on("close", () => {
            clearInterval(timer);
            this.listeners.set(id, this.listeners.get(id) - 1);
        });
    }

    #logIn(request, response) {
        const { authorization } = request.headers;
        this.logins.push(authorization);
        const early = this.loginAnswers.shift();
        if (early !== undefined) {
            const [status, seconds] = early;
            response.writeHead(status, { "Retry-After": String(seconds) }).end("{}");
            return;
        }
        this.isLoggedIn = authorization === this.login;
        response.writeHead(this.isLoggedIn ? 200 : 401).end("{}");
        if (this.forgetsLogins) this.isLoggedIn = false;
    }

    #cameraFacts({ id, name, state, why, reason, taken, profiles = [], reception = null, ptz = false, may_steer = false, sound = false, may_listen = false }) {
        const ageOf = (taken) => (taken === undefined ? null : (this.now() - taken) / 1000);
        const age = ageOf(taken);
        const mine = [...this.#streams].filter((stream) => stream.camera.id === id && stream.viewer !== null);
        const streams = mine.map(({ viewer, taken }) => ({ viewer, fps: 12, age: state === "live" ? ageOf(taken) : null }));
        const worker = state === "live" ? { pid: 7, cpu_seconds: (Date.now() - this.#startedAt) / 4000, memory_bytes: 85 << 20 } : null;
        return { streams, id, name, state, why, reason, age, codec: "h264", size: [1920, 1080], fps: this.#rate, viewers: 1, since: 61, bitrate: 4_120_000,
            reconnects: 3, stalls: 1, last_error: "no frame for 5.0 s", address: "192.168.1.64", profile: "Profile_1", tls_key: "sha256:0f1e", worker, reception, profiles, ptz, may_steer, sound, may_listen };
    }

    #sendSnapshot(camera, request, response) {
        const live = camera.state === "live" && camera.sequence !== undefined;
        if (request.method === "POST" && live) {
            response.writeHead(this.keeping.status, { "Content-Type": "application/json" }).end(JSON.stringify(this.keeping.answer));
            return;
        }
        const picture = this.#pictures[this.cameras.indexOf(camera)][0];
        response.writeHead(live ? 200 : 503, { "Content-Type": "image/jpeg", "X-State": camera.state, "X-Timestamp": String((camera.taken ?? 0) / 1000) });
        response.end(picture);
    }

    #startStream(id, viewer, response) {
        const camera = this.cameras.find((one) => one.id === id);
        const stream = { camera, viewer, response, taken: undefined };
        this.#streams.add(stream);
        response.on("close", () => this.#streams.delete(stream));
        response.writeHead(200, { "Content-Type": `multipart/x-mixed-replace; boundary=${BOUNDARY}`, "Cache-Control": "no-store" });
        response.write(`--${BOUNDARY}\r\n`);
    }

    #sendPart(stream) {
        const { camera, response } = stream;
        if (camera.sequence === undefined || this.muted.has(camera.id) || response.writableNeedDrain) return;
        stream.taken = camera.taken;
        if (this.delayed.has(camera.id)) return;
        const picture = this.#picture(camera);
        response.write(`Content-Type: image/jpeg\r\nContent-Length: ${picture.length}\r\n\r\n`);
        response.write(picture);
        response.write(`\r\n--${BOUNDARY}\r\n`);
    }

    async #sendFile(pathname, response) {
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
