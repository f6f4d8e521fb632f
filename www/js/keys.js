// The keyboard, and the remote controls that pretend to be one. Each key that means something stands
// here once; `?` shows them.
//
// Layouts are typed by their number of panels, two digits one soon after the other: 1 and then 6 is
// sixteen. The first digit is not waited with, so that single ones act at once.

/** The second digit of a number comes within this many milliseconds. */
const SECOND_DIGIT_WITHIN = 1000;
/** Layouts by the number of panels in them. */
const BY_NUMBER = { 0: "auto", 1: "1", 4: "4", 6: "1+5", 8: "1+7", 9: "9", 13: "1+12", 16: "16", 25: "25" };

/**
 * Calls the action of each key pressed, unless a modifier belongs to the browser or a control needs
 * the key itself.
 * @param {Record<string, (what: string) => void>} actions by name, as in `ACTIONS`; `layout` gets the name
 *     of one, `move` the key
 */
export function listen(actions) {
    let typed = { digit: "", at: -Infinity };
    document.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
        const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
        const digit = /^[0-9]$/.test(key);
        const name = digit ? "layout" : ACTIONS[key];
        if (name === undefined || ownKey(event, name)) return;
        if (event.repeat && name !== "move") return;
        event.preventDefault();
        if (!digit) {
            actions[name](key);
            return;
        }
        const both = event.timeStamp - typed.at < SECOND_DIGIT_WITHIN ? BY_NUMBER[Number(typed.digit + key)] : undefined;
        typed = both !== undefined && typed.digit !== "0" ? { digit: "", at: -Infinity } : { digit: key, at: event.timeStamp };
        const layout = typed.digit === "" ? both : BY_NUMBER[key];
        if (layout !== undefined) actions.layout(layout);
    });
}

const ACTIONS = {
    ArrowLeft: "move",
    ArrowRight: "move",
    ArrowUp: "move",
    ArrowDown: "move",
    PageUp: "previousPage",
    PageDown: "nextPage",
    ChannelUp: "nextPage",
    ChannelDown: "previousPage",
    Enter: "enlarge",
    Escape: "back",
    Backspace: "back",
    BrowserBack: "back",
    GoBack: "back",
    f: "fullScreen",
    l: "layouts",
    r: "rotate",
    m: "transport",
    i: "information",
    s: "snapshot",
    "?": "help",
};

/** What still works in an open dialog, by its id: the key that opened it closes it. */
const IN_DIALOG = { help: ["help"], layouts: ["layouts", "layout"] };

/** Enter presses a focused button, and an open dialog has the keyboard to itself but for a few. */
function ownKey(event, name) {
    if (event.key === "Enter" && event.target.closest?.("button, a")) return true;
    const dialog = document.querySelector("dialog[open]");
    return dialog !== null && !IN_DIALOG[dialog.id]?.includes(name);
}
