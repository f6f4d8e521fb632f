// Entry point of the wall's page: connects settings, language, socket, camera list, wall and controls.

import { socketUrl } from "./agent-url.js";
import { CameraList } from "./camera-list.js";
import { showableFormats } from "./decoder.js";
import { chooseLanguage, currentLanguage, pickLanguage, t, translate } from "./language.js";
import { SILENT_AFTER } from "./liveness.js";
import { Notices } from "./notices.js";
import { Rotation } from "./rotation.js";
import { Settings } from "./settings.js";
import { listenForShortcuts } from "./shortcuts.js";
import { Toolbar } from "./toolbar.js";
import { VersionCheck } from "./version-check.js";
import { CameraWall } from "./wall.js";
import { SUBPROTOCOL, WallSocket } from "./wall-socket.js";

/** Polling interval of the camera list, in milliseconds. */
const LIST_INTERVAL = 5000;
/** In Motion JPEG the list is the only source of states. */
const LIST_INTERVAL_MOTION_JPEG = 1000;
/** While the camera panel shows the list's facts. */
const LIST_INTERVAL_PANEL = 1000;
/** In full screen the bar disappears after this time without user input, in milliseconds. */
const IDLE_AFTER = 4000;

/** @returns {any} an element of the page's own HTML */
const element = (id) => document.getElementById(id);
const settings = new Settings(location.search);
const rotation = new Rotation();
const versionCheck = new VersionCheck();
const notices = new Notices(element("notices"));
/** Errors in cameras.toml, as the agent reports them. @type {string[]} */
let configErrors = [];
/** @type {import("./call-ups.js").CallUps | null} */
let callUps = null;
/** Loaded when it is opened. @type {import("./camera-panel.js").CameraPanel | null} */
let panel = null;
/** @type {import("./ptz.js").Ptz | null} */
let ptz = null;
/** @type {import("./sound.js").Sound | null} */
let sound = null;
/** @type {import("./director.js").Director | null} */
let director = null;
/** @type {import("./layout-chooser.js").LayoutChooser | null} */
let chooser = null;
/** The settings in use, to apply only those that changed. */
const applied = { layout: "auto", transport: "", language: "" };
await applyLanguage();

const socket = new WallSocket(socketUrl("ws"), {
    onOpen: () => list.refresh(),
    onState: (camera, report) => wall.setReport(camera, report),
    onFrame: (camera, frame, drawn) => wall.pushFrame(camera, frame, drawn),
    onConfigError: (errors) => {
        configErrors = errors;
        showErrors();
        list.refresh();
    },
    onCallUps: async (told) => {
        void direct(told?.scene ?? null);
        if (callUps === null && told?.shown?.length + told?.marked?.length === 0 && !told.layout) return;
        const { CallUps } = await import("./call-ups.js");
        (callUps ??= new CallUps(wall, element("wall"), lookBack)).take(told);
    },
    onPtz: (told) => usePtz((one) => one.take(told)),
    onRefused: (text) => {
        notices.showMessage(t("notice.agent", { text }));
        list.refresh();
    },
});

const list = new CameraList({
    onWalls: (walls) => {
        settings.setWalls(walls);
        return settings.cameras;
    },
    onList: (errors) => {
        configErrors = errors;
        versionCheck.onAnswer(list.version);
        if (list.isAnnounced) notices.showMessage(`SHA-256 ${list.fingerprint}`);
        applySettings();
        showErrors();
        wall.arrange();
    },
});

const wall = new CameraWall(element("wall"), socket, list, () => draw());

const actions = {
    layout: (layout) => {
        if (wall.allows(layout)) {
            choose({ layout });
            wall.chooseLayout(layout); // also if it is the choice that a tour has replaced
        } else notices.showMessage(t("notice.mjpegPanels"));
        wall.shrink();
    },
    layouts: async () => {
        const { LayoutChooser } = await import("./layout-chooser.js");
        (chooser ??= new LayoutChooser(element("layouts"), actions)).toggle(draw);
    },
    rotate: () => choose({ rotate: settings.rotate > 0 ? 0 : settings.rotationInterval }),
    setRotation: (seconds) => choose({ rotate: seconds }),
    setActivityMark: (shown) => choose({ life: shown }),
    transport: () => choose({ transport: wall.transport === "socket" ? "mjpeg" : "socket" }),
    setTransport: (transport) => choose({ transport }),
    move: (key) => wall.move(key),
    previousPage: () => wall.turn(-1),
    nextPage: () => wall.turn(1),
    enlarge: () => wall.enlargeFocused(),
    zoomIn: () => wall.useZoom((zoom) => zoom.step(1)),
    zoomOut: () => wall.useZoom((zoom) => zoom.step(-1)),
    back: () => {
        if (!wall.zoom?.end() && !wall.shrink() && panelIsOpen()) actions.cameraPanel();
    },
    cameraPanel: async () => {
        const { CameraPanel } = await import("./camera-panel.js");
        (panel ??= new CameraPanel(element("info"), list, wall, actions)).toggle();
        pollList();
    },
    snapshot: () => snapshot(),
    lookBack: () => lookBack(wall.selected),
    sound: () => useSound((one) => one.toggle(wall.selected)),
    fullScreen: () => toggleFullScreen(),
    help: () => toggleHelp(),
};

const toolbar = new Toolbar(element("tools"), wall, socket, actions);
for (const button of document.querySelectorAll("dialog button.dismiss")) {
    button.addEventListener("click", () => button.closest("dialog")?.close());
}
listenForShortcuts(actions);

/** @param {import("./settings.js").Values} choice */
function choose(choice) {
    settings.choose(choice);
    applySettings();
}

