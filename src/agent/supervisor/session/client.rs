//! A client of the agent at work: what it reports, and its end.

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use smol::{
    channel::{Receiver, unbounded},
    future::FutureExt,
};

use super::{
    SupervisorTask,
    publisher::{Progress, Publisher},
};
use crate::{sync::Latch, time::timeout};

/// A client that reads a stream, with what publishes it.
pub(super) struct Client<T> {
    work: Pin<Box<dyn Future<Output = T> + Send>>,
    progress: Receiver<Progress>,
    ending: Latch,
}

/// What a client has reported since the last time.
pub(super) struct News<T> {
    pub(super) progress: Vec<Progress>,
    /// What it said at its end.
    pub(super) ended: Option<T>,
}

impl<T> Client<T> {
    /// The next report. The client works only while this is awaited. Cancel-safe.
    pub(super) async fn next(&mut self) -> News<T> {
        enum Event<T> {
            Progress(Progress),
            Ended(T),
        }
        let Self { work, progress, .. } = self;
        let progressed = async {
            match progress.recv().await {
                Ok(progress) => Event::Progress(progress),
                // The client has ended, which it says itself.
                Err(_) => std::future::pending().await,
            }
        };
        let ended = async { Event::Ended(work.as_mut().await) };
        let (first, ended) = match progressed.or(ended).await {
            Event::Progress(first) => (Some(first), None),
            Event::Ended(ended) => (None, Some(ended)),
        };
        // The last frames may have come together with the end.
        let further = std::iter::from_fn(|| progress.try_recv().ok());
        News { progress: first.into_iter().chain(further).collect(), ended }
    }

    /// From here on nothing is shown, so that no late picture makes the stream live again. A client that
    /// was told of this latch ends.
    pub(super) fn end(&self) {
        self.ending.set();
    }

    /// What it says at its end, if it ends within `limit`.
    pub(super) async fn finish(self, limit: Duration) -> Option<T> {
        timeout(limit, self.work).await
    }
}

impl SupervisorTask {
    /// Starts the client that `read` makes. It hands what it reads to the publisher, and may end once the latch
    /// is set.
    pub(super) fn start_client<T, F>(&self, started: Instant, read: impl FnOnce(Publisher, Latch) -> F) -> Client<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let first_sequence = self.stream.begin_client(started);
        let (ending, (progress_sender, progress)) = (Latch::default(), unbounded());
        let (label, stream) = (self.label.clone(), Arc::clone(&self.stream));
        let publisher = Publisher::new(label, stream, first_sequence, progress_sender, ending.clone());
        Client { work: Box::pin(read(publisher, ending.clone())), progress, ending }
    }
}
