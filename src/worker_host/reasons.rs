//! What an end of a worker means, as a reason for the person on site.

use std::{error, fmt, os::unix::process::ExitStatusExt, process::ExitStatus};

use nix::sys::signal::Signal;

use super::{Error, spawner};
use crate::text::{Code, Part, Reason, chain};

impl Error {
    /// The error with its causes.
    pub fn reason(&self) -> Reason {
        self.caused_by(error::Error::source(self).map(chain))
    }

    fn caused_by(&self, cause: Option<String>) -> Reason {
        let part = match self {
            Self::GaveUp(failure) => return failure.reason.clone(),
            Self::Start(_) => Code::WorkerStart.with_some("error", cause),
            Self::Missing { program } => {
                let is_reader = program.ends_with(spawner::READER);
                let (missing, advice) = match is_reader {
                    true => (Code::ReaderMissing, Code::InstallReader),
                    false => (Code::WorkerMissing, Code::InstallWorker),
                };
                return [missing.with("program", program.display().to_string()), advice.into()].into();
            }
            Self::OtherVersion => return [Code::WorkerOtherVersion, Code::RestartAgent].map(Part::from).into(),
            Self::Died { status, last_stderr_line } => {
                let part = death(*status, last_stderr_line.as_deref());
                let is_forbidden = part.code() == Code::WorkerForbidden;
                return Reason::from(part).and(if is_forbidden {
                    Code::SeeKernelLog.into()
                } else {
                    Reason::default()
                });
            }
            Self::Ipc(_) | Self::Protocol(_) => Code::WorkerNonsense.with_some("error", cause),
            Self::Unresponsive => Code::WorkerUnresponsive.into(),
            Self::MemoryLimit { resident, most } => {
                Code::WorkerMemory.with("used", resident >> 20).with("limit", most >> 20)
            }
        };
        part.into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.caused_by(None).fmt(f)
    }
}

/// How a worker ended by itself.
fn death(status: Option<ExitStatus>, last_stderr_line: Option<&str>) -> Part {
    let part = match status.map(|status| (status.signal(), status.code())) {
        Some((Some(signal), _)) if signal == Signal::SIGSYS as i32 => Code::WorkerForbidden.into(),
        Some((Some(signal), _)) => {
            let name = Signal::try_from(signal).map_or("an unknown signal", Signal::as_str);
            Code::WorkerKilled.with("signal", name)
        }
        Some((None, Some(code))) => Code::WorkerExited.with("status", f64::from(code)),
        _ => Code::WorkerClosed.into(),
    };
    match last_stderr_line {
        Some(line) => part.quoted("last_line", line),
        None => part,
    }
}
