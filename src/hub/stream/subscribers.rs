//! The viewer's side of a stream: subscriptions, and the demand that follows from their requests.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use smol::channel::{Receiver, bounded};

use super::{Inner, MAX_RENDITIONS, Stream, Subscriber, TooManyRenditions};
use crate::{
    camera::State,
    hub::{
        status::{Condition, RenditionStatus, Status},
        subscription::Subscription,
    },
    media::{Picture, Rendition, RenditionRequest},
    sync::Notifier,
};

impl Stream {
    /// Subscribes with the given request; the first [`Subscription::next`] returns at once.
    ///
    /// # Errors
    /// [`TooManyRenditions`] if the request needs one more rendition than the stream may have.
    pub fn subscribe(self: &Arc<Self>, rendition_request: RenditionRequest) -> Result<Subscription, TooManyRenditions> {
        let mut inner = self.inner();
        inner.admit(rendition_request, None)?;
        let number = inner.next_seat;
        inner.next_seat += 1;
        let (picture_sender, pictures) = bounded(1);
        let (notifier, state_changes) = Notifier::pair();
        let skipped = Arc::new(AtomicU64::new(0));
        let unread = pictures.clone();
        let subscription =
            Subscription { stream: Arc::clone(self), number, pictures, state_changes, skipped: Arc::clone(&skipped) };
        if inner.closed {
            return Ok(subscription); // Its senders are dropped here: it reads as closed.
        }
        notifier.notify();
        inner.subscriptions.push(Subscriber {
            number,
            rendition_request,
            pictures: picture_sender,
            unread,
            state_changes: notifier,
            skipped,
        });
        inner.serve_newest(number);
        self.refresh_demand(&mut inner);
        self.wake(&inner);
        Ok(subscription)
    }

    /// Wakes the supervisor if the stream is idle.
    pub(super) fn wake(&self, inner: &Inner) {
        if inner.idle {
            self.demand_changes.0.notify();
        }
    }

    /// The condition. At the same moment, the mailbox behind `pictures` is emptied of what must no
    /// longer be shown.
    pub(in crate::hub) fn standing_for(&self, pictures: &Receiver<Arc<Picture>>) -> Condition {
        let inner = self.inner();
        if inner.condition.state != State::Live {
            while pictures.try_recv().is_ok() {}
        }
        inner.condition.clone()
    }

    pub(in crate::hub) fn change_wish(
        &self,
        number: u64,
        rendition_request: RenditionRequest,
    ) -> Result<(), TooManyRenditions> {
        let mut inner = self.inner();
        inner.admit(rendition_request, Some(number))?;
        if let Some(subscriber) = inner.subscriptions.iter_mut().find(|subscriber| subscriber.number == number) {
            subscriber.rendition_request = rendition_request;
        }
        inner.serve_newest(number);
        self.refresh_demand(&mut inner);
        Ok(())
    }

    pub(in crate::hub) fn count_skipped(&self) {
        self.inner().skipped += 1;
    }

    pub(in crate::hub) fn leave(&self, number: u64) {
        let mut inner = self.inner();
        inner.subscriptions.retain(|subscriber| subscriber.number != number);
        inner.unit_seats.retain(|subscriber| subscriber.number != number);
        self.refresh_demand(&mut inner);
    }

    pub fn status(&self, now: Instant) -> Status {
        let inner = self.inner();
        let (measured_fps, bitrate) = inner.rate_meter.read(now);
        let age = inner.stall.age(now);
        let rendition_status = |&rendition: &Rendition| RenditionStatus {
            rendition,
            viewers: inner
                .subscriptions
                .iter()
                .filter(|subscriber| inner.rendition(subscriber.rendition_request) == rendition)
                .count(),
            encodes: inner.encodes.get(&rendition).copied().unwrap_or(0),
        };
        Status {
            id: self.id.clone(),
            name: inner.name.clone(),
            condition: inner.condition.clone(),
            since: now.saturating_duration_since(inner.since),
            place: inner.place.clone(),
            age,
            stream: inner.stream,
            measured_fps,
            bitrate,
            frames: inner.frames,
            bytes: inner.bytes,
            reconnects: inner.workers.saturating_sub(inner.fresh.max(1)),
            stalls: inner.stalls,
            failures: inner.failures.clone(),
            last_error: inner.last_error.as_ref().map(|(text, _)| text.clone()),
            last_error_age: inner.last_error.as_ref().map(|(_, at)| now.saturating_duration_since(*at)),
            live: inner.uptime.live(now),
            known: inner.uptime.known(now),
            last_live_age: inner.uptime.last_live_age(now),
            gop_cache: (inner.gop_cache.units().len(), inner.gop_cache.bytes()),
            viewers: inner.subscriptions.len() + inner.unit_seats.len(),
            untouched: inner.unit_seats.len(),
            skipped: inner.skipped,
            refused: inner.refused,
            decoding: inner.decoding,
            renditions: inner.wanted.iter().map(rendition_status).collect(),
            worker: inner.vitals.map(|(vitals, _)| vitals),
            worker_share: inner.worker_share,
            profiles: Vec::new(),
            keeper_late: inner.keeper_due.map_or(Duration::ZERO, |due| now.saturating_duration_since(due)),
        }
    }

    pub(super) fn refresh_demand(&self, inner: &mut Inner) {
        let mut wanted: Vec<_> = match inner.stream {
            Some(_) => {
                inner.subscriptions.iter().map(|subscriber| inner.rendition(subscriber.rendition_request)).collect()
            }
            None => Vec::new(),
        };
        wanted.sort_unstable();
        wanted.dedup();
        wanted.truncate(MAX_RENDITIONS);
        if wanted == inner.wanted {
            return;
        }
        if inner.wanted.is_empty() {
            inner.stall.wanted();
        }
        inner.newest.retain(|rendition, _| wanted.contains(rendition));
        inner.encodes.retain(|rendition, _| wanted.contains(rendition));
        inner.wanted = wanted;
        self.demand_changes.0.notify();
    }
}
