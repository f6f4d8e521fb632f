//! Accounts: who may look at which cameras, and what proves it. The file holds hashes alone.

pub mod password_hash;
pub mod token_hash;

use std::{collections::BTreeSet, fmt};

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
}

impl Rights {
    /// Everything: what a viewer has that needs no login.
    pub const ALL: Self = Self { watch: true, details: true, metrics: true };
    /// What an account has if the configuration does not say.
    pub const WATCH: Self = Self { watch: true, details: false, metrics: false };
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

/// A SHA-256 digest, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `parts`; other parts of the same joined text have another one.
    pub fn of(parts: &[&str]) -> Self {
        Self::of_bytes(&parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>())
    }

    /// Like [`Self::of`].
    pub fn of_bytes(parts: &[&[u8]]) -> Self {
        use sha2::Digest as _;
        let mut hasher = sha2::Sha256::new();
        if let [only] = parts {
            hasher.update(only);
        } else {
            for part in parts {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part);
            }
        }
        Self(hasher.finalize().into())
    }

    /// Reads 64 hexadecimal digits in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
        }
        Some(Self(bytes))
    }
}

/// The value of a hexadecimal digit in lower case.
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// A new secret of 256 random bits, as 64 hexadecimal digits. Never log the result.
///
/// # Errors
/// If the system gives no random numbers.
pub fn random_secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `name` can be the name of an account.
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_one_text_is_plain_sha_256() {
        let digest = Digest::of(&["abc"]);
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(format!("{digest:?}"), "Digest(…)");
        assert_ne!(Digest::of(&["ab", "c"]), Digest::of(&["a", "bc"]), "the parts count");
        for wrong in ["", "BA78", &"g".repeat(64), &"é".repeat(32), &"a".repeat(65)] {
            assert_eq!(Digest::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let (one, other) = (random_secret().unwrap(), random_secret().unwrap());
        assert!(one.len() == 64 && other.len() == 64 && one != other);
    }

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
