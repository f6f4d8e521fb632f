// Keyboard shortcuts, also for remote controls that act as keyboards. `?` shows them.
//
// A layout is typed by its number of panels. Two digits in quick succession form one number: 1 and then
// 6 is sixteen. The first digit acts at once, without waiting for a second one.

/** Time for the second digit of a number, in milliseconds. */
const SECOND_DIGIT_TIMEOUT = 1000;
/** Layouts by their number of panels. @type {Record<number, string>} */
const LAYOUT_BY_PANELS = { 0: "auto", 1: "1", 4: "4", 6: "1+5", 8: "1+7", 9: "9", 13: "1+12", 16: "16", 25: "25" };

/** @type {Record<string, string>} */
const ACTION_BY_KEY = {
    ArrowLeft: "move",
    ArrowRight: "move",
    ArrowUp: "move",
    ArrowDown: "move",
    PageUp: "previousPage",
    PageDown: "nextPage",
    ChannelUp: "nextPage",
    ChannelDown: "previousPage",
    Enter: "enlarge",
    "+": "zoomIn",
    "=": "zoomIn",
    "-": "zoomOut",
    ZoomIn: "zoomIn",
    ZoomOut: "zoomOut",
    MediaFastForward: "zoomIn",
    MediaRewind: "zoomOut",
    Escape: "back",
    Backspace: "back",
    BrowserBack: "back",
    GoBack: "back",
    f: "fullScreen",
    l: "layouts",
    r: "rotate",
    m: "transport",
    i: "cameraPanel",
    s: "snapshot",
    b: "lookBack",
    a: "sound",
    "?": "help",
};

/** Actions that still work in an open dialog, by its id: the key that opened it closes it. @type {Record<string, string[]>} */
const ACTIONS_IN_DIALOG = { help: ["help"], layouts: ["layouts", "layout"] };

/**
 * Runs the action of each key pressed, unless the key has a modifier or belongs to a control.
 * @param {Record<string, (argument: string) => void>} actions by name, as in `ACTION_BY_KEY`; `layout` gets
 *     the layout's name, `move` the key
 */
export function listenForShortcuts(actions) {
    let typed = { digit: "", at: -Infinity };
    document.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
        const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
        const isDigit = /^[0-9]$/.test(key);
        const name = isDigit ? "layout" : ACTION_BY_KEY[key];
        if (name === undefined || belongsToControl(event, name)) return;
        if (event.repeat && !["move", "zoomIn", "zoomOut"].includes(name)) return;
        event.preventDefault();
        if (!isDigit) {
            actions[name](key);
            return;
        }
        const inTime = event.timeStamp - typed.at < SECOND_DIGIT_TIMEOUT;
        const both = inTime ? LAYOUT_BY_PANELS[Number(typed.digit + key)] : undefined;
        typed = both !== undefined && typed.digit !== "0" ? { digit: "", at: -Infinity } : { digit: key, at: event.timeStamp };
        const layout = typed.digit === "" ? both : LAYOUT_BY_PANELS[Number(key)];
        if (layout !== undefined) actions.layout(layout);
    });
}

/** Enter presses a focused button. An open dialog keeps all keys but those of `ACTIONS_IN_DIALOG`. */
function belongsToControl(event, name) {
    if (event.key === "Enter" && event.target.closest?.("button, a")) return true;
    const dialog = document.querySelector("dialog[open]");
    return dialog !== null && !ACTIONS_IN_DIALOG[dialog.id]?.includes(name);
}
