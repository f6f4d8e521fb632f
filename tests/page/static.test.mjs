// Static checks of the page: types by JSDoc (tsconfig.json) and lint rules (eslint.config.mjs).

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const CHECK_TIMEOUT = 120_000;

/** Runs a program of node_modules in the project's directory; resolves with its exit code and output. */
const run = (program, ...args) => new Promise((resolve) => {
    const path = fileURLToPath(new URL(`node_modules/${program}`, import.meta.url));
    execFile(process.execPath, [path, ...args], { cwd: PROJECT, timeout: CHECK_TIMEOUT }, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, output: stdout + stderr }));
});

test("the page's scripts pass the type check", async () => {
    const { code, output } = await run("typescript/bin/tsc", "--project", "tests/page/tsconfig.json");
    assert.deepEqual({ code, output }, { code: 0, output: "" });
});

test("the page and its tests pass the lint rules", async () => {
    const { code, output } = await run("eslint/bin/eslint.js", "--config", "tests/page/eslint.config.mjs", "--max-warnings", "0", "www", "tests/page");
    assert.deepEqual({ code, output }, { code: 0, output: "" });
});
