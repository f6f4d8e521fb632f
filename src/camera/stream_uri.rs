//! The address of a stream, without its login.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    credentials::{Credentials, Secret},
    masking::{mask_credentials, port_is_number},
    transport::Transport,
    video_device::VideoDevice,
};

/// Maximum length of a stream address, in bytes; longer ones are refused.
pub const MAX_STREAM_URI_LEN: usize = 2000;

/// The schemes of RTSP, of what comes over HTTP, and of RTMP.
const RTSP_SCHEMES: [&str; 4] = ["rtsp", "rtsps", "rtspu", "rtspt"];
const HTTP_SCHEMES: [&str; 2] = ["http", "https"];
const RTMP_SCHEMES: [&str; 2] = ["rtmp", "rtmps"];

/// An address of scheme `rtsp`, `rtsps`, `rtspu` (RTP over UDP), `rtspt` (RTP over TCP), `http`, `https`, `rtmp` or
/// `rtmps` without user information, or a [`VideoDevice`]. Path and query are byte for byte as the camera gave them. `Display` and
/// `Debug` mask what looks like a password in the query or path.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamUri(String);

impl StreamUri {
    /// Splits `text` into the address and its user information, still percent-encoded, as `(user,
    /// password)`. Returns `None` unless the scheme is one of the four of RTSP, in any case, and a host
    /// follows. The user information ends at the last `@` before the path. If it contains `/`, `?`
    /// or `#`, the host is not trustworthy and the address is refused. Addresses that contain white
    /// space or control characters are refused too, because these would end the request line into
    /// which they are written. So are addresses of more than [`MAX_STREAM_URI_LEN`] bytes.
    pub fn split(text: &str) -> Option<(Self, Option<(String, String)>)> {
        Self::split_of(&RTSP_SCHEMES, text)
    }

    /// As [`split`](Self::split), of an address of scheme `http` or `https`.
    pub fn split_http(text: &str) -> Option<(Self, Option<(String, String)>)> {
        Self::split_of(&HTTP_SCHEMES, text)
    }

    /// As [`split`](Self::split), of an address of any scheme that is read, or a device.
    pub fn split_any(text: &str) -> Option<(Self, Option<(String, String)>)> {
        if VideoDevice::parse(text).is_some() {
            return Some((Self(text.to_owned()), None));
        }
        let mut splits = [&RTSP_SCHEMES[..], &HTTP_SCHEMES, &RTMP_SCHEMES].into_iter();
        splits.find_map(|schemes| Self::split_of(schemes, text))
    }

