//! The session with one worker: from its start, over its messages, to its end.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use smol::{Timer, future::FutureExt, lock::SemaphoreGuardArc};

use super::{
    AttemptOutcome, ResolvedStream, RetryDecision, StreamFailure, SupervisorTask, away, camera_shared::KEPT, offline,
};
use crate::{
    camera::{State, StreamUri, Transport},
    hub::{Cause, Condition},
    ipc::{FailureKind, FromWorker, Open},
    media::Size,
    text::Code,
    worker_host::{self, Worker},
};

/// Longest time between two checks of a running stream; a deadline before that is met exactly.
const TICK: Duration = Duration::from_millis(250);

/// How often a worker's processor time and memory are read.
const VITALS: Duration = Duration::from_secs(2);

/// Limit from the start of a worker to its first frame. The worker's own limit for opening is 3 s;
/// a slow machine needs time to load 244 libraries. From the first frame on, the stall detector
/// counts.
const OPENING: Duration = Duration::from_secs(30);

impl SupervisorTask {
    /// Runs one worker on `stream` until it ends. Gives `turn` back once frames arrive.
    pub(super) async fn run_session(
        &mut self,
        stream: &StreamUri,
        found: &ResolvedStream,
        turn: &mut Option<SemaphoreGuardArc>,
    ) -> AttemptOutcome {
        if let Err(reason) = self.context.budget.admit() {
            return away(Cause::Memory, reason).into();
        }
        let started = Instant::now();
        let open = Open {
            uri: stream.with_credentials(found.login_for(stream)),
            transport: self.stream_source.transport.or(stream.transport()).unwrap_or(Transport::Tcp),
            first_sequence: self.stream.begin_worker(started),
            default_quality: self.stream.options().quality,
            // The worker notices silence when the stall detector does, so its reading thread is
            // free for TEARDOWN when it is asked to end.
            read_limit: self.stream.options().stall_after,
            most_memory: self.context.worker_memory.load(Ordering::Relaxed),
        };
        let mut worker = match Worker::start(&self.context.spawner, self.stream.id(), open).await {
            Ok(worker) => worker,
            Err(error) => return away(Cause::Worker, error.reason()).into(),
        };
        let mut outcome = self.watch(&mut worker, stream, found, turn, started).await;
        if let AttemptOutcome::Failed(failure) = &outcome {
            // Viewers see the failure before the worker gets its second to close. They also see the
            // reaction, unless another address of the same stream is tried first.
            let is_next = turn.is_some() && failure.refusals == 0 && found.streams.last() != Some(stream);
            let plan = RetryDecision::new(failure, &mut self.backoff.clone(), self.random);
            let why = if is_next { failure.reason.clone() } else { plan.why };
            self.stream.report(failure.state, why, failure.at);
        } else if matches!(outcome, AttemptOutcome::Unneeded) {
            self.idle();
        }
        let stopped = matches!(outcome, AttemptOutcome::Stopped | AttemptOutcome::Unneeded);
        let went = worker.end(if stopped { worker_host::LONG_CLOSE_TIMEOUT } else { worker_host::CLOSE_TIMEOUT }).await;
        self.stream.end_worker();
        self.context.budget.forget(&self.label);
        if let AttemptOutcome::Failed(failure) = &mut outcome
            && !went
            && !failure.crash
        {
            failure.reason = std::mem::take(&mut failure.reason).and(Code::WorkerHung);
            failure.crash = true;
        }
        outcome
    }

