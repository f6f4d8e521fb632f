//! The task that owns one stream as long as it is configured: resolve, read, learn how it ended, wait,
//! retry.

mod camera_shared;
mod client_failure;
mod confirmation;
mod context;
mod conversation;
mod demand;
mod event_watch;
mod failure;
mod http_failure;
mod identify;
mod last_resort;
mod lessons;
mod locate;
mod locator;
mod onvif_result;
mod place;
mod recorder;
mod resolved;
mod retry;
mod rtsp_failure;
mod search;
mod session;
mod side_task;
mod sound_reader;
mod steering;
mod synchronization;
mod tls_keys;
mod transcoding;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use smol::{
    Task, Timer,
    channel::{Receiver, Sender, bounded},
    future::FutureExt,
};

pub use camera_shared::{CameraShared, StreamRole};
pub use context::Context;
pub use event_watch::{EventWatch, Subject, WatchSpec};
use failure::{AttemptOutcome, StreamFailure, away, offline};
use lessons::Lessons;
pub use recorder::RecorderShared;
use resolved::ResolvedStream;
use retry::RetryDecision;
use session::KeyFrameRequests;
pub use side_task::{HasSideTask, SideTask};
pub use sound_reader::SoundReader;
pub use steering::Steering;
use transcoding::Transcoding;

use super::backoff::Backoff;
use crate::{
    camera::{Reader, Source, State, StreamSource},
    hub::{Cause, Stream},
    sync::{Latch, Mutex},
    text::{Code, Reason},
};

/// The reason that viewers read while a camera reconnects with a new address, login or profile.
pub const RECONFIGURED: [Code; 2] = [Code::ConfigChanged, Code::ConnectingAgain];

/// Heartbeat deadline before a stream is open: the turn to open may come after many slow cameras.
const AWAY: Duration = Duration::from_secs(600);

/// Shortest pause that an announcement can end, however much traffic the network has.
const MIN_PAUSE: Duration = Duration::from_secs(2);

/// Why a pause ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryTrigger {
    /// Somebody changed something: everything may be tried again, even a refused login.
    Changed,
    /// A device announced itself on the network. Anybody can send that, so it ends no pause after a
    /// refused login, and none that is shorter than [`MIN_PAUSE`].
    Seen,
    /// This machine has got a network, so the camera may be reachable. It ends the same pauses, and
    /// the following ones are short again, because a switch may need a while.
    Reachable,
}

/// A running supervisor. Dropping it asks the task to end; the task sends TEARDOWN first.
pub struct StreamSupervisor {
    stream: Arc<Stream>,
    stop: Latch,
    trigger_retry: Sender<RetryTrigger>,
    /// `None` once somebody waits for it.
    task: Option<Task<()>>,
}

impl StreamSupervisor {
    /// Supervises the stream `role` of the camera at `stream_source`, once `predecessor` has ended.
    pub fn start(
        context: &Context,
        shared: &Arc<CameraShared>,
        role: StreamRole,
        stream_source: StreamSource,
        predecessor: Option<StreamSupervisor>,
    ) -> Self {
        let stop = Latch::default();
        let (retry_sender, trigger_retry) = bounded(1);
        let main = shared.channel.main();
        let stream = match role {
            StreamRole::Main => Arc::clone(main),
            StreamRole::Small => shared.channel.small().unwrap_or_else(|| Arc::clone(main)),
        };
        let label = match role {
            StreamRole::Main => stream.id().to_string(),
            StreamRole::Small => format!("{} (small)", stream.id()),
        };
        // With OpenCV as its reader, the worker that reads makes the pictures, too.
        let transcoding = (stream_source.reader != Reader::Opencv)
            .then(|| Transcoding::new(context.clone(), label.clone(), Arc::clone(&stream), stop.clone()));
        let task = SupervisorTask {
            context: context.clone(),
            shared: Arc::clone(shared),
            role,
            label,
            unneeded: None,
            stream: Arc::clone(&stream),
            stream_source,
            stop: stop.clone(),
            trigger_retry,
            backoff: Backoff::default(),
            try_cached_first: true,
            searched: Arc::default(),
            current: None,
            last_live: None,
            by_worker: false,
            falls_back: false,
            snapshot_rounds: 0,
            lessons: Lessons::default(),
            key_frame_requests: KeyFrameRequests::default(),
            random: fastrand::f64(),
        };
        let task = context.executor.spawn(async move {
            if let Some(predecessor) = predecessor {
                predecessor.end().await;
                // The predecessor's last report is not about this attempt.
                task.stream.report(State::Connecting, RECONFIGURED, Instant::now());
            }
            let executor = Arc::clone(&task.context.executor);
            let transcoding = transcoding.map(|transcoding| executor.spawn(transcoding.run()));
            task.run().await;
            if let Some(transcoding) = transcoding {
                transcoding.await;
            }
        });
        Self { stream, stop, trigger_retry: retry_sender, task: Some(task) }
    }

    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Whether its camera is not live.
    pub fn is_offline(&self) -> bool {
        self.stream.condition().state != State::Live
    }

