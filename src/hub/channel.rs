//! One camera on the wall: its main stream, and possibly a small stream for small tiles.
//!
//! Each is a [`Stream`]. The rendition request of a viewer decides which of the two suits it. The
//! viewer is shown that stream as soon as it has a picture, and the other one until then.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use smol::channel::Receiver;

use super::{
    notifier::Notifier,
    status::{Condition, ProfileStatus, RenditionStatus, Status},
    stream::{Stream, TooManyRenditions},
    unit_view::UnitView,
    view::View,
};
use crate::{
    camera::{CameraId, State},
    media::{RenditionRequest, Size, fit},
    sync::{Mutex, MutexGuard},
    text::Code,
};

/// The size assumed for the small stream until the camera announces it.
const ASSUMED_SMALL: Size = Size { width: 640, height: 360 };

/// How much the small stream may be enlarged, in percent, for a viewer that is shown it already.
/// The margin keeps a tile of varying size from opening and closing the main stream repeatedly.
const STAY: u32 = 125;

/// The same for all other viewers. It allows for cameras that round their sizes.
const ENTER: u32 = 110;

/// How long the small stream must be away before the main stream is opened in its place. Most
/// failures are shorter.
const STAND_IN_AFTER: Duration = Duration::from_secs(2);

pub struct Channel {
    main: Arc<Stream>,
    small: Mutex<Option<Arc<Stream>>>,
    /// Notified when either stream becomes live or stops being live, or when the small stream is
    /// replaced.
    notifier: Arc<Notifier>,
    viewers: AtomicUsize,
}

/// Counts a viewer until it is dropped.
pub(super) struct ViewerGuard(pub(super) Arc<Channel>);

impl ViewerGuard {
    fn new(channel: &Arc<Channel>) -> Self {
        channel.viewers.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(channel))
    }
}

