//! The service: reads the configuration, runs the cameras' supervisors, serves the wall and handles
//! signals.
//!
//! Everything runs on one executor on the main thread. The same thread must start the workers,
//! because a worker dies with the thread that started it.

mod automation;
mod backoff;
mod cameras;
mod certificates;
mod config_loader;
mod descriptors;
mod director;
mod discovery_cache;
mod input;
mod listeners;
mod memory_budget;
mod memory_limit;
mod mqtt_bridge;
mod network;
mod outcome;
mod picture_watch;
mod privileges;
mod report;
mod retry_throttle;
mod rules;
mod side_tasks;
mod signals;
mod sound_readers;
mod steerings;
mod supervisor;
mod systemd;
mod watchdog;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use smol::{
    Executor, Task, Timer,
    channel::{Receiver, Sender, bounded},
    future::FutureExt,
};

use crate::{
    card,
    config::{self, Config, changes::Changes},
    discovery::{self, Announcement},
    hub::Hub,
    log as logging, proc, reactor,
    web::{Rules, Web},
    worker_host::Spawner,
};
use automation::Automation;
use cameras::CameraManager;
use certificates::Certificates;
use config_loader::{Answer, ConfigLoader, Read};
use director::Director;
use input::Input;
use listeners::Listeners;
use network::Network;
pub use outcome::Outcome;
pub use privileges::{Opened, become_user, protect_memory};
use signals::Signal;
pub use signals::Signals;
use supervisor::Context;
use watchdog::Watchdog;

/// Time that cameras and viewers get to close. The rest of the promised three seconds is a reserve
/// for a busy machine; init waits longer.
const STOP_LIMIT: Duration = Duration::from_millis(2700);

/// Maximum number of queued announcements; a sender waits while the queue is full.
const MAX_HINTS: usize = 64;

/// How often sums of repeated log lines are flushed.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// How soon a syslogd that lags behind is offered more lines. It takes a dozen lines at a time, so
/// 256 waiting lines are sent within about a second.
const LOG_PAUSE: Duration = Duration::from_millis(50);

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Handles signals from now on, so that they no longer end the process. This starts a thread.
///
/// # Errors
/// If the system refuses a socket pair or a signal handler.
pub fn catch_signals() -> io::Result<Signals> {
    Signals::register()
}

/// Runs the agent until it is asked to stop, with what was `opened` for it. Logging must have been
/// started.
///
/// # Blocking
/// Blocks the thread, which must live as long as the process.
pub fn run(file: &Path, signals: Signals, opened: Opened) -> Outcome {
    let executor = Arc::new(Executor::new());
    let spawner = Spawner::find();
    // A task like all others, so that it is not polled whenever another task is ready.
    let serving = executor.spawn(serve(Arc::clone(&executor), file.to_owned(), signals, spawner, opened));
    // This thread waits for the cameras' packets, and only the thread of `async-io` for everything
    // else. With `smol::block_on` this thread would take turns with it, and that thread would check
    // 100 times a second whether it is its turn.
    reactor::block_on(executor.run(serving))
}

async fn serve(
    executor: Arc<Executor<'static>>,
    file: PathBuf,
    signals: Signals,
    spawner: Spawner,
    opened: Opened,
) -> Outcome {
    log::info!("cctv-agent {VERSION} starts, pid {}", std::process::id());
    if proc::runs_as_root() {
        log::warn!(
            "runs as root: whatever gets through an error in the agent or in a decoder can then do everything here; \
             start it with --user cctv-agent (USER in /etc/default/cctv-agent)"
        );
    }
    descriptors::raise();
    let hub = Arc::new(Hub::default());
    let www = config::Server::default().www;
    let web = Arc::new(Web::new(Arc::clone(&hub), www, VERSION, Arc::new(card::draw)));
    let (announced, hints) = bounded(MAX_HINTS);
    let agent = Agent {
        announced,
        hints,
        automation: Automation::new(Arc::clone(&executor), Arc::clone(&hub), Arc::clone(&web)),
        listening: None,
        executor: Arc::clone(&executor),
        file: file.clone(),
        config: Config::default(),
        complaints: Vec::new(),
        reading: ConfigLoader::start(Arc::clone(&executor), Arc::clone(&web.agent_status), file),
        cameras: CameraManager::new(Context::new(Arc::clone(&executor), spawner), &hub, (&web.ptz, &web.sounds)),
        certificates: Certificates::new(Arc::clone(&web.tls)),
        listeners: Listeners::new(Arc::clone(&executor), Arc::clone(&web), opened.ports),
        network: Network::default(),
        director: Director::default(),
        watchdog: Watchdog::start(&executor, Arc::clone(&web), Arc::clone(&hub)),
        web,
        hub,
    };
    agent.handle_message(signals).await
}

