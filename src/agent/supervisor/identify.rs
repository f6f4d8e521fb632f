//! Whether who answers at an address is the camera, before it is sent the login.

use super::locate::Locator;
use crate::{
    camera::{Source, Trust},
    discovery,
    log::chain,
    onvif,
    store::{Address, CameraRecord},
};

/// Who answers at an address.
pub(super) enum Peer {
    /// The camera, as far as it says so without a login.
    Camera,
    /// Another device, or one that does not show that it is the camera; in words.
    Stranger(String),
    /// Nobody answers; in words.
    Nobody(String),
}

impl Locator {
    /// Asks who answers at `at`, without a login. `is_announced`: that very host has told the camera's
    /// identity by WS-Discovery, which counts where the identity was never told by ONVIF.
    ///
    /// Taken for the camera is a device that tells the identity that is known, one that refuses to tell it
    /// as it always did, and one of which nothing is known. An answer that is no ONVIF is no consent.
    pub(super) async fn identify(&self, at: &Address, record: Option<&CameraRecord>, is_announced: bool) -> Peer {
        let wanted = self.wanted(record);
        if self.is_trusted_address(at) || wanted == discovery::DeviceMatcher::default() {
            return Peer::Camera;
        }
        let has_login = self.stream_source.credentials.is_some();
        let seen = match onvif::identity(&at.host, at.port, onvif::Limits::default()).await {
            Ok(seen) => seen,
            Err(error) if error.kind() == onvif::Kind::Unreachable => return Peer::Nobody(chain(&error)),
            // Nothing can be given away, and the questions that follow tell better what is wrong.
            Err(_) if !has_login => return Peer::Camera,
            Err(error) => {
                let what = format!("{} does not answer as the camera did", at.host);
                return Peer::Stranger(format!("{what}; {ADVICE}; {}", chain(&error)));
            }
        };
        let told_before = record.is_some_and(|record| record.identity.endpoint.is_some());
        let is_camera = match (&wanted.identity, seen.endpoint) {
            (Some(wanted), Some(seen)) => discovery::Identity::new(&seen).as_ref() == Some(wanted),
            // It told it before, or the file demands it.
            (Some(_), None) if told_before || (has_login && !is_announced) => false,
            _ => match (&wanted.serial, seen.serial) {
                (Some(wanted), Some(seen)) => *wanted == seen,
                _ => true,
            },
        };
        if is_camera {
            return Peer::Camera;
        }
        let what = format!("another device, or one that does not say who it is, answers at {}", at.host);
        Peer::Stranger(format!("{what}; {ADVICE}"))
    }

    /// Whether the file says that whoever answers at `at` is the camera.
    fn is_trusted_address(&self, at: &Address) -> bool {
        matches!(&self.stream_source.source, Source::Onvif { host: Some(host), port, trust: Trust::Address, .. }
            if *host == at.host && *port == at.port)
    }
}

/// What was done about a stranger, and what can be.
const ADVICE: &str = "no login was sent to it; if it is the camera, write trust = \"address\"";
