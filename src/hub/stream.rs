//! The fan-out point of one RTSP stream.
//!
//! The supervisor publishes; viewers subscribe. Time is always an argument: a [`Stream`] never
//! reads a clock, so its stall detector can be tested without waiting.

mod demand;
mod main_shape;
mod publish;
mod sequence;
mod shape;
mod stats;
mod subscribers;
mod transcoding;

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use super::{
    gop_cache::GopCache,
    look_back::LookBack,
    stall::{StallDetector, StallLimits},
    status::{Condition, Endpoint, RenditionStatus, Status},
    uptime::Uptime,
    viewer_origin::ViewerOrigin,
};
use crate::{
    camera::{CameraId, State, StreamOptions},
    media::{Codec, Damage, Rendition, RenditionRequest, Size, StreamInfo, WantedRendition, transform::Transform},
    sync::{Mutex, MutexGuard, Notifier},
    text::{Code, Reason},
};
use demand::Demand;
use main_shape::MainShape;
use sequence::SequenceCounter;
use stats::StreamStats;
use subscribers::Subscribers;

pub use demand::TooManyRenditions;
pub(in crate::hub) use subscribers::Next;

/// The size assumed for the stream until the camera announces it.
const ASSUMED_SIZE: Size = Size { width: 1920, height: 1080 };

pub struct Stream {
    id: CameraId,
    inner: Mutex<Inner>,
    demand_changes: Notifier,
    key_frames_wanted: Notifier,
}

pub(super) struct Inner {
    name: String,
    options: StreamOptions,
    condition: Condition,
    since: Instant,
    uptime: Uptime,
    place: Option<Endpoint>,
    /// What the stream says of itself.
    declared: Option<StreamInfo>,
    /// How it is shown.
    info: Option<StreamInfo>,
    main_shape: MainShape,
    /// The camera's small stream, if this is the main one of two.
    small: Weak<Stream>,
    sequence: SequenceCounter,
    pub(super) gop_cache: GopCache,
    look_back: LookBack,
    /// Since when it is too large to be kept.
    pub(super) outgrown_at: Option<Instant>,
    /// Decides when the stream counts as stalled.
    stall: StallDetector,
    pub(super) subscribers: Subscribers,
    pub(super) demand: Demand,
    stats: StreamStats,
    heartbeat_deadline: Option<Instant>,
    /// Not open, because nobody needs it.
    idle: bool,
    /// The agent's own client reads the stream, so the transcoder makes its pictures.
    by_client: bool,
    /// What viewers of pictures see although the stream is live.
    no_pictures: Option<Condition>,
    /// What viewers read while this session is live; empty if it has all that the stream should have.
    live_reason: Reason,
    /// Why the frames of this session are useless, found by the transcoder.
    rejected: Option<Reason>,
    /// The notifier of the camera to which the stream belongs.
    notifier: Option<Arc<Notifier>>,
}

impl Stream {
    /// A stream of a camera that is about to be connected.
    pub fn new(id: CameraId, name: String, options: StreamOptions, now: Instant) -> Self {
        Self {
            id,
            inner: Mutex::new(Inner {
                name,
                options,
                condition: Condition { state: State::Connecting, why: Code::Starting.into() },
                since: now,
                uptime: Uptime::new(now),
                place: None,
                declared: None,
                info: None,
                main_shape: MainShape::Unknown,
                small: Weak::new(),
                sequence: SequenceCounter::default(),
                gop_cache: GopCache::default(),
                look_back: LookBack::default(),
                outgrown_at: None,
                stall: StallDetector::default(),
                subscribers: Subscribers::default(),
                demand: Demand::default(),
                stats: StreamStats::default(),
                heartbeat_deadline: None,
                idle: false,
                by_client: false,
                no_pictures: None,
                live_reason: Reason::default(),
                rejected: None,
                notifier: None,
            }),
            demand_changes: Notifier::default(),
            key_frames_wanted: Notifier::default(),
        }
    }

    pub fn id(&self) -> &CameraId {
        &self.id
    }

