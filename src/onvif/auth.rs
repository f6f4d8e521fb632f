//! Finds out which login a camera requires, without locking the account.
//!
//! The first request of a kind has no login: the refusal says which login is required, and does not
//! count as an attempt. Cameras lock accounts after a few wrong passwords, so this module stops
//! after two refusals of a password.

use std::{error, fmt, str::FromStr};

use super::{
    clock::Offset,
    soap::{Access, Fault},
};
use crate::http_auth::{
    challenge::Challenge,
    digest::{self, Algorithm},
};

/// Number of refused passwords after which no more are sent.
const MAX_REFUSALS: u8 = 2;

/// The kind of login that a camera requires, as found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// The camera required no login.
    Open,
    Digest(Algorithm),
    UsernameToken(Clock),
    /// Digest for the web server in front, and a UsernameToken with the camera's time for the
    /// service behind it: both in every request.
    DigestAndUsernameToken(Algorithm),
}

impl Authentication {
    const NAMES: [(Self, &str); 7] = [
        (Self::Open, "open"),
        (Self::Digest(Algorithm::Md5), "digest-md5"),
        (Self::Digest(Algorithm::Sha256), "digest-sha-256"),
        (Self::UsernameToken(Clock::Camera), "username-token"),
        (Self::UsernameToken(Clock::Ours), "username-token-our-clock"),
        (Self::DigestAndUsernameToken(Algorithm::Md5), "digest-md5-and-username-token"),
        (Self::DigestAndUsernameToken(Algorithm::Sha256), "digest-sha-256-and-username-token"),
    ];

    /// Returns the name of the login kind for files and interfaces.
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }
}

/// A text that names no [`Authentication`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownAuthentication;

impl fmt::Display for UnknownAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no known authentication has this name")
    }
}

impl error::Error for UnknownAuthentication {}

/// The inverse of [`Authentication::as_str`].
impl FromStr for Authentication {
    type Err = UnknownAuthentication;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(known, _)| *known).ok_or(UnknownAuthentication)
    }
}

impl fmt::Display for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "none asked for",
            Self::Digest(Algorithm::Md5) => "HTTP Digest with MD5",
            Self::Digest(Algorithm::Sha256) => "HTTP Digest with SHA-256",
            Self::UsernameToken(Clock::Camera) => "UsernameToken",
            Self::UsernameToken(Clock::Ours) => "UsernameToken with our own clock",
            Self::DigestAndUsernameToken(Algorithm::Md5) => "HTTP Digest with MD5 and UsernameToken",
            Self::DigestAndUsernameToken(Algorithm::Sha256) => "HTTP Digest with SHA-256 and UsernameToken",
        })
    }
}

/// The clock whose time is in a UsernameToken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    Camera,
    Ours,
}

/// The login that one request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    Bare,
    /// Answers the challenge kept for the path; `renewed` if the request already got a fresh nonce.
    /// `token`: the request also carries a UsernameToken.
    Digest {
        renewed: bool,
        token: Option<Clock>,
    },
    Token(Clock),
}

impl Attempt {
    /// The clock of the UsernameToken that the request carries.
    pub fn token(self) -> Option<Clock> {
        match self {
            Self::Bare => None,
            Self::Digest { token, .. } => token,
            Self::Token(clock) => Some(clock),
        }
    }
}

/// What to do after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Try(Attempt),
    /// A login is required and none is configured.
    NoCredentials,
    /// Stop: the login is refused.
    Denied,
}

/// A refused request.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    pub path: &'a str,
    pub status: Option<u16>,
    pub challenges: &'a [Challenge],
    pub fault: Option<&'a Fault>,
    /// The difference between the camera's clock and ours, as now known.
    pub offset: Option<Offset>,
    /// Whether the camera's clock changed: the request used its old time.
    pub clock_moved: bool,
}

/// The state of logging in to one camera.
#[derive(Debug)]
pub struct Login {
    has_credentials: bool,
    /// The login that the camera required in an earlier conversation.
    hint: Option<Authentication>,
    known: Option<Authentication>,
    /// The last challenge for each path: a nonce can be bound to its path.
    challenges: Vec<(String, digest::Session)>,
    /// A request without a login was refused without a challenge that can be answered: the service
    /// requires the login, not the web server in front of it.
    asked_by_service: bool,
    avoid_sha256: bool,
    refusals: u8,
    denied: bool,
}

