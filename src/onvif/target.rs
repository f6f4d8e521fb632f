//! Which device to ask, and as whom.

use crate::camera::Credentials;

/// The device to contact.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// IP address (IPv6 without brackets) or host name.
    pub host: String,
    pub port: u16,
    pub credentials: Option<Credentials>,
}
