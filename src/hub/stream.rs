//! The fan-out point of one RTSP stream.
//!
//! The supervisor publishes; viewers subscribe. Time is always an argument: a [`Stream`] never
//! reads a clock, so its stall detector can be tested without waiting.

mod publish;
mod subscribers;
mod unit_subscribers;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use smol::channel::{Receiver, Sender, bounded};

use super::{
    gop_cache::GopCache,
    notifier::Notifier,
    rate_meter::RateMeter,
    stall::{StallDetector, StallLimits},
    status::{Cause, Condition, Endpoint, WorkerUsage},
    uptime::Uptime,
};
use unit_subscribers::UnitSubscriber;

use crate::{
    camera::{CameraId, State, StreamOptions},
    media::{Picture, Rendition, RenditionRequest, Size, StreamInfo},
    sync::{Mutex, MutexGuard},
    text::{Code, Reason},
};

/// Maximum number of renditions encoded at the same time, unless the configuration sets another.
/// Each costs an encode per frame (4 ms at 1080p), so the limit bounds the work that strangers can
/// cause in a worker.
const USUAL_RENDITIONS: usize = 16;

/// Maximum number of renditions requested from a worker, whatever limit was in force when their
/// viewers came.
const MAX_RENDITIONS: usize = 64;

/// The size assumed for the stream until the camera announces it.
const ASSUMED_SIZE: Size = Size { width: 1920, height: 1080 };

/// A viewer requested one more rendition than may be encoded for one camera.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{}", too_many(.most))]
pub struct TooManyRenditions {
    pub most: usize,
}

impl From<TooManyRenditions> for Reason {
    fn from(error: TooManyRenditions) -> Self {
        too_many(&error.most)
    }
}

fn too_many(most: &usize) -> Reason {
    [Code::TooManyRenditions.with("limit", *most as u64), Code::AskForOneOfThem.into()].into()
}

pub struct Stream {
    id: CameraId,
    inner: Mutex<Inner>,
    demand_bell: (Sender<()>, Receiver<()>),
}

struct Inner {
    name: String,
    options: StreamOptions,
    condition: Condition,
    since: Instant,
    place: Option<Endpoint>,
    stream: Option<StreamInfo>,
    gop_cache: GopCache,
    rate_meter: RateMeter,
    next_sequence: u32,
    /// First sequence number after the last change of the stream info; `None` until it changes.
    described_at: Option<u32>,
    /// Decides when the stream counts as stalled.
    stall: StallDetector,
    subscriptions: Vec<Subscriber>,
    unit_seats: Vec<UnitSubscriber>,
    next_seat: u64,
    wanted: Vec<Rendition>,
    most_renditions: usize,
    refused: u64,
    encodes: BTreeMap<Rendition, u64>,
    newest: BTreeMap<Rendition, Arc<Picture>>,
    frames: u64,
    bytes: u64,
    skipped: u64,
    workers: u64,
    stalls: u64,
    failures: BTreeMap<Cause, u64>,
    last_error: Option<(Reason, Instant)>,
    uptime: Uptime,
    decoding: bool,
    vitals: Option<(WorkerUsage, Instant)>,
    worker_share: Option<f64>,
    keeper_due: Option<Instant>,
    /// Not open, because nobody needs it.
    idle: bool,
    /// How often the stream was opened after it was idle.
    fresh: u64,
    closed: bool,
    /// The notifier of the camera to which the stream belongs.
    notifier: Option<Arc<Notifier>>,
}

