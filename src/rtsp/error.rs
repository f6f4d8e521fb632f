//! Why an attempt to read a stream ended.

use std::{io, net::SocketAddr, time::Duration};

use super::{message::Method, sdp::NoVideo};
use crate::{
    camera::{Transport, fingerprint::Fingerprint},
    text, tls,
};

/// Why an attempt ended. The variant says what happened; `Display` says it to people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `error` in the system's words; `None`: the name exists nowhere, or has no address.
    #[error("the name {host} {}", .error.as_deref().map_or("has no address".to_owned(), |error| format!("cannot be looked up: {error}")))]
    Resolve { host: String, error: Option<String> },
    #[error("{address} refuses the connection")]
    ConnectionRefused { address: String },
    #[error("{address} does not answer: no connection within {}", seconds(.waited))]
    ConnectTimeout { address: String, waited: Duration },
    /// `error` in the system's words.
    #[error("no connection to {address}: {error}")]
    Connect { address: String, error: String },
    #[error("no pair of UDP ports is free")]
    UdpPorts,
    /// There is no TLS connection to `address`.
    #[error("no TLS connection to {address}: {error}")]
    Tls { address: String, error: tls::client::Error },
    #[error("no answer to {} within {}", .method.as_str(), seconds(.waited))]
    NoAnswer { method: Method, waited: Duration },
    #[error("the camera closed the connection instead of answering {}", .method.as_str())]
    ClosedUnanswered { method: Method },
    #[error("the camera closed the connection{}", if *.inside_packet { " inside a packet" } else { "" })]
    Closed { inside_packet: bool },
    #[error("the connection was reset")]
    Reset,
    #[error("the camera does not take our requests: no progress for {}", seconds(.waited))]
    WriteTimeout { waited: Duration },
    #[error("the camera needs a login")]
    LoginRequired,
    #[error("the camera refuses the login (status {status})")]
    Denied { status: u16 },
    #[error("the camera takes passwords in clear text alone; clear_password allows that")]
    ClearPassword,
    /// As [`ClearPassword`](Self::ClearPassword), over TLS with a key that was not known before.
    #[error("the camera takes passwords in clear text alone, and its key {key} is not known")]
    UnknownKey { key: Fingerprint },
    #[error("the camera offers no login that is known ({offered})")]
    LoginUnsupported { offered: String },
    #[error("the camera knows no such stream (status {status})")]
    NotFound { status: u16 },
    /// `status` is absent where the camera closes connections without an answer.
    #[error("too many viewers at the camera{}", status_of(.status))]
    TooManyViewers {
        status: Option<u16>,
        /// When the camera has forgotten the sessions of nobody.
        retry_after: Duration,
    },
    #[error("the camera sends neither over TCP nor over UDP (status {status})")]
    NoTransport { status: u16 },
    #[error("the camera does not send over {}{}", name(.transport), status_of(.status))]
    TransportRefused { transport: Transport, status: Option<u16> },
    #[error("the camera has lost the session (status {status})")]
    SessionLost { status: u16 },
    #[error("the camera refuses {} (status {status} {reason})", .method.as_str())]
    Refused { method: Method, status: u16, reason: String },
    #[error("the camera sends us on to {location}, where we do not go")]
    Redirect { location: String },
    #[error("the camera sends us on again and again")]
    TooManyRedirects,
    #[error("{}", no_video(.0))]
    NoVideo(NoVideo),
    #[error("the camera's data cannot be read: {skipped} bytes make no sense")]
    OutOfStep { skipped: usize },
    #[error("the camera sends a message that is too long")]
    TooLong,
    #[error("no video over {} within {} after PLAY", name(.transport), seconds(.waited))]
    NoPackets { transport: Transport, waited: Duration },
    #[error("the camera ended the session")]
    EndedByCamera,
    #[error("the camera asked for a new session")]
    NewSessionWanted,
    #[error("the camera said that the video ends")]
    Bye,
    #[error("the camera sends another codec than it described")]
    AnotherCodec,
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The camera wants it so.
    AtOnce,
    /// After the usual pauses.
    Later,
    /// Not earlier: until then the camera counts sessions of nobody.
    After(Duration),
    /// Only after a long pause or another configuration: the login was refused.
    Denied,
}

