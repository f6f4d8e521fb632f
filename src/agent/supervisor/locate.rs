//! Finds where a camera's stream is now: at its configured address, where it was last, or where
//! discovery finds it.
//!
//! Before any password is sent, the device is asked without one who it is, if the camera's identity
//! is known: no login may go to another device at an old address.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use smol::future::FutureExt;

use super::{
    ResolvedStream, StreamFailure, StreamRole, SupervisorTask,
    failure::{LocateError, denied, refused},
    identify::Peer,
    locator::Locator,
    offline,
    place::Place,
};
use crate::{
    camera::{Source, State, StreamUri},
    hub::Endpoint,
    onvif,
    store::{Address, CameraRecord},
    text::{self, Code, Reason},
    time::timeout,
    tls,
};

/// Limit for one device's whole ONVIF exchange: four to eight requests of up to 10 s each.
pub(super) const RESOLVING: Duration = Duration::from_secs(60);

/// How long ONVIF may take before the cached stream is tried meanwhile.
const HEAD_START: Duration = Duration::from_secs(1);

/// How long the known address may take before the network is searched as well.
const KNOWN_ADDRESS_TIMEOUT: Duration = Duration::from_millis(1500);

impl SupervisorTask {
    pub(super) fn locator(&self) -> Locator {
        Locator {
            context: self.context.clone(),
            shared: Arc::clone(&self.shared),
            role: self.role,
            label: self.label.clone(),
            id: self.stream.id().clone(),
            stream_source: self.stream_source.clone(),
            searched: Arc::clone(&self.searched),
        }
    }

    /// Finds the camera's stream: configured address, last good answer, search, in this order.
    pub(super) async fn locate(&mut self) -> Result<ResolvedStream, StreamFailure> {
        if let Source::Url(main) = &self.stream_source.source {
            let uri = match self.role {
                StreamRole::Main => main,
                StreamRole::Small => self.stream_source.small_url.as_ref().unwrap_or(main),
            };
            let credentials = self.stream_source.credentials.clone();
            let address = uri.authority().to_owned();
            return Ok(ResolvedStream {
                streams: vec![uri.clone()],
                credentials,
                camera_credentials: None,
                trusted: vec![uri.host().to_owned()],
                place: Endpoint { address, profile: None, tls_key: None },
                record: None,
                transport: None,
                stream_key: self.locator().stream_key().await,
                snapshots: (self.stream_source.is_snapshot && self.role == StreamRole::Main)
                    .then_some(self.stream_source.snapshot_every),
                instead_of_stream: None,
                is_remembered: false,
            });
        }
        let locator = self.locator();
        let mut last_live = self.last_live.clone();
        let unsaved = last_live.as_mut().and_then(|found| found.record.take());
        let record = locator.load().await.or(unsaved);
        let record = record.as_ref();
        if std::mem::take(&mut self.try_cached_first)
            && let Some(record) = record
            && let Some(found) = last_live.or(locator.remembered_stream(record).await)
        {
            let (record, asked_at) = (Some(record), Instant::now());
            // The identity is asked first, so that stored data never goes to another device. A recorder
            // is asked once for all its channels.
            let answers = match record.and_then(|record| record.address.as_ref()) {
                _ if self.shared.recorder.is_some() => Some(Peer::Camera),
                Some(at) => {
                    let place = locator.place(at).await;
                    timeout(HEAD_START, locator.identify(&place, record, false)).await
                }
                None => None,
            };
            // Where port 80 refuses, the camera may answer over TLS, or not at all today.
            let is_camera = matches!(answers, Some(Peer::Camera | Peer::OverTls(..)));
            let asked = match answers {
                Some(Peer::Camera | Peer::OverTls(..)) => {
                    let left = HEAD_START.saturating_sub(asked_at.elapsed());
                    timeout(left, locator.ask_around(record)).await
                }
                Some(Peer::Other(_)) => Some(locator.ask_around(record).await),
                Some(Peer::Nobody(_)) | None => None,
            };
            match asked {
                Some(Err(failure))
                    if failure.state != State::Denied
                        && !failure.denies_memory
                        && is_camera
                        && !is_withheld(&failure.reason) => {}
                Some(settled) => return settled,
                None => {}
            }
            log::info!("{}: ONVIF does not answer; trying the stream of the last time", self.label);
            return Ok(ResolvedStream { is_remembered: true, ..found });
        }
        let settled = locator.ask_around(record).await;
        // If ONVIF does not answer this time, the next attempt tries the cached stream.
        let may_remember = |failure: &StreamFailure| failure.state != State::Denied && !failure.denies_memory;
        self.try_cached_first = settled.as_ref().is_err_and(may_remember);
        settled
    }

