//! The stream's ends of all its subscriptions.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use smol::channel::{Receiver, Sender};

use crate::{
    hub::{
        unit_queue::{QueuedUnit, UnitQueue},
        viewer_origin::ViewerOrigin,
    },
    media::{AccessUnit, Picture, RenditionRequest},
    sync::Notifier,
};

/// The subscriptions of one stream, until it is closed.
#[derive(Default)]
pub struct Subscribers {
    pictures: Vec<Subscriber>,
    units: Vec<UnitSubscriber>,
    next_number: u64,
    is_closed: bool,
}

/// The stream's end of a [`Subscription`](crate::hub::Subscription).
pub struct Subscriber {
    pub rendition_request: RenditionRequest,
    origin: ViewerOrigin,
    pub pictures: Sender<Arc<Picture>>,
    /// The other end of `pictures`, used to remove what must no longer be shown.
    pub unread: Receiver<Arc<Picture>>,
    pub changes: Notifier,
    pub skipped: Arc<AtomicU64>,
    number: u64,
}

/// The stream's end of a [`UnitSubscription`](crate::hub::UnitSubscription).
struct UnitSubscriber {
    queue: UnitQueue,
    has_changed: bool,
    notify: Notifier,
    number: u64,
    /// Not the agent's own transcoder.
    is_viewer: bool,
}

/// What a subscription to units is given next.
pub enum Next {
    Unit(QueuedUnit),
    StateChange,
    /// The subscription has ended.
    Closed,
    /// There is nothing now.
    Nothing,
}

impl Subscribers {
    /// A number for one more subscription.
    pub fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Adds the ends of a subscription to pictures.
    pub fn add(
        &mut self,
        number: u64,
        (rendition_request, origin): (RenditionRequest, ViewerOrigin),
        (pictures, unread): (Sender<Arc<Picture>>, Receiver<Arc<Picture>>),
        changes: Notifier,
        skipped: Arc<AtomicU64>,
    ) {
        changes.notify();
        self.pictures.push(Subscriber { rendition_request, origin, pictures, unread, changes, skipped, number });
    }

    /// Adds the ends of a subscription to units, of a viewer or of the transcoder.
    pub fn add_units(&mut self, number: u64, queue: UnitQueue, notify: Notifier, is_viewer: bool) {
        self.units.push(UnitSubscriber { queue, has_changed: true, notify, number, is_viewer });
    }

    pub fn remove(&mut self, number: u64) {
        self.pictures.retain(|subscriber| subscriber.number != number);
        self.units.retain(|subscriber| subscriber.number != number);
    }

    /// Ends all subscriptions; there will be no others.
    pub fn close(&mut self) {
        self.is_closed = true;
        self.pictures.clear();
        self.units.clear();
    }

    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Number of subscriptions of viewers.
    pub fn len(&self) -> usize {
        self.pictures.len() + self.len_of_units()
    }

    /// Number of viewers' subscriptions to units.
    pub fn len_of_units(&self) -> usize {
        self.units.iter().filter(|subscriber| subscriber.is_viewer).count()
    }

    /// The requests of all subscriptions to pictures, with their origins.
    pub fn requests(&self) -> impl Iterator<Item = (RenditionRequest, ViewerOrigin)> {
        self.pictures.iter().map(|subscriber| (subscriber.rendition_request, subscriber.origin))
    }

    /// The requests of all subscriptions to pictures but `number`.
    pub fn other_requests(&self, number: Option<u64>) -> impl Iterator<Item = (RenditionRequest, ViewerOrigin)> {
        let others = self.pictures.iter().filter(move |subscriber| Some(subscriber.number) != number);
        others.map(|subscriber| (subscriber.rendition_request, subscriber.origin))
    }

    /// Changes the request of a subscription to pictures.
    pub fn set_request(&mut self, number: u64, rendition_request: RenditionRequest) {
        if let Some(subscriber) = self.pictures.iter_mut().find(|subscriber| subscriber.number == number) {
            subscriber.rendition_request = rendition_request;
        }
    }

    /// The request of a subscription to pictures.
    pub fn request(&self, number: u64) -> Option<RenditionRequest> {
        self.pictures.iter().find(|subscriber| subscriber.number == number).map(|found| found.rendition_request)
    }

    /// Tells the subscriptions to pictures whose request `fits` of a change.
    pub fn notify_pictures(&self, fits: impl Fn(RenditionRequest) -> bool) {
        for subscriber in self.pictures.iter().filter(|subscriber| fits(subscriber.rendition_request)) {
            subscriber.changes.notify();
        }
    }

    /// Tells all of a change of the stream.
    pub fn notify(&mut self) {
        for subscriber in &mut self.units {
            subscriber.has_changed = true;
            subscriber.notify.notify();
        }
        for subscriber in &self.pictures {
            subscriber.changes.notify();
        }
    }

    /// Puts `picture` into the mailboxes of the requests that it `fits`. Returns how many pictures it replaced.
    pub fn deliver(&self, picture: &Arc<Picture>, fits: impl Fn(RenditionRequest) -> bool) -> u64 {
        let mut replaced = 0;
        for subscriber in self.pictures.iter().filter(|subscriber| fits(subscriber.rendition_request)) {
            if let Ok(Some(_unread)) = subscriber.pictures.force_send(Arc::clone(picture)) {
                replaced += 1;
                subscriber.skipped.fetch_add(1, Ordering::Relaxed);
            }
        }
        replaced
    }

    /// Puts the picture that `newest` has for its request into the mailbox of `number`, or of all.
    pub fn serve(&self, number: Option<u64>, newest: impl Fn(RenditionRequest) -> Option<Arc<Picture>>) {
        let served = self.pictures.iter().filter(|subscriber| number.is_none_or(|number| subscriber.number == number));
        for subscriber in served {
            if let Some(picture) = newest(subscriber.rendition_request) {
                let _ = subscriber.pictures.force_send(picture);
            }
        }
    }

    /// Empties all mailboxes of pictures.
    pub fn withdraw_pictures(&self) {
        for subscriber in &self.pictures {
            while subscriber.unread.try_recv().is_ok() {}
        }
    }

    /// Adds `unit` to all queues. Returns how many units were dropped for it from those of viewers.
    pub fn offer(&mut self, unit: &AccessUnit) -> u64 {
        self.units.iter_mut().map(|subscriber| subscriber.offer(unit)).sum()
    }

    /// Removes the units that were not taken yet; the queues continue at a key frame.
    pub fn withdraw_units(&mut self) {
        self.units.iter_mut().for_each(|subscriber| subscriber.queue.withdraw());
    }

    /// Whether [`Subscribers::next_for`] has something.
    pub fn has_next(&self, number: u64) -> bool {
        let subscriber = self.units.iter().find(|subscriber| subscriber.number == number);
        subscriber.is_none_or(|subscriber| subscriber.has_changed || !subscriber.queue.is_empty())
    }

    /// Takes what is next for a subscription to units; state changes come first.
    pub fn next_for(&mut self, number: u64) -> Next {
        let Some(subscriber) = self.units.iter_mut().find(|subscriber| subscriber.number == number) else {
            return Next::Closed;
        };
        if std::mem::take(&mut subscriber.has_changed) {
            return Next::StateChange;
        }
        subscriber.queue.take().map_or(Next::Nothing, Next::Unit)
    }
}

impl UnitSubscriber {
    fn offer(&mut self, unit: &AccessUnit) -> u64 {
        let dropped = self.queue.push(unit);
        if !self.queue.is_empty() {
            self.notify.notify();
        }
        if self.is_viewer { dropped } else { 0 }
    }
}