function applySettings() {
    void applyLanguage();
    if (list.answeredAt !== null && !settings.isUnknown) socket.follow(settings.name);
    rotation.interval = settings.rotate;
    if (director === null) void direct();
    element("wall").toggleAttribute("activity", settings.life);
    if (settings.transport !== applied.transport) {
        applied.transport = settings.transport;
        wall.chooseTransport(settings.transport);
        pollList();
    }
    if (settings.layout !== applied.layout) {
        applied.layout = settings.layout;
        wall.chooseLayout(settings.layout);
    }
    wall.update();
}

/** Shows a scene of the agent; null: what the wall's settings say. @param {any} [scene] */
async function direct(scene) {
    if (director === null && !scene && settings.backAfter === 0) return;
    const { Director } = await import("./director.js");
    (director ??= new Director({ wall, list, settings, rotation, panelIsOpen, closePanel: actions.cameraPanel })).take(scene);
}

function panelIsOpen() {
    return panel?.isOpen === true;
}

function pollList() {
    if (panelIsOpen()) list.poll(LIST_INTERVAL_PANEL);
    else list.poll(settings.transport === "mjpeg" ? LIST_INTERVAL_MOTION_JPEG : LIST_INTERVAL);
}

/** @param {(ptz: import("./ptz.js").Ptz) => void} act */
async function usePtz(act) {
    const { Ptz } = await import("./ptz.js");
    act((ptz ??= new Ptz(wall, list, element("wall"))));
}

/** @param {string | null} camera @param {number} [seconds] */
async function lookBack(camera, seconds) {
    await (await import("./look-back.js")).lookBack(wall, list, socket, notices, camera, seconds);
}

/** @param {(sound: import("./sound.js").Sound) => void} act */
async function useSound(act) {
    const { Sound } = await import("./sound.js");
    act((sound ??= new Sound(wall, list, notices)));
}

async function snapshot() {
    const camera = list.all.find(({ id }) => id === wall.selected);
    if (camera === undefined) return;
    const { saveSnapshot } = await import("./snapshot.js");
    notices.showMessage(await saveSnapshot(camera, settings.keepsPictures ? settings.name : null));
}

async function applyLanguage() {
    const language = pickLanguage(settings.languages);
    if (language === applied.language) return;
    applied.language = language;
    // Without its texts the page is in English, and they are asked for again with the next list.
    if (!(await chooseLanguage(language))) applied.language = "";
    translate(document);
    document.title = t("page.title");
}

function showErrors() {
    const own = [];
    if (settings.isUnknown) own.push(t("notice.unknownWall", { wall: settings.name }));
    if (list.missing.length > 0) own.push(t("notice.missing", { cameras: list.missing.join(", ") }));
    if (list.runsAsRoot) own.push(t("notice.root"));
    notices.setErrors([...configErrors, ...own]);
}

function toggleHelp() {
    const help = element("help");
    if (help.open) help.close();
    else help.showModal();
}

async function toggleFullScreen() {
    try {
        if (document.fullscreenElement === null) await document.documentElement.requestFullscreen();
        else await document.exitFullscreen();
    } catch (error) {
        console.warn("full screen:", error);
    }
}

function draw() {
    toolbar.draw(rotation.interval);
    toolbar.setPressed("cameraPanel", panelIsOpen());
    panel?.draw(performance.now());
    const { layout, transport, aspect } = wall;
    if (ptz === null && list.cameras.some(({ id, maySteer }) => maySteer && id === wall.enlarged)) void usePtz(() => {});
    if (sound === null && list.cameras.some(({ id, mayListen }) => mayListen && id === wall.enlarged)) void useSound(() => {});
    chooser?.draw({ layout, drawn: settings.drawn, transport, aspect, rotate: settings.rotate, life: settings.life, language: currentLanguage() });
    const isPaused = document.hidden || wall.enlarged !== null || wall.called.length > 0 || Boolean(wall.zoom?.camera) || wall.pages === 1 || panelIsOpen() || document.querySelector("dialog[open]") !== null;
    if (rotation.isDue(performance.now(), isPaused)) wall.turn(1);
    const isEmpty = list.cameras.length === 0;
    element("nothing").hidden = !isEmpty;
    element("wall").hidden = isEmpty;
    if (isEmpty) {
        const [headline, nextStep] = emptyTexts();
        element("nothing-headline").textContent = headline;
        element("nothing-next-step").textContent = nextStep;
    }
}

/** Why the wall is empty, and what to do. */
function emptyTexts() {
    if (!(wall.silence() < SILENT_AFTER)) return [t("summary.silent"), t("reason.silent")];
    if (list.answeredAt === null) return [t("page.waiting"), ""];
    return [t("page.noCameras"), t("page.noCamerasHow")];
}

document.addEventListener("visibilitychange", () => {
    wall.request();
    wall.update();
    if (!document.hidden) {
        socket.checkNow();
        list.refresh();
    }
});

let idleTimer = 0;
/** @param {Event} [event] */
function onInput(event) {
    document.documentElement.removeAttribute("idle");
    clearTimeout(idleTimer);
    idleTimer = window.setTimeout(() => document.documentElement.setAttribute("idle", ""), IDLE_AFTER);
    if (event?.type !== "pointermove") rotation.restart(performance.now());
}
for (const event of ["pointermove", "pointerdown", "keydown"]) document.addEventListener(event, onInput);
onInput();

// ?video=off requests JPEG only, for a terminal whose video decoder does not work.
if (new URLSearchParams(location.search).get("video") !== "off") wall.demand.formats = await showableFormats();
applySettings();
console.info(`wall: ${SUBPROTOCOL} at ${location.host}`);
