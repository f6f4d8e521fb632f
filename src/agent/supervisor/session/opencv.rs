//! A session whose reader is a worker with OpenCV: it reads the stream and makes its pictures.

use std::{
    net::IpAddr,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use smol::{Timer, future::FutureExt};

use super::{Target, Watch, foreign_host};
use crate::{
    agent::supervisor::{
        AttemptOutcome, StreamFailure, SupervisorTask, away,
        context::{OpeningTurn, VITALS},
    },
    camera::{State, StreamUri, Transport},
    hub::Cause,
    ipc::{FailureKind, FromWorker, Open},
    text::Code,
    time::timeout,
    worker_host::{self, Worker},
};

/// The first time, soon after its start.
const FIRST_VITALS: Duration = Duration::from_millis(250);

/// Limit from the start of a worker to its first frame. The worker's own limit for opening is 3 s;
/// a slow machine needs time to load 244 libraries.
const OPENING: Duration = Duration::from_secs(30);

/// Limit of a lookup; then the reader says that it does not find the name.
const LOOKUP: Duration = Duration::from_secs(5);

/// `stream` as the reader can open it: its sandbox does not let it ask the process that looks up names of
/// the local network. Other names stay, because servers go by them.
async fn for_reader(stream: &StreamUri) -> StreamUri {
    if !stream.is_mdns() {
        return stream.clone();
    }
    let addresses = timeout(LOOKUP, smol::net::resolve((stream.host(), 0))).await;
    let mut addresses = addresses.and_then(Result::ok).into_iter().flatten().map(|address| address.ip());
    // A link-local address needs the interface too.
    let usable = addresses.find(|ip| match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    });
    usable.map_or_else(|| stream.clone(), |ip| stream.at(ip))
}

