//! The place of a viewer that takes a camera's own video as it is.

use std::sync::Arc;

use smol::channel::Receiver;

use super::{status::Condition, stream::Stream, unit_queue::QueuedUnit};

/// What such a viewer is given next.
#[derive(Clone, Debug)]
pub enum UnitEvent {
    Unit(QueuedUnit),
    /// The camera's state, its reason, its name, its stream or its tuning changed. While the state is not
    /// live, nothing seen before may be shown as if it were.
    StateChange(Condition),
    /// The camera was taken off the wall.
    Closed,
}

/// The right to a camera's access units, given up by dropping it. Costs no decoder.
pub struct UnitSubscription {
    pub(super) stream: Arc<Stream>,
    pub(super) number: u64,
    /// Rings, at least once, when there is something to take.
    pub(super) bell: Receiver<()>,
}

impl UnitSubscription {
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Waits until there is something to take. May be dropped while it waits without losing anything.
    pub async fn ready(&self) {
        while !self.stream.has_delivery(self.number) {
            if self.bell.recv().await.is_err() {
                return;
            }
        }
    }

    /// The next delivery, as of this very moment: a unit that must no longer be shown is not among them.
    /// News come before units, and are the first. `None`: there is nothing now.
    pub fn take(&mut self) -> Option<UnitEvent> {
        self.stream.take_delivery(self.number)
    }
}

impl Drop for UnitSubscription {
    fn drop(&mut self) {
        self.stream.leave(self.number);
    }
}
