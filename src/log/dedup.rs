//! Deduplication of log lines: at most one line per ten seconds and kind; the others are counted.
//!
//! The first line of a kind is logged at once. Further ones within the window are counted. When
//! the window is over, the newest of them is logged with their number, and the next window
//! begins. Lines are of one kind if they say the same about the same subject, also with other
//! numbers: a camera that flaps logs `gate: no frame for 5.0 s; trying again in 2 s (attempt
//! 7)` with other numbers each time.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use ::log::Level;

/// Lines of one kind are logged at most once within this time.
pub const WINDOW: Duration = Duration::from_secs(10);

/// Maximum number of kinds within a window. 64 cameras with failures have a few each. Strangers on
/// the network can cause more kinds of lines, and nothing else bounds those.
const MAX_KINDS: usize = 512;

/// Counts lines of the same kind.
#[derive(Default)]
pub struct Deduplicator {
    windows: HashMap<(Level, String), Window>,
    /// Lines of kinds beyond [`MAX_KINDS`]: since when, and how many.
    left_out: Option<(Instant, u64)>,
}

struct Window {
    began: Instant,
    /// The text of the newest line.
    text: String,
    /// Number of lines after the one that was logged.
    dedup: u64,
    /// Whether one of them differs from the one that was logged.
    differs: bool,
}

impl Deduplicator {
    /// Returns whether to log `text` now; otherwise it was counted. Call [`Self::due`] before, or a
    /// repeat after the end of the window is added to those within it.
    pub fn note(&mut self, level: Level, text: &str, now: Instant) -> bool {
        let kind = (level, kind(text));
        if let Some(window) = self.windows.get_mut(&kind) {
            window.dedup += 1;
            if window.text != text {
                window.differs = true;
                text.clone_into(&mut window.text);
            }
            return false;
        }
        if self.windows.len() >= MAX_KINDS {
            self.left_out.get_or_insert((now, 0)).1 += 1;
            return false;
        }
        self.windows.insert(kind, Window { began: now, text: text.to_owned(), dedup: 0, differs: false });
        true
    }

    /// Returns a line for each kind that was repeated within a window that is over, the oldest
    /// first. Forgets kinds that were not repeated.
    pub fn due(&mut self, now: Instant) -> Vec<(Level, String)> {
        let is_over = |began: Instant| now.saturating_duration_since(began) >= WINDOW;
        let mut due = Vec::new();
        self.windows.retain(|(level, _), window| {
            if !is_over(window.began) {
                return true;
            }
            if window.dedup == 0 {
                return false;
            }
            due.push((window.began, *level, window.sum()));
            *window = Window { began: now, text: std::mem::take(&mut window.text), dedup: 0, differs: false };
            true
        });
        if let Some((since, lines)) = self.left_out.take_if(|(since, _)| is_over(*since)) {
            due.push((since, Level::Warn, left_out(lines)));
        }
        in_order(due)
    }

    /// Returns a line for each kind with repeats that are not logged yet,
    /// the oldest first, and forgets all.
    pub fn all(&mut self) -> Vec<(Level, String)> {
        let repeated = self.windows.drain().filter(|(_, window)| window.dedup > 0);
        let mut all: Vec<_> = repeated.map(|((level, _), window)| (window.began, level, window.sum())).collect();
        all.extend(self.left_out.take().map(|(since, lines)| (since, Level::Warn, left_out(lines))));
        in_order(all)
    }
}

impl Window {
    fn sum(&self) -> String {
        match (self.dedup, self.differs) {
            (1, false) => format!("{} (repeated once)", self.text),
            (times, false) => format!("{} (repeated {times} times)", self.text),
            (1, true) => self.text.clone(),
            (times, true) => format!("{} (the last of {times} such lines)", self.text),
        }
    }
}

fn left_out(lines: u64) -> String {
    let lines = if lines == 1 { "1 line was".to_owned() } else { format!("{lines} lines were") };
    format!("log: {lines} left out, as more than {MAX_KINDS} different ones came within {} s", WINDOW.as_secs())
}

fn in_order(mut lines: Vec<(Instant, Level, String)>) -> Vec<(Level, String)> {
    lines.sort_by_key(|(began, ..)| *began);
    lines.into_iter().map(|(_, level, text)| (level, text)).collect()
}

