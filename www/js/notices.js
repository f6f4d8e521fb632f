// The strip above the wall: errors in cameras.toml, and short messages.

import { t } from "./language.js";

/** A message disappears after this many milliseconds; errors stay until they are dismissed. */
const MESSAGE_TIMEOUT = 10_000;
/** Further errors are counted, not listed. */
const MAX_LISTED = 4;

export class Notices {
    #root;
    /** @type {string[]} */
    #errors = [];
    #dismissed = "";
    #message = "";
    #timer = 0;

    /** @param {HTMLElement} root */
    constructor(root) {
        this.#root = root;
    }

    /** Replaces the errors; dismissed ones stay hidden until the list changes. @param {string[]} texts */
    setErrors(texts) {
        if (texts.join("\n") === this.#errors.join("\n")) return;
        this.#errors = texts;
        this.#dismissed = "";
        this.#draw();
    }

    /** Shows `text` for a while. @param {string} text */
    showMessage(text) {
        clearTimeout(this.#timer);
        this.#timer = window.setTimeout(() => this.showMessage(""), MESSAGE_TIMEOUT);
        if (text === "") clearTimeout(this.#timer);
        if (text === this.#message) return;
        this.#message = text;
        this.#draw();
    }

    #draw() {
        const rows = [];
        if (this.#message !== "") rows.push(createRow([this.#message], "message", () => this.showMessage("")));
        const all = this.#errors.join("\n");
        if (all !== "" && all !== this.#dismissed) {
            const more = this.#errors.length - MAX_LISTED;
            const texts = this.#errors.slice(0, MAX_LISTED);
            if (more > 0) texts.push(`+ ${more}`);
            rows.push(createRow(texts, "config-error", () => {
                this.#dismissed = all;
                this.#draw();
            }));
        }
        this.#root.replaceChildren(...rows);
        this.#root.hidden = rows.length === 0;
    }
}

/** @param {string[]} texts @param {string} className @param {() => void} onDismiss */
function createRow(texts, className, onDismiss) {
    const list = document.createElement("ul");
    for (const text of texts) {
        const item = document.createElement("li");
        item.textContent = text;
        list.append(item);
    }
    const button = document.createElement("button");
    button.className = "dismiss";
    button.setAttribute("aria-label", t("notice.dismiss"));
    button.title = t("notice.dismiss");
    button.onclick = onDismiss;
    const element = document.createElement("div");
    element.className = className;
    element.append(list, button);
    return element;
}
