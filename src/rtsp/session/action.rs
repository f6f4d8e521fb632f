//! What a session wants of its caller.

use crate::{
    camera::Transport,
    rtsp::{Error, sdp::Track, transport::Delivery},
};

/// What the caller has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Close the connection, if there is one, and open one to this host (IPv6 without brackets).
    /// Report the result to [`Session::connected`](super::Session::connected) or [`Session::failed`](super::Session::failed). For UDP a pair of ports
    /// is needed before; with `tls`, its handshake comes first, with the key that
    /// [`Config::tls`](super::Config::tls) wants.
    Connect {
        host: String,
        port: u16,
        tls: bool,
        transport: Transport,
    },
    Send(Vec<u8>),
    /// Packets of this track come from now on, in this way.
    Receive {
        track: Box<Track>,
        delivery: Delivery,
    },
    /// The camera has accepted PLAY.
    Playing,
    /// Shut down writing, and drop what comes until the end of the connection, the response with
    /// this number, or [`Timeouts::teardown`](crate::rtsp::Timeouts::teardown): a connection that is closed with unread bytes is
    /// reset, and the camera may never see the TEARDOWN before it.
    Drain {
        cseq: u32,
    },
    /// To be logged.
    Note(Note),
    /// The attempt is over. `None`: it was stopped.
    End(Option<Error>),
}

/// Facts for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The camera takes the password in clear text alone, and gets it.
    PasswordInClear,
    /// The media of the description that are not read.
    OtherMedia(Vec<String>),
    /// A response that belongs to no request.
    StrayResponse { status: u16 },
    /// The camera asked something, and was answered.
    CameraRequest { method: String },
    /// The attempt goes on with this transport.
    OtherTransport { transport: Transport },
}
