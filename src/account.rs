//! Accounts: who may look at which cameras, and what proves it. The file holds hashes alone.

pub mod digest;
pub mod password_hash;
pub mod token_hash;

use std::collections::BTreeSet;

use digest::Digest;
use password_hash::PasswordHash;
use token_hash::TokenHash;

/// Somebody who may look, as the configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// 1 to 64 letters, digits, `-`, `_` and `.`, so it is safe in logs and in files of one line each.
    pub name: String,
    pub rights: Rights,
    pub cameras: Seen,
    pub credential: Credential,
}

/// What an account may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Pictures, and whether they are live.
    pub watch: bool,
    /// Addresses of cameras, and why one is not live.
    pub details: bool,
    /// `/metrics`.
    pub metrics: bool,
    /// Telling a wall what to bring to the front.
    pub show: bool,
    /// Steering cameras.
    pub ptz: bool,
    /// Hearing cameras.
    pub listen: bool,
}

impl Rights {
    /// Everything: what this machine has, which needs no login.
    pub const ALL: Self = Self { watch: true, details: true, metrics: true, show: true, ptz: true, listen: true };
    /// What an account has if the configuration does not say.
    pub const WATCH: Self = Self { watch: true, ..Self::NONE };
    pub const NONE: Self =
        Self { watch: false, details: false, metrics: false, show: false, ptz: false, listen: false };
}

/// The cameras that exist for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    All,
    /// Those with these identifiers, whether enabled or not.
    Only(BTreeSet<String>),
}

impl Seen {
    /// Whether the camera with the identifier `id` exists for the account.
    pub fn sees(&self, id: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(id),
        }
    }
}

/// What proves that somebody is the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// For people.
    Password(PasswordHash),
    /// For programs and screens.
    Token(TokenHash),
}

impl Credential {
    /// A digest that is another one as soon as the password or the token is another one. A password
    /// that is set again is another one too, because its salt is.
    pub fn fingerprint(&self) -> Digest {
        match self {
            Self::Password(hash) => Digest::of(&["password", hash.as_str()]),
            Self::Token(hash) => Digest::of(&["token", &hash.to_string()]),
        }
    }
}

/// Who is served without a login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutLogin {
    /// This machine's own screen and shell.
    #[default]
    Loopback,
    Nobody,
    Everybody,
}

/// Whether `name` can be the name of an account.
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_a_line_and_a_log() {
        for good in ["guard", "lobby-tv", "a.b_C9", &"x".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for wrong in ["", "a b", "a:b", "a\n", "門", &"x".repeat(65)] {
            assert!(!is_name(wrong), "{wrong}");
        }
    }

    #[test]
    fn camera_that_is_not_named_does_not_exist() {
        let seen = Seen::Only(["gate".to_owned()].into());
        assert!(seen.sees("gate") && !seen.sees("yard") && Seen::All.sees("yard"));
    }
}
