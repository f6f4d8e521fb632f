//! The task that owns one camera for ever: resolve it, run a worker, learn how it ended, pause, again.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use smol::{
    Executor, Task, Timer,
    channel::{Receiver, Sender, bounded},
    future::FutureExt,
    lock::{Semaphore, SemaphoreGuardArc},
};

use super::pause::{FINAL_REFUSAL, Pauses};
use crate::{
    camera::{Credentials, Origin, Source, State, StreamUri},
    capture::{self, Worker},
    hub::Lane,
    log::chain,
    onvif,
    wire::{FailureKind, FromWorker, Open},
};

/// Streams that are resolved and opened at the same time at most: a switch that comes back must not
/// start a stampede.
const OPENINGS: usize = 8;

/// How often a running stream is checked against its stall clock.
const TICK: Duration = Duration::from_millis(250);

/// How often a worker's processor time and memory are read.
const TICKS_PER_VITALS: u32 = 8;

/// From the start of a worker to its first word about the stream: its own deadline for opening is
/// 3 s, the process needs some time to start on a busy machine.
const OPENING: Duration = Duration::from_secs(10);

/// From there to the first key frame. Cameras send one every 1 to 10 s.
const FIRST_KEY_FRAME: Duration = Duration::from_secs(15);

/// The longest a keeper is away while it resolves: four calls of 10 s, each tried twice, and the wait
/// for its turn.
const RESOLVING: Duration = Duration::from_secs(180);

/// What all keepers share.
#[derive(Clone)]
pub struct Crew {
    pub executor: Arc<Executor<'static>>,
    /// The worker's program: this same binary.
    pub program: PathBuf,
    pub openings: Arc<Semaphore>,
}

impl Crew {
    pub fn new(executor: Arc<Executor<'static>>, program: PathBuf) -> Self {
        Self { executor, program, openings: Arc::new(Semaphore::new(OPENINGS)) }
    }
}

/// A running keeper. Dropping it asks the keeper to end: it says TEARDOWN and goes.
pub struct Keeper {
    lane: Arc<Lane>,
    stop: Sender<()>,
    nudge: Sender<()>,
    /// `None` once somebody waits for it.
    task: Option<Task<()>>,
}

impl Keeper {
    /// Keeps the camera at `origin` and publishes into `lane`, once `predecessor` has left it.
    pub fn start(crew: &Crew, lane: Arc<Lane>, origin: Origin, predecessor: Option<Keeper>) -> Self {
        let (stop_sender, stop) = bounded(1);
        let (nudge_sender, nudge) = bounded(1);
        let keeping =
            Keeping { crew: crew.clone(), lane: Arc::clone(&lane), origin, stop, nudge, pauses: Pauses::default() };
        let task = crew.executor.spawn(async move {
            if let Some(predecessor) = predecessor {
                predecessor.end().await;
            }
            keeping.run().await;
        });
        Self { lane, stop: stop_sender, nudge: nudge_sender, task: Some(task) }
    }

    pub fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    /// Asks the keeper to end, without waiting.
    pub fn stop(&self) {
        self.stop.close();
    }

    /// Asks the keeper to end and waits for it; a worker gets a second for its farewell.
    pub async fn end(mut self) {
        self.stop();
        if let Some(task) = self.task.take() {
            task.await;
        }
    }

    /// Ends a pause: whatever kept the camera away may have been mended.
    pub fn nudge(&self) {
        let _ = self.nudge.force_send(());
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
        if let Some(task) = self.task.take() {
            // Detached: the closed channel ends it within two seconds, the worker's farewell included.
            task.detach();
        }
    }
}

struct Keeping {
    crew: Crew,
    lane: Arc<Lane>,
    origin: Origin,
    stop: Receiver<()>,
    nudge: Receiver<()>,
    pauses: Pauses,
}

/// Why a stream is not live.
struct Trouble {
    state: State,
    /// In words, without what is done about it.
    text: String,
    /// Logins refused on the way.
    refusals: u32,
}

/// How an attempt ended.
enum Ended {
    Trouble(Trouble),
    /// Nobody wants this keeper any longer.
    Stopped,
}

impl From<Trouble> for Ended {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// Where a stream is and how to log in there.
struct Found {
    /// In the order in which they are to be tried; never empty.
    streams: Vec<StreamUri>,
    credentials: Option<Credentials>,
    /// `profile "main"` or empty, for the log.
    profile: String,
}

impl Keeping {
    async fn run(mut self) {
        let mut told: Option<String> = None;
        loop {
            let trouble = match self.attempt().await {
                Ended::Trouble(trouble) => trouble,
                Ended::Stopped => return,
            };
            let now = Instant::now();
            let pause = if trouble.refusals > 0 {
                self.pauses.after_refusal(trouble.refusals, now, random())
            } else {
                self.pauses.after_failure(now, random())
            };
            let id = self.lane.id();
            let why = if self.pauses.is_denied() {
                let minutes = pause.as_secs() / 60;
                format!("{}; trying again in {minutes} min or after a reload", trouble.text)
            } else {
                let attempt = self.pauses.failures();
                format!("{}; trying again in {:.0} s (attempt {attempt})", trouble.text, pause.as_secs_f64())
            };
            // A camera that stays away is told at attempts 1, 2, 4, 8 …, not every minute for years.
            let news = told.as_ref() != Some(&trouble.text) || self.pauses.failures().is_power_of_two();
            match (news, trouble.state) {
                (false, _) => log::debug!("{id}: {why}"),
                (true, State::Denied) => log::error!("{id}: {why}"),
                (true, _) => log::warn!("{id}: {why}"),
            }
            self.lane.report(trouble.state, why, now);
            told = Some(trouble.text);
            if !self.pause(pause).await {
                return;
            }
        }
    }

