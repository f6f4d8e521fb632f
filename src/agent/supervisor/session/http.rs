//! A session that reads JPEG over HTTP.

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
    Target, Watch, client_seed, foreign_host,
    publisher::{Progress, Publisher},
};
use crate::{
    agent::supervisor::{
        AttemptOutcome, StreamFailure, SupervisorTask, context::OpeningTurn, http_failure::http_failure,
    },
    http_jpeg::{self, Config, Error, Timeouts},
    sync::Latch,
};

/// A client at work: it is polled together with what can end the session.
type Client = Pin<Box<dyn Future<Output = Error> + Send>>;

impl SupervisorTask {
    /// Reads the pictures until they end. Gives `turn` back once pictures arrive.
    pub(super) async fn run_http(&mut self, target: Target<'_>, turn: &mut Option<OpeningTurn>) -> AttemptOutcome {
        let started = Instant::now();
        let first_sequence = self.stream.begin_client(started);
        let (ending, (progress_sender, progress)) = (Latch::default(), unbounded());
        let (label, stream) = (self.label.clone(), Arc::clone(&self.stream));
        let publisher = Publisher::new(label, stream, first_sequence, progress_sender, ending.clone());
        let client = self.start_http_client(target, publisher);
        let outcome = self.watch_http_client(client, &progress, target, turn, started).await;
        // From here on nothing is shown, so that no late picture makes the stream live again.
        ending.set();
        self.report_end(&outcome, target, turn.as_ref());
        self.stream.end_client();
        outcome
    }

    fn start_http_client(&self, Target { stream, found }: Target, mut publisher: Publisher) -> Client {
        let config = Config {
            uri: stream.clone(),
            credentials: found.login_for(stream).cloned(),
            allow_clear_password: self.stream_source.clear_password,
            tls: found.stream_key.clone(),
            timeouts: timeouts(self.stream_source.open_within),
            seed: client_seed(),
        };
        let label = self.label.clone();
        Box::pin(async move { http_jpeg::stream::read(&label, config, |event| publisher.on_jpeg(event)).await })
    }

    async fn watch_http_client(
        &mut self,
        mut client: Client,
        progress: &Receiver<Progress>,
        target: Target<'_>,
        turn: &mut Option<OpeningTurn>,
        started: Instant,
    ) -> AttemptOutcome {
        enum Event {
            Progress(Progress),
            Ended(Error),
        }
        let mut watch = Watch::new(self, target, started, self.stream_source.open_within);
        let mut was_live = false;
        loop {
            let progressed = async {
                match progress.recv().await {
                    Ok(progress) => Event::Progress(progress),
                    // The client has ended, which it says itself.
                    Err(_) => std::future::pending().await,
                }
            };
            let ended = async { Event::Ended((&mut client).await) };
            // The client is polled on each turn, because it is what brings the progress.
            let (news, ended) = match watch.next(self, progressed.or(ended)).await {
                Err(outcome) => return outcome,
                Ok(Event::Progress(news)) => (Some(news), None),
                Ok(Event::Ended(error)) => (None, Some(error)),
            };
            // The last pictures may have come together with the end.
            for news in news.into_iter().chain(std::iter::from_fn(|| progress.try_recv().ok())) {
                if news == Progress::Live {
                    was_live = true;
                    self.went_live(target, None, watch.is_unconfirmed(), Instant::now());
                }
                *turn = None;
            }
            if let Some(error) = ended {
                return self.http_client_failure(&error, target, was_live).into();
            }
        }
    }

    fn http_client_failure(&self, error: &Error, target: Target, was_live: bool) -> StreamFailure {
        if *error == Error::LoginRequired && target.is_foreign() {
            return foreign_host(target.stream);
        }
        http_failure(error, target.stream.authority(), was_live)
    }
}

/// The limits of a client's steps in a session that must have its first picture `within` this time.
fn timeouts(within: Duration) -> Timeouts {
    let usual = Timeouts::default();
    let capped = |limit: Duration| limit.min(within);
    Timeouts { connect: capped(usual.connect), tls: capped(usual.tls), response: capped(usual.response) }
}
