//! Feeds the watchdogs, the machine's own and systemd's, while the agent is healthy.
//!
//! One task on the agent's executor checks everything four times within the shorter timeout of the
//! two, and sends a heartbeat if all is well ([`health`]). An executor that hangs sends none.
//!
//! The device is opened only after all was well once. If it were opened at once, an agent that
//! cannot become healthy would reset the machine again and again, and nobody could repair it. A
//! machine that hangs earlier is the task of its kernel (`watchdog.open_timeout`) and its firmware.

mod device;
mod health;
mod probe;

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use smol::{Executor, Task, Timer, future::FutureExt};

use super::systemd::Notify;
use crate::{
    config,
    hub::Hub,
    log::chain,
    proc,
    sync::{Latch, Mutex, MutexGuard, Notified, Notifier},
    web::Web,
};
use device::Device;
use health::{Findings, Health};

/// Checks within the timeout of a watchdog. Each may take as long as the pause between two, so a
/// heartbeat comes at least twice within the timeout, and one bad check does no harm.
const CHECKS: u32 = 4;

/// Longest pause between two checks; the number of live cameras goes to systemd at this rate.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Shortest pause between two checks, whatever is configured.
const MIN_PAUSE: Duration = Duration::from_millis(100);

/// Pause before a missing or busy device is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// The task that feeds the watchdogs, and its inputs.
pub struct Watchdog {
    shared: Arc<Shared>,
    /// Set when the agent begins to stop.
    stop: Latch,
    task: Task<Feeder>,
}

struct Shared {
    executor: Arc<Executor<'static>>,
    notify: Notify,
    web: Arc<Web>,
    hub: Arc<Hub>,
    settings: Mutex<WatchdogConfig>,
    /// Notified after each change of the configuration.
    changes: (Notifier, Notified),
}

#[derive(Clone)]
struct WatchdogConfig {
    /// Whether the wall is served; nothing is checked before.
    ready: bool,
    device: config::Watchdog,
    listening: Vec<SocketAddr>,
    /// When the agent's main loop last turned.
    heartbeat: Instant,
}

impl Watchdog {
    /// Feeds nothing before [`Watchdog::ready`].
    pub fn start(executor: &Arc<Executor<'static>>, web: Arc<Web>, hub: Arc<Hub>) -> Self {
        let (device, listening) = (config::Watchdog::default(), Vec::new());
        let shared = Arc::new(Shared {
            executor: Arc::clone(executor),
            notify: Notify::from_environment(),
            web,
            hub,
            settings: Mutex::new(WatchdogConfig { ready: false, device, listening, heartbeat: Instant::now() }),
            changes: Notifier::pair(),
        });
        let stop = Latch::default();
        let stopped = stop.clone();
        let work = Arc::clone(&shared);
        let task = executor.spawn(async move {
            let mut feeder = Feeder::default();
            feeder.work(&work).or(stopped.wait()).await;
            feeder
        });
        Self { shared, stop, task }
    }

    /// Uses this device from now on, and probes these addresses to see whether the wall is served.
    pub fn set(&self, device: &config::Watchdog, listening: Vec<SocketAddr>) {
        let mut settings = self.shared.settings();
        device.clone_into(&mut settings.device);
        settings.listening = listening;
        drop(settings);
        self.shared.changes.0.notify();
    }

    /// Notes that the agent's main loop has turned, and the addresses on which the wall is served
    /// now. Call this every second.
    pub fn heartbeat(&self, now: Instant, listening: Vec<SocketAddr>) {
        let mut settings = self.shared.settings();
        settings.heartbeat = now;
        settings.listening = listening;
        drop(settings);
        self.shared.notify.catch_up();
    }

    /// The wall is served, with the configuration that is now in force.
    pub fn ready(&self) {
        self.shared.settings().ready = true;
        self.shared.notify.ready();
        self.shared.changes.0.notify();
    }

    /// The configuration is read again, until the next [`Watchdog::ready`].
    pub fn reloading(&self) {
        self.shared.notify.reloading();
    }

    /// The agent begins to stop as asked: no more checks, because the listeners close now.
    pub async fn stopping(self) -> Feeder {
        self.shared.notify.stopping();
        self.stop.set();
        self.task.await
    }
}

impl Shared {
    fn settings(&self) -> MutexGuard<'_, WatchdogConfig> {
        // Nothing in here panics while it holds the lock, and a panic ends the process anyway.
        self.settings.lock()
    }

    /// Checks everything; returns what is wrong, if anything. Takes `limit` at most.
    async fn examine(&self, health: &mut Health, limit: Duration) -> Option<String> {
        let asked = self.settings().listening.clone();
        // In parallel, so that one dead listener does not use up the time of the others.
        let ask = |address| (address, self.executor.spawn(probe::probe(address, limit)));
        let tasks: Vec<_> = asked.into_iter().map(ask).collect();
        let mut listeners = Vec::new();
        for (address, task) in tasks {
            listeners.push((address, task.await));
        }
        // After the probes: every task has had a turn, even after the machine has slept. An address
        // that was closed meanwhile does not count.
        let now = Instant::now();
        let settings = self.settings().clone();
        listeners.retain(|(address, _)| settings.listening.contains(address));
        let overdue_supervisors = self.hub.overdue_supervisors(self.web.limits.heartbeat_late, now);
        health.check(&Findings { listeners, overdue_supervisors, heartbeat: settings.heartbeat }, now)
    }

    fn status(&self) -> String {
        let channels = self.hub.channels();
        let live = channels.iter().filter(|channel| channel.shown().is_live()).count();
        format!("{live} of {} cameras live", channels.len())
    }
}

