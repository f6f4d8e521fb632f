//! A session with a camera's stream: from opening, over its frames, to its end.
//!
//! The readers share what is here: the agent's own clients (`rtsp` and `http`) and a worker with OpenCV
//! (`opencv`).

mod arrival_clock;
mod client;
mod damaged_mode;
mod http;
mod key_frame_requests;
mod key_frame_source;
mod opencv;
mod publisher;
mod rtsp;

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use smol::{Task, Timer, future::FutureExt};

pub(super) use key_frame_requests::KeyFrameRequests;
pub(super) use rtsp::timeouts;

use super::{
    AttemptOutcome, ResolvedStream, RetryDecision, StreamFailure, SupervisorTask, away, camera_shared::KEPT,
    context::OpeningTurn, offline,
};
use crate::{
    camera::{State, StreamUri, Transport},
    hub::{Cause, Condition},
    media::Size,
    store::Service,
    sync::Latch,
    text::{Code, Reason},
    time::next_beat,
};

/// Longest time between two checks of a running stream; a deadline before that is met exactly.
const TICK: Duration = Duration::from_millis(250);

/// The same while a stream that the agent reads itself is live: only its end is to be noticed.
const LIVE_TICK: Duration = Duration::from_secs(1);

/// Heartbeat deadline of a running session.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// A camera whose first key frame takes longer than this is reported to wait for it; nearly all send
/// one within this time.
const KEY_FRAME_SOON: Duration = Duration::from_secs(2);

/// The longest key-frame interval that cameras offer; "smart" codecs make it longer.
const LONG_INTERVAL: Duration = Duration::from_secs(10);

/// The stream that a session reads.
#[derive(Clone, Copy)]
struct Target<'a> {
    stream: &'a StreamUri,
    found: &'a ResolvedStream,
}

impl Target<'_> {
    /// Whether its host is sent no login, because it is not the camera's.
    fn is_foreign(&self) -> bool {
        self.found.login_for(self.stream).is_none() && !self.found.is_trusted(self.stream)
    }
}

/// What can end a session from outside its reader: the clock, the end of the supervisor, and the
/// camera's answer that a stream from the store is no longer right.
struct Watch<'a> {
    target: Target<'a>,
    stop: Latch,
    clock: Timer,
    confirmation: Option<Task<Result<ResolvedStream, StreamFailure>>>,
    started: Instant,
    /// Limit from the start to the first frame. From then on, the stall detector counts.
    open_within: Duration,
}

impl SupervisorTask {
    /// Reads `stream` until it ends. Gives `turn` back once frames arrive.
    pub(super) async fn run_session(
        &mut self,
        stream: &StreamUri,
        found: &ResolvedStream,
        turn: &mut Option<OpeningTurn>,
    ) -> AttemptOutcome {
        let target = Target { stream, found };
        match () {
            () if found.snapshots.is_some() => self.run_http(target, turn).await,
            () if self.by_worker || stream.needs_opencv() => {
                self.by_worker = true;
                self.run_worker(target, turn).await
            }
            () if stream.is_http() => self.run_http(target, turn).await,
            () => self.run_client(target, turn).await,
        }
    }

    /// Reports the end of a session: viewers see the failure before the camera is sent TEARDOWN. They
    /// also see the reaction, unless another address of the same stream is tried first.
    fn report_end(&self, outcome: &AttemptOutcome, Target { stream, found }: Target, turn: Option<&OpeningTurn>) {
        match outcome {
            AttemptOutcome::Failed(failure) => {
                let is_next = turn.is_some() && failure.refusals == 0 && found.streams.last() != Some(stream);
                let plan = RetryDecision::new(failure, &mut self.backoff.clone(), self.random);
                let why = if is_next { failure.reason.clone() } else { plan.why };
                self.stream.report(failure.state, why, failure.at);
            }
            AttemptOutcome::Unneeded => self.idle(),
            AttemptOutcome::Stopped => {}
        }
    }

