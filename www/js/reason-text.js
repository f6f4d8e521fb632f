// Turns the agent's reason why a camera is not live into the text shown to the person on site.
//
// The agent gives each part of a reason as a code with parameters, and in English. `reasons/` has a table of
// the texts for each other language, loaded when the first reason is shown in that language. Until then,
// and for a code that the table does not have, the English text is shown.

import { currentLanguage, duration, t } from "./language.js";

/** @import { AgentReason } from "./types" */

/** Time until a table that was not loaded is asked for again, in milliseconds. */
const RETRY_INTERVAL = 30_000;

/** Texts by code, by language; null while a table is loaded. @type {Map<string, Record<string, string> | null>} */
const tables = new Map([["en", {}]]);

/** Loads the texts of a language, once. @param {string} language */
export async function loadReasonTexts(language) {
    if (tables.has(language)) return;
    tables.set(language, null);
    try {
        const response = await fetch(new URL(`../reasons/${language}.json`, import.meta.url));
        if (!response.ok) throw new Error(`status ${response.status}`);
        tables.set(language, await response.json());
    } catch (error) {
        console.warn(`reasons in ${language}:`, error);
        setTimeout(() => tables.delete(language), RETRY_INTERVAL);
    }
}

/** @type {AgentReason} */
export const NO_REASON = Object.freeze({ why: "", reason: [] });

/** The reason in a message of the agent. @param {{why?: unknown, reason?: unknown} | undefined} message @returns {AgentReason} */
export function reasonIn(message) {
    if (typeof message?.why !== "string") return NO_REASON;
    const isPart = (part) => typeof part?.code === "string" && typeof part.text === "string" && typeof part.params === "object";
    return { why: message.why, reason: Array.isArray(message.reason) ? message.reason.filter(isPart) : [] };
}

/** What the mark of a live picture says: that it is damaged, late or rare; nothing if it needs none. @param {AgentReason} reason @returns {AgentReason} */
export function damageIn({ reason }) {
    const parts = reason.filter(({ code }) => ["picture_damaged", "in_pieces", "snapshots"].includes(code));
    return { why: parts.map(({ text }) => text).join(), reason: parts };
}

/**
 * @param {AgentReason} reason
 * @param {number} since page time at which the agent reported it
 * @param {number} now page time
 * @returns {{reason: string, nextStep: string}} the reason, and what the agent does next; either may be empty
 */
export function explain({ why, reason }, since, now) {
    if (reason.length === 0) return { reason: why, nextStep: "" };
    const language = currentLanguage();
    void loadReasonTexts(language);
    const table = tables.get(language) ?? {};
    const next = reason.find(({ code }) => code === "retry" || code === "retry_after_reload");
    const texts = reason.filter((part) => part !== next).map((part) => (part.code in table ? fill(table[part.code], part.params) : part.text));
    return { reason: joined(texts, language), nextStep: next === undefined ? "" : countdown(next.params, now - since) };
}

/** A colon at the end of a text introduces the next one. @param {string[]} texts @param {string} language */
function joined(texts, language) {
    const separator = language === "zh-TW" ? "；" : "; ";
    return texts.reduce((all, text) => all + (all.endsWith("：") ? "" : all.endsWith(":") ? " " : separator) + text);
}

/** @param {Record<string, any>} params of the part that announces the next attempt @param {number} passed milliseconds since */
function countdown({ seconds, minutes, attempt }, passed) {
    const left = (minutes === undefined ? seconds : minutes * 60) * 1000 - passed;
    // After the countdown the attempt runs for an unknown time; the agent reports its end.
    const when = left > 0 ? t("retry.in", { time: duration(Math.ceil(left / 1000) * 1000) }) : t("retry.now");
    const number = attempt === undefined ? "" : t("retry.attempt", { attempt });
    return `${when}${number}${minutes === undefined ? "" : t("retry.reload")}`;
}

/**
 * Fills in `{name}`, or `{name:.1}` for a number with one decimal. A part in square brackets that holds a
 * placeholder is left out if there is no value.
 * @param {string} template
 * @param {Record<string, string | number>} params
 */
export function fill(template, params) {
    const placeholder = /\{(\w+)(?::\.(\d))?\}/g;
    return template.replace(/\[([^\]]*\{[^\]]*)\]/g, (_, part) => ([...part.matchAll(placeholder)].every(([, name]) => name in params) ? part : ""))
        .replace(placeholder, (_, name, digits) => {
            const value = params[name] ?? "?";
            return typeof value === "number" && digits !== undefined ? value.toFixed(Number(digits)) : String(value);
        });
}

/** Remembers since when each camera has had the same reason. */
export class ReasonTimes {
    /** @type {Map<string, {why: string, since: number}>} */
    #cameras = new Map();

    /** Page time at which reason `why` was first reported. @param {string} camera @param {string} why @param {number} now */
    since(camera, why, now) {
        let last = this.#cameras.get(camera);
        if (last === undefined || last.why !== why) {
            last = { why, since: now };
            this.#cameras.set(camera, last);
        }
        return last.since;
    }

    /** @param {string} camera */
    delete(camera) {
        this.#cameras.delete(camera);
    }
}
