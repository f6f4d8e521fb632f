//! Subscriptions to the stream's own video: no rendition request, no demand, only a queue each.

use std::sync::Arc;

use super::{Inner, Stream};
use crate::{
    hub::{
        unit_queue::UnitQueue,
        unit_subscription::{UnitEvent, UnitSubscription},
    },
    media::AccessUnit,
    sync::Notifier,
};

/// The stream's end of a [`UnitSubscription`].
pub(super) struct UnitSubscriber {
    pub(super) number: u64,
    unit_queue: UnitQueue,
    has_news: bool,
    notifier: Notifier,
}

impl UnitSubscriber {
    pub(super) fn notify_state_change(&mut self) {
        self.has_news = true;
        self.notifier.notify();
    }

    /// Removes the units that were not taken yet; the queue continues at a key frame.
    pub(super) fn withdraw(&mut self) {
        self.unit_queue.withdraw();
    }

    fn offer(&mut self, unit: &AccessUnit) -> u64 {
        let left_out = self.unit_queue.push(unit);
        if !self.unit_queue.is_empty() {
            self.notifier.notify();
        }
        left_out
    }
}

impl Stream {
    /// Subscribes to access units. The first event is there at once; if the camera is live, the
    /// kept group of pictures follows.
    pub fn subscribe_units(self: &Arc<Self>) -> UnitSubscription {
        self.sit_with(|inner| UnitQueue::new(if inner.is_live() { inner.gop_cache.units() } else { &[] }))
    }

    /// The same without the kept group: the first unit is the next key frame.
    pub(in crate::hub) fn sit_for_next_key_frame(self: &Arc<Self>) -> UnitSubscription {
        self.sit_with(|_| UnitQueue::new(&[]))
    }

    fn sit_with(self: &Arc<Self>, unit_queue: impl FnOnce(&Inner) -> UnitQueue) -> UnitSubscription {
        let mut inner = self.inner();
        let number = inner.next_seat;
        inner.next_seat += 1;
        let (notifier, notified) = Notifier::pair();
        let subscription = UnitSubscription { stream: Arc::clone(self), number, notified };
        if !inner.closed {
            let unit_queue = unit_queue(&inner);
            inner.unit_seats.push(UnitSubscriber { number, unit_queue, has_news: true, notifier });
            self.wake(&inner);
        }
        subscription
    }

    pub(in crate::hub) fn has_delivery(&self, number: u64) -> bool {
        let inner = self.inner();
        let subscriber = inner.unit_seats.iter().find(|subscriber| subscriber.number == number);
        subscriber.is_none_or(|subscriber| subscriber.has_news || !subscriber.unit_queue.is_empty())
    }

    pub(in crate::hub) fn take_delivery(&self, number: u64) -> Option<UnitEvent> {
        let inner = &mut *self.inner();
        let Some(subscriber) = inner.unit_seats.iter_mut().find(|subscriber| subscriber.number == number) else {
            return Some(UnitEvent::Closed);
        };
        if std::mem::take(&mut subscriber.has_news) {
            return Some(UnitEvent::StateChange(inner.condition.clone()));
        }
        subscriber.unit_queue.take().map(UnitEvent::Unit)
    }
}

impl Inner {
    pub(super) fn offer_unit(&mut self, unit: &AccessUnit) {
        for subscriber in &mut self.unit_seats {
            self.skipped += subscriber.offer(unit);
        }
    }

    /// Gives the kept group to all subscribers when the stream becomes live.
    pub(super) fn offer_group(&mut self) {
        for subscriber in &mut self.unit_seats {
            for unit in self.gop_cache.units() {
                self.skipped += subscriber.offer(unit);
            }
        }
    }

    pub(super) fn withdraw_units(&mut self) {
        self.unit_seats.iter_mut().for_each(UnitSubscriber::withdraw);
    }
}
