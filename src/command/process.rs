//! Finds the agent that runs with a given configuration file, among the processes of this machine.
//!
//! Device and inode of the file identify the agent, resolved through each agent's own root and
//! working directory. So no pid file is written at start and none can be stale. It works however
//! the agent was started, in a container or beside a second agent.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::arguments::{Command, parse};
use crate::proc;

/// What the kernel appends to the path of a program whose file was replaced by an update.
const REPLACED: &str = " (deleted)";

/// A running agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The pid that this program sees.
    pub pid: u32,
    /// The pid that the agent itself sees; it differs if the agent runs in a container.
    pub own_pid: u32,
    /// Whether it already handles SIGHUP. Before that, the signal would end it.
    pub takes_reload: bool,
    parent: u32,
}

/// Why no agent was found.
#[derive(Debug, PartialEq)]
pub enum Failure {
    /// No agent runs with this file.
    None,
    /// There seems to be one, but this user may not inspect it.
    NotOurs(u32),
}

/// Returns every agent that runs with the configuration `file`: usually one, and
/// two for a moment during a restart.
///
/// # Errors
/// If there is none, or none that this user may inspect.
///
/// # Blocking
/// Reads a few lines of `/proc` for each process; this needs no disk.
pub fn running(file: &Path) -> Result<Vec<Process>, Failure> {
    let wanted = fs::metadata(file).map_err(|_| Failure::None)?;
    let whole = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let program =
        fs::read_link(proc::Process::own().folder().join("exe")).map(|path| name_of(&path)).unwrap_or_default();
    let mut found = Vec::new();
    let mut foreign = None;
    for pid in proc::pids() {
        let process = proc::Process::with_pid(pid);
        let folder = process.folder();
        let Some(config) = config_of(folder, &program) else { continue };
        match fs::read_link(folder.join("exe")) {
            Ok(exe) if is_named_after(&exe, &program) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                // The kernel shows the program of an agent to root alone. This user's own agent can be
                // told by its name, and by the file as this process sees it.
                if !fs::canonicalize(&config).is_ok_and(|config| config == whole) {
                    continue;
                }
                if kill(Pid::from_raw(pid.cast_signed()), None).is_err() {
                    foreign = foreign.or(Some(pid));
                } else if let Some(agent) = process.read("status").ok().and_then(|text| status(pid, &text)) {
                    found.push(agent);
                }
                continue;
            }
            _ => continue,
        }
        let seen_by_it = match config.strip_prefix("/") {
            Ok(rest) => folder.join("root").join(rest),
            Err(_) => folder.join("cwd").join(&config),
        };
        let same = fs::metadata(seen_by_it).is_ok_and(|its| (its.dev(), its.ino()) == (wanted.dev(), wanted.ino()));
        if same && let Some(agent) = process.read("status").ok().and_then(|text| status(pid, &text)) {
            found.push(agent);
        }
    }
    // A worker looks like an agent until it has become a worker.
    let agents: BTreeSet<u32> = found.iter().map(|process| process.pid).collect();
    found.retain(|process| !agents.contains(&process.parent));
    match (found.is_empty(), foreign) {
        (false, _) => Ok(found),
        (true, Some(pid)) => Err(Failure::NotOurs(pid)),
        (true, None) => Err(Failure::None),
    }
}

/// Asks the agent to read its configuration again.
///
/// # Errors
/// If this user may not signal it, or the agent has ended.
pub fn signal_reload(process: &Process) -> Result<(), Errno> {
    kill(Pid::from_raw(process.pid.cast_signed()), Signal::SIGHUP)
}

/// Returns the configuration file of a process if its command line is that of an agent.
fn config_of(folder: &Path, program: &OsStr) -> Option<PathBuf> {
    let comm = fs::read(folder.join("comm")).ok()?;
    let comm = comm.strip_suffix(b"\n").unwrap_or(&comm);
    // The kernel keeps 15 bytes of a process name.
    if comm.is_empty() || !program.as_bytes().starts_with(comm) {
        return None;
    }
    config_in(&fs::read(folder.join("cmdline")).ok()?)
}