    /// Stores what led to a live stream for the next time.
    pub(super) fn remember(&mut self, stream: &StreamUri, found: &ResolvedStream) {
        self.stream.found_at(found.shown_place());
        let Some(mut record) = found.record.clone() else { return };
        // Some makers put the login into the path; such an address is not written to the file.
        let may_be_kept = stream.to_string() == stream.as_str();
        match self.role {
            StreamRole::Main => record.stream = record.stream.filter(|_| may_be_kept),
            StreamRole::Small => record.small = record.small.filter(|_| may_be_kept),
        }
        let kept = match self.role {
            StreamRole::Main => record.stream.as_mut(),
            StreamRole::Small => record.small.as_mut().map(|small| &mut small.stream),
        };
        if let Some(kept) = kept {
            kept.uri = stream.clone();
            kept.transport = found.transport;
        }
        let record = self.shared.merge(self.role, record);
        let (store, id) = (self.context.store(), self.stream.id().clone());
        // Detached: it ends when the file is on disk.
        smol::unblock(move || store.save(&id, &record)).detach();
    }
}

impl Locator {
    pub(super) async fn load(&self) -> Option<CameraRecord> {
        let (store, id) = (self.context.store(), self.id.clone());
        let stream_source = self.stream_source.clone();
        smol::unblock(move || store.load(&id, &stream_source)).await
    }

    async fn remembered_stream(&self, record: &CameraRecord) -> Option<ResolvedStream> {
        let stream = match self.role {
            StreamRole::Main => record.stream.as_ref()?,
            StreamRole::Small => {
                let wanted = self.shared.small_profile();
                &record.small.as_ref().filter(|small| Some(&small.wanted) == wanted.as_ref())?.stream
            }
        };
        // Where the camera was reached then; no other host is sent the login.
        let configured = match &self.stream_source.source {
            Source::Onvif { host, .. } => host.as_deref(),
            Source::Url(_) => None,
        };
        let host = record.address.as_ref().map(|at| at.host.as_str()).or(configured).unwrap_or_default();
        let (address, profile) = (text::fact(stream.uri.authority()), text::fact(&stream.profile));
        Some(ResolvedStream {
            streams: vec![stream.uri.clone()],
            credentials: self.stream_source.credentials.clone(),
            camera_credentials: None,
            trusted: self.trusted_with(host),
            place: Endpoint { address, profile: Some(profile), tls_key: None },
            record: None,
            transport: stream.transport,
            stream_key: self.stream_key().await,
            snapshots: None,
            instead_of_stream: None,
            is_remembered: true,
        })
    }

    /// The address of the camera's ONVIF service: the configured one, or else the last known one.
    pub(super) fn home(&self, record: Option<&CameraRecord>) -> Option<Address> {
        let Source::Onvif { host, port, .. } = &self.stream_source.source else { return None };
        let last = || record.and_then(|record| record.address.clone());
        host.clone().map(|host| Address { host, port: *port, tls: false }).or_else(last)
    }

    /// Asks the known address; if nobody or another device is there, searches the network.
    async fn ask_around(&self, record: Option<&CameraRecord>) -> Result<ResolvedStream, StreamFailure> {
        let wanted = self.wanted(record);
        // A device with another key may have the camera's stream, too: that is not opened.
        let offline = |why: Reason| StreamFailure { denies_memory: tls::client::is_of_other_key(&why), ..offline(why) };
        let Some(home) = self.home(record) else {
            return self.search(&wanted, record, None, false).await.map_err(offline);
        };
        let ask = async {
            match self.ask(&home, record, false).await {
                Ok(found) => Ok(Ok(found)),
                Err(LocateError::Final(failure)) => Ok(Err(failure)),
                Err(LocateError::Elsewhere(why)) => Err(why),
            }
        };
        let mut ask = pin!(ask);
        // The channels of a recorder wait for each other, which does not say that it is elsewhere.
        let limit = if self.shared.recorder.is_some() { RESOLVING } else { KNOWN_ADDRESS_TIMEOUT };
        let settled = match timeout(limit, ask.as_mut()).await {
            Some(Ok(settled)) => return settled,
            Some(Err(why)) => Err(why),
            None => Ok(()),
        };
        if !self.may_search(&wanted) {
            let why = match settled {
                Err(why) => why,
                Ok(()) => match ask.await {
                    Ok(settled) => return settled,
                    Err(why) => why,
                },
            };
            return Err(offline(why));
        }
        let search = self.search(&wanted, record, Some(&home), settled.is_err());
        match settled {
            Err(why) => search.await.map_err(|nowhere| offline(why.and(nowhere))),
            // The address is slow to answer: both go on, and the first that finds the stream wins.
            Ok(()) => {
                let mut search = pin!(search);
                let either =
                    async { Side::Home(ask.as_mut().await) }.or(async { Side::Search(search.as_mut().await) }).await;
                match either {
                    Side::Home(Ok(settled)) => settled,
                    Side::Search(Ok(found)) => Ok(found),
                    Side::Home(Err(why)) => search.await.map_err(|nowhere| offline(why.and(nowhere))),
                    Side::Search(Err(nowhere)) => match ask.await {
                        Ok(settled) => settled,
                        Err(why) => Err(offline(why.and(nowhere))),
                    },
                }
            }
        }
    }

