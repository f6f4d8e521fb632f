//! The way to syslogd: a datagram socket of our own that never waits.
//!
//! syslogd may be restarted, absent or stuck, and also a healthy one is sent no more than a dozen lines
//! at once by many kernels (`net.unix.max_dgram_qlen`). A line that cannot be handed over waits in
//! memory; past [`MAX_WAITING`] lines are lost and counted, and the number is told in their place. The `syslog` crate's own
//! logger does neither: it drops errors, keeps a dead socket for ever, and blocks on a stuck syslogd.

use std::{
    collections::VecDeque,
    io,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use ::log::Level;
use ::syslog::{Facility, Formatter3164, LogFormat};

/// Where syslogd listens, on every Linux.
pub const SYSLOG_SOCKET: &str = "/dev/log";

/// A connection that failed is tried again after this time at the earliest.
const RETRY: Duration = Duration::from_secs(1);

/// Lines that wait for syslogd at most, each of a kilobyte at most: a report of 64 cameras, and what is
/// said while syslogd is begun again.
pub const MAX_WAITING: usize = 256;

/// The name of the process in every line.
const PROCESS: &str = "cctv-agent";

/// Lines lost by this process, for the metrics; [`SyslogSink`] forgets its own number once it was told.
pub(super) static LOST: AtomicU64 = AtomicU64::new(0);

/// Hands lines to syslogd in the format of RFC 3164, facility daemon. Times are UTC.
pub struct SyslogSink {
    path: PathBuf,
    formatter: Formatter3164,
    socket: Option<UnixDatagram>,
    /// When connecting or sending on a new connection failed last.
    failed: Option<Instant>,
    /// In the format they are sent in, the oldest first.
    waiting: VecDeque<Vec<u8>>,
    /// Lines since there was no more room.
    lost: u64,
}

impl SyslogSink {
    /// Connects with the first line, not before.
    pub fn new(path: PathBuf) -> Self {
        // syslogd knows the host; a local line carries no host name.
        let formatter = Formatter3164 {
            facility: Facility::LOG_DAEMON,
            hostname: None,
            process: PROCESS.to_owned(),
            pid: process::id(),
        };
        Self { path, formatter, socket: None, failed: None, waiting: VecDeque::new(), lost: 0 }
    }

    /// Hands over `text`, which must be one line that fits into a datagram; keeps it for later while
    /// there is room, or counts it as lost.
    pub fn send(&mut self, level: Level, text: &str, now: Instant) {
        self.catch_up(now);
        let datagram = self.format(level, text);
        if self.waiting.is_empty() && self.transmit(&datagram, now) {
            return;
        }
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back(datagram);
        } else {
            self.lost += 1;
            LOST.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines were lost and not told yet.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether lines wait for a syslogd that is there.
    pub fn is_backed_up(&self) -> bool {
        self.socket.is_some() && !self.waiting.is_empty()
    }

    /// Hands over what waits, as far as syslogd takes it. What was lost is told where it is missing.
    pub fn catch_up(&mut self, now: Instant) {
        while let Some(datagram) = self.waiting.pop_front() {
            if !self.transmit(&datagram, now) {
                self.waiting.push_front(datagram);
                break;
            }
        }
        if self.lost > 0 && self.waiting.len() < MAX_WAITING {
            let lines = if self.lost == 1 { "line" } else { "lines" };
            let text = format!("log: {} {lines} lost while syslogd was away", std::mem::take(&mut self.lost));
            let told = self.format(Level::Warn, &text);
            if !self.waiting.is_empty() || !self.transmit(&told, now) {
                self.waiting.push_back(told);
            }
        }
    }

    fn format(&mut self, level: Level, text: &str) -> Vec<u8> {
        let mut datagram = Vec::with_capacity(64 + text.len());
        // Writing into memory cannot fail.
        let _ = match level {
            Level::Error => self.formatter.err(&mut datagram, text),
            Level::Warn => self.formatter.warning(&mut datagram, text),
            Level::Info => self.formatter.info(&mut datagram, text),
            Level::Debug | Level::Trace => self.formatter.debug(&mut datagram, text),
        };
        datagram
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