impl SupervisorTask {
    /// Runs one worker on the stream until it ends. Gives `turn` back once frames arrive.
    pub(super) async fn run_worker(&mut self, target: Target<'_>, turn: &mut Option<OpeningTurn>) -> AttemptOutcome {
        let Target { stream, found } = target;
        if let Err(reason) = self.context.budget.admit() {
            return away(Cause::Memory, reason).into();
        }
        let resolved = for_reader(stream).await;
        let started = Instant::now();
        let open = Open {
            uri: resolved.with_credentials(found.login_for(stream)),
            transport: self.stream_source.transport.or(stream.transport()).unwrap_or(Transport::Tcp),
            first_sequence: self.stream.begin_worker(started),
            default_quality: self.stream.options().quality,
            // The worker notices silence when the stall detector does, so its reading thread is
            // free for TEARDOWN when it is asked to end.
            read_limit: self.stream.options().stall_after,
            most_memory: self.context.worker_memory.load(Ordering::Relaxed),
            group_memory: self.stream.group_limit() as u64,
            sandbox: self.context.sandbox(),
        };
        if stream.is_hls() {
            self.stream.set_live_reason(Code::InPieces.into());
        }
        let mut worker = match Worker::start(&self.context.spawner, self.stream.id(), open).await {
            Ok(worker) => worker,
            Err(error) => return self.worker_failure(&error, target).into(),
        };
        let mut outcome = self.watch_worker(&mut worker, target, turn, started).await;
        self.report_end(&outcome, target, turn.as_ref());
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

    async fn watch_worker(
        &mut self,
        worker: &mut Worker,
        target: Target<'_>,
        turn: &mut Option<OpeningTurn>,
        started: Instant,
    ) -> AttemptOutcome {
        enum Event {
            Message(Result<FromWorker, worker_host::Error>),
            Demand,
            Vitals,
        }
        let mut watch = Watch::new(self, target, started, OPENING);
        let demand = self.stream.demand_changes();
        let mut vitals_timer = Timer::after(FIRST_VITALS);
        if let Err(error) = worker.want(self.stream.demand()).await {
            return self.worker_failure(&error, target).into();
        }
        loop {
            let vitals = async {
                (&mut vitals_timer).await;
                Event::Vitals
            };
            let demanded = async {
                let _ = demand.changed().await;
                Event::Demand
            };
            let message = async { Event::Message(worker.next().await) };
            match watch.next(self, vitals.or(demanded).or(message)).await {
                Err(outcome) => return outcome,
                Ok(Event::Vitals) => {
                    vitals_timer.set_after(VITALS);
                    // A worker that is short of processor time makes those of others seldom.
                    let _ = self.stream.withdraw_late_renditions(Instant::now());
                    if let Err(failure) = self.check_worker(worker, target) {
                        return failure.into();
                    }
                }
                Ok(Event::Demand) => {
                    if let Err(error) = worker.want(self.stream.demand()).await {
                        return self.worker_failure(&error, target).into();
                    }
                }
                Ok(Event::Message(Err(error))) => return self.worker_failure(&error, target).into(),
                Ok(Event::Message(Ok(FromWorker::Sandbox(sandbox)))) => self.stream.set_sandbox(sandbox),
                Ok(Event::Message(Ok(FromWorker::Stream(info)))) => self.stream.set_stream_info(info),
                Ok(Event::Message(Ok(FromWorker::Unit(unit)))) => {
                    let now = Instant::now();
                    *turn = None;
                    if self.stream.publish_unit(&unit, now) {
                        self.went_live(target, None, watch.is_unconfirmed(), now);
                    }
                }
                Ok(Event::Message(Ok(FromWorker::Picture(picture)))) => {
                    self.stream.publish_picture(picture, Instant::now());
                }
                Ok(Event::Message(Ok(FromWorker::Decoding(decoding)))) => self.stream.set_decoding(decoding),
                // Its pictures belong to the session, which ends if they are overdue, whatever the cause.
                Ok(Event::Message(Ok(FromWorker::Progress(_)))) => {}
                // `Worker::next` returns the picture itself.
                Ok(Event::Message(Ok(FromWorker::UnitAsPicture(_)))) => {}
                // `Worker::next` returns it as an error.
                Ok(Event::Message(Ok(FromWorker::Failed(failure)))) => {
                    return self.worker_failure(&worker_host::Error::GaveUp(failure), target).into();
                }
            }
        }
    }

    /// Reads what the worker uses, and checks that it may.
    fn check_worker(&self, worker: &Worker, target: Target) -> Result<(), StreamFailure> {
        let Some(vitals) = worker.vitals() else { return Ok(()) };
        self.stream.set_vitals(vitals, Instant::now());
        worker.check_memory(&vitals).map_err(|error| self.worker_failure(&error, target))?;
        self.context.budget.report(&self.label, vitals.own).map_err(|reason| away(Cause::Memory, reason))
    }

    fn worker_failure(&self, error: &worker_host::Error, target: Target) -> StreamFailure {
        use worker_host::Error;
        let failure = away(cause(error), error.reason());
        match error {
            Error::GaveUp(given_up) => match given_up.kind {
                FailureKind::Denied if target.is_foreign() => foreign_host(target.stream),
                FailureKind::Denied => StreamFailure { state: State::Denied, refusals: 1, ..failure },
                FailureKind::Silent if self.stream.condition().state == State::Live => {
                    StreamFailure { state: State::Stalled, ..failure }
                }
                FailureKind::Internal => StreamFailure { crash: true, ..failure },
                // The next one would have no more of it.
                FailureKind::Sandbox
                | FailureKind::Unreachable
                | FailureKind::NoVideo
                | FailureKind::Ended
                | FailureKind::Silent => failure,
            },
            // No such process could be started: later may be better than at once.
            Error::Start(_) | Error::Missing { .. } | Error::OtherVersion => failure,
            Error::Died { .. }
            | Error::Ipc(_)
            | Error::Protocol(_)
            | Error::Unresponsive
            | Error::MemoryLimit { .. } => StreamFailure { crash: true, ..failure },
        }
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
            FailureKind::Internal | FailureKind::Sandbox => Cause::Worker,
        },
        Error::MemoryLimit { .. } => Cause::Memory,
        Error::Start(_)
        | Error::Missing { .. }
        | Error::OtherVersion
        | Error::Died { .. }
        | Error::Ipc(_)
        | Error::Protocol(_)
        | Error::Unresponsive => Cause::Worker,
    }
}
