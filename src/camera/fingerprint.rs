//! The fingerprint of a camera's key, and how people write it.

use std::{fmt, str::FromStr};

/// What stands before the digits.
const PREFIX: &str = "sha256:";

/// A SHA-256 value. `Display` writes it as `sha256:` and 64 digits; `FromStr` also reads the form in
/// which OpenSSL and browsers write it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 32]);

/// What identifies a device in a TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerKey {
    /// Of its public key (SubjectPublicKeyInfo): a renewed certificate with the same key has the same.
    pub key: Fingerprint,
    /// Of its whole certificate.
    pub certificate: Fingerprint,
}

impl PeerKey {
    /// Whether `fingerprint` is that of the key or of the certificate.
    pub fn has(&self, fingerprint: Fingerprint) -> bool {
        self.key == fingerprint || self.certificate == fingerprint
    }
}

/// The text is no SHA-256 fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFingerprint;

impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    /// Reads 64 hexadecimal digits, with or without colons or blanks between them, after `sha256:`,
    /// `sha256 Fingerprint=` or nothing.
    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        let text = text.trim().to_ascii_lowercase();
        let digits = text.strip_prefix("sha256").map_or(text.as_str(), |rest| {
            let rest = rest.trim_start();
            rest.strip_prefix("fingerprint").unwrap_or(rest).trim_start().trim_start_matches([':', '='])
        });
        let digits: Vec<char> = digits.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return Err(NoFingerprint);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            for digit in pair {
                let digit = digit.to_digit(16).ok_or(NoFingerprint)?;
                *byte = *byte << 4 | u8::try_from(digit).map_err(|_| NoFingerprint)?;
            }
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_people_copy_is_read() {
        let bytes: [u8; 32] = std::array::from_fn(|index| u8::try_from(index * 8).unwrap());
        let written = Fingerprint(bytes).to_string();
        let digits = written.strip_prefix("sha256:").unwrap().to_owned();
        let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let openssl = format!("sha256 Fingerprint={}", pairs.join(":"));
        for text in [&written, &digits, &openssl, &pairs.join(":"), &pairs.join(" "), &written.to_uppercase()] {
            assert_eq!(text.parse(), Ok(Fingerprint(bytes)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_fingerprint() {
        let short = "ab".repeat(31);
        for text in ["", "sha256:", &short, &format!("sha256:{short}zz"), &format!("sha1:{}", "ab".repeat(32))] {
            assert_eq!(text.parse::<Fingerprint>(), Err(NoFingerprint), "{text}");
        }
    }

    #[test]
    fn fingerprint_of_key_or_certificate_will_do() {
        let peer = PeerKey { key: Fingerprint([1; 32]), certificate: Fingerprint([2; 32]) };
        assert!(peer.has(peer.key) && peer.has(peer.certificate) && !peer.has(Fingerprint([3; 32])));
    }
}