    /// Waits for the pause, a nudge or the end; returns `false` at the end.
    async fn pause(&mut self, pause: Duration) -> bool {
        let now = Instant::now();
        self.lane.promise(now + pause);
        let (timer, nudge) = (Timer::after(pause), self.nudge.clone());
        let over = async {
            timer.await;
            false
        };
        let nudged = async { nudge.recv().await.is_ok() };
        match self.unless_stopped(over.or(nudged)).await {
            Some(true) => {
                self.pauses.forgive();
                true
            }
            Some(false) => true,
            None => false,
        }
    }

    /// The work's result, or `None` as soon as this keeper is to end.
    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let stop = async {
            // Nothing is ever sent: the receiver wakes when the channel is closed.
            let _ = self.stop.recv().await;
            None
        };
        stop.or(async { Some(work.await) }).await
    }

    /// Resolves the camera, opens its stream and stays with it until it ends.
    async fn attempt(&mut self) -> Ended {
        self.lane.promise(Instant::now() + RESOLVING);
        let Some(turn) = self.unless_stopped(self.crew.openings.acquire_arc()).await else {
            return Ended::Stopped;
        };
        if self.lane.standing().state == State::Connecting {
            self.lane.report(State::Connecting, format!("asking {} for its stream", self.host()), Instant::now());
        }
        let found = match self.unless_stopped(self.resolve()).await {
            Some(Ok(found)) => found,
            Some(Err(trouble)) => return trouble.into(),
            None => return Ended::Stopped,
        };
        let mut turn = Some(turn);
        let mut ended = None;
        for stream in &found.streams {
            match self.stay_with(stream, &found, &mut turn).await {
                // Not reached at all: the camera may have named an address of its own that leads nowhere.
                Ended::Trouble(trouble) if turn.is_some() && trouble.refusals == 0 => {
                    ended = Some(Ended::Trouble(trouble));
                }
                other => return other,
            }
        }
        ended.unwrap_or_else(|| offline("the camera named no stream").into())
    }

    /// The camera as a person on site knows it.
    fn host(&self) -> String {
        match &self.origin.source {
            Source::Onvif { host: Some(host), .. } => host.clone(),
            Source::Onvif { host: None, uuid, .. } => uuid.clone().unwrap_or_default(),
            Source::Url(uri) => uri.to_string(),
        }
    }

    async fn resolve(&self) -> Result<Found, Trouble> {
        let (host, port, profile) = match &self.origin.source {
            Source::Url(uri) => {
                let credentials = self.origin.credentials.clone();
                return Ok(Found { streams: vec![uri.clone()], credentials, profile: String::new() });
            }
            Source::Onvif { host: None, .. } => {
                return Err(offline("it has no ip, and finding cameras by uuid alone is not possible yet"));
            }
            Source::Onvif { host: Some(host), port, profile, .. } => (host.clone(), *port, profile.as_deref()),
        };
        let target = onvif::Target { host, port, credentials: self.origin.credentials.clone() };
        match onvif::resolve(&target, profile).await {
            Ok(resolved) => Ok(Found {
                streams: resolved.streams,
                credentials: self.origin.credentials.clone().or(resolved.camera_credentials),
                profile: format!(", profile {:?}", resolved.profile.token),
            }),
            Err(error) if error.kind() == onvif::Kind::Denied => {
                let refusals = if matches!(error, onvif::Error::NoCredentials { .. }) { 0 } else { FINAL_REFUSAL };
                Err(Trouble { state: State::Denied, text: chain(&error), refusals })
            }
            Err(error) => Err(offline(chain(&error))),
        }
    }

    /// Runs one worker on `stream` until it ends. Gives `turn` back once frames arrive.
    async fn stay_with(&mut self, stream: &StreamUri, found: &Found, turn: &mut Option<SemaphoreGuardArc>) -> Ended {
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
        log::info!(
            "{}: live, {}x{} {} at {} fps, from {stream}{}",
            self.lane.id(),
            info.size.width,
            info.size.height,
            info.codec.word(),
            info.fps,
            found.profile,
        );
    }
}

fn offline(text: impl Into<String>) -> Trouble {
    Trouble { state: State::Offline, text: text.into(), refusals: 0 }
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

/// A number in 0..1 for jitter; not for secrets.
fn random() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / (f64::from(u32::MAX) + 1.0))
}
