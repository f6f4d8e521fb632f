//! Feeds the watchdogs, the machine's own and systemd's, while the agent deserves it.
//!
//! One task on the agent's executor looks at everything four times within the shorter patience of the
//! two and gives a beat if all is well ([`health`]); an executor that stands still gives none.
//!
//! The device is opened only after all was well once. Were it opened at once, an agent that cannot
//! become well would reset the machine again and again, and nobody could get at it to mend it. A machine
//! that hangs before is the business of its kernel (`watchdog.open_timeout`) and its firmware.

mod device;
mod health;
mod probe;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use smol::{
    Executor, Task, Timer,
    channel::{Receiver, Sender, bounded},
    future::FutureExt,
};

use super::systemd::Notify;
use crate::{config, log::chain, web::Web};
use device::Device;
use health::{Findings, Health};

/// Looks within the patience of a watchdog. Each may take as long as the pause between two, so a beat
/// comes at least twice within the patience, and one bad look does no harm.
const LOOKS: u32 = 4;

/// Between two looks at most; systemd is told at this pace how many cameras are live.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Between two looks at least, whatever somebody asks for.
const MIN_PAUSE: Duration = Duration::from_millis(100);

/// A device that is missing or busy is tried again after this.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// The task that feeds, and what it has to know.
pub struct Watchdog {
    shared: Arc<Shared>,
    /// Closed when the agent begins to stop.
    stop: Sender<()>,
    task: Task<Feeder>,
}

struct Shared {
    executor: Arc<Executor<'static>>,
    notify: Notify,
    web: Arc<Web>,
    orders: Mutex<WatchdogConfig>,
    /// Rings after each change of the orders.
    bell: (Sender<()>, Receiver<()>),
}

#[derive(Clone)]
struct WatchdogConfig {
    /// Whether the wall is up: nothing is judged before.
    ready: bool,
    device: config::Watchdog,
    listening: Vec<SocketAddr>,
    /// When the agent's own loop turned last.
    heartbeat: Instant,
}

impl Watchdog {
    /// Feeds nothing before [`Watchdog::ready`].
    pub fn start(executor: &Arc<Executor<'static>>, web: Arc<Web>) -> Self {
        let (device, listening) = (config::Watchdog::default(), Vec::new());
        let shared = Arc::new(Shared {
            executor: Arc::clone(executor),
            notify: Notify::from_environment(),
            web,
            orders: Mutex::new(WatchdogConfig { ready: false, device, listening, heartbeat: Instant::now() }),
            bell: bounded(1),
        });
        let (stop, stopped) = bounded(1);
        let work = Arc::clone(&shared);
        let task = executor.spawn(async move {
            let mut feeder = Feeder::default();
            let end = async {
                // Nothing is ever sent: the receiver wakes when the channel is closed.
                let _ = stopped.recv().await;
            };
            feeder.work(&work).or(end).await;
            feeder
        });
        Self { shared, stop, task }
    }

    /// Uses this device from now on and asks at these addresses whether the wall is served.
    pub fn set(&self, device: &config::Watchdog, listening: Vec<SocketAddr>) {
        let mut orders = self.shared.orders();
        device.clone_into(&mut orders.device);
        orders.listening = listening;
        drop(orders);
        self.shared.ring();
    }

    /// The agent's own loop has turned, and these are the addresses where the wall is served now. For
    /// every second.
    pub fn heartbeat(&self, now: Instant, listening: Vec<SocketAddr>) {
        let mut orders = self.shared.orders();
        orders.heartbeat = now;
        orders.listening = listening;
        drop(orders);
        self.shared.notify.catch_up();
    }

    /// The wall is served, with the configuration that is now in force.
    pub fn ready(&self) {
        self.shared.orders().ready = true;
        self.shared.notify.ready();
        self.shared.ring();
    }

    /// The configuration is read again, until the next [`Watchdog::ready`].
    pub fn reloading(&self) {
        self.shared.notify.reloading();
    }

    /// The agent begins to stop, as it was asked to: no more looks, for the listeners go now.
    pub async fn stopping(self) -> Feeder {
        self.shared.notify.stopping();
        self.stop.close();
        self.task.await
    }
}

