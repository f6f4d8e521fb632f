//! One viewer's subscription to a camera's own video, unchanged.

use std::sync::Arc;

use super::{
    status::Condition,
    stream::{Next, Stream},
    unit_queue::{QueuedUnit, UnitQueue},
};
use crate::{
    media::AccessUnit,
    sync::{Notified, Notifier},
};

/// What such a viewer is given next.
#[derive(Clone, Debug)]
pub enum UnitEvent {
    Unit(QueuedUnit),
    /// The camera's state, its reason, its name, its stream or its options changed. While the state
    /// is not live, nothing seen before may be shown as if it were live.
    StateChange(Condition),
    /// The camera was removed from the wall.
    Closed,
}

/// A subscription to a camera's access units. Dropping it ends it. It needs no decoder.
pub struct UnitSubscription {
    stream: Arc<Stream>,
    number: u64,
    /// Notified, at least once, when there is something to take.
    notified: Notified,
}

impl Stream {
    /// Subscribes to access units. The first event is there at once; if the camera is live, the
    /// kept group of pictures follows.
    pub fn subscribe_units(self: &Arc<Self>) -> UnitSubscription {
        self.subscribe_units_from(true, true)
    }

    /// Subscribes to access units for the transcoder: as [`Stream::subscribe_units`], but not counted
    /// as a viewer, and no demand for the stream.
    pub fn subscribe_transcoder(self: &Arc<Self>) -> UnitSubscription {
        self.subscribe_units_from(true, false)
    }

    /// The same without the kept group: the first unit is the next key frame.
    pub(super) fn subscribe_units_from_next_key_frame(self: &Arc<Self>) -> UnitSubscription {
        self.subscribe_units_from(false, true)
    }

    fn subscribe_units_from(self: &Arc<Self>, kept_group: bool, is_viewer: bool) -> UnitSubscription {
        let inner = &mut *self.inner();
        let number = inner.subscribers.number();
        let (notify, notified) = Notifier::pair();
        if !inner.subscribers.is_closed() {
            let begin: &[AccessUnit] = if kept_group && inner.is_live() { inner.gop_cache.units() } else { &[] };
            if begin.is_empty() {
                self.want_key_frame(inner);
            }
            inner.subscribers.add_units(number, UnitQueue::new(begin), notify, is_viewer);
            if is_viewer {
                self.wake(inner);
            }
        }
        UnitSubscription { stream: Arc::clone(self), number, notified }
    }
}

impl UnitSubscription {
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Waits until there is something to take. Cancel-safe: dropping the future loses nothing.
    pub async fn ready(&self) {
        while !self.has_next() {
            if !self.notified.changed().await {
                return;
            }
        }
    }

    /// Whether there is something to take now.
    pub fn has_next(&self) -> bool {
        self.stream.inner().subscribers.has_next(self.number)
    }

    /// The next event as of this moment: never a unit that must no longer be shown. State changes
    /// come before units, and the first event is one. `None` means that there is nothing now.
    pub fn take(&mut self) -> Option<UnitEvent> {
        let inner = &mut *self.stream.inner();
        match inner.subscribers.next_for(self.number) {
            Next::Unit(unit) => Some(UnitEvent::Unit(unit)),
            Next::StateChange => Some(UnitEvent::StateChange(inner.condition().clone())),
            Next::Closed => Some(UnitEvent::Closed),
            Next::Nothing => None,
        }
    }
}

impl Drop for UnitSubscription {
    fn drop(&mut self) {
        let mut inner = self.stream.inner();
        inner.subscribers.remove(self.number);
        self.stream.refresh_demand(&mut inner);
    }
}
