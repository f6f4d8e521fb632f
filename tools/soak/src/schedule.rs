//! The schedule of a soak: all live, count, faults for the requested time, all live, count again.

mod faults;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    Result, STALL_AFTER, Task,
    board::{Board, Touch},
    fault_kinds::{self, Kind},
    file::File,
    incident::{Incident, Outcome, PATIENCE},
    net,
    observer::{Form, Observer},
    processes::{Agent, Cameras, descriptions, own_address, wait_for},
    report::{self, Facts, Report},
    rng::Rng,
    usage::{self, ProcessTree, Sampler},
    viewers::{VIEWER_KINDS, ViewerGroup},
};

/// Limit for the viewer to receive a state that is not live.
pub const NOTICE_WITHIN: Duration = Duration::from_millis(5500);

/// Margin before an old picture counts as a lie: a picture is drawn, sent, decoded, encoded at five
/// per second, and read by a program on the same machine.
const LIE_MARGIN: Duration = Duration::from_secs(1);

const ALL_LIVE: Duration = Duration::from_secs(120);
const FIRST_VISITS: Duration = Duration::from_secs(4);

/// Time limit for the counts to settle: threads for blocking work and unused decoders end after a
/// moment.
const SETTLING: Duration = Duration::from_secs(45);
/// The counts must be the same in so many samples, a second apart.
const SAME_LOOKS: u32 = 5;

const TURN: Duration = Duration::from_millis(20);

/// Pause between two faults, in milliseconds.
const BETWEEN: (u64, u64) = (1500, 5500);

/// Maximum number of viewers besides the observer; the next constants are the time between two
/// arrivals and the length of a visit.
const MAX_VIEWERS: usize = 12;
const ARRIVALS: (u64, u64) = (300, 2500);
const VISITS: (u64, u64) = (1_000, 30_000);

/// A run of 60 minutes has about a thousand.
const MAX_OUTCOMES: usize = 50_000;

pub struct Soak {
    task: Task,
    stop: Arc<AtomicBool>,
    // If something fails, the fields are dropped in this order.
    agent: Agent,
    cameras: Cameras,
    file: File,
    board: Arc<Board>,
    group: Arc<ViewerGroup>,
    rng: Rng,
    kinds: Vec<&'static Kind>,
    left_out: Vec<&'static str>,
    incidents: Vec<Incident>,
    outcomes: Vec<Outcome>,
    /// Times of SIGHUPs: each ends the backoff of all cameras that are away.
    reload_times: Vec<Instant>,
    /// The longest response time of `/healthz`.
    slowest_answer: Duration,
    viewers: Vec<JoinHandle<()>>,
    begun: Instant,
    /// The agent's exit, if it was not requested.
    agent_ended: Option<String>,
}

impl Soak {
    /// Starts cameras and agent, without waiting for pictures.
    pub fn start(task: Task, stop: Arc<AtomicBool>) -> Result<Self> {
        fs::create_dir_all(&task.out)?;
        let folder = task.out.canonicalize()?;
        let state = folder.join("state");
        if state.exists() {
            fs::remove_dir_all(&state)?;
        }
        fs::create_dir_all(&state)?;
        say(&format!("{} cameras, seed {}", task.cameras, task.seed));
        let cameras = Cameras::start(&task.virtual_camera, &descriptions(task.cameras), &folder)?;
        let (kinds, left_out) = fault_kinds::possible(&cameras.faults);
        let address = format!("{}:8080", own_address(250));
        let file = File::new(&folder, &task.www.canonicalize()?, &address, &cameras.all);
        file.write()?;
        let agent = Agent::start(&task.agent, &file.path, address.clone(), &folder)?;
        let board = Arc::new(Board::new(NOTICE_WITHIN + LIE_MARGIN));
        let ids = cameras.all.iter().map(|camera| camera.id.clone()).collect();
        let group = ViewerGroup::new(address, ids, Arc::clone(&board));
        Ok(Self {
            rng: Rng::new(task.seed),
            task,
            stop,
            cameras,
            agent,
            file,
            board,
            group,
            kinds,
            left_out,
            incidents: Vec::new(),
            outcomes: Vec::new(),
            reload_times: Vec::new(),
            slowest_answer: Duration::ZERO,
            viewers: Vec::new(),
            begun: Instant::now(),
            agent_ended: None,
        })
    }

