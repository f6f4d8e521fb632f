//! One viewer's place at a lane.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use smol::{channel::Receiver, future::FutureExt};

use super::{
    status::Condition,
    stream::{Stream, TooManyRenditions},
};
use crate::media::{Picture, RenditionRequest};

/// What a viewer is to show next.
#[derive(Clone, Debug)]
pub enum ViewEvent {
    /// The newest live picture of the seat's rendition.
    Picture(Arc<Picture>),
    /// The camera's state, its reason or its name changed. While the state is not live, no picture
    /// seen before may be shown as if it were.
    StateChange(Condition),
    /// The camera was taken off the wall.
    Closed,
}

/// The right to pictures of one wish, given up by dropping it.
pub struct Subscription {
    pub(super) stream: Arc<Stream>,
    pub(super) number: u64,
    pub(super) pictures: Receiver<Arc<Picture>>,
    pub(super) news: Receiver<()>,
    pub(super) skipped: Arc<AtomicU64>,
}

impl Subscription {
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Waits for the next thing to show; news come before pictures. The first answer comes at once.
    /// May be dropped while it waits without losing anything.
    pub async fn next(&mut self) -> ViewEvent {
        enum Rung {
            StateChange,
            Picture(Arc<Picture>),
            Closed,
        }
        let news = async { self.news.recv().await.map_or(Rung::Closed, |()| Rung::StateChange) };
        let picture = async { self.pictures.recv().await.map_or(Rung::Closed, Rung::Picture) };
        match news.or(picture).await {
            Rung::StateChange => ViewEvent::StateChange(self.stream.standing_for(&self.pictures)),
            Rung::Picture(picture) => ViewEvent::Picture(picture),
            Rung::Closed => ViewEvent::Closed,
        }
    }

    /// Counts a picture that was taken from the mailbox but replaced by a newer one before it was sent.
    pub fn note_skipped(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
        self.stream.count_skipped();
    }

    /// Pictures this viewer did not get because it was slow, since it sat down.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Asks for another size, quality or rate from now on.
    ///
    /// # Errors
    /// [`TooManyRenditions`]; the old wish then stands.
    pub fn change(&self, rendition_request: RenditionRequest) -> Result<(), TooManyRenditions> {
        self.stream.change_wish(self.number, rendition_request)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stream.leave(self.number);
    }
}
