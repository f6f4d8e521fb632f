//! The keyboard of the machine's own screen (`rootfs-overlay/usr/share/cctv-agent/xkb`) against the keys of the page.

use std::{collections::BTreeSet, fs, path::Path};

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Keys of the page that only browsers for televisions have, and `=`, which stands beside `+` on other keyboards.
const OF_TELEVISIONS: [&str; 8] =
    ["BrowserBack", "ChannelDown", "ChannelUp", "GoBack", "ZoomIn", "ZoomOut", "=", "MediaPlayPause"];

/// The key of a browser for a symbol of the keyboard.
fn key(symbol: &str) -> &str {
    match symbol {
        "Left" => "ArrowLeft",
        "Right" => "ArrowRight",
        "Up" => "ArrowUp",
        "Down" => "ArrowDown",
        "Prior" => "PageUp",
        "Next" => "PageDown",
        "Return" => "Enter",
        "BackSpace" => "Backspace",
        "plus" => "+",
        "minus" => "-",
        "question" => "?",
        "XF86AudioForward" => "MediaFastForward",
        "XF86AudioRewind" => "MediaRewind",
        other => other,
    }
}

/// The first symbol of each key.
fn symbols() -> BTreeSet<String> {
    let symbols = file("rootfs-overlay/usr/share/cctv-agent/xkb/symbols/cctv");
    let of_line = |line: &str| Some(line.split_once("{ [ ")?.1.split_once(", NoSymbol ]")?.0.to_owned());
    symbols.lines().filter_map(of_line).collect()
}

#[test]
fn keyboard_of_the_screen_has_every_key_that_the_page_knows() {
    let shortcuts = file("www/js/shortcuts.js");
    let (_, table) = shortcuts.split_once("const ACTION_BY_KEY = {").unwrap();
    let (table, _) = table.split_once("\n};").unwrap();
    let of_page: BTreeSet<String> = table
        .lines()
        .filter_map(|line| Some(line.trim().split_once(": \"")?.0.trim_matches('"').to_owned()))
        .filter(|key| !OF_TELEVISIONS.contains(&key.as_str()))
        .chain(('0'..='9').map(String::from))
        .collect();
    assert!(of_page.len() > 25, "{of_page:?}");
    let keyboard: BTreeSet<String> = symbols().iter().map(|symbol| key(symbol).to_owned()).collect();
    let missing: Vec<_> = of_page.difference(&keyboard).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn no_key_of_it_does_something_beside_the_page() {
    let harmless = |symbol: &str| {
        let is_letter =
            symbol.len() == 1 && symbol.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit());
        let others = [
            "BackSpace",
            "Down",
            "End",
            "Escape",
            "Home",
            "Left",
            "Next",
            "Prior",
            "Return",
            "Right",
            "Tab",
            "Up",
            "XF86AudioForward",
            "XF86AudioPlay",
            "XF86AudioRewind",
            "asterisk",
            "comma",
            "minus",
            "period",
            "plus",
            "question",
            "space",
        ];
        is_letter || others.contains(&symbol)
    };
    let other: Vec<_> = symbols().into_iter().filter(|symbol| !harmless(symbol)).collect();
    assert!(other.is_empty(), "{other:?}");
    // Those that change what another key does turn it off, and have no symbol of their own.
    let text = file("rootfs-overlay/usr/share/cctv-agent/xkb/symbols/cctv");
    let modifiers: Vec<_> = text.lines().filter(|line| line.contains("SetMods")).collect();
    assert_eq!(modifiers.len(), 6);
    assert!(modifiers.iter().all(|line| line.contains("[ NoSymbol, NoSymbol ]") && !line.contains("Control")));
}
