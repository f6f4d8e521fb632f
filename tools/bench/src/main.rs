//! Measures our agent and other programs that do the same work, on the same cameras, in turn, in
//! one run: processor time and memory of whole process trees, and the age of pictures by the number
//! burnt into them. `scripts/bench` installs what it needs and runs it; `docs/performance.md`
//! explains how to read the result.

mod age;
mod assertions;
mod baseline;
#[allow(clippy::unwrap_used, dead_code, reason = "shared with the tests, where a clip that cannot be made ends all")]
#[path = "../../../tests/support/clip.rs"]
mod clip;
mod codecs;
mod connection;
mod ffmpeg;
mod opening;
mod peer;
mod playback_server;
mod round;
mod scene;
mod table;
mod task;
mod terminals;
mod test_clip;
mod tree;
mod viewer;

use std::{
    error::Error,
    fs,
    path::Path,
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use assertions::Waits;
use peer::{Cores, Peer, Setup};
use playback_server::PlaybackServer;
use round::Outcome;
use scene::{SCENES, Scene};
use table::Row;
use task::Task;
use test_clip::{Clip, FPS, GOP, Kind};
use tree::Tree;

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

pub const FULL_HD: (usize, usize) = (1920, 1080);
/// Size of the Motion JPEG camera.
const HD: (usize, usize) = (1280, 720);
/// Size that gives 2 Mbit/s: bit rates go by area.
const LIGHT: (usize, usize) = (1360, 768);

/// Exit code if a measured value misses its target.
const NOT_SHOWN: u8 = 1;
/// From sysexits.h.
const USAGE: u8 = 64;
const SOFTWARE: u8 = 70;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let done = match words.next().as_deref() {
        Some(word @ ("baseline-bare" | "baseline-full")) => {
            let rest: Vec<String> = words.collect();
            let side = |at: usize| rest.get(at).and_then(|side| side.parse().ok()).unwrap_or(0);
            baseline::run(Path::new(&rest[0]), (side(1), side(2)), word == "baseline-bare").map(|()| true)
        }
        _ => match task::from_arguments() {
            Ok(task) => run(&task),
            Err(error) => {
                eprintln!("measure: {error}");
                return ExitCode::from(USAGE);
            }
        },
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(NOT_SHOWN),
        Err(error) => {
            eprintln!("measure: {error}");
            ExitCode::from(SOFTWARE)
        }
    }
}

/// Returns whether all values meet their targets.
fn run(task: &Task) -> Result<bool> {
    if let Some(server) = &task.server {
        terminals::run(task, &task.setup(Default::default(), Default::default()), server)?;
        return Ok(true);
    }
    if task.wants_only("codecs") {
        let text = codecs::table(&task.worker())?;
        print!("{text}");
        fs::write(&task.output, &text)?;
        return Ok(true);
    }
    let clip = Arc::new(make_clip(task, Kind::H264, FULL_HD)?);
    let stills = Arc::new(make_clip(task, Kind::Jpeg, HD)?);
    let light = match SCENES.iter().any(|scene| scene.is_light && task.wants(scene.name)) {
        true => Some(Arc::new(make_clip(task, Kind::H264, LIGHT)?)),
        false => None,
    };
    let (saved, stream) = (task.folder.join("clip"), task.folder.join("clip.h264"));
    clip.save(&saved)?;
    // Long enough that the program that reads it never reaches the end.
    let copies = (task.seconds.as_secs() as usize + 60) * FPS as usize / clip.frames.len() + 1;
    fs::write(&stream, clip.frames.concat().repeat(copies))?;
    let setup = task.setup(saved, stream);
    if let Some(minutes) = task.soak {
        soak(&setup, &clip, minutes)?;
        return Ok(true);
    }
    let (began, mut rows) = (Instant::now(), Vec::new());
    for scene in SCENES.iter().filter(|scene| task.wants(scene.name)) {
        let clip = match (scene.kind, &light) {
            (Kind::H264, Some(light)) if scene.is_light => light,
            (Kind::H264, _) => &clip,
            (Kind::Jpeg, _) => &stills,
        };
        rows.push(measure(task, &setup, scene, clip));
    }
    let waits = waits(task, &setup, &clip);
    let lines = assertions::check(&rows, &waits);
    let codecs = if task.wants("codecs") { codecs::table(&task.worker())? } else { String::new() };
    let text = format!(
        "{}{}{codecs}\n{}",
        table::heading(&[Some(&*clip), light.as_deref(), Some(&*stills)], task.rounds, task.seconds.as_secs_f64()),
        table::markdown(&rows),
        assertions::markdown(&lines)
    );
    print!("{text}");
    fs::write(&task.output, &text)?;
    eprintln!("written to {}, after {:.1} min", task.output.display(), began.elapsed().as_secs_f64() / 60.0);
    Ok(!lines.iter().any(assertions::Line::failed))
}

fn make_clip(task: &Task, kind: Kind, (width, height): (usize, usize)) -> Result<Clip> {
    eprintln!("encoding a clip of {width}x{height}");
    Clip::make(kind, width, height, GOP * task.groups)
}