impl Login {
    /// A `hint` replaces only what a refused password would otherwise show. The first
    /// request has no login all the same, so that an outdated hint costs nothing if
    /// the camera says what it requires.
    pub fn new(has_credentials: bool, hint: Option<Authentication>) -> Self {
        let (known, challenges) = (None, Vec::new());
        let avoid_sha256 = matches!(
            hint,
            Some(Authentication::Digest(Algorithm::Md5) | Authentication::DigestAndUsernameToken(Algorithm::Md5))
        );
        let asked_by_service = false;
        Self { has_credentials, hint, known, challenges, asked_by_service, avoid_sha256, refusals: 0, denied: false }
    }

    /// The login that the camera requires; `None` until an operation
    /// that needs a login has succeeded.
    pub fn authentication(&self) -> Option<Authentication> {
        self.known
    }

    /// Whether the camera has refused the login for good.
    pub fn is_denied(&self) -> bool {
        self.denied
    }

    /// The challenge kept for `path`, to answer it.
    pub fn challenge(&mut self, path: &str) -> Option<&mut digest::Session> {
        self.challenges.iter_mut().find(|(kept, _)| kept == path).map(|(_, session)| session)
    }

    /// Returns the login for the first request of an operation.
    pub fn first(&self, path: &str, access: Access) -> Attempt {
        let challenged = self.challenges.iter().any(|(kept, _)| kept == path);
        match self.known {
            _ if access != Access::Authenticated => Attempt::Bare,
            Some(Authentication::UsernameToken(clock)) => Attempt::Token(clock),
            Some(Authentication::Digest(_)) if challenged => Attempt::Digest { renewed: false, token: None },
            Some(Authentication::DigestAndUsernameToken(_)) if challenged => {
                Attempt::Digest { renewed: false, token: Some(Clock::Camera) }
            }
            _ => Attempt::Bare,
        }
    }

    /// Remembers the login that worked.
    pub fn accepted(&mut self, path: &str, attempt: Attempt, access: Access) {
        match attempt {
            // Proves nothing about operations that need a login, and one
            // exception does not undo what is known.
            Attempt::Bare if access != Access::Authenticated || self.known.is_some() => {}
            Attempt::Bare => self.known = Some(Authentication::Open),
            Attempt::Digest { token, .. } => {
                let algorithm = self.challenge(path).map(|session| session.algorithm);
                let both = Authentication::DigestAndUsernameToken;
                let authentication = if token.is_some() { both } else { Authentication::Digest };
                self.known = algorithm.map(authentication).or(self.known);
            }
            Attempt::Token(clock) => self.known = Some(Authentication::UsernameToken(clock)),
        }
    }

    /// Decides what to do after `attempt` was refused.
    pub fn refused(&mut self, attempt: Attempt, refused: Refused<'_>) -> Next {
        if !self.has_credentials {
            return Next::NoCredentials;
        }
        let fresh = digest::Session::choose(refused.challenges, self.avoid_sha256)
            .or_else(|| digest::Session::choose(refused.challenges, false));
        match attempt {
            Attempt::Bare if self.denied => Next::Denied,
            Attempt::Bare => self.begin(refused.path, fresh),
            Attempt::Digest { renewed, token } => self.after_digest(renewed, token, refused, fresh),
            Attempt::Token(clock) => {
                if self.count(refused.fault) {
                    return Next::Denied;
                }
                let clocks_differ = refused.offset.is_some_and(|offset| !offset.is_near(Offset::default()));
                match (clock, fresh) {
                    (Clock::Camera, _) if refused.clock_moved => Next::Try(Attempt::Token(Clock::Camera)),
                    // The service accepted the token, and then the
                    // web server required its own login.
                    (_, Some(fresh)) if self.asked_by_service && refused.status == Some(401) => {
                        self.answer(refused.path, fresh, Some(clock))
                    }
                    (_, Some(fresh)) => self.answer(refused.path, fresh, None),
                    (Clock::Camera, None) if clocks_differ => Next::Try(Attempt::Token(Clock::Ours)),
                    // Our clock was tried first only because of a hint.
                    (Clock::Ours, None) if clocks_differ => Next::Try(Attempt::Token(Clock::Camera)),
                    _ => self.deny(),
                }
            }
        }
    }

