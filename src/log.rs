//! A logger behind the `log` facade that writes to syslog or stderr: one line
//! per event, for the person on site.
//!
//! A line says `camera: what happened; what is done about it`. As a last line of defence, every
//! line is masked as by [`mask_credentials`]. Repeats within ten seconds, also with other numbers,
//! are counted and logged in one line. For this, [`flush`] must be called about once a second.

use std::{
    panic,
    sync::{OnceLock, atomic::Ordering},
    time::Instant,
};

use ::log::{Level, LevelFilter, Log, Metadata, Record, SetLoggerError};

use crate::{camera::mask_credentials, sync::Mutex, text::is_hidden};

pub use crate::text::chain;

pub mod dedup;
pub mod stderr;
pub mod syslog;

use dedup::Deduplicator;
use stderr::StderrSink;
use syslog::SyslogSink;

/// Maximum length of a text, in bytes. With its head a line then fits into 1000
/// bytes: BusyBox's syslogd reads 1023 of a datagram (measured with 1.35 of Debian
/// 12; RFC 3164 section 4.1 allows 1024).
const MAX_TEXT_LEN: usize = 900;

/// Prefix of the target of our own records. Of other crates only warnings and errors are logged.
const OWN_TARGET: &str = "cctv_agent";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The process already has a logger.
    #[error("the log was started before")]
    Twice(#[source] SetLoggerError),
}

/// The destination of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The datagram socket `/dev/log`; never blocks.
    Syslog,
    /// Standard error; blocks while its reader does not read.
    Stderr,
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Sends all log records from now on to `target`, down to `level`. Panics are logged too if
/// `target` is syslog, because nobody reads the stderr of a service.
///
/// # Errors
/// If the process already has a logger.
pub fn start(target: Target, level: LevelFilter) -> Result<(), Error> {
    let sink = match target {
        Target::Syslog => Sink::Syslog(SyslogSink::new(syslog::SYSLOG_SOCKET.into())),
        Target::Stderr => Sink::Stderr(StderrSink::new()),
    };
    let logger = LOGGER.get_or_init(|| Logger(Mutex::new(Pipeline::new(sink))));
    ::log::set_logger(logger).map_err(Error::Twice)?;
    ::log::set_max_level(level);
    if target == Target::Syslog {
        log_panics();
    }
    Ok(())
}

/// Logs the repeats whose ten seconds are over, and resends the lines that syslogd did not accept.
/// Call it from a timer of about one second; it costs nothing if there is nothing to log. Returns
/// whether lines still wait for a syslogd that is there: it accepts a dozen at once, so an early
/// next call soon sends them all.
pub fn flush(now: Instant) -> bool {
    LOGGER.get().is_some_and(|logger| {
        logger.with(|pipeline| {
            pipeline.flush(now);
            pipeline.is_backed_up()
        })
    })
}

/// Returns how many lines were lost since the process began, because syslogd was absent or stuck.
/// This number never decreases, unlike the number in the log.
pub fn lost() -> u64 {
    syslog::LOST.load(Ordering::Relaxed)
}

fn log_panics() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        // The panic may have happened inside the logger, which is then locked.
        if let Some(Some(mut pipeline)) = LOGGER.get().map(|logger| logger.0.try_lock()) {
            let line = format!("agent: internal error: {panic}; the process ends and init starts it again");
            pipeline.write(Level::Error, &line, Instant::now());
        }
        before(panic);
    }));
}

struct Logger(Mutex<Pipeline>);

impl Logger {
    fn with<T>(&self, action: impl FnOnce(&mut Pipeline) -> T) -> T {
        // A panic during a write leaves at worst one incomplete line.
        action(&mut self.0.lock())
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with(OWN_TARGET) || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = if record.target().starts_with(OWN_TARGET) {
            record.args().to_string()
        } else {
            format!("{}: {}", record.target(), record.args())
        };
        self.with(|pipeline| pipeline.write(record.level(), &text, Instant::now()));
    }

