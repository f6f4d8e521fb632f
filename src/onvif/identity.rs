//! Which device answers at an address, before any password goes there.
//!
//! Addresses move: at the one of a camera there may stand another today, and a password sent to it is
//! given away and may lock its account. All questions here are asked without a login.

use super::{Target, device::Device, error::Error, soap::Access};
use crate::http_client::Limits;

/// What a device tells anybody about itself. All of it may be missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    /// As WS-Discovery shows it; stable across addresses. Compare with [`is_same_endpoint`].
    pub endpoint: Option<String>,
    /// Asked for only where there is no `endpoint`. Not always unique.
    pub serial: Option<String>,
    /// As `00:12:34:56:78:9a`; asked for only where there is no `endpoint`.
    pub hardware_addresses: Vec<String>,
}

/// Asks who answers at `host` (name or address, IPv6 without brackets), without a login; one to three
/// requests. An empty [`Identity`] is an ONVIF device that keeps to itself.
///
/// # Errors
/// When nobody answers there, or nothing that speaks ONVIF.
pub async fn identity(host: &str, port: u16, limits: Limits) -> Result<Identity, Error> {
    let target = Target { host: host.to_owned(), port, credentials: None };
    let mut device = Device::new(&target, None, limits);
    let mut stranger = PeerState::Silent;
    let endpoint = stranger.take(device.endpoint().await)?.flatten();
    if endpoint.is_some() {
        return Ok(Identity { endpoint, ..Identity::default() });
    }
    let information = stranger.take(device.information_with(Access::Anonymous).await)?;
    let serial = information.map(|information| information.serial).filter(|serial| !serial.is_empty());
    let hardware_addresses = stranger.take(device.hardware_addresses().await)?.unwrap_or_default();
    match stranger {
        PeerState::Babbles(error) => Err(error),
        PeerState::Silent | PeerState::Speaks => Ok(Identity { endpoint, serial, hardware_addresses }),
    }
}

/// What is known of whoever answers.
enum PeerState {
    Silent,
    /// It gave answers that are not ONVIF; the first of them.
    Babbles(Error),
    /// It gave one that is, if only to refuse.
    Speaks,
}

impl PeerState {
    /// The content of `answer` if it has one. Fails where every further question is pointless.
    fn take<T>(&mut self, answer: Result<T, Error>) -> Result<Option<T>, Error> {
        match answer {
            Ok(answer) => {
                *self = Self::Speaks;
                Ok(Some(answer))
            }
            Err(Error::Fault { .. } | Error::NoCredentials { .. }) => {
                *self = Self::Speaks;
                Ok(None)
            }
            Err(error) if error.is_final() => Err(error),
            Err(error) => {
                if matches!(self, Self::Silent) {
                    *self = Self::Babbles(error);
                }
                Ok(None)
            }
        }
    }
}

/// Whether two endpoint references name the same device: `urn:`, `uuid:`, case and white space around
/// do not count. An empty one names none.
pub fn is_same_endpoint(one: &str, other: &str) -> bool {
    let plain = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        let text = text.strip_prefix("urn:").unwrap_or(&text);
        text.strip_prefix("uuid:").unwrap_or(text).to_owned()
    };
    let one = plain(one);
    !one.is_empty() && one == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_compared_without_their_trimmings() {
        assert!(is_same_endpoint(" urn:uuid:5F5A69C2-e0ae ", "5f5a69c2-E0AE"));
        assert!(is_same_endpoint("uuid:1", "urn:uuid:1"));
        assert!(!is_same_endpoint("urn:uuid:1", "urn:uuid:2"));
        assert!(!is_same_endpoint("", "urn:uuid:"));
    }
}
