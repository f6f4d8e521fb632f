//! The addresses at which a device says its ONVIF service is, and the order in which to try them.
//!
//! The host in such an address is only a hint: it may be the device's other network card, a name
//! that does not resolve, or empty. Only the source of the datagram is certain.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use super::interfaces::{Network, Subnet};
use crate::{http_client::in_brackets, uri::split_authority};

/// The path of ONVIF's device service, which the standard fixes.
pub const DEVICE_PATH: &str = "/onvif/device_service";

/// Maximum number of addresses of one device that are examined.
const MAX_ADDRESSES: usize = 16;
/// Maximum length of an address, in bytes; longer ones are not valid.
const MAX_LEN: usize = 512;

/// The source of a datagram, and the network of the interface that received it.
#[derive(Clone, Debug, PartialEq)]
pub struct DatagramSource {
    pub source: IpAddr,
    /// The interface's number, for addresses that are valid only on their own link.
    pub link: Option<u32>,
    pub near: Option<Subnet>,
}

impl DatagramSource {
    pub fn new(source: IpAddr) -> Self {
        Self { source, link: None, near: None }
    }

    /// Returns the source as a host to connect to.
    pub fn host(&self) -> String {
        host_on_link(self.source, self.link)
    }
}

/// One address at which to ask for ONVIF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XAddr {
    /// IP address (IPv6 without brackets, with `%` and the interface's number if it needs one) or
    /// host name.
    pub host: String,
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// Whether it is an HTTPS address.
    pub secure: bool,
}

impl XAddr {
    /// Returns the device service at `host`; HTTPS on port 443.
    pub fn at(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, path: DEVICE_PATH.to_owned(), secure: port == 443 }
    }

    /// Parses the address in `text`. If its host means nothing here, the source replaces it. `None`
    /// if it is not an address of HTTP or HTTPS.
    pub fn parse(text: &str, origin: &DatagramSource) -> Option<Self> {
        let text = text.trim();
        if text.len() > MAX_LEN {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit('@').next().unwrap_or("");
        let (host, port) = split_authority(authority)?;
        let path = match path {
            "" | "/" => DEVICE_PATH.to_owned(),
            path if path.starts_with('/') => path.to_owned(),
            path => format!("/{path}"),
        };
        if path.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return None;
        }
        let port = port.unwrap_or(if secure { 443 } else { 80 });
        Some(Self { host: meaningful(host, origin)?, port, path, secure })
    }

    /// Returns the IP address of the host, if the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.split('%').next().unwrap_or("").parse().ok()
    }

    /// Whether we may ask this address, which a datagram from `source` named: it must be
    /// on that host, in the same /24 (IPv6: /64), or in one of `networks`, which are our
    /// own; on loopback only if the datagram came from there. Anybody can name any
    /// address, and a host name may lead anywhere.
    pub fn is_near(&self, source: IpAddr, networks: &[Network]) -> bool {
        match self.ip() {
            Some(ip) if ip.is_loopback() || source.is_loopback() => ip.is_loopback() && source.is_loopback(),
            Some(ip) => Network::around(source).holds(ip) || networks.iter().any(|network| network.holds(ip)),
            None => false,
        }
    }

    /// Returns the priority; lower ones are tried first.
    fn rank(&self, origin: &DatagramSource) -> u8 {
        match self.ip() {
            Some(ip) if ip == origin.source && !self.secure => 0,
            Some(_) | None if self.secure => 5,
            Some(IpAddr::V4(ip)) if ip.is_link_local() => 6,
            Some(IpAddr::V6(ip)) if ip.is_unicast_link_local() => 7,
            Some(ip) if origin.near.is_some_and(|near| near.holds(ip)) => 1,
            Some(_) => 2,
            None => 3,
        }
    }
}

impl fmt::Display for XAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}{}", in_brackets(&self.host), self.port, self.path)
    }
}

/// Returns the addresses in `list` (separated by white space), best first. If none is on the source
/// host of the datagram, that host is added, because a device may know only its other address. It
/// comes after the addresses that the device gave, unless those are valid only on their own link.
pub fn ordered(list: &str, origin: &DatagramSource) -> Vec<XAddr> {
    let mut found: Vec<(u8, XAddr)> = Vec::new();
    for text in list.split_whitespace().take(MAX_ADDRESSES) {
        if let Some(xaddr) = XAddr::parse(text, origin)
            && !found.iter().any(|(_, known)| *known == xaddr)
        {
            found.push((xaddr.rank(origin), xaddr));
        }
    }
    if !found.iter().any(|(_, xaddr)| xaddr.ip() == Some(origin.source) && !xaddr.secure) {
        let plain = found.iter().map(|(_, xaddr)| xaddr).find(|xaddr| !xaddr.secure);
        let (port, path) = plain.map_or((80, DEVICE_PATH), |xaddr| (xaddr.port, xaddr.path.as_str()));
        let there = XAddr { host: origin.host(), port, path: path.to_owned(), secure: false };
        found.push((4, there));
    }
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, xaddr)| xaddr).collect()
}

/// Returns `host` in a form to connect to from here. `None`: not a host, and not one to be guessed.
fn meaningful(host: &str, origin: &DatagramSource) -> Option<String> {
    // A zone names the link on the sender's side, not on ours.
    let bare = host.split('%').next().unwrap_or("");
    let source_is_loopback = origin.source.is_loopback();
    match bare.parse::<IpAddr>() {
        Ok(ip) if ip.is_multicast() => None,
        Ok(IpAddr::V4(Ipv4Addr::BROADCAST)) => None,
        Ok(ip) if ip.is_unspecified() || (ip.is_loopback() && !source_is_loopback) => Some(origin.host()),
        Ok(ip) => Some(host_on_link(ip, origin.link)),
        Err(_) if bare.is_empty() || (bare.eq_ignore_ascii_case("localhost") && !source_is_loopback) => {
            Some(origin.host())
        }
        Err(_) => {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            (bare.len() <= 253 && bare.bytes().all(allowed)).then(|| bare.to_owned())
        }
    }
}

