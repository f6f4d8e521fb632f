//! What a camera is: its name in URLs, the source of its stream, and its options.
//!
//! The fields of a [`Camera`] are grouped by the effect of a change, so that two configurations are
//! compared with `!=` on a group. A password is kept in a [`Secret`], which no formatter shows.

pub mod fingerprint;
mod masking;

use std::{fmt, net::IpAddr, time::Duration};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use self::{
    fingerprint::Fingerprint,
    masking::{mask_parameters, mask_user_information, port_is_number},
};

/// A camera's name in URLs and log lines: 1 to 64 ASCII letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CameraId(String);

impl CameraId {
    /// Returns `None` unless `text` is 1 to 64 ASCII letters, digits, `-` or `_`.
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        ((1..=64).contains(&text.len()) && text.chars().all(allowed)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One configured camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    pub id: CameraId,
    /// Shown to people, in any language; the identifier if the file gives no name.
    pub name: String,
    pub stream_source: StreamSource,
    pub options: StreamOptions,
}

/// Where the stream comes from. A change reconnects the camera.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamSource {
    pub source: Source,
    /// The channel of a recorder, which takes the place of a profile.
    pub channel: Option<RecorderChannel>,
    /// Profile token or name of the stream for small tiles.
    pub small_profile: Option<String>,
    /// The address of the stream for small tiles beside that of [`Source::Url`].
    pub small_url: Option<StreamUri>,
    /// The address of [`Source::Url`] is that of one JPEG, which is fetched again and again.
    pub is_snapshot: bool,
    /// The time from one request for a JPEG to the next.
    pub snapshot_every: Duration,
    pub credentials: Option<Credentials>,
    /// `None`: the transport in the stream's address, or else TCP; the agent's reader then goes on
    /// with UDP where the camera refuses TCP.
    pub transport: Option<Transport>,
    pub reader: Reader,
    /// Limit from the first connection to the first frame.
    pub open_within: Duration,
    /// Whether the login may be sent unprotected (Basic) to a camera that offers nothing else.
    pub clear_password: bool,
    pub tls: TlsPolicy,
    /// The key or the certificate that the camera must have over TLS; `None`: the key that it had the
    /// first time.
    pub fingerprint: Option<Fingerprint>,
}

impl StreamSource {
    /// Whether the main stream comes from the same source as that of `other`.
    pub fn eq_main(&self, other: &Self) -> bool {
        let (small_profile, small_url) = (self.small_profile.clone(), self.small_url.clone());
        *self == Self { small_profile, small_url, ..other.clone() }
    }

    /// Whether the camera has a second stream for small tiles.
    pub fn has_small(&self) -> bool {
        self.small_profile.is_some() || self.small_url.is_some()
    }

    /// Whether the camera may appear at another address: its address comes from ONVIF, and it is
    /// not configured to be on this machine.
    pub fn may_move(&self) -> bool {
        let is_loopback = |host: &String| host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        match &self.source {
            Source::Onvif { host, .. } => !host.as_ref().is_some_and(is_loopback),
            Source::Url(_) => false,
        }
    }
}

/// One channel of a recorder. All channels of one recorder are found in one conversation with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecorderChannel {
    /// The identifier of the recorder, which no camera has.
    pub recorder: CameraId,
    /// From 1, by the order of the recorder's video sources.
    pub number: u16,
}

/// How the stream's address is found.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Requested by ONVIF.
    Onvif {
        /// IP address (IPv6 without brackets) or host name; `None` if only `uuid` is known.
        host: Option<String>,
        port: u16,
        /// Profile token or name; `None` means the first profile with video.
        profile: Option<String>,
        /// WS-Discovery identity, as written in the file.
        uuid: Option<String>,
        trust: Trust,
        /// Another host that may be sent the login, if the camera names it for its stream.
        stream_host: Option<String>,
    },
    /// Written in the file; ONVIF is not used.
    Url(StreamUri),
}

/// How a device is recognised as the camera before it is sent the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It reports the identity that is configured or was learnt.
    Identity,
    /// It answers at the configured address.
    Address,
}

/// Whether ONVIF is asked over TLS (HTTPS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPolicy {
    /// Where the camera refuses HTTP or redirects to HTTPS, and from then on.
    Auto,
    /// Only so.
    Learn,
    /// Never.
    Off,
}

/// How RTP is transported. TCP gets through every firewall that RTSP gets through; UDP loses frames
/// rather than time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
}

/// What reads the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The agent; OpenCV for a camera whose protocol the agent cannot follow.
    Auto,
    /// The agent itself, and nothing else.
    Rtsp,
    /// OpenCV, in a worker.
    Opencv,
}

/// What is done with frames of which packets were lost, and with those that refer to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damaged {
    /// Where whole pictures come less often than every half of `stall_after`, damaged ones stand in for
    /// them, under a mark.
    Show,
    /// Nothing is shown until the next whole key frame.
    Hide,
}

