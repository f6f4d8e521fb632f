// The documents agree with the program: the installer's guide explains what a tile can say, in both
// languages; links lead somewhere; a promise names a test that exists.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { ENGLISH } from "../../www/js/language.js";
import { fill } from "../../www/js/reason-text.js";

const MANUALS = Object.fromEntries(
    [["en", "installing.md"], ["zh-TW", "installing.zh-TW.md"]].map(([language, file]) => [
        language,
        readFileSync(new URL(`../../docs/${file}`, import.meta.url), "utf8"),
    ]),
);
const LANGUAGES = { en: ENGLISH, "zh-TW": JSON.parse(readFileSync(new URL("../../www/texts/zh-TW.json", import.meta.url), "utf8")) };
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
    return firstColumns.flatMap((column) => [...column.matchAll(/``(.+?)``|`([^`]+)`/g)].map((match) => match[1] ?? match[2]));
}

test("both manuals list the same reasons", () => {
    const listed = reasons(MANUALS.en).filter((reason) => reason.includes(" "));
    assert.ok(listed.length > 30);
    assert.deepEqual(listed.filter((reason) => !MANUALS["zh-TW"].includes(`\`${reason}\``)), []);
});

const API = readFileSync(new URL("../../docs/api.md", import.meta.url), "utf8").split("\n## Reasons\n")[1].split("\n## ")[0];
/** Code and English text of each part that a reason can have; a test of the agent compares them with the program. @type {[string, string][]} */
const CODES = [...API.matchAll(/^\| `(\w+)` \| (.+) \|$/gm)].map(([, code, text]) => [code, text]);
const CHINESE = JSON.parse(readFileSync(new URL("../../www/reasons/zh-TW.json", import.meta.url), "utf8"));
/** The text of an error of the agent itself, of any kind. */
const ANY_TEXT = "text";

/** Recognises a text by its template; the groups are its parameters. @param {string} template */
function pattern(template) {
    const literal = (text) => text.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
    const source = template.split(/(\[[^\]]*\{[^\]]*\]|\{[^}]*\})/).map((piece) => {
        const inner = /^\[(.*)\]$/.exec(piece)?.[1];
        if (inner !== undefined) return `(?:${pattern(inner).source.slice(1, -1)})?`;
        const name = /^\{(\w+)/.exec(piece)?.[1];
        return name === undefined ? literal(piece) : `(?<${name}>.+?)`;
    });
    return new RegExp(`^${source.join("")}$`);
}

test("every code of a reason is in the manual, with its Chinese text", () => {
    assert.ok(CODES.length > 90, `${CODES.length} codes in docs/api.md`);
    const parts = reasons(MANUALS.en).flatMap((reason) => reason.split("; ")).flatMap((part) => part.split(/(?<=^the stream ended:|^\S+ has no stream for profile "\S+":) /));
    // Of the codes that a text can have, it has the one with the longest template.
    const templates = CODES.filter(([code]) => code !== ANY_TEXT).sort(([, a], [, b]) => b.length - a.length).map(([code, template]) => ({ code, regexp: pattern(template) }));
    const chinese = new Map();
    for (const part of parts) {
        const found = templates.find(({ regexp }) => regexp.test(part));
        if (found !== undefined) chinese.set(found.code, [...(chinese.get(found.code) ?? []), fill(CHINESE[found.code], found.regexp.exec(part).groups ?? {})]);
    }
    assert.deepEqual(templates.map(({ code }) => code).filter((code) => !chinese.has(code)), []);
    assert.deepEqual([...chinese.values()].flat().filter((text) => !MANUALS["zh-TW"].includes(text.split("（")[0])), []);
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
    const rows = (document, start) => read(document).split("\n").filter((line) => line.startsWith(start)).map((line) => line.split(" | "));
    const promises = [...rows("docs/reliability.md", "| ").map((cells) => cells.slice(1)), ...rows("docs/security.md", "| D").map((cells) => cells.slice(3))];
    const names = promises.flatMap((cells) => [...cells.join(" | ").matchAll(/`([^`]+)`/g)].map((match) => match[1]))
        .filter((name) => /^[a-z0-9]+[_ ]/.test(name));
    assert.ok(names.length > 30);
    const code = [...["tests", "src", "worker"].flatMap((folder) => filesBelow(folder, ".rs")), ...filesBelow("tests/page", ".mjs")].map(read).join("\n");
    assert.deepEqual(names.filter((name) => !code.includes(`fn ${name}(`) && !code.includes(`test("${name}"`)), []);
});
