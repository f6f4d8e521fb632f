//! A token as the configuration holds it: its SHA-256. A token is random, so a slow hash has no use.

use std::fmt;

use super::digest::Digest;

const PREFIX: &str = "sha256:";

/// `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(Digest);

impl TokenHash {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Digest::parse(text.strip_prefix(PREFIX)?).map(Self)
    }

    /// The hash of `token`.
    pub fn of(token: &str) -> Self {
        Self(Digest::of(&[token]))
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_read_as_it_is_written() {
        // printf %s token | sha256sum
        let written = "sha256:3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0";
        assert_eq!(TokenHash::of("token").to_string(), written);
        assert_eq!(TokenHash::parse(written), Some(TokenHash::of("token")));
        for wrong in ["", "token", &written[7..], &written[..70], &written.to_uppercase()] {
            assert_eq!(TokenHash::parse(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{:?}", TokenHash::of("token")), "TokenHash(…)");
    }
}
