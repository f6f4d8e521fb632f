//! One viewer's subscription to the pictures of a stream.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use smol::{channel::Receiver, future::FutureExt};

use super::{
    status::Condition,
    stream::{Stream, TooManyRenditions},
};
use crate::{
    media::{Picture, RenditionRequest},
    sync::Notified,
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
    pub(super) stream: Arc<Stream>,
    pub(super) number: u64,
    pub(super) pictures: Receiver<Arc<Picture>>,
    pub(super) state_changes: Notified,
    pub(super) skipped: Arc<AtomicU64>,
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
        let state_change =
            async { if self.state_changes.changed().await { Event::StateChange } else { Event::Closed } };
        let picture = async { self.pictures.recv().await.map_or(Event::Closed, Event::Picture) };
        match state_change.or(picture).await {
            Event::StateChange => ViewEvent::StateChange(self.stream.standing_for(&self.pictures)),
            Event::Picture(picture) => ViewEvent::Picture(picture),
            Event::Closed => ViewEvent::Closed,
        }
    }

    /// Counts a picture that was taken from the mailbox but replaced by a newer one before it was
    /// sent.
    pub fn note_skipped(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
        self.stream.count_skipped();
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
        self.stream.change_wish(self.number, rendition_request)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stream.leave(self.number);
    }
}
