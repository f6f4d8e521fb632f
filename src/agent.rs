//! The whole: reads the configuration, keeps the cameras, serves the wall, answers signals.
//!
//! Everything runs on one executor on the main thread. That thread must also be the one that starts
//! workers, since a worker dies with the thread that started it.

mod keeper;
mod listeners;
mod lookout;
mod notify;
mod pause;
mod roster;
mod signals;
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
    camera::State,
    card,
    config::{self, Config, Walls, changes::Changes},
    discovery::{self, Hint},
    hub::Hub,
    log::{self as logging, chain},
    web::Web,
};
use keeper::Crew;
use listeners::Listeners;
use roster::Roster;
use signals::{Signal, Signals};
use watchdog::Watchdog;

/// From SIGTERM to the end at most; init's own patience is longer.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// Announcements that may wait for the agent; more are waited with.
const MOST_HINTS: usize = 64;

/// How often sums of repeated log lines are flushed.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// The running binary, also after an update has replaced the file.
const OWN_PROGRAM: &str = "/proc/self/exe";

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why the agent ended, as the exit code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// By SIGTERM or SIGINT.
    Stopped,
    /// Could not begin at all.
    Internal,
    /// None of the configured addresses could be listened on.
    CannotBind,
}

/// Runs the agent until it is told to stop. Logging has been started.
///
/// # Blocking
/// Holds the thread, which must live as long as the process.
pub fn run(file: &Path) -> Outcome {
    let executor = Arc::new(Executor::new());
    smol::block_on(executor.run(serve(Arc::clone(&executor), file)))
}

async fn serve(executor: Arc<Executor<'static>>, file: &Path) -> Outcome {
    let signals = match Signals::register() {
        Ok(signals) => signals,
        Err(error) => {
            log::error!("cannot handle signals: {error}");
            return Outcome::Internal;
        }
    };
    log::info!("cctv-agent {VERSION} starts, pid {}", std::process::id());
    let hub = Arc::new(Hub::default());
    let server = config::Server::default();
    let web = Arc::new(Web::new(Arc::clone(&hub), server.www.clone(), VERSION, Arc::new(card::draw)));
    let (announced, hints) = bounded(MOST_HINTS);
    let mut agent = Agent {
        announced,
        hints,
        listening: None,
        executor: Arc::clone(&executor),
        file: file.to_owned(),
        config: Config {
            server,
            watchdog: config::Watchdog::default(),
            cameras: Vec::new(),
            walls: Walls::default(),
            remarks: Vec::new(),
        },
        roster: Roster::new(Crew::new(Arc::clone(&executor), PathBuf::from(OWN_PROGRAM)), Arc::clone(&hub)),
        listeners: Listeners::new(Arc::clone(&executor)),
        watchdog: Watchdog::start(&executor, Arc::clone(&web)),
        web,
        hub,
    };
    // An empty wall on the default address is what remains when the file is bad at boot.
    match agent.read().await {
        Some(config) => {
            agent.apply(config);
            agent.roster.forget_others();
        }
        None => {
            agent.apply(agent.config.clone());
        }
    }
    if !agent.listeners.any() {
        return Outcome::CannotBind;
    }
    agent.watchdog.ready();
    agent.obey(signals).await
}

struct Agent {
    executor: Arc<Executor<'static>>,
    /// What devices announce on the network.
    announced: Sender<Hint>,
    hints: Receiver<Hint>,
    /// Hears them, while there is a camera that may move.
    listening: Option<Task<()>>,
    file: PathBuf,
    /// What is in force.
    config: Config,
    hub: Arc<Hub>,
    roster: Roster,
    listeners: Listeners,
    watchdog: Watchdog,
    web: Arc<Web>,
}

impl Agent {
    async fn obey(mut self, mut signals: Signals) -> Outcome {
        loop {
            match self.next_signal(&mut signals).await {
                Ok(Signal::Reload) => self.reload().await,
                Ok(Signal::Report) => self.report(),
                Ok(Signal::Stop) => {
                    log::info!("stopping");
                    break;
                }
                Err(error) => {
                    log::error!("cannot wait for signals: {error}; stopping");
                    break;
                }
            }
        }
        self.stop(signals).await
    }

