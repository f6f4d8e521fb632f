//! A session whose reader is the agent's own client.

use std::time::{Duration, Instant};

use smol::future::FutureExt;

use super::{
    Target, Watch,
    client::{Client, News},
    foreign_host,
    key_frame_source::{Event as KeyFrameEvent, KeyFrameSource},
    publisher::Progress,
};
use crate::{
    agent::supervisor::{
        AttemptOutcome, ResolvedStream, StreamFailure, SupervisorTask,
        context::OpeningTurn,
        rtsp_failure::rtsp_failure,
        synchronization::{Answer, Synchronization},
    },
    camera::{Reader, Source},
    http_auth::login::{LoginError, random_seed},
    rtsp::{
        self, Error, Retry, Timeouts,
        client::Outcome,
        sdp::NoVideo,
        session::{Config, Wanted},
    },
    sync::{Notified, Notifier},
    text::Code,
};

/// What SETUP, PLAY and the first frame may need of the time to open a stream, if there is so much.
const AFTER_DESCRIBE: Duration = Duration::from_secs(5);

/// Limit for the end of a client beside that of TEARDOWN and of its last write.
const SLACK: Duration = Duration::from_millis(100);

impl SupervisorTask {
    /// Reads the stream until it ends. Gives `turn` back once frames arrive.
    pub(super) async fn run_client(&mut self, target: Target<'_>, turn: &mut Option<OpeningTurn>) -> AttemptOutcome {
        let started = Instant::now();
        let (key_frame_wanted, wanted) = Notifier::pair();
        let mut client = self.start_rtsp_client(target, wanted, started);
        let mut key_frames = self.key_frame_source(target, key_frame_wanted);
        let (outcome, ended) = self.watch_client(&mut client, &mut key_frames, target, turn, started).await;
        self.key_frame_requests = key_frames.requests;
        self.shared.set_read(self.role, None);
        client.end();
        self.report_end(&outcome, target, turn.as_ref());
        let ended = match ended {
            Some(ended) => Some(ended),
            None => {
                let limits = Timeouts::default();
                client.finish(limits.write + limits.teardown + SLACK).await
            }
        };
        if let Some(ended) = ended {
            self.lessons.keep(target.stream, ended.learnt);
        }
        self.stream.end_client();
        outcome
    }

    fn start_rtsp_client(
        &self,
        Target { stream, found }: Target,
        key_frame_wanted: Notified,
        started: Instant,
    ) -> Client<Outcome> {
        let config = Config {
            uri: stream.clone(),
            wanted: Wanted::Video,
            credentials: found.login_for(stream).cloned(),
            allow_clear_password: self.stream_source.clear_password,
            transport: self.stream_source.transport.or(stream.transport()),
            tls: found.stream_key.clone(),
            timeouts: timeouts(self.stream_source.open_within),
            seed: random_seed(),
        };
        let (label, learnt) = (self.label.clone(), self.lessons.of(stream, found.transport));
        self.start_client(started, |mut publisher, ending| async move {
            let stopped = async { ending.wait().await };
            let on_event = |event| publisher.on_event(event);
            rtsp::stream::read(&label, config, learnt, on_event, &key_frame_wanted, stopped).await
        })
    }

    /// How the camera can be asked for key frames in this session; `rtcp` makes the client ask.
    fn key_frame_source(&mut self, Target { found, .. }: Target, rtcp: Notifier) -> KeyFrameSource {
        let by_onvif =
            matches!(self.stream_source.source, Source::Onvif { .. }) && !self.lessons.denies_synchronization;
        let onvif = by_onvif.then(|| Synchronization::start(self.locator(), found.record.clone()));
        let requests = std::mem::take(&mut self.key_frame_requests);
        KeyFrameSource::new(requests, self.stream.key_frames_wanted(), rtcp, onvif)
    }

    fn on_key_frame_event(&mut self, event: KeyFrameEvent, key_frames: &mut KeyFrameSource, may_log_in: bool) {
        let now = Instant::now();
        match event {
            KeyFrameEvent::ViewerJoined => key_frames.requests.viewer_joined(now),
            KeyFrameEvent::Due => {
                if let Some(asked) = key_frames.ask(may_log_in, now) {
                    self.stream.count_key_frame_request();
                    log::debug!("{}: the camera is asked for a key frame by {}", self.label, asked.as_str());
                }
            }
            KeyFrameEvent::Answer(answer) => {
                self.lessons.denies_synchronization |= answer == Answer::Denied;
                key_frames.take_answer(answer);
            }
        }
    }

