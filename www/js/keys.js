// The keyboard. Each key that means something stands here once; `?` shows them.

/**
 * Calls the action of each key pressed, unless a modifier belongs to the browser or a control needs
 * the key itself.
 * @param {Record<string, (key: string) => void>} actions by name, as in `ACTIONS`
 */
export function listen(actions) {
    document.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
        const name = ACTIONS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
        if (name === undefined || ownKey(event)) return;
        if (event.repeat && !name.startsWith("move")) return;
        event.preventDefault();
        actions[name](event.key);
    });
}

const ACTIONS = {
    1: "one",
    4: "four",
    9: "nine",
    6: "sixteen",
    ArrowLeft: "move",
    ArrowRight: "move",
    ArrowUp: "move",
    ArrowDown: "move",
    PageUp: "previousPage",
    PageDown: "nextPage",
    Enter: "enlarge",
    Escape: "back",
    f: "fullScreen",
    m: "transport",
    "?": "help",
};

/** Enter presses a focused button, and an open dialog has the keyboard to itself (but for `?`). */
function ownKey(event) {
    if (event.key === "Enter" && event.target.closest?.("button, a")) return true;
    return document.querySelector("dialog[open]") !== null && event.key !== "?";
}