impl Drop for ViewerGuard {
    fn drop(&mut self) {
        self.0.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Channel {
    /// A camera with the stream `main` only.
    pub fn of(main: Arc<Stream>) -> Arc<Self> {
        let notifier = Arc::new(Notifier::default());
        main.tell_changes(Arc::clone(&notifier));
        Arc::new(Self { main, small: Mutex::default(), notifier, viewers: AtomicUsize::new(0) })
    }

    pub fn id(&self) -> &CameraId {
        self.main.id()
    }

    pub fn main(&self) -> &Arc<Stream> {
        &self.main
    }

    pub fn small(&self) -> Option<Arc<Stream>> {
        self.locked().clone()
    }

    /// Sets or removes the small stream. Viewers of the old one continue with what is left.
    pub fn set_small(&self, small: Option<Arc<Stream>>) {
        if let Some(small) = &small {
            small.tell_changes(Arc::clone(&self.notifier));
        }
        let before = std::mem::replace(&mut *self.locked(), small);
        self.notifier.ring();
        if let Some(before) = before {
            before.close();
        }
    }

    /// The main stream comes first.
    pub fn streams(&self) -> Vec<Arc<Stream>> {
        std::iter::once(Arc::clone(&self.main)).chain(self.small()).collect()
    }

    /// Subscribes to pictures; the first [`View::next`] returns at once.
    ///
    /// # Errors
    /// [`TooManyRenditions`] if the request needs one more rendition than the stream may have.
    pub fn subscribe(self: &Arc<Self>, rendition_request: RenditionRequest) -> Result<View, TooManyRenditions> {
        let subscription = self.lane_for(rendition_request).subscribe(rendition_request)?;
        Ok(View::new(ViewerGuard::new(self), rendition_request, subscription))
    }

    /// Subscribes to access units; the first event is there at once.
    pub fn subscribe_units(self: &Arc<Self>, rendition_request: RenditionRequest) -> UnitView {
        let subscription = self.lane_for(rendition_request).subscribe_units();
        UnitView::new(ViewerGuard::new(self), rendition_request, subscription)
    }

    /// The stream at which a viewer with this request starts: the one that suits it, or the other
    /// one while only that is live.
    pub fn lane_for(&self, rendition_request: RenditionRequest) -> Arc<Stream> {
        let select_stream = self.select_stream(rendition_request, None);
        match self.other(&select_stream) {
            Some(other) if !select_stream.is_live() && other.is_live() => other,
            _ => select_stream,
        }
    }

    /// Whether the main stream must be open: it has viewers, or the small stream has been away for
    /// a while.
    pub fn needs_main(&self, now: Instant) -> bool {
        let Some(small) = self.small() else { return true };
        let condition = small.condition();
        match condition.state {
            // Another refused login could lock the account.
            State::Denied => false,
            State::Stalled | State::Offline if small.since(now) >= STAND_IN_AFTER => true,
            _ => self.main.has_viewers(),
        }
    }

    /// The stream that represents the camera as a whole: the best one that is live.
    pub fn shown(&self) -> Arc<Stream> {
        match self.small() {
            Some(small) if !self.main.is_live() && (small.is_live() || self.main.is_idle()) => small,
            _ => Arc::clone(&self.main),
        }
    }

    /// The status of the camera as a whole: counters are the sums of both streams, everything else
    /// is that of the stream [shown](Self::shown).
    pub fn status(&self, now: Instant) -> Status {
        let Some(small) = self.small() else { return self.main.status(now) };
        let shown = self.shown();
        let (main, small) = (self.main.status(now), small.status(now));
        let profiles = vec![
            ProfileStatus { stream: "main", idle: self.main.is_idle(), status: main.clone() },
            ProfileStatus { stream: "small", idle: false, status: small.clone() },
        ];
        let is_main = Arc::ptr_eq(&shown, &self.main);
        let (mut whole, other) = if is_main { (main, small) } else { (small, main) };
        whole.add(&other);
        whole.viewers = self.viewers.load(Ordering::Relaxed);
        whole.condition = self.condition(&shown, !is_main && whole.viewers == 0);
        whole.profiles = profiles;
        whole
    }

    /// The condition of `stream`. If it is live but does not suit its viewer, the reason says why
    /// the viewer is shown it.
    pub(super) fn condition(&self, stream: &Arc<Stream>, suits: bool) -> Condition {
        let mut condition = stream.condition();
        if let Some(other) = self.other(stream).filter(|_| !suits && condition.state == State::Live) {
            let away = other.condition().state;
            if matches!(away, State::Stalled | State::Offline | State::Denied) {
                let (this, that) = if Arc::ptr_eq(stream, &self.main) { ("main", "small") } else { ("small", "main") };
                let stand_in = Code::StandIn.with("shown", this).with("wanted", that);
                condition.why = stand_in.with("state", away.word()).into();
            }
        }
        condition
    }

    /// The stream that suits `rendition_request`: the smallest one that need not be enlarged. `at`
    /// is the stream that the viewer is shown already.
    pub(super) fn select_stream(&self, rendition_request: RenditionRequest, at: Option<&Arc<Stream>>) -> Arc<Stream> {
        let Some(small) = self.small() else { return Arc::clone(&self.main) };
        let slack = if at.is_some_and(|at| Arc::ptr_eq(at, &small)) { STAY } else { ENTER };
        let size = small.info().map_or(ASSUMED_SMALL, |stream| stream.display_size());
        if covers(size, self.main.info().map(|stream| stream.display_size()), rendition_request.size, slack) {
            small
        } else {
            Arc::clone(&self.main)
        }
    }

    /// The stream to which a viewer that is shown `at` must switch once that stream has pictures.
    pub(super) fn awaited(&self, rendition_request: RenditionRequest, at: &Arc<Stream>) -> Option<Arc<Stream>> {
        let select_stream = self.select_stream(rendition_request, Some(at));
        if !Arc::ptr_eq(&select_stream, at) {
            return Some(select_stream);
        }
        self.other(at).filter(|other| !at.is_live() && other.is_live())
    }

    /// Whether a viewer of `stream` needs another subscription although the camera stays: the small
    /// stream was replaced or removed.
    pub(super) fn has_left(&self, stream: &Arc<Stream>) -> bool {
        !self.main.is_closed() && self.streams().iter().all(|there| !Arc::ptr_eq(there, stream))
    }

    pub(super) fn changes(&self) -> Receiver<()> {
        self.notifier.hang()
    }

    /// Ends all subscriptions: the camera is no longer in the configuration.
    pub(super) fn close(&self) {
        self.streams().iter().for_each(|stream| stream.close());
    }

    fn other(&self, stream: &Arc<Stream>) -> Option<Arc<Stream>> {
        let small = self.small()?;
        Some(if Arc::ptr_eq(stream, &small) { Arc::clone(&self.main) } else { small })
    }

    fn locked(&self) -> MutexGuard<'_, Option<Arc<Stream>>> {
        self.small.lock()
    }
}

impl Status {
    /// Adds the counters of the camera's other stream.
    fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.bytes += other.bytes;
        self.reconnects += other.reconnects;
        self.stalls += other.stalls;
        self.skipped += other.skipped;
        self.refused += other.refused;
        self.untouched += other.untouched;
        self.decoding |= other.decoding;
        self.keeper_late = self.keeper_late.max(other.keeper_late);
        self.known = self.known.max(other.known);
        self.live = self.live.max(other.live);
        self.last_live_age = [self.last_live_age, other.last_live_age].into_iter().flatten().min();
        for (cause, count) in &other.failures {
            *self.failures.entry(*cause).or_default() += count;
        }
        if other.last_error_age.is_some_and(|age| self.last_error_age.is_none_or(|own| age < own)) {
            self.last_error.clone_from(&other.last_error);
            self.last_error_age = other.last_error_age;
        }
        let mut renditions: BTreeMap<_, RenditionStatus> = BTreeMap::new();
        for status in self.renditions.iter().chain(&other.renditions) {
            let sum =
                renditions.entry(status.rendition).or_insert(RenditionStatus { viewers: 0, encodes: 0, ..*status });
            sum.viewers += status.viewers;
            sum.encodes += status.encodes;
        }
        self.renditions = renditions.into_values().collect();
        if let (Some(own), Some(other)) = (&mut self.worker, &other.worker) {
            own.cpu += other.cpu;
            own.resident += other.resident;
            own.own += other.own;
        }
        self.worker = self.worker.or(other.worker);
        self.worker_share = match (self.worker_share, other.worker_share) {
            (Some(own), Some(other)) => Some(own + other),
            (own, other) => own.or(other),
        };
    }
}

/// Whether a stream of display size `small` fills `box_` as well as `main` would. `slack` is the
/// percentage of its size up to which it counts as large enough.
fn covers(small: Size, main: Option<Size>, box_: Option<Size>, slack: u32) -> bool {
    let scaled = |length: u32| u64::from(length) * u64::from(slack) / 100;
    // An unknown main stream is assumed to have the same shape and to be larger than any box.
    let main = main.unwrap_or(Size { width: small.width.max(1) * 64, height: small.height.max(1) * 64 });
    let wanted = box_.map_or(main, |box_| fit(main, box_));
    u64::from(wanted.width) <= scaled(small.width) && u64::from(wanted.height) <= scaled(small.height)
}

#[cfg(test)]
mod tests;