struct Agent {
    executor: Arc<Executor<'static>>,
    /// Receives what devices announce on the network.
    announced: Sender<Announcement>,
    hints: Receiver<Announcement>,
    automation: Automation,
    /// Listens for announcements while there is a camera whose address may change.
    listening: Option<Task<()>>,
    file: PathBuf,
    /// The configuration in force.
    config: Config,
    /// Mistakes in the file when it was last read.
    complaints: Vec<String>,
    reading: ConfigLoader,
    hub: Arc<Hub>,
    cameras: CameraManager,
    certificates: Certificates,
    listeners: Listeners,
    network: Network,
    director: Director,
    watchdog: Watchdog,
    web: Arc<Web>,
}

/// An event that the agent's main loop handles.
enum Event {
    Signal(io::Result<Signal>),
    Read(Box<Answer>),
    Announced(Box<Announcement>),
    Input(Box<Input>),
    /// Time for housekeeping.
    House(Instant),
    /// Log lines wait for a syslogd that may accept more by now.
    Log(Instant),
}

impl Agent {
    async fn handle_message(mut self, mut signals: Signals) -> Outcome {
        let mut housekeeping = Timer::interval(HOUSEKEEPING);
        let mut log_rest = Timer::never();
        loop {
            let house = async { Event::House((&mut housekeeping).await) };
            let log = async { Event::Log((&mut log_rest).await) };
            let signal = async { Event::Signal(signals.next().await) };
            let read = async { Event::Read(Box::new(self.reading.next().await)) };
            let heard = async {
                match self.hints.recv().await {
                    Ok(announcement) => Event::Announced(Box::new(announcement)),
                    Err(_no_more) => smol::future::pending().await,
                }
            };
            let input = async { Event::Input(Box::new(self.automation.next().await)) };
            match signal.or(read).or(house).or(log).or(heard).or(input).await {
                Event::Signal(Ok(Signal::Reload)) => {
                    log::info!("SIGHUP: reading {} again", self.file.display());
                    self.watchdog.reloading();
                    self.reading.again();
                }
                Event::Signal(Ok(Signal::Report)) => report::write(&self.hub, &self.web),
                Event::Signal(Ok(Signal::Stop)) => {
                    log::info!("stopping");
                    break;
                }
                Event::Signal(Err(error)) => {
                    log::error!("cannot wait for signals: {error}; stopping");
                    break;
                }
                Event::Read(answer) if answer.count == 0 => {
                    self.begin(answer.read);
                    if !self.listeners.any() {
                        return Outcome::CannotBind;
                    }
                    self.watchdog.ready();
                }
                Event::Read(answer) => {
                    self.reload(answer.read, answer.count);
                    self.watchdog.ready();
                }
                Event::Announced(announcement) => self.cameras.on_announcement(*announcement, Instant::now()),
                Event::Input(input) => self.automation.take(&input, self.director.minute(), Instant::now()),
                Event::Log(now) => {
                    if logging::flush(now) {
                        log_rest.set_after(LOG_PAUSE);
                    }
                }
                Event::House(now) => {
                    if logging::flush(now) {
                        log_rest.set_after(LOG_PAUSE);
                    }
                    self.listeners.retry();
                    self.watchdog.heartbeat(now, self.listeners.addresses());
                    self.look_at_network(now);
                    self.web.users.tick(now);
                    self.cameras.tick(now);
                    self.automation.tick(self.director.minute(), now);
                    if self.cameras.has_grown(&self.config) {
                        self.apply(self.config.clone());
                    }
                    self.director.tick(&self.hub, &self.web, now);
                    self.tell_complaints();
                }
            }
        }
        self.stop(signals).await
    }

    /// Retries cameras that are offline as soon as a network comes up.
    fn look_at_network(&mut self, now: Instant) {
        let Ok(local_addresses) = network::local_addresses() else { return };
        self.certificates.tick(&local_addresses, now);
        if let Some(address) = self.network.added(local_addresses)
            && self.cameras.network_came()
        {
            log::info!("the network has changed: {address}; cameras that are away are tried again");
        }
    }

    /// Starts with the configuration of the file, or with an empty wall on the default address if
    /// the file is bad.
    fn begin(&mut self, read: Read) {
        match self.judge(read) {
            Some(config) => {
                self.set_users(&config);
                self.apply(config);
                self.cameras.forget_others();
            }
            None => {
                self.apply(self.config.clone());
            }
        }
    }

