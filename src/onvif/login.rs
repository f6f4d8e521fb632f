//! Finds out how a camera wants to be logged in to, without getting the account locked.
//!
//! The first request of a kind goes out bare: the refusal tells the way, and costs no attempt. Cameras
//! lock accounts after a few wrong passwords, so two refusals of a password are the end.

use std::fmt;

use super::{challenge::Challenge, clock::Offset, digest, digest::Algorithm, soap::Fault};

/// Refusals of a password after which no more are sent.
const MOST_REFUSALS: u8 = 2;

/// Clocks that differ by no more than this many seconds make the same UsernameToken.
const SAME_CLOCK: u64 = 5;

/// How a camera is logged in to, as found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// It asked for nothing.
    Open,
    Digest(Algorithm),
    UsernameToken(Clock),
}

impl fmt::Display for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "none asked for",
            Self::Digest(Algorithm::Md5) => "HTTP Digest with MD5",
            Self::Digest(Algorithm::Sha256) => "HTTP Digest with SHA-256",
            Self::UsernameToken(Clock::Camera) => "UsernameToken",
            Self::UsernameToken(Clock::Ours) => "UsernameToken with our own clock",
        })
    }
}

/// Whose time stands in a UsernameToken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    Camera,
    Ours,
}

/// What one request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    Bare,
    /// With the challenge kept for its path; `renewed` once a fresh nonce was taken for this request.
    Digest {
        renewed: bool,
    },
    Token(Clock),
}

/// What to do after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Try(Attempt),
    /// A login is wanted and none is configured.
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
}

/// What is known about logging in to one camera.
#[derive(Debug)]
pub struct Login {
    has_credentials: bool,
    known: Option<Authentication>,
    /// The challenge last given for each path: nonces can be bound to it.
    challenges: Vec<(String, digest::Session)>,
    avoid_sha256: bool,
    refusals: u8,
    denied: bool,
}

impl Login {
    pub fn new(has_credentials: bool) -> Self {
        let (known, challenges) = (None, Vec::new());
        Self { has_credentials, known, challenges, avoid_sha256: false, refusals: 0, denied: false }
    }

    /// How the camera is logged in to; `None` while nothing that needs a login has succeeded.
    pub fn authentication(&self) -> Option<Authentication> {
        self.known
    }

    /// Whether the camera has refused the login for good.
    pub fn is_denied(&self) -> bool {
        self.denied
    }

    /// The challenge kept for `path`, to be answered.
    pub fn challenge(&mut self, path: &str) -> Option<&mut digest::Session> {
        self.challenges.iter_mut().find(|(kept, _)| kept == path).map(|(_, session)| session)
    }

    /// What the first request of an operation carries; `public` ones are always tried bare.
    pub fn first(&self, path: &str, public: bool) -> Attempt {
        let challenged = self.challenges.iter().any(|(kept, _)| kept == path);
        match self.known {
            _ if public => Attempt::Bare,
            Some(Authentication::UsernameToken(clock)) => Attempt::Token(clock),
            Some(Authentication::Digest(_)) if challenged => Attempt::Digest { renewed: false },
            _ => Attempt::Bare,
        }
    }

    /// Remembers what worked.
    pub fn accepted(&mut self, path: &str, attempt: Attempt, public: bool) {
        match attempt {
            // Says nothing about the operations that need a login, nor does an exception undo what is known.
            Attempt::Bare if public || self.known.is_some() => {}
            Attempt::Bare => self.known = Some(Authentication::Open),
            Attempt::Digest { .. } => {
                let algorithm = self.challenge(path).map(|session| session.algorithm);
                self.known = algorithm.map(Authentication::Digest).or(self.known);
            }
            Attempt::Token(clock) => self.known = Some(Authentication::UsernameToken(clock)),
        }
    }

    /// Decides what comes after `attempt` was refused; `offset` is the camera's clock against ours.
    pub fn refused(&mut self, attempt: Attempt, refused: Refused<'_>, offset: Option<Offset>) -> Next {
        if !self.has_credentials {
            return Next::NoCredentials;
        }
        let fresh = digest::Session::choose(refused.challenges, self.avoid_sha256);
        match attempt {
            Attempt::Bare if self.denied => Next::Denied,
            Attempt::Bare => self.begin(refused.path, fresh),
            Attempt::Digest { renewed } => self.after_digest(renewed, refused, fresh),
            Attempt::Token(clock) => {
                if self.count(refused.fault) {
                    return Next::Denied;
                }
                if fresh.is_some() {
                    return self.begin(refused.path, fresh);
                }
                let clocks_differ = offset.is_some_and(|offset| offset.0.unsigned_abs() > SAME_CLOCK);
                if clock == Clock::Camera && clocks_differ {
                    Next::Try(Attempt::Token(Clock::Ours))
                } else {
                    self.deny()
                }
            }
        }
    }