/// The stream's end of a [`Subscription`](super::Subscription).
struct Subscriber {
    number: u64,
    rendition_request: RenditionRequest,
    pictures: Sender<Arc<Picture>>,
    /// The other end of `pictures`, used to remove what must no longer be shown.
    unread: Receiver<Arc<Picture>>,
    news: Sender<()>,
    skipped: Arc<AtomicU64>,
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
                place: None,
                stream: None,
                gop_cache: GopCache::default(),
                rate_meter: RateMeter::default(),
                next_sequence: 1,
                described_at: None,
                stall: StallDetector::default(),
                subscriptions: Vec::new(),
                unit_seats: Vec::new(),
                next_seat: 0,
                wanted: Vec::new(),
                most_renditions: USUAL_RENDITIONS,
                refused: 0,
                encodes: BTreeMap::new(),
                newest: BTreeMap::new(),
                frames: 0,
                bytes: 0,
                skipped: 0,
                workers: 0,
                stalls: 0,
                failures: BTreeMap::new(),
                last_error: None,
                uptime: Uptime::new(now),
                decoding: false,
                vitals: None,
                worker_share: None,
                keeper_due: None,
                idle: false,
                fresh: 0,
                closed: false,
                notifier: None,
            }),
            demand_bell: bounded(1),
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

    pub fn info(&self) -> Option<StreamInfo> {
        self.inner().stream
    }

    pub fn is_live(&self) -> bool {
        self.inner().is_live()
    }

    /// Whether the stream is not open because nobody needs it.
    pub fn is_idle(&self) -> bool {
        self.inner().idle
    }

    pub(in crate::hub) fn is_closed(&self) -> bool {
        self.inner().closed
    }

    /// Whether there are subscriptions.
    pub(in crate::hub) fn has_viewers(&self) -> bool {
        let inner = self.inner();
        !inner.subscriptions.is_empty() || !inner.unit_seats.is_empty()
    }

    /// Notifies `notifier` from now on at each change of state, size or codec.
    pub(in crate::hub) fn tell_changes(&self, notifier: Arc<Notifier>) {
        self.inner().notifier = Some(notifier);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // No code panics while it holds the lock, and a panic ends the process anyway.
        self.inner.lock()
    }
}

impl Inner {
    fn rendition(&self, rendition_request: RenditionRequest) -> Rendition {
        let size = self.stream.map_or(ASSUMED_SIZE, |stream| stream.display_size());
        Rendition::for_wish(rendition_request, size, self.options.quality, self.options.max_fps)
    }

    /// The limits that the stream must keep now.
    fn terms(&self) -> StallLimits {
        StallLimits {
            stall_after: self.options.stall_after,
            live: self.condition.state == State::Live,
            picture_every: self
                .wanted
                .iter()
                .map(|rendition| rendition.fps.max(1))
                .max()
                .map(|fps| Duration::from_secs(1) / u32::from(fps)),
            joinable: !self.gop_cache.units().is_empty(),
        }
    }

    /// Refuses `rendition_request` if it needs one rendition too many. Subscription `except` does
    /// not count.
    fn admit(&mut self, rendition_request: RenditionRequest, except: Option<u64>) -> Result<(), TooManyRenditions> {
        let others = self.subscriptions.iter().filter(|subscriber| Some(subscriber.number) != except);
        let mut renditions: Vec<_> = others.map(|subscriber| self.rendition(subscriber.rendition_request)).collect();
        renditions.sort_unstable();
        renditions.dedup();
        // A request for a rendition that is watched already is never refused, also after the limit
        // was lowered.
        let most = self.most_renditions;
        if renditions.len() < most || renditions.contains(&self.rendition(rendition_request)) {
            return Ok(());
        }
        self.refused += 1;
        Err(TooManyRenditions { most })
    }

    /// Gives a new subscription the picture that others of its rendition see already.
    fn serve_newest(&self, number: u64) {
        let Some(subscriber) = self.subscriptions.iter().find(|subscriber| subscriber.number == number) else { return };
        if let Some(picture) = self.newest.get(&self.rendition(subscriber.rendition_request)) {
            let _ = subscriber.pictures.force_send(Arc::clone(picture));
        }
    }

    fn change_standing(&mut self, state: State, why: Reason, now: Instant) {
        let is_other = self.condition.state != state;
        if is_other {
            self.since = now;
            self.uptime.note(state == State::Live, now);
        }
        let condition = Condition { state, why };
        if self.condition != condition {
            self.condition = condition;
            self.ring_seats();
        }
        if is_other {
            self.ring_bells();
        }
    }

    /// Whether frame `sequence` came before the stream's last change of size, shape or codec.
    /// Sequence numbers wrap, so they are compared by their distance to the next one.
    fn is_of_stream_before(&self, sequence: u32) -> bool {
        let frames_since = |sequence: u32| self.next_sequence.wrapping_sub(sequence);
        self.described_at.is_some_and(|described_at| frames_since(sequence) > frames_since(described_at))
    }

    fn ring_bells(&self) {
        if let Some(notifier) = &self.notifier {
            notifier.ring();
        }
    }

    fn is_live(&self) -> bool {
        self.condition.state == State::Live
    }

    fn ring_seats(&mut self) {
        self.unit_seats.iter_mut().for_each(UnitSubscriber::tell);
        for subscriber in &self.subscriptions {
            let _ = subscriber.news.force_send(());
        }
    }
}

#[cfg(test)]
mod tests;
