//! `cctv-agent check [FILE]`: reads a configuration as the agent would, and reports all mistakes.

use std::{
    io::{self, Write},
    path::Path,
};

use super::table::shown;
use crate::{
    config::{self, Complaint, Config},
    log::chain,
    tls,
};

/// The exit code for a valid file.
pub const GOOD: u8 = 0;

/// The exit code for an invalid configuration (`EX_CONFIG` of sysexits.h).
pub const BAD: u8 = 78;

/// Checks `file` and returns the exit code. Complaints, their count, and warnings about a valid
/// file go to stderr; `cameras.toml: good: …` goes to stdout.
///
/// # Blocking
/// Blocks on the disk and on the terminal.
pub fn run(file: &Path) -> u8 {
    check(file, &mut io::stdout().lock(), &mut io::stderr().lock())
}

/// Like [`run`], but writes to `out` and `err`. A reader that closes its
/// end does not change the exit code.
pub fn check(file: &Path, out: &mut impl Write, err: &mut impl Write) -> u8 {
    tell(file, &config::read(file), out, err)
}

/// Reports the result of reading `file`, and returns the exit code.
pub fn tell(file: &Path, read: &Result<Config, Vec<Complaint>>, out: &mut impl Write, err: &mut impl Write) -> u8 {
    match read {
        Ok(config) => {
            if let Some(mistake) = certificate_mistake(file, config) {
                let _ = writeln!(err, "{}", shown(&mistake));
                return BAD;
            }
            for remark in &config.warnings {
                let _ = writeln!(err, "{}", shown(&remark.to_string()));
            }
            if let Some(exposed) = &config.exposed {
                let _ = writeln!(err, "{}", shown(&exposed.to_string()));
                let complaints = std::slice::from_ref(exposed);
                let summary = config::summary(file, complaints, "cctv-agent would serve this machine only");
                let _ = writeln!(err, "{}", shown(&summary));
                // cctv-kiosk takes the address of the machine's own wall from this line.
                let _ = writeln!(out, "{}: {}", shown(&file.display().to_string()), self::summary(config));
                return BAD;
            }
            let _ = writeln!(out, "{}: good: {}", shown(&file.display().to_string()), summary(config));
            GOOD
        }
        Err(complaints) => {
            for complaint in complaints {
                let _ = writeln!(err, "{}", shown(&complaint.to_string()));
            }
            let summary = config::summary(file, complaints, "cctv-agent would not take this file");
            let _ = writeln!(err, "{}", shown(&summary));
            BAD
        }
    }
}

/// What is wrong with the files in `[tls]`.
fn certificate_mistake(file: &Path, config: &Config) -> Option<String> {
    let (certificate, key) = config.tls.files.clone()?;
    let error = tls::Files { certificate, key }.read().err()?;
    Some(format!("{}: [tls]: {}", file.display(), chain(&error)))
}

fn summary(config: &Config) -> String {
    let cameras = match config.cameras.len() {
        0 => "no cameras yet".to_owned(),
        1 => "1 camera".to_owned(),
        count => format!("{count} cameras"),
    };
    let listen: Vec<String> = config.addresses().iter().map(ToString::to_string).collect();
    format!("{cameras}, listening on {}", listen.join(" and "))
}
