//! The measurements requested on the command line.

use std::{path::PathBuf, time::Duration};

use lexopt::{Arg, ValueExt};

use crate::{
    Result,
    peer::{Cores, Setup},
    scene::SCENES,
};

/// Names of the measurements that are not rows of the table.
const BESIDES: [&str; 5] = ["ready", "opening", "cold", "cores", "codecs"];

pub struct Task {
    pub folder: PathBuf,
    pub output: PathBuf,
    agent: PathBuf,
    /// An earlier build, for comparison.
    before: Option<PathBuf>,
    retina: Option<PathBuf>,
    www: PathBuf,
    python: PathBuf,
    old_python: PathBuf,
    predecessor: PathBuf,
    pub rounds: u32,
    pub seconds: Duration,
    /// Number of tries to open a page.
    pub tries: u32,
    /// Groups of pictures in the clip.
    pub groups: usize,
    pub soak: Option<u32>,
    /// The restreaming server between cameras and terminals, if that is to be measured.
    pub server: Option<PathBuf>,
    rows: Vec<String>,
}

/// Parses the arguments of this process; all paths are required.
///
/// # Errors
/// The mistake in them.
pub fn from_arguments() -> Result<Task> {
    let mut task = Task {
        folder: PathBuf::new(),
        output: PathBuf::new(),
        agent: PathBuf::new(),
        before: None,
        retina: None,
        www: PathBuf::new(),
        python: PathBuf::new(),
        old_python: PathBuf::new(),
        predecessor: PathBuf::new(),
        rounds: 2,
        seconds: Duration::from_secs(5),
        tries: 10,
        groups: 5,
        soak: None,
        server: None,
        rows: Vec::new(),
    };
    let mut seconds = None;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("folder") => task.folder = parser.value()?.into(),
            Arg::Long("output") => task.output = parser.value()?.into(),
            Arg::Long("agent") => task.agent = parser.value()?.into(),
            Arg::Long("before") => task.before = Some(parser.value()?.into()),
            Arg::Long("retina") => task.retina = Some(parser.value()?.into()),
            Arg::Long("www") => task.www = parser.value()?.into(),
            Arg::Long("python") => task.python = parser.value()?.into(),
            Arg::Long("old-python") => task.old_python = parser.value()?.into(),
            Arg::Long("predecessor") => task.predecessor = parser.value()?.into(),
            Arg::Long("quick") => {
                (task.rounds, task.seconds, task.tries, task.groups) = (1, Duration::from_secs(2), 3, 2)
            }
            Arg::Long("seconds") => seconds = Some(Duration::from_secs(parser.value()?.parse()?)),
            Arg::Long("terminals") => task.server = Some(parser.value()?.into()),
            Arg::Long("soak") => task.soak = Some(parser.value()?.parse()?),
            Arg::Value(row) => task.rows.push(row.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    task.seconds = seconds.unwrap_or(task.seconds);
    let known: Vec<_> = SCENES.iter().map(|scene| scene.name).chain(BESIDES).collect();
    if let Some(row) = task.rows.iter().find(|row| !known.contains(&row.as_str())) {
        return Err(format!("there is no row {row}; rows are {}", known.join(" ")).into());
    }
    Ok(task)
}

impl Task {
    /// Whether the row `name` is requested; without names, all are.
    pub fn wants(&self, name: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|row| row == name)
    }

    /// Whether nothing but the row `name` is requested.
    pub fn wants_only(&self, name: &str) -> bool {
        self.rows.len() == 1 && self.wants(name)
    }

    /// The program that decodes, beside the agent.
    pub fn worker(&self) -> PathBuf {
        self.agent.with_file_name("cctv-worker")
    }

    pub fn setup(&self, clip: PathBuf, stream: PathBuf) -> Setup<'_> {
        Setup {
            folder: &self.folder,
            agent: &self.agent,
            before: self.before.as_deref(),
            retina: self.retina.as_deref(),
            www: &self.www,
            python: &self.python,
            old_python: &self.old_python,
            predecessor: &self.predecessor,
            clip,
            stream,
            cores: Cores::All,
        }
    }
}
