//! Hosts and origins of HTTP headers, in a form that can be compared: the host of RFC 9110 section
//! 7.2 and the origin of RFC 6454 section 7.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::address::is_host_name;

/// A host: an IP address, or a name in lower case without a final dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    Ip(IpAddr),
    Name(String),
}

impl Host {
    /// Parses a host; an IPv6 address is in brackets. `None` if it is neither address nor name.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(address) = text.strip_prefix('[') {
            return address.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|ip| Self::Ip(ip.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        match name.parse::<Ipv4Addr>() {
            Ok(ip) => Some(Self::Ip(ip.into())),
            Err(_) => is_host_name(name).then(|| Self::Name(name.to_ascii_lowercase())),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A host, and its port if one is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    pub host: Host,
    pub port: Option<u16>,
}

impl Authority {
    /// Parses the value of a `Host` header. `None` if it is not valid.
    pub fn parse(text: &str) -> Option<Self> {
        // A colon inside brackets belongs to the address.
        let colon = text.rfind(':').filter(|colon| !text[*colon..].contains(']'));
        let (host, port) = colon.map_or((text, ""), |colon| (&text[..colon], &text[colon + 1..]));
        let port = match port {
            // RFC 3986 section 3.2.3: an empty port means the default port.
            "" => None,
            _ if !port.bytes().all(|byte| byte.is_ascii_digit()) => return None,
            _ => Some(port.parse().ok()?),
        };
        Some(Self { host: Host::parse(host)?, port })
    }
}

/// The origin of a page: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin {
    pub https: bool,
    pub host: Host,
    pub port: u16,
}

impl WebOrigin {
    /// Parses the value of an `Origin` header. `None` if it is not an origin of
    /// `http` or `https`, such as `null`.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let Authority { host, port } = Authority::parse(rest)?;
        Some(Self { https, host, port: port.unwrap_or(Self::usual_port(https)) })
    }

    /// Returns the origin of a URL, such as that in a `Referer` header.
    pub fn of_url(url: &str) -> Option<Self> {
        let start = url.find("://")? + 3;
        let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |end| start + end);
        Self::parse(&url[..end])
    }

    /// Returns the default port of the scheme.
    fn usual_port(https: bool) -> u16 {
        if https { 443 } else { 80 }
    }

    /// Whether `authority` leads to this origin, regardless of the scheme of the page.
    pub fn is_at(&self, authority: &Authority) -> bool {
        self.host == authority.host && self.port == authority.port.unwrap_or(Self::usual_port(self.https))
    }
}

/// As a browser writes it, without the default port.
impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.https { "https" } else { "http" }, self.host)?;
        if self.port == Self::usual_port(self.https) { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        WebOrigin::parse(text).map(|origin| origin.to_string())
    }

    #[test]
    fn spellings_of_one_host_are_one_host() {
        for (one, other) in [
            ("Wall.Example.com", "wall.example.com."),
            ("wall:", "wall"),
            ("wall:0080", "WALL.:80"),
            ("[::1]", "[0:0:0:0:0:0:0:1]"),
            ("127.0.0.1:80", "127.0.0.1.:80"),
        ] {
            assert_eq!(Authority::parse(one).unwrap(), Authority::parse(other).unwrap(), "{one}");
        }
        assert_eq!(Authority::parse("[::1]:8080").unwrap().port, Some(8080));
        assert_ne!(Authority::parse("a.example"), Authority::parse("a.example.evil"));
    }

    #[test]
    fn what_is_no_host_is_not_read() {
        for text in [
            "",
            ".",
            ":80",
            "a..b",
            "[::1",
            "::1",
            "[x]:1",
            "[127.0.0.1]",
            "[::1]x",
            "a b",
            "user@host",
            "a/b",
            "a:b:1",
            "a:+80",
            "a:65536",
            "a:-1",
            "a:8x",
            "\u{9580}",
            "%61",
            "a,b",
            "-a",
            "[fe80::1%25eth0]",
        ] {
            assert_eq!(Authority::parse(text), None, "{text:?}");
        }
        assert_eq!(Authority::parse(&format!("{}:80", "a.".repeat(127))).map(|found| found.port), Some(Some(80)));
        assert_eq!(Authority::parse(&"a.".repeat(200)), None);
    }

    #[test]
    fn origins_are_shown_without_the_usual_port() {
        assert_eq!(shown("HTTPS://Intranet.Example:443").as_deref(), Some("https://intranet.example"));
        assert_eq!(shown("http://[FD00::1]:8080").as_deref(), Some("http://[fd00::1]:8080"));
        assert_eq!(shown("http://10.0.0.1:443").as_deref(), Some("http://10.0.0.1:443"));
        for text in ["null", "", "file://", "http://", "http://a/", "http://a?b", "ftp://a", "a.example", "//a"] {
            assert_eq!(shown(text), None, "{text:?}");
        }
    }

    #[test]
    fn address_has_the_origin_of_its_beginning() {
        let of = |text| WebOrigin::of_url(text).map(|origin| origin.to_string());
        assert_eq!(of("https://a.example/b?c=http://d.example/").as_deref(), Some("https://a.example"));
        assert_eq!(of("http://a.example:81?x").as_deref(), Some("http://a.example:81"));
        assert_eq!(of("http://a.example#x").as_deref(), Some("http://a.example"));
        assert_eq!(of("http://user@a.example/"), None);
        assert_eq!(of("about:client"), None);
    }
}