    fn split_of(schemes: &[&str], text: &str) -> Option<(Self, Option<(String, String)>)> {
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
        if text.len() > MAX_STREAM_URI_LEN || text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        if !schemes.contains(&scheme.as_str()) {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (userinfo, host) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority),
        };
        // `rtsp://user:pa/ss@host/…`: what looks like the host is part of the password.
        let cut_short = userinfo.is_none()
            && path.split(['?', '#']).next().unwrap_or("").contains('@')
            && authority.contains(':')
            && !port_is_number(authority);
        if host.is_empty() || host.starts_with(':') || cut_short {
            return None;
        }
        let login = userinfo.map(|userinfo| {
            let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
            (user.to_owned(), password.to_owned())
        });
        Some((Self(format!("{scheme}://{host}{path}")), login))
    }

    /// The address itself, for the code that must open it. For people, use `Display`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The device, if it is one.
    pub fn device(&self) -> Option<VideoDevice<'_>> {
        VideoDevice::parse(&self.0)
    }

    /// Host and port as they stand in the address; the path of a device.
    pub fn authority(&self) -> &str {
        if let Some(device) = self.device() {
            return device.path;
        }
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())]
    }

    /// Path and query, for an HTTP request.
    pub fn path_and_query(&self) -> String {
        let start = self.0.find("://").map_or(0, |at| at + 3) + self.authority().len();
        let path = self.0[start..].split('#').next().unwrap_or_default();
        if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
    }

    /// The host alone, IPv6 without brackets; the path of a device.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        if authority.starts_with('/') {
            return authority;
        }
        match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(rest),
            None => authority.split(':').next().unwrap_or(authority),
        }
    }

    /// Whether the host is a name of the local network (mDNS, RFC 6762), which another process looks up.
    pub fn is_mdns(&self) -> bool {
        let host = self.host();
        host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase().ends_with(".local")
    }

    /// The same with `ip` in the place of the host.
    #[must_use]
    pub fn at(&self, ip: IpAddr) -> Self {
        let host = SocketAddr::new(ip, 0).to_string();
        let host = host.strip_suffix(":0").unwrap_or(&host);
        let authority = self.authority();
        let start = self.0.len() - self.0.split_once("://").map_or(0, |(_, rest)| rest.len());
        let port = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map_or("", |(_, port)| port),
            None => authority.find(':').map_or("", |at| &authority[at..]),
        };
        Self(format!("{}{host}{port}{}", &self.0[..start], &self.0[start + authority.len()..]))
    }

    /// Whether the stream is read over TLS.
    pub fn is_tls(&self) -> bool {
        self.0.starts_with("rtsps:") || self.0.starts_with("https:") || self.0.starts_with("rtmps:")
    }

    /// Whether it names a playlist of HLS: video in pieces of some seconds, each a file.
    pub fn is_hls(&self) -> bool {
        let path = self.0.split(['?', '#']).next().unwrap_or_default();
        self.is_http() && path.to_ascii_lowercase().ends_with(".m3u8")
    }

    /// Whether only OpenCV reads it.
    pub fn needs_opencv(&self) -> bool {
        self.is_hls() || self.0.starts_with("rtmp:") || self.0.starts_with("rtmps:") || self.device().is_some()
    }

    /// Whether it is read by RTSP, whatever reads it.
    pub fn is_rtsp(&self) -> bool {
        self.0.starts_with("rtsp")
    }

    /// Whether it is read by HTTP, and not by RTSP.
    pub fn is_http(&self) -> bool {
        self.0.starts_with("http:") || self.0.starts_with("https:")
    }

    /// How RTP is transported, if the scheme says so.
    pub fn transport(&self) -> Option<Transport> {
        match self.0.split_once("://") {
            Some(("rtspu", _)) => Some(Transport::Udp),
            Some(("rtspt", _)) => Some(Transport::Tcp),
            _ => None,
        }
    }

    /// The address with `credentials` percent-encoded as user information, as FFmpeg expects it:
    /// the scheme does not say the transport. The result contains the password in clear text.
    pub fn with_credentials(&self, credentials: Option<&Credentials>) -> Secret {
        let Some((scheme, rest)) = self.0.split_once("://") else { return Secret::new(self.0.clone()) };
        let scheme = if self.transport().is_some() { "rtsp" } else { scheme };
        let Some(credentials) = credentials else {
            return Secret::new(format!("{scheme}://{rest}"));
        };
        let user = percent_encode(&credentials.username);
        let password = percent_encode(credentials.password.expose());
        Secret::new(format!("{scheme}://{user}:{password}@{rest}"))
    }
}

impl fmt::Display for StreamUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask_credentials(&self.0))
    }
}

impl fmt::Debug for StreamUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamUri({self})")
    }
}

