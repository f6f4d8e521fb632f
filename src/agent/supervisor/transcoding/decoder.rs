//! The worker that makes the pictures of one stream.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::progress::{Fault, WorkerProgress, is_starved};
use crate::{
    agent::supervisor::context::{Context, VITALS},
    hub::{Cause, Stream},
    ipc::{Decode, FailureKind},
    media::{AccessUnit, Codec, WantedRendition},
    text::Reason,
    worker_host::{self, CLOSE_TIMEOUT, Worker},
};

/// Why a worker ended, or none could be started.
pub(super) struct Failure {
    pub(super) cause: Cause,
    pub(super) reason: Reason,
    /// The next worker would fail in the same way.
    pub(super) is_final: bool,
}

impl From<&worker_host::Error> for Failure {
    fn from(error: &worker_host::Error) -> Self {
        use worker_host::Error;
        let cause = if matches!(error, Error::MemoryLimit { .. }) { Cause::Memory } else { Cause::Worker };
        let is_final = match error {
            Error::GaveUp(failure) => failure.kind == FailureKind::Sandbox,
            error => matches!(error, Error::Start(_) | Error::Missing { .. } | Error::OtherVersion),
        };
        Self { cause, reason: error.reason(), is_final }
    }
}

impl Failure {
    fn memory(reason: Reason) -> Self {
        Self { cause: Cause::Memory, reason, is_final: true }
    }
}

/// A running worker.
pub(super) struct Decoder {
    pub(super) worker: Worker,
    codec: Codec,
    /// The bytes of the kept group, of which it may keep as many.
    group_limit: usize,
    /// What it draws into each picture.
    remark: Option<String>,
    /// Its name in the memory budget.
    name: String,
    wanted: Vec<WantedRendition>,
    /// It has been fed the kept group.
    has_group: bool,
    pub(super) progress: WorkerProgress,
    vitals_due: Instant,
    /// The processor time that it had used at the last two readings, the older one first, and when
    /// that was.
    used: [(Duration, Instant); 2],
}

impl Decoder {
    pub(super) async fn start(
        context: &Context,
        label: &str,
        stream: &Arc<Stream>,
        codec: Codec,
        default_quality: u8,
    ) -> Result<Self, Failure> {
        context.budget.admit().map_err(Failure::memory)?;
        let most_memory = context.worker_memory.load(Ordering::Relaxed);
        let (group_limit, remark) = (stream.group_limit(), stream.remark());
        let decode = Decode {
            codec,
            default_quality,
            most_memory,
            group_memory: group_limit as u64,
            sandbox: context.sandbox(),
            remark: remark.clone(),
        };
        let worker = Worker::start_decoder(&context.spawner, stream.id(), decode)
            .await
            .map_err(|error| Failure::from(&error))?;
        let started = Instant::now();
        if let Some(vitals) = worker.vitals() {
            stream.set_vitals(vitals, started);
        }
        Ok(Self {
            worker,
            codec,
            group_limit,
            remark,
            name: format!("{label} (pictures)"),
            wanted: Vec::new(),
            has_group: false,
            progress: WorkerProgress::new(started),
            vitals_due: started + VITALS,
            used: [(Duration::ZERO, started); 2],
        })
    }

    /// Whether it was started for the stream as it is now.
    pub(super) fn fits(&self, codec: Codec, stream: &Stream) -> bool {
        self.codec == codec && self.group_limit == stream.group_limit() && self.has_remark_of(stream)
    }

    /// Whether its pictures say what they must.
    pub(super) fn has_remark_of(&self, stream: &Stream) -> bool {
        self.remark == stream.remark()
    }

    /// Records that it has been fed all units there are so far. Returns whether that is new.
    pub(super) fn note_group(&mut self) -> bool {
        !std::mem::replace(&mut self.has_group, true)
    }

    /// Makes exactly these renditions from now on; nothing before it has the kept group. A worker that
    /// saw its units one by one would show the oldest, and then take itself to be late.
    pub(super) async fn want(&mut self, renditions: Vec<WantedRendition>) -> Result<(), worker_host::Error> {
        if !self.has_group || self.wanted == renditions {
            return Ok(());
        }
        if self.wanted.is_empty() {
            // From the units that it has.
            self.progress.note_work(Instant::now());
        }
        self.wanted.clone_from(&renditions);
        self.worker.want(renditions).await
    }

    /// Gives it the next unit, as [`Worker::feed`].
    pub(super) async fn feed(&mut self, unit: &AccessUnit) -> Result<(), worker_host::Error> {
        self.worker.feed(unit).await?;
        if !self.wanted.is_empty() {
            self.progress.note_work(Instant::now());
        }
        Ok(())
    }

    /// Whose fault it is that the pictures of `stream` are overdue; `None` if it was not asked for
    /// any, or may still make them.
    pub(super) fn fault(&self, stream: &Stream, now: Instant) -> Option<Fault> {
        if self.wanted.is_empty() {
            return None;
        }
        self.progress.fault(stream.options().stall_after, self.is_starved(now), now)
    }

    /// Whether it has got too little processor time lately.
    fn is_starved(&self, now: Instant) -> bool {
        // The last reading may be of this moment.
        let [(cpu, read), _] = self.used;
        self.worker
            .vitals()
            .is_some_and(|vitals| is_starved(vitals.cpu.saturating_sub(cpu), now.saturating_duration_since(read)))
    }

    /// Reads now and then what the worker uses, and checks that it may.
    pub(super) fn check(&mut self, context: &Context, stream: &Stream, now: Instant) -> Result<(), Failure> {
        if now < self.vitals_due {
            return Ok(());
        }
        self.vitals_due = now + VITALS;
        let Some(vitals) = self.worker.vitals() else { return Ok(()) };
        stream.set_vitals(vitals, now);
        self.used = [self.used[1], (vitals.cpu, now)];
        self.worker.check_memory(&vitals).map_err(|error| Failure::from(&error))?;
        context.budget.report(&self.name, vitals.own).map_err(Failure::memory)
    }

    /// Ends a worker that failed, and does not wait for it: it may hang, and the next one is to start.
    pub(super) fn abandon(self, context: &Context) {
        context.budget.forget(&self.name);
        let ended = async move {
            self.worker.end(CLOSE_TIMEOUT).await;
        };
        context.executor.spawn(ended).detach();
    }

    pub(super) async fn end(self, context: &Context) {
        self.worker.end(CLOSE_TIMEOUT).await;
        context.budget.forget(&self.name);
    }
}