    /// What is due at `now`, as the clock of a session sees it. Returns the time of the next check.
    fn check_session(
        &mut self,
        started: Instant,
        open_within: Duration,
        now: Instant,
    ) -> Result<Instant, AttemptOutcome> {
        self.stream.set_heartbeat_deadline(now + HEARTBEAT);
        let due = self.stream.due();
        if due.is_none() && now >= started + open_within {
            return Err(offline(Code::OpenTimeout.with("seconds", open_within.as_secs())).into());
        }
        if let Some(Condition { state, why }) = self.stream.overdue(now) {
            return Err(StreamFailure { state, ..away(Cause::Stalled, why) }.into());
        }
        if let Some(waited) = self.stream.waits_for_key_frame(now).filter(|waited| *waited >= KEY_FRAME_SOON) {
            let mut why = Reason::from(Code::WaitingForKeyFrame.with("seconds", waited.as_secs()));
            if waited >= LONG_INTERVAL {
                why = why.and(Code::SwitchOffSmartCodec);
            }
            let condition = Condition { state: State::Connecting, why };
            if self.stream.condition() != condition {
                self.stream.report(condition.state, condition.why, now);
            }
        }
        if self.is_needed(now) {
            self.unneeded = None;
        } else if now.saturating_duration_since(*self.unneeded.get_or_insert(now)) >= KEPT {
            return Err(AttemptOutcome::Unneeded);
        }
        let is_settled = !self.by_worker && self.stream.is_live();
        Ok(next_check(now, due, is_settled))
    }

    /// The stream became live by `transport`. `is_unconfirmed`: it comes from the store, and the camera
    /// has not yet said that it is right.
    fn went_live(
        &mut self,
        Target { stream, found }: Target,
        transport: Option<Transport>,
        is_unconfirmed: bool,
        now: Instant,
    ) {
        self.backoff.live(now);
        if let Some(failure) = &found.instead_of_stream {
            self.snapshot_rounds = self.snapshot_rounds.saturating_add(1);
            self.stream.note_failure(failure.cause, Some(failure.reason.clone()), failure.at);
            // The next attempt is one at the stream.
            (self.current, self.last_live) = (None, None);
            self.announce(stream, found);
            self.stream.found_at(found.shown_place());
            return self.learn_stream_key(found);
        }
        self.snapshot_rounds = 0;
        let found = &ResolvedStream { transport: transport.or(found.transport), ..found.clone() };
        self.current =
            Some(ResolvedStream { streams: vec![stream.clone()], is_remembered: is_unconfirmed, ..found.clone() });
        // If the stream ends, it is tried there again if ONVIF is then silent or gives invalid
        // answers.
        (self.last_live, self.try_cached_first) = (self.current.clone(), true);
        self.announce(stream, found);
        self.learn_stream_key(found);
        self.remember(stream, found);
    }

    /// The stream is live over TLS: its key is the camera's.
    fn learn_stream_key(&self, found: &ResolvedStream) {
        if let Some(seen) = found.stream_key.seen() {
            let locator = self.locator();
            // Detached: it ends when the file is on disk.
            let learn = async move { locator.learn_key(Service::Stream, seen.key).await };
            self.context.executor.spawn(learn).detach();
        }
    }

    /// Handles the camera's answer about the cached `stream` that is shown. An error ends the
    /// stream: the camera no longer has it, or gives another one, which is opened next.
    fn take_confirmation(
        &mut self,
        confirmation_result: Result<ResolvedStream, StreamFailure>,
        stream: &StreamUri,
    ) -> Result<(), StreamFailure> {
        let outcome = match confirmation_result {
            Ok(found) if found.streams.contains(stream) => {
                let mut found = ResolvedStream { streams: vec![stream.clone()], ..found };
                if let Some(current) = &self.current {
                    found.transport = current.transport;
                    self.remember(stream, &found);
                    (self.current, self.last_live) = (Some(found.clone()), Some(found));
                }
                return Ok(());
            }
            Ok(found) => {
                self.shared.tell(self.role, found);
                let changed = [Code::StreamChanged, Code::OpeningNamedStream];
                StreamFailure { denies_memory: true, ..away(Cause::Changed, changed) }
            }
            Err(failure) => failure,
        };
        (self.current, self.last_live, self.try_cached_first) = (None, None, false);
        Err(outcome)
    }