    /// Runs to the end, or until a signal, and returns the report.
    pub fn run(mut self) -> Result<Report> {
        let started = Instant::now();
        self.wait_until_all_live().ok_or("not every camera became live; see agent.log")?;
        let all_live_after = started.elapsed();
        self.warm_up()?;
        say("counting processes, threads and descriptors");
        let start = self.count().ok_or("the agent's threads and descriptors do not settle")?;

        let (watching, lateness) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let observe = |form| {
            let observer = Observer {
                form,
                address: self.agent.address.clone(),
                cameras: self.cameras.all.clone(),
                board: Arc::clone(&self.board),
                stop: Arc::clone(&watching),
                lateness: Arc::clone(&lateness),
            };
            thread::Builder::new().name("observer".into()).spawn(move || observer.run())
        };
        let observers = [observe(Form::Jpeg)?, observe(Form::Untouched)?];
        let board = Arc::clone(&self.board);
        let shown = wait_for(ALL_LIVE, &self.stop, || {
            let all = &self.cameras.all;
            all.iter().all(|camera| board.live_since(&camera.id).is_some()).then_some(())
        });
        shown.ok_or("the wall socket does not show every camera live")?;

        say(&format!("faults for {} minutes", self.task.minutes));
        self.begun = Instant::now();
        let cpu_before = ProcessTree::look(self.agent.pid()).map_or(0.0, |tree| tree.agent.cpu_seconds);
        let lines_before = self.agent.log.lines.load(Ordering::Relaxed);
        let mut sampler = Sampler::new(self.agent.pid(), self.begun);
        let end = self.begun + Duration::from_secs(self.task.minutes * 60);
        self.make_faults(end, &mut sampler)?;
        let minutes = self.begun.elapsed().as_secs_f64() / 60.0;
        let interrupted = self.stop.load(Ordering::Relaxed);
        let cpu = ProcessTree::look(self.agent.pid()).map_or(0.0, |tree| tree.agent.cpu_seconds) - cpu_before;
        let lines = self.agent.log.lines.load(Ordering::Relaxed) - lines_before;

        say("no more faults; waiting until every camera is live");
        let healed = !interrupted && self.heal(&mut sampler)?;
        self.group.closing.store(true, Ordering::Relaxed);
        watching.store(true, Ordering::Relaxed);
        for viewer in std::mem::take(&mut self.viewers) {
            let _ = viewer.join();
        }
        for observer in observers {
            let _ = observer.join();
        }
        say("counting again");
        let finish = if interrupted || self.agent_ended.is_some() { None } else { self.count_down_to(&start) };
        let zombies = ProcessTree::look(self.agent.pid()).map_or(0, |tree| tree.zombies().len());
        let sessions = self.cameras.counted("sessions");
        let agent_ended = self.agent_ended.clone();
        let stopped = self.agent.stop();
        let facts = Facts {
            all_live_after,
            healed,
            interrupted,
            minutes,
            start,
            finish,
            zombies: sampler.zombies + zombies as u64,
            agent_memory: sampler.agent_memory,
            decoders_memory: sampler.decoders_memory,
            agent_cpu: cpu,
            log_lines: lines,
            passwords: self.agent.log.passwords.load(Ordering::Relaxed),
            panics: self.agent.log.panics.load(Ordering::Relaxed),
            sessions,
            agent_ended,
            stopped,
            lateness: Duration::from_millis(lateness.load(Ordering::Relaxed)),
            reloads: self.reload_times.len(),
            slowest_answer: self.slowest_answer,
        };
        let summary = self.board.summary();
        Ok(report::write(
            &self.task,
            &self.outcomes,
            &summary,
            &self.group.tallies(),
            &facts,
            &self.left_out,
            self.begun,
        ))
    }

    /// Whether the run must end: the agent has ended, or a stop was requested.
    fn is_over(&self) -> bool {
        self.agent_ended.is_some() || self.stop.load(Ordering::Relaxed)
    }

    fn wait_until_all_live(&mut self) -> Option<()> {
        let count = self.cameras.all.len();
        wait_for(ALL_LIVE, &self.stop, || {
            let api = self.agent.api().ok()?;
            let live = api["cameras"].as_array()?.iter().filter(|camera| camera["state"] == "live").count();
            (live == count).then_some(())
        })
    }

    /// Triggers everything that is created at first use: one visit of each kind, a card, a reload.
    fn warm_up(&mut self) -> Result<()> {
        say("all live; warming up");
        let first = self.cameras.all[0].id.clone();
        self.cameras.fault(&first, "drop")?;
        let until = Instant::now() + FIRST_VISITS;
        for (kind, _) in VIEWER_KINDS {
            let rng = self.rng.child();
            self.viewers.push(self.group.visit(kind, until, rng)?);
        }
        self.reload()?;
        for viewer in std::mem::take(&mut self.viewers) {
            let _ = viewer.join();
        }
        self.reload_times.clear();
        self.wait_until_all_live().ok_or_else(|| "not every camera is live after the first visits".into())
    }

