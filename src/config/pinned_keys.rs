//! The TLS keys that a device must have: one fingerprint or a list of them.

use toml::de::DeValue;

use super::parsed::Parsed;
use crate::camera::fingerprint::Fingerprint;

/// Maximum number of fingerprints of one device: a service has one key, and another one for a while.
const MOST: usize = 8;

pub(super) const FINGERPRINTS: Parsed<Vec<Fingerprint>> = Parsed {
    right: "a SHA-256 value, as cctv-agent info or openssl x509 -fingerprint -sha256 prints it, or a list of at most 8",
    example: "\"sha256:5f1c8c4fd2e1f0f5a1b2c3d4e5f60718293a4b5c6d7e8f900112233445566778\"",
    parse,
};

fn parse(value: &DeValue<'_>) -> Option<Vec<Fingerprint>> {
    let one = |value: &DeValue<'_>| value.as_str()?.parse().ok();
    match value {
        DeValue::Array(all) if (1..=MOST).contains(&all.len()) => all.iter().map(|each| one(each.get_ref())).collect(),
        DeValue::Array(_) => None,
        other => one(other).map(|one| vec![one]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Vec<Fingerprint>> {
        parse(DeValue::parse(text).unwrap().get_ref())
    }

    #[test]
    fn one_fingerprint_or_a_short_list_is_understood() {
        let [first, second] = [1, 2].map(|byte| Fingerprint([byte; 32]));
        assert_eq!(parsed(&format!("'{first}'")), Some(vec![first]));
        assert_eq!(parsed(&format!("['{first}', '{second}']")), Some(vec![first, second]));
        let list = |count| format!("[{}]", vec![format!("'{first}'"); count].join(","));
        assert!(parsed(&list(MOST)).is_some());
        for wrong in ["''", "7", "[]", &format!("['{first}', 'sha256:']"), &format!("[['{first}']]"), &list(MOST + 1)] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
