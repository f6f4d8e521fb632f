//! JPEG over HTTP: a Motion JPEG stream, or one JPEG that is fetched again and again, from the address to pictures.
//!
//! The modules without input and output decide: [`scan`] finds the end of a JPEG, [`multipart`] the pictures
//! of a stream, [`picture_age`] how old one is. `client` has the sockets and the login, [`stream`] and [`snapshots`] join
//! all. All that a camera can make grow has a bound.

mod client;
mod error;
pub mod multipart;
pub mod picture_age;

pub mod snapshots;
pub mod stream;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::error::Error;
use crate::{
    camera::{Credentials, StreamUri},
    tls::client::KeyCheck,
};

/// How long each step may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// A TCP connection, for each address of the host.
    pub connect: Duration,
    /// The TLS handshake after it.
    pub tls: Duration,
    /// The request, and the head of its answer.
    pub response: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), tls: Duration::from_secs(5), response: Duration::from_secs(10) }
    }
}

/// What to read, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// Of scheme `http` or `https`.
    pub uri: StreamUri,
    /// Sent only to the host of `uri`.
    pub credentials: Option<Credentials>,
    /// Whether the password may be sent in clear text (Basic) if the camera offers nothing else. Over
    /// TLS it may be if the key in `tls` was known before.
    pub allow_clear_password: bool,
    /// The key that the camera must have over TLS.
    pub tls: KeyCheck,
    pub timeouts: Timeouts,
    /// Random bytes for client nonces.
    pub seed: [u8; 8],
}
