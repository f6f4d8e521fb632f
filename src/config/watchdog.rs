//! `[watchdog]`: the hardware watchdog of the machine.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{diagnostics::Diagnostics, keys, schema, section::Section};

/// The hardware that resets the machine if the agent sends no heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub struct Watchdog {
    /// `None`: no hardware watchdog is used.
    pub device: Option<PathBuf>,
    /// The machine is reset after this time without a heartbeat. The driver may choose another
    /// value, and that one applies.
    pub timeout: Duration,
}

impl Default for Watchdog {
    fn default() -> Self {
        read(&Section::absent(&schema::WATCHDOG), Path::new(""), &mut Diagnostics::nowhere())
    }
}

pub(super) fn read(section: &Section<'_>, base: &Path, diagnostics: &mut Diagnostics<'_>) -> Watchdog {
    section.refuse_unknown(diagnostics);
    Watchdog {
        device: section.path(&keys::DEVICE, base, diagnostics),
        timeout: Duration::from_secs(section.whole_or_default(&keys::TIMEOUT, diagnostics)),
    }
}
