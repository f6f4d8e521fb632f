//! Percent decoding and authorities of URIs (RFC 3986), as leniently as devices need it.

use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;

/// Decodes every `%XX`. Anything else after a `%` stays unchanged, and bytes that are not UTF-8 become
/// replacement characters.
pub fn percent_decode_lossy(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Decodes `text` if it is percent-encoded throughout. `None` where something else follows a `%`, or
/// the bytes are not UTF-8: then nobody has encoded it.
pub fn percent_decode(text: &str) -> Option<String> {
    let is_encoded = |after: &str| after.len() >= 2 && after.bytes().take(2).all(|digit| digit.is_ascii_hexdigit());
    if !text.split('%').skip(1).all(is_encoded) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(|decoded| decoded.into_owned())
}

/// Splits an authority without user information into host, without brackets, and port. Of two ports
/// (`host:80:8080`) the last one counts, and 0 means the usual one. The host may be empty. `None`: a port
/// that is no number, or more colons than make sense.
pub fn split_authority(authority: &str) -> Option<(&str, Option<u16>)> {
    let number = |digits: &str| match digits {
        "" => Some(None),
        digits => digits.parse::<u16>().ok().map(|port| Some(port).filter(|port| *port > 0)),
    };
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return Some((host, number(after.strip_prefix(':').unwrap_or(after))?));
    }
    if authority.split('%').next().unwrap_or("").parse::<Ipv6Addr>().is_ok() {
        return Some((authority, None));
    }
    let mut parts = authority.split(':');
    let host = parts.next().unwrap_or("");
    let ports: Option<Vec<_>> = parts.map(number).collect();
    Some((host, ports?.into_iter().next_back().flatten()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        assert_eq!(percent_decode("a%40b%23%C3%A9").as_deref(), Some("a@b#\u{e9}"));
        assert_eq!(percent_decode("plain-._~").as_deref(), Some("plain-._~"));
        assert_eq!(percent_decode_lossy("a%40b%23%C3%A9"), "a@b#\u{e9}");
    }

    #[test]
    fn text_that_nobody_encoded_is_recognised() {
        for raw in ["100%sure", "50%", "a%4", "%ff%fe", "%zz", "%\u{e9}"] {
            assert_eq!(percent_decode(raw), None, "{raw}");
        }
        assert_eq!(percent_decode_lossy("100%%zz%4"), "100%%zz%4");
        assert_eq!(percent_decode_lossy("%ff"), "\u{fffd}");
    }

    #[test]
    fn authorities_are_split_as_devices_write_them() {
        assert_eq!(split_authority("h"), Some(("h", None)));
        assert_eq!(split_authority("h:80:8080"), Some(("h", Some(8080))));
        assert_eq!(split_authority("h:0"), Some(("h", None)));
        assert_eq!(split_authority("[fd00::1]:81"), Some(("fd00::1", Some(81))));
        assert_eq!(split_authority("fe80::1%eth0"), Some(("fe80::1%eth0", None)));
        assert_eq!(split_authority(":80"), Some(("", Some(80))));
        for wrong in ["h:x", "h:99999", "[::1"] {
            assert_eq!(split_authority(wrong), None, "{wrong}");
        }
    }
}