    fn announce(&self, stream: &StreamUri, found: &ResolvedStream) {
        let Some(info) = self.stream.info() else { return };
        let profile = found.place.profile.as_ref().map_or(String::new(), |token| format!(", profile {token:?}"));
        let rate = if info.fps > 0.0 { format!(" at {} fps", info.fps) } else { String::new() };
        let shown = match info.display_size() {
            same if same == info.size => String::new(),
            Size { width, height } => format!(", shown as {width}x{height}"),
        };
        log::info!(
            "{}: live, {}x{} {}{rate}{shown}, from {stream}{profile}",
            self.label,
            info.size.width,
            info.size.height,
            info.codec.as_str(),
        );
    }
}

impl<'a> Watch<'a> {
    fn new(task: &SupervisorTask, target: Target<'a>, started: Instant, open_within: Duration) -> Self {
        let confirm = || task.context.executor.spawn(Box::pin(task.locator().confirm()));
        Self {
            target,
            stop: task.stop.clone(),
            clock: Timer::at(started),
            confirmation: target.found.is_remembered.then(confirm),
            started,
            open_within,
        }
    }

    /// Whether the stream comes from the store and is not confirmed yet.
    fn is_unconfirmed(&self) -> bool {
        self.confirmation.is_some()
    }

    /// The result of `work`, or how the session of `task` ends before there is one.
    async fn next<T>(&mut self, task: &mut SupervisorTask, work: impl Future<Output = T>) -> Result<T, AttemptOutcome> {
        enum Event<T> {
            Stop,
            Tick,
            Confirmed(Box<Result<ResolvedStream, StreamFailure>>),
            Work(T),
        }
        let mut work = pin!(work);
        loop {
            let Self { stop, clock, confirmation, .. } = self;
            let stopped = async {
                stop.wait().await;
                Event::Stop
            };
            let tick = async {
                clock.await;
                Event::Tick
            };
            let confirmed = async {
                match confirmation {
                    Some(task) => Event::Confirmed(Box::new(task.await)),
                    None => std::future::pending().await,
                }
            };
            let worked = async { Event::Work(work.as_mut().await) };
            // The clock is polled first, so that a flood of frames cannot starve it.
            match stopped.or(tick).or(confirmed).or(worked).await {
                Event::Stop => return Err(AttemptOutcome::Stopped),
                Event::Tick => {
                    let next = task.check_session(self.started, self.open_within, Instant::now())?;
                    self.clock.set_at(next);
                }
                Event::Confirmed(result) => {
                    self.confirmation = None;
                    task.take_confirmation(*result, self.target.stream)?;
                }
                Event::Work(result) => return Ok(result),
            }
        }
    }
}

/// When a running stream is checked next. `due`: something may be overdue then. `is_settled`: it is live
/// and read by the agent itself.
fn next_check(now: Instant, due: Option<Instant>, is_settled: bool) -> Instant {
    // The checks of all cameras come together, so they wake the agent once.
    let beat = next_beat(now, if is_settled { LIVE_TICK } else { TICK });
    due.map_or(beat, |due| due.min(beat))
}

/// The failure of a host that wants a login and may not be sent one, so it refused none.
fn foreign_host(stream: &StreamUri) -> StreamFailure {
    let foreign = Code::ForeignStreamHost.with("host", stream.host());
    let allow = Code::AllowStreamHost.quoted("host", stream.host());
    away(Cause::Refused, [foreign, Code::ForeignHostLogin.into(), allow])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cameras_are_checked_together_and_a_deadline_is_met_exactly() {
        let start = Instant::now();
        let check = next_check(start, None, true);
        assert!(start < check && check <= start + LIVE_TICK);
        // Another camera's check, at another moment.
        assert_eq!(next_check(check - LIVE_TICK / 7, None, true), check);
        let soon = start + Duration::from_nanos(1);
        assert_eq!(next_check(start, Some(soon), true), soon);
        assert_eq!(next_check(start, Some(check + LIVE_TICK), true), check);
        assert!(next_check(start, None, false) <= start + TICK, "a stream that opens is looked at more often");
        assert!((0..8).any(|part| next_check(start + part * TICK / 2, None, true) > start + part * TICK / 2 + TICK));
    }
}