    async fn watch(
        &mut self,
        worker: &mut Worker,
        stream: &StreamUri,
        found: &ResolvedStream,
        turn: &mut Option<SemaphoreGuardArc>,
        started: Instant,
    ) -> AttemptOutcome {
        enum Event {
            Message(Result<FromWorker, worker_host::Error>),
            Confirmed(Box<Result<ResolvedStream, StreamFailure>>),
            Demand,
            Tick,
            Stop,
        }
        let mut confirmation =
            found.is_remembered.then(|| self.context.executor.spawn(Box::pin(self.locator().confirm())));
        let demand = self.stream.demand_changes();
        let stop = self.stop.clone();
        let mut clock = Timer::at(started);
        let mut vitals_due = started + TICK;
        if let Err(error) = worker.want(self.stream.demand()).await {
            return self.failure_with(&error, stream, found).into();
        }
        loop {
            let stopped = async {
                stop.wait().await;
                Event::Stop
            };
            let tick = async {
                (&mut clock).await;
                Event::Tick
            };
            let demanded = async {
                let _ = demand.changed().await;
                Event::Demand
            };
            let message = async { Event::Message(worker.next().await) };
            let confirmed = async {
                match &mut confirmation {
                    Some(task) => Event::Confirmed(Box::new(task.await)),
                    None => std::future::pending().await,
                }
            };
            // The clock is polled first, so that a flood of messages cannot starve it.
            match stopped.or(tick).or(confirmed).or(demanded).or(message).await {
                Event::Stop => return AttemptOutcome::Stopped,
                Event::Tick => {
                    let now = Instant::now();
                    self.stream.set_heartbeat_deadline(now + OPENING);
                    if now >= vitals_due
                        && let Some(vitals) = worker.vitals()
                    {
                        vitals_due = now + VITALS;
                        self.stream.set_vitals(vitals, now);
                        if let Err(error) = worker.check_memory(&vitals) {
                            return self.failure_with(&error, stream, found).into();
                        }
                        if let Err(reason) = self.context.budget.report(&self.label, vitals.own) {
                            return away(Cause::Memory, reason).into();
                        }
                    }
                    // From the first frame on, the stall detector is responsible.
                    let due = self.stream.due();
                    if due.is_none() && now >= started + OPENING {
                        return offline(Code::OpenTimeout.with("seconds", OPENING.as_secs())).into();
                    }
                    if let Some(Condition { state, why }) = self.stream.overdue(now) {
                        return StreamFailure { state, ..away(Cause::Stalled, why) }.into();
                    }
                    if self.is_needed(now) {
                        self.unneeded = None;
                    } else if now.saturating_duration_since(*self.unneeded.get_or_insert(now)) >= KEPT {
                        return AttemptOutcome::Unneeded;
                    }
                    clock.set_at(due.map_or(now + TICK, |due| due.min(now + TICK)));
                }
                Event::Demand => {
                    if let Err(error) = worker.want(self.stream.demand()).await {
                        return self.failure_with(&error, stream, found).into();
                    }
                }
                Event::Confirmed(confirmation_result) => {
                    confirmation = None;
                    if let Err(failure) = self.take_confirmation(*confirmation_result, stream) {
                        return failure.into();
                    }
                }
                Event::Message(Err(error)) => return self.failure_with(&error, stream, found).into(),
                Event::Message(Ok(FromWorker::Stream(info))) => self.stream.set_stream_info(info),
                Event::Message(Ok(FromWorker::Unit(unit))) => {
                    let now = Instant::now();
                    *turn = None;
                    if self.stream.publish_unit(&unit, now) {
                        self.backoff.live(now);
                        self.current = Some(ResolvedStream {
                            streams: vec![stream.clone()],
                            is_remembered: confirmation.is_some(),
                            ..found.clone()
                        });
                        // If the stream ends, it is tried there again if ONVIF is then silent or
                        // gives invalid answers.
                        (self.last_live, self.try_cached_first) = (self.current.clone(), true);
                        self.announce(stream, found);
                        self.remember(stream, found);
                    }
                }
                Event::Message(Ok(FromWorker::Picture(picture))) => {
                    self.stream.publish_picture(picture, Instant::now());
                }
                Event::Message(Ok(FromWorker::Decoding(decoding))) => self.stream.set_decoding(decoding),
                // `Worker::next` returns the picture itself.
                Event::Message(Ok(FromWorker::UnitAsPicture(_))) => {}
                // `Worker::next` returns it as an error.
                Event::Message(Ok(FromWorker::Failed(failure))) => {
                    return self.failure_with(&worker_host::Error::GaveUp(failure), stream, found).into();
                }
            }
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
                let found = ResolvedStream { streams: vec![stream.clone()], ..found };
                if self.current.is_some() {
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

    fn failure_with(&self, error: &worker_host::Error, stream: &StreamUri, found: &ResolvedStream) -> StreamFailure {
        use worker_host::Error;
        let failure = away(cause(error), error.reason());
        match error {
            Error::GaveUp(given_up) => match given_up.kind {
                // No login was sent, so none was refused.
                FailureKind::Denied if found.login_for(stream).is_none() && !found.is_trusted(stream) => {
                    let foreign = Code::ForeignStreamHost.with("host", stream.host());
                    let allow = Code::AllowStreamHost.quoted("host", stream.host());
                    away(Cause::Refused, [foreign, Code::ForeignHostLogin.into(), allow])
                }
                FailureKind::Denied => StreamFailure { state: State::Denied, refusals: 1, ..failure },
                FailureKind::Silent if self.stream.condition().state == State::Live => {
                    StreamFailure { state: State::Stalled, ..failure }
                }
                FailureKind::Internal => StreamFailure { crash: true, ..failure },
                FailureKind::Unreachable | FailureKind::NoVideo | FailureKind::Ended | FailureKind::Silent => failure,
            },
            // No process could be started: later may be better than at once.
            Error::Start(_) | Error::Missing { .. } => failure,
            Error::Died { .. }
            | Error::Ipc(_)
            | Error::Protocol(_)
            | Error::Unresponsive
            | Error::MemoryLimit { .. } => StreamFailure { crash: true, ..failure },
        }
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

fn cause(error: &worker_host::Error) -> Cause {
    use worker_host::Error;
    match error {
        Error::GaveUp(failure) => match failure.kind {
            FailureKind::Unreachable => Cause::Unreachable,
            FailureKind::Denied => Cause::Denied,
            FailureKind::NoVideo => Cause::NoVideo,
            FailureKind::Ended => Cause::Ended,
            FailureKind::Silent => Cause::Stalled,
            FailureKind::Internal => Cause::Worker,
        },
        Error::MemoryLimit { .. } => Cause::Memory,
        Error::Start(_)
        | Error::Missing { .. }
        | Error::Died { .. }
        | Error::Ipc(_)
        | Error::Protocol(_)
        | Error::Unresponsive => Cause::Worker,
    }
}
