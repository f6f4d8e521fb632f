//! The place of a viewer of pictures at a camera, whichever of its streams they are made of.

use std::sync::Arc;

use smol::{
    channel::Receiver,
    future::{self, FutureExt},
};

use super::{
    channel::ViewerGuard,
    status::Condition,
    stream::{Stream, TooManyRenditions},
    subscription::{Subscription, ViewEvent},
};
use crate::{
    camera::State,
    media::{Picture, RenditionRequest, UnixMicros},
};

/// The other stream may be so far behind, and is waited for, when the stream is changed: its pictures are
/// larger, so each of them may be ready only after the next one of the stream that is shown.
const BEHIND: UnixMicros = 1_000_000;

/// A seat at the stream that is shown, and, while another one would suit better, one there. Given up by
/// dropping it.
///
/// The stream is changed with the first picture of the other one that is newer than all shown before, so
/// that there is neither a gap nor a step back. Sequences begin elsewhere then. Where the other one is a
/// little [behind](BEHIND), the last picture stands until it has caught up.
pub struct View {
    visitor: ViewerGuard,
    rendition_request: RenditionRequest,
    subscription: Subscription,
    awaited: Option<Subscription>,
    /// The picture with which the stream was changed.
    first: Option<Arc<Picture>>,
    /// When the newest picture shown was taken.
    newest: UnixMicros,
    /// Pictures taken until then are not shown while another stream catches up.
    held: UnixMicros,
    /// By the seats given up since.
    skipped: u64,
    changes: Receiver<()>,
}

impl View {
    pub(super) fn new(visitor: ViewerGuard, rendition_request: RenditionRequest, subscription: Subscription) -> Self {
        let changes = visitor.0.changes();
        let (awaited, first) = (None, None);
        let mut view =
            Self { visitor, rendition_request, subscription, awaited, first, newest: 0, held: 0, skipped: 0, changes };
        view.settle();
        view
    }

    /// The stream that is shown; the standing of the viewer is that of this one and no other.
    pub fn stream(&self) -> &Arc<Stream> {
        self.subscription.stream()
    }

    /// Whether a stream that suits the wish better is still waited for, with good hope.
    pub fn is_waiting(&self) -> bool {
        let state = self.awaited.as_ref().map(|subscription| subscription.stream().condition().state);
        matches!(state, Some(State::Live | State::Connecting))
    }

    /// Waits for the next thing to show; news come before pictures. The first answer comes at once.
    /// May be dropped while it waits without losing anything.
    pub async fn next(&mut self) -> ViewEvent {
        enum Event {
            Awaited(ViewEvent),
            ViewEvent(ViewEvent),
            Changed,
        }
        loop {
            if let Some(first) = self.first.take().filter(|_| self.stream().is_live()) {
                self.newest = first.taken;
                return ViewEvent::Picture(first);
            }
            let awaited = async {
                match &mut self.awaited {
                    Some(subscription) => Event::Awaited(subscription.next().await),
                    None => future::pending().await,
                }
            };
            let shown = async { Event::ViewEvent(self.subscription.next().await) };
            let changed = async {
                match self.changes.recv().await {
                    Ok(()) => Event::Changed,
                    // The camera is gone, which the seat tells.
                    Err(_closed) => future::pending().await,
                }
            };
            match awaited.or(changed).or(shown).await {
                Event::Awaited(ViewEvent::Picture(picture)) if picture.taken > self.newest => {
                    if let Some(subscription) = self.awaited.take() {
                        self.move_to(subscription);
                        self.first = Some(picture);
                        return ViewEvent::StateChange(self.condition());
                    }
                }
                Event::Awaited(ViewEvent::Picture(picture)) if self.newest - picture.taken <= BEHIND => {
                    if self.held < self.newest {
                        self.held = self.newest + BEHIND;
                    }
                }
                Event::Awaited(ViewEvent::Closed) => self.awaited = None,
                Event::Awaited(_) => {}
                Event::Changed => self.settle(),
                Event::ViewEvent(ViewEvent::Closed) => {
                    if !self.visitor.0.has_left(self.stream()) {
                        return ViewEvent::Closed;
                    }
                    match self.visitor.0.lane_for(self.rendition_request).subscribe(self.rendition_request) {
                        Ok(subscription) => self.move_to(subscription),
                        Err(TooManyRenditions { .. }) => return ViewEvent::Closed,
                    }
                }
                Event::ViewEvent(ViewEvent::StateChange(_)) => return ViewEvent::StateChange(self.condition()),
                Event::ViewEvent(ViewEvent::Picture(picture))
                    if self.awaited.is_some() && picture.taken <= self.held => {}
                Event::ViewEvent(ViewEvent::Picture(picture)) => {
                    self.newest = picture.taken;
                    return ViewEvent::Picture(picture);
                }
            }
        }
    }

    /// Counts a picture that was taken from the mailbox but replaced by a newer one before it was sent.
    pub fn note_skipped(&self) {
        self.subscription.note_skipped();
    }

    /// Pictures this viewer did not get because it was slow, since it sat down.
    pub fn skipped(&self) -> u64 {
        self.skipped + self.subscription.skipped()
    }

    /// Asks for another size, quality or rate from now on.
    ///
    /// # Errors
    /// [`TooManyRenditions`]; the old wish then stands.
    pub fn change(&mut self, rendition_request: RenditionRequest) -> Result<(), TooManyRenditions> {
        self.subscription.change(rendition_request)?;
        self.rendition_request = rendition_request;
        self.awaited = self.awaited.take().filter(|subscription| subscription.change(rendition_request).is_ok());
        self.settle();
        Ok(())
    }

    fn condition(&self) -> Condition {
        let channel = &self.visitor.0;
        let suits = Arc::ptr_eq(&channel.select_stream(self.rendition_request, Some(self.stream())), self.stream());
        channel.condition(self.stream(), suits)
    }

    fn move_to(&mut self, subscription: Subscription) {
        self.skipped += self.subscription.skipped();
        self.subscription = subscription;
        self.awaited = None;
        self.settle();
    }

    /// Takes a seat at the stream that is now waited for, if any.
    fn settle(&mut self) {
        let awaited = self.visitor.0.awaited(self.rendition_request, self.stream());
        self.awaited = match (awaited, self.awaited.take()) {
            (Some(stream), Some(subscription)) if Arc::ptr_eq(subscription.stream(), &stream) => Some(subscription),
            // Where there is no room for its rendition, it goes on as it is.
            (Some(stream), _) => stream.subscribe(self.rendition_request).ok(),
            (None, _) => None,
        };
    }
}
