//! Makes text from cameras and other strangers safe to show: limited in length, and without
//! characters that act on a terminal or change how a line reads. Writes counts, sizes and times for
//! people.

use std::{borrow::Cow, error};

pub mod reasons;

pub use reasons::{Code, Part, Reason};

/// Maximum length of the reason of a failure, in characters.
pub const MAX_REASON_LEN: usize = 300;

/// Maximum length of a name or another fact that a camera reports of itself, in characters.
pub const MAX_FACT_LEN: usize = 200;

/// Bytes of a mebibyte.
pub const MIB: u64 = 1 << 20;

/// Whether `c` is not visible as a character but has an effect: control characters, which control
/// terminals; line and paragraph separators; marks that change the direction of what follows; and
/// characters of no width.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// `text` with hidden characters written as escapes, such as `\u{1b}` or `\n`.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// `json`, which a serialiser wrote over several lines, with hidden characters written as JSON
/// escapes. They can only occur inside its strings.
pub fn escaped_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) && c != '\n' {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

/// At most `most` characters of `text`; if it was cut, the last one is an ellipsis.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most || text.chars().nth(most).is_none() {
        return Cow::Borrowed(text);
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    Cow::Owned(short)
}

/// `text` as the reason of a failure: hidden characters written as escapes, and limited in length.
pub fn reason(text: &str) -> String {
    // Cut first: escapes are longer, and there may be a mebibyte of text.
    shortened(&escaped(&shortened(text, MAX_REASON_LEN)), MAX_REASON_LEN).into_owned()
}

/// `text` as a fact that a camera reports of itself, limited in length. Hidden characters stay,
/// because it is compared.
pub fn fact(text: &str) -> String {
    shortened(text, MAX_FACT_LEN).into_owned()
}

/// `number` with `noun`, which takes an `s` unless there is one: `1 camera`, `2 cameras`.
pub fn counted(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Bytes as the nearest whole number of mebibytes, such as `31 MiB`.
pub fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.saturating_add(MIB / 2) / MIB)
}

/// Seconds as a whole number of the largest unit of which there are two, in at most 6 characters up
/// to a thousand days.
pub fn duration(seconds: f64) -> String {
    match seconds {
        ..120.0 => format!("{seconds:.0} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.0} h", seconds / 3600.0),
        _ => format!("{:.0} d", seconds / 86_400.0),
    }
}

/// Formats the error and its causes on one line, as `a: b: c`. Leaves out the numbers that the
/// standard library appends to the system's texts, and bounds the length of each text.
pub fn chain(error: &dyn error::Error) -> String {
    let causes = std::iter::successors(Some(error), |e| e.source());
    let words = |cause: &dyn error::Error| shortened(&without_number(cause.to_string()), MAX_REASON_LEN).into_owned();
    causes.map(words).collect::<Vec<_>>().join(": ")
}

/// Turns `Connection refused (os error 111)` into `Connection refused`.
fn without_number(text: String) -> String {
    match text.rsplit_once(" (os error ") {
        Some((words, number)) if number.strip_suffix(')').is_some_and(|n| n.parse::<i32>().is_ok()) => words.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_written_out_and_others_stay() {
        assert_eq!(escaped("a\u{1b}[2J\n\u{9b}"), "a\\u{1b}[2J\\n\\u{9b}");
        for c in ['\u{200b}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2060}', '\u{2066}', '\u{2069}', '\u{feff}'] {
            assert!(is_hidden(c) && escaped(&c.to_string()).starts_with("\\u{"), "{c:?}");
        }
        assert_eq!(escaped("門 é \u{5d0} … –"), "門 é \u{5d0} … –");
    }

    #[test]
    fn json_stays_json() {
        let json = "{\n  \"a\": \"\u{9b}\u{202e}x\u{7f}\"\n}";
        assert_eq!(escaped_json(json), "{\n  \"a\": \"\\u009b\\u202ex\\u007f\"\n}");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("門門門", 3), "門門門");
        assert_eq!(shortened("門門門門", 3), "門門…");
        assert_eq!(reason(&"門".repeat(1000)).chars().count(), MAX_REASON_LEN);
        assert_eq!(reason(&"\u{1b}".repeat(1 << 20)).chars().count(), MAX_REASON_LEN);
        assert_eq!(fact("short"), "short");
    }

    #[test]
    fn counts_sizes_and_times_have_their_unit() {
        assert_eq!(
            [counted(0, "viewer"), counted(1, "log line"), counted(2, "viewer")],
            ["0 viewers", "1 log line", "2 viewers"]
        );
        assert_eq!([mebibytes(0), mebibytes(85 * MIB), mebibytes(3 * MIB / 2)], ["0 MiB", "85 MiB", "2 MiB"]);
        for (seconds, text) in [
            (0.04, "0 s"),
            (9.97, "10 s"),
            (119.0, "119 s"),
            (120.0, "2 min"),
            (7200.0, "2 h"),
            (172_800.0, "2 d"),
            (86_400_000.0, "1000 d"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