    fn after_digest(&mut self, renewed: bool, refused: Refused<'_>, fresh: Option<digest::Session>) -> Next {
        let used = self.challenge(refused.path).map(|session| (session.algorithm, session.uses()));
        // A nonce that has worked before has merely grown old, whether the camera says so or not.
        let outdated = fresh.as_ref().is_some_and(|fresh| fresh.stale) || used.is_some_and(|(_, uses)| uses > 1);
        if let Some(fresh) = fresh.filter(|_| outdated && !renewed) {
            self.keep(refused.path, fresh);
            return Next::Try(Attempt::Digest { renewed: true });
        }
        if self.count(refused.fault) {
            return Next::Denied;
        }
        if refused.status != Some(401) {
            // Passed HTTP and refused by the service behind it.
            return Next::Try(Attempt::Token(Clock::Camera));
        }
        let simpler = digest::Session::choose(refused.challenges, true);
        match (used, simpler) {
            (Some((Algorithm::Sha256, _)), Some(simpler)) => {
                self.avoid_sha256 = true;
                self.keep(refused.path, simpler);
                Next::Try(Attempt::Digest { renewed })
            }
            _ => self.deny(),
        }
    }

    fn begin(&mut self, path: &str, challenge: Option<digest::Session>) -> Next {
        let Some(challenge) = challenge else {
            return Next::Try(Attempt::Token(match self.known {
                Some(Authentication::UsernameToken(clock)) => clock,
                _ => Clock::Camera,
            }));
        };
        self.keep(path, challenge);
        Next::Try(Attempt::Digest { renewed: false })
    }

    fn keep(&mut self, path: &str, challenge: digest::Session) {
        self.challenges.retain(|(kept, _)| kept != path);
        self.challenges.push((path.to_owned(), challenge));
    }

    /// Counts a refused password; returns whether it was the last that may be sent.
    fn count(&mut self, fault: Option<&Fault>) -> bool {
        self.refusals += 1;
        self.denied |= self.refusals >= MOST_REFUSALS || fault.is_some_and(Fault::warns_of_lockout);
        self.denied
    }

    fn deny(&mut self) -> Next {
        // A login that worked for something else lacks a right; only one that never worked is wrong.
        self.denied |= self.known.is_none();
        Next::Denied
    }
}

#[cfg(test)]
mod tests {
    use super::{super::challenge::parse, *};

    const MD5: &str = r#"Digest realm="r", nonce="1", qop="auth""#;
    const MD5_STALE: &str = r#"Digest realm="r", nonce="2", qop="auth", stale=true"#;
    const SHA: &str = r#"Digest realm="r", nonce="3", qop="auth", algorithm=SHA-256"#;

    const RENEWED: Attempt = Attempt::Digest { renewed: true };
    const DIGEST: Attempt = Attempt::Digest { renewed: false };
    const TOKEN: Attempt = Attempt::Token(Clock::Camera);

    /// The next step after `attempt` on `/m` was refused with a 401 with `fields`, or with a fault where
    /// there are none.
    fn refuse(login: &mut Login, attempt: Attempt, fields: &[&str], offset: i64) -> Next {
        let challenges = parse(fields.iter().copied());
        let fault = Fault { subcodes: vec!["ter:NotAuthorized".into()], ..Fault::default() };
        let (status, fault) = if fields.is_empty() { (400, Some(&fault)) } else { (401, None) };
        let refused = Refused { path: "/m", status: Some(status), challenges: &challenges, fault };
        login.refused(attempt, refused, Some(Offset(offset)))
    }

    #[test]
    fn without_credentials_nothing_is_tried() {
        assert_eq!(refuse(&mut Login::new(false), Attempt::Bare, &[MD5], 0), Next::NoCredentials);
    }

