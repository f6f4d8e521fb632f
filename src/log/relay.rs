//! The way to syslogd: a datagram socket of our own that never waits.
//!
//! syslogd may be restarted, absent or stuck. A line that cannot be handed over at once is lost and
//! counted, and the number is told as soon as lines get through again. The `syslog` crate's own
//! logger does neither: it drops errors, keeps a dead socket for ever, and blocks on a stuck syslogd.

use std::{
    io,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    process,
    time::{Duration, Instant},
};

use ::log::Level;
use ::syslog::{Facility, Formatter3164, LogFormat};

/// Where syslogd listens, on every Linux.
pub const SYSLOG_SOCKET: &str = "/dev/log";

/// A connection that failed is tried again after this time at the earliest.
const RETRY: Duration = Duration::from_secs(1);

/// The name of the process in every line.
const PROCESS: &str = "cctv-agent";

/// Hands lines to syslogd in the format of RFC 3164, facility daemon. Times are UTC.
pub struct Relay {
    path: PathBuf,
    formatter: Formatter3164,
    socket: Option<UnixDatagram>,
    /// When connecting or sending on a new connection failed last.
    failed: Option<Instant>,
    /// Lines since the last one that got through.
    lost: u64,
}

impl Relay {
    /// Connects with the first line, not before.
    pub fn new(path: PathBuf) -> Self {
        // syslogd knows the host; a local line carries no host name.
        let formatter = Formatter3164 {
            facility: Facility::LOG_DAEMON,
            hostname: None,
            process: PROCESS.to_owned(),
            pid: process::id(),
        };
        Self { path, formatter, socket: None, failed: None, lost: 0 }
    }

    /// Hands over `text`, which must be one line that fits into a datagram, or counts it as lost.
    pub fn send(&mut self, level: Level, text: &str, now: Instant) {
        if !self.tell_lost(now) || !self.deliver(level, text, now) {
            self.lost += 1;
        }
    }

    /// How many lines were lost and not told yet.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Tells how many lines were lost, if any; returns whether nothing is left to be told.
    pub fn tell_lost(&mut self, now: Instant) -> bool {
        if self.lost == 0 {
            return true;
        }
        let lines = if self.lost == 1 { "line" } else { "lines" };
        let told = self.deliver(Level::Warn, &format!("log: {} {lines} lost while syslogd was away", self.lost), now);
        if told {
            self.lost = 0;
        }
        told
    }

    fn deliver(&mut self, level: Level, text: &str, now: Instant) -> bool {
        let mut datagram = Vec::with_capacity(64 + text.len());
        let formatted = match level {
            Level::Error => self.formatter.err(&mut datagram, text),
            Level::Warn => self.formatter.warning(&mut datagram, text),
            Level::Info => self.formatter.info(&mut datagram, text),
            Level::Debug | Level::Trace => self.formatter.debug(&mut datagram, text),
        };
        formatted.is_ok() && self.transmit(&datagram, now)
    }

    /// A connection that turns out dead is replaced once: after a restart of syslogd nothing is lost.
    fn transmit(&mut self, datagram: &[u8], now: Instant) -> bool {
        if let Some(socket) = &self.socket {
            match offer(socket, datagram) {
                Offer::Taken => return true,
                Offer::Full => return false,
                Offer::Dead => self.socket = None,
            }
        }
        if self.failed.is_some_and(|failed| now.saturating_duration_since(failed) < RETRY) {
            return false;
        }
        let socket = connect(&self.path).ok();
        let outcome = socket.as_ref().map_or(Offer::Dead, |socket| offer(socket, datagram));
        match outcome {
            Offer::Dead => self.failed = Some(now),
            Offer::Taken | Offer::Full => (self.socket, self.failed) = (socket, None),
        }
        matches!(outcome, Offer::Taken)
    }
}

enum Offer {
    Taken,
    /// syslogd is there and does not read.
    Full,
    Dead,
}

fn connect(path: &PathBuf) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

fn offer(socket: &UnixDatagram, datagram: &[u8]) -> Offer {
    match socket.send(datagram) {
        Ok(_) => Offer::Taken,
        // A send that does not wait is not interrupted by signals.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Offer::Full,
        Err(_) => Offer::Dead,
    }
}
