//! The result of one ONVIF exchange with a camera, for the supervisors of both its streams.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{
    StreamRole,
    failure::{LocateError, refused},
    locator::Locator,
    place::Place,
    resolved::{ResolvedStream, is_same_host},
};
use crate::{
    camera::{Source, StreamUri, Transport},
    device_id::DeviceId,
    http_client::in_brackets,
    hub::Endpoint,
    onvif,
    store::{CameraRecord, ConfigFingerprint, Identity, Small, Stream},
    text,
    tls::client::KeyCheck,
};

impl Locator {
    /// Returns the stream of this supervisor; the stream of the other one is handed to that one.
    /// `known`: what was stored of the camera before.
    pub(super) fn found_both(
        &self,
        place: &Place,
        main: onvif::Resolved,
        small: Option<(String, Result<onvif::SmallStream, onvif::Error>)>,
        known: Option<&CameraRecord>,
        stream_key: KeyCheck,
    ) -> Result<ResolvedStream, LocateError> {
        let main_size = main.profile.size;
        let mut found = self.found(place, main, known, stream_key);
        let Some((wanted, small)) = small else { return Ok(found) };
        if let Some((stream, size)) = self.shared.channel.small().zip(main_size) {
            stream.expect_main_size(size);
        }
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
        let known = known.and_then(|known| known.small.as_ref()).map(|small| &small.stream);
        let transport = transport_of(known, &token);
        if let Some(record) = &mut found.record {
            let first = small.streams.first();
            let first = first.map(|uri| Stream { uri: uri.clone(), profile: token.clone(), transport });
            record.small = first.map(|stream| Small { wanted, stream });
        }
        let place = Endpoint { profile: Some(text::fact(&token)), ..found.place.clone() };
        let small = ResolvedStream { streams: self.in_order(small.streams), place, transport, ..found.clone() };
        let (own, other, others) = match self.role {
            StreamRole::Main => (found, StreamRole::Small, small),
            StreamRole::Small => (small, StreamRole::Main, found),
        };
        self.shared.tell(other, others);
        Ok(own)
    }

    fn found(
        &self,
        place: &Place,
        resolved: onvif::Resolved,
        known: Option<&CameraRecord>,
        stream_key: KeyCheck,
    ) -> ResolvedStream {
        let at = &place.at;
        let known = known.and_then(|known| known.stream.as_ref());
        let transport = transport_of(known, &resolved.profile.token);
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
            stream: resolved.streams.first().map(|uri| Stream {
                uri: uri.clone(),
                profile: resolved.profile.token.clone(),
                transport,
            }),
            small: None,
            sources: self.shared.recorder.as_ref().map(|recorder| recorder.order()).unwrap_or_default(),
            when: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        });
        ResolvedStream {
            streams: self.in_order(resolved.streams),
            credentials: self.stream_source.credentials.clone(),
            camera_credentials: resolved.camera_credentials,
            trusted: self.trusted_with(&at.host),
            place: Endpoint { address, profile: Some(text::fact(&resolved.profile.token)), tls_key: place.shown_key() },
            record,
            transport,
            stream_key,
            snapshots: None,
            instead_of_stream: None,
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

/// How the stream of the profile `token` was sent, if it is the `known` one.
fn transport_of(known: Option<&Stream>, token: &str) -> Option<Transport> {
    known.filter(|known| known.profile == token)?.transport
}
