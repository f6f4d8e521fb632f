//! `cctv-agent discover`: shows the cameras on the network and at this machine, for the writer of `cameras.toml`.
//!
//! No password is sent: the output has only what a camera reports without a login. The texts come
//! from anybody on the network and go to a terminal, so control characters are escaped.

mod candidate;
mod config_match;
mod local;
mod probe;
pub(super) mod toml_output;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    output::{complain, print, print_json},
    table::{Side, aligned, shown},
};
use crate::{
    config::{self, Config},
    discovery::{DiscoveredDevice, Findings, InterfaceAddress, Search},
};
use candidate::Candidate;
use local::LocalCandidate;

/// The exit code if nothing was found.
const NOTHING: u8 = 70;

/// The arguments of the command.
#[derive(Clone, Debug, PartialEq)]
pub struct Discover {
    /// How long to search.
    pub time: Duration,
    pub form: Form,
    /// The configuration to compare with; `None`: the default one, if it exists.
    pub config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Table,
    Json,
    /// Sections for `cameras.toml`.
    Toml,
}

/// Searches and prints the result. If nothing was found, prints to stderr where it searched.
///
/// # Blocking
/// Blocks for the time of the search and a few seconds more.
pub fn run(arguments: Discover) -> ExitCode {
    let config = configuration(&arguments);
    let port = config.as_ref().and_then(|config| config.server.discovery_port);
    let (found, asked) = smol::block_on(async {
        let mut search = Search::new(port.unwrap_or(0));
        search.limits.whole = arguments.time;
        // Configured cameras are also asked directly, because unicast crosses routers.
        for ip in config.iter().flat_map(config_match::addresses) {
            search = search.and_ask(ip);
        }
        let Findings { discovered_devices, asked } = search.survey().await;
        (cameras(discovered_devices, config.as_ref()).await, asked)
    });
    let local = local::all(Path::new("/"), config.as_ref());
    match arguments.form {
        Form::Table => print(&as_table(&found, &local)),
        Form::Json => print_json(&as_json(&found, &local)),
        Form::Toml => print(&toml_output::write(&found, &local, config.as_ref())),
    }
    if found.is_empty() && local.is_empty() {
        complain(format!("cctv-agent discover: {}", nothing(&asked, arguments.time, port)));
        return ExitCode::from(NOTHING);
    }
    ExitCode::SUCCESS
}

/// Returns the configuration to compare with, if there is a valid one.
fn configuration(arguments: &Discover) -> Option<Config> {
    let file = arguments.config.clone().unwrap_or_else(|| config::DEFAULT_FILE.into());
    match config::read(&file) {
        Ok(config) => Some(config),
        // A default file that does not exist yet is not worth a message.
        Err(_) if arguments.config.is_none() && !file.exists() => None,
        Err(complaints) => {
            let advice = "cannot tell which cameras are configured; cctv-agent check says more";
            complain(format!("cctv-agent discover: {}", config::summary(&file, &complaints, advice)));
            None
        }
    }
}

/// Asks every device what it reports without a login, and leaves out devices that are no cameras.
async fn cameras(discovered_devices: Vec<DiscoveredDevice>, config: Option<&Config>) -> Vec<Candidate> {
    let mut found = Vec::new();
    for (discovered, answer) in probe::all(discovered_devices).await {
        if answer.is_none() && !discovered.is_camera {
            continue;
        }
        let (address, answers) = match answer {
            Some((address, answers)) => (Some(address), Some(answers)),
            // Addresses from SSDP are guesses; WS-Discovery names addresses.
            None => (discovered.near_addresses().into_iter().next().filter(|_| discovered.identity.is_some()), None),
        };
        let configured = config_match::find(&discovered, answers.as_ref(), config);
        found.push(Candidate { discovered, address, answers, configured });
    }
    found
}