/// How the stream is treated. A change applies from the next frame on.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamOptions {
    /// JPEG quality if a viewer requests none, 1 to 100.
    pub quality: u8,
    /// Maximum rate of any rendition, in frames per second, 1 to 60.
    pub max_fps: u8,
    /// Browsers that can decode the camera's own video get it untouched; otherwise all viewers get
    /// JPEG.
    pub passthrough: bool,
    /// A stream without an access unit for this long is stalled.
    pub stall_after: Duration,
    pub damaged: Damaged,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Credentials {
    pub username: String,
    pub password: Secret,
}

/// A text that must not be shown: neither `Debug` nor any error prints it, and it has no `Display`.
#[derive(Clone, PartialEq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the code that must send it. Never format the result.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The present state of a camera's picture, reported to every viewer in these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Being resolved or opened.
    Connecting,
    /// Frames arrive.
    Live,
    /// Was live; no frame for longer than `stall_after`.
    Stalled,
    /// Cannot be reached or gives no video; tried again after a pause.
    Offline,
    /// Refused our login; tried again only after a long pause or a reload.
    Denied,
}

impl State {
    /// The name used in the API, in metrics and on the wall socket.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Stalled => "stalled",
            Self::Offline => "offline",
            Self::Denied => "denied",
        }
    }
}

/// Maximum length of a stream address, in bytes; longer ones are refused.
pub const MAX_STREAM_URI_LEN: usize = 2000;

/// The schemes of RTSP, and of JPEG over HTTP.
const RTSP_SCHEMES: [&str; 4] = ["rtsp", "rtsps", "rtspu", "rtspt"];
const HTTP_SCHEMES: [&str; 2] = ["http", "https"];

/// An address of scheme `rtsp`, `rtsps`, `rtspu` (RTP over UDP), `rtspt` (RTP over TCP), `http` or `https` without
/// user information. Path and query are byte for byte as the camera gave them. `Display` and
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

    /// Host and port as they stand in the address.
    pub fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())]
    }

    /// The host alone, IPv6 without brackets.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(rest),
            None => authority.split(':').next().unwrap_or(authority),
        }
    }

    /// Whether the stream is read over TLS.
    pub fn is_tls(&self) -> bool {
        self.0.starts_with("rtsps:") || self.0.starts_with("https:")
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
        let (scheme, rest) = self.0.split_once("://").expect("a StreamUri has a scheme");
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

/// `text` with the user information of every URL, and the value of every `user=`, `password=`,
/// `pwd=`, `token=` and the like, replaced by `***`. For text of others, such as FFmpeg's log.
pub fn mask_credentials(text: &str) -> String {
    mask_parameters(&mask_user_information(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(password: &str) -> Credentials {
        Credentials { username: "viewer".into(), password: Secret::new(password) }
    }

    #[test]
    fn camera_id_takes_only_what_is_safe_in_a_url() {
        assert!(CameraId::new("Gate_2-a").is_some());
        for bad in ["", "a b", "a/b", "..", "ä", &"x".repeat(65)] {
            assert_eq!(CameraId::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn camera_on_this_machine_does_not_move() {
        let stream_source = |host: Option<&str>| {
            StreamSource::from(Source::Onvif {
                host: host.map(str::to_owned),
                port: 80,
                profile: None,
                uuid: None,
                trust: Trust::Identity,
                stream_host: None,
            })
        };
        assert!(stream_source(Some("10.0.0.1")).may_move());
        assert!(stream_source(None).may_move());
        assert!(!stream_source(Some("127.0.0.11")).may_move());
        assert!(!stream_source(Some("::1")).may_move());
    }

    #[test]
    fn secret_is_not_shown_by_debug() {
        let shown = format!("{:?}", viewer("hunter2"));
        assert!(!shown.contains("hunter2"), "{shown}");
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
        ] {
            assert_eq!(StreamUri::split(uri).unwrap().0.host(), host);
        }
    }

    #[test]
    fn credentials_in_a_uri_are_percent_encoded() {
        let (uri, _) = StreamUri::split("rtsp://10.0.0.1/live").unwrap();
        let full = uri.with_credentials(Some(&viewer("a@b#c:/?^!é")));
        assert_eq!(full.expose(), "rtsp://viewer:a%40b%23c%3A%2F%3F%5E%21%C3%A9@10.0.0.1/live");
    }

    #[test]
    fn masking_hides_user_information_and_parameters() {
        let log = "open rtsp://u:p@ss@10.0.0.1/user=admin_password=x1_channel=1?pwd=k&a=b failed; rtsp://h/";
        assert_eq!(
            mask_credentials(log),
            "open rtsp://***@10.0.0.1/user=***_password=***_channel=1?pwd=***&a=b failed; rtsp://h/"
        );
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

    #[test]
    fn masking_takes_letters_of_any_length_before_a_parameter() {
        assert_eq!(mask_credentials("\u{fffd}=1 \u{9580}Password=x é=y"), "\u{fffd}=1 \u{9580}Password=*** é=y");
    }

    #[test]
    fn masking_hides_a_password_with_an_unencoded_slash() {
        let masked = mask_credentials("rtsp://user:pa/ss@10.0.0.1/live");
        assert!(!masked.contains("pa/ss"), "{masked}");
    }
}