fn host_on_link(ip: IpAddr, link: Option<u32>) -> String {
    match (ip, link) {
        (IpAddr::V6(v6), Some(link)) if v6.is_unicast_link_local() => format!("{v6}%{link}"),
        _ => ip.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(source: &str) -> DatagramSource {
        let near = Subnet::new("192.168.1.5".parse().unwrap(), "255.255.255.0".parse().unwrap());
        DatagramSource { source: source.parse().unwrap(), link: Some(3), near: Some(near) }
    }

    fn order(list: &str, source: &str) -> Vec<String> {
        ordered(list, &origin(source)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn quirk_29_host_that_answered_comes_first_and_link_addresses_last() {
        assert_eq!(
            order(
                "http://[fe80::2]/o https://192.168.1.9/o http://169.254.3.4/o http://cam.example/o \
                 http://10.0.0.9/o http://192.168.1.8/o http://192.168.1.9:8000/o",
                "192.168.1.9"
            ),
            [
                "http://192.168.1.9:8000/o",
                "http://192.168.1.8:80/o",
                "http://10.0.0.9:80/o",
                "http://cam.example:80/o",
                "https://192.168.1.9:443/o",
                "http://169.254.3.4:80/o",
                "http://[fe80::2%3]:80/o",
            ]
        );
    }

    #[test]
    fn host_that_answered_is_added_where_it_is_not_named() {
        assert_eq!(
            order("http://cam.example:8080/o?x=1", "192.168.1.9"),
            ["http://cam.example:8080/o?x=1", "http://192.168.1.9:8080/o?x=1"]
        );
        assert_eq!(
            order("http://169.254.3.4/o", "192.168.1.9"),
            ["http://192.168.1.9:80/o", "http://169.254.3.4:80/o"]
        );
        assert_eq!(order("", "192.168.1.9"), ["http://192.168.1.9:80/onvif/device_service"]);
        assert_eq!(order("", "fe80::9"), ["http://[fe80::9%3]:80/onvif/device_service"]);
        assert_eq!(
            order("https://192.168.1.9/o", "192.168.1.9"),
            ["http://192.168.1.9:80/onvif/device_service", "https://192.168.1.9:443/o"]
        );
    }

    #[test]
    fn hosts_that_mean_nothing_become_the_source() {
        for host in ["0.0.0.0", "[::]", "127.0.0.1", "localhost", "", "user:pass@0.0.0.0"] {
            assert_eq!(order(&format!("http://{host}:81/o"), "192.168.1.9"), ["http://192.168.1.9:81/o"], "{host}");
        }
        assert_eq!(order("http://127.0.0.1:81/o", "127.0.0.1"), ["http://127.0.0.1:81/o"]);
    }

    #[test]
    fn only_addresses_near_the_sender_or_in_our_networks_are_asked() {
        let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
        let networks = [Network::new(ip("10.1.0.9"), 16), Network::new(ip("fd00:1::9"), 64)];
        let is_near = |host: &str, source: &str| XAddr::at(host, 80).is_near(ip(source), &networks);
        for (host, source) in [
            ("192.168.1.9", "192.168.1.9"),
            ("192.168.1.8", "192.168.1.9"),
            ("10.1.200.3", "192.168.1.9"),
            ("fd00:1::77", "192.168.1.9"),
            ("fd00:2::1", "fd00:2::9"),
            ("fe80::1%3", "fe80::9"),
            ("127.0.0.1", "127.0.0.9"),
        ] {
            assert!(is_near(host, source), "{host} by {source}");
        }
        for (host, source) in [
            ("192.168.2.9", "192.168.1.9"),
            ("10.2.0.1", "192.168.1.9"),
            ("fd00:3::1", "fd00:2::9"),
            ("fe80::1%3", "192.168.1.9"),
            ("127.0.0.1", "192.168.1.9"),
            ("::1", "fe80::9"),
            ("::ffff:127.0.0.1", "192.168.1.9"),
            ("192.168.1.9", "127.0.0.1"),
            ("cam.example", "192.168.1.9"),
        ] {
            assert!(!is_near(host, source), "{host} by {source}");
        }
    }

    #[test]
    fn odd_addresses_are_read_and_damaged_ones_dropped() {
        let parsed = |text: &str| XAddr::parse(text, &origin("10.0.0.1")).map(|xaddr| xaddr.to_string());
        assert_eq!(parsed(" HTTP://10.0.0.2:80:8080").as_deref(), Some("http://10.0.0.2:8080/onvif/device_service"));
        assert_eq!(parsed("http://10.0.0.2:0/").as_deref(), Some("http://10.0.0.2:80/onvif/device_service"));
        assert_eq!(parsed("http://10.0.0.2?a").as_deref(), Some("http://10.0.0.2:80/?a"));
        assert_eq!(parsed("http://fe80::1%eth0/o").as_deref(), Some("http://[fe80::1%3]:80/o"));
        assert_eq!(parsed("http://[fe80::1%25eth0]:81/o").as_deref(), Some("http://[fe80::1%3]:81/o"));
        for text in [
            "",
            "rtsp://10.0.0.2/",
            "http://a b/",
            "http://[fe80::1/",
            "http://h\u{e9}/",
            "http://239.255.255.250/o",
            "http://10.0.0.2:99999/",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
        assert_eq!(parsed(&format!("http://10.0.0.2/{}", "a".repeat(MAX_LEN))), None);
    }
}
