//! One viewer's subscription to a camera's own video, unchanged.

use std::sync::Arc;

use super::{status::Condition, stream::Stream, unit_queue::QueuedUnit};
use crate::sync::Notified;

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
    pub(super) stream: Arc<Stream>,
    pub(super) number: u64,
    /// Notified, at least once, when there is something to take.
    pub(super) notified: Notified,
}

impl UnitSubscription {
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Waits until there is something to take. Cancel-safe: dropping the future loses nothing.
    pub async fn ready(&self) {
        while !self.stream.has_delivery(self.number) {
            if !self.notified.changed().await {
                return;
            }
        }
    }

    /// The next event as of this moment: never a unit that must no longer be shown. State changes
    /// come before units, and the first event is one. `None` means that there is nothing now.
    pub fn take(&mut self) -> Option<UnitEvent> {
        self.stream.take_delivery(self.number)
    }
}

impl Drop for UnitSubscription {
    fn drop(&mut self) {
        self.stream.leave(self.number);
    }
}