/// Sends the heartbeats.
#[derive(Default)]
pub struct Feeder {
    armed: Option<Armed>,
    /// When the device could not be opened, and why.
    refused: Option<(Instant, String)>,
    /// When the last heartbeat was sent.
    fed: Option<Instant>,
    /// Since when heartbeats are withheld because something is wrong.
    unhealthy: Option<Instant>,
    /// The last status line sent to systemd.
    last_status: String,
}

/// A device that resets the machine unless it is fed.
struct Armed {
    device: Device,
    asked_for: Duration,
    /// The timeout in force, as far as the driver reports it.
    timeout: Duration,
}

impl Feeder {
    async fn work(&mut self, shared: &Shared) {
        let mut health = Health::default();
        loop {
            let began = Instant::now();
            let settings = shared.settings().clone();
            let mut next = None;
            if settings.ready && (self.armed.is_some() || settings.device.device.is_some() || shared.notify.is_wanted())
            {
                let limit = self.shortest_timeout(&settings, &shared.notify);
                let pause = limit.map_or(MAX_PAUSE, |limit| limit / CHECKS);
                let pause = pause.clamp(MIN_PAUSE, MAX_PAUSE);
                let wrong = if limit.is_some() { shared.examine(&mut health, pause).await } else { None };
                self.act(shared, wrong, Instant::now());
                next = Some(began + pause);
            }
            let pause = async {
                match next {
                    Some(next) => Timer::at(next).await,
                    None => smol::future::pending().await,
                };
            };
            let changed = async {
                // The notifier is in the same struct, so it is still there.
                let _ = shared.changes.1.changed().await;
            };
            pause.or(changed).await;
        }
    }

    /// The shortest timeout of the watchdogs, if there is one.
    fn shortest_timeout(&self, settings: &WatchdogConfig, notify: &Notify) -> Option<Duration> {
        let wanted = settings.device.device.as_ref().map(|_| settings.device.timeout);
        let device = self.armed.as_ref().map(|armed| armed.timeout).or(wanted);
        device.into_iter().chain(notify.watchdog()).min()
    }

    /// Reacts to a check at `now`: sends a heartbeat if nothing is `wrong`, else none.
    fn act(&mut self, shared: &Shared, wrong: Option<String>, now: Instant) {
        let status = match &wrong {
            None => shared.status(),
            Some(wrong) => format!("{}; unhealthy: {wrong}", shared.status()),
        };
        if self.last_status != status {
            shared.notify.status(&status);
            self.last_status = status;
        }
        match wrong {
            Some(wrong) => self.withhold(shared, &wrong, now),
            None => {
                // Only if healthy: otherwise even a device that is to be closed stays running.
                self.follow(&shared.settings().device.clone(), now);
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
        let left = |limit: Duration| {
            let waited = self.fed.map_or(Duration::ZERO, |fed| now.saturating_duration_since(fed));
            limit.saturating_sub(waited).as_secs()
        };
        match (&self.armed, shared.notify.watchdog()) {
            (Some(armed), _) => {
                let seconds = left(armed.timeout);
                log::error!(
                    "watchdog: {wrong}; no heartbeat is sent, so the machine is reset in {seconds} s unless this ends"
                );
            }
            (None, Some(limit)) => {
                let seconds = left(limit);
                log::error!(
                    "watchdog: {wrong}; no heartbeat is sent, so systemd restarts the service in {seconds} s \
                     unless this ends"
                );
            }
            (None, None) => log::error!("watchdog: {wrong}; the device is opened once the agent is healthy"),
        }
    }

    fn feed(&mut self, shared: &Shared, now: Instant) {
        if let Some(since) = self.unhealthy.take() {
            let seconds = now.saturating_duration_since(since).as_secs_f64();
            log::warn!("watchdog: the agent is healthy again after {seconds:.1} s; heartbeats are sent again");
        }
        shared.notify.alive();
        self.fed = Some(now);
        if let Some(armed) = &mut self.armed
            && let Err(error) = armed.device.feed()
        {
            let path = armed.device.path().display();
            log::error!("watchdog: {path} does not accept a heartbeat: {}; it is opened again", chain(&error));
            self.armed = None;
        }
    }

    /// Opens, sets or closes the device as `wanted` says.
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
                let why = format!("cannot open {}: {}{}", path.display(), chain(&error), remedy(&error));
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

    /// Stops the device, which is no longer used by this agent.
    fn leave(&mut self) {
        let Some(armed) = self.armed.take() else { return };
        let path = armed.device.path().to_owned();
        match armed.device.disarm() {
            Ok(()) => log::info!("watchdog: {} is no longer in use", path.display()),
            Err(error) => {
                log::error!("watchdog: {} cannot be stopped and goes on counting: {}", path.display(), chain(&error));
            }
        }
        self.refused = None;
    }

    /// Ends after the agent has stopped as asked. The watchdog of an unhealthy agent goes on: the
    /// next agent, or a reset, must end what was wrong.
    pub fn end(mut self) {
        match (&self.armed, self.unhealthy) {
            (Some(armed), Some(_)) => {
                let (path, seconds) = (armed.device.path().display(), armed.timeout.as_secs());
                log::warn!(
                    "watchdog: the agent was unhealthy, so {path} goes on counting; the machine is reset within \
                     {seconds} s"
                );
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
                log::warn!("watchdog: {path} uses {seconds} s instead of the requested {} s", wanted.as_secs());
            }
            Ok(_) => {}
        }
        log::info!("watchdog: {path} is open; it resets the machine after {seconds} s without a heartbeat");
    }
}

/// What to do if this user may not open the device.
fn remedy(error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return String::new();
    }
    let (user, _) = proc::own_user();
    format!("; give it to the user {user} (chown), or, with --user, restart the agent, which then does so")
}

#[cfg(test)]
mod tests;
