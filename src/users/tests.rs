use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use smol::block_on;

use super::*;
use crate::account::{Rights, Seen};

/// Hashes for real, with the least memory that is taken, so that tests are fast.
fn account(name: &str, password: &str) -> Account {
    let credential = Credential::Password(PasswordHash::new(password).unwrap());
    Account { name: name.to_owned(), rights: Rights::WATCH, cameras: Seen::All, credential }
}

fn screen() -> Account {
    let credential = Credential::Token(TokenHash::of("the token"));
    Account { name: "screen".to_owned(), rights: Rights::WATCH, cameras: Seen::All, credential }
}

pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cctv-users-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn users(folder: &Folder, accounts: Vec<Account>) -> Users {
    let users = Users::default();
    users.set(accounts, WithoutLogin::Loopback, &folder.0);
    users
}

const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

fn by_password(users: &Users, name: &str, password: &str, address: IpAddr) -> Verdict {
    block_on(users.authenticate(Login::Password { name, password }, address))
}

fn name(verdict: Verdict) -> Option<String> {
    match verdict {
        Verdict::Accepted(account) => Some(account.name.clone()),
        _ => None,
    }
}

#[test]
fn password_and_token_find_their_accounts_and_nothing_else_does() {
    let folder = Folder::new("find");
    let users = users(&folder, vec![account("guard", "long password"), screen()]);
    assert_eq!(name(by_password(&users, "guard", "long password", ELSEWHERE)).as_deref(), Some("guard"));
    assert_eq!(name(by_password(&users, "guard", "long password", ELSEWHERE)).as_deref(), Some("guard"), "remembered");
    let token = |token| block_on(users.authenticate(Login::Token(token), ELSEWHERE));
    assert_eq!(name(token("the token")).as_deref(), Some("screen"));
    for (who, password) in [("guard", "Long password"), ("nobody", "long password"), ("screen", "the token"), ("", "")]
    {
        assert_eq!(by_password(&users, who, password, ELSEWHERE), Verdict::Refused, "{who}");
        assert_eq!(name(token("the token")).as_deref(), Some("screen"), "a success forgets the failure");
    }
    for wrong in ["", "long password", &TokenHash::of("the token").to_string()] {
        assert_eq!(token(wrong), Verdict::Refused, "{wrong}");
    }
    let counts = users.counts();
    assert_eq!((counts.refused, counts.locked_out, counts.logins), (7, 0, 0));
    let shown = format!("{users:?}");
    assert!(!shown.contains("argon2") && !shown.contains("password\""), "{shown}");
}

#[test]
fn address_that_fails_too_often_waits_and_others_do_not() {
    let folder = Folder::new("wait");
    let users = users(&folder, vec![account("guard", "long password"), screen()]);
    for _ in 0..6 {
        assert_eq!(block_on(users.authenticate(Login::Token("x"), ELSEWHERE)), Verdict::Refused);
        assert_eq!(block_on(users.authenticate(Login::Token("x"), [127, 0, 0, 1].into())), Verdict::Refused);
    }
    let locked_out = Verdict::LockedOut { retry_after: Duration::from_secs(1) };
    assert_eq!(by_password(&users, "guard", "long password", ELSEWHERE), locked_out, "not even looked at");
    for address in [[10, 0, 0, 8].into(), IpAddr::from([127, 0, 0, 1])] {
        assert_eq!(name(by_password(&users, "guard", "long password", address)).as_deref(), Some("guard"));
    }
    assert_eq!((users.counts().refused, users.counts().locked_out), (12, 1));
}

#[test]
fn changed_password_is_not_remembered() {
    let folder = Folder::new("remember");
    let users = users(&folder, vec![account("guard", "long password")]);
    assert!(name(by_password(&users, "guard", "long password", ELSEWHERE)).is_some());
    users.set(vec![account("guard", "other password")], WithoutLogin::Nobody, &folder.0);
    assert_eq!(by_password(&users, "guard", "long password", ELSEWHERE), Verdict::Refused);
    assert!(name(by_password(&users, "guard", "other password", ELSEWHERE)).is_some());
    assert_eq!(users.without_login(), WithoutLogin::Nobody);
}

#[test]
fn session_survives_a_restart_and_ends_with_logout_password_and_user() {
    let folder = Folder::new("sessions");
    let guard = account("guard", "long password");
    let first = users(&folder, vec![guard.clone(), screen()]);
    let log_in =
        |users: &Users, account: &Account| block_on(users.log_in(&Arc::new(account.clone()), ELSEWHERE)).unwrap();
    let sessions = [log_in(&first, &guard), log_in(&first, &guard), log_in(&first, &screen())];
    assert_eq!(sessions.each_ref().map(|session| session.max_age.as_secs() / 86400), [30, 30, 400]);
    let [one, two, token] = sessions.map(|session| session.secret.expose().to_owned());
    assert!(block_on(first.log_out(&two, ELSEWHERE)) && !block_on(first.log_out(&two, ELSEWHERE)));
    let file = folder.0.join("sessions");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    assert!([&one, &two, &token].iter().all(|secret| !text.contains(secret.as_str())), "{text}");
    drop(first);

    let second = users(&folder, vec![guard.clone(), screen()]);
    assert_eq!(second.session(&one).unwrap().account().name, "guard");
    assert!(second.session(&token).is_some() && second.session(&two).is_none() && second.session("x").is_none());
    let seen: Vec<_> = second.overview().iter().map(|row| (row.sessions, row.last_seen.is_some())).collect();
    assert_eq!(seen, [(1, true), (1, true)]);
    assert_eq!(second.counts().sessions, 2);

    let (session, changes) = (second.session(&one).unwrap(), second.changes());
    second.set(vec![account("guard", "long password"), screen()], WithoutLogin::Loopback, &folder.0);
    assert!(changes.take() && !session.is_open(), "the same password with another salt is another password");
    assert!(second.session(&one).is_none() && second.session(&token).is_some());
    second.set(vec![guard.clone()], WithoutLogin::Loopback, &folder.0);
    assert!(second.session(&token).is_none());
    drop(second);

    let third = users(&folder, vec![guard, screen()]);
    assert!(third.session(&one).is_none() && third.session(&token).is_none(), "the old file does not bring them back");
}

#[test]
fn account_that_was_changed_begins_no_session() {
    let folder = Folder::new("stale");
    let guard = account("guard", "long password");
    let users = users(&folder, vec![guard.clone()]);
    users.set(vec![Account { rights: Rights::ALL, ..guard.clone() }], WithoutLogin::Loopback, &folder.0);
    assert!(!users.is_current(&guard));
    assert!(block_on(users.log_in(&Arc::new(guard), ELSEWHERE)).is_err());
}

#[test]
fn directory_that_cannot_be_written_forgets_sessions_at_a_restart_only() {
    let folder = Folder::new("unwritable");
    fs::write(&folder.0, "a file where the directory would be").unwrap();
    let guard = account("guard", "long password");
    let users = users(&folder, vec![guard.clone()]);
    let session = block_on(users.log_in(&Arc::new(guard), ELSEWHERE)).unwrap();
    assert!(users.session(session.secret.expose()).is_some());
    fs::remove_file(&folder.0).unwrap();
}