/// Returns the configuration file in a command line of
/// `/proc/PID/cmdline`, if its command is `run`.
fn config_in(line: &[u8]) -> Option<PathBuf> {
    let mut words = line.strip_suffix(b"\0")?.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec()));
    let _program = words.next()?;
    let words: Vec<_> = words.collect();
    // Other commands are not even parsed: `info` would read the password file that it names.
    let may_run = words.first().is_none_or(|word| word == "run" || word.as_bytes().starts_with(b"-"));
    match may_run.then(|| parse(words)) {
        Some(Ok(Command::Run(run))) => Some(run.config),
        _ => None,
    }
}

/// Whether `exe` is, or was, this program. An update by hand often renames the old file, for
/// example to `cctv-agent.old`. A script that only wraps the program has the name of its shell.
fn is_named_after(exe: &Path, program: &OsStr) -> bool {
    name_of(exe).as_bytes().starts_with(program.as_bytes())
}

fn name_of(exe: &Path) -> OsString {
    let name = exe.file_name().unwrap_or_default();
    OsStr::from_bytes(name.as_bytes().strip_suffix(REPLACED.as_bytes()).unwrap_or(name.as_bytes())).to_owned()
}

/// Parses `/proc/PID/status`; see proc_pid_status(5).
fn status(pid: u32, text: &str) -> Option<Process> {
    let field = |name: &str| proc::value_of(text, name);
    let caught = u64::from_str_radix(field("SigCgt")?, 16).ok()?;
    let own_pid = field("NSpid").and_then(|pids| pids.split_whitespace().last()?.parse().ok()).unwrap_or(pid);
    let bit = Signal::SIGHUP as u32 - 1;
    Some(Process { pid, own_pid, takes_reload: caught >> bit & 1 == 1, parent: field("PPid")?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_service_counts_as_an_agent() {
        for (line, config) in [
            ("/usr/bin/cctv-agent\0run\0--config\0/a b.toml\0--log\0syslog\0", Some("/a b.toml")),
            ("cctv-agent\0--config=x.toml\0", Some("x.toml")),
            ("cctv-agent\0", Some(crate::config::DEFAULT_FILE)),
            ("cctv-agent\0worker\0", None),
            ("cctv-agent\0reload\0--config\0/a.toml\0", None),
            ("cctv-agent\0info\0camera\0--username\0u\0--password-file\0/dev/stdin\0", None),
            ("cctv-agent\0--version\0", None),
            ("cctv-agent\0run\0--colour\0", None),
            ("", None),
        ] {
            assert_eq!(config_in(line.as_bytes()), config.map(PathBuf::from), "{line:?}");
        }
    }

    #[test]
    fn updated_program_keeps_its_name() {
        let program = name_of(Path::new("/usr/bin/cctv-agent (deleted)"));
        assert_eq!(program, "cctv-agent");
        for (exe, same) in [
            ("/usr/bin/cctv-agent", true),
            ("/usr/bin/cctv-agent (deleted)", true),
            ("/usr/bin/cctv-agent.old", true),
            ("/usr/bin/dash", false),
        ] {
            assert_eq!(is_named_after(Path::new(exe), &program), same, "{exe}");
        }
    }

    #[test]
    fn status_tells_parent_own_number_and_whether_reload_is_taken() {
        let text = "Name:\tcctv-agent\nPid:\t900\nPPid:\t12\nNSpid:\t900\t7\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000004203\n";
        let expected = Process { pid: 900, own_pid: 7, takes_reload: true, parent: 12 };
        assert_eq!(status(900, text), Some(expected.clone()));
        let starting = text.replace("4203", "4202").replace("NSpid", "Other");
        assert_eq!(status(900, &starting), Some(Process { own_pid: 900, takes_reload: false, ..expected }));
        assert_eq!(status(900, "Name:\tx\n"), None);
    }
}