impl Error {
    pub fn retry(&self) -> Retry {
        match self {
            Self::NewSessionWanted | Self::AnotherCodec | Self::SessionLost { .. } => Retry::AtOnce,
            Self::TooManyViewers { retry_after, .. } => Retry::After(*retry_after),
            Self::LoginRequired
            | Self::Denied { .. }
            | Self::ClearPassword
            | Self::UnknownKey { .. }
            | Self::LoginUnsupported { .. } => Retry::Denied,
            _ => Retry::Later,
        }
    }

    /// An error of the socket while a session is open.
    pub(super) fn from_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                Self::Reset
            }
            io::ErrorKind::UnexpectedEof => Self::Closed { inside_packet: false },
            _ => Self::connect("the camera".to_owned(), error),
        }
    }

    /// The lookup of `host` failed.
    pub(super) fn lookup(host: &str, error: &io::Error) -> Self {
        let error = text::chain(error);
        // The standard library tells the reasons of a failed lookup apart by the C library's text only:
        // EAI_NONAME and EAI_NODATA of glibc, and of musl.
        const NO_ADDRESS: [&str; 4] = [
            "Name or service not known",
            "No address associated with hostname",
            "Name does not resolve",
            "Name has no usable address",
        ];
        let has_no_address = NO_ADDRESS.iter().any(|text| error.ends_with(text));
        Self::Resolve { host: text::reason(host), error: (!has_no_address).then_some(error) }
    }

    /// No pair of UDP sockets for the packets of `camera`.
    pub(super) fn no_udp_pair(camera: SocketAddr, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::UdpPorts,
            _ => Self::connect(camera.to_string(), error),
        }
    }

    /// No connection to `address`, or an error of one.
    pub(super) fn connect(address: String, error: &io::Error) -> Self {
        Self::Connect { address, error: text::chain(error) }
    }
}

fn seconds(duration: &Duration) -> String {
    match duration.as_millis() {
        milliseconds if milliseconds % 1000 == 0 => format!("{} s", milliseconds / 1000),
        milliseconds => format!("{milliseconds} ms"),
    }
}

fn status_of(status: &Option<u16>) -> String {
    status.map_or_else(String::new, |status| format!(" (status {status})"))
}

fn name(transport: &Transport) -> &'static str {
    match transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    }
}

fn no_video(reason: &NoVideo) -> String {
    match reason {
        NoVideo::NotSdp => "the camera does not describe its stream".to_owned(),
        NoVideo::NoVideo => "the stream has no video".to_owned(),
        NoVideo::Encrypted => "the stream is encrypted (SRTP), which is not read".to_owned(),
        NoVideo::UnknownFormats(formats) => format!("the video has no known format ({})", formats.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_without_an_address_is_told_apart_from_a_lookup_that_failed() {
        let lookup = |text: &str| Error::lookup("cam.lan", &io::Error::other(text.to_owned())).to_string();
        for text in ["Name or service not known", "Name does not resolve"] {
            assert_eq!(
                lookup(&format!("failed to lookup address information: {text}")),
                "the name cam.lan has no address"
            );
        }
        assert_eq!(
            lookup("Temporary failure in name resolution"),
            "the name cam.lan cannot be looked up: Temporary failure in name resolution"
        );
        // The texts are those of the library in use: no host has such a name.
        let error = std::net::ToSocketAddrs::to_socket_addrs(&("a b", 554)).unwrap_err();
        assert_eq!(Error::lookup("a b", &error), Error::Resolve { host: "a b".into(), error: None });
    }
}
