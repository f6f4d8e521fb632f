//! Log output for a terminal, a file, or the systemd journal.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::MetadataExt as _,
    time::{SystemTime, UNIX_EPOCH},
};

use ::log::Level;
use ::time::OffsetDateTime;

/// Writes lines to stderr, with the time in front unless the journal records the time itself.
pub struct StderrSink {
    journal: bool,
}

impl StderrSink {
    #[expect(clippy::new_without_default, reason = "it looks at the environment")]
    pub fn new() -> Self {
        let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
        Self { journal: is_own_stderr(&stream) }
    }

    /// Writes one line. Blocks while the reader of stderr does not
    /// read. A closed stderr is no error.
    pub fn write(&self, level: Level, text: &str) {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let line = if self.journal { for_journal(level, text) } else { for_people(level, text, unix) };
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }
}

/// Whether `stream`, the value of `JOURNAL_STREAM`, names this process's stderr by device and
/// inode. Stderr may have been redirected after the journal set the variable (systemd.exec(5)).
fn is_own_stderr(stream: &str) -> bool {
    let stderr = fs::metadata("/proc/self/fd/2");
    stderr.is_ok_and(|stderr| stream == format!("{}:{}", stderr.dev(), stderr.ino()))
}

fn for_people(level: Level, text: &str, unix: u64) -> String {
    format!("{} {:<7} {text}\n", utc(unix), word(level))
}

/// Formats a line for the journal, which reads the priority from a number in front (sd-daemon(3)).
fn for_journal(level: Level, text: &str) -> String {
    let priority = match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    };
    format!("<{priority}>{:<7} {text}\n", word(level))
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug | Level::Trace => "debug",
    }
}

/// Formats Unix seconds as `2026-11-22T17:32:53Z`; after the year 9999 as in 1970.
fn utc(unix: u64) -> String {
    let time = i64::try_from(unix).ok().and_then(|unix| OffsetDateTime::from_unix_timestamp(unix).ok());
    let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.to_hms();
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", u8::from(month))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_for_people_has_the_time_and_a_padded_level() {
        let lines = for_people(Level::Warn, "porch: a", 0) + &for_people(Level::Info, "porch: b", 1_795_368_773);
        assert_eq!(lines, "1970-01-01T00:00:00Z warning porch: a\n2026-11-22T17:32:53Z info    porch: b\n");
    }

    #[test]
    fn line_for_the_journal_has_a_priority_instead_of_the_time() {
        assert_eq!(for_journal(Level::Error, "gate: a"), "<3>error   gate: a\n");
    }

    #[test]
    fn leap_days_and_ends_of_years_are_right() {
        for (unix, shown) in [
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
        ] {
            assert_eq!(utc(unix), shown);
        }
    }

    #[test]
    fn another_stream_is_not_taken_for_the_journal() {
        assert!(!is_own_stderr("") && !is_own_stderr("1:2"));
        let stderr = fs::metadata("/proc/self/fd/2").unwrap();
        assert!(is_own_stderr(&format!("{}:{}", stderr.dev(), stderr.ino())));
    }
}
