//! A viewer's subscription to the pictures of a camera, from either of its streams.

use std::sync::Arc;

use smol::future::{self, FutureExt};

use super::{
    channel::ViewerGuard,
    status::Condition,
    stream::{Stream, TooManyRenditions},
    subscription::{Subscription, ViewEvent},
};
use crate::{
    camera::State,
    media::{Picture, RenditionRequest, UnixMicros},
    sync::Notified,
};

/// How far the other stream may be behind, in microseconds, and still be waited for when the view
/// switches. Its pictures are larger, so each may be ready only after the next one of the shown
/// stream.
const BEHIND: UnixMicros = 1_000_000;

/// A subscription to the stream shown and, while the other stream would suit better, one to that.
/// Dropping the view ends both.
///
/// The view switches at the first picture of the other stream that is newer than all it has shown,
/// so there is neither a gap nor a step back. Sequence numbers then start elsewhere. If the other
/// stream is a little [behind](BEHIND), the last picture stays until that stream has caught up.
pub struct View {
    visitor: ViewerGuard,
    rendition_request: RenditionRequest,
    subscription: Subscription,
    awaited: Option<Subscription>,
    /// The picture at which the view switched.
    first: Option<Arc<Picture>>,
    /// The `taken` time of the newest picture shown.
    newest: UnixMicros,
    /// Pictures taken up to this time are not shown while the other stream catches up.
    held: UnixMicros,
    /// Skipped by subscriptions that have ended.
    skipped: u64,
    changes: Notified,
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

    /// The stream shown. The viewer's condition is that of this stream only.
    pub fn stream(&self) -> &Arc<Stream> {
        self.subscription.stream()
    }

    /// Whether the view waits for a stream that suits the request better and is live or connecting.
    pub fn is_waiting(&self) -> bool {
        let state = self.awaited.as_ref().map(|subscription| subscription.stream().condition().state);
        matches!(state, Some(State::Live | State::Connecting))
    }

    /// Waits for the next event; state changes come before pictures. The first one comes at once.
    /// Cancel-safe: dropping the future loses nothing.
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
                if !self.changes.changed().await {
                    // The camera was removed, which the subscription reports.
                    future::pending::<()>().await;
                }
                Event::Changed
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

    /// Counts a picture that was taken from the mailbox but replaced by a newer one before it was
    /// sent.
    pub fn note_skipped(&self) {
        self.subscription.note_skipped();
    }

    /// Pictures that this viewer has missed because it was slow, since it subscribed.
    pub fn skipped(&self) -> u64 {
        self.skipped + self.subscription.skipped()
    }

    /// Requests another size, quality or rate from now on.
    ///
    /// # Errors
    /// [`TooManyRenditions`]; the old request then stays in force.
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

    /// Subscribes to the stream to wait for now, if any.
    fn settle(&mut self) {
        let awaited = self.visitor.0.awaited(self.rendition_request, self.stream());
        self.awaited = match (awaited, self.awaited.take()) {
            (Some(stream), Some(subscription)) if Arc::ptr_eq(subscription.stream(), &stream) => Some(subscription),
            // If its rendition would be one too many, the view stays as it is.
            (Some(stream), _) => stream.subscribe(self.rendition_request).ok(),
            (None, _) => None,
        };
    }
}
