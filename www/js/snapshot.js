// Saves the picture of a tile as a file in the camera's own size: by the browser, or at the machine's own screen by the
// agent, where its wall keeps pictures. Only a live picture is saved: for any other the agent answers 503, and the page
// shows a message. Loaded when the first picture is saved.

import { agentUrl } from "./agent-url.js";
import { addTexts, t } from "./language.js";

addTexts({
    en: {
        "snapshot.saved": "Saved: {file}",
        "snapshot.notLive": "Not saved: {name} is not live ({state}).",
        "snapshot.failed": "Not saved: the agent gave no picture of {name}.",
        "snapshot.refused": "Not saved: {why}",
    },
    "zh-TW": {
        "snapshot.saved": "已儲存：{file}",
        "snapshot.notLive": "未儲存：{name} 不是即時畫面（{state}）。",
        "snapshot.failed": "未儲存：代理程式沒有提供 {name} 的畫面。",
        "snapshot.refused": "未儲存：{why}",
    },
});

/** The agent may have to start the decoder first; in milliseconds. */
const SNAPSHOT_TIMEOUT = 15_000;
/** The browser has read the file by then, in milliseconds. */
const REVOKE_AFTER = 60_000;

/**
 * Saves the newest picture of `camera`, and returns what to tell the person.
 * @param {{id: string, name: string}} camera
 * @param {string | null} wall the wall whose pictures the agent keeps; null: the browser saves the file
 */
export async function saveSnapshot({ id, name }, wall) {
    try {
        const query = wall === null ? "" : `?wall=${encodeURIComponent(wall)}`;
        const answer = await fetch(agentUrl(`snapshot/${encodeURIComponent(id)}${query}`), {
            method: wall === null ? "GET" : "POST",
            cache: "no-store",
            signal: AbortSignal.timeout(SNAPSHOT_TIMEOUT),
        });
        if (answer.status === 503) return t("snapshot.notLive", { name, state: t(`state.${answer.headers.get("X-State") ?? "connecting"}`) });
        if (wall !== null && answer.status === 201) return t("snapshot.saved", { file: (await answer.json()).file });
        if (wall !== null) return t("snapshot.refused", { why: (await answer.json()).error });
        if (!answer.ok || answer.headers.get("Content-Type") !== "image/jpeg") throw new Error(`the agent answered ${answer.status}`);
        return t("snapshot.saved", { file: download(id, answer.headers, await answer.blob()) });
    } catch (error) {
        console.warn("snapshot:", error);
        return t("snapshot.failed", { name });
    }
}

/** Starts the download of `picture`, and returns the file's name. @param {string} camera @param {Headers} headers @param {Blob} picture */
function download(camera, headers, picture) {
    const taken = Number(headers.get("X-Timestamp"));
    const name = fileName(camera, taken > 0 ? new Date(taken * 1000) : new Date());
    const link = document.createElement("a");
    link.href = URL.createObjectURL(picture);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_AFTER);
    return name;
}

/**
 * Such as gate-2026-11-22T21-04-05.jpg, in the browser's time zone; without characters that a file system refuses.
 * @param {string} camera
 * @param {Date} taken
 */
export function fileName(camera, taken) {
    const pad = (number) => String(number).padStart(2, "0");
    const date = [taken.getFullYear(), pad(taken.getMonth() + 1), pad(taken.getDate())].join("-");
    const time = [taken.getHours(), taken.getMinutes(), taken.getSeconds()].map(pad).join("-");
    return `${camera}-${date}T${time}.jpg`;
}