/// Formats the result for people; empty if nothing was found.
pub fn as_table(found: &[Candidate], local: &[LocalCandidate]) -> String {
    if found.is_empty() && local.is_empty() {
        return String::new();
    }
    let or_dash = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), shown);
    let mut rows =
        vec![["ADDRESS", "NAME", "MAKER AND MODEL", "IDENTITY", "FOUND BY", "CONFIGURED"].map(str::to_owned)];
    rows.extend(found.iter().map(|found| {
        let kind: Vec<&str> = found.maker().into_iter().chain(found.model()).collect();
        let identity = or_dash(found.identity().as_deref());
        [
            address(found),
            or_dash(found.discovered.name.as_deref()),
            or_dash(Some(kind.join(" ").as_str()).filter(|kind| !kind.is_empty())),
            if found.discovered.is_ambiguous { format!("{identity} (not its alone)") } else { identity },
            found.how(),
            found.configured.to_string(),
        ]
    }));
    rows.extend(local.iter().map(LocalCandidate::row));
    aligned(&rows, [Side::Left; _]).iter().map(|line| format!("{line}\n")).collect()
}

/// Returns the host, and the port if it is not the usual one, in the form that `info` accepts.
fn address(found: &Candidate) -> String {
    match &found.address {
        Some(xaddr) if xaddr.secure => {
            let host = crate::http_client::in_brackets(&shown(&xaddr.host));
            if xaddr.port == 443 { format!("https://{host}") } else { format!("https://{host}:{}", xaddr.port) }
        }
        Some(xaddr) if xaddr.port == 80 => shown(&xaddr.host),
        Some(xaddr) => format!("{}:{}", crate::http_client::in_brackets(&shown(&xaddr.host)), xaddr.port),
        None => format!("{} (no ONVIF)", found.discovered.source),
    }
}

/// Formats the result for programs.
pub fn as_json(found: &[Candidate], local: &[LocalCandidate]) -> Value {
    let one = |found: &Candidate| {
        json!({
            "address": found.address.as_ref().map(|address| json!({
                "host": address.host, "port": address.port, "path": address.path, "https": address.secure,
            })),
            "source": found.discovered.source.to_string(),
            "name": found.discovered.name,
            "maker": found.maker(),
            "model": found.model(),
            "serial": found.serial(),
            "mac": found.discovered.mac.map(|mac| mac.to_string()),
            "location": found.discovered.location,
            "identity": found.identity(),
            "identity_is_shared": found.discovered.is_ambiguous,
            "found_by": found.discovered.how.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "answers": found.answers.is_some(),
            "tls_key": found.answers.as_ref().and_then(|answers| answers.key).map(|key| key.to_string()),
            "profiles": found.answers.iter().flat_map(|answers| &answers.profiles).map(|profile| json!({
                "token": profile.token,
                "source": profile.source.as_ref().map(|source| &source.token),
            })).collect::<Vec<_>>(),
            "configured_as": found.configured.id().map(|id| id.as_str()),
        })
    };
    found.iter().map(one).chain(local.iter().map(LocalCandidate::as_json)).collect()
}

/// Returns the message for a search that found nothing.
pub fn nothing(asked: &[InterfaceAddress], time: Duration, port: Option<u16>) -> String {
    if asked.is_empty() {
        return "no network interface is up that carries multicast; check the cable and the address of this machine"
            .into();
    }
    let places: Vec<String> = asked.iter().map(ToString::to_string).collect();
    let firewall = match port {
        Some(port) => format!("that the firewall of this machine lets UDP port {port} in"),
        None => "that a firewall on this machine lets the answers in: write discovery_port below [server] in \
                 cameras.toml, and open that UDP port"
            .to_owned(),
    };
    format!(
        "no camera answered within {} s on {}. Check that the cameras have power and are in this network (a router \
         passes no search on), that ONVIF is switched on in their own settings, and {firewall}. A camera whose \
         address is known can be asked with cctv-agent info IP",
        time.as_secs_f64(),
        places.join(", ")
    )
}

#[cfg(test)]
mod tests;
