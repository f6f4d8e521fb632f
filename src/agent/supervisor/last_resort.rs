//! Snapshots of a camera whose stream cannot be opened: the address of a JPEG that it names by ONVIF.

use std::time::{Duration, Instant};

use super::{
    AttemptOutcome, ResolvedStream, StreamFailure, StreamRole, SupervisorTask, context::OpeningTurn, identify::Peer,
    locator::Locator,
};
use crate::{
    camera::{Source, State, StreamUri},
    onvif,
    store::CameraRecord,
    text::{Code, Reason},
    time::timeout,
};

/// Failed attempts at the stream before the one after which snapshots are shown.
const FAILURES: u32 = 1;

const FIRST_STAND_IN: Duration = Duration::from_secs(60);
const LONGEST_STAND_IN: Duration = Duration::from_secs(15 * 60);

/// Limit for the camera's answer, with the beginning of the conversation.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

impl SupervisorTask {
    /// Shows snapshots until they end, if the stream at `found` has failed again; else `failure` is the outcome. Only
    /// of the main stream: it stands in for a small one that is away, with its snapshots if need be.
    pub(super) async fn last_resort(
        &mut self,
        failure: StreamFailure,
        found: &ResolvedStream,
        turn: &mut Option<OpeningTurn>,
    ) -> AttemptOutcome {
        let has_failed_before = self.snapshot_rounds > 0 || self.backoff.failures() >= FAILURES;
        let is_camera = matches!(self.stream_source.source, Source::Onvif { .. }) && self.role == StreamRole::Main;
        if !has_failed_before || !is_camera || self.falls_back || failure.state == State::Denied {
            return failure.into();
        }
        // Others open theirs while the camera takes its time to answer.
        *turn = None;
        // Boxed: its state is large, and needed for a moment only.
        let asked = Box::pin(self.locator().snapshot_uri(found.record.clone()));
        let uri = match self.stop.unless_set(timeout(ANSWER_TIMEOUT, asked)).await {
            None => return AttemptOutcome::Stopped,
            Some(Some(Some(uri))) => uri,
            Some(_) => return failure.into(),
        };
        let next_turn = self.context.opening_turn(self.shared.recorder.as_deref());
        *turn = self.stop.unless_set(next_turn).await;
        if turn.is_none() {
            return AttemptOutcome::Stopped;
        }
        log::info!("{}: the stream cannot be opened: {}; trying snapshots from {uri}", self.label, failure.reason);
        let most = self.stream.options().stall_after / 2;
        let snapshots = ResolvedStream {
            streams: vec![uri.clone()],
            // It is that of the stream.
            record: None,
            transport: None,
            is_remembered: false,
            snapshots: Some(self.stream_source.snapshot_every.min(most)),
            instead_of_stream: Some(failure.clone()),
            ..found.clone()
        };
        match self.run_session(&uri, &snapshots, turn).await {
            // No picture has come. What is wrong is the stream, unless the camera counts logins.
            AttemptOutcome::Failed(other) if turn.is_some() && other.refusals == 0 => {
                log::info!("{}: no snapshot either: {}", self.label, other.reason);
                StreamFailure { at: Instant::now(), ..failure }.into()
            }
            outcome => outcome,
        }
    }
}

impl Locator {
    /// The address of a JPEG of this stream, after the device has proved to be the camera. `record`: as for
    /// [`profile_place`](Self::profile_place).
    async fn snapshot_uri(self, record: Option<CameraRecord>) -> Option<StreamUri> {
        let (place, token, record) = self.profile_place(record).await?;
        if !matches!(self.identify(&place, Some(&record), false).await, Peer::Camera) {
            return None;
        }
        let target = place.target(self.stream_source.credentials.clone());
        let hint = record.authentication.as_deref().and_then(|name| name.parse().ok());
        match onvif::snapshot_uri(&target, hint, &token, onvif::Limits::default()).await {
            Ok(uri) => uri,
            Err(error) => {
                log::info!("{}: no address of a snapshot: {}", self.label, error.reason());
                None
            }
        }
    }
}

/// How long snapshots stand in for a stream before it is tried again, after they have been shown `rounds` times. A
/// camera that has only just been switched on is not kept from its stream for long, and one that has none is
/// disturbed seldom.
pub(super) fn stand_in_time(rounds: u32) -> Duration {
    FIRST_STAND_IN.saturating_mul(2_u32.saturating_pow(rounds)).min(LONGEST_STAND_IN)
}

/// What viewers read while snapshots are shown because the stream failed with `failure`.
pub(super) fn reason(every: Duration, failure: &StreamFailure) -> Reason {
    Reason::from(Code::Snapshots.with("seconds", every.as_secs_f64())).and(failure.reason.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_is_tried_again_soon_and_then_more_and_more_seldom() {
        let minutes = [0, 1, 2, 3, 4, 5, u32::MAX].map(|rounds| stand_in_time(rounds).as_secs() / 60);
        assert_eq!(minutes, [1, 2, 4, 8, 15, 15, 15]);
    }
}
