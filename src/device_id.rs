//! The identity of a device, independent of its address: WS-Discovery endpoint, UPnP name, and MAC.

use std::fmt;

/// Maximum number of characters kept. A UUID has 36; vendors' own forms are seldom twice as long.
const MAX_LEN: usize = 200;

/// What Windows writes around a UUID.
const BRACES: [char; 2] = ['{', '}'];

/// An endpoint reference or UDN, in lower case and without the prefixes that only some firmwares
/// write, so that texts of the same device are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(String);

impl DeviceId {
    /// Parses the identity in `text`: `urn:uuid:…`, `uuid:…` or without prefix, with or
    /// without braces, in any case. `None` if nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        while let Some(shorter) = ["urn:", "uuid:"].iter().find_map(|prefix| without_prefix(rest, prefix)) {
            rest = shorter.trim_start();
        }
        let rest = rest.trim_matches(BRACES);
        (!rest.is_empty()).then(|| Self(rest.chars().take(MAX_LEN).collect::<String>().to_lowercase()))
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the form that the device most probably uses: a UUID gets the prefix `urn:uuid:`.
    pub fn to_urn(&self) -> String {
        if self.is_uuid() { format!("urn:uuid:{}", self.0) } else { self.0.clone() }
    }

    /// Whether it has the form of a UUID (RFC 4122).
    pub fn is_uuid(&self) -> bool {
        let groups: Vec<&str> = self.0.split('-').collect();
        groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
            && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }

    /// Returns the MAC in it: the node of a time-based UUID, or the last part of a
    /// vendor's own form, such as `Upnp-BasicDevice-1_0-ACCC8E270AD8`. The last part
    /// of any other UUID is not a MAC.
    pub fn mac(&self) -> Option<Mac> {
        if self.is_uuid() && self.0.as_bytes().get(14) != Some(&b'1') {
            return None;
        }
        self.0.rsplit(['-', '_']).next().filter(|last| last.len() == 12).and_then(Mac::new)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn without_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// The hardware address of one network card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 6]);

impl Mac {
    /// Parses twelve hexadecimal digits, with or without `:`, `-`, `.` or blanks between them. `None` for
    /// anything else, and for addresses that belong to no single card.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits: Vec<u8> = text.bytes().filter(|byte| !b":-. ".contains(byte)).collect();
        if digits.len() != 12 || text.len() > 17 {
            return None;
        }
        let mut mac = [0; 6];
        for (byte, pair) in mac.iter_mut().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        let is_group = mac[0] & 1 == 1;
        (!is_group && mac != [0; 6]).then_some(Self(mac))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// Returns a random UUID (version 4).
pub fn random_uuid() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes once it has booted");
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = |range: std::ops::Range<usize>| bytes[range].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{}-{}-{}-{}-{}", hex(0..4), hex(4..6), hex(6..8), hex(8..10), hex(10..16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quirk_32_every_way_of_writing_an_endpoint_is_the_same_identity() {
        let plain = DeviceId::new("5f5a69c2-e0ae-504f-829b-000000000064").unwrap();
        for text in [
            "urn:uuid:5f5a69c2-e0ae-504f-829b-000000000064",
            "uuid:5F5A69C2-E0AE-504F-829B-000000000064",
            " URN:UUID:5f5a69c2-e0ae-504f-829b-000000000064\n",
            "urn:uuid: 5f5a69c2-e0ae-504f-829b-000000000064",
            "5f5a69c2-e0ae-504f-829b-000000000064",
            " {5F5A69C2-E0AE-504F-829B-000000000064} ",
        ] {
            assert_eq!(DeviceId::new(text).unwrap(), plain, "{text}");
        }
        assert_eq!(plain.to_urn(), "urn:uuid:5f5a69c2-e0ae-504f-829b-000000000064");
        assert_eq!(DeviceId::new("urn:uuid:"), None);
        assert_eq!(DeviceId::new("  "), None);
        assert_eq!(DeviceId::new("uuid:{}"), None);
        assert_eq!(DeviceId::new("http://10.0.0.1/Device").unwrap().to_urn(), "http://10.0.0.1/device");
    }

    #[test]
    fn a_mac_is_found_only_where_there_is_one() {
        let mac = |text: &str| DeviceId::new(text).unwrap().mac().map(|mac| mac.to_string());
        assert_eq!(mac("uuid:Upnp-BasicDevice-1_0-00AABB270AD8").as_deref(), Some("00:aa:bb:27:0a:d8"));
        assert_eq!(mac("12345678-1dd2-11b2-a915-00aabb68ce2c").as_deref(), Some("00:aa:bb:68:ce:2c"));
        assert_eq!(mac("12345678-1dd2-41b2-a915-00aabb68ce2c"), None, "a random UUID");
        assert_eq!(mac("12345678-1dd2-11b2-a915-01aabb68ce2c"), None, "a made-up node has the group bit");
        assert_eq!(mac("device_3_0-4D00A1BPAJ1234"), None);
    }

    #[test]
    fn macs_are_read_in_every_spelling() {
        for text in [
            "00AABB270AD8",
            "00:aa:bb:27:0a:d8",
            "00-AA-BB-27-0A-D8",
            "00aa.bb27.0ad8",
            " 00aabb270ad8 ",
            "00 AA BB 27 0A D8",
        ] {
            assert_eq!(Mac::new(text).map(|mac| mac.to_string()).as_deref(), Some("00:aa:bb:27:0a:d8"), "{text}");
        }
        for text in
            ["", "00aabb270ad", "00aabb270ad8e", "00aabb270adg", "x", "00:12", "ff:ff:ff:ff:ff:ff", "000000000000"]
        {
            assert_eq!(Mac::new(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_random_uuids() {
        let (one, other) = (random_uuid(), random_uuid());
        assert_ne!(one, other);
        assert!(DeviceId::new(&one).unwrap().is_uuid());
        assert_eq!(one.as_bytes()[14], b'4');
    }
}
