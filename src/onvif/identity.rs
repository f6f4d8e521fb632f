//! Finds out which device answers at an address, before any password is sent there.
//!
//! Addresses move: another device may now have the address of a camera. A password sent to it is
//! disclosed and may lock its account. All requests here are made without a login.

use super::{Target, device::Device, error::Error, soap::Access};
use crate::http_client::Limits;

/// What a device reports about itself without a login. All of it may be missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    /// The identity of WS-Discovery; stable across addresses. Compare as
    /// [`DeviceId`](crate::device_id::DeviceId).
    pub endpoint: Option<String>,
    /// Requested only if there is no `endpoint`. Not always unique.
    pub serial: Option<String>,
    /// As `00:12:34:56:78:9a`; requested only if there is no `endpoint`.
    pub hardware_addresses: Vec<String>,
}

/// Asks the device for its identity, without the login of `target`, in one to three requests. An empty [`Identity`] is an ONVIF device that reports nothing.
///
/// # Errors
/// If no device answers there, or none that speaks ONVIF.
pub async fn identity(target: &Target, limits: Limits) -> Result<Identity, Error> {
    let target = Target { credentials: None, ..target.clone() };
    let mut device = Device::new(&target, None, limits);
    let mut peer = PeerState::Silent;
    let endpoint = peer.take(device.endpoint().await)?.flatten();
    if endpoint.is_some() {
        return Ok(Identity { endpoint, ..Identity::default() });
    }
    let information = peer.take(device.information_with(Access::Anonymous).await)?;
    let serial = information.map(|information| information.serial).filter(|serial| !serial.is_empty());
    let hardware_addresses = peer.take(device.hardware_addresses().await)?.unwrap_or_default();
    match peer {
        PeerState::NotOnvif(error) => Err(error),
        PeerState::Silent | PeerState::Speaks => Ok(Identity { endpoint, serial, hardware_addresses }),
    }
}

/// What is known of the device that answers.
enum PeerState {
    Silent,
    /// Its responses are not ONVIF; this is the first error.
    NotOnvif(Error),
    /// One response was ONVIF, maybe only a refusal.
    Speaks,
}

impl PeerState {
    /// Returns the content of `answer` if it has one. Fails if every further request is pointless.
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
                    *self = Self::NotOnvif(error);
                }
                Ok(None)
            }
        }
    }
}
