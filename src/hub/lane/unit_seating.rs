//! Seats for those who take the stream as it is: no wish, no demand, only a queue each.

use std::sync::Arc;

use smol::channel::{Sender, bounded};

use super::{Inner, Lane};
use crate::{
    hub::{
        queue::Queue,
        unit_seat::{Delivery, UnitSeat},
    },
    media::AccessUnit,
};

/// The lane's end of a unit seat.
pub(super) struct UnitChair {
    pub(super) number: u64,
    queue: Queue,
    has_news: bool,
    bell: Sender<()>,
}

impl UnitChair {
    pub(super) fn tell(&mut self) {
        self.has_news = true;
        let _ = self.bell.force_send(());
    }

    /// Takes back what was not taken yet; what follows begins with a key frame.
    pub(super) fn withdraw(&mut self) {
        self.queue.withdraw();
    }

    fn offer(&mut self, unit: &AccessUnit) -> u64 {
        let left_out = self.queue.push(unit);
        if !self.queue.is_empty() {
            let _ = self.bell.force_send(());
        }
        left_out
    }
}

impl Lane {
    /// Takes a seat for access units; the first delivery is there at once, and where the camera is live
    /// the kept group follows.
    pub fn sit_for_units(self: &Arc<Self>) -> UnitSeat {
        self.sit_with(|inner| Queue::new(if inner.is_live() { inner.group.units() } else { &[] }))
    }

    /// The same, without the kept group: the first unit is the next key frame.
    pub(in crate::hub) fn sit_for_next_key_frame(self: &Arc<Self>) -> UnitSeat {
        self.sit_with(|_| Queue::new(&[]))
    }

    fn sit_with(self: &Arc<Self>, queue: impl FnOnce(&Inner) -> Queue) -> UnitSeat {
        let mut inner = self.inner();
        let number = inner.next_seat;
        inner.next_seat += 1;
        let (sender, bell) = bounded(1);
        let seat = UnitSeat { lane: Arc::clone(self), number, bell };
        if !inner.closed {
            let queue = queue(&inner);
            inner.unit_seats.push(UnitChair { number, queue, has_news: true, bell: sender });
            self.wake(&inner);
        }
        seat
    }

    pub(in crate::hub) fn has_delivery(&self, number: u64) -> bool {
        let inner = self.inner();
        let chair = inner.unit_seats.iter().find(|chair| chair.number == number);
        chair.is_none_or(|chair| chair.has_news || !chair.queue.is_empty())
    }

    pub(in crate::hub) fn take_delivery(&self, number: u64) -> Option<Delivery> {
        let inner = &mut *self.inner();
        let Some(chair) = inner.unit_seats.iter_mut().find(|chair| chair.number == number) else {
            return Some(Delivery::Closed);
        };
        if std::mem::take(&mut chair.has_news) {
            return Some(Delivery::News(inner.standing.clone()));
        }
        chair.queue.take().map(Delivery::Unit)
    }
}

impl Inner {
    pub(super) fn offer_unit(&mut self, unit: &AccessUnit) {
        for chair in &mut self.unit_seats {
            self.skipped += chair.offer(unit);
        }
    }

    /// Gives the kept group to all, as the stream goes live.
    pub(super) fn offer_group(&mut self) {
        for chair in &mut self.unit_seats {
            for unit in self.group.units() {
                self.skipped += chair.offer(unit);
            }
        }
    }

    pub(super) fn withdraw_units(&mut self) {
        self.unit_seats.iter_mut().for_each(UnitChair::withdraw);
    }
}
