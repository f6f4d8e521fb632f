//! The ways in which the camera of a session can be asked for a key frame, by RTCP or by ONVIF.

use std::{
    future::pending,
    time::{Duration, Instant},
};

use smol::{Timer, future::FutureExt};

use super::key_frame_requests::KeyFrameRequests;
use crate::{
    agent::supervisor::synchronization::{Answer, Synchronization},
    rtsp::rtp::KeyFrameRequest,
    sync::{Notified, Notifier},
};

/// How long a request waits that cannot be made yet.
const RETRY: Duration = Duration::from_secs(1);

/// Asks the camera of one session for key frames.
pub(super) struct KeyFrameSource {
    pub(super) requests: KeyFrameRequests,
    /// Notified when a viewer joins who begins with the next key frame.
    joined: Notified,
    /// Makes the client send a request.
    rtcp: Notifier,
    /// Whether the camera offers to be asked by RTCP.
    offers_rtcp: bool,
    /// `None`: the camera cannot be asked by ONVIF, or refuses it.
    onvif: Option<Synchronization>,
    /// A request by ONVIF has no answer yet.
    awaits_answer: bool,
    not_before: Option<Instant>,
}

/// What happened.
pub(super) enum Event {
    ViewerJoined,
    /// The camera is to be asked.
    Due,
    Answer(Answer),
}

/// How the camera was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Rtcp,
    Onvif,
}

impl Asked {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Rtcp => "RTCP",
            Self::Onvif => "ONVIF",
        }
    }
}

impl KeyFrameSource {
    pub(super) fn new(
        mut requests: KeyFrameRequests,
        joined: Notified,
        rtcp: Notifier,
        onvif: Option<Synchronization>,
    ) -> Self {
        requests.begin_session();
        Self { requests, joined, rtcp, offers_rtcp: false, onvif, awaits_answer: false, not_before: None }
    }

    pub(super) fn set_offer(&mut self, offer: Option<KeyFrameRequest>) {
        self.offers_rtcp = offer.is_some();
    }

    /// Waits for the next event. Cancel-safe: dropping the future loses nothing.
    pub(super) async fn next(&self) -> Event {
        let joined = async {
            if !self.joined.changed().await {
                pending::<()>().await;
            }
            Event::ViewerJoined
        };
        let due = async {
            match self.due() {
                Some(due) => Timer::at(due).await,
                None => pending().await,
            };
            Event::Due
        };
        let answer = async {
            match self.onvif.as_ref().filter(|_| self.awaits_answer) {
                Some(onvif) => Event::Answer(onvif.answer().await),
                None => pending().await,
            }
        };
        joined.or(answer).or(due).await
    }

    /// Asks the camera for a key frame. `may_log_in`: it has proved to be the camera in this session.
    /// `None`: it cannot be asked now.
    pub(super) fn ask(&mut self, may_log_in: bool, now: Instant) -> Option<Asked> {
        let asked = match &self.onvif {
            _ if self.offers_rtcp => {
                self.rtcp.notify();
                Asked::Rtcp
            }
            Some(onvif) if may_log_in => {
                onvif.request();
                self.awaits_answer = true;
                Asked::Onvif
            }
            _ => {
                self.not_before = Some(now + RETRY);
                return None;
            }
        };
        self.requests.asked(now);
        Some(asked)
    }

    /// Takes the answer to a request by ONVIF; a camera that refuses is not asked that way again.
    pub(super) fn take_answer(&mut self, answer: Answer) {
        self.awaits_answer = false;
        if matches!(answer, Answer::Refused | Answer::Denied) {
            self.onvif = None;
        }
    }

    fn due(&self) -> Option<Instant> {
        let can_be_asked = self.offers_rtcp || (self.onvif.is_some() && !self.awaits_answer);
        let due = self.requests.due().filter(|_| can_be_asked)?;
        Some(self.not_before.map_or(due, |not_before| not_before.max(due)))
    }
}
