//! What a keeper does about a trouble, and how it says so.

use std::time::Duration;

use super::Trouble;
use crate::agent::pause::Pauses;

/// What is done about a trouble.
pub(super) struct Plan {
    pub(super) pause: Duration,
    pub(super) at_once: bool,
    /// The trouble and the plan in words.
    pub(super) why: String,
}

impl Plan {
    /// Counts `trouble` in `pauses`.
    pub(super) fn new(trouble: &Trouble, pauses: &mut Pauses, random: f64) -> Self {
        let (text, now) = (&trouble.text, trouble.at);
        if trouble.crash
            && let Some(pause) = pauses.after_crash(now, random)
        {
            return Self { pause, at_once: true, why: format!("{text}; beginning again at once") };
        }
        let pause = match trouble.refusals {
            0 => pauses.after_failure(now, random),
            refusals => pauses.after_refusal(refusals, now, random),
        };
        let why = if pauses.is_denied() {
            format!("{text}; trying again in {} min or after a reload", pause.as_secs() / 60)
        } else {
            format!("{text}; trying again in {:.0} s (attempt {})", pause.as_secs_f64(), pauses.failures())
        };
        Self { pause, at_once: false, why }
    }
}
