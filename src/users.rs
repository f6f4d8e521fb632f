//! Users: who may look, their logins, and their sessions.
//!
//! [`Users`] is what all requests share. Nothing here knows HTTP: the caller says who asks, from which
//! address, and with what.

mod audit;
pub mod command_key;
mod failures;
mod file;
mod sessions;
mod verdict;
mod verifier;

use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use crate::{
    account::{
        Account, Credential, WithoutLogin, digest::random_secret, password_hash::PasswordHash, token_hash::TokenHash,
    },
    camera::Secret,
    sync::{Mutex, Notified, Notifier},
};
use audit::Audit;
pub use audit::Counts;
use command_key::CommandKey;
use failures::Failures;
pub use failures::address_prefix;
use file::KeptSessions;
pub use sessions::Session;
pub use verdict::{Login, Verdict};
use verifier::Verifier;

/// All accounts, sessions and failed logins.
#[derive(Debug, Default)]
pub struct Users {
    rules: Mutex<Rules>,
    verifier: Verifier,
    sessions: Arc<KeptSessions>,
    failures: Mutex<Failures>,
    /// By the names of accounts.
    last_seen: Mutex<BTreeMap<String, SystemTime>>,
    command_key: CommandKey,
    audit: Audit,
    changed: Notifier,
}

#[derive(Debug, Default)]
struct Rules {
    /// In the order of the file. `None`: no configuration was read yet.
    accounts: Option<Vec<Arc<Account>>>,
    without_login: WithoutLogin,
}

impl Rules {
    fn accounts(&self) -> &[Arc<Account>] {
        self.accounts.as_deref().unwrap_or_default()
    }

    fn find(&self, name: &str) -> Option<Arc<Account>> {
        self.accounts().iter().find(|account| account.name == name).cloned()
    }
}

/// A session that was just begun.
#[derive(Debug)]
pub struct NewSession {
    /// What the cookie holds: 64 hexadecimal digits. The agent keeps only its digest.
    pub secret: Secret,
    /// How long a browser should keep it.
    pub max_age: Duration,
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

impl Users {
    /// Puts these accounts into force, and ends the sessions of those that are gone or have another
    /// credential. Sessions are kept in `state_dir`; those of the last run are read when it is set
    /// first. Where nobody is served without a login, the key of this machine's commands is there, too.
    ///
    /// # Blocking
    /// Reads and writes small files.
    pub fn set(&self, accounts: Vec<Account>, without_login: WithoutLogin, state_dir: &Path) {
        let accounts: Vec<_> = accounts.into_iter().map(Arc::new).collect();
        let old = {
            let mut rules = self.rules.lock();
            rules.without_login = without_login;
            rules.accounts.replace(accounts.clone())
        };
        self.command_key.follow(without_login, state_dir);
        if let Some(old) = old {
            audit::changed(&old, &accounts);
        }
        let find = |name: &str| accounts.iter().find(|account| account.name == name).cloned();
        self.sessions.set_directory(state_dir, find);
        let ended = self.sessions.lock().follow(find);
        if ended {
            // Else the same credential, written again, would bring them back after a restart.
            self.sessions.save();
        }
        self.verifier
            .forget_others(|credential| accounts.iter().any(|account| account.credential.fingerprint() == credential));
        self.last_seen.lock().retain(|name, _| find(name).is_some());
        self.changed.notify();
    }

    /// Who is served without a login.
    pub fn without_login(&self) -> WithoutLogin {
        self.rules.lock().without_login
    }

    /// Whether `key` is the one of this machine's commands. The caller lets only this machine ask.
    pub fn is_command_key(&self, key: &str) -> bool {
        self.command_key.is(key)
    }

    /// Finds out whose login this is. Failures of `address` are counted; after five it has to wait.
    /// The caller need not do anything about failures but pass the verdict on.
    pub async fn authenticate(&self, login: Login<'_>, address: IpAddr) -> Verdict {
        if let Some(locked_out) = self.locked_out(address) {
            return locked_out;
        }
        match login {
            Login::Token(token) => self.by_token(token, address),
            Login::Password { name, password } => self.by_password(name, password, address).await,
        }
    }

    fn by_token(&self, token: &str, address: IpAddr) -> Verdict {
        let hash = TokenHash::of(token);
        let is_its = |account: &&Arc<Account>| account.credential == Credential::Token(hash);
        let account = self.rules.lock().accounts().iter().find(is_its).cloned();
        match account {
            Some(account) => self.accept(account, address),
            None => self.refuse(None, address),
        }
    }

    async fn by_password(&self, name: &str, password: &str, address: IpAddr) -> Verdict {
        let (account, hash) = self.hash_of(name);
        let Some(hash) = hash else {
            // There is no account with a password, so there is nothing to find out.
            return self.refuse(None, address);
        };
        let is_remembered = |account: &Arc<Account>| {
            self.verifier.remembers(name, password, account.credential.fingerprint(), Instant::now())
        };
        if let Some(account) = account.clone().filter(is_remembered) {
            return self.accept(account, address);
        }
        let Some(turn) = self.verifier.turn().await else {
            self.audit.busy(address);
            return Verdict::Busy;
        };
        // Others of this address may have failed, or succeeded with the same pair, while this one waited.
        if let Some(locked_out) = self.locked_out(address) {
            return locked_out;
        }
        if let Some(account) = account.clone().filter(is_remembered) {
            return self.accept(account, address);
        }
        let (is_right, turn) = Verifier::verify(turn, hash, password).await;
        // A reload may have changed the account meanwhile.
        let verdict = match account.filter(|account| is_right && self.is_current(account)) {
            Some(account) => {
                self.verifier.remember(name, password, account.credential.fingerprint(), Instant::now());
                self.accept(account, address)
            }
            None => self.refuse(self.rules.lock().find(name).map(|account| account.name.clone()).as_deref(), address),
        };
        drop(turn);
        verdict
    }