    async fn next_signal(&mut self, signals: &mut Signals) -> io::Result<Signal> {
        let mut housekeeping = Timer::interval(HOUSEKEEPING);
        let keep_house = async {
            loop {
                let now = (&mut housekeeping).await;
                logging::flush(now);
                self.listeners.retry(&self.web);
                self.watchdog.turned(now, self.listeners.addresses());
            }
        };
        let hear = async {
            while let Ok(hint) = self.hints.recv().await {
                self.roster.hear(hint, Instant::now());
            }
            smol::future::pending().await
        };
        signals.next().or(keep_house).or(hear).await
    }

    /// Reads the file; tells its complaints in the log and on the wall.
    async fn read(&self) -> Option<Config> {
        let file = self.file.clone();
        match smol::unblock(move || config::read(&file)).await {
            Ok(config) => {
                for remark in &config.remarks {
                    log::warn!("{remark}");
                }
                self.hub.set_complaints(Vec::new());
                Some(config)
            }
            Err(complaints) => {
                for complaint in &complaints {
                    log::error!("{complaint}");
                }
                let consequence = if self.config.cameras.is_empty() {
                    "no camera is shown until the file is right and SIGHUP comes"
                } else {
                    "keeping the previous configuration"
                };
                log::error!("{}", config::summary(&self.file, &complaints, consequence));
                self.hub.set_complaints(complaints.iter().map(ToString::to_string).collect());
                None
            }
        }
    }

    /// Puts `new` into force; returns what that changes, in words.
    fn apply(&mut self, new: Config) -> String {
        let changes = Changes::between(&self.config, &new);
        self.web.set_www(new.server.www.clone());
        self.web.walls.set(new.walls.clone());
        self.listeners.set(&new.server.listen, &self.web);
        self.watchdog.set(&new.watchdog, self.listeners.addresses());
        self.roster.apply(&changes, &new);
        if !new.cameras.iter().any(|camera| camera.origin.may_move()) {
            self.listening = None;
        } else if self.listening.is_none() {
            self.listening = Some(self.executor.spawn(discovery::listen(self.announced.clone())));
        }
        log::info!("{}: {changes}", self.file.display());
        self.config = new;
        changes.to_string()
    }

    async fn reload(&mut self) {
        log::info!("SIGHUP: reading {} again", self.file.display());
        self.watchdog.reloading();
        let outcome = match self.read().await {
            Some(new) => {
                let outcome = self.apply(new);
                self.roster.forget_others();
                outcome
            }
            None => "the file is bad".to_owned(),
        };
        self.hub.note_reload(outcome);
        self.watchdog.ready();
    }

    fn report(&self) {
        let now = Instant::now();
        for lane in self.hub.lanes() {
            let status = lane.status(now);
            let age =
                status.age.map_or("no frame yet".to_owned(), |age| format!("frame age {:.1} s", age.as_secs_f64()));
            log::info!(
                "{}: {}{}{} for {:.0} s, {age}, {:.1} fps, {:.0} kbit/s, {} viewers, {} reconnects, {} stalls",
                status.id,
                status.standing.state.word(),
                if status.standing.state == State::Live { "" } else { ": " },
                status.standing.why,
                status.since.as_secs_f64(),
                status.measured_fps,
                status.bitrate / 1000.0,
                status.viewers,
                status.reconnects,
                status.stalls,
            );
        }
    }

    /// Takes leave of viewers and cameras, within [`STOP_LIMIT`]; a second signal ends it at once.
    async fn stop(self, mut signals: Signals) -> Outcome {
        let Self { roster, listeners, web, watchdog, .. } = self;
        let watchdog = watchdog.stopping().await;
        web.say_goodbye();
        let leave = async {
            roster.end().await;
            listeners.end().await;
        };
        let too_late = async {
            Timer::after(STOP_LIMIT).await;
            log::warn!("some cameras or viewers did not take their leave within {} s", STOP_LIMIT.as_secs());
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

/// One line for a failure to listen, with what would be right.
fn cannot_listen(address: std::net::SocketAddr, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there; is another agent running?",
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address",
        io::ErrorKind::PermissionDenied => "ports below 1024 need root or CAP_NET_BIND_SERVICE",
        _ => "check `listen` in the configuration",
    };
    format!("cannot listen on {address}: {}; {remedy}", chain(error))
}
