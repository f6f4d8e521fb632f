//! The task that owns one camera for ever: resolve it, run a worker, learn how it ended, pause, again.

mod watch;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use smol::{
    Executor, Task, Timer,
    channel::{Receiver, Sender, bounded},
    future::FutureExt,
    lock::Semaphore,
};

use super::pause::{FINAL_REFUSAL, Pauses};
use crate::{
    camera::{Credentials, Origin, Source, State, StreamUri},
    hub::Lane,
    log::chain,
    onvif,
};

/// Streams that are resolved and opened at the same time at most: a switch that comes back must not
/// start a stampede.
const OPENINGS: usize = 8;

/// One camera's whole ONVIF conversation at most: four to eight requests, each of which may take 10 s.
const RESOLVING: Duration = Duration::from_secs(60);

/// The longest a keeper is away before it watches a stream: its turn may come after many slow others.
const AWAY: Duration = Duration::from_secs(600);

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
        let _from_before_this_pause = nudge.try_recv();
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
        self.lane.promise(Instant::now() + AWAY);
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
        let too_late = async {
            Timer::after(RESOLVING).await;
            None
        };
        let Some(answer) = async { Some(onvif::resolve(&target, profile).await) }.or(too_late).await else {
            let limit = RESOLVING.as_secs();
            return Err(offline(format!("{} did not finish telling its stream within {limit} s", target.host)));
        };
        match answer {
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
}

fn offline(text: impl Into<String>) -> Trouble {
    Trouble { state: State::Offline, text: text.into(), refusals: 0 }
}

/// A number in 0..1 for jitter; not for secrets.
fn random() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / (f64::from(u32::MAX) + 1.0))
}