/// Runs all peers of a row, in turn, for the given number of rounds; every other round in reverse
/// order.
fn measure(task: &Task, setup: &Setup, scene: &Scene, clip: &Arc<Clip>) -> Row {
    let size = (clip.width, clip.height);
    eprintln!("{}: {}", scene.name, scene.title(size));
    let peers = Peer::of(scene, setup);
    let mut outcomes: Vec<_> = peers.iter().map(|&peer| (peer, Outcome::default())).collect();
    for round in 0..scene.rounds(task.rounds) {
        let mut order: Vec<usize> = (0..peers.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            let (peer, sum) = &mut outcomes[at];
            if sum.left_waiting {
                continue; // It would take as long again, and show the same.
            }
            let done = PlaybackServer::start(clip, scene.cameras, scene.fps)
                .and_then(|playback| round::run(setup, *peer, scene, &playback, task.seconds));
            match done {
                Ok(outcome) => {
                    eprintln!(
                        "  {}: {:.2} ms per picture, {:.1} pictures/s each",
                        peer.title(),
                        outcome.per_picture().unwrap_or(f64::NAN),
                        outcome.rate().unwrap_or(f64::NAN)
                    );
                    sum.add(outcome);
                }
                Err(error) => {
                    eprintln!("  {}: {error}", peer.title());
                    sum.skipped = Some(error.to_string());
                }
            }
        }
    }
    Row { scene: *scene, clip: size, outcomes }
}

fn waits(task: &Task, setup: &Setup, clip: &Arc<Clip>) -> Waits {
    let mut waits = Waits::default();
    let worst = |values: Vec<f64>| values.into_iter().fold(0.0, f64::max);
    if task.wants("ready") {
        eprintln!("ready: until the agent serves");
        let ready = || (0..task.tries).map(|_| opening::ready(setup)).collect::<Result<_>>();
        waits.ready = Some(ready().map(worst).map_err(|error| error.to_string()));
    }
    if task.wants("opening") {
        let first = |format: &str| {
            eprintln!("opening: the first picture, {format}");
            let playback = PlaybackServer::start(clip, 1, FPS).map_err(|error| error.to_string())?;
            opening::first_pictures(setup, &playback, format, task.tries).map(worst).map_err(|error| error.to_string())
        };
        (waits.first_untouched, waits.first_jpeg) = (Some(first("h264")), Some(first("jpeg")));
    }
    if task.wants("cold") {
        let cold = |format: &str| {
            eprintln!("cold: sixteen cameras, {format}");
            let start = |_| opening::cold_start(setup, || PlaybackServer::start(clip, 16, FPS), format);
            (0..task.rounds).map(start).collect::<Result<_>>().map(worst).map_err(|error| error.to_string())
        };
        (waits.cold_untouched, waits.cold_jpeg) = (Some(cold("h264")), Some(cold("jpeg")));
    }
    if task.wants("cores") {
        eprintln!("cores: the age of pictures with one core for the agent, with all, and where it believes in sixteen");
        waits.cores = Some(cores(task, setup, clip).map_err(|error| error.to_string()));
    }
    waits
}

/// Ages (95 %) with the agent and its worker on one core, on all, and on all while they report
/// sixteen.
fn cores(task: &Task, setup: &Setup, clip: &Arc<Clip>) -> Result<[Option<f64>; 3]> {
    let scene = SCENES.iter().find(|scene| scene.name == "1x1").ok_or("no such row")?;
    let mut sums = [Cores::One, Cores::All, Cores::Pretended(16)].map(|cores| (cores, Outcome::default()));
    for _ in 0..task.rounds {
        for (cores, sum) in &mut sums {
            if matches!(cores, Cores::Pretended(_)) && !nix::unistd::geteuid().is_root() {
                continue;
            }
            let playback = PlaybackServer::start(clip, 1, FPS)?;
            let setup = Setup { cores: *cores, ..setup.clone() };
            sum.add(round::run(&setup, Peer::Agent, scene, &playback, task.seconds)?);
            eprintln!("  {cores:?}: {:.1} ms (95 %)", sum.age(0.95).unwrap_or(f64::NAN));
        }
    }
    Ok(sums.map(|(_, sum)| sum.age(0.95)))
}

/// Prints the agent's memory at the end of each minute, with viewers that read nothing.
fn soak(setup: &Setup, clip: &Arc<Clip>, minutes: u32) -> Result<()> {
    let scene = SCENES.iter().find(|scene| scene.name == "sleepers").ok_or("no such row")?;
    let playback = PlaybackServer::start(clip, scene.cameras, scene.fps)?;
    let mut running = setup.start(Peer::Agent, scene, &playback)?;
    let viewers = viewer::Viewers::start(std::mem::take(&mut running.sources));
    for minute in 1..=minutes {
        thread::sleep(Duration::from_secs(60));
        let tree = Tree::read(&running.pids());
        println!(
            "minute {minute}: agent {:.1} MB, worker {:.1} MB of its own",
            tree.roots_memory as f64 / 1e6,
            tree.largest_child as f64 / 1e6
        );
    }
    viewers.expect_end();
    drop(running);
    viewers.stop();
    Ok(())
}