    /// Returns how the session ended, and what the client said if it has ended.
    async fn watch_client(
        &mut self,
        client: &mut Client<Outcome>,
        key_frames: &mut KeyFrameSource,
        target: Target<'_>,
        turn: &mut Option<OpeningTurn>,
        started: Instant,
    ) -> (AttemptOutcome, Option<Outcome>) {
        enum Event {
            Client(News<Outcome>),
            KeyFrames(KeyFrameEvent),
        }
        let mut watch = Watch::new(self, target, started, self.stream_source.open_within);
        let (mut was_live, mut transport) = (false, None);
        loop {
            let reported = async { Event::Client(client.next().await) };
            let key_frame_event = async { Event::KeyFrames(key_frames.next().await) };
            let News { progress, ended } = match watch.next(self, reported.or(key_frame_event)).await {
                Err(outcome) => return (outcome, None),
                Ok(Event::Client(news)) => news,
                Ok(Event::KeyFrames(event)) => {
                    self.on_key_frame_event(event, key_frames, !watch.is_unconfirmed());
                    continue;
                }
            };
            for news in progress {
                match news {
                    Progress::SetUp { transport: by, key_frame_request } => {
                        transport = Some(by);
                        key_frames.set_offer(key_frame_request);
                        key_frames.requests.set_up(Instant::now());
                        continue;
                    }
                    Progress::Waits { since, is_first } => key_frames.requests.waits(is_first, since),
                    Progress::KeyFrame => key_frames.requests.on_key_frame(),
                    Progress::Frames => key_frames.requests.on_first_frame(),
                    Progress::Live => {
                        was_live = true;
                        self.went_live(target, transport, watch.is_unconfirmed(), Instant::now());
                        let found = target.found.clone();
                        let found = ResolvedStream { transport: transport.or(found.transport), ..found };
                        self.shared.set_read(self.role, Some((target.stream.clone(), found)));
                    }
                }
                *turn = None;
            }
            if let Some(ended) = ended {
                let outcome = match &ended.error {
                    Some(error) => self.client_failure(error, target, was_live).into(),
                    None => AttemptOutcome::Stopped,
                };
                return (outcome, Some(ended));
            }
        }
    }

    /// `was_live`: the stream was live in this session.
    fn client_failure(&mut self, error: &Error, target: Target, was_live: bool) -> StreamFailure {
        if *error == Error::Login(LoginError::Required) && target.is_foreign() {
            return foreign_host(target.stream);
        }
        let mut failure = rtsp_failure(error, target.stream.authority(), was_live);
        match error.retry() {
            Retry::AtOnce => failure.at_once = true,
            Retry::After(pause) => failure.at_least = pause,
            Retry::Later | Retry::Denied => {}
        }
        // OpenCV would take any key.
        let may_fall_back = self.stream_source.reader == Reader::Auto && !target.stream.is_tls();
        if may_fall_back && !was_live && is_beyond_client(error, self.last_live.is_some()) {
            self.falls_back = true;
            failure.reason = std::mem::take(&mut failure.reason).and(Code::OpencvReader);
        }
        failure
    }
}

/// The limits of a client's steps in a session that must have its first frame `within` this time.
pub(in crate::agent::supervisor) fn timeouts(within: Duration) -> Timeouts {
    let usual = Timeouts::default();
    let capped = |limit: Duration| limit.min(within);
    Timeouts {
        connect: capped(usual.connect),
        tls: capped(usual.tls),
        response: capped(usual.response.max(within.saturating_sub(AFTER_DESCRIBE))),
        setup: capped(usual.setup),
        first_packet: capped(usual.first_packet),
        first_packet_udp: capped(usual.first_packet_udp),
        ..usual
    }
}

/// Whether the camera speaks in a way that the client cannot follow, and that another reader may.
/// `had_video`: the client has followed it before.
fn is_beyond_client(error: &Error, had_video: bool) -> bool {
    match error {
        Error::NoVideo(NoVideo::UnknownFormats(_)) => true,
        Error::NoVideo(NoVideo::NotSdp) | Error::OutOfStep { .. } | Error::TooLong => !had_video,
        // Nobody is there, or nobody answers.
        Error::Connect(_)
        | Error::UdpPorts
        | Error::GroupPort { .. }
        | Error::NoAnswer { .. }
        | Error::ClosedUnanswered { .. }
        | Error::Closed { .. }
        | Error::Reset
        | Error::Tls { .. }
        | Error::WriteTimeout { .. }
        | Error::NoPackets { .. } => false,
        // The login: another attempt could lock the account.
        Error::Login(_) => false,
        // The camera was understood.
        Error::NotFound { .. }
        | Error::TooManyViewers { .. }
        | Error::NoTransport { .. }
        | Error::TransportRefused { .. }
        | Error::SessionLost { .. }
        | Error::Refused { .. }
        | Error::Redirect { .. }
        | Error::TooManyRedirects
        | Error::NoVideo(NoVideo::NoVideo | NoVideo::Encrypted)
        | Error::NoAudio(_)
        | Error::Silent { .. }
        | Error::EndedByCamera
        | Error::NewSessionWanted
        | Error::Bye
        | Error::AnotherCodec => false,
    }
}