    /// Asks the task to end, without waiting.
    pub fn stop(&self) {
        self.stop.set();
    }

    /// Asks the task to end and waits for it; a worker gets a second to close.
    pub async fn end(mut self) {
        self.stop();
        if let Some(task) = self.task.take() {
            task.await;
        }
    }

    /// Ends a pause, because the cause of the failure may have been fixed.
    pub fn trigger_retry(&self, why: RetryTrigger) {
        let _ = match why {
            RetryTrigger::Changed => self.trigger_retry.force_send(why).is_ok(),
            // Never replaces a trigger that means more.
            RetryTrigger::Seen | RetryTrigger::Reachable => self.trigger_retry.try_send(why).is_ok(),
        };
    }
}

impl Drop for StreamSupervisor {
    fn drop(&mut self) {
        self.stop();
        if let Some(task) = self.task.take() {
            // Detached: the closed channel ends it within two seconds, including the worker's close
            // timeout.
            task.detach();
        }
    }
}

struct SupervisorTask {
    context: Context,
    shared: Arc<CameraShared>,
    role: StreamRole,
    /// The stream's name in the log.
    label: String,
    /// Since when the open stream has had no demand.
    unneeded: Option<Instant>,
    stream: Arc<Stream>,
    stream_source: StreamSource,
    stop: Latch,
    trigger_retry: Receiver<RetryTrigger>,
    backoff: Backoff,
    /// Whether this attempt tries the cached stream before ONVIF has answered: in the first
    /// attempt, after the stream was live, and after an attempt in which ONVIF gave no answer.
    try_cached_first: bool,
    /// When the network was last searched for this camera.
    searched: Arc<Mutex<Option<Instant>>>,
    /// Where the stream is that is live, or was live a moment ago.
    current: Option<ResolvedStream>,
    /// Where the stream was when it was last live.
    last_live: Option<ResolvedStream>,
    /// Whether this attempt reads with a worker, and whether the next one does although the agent's own
    /// client is to read.
    by_worker: bool,
    falls_back: bool,
    /// How often snapshots were shown since the stream was last live.
    snapshot_rounds: u32,
    lessons: Lessons,
    key_frame_requests: KeyFrameRequests,
    /// The jitter of the next pause, known in advance so that the pause can be announced before it
    /// begins.
    random: f64,
}

impl SupervisorTask {
    async fn run(mut self) {
        let mut last_logged: Option<Reason> = None;
        loop {
            if !self.until_needed().await {
                return;
            }
            let failure = match self.attempt().await {
                // The successor reports the current state.
                AttemptOutcome::Failed(_) if self.stop.is_set() => return,
                AttemptOutcome::Failed(failure) => failure,
                AttemptOutcome::Stopped => return,
                AttemptOutcome::Unneeded => {
                    log::info!(
                        "{}: closed, as nobody has needed it for {} s",
                        self.label,
                        camera_shared::KEPT.as_secs()
                    );
                    continue;
                }
            };
            let now = Instant::now();
            let RetryDecision { pause, at_once, why } = RetryDecision::new(&failure, &mut self.backoff, self.random);
            self.random = fastrand::f64();
            if !at_once {
                // Only a stream that was live a moment ago is opened again without asking the
                // camera.
                self.current = None;
            }
            // The pause was announced when the failure happened, and began then.
            let pause = if at_once { pause } else { (failure.at + pause).saturating_duration_since(now) };
            let id = &self.label;
            // A camera that stays offline is logged at attempts 1, 2, 4, 8 …, not every minute for
            // years.
            let news =
                last_logged.as_ref() != Some(&failure.reason) || at_once || self.backoff.failures().is_power_of_two();
            match (news, failure.state) {
                (false, _) => log::debug!("{id}: {why}"),
                (true, State::Denied) => log::error!("{id}: {why}"),
                (true, _) => log::warn!("{id}: {why}"),
            }
            self.stream.report(failure.state, why, now);
            self.stream.note_failure(failure.cause, Some(failure.reason.clone()), now);
            last_logged = Some(failure.reason);
            if !self.pause(pause).await {
                return;
            }
        }
    }

