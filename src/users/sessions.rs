//! Sessions: what browsers have after a login. The agent keeps digests of their secrets only.
//!
//! Ages are measured by the monotonic clock, because machines without a battery start in 1970; only
//! the file has dates.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use crate::{
    account::{Account, Credential, digest::Digest},
    sync::Mutex,
};

/// Maximum number of sessions in all, and of one account.
pub(super) const MAX_SESSIONS: usize = 256;
const MAX_PER_ACCOUNT: usize = 64;

/// A session by a password ends after this time without use.
const MAX_IDLE: Duration = Duration::from_secs(12 * 60 * 60);

/// A session by a password ends at this age.
const MAX_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long a browser should keep a session by a token, which has no end but the token's: the longest
/// that browsers accept.
const TOKEN_MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// First line of the file.
const HEADER: &str = "cctv-agent sessions 1";

/// All open sessions, by the digests of their secrets.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: BTreeMap<Digest, Arc<Entry>>,
}

#[derive(Debug)]
struct Entry {
    account: Mutex<Arc<Account>>,
    /// The fingerprint of the credential by which it was begun.
    credential: Digest,
    /// When it was begun, or read from the file with an age of `age_before`.
    since: Instant,
    age_before: Duration,
    used: Mutex<Instant>,
    has_ended: AtomicBool,
}

/// A session that somebody uses. It does not become idle as long as any clone of this exists, so
/// whatever runs for a session, such as a socket, keeps it.
#[derive(Clone, Debug)]
pub struct Session(Arc<Entry>);

impl Session {
    /// The account as it is now, which may be another one than before a reload.
    pub fn account(&self) -> Arc<Account> {
        Arc::clone(&self.0.account.lock())
    }

    /// Whether it has not ended: by its age, a logout, or another credential of its account.
    pub fn is_open(&self) -> bool {
        !self.0.has_ended.load(Ordering::Relaxed)
    }
}

impl Entry {
    fn age(&self, now: Instant) -> Duration {
        self.age_before + now.saturating_duration_since(self.since)
    }

    fn is_over(&self, now: Instant) -> bool {
        let is_limited = matches!(self.account.lock().credential, Credential::Password(_));
        let idle = now.saturating_duration_since(*self.used.lock());
        is_limited && (self.age(now) >= MAX_AGE || idle >= MAX_IDLE)
    }

    fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }
}

/// How long a browser should keep a session of `account`.
pub(super) fn max_age(account: &Account) -> Duration {
    match account.credential {
        Credential::Password(_) => MAX_AGE,
        Credential::Token(_) => TOKEN_MAX_AGE,
    }
}

impl Sessions {
    /// Begins a session. The oldest one ends if there are too many.
    pub(super) fn begin(&mut self, secret: &str, account: &Arc<Account>, now: Instant) {
        self.insert(Digest::of(&[secret]), account, Duration::ZERO, now);
    }

    fn insert(&mut self, digest: Digest, account: &Arc<Account>, age_before: Duration, now: Instant) {
        let of_account = |entry: &Entry| entry.account.lock().name == account.name;
        if self.open.values().filter(|entry| of_account(entry)).count() >= MAX_PER_ACCOUNT {
            self.end_oldest(now, of_account);
        }
        if self.open.len() >= MAX_SESSIONS {
            self.end_oldest(now, |_| true);
        }
        let entry = Entry {
            account: Mutex::new(Arc::clone(account)),
            credential: account.credential.fingerprint(),
            since: now,
            age_before,
            used: Mutex::new(now),
            has_ended: AtomicBool::new(false),
        };
        self.open.insert(digest, Arc::new(entry));
    }

    fn end_oldest(&mut self, now: Instant, is_meant: impl Fn(&Entry) -> bool) {
        let meant = self.open.iter().filter(|(_, entry)| is_meant(entry));
        let oldest = meant.max_by_key(|(_, entry)| entry.age(now)).map(|(digest, _)| *digest);
        if let Some(entry) = oldest.and_then(|digest| self.open.remove(&digest)) {
            entry.end();
        }
    }

    /// The session with this secret, which is used now.
    pub(super) fn find(&self, secret: &str, now: Instant) -> Option<Session> {
        let entry = self.open.get(&Digest::of(&[secret])).filter(|entry| !entry.is_over(now))?;
        *entry.used.lock() = now;
        Some(Session(Arc::clone(entry)))
    }

    /// Ends the session with this secret; returns its account.
    pub(super) fn end(&mut self, secret: &str) -> Option<Arc<Account>> {
        let entry = self.open.remove(&Digest::of(&[secret]))?;
        entry.end();
        Some(Arc::clone(&entry.account.lock()))
    }

    /// Ends what is too old or idle; whether anything was.
    pub(super) fn end_old(&mut self, now: Instant) -> bool {
        self.retain(|entry, is_in_use| {
            if is_in_use {
                *entry.used.lock() = now;
            }
            !entry.is_over(now)
        })
    }

    /// Ends the sessions of accounts that `find` does not find or finds with another credential, and
    /// gives the others their accounts as they are now. Whether any was ended.
    pub(super) fn follow(&mut self, find: impl Fn(&str) -> Option<Arc<Account>>) -> bool {
        self.retain(|entry, _| {
            let mut account = entry.account.lock();
            let now = find(&account.name).filter(|now| now.credential.fingerprint() == entry.credential);
            let stays = now.is_some();
            *account = now.unwrap_or_else(|| Arc::clone(&account));
            stays
        })
    }

    fn retain(&mut self, stays: impl Fn(&Entry, bool) -> bool) -> bool {
        let before = self.open.len();
        self.open.retain(|_, entry| {
            let stays = stays(entry, Arc::strong_count(entry) > 1);
            if !stays {
                entry.end();
            }
            stays
        });
        self.open.len() < before
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// How many sessions `account` has.
    pub(super) fn count(&self, account: &str) -> usize {
        self.open.values().filter(|entry| entry.account.lock().name == account).count()
    }

    /// The text of the file: for each session its digest, the fingerprint of its credential, when it
    /// was begun in seconds since 1970, and its account.
    pub(super) fn to_text(&self, now: Instant, date: SystemTime) -> String {
        let seconds = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut text = format!("{HEADER}\n");
        for (digest, entry) in &self.open {
            let begun = seconds.saturating_sub(entry.age(now).as_secs());
            text += &format!("{digest} {} {begun} {}\n", entry.credential, entry.account.lock().name);
        }
        text
    }

    /// Takes over the sessions of a file, but for those that have ended meanwhile. Their time without
    /// use begins anew. Whether the file was one of ours.
    pub(super) fn read(
        &mut self,
        text: &str,
        find: impl Fn(&str) -> Option<Arc<Account>>,
        now: Instant,
        date: SystemTime,
    ) -> bool {
        let seconds = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return false;
        }
        for line in lines.take(MAX_SESSIONS) {
            let fields: Vec<&str> = line.split(' ').collect();
            let &[digest, credential, begun, name] = fields.as_slice() else { continue };
            let parsed = Digest::parse(digest).zip(Digest::parse(credential)).zip(begun.parse::<u64>().ok());
            let Some(((digest, credential), begun)) = parsed else { continue };
            let Some(account) = find(name).filter(|account| account.credential.fingerprint() == credential) else {
                continue;
            };
            let age = Duration::from_secs(seconds.saturating_sub(begun));
            if matches!(account.credential, Credential::Token(_)) || age < MAX_AGE {
                self.insert(digest, &account, age, now);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
