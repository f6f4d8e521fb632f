//! One log line for each event of users, and how many there were.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::account::Account;

/// Counters since the start.
#[derive(Debug, Default)]
pub(super) struct Audit {
    logins: AtomicU64,
    logouts: AtomicU64,
    refused: AtomicU64,
    locked_out: AtomicU64,
    busy: AtomicU64,
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

impl Audit {
    pub(super) fn logged_in(&self, account: &Account, address: IpAddr) {
        add(&self.logins);
        log::info!("web: {} logged in from {address}", account.name);
    }

    pub(super) fn logged_out(&self, account: &Account, address: IpAddr) {
        add(&self.logouts);
        log::info!("web: {} logged out at {address}", account.name);
    }

    /// `name` is that of an account; another name may be a password in the wrong field.
    pub(super) fn refused(&self, name: Option<&str>, address: IpAddr, wait: Option<Duration>) {
        add(&self.refused);
        let whose = name.map_or_else(|| "of nobody".to_owned(), |name| format!("as {name}"));
        match wait {
            None => log::warn!("web: refused a login {whose} from {address}"),
            Some(wait) => {
                log::warn!(
                    "web: refused a login {whose} from {address}, which has failed often and has to wait {} s",
                    wait.as_secs()
                );
            }
        }
    }

    /// The line with the wait was written when it began.
    pub(super) fn locked_out(&self, address: IpAddr) {
        add(&self.locked_out);
        log::debug!("web: {address} has to wait before the next login");
    }

    pub(super) fn busy(&self, address: IpAddr) {
        add(&self.busy);
        log::warn!("web: did not look at a login from {address}: too many are being verified");
    }

    pub(super) fn counts(&self, sessions: usize) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            logins: get(&self.logins),
            logouts: get(&self.logouts),
            refused: get(&self.refused),
            locked_out: get(&self.locked_out),
            busy: get(&self.busy),
            sessions,
        }
    }
}

/// Says what a reload has changed.
pub(super) fn changed(old: &[Arc<Account>], new: &[Arc<Account>]) {
    for line in changes(old, new) {
        log::info!("web: {line}");
    }
}

fn changes(old: &[Arc<Account>], new: &[Arc<Account>]) -> Vec<String> {
    let find = |list: &[Arc<Account>], name: &str| list.iter().find(|account| account.name == name).cloned();
    let removed = old.iter().filter(|account| find(new, &account.name).is_none());
    let mut lines: Vec<String> = removed.map(|account| format!("the user {} was removed", account.name)).collect();
    for account in new {
        let what = match find(old, &account.name) {
            None => "was added",
            Some(before) if before.credential != account.credential => "has another password or token",
            Some(before) if before != *account => "has other rights or cameras",
            Some(_) => continue,
        };
        lines.push(format!("the user {} {what}", account.name));
    }
    lines
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Credential, Rights, Seen, token_hash::TokenHash};

    #[test]
    fn each_kind_of_change_has_its_words() {
        let account = |name: &str, token: &str, rights| {
            let credential = Credential::Token(TokenHash::of(token));
            Arc::new(Account { name: name.to_owned(), rights, cameras: Seen::All, credential })
        };
        let old = ["same", "gone", "token", "rights"].map(|name| account(name, "a", Rights::WATCH));
        let new = [
            account("same", "a", Rights::WATCH),
            account("token", "b", Rights::ALL),
            account("rights", "a", Rights::ALL),
            account("new", "a", Rights::WATCH),
        ];
        assert_eq!(
            changes(&old, &new),
            [
                "the user gone was removed",
                "the user token has another password or token",
                "the user rights has other rights or cameras",
                "the user new was added"
            ]
        );
        assert!(changes(&new, &new).is_empty());
    }
}