    /// The agent's resources without viewers, once no decoder is left and they are stable.
    fn count(&self) -> Option<usage::Counts> {
        let (mut last, mut same) = (usage::Counts::default(), 0);
        let mut due = Instant::now();
        wait_for(SETTLING, &self.stop, || {
            if Instant::now() < due {
                return None;
            }
            due = Instant::now() + Duration::from_secs(1);
            let now = ProcessTree::look(self.agent.pid())?.counts();
            same = if now == last && now.children == 0 { same + 1 } else { 0 };
            last = now;
            (same >= SAME_LOOKS).then_some(now)
        })
    }

    /// Waits until no count is above its value at the start; returns the final counts.
    fn count_down_to(&self, start: &usage::Counts) -> Option<usage::Counts> {
        let look = || Some(ProcessTree::look(self.agent.pid())?.counts());
        wait_for(SETTLING, &self.stop, || look().filter(|now| now.is_within(start))).or_else(|| {
            say(&format!("the threads of the agent are {}", usage::thread_names(self.agent.pid())));
            look()
        })
    }

    fn make_faults(&mut self, end: Instant, sampler: &mut Sampler) -> Result<()> {
        let (mut next_fault, mut next_viewer) = (Instant::now(), Instant::now());
        while Instant::now() < end && !self.is_over() {
            self.turn(sampler)?;
            if self.is_over() {
                break;
            }
            let now = Instant::now();
            if now >= next_fault && self.outcomes.len() < MAX_OUTCOMES {
                next_fault = now + self.rng.milliseconds(BETWEEN.0..=BETWEEN.1);
                self.begin_fault()?;
            }
            if now >= next_viewer && self.viewers.len() < MAX_VIEWERS {
                next_viewer = now + self.rng.milliseconds(ARRIVALS.0..=ARRIVALS.1);
                let until = now + self.rng.milliseconds(VISITS.0..=VISITS.1);
                let kind = self.rng.of(&VIEWER_KINDS).map_or(VIEWER_KINDS[0].0, |(kind, _)| *kind);
                let rng = self.rng.child();
                self.viewers.push(self.group.visit(kind, until, rng)?);
            }
            thread::sleep(TURN);
        }
        Ok(())
    }

    /// Ends faults that are due, checks finished ones, joins viewers that left, and takes samples.
    fn turn(&mut self, sampler: &mut Sampler) -> Result<()> {
        if let Some(status) = self.cameras.has_ended() {
            return Err(format!("the virtual cameras ended by themselves: {status}; see cameras.log").into());
        }
        self.agent_ended = self.agent.has_ended();
        let now = Instant::now();
        if sampler.turn(now) {
            self.ask_for_health();
        }
        self.viewers.retain(|viewer| !viewer.is_finished());
        for n in 0..self.incidents.len() {
            if self.incidents[n].end.is_none() && now >= self.incidents[n].until {
                self.end_fault(n)?;
            }
        }
        let mut going = Vec::new();
        for incident in std::mem::take(&mut self.incidents) {
            let sight = self.board.sight(&incident.camera);
            match incident.assess(&sight, &self.reload_times, NOTICE_WITHIN, now) {
                Some(outcome) => {
                    self.board.touch(&incident.camera, Touch::None);
                    self.board.expect_units(&incident.camera, false);
                    self.outcomes.push(outcome);
                }
                None => going.push(incident),
            }
        }
        self.incidents = going;
        Ok(())
    }

    /// Checks `/healthz`, which must stay healthy with dead cameras that are shown as dead.
    fn ask_for_health(&mut self) {
        let asked = Instant::now();
        match net::http("GET", &self.agent.address, "/healthz") {
            Ok(answer) if answer.status == 200 => {}
            Ok(answer) => {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                self.board.remark(format!("/healthz answered {}: {text}", answer.status));
            }
            Err(error) => self.board.remark(format!("/healthz did not answer: {error}")),
        }
        self.slowest_answer = self.slowest_answer.max(asked.elapsed());
    }

    /// Ends all faults and waits until every camera is live according to the wall and the agent.
    fn heal(&mut self, sampler: &mut Sampler) -> Result<bool> {
        let now = Instant::now();
        for incident in &mut self.incidents {
            incident.until = incident.until.min(now);
        }
        let deadline = now + PATIENCE + STALL_AFTER;
        while Instant::now() < deadline && !self.is_over() {
            self.turn(sampler)?;
            let shown = self.cameras.all.iter().all(|camera| self.board.live_since(&camera.id).is_some());
            if shown && self.incidents.is_empty() {
                return Ok(self.wait_until_all_live().is_some());
            }
            thread::sleep(TURN);
        }
        Ok(false)
    }
}

fn say(text: &str) {
    eprintln!("soak: {text}");
}
