//! A client for RTSP 1.0 cameras: it opens one video track of a stream, keeps it open and hands on
//! its packets.
//!
//! Real cameras bend the standard in many ways; each way has a number (R1 to R120) and a test of that
//! number in `rtsp/tests`. The modules without input and output decide: [`message`] and [`framing`]
//! read bytes, [`sdp`], [`url`] and [`transport`] read descriptions and headers, [`session`] is the
//! state machine, [`rtp`] turns packets into access units. [`client`] has
//! the sockets, [`stream`] joins both.
//!
//! What a camera says beside the video is a hint: one that cannot be read is left out and never an
//! error. A password is sent to the configured host only, in clear text only if that is allowed, and
//! at most twice in an attempt if it is refused.

pub mod client;
mod error;
pub mod framing;
pub mod keepalive;
mod membership;
pub mod message;
pub mod rtp;
pub mod sdp;
pub mod session;
pub mod sound;
pub mod stream;
#[cfg(test)]
mod tests;
pub mod transport;
mod udp;
pub mod url;

use std::time::Duration;

pub use self::error::{Error, Retry};

/// How long each step may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// A TCP connection, for each address of the host.
    pub connect: Duration,
    /// The TLS handshake after it.
    pub tls: Duration,
    /// The response to DESCRIBE: battery cameras and recorders wake up first.
    pub response: Duration,
    /// The response to SETUP and to PLAY.
    pub setup: Duration,
    /// From PLAY to the first packet over TCP.
    pub first_packet: Duration,
    /// From PLAY to the first packet over UDP; then TCP is tried.
    pub first_packet_udp: Duration,
    /// A write without progress: the camera reads no more.
    pub write: Duration,
    /// The end of the connection after TEARDOWN.
    pub teardown: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            tls: Duration::from_secs(5),
            response: Duration::from_secs(10),
            setup: Duration::from_secs(5),
            first_packet: Duration::from_secs(10),
            first_packet_udp: Duration::from_secs(3),
            write: Duration::from_secs(1),
            teardown: Duration::from_secs(1),
        }
    }
}