    /// Handles the reload that answers the first `count` reload requests.
    fn reload(&mut self, read: Read, count: u64) {
        match self.judge(read) {
            Some(new) => {
                self.set_users(&new);
                let outcome = self.apply(new);
                self.cameras.forget_others();
                self.web.agent_status.note_reload(count, true, outcome);
            }
            None => self.web.agent_status.note_reload(count, false, "the file is bad".to_owned()),
        }
    }

    /// Reports the mistakes in the file that was read, in the log and on the wall.
    fn judge(&mut self, read: Read) -> Option<Config> {
        let (config, complaints) = match read {
            // Such a file is put into force all the same: this machine's own wall must come up.
            Ok(config) => {
                let exposed = config.exposed.iter().cloned().collect();
                (Some(config), exposed)
            }
            Err(complaints) => (None, complaints),
        };
        for remark in config.iter().flat_map(|config| &config.warnings) {
            log::warn!("{remark}");
        }
        for complaint in &complaints {
            log::error!("{complaint}");
        }
        if config.is_none() {
            let consequence = if self.config.cameras.is_empty() {
                "no camera is shown until the file is correct and SIGHUP is sent"
            } else {
                "keeping the previous configuration"
            };
            log::error!("{}", config::summary(&self.file, &complaints, consequence));
        }
        self.complaints = complaints.iter().map(ToString::to_string).collect();
        self.tell_complaints();
        config
    }

    fn tell_complaints(&self) {
        let mut complaints = self.complaints.clone();
        complaints.extend(self.listeners.complaints());
        complaints.extend(self.certificates.complaints());
        complaints.extend(self.director.complaints());
        self.web.agent_status.set_complaints(complaints);
    }

    /// Puts the users of `new` into force, before its listeners are opened. Not called for the
    /// configuration that stands in for a bad file, so that nobody's session ends by a slip in it.
    fn set_users(&self, new: &Config) {
        self.web.users.set(new.users.clone(), new.server.without_login, &new.server.state_dir);
    }

    /// Puts `new` into force; returns the changes as text.
    fn apply(&mut self, new: Config) -> String {
        let new = self.cameras.with_known_channels(new);
        let changes = Changes::between(&self.config, &new);
        self.web.set_www(new.server.www.clone());
        self.web.set_access(Rules::from(&new));
        // Before the first connection can come.
        self.certificates.set(&new.tls, &new.server.names, &new.server.state_dir);
        self.web.walls.set(new.walls.clone());
        self.listeners.set(&new.addresses());
        self.watchdog.set(&new.watchdog, self.listeners.addresses());
        self.tell_complaints();
        self.web.set_admission_limits(descriptors::admission_limits(&new));
        self.director.set(&new, Instant::now());
        self.director.tick(&self.hub, &self.web, Instant::now());
        self.cameras.apply(&changes, &new);
        self.automation.set(&new, &mut self.cameras);
        if !new.cameras.iter().any(|camera| camera.stream_source.may_move()) {
            self.listening = None;
        } else if self.listening.is_none() {
            self.listening = Some(self.executor.spawn(discovery::listen(self.announced.clone())));
        }
        log::info!("{}: {changes}", self.file.display());
        if new.cameras.is_empty() && !self.config.cameras.is_empty() {
            log::warn!("{}: no camera is left in the file, so none is shown", self.file.display());
        }
        self.config = new;
        changes.to_string()
    }

    /// Closes viewers and cameras within [`STOP_LIMIT`]; a second signal ends this at once.
    async fn stop(self, mut signals: Signals) -> Outcome {
        let Self { automation, cameras, listeners, web, watchdog, .. } = self;
        cameras.stop_moving();
        drop(automation);
        let watchdog = watchdog.stopping().await;
        web.shutdown();
        let leave = async {
            cameras.end().await;
            listeners.end().await;
        };
        let too_late = async {
            Timer::after(STOP_LIMIT).await;
            log::warn!("some cameras or viewers did not close within {:.1} s", STOP_LIMIT.as_secs_f64());
        };
        let impatient = async {
            while !matches!(signals.next().await, Ok(Signal::Stop) | Err(_)) {}
            log::warn!("asked to stop twice; stopping at once");
        };
        leave.or(too_late).or(impatient).await;
        watchdog.end();
        log::info!("stopped");
        log::logger().flush();
        Outcome::Stopped
    }
}
