use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::account::{Rights, Seen, password_hash::PasswordHash, token_hash::TokenHash};

/// Another hash for each number; nobody verifies it.
fn password(number: u8) -> Credential {
    let hash = format!(
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2Fsd{}$UMDl5Bt7SgfiJQPBnFqz0FvUGLtZQR1wJ7VHUoPbAgY",
        ["A", "Q", "g", "w"][usize::from(number)]
    );
    Credential::Password(PasswordHash::parse(&hash).unwrap())
}

fn account(name: &str, credential: Credential) -> Arc<Account> {
    Arc::new(Account { name: name.to_owned(), rights: Rights::WATCH, cameras: Seen::All, credential })
}

fn guard() -> Arc<Account> {
    account("guard", password(0))
}

fn screen() -> Arc<Account> {
    account("screen", Credential::Token(TokenHash::of("token")))
}

/// Finds the accounts of `list` by name.
fn among(list: &[Arc<Account>]) -> impl Fn(&str) -> Option<Arc<Account>> {
    move |name| list.iter().find(|account| account.name == name).cloned()
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn session_is_found_by_its_secret_until_it_ends() {
    let (mut sessions, now) = (Sessions::default(), Instant::now());
    sessions.begin("secret", &guard(), now);
    let session = sessions.find("secret", now).unwrap();
    assert!(session.account().name == "guard" && session.is_open());
    assert!(sessions.find("Secret", now).is_none() && sessions.find("", now).is_none());
    assert_eq!(sessions.end("secret").unwrap().name, "guard");
    assert!(!session.is_open() && sessions.find("secret", now).is_none() && sessions.end("secret").is_none());
}

#[test]
fn idle_session_ends_after_twelve_hours_and_a_used_one_after_thirty_days() {
    let (mut sessions, start) = (Sessions::default(), Instant::now());
    for secret in ["idle", "asked for", "kept by a socket"] {
        sessions.begin(secret, &guard(), start);
    }
    let socket = sessions.find("kept by a socket", start).unwrap();
    for hours in [11, 22, 33] {
        let now = start + HOUR * hours;
        assert!(sessions.find("asked for", now).is_some(), "{hours}");
        assert_eq!(sessions.end_old(now), hours == 22, "{hours}");
    }
    assert!(sessions.find("idle", start + HOUR * 33).is_none() && sessions.len() == 2);
    for eights in 5..90 {
        let now = start + HOUR * 8 * eights;
        sessions.find("asked for", now).unwrap();
        assert!(!sessions.end_old(now), "{eights}");
    }
    assert!(socket.is_open());
    assert!(sessions.end_old(start + DAY * 30));
    assert!(!socket.is_open() && sessions.len() == 0);
}

#[test]
fn idle_session_is_not_found_even_before_it_is_cleared_away() {
    let (mut sessions, start) = (Sessions::default(), Instant::now());
    sessions.begin("secret", &guard(), start);
    assert!(sessions.find("secret", start + HOUR * 12).is_none());
}

#[test]
fn session_by_a_token_lives_as_long_as_the_token() {
    let (mut sessions, start) = (Sessions::default(), Instant::now());
    sessions.begin("secret", &screen(), start);
    assert!(!sessions.end_old(start + DAY * 1000));
    let text = sessions.to_text(start, SystemTime::UNIX_EPOCH + DAY * 10_000);
    let mut read = Sessions::default();
    assert!(read.read(&text, among(&[screen()]), start, SystemTime::UNIX_EPOCH + DAY * 11_000));
    assert!(read.find("secret", start).is_some());
    let other = account("screen", Credential::Token(TokenHash::of("other")));
    assert!(sessions.follow(among(&[other])) && sessions.len() == 0);
}

#[test]
fn another_credential_or_a_removed_account_ends_its_sessions_alone() {
    let (mut sessions, now) = (Sessions::default(), Instant::now());
    sessions.begin("a", &guard(), now);
    sessions.begin("b", &account("chief", password(1)), now);
    let [guards, chiefs] = ["a", "b"].map(|secret| sessions.find(secret, now).unwrap());
    let narrowed = Arc::new(Account { cameras: Seen::Only(["gate".to_owned()].into()), ..(*guard()).clone() });
    assert!(!sessions.follow(among(&[narrowed, account("chief", password(1))])));
    assert!(!guards.account().cameras.sees("yard"), "it follows the account");
    assert!(sessions.follow(among(&[account("guard", password(2)), account("chief", password(1))])));
    assert!(!guards.is_open() && chiefs.is_open());
    assert!(sessions.follow(among(&[])) && !chiefs.is_open());
}

#[test]
fn file_holds_no_secret_and_is_read_with_the_same_credentials_only() {
    let (mut sessions, now) = (Sessions::default(), Instant::now());
    let date = SystemTime::UNIX_EPOCH + DAY * 20_000;
    sessions.begin("first secret", &guard(), now);
    sessions.begin("second secret", &account("chief", password(1)), now);
    let text = sessions.to_text(now + DAY, date);
    assert!(!text.contains("secret") && text.lines().count() == 3, "{text}");
    assert!(!format!("{sessions:?}").contains("secret") && !format!("{sessions:?}").contains("argon2"));
    let begun = (date - DAY).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert!(text.contains(&format!(" {begun} guard\n")), "{text}");

    let mut read = Sessions::default();
    assert!(read.read(&text, among(&[guard(), account("chief", password(2))]), now, date));
    assert!(read.find("first secret", now).is_some() && read.find("second secret", now).is_none());
    assert_eq!(
        read.to_text(now, date),
        text.lines().filter(|line| !line.ends_with("chief")).fold(String::new(), |all, line| all + line + "\n")
    );
    let mut late = Sessions::default();
    assert!(late.read(&text, among(&[guard()]), now, date + DAY * 29) && late.len() == 0, "it is 30 days old");
    let mut early = Sessions::default();
    assert!(early.read(&text, among(&[guard()]), now, SystemTime::UNIX_EPOCH), "a clock that starts in 1970");
    assert_eq!(early.len(), 1);
}

#[test]
fn foreign_or_damaged_file_gives_no_session() {
    let (mut sessions, now) = (Sessions::default(), Instant::now());
    let digest = "a".repeat(64);
    for text in ["", "x", "{}", "cctv-agent sessions 2\n"] {
        assert!(!sessions.read(text, among(&[guard()]), now, SystemTime::now()), "{text}");
    }
    let lines = ["", "a b c d", &format!("{digest} {digest} 1 guard"), &format!("{digest} {digest} x guard"), "é"];
    assert!(sessions.read(&format!("{HEADER}\n{}", lines.join("\n")), among(&[guard()]), now, SystemTime::now()));
    assert_eq!(sessions.len(), 0);
}

#[test]
fn number_is_bounded_and_the_oldest_of_the_account_goes_first() {
    let (mut sessions, start) = (Sessions::default(), Instant::now());
    sessions.begin("other", &screen(), start);
    for n in 0..=MAX_PER_ACCOUNT as u32 {
        sessions.begin(&format!("guard {n}"), &guard(), start + Duration::from_secs(1 + u64::from(n)));
    }
    let now = start + HOUR;
    assert_eq!((sessions.count("guard"), sessions.len()), (MAX_PER_ACCOUNT, MAX_PER_ACCOUNT + 1));
    assert!(sessions.find("guard 0", now).is_none() && sessions.find("guard 1", now).is_some());
    for name in 0..5 {
        for n in 0..MAX_PER_ACCOUNT {
            sessions.begin(&format!("{name} {n}"), &account(&name.to_string(), password(3)), now);
        }
    }
    assert_eq!(sessions.len(), MAX_SESSIONS);
    assert!(sessions.find("other", now).is_none(), "the oldest of all");
    assert!(sessions.to_text(now, SystemTime::now()).len() as u64 <= super::super::file::MAX_FILE_LEN);
}
