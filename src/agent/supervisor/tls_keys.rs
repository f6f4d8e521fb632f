//! With which TLS keys a camera is asked.

use super::{locator::Locator, place::Place};
use crate::{
    camera::{CameraId, Source, StreamSource, TlsPolicy, fingerprint::Fingerprint},
    onvif,
    store::{Address, LearntKeys, Service},
    tls::client::{HTTPS_PORT, KeyCheck},
};

impl Locator {
    /// How `at` is asked: once a camera was reached over TLS, never without.
    pub(super) async fn place(&self, at: &Address) -> Place {
        let keys = self.keys().await;
        let at = if must_be_tls(&self.stream_source, keys) { over_tls(&self.stream_source, at) } else { at.clone() };
        let check = at.tls.then(|| self.key_check(keys, Service::Onvif));
        Place { at, check }
    }

    /// The same host over TLS, if `error` of a conversation in clear text says that it may answer there.
    pub(super) async fn tls_place(&self, place: &Place, error: &onvif::Error) -> Option<Place> {
        if place.at.tls || self.stream_source.tls == TlsPolicy::Off {
            return None;
        }
        let port = error.tls_port(&place.at.host)?;
        Some(self.place(&Address { port, tls: true, ..place.at.clone() }).await)
    }

    /// The key that the camera must have for its stream.
    pub(super) async fn stream_key(&self) -> KeyCheck {
        self.key_check(self.keys().await, Service::Stream)
    }

    fn key_check(&self, keys: LearntKeys, service: Service) -> KeyCheck {
        KeyCheck::new(self.stream_source.fingerprints.iter().copied(), keys.of(service))
    }

    /// The camera at `place` has given what it was asked for: its key is the camera's.
    pub(super) async fn learn_key_of(&self, place: &Place) {
        if let Some(key) = place.shown_key() {
            self.learn_key(Service::Onvif, key).await;
        }
    }

    pub(super) async fn learn_key(&self, service: Service, key: Fingerprint) {
        let (store, id) = (self.context.store(), self.key_owner());
        if smol::unblock(move || store.learn_key(&id, service, key)).await {
            let what = match service {
                Service::Onvif => "ONVIF",
                Service::Stream => "the stream",
            };
            log::info!("{}: the TLS key of {what} is {key} from now on", self.label);
        }
    }

    async fn keys(&self) -> LearntKeys {
        let (store, id) = (self.context.store(), self.key_owner());
        smol::unblock(move || store.keys(&id)).await
    }

    /// Under which name the TLS keys are stored: those of a recorder are the same for all its channels.
    fn key_owner(&self) -> CameraId {
        self.stream_source.channel.as_ref().map_or(&self.id, |channel| &channel.recorder).clone()
    }
}

/// Whether the camera may be asked over TLS only.
fn must_be_tls(stream_source: &StreamSource, keys: LearntKeys) -> bool {
    match stream_source.tls {
        TlsPolicy::Off => false,
        TlsPolicy::Learn => true,
        TlsPolicy::Auto => !stream_source.fingerprints.is_empty() || keys.of(Service::Onvif).is_some(),
    }
}

/// The ONVIF service of `at` over TLS.
fn over_tls(stream_source: &StreamSource, at: &Address) -> Address {
    if at.tls {
        return at.clone();
    }
    let port = match stream_source.source {
        Source::Onvif { port, .. } if port != onvif::DEFAULT_PORT => port,
        _ => HTTPS_PORT,
    };
    Address { port, tls: true, ..at.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Trust;

    fn source(port: u16, tls: TlsPolicy) -> StreamSource {
        let source = Source::Onvif {
            host: Some("10.0.0.1".into()),
            port,
            profile: None,
            uuid: None,
            trust: Trust::Identity,
            stream_host: None,
        };
        StreamSource { tls, ..StreamSource::from(source) }
    }

    #[test]
    fn camera_that_was_reached_over_tls_is_not_asked_in_clear_text_again() {
        let mut keys = LearntKeys::default();
        assert!(!must_be_tls(&source(80, TlsPolicy::Auto), keys));
        assert!(must_be_tls(&source(80, TlsPolicy::Learn), keys));
        let pinned = StreamSource { fingerprints: vec![Fingerprint([7; 32])], ..source(80, TlsPolicy::Auto) };
        assert!(must_be_tls(&pinned, keys));
        keys.learn(Service::Stream, Fingerprint([7; 32]));
        assert!(!must_be_tls(&source(80, TlsPolicy::Auto), keys), "that of the stream alone");
        keys.learn(Service::Onvif, Fingerprint([7; 32]));
        assert!(must_be_tls(&source(80, TlsPolicy::Auto), keys));
        assert!(!must_be_tls(&source(80, TlsPolicy::Off), keys), "the way back");
    }

    #[test]
    fn port_of_https_is_the_one_it_answered_at_or_the_configured_one() {
        let at = |port, tls| Address { host: "10.0.0.9".into(), port, tls };
        for (configured, asked, port) in [
            (80, at(80, false), 443),
            (8443, at(80, false), 8443),
            (80, at(9443, true), 9443),
            (8443, at(9443, true), 9443),
        ] {
            let found = over_tls(&source(configured, TlsPolicy::Learn), &asked);
            assert_eq!(found, at(port, true), "{configured} {asked:?}");
        }
    }
}
