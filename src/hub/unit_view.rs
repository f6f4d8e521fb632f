//! The place of a viewer of a camera's own video, whichever of its streams that is.

use std::sync::Arc;

use smol::{
    channel::Receiver,
    future::{self, FutureExt},
};

use super::{
    channel::ViewerGuard,
    status::Condition,
    stream::Stream,
    unit_queue::QueuedUnit,
    unit_subscription::{UnitEvent, UnitSubscription},
};
use crate::media::{RenditionRequest, UnixMicros};

/// A key frame is larger than what overtakes it on the way here. It may be older by this much than what
/// was shown last: two streams of a camera are not in step anyway, and a decoder must begin with it.
const OVERTAKEN: UnixMicros = 200_000;

/// As [`View`](super::View), for access units. The stream is changed with the first key frame of the
/// other one, so that no decoder shows what lies before it.
pub struct UnitView {
    visitor: ViewerGuard,
    rendition_request: RenditionRequest,
    subscription: UnitSubscription,
    awaited: Option<UnitSubscription>,
    /// The key frame with which the stream was changed.
    first: Option<QueuedUnit>,
    /// When the newest unit shown was taken.
    newest: UnixMicros,
    changes: Receiver<()>,
}

impl UnitView {
    pub(super) fn new(
        visitor: ViewerGuard,
        rendition_request: RenditionRequest,
        subscription: UnitSubscription,
    ) -> Self {
        let changes = visitor.0.changes();
        let mut view =
            Self { visitor, rendition_request, subscription, awaited: None, first: None, newest: 0, changes };
        view.settle();
        view
    }

    /// The stream that is shown; the standing of the viewer is that of this one and no other.
    pub fn stream(&self) -> &Arc<Stream> {
        self.subscription.stream()
    }

    /// The stream that this viewer should be shown instead as soon as it is live.
    pub fn awaited(&self) -> Option<&Arc<Stream>> {
        self.awaited.as_ref().map(UnitSubscription::stream)
    }

    /// Waits until there may be something to take. May be dropped while it waits without losing anything.
    pub async fn ready(&mut self) {
        if self.first.is_some() {
            return;
        }
        let awaited = async {
            match &self.awaited {
                Some(subscription) => subscription.ready().await,
                None => future::pending().await,
            }
            false
        };
        let shown = async {
            self.subscription.ready().await;
            false
        };
        let changed = async {
            match self.changes.recv().await {
                Ok(()) => true,
                // The camera is gone, which the seat tells.
                Err(_closed) => future::pending().await,
            }
        };
        if changed.or(awaited).or(shown).await {
            self.settle();
        }
    }

    /// The next delivery, as of this very moment: a unit that must no longer be shown is not among them.
    /// News come before units, and are the first. `None`: there is nothing now.
    pub fn take(&mut self) -> Option<UnitEvent> {
        if let Some(first) = self.first.take().filter(|_| self.stream().is_live()) {
            return Some(self.deliver(first));
        }
        if let Some(first) = self.take_awaited()
            && let Some(subscription) = self.awaited.take()
        {
            self.subscription = subscription;
            self.first = Some(first);
            self.settle();
            return Some(UnitEvent::StateChange(self.condition()));
        }
        match self.subscription.take()? {
            UnitEvent::Unit(taken) => Some(self.deliver(taken)),
            UnitEvent::StateChange(_) => Some(UnitEvent::StateChange(self.condition())),
            UnitEvent::Closed if self.visitor.0.has_left(self.stream()) => {
                self.subscription = self.visitor.0.lane_for(self.rendition_request).subscribe_units();
                self.settle();
                None
            }
            UnitEvent::Closed => Some(UnitEvent::Closed),
        }
    }

    /// Asks for another size from now on.
    pub fn change(&mut self, rendition_request: RenditionRequest) {
        self.rendition_request = rendition_request;
        self.settle();
    }

    fn deliver(&mut self, taken: QueuedUnit) -> UnitEvent {
        self.newest = self.newest.max(taken.unit.taken);
        UnitEvent::Unit(taken)
    }

    /// The key frame with which the other stream begins, if it has come.
    fn take_awaited(&mut self) -> Option<QueuedUnit> {
        let subscription = self.awaited.as_mut()?;
        loop {
            match subscription.take()? {
                UnitEvent::StateChange(_) => {}
                UnitEvent::Unit(taken) if taken.unit.taken + OVERTAKEN >= self.newest => {
                    return Some(QueuedUnit { after_gap: false, ..taken });
                }
                // It lay somewhere: its next key frame will do.
                UnitEvent::Unit(_) => *subscription = subscription.stream().sit_for_next_key_frame(),
                UnitEvent::Closed => {
                    self.awaited = None;
                    return None;
                }
            }
        }
    }

    fn condition(&self) -> Condition {
        let channel = &self.visitor.0;
        let suits = Arc::ptr_eq(&channel.select_stream(self.rendition_request, Some(self.stream())), self.stream());
        channel.condition(self.stream(), suits)
    }

    /// Takes a seat at the stream that is now waited for, if any.
    fn settle(&mut self) {
        let awaited = self.visitor.0.awaited(self.rendition_request, self.stream());
        self.awaited = match (awaited, self.awaited.take()) {
            (Some(stream), Some(subscription)) if Arc::ptr_eq(subscription.stream(), &stream) => Some(subscription),
            (Some(stream), _) => Some(stream.sit_for_next_key_frame()),
            (None, _) => None,
        };
    }
}
