//! Where a stream is, and which login may be sent there.

use std::{net::IpAddr, time::Duration};

use super::failure::StreamFailure;
use crate::{
    camera::{Credentials, StreamUri, Transport},
    hub::Endpoint,
    store::CameraRecord,
    tls::client::KeyCheck,
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
    /// How the camera sent the stream before; `None`: not known.
    pub(super) transport: Option<Transport>,
    /// The key that the camera must have if the stream is read over TLS.
    pub(super) stream_key: KeyCheck,
    /// It is one JPEG, which is fetched again after this time.
    pub(super) snapshots: Option<Duration>,
    /// Why it is shown although it is not the stream of the camera.
    pub(super) instead_of_stream: Option<StreamFailure>,
    /// The camera was not asked this time, so it may give another stream by now.
    pub(super) is_remembered: bool,
}

impl ResolvedStream {
    /// Whether the host of `stream` may be sent the configured login.
    pub(super) fn is_trusted(&self, stream: &StreamUri) -> bool {
        self.trusted.iter().any(|trusted| is_same_host(trusted, stream.host()))
    }

    /// The place as people are told of it: with the key of the stream if that is encrypted.
    pub(super) fn shown_place(&self) -> Endpoint {
        let tls_key = self.stream_key.seen().map(|seen| seen.key).or(self.place.tls_key);
        Endpoint { tls_key, ..self.place.clone() }
    }

    /// The login that may be sent to the host of `stream`.
    pub(super) fn login_for(&self, stream: &StreamUri) -> Option<&Credentials> {
        self.credentials.as_ref().filter(|_| self.is_trusted(stream)).or(self.camera_credentials.as_ref())
    }
}

/// Whether two hosts have the same spelling or the same IP address.
pub(super) fn is_same_host(one: &str, other: &str) -> bool {
    let ip = |host: &str| host.parse::<IpAddr>().ok();
    one.eq_ignore_ascii_case(other) || ip(one).is_some_and(|one| Some(one) == ip(other))
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
            place: Endpoint { address: String::new(), profile: None, tls_key: None },
            record: None,
            transport: None,
            stream_key: KeyCheck::default(),
            snapshots: None,
            instead_of_stream: None,
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
