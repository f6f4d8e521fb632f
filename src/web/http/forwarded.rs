//! What proxies report of the visitor whose request they pass on. Anybody can write these headers,
//! so they count only if the connection comes from a proxy that is trusted.

use std::net::{IpAddr, SocketAddr};

/// `X-Forwarded-For` and `X-Forwarded-Proto`, and whether any header of a proxy is there.
#[derive(Debug, Default)]
pub struct Forwarded {
    /// All entries, from the visitor to the proxy before the last one.
    hops: Option<String>,
    scheme: Option<String>,
    is_any: bool,
}

impl Forwarded {
    /// Adds one header line; its name is in lower case. Others than those of proxies are ignored.
    pub fn take(&mut self, name: &str, value: &[u8]) {
        match name {
            "x-forwarded-for" => {
                let hops = self.hops.get_or_insert_default();
                hops.push(',');
                hops.push_str(&String::from_utf8_lossy(value));
            }
            "x-forwarded-proto" => self.scheme = Some(String::from_utf8_lossy(value).into_owned()),
            "forwarded" | "via" => {}
            _ => return,
        }
        self.is_any = true;
    }

    /// Whether a proxy passed the request on, as far as it says so.
    pub fn is_any(&self) -> bool {
        self.is_any
    }

    pub fn has_client(&self) -> bool {
        self.hops.is_some()
    }

    pub fn has_scheme(&self) -> bool {
        self.scheme.is_some()
    }

    /// Whether the visitor speaks TLS with the proxy. Some proxies name the scheme of the socket.
    pub fn is_https(&self) -> bool {
        let last = self.scheme.as_deref().and_then(|list| list.rsplit(',').next()).unwrap_or("").trim();
        ["https", "wss"].iter().any(|scheme| last.eq_ignore_ascii_case(scheme))
    }

    /// The address nearest to us that is not one of a trusted proxy: what is written before it
    /// comes from the visitor, who can write anything. If all are trusted, the first. `None` if
    /// there is none, or the entry is not an address.
    pub fn client(&self, is_trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        let mut found = None;
        let entries = self.hops.as_deref().unwrap_or("").rsplit(',').map(str::trim);
        for entry in entries.filter(|entry| !entry.is_empty()) {
            let address = address(entry)?;
            found = Some(address);
            if !is_trusted(address) {
                break;
            }
        }
        found
    }
}

/// An address as proxies write it: with or without a port, of IPv6 with or without brackets.
fn address(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse::<IpAddr>().or_else(|_| entry.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(lines: &[(&str, &str)]) -> Forwarded {
        let mut forwarded = Forwarded::default();
        lines.iter().for_each(|(name, value)| forwarded.take(name, value.as_bytes()));
        forwarded
    }

    #[test]
    fn nearest_address_that_is_no_trusted_proxy_is_the_visitor() {
        for (lines, visitor) in [
            (vec!["10.0.0.7"], Some("10.0.0.7")),
            (vec!["6.6.6.6, 10.0.0.7"], Some("10.0.0.7")),
            (vec!["6.6.6.6", "10.0.0.7, 127.0.0.1"], Some("10.0.0.7")),
            (vec!["127.0.0.1"], Some("127.0.0.1")),
            (vec!["10.0.0.7:4711"], Some("10.0.0.7")),
            (vec!["[2001:db8::1]:4711"], Some("2001:db8::1")),
            (vec!["[2001:db8::1]"], Some("2001:db8::1")),
            (vec!["2001:db8::1"], Some("2001:db8::1")),
            (vec!["::ffff:10.0.0.7"], Some("10.0.0.7")),
            (vec!["10.0.0.7, unknown"], None),
            (vec!["", " , "], None),
            (vec![], None),
        ] {
            let lines: Vec<_> = lines.into_iter().map(|line| ("x-forwarded-for", line)).collect();
            let found = forwarded(&lines).client(|address| address.is_loopback());
            assert_eq!(found, visitor.map(|address| address.parse().unwrap()), "{lines:?}");
        }
    }

    #[test]
    fn scheme_is_that_of_the_nearest_proxy() {
        for (scheme, is_https) in
            [("https", true), ("HTTPS", true), ("wss", true), ("http", false), ("https, http", false), ("", false)]
        {
            assert_eq!(forwarded(&[("x-forwarded-proto", scheme)]).is_https(), is_https, "{scheme}");
        }
        assert!(!forwarded(&[]).is_any() && !forwarded(&[("cookie", "a")]).is_any());
        for name in ["forwarded", "via", "x-forwarded-for", "x-forwarded-proto"] {
            assert!(forwarded(&[(name, "x")]).is_any(), "{name}");
        }
    }
}