/// All that RFC 3986 2.3 does not call unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes all characters except unreserved ones as `%XX`, so that no password can end the user
/// information early.
fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(password: &str) -> Credentials {
        Credentials { username: "viewer".into(), password: Secret::new(password) }
    }

    #[test]
    fn path_of_a_request_is_that_of_the_address() {
        for (uri, expected) in [
            ("http://10.0.0.1", "/"),
            ("http://10.0.0.1?a=b", "/?a=b"),
            ("http://10.0.0.1:81/video?a=b#c", "/video?a=b"),
            ("https://[fd00::1]/a//b", "/a//b"),
        ] {
            assert_eq!(StreamUri::split_http(uri).unwrap().0.path_and_query(), expected, "{uri}");
        }
    }

    #[test]
    fn what_opencv_alone_reads_is_known_by_its_address() {
        for (text, is_hls, needs_opencv) in [
            ("rtmp://10.0.0.1/live/gate", false, true),
            ("RTMPS://10.0.0.1:443/live/gate", false, true),
            ("http://10.0.0.1/live/x.M3U8?token=a", true, true),
            ("https://10.0.0.1/x.m3u8", true, true),
            ("http://10.0.0.1/video?file=x.m3u8", false, false),
            ("rtsp://10.0.0.1/x.m3u8", false, false),
        ] {
            let (uri, _) = StreamUri::split_any(text).unwrap();
            assert_eq!((uri.is_hls(), uri.needs_opencv()), (is_hls, needs_opencv), "{text}");
            assert_eq!(uri.is_tls(), text.to_ascii_lowercase().contains("s://"), "{text}");
        }
        assert_eq!(StreamUri::split_any("ftp://10.0.0.1/x"), None);
    }

    #[test]
    fn stream_uri_splits_login_at_the_last_at_sign() {
        let (uri, login) = StreamUri::split(" RTSP://us:p@ss@10.0.0.1:554/a?b=c ").unwrap();
        assert_eq!(uri.as_str(), "rtsp://10.0.0.1:554/a?b=c");
        assert_eq!(login, Some(("us".into(), "p@ss".into())));
    }

    #[test]
    fn stream_uri_with_a_slash_in_the_password_is_refused() {
        assert_eq!(StreamUri::split("rtsp://user:pa/ss@10.0.0.1/live"), None);
    }

    #[test]
    fn stream_uri_keeps_an_at_sign_in_the_path() {
        let (uri, login) = StreamUri::split("rtsp://10.0.0.1:554/live@main").unwrap();
        assert_eq!((uri.as_str(), login), ("rtsp://10.0.0.1:554/live@main", None));
    }

    #[test]
    fn stream_uri_without_host_or_with_another_scheme_is_refused() {
        for bad in ["http://10.0.0.1/", "rtsp:///live", "rtsp://:554/live", "10.0.0.1", "rtsp://u:p@/x"] {
            assert_eq!(StreamUri::split(bad), None, "{bad}");
        }
    }

    #[test]
    fn stream_uri_that_would_end_a_request_line_is_refused() {
        for bad in ["\r\nSET a b\r\n", "\n", "\r", "a b", "\t", "\0", "\u{85}", "\u{2028}", "\u{a0}x", "\u{7f}"] {
            assert_eq!(StreamUri::split(&format!("rtsp://10.0.0.5:6379/{bad}x")), None, "{bad:?}");
            assert_eq!(StreamUri::split(&format!("rtsp://10.0.0.5{bad}x/")), None, "{bad:?}");
            assert_eq!(StreamUri::split(&format!("rtsp://u{bad}:p@10.0.0.5/")), None, "{bad:?}");
        }
        let long = |length: usize| format!("rtsp://10.0.0.5/{}", "x".repeat(length - 16));
        assert!(StreamUri::split(&long(MAX_STREAM_URI_LEN)).is_some());
        assert_eq!(StreamUri::split(&long(MAX_STREAM_URI_LEN + 1)), None);
        for odd in ["user=a_password=b_channel=1&onvif=0.sdp?real_stream", "\u{9580}", "a|b\\c\"^`{}", "%0d%0a"] {
            assert!(StreamUri::split(&format!(" rtsp://10.0.0.5/{odd}\r\n")).is_some(), "{odd}");
        }
    }

    #[test]
    fn addresses_of_http_are_told_apart_from_those_of_rtsp() {
        let (uri, login) = StreamUri::split_http("HTTPS://u:p@10.0.0.1:8443/video?x=1").unwrap();
        assert_eq!((uri.as_str(), login), ("https://10.0.0.1:8443/video?x=1", Some(("u".into(), "p".into()))));
        assert!(uri.is_http() && uri.is_tls());
        let (uri, _) = StreamUri::split_http("http://10.0.0.1").unwrap();
        assert!(uri.is_http() && !uri.is_tls());
        assert_eq!(StreamUri::split_http("rtsp://10.0.0.1/"), None);
        assert!(!StreamUri::split("rtsps://10.0.0.1/").unwrap().0.is_http());
    }

    #[test]
    fn host_of_a_stream_uri_stands_alone() {
        for (uri, host) in [
            ("rtsp://10.0.0.1:554/a", "10.0.0.1"),
            ("rtsp://u:p@cam.example", "cam.example"),
            ("rtsp://[fd00::1]:554/a", "fd00::1"),
            ("rtsp://[fe80::1%3]/a", "fe80::1%3"),
            ("/dev/v4l/by-path/pci-0000:00:14.0?fps=5", "/dev/v4l/by-path/pci-0000:00:14.0"),
        ] {
            assert_eq!(StreamUri::split_any(uri).unwrap().0.host(), host);
        }
        assert_eq!(StreamUri::split("/dev/video0"), None, "it is no address of RTSP");
        let (device, login) = StreamUri::split_any("/dev/video0?fps=5").unwrap();
        assert!(device.needs_opencv() && !device.is_rtsp() && !device.is_http() && login.is_none());
        assert_eq!(device.with_credentials(Some(&viewer("x"))).expose(), "/dev/video0?fps=5");
    }

    #[test]
    fn name_of_the_local_network_is_replaced_by_an_address() {
        for (text, ip, at) in [
            ("rtmp://cam.local/live/a?b=c@d", "10.0.0.7", "rtmp://10.0.0.7/live/a?b=c@d"),
            ("http://CAM.Local.:8080/a.m3u8", "fd00::7", "http://[fd00::7]:8080/a.m3u8"),
        ] {
            let (uri, _) = StreamUri::split_any(text).unwrap();
            assert!(uri.is_mdns(), "{text}");
            assert_eq!(uri.at(ip.parse().unwrap()).as_str(), at);
        }
        for text in ["rtsp://10.0.0.7/local", "rtsp://local.lan:554/", "rtsp://[fd00::7]/x.local"] {
            assert!(!StreamUri::split_any(text).unwrap().0.is_mdns(), "{text}");
        }
    }

    #[test]
    fn credentials_in_a_uri_are_percent_encoded() {
        let (uri, _) = StreamUri::split("rtsp://10.0.0.1/live").unwrap();
        let full = uri.with_credentials(Some(&viewer("a@b#c:/?^!é")));
        assert_eq!(full.expose(), "rtsp://viewer:a%40b%23c%3A%2F%3F%5E%21%C3%A9@10.0.0.1/live");
    }

    #[test]
    fn scheme_can_name_the_transport_and_is_opened_without_it() {
        let opened = |text: &str| {
            let uri = StreamUri::split(text).unwrap().0;
            (uri.transport(), uri.with_credentials(None).expose().to_owned())
        };
        assert_eq!(opened("RTSPU://10.0.0.1/a"), (Some(Transport::Udp), "rtsp://10.0.0.1/a".into()));
        assert_eq!(opened("rtspt://10.0.0.1/a"), (Some(Transport::Tcp), "rtsp://10.0.0.1/a".into()));
        assert_eq!(opened("rtsps://10.0.0.1/a"), (None, "rtsps://10.0.0.1/a".into()));
        let login = Credentials { username: "u".into(), password: Secret::new("p") };
        let uri = StreamUri::split("rtspu://10.0.0.1/a").unwrap().0;
        assert_eq!(uri.with_credentials(Some(&login)).expose(), "rtsp://u:p@10.0.0.1/a");
    }
}
