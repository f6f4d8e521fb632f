// The documents agree with the program: the installer's guide explains what a tile can say, in both
// languages; links lead somewhere; a promise names a test that exists.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

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

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const read = (file) => readFileSync(join(PROJECT, file), "utf8");
const filesBelow = (folder, ending) => readdirSync(join(PROJECT, folder), { recursive: true })
    .filter((file) => file.endsWith(ending) && !file.includes("node_modules"))
    .map((file) => join(folder, file));

/** Anchors of a document's headings, as GitHub makes them. */
const anchors = (text) => [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading.toLowerCase().replace(/[^\p{Letter}\p{Number} _-]/gu, "").replaceAll(" ", "-"));

test("every link of a document leads to a file and a heading that exist", () => {
    const documents = ["README.md", "README.zh-TW.md", "CHANGELOG.md", ...filesBelow("docs", ".md")];
    assert.ok(documents.length > 10);
    const broken = documents.flatMap((document) => {
        const text = read(document).replace(/^```.*?^```/gms, "");
        const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]);
        return links.filter((link) => !/^[a-z]+:/.test(link)).filter((link) => {
            const [path, anchor] = link.split("#");
            const file = path === "" ? document : join(dirname(document), path);
            return !existsSync(join(PROJECT, file)) || (anchor !== undefined && !anchors(read(file)).includes(decodeURIComponent(anchor)));
        }).map((link) => `${document}: ${link}`);
    });
    assert.deepEqual(broken, []);
});

test("every promise names a test that exists", () => {
    const names = read("docs/reliability.md").split("\n").filter((line) => line.startsWith("| "))
        .flatMap((line) => [...line.split(" | ").slice(1).join(" | ").matchAll(/`([^`]+)`/g)].map((match) => match[1]))
        .filter((name) => /^[a-z0-9]+[_ ]/.test(name));
    assert.ok(names.length > 30);
    const code = [...filesBelow("tests", ".rs"), ...filesBelow("src", ".rs"), ...filesBelow("tests/page", ".mjs")].map(read).join("\n");
    assert.deepEqual(names.filter((name) => !code.includes(`fn ${name}(`) && !code.includes(`test("${name}"`)), []);
});
