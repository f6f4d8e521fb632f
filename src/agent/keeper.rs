//! The task that owns one camera for ever: resolve it, run a worker, learn how it ended, pause, again.

mod confirmation;
mod crew;
mod found;
mod household;
mod identify;
mod need;
mod plan;
mod watch;
mod whereabouts;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use smol::{
    Task, Timer,
    channel::{Receiver, Sender, bounded},
    future::FutureExt,
};

pub use crew::Crew;
use found::Found;
pub use household::{Household, Part};
use plan::Plan;

use super::{pause::Pauses, roster::RECONFIGURED};
use crate::{
    camera::{Source, State, StreamSource},
    hub::{Cause, Stream},
    text,
};

/// The longest a keeper is away before it watches a stream: its turn may come after many slow others.
const AWAY: Duration = Duration::from_secs(600);

/// However much goes on in the network, a camera that is away is not asked more often.
const MIN_PAUSE: Duration = Duration::from_secs(2);

/// Why a pause may end early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nudge {
    /// Somebody changed something: everything may be tried again, a refused login too.
    Changed,
    /// A device announced itself on the network. Anybody can do that, so it ends no pause after a
    /// refused login, and none that is shorter than [`MIN_PAUSE`].
    Seen,
    /// This machine has got a network, by which the camera may be reached. Ends the same pauses, and the
    /// next ones are short again: a switch may need a while.
    Reachable,
}

/// A running keeper. Dropping it asks the keeper to end: it says TEARDOWN and goes.
pub struct Keeper {
    stream: Arc<Stream>,
    stop: Sender<()>,
    nudge: Sender<Nudge>,
    /// `None` once somebody waits for it.
    task: Option<Task<()>>,
}

