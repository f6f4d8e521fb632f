//! A viewer's subscription to the pictures of a camera, from either of its streams.

use std::sync::Arc;

use super::{
    channel::Channel,
    status::Condition,
    stream::{Stream, TooManyRenditions},
    subscription::{Subscription, ViewEvent},
    switching::{Event, Feed, Switch},
    viewer_origin::ViewerOrigin,
};
use crate::{
    camera::State,
    media::{Picture, RenditionRequest, UnixMicros},
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
    switch: Switch<Subscription>,
    /// The picture at which the view switched.
    first: Option<Arc<Picture>>,
    /// The `taken` time of the newest picture shown.
    newest: UnixMicros,
    /// Pictures taken up to this time are not shown while the other stream catches up.
    held: UnixMicros,
    /// Skipped by subscriptions that have ended.
    skipped: u64,
}

impl Feed for Subscription {
    type Refusal = TooManyRenditions;
    type Viewer = ViewerOrigin;

    fn stream(&self) -> &Arc<Stream> {
        self.stream()
    }

    fn condition(stream: &Stream) -> Condition {
        stream.picture_condition()
    }

    fn show(stream: &Arc<Stream>, request: RenditionRequest, origin: ViewerOrigin) -> Result<Self, TooManyRenditions> {
        stream.subscribe(request, origin)
    }

    fn wait_for(stream: &Arc<Stream>, request: RenditionRequest, origin: ViewerOrigin) -> Option<Self> {
        stream.subscribe(request, origin).ok()
    }
}

impl Channel {
    /// Subscribes to pictures; the first [`View::next`] returns at once.
    ///
    /// # Errors
    /// [`TooManyRenditions`] if the request needs one more rendition than the stream, or the viewers
    /// of this origin, may have.
    pub fn subscribe(
        self: &Arc<Self>,
        rendition_request: RenditionRequest,
        origin: ViewerOrigin,
    ) -> Result<View, TooManyRenditions> {
        let switch = Switch::new(self, rendition_request, origin)?;
        Ok(View { switch, first: None, newest: 0, held: 0, skipped: 0 })
    }
}

impl View {
    /// The stream shown. The viewer's condition is that of this stream only.
    pub fn stream(&self) -> &Arc<Stream> {
        self.switch.stream()
    }

    /// The condition of the pictures shown.
    pub fn condition(&self) -> Condition {
        self.switch.shown().condition()
    }

    /// Whether the view waits for a stream that suits the request better and is live or connecting.
    pub fn is_waiting(&self) -> bool {
        let state = self.switch.awaited().map(|subscription| subscription.stream().condition().state);
        matches!(state, Some(State::Live | State::Connecting))
    }

    /// Waits for the next event; state changes come before pictures. The first one comes at once.
    /// Cancel-safe: dropping the future loses nothing.
    pub async fn next(&mut self) -> ViewEvent {
        loop {
            if let Some(first) = self.first.take().filter(|_| self.stream().is_live()) {
                self.newest = first.taken;
                return ViewEvent::Picture(first);
            }
            match self.switch.next(Subscription::next).await {
                Event::Awaited(ViewEvent::Picture(picture)) if picture.taken > self.newest => {
                    let skipped = self.switch.shown().skipped();
                    if self.switch.hand_over() {
                        self.skipped += skipped;
                        self.first = Some(picture);
                        return ViewEvent::StateChange(self.switch.condition());
                    }
                }
                Event::Awaited(ViewEvent::Picture(picture)) if self.newest - picture.taken <= BEHIND => {
                    if self.held < self.newest {
                        self.held = self.newest + BEHIND;
                    }
                }
                Event::Awaited(ViewEvent::Closed) => self.switch.stop_waiting(),
                Event::Awaited(_) => {}
                Event::Changed => self.switch.reselect(),
                Event::Shown(ViewEvent::Closed) => {
                    let skipped = self.switch.shown().skipped();
                    if !self.switch.resubscribe() {
                        return ViewEvent::Closed;
                    }
                    self.skipped += skipped;
                }
                Event::Shown(ViewEvent::StateChange(_)) => return ViewEvent::StateChange(self.switch.condition()),
                Event::Shown(ViewEvent::Picture(picture))
                    if self.switch.awaited().is_some() && picture.taken <= self.held => {}
                Event::Shown(ViewEvent::Picture(picture)) => {
                    self.newest = picture.taken;
                    return ViewEvent::Picture(picture);
                }
            }
        }
    }

    /// Counts a picture that was taken from the mailbox but replaced by a newer one before it was
    /// sent.
    pub fn note_skipped(&self) {
        self.switch.shown().note_skipped();
    }

    /// Pictures that this viewer has missed because it was slow, since it subscribed.
    pub fn skipped(&self) -> u64 {
        self.skipped + self.switch.shown().skipped()
    }

    /// Requests another size, quality or rate from now on.
    ///
    /// # Errors
    /// [`TooManyRenditions`]; the old request then stays in force.
    pub fn change(&mut self, rendition_request: RenditionRequest) -> Result<(), TooManyRenditions> {
        self.switch.shown().change(rendition_request)?;
        self.switch.set_request(rendition_request, |awaited| awaited.change(rendition_request).is_ok());
        Ok(())
    }
}
