// Puts the page together: language, settings, the agent's two voices, the wall and its controls.

import { CameraList } from "./camera-list.js";
import { listen } from "./keys.js";
import { chooseLanguage, pickLanguage, t, translate } from "./language.js";
import { SILENT_AFTER } from "./liveness.js";
import { Notices } from "./notices.js";
import { readSettings, remember } from "./settings.js";
import { Toolbar } from "./toolbar.js";
import { CameraWall } from "./wall.js";
import { SUBPROTOCOL, WallSocket } from "./wall-socket.js";

/** The list of cameras is asked for again this often, in milliseconds. */
const LIST_EVERY = 5000;
/** In Motion JPEG it is the only voice of the agent. */
const LIST_EVERY_MOTION_JPEG = 1000;
/** Without a mouse, in full screen, the bar goes after this many milliseconds. */
const IDLE_AFTER = 4000;

const settings = readSettings();
chooseLanguage(pickLanguage(settings.language === null ? navigator.languages : [settings.language]));
translate(document);
document.title = t("page.title");

const element = (id) => document.getElementById(id);
const notices = new Notices(element("notices"));

const socket = new WallSocket(`${location.origin.replace(/^http/, "ws")}/ws`, {
    opened: () => list.refresh(),
    reported: (camera, report) => wall.reported(camera, report),
    pictured: (camera, frame, drawn) => wall.pictured(camera, frame, drawn),
    complained: (texts) => {
        notices.complain(texts);
        list.refresh();
    },
    refused: (text) => {
        notices.remark(t("notice.agent", { text }));
        list.refresh();
    },
});

const list = new CameraList({
    only: settings.cameras,
    listed: (complaints) => {
        notices.complain(complaints);
        wall.arrange();
    },
});

const wall = new CameraWall(element("wall"), socket, list, () => draw());

const actions = {
    one: () => choosePanels(1),
    four: () => choosePanels(4),
    nine: () => choosePanels(9),
    sixteen: () => choosePanels(16),
    move: (key) => wall.move(key),
    previousPage: () => wall.turn(-1),
    nextPage: () => wall.turn(1),
    enlarge: () => wall.enlargeFocused(),
    back: () => wall.shrink(),
    fullScreen: () => toggleFullScreen(),
    transport: () => chooseTransport(wall.transport === "socket" ? "mjpeg" : "socket"),
    help: () => toggleHelp(),
    closeHelp: () => element("help").close(),
};

const toolbar = new Toolbar(element("tools"), wall, socket, actions);
element("help").querySelector("button").onclick = actions.closeHelp;
listen(actions);

function choosePanels(panels) {
    if (wall.choosePanels(panels)) remember({ panels });
    else notices.remark(t("notice.mjpegPanels"));
}

function chooseTransport(transport) {
    if (transport === "socket" && !("WebSocket" in window)) return;
    wall.chooseTransport(transport);
    list.ask(transport === "mjpeg" ? LIST_EVERY_MOTION_JPEG : LIST_EVERY);
    remember({ transport });
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
    toolbar.draw();
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
function awake() {
    document.documentElement.removeAttribute("idle");
    clearTimeout(idle);
    idle = setTimeout(() => document.documentElement.setAttribute("idle", ""), IDLE_AFTER);
}
for (const event of ["pointermove", "pointerdown", "keydown"]) document.addEventListener(event, awake);
awake();

if (settings.panels !== null) wall.choosePanels(settings.panels);
wall.chooseTransport(settings.transport);
list.ask(settings.transport === "mjpeg" ? LIST_EVERY_MOTION_JPEG : LIST_EVERY);
console.info(`wall: ${SUBPROTOCOL} at ${location.host}`);
