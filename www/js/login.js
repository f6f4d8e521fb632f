// Entry point of the login page. It logs in with a name and a password, or once with the token in the
// fragment of its address, and goes on to the page that was asked for.
//
// The login is in a header, and the answer sets a cookie that no script can read. Nothing is stored here.

import { agentUrl } from "./agent-url.js";
import { chooseLanguage, duration, pickLanguage, t, translate } from "./language.js";
import { Settings } from "./settings.js";
import "./login-texts.js";

/** In milliseconds; a password takes the agent up to a second, and it checks one after the other. */
const REQUEST_TIMEOUT = 20_000;
/** Pause after an answer that does not tell one, in milliseconds. */
const PAUSE = 5000;
const TICK = 250;

/** The page to go to. */
const target = targetOf(new URLSearchParams(location.search).get("to"));
/** The token of the address, until the agent refuses it. */
let token = takeToken();
const form = slot("form");
const { name, password } = form.elements;
/** What the message says; called again while time passes. @type {() => string} */
let message = () => "";
/** Page time of the next attempt that this page makes by itself; null: none. @type {number | null} */
let retryAt = null;
/** Page time until which the agent takes no login from here. */
let closedUntil = 0;
let isTrying = false;

/**
 * The page that was asked for, if it is one of this agent; else its wall. Another origin, or another
 * service below another path of this one, is never gone to.
 * @param {string | null} asked relative to the agent's root
 */
function targetOf(asked) {
    const root = agentUrl("");
    try {
        const url = new URL(asked ?? "", root);
        return url.href.startsWith(root) && url.origin === location.origin ? url : new URL(root);
    } catch {
        return new URL(root);
    }
}

/** Takes the token out of the address of the page, where it could be read or sent on by hand. */
function takeToken() {
    const value = new URLSearchParams(location.hash.slice(1)).get("token");
    if (location.hash !== "") history.replaceState(null, "", location.pathname + location.search);
    return value;
}

/** The value of `Authorization`. */
function authorization() {
    if (token !== null) return `Bearer ${token}`;
    const bytes = new TextEncoder().encode(`${name.value}:${password.value}`);
    return `Basic ${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}`;
}

async function logIn() {
    if (isTrying || performance.now() < closedUntil) return;
    isTrying = true;
    retryAt = null;
    say(() => t("login.trying"), false);
    try {
        await onAnswer(await fetch(agentUrl("login"), {
            method: "POST",
            headers: { Authorization: authorization() },
            cache: "no-store",
            signal: AbortSignal.timeout(REQUEST_TIMEOUT),
        }));
    } catch (error) {
        console.warn("login:", error);
        retry("login.silent", PAUSE);
    } finally {
        isTrying = false;
        draw();
    }
}

/** @param {Response} answer */
async function onAnswer(answer) {
    const seconds = Number(answer.headers.get("Retry-After"));
    const pause = seconds > 0 ? seconds * 1000 : PAUSE;
    if (answer.ok) {
        // A browser that refuses the cookie would come back here for ever.
        const { status } = await fetch(agentUrl("api/cameras"), { cache: "no-store", signal: AbortSignal.timeout(REQUEST_TIMEOUT) });
        if (status === 401) say(() => t("login.notStored"), true);
        else location.replace(target.href);
    } else if (answer.status === 401) {
        const key = token === null ? "login.wrong" : "login.wrongToken";
        say(() => t(key), true);
        if (token === null) password.select();
        token = null;
        form.hidden = false;
    } else if (answer.status === 429) {
        closedUntil = performance.now() + pause;
        if (token === null) say(() => (performance.now() < closedUntil ? t("login.wait", { time: left(closedUntil) }) : ""), true);
        else retry("login.wait", pause);
    } else if (answer.status === 503) {
        retry("login.busy", pause);
    } else if (answer.status === 403) {
        say(() => t("login.needsHttps"), true);
    } else {
        say(() => t("login.failed", { status: answer.status }), true);
    }
}

/** Tries again by itself after `pause` milliseconds. @param {string} key @param {number} pause */
function retry(key, pause) {
    const at = performance.now() + pause;
    retryAt = at;
    say(() => t(key, { time: left(at) }), true);
}

/** @param {number} at page time */
const left = (at) => duration(Math.max(0, at - performance.now()) + 999);

/** @param {() => string} text @param {boolean} isWrong */
function say(text, isWrong) {
    message = text;
    slot("message").toggleAttribute("wrong", isWrong);
    draw();
}

function draw() {
    const text = message();
    const element = slot("message");
    if (element.textContent !== text) element.textContent = text;
    if (text === "") element.removeAttribute("wrong");
    slot("submit").disabled = isTrying || performance.now() < closedUntil;
}

/** Arrow keys move between the fields, for remote controls without a Tab key. @param {KeyboardEvent} event */
function onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    const fields = [...form.elements].filter((field) => !field.disabled);
    const at = fields.findIndex((field) => field === document.activeElement);
    fields[Math.min(Math.max(at + step, 0), fields.length - 1)]?.focus();
    event.preventDefault();
}

/** @returns {any} an element of the page's own HTML */
function slot(key) {
    return document.querySelector(`[data-slot="${key}"]`);
}

form.addEventListener("submit", (event) => {
    event.preventDefault();
    void logIn();
});
form.addEventListener("keydown", onKey);
slot("reveal").addEventListener("click", (event) => {
    const isShown = password.type === "password";
    password.type = isShown ? "text" : "password";
    event.target.setAttribute("aria-pressed", String(isShown));
});

const language = pickLanguage(new Settings(target.search).languages);
if (!(await chooseLanguage(language))) await chooseLanguage("en");
translate(document);
document.title = t("login.title");
form.hidden = token !== null;
setInterval(() => {
    if (retryAt !== null && performance.now() >= retryAt) void logIn();
    draw();
}, TICK);
if (token !== null) void logIn();
else if (!isSecureContext) say(() => t("login.needsHttps"), true);