impl Keeper {
    /// Keeps the stream `part` of the camera at `stream_source`, once `predecessor` has left it.
    pub fn start(
        crew: &Crew,
        household: &Arc<Household>,
        part: Part,
        stream_source: StreamSource,
        predecessor: Option<Keeper>,
    ) -> Self {
        let (stop_sender, stop) = bounded(1);
        let (nudge_sender, nudge) = bounded(1);
        let main = household.channel.main();
        let stream = match part {
            Part::Main => Arc::clone(main),
            Part::Small => household.channel.small().unwrap_or_else(|| Arc::clone(main)),
        };
        let label = match part {
            Part::Main => stream.id().to_string(),
            Part::Small => format!("{} (small)", stream.id()),
        };
        let keeping = Keeping {
            crew: crew.clone(),
            household: Arc::clone(household),
            part,
            label,
            unneeded: None,
            stream: Arc::clone(&stream),
            stream_source,
            stop,
            nudge,
            pauses: Pauses::default(),
            trusts_memory: true,
            searched: Arc::default(),
            good: None,
            lately: None,
            random: random(),
        };
        let task = crew.executor.spawn(async move {
            if let Some(predecessor) = predecessor {
                predecessor.end().await;
                // Whatever it said of its last attempt is not about this one.
                keeping.stream.report(State::Connecting, RECONFIGURED, Instant::now());
            }
            keeping.run().await;
        });
        Self { stream, stop: stop_sender, nudge: nudge_sender, task: Some(task) }
    }

    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Whether its camera is not live.
    pub fn is_away(&self) -> bool {
        self.stream.condition().state != State::Live
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
    pub fn nudge(&self, why: Nudge) {
        let _ = match why {
            Nudge::Changed => self.nudge.force_send(why).is_ok(),
            // Never in place of one that means more.
            Nudge::Seen | Nudge::Reachable => self.nudge.try_send(why).is_ok(),
        };
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
    household: Arc<Household>,
    part: Part,
    /// What the stream is called in the log.
    label: String,
    /// Since when nobody has needed the stream that is open.
    unneeded: Option<Instant>,
    stream: Arc<Stream>,
    stream_source: StreamSource,
    stop: Receiver<()>,
    nudge: Receiver<Nudge>,
    pauses: Pauses,
    /// Whether the stream of the last time is tried in this attempt before ONVIF has answered: in the
    /// first one, after the stream was live, and after an attempt in which ONVIF told nothing.
    trusts_memory: bool,
    /// When the network was last searched for this camera.
    searched: Arc<Mutex<Option<Instant>>>,
    /// Where the stream that is live, or was a moment ago, is.
    good: Option<Found>,
    /// Where the stream was when it was live last.
    lately: Option<Found>,
    /// The jitter of the next pause, so that it can be told before it begins.
    random: f64,
}

/// Why a stream is not live.
struct Trouble {
    state: State,
    cause: Cause,
    /// In words, without what is done about it; at most [`text::MAX_REASON_LEN`] characters.
    text: String,
    /// Logins refused on the way.
    refusals: u32,
    /// Not the camera's fault: the worker died, was killed or talked nonsense.
    crash: bool,
    /// The device has said which profiles it has, and the wanted one is not among them. What is remembered
    /// of it does not hold: its stream may show another camera by now.
    denies_memory: bool,
    at: Instant,
}

/// How an attempt ended.
enum Ended {
    Trouble(Trouble),
    /// Nobody wants this keeper any longer.
    Stopped,
    /// Nobody has needed the stream for a while.
    Unneeded,
}

impl From<Trouble> for Ended {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl Keeping {
    async fn run(mut self) {
        let mut told: Option<String> = None;
        loop {
            if !self.until_needed().await {
                return;
            }
            let trouble = match self.attempt().await {
                // Who comes after it says what is the case now.
                Ended::Trouble(_) if self.stop.is_closed() => return,
                Ended::Trouble(trouble) => trouble,
                Ended::Stopped => return,
                Ended::Unneeded => {
                    log::info!("{}: closed, as nobody has needed it for {} s", self.label, household::KEPT.as_secs());
                    continue;
                }
            };
            let now = Instant::now();
            let Plan { pause, at_once, why } = Plan::new(&trouble, &mut self.pauses, self.random);
            self.random = random();
            if !at_once {
                // Only what was live a moment ago is opened again without asking the camera.
                self.good = None;
            }
            // It was told when there was trouble, and has begun then.
            let pause = if at_once { pause } else { (trouble.at + pause).saturating_duration_since(now) };
            let id = &self.label;
            // A camera that stays away is told at attempts 1, 2, 4, 8 …, not every minute for years.
            let news = told.as_ref() != Some(&trouble.text) || at_once || self.pauses.failures().is_power_of_two();
            match (news, trouble.state) {
                (false, _) => log::debug!("{id}: {why}"),
                (true, State::Denied) => log::error!("{id}: {why}"),
                (true, _) => log::warn!("{id}: {why}"),
            }
            self.stream.report(trouble.state, why, now);
            self.stream.note_failure(trouble.cause, Some(trouble.text.clone()), now);
            told = Some(trouble.text);
            if !self.pause(pause).await {
                return;
            }
        }
    }

    /// Waits for the pause, a nudge or the end; returns `false` at the end.
    async fn pause(&mut self, pause: Duration) -> bool {
        let now = Instant::now();
        self.stream.set_heartbeat_deadline(now + pause);
        let (timer, nudge) = (Timer::after(pause), self.nudge.clone());
        let denied = self.pauses.is_denied();
        let over = async {
            timer.await;
            None
        };
        let nudged = async {
            loop {
                match nudge.recv().await {
                    Ok(Nudge::Seen | Nudge::Reachable) if denied => {}
                    Ok(why @ (Nudge::Seen | Nudge::Reachable)) => {
                        Timer::at(now + MIN_PAUSE).await;
                        return Some(why);
                    }
                    Ok(Nudge::Changed) | Err(_) => return Some(Nudge::Changed),
                }
            }
        };
        match self.unless_stopped(over.or(nudged)).await {
            Some(Some(Nudge::Changed)) => {
                self.pauses.forgive();
                true
            }
            Some(Some(Nudge::Reachable)) => {
                self.pauses.hearten();
                true
            }
            Some(_) => true,
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
        self.stream.set_heartbeat_deadline(Instant::now() + AWAY);
        if self.stream.condition().state == State::Connecting {
            self.stream.report(State::Connecting, format!("asking {} for its stream", self.host()), Instant::now());
        }
        // After a rest the camera may be elsewhere, unless its other stream shows that it is not.
        let is_known = !self.stream.is_idle() || self.household.is_sibling_live(self.part);
        let found = match self.good.take().filter(|_| is_known) {
            Some(good) => good,
            None => match self.find().await {
                Some(Ok(found)) => found,
                Some(Err(trouble)) => return trouble.into(),
                None => return Ended::Stopped,
            },
        };
        // Only opening takes turns: a camera that is slow to answer must not hold up another.
        let Some(turn) = self.unless_stopped(self.crew.openings().acquire_arc()).await else {
            return Ended::Stopped;
        };
        // Given back as soon as a stream is open: one that then gives no picture must not hold up others.
        let mut turn = Some(turn);
        let mut failed: Option<Trouble> = None;
        for stream in &found.streams {
            match self.stay_with(stream, &found, &mut turn).await {
                // Not reached at all: the camera may have named an address of its own that leads nowhere.
                Ended::Trouble(trouble) if turn.is_some() && trouble.refusals == 0 => {
                    let text = match failed.filter(|_| !found.is_trusted(stream)) {
                        Some(first) if trouble.cause == Cause::Unreachable => {
                            text::reason(&format!("{}; {}", first.text, trouble.text))
                        }
                        _ => trouble.text,
                    };
                    failed = Some(Trouble { text, ..trouble });
                }
                other => return other,
            }
        }
        failed.unwrap_or_else(|| offline("the camera named no stream")).into()
    }

    /// [`Keeping::locate`], or `None` as soon as this keeper is to end.
    async fn find(&mut self) -> Option<Result<Found, Trouble>> {
        let stop = self.stop.clone();
        let stopped = async {
            let _ = stop.recv().await;
            None
        };
        // Boxed: its 167 KB would be part of every keeper for ever, for the second in which it is needed.
        let household = Arc::clone(&self.household);
        let locate = Box::pin(async move {
            let _asking = household.asking.lock().await;
            if let Some(why) = household.refusal(self.part) {
                return Err(Trouble { state: State::Denied, ..away(Cause::Denied, why) });
            }
            match household.told(self.part) {
                Some(found) => Ok(found),
                None => self.locate().await,
            }
        });
        stopped.or(async { Some(locate.await) }).await
    }

    /// The camera as a person on site knows it.
    fn host(&self) -> String {
        match &self.stream_source.source {
            Source::Onvif { host: Some(host), .. } => host.clone(),
            Source::Onvif { host: None, uuid, .. } => uuid.clone().unwrap_or_default(),
            Source::Url(uri) => uri.to_string(),
        }
    }
}

fn offline(text: impl Into<String>) -> Trouble {
    away(Cause::Unreachable, text)
}

fn away(cause: Cause, text: impl Into<String>) -> Trouble {
    let text = text::reason(&text.into());
    Trouble { state: State::Offline, cause, text, refusals: 0, crash: false, denies_memory: false, at: Instant::now() }
}

/// A number in 0..1 for jitter; not for secrets.
fn random() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / (f64::from(u32::MAX) + 1.0))
}

#[cfg(test)]
mod tests;