    pub fn name(&self) -> String {
        self.inner().name.clone()
    }

    pub fn condition(&self) -> Condition {
        self.inner().condition.clone()
    }

    pub fn options(&self) -> StreamOptions {
        self.inner().options.clone()
    }

    /// How long the camera has been in its state.
    pub fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.inner().since)
    }

    /// The properties of the stream, in the shape in which it is shown.
    pub fn info(&self) -> Option<StreamInfo> {
        self.inner().info
    }

    pub fn is_live(&self) -> bool {
        self.inner().is_live()
    }

    /// Whether the stream is not open because nobody needs it.
    pub fn is_idle(&self) -> bool {
        self.inner().idle
    }

    pub(in crate::hub) fn is_closed(&self) -> bool {
        self.inner().subscribers.is_closed()
    }

    /// Whether there are subscriptions.
    pub(in crate::hub) fn has_viewers(&self) -> bool {
        self.inner().subscribers.len() > 0
    }

    /// Notifies `notifier` from now on at each change of state, size or codec.
    pub(in crate::hub) fn tell_changes(&self, notifier: Arc<Notifier>) {
        self.inner().notifier = Some(notifier);
    }

    pub fn status(&self, now: Instant) -> Status {
        let inner = self.inner();
        let (stats, uptime) = (&inner.stats, &inner.uptime);
        let (measured_fps, bitrate) = stats.rate_meter.read(now);
        let (last_error, last_error_age) = stats.last_error(now).unzip();
        let rendition_status = |&WantedRendition { rendition, .. }: &WantedRendition| RenditionStatus {
            rendition,
            viewers: inner.subscribers.requests().filter(|(request, _)| inner.rendition(*request) == rendition).count(),
            encodes: inner.demand.encodes(rendition),
        };
        Status {
            id: self.id.clone(),
            name: inner.name.clone(),
            condition: inner.condition_with_pictures(),
            since: now.saturating_duration_since(inner.since),
            place: inner.place.clone(),
            age: inner.stall.age(now),
            stream: inner.info,
            measured_fps,
            bitrate,
            frames: stats.frames,
            bytes: stats.bytes,
            reconnects: stats.reconnects(),
            stalls: stats.stalls,
            key_frame_requests: stats.key_frame_requests,
            failures: stats.failures.clone(),
            last_error,
            last_error_age,
            live: uptime.live(now),
            known: uptime.known(now),
            last_live_age: uptime.last_live_age(now),
            reception: stats.reception(),
            events: None,
            gop_cache: (inner.gop_cache.units().len(), inner.gop_cache.bytes()),
            viewers: inner.subscribers.len(),
            untouched: inner.subscribers.len_of_units(),
            passthrough: inner.options.passthrough,
            skipped: stats.skipped,
            refused: inner.demand.refused(),
            decoding: stats.decoding,
            renditions: inner.demand.wanted().iter().map(rendition_status).collect(),
            worker: stats.usage(),
            worker_share: stats.worker_share(),
            sandbox: stats.sandbox,
            profiles: Vec::new(),
            heartbeat_late: inner.heartbeat_late(now),
        }
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        // No code panics while it holds the lock, and a panic ends the process anyway.
        self.inner.lock()
    }

    /// Wakes the supervisor if the stream is idle.
    pub(super) fn wake(&self, inner: &Inner) {
        if inner.idle {
            self.notify_demand();
        }
    }

    /// Brings the demand in line with the requests of all subscriptions.
    pub(super) fn refresh_demand(&self, inner: &mut Inner) {
        let (info, options) = (inner.info, &inner.options);
        let requests = inner.subscribers.requests().filter(|_| info.is_some());
        let had_none = inner.demand.wanted().is_empty();
        if inner.demand.set(requests.map(|(request, origin)| (rendition(request, info, options), origin))) {
            if had_none {
                inner.stall.wanted();
            }
            self.notify_demand();
        }
    }

    /// Tells the supervisor that a viewer waits for the next key frame of the live stream.
    pub(super) fn want_key_frame(&self, inner: &Inner) {
        // Every JPEG is one.
        if inner.is_live() && inner.info.is_none_or(|info| info.codec != Codec::Jpeg) {
            self.key_frames_wanted.notify();
        }
    }

    /// Tells the transcoder that the stream became live, or is no longer live.
    fn notify_transcoder(&self, inner: &Inner) {
        if inner.by_client {
            self.notify_demand();
        }
    }

    fn notify_demand(&self) {
        self.demand_changes.notify();
    }
}

