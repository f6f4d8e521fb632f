// The page's texts in English. `texts/` has a table with the same keys for each other language, loaded when
// that language is chosen; until then the texts are English.

export const ENGLISH = {
    "page.title": "Camera wall",
    "page.noCameras": "No cameras yet",
    "page.noCamerasHow": "Add them to cameras.toml and reload the agent.",
    "page.waiting": "Asking the agent for its cameras",
    "wall.label": "Camera pictures",
    "tools.label": "Wall controls",
    "tools.previous": "Previous page (Page Up)",
    "tools.next": "Next page (Page Down)",
    "tools.fullScreen": "Full screen (F)",
    "tools.help": "Help (?)",
    "tools.back": "All cameras (Esc)",
    "tools.page": "{page} / {pages}",
    "tools.info": "Information on the camera (I)",
    "tools.status": "All cameras as a table",
    "summary.silent": "Agent does not answer",
    "summary.live": "{live} of {all} live",
    "tools.rotating": "Stop turning pages (R)",
    "tools.still": "Turn pages automatically (R)",
    "layout.title": "Layout",
    "layout.auto": "Auto",
    "layout.drawn": "Own",
    "layout.shown": "{layout} – Layout (L)",
    "rotate.label": "Turn pages",
    "rotate.never": "never",
    "rotate.every": "every {seconds} s",
    "activity.label": "Moving mark on live pictures",
    "transport.label": "Transport",
    "retry.in": "Next attempt in {time}",
    "retry.now": "Trying now",
    "retry.attempt": " (no. {attempt})",
    "retry.reload": ", or after a reload",
    "notice.mjpegPanels": "Motion JPEG shows at most four panels. Press M for the WebSocket.",
    "notice.missing": "Not in cameras.toml: {cameras}",
    "notice.root": "The agent runs as root. Start it with --user cctv-agent.",
    "notice.unknownWall": "cameras.toml has no wall named {wall}; this is the one without a name.",
    "help.panels": "Layout by its number of panels: {numbers}; 0: automatic",
    "help.layouts": "Choose a layout",
    "help.rotate": "Turn pages automatically, or stop",
    "help.enlarge": "Enlarge one camera, and back (or double click, or tap)",
    "state.live": "Live",
    "state.connecting": "Connecting",
    "state.stalled": "Stalled",
    "state.offline": "Offline",
    "state.denied": "Login refused",
    "state.stale": "No new picture",
    "state.silent": "Agent does not answer",
    "state.resting": "Not open",
    "banner.notLive": "NOT LIVE",
    "banner.connecting": "CONNECTING",
    "banner.damaged": "picture damaged",
    "banner.summary": "{problem}, {age}",
    "problem.connecting": "Connecting",
    "problem.stalled": "Camera stalled",
    "problem.offline": "Camera offline",
    "problem.denied": "Login refused",
    "problem.stale": "No new picture",
    "problem.silent": "Agent does not answer",
    "reason.connecting": "Waiting for the first picture.",
    "reason.stalled": "The camera stopped sending. The agent is reconnecting.",
    "reason.offline": "The camera cannot be reached. The agent keeps trying.",
    "reason.denied": "The camera refused the login. Check user name and password.",
    "reason.stale": "No new pictures of this camera arrive.",
    "reason.silent": "This page keeps trying to reach it.",
    "age.none": "no picture yet",
    "age.last": "last picture {age} ago",
    "age.old": "{age} old",
    "age.seconds": "{s} s",
    "age.minutes": "{m} min {s} s",
    "age.hours": "{h} h {m} min",
    "age.days": "{d} d {h} h",
    "facts.fps": "{fps} fps",
    "facts.asJpeg": "{codec} as JPEG",
    "facts.undecodable": "JPEG, as this browser cannot decode its {codec}",
    "tile.picture": "Picture of {name}",
    "transport.socket": "WebSocket",
    "transport.mjpeg": "Motion JPEG",
    "view.foreign": "{agent} does not answer this page; pages of other origins must be listed in embed in its cameras.toml",
    "notice.dismiss": "Dismiss",
    "notice.agent": "The agent says: {text}",
    "help.title": "Keys",
    "help.close": "Close",
    "help.arrows": "Move between cameras, and pages at the edge",
    "help.pages": "Previous, next page",
    "help.zoom": "Enlarge a part (or wheel, or two fingers); arrows move it",
    "help.escape": "Back to all cameras",
    "help.fullScreen": "Full screen",
    "help.transport": "WebSocket or Motion JPEG",
    "help.info": "Information on the camera",
    "help.snapshot": "Save the picture as a file",
    "help.lookBack": "Look back 30 seconds",
    "help.help": "This help",
    "help.truth": "Only a bright picture is live. A grey picture under a banner is old; the banner says how old it is and why.",
    "key.enter": "Enter",
    "key.escape": "Esc",
    "key.pageUp": "Page Up",
    "key.pageDown": "Page Down",
};

