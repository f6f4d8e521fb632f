//! The login of one attempt to open a stream, by RTSP or HTTP, without locking the account.
//!
//! Digest with SHA-256 is answered before Digest with MD5. Basic is answered only where it is all
//! that the camera offers and clear passwords are allowed; never after a refused Digest. A password
//! is sent again after a refusal only if the refusal may have another cause than the password.

use super::{
    basic,
    challenge::Challenge,
    digest::{self, Algorithm},
};
use crate::camera::{Credentials, fingerprint::Fingerprint};

/// Number of refused passwords after which no more are sent: cameras lock accounts.
const MAX_REFUSALS: u8 = 2;

/// The login of an attempt: over all its connections to the same host.
#[derive(Clone, Debug)]
pub struct Login {
    credentials: Option<Credentials>,
    /// Whether the password may be sent in clear text.
    allow_clear: bool,
    /// MD5 is answered even where SHA-256 is offered, because SHA-256 was refused.
    pub avoid_sha256: bool,
    answer: Option<Answer>,
    refusals: u8,
    /// The answer has been accepted at least once.
    accepted: bool,
    /// The nonce was renewed and not accepted since.
    renewed: bool,
    /// The answer is to a challenge of an earlier connection, and not accepted yet.
    carried_over: bool,
    /// Client nonces are this and a counter.
    seed: String,
    nonces: u32,
}

#[derive(Clone, Debug)]
enum Answer {
    Digest(digest::Session),
    Basic,
}

/// Why a login did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// None is configured, or none may be sent to this host.
    #[error("the camera needs a login")]
    Required,
    #[error("the camera refuses the login (status {status})")]
    Denied { status: u16 },
    /// The camera takes passwords in clear text alone, and may not be sent one.
    #[error("the camera takes passwords in clear text alone; clear_password allows that")]
    ClearPassword,
    /// As [`ClearPassword`](Self::ClearPassword), over TLS with a key that was not known before.
    #[error("the camera takes passwords in clear text alone, and its key {key} is not known")]
    UnknownKey { key: Fingerprint },
    #[error("the camera offers no login that is known ({offered})")]
    Unsupported { offered: String },
}

impl LoginError {
    /// Of a camera that takes passwords in clear text alone; over TLS it has shown the key `seen`.
    pub fn clear_password(seen: Option<Fingerprint>) -> Self {
        seen.map_or(Self::ClearPassword, |key| Self::UnknownKey { key })
    }
}

/// What to do after a request was refused for its login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send the request again; it carries a login.
    Retry,
    /// As [`Retry`](Self::Retry), and the password travels in clear text.
    RetryInClear,
    /// No login is configured, or none may be sent to this host.
    NoCredentials,
    Denied,
    /// The camera offers Basic alone, and clear passwords are not allowed.
    ClearPassword,
    /// The camera offers nothing that can be answered; these are the names.
    Unsupported(String),
}

impl Next {
    /// Whether the request is to be sent again with the password in clear text, or with any other answer.
    /// `status`: that of the refusal. `seen`: the camera's key, if the connection is encrypted and the key is not
    /// known.
    ///
    /// # Errors
    /// If the request is not to be sent again.
    pub fn in_clear(self, status: u16, seen: Option<Fingerprint>) -> Result<bool, LoginError> {
        match self {
            Self::Retry => Ok(false),
            Self::RetryInClear => Ok(true),
            Self::NoCredentials => Err(LoginError::Required),
            Self::Denied => Err(LoginError::Denied { status }),
            Self::ClearPassword => Err(LoginError::clear_password(seen)),
            Self::Unsupported(offered) => Err(LoginError::Unsupported { offered }),
        }
    }
}

/// Random bytes for the client nonces of an attempt.
pub fn random_seed() -> [u8; 8] {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).expect("the kernel gives random bytes once it has booted");
    seed
}

