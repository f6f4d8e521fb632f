//! A viewer's subscription to a camera's own video, from either of its streams.

use std::{convert::Infallible, sync::Arc};

use super::{
    channel::Channel,
    status::Condition,
    stream::Stream,
    switching::{Event, Feed, Switch},
    unit_queue::QueuedUnit,
    unit_subscription::{UnitEvent, UnitSubscription},
};
use crate::media::{RenditionRequest, UnixMicros};

/// How much older than the last unit shown a key frame may be, in microseconds. A key frame is
/// larger than the units that overtake it on the way. Two streams of a camera are not synchronous
/// anyway, and a decoder must start with a key frame.
const OVERTAKEN: UnixMicros = 200_000;

/// Like [`View`](super::View), for access units. The view switches at the first key frame of the
/// other stream, so no decoder shows what precedes it.
pub struct UnitView {
    switch: Switch<UnitSubscription>,
    /// The key frame at which the view switched.
    first: Option<QueuedUnit>,
    /// The `taken` time of the newest unit shown.
    newest: UnixMicros,
}

impl Feed for UnitSubscription {
    /// Units need no rendition.
    type Refusal = Infallible;
    type Viewer = ();

    fn stream(&self) -> &Arc<Stream> {
        self.stream()
    }

    fn condition(stream: &Stream) -> Condition {
        stream.condition()
    }

    fn show(stream: &Arc<Stream>, _: RenditionRequest, (): ()) -> Result<Self, Infallible> {
        Ok(stream.subscribe_units())
    }

    fn wait_for(stream: &Arc<Stream>, _: RenditionRequest, (): ()) -> Option<Self> {
        Some(stream.subscribe_units_from_next_key_frame())
    }
}

impl Channel {
    /// Subscribes to access units; the first event is there at once.
    pub fn subscribe_units(self: &Arc<Self>, rendition_request: RenditionRequest) -> UnitView {
        let Ok(switch) = Switch::new(self, rendition_request, ());
        UnitView { switch, first: None, newest: 0 }
    }
}

impl UnitView {
    /// The stream shown. The viewer's condition is that of this stream only.
    pub fn stream(&self) -> &Arc<Stream> {
        self.switch.stream()
    }

    /// The stream to which this viewer must switch as soon as it is live.
    pub fn awaited(&self) -> Option<&Arc<Stream>> {
        self.switch.awaited().map(UnitSubscription::stream)
    }

    /// Waits until there may be something to take. Cancel-safe: dropping the future loses nothing.
    pub async fn ready(&mut self) {
        if self.first.is_some() {
            return;
        }
        let ready = async |subscription: &mut UnitSubscription| subscription.ready().await;
        if let Event::Changed = self.switch.next(ready).await {
            self.switch.reselect();
        }
    }

    /// The next event as of this moment: never a unit that must no longer be shown. State changes
    /// come before units, and the first event is one. `None` means that there is nothing now.
    pub fn take(&mut self) -> Option<UnitEvent> {
        if let Some(first) = self.first.take().filter(|_| self.stream().is_live()) {
            return Some(self.deliver(first));
        }
        if let Some(first) = self.take_awaited()
            && self.switch.hand_over()
        {
            self.first = Some(first);
            return Some(UnitEvent::StateChange(self.switch.condition()));
        }
        match self.switch.shown_mut().take()? {
            UnitEvent::Unit(taken) => Some(self.deliver(taken)),
            UnitEvent::StateChange(_) => Some(UnitEvent::StateChange(self.switch.condition())),
            UnitEvent::Closed if self.switch.resubscribe() => None,
            UnitEvent::Closed => Some(UnitEvent::Closed),
        }
    }

    /// Requests another size from now on.
    pub fn change(&mut self, rendition_request: RenditionRequest) {
        self.switch.set_request(rendition_request, |_| true);
    }

    fn deliver(&mut self, taken: QueuedUnit) -> UnitEvent {
        self.newest = self.newest.max(taken.unit.taken);
        UnitEvent::Unit(taken)
    }

    /// The key frame at which the other stream starts, if it has arrived.
    fn take_awaited(&mut self) -> Option<QueuedUnit> {
        loop {
            let subscription = self.switch.awaited_mut()?;
            match subscription.take()? {
                UnitEvent::StateChange(_) => {}
                UnitEvent::Unit(taken) if taken.unit.taken + OVERTAKEN >= self.newest => {
                    return Some(QueuedUnit { after_gap: false, ..taken });
                }
                // The unit was delayed on the way; the stream's next key frame is used instead.
                UnitEvent::Unit(_) => *subscription = subscription.stream().subscribe_units_from_next_key_frame(),
                UnitEvent::Closed => {
                    self.switch.stop_waiting();
                    return None;
                }
            }
        }
    }
}