impl Shared {
    fn orders(&self) -> MutexGuard<'_, WatchdogConfig> {
        // Nothing in here panics while it holds the lock, and a panic ends the process anyway.
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        let _ = self.bell.0.force_send(());
    }

    /// Looks at everything; returns what is wrong, if anything is. Takes `limit` at most.
    async fn examine(&self, health: &mut Health, limit: Duration) -> Option<String> {
        let asked = self.orders().listening.clone();
        // Side by side, so that one dead door does not take the others' time.
        let ask = |address| (address, self.executor.spawn(probe::probe(address, limit)));
        let tasks: Vec<_> = asked.into_iter().map(ask).collect();
        let mut listeners = Vec::new();
        for (address, task) in tasks {
            listeners.push((address, task.await));
        }
        // After the probes: everybody has had a turn, also after the machine has slept. An address that
        // was given up meanwhile says nothing.
        let now = Instant::now();
        let orders = self.orders().clone();
        listeners.retain(|(address, _)| orders.listening.contains(address));
        let overdue_supervisors = self.web.hub.overdue_supervisors(self.web.limits.keeper_late, now);
        health.judge(&Findings { listeners, overdue_supervisors, heartbeat: orders.heartbeat }, now)
    }

    fn status(&self) -> String {
        let channels = self.web.hub.channels();
        let live = channels.iter().filter(|channel| channel.shown().is_live()).count();
        format!("{live} of {} cameras live", channels.len())
    }
}

/// The hand that feeds.
#[derive(Default)]
pub struct Feeder {
    armed: Option<Armed>,
    /// When the device could not be opened, and why.
    refused: Option<(Instant, String)>,
    /// When the last beat was given.
    fed: Option<Instant>,
    /// Since when there was none, because something is wrong.
    unhealthy: Option<Instant>,
    /// The last line systemd was told.
    told: String,
}

/// A device that resets the machine unless it is fed.
struct Armed {
    device: Device,
    asked_for: Duration,
    /// In force, as far as the driver tells.
    timeout: Duration,
}

impl Feeder {
    async fn work(&mut self, shared: &Shared) {
        let mut health = Health::default();
        loop {
            let began = Instant::now();
            let orders = shared.orders().clone();
            let mut next = None;
            if orders.ready && (self.armed.is_some() || orders.device.device.is_some() || shared.notify.is_wanted()) {
                let patience = self.patience(&orders, &shared.notify);
                let pause = patience.map_or(MAX_PAUSE, |patience| patience / LOOKS);
                let pause = pause.clamp(MIN_PAUSE, MAX_PAUSE);
                let wrong = if patience.is_some() { shared.examine(&mut health, pause).await } else { None };
                self.act(shared, wrong, Instant::now());
                next = Some(began + pause);
            }
            let pause = async {
                match next {
                    Some(next) => Timer::at(next).await,
                    None => smol::future::pending().await,
                };
            };
            let rung = async {
                let _ = shared.bell.1.recv().await;
            };
            pause.or(rung).await;
        }
    }

    /// How long the least patient watchdog waits for a beat, if there is one.
    fn patience(&self, orders: &WatchdogConfig, notify: &Notify) -> Option<Duration> {
        let wanted = orders.device.device.as_ref().map(|_| orders.device.timeout);
        let device = self.armed.as_ref().map(|armed| armed.timeout).or(wanted);
        device.into_iter().chain(notify.watchdog()).min()
    }

    /// Does what follows from a look at `now`: a beat if nothing is `wrong`, else none.
    fn act(&mut self, shared: &Shared, wrong: Option<String>, now: Instant) {
        let status = match &wrong {
            None => shared.status(),
            Some(wrong) => format!("{}; no longer well: {wrong}", shared.status()),
        };
        if self.told != status {
            shared.notify.status(&status);
            self.told = status;
        }
        match wrong {
            Some(wrong) => self.withhold(shared, &wrong, now),
            None => {
                // Only of somebody who is well: also a device that is to be left is left running else.
                self.follow(&shared.orders().device.clone(), now);
                self.feed(shared, now);
            }
        }
    }

    fn withhold(&mut self, shared: &Shared, wrong: &str, now: Instant) {
        if self.unhealthy.is_some() {
            log::debug!("watchdog: still {wrong}");
            return;
        }
        self.unhealthy = Some(now);
        let left = |patience: Duration| {
            let waited = self.fed.map_or(Duration::ZERO, |fed| now.saturating_duration_since(fed));
            patience.saturating_sub(waited).as_secs()
        };
        match (&self.armed, shared.notify.watchdog()) {
            (Some(armed), _) => {
                let seconds = left(armed.timeout);
                log::error!("watchdog: {wrong}; not fed, the machine is reset in {seconds} s unless this ends");
            }
            (None, Some(patience)) => {
                let seconds = left(patience);
                log::error!("watchdog: {wrong}; systemd begins the service again in {seconds} s unless this ends");
            }
            (None, None) => log::error!("watchdog: {wrong}; the device is opened once all is well"),
        }
    }