    /// Asks one device for the stream, after it has proved to be the camera; `is_announced` as in
    /// [`Locator::identify`].
    pub(super) async fn ask(
        &self,
        at: &Address,
        record: Option<&CameraRecord>,
        is_announced: bool,
    ) -> Result<ResolvedStream, LocateError> {
        match &self.shared.recorder {
            Some(recorder) => self.ask_recorder(recorder, at, record, is_announced).await,
            None => self.ask_device(at, record, is_announced).await,
        }
    }

    /// [`Locator::ask`] in a conversation of its own.
    pub(super) async fn ask_device(
        &self,
        at: &Address,
        record: Option<&CameraRecord>,
        is_announced: bool,
    ) -> Result<ResolvedStream, LocateError> {
        let place = self.place(at).await;
        match self.identify(&place, record, is_announced).await {
            Peer::Camera => {}
            Peer::Other(why) | Peer::Nobody(why) => return Err(LocateError::Elsewhere(why)),
            Peer::OverTls(next, why) => return Box::pin(self.ask_over_tls(&next, why, record, is_announced)).await,
        }
        match Box::pin(self.resolve(&place, record)).await {
            Err((Some(next), LocateError::Elsewhere(why))) => {
                Box::pin(self.ask_over_tls(&next, why, record, is_announced)).await
            }
            Err((Some(next), LocateError::Final(failure))) => {
                Box::pin(self.ask_over_tls(&next, failure.reason, record, is_announced)).await
            }
            result => result.map_err(|(_, error)| error),
        }
    }

    /// As [`Locator::ask`], after the device did not answer in clear text because of `why`. If it does
    /// not answer at `place` either, that is the error.
    async fn ask_over_tls(
        &self,
        place: &Place,
        why: Reason,
        record: Option<&CameraRecord>,
        is_announced: bool,
    ) -> Result<ResolvedStream, LocateError> {
        match self.identify(place, record, is_announced).await {
            Peer::Camera => {}
            Peer::Other(why) => return Err(LocateError::Elsewhere(why)),
            Peer::Nobody(silence) => return Err(LocateError::Elsewhere(or_refusal(silence, why))),
            Peer::OverTls(..) => return Err(LocateError::Elsewhere(why)),
        }
        match Box::pin(self.resolve(place, record)).await {
            Err((_, LocateError::Elsewhere(silence))) => Err(LocateError::Elsewhere(or_refusal(silence, why))),
            result => result.map_err(|(_, error)| error),
        }
    }

    /// Asks the camera at `place` for the stream. An error may come with another place to ask at.
    async fn resolve(
        &self,
        place: &Place,
        record: Option<&CameraRecord>,
    ) -> Result<ResolvedStream, (Option<Place>, LocateError)> {
        let at = &place.at;
        let profile = match &self.stream_source.source {
            Source::Onvif { profile, .. } => profile.as_deref(),
            Source::Url(_) => None,
        };
        let small = self.shared.small_profile();
        let target = place.target(self.stream_source.credentials.clone());
        let hint = onvif::Hint {
            authentication: record
                .and_then(|record| record.authentication.as_deref())
                .and_then(|name| name.parse().ok()),
            token: record.and_then(|record| record.stream.as_ref()).map(|stream| stream.profile.clone()),
            stream: record.and_then(|record| record.stream.as_ref()).map(|stream| stream.uri.clone()),
        };
        let resolve = async {
            match &self.shared.recorder {
                Some(recorder) => self.begin_conversation(recorder, place, &target, &hint, record).await,
                None => {
                    let limits = onvif::Limits::default();
                    onvif::resolve_both(&target, profile, small.as_deref(), &hint, limits).await
                }
            }
        };
        let error = match timeout(RESOLVING, resolve).await {
            None => {
                let limit = RESOLVING.as_secs();
                let slow = Code::OnvifUnfinished.with("device", at.host.as_str()).with("seconds", limit);
                return Err((None, LocateError::Final(offline(slow))));
            }
            Some(Ok((main, found))) => {
                self.learn_key_of(place).await;
                let stream_key = self.stream_key().await;
                let found = self.found_both(place, main, small.zip(found), record, stream_key);
                return found.map_err(|error| (None, error));
            }
            Some(Err(error)) => error,
        };
        let next = self.tls_place(place, &error).await;
        let error = match error {
            error if error.kind() == onvif::Kind::Unreachable => LocateError::Elsewhere(error.reason()),
            error if error.kind() == onvif::Kind::Denied => LocateError::Final(denied(&error)),
            error => LocateError::Final(refused(&error)),
        };
        Err((next, error))
    }
}

/// The reason at a host that did not answer in clear text because of `refusal`, and over TLS because of
/// Whether another device answered.
fn is_withheld(why: &Reason) -> bool {
    why.parts().iter().any(|part| part.code() == Code::LoginWithheld)
}

/// `silence`: if nothing listens there either, the first.
fn or_refusal(silence: Reason, refusal: Reason) -> Reason {
    let is_unreachable = silence.parts().iter().any(|part| part.code() == Code::OnvifUnreachable);
    if is_unreachable { refusal } else { silence }
}

/// What ended first.
enum Side {
    Home(Result<Result<ResolvedStream, StreamFailure>, Reason>),
    Search(Result<ResolvedStream, Reason>),
}