    fn after_digest(
        &mut self,
        renewed: bool,
        token: Option<Clock>,
        refused: Refused<'_>,
        fresh: Option<digest::Session>,
    ) -> Next {
        let used = self.challenge(refused.path).map(|session| (session.algorithm, session.uses()));
        // A nonce that worked before has only become too old, whether or not the camera says so.
        let outdated = fresh.as_ref().is_some_and(|fresh| fresh.stale) || used.is_some_and(|(_, uses)| uses > 1);
        if let Some(fresh) = fresh.filter(|_| outdated && !renewed) {
            self.keep(refused.path, fresh);
            return Next::Try(Attempt::Digest { renewed: true, token });
        }
        if self.count(refused.fault) {
            return Next::Denied;
        }
        if refused.status != Some(401) {
            // The web server accepted the login; the service behind
            // it requires its own login as well.
            return match token {
                None => Next::Try(Attempt::Digest { renewed, token: Some(Clock::Camera) }),
                Some(_) if refused.clock_moved => Next::Try(Attempt::Digest { renewed, token }),
                Some(_) => self.deny(),
            };
        }
        // The other one of the offered algorithms, if there is one.
        let avoid_sha256 = used.is_none_or(|(algorithm, _)| algorithm == Algorithm::Sha256);
        let other = digest::Session::choose(refused.challenges, avoid_sha256);
        match other.filter(|other| used.is_some_and(|(algorithm, _)| algorithm != other.algorithm)) {
            Some(other) => {
                self.avoid_sha256 = avoid_sha256;
                self.keep(refused.path, other);
                Next::Try(Attempt::Digest { renewed, token })
            }
            None => self.deny(),
        }
    }

    /// Decides what follows a request without a login. The login learnt before takes precedence
    /// over the one offered, because some cameras offer one that does not work.
    fn begin(&mut self, path: &str, challenge: Option<digest::Session>) -> Next {
        self.asked_by_service |= challenge.is_none();
        match (self.known.or(self.hint), challenge) {
            (Some(Authentication::UsernameToken(clock)), _) => Next::Try(Attempt::Token(clock)),
            (Some(Authentication::DigestAndUsernameToken(_)), Some(challenge)) => {
                self.answer(path, challenge, Some(Clock::Camera))
            }
            (_, Some(challenge)) => self.answer(path, challenge, None),
            (_, None) => Next::Try(Attempt::Token(Clock::Camera)),
        }
    }

    fn answer(&mut self, path: &str, challenge: digest::Session, token: Option<Clock>) -> Next {
        self.keep(path, challenge);
        Next::Try(Attempt::Digest { renewed: false, token })
    }

    fn keep(&mut self, path: &str, challenge: digest::Session) {
        self.challenges.retain(|(kept, _)| kept != path);
        self.challenges.push((path.to_owned(), challenge));
    }

    /// Counts a refused password; returns whether no more may be sent.
    fn count(&mut self, fault: Option<&Fault>) -> bool {
        self.refusals += 1;
        self.denied |= self.refusals >= MAX_REFUSALS || fault.is_some_and(Fault::warns_of_lockout);
        self.denied
    }

