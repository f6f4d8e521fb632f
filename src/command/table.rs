//! Tables for a terminal, with the correct cell width for texts in any language.
//!
//! Texts come from cameras and from the configuration, so control characters are escaped.

use unicode_width::UnicodeWidthChar;

/// The side to which the texts of a column are aligned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Side {
    Left,
    Right,
}

/// Formats `rows`, headings included, with two spaces between columns.
pub fn aligned<const N: usize>(rows: &[[String; N]], sides: [Side; N]) -> Vec<String> {
    let widest = |column: usize| rows.iter().map(|row| cells(&row[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(widest).collect();
    let line = |row: &[String; N]| {
        let padded = row.iter().zip(&widths).zip(sides).map(|((text, width), side)| {
            let blanks = " ".repeat(width - cells(text));
            match side {
                Side::Left => format!("{text}{blanks}"),
                Side::Right => format!("{blanks}{text}"),
            }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// `text` with escape sequences in place of characters that control a terminal.
pub use crate::text::escaped as shown;

/// Cuts `text` to at most `most` cells, with an ellipsis if something is missing.
pub fn shortened(text: &str, most: usize) -> String {
    if cells(text) <= most {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut left = most.saturating_sub(1);
    for character in text.chars() {
        match left.checked_sub(width(character)) {
            Some(rest) => left = rest,
            None => break,
        }
        short.push(character);
    }
    short + "…"
}

/// Wraps `text` into lines of at most `most` cells, between words if possible.
pub fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let needed = cells(word.trim_end());
        if used > 0 && used + needed > most {
            lines.push(String::new());
            used = 0;
        }
        for character in word.chars() {
            if used > 0 && used + width(character) > most && character != ' ' {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(character);
            }
            used += width(character);
        }
    }
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines
}

/// Returns the number of terminal cells that `text` takes.
pub fn cells(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// Two cells for each Chinese, Japanese or Korean character and each emoji, none for a character
/// that combines with the one before it.
fn width(character: char) -> usize {
    character.width().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_meet_whatever_their_language() {
        let rows = [["NAME", "N"], ["\u{5927}\u{9580}", "1"], ["gate one", "100"]].map(|row| row.map(str::to_owned));
        let table = aligned(&rows, [Side::Left, Side::Right]);
        assert_eq!(table, ["NAME        N", "\u{5927}\u{9580}        1", "gate one  100"]);
        assert!(table.iter().all(|line| cells(line) == 13));
    }

    #[test]
    fn long_text_is_cut_by_cells() {
        assert_eq!(shortened("gate", 4), "gate");
        assert_eq!(shortened("gates", 4), "gat…");
        assert_eq!(shortened("\u{5927}\u{9580}\u{5927}", 4), "\u{5927}…");
        assert_eq!(cells(&shortened("\u{5927}\u{9580}\u{5927}", 5)), 5);
    }

    #[test]
    fn lines_break_between_words_or_inside_what_has_none() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a abcdefgh b", 5), ["a", "abcde", "fgh b"]);
        assert_eq!(wrapped("\u{5927}\u{9580}\u{5927}", 5), ["\u{5927}\u{9580}", "\u{5927}"]);
        assert_eq!(wrapped("", 5), [""]);
    }

    #[test]
    fn combining_characters_and_emoji_have_their_width() {
        assert_eq!([cells("e\u{301}"), cells("\u{1f4f7}"), cells("\u{200b}"), cells("\u{ff21}")], [1, 2, 0, 2]);
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(shown("a\u{1b}[2J\n"), "a\\u{1b}[2J\\n");
    }
}