    /// Waits for the end of the pause or for a trigger; returns `false` if the supervisor is to
    /// end.
    async fn pause(&mut self, pause: Duration) -> bool {
        let now = Instant::now();
        self.stream.set_heartbeat_deadline(now + pause);
        let (timer, trigger_retry) = (Timer::after(pause), self.trigger_retry.clone());
        let denied = self.backoff.is_denied();
        let over = async {
            timer.await;
            None
        };
        let triggered = async {
            loop {
                match trigger_retry.recv().await {
                    Ok(RetryTrigger::Seen | RetryTrigger::Reachable) if denied => {}
                    Ok(why @ (RetryTrigger::Seen | RetryTrigger::Reachable)) => {
                        Timer::at(now + MIN_PAUSE).await;
                        return Some(why);
                    }
                    Ok(RetryTrigger::Changed) | Err(_) => return Some(RetryTrigger::Changed),
                }
            }
        };
        match self.stop.unless_set(over.or(triggered)).await {
            Some(Some(RetryTrigger::Changed)) => {
                self.backoff.reset();
                true
            }
            Some(Some(RetryTrigger::Reachable)) => {
                self.backoff.reset_delay();
                true
            }
            Some(_) => true,
            None => false,
        }
    }

    /// Resolves the camera, opens its stream and runs the session until it ends.
    async fn attempt(&mut self) -> AttemptOutcome {
        self.stream.set_heartbeat_deadline(Instant::now() + AWAY);
        if self.stream.condition().state == State::Connecting {
            self.stream.report(State::Connecting, Code::Asking.with("host", self.host()), Instant::now());
        }
        // After an idle time the camera may be elsewhere, unless its other stream is live.
        let is_known = !self.stream.is_idle() || self.shared.is_sibling_live(self.role);
        let found = match self.current.take().filter(|_| is_known) {
            Some(current) => current,
            None => match self.find().await {
                Some(Ok(found)) => found,
                Some(Err(failure)) => return failure.into(),
                None => return AttemptOutcome::Stopped,
            },
        };
        self.by_worker = self.stream_source.reader == Reader::Opencv || std::mem::take(&mut self.falls_back);
        // Only opening is limited by turns: a camera that answers slowly must not delay another.
        let turn = self.context.opening_turn(self.shared.recorder.as_deref());
        let Some(turn) = self.stop.unless_set(turn).await else {
            return AttemptOutcome::Stopped;
        };
        // Given back as soon as a stream is open: a stream without pictures must not delay others.
        let mut turn = Some(turn);
        let mut failed: Option<StreamFailure> = None;
        for stream in &found.streams {
            match self.run_session(stream, &found, &mut turn).await {
                // Not reached at all: the camera may have named an address of its own that leads
                // nowhere.
                AttemptOutcome::Failed(failure) if turn.is_some() && failure.refusals == 0 => {
                    let reason = match failed.filter(|_| !found.is_trusted(stream)) {
                        Some(first) if failure.cause == Cause::Unreachable => first.reason.and(failure.reason),
                        _ => failure.reason,
                    };
                    failed = Some(StreamFailure { reason, ..failure });
                }
                other => return other,
            }
        }
        let failure = failed.unwrap_or_else(|| offline(Code::NoStreamNamed));
        self.last_resort(failure, &found, &mut turn).await
    }

    /// [`SupervisorTask::locate`], or `None` as soon as this supervisor is to end.
    async fn find(&mut self) -> Option<Result<ResolvedStream, StreamFailure>> {
        let stop = self.stop.clone();
        // Boxed: its 167 KB would be part of every supervisor for ever, but are needed for a second
        // only.
        let shared = Arc::clone(&self.shared);
        let locate = Box::pin(async move {
            let _asking = shared.asking.lock().await;
            if let Some(why) = shared.refusal(self.role) {
                return Err(StreamFailure { state: State::Denied, ..away(Cause::Denied, why) });
            }
            match shared.take_result(self.role) {
                Some(found) => Ok(found),
                None => self.locate().await,
            }
        });
        stop.unless_set(locate).await
    }

    /// The camera's host as a person on site knows it.
    fn host(&self) -> String {
        match &self.stream_source.source {
            Source::Onvif { host: Some(host), .. } => host.clone(),
            Source::Onvif { host: None, uuid, .. } => uuid.clone().unwrap_or_default(),
            Source::Url(uri) => uri.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
