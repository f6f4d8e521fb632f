//! The fields of a certificate (RFC 5280 4.1) that neither rustls nor its PEM reader gives: its end of
//! validity and its public key. Cameras have certificates of version 1 and with odd extensions, so
//! nothing else of one is looked at.

use time::{Date, Month, Time};

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The public key in a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey<'a> {
    /// The whole SubjectPublicKeyInfo, in DER.
    pub info: &'a [u8],
    /// The content of its AlgorithmIdentifier.
    pub algorithm: &'a [u8],
    /// The key itself.
    pub key: &'a [u8],
}

impl PublicKey<'_> {
    /// The length of the modulus if this can be read as an RSA key, in bits.
    pub fn rsa_bits(&self) -> Option<usize> {
        /// The object identifier of rsaEncryption.
        const RSA: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
        self.algorithm.starts_with(&RSA).then_some(())?;
        let (numbers, _) = expect(self.key, SEQUENCE)?;
        let (modulus, _) = expect(numbers, INTEGER)?;
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        let first = modulus.get(zeros)?;
        Some((modulus.len() - zeros) * 8 - first.leading_zeros() as usize)
    }
}

/// The end of validity of a certificate in DER, in seconds since 1970; `None` if this is no
/// certificate.
pub fn not_after(certificate: &[u8]) -> Option<i64> {
    let (validity, _) = expect(from_validity(certificate)?, SEQUENCE)?;
    let (_, _, rest) = element(validity)?;
    let (tag, written, _) = element(rest)?;
    unix_time(tag, std::str::from_utf8(written).ok()?)
}

/// The public key of a certificate in DER; `None` if this is no certificate.
pub fn public_key(certificate: &[u8]) -> Option<PublicKey<'_>> {
    let mut fields = from_validity(certificate)?;
    // The validity and the subject.
    for tag in [SEQUENCE, SEQUENCE] {
        (_, fields) = expect(fields, tag)?;
    }
    let (content, rest) = expect(fields, SEQUENCE)?;
    let info = &fields[..fields.len() - rest.len()];
    let (algorithm, content) = expect(content, SEQUENCE)?;
    let (bits, _) = expect(content, BIT_STRING)?;
    let (unused, key) = bits.split_first()?;
    (*unused == 0).then_some(PublicKey { info, algorithm, key })
}

/// The fields of a certificate from its validity on.
fn from_validity(certificate: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (mut fields, _) = expect(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        (_, fields) = expect(fields, VERSION)?;
    }
    // The serial number, the algorithm and the issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        (_, fields) = expect(fields, tag)?;
    }
    Some(fields)
}

/// The content of the first element, which must have this tag, and what follows it.
fn expect(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(bytes)?;
    (tag == wanted).then_some((content, rest))
}

/// Tag and content of the first element, and what follows it (X.690 8.1).
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // Three bytes are 16 MiB.
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The time in the two forms that certificates may have (RFC 5280 4.1.2.5).
fn unix_time(tag: u8, written: &str) -> Option<i64> {
    let digits = written.strip_suffix('Z').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (year, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => {
            let year: i32 = digits[..2].parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        (GENERALIZED_TIME, 14) => (digits[..4].parse().ok()?, &digits[4..]),
        _ => return None,
    };
    let part = |at: usize| rest[at..at + 2].parse::<u8>().ok();
    let date = Date::from_calendar_date(year, Month::try_from(part(0)?).ok()?, part(2)?).ok()?;
    let time = Time::from_hms(part(4)?, part(6)?, part(8)?).ok()?;
    Some(date.with_time(time).assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_time_are_read_and_others_refused() {
        assert_eq!(unix_time(UTC_TIME, "700101000001Z"), Some(1));
        assert_eq!(unix_time(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(unix_time(GENERALIZED_TIME, "20500101000000Z"), Some(2_524_608_000));
        assert_eq!(unix_time(GENERALIZED_TIME, "99991231235959Z"), Some(253_402_300_799));
        for (tag, written) in [
            (UTC_TIME, "700101000001"),
            (UTC_TIME, "20500101000000Z"),
            (GENERALIZED_TIME, "20501301000000Z"),
            (GENERALIZED_TIME, "2050010100000+Z"),
            (0x04, "700101000001Z"),
        ] {
            assert_eq!(unix_time(tag, written), None, "{written}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        for bytes in [&[][..], &[SEQUENCE], &[SEQUENCE, 0x84, 1, 1, 1, 1], &[SEQUENCE, 2, SEQUENCE, 0], b"-----BEGIN"] {
            assert_eq!((not_after(bytes), public_key(bytes)), (None, None), "{bytes:?}");
        }
    }
}
