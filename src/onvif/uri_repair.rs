//! Corrects the addresses that a camera gives.
//!
//! The host in them is only a hint: cameras give 0.0.0.0, the address of their other network card,
//! or one from before they were moved. The host at which we reached the camera certainly works.
//! Path and query are kept byte for byte.

use std::net::IpAddr;

use crate::{
    camera::{Credentials, Secret, StreamUri},
    http_client::in_brackets,
    uri::{percent_decode_lossy, split_authority},
};

const RTSP_PORT: u16 = 554;
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// The address of a service, always on the host at which we reached the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// To try in this order.
    pub ports: Vec<u16>,
    /// Path and query, beginning with `/`.
    pub path: String,
}

impl Service {
    /// Returns the service that a device gives as `xaddr`; we reached the device at
    /// `reach_port`, by HTTPS if `tls`. `None` unless the scheme is HTTP or HTTPS. If it is not the one
    /// by which we reached the device, `reach_port` is used.
    pub fn from_xaddr(xaddr: &str, reach_port: u16, tls: bool) -> Option<Self> {
        let (scheme, rest) = xaddr.trim().split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit('@').next().unwrap_or("");
        let (_, port) = split_authority(authority)?;
        let mut ports = match scheme.to_ascii_lowercase().as_str() {
            "http" if !tls => vec![port.unwrap_or(HTTP_PORT)],
            "https" if tls => vec![port.unwrap_or(HTTPS_PORT)],
            "http" | "https" => Vec::new(),
            _ => return None,
        };
        if !ports.contains(&reach_port) {
            ports.push(reach_port);
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        // It must hold nothing that could end the request line early.
        let is_sendable = path.len() <= MAX_PATH_LEN && !path.contains(|c: char| c.is_whitespace() || c.is_control());
        is_sendable.then_some(Self { ports, path })
    }

    /// Returns the service with `path` on the port at which we reached the device.
    pub fn at(path: &str, reach_port: u16) -> Self {
        Self { ports: vec![reach_port], path: path.to_owned() }
    }
}

/// Maximum length of the path of a service, in bytes.
const MAX_PATH_LEN: usize = 2000;

/// The possible addresses of a stream, and the login that was in its address.
#[derive(Clone, Debug, PartialEq)]
pub struct Streams {
    /// Never empty; to try in this order. Drop a candidate after one failed connect. The host at
    /// which we reached the device comes first; a configured login may be sent only to that one.
    pub candidates: Vec<StreamUri>,
    pub login: Option<Credentials>,
}

/// Returns the possible addresses of the stream that a device gives as `uri`, if we
/// reached the device as `reach` (host name or address, IPv6 without brackets).
/// `None`: no trustworthy RTSP address.
pub fn streams(uri: &str, reach: &str) -> Option<Streams> {
    let (uri, login) = split_login(uri.trim_matches(|c: char| c.is_ascii_whitespace()), reach)?;
    let (given, _) = StreamUri::split(&uri)?;
    let (scheme, rest) = given.as_str().split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = split_authority(authority)?;
    let mut hosts = vec![reach];
    if !host.eq_ignore_ascii_case(reach) && is_usable(host, reach) {
        hosts.push(host);
    }
    let ports = if port == Some(HTTP_PORT) { vec![port, Some(RTSP_PORT)] } else { vec![port] };
    let mut candidates = Vec::new();
    for host in hosts {
        for port in &ports {
            let host = in_brackets(host);
            let text = match port {
                Some(port) => format!("{scheme}://{host}:{port}{path}"),
                None => format!("{scheme}://{host}{path}"),
            };
            candidates.extend(StreamUri::split(&text).map(|(uri, _)| uri));
        }
    }
    (!candidates.is_empty()).then_some(Streams { candidates, login })
}

/// Returns the address of the JPEG that a device gives as `uri`, on the host `reach` at which we reached the
/// device. A login in it is left out. `None`: no trustworthy address of HTTP.
pub fn snapshot(uri: &str, reach: &str) -> Option<StreamUri> {
    let (uri, _) = split_login(uri.trim_matches(|c: char| c.is_ascii_whitespace()), reach)?;
    let (given, _) = StreamUri::split_http(&uri)?;
    let (scheme, _) = given.as_str().split_once("://")?;
    let path = &given.as_str()[scheme.len() + 3 + given.authority().len()..];
    let (_, port) = split_authority(given.authority())?;
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    StreamUri::split_http(&format!("{scheme}://{}{port}{path}", in_brackets(reach))).map(|(uri, _)| uri)
}

/// Removes the login from the stream address `uri`. Some firmwares write it there without
/// encoding, so a password may hold every character that has a meaning in an address. Then the
/// host shows where the login ends: it is the host at which we reached the device, or an IP
/// address. `None`: no host can be trusted.
fn split_login(uri: &str, reach: &str) -> Option<(String, Option<Credentials>)> {
    let (scheme, rest) = uri.split_once("://")?;
    let authority_end = |text: &str| text.find(['/', '?', '#']).unwrap_or(text.len());
    let host_of = |text: &str| {
        let (host, _) = split_authority(&text[..authority_end(text)])?;
        Some(host.to_owned()).filter(|host| !host.is_empty() && !host.contains('@'))
    };
    let is_reached = |text: &str| host_of(text).is_some_and(|host| host.eq_ignore_ascii_case(reach));
    let is_ip = |text: &str| host_of(text).is_some_and(|host| host.parse::<IpAddr>().is_ok());
    let ends: Vec<usize> = rest.match_indices('@').map(|(at, _)| at + 1).collect();
    // By the standard, the login ends at the last `@` before the path.
    let standard = ends.iter().copied().rfind(|at| *at <= authority_end(rest)).unwrap_or(0);
    let last_with = |is_host: &dyn Fn(&str) -> bool| ends.iter().copied().rfind(|at| is_host(&rest[*at..]));
    let at = match () {
        () if is_reached(&rest[standard..]) => standard,
        () => match last_with(&is_reached) {
            Some(at) => at,
            None if host_of(&rest[standard..]).is_some() => standard,
            None => last_with(&is_ip)?,
        },
    };
    let (login, location) = rest.split_at(at);
    let login = login.strip_suffix('@').and_then(|login| {
        let (username, password) = login.split_once(':').unwrap_or((login, ""));
        // One character that should have been encoded shows that nothing is encoded.
        let is_raw = login.contains(['/', '?', '#', '@', ' ']);
        let text = |text: &str| if is_raw { text.to_owned() } else { percent_decode_lossy(text) };
        let login = Credentials { username: text(username), password: Secret::new(text(password)) };
        // A control character could end the header line that carries the login.
        let is_sendable = |text: &str| !text.contains(char::is_control);
        Some(login).filter(|login| {
            !login.username.is_empty() && is_sendable(&login.username) && is_sendable(login.password.expose())
        })
    });
    Some((format!("{scheme}://{location}"), login))
}

/// Whether `host`, as given by a camera, is usable for us, who reached the camera as `reach`. A
/// name is not resolved: it may lead to loopback, where it gets a connection and a request for a
/// stream, but no login and no line that the camera wrote.
fn is_usable(host: &str, reach: &str) -> bool {
    let (host, reach) = (Scope::of(host), Scope::of(reach));
    match host {
        Scope::Nowhere => false,
        Scope::Loopback | Scope::Link => host == reach,
        Scope::Network => true,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Scope {
    Nowhere,
    Loopback,
    Link,
    Network,
}

impl Scope {
    fn of(host: &str) -> Self {
        let without_zone = host.split('%').next().unwrap_or(host);
        match without_zone.parse::<IpAddr>() {
            _ if host.is_empty() => Self::Nowhere,
            Ok(ip) if ip.is_unspecified() => Self::Nowhere,
            Ok(ip) if ip.is_loopback() => Self::Loopback,
            Ok(IpAddr::V4(ip)) if ip.is_link_local() => Self::Link,
            Ok(IpAddr::V6(ip)) if ip.is_unicast_link_local() => Self::Link,
            Err(_) if host.eq_ignore_ascii_case("localhost") => Self::Loopback,
            _ => Self::Network,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(uri: &str, reach: &str) -> Vec<String> {
        let streams = streams(uri, reach).unwrap_or_else(|| panic!("{uri} is refused"));
        streams.candidates.iter().map(|uri| uri.as_str().to_owned()).collect()
    }

    #[test]
    fn snapshot_is_always_at_the_host_that_was_reached() {
        for (given, repaired) in [
            (" http://10.0.0.1/snap.jpg ", Some("http://10.0.0.9/snap.jpg")),
            ("http://0.0.0.0:85/a/?b=c&user=x", Some("http://10.0.0.9:85/a/?b=c&user=x")),
            ("https://admin:p/w@10.0.0.9:8443/a", Some("https://10.0.0.9:8443/a")),
            ("rtsp://10.0.0.9/a", None),
            ("/a.jpg", None),
            ("http://10.0.0.9/a b", None),
        ] {
            assert_eq!(snapshot(given, "10.0.0.9").as_ref().map(StreamUri::as_str), repaired, "{given}");
        }
        assert_eq!(snapshot("http://x/a", "fd00::1").unwrap().as_str(), "http://[fd00::1]/a");
    }

    #[test]
    fn address_of_the_host_we_reached_is_taken_as_it_stands() {
        let odd = "rtsp://10.0.0.1/user=admin_password=_channel=1_stream=0&onvif=0.sdp?real_stream";
        assert_eq!(candidates(odd, "10.0.0.1"), [odd]);
        assert_eq!(candidates("RTSP://10.0.0.1:8554", "10.0.0.1"), ["rtsp://10.0.0.1:8554"]);
    }

    #[test]
    fn hosts_that_mean_nothing_here_are_replaced() {
        for host in ["0.0.0.0", "[::]", "127.0.0.1", "[::1]", "localhost", "169.254.7.7", "[fe80::1]"] {
            let uri = format!("rtsp://{host}:554/live");
            assert_eq!(candidates(&uri, "10.0.0.1"), ["rtsp://10.0.0.1:554/live"], "{host}");
        }
        assert_eq!(candidates("rtsp://0.0.0.0/a", "127.0.0.2"), ["rtsp://127.0.0.2/a"]);
    }

    #[test]
    fn another_host_is_tried_after_the_one_we_reached() {
        assert_eq!(
            candidates("rtsp://192.168.1.64:554/live?a=b", "cam.example"),
            ["rtsp://cam.example:554/live?a=b", "rtsp://192.168.1.64:554/live?a=b"]
        );
        assert_eq!(
            candidates("rtsp://127.0.0.3/live", "127.0.0.2"),
            ["rtsp://127.0.0.2/live", "rtsp://127.0.0.3/live"]
        );
        assert_eq!(candidates("rtsp://[2001:db8::1]/x", "2001:db8::1"), ["rtsp://[2001:db8::1]/x"]);
    }

    #[test]
    fn port_80_is_doubted_and_of_two_ports_the_last_counts() {
        assert_eq!(candidates("rtsp://10.0.0.1:80/a", "10.0.0.1"), ["rtsp://10.0.0.1:80/a", "rtsp://10.0.0.1:554/a"]);
        assert_eq!(candidates("rtsp://10.0.0.1:80:554/a", "10.0.0.1"), ["rtsp://10.0.0.1:554/a"]);
        assert_eq!(candidates("rtsp://10.0.0.1:/a", "10.0.0.1"), ["rtsp://10.0.0.1/a"]);
    }

    #[test]
    fn login_is_taken_out_and_decoded() {
        let streams = streams(" rtsp://us%40er:p%25a:ss%zz@10.0.0.1/a ", "10.0.0.1").unwrap();
        assert_eq!(streams.candidates[0].as_str(), "rtsp://10.0.0.1/a");
        let login = streams.login.unwrap();
        assert_eq!((login.username.as_str(), login.password.expose()), ("us@er", "p%a:ss%zz"));
        for none in ["rtsp://:@10.0.0.1/a", "rtsp://u%0d%0ax:p@10.0.0.1/a", "rtsp://u:p%00@10.0.0.1/a"] {
            assert_eq!(super::streams(none, "10.0.0.1").unwrap().login, None, "{none}");
        }
    }

    #[test]
    fn login_that_is_not_encoded_is_taken_out_as_it_is() {
        for password in ["p@ss", "p/w", "a?b", "a#b", "a&b", "a:b", "@ : / ? # &", "x/@10.9.9.9/y", "12/34@", "%41/"] {
            for location in ["10.0.0.1:554/live?a=b@c", "10.0.0.1", "10.0.0.1/a@10.9.9.9/b"] {
                let streams = streams(&format!("rtsp://admin:{password}@{location}"), "10.0.0.1").unwrap();
                assert_eq!(streams.candidates[0].as_str(), format!("rtsp://{location}"), "{password}");
                let login = streams.login.unwrap();
                assert_eq!((login.username.as_str(), login.password.expose()), ("admin", password), "{location}");
            }
        }
        // Another host is recognised only if it is an IP address; another text
        // that looks like a host is not one.
        let elsewhere = streams("rtsp://admin:p/w@10.9.9.9/live", "10.0.0.1").unwrap();
        assert_eq!(elsewhere.candidates.last().unwrap().as_str(), "rtsp://10.9.9.9/live");
        assert_eq!(elsewhere.login.unwrap().password.expose(), "p/w");
        let by_name = streams("rtsp://admin:p/w@Cam.example:554/live", "cam.example").unwrap();
        assert_eq!(by_name.candidates[0].as_str(), "rtsp://cam.example:554/live");
        // An `@` in the path does not end a login.
        let path = streams("rtsp://10.0.0.1/a@10.0.0.1/b", "10.0.0.1").unwrap();
        assert_eq!((path.candidates[0].as_str(), path.login), ("rtsp://10.0.0.1/a@10.0.0.1/b", None));
    }

    #[test]
    fn port_0_means_the_usual_one() {
        assert_eq!(candidates("rtsp://10.0.0.1:0/a", "10.0.0.1"), ["rtsp://10.0.0.1/a"]);
        assert_eq!(candidates("rtsp://[fd00::1]:0/a", "fd00::1"), ["rtsp://[fd00::1]/a"]);
        assert_eq!(Service::from_xaddr("http://10.0.0.1:0/m", 8080, false).unwrap().ports, [80, 8080]);
    }

    #[test]
    fn transport_in_the_scheme_is_kept() {
        let streams = streams("RTSPU://u:p@10.0.0.1/a", "10.0.0.1").unwrap();
        assert_eq!(streams.candidates[0].as_str(), "rtspu://10.0.0.1/a");
        assert_eq!(streams.candidates[0].transport(), Some(crate::camera::Transport::Udp));
    }

    #[test]
    fn untrustworthy_addresses_are_refused() {
        for uri in [
            "rtsp://user:pa/ss@cam.example/a",
            "http://10.0.0.1/a",
            "rtsp://10.0.0.1:99999/a",
            "rtsp://h:x/a",
            "rtsp://user:pass@/a",
            "",
            "rtsp:/x",
            "rtsp://10.0.0.5:6379/\r\nSET a b\r\nx",
        ] {
            assert_eq!(streams(uri, "10.0.0.1"), None, "{uri}");
        }
    }

    #[test]
    fn services_are_asked_on_the_host_we_reached() {
        let service =
            |xaddr: &str| Service::from_xaddr(xaddr, 8080, false).map(|service| (service.ports, service.path));
        assert_eq!(
            service(" HTTP://192.168.0.9:8000/onvif/media?x "),
            Some((vec![8000, 8080], "/onvif/media?x".into()))
        );
        assert_eq!(service("http://0.0.0.0/onvif/m"), Some((vec![80, 8080], "/onvif/m".into())));
        assert_eq!(service("http://h:8080"), Some((vec![8080], "/".into())));
        assert_eq!(service("https://h/onvif/m"), Some((vec![8080], "/onvif/m".into())));
        assert_eq!(service("http://[fe80::1]:81/m"), Some((vec![81, 8080], "/m".into())));
        let secure = |xaddr: &str| Service::from_xaddr(xaddr, 8443, true).map(|service| service.ports);
        assert_eq!(secure("https://h/m"), Some(vec![443, 8443]));
        assert_eq!(secure("https://h:8443/m"), Some(vec![8443]));
        assert_eq!(secure("http://h:8000/m"), Some(vec![8443]), "never from TLS to clear text");
        let long = format!("http://h/{}", "m".repeat(MAX_PATH_LEN));
        for bad in ["ftp://h/m", "/onvif/m", "http://h/a b", "http://h:x/m", "http://h/a\r\nb", &long] {
            assert_eq!(service(bad), None, "{bad}");
        }
    }
}
