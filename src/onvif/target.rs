//! Which device to ask, and as whom.

use crate::{camera::Credentials, tls::client::KeyCheck};

/// The default port of ONVIF without TLS.
pub const DEFAULT_PORT: u16 = 80;

/// The device to contact.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// IP address (IPv6 without brackets) or host name.
    pub host: String,
    pub port: u16,
    /// The device is asked over TLS (HTTPS), and must have this key; `None`: in clear text.
    pub tls: Option<KeyCheck>,
    pub credentials: Option<Credentials>,
}
