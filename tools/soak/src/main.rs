//! The soak: sets all kinds of faults at the same time, for as long as requested, and checks from
//! outside that the wall shows the true state and recovers. `scripts/soak` builds and runs it;
//! `docs/reliability.md` has the results.

mod board;
mod fault_kinds;
mod file;
mod incident;
mod loss;
mod net;
mod observer;
mod processes;
mod report;
mod rng;
mod schedule;
mod usage;
mod viewers;

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use lexopt::{Arg, ValueExt};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::schedule::Soak;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const HELP: &str = "\
usage: soak MINUTES --agent FILE --virtual-camera FILE --www FOLDER --out FOLDER
            [--cameras N] [--seed N] [--busy] [--build TEXT]
       soak --loss PICTURES --agent FILE --virtual-camera FILE --www FOLDER --out FOLDER [--seed N]";

/// From sysexits.h: the command line was wrong.
const USAGE: u8 = 64;

/// A day; for longer runs, run it again.
const MAX_MINUTES: u64 = 1440;
const MAX_CAMERAS: u8 = 64;

/// The command line.
pub struct Task {
    pub minutes: u64,
    /// Instead of the soak: so many pictures of streams with lost packets are compared.
    pub loss: Option<usize>,
    pub cameras: u8,
    pub seed: u64,
    /// Other work on the machine distorts the times: they are printed, not checked.
    pub busy: bool,
    pub agent: PathBuf,
    pub virtual_camera: PathBuf,
    pub www: PathBuf,
    /// Folder for the report and the logs.
    pub out: PathBuf,
    /// The tested build, for the report.
    pub build: String,
}

fn main() -> ExitCode {
    let task = match arguments() {
        Ok(task) => task,
        Err(error) => {
            eprintln!("soak: {error}\n{HELP}");
            return ExitCode::from(USAGE);
        }
    };
    match run(task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether all checks passed.
fn run(task: Task) -> Result<bool> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    if let Some(pictures) = task.loss {
        return loss::run(&task, pictures, &stop);
    }
    let out = task.out.clone();
    let report = Soak::start(task, stop)?.run()?;
    print!("{}", report.text);
    std::fs::write(out.join("report.md"), &report.text)?;
    eprintln!("soak: {}; report and logs are in {}", if report.passed { "passed" } else { "FAILED" }, out.display());
    Ok(report.passed)
}

fn arguments() -> Result<Task> {
    let mut minutes = None;
    let mut task = Task {
        minutes: 0,
        loss: None,
        cameras: 16,
        seed: u64::from(getrandom::u32()?),
        busy: false,
        agent: PathBuf::new(),
        virtual_camera: PathBuf::new(),
        www: PathBuf::new(),
        out: PathBuf::new(),
        build: String::new(),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("agent") => task.agent = parser.value()?.into(),
            Arg::Long("virtual-camera") => task.virtual_camera = parser.value()?.into(),
            Arg::Long("www") => task.www = parser.value()?.into(),
            Arg::Long("out") => task.out = parser.value()?.into(),
            Arg::Long("cameras") => task.cameras = parser.value()?.parse()?,
            Arg::Long("seed") => task.seed = parser.value()?.parse()?,
            Arg::Long("loss") => task.loss = Some(parser.value()?.parse()?),
            Arg::Long("busy") => task.busy = true,
            Arg::Long("build") => task.build = parser.value()?.string()?,
            Arg::Value(value) if minutes.is_none() => minutes = Some(value.parse()?),
            other => return Err(other.unexpected().into()),
        }
    }
    match task.loss {
        None => {
            task.minutes = minutes.filter(|n| (1..=MAX_MINUTES).contains(n)).ok_or("MINUTES must be from 1 to 1440")?;
        }
        Some(_) if minutes.is_some() => return Err("either MINUTES or --loss".into()),
        Some(0) => return Err("--loss from 1".into()),
        Some(_) => {}
    }
    if !(1..=MAX_CAMERAS).contains(&task.cameras) {
        return Err("--cameras from 1 to 64".into());
    }
    for (name, path) in [
        ("--agent", &task.agent),
        ("--virtual-camera", &task.virtual_camera),
        ("--www", &task.www),
        ("--out", &task.out),
    ] {
        if path.as_os_str().is_empty() {
            return Err(format!("{name} is missing").into());
        }
    }
    Ok(task)
}

/// The age at which a picture is no longer live: the default `stall_after`.
pub const STALL_AFTER: Duration = Duration::from_secs(5);

/// Key-frame interval of the virtual cameras.
pub const KEY_FRAMES: Duration = Duration::from_secs(1);
