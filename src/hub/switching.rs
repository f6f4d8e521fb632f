//! The hand-over of a viewer from one stream of its camera to the other, for pictures and units
//! alike.

use std::sync::Arc;

use smol::future::{self, FutureExt};

use super::{channel::Channel, select::ViewerGuard, status::Condition, stream::Stream};
use crate::{media::RenditionRequest, sync::Notified};

/// A subscription to either stream of a camera.
pub(super) trait Feed: Sized {
    /// Why a stream may admit no more of these subscriptions.
    type Refusal;

    /// What a stream must know of the viewer.
    type Viewer: Copy;

    fn stream(&self) -> &Arc<Stream>;

    /// The condition of `stream` for these subscriptions.
    fn condition(stream: &Stream) -> Condition;

    /// Subscribes to a stream that is shown from now on.
    fn show(stream: &Arc<Stream>, request: RenditionRequest, viewer: Self::Viewer) -> Result<Self, Self::Refusal>;

    /// Subscribes to a stream that is shown once it has something; `None` if it admits no more.
    fn wait_for(stream: &Arc<Stream>, request: RenditionRequest, viewer: Self::Viewer) -> Option<Self>;
}

/// What a viewer's subscriptions give next.
pub(super) enum Event<T> {
    /// Of the stream shown.
    Shown(T),
    /// Of the stream to which the viewer is to switch.
    Awaited(T),
    /// Another stream may suit the viewer now.
    Changed,
}

/// A subscription to the stream shown and, while the other stream would suit better, one to that.
/// Dropping it ends both.
pub(super) struct Switch<F: Feed> {
    guard: ViewerGuard,
    request: RenditionRequest,
    viewer: F::Viewer,
    shown: F,
    awaited: Option<F>,
    changes: Notified,
}

impl<F: Feed> Switch<F> {
    /// # Errors
    /// That of [`Feed::show`].
    pub fn new(channel: &Arc<Channel>, request: RenditionRequest, viewer: F::Viewer) -> Result<Self, F::Refusal> {
        let shown = F::show(&channel.stream_for(request), request, viewer)?;
        let (guard, changes) = (ViewerGuard::new(channel), channel.changes());
        let mut switch = Self { guard, request, viewer, shown, awaited: None, changes };
        switch.reselect();
        Ok(switch)
    }

    pub fn shown(&self) -> &F {
        &self.shown
    }

    pub fn shown_mut(&mut self) -> &mut F {
        &mut self.shown
    }

    pub fn awaited(&self) -> Option<&F> {
        self.awaited.as_ref()
    }

    pub fn awaited_mut(&mut self) -> Option<&mut F> {
        self.awaited.as_mut()
    }

    /// The stream shown.
    pub fn stream(&self) -> &Arc<Stream> {
        self.shown.stream()
    }

    /// The condition of the stream shown, with the reason if it stands in for another.
    pub fn condition(&self) -> Condition {
        let channel = self.guard.channel();
        let suits = Arc::ptr_eq(&channel.select_stream(self.request, Some(self.stream())), self.stream());
        channel.condition(self.stream(), F::condition(self.stream()), suits)
    }

    /// Waits until `wait` completes for a subscription, or until another stream may suit. Of several
    /// events the one of the awaited stream comes first, and the one of the stream shown last.
    /// Cancel-safe if `wait` is.
    pub async fn next<T>(&mut self, wait: impl AsyncFn(&mut F) -> T) -> Event<T> {
        let Self { shown, awaited, changes, .. } = self;
        let awaited = async {
            match awaited {
                Some(feed) => Event::Awaited(wait(feed).await),
                None => future::pending().await,
            }
        };
        let changed = async {
            if !changes.changed().await {
                // The camera was removed, which the subscription reports.
                future::pending::<()>().await;
            }
            Event::Changed
        };
        let shown = async { Event::Shown(wait(shown).await) };
        awaited.or(changed).or(shown).await
    }

    /// Sets another request; `keep` says of the awaited subscription whether it can be kept for it.
    pub fn set_request(&mut self, request: RenditionRequest, keep: impl FnOnce(&F) -> bool) {
        self.request = request;
        self.awaited = self.awaited.take().filter(keep);
        self.reselect();
    }

    /// Shows the stream awaited; returns whether there was one.
    pub fn hand_over(&mut self) -> bool {
        let Some(feed) = self.awaited.take() else { return false };
        self.show(feed);
        true
    }

    /// Subscribes again after the subscription shown was closed. Returns `false` if the camera was
    /// removed, or admits no more.
    pub fn resubscribe(&mut self) -> bool {
        let channel = self.guard.channel();
        if !channel.has_left(self.stream()) {
            return false;
        }
        let stream = channel.stream_for(self.request);
        let Ok(feed) = F::show(&stream, self.request, self.viewer) else { return false };
        self.show(feed);
        true
    }

    /// Waits for no stream until the next change.
    pub fn stop_waiting(&mut self) {
        self.awaited = None;
    }

    /// Subscribes to the stream to wait for now, if any.
    pub fn reselect(&mut self) {
        let awaited = self.guard.channel().awaited(self.request, self.stream());
        self.awaited = match (awaited, self.awaited.take()) {
            (Some(stream), Some(feed)) if Arc::ptr_eq(feed.stream(), &stream) => Some(feed),
            // If the stream admits no more, the viewer stays where it is.
            (Some(stream), _) => F::wait_for(&stream, self.request, self.viewer),
            (None, _) => None,
        };
    }

    fn show(&mut self, feed: F) {
        self.shown = feed;
        self.awaited = None;
        self.reselect();
    }
}
