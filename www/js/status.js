// The status page: a table of all cameras that refreshes itself. It is as honest as the wall: ages grow
// between two answers, and without answers the whole table says that it is old.
//
// Rows and cells stay the same elements and only their text changes, so that the reader's position and
// selection survive.

import { CameraList } from "./camera-list.js";
import { chooseLanguage, duration, pickLanguage, t, translate } from "./language.js";
import { SILENT_AFTER, verdictOf } from "./liveness.js";
import { NO_REASON, ReasonTimes, explain } from "./reason-text.js";
import { Settings } from "./settings.js";
import "./status-texts.js";

/** @import { CameraFacts } from "./types" */

const LIST_INTERVAL = 1000;
const DRAW_INTERVAL = 500;
const UNKNOWN = "–";

const settings = new Settings(location.search);
const startedAt = performance.now();
let language = "";
/** @type {string[]} */
let configErrors = [];
/** @type {Map<string, HTMLTableRowElement>} */
const rows = new Map();
const reasonTimes = new ReasonTimes();

const list = new CameraList({
    onWalls: (walls) => {
        settings.setWalls(walls);
        return null;
    },
    onList: (errors) => {
        configErrors = errors;
        void applyLanguage();
        draw();
    },
});

async function applyLanguage() {
    const picked = pickLanguage(settings.languages);
    if (picked === language) return;
    language = picked;
    if (!(await chooseLanguage(picked))) language = "";
    translate(document);
    document.title = t("status.title");
    slot("wall").href = `./${location.search}`;
}

function draw() {
    const now = performance.now();
    const silence = now - (list.answeredAt ?? startedAt);
    const isSilent = !(silence < SILENT_AFTER);
    document.body.toggleAttribute("silent", isSilent);
    const drawn = list.cameras.map((camera) => drawRow(camera, silence, now));
    const order = drawn.map(({ row }) => row);
    const body = slot("rows");
    if (order.length !== body.children.length || order.some((row, i) => row !== body.children[i])) body.replaceChildren(...order);
    for (const id of rows.keys()) if (!list.cameras.some((camera) => camera.id === id)) rows.delete(id);

    const live = drawn.filter(({ verdict }) => verdict === "live").length;
    const summary = list.answeredAt === null ? t("page.waiting") : t("summary.live", { live, all: drawn.length });
    setText(slot("summary"), isSilent ? t("summary.silent") : summary);
    document.body.toggleAttribute("alarmed", isSilent || live < drawn.length);
    setText(slot("agent"), isSilent ? t("status.silent", { time: duration(silence) }) : agentText());
    setText(slot("none"), list.answeredAt !== null && drawn.length === 0 ? `${t("page.noCameras")}. ${t("page.noCamerasHow")}` : "");
    drawErrors();
}

function agentText() {
    if (list.version === "" || list.uptime === null) return "";
    const texts = [t("status.agent", { version: list.version, uptime: duration(list.uptime * 1000), viewers: list.viewers ?? UNKNOWN })];
    if (list.fingerprint !== "") texts.push(t("status.certificate", { fingerprint: list.fingerprint }));
    return texts.join(" · ");
}

/** @param {CameraFacts} camera @param {number} silence of the agent, in milliseconds @param {number} now */
function drawRow(camera, silence, now) {
    let row = rows.get(camera.id);
    if (row === undefined) {
        row = createRow(camera.id);
        rows.set(camera.id, row);
    }
    const age = camera.age === null ? null : camera.age * 1000 + (now - (list.answeredAt ?? now));
    const verdict = verdictOf({ silence, state: camera.state, age, fps: camera.fps });
    row.dataset.verdict = verdict;
    const since = reasonTimes.since(camera.id, camera.why, now);
    const { reason, nextStep } = explain(verdict === camera.state ? camera : NO_REASON, since, now);
    const details = verdict === "live" ? "" : [reason || t(`reason.${verdict}`), nextStep].filter((text) => text !== "").join(" · ");
    const { worker } = camera;
    const [name, state, ...rest] = row.cells;
    setText(name.firstChild, camera.name);
    setText(state.firstChild, t(`state.${verdict}`));
    setText(state.lastChild, details);
    const texts = [
        age === null ? UNKNOWN : age < 60_000 ? `${(age / 1000).toFixed(1)} s` : duration(age),
        camera.codec ?? UNKNOWN,
        camera.size?.join("×") ?? UNKNOWN,
        camera.fps?.toFixed(1) ?? UNKNOWN,
        camera.bitrate === null ? UNKNOWN : (camera.bitrate / 1e6).toFixed(2),
        camera.viewers ?? UNKNOWN,
        camera.reconnects ?? UNKNOWN,
        camera.stalls ?? UNKNOWN,
        worker?.cpu == null ? UNKNOWN : `${Math.round(worker.cpu * 100)} %`,
        worker?.memory == null ? UNKNOWN : `${Math.round(worker.memory / (1 << 20))} MiB`,
    ];
    rest.forEach((cell, i) => setText(cell, String(texts[i])));
    return { row, verdict };
}

/** @param {string} id */
function createRow(id) {
    const row = document.createElement("tr");
    row.dataset.camera = id;
    const name = document.createElement("th");
    name.scope = "row";
    const link = document.createElement("a");
    const query = new URLSearchParams(location.search);
    query.set("cameras", id);
    link.href = `./?${query}`;
    name.append(link);
    const state = document.createElement("td");
    state.append(document.createElement("strong"), document.createElement("small"));
    row.append(name, state);
    const heads = document.querySelectorAll("thead th");
    for (let i = 2; i < heads.length; i += 1) row.insertCell().className = heads[i].className;
    return row;
}

function drawErrors() {
    const root = slot("config-errors");
    const errors = list.runsAsRoot ? [...configErrors, t("notice.root")] : configErrors;
    root.hidden = errors.length === 0;
    if (root.dataset.texts === errors.join("\n")) return;
    root.dataset.texts = errors.join("\n");
    root.replaceChildren(...errors.map((text) => {
        const item = document.createElement("li");
        item.textContent = text;
        return item;
    }));
}

/** @returns {any} an element of the page's own HTML */
function slot(name) {
    return document.querySelector(`[data-slot="${name}"]`);
}

function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

document.addEventListener("visibilitychange", () => list.refresh());
await applyLanguage();
list.poll(LIST_INTERVAL);
setInterval(draw, DRAW_INTERVAL);
