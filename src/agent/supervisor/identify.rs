//! Checks that the device at an address is the camera before it is sent the login.

use super::{locator::Locator, place::Place};
use crate::{
    camera::{Source, Trust},
    device_id::DeviceId,
    discovery, onvif,
    store::{Address, CameraRecord},
    text::{Code, Reason},
};

/// The device at an address.
pub(super) enum Peer {
    /// The camera, as far as it identifies itself without a login.
    Camera,
    /// Another device, or one that does not prove to be the camera; with the reason.
    Other(Reason),
    /// Nobody answers; with the reason.
    Nobody(Reason),
    /// It may answer over TLS, there; with the reason why it does not answer in clear text.
    OverTls(Box<Place>, Reason),
}

impl Locator {
    /// Asks the device at `place` who it is, without a login. `is_announced`: that host itself
    /// announced the camera's identity by WS-Discovery, which counts if ONVIF never gave the
    /// identity.
    ///
    /// A device counts as the camera if it gives the known identity, if it refuses to give it as it
    /// always did, or if nothing is known of the camera. An answer that is not ONVIF does not
    /// count, and neither does another TLS key than the camera's.
    pub(super) async fn identify(&self, place: &Place, record: Option<&CameraRecord>, is_announced: bool) -> Peer {
        let at = &place.at;
        let wanted = self.wanted(record);
        if self.is_trusted_address(at) || wanted == discovery::DeviceMatcher::default() {
            return Peer::Camera;
        }
        let has_login = self.stream_source.credentials.is_some();
        let seen = match onvif::identity(&place.target(None), onvif::Limits::default()).await {
            Ok(seen) => seen,
            Err(error) if error.is_other_key() => return Peer::Other(error.reason()),
            Err(error) if let Some(next) = self.tls_place(place, &error).await => {
                return Peer::OverTls(Box::new(next), error.reason());
            }
            Err(error) if error.kind() == onvif::Kind::Unreachable => return Peer::Nobody(error.reason()),
            // Without a login no secret can leak, and the requests that follow report better what
            // is wrong.
            Err(_) if !has_login => return Peer::Camera,
            Err(error) => {
                let what = Code::OtherAnswer.with("host", at.host.as_str());
                return Peer::Other(Reason::from(what).and(ADVICE).and(error.reason()));
            }
        };
        let gave_identity = record.is_some_and(|record| record.identity.endpoint.is_some());
        let is_camera = match (&wanted.identity, seen.endpoint) {
            (Some(wanted), Some(seen)) => DeviceId::new(&seen).as_ref() == Some(wanted),
            // It gave its identity before, or the file demands it.
            (Some(_), None) if gave_identity || (has_login && !is_announced) => false,
            _ => match (&wanted.serial, seen.serial) {
                (Some(wanted), Some(seen)) => *wanted == seen,
                _ => true,
            },
        };
        if is_camera {
            return Peer::Camera;
        }
        Peer::Other(Reason::from(Code::OtherDevice.with("host", at.host.as_str())).and(ADVICE))
    }

    /// Whether the file says that the device at `at` is the camera.
    fn is_trusted_address(&self, at: &Address) -> bool {
        matches!(&self.stream_source.source, Source::Onvif { host: Some(host), port, trust: Trust::Address, .. }
            if *host == at.host && *port == at.port)
    }
}

/// What was done about the other device, and what the user can do.
const ADVICE: [Code; 2] = [Code::LoginWithheld, Code::TrustAddress];
