//! A session that reads JPEG over HTTP.

use std::time::{Duration, Instant};

use smol::{Timer, future::FutureExt};

use super::{
    Target, Watch,
    client::{Client, News},
    foreign_host,
    publisher::Progress,
};
use crate::{
    agent::supervisor::{
        AttemptOutcome, StreamFailure, SupervisorTask, away, context::OpeningTurn, http_failure::http_failure,
        last_resort,
    },
    http_auth::login::{LoginError, random_seed},
    http_jpeg::{self, Config, Error, Timeouts},
    hub::Cause,
    text::Code,
};

impl SupervisorTask {
    /// Reads the pictures until they end. Gives `turn` back once pictures arrive.
    pub(super) async fn run_http(&mut self, target: Target<'_>, turn: &mut Option<OpeningTurn>) -> AttemptOutcome {
        let started = Instant::now();
        let mut client = self.start_http_client(target, started);
        if let (Some(failure), Some(every)) = (&target.found.instead_of_stream, target.found.snapshots) {
            self.stream.set_live_reason(last_resort::reason(every, failure));
        }
        let outcome = self.watch_http_client(&mut client, target, turn, started).await;
        client.end();
        self.report_end(&outcome, target, turn.as_ref());
        self.stream.end_client();
        outcome
    }

    fn start_http_client(&self, Target { stream, found }: Target, started: Instant) -> Client<Error> {
        let config = Config {
            uri: stream.clone(),
            credentials: found.login_for(stream).cloned(),
            allow_clear_password: self.stream_source.clear_password,
            tls: found.stream_key.clone(),
            timeouts: timeouts(self.stream_source.open_within),
            seed: random_seed(),
        };
        let (label, snapshots) = (self.label.clone(), found.snapshots);
        self.start_client(started, |mut publisher, _| async move {
            let on_event = |event| publisher.on_jpeg(event);
            match snapshots {
                Some(every) => http_jpeg::snapshots::read(&label, config, every, on_event).await,
                None => http_jpeg::stream::read(&label, config, on_event).await,
            }
        })
    }

    async fn watch_http_client(
        &mut self,
        client: &mut Client<Error>,
        target: Target<'_>,
        turn: &mut Option<OpeningTurn>,
        started: Instant,
    ) -> AttemptOutcome {
        let mut watch = Watch::new(self, target, started, self.stream_source.open_within);
        let mut was_live = false;
        let stand_in = last_resort::stand_in_time(self.snapshot_rounds);
        let mut until = target.found.instead_of_stream.as_ref().map_or_else(Timer::never, |_| Timer::after(stand_in));
        loop {
            let reported = async { Some(client.next().await) };
            let over = async {
                (&mut until).await;
                None
            };
            let News { progress, ended } = match watch.next(self, over.or(reported)).await {
                Err(outcome) => return outcome,
                Ok(Some(news)) => news,
                Ok(None) => {
                    let again = away(Cause::Changed, Code::StreamTriedAgain);
                    return StreamFailure { at_once: true, ..again }.into();
                }
            };
            for news in progress {
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
        if *error == Error::Login(LoginError::Required) && target.is_foreign() {
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