/** Texts by language; those of the page's own table are missing until it is loaded. @type {Record<string, Record<string, string>>} */
const tables = { en: ENGLISH, "zh-TW": {} };
/** @type {Map<string, Promise<boolean>>} */
const loading = new Map();
let language = "en";

/** Adds the table of a language; returns whether it is there. A failure is tried again. @param {string} wanted @returns {Promise<boolean>} */
function load(wanted) {
    if (wanted === "en") return Promise.resolve(true);
    const loaded = loading.get(wanted) ?? fetch(new URL(`../texts/${wanted}.json`, import.meta.url))
        .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`status ${response.status}`))))
        .then((table) => Object.assign(tables[wanted], table) && true)
        .catch((error) => {
            console.warn(`texts in ${wanted}:`, error);
            loading.delete(wanted);
            return false;
        });
    loading.set(wanted, loaded);
    return loaded;
}

/** The language the page uses now. */
export function currentLanguage() {
    return language;
}

/**
 * The first of the preferred languages (BCP 47 tags, best first) that this page has, else English. All
 * kinds of Chinese get Traditional Chinese: their readers understand it better than English.
 * @param {readonly string[]} preferred
 * @returns {"en" | "zh-TW"}
 */
export function pickLanguage(preferred) {
    for (const tag of preferred) {
        const primary = String(tag).toLowerCase().split(/[-_]/)[0];
        if (primary === "zh") return "zh-TW";
        if (primary === "en") return "en";
    }
    return "en";
}

/**
 * Sets the language of all texts from now on. Returns whether they are there; English ones are at once.
 * @param {"en" | "zh-TW"} chosen
 * @param {HTMLElement | null} root gets the `lang` attribute
 */
export function chooseLanguage(chosen, root = document.documentElement) {
    language = chosen;
    if (root !== null) root.lang = chosen;
    return load(chosen);
}

/** Adds texts that only one page needs. @param {Record<"en" | "zh-TW", Record<string, string>>} more */
export function addTexts(more) {
    for (const [to, texts] of Object.entries(more)) Object.assign(tables[to], texts);
}

/**
 * The text of `key`, with `{name}` replaced by `values.name`.
 * @param {string} key
 * @param {Record<string, unknown>} values
 */
export function t(key, values = {}) {
    const text = tables[language][key] ?? ENGLISH[key];
    if (text === undefined) {
        console.warn(`no text for ${key}`);
        return key;
    }
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** A duration as text, rounded down so that nothing looks older than it is. @param {number} milliseconds */
export function duration(milliseconds) {
    const seconds = Math.floor(milliseconds / 1000);
    const [s, m, h, d] = [seconds % 60, Math.floor(seconds / 60) % 60, Math.floor(seconds / 3600) % 24, Math.floor(seconds / 86400)];
    if (d > 0) return t("age.days", { d, h });
    if (h > 0) return t("age.hours", { h, m });
    if (m > 0) return t("age.minutes", { m, s });
    return t("age.seconds", { s });
}

/** Fills in `data-text` (content) and `data-label` (accessible name and tooltip) below `root`. @param {ParentNode} root */
export function translate(root) {
    /** @type {(selector: string) => NodeListOf<HTMLElement>} */
    const all = (selector) => root.querySelectorAll(selector);
    for (const element of all("[data-text]")) element.textContent = t(element.dataset.text ?? "", { ...element.dataset });
    for (const element of all("[data-label]")) {
        const label = t(element.dataset.label ?? "");
        element.setAttribute("aria-label", label);
        if (element.matches("button, a")) element.title = label;
    }
}
