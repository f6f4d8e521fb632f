//! Asks a camera by ONVIF for key frames of a stream, in one conversation for a whole session.

use std::time::Duration;

use smol::{
    Task,
    channel::{Receiver, Sender, bounded},
};

use super::{StreamRole, identify::Peer, locator::Locator, place::Place};
use crate::{onvif, store::CameraRecord, time::timeout};

/// Limit for the answer to one request, with the beginning of the conversation.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What the camera made of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Accepted,
    /// It did not answer, or not in time.
    None,
    /// It cannot do it, or does not prove to be the camera.
    Refused,
    /// It refuses the login for this, and might lock the account.
    Denied,
}

/// The conversation. Dropping it ends it.
pub(super) struct Synchronization {
    requests: Sender<()>,
    answers: Receiver<Answer>,
    _task: Task<()>,
}

impl Synchronization {
    /// Nothing is sent before the first request. `record` is that of the stream that is read; without
    /// it, that of the store counts.
    pub(super) fn start(locator: Locator, record: Option<CameraRecord>) -> Self {
        let (requests, asked) = bounded(1);
        let (answer, answers) = bounded(1);
        let executor = locator.context.executor.clone();
        let task = executor.spawn(locator.synchronize(record, asked, answer));
        Self { requests, answers, _task: task }
    }

    /// Asks for a key frame. Every request has an [`Answer`]; ask again only after it.
    pub(super) fn request(&self) {
        // If the task has ended, that is the answer.
        let _ = self.requests.try_send(());
    }

    /// Waits for the answer. Cancel-safe: dropping the future loses nothing.
    pub(super) async fn answer(&self) -> Answer {
        self.answers.recv().await.unwrap_or(Answer::Refused)
    }
}

impl Locator {
    /// Passes `requests` on to the camera. Ends if nothing is known of where to ask.
    async fn synchronize(self, record: Option<CameraRecord>, requests: Receiver<()>, answers: Sender<Answer>) {
        if requests.recv().await.is_err() {
            return;
        }
        let Some((place, token, record)) = self.profile_place(record).await else { return };
        let target = place.target(self.stream_source.credentials.clone());
        let mut conversation = None;
        loop {
            // Boxed: its state is large, and needed for a moment only.
            let asked = Box::pin(async {
                let _turn = match &self.shared.recorder {
                    Some(recorder) => Some(recorder.key_frames.acquire().await),
                    None => None,
                };
                let conversation = match &mut conversation {
                    Some(known) => known,
                    none => none.insert(self.begin_synchronization(&place, &target, &record).await?),
                };
                conversation.request(&token).await.map_err(|error| self.unsynchronized(&error))
            });
            let answer = match timeout(ANSWER_TIMEOUT, asked).await {
                Some(Ok(())) => Answer::Accepted,
                Some(Err(answer)) => answer,
                None => Answer::None,
            };
            if answer == Answer::None {
                // The next request begins anew.
                conversation = None;
            }
            if answers.send(answer).await.is_err() || requests.recv().await.is_err() {
                return;
            }
        }
    }

    /// Where to ask about the stream, and the token of its profile. `record` is that of the stream; without
    /// it, that of the store counts.
    pub(super) async fn profile_place(&self, record: Option<CameraRecord>) -> Option<(Place, String, CameraRecord)> {
        let record = match record {
            Some(record) => record,
            None => self.load().await?,
        };
        let token = match self.role {
            StreamRole::Main => record.stream.as_ref()?.profile.clone(),
            StreamRole::Small => record.small.as_ref()?.stream.profile.clone(),
        };
        let at = record.address.clone().or_else(|| self.home(Some(&record)))?;
        Some((self.place(&at).await, token, record))
    }

    /// Begins the conversation, after the device has proved to be the camera.
    async fn begin_synchronization(
        &self,
        place: &Place,
        target: &onvif::Target,
        record: &CameraRecord,
    ) -> Result<onvif::Synchronization, Answer> {
        match self.identify(place, Some(record), false).await {
            Peer::Camera => {}
            Peer::Other(why) => {
                log::info!("{}: not asked for a key frame by ONVIF: {why}", self.label);
                return Err(Answer::Refused);
            }
            Peer::Nobody(_) | Peer::OverTls(..) => return Err(Answer::None),
        }
        let hint = record.authentication.as_deref().and_then(|name| name.parse().ok());
        let begun = onvif::Synchronization::begin(target, hint, onvif::Limits::default()).await;
        begun.map_err(|error| self.unsynchronized(&error))
    }

    /// Logs why the camera gives no key frame, and says whether it may be asked again.
    fn unsynchronized(&self, error: &onvif::Error) -> Answer {
        match error.kind() {
            onvif::Kind::Unreachable => {
                log::debug!("{}: no answer to a request for a key frame: {}", self.label, error.reason());
                Answer::None
            }
            kind => {
                log::info!("{}: cannot be asked for a key frame by ONVIF: {}", self.label, error.reason());
                if kind == onvif::Kind::Denied { Answer::Denied } else { Answer::Refused }
            }
        }
    }
}
