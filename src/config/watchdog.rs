//! `[watchdog]`: the hardware watchdog of the machine.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{diagnostics::Diagnostics, section::Section};

pub(super) const WATCHDOG_KEYS: &[&str] = &["device", "timeout"];

/// Seconds without a heartbeat. A stop takes up to 3 s and a small machine under load is slow, so a
/// lower value would reset healthy machines. With more than ten minutes a wall stays dead too long.
const TIMEOUTS: std::ops::RangeInclusive<i64> = 10..=600;

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
        Self { device: None, timeout: Duration::from_secs(30) }
    }
}

pub(super) fn read(section: &Section<'_>, base: &Path, diagnostics: &mut Diagnostics<'_>) -> Watchdog {
    section.refuse_unknown(diagnostics);
    let device = section.words("device", "/dev/watchdog", 4096, diagnostics).map(|text| base.join(text.value));
    let timeout = section.whole::<u64>("timeout", TIMEOUTS, diagnostics).map(Duration::from_secs);
    Watchdog { device, timeout: timeout.unwrap_or(Watchdog::default().timeout) }
}