    #[test]
    fn challenge_leads_to_digest_and_fault_to_a_token() {
        let mut login = Login::new(true);
        assert_eq!(login.first("/m", false), Attempt::Bare);
        assert_eq!(refuse(&mut login, Attempt::Bare, &["Basic realm=x", MD5], 0), Next::Try(DIGEST));
        login.accepted("/m", DIGEST, false);
        assert_eq!(login.first("/m", false), DIGEST);
        assert_eq!(login.first("/other", false), Attempt::Bare, "a nonce can be bound to its path");
        assert_eq!(login.authentication(), Some(Authentication::Digest(Algorithm::Md5)));
        assert_eq!(refuse(&mut Login::new(true), Attempt::Bare, &[], 0), Next::Try(TOKEN));
        assert_eq!(refuse(&mut Login::new(true), Attempt::Bare, &["Basic realm=x"], 0), Next::Try(TOKEN));
    }

    #[test]
    fn wrong_password_by_digest_is_sent_once() {
        let mut login = Login::new(true);
        refuse(&mut login, Attempt::Bare, &[MD5], 0);
        login.challenge("/m").unwrap().authorize(&credentials(), "POST", "/m", "c");
        assert_eq!(refuse(&mut login, DIGEST, &[MD5], 0), Next::Denied);
        assert!(login.is_denied());
    }

    #[test]
    fn stale_nonce_is_renewed_once_and_costs_nothing() {
        let mut login = Login::new(true);
        refuse(&mut login, Attempt::Bare, &[MD5], 0);
        assert_eq!(refuse(&mut login, DIGEST, &[MD5_STALE], 0), Next::Try(RENEWED));
        assert_eq!(refuse(&mut login, RENEWED, &[MD5_STALE], 0), Next::Denied);
        assert_eq!(login.refusals, 1);
    }

    #[test]
    fn nonce_that_worked_before_is_renewed_although_not_called_stale() {
        let mut login = Login::new(true);
        refuse(&mut login, Attempt::Bare, &[MD5], 0);
        for _ in 0..2 {
            login.challenge("/m").unwrap().authorize(&credentials(), "POST", "/m", "c");
        }
        assert_eq!(refuse(&mut login, DIGEST, &[MD5], 0), Next::Try(RENEWED));
    }

    #[test]
    fn md5_is_tried_after_sha_256_and_then_it_is_over() {
        let mut login = Login::new(true);
        refuse(&mut login, Attempt::Bare, &[MD5, SHA], 0);
        assert_eq!(login.challenge("/m").unwrap().algorithm, Algorithm::Sha256);
        assert_eq!(refuse(&mut login, DIGEST, &[MD5, SHA], 0), Next::Try(DIGEST));
        assert_eq!(login.challenge("/m").unwrap().algorithm, Algorithm::Md5);
        assert_eq!(refuse(&mut login, DIGEST, &[MD5, SHA], 0), Next::Denied);
    }

    #[test]
    fn fault_behind_a_good_digest_leads_to_one_token() {
        let mut login = Login::new(true);
        refuse(&mut login, Attempt::Bare, &[MD5], 0);
        assert_eq!(refuse(&mut login, DIGEST, &[], 100), Next::Try(TOKEN));
        assert_eq!(refuse(&mut login, TOKEN, &[], 100), Next::Denied);
    }

    #[test]
    fn token_is_tried_with_both_clocks_only_if_they_differ() {
        let mut login = Login::new(true);
        assert_eq!(refuse(&mut login, TOKEN, &[], 6), Next::Try(Attempt::Token(Clock::Ours)));
        assert_eq!(refuse(&mut login, Attempt::Token(Clock::Ours), &[], 6), Next::Denied);
        assert_eq!(refuse(&mut Login::new(true), TOKEN, &[], -5), Next::Denied);
    }

    #[test]
    fn warning_of_a_lockout_ends_it_at_once() {
        let mut login = Login::new(true);
        let fault =
            Fault { subcodes: vec!["NotAuthorized".into()], reason: "3 attempts left".into(), ..Fault::default() };
        let refused = Refused { path: "/m", status: Some(400), challenges: &[], fault: Some(&fault) };
        assert_eq!(login.refused(TOKEN, refused, Some(Offset(1000))), Next::Denied);
    }

    #[test]
    fn missing_right_is_not_a_wrong_password() {
        let mut login = Login::new(true);
        login.accepted("/m", TOKEN, false);
        assert_eq!(refuse(&mut login, TOKEN, &[], 0), Next::Denied);
        assert!(!login.is_denied());
    }

    fn credentials() -> crate::camera::Credentials {
        crate::camera::Credentials { username: "u".into(), password: crate::camera::Secret::new("p") }
    }
}
