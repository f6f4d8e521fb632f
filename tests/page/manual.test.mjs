// The documents agree with the program: the installer's guide explains what a tile can say, in both
// languages; links lead somewhere; a promise names a test that exists.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

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
