//! `cctv-agent reload`: checks the configuration, has the agent read it, and reports the outcome.

use std::{
    fs, io,
    path::Path,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use nix::errno::Errno;
use serde_json::Value;

use super::{
    agent_client::{self, Failure},
    check,
    output::complain,
    process::{self, Process},
    sockets,
    table::shown,
};
use crate::{
    config::{self, Startup},
    http_client,
};

/// The exit code if the agent did not apply the file.
const FAILED: u8 = 70;

/// The exit code if the agent applied the file but cannot listen on an address in it.
const CANNOT_BIND: u8 = 71;

/// Maximum time from the signal to the new configuration. Password files on a slow disk take a
/// moment, and the agent waits until no program writes the file any more.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// An agent that was just started needs some milliseconds before it handles signals.
const STARTING: Duration = Duration::from_secs(3);

const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Reloads the agent that runs with `file`. Complaints go to stderr; the changes go to stdout.
///
/// # Blocking
/// Blocks for about 20 s at most, usually for some milliseconds.
pub fn run(file: &Path) -> ExitCode {
    let code = check::tell(file, &config::read_settled(file), &mut io::sink(), &mut io::stderr().lock());
    if code != check::GOOD {
        eprintln!("cctv-agent reload: nothing was changed");
        return ExitCode::from(code);
    }
    match reload(file) {
        Ok(Outcome::Reloaded { what, complaints }) => {
            super::output::print(&format!("reloaded: {}\n", shown(&what)));
            for complaint in &complaints {
                complain(format!("cctv-agent reload: {complaint}"));
            }
            if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(CANNOT_BIND) }
        }
        Ok(Outcome::Refused(complaints)) => {
            for complaint in complaints {
                complain(complaint);
            }
            eprintln!("cctv-agent reload: the agent did not take the file; the previous configuration stays in force");
            ExitCode::from(check::BAD)
        }
        Err(why) => {
            complain(format!("cctv-agent reload: {why}"));
            ExitCode::from(FAILED)
        }
    }
}

enum Outcome {
    /// What the agent reports as changed, and the addresses on which it cannot listen.
    Reloaded { what: String, complaints: Vec<String> },
    /// The agent rejects the file, for example because its user may not read a password file.
    Refused(Vec<String>),
}

fn reload(file: &Path) -> Result<Outcome, String> {
    let agents = wait_until_ready(file)?;
    let before = ask(file, &agents).ok().map(|answer| number(&answer, "asked"));
    for agent in &agents {
        process::signal_reload(agent).map_err(|error| match error {
            Errno::EPERM => not_allowed(agent.pid),
            error => format!("cannot signal the agent, pid {}: {}", agent.pid, error.desc()),
        })?;
    }
    let deadline = Instant::now() + RELOAD_TIMEOUT;
    loop {
        let silence = match ask(file, &agents) {
            // If there was no response before the signal, the count must be at least one.
            Ok(answer) if number(&answer, "count") > before.unwrap_or(0) => return Ok(outcome(&answer)),
            Ok(_) => "it still has the previous configuration".to_owned(),
            Err(Failure::NoAgent(why)) => why,
            Err(Failure::File(complaints)) => return Ok(Outcome::Refused(texts(&complaints))),
        };
        if Instant::now() >= deadline {
            let pids = named(&agents);
            let limit = RELOAD_TIMEOUT.as_secs();
            return Err(format!(
                "the agent, {pids}, got the signal, but did not confirm within {limit} s: {silence}; see its log"
            ));
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Returns the agents that run with `file`, once all of them handle the signal.
fn wait_until_ready(file: &Path) -> Result<Vec<Process>, String> {
    let deadline = Instant::now() + STARTING;
    loop {
        let agents = process::running(file).map_err(|failure| match failure {
            process::Failure::None => {
                let whole = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
                format!(
                    "the file is good, but no agent runs with {}; start it, or name its file with --config",
                    whole.display()
                )
            }
            process::Failure::NotOurs(pid) => not_allowed(pid),
        })?;
        if agents.iter().all(|agent| agent.takes_reload) {
            return Ok(agents);
        }
        if Instant::now() >= deadline {
            return Err(format!("the agent, {}, does not come up; see its log", named(&agents)));
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Asks one of `agents`: first at the addresses in `file`, then at those on which it really
/// listens, because it may not listen on the former yet, or cannot.
fn ask(file: &Path, agents: &[Process]) -> Result<Value, Failure> {
    let why = match agent_client::ask(file) {
        Ok(answer) if is_one_of(agents, &answer) => return Ok(answer),
        Ok(_) => Failure::NoAgent("another agent answers at the address in the file".to_owned()),
        Err(failure) => failure,
    };
    let really = agents.iter().flat_map(|agent| sockets::listening(agent.pid)).map(http_client::reachable);
    let Startup { state_dir, .. } = config::startup(file).map_err(Failure::File)?;
    let mut answers = really.filter_map(|address| agent_client::ask_at(address, &state_dir).ok());
    answers.find(|answer| is_one_of(agents, answer)).ok_or(why)
}

fn outcome(answer: &Value) -> Outcome {
    let complaints: Vec<String> = answer["complaints"].as_array().into_iter().flatten().filter_map(text).collect();
    if answer["reload"]["taken"] == true {
        Outcome::Reloaded { what: text(&answer["reload"]["outcome"]).unwrap_or_default(), complaints }
    } else {
        Outcome::Refused(complaints)
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn texts(complaints: &[config::Complaint]) -> Vec<String> {
    complaints.iter().map(ToString::to_string).collect()
}

fn number(answer: &Value, key: &str) -> u64 {
    answer["reload"][key].as_u64().unwrap_or(0)
}

fn is_one_of(agents: &[Process], answer: &Value) -> bool {
    agents.iter().any(|agent| answer["pid"] == agent.own_pid)
}

fn named(agents: &[Process]) -> String {
    let pids: Vec<_> = agents.iter().map(|agent| format!("pid {}", agent.pid)).collect();
    pids.join(" and ")
}

fn not_allowed(pid: u32) -> String {
    format!("the agent, pid {pid}, belongs to another user; run this as root, as with sudo")
}
