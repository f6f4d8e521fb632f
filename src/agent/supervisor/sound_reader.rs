//! The task that reads the sound of one camera while somebody listens, in an RTSP session beside that of the picture.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use smol::{Timer, future::FutureExt};

use super::{
    CameraShared, Context, HasSideTask, SideTask, StreamFailure, offline, rtsp_failure::rtsp_failure, session,
};
use crate::{
    agent::backoff::Backoff,
    camera::{CameraId, StreamSource},
    http_auth::login::random_seed,
    media::UnixMicros,
    rtsp::{
        self, Timeouts,
        session::{Config, Learnt, Wanted},
        sound::{Event, SILENCE},
    },
    sound::{SoundFeed, SoundState},
    sync::Latch,
    text::Code,
};

/// The session is kept for so long after the last listener has gone: another one may come, or the same one again.
const KEPT: Duration = Duration::from_secs(3);

/// A running task. It ends after the TEARDOWN.
pub struct SoundReader {
    stream_source: StreamSource,
    task: SideTask,
}

impl SoundReader {
    /// Reads the sound of the camera at `stream_source` for those who listen to `feed`.
    pub fn start(
        context: &Context,
        shared: &Arc<CameraShared>,
        id: &CameraId,
        stream_source: &StreamSource,
        feed: Arc<SoundFeed>,
    ) -> Self {
        let stop = Latch::default();
        let task = SoundReaderTask {
            label: format!("{id} (sound)"),
            shared: Arc::clone(shared),
            stream_source: stream_source.clone(),
            feed,
            stop: stop.clone(),
            backoff: Backoff::default(),
            learnt: None,
        };
        let task = SideTask::start(context, stop, task.run());
        Self { stream_source: stream_source.clone(), task }
    }

    /// Whether it reads what this configuration says.
    pub fn is_of(&self, stream_source: &StreamSource) -> bool {
        self.stream_source.eq_main(stream_source)
    }
}

impl HasSideTask for SoundReader {
    fn side_task(&self) -> &SideTask {
        &self.task
    }

    fn into_side_task(self) -> SideTask {
        self.task
    }
}

struct SoundReaderTask {
    label: String,
    shared: Arc<CameraShared>,
    stream_source: StreamSource,
    feed: Arc<SoundFeed>,
    stop: Latch,
    backoff: Backoff,
    /// What the last session taught, of this address.
    learnt: Option<(String, Learnt)>,
}

impl SoundReaderTask {
    async fn run(mut self) {
        let stop = self.stop.clone();
        while stop.unless_set(self.feed.wanted()).await.is_some() {
            self.feed.report(SoundState::Opening);
            let Some(failure) = self.read().await else {
                self.feed.report(SoundState::Opening);
                continue;
            };
            log::warn!("{}: {}", self.label, failure.reason);
            let now = Instant::now();
            let pause = match failure.refusals {
                0 => self.backoff.after_failure(now, fastrand::f64()),
                refusals => self.backoff.after_refusal(refusals, now, fastrand::f64()),
            };
            // Told at once, also to those who come in the pause: no request begins another session before its end.
            self.feed.report(SoundState::Failed(failure.reason));
            if stop.unless_set(Timer::after(pause.max(failure.at_least))).await.is_none() {
                return;
            }
        }
    }

    /// Reads until nobody listens, or the task is to end: `None`. Else why there is no sound.
    async fn read(&mut self) -> Option<StreamFailure> {
        let Some((stream, found)) = self.shared.read() else {
            let condition = self.shared.channel.main().condition();
            let needs_live = offline(Code::SoundNeedsLive);
            let reason = needs_live.reason.clone().and(condition.why);
            return Some(StreamFailure { reason, ..needs_live });
        };
        let usual = session::timeouts(self.stream_source.open_within);
        let config = Config {
            uri: stream.clone(),
            wanted: Wanted::Audio,
            credentials: found.login_for(&stream).cloned(),
            allow_clear_password: self.stream_source.clear_password,
            transport: self.stream_source.transport.or(stream.transport()),
            tls: found.stream_key.clone(),
            timeouts: Timeouts { first_packet: usual.first_packet.min(SILENCE), ..usual },
            seed: random_seed(),
        };
        let address = stream.to_string();
        let learnt = self.learnt.take().filter(|(at, _)| *at == address).map(|(_, learnt)| learnt);
        let learnt = learnt.unwrap_or(Learnt { transport: found.transport, ..Learnt::default() });
        let mut format = None;
        let mut was_live = None;
        let on_event = |event| match event {
            Event::SetUp(told) => format = Some(Arc::new(told)),
            Event::Unit(unit) => {
                if let Some(format) = format.take() {
                    was_live.get_or_insert_with(Instant::now);
                    self.feed.report(SoundState::Playing(format));
                }
                self.feed.push(unit.data, unix_time(unit.received_at), unit.after_loss);
            }
        };
        let stopped = self.stop.wait().or(self.feed.unwanted(KEPT));
        let ended = rtsp::sound::read(&self.label, config, learnt, on_event, stopped).await;
        self.learnt = Some((address, ended.learnt));
        if let Some(since) = was_live {
            self.backoff.live(since);
        }
        let error = ended.error?;
        let mut failure = rtsp_failure(&error, stream.authority(), false);
        if let rtsp::Error::NoPackets { waited, .. } = error {
            failure.reason = Code::SilentSound.with("seconds", waited.as_secs_f64()).into();
        }
        if let rtsp::Retry::After(pause) = error.retry() {
            failure.at_least = pause;
        }
        Some(failure)
    }
}

/// The time of day of `at`, a moment before now.
fn unix_time(at: Instant) -> UnixMicros {
    let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMicros::try_from(today.saturating_sub(at.elapsed()).as_micros()).unwrap_or(UnixMicros::MAX)
}
