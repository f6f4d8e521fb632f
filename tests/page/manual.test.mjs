// What a person may read on a tile stands in the manual for the person on site, in both languages.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { LANGUAGES, chooseLanguage } from "../../www/js/language.js";
import { PIECES, explain } from "../../www/js/reasons.js";

const MANUALS = Object.fromEntries(
    [["en", "installing.md"], ["zh-TW", "installing.zh-TW.md"]].map(([tongue, file]) => [
        tongue,
        readFileSync(new URL(`../../docs/${file}`, import.meta.url), "utf8"),
    ]),
);
// Up to the first name that is filled in.
const beginning = (words) => words.split("{")[0].trim();

for (const [tongue, manual] of Object.entries(MANUALS)) {
    test(`every state a tile tells stands in the manual (${tongue})`, () => {
        const keys = Object.keys(LANGUAGES[tongue]).filter(
            (key) => /^(state|finding)\./.test(key) || ["band.notLive", "band.connecting", "page.noCameras", "notice.agent", "notice.missing", "notice.unknownWall"].includes(key),
        );
        assert.ok(keys.length > 15, "the keys have other names now");
        const missing = keys.filter((key) => beginning(LANGUAGES[tongue][key]) !== "" && !manual.includes(beginning(LANGUAGES[tongue][key])));
        assert.deepEqual(missing.filter((key) => key !== "band.finding"), []);
    });
}

/** Reasons in the agent's words: what stands in backticks in the first column of the manual's tables. */
function reasons(manual) {
    const firstColumns = manual.split("\n").filter((line) => line.startsWith("| ")).map((line) => line.split(" | ")[0]);
    return firstColumns.flatMap((column) => [...column.matchAll(/`([^`]+)`/g)].map((match) => match[1]));
}

test("both manuals list the same reasons", () => {
    const told = reasons(MANUALS.en).filter((reason) => reason.includes(" "));
    assert.ok(told.length > 30);
    assert.deepEqual(told.filter((reason) => !MANUALS["zh-TW"].includes(`\`${reason}\``)), []);
});

test("every reason the page can translate stands in the manual, as the page translates it", () => {
    const pieces = reasons(MANUALS.en).flatMap((reason) => reason.split("; "));
    const unlisted = PIECES["zh-TW"].filter(([pattern]) => !pieces.some((piece) => pattern.test(piece)));
    assert.deepEqual(unlisted.map(([pattern]) => String(pattern)), []);
    chooseLanguage("zh-TW", null);
    const untold = pieces
        .map((piece) => [piece, explain(piece, 0, 0).reason])
        .filter(([piece, chinese]) => chinese !== piece && !MANUALS["zh-TW"].includes(chinese.split("（")[0]));
    chooseLanguage("en", null);
    assert.deepEqual(untold, []);
});