fn rendition(request: RenditionRequest, info: Option<StreamInfo>, options: &StreamOptions) -> Rendition {
    let size = info.map_or(ASSUMED_SIZE, |info| info.display_size());
    let transform = info.map_or(Transform::NONE, |info| info.transform);
    Rendition { transform, ..Rendition::for_request(request, size, options.quality, options.max_fps) }
}

impl Inner {
    /// The rendition that `request` leads to now.
    pub(super) fn rendition(&self, request: RenditionRequest) -> Rendition {
        rendition(request, self.info, &self.options)
    }

    /// Refuses `request` of a viewer from `origin` if it needs one rendition too many. Subscription
    /// `except` does not count.
    pub(super) fn admit(
        &mut self,
        request: RenditionRequest,
        origin: ViewerOrigin,
        except: Option<u64>,
    ) -> Result<(), TooManyRenditions> {
        let (info, options) = (self.info, &self.options);
        let others = self.subscribers.other_requests(except);
        let others = others.map(|(request, origin)| (rendition(request, info, options), origin));
        self.demand.admit(rendition(request, info, options), origin, others)
    }

    /// Gives subscription `number`, or all, the picture that others of its rendition see already.
    pub(super) fn serve_newest(&self, number: Option<u64>) {
        self.subscribers.serve(number, |request| self.demand.newest(self.rendition(request)));
    }

    pub(super) fn is_live(&self) -> bool {
        self.condition.state == State::Live
    }

    pub(super) fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Counts a picture that a viewer missed.
    pub(super) fn count_skipped(&mut self) {
        self.stats.skipped += 1;
    }

    /// The limits that the stream must keep now.
    fn limits(&self) -> StallLimits {
        StallLimits {
            stall_after: self.options.stall_after,
            live: self.is_live(),
            picture_every: self.demand.picture_every(),
            outgrown_at: self.outgrown_at,
        }
    }

    /// How far the supervisor is past its heartbeat deadline.
    fn heartbeat_late(&self, now: Instant) -> Duration {
        self.heartbeat_deadline.map_or(Duration::ZERO, |deadline| now.saturating_duration_since(deadline))
    }

    fn set_condition(&mut self, state: State, why: Reason, now: Instant) {
        let is_other = self.condition.state != state;
        if is_other {
            self.since = now;
            self.uptime.note(state == State::Live, now);
        }
        let condition = Condition { state, why };
        if self.condition != condition {
            self.condition = condition;
            self.subscribers.notify();
        }
        if is_other {
            self.notify_camera();
        }
    }

    /// Sets that the stream is live, with pictures of this `damage` from now on.
    fn set_damage(&mut self, damage: Option<Damage>, now: Instant) {
        let (Condition { state, why }, was_live) = (Condition::live(damage), self.is_live());
        let why = if self.live_reason == Reason::default() { why } else { self.live_reason.clone().and(why) };
        if was_live && self.condition.why == why {
            return;
        }
        self.set_condition(state, why, now);
        if was_live {
            // A change makes viewers drop their picture, and the next one may take a while. The picture
            // kept is live, and has its own mark if it needs one.
            self.serve_newest(None);
        }
    }

    /// Drops everything kept of the pictures and units so far: a decoder begins anew after them.
    fn withdraw(&mut self) {
        self.demand.forget_pictures();
        self.gop_cache.clear();
        self.outgrown_at = None;
        self.subscribers.withdraw_units();
    }

    fn notify_camera(&self) {
        if let Some(notifier) = &self.notifier {
            notifier.notify();
        }
    }
}

#[cfg(test)]
mod tests;
