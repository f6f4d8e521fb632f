//! Why an attempt to read a stream ended.

use std::{io, net::SocketAddr, time::Duration};

use super::{
    message::Method,
    sdp::{NoAudio, NoVideo},
};
use crate::{camera::Transport, http_auth::login::LoginError, tcp::ConnectError, tls};

/// Why an attempt ended. The variant says what happened; `Display` says it to people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("no pair of UDP ports is free")]
    UdpPorts,
    /// Another program of this machine has the port, and does not share it.
    #[error("UDP port {} of the group {} is taken", .address.port(), .address.ip())]
    GroupPort { address: SocketAddr },
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
    #[error(transparent)]
    Login(#[from] LoginError),
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
    #[error("the camera does not send over {}{}", .transport.name(), status_of(.status))]
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
    #[error("{}", no_audio(.0))]
    NoAudio(NoAudio),
    /// A sound track that was there brings nothing any more.
    #[error("no sound for {}", seconds(.waited))]
    Silent { waited: Duration },
    #[error("the camera's data cannot be read: {skipped} bytes make no sense")]
    OutOfStep { skipped: usize },
    #[error("the camera sends a message that is too long")]
    TooLong,
    #[error("no video over {} within {} after PLAY", .transport.name(), seconds(.waited))]
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
            Self::Login(_) => Retry::Denied,
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
            _ => ConnectError::failed("the camera".to_owned(), error).into(),
        }
    }

    /// No pair of UDP sockets for the packets of `camera`.
    pub(super) fn no_udp_pair(camera: SocketAddr, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::UdpPorts,
            _ => ConnectError::failed(camera.to_string(), error).into(),
        }
    }

    /// No socket at `address`, a port of a group.
    pub(super) fn no_group_socket(address: SocketAddr, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::GroupPort { address },
            _ => ConnectError::failed(address.to_string(), error).into(),
        }
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

fn no_video(reason: &NoVideo) -> String {
    match reason {
        NoVideo::NotSdp => "the camera does not describe its stream".to_owned(),
        NoVideo::NoVideo => "the stream has no video".to_owned(),
        NoVideo::Encrypted => "the stream is encrypted (SRTP), which is not read".to_owned(),
        NoVideo::UnknownFormats(formats) => format!("the video has no known format ({})", formats.join(", ")),
    }
}

fn no_audio(reason: &NoAudio) -> String {
    match reason {
        NoAudio::NoAudio => "the stream has no sound".to_owned(),
        NoAudio::Encrypted => "the sound is encrypted (SRTP), which is not read".to_owned(),
        NoAudio::UnknownFormats(formats) => format!("the sound has no known format ({})", formats.join(", ")),
    }
}
