//! `[watchdog]`: the machine's own watchdog.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{diagnostics::Diagnostics, section::Section};

pub(super) const WATCHDOG_KEYS: &[&str] = &["device", "timeout"];

/// Seconds without a beat. A stop takes up to 3 s and a busy small box is slow, so less would reset
/// healthy machines; more than ten minutes of a dead wall is no watch.
const TIMEOUTS: std::ops::RangeInclusive<i64> = 10..=600;

/// The hardware that resets the machine when the agent no longer feeds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Watchdog {
    /// `None`: the hardware is left alone.
    pub device: Option<PathBuf>,
    /// The machine is reset when it was not fed for so long; what the driver makes of it counts.
    pub timeout: Duration,
}

impl Default for Watchdog {
    fn default() -> Self {
        Self { device: None, timeout: Duration::from_secs(30) }
    }
}

pub(super) fn read(section: &Section<'_>, base: &Path, diagnostics: &mut Diagnostics<'_>) -> Watchdog {
    section.refuse_unknown(diagnostics);
    let device = section.words("device", "/dev/watchdog", 4096, diagnostics).map(|text| base.join(text.value));
    let timeout = section.whole::<u64>("timeout", TIMEOUTS, diagnostics).map(Duration::from_secs);
    Watchdog { device, timeout: timeout.unwrap_or(Watchdog::default().timeout) }
}
