// Types of the data that modules of the page exchange. Used by the type check only; browsers never load this file.

/** What the page shows of a camera: "stale" (no new picture) and "silent" (no agent) are found by the page itself. */
export type Verdict = "live" | "connecting" | "stalled" | "offline" | "denied" | "stale" | "silent";
export type Transport = "socket" | "mjpeg";
/** Width and height. */
export type Size = [number, number];

/** What is done to a decoded picture before it is drawn, in this order. */
export interface View {
    /** The part that is shown: left and upper edge, width and height, in parts of the whole. */
    crop: [number, number, number, number];
    /** Left and right change places. */
    mirror: boolean;
    /** Degrees clockwise: 0, 90, 180 or 270. */
    turn: number;
}

/** One picture or access unit from the wall socket. */
export interface Frame {
    /** One of `FORMAT`. */
    format: number;
    /** Number given in `show`, 0 to 255. */
    tile: number;
    /** Decodable on its own. */
    key: boolean;
    /** The agent left frames out before this one. */
    skipped: boolean;
    /** The picture made of it is damaged: it may be shown only under a mark. Never for JPEG, which has its own. */
    damaged: boolean;
    /** Unsigned 32 bits, wraps. */
    sequence: number;
    /** When the agent received it, Unix milliseconds by the agent's clock. */
    taken: number;
    payload: Uint8Array<ArrayBuffer>;
}

/** One part of a reason, as the agent gives it. */
export interface ReasonPart {
    code: string;
    params: Record<string, string | number>;
    /** In English. */
    text: string;
}

/** Why a camera is not live. */
export interface AgentReason {
    /** The whole in English; empty if there is none. */
    why: string;
    /** Empty if the agent is too old to give them. */
    reason: ReasonPart[];
}

/** What identifies a picture in time. */
export type FrameLabel = Pick<Frame, "sequence" | "taken" | "damaged">;

/** State of a tile, as the wall socket reports it; only `tile`, `camera` and `state` are checked. */
export interface TileReport {
    tile: number;
    camera: string;
    state: string;
    name?: unknown;
    why?: unknown;
    reason?: unknown;
    format?: string | null;
    codec?: string | null;
    size?: unknown;
    display?: unknown;
    view?: View | null;
    fps?: number;
}

/** One entry of the socket's `show` message. */
export interface TileRequest {
    tile: number;
    camera: string;
    /** Device pixels. */
    size: Size;
    fps: number;
    /** Formats, the preferred one first. */
    accept: string[];
}

/** A camera as /api/cameras has it. */
export interface CameraFacts extends AgentReason {
    id: string;
    name: string;
    state: string | null;
    /** Age of the newest picture in seconds. */
    age: number | null;
    codec: string | null;
    /** Why pages get JPEG of it although they decode for themselves; empty if they do not. */
    asJpeg: AgentReason;
    size: Size | null;
    fps: number | null;
    /** Seconds since the last change of state. */
    since: number | null;
    /** Bits per second. */
    bitrate: number | null;
    viewers: number | null;
    reconnects: number | null;
    stalls: number | null;
    /** Empty if there was none. */
    lastError: AgentReason;
    address: string;
    profile: string;
    /** The SHA-256 of the key that the camera shows; empty without TLS. */
    tlsKey: string;
    /** The camera's two streams; empty if it has one. */
    profiles: ProfileFacts[];
    /** Null while no worker process runs. */
    worker: WorkerFacts | null;
    /** Null if the agent itself has not read the camera. */
    reception: ReceptionFacts | null;
    /** It can be turned, and this visitor may do so. */
    maySteer: boolean;
    /** It can be heard. */
    sound: boolean;
    /** It can be heard, and this visitor may do so. */
    mayListen: boolean;
    /** Motion JPEG streams that have a name. */
    streams: StreamFacts[];
}

export interface ProfileFacts extends AgentReason {
    /** "main" or "small". */
    stream: string;
    /** As a camera's, or "resting": not open because nobody needs it. */
    state: string;
    size: Size | null;
    viewers: number | null;
}

export interface WorkerFacts {
    /** Share of one core, 0 to 1 and above. */
    cpu: number | null;
    /** Bytes. */
    memory: number | null;
}

export interface ReceptionFacts {
    /** RTP packets received. */
    packets: number;
    /** RTP packets that never came, or too late. */
    lost: number;
    /** Frames of which packets were lost. */
    damaged: number;
    /** Variation of the time that packets travel, in seconds. */
    jitter: number | null;
    /** Seconds by which the camera's clock is ahead; null if it does not tell its time. */
    clock: number | null;
}

export interface StreamFacts {
    viewer: string;
    /** Age of the last picture delivered, in seconds. */
    age: number | null;
}

/** A wall's section of cameras.toml; null where the file sets nothing. */
export interface WallSection {
    /** Empty for the unnamed wall. */
    name?: string;
    /** A word, or the rows of a picture of the grid. */
    layout?: string | string[] | null;
    cameras?: string[] | null;
    rotate?: number | null;
    back_after?: number | null;
    language?: string | null;
    sign_of_life?: boolean | null;
    /** The agent keeps pictures that are saved at this screen. */
    keeps_pictures?: boolean;
}

/** What a tile shows about its camera. */
export interface TileStatus extends AgentReason {
    verdict: Verdict;
    /** Page time at which the agent first gave this reason. */
    since: number;
    /** The picture shown is damaged, or the next one will be. */
    damaged: boolean;
    /** Age of the picture in milliseconds; null without a picture. */
    age: number | null;
    /** Page time of the last proof that the picture moves. */
    provenAt: number | null;
    transport: Transport;
    /** How the picture is encoded, as text; empty if unknown. */
    video?: string;
    /** Size in which the page draws. */
    drawn?: string | null;
    /** Size of the camera's picture. */
    size: Size | null;
    fps: number | null;
}

/** A change of the verdict on one camera. */
export interface StateChange extends AgentReason {
    /** Unix milliseconds by the browser's clock, for display only. */
    at: number;
    verdict: Verdict;
}

/** The place of one tile in the grid. */
export interface Slot {
    /** Null for an empty tile. */
    camera: string | null;
    /** From 0. */
    column: number;
    /** From 0. */
    row: number;
    /** Columns spanned. */
    columns: number;
    /** Rows spanned. */
    rows: number;
}

export interface Grid {
    columns: number;
    rows: number;
    /** Columns and rows that the first tile spans. */
    large: { columns: number; rows: number };
}

export interface Plan {
    columns: number;
    rows: number;
    /** From 0. */
    page: number;
    pages: number;
    /** Row by row, the large one first; every cell of the grid belongs to one slot. */
    slots: Slot[];
}

/** `told` of <cctv-view>, and what `changed` gets: docs/pages.md. */
export interface ViewStatus {
    verdict: Verdict;
    live: boolean;
    /** Age of the picture on the canvas in milliseconds; null without one. */
    age: number | null;
    /** Of the camera, as the agent has it. */
    name: string;
    /** The agent's reason in English; may be empty. */
    why: string;
    /** The same in parts, as docs/api.md lists them; may be empty. */
    reason: ReasonPart[];
    /** Page time (`performance.now()`) at which the agent first gave this reason. */
    since: number;
}
