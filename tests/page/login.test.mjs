// The login page, and the way of other pages to it and back.

import assert from "node:assert/strict";
import { test } from "node:test";

import { until } from "./browser.mjs";
import { agent, page, tilesAre, useFixture } from "./fixture.mjs";

useFixture({ names: ["Gate", "Porch"], width: 160 });

const GUARD = `Basic ${Buffer.from("guard:密碼 of:ten").toString("base64")}`;
const message = () => page.textContent("[data-slot=message]");
const isAt = (path) => async () => page.url() === new URL(path, agent.url).href;

async function fill(name, password) {
    await page.fill("input[name=name]", name);
    await page.fill("input[name=password]", password);
}

test("a wall without a login leads to the login page, and that back to the same wall", async () => {
    agent.login = GUARD;
    await page.goto(`${agent.url}?layout=4&lang=en`);
    await until("the login page", isAt(`login?to=${encodeURIComponent("?layout=4&lang=en")}`));
    await until("the focus", () => page.evaluate(() => document.activeElement?.getAttribute("name") === "name"));
    await fill("guard", "wrong");
    await page.keyboard.press("Enter");
    await until("the refusal", async () => (await message()) === "The user name or the password is not right.");
    await fill("guard", "密碼 of:ten");
    await page.keyboard.press("Enter");
    await until("the wall", isAt("?layout=4&lang=en"));
    await until("live", tilesAre("live", 2));
    assert.equal(agent.logins.length, 2);
    assert.ok(agent.requests.every((path) => !path.includes("ten")), "no password in an address");

    await page.keyboard.press("i");
    await until("the name", async () => (await page.textContent("[data-slot=logout]")) === "Log out guard");
    await page.click("[data-slot=logout]");
    await until("the login page again", async () => page.url().includes("/login?to="));
    assert.equal(agent.isLoggedIn, false);
});

test("a page without a session has no way to log out, and one whose session ends shows the login", async () => {
    await page.goto(`${agent.url}?layout=4`);
    await until("live", tilesAre("live", 2));
    await page.keyboard.press("i");
    await until("the panel", () => page.isVisible("#info"));
    assert.equal(await page.isVisible("[data-slot=logout]"), false);
    agent.login = GUARD;
    await until("the login page", async () => page.url().includes("/login?to="));
});

test("the token in the address logs in once, leaves the address at once and is sent in no other", async () => {
    agent.login = "Bearer abc123";
    agent.loginAnswers = [[503, 1], [429, 1]];
    await page.goto(`${agent.url}login?to=%3Flayout%3D4#token=abc123`);
    await until("the wall", isAt("?layout=4"));
    await until("live", tilesAre("live", 2));
    assert.deepEqual(agent.logins, Array(3).fill("Bearer abc123"), "busy and locked out are tried again");
    assert.ok(agent.requests.every((path) => !path.includes("abc123")));
    await page.goBack().catch(() => {});
    assert.ok(!(await page.evaluate(() => location.href)).includes("abc123"), "nor in the history");
});

test("a wrong token shows the form", async () => {
    agent.login = "Bearer abc123";
    await page.goto(`${agent.url}login?to=%3Flang%3Den#token=old`);
    await until("the refusal", async () => (await message()).startsWith("The token in the address of this page is not valid"));
    assert.equal(await page.evaluate(() => location.hash), "");
    assert.ok(await page.isVisible("form"));
});

test("a browser that does not keep the session is told so", async () => {
    agent.login = GUARD;
    agent.forgetsLogins = true;
    await page.goto(`${agent.url}login?to=%3Flang%3Den`);
    await fill("guard", "密碼 of:ten");
    await page.keyboard.press("Enter");
    await until("the text", async () => (await message()).startsWith("This browser does not keep the login."));
});

test("too many failures are waited out", async () => {
    agent.login = GUARD;
    agent.loginAnswers = [[429, 2]];
    await page.goto(`${agent.url}login?to=%3Flang%3Den`);
    await fill("guard", "密碼 of:ten");
    await page.keyboard.press("Enter");
    await until("the wait", async () => /^Too many failed attempts\. The next one is possible in [123] s\.$/.test(await message()));
    assert.ok(await page.isDisabled("button[type=submit]"));
    await until("the end of it", async () => page.isEnabled("button[type=submit]"));
    await page.click("button[type=submit]");
    await until("the wall", isAt("?lang=en"));
});

test("no other page is gone to after the login", async () => {
    for (const to of ["//evil.example/", "https://evil.example/", "javascript:alert(1)", "/\\evil.example", "..//evil.example"]) {
        await page.goto("about:blank"); // the wall would go to the login page by itself
        agent.isLoggedIn = false;
        agent.login = GUARD;
        await page.goto(`${agent.url}login?to=${encodeURIComponent(to)}`);
        await fill("guard", "密碼 of:ten");
        await page.keyboard.press("Enter");
        await until(`a page of the agent after ${to}`, async () => !page.url().includes("login?") && page.url().startsWith(agent.url));
    }
});

test("arrow keys reach every field, and the password can be shown", async () => {
    await page.goto(`${agent.url}login?to=%3Flang%3Den`);
    await until("the texts", async () => (await page.textContent("[data-slot=reveal]")) === "Show the password");
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute("name") ?? document.activeElement?.className);
    await page.focus("input[name=name]");
    const reached = [];
    for (let i = 0; i < 5; i += 1) {
        reached.push(await focused());
        await page.keyboard.press("ArrowDown");
    }
    assert.deepEqual(reached, ["name", "password", "reveal", "submit", "submit"]);
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    assert.equal(await page.getAttribute("input[name=password]", "type"), "text");
    assert.equal(await page.getAttribute("[data-slot=reveal]", "aria-pressed"), "true");
});

test("the login page fits on a phone and on a wall, in both languages", async () => {
    for (const [language, title] of [["en", "Log in"], ["zh-TW", "登入"]]) {
        for (const [width, height] of [[360, 640], [640, 360], [1280, 720], [3840, 2160]]) {
            await page.setViewportSize({ width, height });
            await page.goto(`${agent.url}login?to=${encodeURIComponent(`?lang=${language}`)}`);
            await until("the language", async () => (await page.textContent("h1")) === title);
            assert.equal(await page.title(), title);
            const boxes = await page.$$eval("input, form button", (all) => all.map((one) => one.getBoundingClientRect().toJSON()));
            assert.equal(boxes.length, 4);
            for (const box of boxes) {
                assert.ok(box.left >= 0 && box.right <= width, `${language} ${width}: ${JSON.stringify(box)}`);
                assert.ok(box.height >= 40, "large enough for a thumb");
            }
            assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth), false);
        }
    }
    await page.setViewportSize({ width: 1280, height: 720 });
});

test("both languages of the login page are complete", async () => {
    await page.goto(`${agent.url}login`);
    const [english, chinese, used] = await page.evaluate(async () => {
        const { TEXTS } = await import("/js/login-texts.js");
        return [Object.keys(TEXTS.en), Object.keys(TEXTS["zh-TW"]), [...document.querySelectorAll("[data-text]")].map((one) => one.dataset.text)];
    });
    assert.deepEqual(chinese, english);
    assert.deepEqual(used.filter((key) => !english.includes(key)), []);
});
