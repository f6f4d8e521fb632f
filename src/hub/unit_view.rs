//! The place of a viewer of a camera's own video, whichever of its streams that is.

use std::sync::Arc;

use smol::{
    channel::Receiver,
    future::{self, FutureExt},
};

use super::{
    channel::Visitor,
    lane::Lane,
    queue::Taken,
    status::Standing,
    unit_seat::{Delivery, UnitSeat},
};
use crate::media::{RenditionRequest, UnixMicros};

/// A key frame is larger than what overtakes it on the way here. It may be older by this much than what
/// was shown last: two streams of a camera are not in step anyway, and a decoder must begin with it.
const OVERTAKEN: UnixMicros = 200_000;

/// As [`View`](super::View), for access units. The stream is changed with the first key frame of the
/// other one, so that no decoder shows what lies before it.
pub struct UnitView {
    visitor: Visitor,
    rendition_request: RenditionRequest,
    seat: UnitSeat,
    awaited: Option<UnitSeat>,
    /// The key frame with which the stream was changed.
    first: Option<Taken>,
    /// When the newest unit shown was taken.
    newest: UnixMicros,
    changes: Receiver<()>,
}

impl UnitView {
    pub(super) fn new(visitor: Visitor, rendition_request: RenditionRequest, seat: UnitSeat) -> Self {
        let changes = visitor.0.changes();
        let mut view = Self { visitor, rendition_request, seat, awaited: None, first: None, newest: 0, changes };
        view.settle();
        view
    }

    /// The stream that is shown; the standing of the viewer is that of this one and no other.
    pub fn lane(&self) -> &Arc<Lane> {
        self.seat.lane()
    }

    /// The stream that this viewer should be shown instead as soon as it is live.
    pub fn awaited(&self) -> Option<&Arc<Lane>> {
        self.awaited.as_ref().map(UnitSeat::lane)
    }

    /// Waits until there may be something to take. May be dropped while it waits without losing anything.
    pub async fn ready(&mut self) {
        if self.first.is_some() {
            return;
        }
        let awaited = async {
            match &self.awaited {
                Some(seat) => seat.ready().await,
                None => future::pending().await,
            }
            false
        };
        let shown = async {
            self.seat.ready().await;
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
    pub fn take(&mut self) -> Option<Delivery> {
        if let Some(first) = self.first.take().filter(|_| self.lane().is_live()) {
            return Some(self.deliver(first));
        }
        if let Some(first) = self.take_awaited()
            && let Some(seat) = self.awaited.take()
        {
            self.seat = seat;
            self.first = Some(first);
            self.settle();
            return Some(Delivery::News(self.standing()));
        }
        match self.seat.take()? {
            Delivery::Unit(taken) => Some(self.deliver(taken)),
            Delivery::News(_) => Some(Delivery::News(self.standing())),
            Delivery::Closed if self.visitor.0.has_left(self.lane()) => {
                self.seat = self.visitor.0.lane_for(self.rendition_request).sit_for_units();
                self.settle();
                None
            }
            Delivery::Closed => Some(Delivery::Closed),
        }
    }

    /// Asks for another size from now on.
    pub fn change(&mut self, rendition_request: RenditionRequest) {
        self.rendition_request = rendition_request;
        self.settle();
    }

    fn deliver(&mut self, taken: Taken) -> Delivery {
        self.newest = self.newest.max(taken.unit.taken);
        Delivery::Unit(taken)
    }

    /// The key frame with which the other stream begins, if it has come.
    fn take_awaited(&mut self) -> Option<Taken> {
        let seat = self.awaited.as_mut()?;
        loop {
            match seat.take()? {
                Delivery::News(_) => {}
                Delivery::Unit(taken) if taken.unit.taken + OVERTAKEN >= self.newest => {
                    return Some(Taken { after_gap: false, ..taken });
                }
                // It lay somewhere: its next key frame will do.
                Delivery::Unit(_) => *seat = seat.lane().sit_for_next_key_frame(),
                Delivery::Closed => {
                    self.awaited = None;
                    return None;
                }
            }
        }
    }

    fn standing(&self) -> Standing {
        let channel = &self.visitor.0;
        let suits = Arc::ptr_eq(&channel.suited(self.rendition_request, Some(self.lane())), self.lane());
        channel.standing(self.lane(), suits)
    }

    /// Takes a seat at the stream that is now waited for, if any.
    fn settle(&mut self) {
        let awaited = self.visitor.0.awaited(self.rendition_request, self.lane());
        self.awaited = match (awaited, self.awaited.take()) {
            (Some(lane), Some(seat)) if Arc::ptr_eq(seat.lane(), &lane) => Some(seat),
            (Some(lane), _) => Some(lane.sit_for_next_key_frame()),
            (None, _) => None,
        };
    }
}
