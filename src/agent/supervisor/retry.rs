//! Decides how a supervisor reacts to a failure, and says so.

use std::time::Duration;

use super::StreamFailure;
use crate::{
    agent::backoff::Backoff,
    text::{Code, Reason},
};

/// The reaction to a failure.
pub(super) struct RetryDecision {
    pub(super) pause: Duration,
    pub(super) at_once: bool,
    /// The failure and the reaction.
    pub(super) why: Reason,
}

impl RetryDecision {
    /// Counts `failure` in `backoff`.
    pub(super) fn new(failure: &StreamFailure, backoff: &mut Backoff, random: f64) -> Self {
        let (reason, now) = (failure.reason.clone(), failure.at);
        if (failure.crash || failure.at_once)
            && let Some(pause) = backoff.after_crash(now, random)
        {
            return Self { pause, at_once: true, why: reason.and(Code::RetryAtOnce) };
        }
        let pause = match failure.refusals {
            0 => backoff.after_failure(now, random),
            refusals => backoff.after_refusal(refusals, now, random),
        };
        let pause = pause.max(failure.at_least);
        let why = if backoff.is_denied() {
            reason.and(Code::RetryAfterReload.with("minutes", pause.as_secs() / 60))
        } else {
            reason.and(Code::Retry.with("seconds", pause.as_secs_f64()).with("attempt", backoff.failures()))
        };
        Self { pause, at_once: false, why }
    }
}
