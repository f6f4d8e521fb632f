//! Begins the conversation in which a camera is moved.

use super::drive::Trouble;
use crate::{
    agent::supervisor::{identify::Peer, locator::Locator},
    camera::{Source, State},
    onvif,
    text::{Code, Reason},
};

/// Why the camera does not do what it should.
pub struct Failure {
    pub trouble: Trouble,
    pub reason: Reason,
}

impl From<&onvif::Error> for Failure {
    fn from(error: &onvif::Error) -> Self {
        let trouble = match error.kind() {
            onvif::Kind::Unreachable => Trouble::Silent,
            onvif::Kind::Denied => Trouble::Denied,
            onvif::Kind::NoSuchProfile | onvif::Kind::Malformed | onvif::Kind::Refused => Trouble::Refused,
        };
        Self { trouble, reason: error.reason() }
    }
}

impl Locator {
    /// Asks the camera where its PTZ is, after the device has proved to be the camera.
    pub(super) async fn begin_ptz(&self) -> Result<onvif::Ptz, Failure> {
        let condition = self.shared.channel.main().condition();
        if condition.state == State::Denied {
            // One more refusal may lock the account.
            return Err(Failure { trouble: Trouble::Denied, reason: condition.why });
        }
        let record = self.load().await;
        let address = record.as_ref().and_then(|record| record.address.clone());
        let Some(at) = address.or_else(|| self.home(record.as_ref())) else {
            return Err(Failure { trouble: Trouble::Refused, reason: Code::NotFoundYet.into() });
        };
        let mut place = self.place(&at).await;
        let mut peer = self.identify(&place, record.as_ref(), false).await;
        if let Peer::OverTls(next, _) = peer {
            place = *next;
            peer = self.identify(&place, record.as_ref(), false).await;
        }
        match peer {
            Peer::Camera => {}
            Peer::Other(reason) => return Err(Failure { trouble: Trouble::Refused, reason }),
            Peer::Nobody(reason) | Peer::OverTls(_, reason) => {
                return Err(Failure { trouble: Trouble::Silent, reason });
            }
        }
        let hint = record.as_ref().and_then(|record| record.authentication.as_deref());
        let known = record.as_ref().and_then(|record| record.stream.as_ref()).map(|stream| stream.profile.as_str());
        let configured = match &self.stream_source.source {
            Source::Onvif { profile, .. } => profile.as_deref(),
            Source::Url(_) => None,
        };
        if known.is_none() && self.stream_source.channel.is_some() {
            // Another channel of the recorder must not move.
            return Err(Failure { trouble: Trouble::Refused, reason: Code::NotFoundYet.into() });
        }
        let target = place.target(self.stream_source.credentials.clone());
        let hint = hint.and_then(|name| name.parse().ok());
        let begun = onvif::Ptz::begin(&target, hint, known.or(configured), onvif::Limits::default()).await;
        begun.map_err(|error| Failure::from(&error))
    }
}
