//! One viewer's subscription to the pictures of a stream.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use smol::{
    channel::{Receiver, bounded},
    future::FutureExt,
};

use super::{
    status::Condition,
    stream::{Stream, TooManyRenditions},
    viewer_origin::ViewerOrigin,
};
use crate::{
    camera::State,
    media::{Picture, RenditionRequest},
    sync::{Notified, Notifier},
};

/// What a viewer must show next.
#[derive(Clone, Debug)]
pub enum ViewEvent {
    /// The newest live picture of the subscription's rendition.
    Picture(Arc<Picture>),
    /// The camera's state, its reason or its name changed. While the state is not live, no earlier
    /// picture may be shown as if it were live.
    StateChange(Condition),
    /// The camera was removed from the wall.
    Closed,
}

/// A subscription for one rendition request. Dropping it ends it.
pub struct Subscription {
    stream: Arc<Stream>,
    number: u64,
    origin: ViewerOrigin,
    pictures: Receiver<Arc<Picture>>,
    changes: Notified,
    skipped: Arc<AtomicU64>,
}

impl Stream {
    /// Subscribes with the given request; the first [`Subscription::next`] returns at once.
    ///
    /// # Errors
    /// [`TooManyRenditions`] if the request needs one more rendition than the stream, or the viewers
    /// of this origin, may have.
    pub fn subscribe(
        self: &Arc<Self>,
        rendition_request: RenditionRequest,
        origin: ViewerOrigin,
    ) -> Result<Subscription, TooManyRenditions> {
        let mut inner = self.inner();
        inner.admit(rendition_request, origin, None)?;
        let number = inner.subscribers.number();
        let (picture_sender, pictures) = bounded(1);
        let (changes_sender, changes) = Notifier::pair();
        let skipped = Arc::new(AtomicU64::new(0));
        let mailbox = (picture_sender, pictures.clone());
        let subscription =
            Subscription { stream: Arc::clone(self), number, origin, pictures, changes, skipped: Arc::clone(&skipped) };
        if inner.subscribers.is_closed() {
            return Ok(subscription); // Its senders are dropped here: it reads as closed.
        }
        inner.subscribers.add(number, (rendition_request, origin), mailbox, changes_sender, skipped);
        inner.serve_newest(Some(number));
        self.refresh_demand(&mut inner);
        self.wake(&inner);
        Ok(subscription)
    }
}

impl Subscription {
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Waits for the next event; state changes come before pictures. The first one comes at once.
    /// Cancel-safe: dropping the future loses nothing.
    pub async fn next(&mut self) -> ViewEvent {
        enum Event {
            StateChange,
            Picture(Arc<Picture>),
            Closed,
        }
        let change = async { if self.changes.changed().await { Event::StateChange } else { Event::Closed } };
        let picture = async { self.pictures.recv().await.map_or(Event::Closed, Event::Picture) };
        match change.or(picture).await {
            Event::StateChange => ViewEvent::StateChange(self.condition()),
            Event::Picture(picture) => ViewEvent::Picture(picture),
            Event::Closed => ViewEvent::Closed,
        }
    }

    /// Counts a picture that was taken from the mailbox but replaced by a newer one before it was
    /// sent.
    pub fn note_skipped(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
        self.stream.inner().count_skipped();
    }

    /// Pictures that this viewer has missed because it was slow, since it subscribed.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Requests another size, quality or rate from now on.
    ///
    /// # Errors
    /// [`TooManyRenditions`]; the old request then stays in force.
    pub fn change(&self, rendition_request: RenditionRequest) -> Result<(), TooManyRenditions> {
        let mut inner = self.stream.inner();
        inner.admit(rendition_request, self.origin, Some(self.number))?;
        inner.subscribers.set_request(self.number, rendition_request);
        inner.serve_newest(Some(self.number));
        self.stream.refresh_demand(&mut inner);
        Ok(())
    }

    /// The condition of the pictures of this subscription. At the same moment, the mailbox is emptied of what
    /// must no longer be shown.
    pub(super) fn condition(&self) -> Condition {
        let inner = self.stream.inner();
        let condition = inner.picture_condition_of(self.number);
        if condition.state != State::Live {
            while self.pictures.try_recv().is_ok() {}
        }
        condition
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut inner = self.stream.inner();
        inner.subscribers.remove(self.number);
        self.stream.refresh_demand(&mut inner);
    }
}
