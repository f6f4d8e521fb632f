//! Staying with one worker: from its start over its messages to its end.

use std::time::{Duration, Instant};

use smol::{Timer, future::FutureExt, lock::SemaphoreGuardArc};

use super::{Ended, Found, Keeping, Trouble, offline};
use crate::{
    camera::{State, StreamUri},
    capture::{self, Worker},
    log::chain,
    wire::{FailureKind, FromWorker, Open},
};

/// How often a running stream is checked against its stall clock.
const TICK: Duration = Duration::from_millis(250);

/// How often a worker's processor time and memory are read.
const TICKS_PER_VITALS: u32 = 8;

/// From the start of a worker to its first word about the stream: its own deadline for opening is
/// 3 s, the process needs some time to start on a busy machine.
const OPENING: Duration = Duration::from_secs(10);

/// From there to the first key frame. Cameras send one every 1 to 10 s.
const FIRST_KEY_FRAME: Duration = Duration::from_secs(15);

impl Keeping {
    /// Runs one worker on `stream` until it ends. Gives `turn` back once frames arrive.
    pub(super) async fn stay_with(
        &mut self,
        stream: &StreamUri,
        found: &Found,
        turn: &mut Option<SemaphoreGuardArc>,
    ) -> Ended {
        let started = Instant::now();
        let open = Open {
            uri: stream.with_credentials(found.credentials.as_ref()),
            transport: self.origin.transport,
            first_sequence: self.lane.begin_worker(started),
            default_quality: self.lane.tuning().quality,
        };
        let mut worker = match Worker::start(&self.crew.program, self.lane.id(), open).await {
            Ok(worker) => worker,
            Err(error) => return offline(chain(&error)).into(),
        };
        let ended = self.watch(&mut worker, stream, found, turn, started).await;
        if let Ended::Trouble(trouble) = &ended {
            // The truth first: viewers see it before the worker gets its second for the farewell.
            self.lane.report(trouble.state, trouble.text.clone(), Instant::now());
        }
        worker.end().await;
        self.lane.end_worker();
        ended
    }

    async fn watch(
        &mut self,
        worker: &mut Worker,
        stream: &StreamUri,
        found: &Found,
        turn: &mut Option<SemaphoreGuardArc>,
        started: Instant,
    ) -> Ended {
        enum Event {
            Message(Result<FromWorker, capture::Error>),
            Demand,
            Tick,
            Stop,
        }
        let demand = self.lane.demand_changes();
        let stop = self.stop.clone();
        let mut ticks = Timer::interval(TICK);
        let mut tick_count = 0_u32;
        // Until the first word about the stream, then until the first key frame, then never.
        let mut deadline = Some((started + OPENING, "the stream did not open"));
        if let Err(error) = worker.want(self.lane.demand()).await {
            return from_worker(&error).into();
        }
        loop {
            let stopped = async {
                let _ = stop.recv().await;
                Event::Stop
            };
            let tick = async {
                (&mut ticks).await;
                Event::Tick
            };
            let demanded = async {
                let _ = demand.recv().await;
                Event::Demand
            };
            let message = async { Event::Message(worker.next().await) };
            // A flood of messages must not starve the clock, so the clock is asked first.
            match stopped.or(tick).or(demanded).or(message).await {
                Event::Stop => return Ended::Stopped,
                Event::Tick => {
                    let now = Instant::now();
                    self.lane.promise(now + OPENING);
                    tick_count = tick_count.wrapping_add(1);
                    if tick_count % TICKS_PER_VITALS == 1
                        && let Some(vitals) = worker.vitals()
                    {
                        self.lane.set_vitals(vitals);
                    }
                    if let Some((_, what)) = deadline.filter(|(at, _)| now >= *at) {
                        return offline(format!("{what} within {:.0} s", (now - started).as_secs_f64())).into();
                    }
                    if let Some(text) = self.lane.overdue(now) {
                        return Trouble { state: State::Stalled, text, refusals: 0 }.into();
                    }
                }
                Event::Demand => {
                    if let Err(error) = worker.want(self.lane.demand()).await {
                        return from_worker(&error).into();
                    }
                }
                Event::Message(Err(error)) => return from_worker(&error).into(),
                Event::Message(Ok(FromWorker::Stream(info))) => {
                    if turn.is_some() {
                        deadline =
                            Some((Instant::now() + FIRST_KEY_FRAME, "the stream is open, but no key frame came"));
                    }
                    self.lane.describe_stream(info);
                }
                Event::Message(Ok(FromWorker::Unit(unit))) => {
                    let now = Instant::now();
                    if self.lane.publish_unit(&unit, now) {
                        deadline = None;
                        *turn = None;
                        self.pauses.live(now);
                        self.announce(stream, found);
                        self.remember(stream, found);
                    }
                }
                Event::Message(Ok(FromWorker::Picture(picture))) => {
                    self.lane.publish_picture(picture, Instant::now());
                }
                Event::Message(Ok(FromWorker::Decoding(decoding))) => self.lane.set_decoding(decoding),
                // `Worker::next` gives it as an error.
                Event::Message(Ok(FromWorker::Failed(failure))) => {
                    return from_worker(&capture::Error::GaveUp(failure)).into();
                }
            }
        }
    }

    fn announce(&self, stream: &StreamUri, found: &Found) {
        let Some(info) = self.lane.stream() else { return };
        let profile = found.place.profile.as_ref().map_or(String::new(), |token| format!(", profile {token:?}"));
        let rate = if info.fps > 0.0 { format!(" at {} fps", info.fps) } else { String::new() };
        log::info!(
            "{}: live, {}x{} {}{rate}, from {stream}{profile}",
            self.lane.id(),
            info.size.width,
            info.size.height,
            info.codec.word(),
        );
    }
}

fn from_worker(error: &capture::Error) -> Trouble {
    match error {
        capture::Error::GaveUp(failure) if failure.kind == FailureKind::Denied => {
            let text = format!("{}; check username and password", failure.text);
            Trouble { state: State::Denied, text, refusals: 1 }
        }
        error => offline(chain(error)),
    }
}
