//! What is counted of a stream since the agent started, and measured of its worker.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    hub::{
        rate_meter::RateMeter,
        status::{Cause, Reception, WorkerUsage},
    },
    sandbox::Sandbox,
    text::Reason,
};

/// Counters and measurements of one stream.
#[derive(Debug, Default)]
pub struct StreamStats {
    pub rate_meter: RateMeter,
    pub frames: u64,
    pub bytes: u64,
    /// Pictures replaced in mailboxes, and units dropped from queues.
    pub skipped: u64,
    pub stalls: u64,
    /// How often the camera was asked for a key frame.
    pub key_frame_requests: u64,
    pub failures: BTreeMap<Cause, u64>,
    /// Whether the worker reports a running decoder.
    pub decoding: bool,
    last_error: Option<(Reason, Instant)>,
    sessions: u64,
    /// How often the stream was opened after it was idle.
    fresh: u64,
    usage: Option<(WorkerUsage, Instant)>,
    worker_share: Option<f64>,
    /// What of the worker's sandbox took hold.
    pub sandbox: Option<Sandbox>,
    /// Of all sessions that have ended.
    received: Option<Reception>,
    /// Of the present session.
    reception: Option<Reception>,
}

impl StreamStats {
    /// Counts an access unit.
    pub fn note_unit(&mut self, bytes: usize, now: Instant) {
        self.frames += 1;
        self.bytes += bytes as u64;
        self.rate_meter.note(bytes, now);
    }

    /// Counts a session with the camera; `was_idle` if the stream is opened because of new demand.
    pub fn begin_session(&mut self, was_idle: bool) {
        self.sessions += 1;
        self.fresh += u64::from(was_idle);
    }

    /// Forgets what was measured of the session that has ended.
    pub fn end_session(&mut self) {
        self.end_reception();
        self.rate_meter.clear();
    }

    /// Forgets what the worker that has ended reported about itself.
    pub fn end_worker(&mut self) {
        self.decoding = false;
        (self.usage, self.worker_share, self.sandbox) = (None, None, None);
    }

    /// Records what the present session has received.
    pub fn set_reception(&mut self, reception: Reception) {
        self.reception = Some(reception);
    }

    /// Adds the session that has ended to those before it.
    fn end_reception(&mut self) {
        self.received = self.reception().map(Reception::ended);
        self.reception = None;
    }

    /// What was received since the agent started; `None` if it never read the stream itself.
    pub fn reception(&self) -> Option<Reception> {
        match (self.reception, self.received) {
            (Some(present), Some(before)) => Some(present.sum(before)),
            (present, before) => present.or(before),
        }
    }

    pub fn set_usage(&mut self, usage: WorkerUsage, now: Instant) {
        if let Some((before, at)) = self.usage.filter(|(before, _)| before.pid == usage.pid) {
            let seconds = now.saturating_duration_since(at).as_secs_f64();
            if seconds > 0.0 {
                self.worker_share = Some(usage.cpu.saturating_sub(before.cpu).as_secs_f64() / seconds);
            }
        }
        self.usage = Some((usage, now));
    }

    pub fn note_failure(&mut self, cause: Cause) {
        *self.failures.entry(cause).or_default() += 1;
    }

    pub fn set_last_error(&mut self, error: Reason, now: Instant) {
        self.last_error = Some((error, now));
    }

    /// The newest error, and the time since it was recorded.
    pub fn last_error(&self, now: Instant) -> Option<(Reason, Duration)> {
        self.last_error.as_ref().map(|(error, at)| (error.clone(), now.saturating_duration_since(*at)))
    }

    /// Sessions after the first, without those that new demand began.
    pub fn reconnects(&self) -> u64 {
        self.sessions.saturating_sub(self.fresh.max(1))
    }

    /// What the worker costs; `None` while none runs.
    pub fn usage(&self) -> Option<WorkerUsage> {
        self.usage.map(|(usage, _)| usage)
    }

    /// The share of one processor that the worker has used lately; `None` before two measurements.
    pub fn worker_share(&self) -> Option<f64> {
        self.worker_share
    }
}
