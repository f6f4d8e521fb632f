//! Changes a user in the configuration file, and has the agent take it.

use std::{io, path::Path, process::ExitCode};

use super::{
    check,
    output::{complain, print},
    process, reload,
    table::shown,
};
use crate::{
    config::{
        self,
        user_edit::{self, UserChange},
    },
    disk,
    log::chain,
};

/// The exit code if the file cannot be written (`EX_CANTCREAT` of sysexits.h).
const CANNOT_WRITE: u8 = 73;

/// Checks that the file can be changed, before a person types anything.
///
/// # Errors
/// The exit code; the reason was printed.
///
/// # Blocking
/// Blocks on the disk.
pub fn precheck(command: &str, file: &Path) -> Result<(), ExitCode> {
    config::text(file).map(drop).map_err(|complaints| refuse(command, &complaints))
}

/// Changes the user `name` in `file`; whether it was there before.
///
/// # Errors
/// The exit code; the reason was printed, and nothing was changed.
///
/// # Blocking
/// Until the file is on the disk.
pub fn change(command: &str, file: &Path, name: &str, change: &UserChange) -> Result<bool, ExitCode> {
    let edited = config::text(file).and_then(|text| user_edit::edit(&text, file, name, change));
    let edited = edited.map_err(|complaints| refuse(command, &complaints))?;
    disk::replace_content(file, edited.text.as_bytes()).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::PermissionDenied => "; run this as root, as with sudo",
            _ => "",
        };
        complain(format!("cctv-agent {command}: {}: {}{remedy}", file.display(), chain(&error)));
        ExitCode::from(CANNOT_WRITE)
    })?;
    Ok(edited.existed)
}

fn refuse(command: &str, complaints: &[config::Complaint]) -> ExitCode {
    for complaint in complaints {
        complain(complaint);
    }
    complain(format!("cctv-agent {command}: nothing was changed"));
    ExitCode::from(check::BAD)
}

/// Has the agent read `file`, if one runs with it, and says what other machines need.
///
/// # Blocking
/// As [`reload::run`].
pub fn apply(file: &Path) -> ExitCode {
    if let Ok(config) = config::read(file) {
        let only_here = config.server.listen.iter().all(|address| address.ip().is_loopback());
        if only_here && !config.users.is_empty() {
            let port = config.server.listen.first().map_or(8080, std::net::SocketAddr::port);
            print(&format!(
                "other machines are not served yet; for that write listen = \"0.0.0.0:{port}\" below [server] in {}, and \
                 run cctv-agent reload\n",
                shown(&file.display().to_string())
            ));
        }
    }
    match process::running(file) {
        Err(process::Failure::None) => {
            print("no agent runs with this file; the next one to start takes it\n");
            ExitCode::SUCCESS
        }
        Ok(_) | Err(process::Failure::NotOurs(_)) => reload::run(file),
    }
}
