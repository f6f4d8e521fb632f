//! Reports the service's state to systemd (sd_notify(3)); sends nothing if systemd did not ask.
//!
//! A datagram that systemd does not take at once is kept and sent later, in order: without
//! `READY=1` systemd would kill the service. Nothing here blocks. That is why the crate `sd-notify`
//! is not used: its socket blocks, and a stuck manager would hold up the executor.

use std::{
    collections::VecDeque,
    env, io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

use crate::sync::Mutex;
use rustix::time::{ClockId, clock_gettime};

/// Maximum number of messages that wait for systemd; a service sends a handful in its life.
const MAX_WAITING: usize = 64;

/// The connection to the manager that started this process.
pub struct Notify {
    /// `None` if systemd did not ask for reports.
    manager: Option<Manager>,
    /// systemd kills and restarts a service that is silent for longer.
    watchdog: Option<Duration>,
}

struct Manager {
    socket: UnixDatagram,
    waiting: Mutex<VecDeque<String>>,
}

impl Notify {
    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`. Workers do not inherit these.
    pub fn from_environment() -> Self {
        let manager = env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()).and_then(|path| {
            let manager = Manager::connect(path.as_bytes());
            manager.inspect_err(|error| log::warn!("systemd: cannot send to its socket {path:?}: {error}")).ok()
        });
        let text = |name| env::var(name).ok();
        let watchdog = interval(text("WATCHDOG_USEC"), text("WATCHDOG_PID"), std::process::id());
        Self { watchdog: watchdog.filter(|_| manager.is_some()), manager }
    }

    /// Whether systemd asked for reports.
    pub fn is_wanted(&self) -> bool {
        self.manager.is_some()
    }

    /// How long systemd waits for the next [`Notify::alive`] before it kills the service; `None` if
    /// it does not.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Reports that the wall is served and the configuration was read.
    pub fn ready(&self) {
        self.tell("READY=1".to_owned());
    }

    /// Reports that the configuration is read again; [`Notify::ready`] ends this.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        self.tell(format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1000));
    }

    pub fn stopping(&self) {
        self.tell("STOPPING=1".to_owned());
    }

    /// One line for `systemctl status`.
    pub fn status(&self, line: &str) {
        self.tell(format!("STATUS={}", line.replace('\n', " ")));
    }

    /// Sends a heartbeat. It is worthless later, so it never waits behind another one.
    pub fn alive(&self) {
        if let Some(manager) = &self.manager
            && self.watchdog.is_some()
            && manager.catch_up()
        {
            let _ = manager.socket.send(b"WATCHDOG=1");
        }
    }

    /// Sends what systemd did not take before.
    pub fn catch_up(&self) {
        self.manager.as_ref().map(Manager::catch_up);
    }

    fn tell(&self, message: String) {
        if let Some(manager) = &self.manager {
            let mut waiting = manager.waiting.lock();
            if waiting.len() < MAX_WAITING {
                waiting.push_back(message);
            }
            drop(waiting);
            manager.catch_up();
        }
    }
}

impl Manager {
    /// `path` begins with `/`, or with `@` for an abstract name outside the file system.
    fn connect(path: &[u8]) -> io::Result<Self> {
        let address = match path {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect_addr(&address)?;
        Ok(Self { socket, waiting: Mutex::default() })
    }

    /// Returns whether the queue is empty.
    fn catch_up(&self) -> bool {
        let mut waiting = self.waiting.lock();
        while let Some(message) = waiting.front() {
            match self.socket.send(message.as_bytes()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // Taken, or can never be taken.
                _ => waiting.pop_front(),
            };
        }
        true
    }
}

/// Both variables are numbers. If the process number is another process's, the heartbeat is not
/// ours.
fn interval(microseconds: Option<String>, process: Option<String>, own: u32) -> Option<Duration> {
    if process.is_some_and(|process| process.parse() != Ok(own)) {
        return None;
    }
    microseconds?.parse().ok().filter(|number| *number > 0).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beat_is_asked_for_only_of_the_process_that_is_named() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(interval(text("2000000"), None, 7), Some(Duration::from_secs(2)));
        assert_eq!(interval(text("2000000"), text("7"), 7), Some(Duration::from_secs(2)));
        assert_eq!(interval(text("2000000"), text("8"), 7), None);
        assert_eq!(interval(text("2000000"), text("x"), 7), None);
        assert_eq!(interval(text("0"), None, 7), None);
        assert_eq!(interval(text("soon"), None, 7), None);
        assert_eq!(interval(None, text("7"), 7), None);
    }

    #[test]
    fn message_waits_for_a_manager_that_does_not_read_and_keeps_its_turn() {
        let name = format!("cctv-agent-notify-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        manager.set_nonblocking(true).unwrap();
        let connected = Manager::connect(format!("@{name}").as_bytes()).unwrap();
        let notify = Notify { manager: Some(connected), watchdog: Some(Duration::from_secs(1)) };
        let full = (0..100_000).find(|_| notify.manager.as_ref().unwrap().socket.send(b"x").is_err());
        let full = full.expect("the queue never fills");
        notify.reloading();
        notify.ready();
        notify.alive();
        let receive = || {
            let mut message = [0; 256];
            manager.recv(&mut message).map(|length| String::from_utf8_lossy(&message[..length]).into_owned()).ok()
        };
        for _ in 0..full {
            assert_eq!(receive().as_deref(), Some("x"));
        }
        assert_eq!(receive(), None);
        notify.alive();
        assert!(receive().unwrap().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        assert_eq!(receive().as_deref(), Some("READY=1"));
        assert_eq!(receive().as_deref(), Some("WATCHDOG=1"));
        assert_eq!(receive(), None);
    }
}
