//! The connection to syslogd: a datagram socket of our own that never blocks.
//!
//! syslogd may be restarted, absent or stuck. Many kernels queue no more than a dozen lines at once
//! even for a healthy one (`net.unix.max_dgram_qlen`). A line that cannot be sent waits in memory.
//! Beyond [`MAX_WAITING`], lines are lost and counted, and their number is logged in their place.
//! The `syslog` crate's own logger is not used: it drops errors, keeps a dead socket for ever, and
//! blocks on a stuck syslogd.

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

use crate::text::counted;

/// The socket of syslogd, on every Linux.
pub const SYSLOG_SOCKET: &str = "/dev/log";

/// Minimum time between attempts to connect.
const RETRY: Duration = Duration::from_secs(1);

/// Maximum number of lines that wait for syslogd, each of at most a kilobyte: a report of 64
/// cameras, and the lines while syslogd restarts.
pub const MAX_WAITING: usize = 256;

/// The name of the process in every line.
const PROCESS: &str = "cctv-agent";

/// Lines lost by this process, for the metrics. [`SyslogSink`] resets
/// its own count once it is logged.
pub(super) static LOST: AtomicU64 = AtomicU64::new(0);

/// Sends lines to syslogd in the format of RFC 3164, facility daemon. Times are UTC.
pub struct SyslogSink {
    path: PathBuf,
    formatter: Formatter3164,
    socket: Option<UnixDatagram>,
    /// When connecting, or sending on a new connection, failed last.
    failed: Option<Instant>,
    /// In the format in which they are sent, the oldest first.
    waiting: VecDeque<Vec<u8>>,
    /// Number of lines lost since there was no more room.
    lost: u64,
}

impl SyslogSink {
    /// Connects when the first line is sent, not before.
    pub fn new(path: PathBuf) -> Self {
        // syslogd knows the host; a local line has no host name.
        let formatter = Formatter3164 {
            facility: Facility::LOG_DAEMON,
            hostname: None,
            process: PROCESS.to_owned(),
            pid: process::id(),
        };
        Self { path, formatter, socket: None, failed: None, waiting: VecDeque::new(), lost: 0 }
    }

    /// Sends `text`, which must be one line that fits into a datagram. If that fails, keeps it for
    /// later while there is room, or counts it as lost.
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

    /// Returns how many lines were lost and not yet logged as lost.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether lines wait for a syslogd that is there.
    pub fn is_backed_up(&self) -> bool {
        self.socket.is_some() && !self.waiting.is_empty()
    }

    /// Sends the waiting lines, as far as syslogd accepts them. The number of lost
    /// lines is logged in their place.
    pub fn catch_up(&mut self, now: Instant) {
        while let Some(datagram) = self.waiting.pop_front() {
            if !self.transmit(&datagram, now) {
                self.waiting.push_front(datagram);
                break;
            }
        }
        if self.lost > 0 && self.waiting.len() < MAX_WAITING {
            let lines = counted(std::mem::take(&mut self.lost), "line");
            let text = format!("log: {lines} lost while syslogd was away");
            let line = self.format(Level::Warn, &text);
            if !self.waiting.is_empty() || !self.transmit(&line, now) {
                self.waiting.push_back(line);
            }
        }
    }

    fn format(&mut self, level: Level, text: &str) -> Vec<u8> {
        let mut datagram = Vec::with_capacity(64 + text.len());
        // Writing to memory cannot fail.
        let _ = match level {
            Level::Error => self.formatter.err(&mut datagram, text),
            Level::Warn => self.formatter.warning(&mut datagram, text),
            Level::Info => self.formatter.info(&mut datagram, text),
            Level::Debug | Level::Trace => self.formatter.debug(&mut datagram, text),
        };
        datagram
    }

    /// Sends one datagram. Replaces a dead connection once, so a restart of syslogd loses nothing.
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
    /// syslogd is there but does not read.
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
        // Signals do not interrupt a send that does not block.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Offer::Full,
        Err(_) => Offer::Dead,
    }
}