    /// For the end of the process: logs every repeat, whatever its age.
    fn flush(&self) {
        self.with(|pipeline| pipeline.finish(Instant::now()));
    }
}

/// The output of the log.
pub enum Sink {
    Syslog(SyslogSink),
    Stderr(StderrSink),
}

impl Sink {
    fn write(&mut self, level: Level, text: &str, now: Instant) {
        match self {
            Self::Syslog(syslog) => syslog.send(level, text, now),
            Self::Stderr(stderr) => stderr.write(level, text),
        }
    }
}

/// Masks, shortens and deduplicates lines before they reach a sink.
pub struct Pipeline {
    sink: Sink,
    dedup: Deduplicator,
}

impl Pipeline {
    pub fn new(sink: Sink) -> Self {
        Self { sink, dedup: Deduplicator::default() }
    }

    /// Writes `text` as one line, or counts it as a repeat.
    pub fn write(&mut self, level: Level, text: &str, now: Instant) {
        self.write_repeats(now);
        let line = one_line(&mask_credentials(text));
        if self.dedup.note(level, &line, now) {
            self.sink.write(level, &line, now);
        }
    }

    /// See [`flush`].
    pub fn flush(&mut self, now: Instant) {
        self.write_repeats(now);
        if let Sink::Syslog(syslog) = &mut self.sink {
            syslog.catch_up(now);
        }
    }

    /// Whether lines wait for a syslogd that is there.
    fn is_backed_up(&self) -> bool {
        matches!(&self.sink, Sink::Syslog(syslog) if syslog.is_backed_up())
    }

    /// Logs every repeat, whatever its age. Lines that syslogd does not accept now are lost.
    pub fn finish(&mut self, now: Instant) {
        let dedup = self.dedup.all();
        self.write_all(dedup, now);
        if let Sink::Syslog(syslog) = &mut self.sink {
            syslog.catch_up(now);
        }
    }

    fn write_repeats(&mut self, now: Instant) {
        let due = self.dedup.due(now);
        self.write_all(due, now);
    }

    fn write_all(&mut self, dedup: Vec<(Level, String)>, now: Instant) {
        for (level, text) in dedup {
            self.sink.write(level, &text, now);
        }
    }
}

/// Returns `text` without line breaks and other hidden characters, so that nobody can forge a line
/// or change how it reads, and shortened to the maximum length of a line.
fn one_line(text: &str) -> String {
    let plain = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if is_hidden(c) => '?',
        c => c,
    };
    let text = text.trim_end();
    if text.len() <= MAX_TEXT_LEN {
        return text.chars().map(plain).collect();
    }
    let cut = &text[..text.floor_char_boundary(MAX_TEXT_LEN)];
    cut.chars().map(plain).chain(" …".chars()).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn chain_names_every_cause_on_one_line() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot reach 10.0.0.1")]
        struct Outer(#[source] io::Error);
        assert_eq!(chain(&Outer(io::Error::other("no route"))), "cannot reach 10.0.0.1: no route");
        let refused = Outer(io::Error::from_raw_os_error(111));
        assert_eq!(chain(&refused), "cannot reach 10.0.0.1: Connection refused");
    }

    #[test]
    fn line_breaks_cannot_forge_a_line() {
        assert_eq!(one_line("gate: a\n<8>Nov 22 b\r\n\u{1b}[31m\0\n"), "gate: a <8>Nov 22 b  ?[31m?");
        assert_eq!(one_line("gate: \u{202e}evil\u{200b}"), "gate: ?evil?");
    }

    #[test]
    fn long_line_is_cut_between_characters() {
        let cut = one_line(&"門".repeat(1000));
        assert_eq!(cut.chars().filter(|c| *c == '門').count(), 300);
        assert!(cut.ends_with(" …") && cut.len() < 910);
        assert_eq!(one_line(&"x".repeat(900)).len(), 900);
    }
}