    /// The account with this name that has a password, and the hash to verify. If there is no such
    /// account, a login costs as much as a wrong password all the same.
    fn hash_of(&self, name: &str) -> (Option<Arc<Account>>, Option<PasswordHash>) {
        let rules = self.rules.lock();
        let hash = |account: &Arc<Account>| match &account.credential {
            Credential::Password(hash) => Some(hash.clone()),
            Credential::Token(_) => None,
        };
        match rules.find(name).and_then(|account| hash(&account).map(|hash| (account, hash))) {
            Some((account, hash)) => (Some(account), Some(hash)),
            None => (None, rules.accounts().iter().find_map(hash)),
        }
    }

    fn locked_out(&self, address: IpAddr) -> Option<Verdict> {
        let wait = self.failures.lock().check(address, Instant::now()).err()?;
        self.audit.locked_out(address);
        let retry_after = Duration::from_secs(wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1));
        Some(Verdict::LockedOut { retry_after })
    }

    fn accept(&self, account: Arc<Account>, address: IpAddr) -> Verdict {
        self.failures.lock().forget(address);
        self.note_seen(&account);
        Verdict::Accepted(account)
    }

    fn refuse(&self, name: Option<&str>, address: IpAddr) -> Verdict {
        let wait = self.failures.lock().note(address, Instant::now());
        self.audit.refused(name, address, wait);
        Verdict::Refused
    }

    fn note_seen(&self, account: &Account) {
        self.last_seen.lock().insert(account.name.clone(), SystemTime::now());
    }

    /// Begins a session of `account`, and logs that. The oldest one ends if there are too many.
    ///
    /// # Errors
    /// If the system gives no random numbers, or the account is no longer in force. A session that
    /// cannot be written to the disk is one all the same, until the agent restarts.
    pub async fn log_in(&self, account: &Arc<Account>, address: IpAddr) -> io::Result<NewSession> {
        let secret = random_secret().map_err(io::Error::other)?;
        {
            // Under the lock of the rules, so that a reload either comes before or ends it.
            let rules = self.rules.lock();
            let is_current = rules.find(&account.name).is_some_and(|now| now == *account);
            if !is_current {
                return Err(io::Error::other("the user was changed just now"));
            }
            self.sessions.lock().begin(&secret, account, Instant::now());
        }
        self.audit.logged_in(account, address);
        self.save().await;
        // The oldest session may have ended.
        self.changed.notify();
        Ok(NewSession { secret: Secret::new(secret), max_age: sessions::max_age(account) })
    }

    /// The session whose cookie holds `secret`, which may be any text.
    pub fn session(&self, secret: &str) -> Option<Session> {
        let session = self.sessions.lock().find(secret, Instant::now())?;
        self.note_seen(&session.account());
        Some(session)
    }

    /// Ends the session, and logs that. `false`: there is none.
    pub async fn log_out(&self, secret: &str, address: IpAddr) -> bool {
        let Some(account) = self.sessions.lock().end(secret) else { return false };
        self.audit.logged_out(&account, address);
        self.changed.notify();
        self.save().await;
        true
    }

    async fn save(&self) {
        let sessions = Arc::clone(&self.sessions);
        smol::unblock(move || sessions.save()).await;
    }

    /// Whether `account` is in force as it is, with the same credential, rights and cameras.
    pub fn is_current(&self, account: &Account) -> bool {
        self.rules.lock().find(&account.name).is_some_and(|now| *now == *account)
    }

    /// Is notified when accounts, `without_login` or sessions have changed. What was allowed must then
    /// be looked at again: by [`Session::is_open`] and [`Session::account`], or by
    /// [`Self::is_current`].
    pub fn changes(&self) -> Notified {
        self.changed.subscribe()
    }

    /// All accounts in the order of the file.
    pub fn overview(&self) -> Vec<Overview> {
        let accounts = self.rules.lock().accounts().to_vec();
        let (last_seen, sessions) = (self.last_seen.lock(), self.sessions.lock());
        let overview = |account: Arc<Account>| Overview {
            last_seen: last_seen.get(&account.name).copied(),
            sessions: sessions.count(&account.name),
            account,
        };
        accounts.into_iter().map(overview).collect()
    }

    pub fn counts(&self) -> Counts {
        self.audit.counts(self.sessions.lock().len())
    }

    /// Ends sessions that are too old or idle. Call it about once a second.
    pub fn tick(&self, now: Instant) {
        if self.sessions.lock().end_old(now) {
            self.changed.notify();
        }
    }
}

#[cfg(test)]
mod tests;