impl Login {
    /// `seed` is random, so that nobody foresees a client nonce.
    pub fn new(credentials: Option<Credentials>, allow_clear: bool, avoid_sha256: bool, seed: [u8; 8]) -> Self {
        let seed = seed.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            credentials,
            allow_clear,
            avoid_sha256,
            answer: None,
            refusals: 0,
            accepted: false,
            renewed: false,
            carried_over: false,
            seed,
            nonces: 0,
        }
    }

    /// Forgets the credentials, for a host that must not get them, or after they were refused.
    pub fn forget(&mut self) {
        self.credentials = None;
        self.answer = None;
    }

    /// The value of `Authorization` for a request, if the camera has required a login. `url` stands in
    /// the request line, byte for byte.
    pub fn authorization(&mut self, method: &str, url: &str) -> Option<String> {
        let credentials = self.credentials.as_ref()?;
        match self.answer.as_mut()? {
            Answer::Basic => Some(basic::authorize(credentials)),
            Answer::Digest(session) => {
                self.nonces += 1;
                let client_nonce = format!("{}{:08x}", self.seed, self.nonces);
                Some(session.authorize(credentials, method, url, &client_nonce))
            }
        }
    }

    /// The name of the login that the camera has accepted; `None`: it required none.
    pub fn accepted_name(&self) -> Option<&'static str> {
        match self.answer.as_ref().filter(|_| self.accepted)? {
            Answer::Basic => Some("Basic"),
            Answer::Digest(session) => Some(match session.algorithm {
                Algorithm::Md5 => "Digest (MD5)",
                Algorithm::Sha256 => "Digest (SHA-256)",
            }),
        }
    }

    /// A request with the login was answered.
    pub fn accepted(&mut self) {
        (self.accepted, self.renewed, self.carried_over) = (true, false, false);
    }

    /// The next request goes over another connection, to which a nonce may not belong.
    pub fn reconnected(&mut self) {
        self.carried_over = self.answer.is_some();
    }

    /// A request was refused with `challenges`; `sent` says whether it carried a login.
    pub fn refused(&mut self, challenges: &[Challenge], sent: bool) -> Next {
        if self.credentials.is_none() {
            return Next::NoCredentials;
        }
        let fresh = digest::Session::choose(challenges, self.avoid_sha256)
            .or_else(|| digest::Session::choose(challenges, false));
        let used = match (&self.answer, sent) {
            (Some(Answer::Digest(used)), true) => used.algorithm,
            (Some(Answer::Basic), true) => {
                self.refusals += 1;
                return Next::Denied;
            }
            _ => return self.begin(fresh, challenges),
        };
        // A nonce that worked before has only become too old, whether or not the camera says so.
        let is_outdated = self.accepted || fresh.as_ref().is_some_and(|fresh| fresh.stale);
        if let Some(fresh) = fresh.filter(|_| is_outdated && !self.renewed) {
            self.answer = Some(Answer::Digest(fresh));
            self.renewed = true;
            return Next::Retry;
        }
        self.refusals += 1;
        if self.refusals >= MAX_REFUSALS {
            return Next::Denied;
        }
        let fresh = digest::Session::choose(challenges, self.avoid_sha256);
        if let Some(fresh) = fresh.filter(|_| self.carried_over) {
            self.carried_over = false;
            self.answer = Some(Answer::Digest(fresh));
            return Next::Retry;
        }
        // The other one of the offered algorithms, if there is one.
        let avoid_sha256 = used == Algorithm::Sha256;
        match digest::Session::choose(challenges, avoid_sha256).filter(|other| other.algorithm != used) {
            Some(other) => {
                self.avoid_sha256 = avoid_sha256;
                self.answer = Some(Answer::Digest(other));
                Next::Retry
            }
            None => Next::Denied,
        }
    }

    /// The first login of the attempt.
    fn begin(&mut self, fresh: Option<digest::Session>, challenges: &[Challenge]) -> Next {
        match fresh {
            Some(fresh) => {
                self.answer = Some(Answer::Digest(fresh));
                Next::Retry
            }
            None if basic::is_offered(challenges) && !self.allow_clear => Next::ClearPassword,
            None if basic::is_offered(challenges) => {
                self.answer = Some(Answer::Basic);
                Next::RetryInClear
            }
            None => Next::Unsupported(digest::unsupported(challenges).unwrap_or_else(|| "none".to_owned())),
        }
    }
}
