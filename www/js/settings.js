// What this wall is to show: from the address, else from this browser's memory, else by itself.

import { PANELS } from "./layout.js";

const PLACE = "cctv.wall";

/**
 * @typedef {object} Settings
 * @property {number | null} panels null: by the number of cameras
 * @property {"socket" | "mjpeg"} transport
 * @property {string[] | null} cameras only these, in this order; null: all
 * @property {string | null} language
 */

/** @returns {Settings} */
export function readSettings() {
    const address = new URLSearchParams(location.search);
    const memory = remembered();
    const transport = address.get("transport") ?? memory.transport;
    return {
        panels: panels(address.get("layout")) ?? panels(memory.panels),
        transport: transport === "mjpeg" || !("WebSocket" in window) ? "mjpeg" : "socket",
        cameras: address.get("cameras")?.split(",").filter((id) => id !== "") ?? null,
        language: address.get("lang"),
    };
}

/** Remembers for the next time this browser opens the page; a browser may refuse. */
export function remember(settings) {
    try {
        localStorage.setItem(PLACE, JSON.stringify({ ...remembered(), ...settings }));
    } catch {
        // A kiosk without storage starts as the address says, each time.
    }
}

function remembered() {
    try {
        const memory = JSON.parse(localStorage.getItem(PLACE) ?? "{}");
        return memory !== null && typeof memory === "object" ? memory : {};
    } catch {
        return {};
    }
}

function panels(text) {
    return text !== null && PANELS.includes(Number(text)) ? Number(text) : null;
}