    fn feed(&mut self, shared: &Shared, now: Instant) {
        if let Some(since) = self.unhealthy.take() {
            let seconds = now.saturating_duration_since(since).as_secs_f64();
            log::warn!("watchdog: all is well again after {seconds:.1} s; fed again");
        }
        shared.notify.alive();
        self.fed = Some(now);
        if let Some(armed) = &mut self.armed
            && let Err(error) = armed.device.feed()
        {
            let path = armed.device.path().display();
            log::error!("watchdog: {path} does not take a beat: {}; opening it again", chain(&error));
            self.armed = None;
        }
    }

    /// Opens, sets or leaves the device as `wanted` says.
    fn follow(&mut self, wanted: &config::Watchdog, now: Instant) {
        if self.armed.as_ref().is_some_and(|armed| Some(armed.device.path()) != wanted.device.as_deref()) {
            self.leave();
        }
        let Some(path) = &wanted.device else { return };
        if let Some(armed) = &mut self.armed {
            if armed.asked_for != wanted.timeout {
                armed.set_timeout(wanted.timeout);
            }
            return;
        }
        if self.refused.as_ref().is_some_and(|(at, _)| now.saturating_duration_since(*at) < TRY_AGAIN) {
            return;
        }
        match Device::open(path) {
            Ok(device) => {
                self.refused = None;
                let armed = Armed { device, asked_for: wanted.timeout, timeout: wanted.timeout };
                self.armed.insert(armed).set_timeout(wanted.timeout);
            }
            Err(error) => {
                let why = format!("cannot open {}: {}", path.display(), chain(&error));
                if self.refused.as_ref().is_none_or(|(_, before)| *before != why) {
                    let seconds = TRY_AGAIN.as_secs();
                    log::error!(
                        "watchdog: {why}; without it a machine that hangs is not reset; trying every {seconds} s"
                    );
                }
                self.refused = Some((now, why));
            }
        }
    }

    /// Stops the device: it is another's, or nobody's, from now on.
    fn leave(&mut self) {
        let Some(armed) = self.armed.take() else { return };
        let path = armed.device.path().to_owned();
        match armed.device.disarm() {
            Ok(()) => log::info!("watchdog: {} is no longer in use", path.display()),
            Err(error) => {
                log::error!("watchdog: {} goes on without us: {}", path.display(), chain(&error));
            }
        }
        self.refused = None;
    }

    /// The agent has stopped as it was asked to. A watchdog of an agent that was not well goes on: the
    /// next agent, or a reset, must end what was wrong.
    pub fn end(mut self) {
        match (&self.armed, self.unhealthy) {
            (Some(armed), Some(_)) => {
                let (path, seconds) = (armed.device.path().display(), armed.timeout.as_secs());
                log::warn!("watchdog: not all was well, so {path} goes on; the machine is reset within {seconds} s");
            }
            _ => self.leave(),
        }
    }
}

impl Armed {
    fn set_timeout(&mut self, wanted: Duration) {
        self.asked_for = wanted;
        let path = self.device.path().display();
        let asked = self.device.set_timeout(wanted);
        let in_force =
            asked.as_ref().ok().copied().or_else(|| self.device.timeout().ok()).filter(|time| !time.is_zero());
        self.timeout = in_force.unwrap_or(wanted);
        let seconds = self.timeout.as_secs();
        match asked {
            Err(error) => {
                let known = if in_force.is_some() { "it stays at" } else { "it is fed as if it were" };
                log::warn!("watchdog: {path} does not let its timeout be set: {}; {known} {seconds} s", chain(&error));
            }
            Ok(_) if self.timeout != wanted => {
                log::warn!("watchdog: {path} makes {seconds} s of the {} s asked for", wanted.as_secs());
            }
            Ok(_) => {}
        }
        log::info!("watchdog: {path} is fed; it resets the machine after {seconds} s without a beat");
    }
}

#[cfg(test)]
mod tests;
