// The strip of things a person should know: complaints about cameras.toml, and short remarks.

import { t } from "./language.js";

/** A remark goes by itself after this many milliseconds; complaints stay until they are dealt with. */
const REMARK_FOR = 10_000;
/** More complaints than this are counted, not listed. */
const LISTED = 4;

export class Notices {
    #root;
    #complaints = [];
    #dismissed = "";
    #remark = "";
    #timer = 0;

    /** @param {HTMLElement} root */
    constructor(root) {
        this.#root = root;
    }

    /** Replaces the complaints; those dismissed stay so until they change. @param {string[]} texts */
    complain(texts) {
        if (texts.join("\n") === this.#complaints.join("\n")) return;
        this.#complaints = texts;
        this.#dismissed = "";
        this.#draw();
    }

    /** Shows `text` for a while. */
    remark(text) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.remark(""), REMARK_FOR);
        if (text === "") clearTimeout(this.#timer);
        if (text === this.#remark) return;
        this.#remark = text;
        this.#draw();
    }

    #draw() {
        const rows = [];
        if (this.#remark !== "") rows.push(row([this.#remark], "remark", () => this.remark("")));
        const all = this.#complaints.join("\n");
        if (all !== "" && all !== this.#dismissed) {
            const rest = this.#complaints.length - LISTED;
            const texts = this.#complaints.slice(0, LISTED);
            if (rest > 0) texts.push(`+ ${rest}`);
            rows.push(row(texts, "complaint", () => {
                this.#dismissed = all;
                this.#draw();
            }));
        }
        this.#root.replaceChildren(...rows);
        this.#root.hidden = rows.length === 0;
    }
}

function row(texts, kind, dismiss) {
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
    button.onclick = dismiss;
    const element = document.createElement("div");
    element.className = kind;
    element.append(list, button);
    return element;
}
