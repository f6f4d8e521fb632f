// The manual for the person on site explains every text of a tile, in both languages.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { LANGUAGES, chooseLanguage } from "../../www/js/language.js";
import { TRANSLATIONS, explain } from "../../www/js/reason-text.js";

const MANUALS = Object.fromEntries(
    [["en", "installing.md"], ["zh-TW", "installing.zh-TW.md"]].map(([language, file]) => [
        language,
        readFileSync(new URL(`../../docs/${file}`, import.meta.url), "utf8"),
    ]),
);
// The text up to its first placeholder.
const beginning = (text) => text.split("{")[0].trim();

for (const [language, manual] of Object.entries(MANUALS)) {
    test(`every state of a tile is in the manual (${language})`, () => {
        const keys = Object.keys(LANGUAGES[language]).filter(
            (key) => /^(state|problem)\./.test(key) || ["banner.notLive", "banner.connecting", "page.noCameras", "notice.agent", "notice.missing", "notice.unknownWall"].includes(key),
        );
        assert.ok(keys.length > 15, "the keys of the texts have changed");
        const missing = keys.filter((key) => beginning(LANGUAGES[language][key]) !== "" && !manual.includes(beginning(LANGUAGES[language][key])));
        assert.deepEqual(missing, []);
    });
}

/** The agent's reasons: the texts in backticks in the first column of the manual's tables. */
function reasons(manual) {
    const firstColumns = manual.split("\n").filter((line) => line.startsWith("| ")).map((line) => line.split(" | ")[0]);
    return firstColumns.flatMap((column) => [...column.matchAll(/`([^`]+)`/g)].map((match) => match[1]));
}

test("both manuals list the same reasons", () => {
    const listed = reasons(MANUALS.en).filter((reason) => reason.includes(" "));
    assert.ok(listed.length > 30);
    assert.deepEqual(listed.filter((reason) => !MANUALS["zh-TW"].includes(`\`${reason}\``)), []);
});

test("every reason that the page translates is in the manual with the same translation", () => {
    const parts = reasons(MANUALS.en).flatMap((reason) => reason.split("; "));
    const unlisted = TRANSLATIONS["zh-TW"].filter(([pattern]) => !parts.some((part) => pattern.test(part)));
    assert.deepEqual(unlisted.map(([pattern]) => String(pattern)), []);
    chooseLanguage("zh-TW", null);
    const missing = parts
        .map((part) => [part, explain(part, 0, 0).reason])
        .filter(([part, chinese]) => chinese !== part && !MANUALS["zh-TW"].includes(chinese.split("（")[0]));
    chooseLanguage("en", null);
    assert.deepEqual(missing, []);
});
