//! Decides how a supervisor reacts to a failure, and the text that says so.

use std::time::Duration;

use super::StreamFailure;
use crate::agent::backoff::Backoff;

/// The reaction to a failure.
pub(super) struct RetryDecision {
    pub(super) pause: Duration,
    pub(super) at_once: bool,
    /// The failure and the reaction as text.
    pub(super) why: String,
}

impl RetryDecision {
    /// Counts `failure` in `backoff`.
    pub(super) fn new(failure: &StreamFailure, backoff: &mut Backoff, random: f64) -> Self {
        let (text, now) = (&failure.text, failure.at);
        if failure.crash
            && let Some(pause) = backoff.after_crash(now, random)
        {
            return Self { pause, at_once: true, why: format!("{text}; beginning again at once") };
        }
        let pause = match failure.refusals {
            0 => backoff.after_failure(now, random),
            refusals => backoff.after_refusal(refusals, now, random),
        };
        let why = if backoff.is_denied() {
            format!("{text}; trying again in {} min or after a reload", pause.as_secs() / 60)
        } else {
            format!("{text}; trying again in {:.0} s (attempt {})", pause.as_secs_f64(), backoff.failures())
        };
        Self { pause, at_once: false, why }
    }
}
