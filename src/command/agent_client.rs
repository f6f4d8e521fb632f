//! Gets the status of the running agent: `/api/cameras` at the address in its configuration file.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use serde_json::Value;

use super::{check, complain, process, sockets};
use crate::{
    config::{self, Complaint},
    http_client::{self, Limits, in_brackets},
    log::chain,
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
    ask(file).map_err(|failure| match failure {
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
    })
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
    let listen = config::listen(file).map_err(Failure::File)?;
    let mut silent = Vec::new();
    for address in listen {
        match ask_at(reachable(address)) {
            Ok(answer) => return Ok(answer),
            Err(why) => silent.push(format!("{} ({why})", reachable(address))),
        }
    }
    for agent in process::running(file).unwrap_or_default() {
        let really = sockets::listening(agent.pid).into_iter().map(reachable);
        if let Some(answer) = really.filter_map(|at| ask_at(at).ok()).find(|answer| answer["pid"] == agent.own_pid) {
            return Ok(answer);
        }
    }
    Err(Failure::NoAgent(format!(
        "no agent answers at {}; is it running with {}? name another file with --config FILE",
        silent.join(" or "),
        file.display()
    )))
}

/// Asks the agent at `address`.
///
/// # Errors
/// A text that says why, if no agent answers there.
///
/// # Blocking
/// Blocks for at most three seconds.
pub fn ask_at(address: SocketAddr) -> Result<Value, String> {
    let (ip, port) = (address.ip().to_string(), address.port());
    let host = in_brackets(&ip);
    // Connecting to a link-local address needs the interface too, but a Host header never has it.
    let ip = match address {
        SocketAddr::V6(address) if address.scope_id() != 0 => format!("{ip}%{}", address.scope_id()),
        _ => ip,
    };
    let request = format!("GET /api/cameras HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    let response = smol::block_on(http_client::exchange(&ip, port, request.as_bytes(), LIMITS, None)).map_err(why)?;
    match response.status {
        Some(200) => {}
        Some(503) => return Err("it serves as many connections as it can; try again".to_owned()),
        _ => return Err("something else answers there".to_owned()),
    }
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if answer["version"].is_string() && answer["cameras"].is_array() {
        Ok(answer)
    } else {
        Err("something else answers there".to_owned())
    }
}

/// Returns the address at which this machine reaches an agent that listens on `address`.
pub fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

fn why(error: http_client::Error) -> String {
    match error {
        http_client::Error::Connect(error) => chain(&error),
        http_client::Error::Slow => format!("no answer within {} s", LIMITS.call.as_secs()),
        http_client::Error::Closed(_) => "it closed the connection without an answer".to_owned(),
        http_client::Error::Response(error) => chain(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_asked_on_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:81", "[::1]:81"),
            ("192.168.1.2:80", "192.168.1.2:80"),
            ("127.0.0.9:80", "127.0.0.9:80"),
            ("[fe80::1%3]:80", "[fe80::1%3]:80"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
