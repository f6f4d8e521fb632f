// Puts the page together: settings, language, the agent's two voices, the wall and its controls.

import { socketUrl } from "./agent-url.js";
import { CameraList } from "./camera-list.js";
import { showableFormats } from "./decoder.js";
import { Information } from "./information.js";
import { listen } from "./keys.js";
import { chooseLanguage, pickLanguage, spoken, t, translate } from "./language.js";
import { LayoutChooser } from "./layout-chooser.js";
import { SILENT_AFTER } from "./liveness.js";
import { NewerPage } from "./newer-page.js";
import { Notices } from "./notices.js";
import { Rotation } from "./rotation.js";
import { Settings } from "./settings.js";
import { NotLive, saveSnapshot } from "./snapshot.js";
import { Toolbar } from "./toolbar.js";
import { CameraWall } from "./wall.js";
import { SUBPROTOCOL, WallSocket } from "./wall-socket.js";

/** The list of cameras is asked for again this often, in milliseconds. */
const LIST_EVERY = 5000;
/** In Motion JPEG it is the only voice of the agent. */
const LIST_EVERY_MOTION_JPEG = 1000;
/** And while somebody reads what it tells. */
const LIST_EVERY_READ = 1000;
/** Without a mouse, in full screen, the bar goes after this many milliseconds. */
const IDLE_AFTER = 4000;

const element = (id) => document.getElementById(id);
const settings = new Settings(location.search);
const rotation = new Rotation();
const newerPage = new NewerPage();
const notices = new Notices(element("notices"));
/** What the agent says is wrong with cameras.toml. */
let complaints = [];
/** What is in force, so that only what differs is put into force. */
const applied = { layout: "auto", transport: null, language: null };
speak();

const socket = new WallSocket(socketUrl("ws"), {
    opened: () => list.refresh(),
    reported: (camera, report) => wall.reported(camera, report),
    pictured: (camera, frame, drawn) => wall.pictured(camera, frame, drawn),
    complained: (texts) => {
        complaints = texts;
        complain();
        list.refresh();
    },
    refused: (text) => {
        notices.remark(t("notice.agent", { text }));
        list.refresh();
    },
});

const list = new CameraList({
    told: (walls) => {
        settings.told(walls);
        return settings.cameras;
    },
    listed: (texts) => {
        complaints = texts;
        newerPage.heard(list.version);
        apply();
        complain();
        wall.arrange();
    },
});

const wall = new CameraWall(element("wall"), socket, list, () => draw());

const actions = {
    layout: (layout) => {
        if (wall.allows(layout)) choose({ layout });
        else notices.remark(t("notice.mjpegPanels"));
        wall.shrink();
    },
    layouts: () => chooser.toggle(draw),
    rotate: () => choose({ rotate: settings.rotate > 0 ? 0 : settings.rotation }),
    rotateEvery: (seconds) => choose({ rotate: seconds }),
    life: (shown) => choose({ life: shown }),
    transport: () => choose({ transport: wall.transport === "socket" ? "mjpeg" : "socket" }),
    chooseTransport: (transport) => choose({ transport }),
    move: (key) => wall.move(key),
    previousPage: () => wall.turn(-1),
    nextPage: () => wall.turn(1),
    enlarge: () => wall.enlargeFocused(),
    back: () => {
        if (!wall.shrink() && information.open) actions.information();
    },
    information: () => {
        information.toggle();
        askList();
    },
    snapshot: () => snapshot(),
    fullScreen: () => toggleFullScreen(),
    help: () => toggleHelp(),
};

const toolbar = new Toolbar(element("tools"), wall, socket, actions);
const information = new Information(element("info"), list, wall, actions);
const chooser = new LayoutChooser(element("layouts"), actions);
for (const button of document.querySelectorAll("dialog button.dismiss")) {
    button.onclick = () => button.closest("dialog").close();
}
listen(actions);

function choose(choice) {
    settings.choose(choice);
    apply();
}

/** Puts the settings into force. */
function apply() {
    speak();
    rotation.every = settings.rotate;
    element("wall").toggleAttribute("life", settings.life);
    if (settings.transport !== applied.transport) {
        applied.transport = settings.transport;
        wall.chooseTransport(settings.transport);
        askList();
    }
    if (settings.layout !== applied.layout) {
        applied.layout = settings.layout;
        wall.chooseLayout(settings.layout);
    }
    wall.judge();
}

function askList() {
    if (information.open) list.ask(LIST_EVERY_READ);
    else list.ask(settings.transport === "mjpeg" ? LIST_EVERY_MOTION_JPEG : LIST_EVERY);
}

async function snapshot() {
    const camera = list.cameras.find(({ id }) => id === wall.chosen);
    if (camera === undefined) return;
    try {
        notices.remark(t("snapshot.saved", { file: await saveSnapshot(camera.id) }));
    } catch (error) {
        const { name } = camera;
        if (error instanceof NotLive) notices.remark(t("snapshot.notLive", { name, state: t(`state.${error.state}`) }));
        else notices.remark(t("snapshot.failed", { name }));
    }
}

function speak() {
    const language = pickLanguage(settings.languages);
    if (language === applied.language) return;
    applied.language = language;
    chooseLanguage(language);
    translate(document);
    document.title = t("page.title");
}

function complain() {
    const own = [];
    if (settings.unknown) own.push(t("notice.unknownWall", { wall: settings.name }));
    if (list.missing.length > 0) own.push(t("notice.missing", { cameras: list.missing.join(", ") }));
    notices.complain([...complaints, ...own]);
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
    toolbar.draw(rotation.every);
    toolbar.press("information", information.open);
    information.draw(performance.now());
    const { layout, transport, shape } = wall;
    chooser.draw({ layout, transport, shape, rotate: settings.rotate, life: settings.life, language: spoken() });
    const held = document.hidden || wall.enlarged !== null || wall.pages === 1 || information.open || document.querySelector("dialog[open]") !== null;
    if (rotation.due(performance.now(), held)) wall.turn(1);
    const none = list.cameras.length === 0;
    element("nothing").hidden = !none;
    element("wall").hidden = none;
    if (none) {
        const [headline, how] = nothingToShow();
        element("nothing-headline").textContent = headline;
        element("nothing-how").textContent = how;
    }
}

/** Why there is no camera on the screen: headline and what to do. */
function nothingToShow() {
    if (!(wall.agentSilent() < SILENT_AFTER)) return [t("summary.silent"), t("reason.silent")];
    if (list.heardAt === null) return [t("page.waiting"), ""];
    return [t("page.noCameras"), t("page.noCamerasHow")];
}

document.addEventListener("visibilitychange", () => {
    wall.request();
    wall.judge();
    if (!document.hidden) {
        socket.hurry();
        list.refresh();
    }
});

let idle = 0;
function awake(event) {
    document.documentElement.removeAttribute("idle");
    clearTimeout(idle);
    idle = setTimeout(() => document.documentElement.setAttribute("idle", ""), IDLE_AFTER);
    if (event?.type !== "pointermove") rotation.rest(performance.now());
}
for (const event of ["pointermove", "pointerdown", "keydown"]) document.addEventListener(event, awake);
awake();

// ?video=off: JPEG only, for a terminal whose decoder is worse than none.
if (new URLSearchParams(location.search).get("video") !== "off") wall.formats = await showableFormats();
apply();
console.info(`wall: ${SUBPROTOCOL} at ${location.host}`);