    fn deny(&mut self) -> Next {
        // A login that worked for another operation lacks a right; one that never worked is wrong.
        self.denied |= self.known.is_none();
        Next::Denied
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_auth::challenge::parse;

    const MD5: &str = r#"Digest realm="r", nonce="1", qop="auth""#;
    const MD5_STALE: &str = r#"Digest realm="r", nonce="2", qop="auth", stale=true"#;
    const SHA: &str = r#"Digest realm="r", nonce="3", qop="auth", algorithm=SHA-256"#;

    const RENEWED: Attempt = Attempt::Digest { renewed: true, token: None };
    const DIGEST: Attempt = Attempt::Digest { renewed: false, token: None };
    const BOTH: Attempt = Attempt::Digest { renewed: false, token: Some(Clock::Camera) };
    const TOKEN: Attempt = Attempt::Token(Clock::Camera);

    /// Returns the next step after `attempt` on `/m` was refused with a 401 with `fields`, or with
    /// a fault if there are none.
    fn refuse(login: &mut Login, attempt: Attempt, fields: &[&str], offset: i64) -> Next {
        let challenges = parse(fields.iter().copied());
        let fault = Fault { subcodes: vec!["ter:NotAuthorized".into()], ..Fault::default() };
        let (status, fault) = if fields.is_empty() { (400, Some(&fault)) } else { (401, None) };
        let offset = Some(Offset(offset));
        let refused =
            Refused { path: "/m", status: Some(status), challenges: &challenges, fault, offset, clock_moved: false };
        login.refused(attempt, refused)
    }

    #[test]
    fn without_credentials_nothing_is_tried() {
        assert_eq!(refuse(&mut Login::new(false, None), Attempt::Bare, &[MD5], 0), Next::NoCredentials);
    }

    #[test]
    fn challenge_leads_to_digest_and_fault_to_a_token() {
        let mut login = Login::new(true, None);
        assert_eq!(login.first("/m", Access::Authenticated), Attempt::Bare);
        assert_eq!(refuse(&mut login, Attempt::Bare, &["Basic realm=x", MD5], 0), Next::Try(DIGEST));
        login.accepted("/m", DIGEST, Access::Authenticated);
        assert_eq!(login.first("/m", Access::Authenticated), DIGEST);
        assert_eq!(login.first("/other", Access::Authenticated), Attempt::Bare, "a nonce can be bound to its path");
        assert_eq!(login.authentication(), Some(Authentication::Digest(Algorithm::Md5)));
        assert_eq!(refuse(&mut Login::new(true, None), Attempt::Bare, &[], 0), Next::Try(TOKEN));
        assert_eq!(refuse(&mut Login::new(true, None), Attempt::Bare, &["Basic realm=x"], 0), Next::Try(TOKEN));
    }

    #[test]
    fn wrong_password_by_digest_is_sent_once() {
        let mut login = Login::new(true, None);
        refuse(&mut login, Attempt::Bare, &[MD5], 0);
        login.challenge("/m").unwrap().authorize(&credentials(), "POST", "/m", "c");
        assert_eq!(refuse(&mut login, DIGEST, &[MD5], 0), Next::Denied);
        assert!(login.is_denied());
    }

    #[test]
    fn stale_nonce_is_renewed_once_and_costs_nothing() {
        let mut login = Login::new(true, None);
        refuse(&mut login, Attempt::Bare, &[MD5], 0);
        assert_eq!(refuse(&mut login, DIGEST, &[MD5_STALE], 0), Next::Try(RENEWED));
        assert_eq!(refuse(&mut login, RENEWED, &[MD5_STALE], 0), Next::Denied);
        assert_eq!(login.refusals, 1);
    }

    #[test]
    fn nonce_that_worked_before_is_renewed_although_not_called_stale() {
        let mut login = Login::new(true, None);
        refuse(&mut login, Attempt::Bare, &[MD5], 0);
        for _ in 0..2 {
            login.challenge("/m").unwrap().authorize(&credentials(), "POST", "/m", "c");
        }
        assert_eq!(refuse(&mut login, DIGEST, &[MD5], 0), Next::Try(RENEWED));
    }

    #[test]
    fn md5_is_tried_after_sha_256_and_then_it_is_over() {
        let mut login = Login::new(true, None);
        refuse(&mut login, Attempt::Bare, &[MD5, SHA], 0);
        assert_eq!(login.challenge("/m").unwrap().algorithm, Algorithm::Sha256);
        assert_eq!(refuse(&mut login, DIGEST, &[MD5, SHA], 0), Next::Try(DIGEST));
        assert_eq!(login.challenge("/m").unwrap().algorithm, Algorithm::Md5);
        assert_eq!(refuse(&mut login, DIGEST, &[MD5, SHA], 0), Next::Denied);
    }

    #[test]
    fn fault_behind_a_good_digest_leads_to_both_logins_at_once() {
        let mut login = Login::new(true, None);
        refuse(&mut login, Attempt::Bare, &[MD5], 0);
        assert_eq!(refuse(&mut login, DIGEST, &[], 100), Next::Try(BOTH));
        assert_eq!(refuse(&mut login, BOTH, &[], 100), Next::Denied, "two refused passwords are the end");
        let mut login = Login::new(true, None);
        refuse(&mut login, Attempt::Bare, &[MD5], 0);
        refuse(&mut login, DIGEST, &[], 100);
        login.accepted("/m", BOTH, Access::Authenticated);
        assert_eq!(login.authentication(), Some(Authentication::DigestAndUsernameToken(Algorithm::Md5)));
        assert_eq!(login.first("/m", Access::Authenticated), BOTH);
        assert_eq!(login.first("/other", Access::Authenticated), Attempt::Bare, "a nonce can be bound to its path");
        assert_eq!(refuse(&mut login, Attempt::Bare, &[MD5], 0), Next::Try(BOTH), "known by then");
    }

    #[test]
    fn challenge_behind_a_token_that_the_service_asked_for_leads_to_both_logins_at_once() {
        let mut login = Login::new(true, None);
        assert_eq!(refuse(&mut login, Attempt::Bare, &[], 0), Next::Try(TOKEN));
        assert_eq!(refuse(&mut login, TOKEN, &[MD5], 0), Next::Try(BOTH));
        // If the web server asks first, the token in the hint came from an older firmware.
        let hint = Some(Authentication::UsernameToken(Clock::Camera));
        let mut login = Login::new(true, hint);
        assert_eq!(refuse(&mut login, Attempt::Bare, &[MD5], 0), Next::Try(TOKEN));
        assert_eq!(refuse(&mut login, TOKEN, &[MD5], 0), Next::Try(DIGEST));
    }

    #[test]
    fn both_logins_survive_a_stale_nonce_and_are_remembered() {
        let hint = "digest-md5-and-username-token".parse().ok();
        assert_eq!(hint, Some(Authentication::DigestAndUsernameToken(Algorithm::Md5)));
        let mut login = Login::new(true, hint);
        assert_eq!(refuse(&mut login, Attempt::Bare, &[MD5, SHA], 0), Next::Try(BOTH));
        assert_eq!(login.challenge("/m").unwrap().algorithm, Algorithm::Md5);
        let renewed = Attempt::Digest { renewed: true, token: Some(Clock::Camera) };
        assert_eq!(refuse(&mut login, BOTH, &[MD5_STALE], 0), Next::Try(renewed));
        assert_eq!(login.refusals, 0);
    }

    #[test]
    fn token_is_tried_with_both_clocks_only_if_they_differ() {
        let mut login = Login::new(true, None);
        assert_eq!(refuse(&mut login, TOKEN, &[], 6), Next::Try(Attempt::Token(Clock::Ours)));
        assert_eq!(refuse(&mut login, Attempt::Token(Clock::Ours), &[], 6), Next::Denied);
        assert_eq!(refuse(&mut Login::new(true, None), TOKEN, &[], -5), Next::Denied);
    }

    #[test]
    fn warning_of_a_lockout_ends_it_at_once() {
        let mut login = Login::new(true, None);
        let fault =
            Fault { subcodes: vec!["NotAuthorized".into()], reason: "3 attempts left".into(), ..Fault::default() };
        let refused = Refused { fault: Some(&fault), ..by_fault() };
        assert_eq!(login.refused(TOKEN, refused), Next::Denied);
    }

    #[test]
    fn missing_right_is_not_a_wrong_password() {
        let mut login = Login::new(true, None);
        login.accepted("/m", TOKEN, Access::Authenticated);
        assert_eq!(refuse(&mut login, TOKEN, &[], 0), Next::Denied);
        assert!(!login.is_denied());
    }

    #[test]
    fn clock_that_moved_is_followed_before_ours_is_tried() {
        let mut login = Login::new(true, None);
        let refused = Refused { offset: Some(Offset(1000)), clock_moved: true, ..by_fault() };
        assert_eq!(login.refused(TOKEN, refused), Next::Try(TOKEN));
        assert_eq!(login.refused(TOKEN, refused), Next::Denied);
    }

    #[test]
    fn hint_settles_what_a_refused_password_would_teach() {
        let hinted = |mode| Login::new(true, Some(mode));
        let mut login = hinted(Authentication::Digest(Algorithm::Md5));
        refuse(&mut login, Attempt::Bare, &[MD5, SHA], 0);
        assert_eq!(login.challenge("/m").unwrap().algorithm, Algorithm::Md5);
        let ours = Authentication::UsernameToken(Clock::Ours);
        assert_eq!(hinted(ours).first("/m", Access::Authenticated), Attempt::Bare, "the camera may be open by now");
        for fields in [&[][..], &[MD5]] {
            assert_eq!(refuse(&mut hinted(ours), Attempt::Bare, fields, 0), Next::Try(Attempt::Token(Clock::Ours)));
        }
        // Outdated hints.
        let mut login = hinted(ours);
        assert_eq!(refuse(&mut login, Attempt::Token(Clock::Ours), &[], 100), Next::Try(TOKEN));
        assert_eq!(refuse(&mut login, TOKEN, &[], 100), Next::Denied);
        assert_eq!(
            refuse(&mut hinted(Authentication::Digest(Algorithm::Md5)), Attempt::Bare, &[SHA], 0),
            Next::Try(DIGEST)
        );
        assert_eq!(refuse(&mut hinted(Authentication::Open), Attempt::Bare, &[MD5], 0), Next::Try(DIGEST));
        assert_eq!(
            refuse(&mut hinted(Authentication::Digest(Algorithm::Sha256)), Attempt::Bare, &[], 0),
            Next::Try(TOKEN)
        );
    }

    #[test]
    fn names_of_authentications_read_back() {
        for (mode, name) in Authentication::NAMES {
            assert_eq!((name.parse(), mode.as_str()), (Ok(mode), name));
        }
        assert_eq!("".parse::<Authentication>(), Err(UnknownAuthentication));
    }

    fn by_fault() -> Refused<'static> {
        Refused { path: "/m", status: Some(400), challenges: &[], fault: None, offset: None, clock_moved: false }
    }

    fn credentials() -> crate::camera::Credentials {
        crate::camera::Credentials { username: "u".into(), password: crate::camera::Secret::new("p") }
    }
}
