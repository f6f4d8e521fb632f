//! One round: one peer and one row, for some seconds; and the sum of several rounds.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    Result,
    age::{ages, quantile},
    peer::{Peer, START, Setup},
    playback_server::PlaybackServer,
    scene::Scene,
    tree::Tree,
    viewer::{Viewers, ask},
};

/// Pause after the first pictures of all viewers, for work that is done only once.
const SETTLE: Duration = Duration::from_secs(1);
/// Interval between checks whether all viewers have begun.
const LOOK: Duration = Duration::from_millis(20);

/// The sum of all rounds of one peer in one row.
#[derive(Debug, Default)]
pub struct Outcome {
    pub pictures: u64,
    pub bytes: u64,
    pub repeats: u64,
    pub nanoseconds: u64,
    pub seconds: f64,
    pub viewers: usize,
    /// The maximum over all rounds, in bytes.
    pub memory: u64,
    pub root_memory: u64,
    pub largest_child: u64,
    pub ages: Vec<f64>,
    /// Whether viewers had no picture at the timeout.
    pub left_waiting: bool,
    /// Notes for the reader of the row.
    pub notes: Vec<String>,
    /// Why there is no result.
    pub skipped: Option<String>,
}

impl Outcome {
    pub fn add(&mut self, round: Self) {
        self.pictures += round.pictures;
        self.bytes += round.bytes;
        self.repeats += round.repeats;
        self.nanoseconds += round.nanoseconds;
        self.seconds += round.seconds;
        self.viewers = round.viewers;
        self.memory = self.memory.max(round.memory);
        self.root_memory = self.root_memory.max(round.root_memory);
        self.largest_child = self.largest_child.max(round.largest_child);
        self.ages.extend(round.ages);
        self.left_waiting |= round.left_waiting;
        let new: Vec<_> = round.notes.into_iter().filter(|note| !self.notes.contains(note)).collect();
        self.notes.extend(new);
        self.skipped = round.skipped.or(self.skipped.take());
    }

    /// Processor milliseconds per picture delivered.
    pub fn per_picture(&self) -> Option<f64> {
        (self.pictures > 0).then(|| self.nanoseconds as f64 / 1e6 / self.pictures as f64)
    }

    /// Processor time as a fraction of one core.
    pub fn cores(&self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.nanoseconds as f64 / 1e9 / self.seconds)
    }

    /// Pictures a second for each viewer.
    pub fn rate(&self) -> Option<f64> {
        (self.viewers > 0 && self.seconds > 0.0).then(|| self.pictures as f64 / self.seconds / self.viewers as f64)
    }

    /// The age that `part` of the pictures did not exceed.
    pub fn age(&self, part: f64) -> Option<f64> {
        let age = quantile(&mut self.ages.clone(), part);
        age.is_finite().then_some(age)
    }
}

/// Runs `peer` in `scene` for `seconds`, without start and end.
///
/// # Errors
/// If it could not be started, or no viewer got a picture.
pub fn run(setup: &Setup, peer: Peer, scene: &Scene, playback: &PlaybackServer, seconds: Duration) -> Result<Outcome> {
    let mut running = setup.start(peer, scene, playback)?;
    let viewers = Viewers::start(std::mem::take(&mut running.sources));
    let deadline = Instant::now() + START;
    let mut outcome = Outcome::default();
    if scene.viewers == 0 {
        wait_until_live(running.port, scene.cameras, deadline)?;
    }
    loop {
        let (begun, all) = viewers.begun();
        if let Some(failed) = viewers.failed() {
            if begun == 0 {
                return Err(failed.into());
            }
            if !outcome.notes.contains(&failed) {
                outcome.notes.push(failed);
            }
        }
        if begun as usize == all {
            break;
        }
        if Instant::now() > deadline {
            if begun == 0 {
                return Err("no pictures came".into());
            }
            outcome.left_waiting = true;
            outcome.notes.push(format!(
                "{} of {all} viewers had no picture after {} s; measured in one round only",
                all as u64 - begun,
                START.as_secs()
            ));
            break;
        }
        thread::sleep(LOOK);
    }
    thread::sleep(SETTLE);
    let pids = running.pids();
    let sent = || playback.cameras().iter().map(|camera| camera.frames()).sum::<u64>();
    let (before, sent_before, began) = (Tree::read(&pids), sent(), Instant::now());
    viewers.count(true);
    thread::sleep(seconds);
    viewers.count(false);
    let (took, sent) = (began.elapsed().as_secs_f64(), sent() - sent_before);
    let after = Tree::read(&pids);
    if running.has_ended() {
        return Err("a process of it ended by itself".into());
    }
    viewers.expect_end();
    drop(running);
    let given = viewers.stop();
    let (ages, unknown) = ages(&given.kept, playback.cameras());
    if unknown > 0 {
        outcome.notes.push(format!("the age of {unknown} of {} pictures kept could not be read", given.kept.len()));
    }
    let camera_rate = sent as f64 / took / scene.cameras as f64;
    if !is_baseline(peer) && camera_rate < f64::from(scene.fps) * 0.95 {
        outcome.notes.push(format!("the cameras gave {camera_rate:.1} pictures/s only: the machine was too busy"));
    }
    Ok(Outcome {
        pictures: given.pictures,
        bytes: given.bytes,
        repeats: given.repeats,
        nanoseconds: after.since(&before),
        seconds: took,
        viewers: if is_baseline(peer) { 1 } else { scene.cameras * scene.viewers },
        memory: after.memory,
        root_memory: after.roots_memory,
        largest_child: after.largest_child,
        ages,
        ..outcome
    })
}

fn is_baseline(peer: Peer) -> bool {
    matches!(peer, Peer::BaselineBare | Peer::BaselineFull | Peer::BaselineFfmpeg)
}

/// Waits until our agent reports `cameras` cameras as live.
///
/// # Errors
/// If it does not before `deadline`.
pub fn wait_until_live(port: u16, cameras: usize, deadline: Instant) -> Result<()> {
    use std::io::Read;
    loop {
        let mut answer = String::new();
        let mut stream = ask(port, "/api/cameras", deadline)?;
        // The agent keeps the connection open: the bytes that came within this time are the
        // response.
        stream.set_read_timeout(Some(Duration::from_millis(200)))?;
        let mut bytes = [0; 1 << 16];
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            answer.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        if answer.matches("\"state\":\"live\"").count() >= cameras {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("not all of {cameras} cameras became live").into());
        }
    }
}
