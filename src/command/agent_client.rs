//! Gets the status of the running agent: `/api/cameras` at the address in its configuration file.

use std::{net::SocketAddr, path::Path, process::ExitCode, time::Duration};

use serde_json::Value;

use super::{check, output::complain, process, sockets};
use crate::{
    camera::Secret,
    config::{self, Complaint, Startup},
    http_client::{self, Limits, reachable, response::Response},
    log::chain,
    users::command_key,
};

/// The exit code if no agent answers.
pub const NO_ANSWER: u8 = 70;

/// Time limits of the request. An agent answers within milliseconds.
const LIMITS: Limits =
    Limits { connect: Duration::from_secs(2), call: Duration::from_secs(3), quiet: Duration::from_millis(250) };

/// Why the status of the running agent is unknown.
#[derive(Debug)]
pub enum Failure {
    /// The configuration file cannot be read.
    File(Vec<Complaint>),
    /// Nothing answers, or another program does. The text says which, and what to do.
    NoAgent(String),
}

/// Like [`ask`], but prints to stderr, in the name of `command`, why there is no response.
///
/// # Errors
/// The exit code of `command`.
///
/// # Blocking
/// Like [`ask`].
pub fn answer(command: &str, file: &Path) -> Result<Value, ExitCode> {
    ask(file).map_err(|failure| told(command, failure))
}

/// The users of the agent that runs with `file`; prints like [`answer`] why there is no response.
///
/// # Errors
/// The exit code of `cctv-agent users`.
///
/// # Blocking
/// Like [`ask`].
pub fn users(file: &Path) -> Result<Value, ExitCode> {
    let users = ask_with(file, |address, state_dir| {
        let answer = get(address, "/api/users", state_dir)?;
        answer["users"].is_array().then_some(answer).ok_or_else(foreign)
    });
    users.map_err(|failure| told("users", failure))
}

fn told(command: &str, failure: Failure) -> ExitCode {
    match failure {
        Failure::File(complaints) => {
            for complaint in complaints {
                complain(complaint);
            }
            complain(format!(
                "cctv-agent {command}: that file tells where the agent listens; name another with --config FILE, or \
                 try as root, as with sudo"
            ));
            ExitCode::from(check::BAD)
        }
        Failure::NoAgent(why) => {
            complain(format!("cctv-agent {command}: {why}"));
            ExitCode::from(NO_ANSWER)
        }
    }
}

/// Asks the agent that runs with the configuration `file`: first at the addresses in the file, then
/// at those on which such an agent really listens, because the file may have been changed.
///
/// # Errors
/// If the file cannot be read, or no agent answers at these addresses.
///
/// # Blocking
/// Blocks on the disk, and up to three seconds for each address of the file.
pub fn ask(file: &Path) -> Result<Value, Failure> {
    ask_with(file, ask_at)
}

fn ask_with(file: &Path, ask_at: impl Fn(SocketAddr, &Path) -> Result<Value, String>) -> Result<Value, Failure> {
    let Startup { listen, state_dir, .. } = config::startup(file).map_err(Failure::File)?;
    let mut silent = Vec::new();
    for address in listen {
        match ask_at(reachable(address), &state_dir) {
            Ok(answer) => return Ok(answer),
            Err(why) => silent.push(format!("{} ({why})", reachable(address))),
        }
    }
    for agent in process::running(file).unwrap_or_default() {
        let really = sockets::listening(agent.pid).into_iter().map(reachable);
        if let Some(answer) =
            really.filter_map(|at| ask_at(at, &state_dir).ok()).find(|answer| is_of(answer, agent.own_pid))
        {
            return Ok(answer);
        }
    }
    Err(Failure::NoAgent(format!(
        "no agent answers at {}; is it running with {}? name another file with --config FILE",
        silent.join(" or "),
        file.display()
    )))
}

/// Asks the agent at `address`, whose state directory is `state_dir`.
///
/// # Errors
/// A text that says why, if no agent answers there.
///
/// # Blocking
/// Blocks for at most three seconds.
pub fn ask_at(address: SocketAddr, state_dir: &Path) -> Result<Value, String> {
    let answer = get(address, "/api/cameras", state_dir)?;
    let is_agent = answer["version"].is_string() && answer["cameras"].is_array();
    if is_agent { Ok(answer) } else { Err(foreign()) }
}

/// Whether the agent with this process number may have given the answer. Not every answer has one; then
/// the socket, which is that process's, is all there is.
fn is_of(answer: &Value, pid: u32) -> bool {
    answer["pid"].is_null() || answer["pid"] == pid
}

fn foreign() -> String {
    "something else answers there".to_owned()
}

/// Gets `path`, without a login first. If the agent wants one, the key of this machine's commands is sent to
/// it, over loopback alone.
fn get(address: SocketAddr, path: &str, state_dir: &Path) -> Result<Value, String> {
    let response = match exchange(address, path, None)? {
        response if response.status == Some(401) && address.ip().is_loopback() => {
            let key = command_key::read(state_dir).ok_or_else(|| {
                "it wants a login from this machine too, by without_login = \"nobody\"; try as root, as with sudo"
                    .to_owned()
            })?;
            exchange(address, path, Some(&key))?
        }
        response => response,
    };
    match response.status {
        Some(200) => {}
        Some(503) => return Err("it serves as many connections as it can; try again".to_owned()),
        Some(401) => return Err(format!("it does not take the key in {}", state_dir.display())),
        _ => return Err(foreign()),
    }
    Ok(serde_json::from_slice(&response.body).unwrap_or_default())
}

fn exchange(address: SocketAddr, path: &str, key: Option<&Secret>) -> Result<Response, String> {
    let (ip, port) = (address.ip(), address.port());
    // Connecting to a link-local address needs the interface too.
    let host = match address {
        SocketAddr::V6(address) if address.scope_id() != 0 => format!("{ip}%{}", address.scope_id()),
        _ => ip.to_string(),
    };
    let login = key.map(|key| format!("Authorization: Bearer {}\r\n", key.expose())).unwrap_or_default();
    let request = http_client::get_with(&host, port, path, &login);
    smol::block_on(http_client::exchange(&host, port, request.as_bytes(), LIMITS, None)).map_err(why)
}

fn why(error: http_client::Error) -> String {
    match error {
        http_client::Error::Connect(error) => chain(&error),
        http_client::Error::Slow => format!("no answer within {} s", LIMITS.call.as_secs()),
        http_client::Error::Closed(_) => "it closed the connection without an answer".to_owned(),
        http_client::Error::Response(error) => chain(&error),
    }
}
