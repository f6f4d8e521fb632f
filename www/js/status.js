// The status page: every camera of the agent in a table that refreshes itself. It is as honest as the
// wall: ages grow between two answers, and without answers the whole table says that it is old.
//
// Rows and cells stay the same elements and change their text only, so that neither a reader's place
// nor a selection is lost.

import { CameraList } from "./camera-list.js";
import { chooseLanguage, duration, pickLanguage, t, translate } from "./language.js";
import { judge, SILENT_AFTER } from "./liveness.js";
import { explain } from "./reasons.js";
import { Settings } from "./settings.js";
import "./status-words.js";

const LIST_EVERY = 1000;
const DRAW_EVERY = 500;
/** A dash, for what is not known. */
const NOTHING = "–";

const settings = new Settings(location.search);
const began = performance.now();
let language = null;
let complaints = [];
/** @type {Map<string, HTMLTableRowElement>} */
const rows = new Map();
/** When each camera's reason was told first. @type {Map<string, {why: string, since: number}>} */
const whys = new Map();

const list = new CameraList({
    told: (walls) => {
        settings.told(walls);
        return null;
    },
    listed: (texts) => {
        complaints = texts;
        speak();
        draw();
    },
});

function speak() {
    const picked = pickLanguage(settings.languages);
    if (picked === language) return;
    language = picked;
    chooseLanguage(picked);
    translate(document);
    document.title = t("status.title");
    slot("wall").href = `./${location.search}`;
}

function draw() {
    const now = performance.now();
    const silent = now - (list.heardAt ?? began);
    const gone = !(silent < SILENT_AFTER);
    document.body.toggleAttribute("silent", gone);
    const states = list.cameras.map((camera) => drawRow(camera, gone, now));
    const order = list.cameras.map(({ id }) => rows.get(id));
    const body = document.querySelector("tbody");
    if (order.length !== body.children.length || order.some((row, i) => row !== body.children[i])) body.replaceChildren(...order);
    for (const id of rows.keys()) if (!list.cameras.some((camera) => camera.id === id)) rows.delete(id);

    const live = states.filter((state) => state === "live").length;
    const summary = list.heardAt === null ? t("page.waiting") : t("summary.live", { live, all: states.length });
    say(slot("summary"), gone ? t("summary.silent") : summary);
    document.body.toggleAttribute("alarmed", gone || live < states.length);
    say(slot("agent"), gone ? t("status.silent", { time: duration(silent) }) : agent());
    say(slot("none"), list.heardAt !== null && states.length === 0 ? `${t("page.noCameras")}. ${t("page.noCamerasHow")}` : "");
    drawComplaints();
}

function agent() {
    if (list.version === "" || list.uptime === null) return "";
    return t("status.agent", { version: list.version, uptime: duration(list.uptime * 1000), viewers: list.viewers ?? NOTHING });
}

/** Returns the verdict shown. */
function drawRow(camera, gone, now) {
    let row = rows.get(camera.id);
    if (row === undefined) {
        row = makeRow(camera.id);
        rows.set(camera.id, row);
    }
    const ago = now - list.heardAt;
    const age = camera.age === null ? null : camera.age * 1000 + ago;
    const verdict = judge({ agentSilent: gone ? Infinity : 0, state: camera.state, age, fps: camera.fps });
    row.dataset.verdict = verdict;
    if (whys.get(camera.id)?.why !== camera.why) whys.set(camera.id, { why: camera.why, since: now });
    const { reason, doing } = explain(verdict === camera.state ? camera.why : "", whys.get(camera.id).since, now);
    const why = verdict === "live" ? "" : [reason || t(`reason.${verdict}`), doing].filter((text) => text !== "").join(" · ");
    const { worker } = camera;
    const [name, state, ...rest] = row.cells;
    say(name.firstChild, camera.name);
    say(state.firstChild, t(`state.${verdict}`));
    say(state.lastChild, why);
    const texts = [
        age === null ? NOTHING : age < 60_000 ? `${(age / 1000).toFixed(1)} s` : duration(age),
        camera.codec ?? NOTHING,
        camera.size?.join("×") ?? NOTHING,
        camera.fps?.toFixed(1) ?? NOTHING,
        camera.bitrate === null ? NOTHING : (camera.bitrate / 1e6).toFixed(2),
        camera.viewers ?? NOTHING,
        camera.reconnects ?? NOTHING,
        camera.stalls ?? NOTHING,
        worker?.share == null ? NOTHING : `${Math.round(worker.share * 100)} %`,
        worker?.memory == null ? NOTHING : `${Math.round(worker.memory / (1 << 20))} MiB`,
    ];
    rest.forEach((cell, i) => say(cell, String(texts[i])));
    return verdict;
}

function makeRow(id) {
    const row = document.createElement("tr");
    row.dataset.camera = id;
    const name = document.createElement("th");
    name.scope = "row";
    const link = document.createElement("a");
    const address = new URLSearchParams(location.search);
    address.set("cameras", id);
    link.href = `./?${address}`;
    name.append(link);
    const state = document.createElement("td");
    state.append(document.createElement("strong"), document.createElement("small"));
    row.append(name, state);
    const heads = document.querySelectorAll("thead th");
    for (let i = 2; i < heads.length; i += 1) row.insertCell().className = heads[i].className;
    return row;
}

function drawComplaints() {
    const root = document.getElementById("complaints");
    root.hidden = complaints.length === 0;
    if (root.dataset.texts === complaints.join("\n")) return;
    root.dataset.texts = complaints.join("\n");
    root.replaceChildren(...complaints.map((text) => {
        const item = document.createElement("li");
        item.textContent = text;
        return item;
    }));
}

function slot(name) {
    return document.querySelector(`[data-slot="${name}"]`);
}

function say(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

document.addEventListener("visibilitychange", () => list.refresh());
speak();
list.ask(LIST_EVERY);
setInterval(draw, DRAW_EVERY);
