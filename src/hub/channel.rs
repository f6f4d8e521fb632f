//! One camera on the wall: its main stream, and possibly a small stream for small tiles.
//!
//! Each is a [`Stream`]. `select.rs` decides which of the two a viewer is shown.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    events_status::EventsStatus,
    status::{Condition, ProfileStatus, Status},
    stream::Stream,
};
use crate::{
    camera::{CameraId, State},
    media::{AccessUnit, StreamInfo},
    sync::{Mutex, MutexGuard, Notified, Notifier},
    text::Code,
};

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
    /// `None`: nobody wants its events.
    events: Mutex<Option<EventsStatus>>,
}

impl Channel {
    /// A camera with the stream `main` only.
    pub fn of(main: Arc<Stream>) -> Arc<Self> {
        let notifier = Arc::new(Notifier::default());
        main.tell_changes(Arc::clone(&notifier));
        Arc::new(Self {
            main,
            small: Mutex::default(),
            notifier,
            viewers: AtomicUsize::new(0),
            events: Mutex::default(),
        })
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
            self.main.lead(small);
        }
        let before = std::mem::replace(&mut *self.locked(), small);
        self.notifier.notify();
        if let Some(before) = before {
            before.close();
        }
    }

    /// The main stream comes first.
    pub fn streams(&self) -> Vec<Arc<Stream>> {
        std::iter::once(Arc::clone(&self.main)).chain(self.small()).collect()
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

    /// Sets how long its video is kept for those who look back, and how many bytes that may take: the small stream's if
    /// there is one, which is always open.
    pub fn limit_look_back(&self, keep: Duration, most_bytes: usize) {
        let small = self.small();
        if let Some(small) = &small {
            small.limit_look_back(keep, most_bytes);
        }
        self.main.limit_look_back(if small.is_some() { Duration::ZERO } else { keep }, most_bytes);
    }

    /// The video of the last `time` that is kept, a key frame first, and what it is; `None`: none is.
    pub fn past(&self, time: Duration, now: Instant) -> Option<(StreamInfo, Vec<AccessUnit>)> {
        self.small().unwrap_or_else(|| Arc::clone(&self.main)).past(time, now)
    }

    /// The state of the stream [shown](Self::shown).
    pub fn state(&self) -> State {
        self.shown().condition().state
    }

    /// How it stands with the camera's events; `None`: nobody wants them.
    pub fn events(&self) -> Option<EventsStatus> {
        self.events.lock().clone()
    }

    pub fn set_events(&self, events: Option<EventsStatus>) {
        *self.events.lock() = events;
    }

    /// The status of the camera as a whole: counters are the sums of both streams, everything else
    /// is that of the stream [shown](Self::shown).
    pub fn status(&self, now: Instant) -> Status {
        Status { events: self.events(), ..self.status_of_streams(now) }
    }

    fn status_of_streams(&self, now: Instant) -> Status {
        let Some(small) = self.small() else { return self.main.status(now) };
        let shown = self.shown();
        let (main, small) = (self.main.status(now), small.status(now));
        let profiles = vec![
            ProfileStatus { stream: "main", idle: self.main.is_idle(), status: main.clone() },
            ProfileStatus { stream: "small", idle: false, status: small.clone() },
        ];
        let is_main = Arc::ptr_eq(&shown, &self.main);
        let (mut whole, other) = if is_main { (main, small) } else { (small, main) };
        whole.add_other_stream(&other);
        whole.viewers = self.viewers.load(Ordering::Relaxed);
        let own = whole.condition.clone();
        whole.condition = self.condition(&shown, own, !is_main && whole.viewers == 0);
        whole.profiles = profiles;
        whole
    }

    /// The `condition` of `stream`. If it is live but does not suit its viewer, the reason also says
    /// why the viewer is shown it.
    pub(super) fn condition(&self, stream: &Arc<Stream>, mut condition: Condition, suits: bool) -> Condition {
        if let Some(other) = self.other(stream).filter(|_| !suits && condition.state == State::Live) {
            let away = other.condition().state;
            if matches!(away, State::Stalled | State::Offline | State::Denied) {
                let (this, that) = if Arc::ptr_eq(stream, &self.main) { ("main", "small") } else { ("small", "main") };
                let stand_in = Code::StandIn.with("shown", this).with("wanted", that);
                condition.why = condition.why.and(stand_in.with("state", away.as_str()));
            }
        }
        condition
    }

    /// A receiver that is notified, at least once, after each change that matters to views.
    pub(super) fn changes(&self) -> Notified {
        self.notifier.subscribe()
    }

    /// Counts one viewer more.
    pub(super) fn enter(&self) {
        self.viewers.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one viewer less.
    pub(super) fn leave(&self) {
        self.viewers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Ends all subscriptions: the camera is no longer in the configuration.
    pub(super) fn close(&self) {
        self.streams().iter().for_each(|stream| stream.close());
    }

    /// The other one of two streams.
    pub(super) fn other(&self, stream: &Arc<Stream>) -> Option<Arc<Stream>> {
        let small = self.small()?;
        Some(if Arc::ptr_eq(stream, &small) { Arc::clone(&self.main) } else { small })
    }

    fn locked(&self) -> MutexGuard<'_, Option<Arc<Stream>>> {
        self.small.lock()
    }
}

#[cfg(test)]
mod tests;
