//! Why a stream is not live, and how an attempt at it ended.

use std::time::{Duration, Instant};

use crate::{agent::backoff::FINAL_REFUSAL, camera::State, hub::Cause, onvif, text::Reason};

/// Why a stream is not live.
#[derive(Clone)]
pub(super) struct StreamFailure {
    pub(super) state: State,
    pub(super) cause: Cause,
    /// Without the reaction.
    pub(super) reason: Reason,
    /// Number of logins refused during the attempt.
    pub(super) refusals: u32,
    /// Not the camera's fault: the worker died, was killed or sent invalid messages.
    pub(super) crash: bool,
    /// The camera wants the stream to be opened again at once.
    pub(super) at_once: bool,
    /// The camera has no room before that time: the pause is at least so long.
    pub(super) at_least: Duration,
    /// The device has listed its profiles, and the wanted one is not among them. The stored record
    /// is no longer valid: its stream may show another camera by now.
    pub(super) denies_memory: bool,
    pub(super) at: Instant,
}

/// Why a device did not give the stream.
pub(super) enum LocateError {
    /// Nobody is there, or another device: the camera may be elsewhere.
    Elsewhere(Reason),
    /// This is the camera, and it refused.
    Final(StreamFailure),
}

impl LocateError {
    /// The same failure of another camera of the device, which happens to it now.
    pub(super) fn at_now(&self) -> Self {
        match self {
            Self::Elsewhere(why) => Self::Elsewhere(why.clone()),
            Self::Final(failure) => Self::Final(StreamFailure { at: Instant::now(), ..failure.clone() }),
        }
    }
}

/// How an attempt ended.
pub(super) enum AttemptOutcome {
    Failed(StreamFailure),
    /// The supervisor is to end.
    Stopped,
    /// The stream has had no demand for a while.
    Unneeded,
}

impl From<StreamFailure> for AttemptOutcome {
    fn from(failure: StreamFailure) -> Self {
        Self::Failed(failure)
    }
}

pub(super) fn offline(reason: impl Into<Reason>) -> StreamFailure {
    away(Cause::Unreachable, reason)
}

pub(super) fn away(cause: Cause, reason: impl Into<Reason>) -> StreamFailure {
    StreamFailure {
        state: State::Offline,
        cause,
        reason: reason.into(),
        refusals: 0,
        crash: false,
        at_once: false,
        at_least: Duration::ZERO,
        denies_memory: false,
        at: Instant::now(),
    }
}

/// The failure of a device that understood the request and refused it.
pub(super) fn refused(error: &onvif::Error) -> StreamFailure {
    StreamFailure { denies_memory: error.denies_profile(), ..away(Cause::Refused, error.reason()) }
}

/// The failure of a device that refused the login, or wants one.
pub(super) fn denied(error: &onvif::Error) -> StreamFailure {
    let refusals = if matches!(error, onvif::Error::NoCredentials { .. }) { 0 } else { FINAL_REFUSAL };
    StreamFailure { state: State::Denied, refusals, ..away(Cause::Denied, error.reason()) }
}
