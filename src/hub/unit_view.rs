//! A viewer's subscription to a camera's own video, from either of its streams.

use std::sync::Arc;

use smol::future::{self, FutureExt};

use super::{
    channel::ViewerGuard,
    status::Condition,
    stream::Stream,
    unit_queue::QueuedUnit,
    unit_subscription::{UnitEvent, UnitSubscription},
};
use crate::{
    media::{RenditionRequest, UnixMicros},
    sync::Notified,
};

/// How much older than the last unit shown a key frame may be, in microseconds. A key frame is
/// larger than the units that overtake it on the way. Two streams of a camera are not synchronous
/// anyway, and a decoder must start with a key frame.
const OVERTAKEN: UnixMicros = 200_000;

/// Like [`View`](super::View), for access units. The view switches at the first key frame of the
/// other stream, so no decoder shows what precedes it.
pub struct UnitView {
    visitor: ViewerGuard,
    rendition_request: RenditionRequest,
    subscription: UnitSubscription,
    awaited: Option<UnitSubscription>,
    /// The key frame at which the view switched.
    first: Option<QueuedUnit>,
    /// The `taken` time of the newest unit shown.
    newest: UnixMicros,
    changes: Notified,
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

    /// The stream shown. The viewer's condition is that of this stream only.
    pub fn stream(&self) -> &Arc<Stream> {
        self.subscription.stream()
    }

    /// The stream to which this viewer must switch as soon as it is live.
    pub fn awaited(&self) -> Option<&Arc<Stream>> {
        self.awaited.as_ref().map(UnitSubscription::stream)
    }

    /// Waits until there may be something to take. Cancel-safe: dropping the future loses nothing.
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
            if !self.changes.changed().await {
                // The camera was removed, which the subscription reports.
                future::pending::<()>().await;
            }
            true
        };
        if changed.or(awaited).or(shown).await {
            self.settle();
        }
    }

    /// The next event as of this moment: never a unit that must no longer be shown. State changes
    /// come before units, and the first event is one. `None` means that there is nothing now.
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

    /// Requests another size from now on.
    pub fn change(&mut self, rendition_request: RenditionRequest) {
        self.rendition_request = rendition_request;
        self.settle();
    }

    fn deliver(&mut self, taken: QueuedUnit) -> UnitEvent {
        self.newest = self.newest.max(taken.unit.taken);
        UnitEvent::Unit(taken)
    }

    /// The key frame at which the other stream starts, if it has arrived.
    fn take_awaited(&mut self) -> Option<QueuedUnit> {
        let subscription = self.awaited.as_mut()?;
        loop {
            match subscription.take()? {
                UnitEvent::StateChange(_) => {}
                UnitEvent::Unit(taken) if taken.unit.taken + OVERTAKEN >= self.newest => {
                    return Some(QueuedUnit { after_gap: false, ..taken });
                }
                // The unit was delayed on the way; the stream's next key frame is used instead.
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

    /// Subscribes to the stream to wait for now, if any.
    fn settle(&mut self) {
        let awaited = self.visitor.0.awaited(self.rendition_request, self.stream());
        self.awaited = match (awaited, self.awaited.take()) {
            (Some(stream), Some(subscription)) if Arc::ptr_eq(subscription.stream(), &stream) => Some(subscription),
            (Some(stream), _) => Some(stream.sit_for_next_key_frame()),
            (None, _) => None,
        };
    }
}
