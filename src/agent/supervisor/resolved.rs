//! The result of one ONVIF exchange with a camera, for the supervisors of both its streams.

use std::{
    net::IpAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    StreamRole,
    locate::{LocateError, Locator, refused},
};
use crate::{
    camera::{Credentials, Source, StreamUri},
    device_id::DeviceId,
    http_client::in_brackets,
    hub::Endpoint,
    onvif,
    store::{Address, CameraRecord, ConfigFingerprint, Identity, Small, Stream},
    text,
};

/// Where a stream is and how to log in there.
#[derive(Clone)]
pub(super) struct ResolvedStream {
    /// In the order in which to try them; never empty.
    pub(super) streams: Vec<StreamUri>,
    /// The configured login, for the hosts in `trusted`.
    pub(super) credentials: Option<Credentials>,
    /// The login that the camera put into its stream address, for the host in that address.
    pub(super) camera_credentials: Option<Credentials>,
    /// Hosts that may be sent the configured login: where the camera was reached, and `stream_host`.
    pub(super) trusted: Vec<String>,
    pub(super) place: Endpoint,
    /// To be stored once the stream is live.
    pub(super) record: Option<CameraRecord>,
    /// The camera was not asked this time, so it may give another stream by now.
    pub(super) is_remembered: bool,
}

impl ResolvedStream {
    /// Whether the host of `stream` may be sent the configured login.
    pub(super) fn is_trusted(&self, stream: &StreamUri) -> bool {
        self.trusted.iter().any(|trusted| is_same_host(trusted, stream.host()))
    }

    /// The login that may be sent to the host of `stream`.
    pub(super) fn login_for(&self, stream: &StreamUri) -> Option<&Credentials> {
        self.credentials.as_ref().filter(|_| self.is_trusted(stream)).or(self.camera_credentials.as_ref())
    }
}

/// Whether two hosts have the same spelling or the same IP address.
fn is_same_host(one: &str, other: &str) -> bool {
    let ip = |host: &str| host.parse::<IpAddr>().ok();
    one.eq_ignore_ascii_case(other) || ip(one).is_some_and(|one| Some(one) == ip(other))
}

impl Locator {
    /// Returns the stream of this supervisor; the stream of the other one is handed to that one.
    pub(super) fn found_both(
        &self,
        at: &Address,
        main: onvif::Resolved,
        small: Option<(String, Result<onvif::SmallStream, onvif::Error>)>,
    ) -> Result<ResolvedStream, LocateError> {
        let mut found = self.found(at, main);
        let Some((wanted, small)) = small else { return Ok(found) };
        let small = match small {
            Ok(small) => small,
            Err(error) if self.role == StreamRole::Small => {
                self.shared.tell(StreamRole::Main, found);
                return Err(LocateError::Final(refused(&error)));
            }
            // The supervisor of the small stream resolves it by itself.
            Err(_) => return Ok(found),
        };
        let token = small.profile.token;
        if let Some(record) = &mut found.record {
            let first = small.streams.first().map(|uri| Stream { uri: uri.clone(), profile: token.clone() });
            record.small = first.map(|stream| Small { wanted, stream });
        }
        let place = Endpoint { profile: Some(text::fact(&token)), ..found.place.clone() };
        let small = ResolvedStream { streams: self.in_order(small.streams), place, ..found.clone() };
        let (own, other, others) = match self.role {
            StreamRole::Main => (found, StreamRole::Small, small),
            StreamRole::Small => (small, StreamRole::Main, found),
        };
        self.shared.tell(other, others);
        Ok(own)
    }

    fn found(&self, at: &Address, resolved: onvif::Resolved) -> ResolvedStream {
        let host = in_brackets(&at.host);
        let address = if at.port == onvif::DEFAULT_PORT { host } else { format!("{host}:{}", at.port) };
        let serial = Some(resolved.device.serial.clone()).filter(|serial| !serial.is_empty());
        let record = ConfigFingerprint::of(&self.stream_source).map(|fingerprint| CameraRecord {
            fingerprint,
            identity: Identity {
                endpoint: resolved.endpoint.as_deref().and_then(DeviceId::new).map(|id| id.to_urn()),
                serial,
                mac: resolved.hardware_addresses.first().cloned(),
            },
            address: Some(at.clone()),
            authentication: resolved.authentication.map(|mode| mode.as_str().to_owned()),
            stream: resolved
                .streams
                .first()
                .map(|uri| Stream { uri: uri.clone(), profile: resolved.profile.token.clone() }),
            small: None,
            when: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        });
        ResolvedStream {
            streams: self.in_order(resolved.streams),
            credentials: self.stream_source.credentials.clone(),
            camera_credentials: resolved.camera_credentials,
            trusted: self.trusted_with(&at.host),
            place: Endpoint { address, profile: Some(text::fact(&resolved.profile.token)) },
            record,
            is_remembered: false,
        }
    }

    /// The hosts that may be sent the login if the camera was reached at `host`.
    pub(super) fn trusted_with(&self, host: &str) -> Vec<String> {
        std::iter::once(host.to_owned()).chain(self.stream_host().map(str::to_owned)).collect()
    }

    /// `streams` with those on the configured `stream_host` first.
    fn in_order(&self, mut streams: Vec<StreamUri>) -> Vec<StreamUri> {
        if let Some(first) = self.stream_host() {
            streams.sort_by_key(|stream| !is_same_host(first, stream.host()));
        }
        streams
    }

    fn stream_host(&self) -> Option<&str> {
        match &self.stream_source.source {
            Source::Onvif { stream_host, .. } => stream_host.as_deref(),
            Source::Url(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Secret;

    #[test]
    fn configured_login_is_for_trusted_hosts_and_the_cameras_own_for_any() {
        let stream = |text: &str| StreamUri::split(text).unwrap().0;
        let login = |username: &str| Credentials { username: username.into(), password: Secret::new("x") };
        let mut found = ResolvedStream {
            streams: Vec::new(),
            credentials: Some(login("configured")),
            camera_credentials: None,
            trusted: vec!["cam.example".into(), "fd00::1".into()],
            place: Endpoint { address: String::new(), profile: None },
            record: None,
            is_remembered: false,
        };
        let user =
            |found: &ResolvedStream, text: &str| found.login_for(&stream(text)).map(|login| login.username.clone());
        for near in ["rtsp://CAM.example:554/a", "rtsp://[fd00:0::1]/a"] {
            assert_eq!(user(&found, near).as_deref(), Some("configured"), "{near}");
        }
        for far in ["rtsp://192.0.2.9/a", "rtsp://cam.example.org/a", "rtsp://xcam.example/a"] {
            assert_eq!(user(&found, far), None, "{far}");
        }
        found.camera_credentials = Some(login("own"));
        assert_eq!(user(&found, "rtsp://192.0.2.9/a").as_deref(), Some("own"));
        assert_eq!(user(&found, "rtsp://cam.example/a").as_deref(), Some("configured"));
    }
}
