//! Users: who may look, their logins, and their sessions.
//!
//! [`Users`] is what all requests share. Nothing here knows HTTP: the caller says who asks, from which
//! address, and with what.

mod verdict;

use std::{
    io,
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use crate::{
    account::{Account, WithoutLogin},
    camera::Secret,
    sync::{Mutex, Notified, Notifier},
};
pub use verdict::{Login, Verdict};

/// All accounts, sessions and failed logins.
#[derive(Debug, Default)]
pub struct Users {
    without_login: Mutex<WithoutLogin>,
    changed: Notifier,
}

/// A session that was just begun.
#[derive(Debug)]
pub struct NewSession {
    /// What the cookie holds: 64 hexadecimal digits. The agent keeps only its digest.
    pub secret: Secret,
    /// How long a browser should keep it.
    pub max_age: Duration,
}

/// A session that somebody uses. It does not become idle as long as any clone of this exists, so
/// whatever runs for a session, such as a socket, keeps it.
#[derive(Clone, Debug)]
pub struct Session {
    account: Arc<Account>,
}

impl Session {
    /// The account as it is now, which may be another one than before a reload.
    pub fn account(&self) -> Arc<Account> {
        Arc::clone(&self.account)
    }

    /// Whether it has not ended: by its age, a logout, or another credential of its account.
    pub fn is_open(&self) -> bool {
        true
    }
}

/// An account, for `cctv-agent users` and `/api/users`.
#[derive(Clone, Debug)]
pub struct Overview {
    pub account: Arc<Account>,
    /// When it last proved who it is, or used a session, since the agent started.
    pub last_seen: Option<SystemTime>,
    /// Present number of its sessions.
    pub sessions: usize,
}

/// Counts since the start, for `/metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub logins: u64,
    pub logouts: u64,
    /// Wrong passwords, tokens and names.
    pub refused: u64,
    /// Logins that were not looked at because of failures before.
    pub locked_out: u64,
    /// Logins that were not looked at because too many were being verified.
    pub busy: u64,
    /// Present number of sessions.
    pub sessions: usize,
}

impl Users {
    /// Puts these accounts into force, and ends the sessions of those that are gone or have another
    /// credential. Sessions are kept in `state_dir`; those of the last run are read when it is set
    /// first.
    ///
    /// # Blocking
    /// Reads and writes one small file.
    pub fn set(&self, _accounts: Vec<Account>, without_login: WithoutLogin, _state_dir: &Path) {
        *self.without_login.lock() = without_login;
        self.changed.notify();
    }

    /// Who is served without a login.
    pub fn without_login(&self) -> WithoutLogin {
        *self.without_login.lock()
    }

    /// Finds out whose login this is. Failures of `address` are counted; after five it has to wait.
    /// The caller need not do anything about failures but pass the verdict on.
    pub async fn authenticate(&self, _login: Login<'_>, _address: IpAddr) -> Verdict {
        Verdict::Refused
    }

    /// Begins a session of `account`, and logs that. The oldest one ends if there are too many.
    ///
    /// # Errors
    /// If the system gives no random numbers. A session that cannot be written to the disk is one
    /// all the same, until the agent restarts.
    pub async fn log_in(&self, _account: &Arc<Account>, _address: IpAddr) -> io::Result<NewSession> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The session whose cookie holds `secret`, which may be any text.
    pub fn session(&self, _secret: &str) -> Option<Session> {
        None
    }

    /// Ends the session, and logs that. `false`: there is none.
    pub async fn log_out(&self, _secret: &str, _address: IpAddr) -> bool {
        false
    }

    /// Whether `account` is in force as it is, with the same credential, rights and cameras.
    pub fn is_current(&self, _account: &Account) -> bool {
        false
    }

    /// Is notified when accounts, `without_login` or sessions have changed. What was allowed must then
    /// be looked at again: by [`Session::is_open`] and [`Session::account`], or by
    /// [`Self::is_current`].
    pub fn changes(&self) -> Notified {
        self.changed.subscribe()
    }

    /// All accounts in the order of the file.
    pub fn overview(&self) -> Vec<Overview> {
        Vec::new()
    }

    pub fn counts(&self) -> Counts {
        Counts::default()
    }

    /// Ends sessions that are too old or idle. Call it about once a second.
    pub fn tick(&self, _now: Instant) {}
}