/// Returns `text` with a `#` for each number in the statement. The subject, which is all up to the
/// first `: `, keeps its numbers, and IP addresses keep theirs. If there is no subject, all of it
/// stays. `cam1: …` is not `cam2: …`, and two addresses of the wall are two separate facts.
fn kind(text: &str) -> String {
    let Some((whom, mut rest)) = text.split_once(": ") else { return text.to_owned() };
    let mut kind = format!("{whom}: ");
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(start);
        // Memory addresses, which other libraries print, differ in every process.
        let hexadecimal = number.starts_with("0x");
        let inside = |c: char| if hexadecimal { c.is_ascii_alphanumeric() } else { c.is_ascii_digit() || c == '.' };
        let end = number.find(|c| !inside(c)).unwrap_or(number.len());
        let (number, after) = number.split_at(end);
        kind.push_str(before);
        let number_ends = number.trim_end_matches('.');
        if number_ends.matches('.').count() == 3 {
            kind.push_str(number_ends);
        } else {
            kind.push('#');
        }
        kind.push_str(&number[number_ends.len()..]);
        rest = after;
    }
    kind + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const INFO: Level = Level::Info;

    fn texts(lines: Vec<(Level, String)>) -> Vec<String> {
        lines.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn first_is_told_at_once_and_repeats_are_summed_after_ten_seconds() {
        let (mut dedup, start) = (Deduplicator::default(), Instant::now());
        assert!(dedup.note(INFO, "a", start));
        assert!(!dedup.note(INFO, "a", start + SECOND));
        assert!(!dedup.note(INFO, "a", start + 9 * SECOND));
        assert_eq!(dedup.due(start + 9 * SECOND), []);
        assert_eq!(dedup.due(start + 10 * SECOND), [(INFO, "a (repeated 2 times)".to_owned())]);
    }

    #[test]
    fn sum_begins_the_next_window() {
        let (mut dedup, start) = (Deduplicator::default(), Instant::now());
        dedup.note(INFO, "a", start);
        dedup.note(INFO, "a", start);
        dedup.due(start + 10 * SECOND);
        assert!(!dedup.note(INFO, "a", start + 11 * SECOND));
        assert_eq!(dedup.due(start + 19 * SECOND), []);
        assert_eq!(texts(dedup.due(start + 20 * SECOND)), ["a (repeated once)"]);
        assert_eq!(dedup.due(start + 30 * SECOND), []);
        assert!(dedup.note(INFO, "a", start + 31 * SECOND), "quiet for a window: logged at once again");
    }

    #[test]
    fn same_with_other_numbers_is_summed_and_the_newest_is_told() {
        let (mut dedup, start) = (Deduplicator::default(), Instant::now());
        let line = |n: u32| format!("gate: no frame for {n}.0 s; trying again in {n} s (attempt {n})");
        assert!(dedup.note(INFO, &line(1), start));
        for n in 2..=5 {
            assert!(!dedup.note(INFO, &line(n), start + SECOND));
        }
        assert!(dedup.note(Level::Warn, &line(5), start), "another level is another kind");
        let sum = format!("{} (the last of 4 such lines)", line(5));
        assert_eq!(texts(dedup.due(start + WINDOW)), [sum]);
        dedup.note(INFO, &line(6), start + 11 * SECOND);
        assert_eq!(texts(dedup.due(start + 2 * WINDOW)), [line(6)], "the only one needs no sum");
    }

    #[test]
    fn other_cameras_addresses_and_words_are_other_kinds() {
        for (one, other) in [
            ("cam1: no frame for 5 s", "cam2: no frame for 5 s"),
            ("gate: found at 10.0.0.5", "gate: found at 10.0.0.6"),
            ("gate: live", "gate: stalled"),
            ("/etc/c.toml:4:1: [server]: wrong", "/etc/c.toml:5:1: [server]: wrong"),
            ("the wall is at http://127.0.0.1:8080/", "the wall is at http://127.0.0.1:8081/"),
        ] {
            assert_ne!(kind(one), kind(other));
        }
        for (one, other) in [
            ("gate: live, 640x360 at 25 fps", "gate: live, 1920x1080 at 12.5 fps"),
            ("gate: found at 10.0.0.5:80.", "gate: found at 10.0.0.5:8080."),
            ("gate: worker: [rtsp @ 0x55d5c0] no", "gate: worker: [rtsp @ 0x7f07aabc] no"),
            ("web: connection from 127.0.0.1:51234 ended", "web: connection from 127.0.0.1:9 ended"),
        ] {
            assert_eq!(kind(one), kind(other));
        }
        assert_eq!(kind("門: 3.5 s, 7."), "門: # s, #.");
    }

    #[test]
    fn what_is_not_repeated_is_forgotten() {
        let (mut dedup, start) = (Deduplicator::default(), Instant::now());
        for key in ["a", "b", "c"] {
            dedup.note(INFO, key, start);
        }
        assert_eq!(dedup.due(start + WINDOW), []);
        assert!(dedup.windows.is_empty());
    }

    #[test]
    fn flood_of_different_lines_is_bounded_and_counted() {
        let (mut dedup, start) = (Deduplicator::default(), Instant::now());
        let logged = (0..10_000).filter(|n| dedup.note(INFO, &format!("stranger {n}"), start)).count();
        assert_eq!((logged, dedup.windows.len()), (MAX_KINDS, MAX_KINDS));
        assert_eq!(dedup.due(start + 9 * SECOND), []);
        let sum = "log: 9488 lines were left out, as more than 512 different ones came within 10 s";
        assert_eq!(texts(dedup.due(start + WINDOW)), [sum]);
        assert!(dedup.note(INFO, "gate: live", start + WINDOW));
        assert_eq!(dedup.due(start + 3 * WINDOW), []);
    }

    #[test]
    fn end_tells_what_is_left_in_order() {
        let (mut dedup, start) = (Deduplicator::default(), Instant::now());
        for (key, at) in [("b", 0), ("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            dedup.note(INFO, key, start + at * SECOND);
        }
        assert_eq!(texts(dedup.all()), ["b (repeated once)", "a (repeated once)"]);
        assert_eq!(dedup.all(), []);
    }
}
