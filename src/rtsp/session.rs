//! The state machine of an attempt to read one stream: DESCRIBE, SETUP of one track, PLAY,
//! keepalives, TEARDOWN.
//!
//! It does no input or output, and time is an argument. The caller reports what happens and does
//! the [`Action`]s, in order. One request is outstanding at a time, and one connection serves one
//! run: to change anything, the session asks for a new connection.

mod action;
mod learnt;
mod on_connection;
mod request;
mod response;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use self::on_connection::OnConnection;
pub use self::{
    action::{Action, Note},
    learnt::Learnt,
};
use super::{
    Timeouts,
    error::Error,
    keepalive::Keepalive,
    message::{Message, Method},
    transport::DEFAULT_SESSION_TIMEOUT,
    url,
};
use crate::{
    camera::{Credentials, StreamUri, Transport},
    http_auth::login::Login,
    tls::client::{HTTPS_PORT, KeyCheck},
};

/// Maximum number of connections of one attempt: after a redirect, a refused login, a refused
/// transport.
const MAX_CONNECTIONS: u8 = 8;
/// Maximum number of redirects that are followed.
const MAX_REDIRECTS: u8 = 3;
/// Standard ports of RTSP, and of RTSP over TLS.
const RTSP_PORT: u16 = 554;
const RTSPS_PORT: u16 = 322;
const HTTP_PORT: u16 = 80;

/// Which track of the stream is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    #[default]
    Video,
    /// In a session of its own, so that the picture is not disturbed.
    Audio,
}

/// What to read, and how.
#[derive(Clone, Debug)]
pub struct Config {
    pub uri: StreamUri,
    pub wanted: Wanted,
    /// Sent only to the host of `uri`.
    pub credentials: Option<Credentials>,
    /// Whether the password may be sent in clear text (Basic) if the camera offers nothing else. Over
    /// TLS it may be if the key in `tls` was known before.
    pub allow_clear_password: bool,
    /// The transport that must be used. `None`: TCP, and UDP where the camera refuses TCP. Over TLS it
    /// is TCP or HTTP: datagrams would not be encrypted.
    pub transport: Option<Transport>,
    /// The key that the camera must have if `uri` is `rtsps`.
    pub tls: KeyCheck,
    pub timeouts: Timeouts,
    /// Random bytes for client nonces.
    pub seed: [u8; 8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No connection.
    Connecting,
    /// Waits for the responses to DESCRIBE, SETUP, PLAY.
    Opening,
    Playing,
    Ended,
}

/// The request whose response is awaited.
#[derive(Clone, Copy, Debug)]
struct Pending {
    method: Method,
    cseq: u32,
    deadline: Instant,
    waited: Duration,
    /// It carried a login.
    has_login: bool,
}

/// An attempt to read a stream.
#[derive(Debug)]
pub struct Session {
    config: Config,
    learnt: Learnt,
    login: Login,
    /// For the HTTP requests that make a tunnel.
    tunnel_login: Login,
    actions: VecDeque<Action>,
    state: State,
    /// The URL to DESCRIBE: that of the stream, or to where the camera sent us.
    asked: String,
    transport: Transport,
    /// The other transport has been tried.
    has_switched: bool,
    connections: u8,
    redirects: u8,
    /// A new connection was opened because the camera had lost the session.
    has_restarted: bool,
    on_connection: OnConnection,
    /// The number of the last request of the connection.
    cseq: u32,
    pending: Option<Pending>,
}

impl Session {
    /// The first action is to connect. `learnt` is what earlier attempts taught.
    pub fn new(mut config: Config, learnt: Learnt) -> Self {
        let asked = url::of_stream(&config.uri);
        if is_tls(&asked) {
            config.transport = Some(encrypted(config.transport));
        }
        let transport = config.transport.or(learnt.transport).unwrap_or(Transport::Tcp);
        let allow_clear = config.allow_clear_password || is_tls(&asked) && config.tls.is_known();
        let login = Login::new(config.credentials.clone(), allow_clear, learnt.avoid_sha256, config.seed);
        let tunnel_login = login.clone();
        let mut session = Self {
            asked,
            config,
            learnt,
            login,
            tunnel_login,
            actions: VecDeque::new(),
            state: State::Connecting,
            transport,
            has_switched: false,
            connections: 0,
            redirects: 0,
            has_restarted: false,
            on_connection: OnConnection::default(),
            cseq: 0,
            pending: None,
        };
        session.connect();
        session
    }

    /// The next thing to do.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The name of the login that the camera has accepted; `None`: it required none.
    pub fn login(&self) -> Option<&'static str> {
        self.login.accepted_name()
    }

    /// What the next attempt should know.
    pub fn learnt(&self) -> &Learnt {
        &self.learnt
    }

    /// When to call [`on_deadline`](Self::on_deadline) at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let connection = &self.on_connection;
        let times = [
            self.pending.as_ref().map(|pending| pending.deadline),
            connection.misnumbered.as_ref().map(|(at, _)| *at),
            connection.first_packet_by,
            connection.keepalive.as_ref().map(Keepalive::due),
        ];
        times.into_iter().flatten().min().filter(|_| self.state != State::Ended)
    }

    /// The connection is open. `client_port` is the even one of the pair of UDP ports, 0 for TCP.
    pub fn connected(&mut self, now: Instant, client_port: u16) {
        if self.state != State::Connecting {
            return;
        }
        self.state = State::Opening;
        self.cseq = 0;
        self.on_connection = OnConnection { client_port, ..OnConnection::default() };
        self.request(now, Method::Describe);
    }

    /// No connection can be opened, or the open one cannot be used any further.
    pub fn failed(&mut self, error: Error) {
        self.end(Some(error));
    }

    /// The camera closed or reset the connection; `error` says how.
    pub fn on_closed(&mut self, now: Instant, error: Error) {
        let pending = self.pending.take();
        match self.state {
            State::Connecting | State::Ended => {}
            State::Playing => {
                let connection = &self.on_connection;
                if connection.keepalive.as_ref().is_some_and(|keepalive| keepalive.killed_it(now)) {
                    self.learnt.options_only = true;
                }
                if let Some(since) = connection.playing_since {
                    self.learnt.ended_after(now.saturating_duration_since(since));
                }
                self.finish(Some(error));
            }
            // The camera closes after each refusal. The next connection begins with the login.
            State::Opening if self.on_connection.has_refused_login => {
                self.on_connection.has_session = false;
                self.reconnect();
            }
            State::Opening => {
                let method = pending.map_or(Method::Describe, |pending| pending.method);
                self.learnt.unanswered_closes = self.learnt.unanswered_closes.saturating_add(1);
                self.finish(Some(match self.learnt.unanswered_closes {
                    0..3 => Error::ClosedUnanswered { method },
                    _ => Error::TooManyViewers { status: None, retry_after: self.session_timeout() },
                }));
            }
        }
    }

    /// An RTP packet of the track has come.
    pub fn on_packet(&mut self) {
        let connection = &mut self.on_connection;
        connection.has_packets = true;
        connection.first_packet_by = None;
        if matches!(self.transport, Transport::Tcp | Transport::Udp) {
            self.learnt.transport = Some(self.transport);
        }
    }

    pub fn on_message(&mut self, now: Instant, message: Message) {
        match message {
            _ if matches!(self.state, State::Connecting | State::Ended) => {}
            Message::Response(response) => self.on_response(now, response),
            Message::Request(request) => self.on_request(&request),
        }
    }

    /// Call this when [`deadline`](Self::deadline) has come.
    pub fn on_deadline(&mut self, now: Instant) {
        let is_due = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        if is_due(self.on_connection.misnumbered.as_ref().map(|(at, _)| *at))
            && let (Some((_, response)), Some(pending)) = (self.on_connection.misnumbered.take(), self.pending.take())
        {
            self.answered(now, pending, response);
        }
        if let Some(pending) = self.pending.filter(|pending| pending.deadline <= now) {
            self.end(Some(Error::NoAnswer { method: pending.method, waited: pending.waited }));
        }
        if is_due(self.on_connection.first_packet_by) {
            self.on_connection.first_packet_by = None;
            let waited = self.first_packet_timeout();
            let error = Error::NoPackets { transport: self.transport, waited };
            match self.transport {
                Transport::Udp => self.switch_transport(None, error),
                _ => self.end(Some(error)),
            }
        }
        if self.state == State::Playing
            && let Some(keepalive) = &mut self.on_connection.keepalive
            && keepalive.due() <= now
        {
            let method = keepalive.method();
            self.send_keepalive(now, method);
        }
    }

    /// Ends the session: the actions that follow are TEARDOWN and the end.
    pub fn stop(&mut self) {
        self.end(None);
    }

    /// Asks for a connection, unless there were too many.
    fn connect(&mut self) {
        self.connections += 1;
        self.state = State::Connecting;
        self.pending = None;
        self.on_connection = OnConnection::default();
        let Some((uri, _)) = StreamUri::split(&self.asked) else {
            return self.finish(Some(Error::Redirect { location: "nowhere".to_owned() }));
        };
        let tls = is_tls(&self.asked);
        let given = crate::uri::split_authority(uri.authority()).and_then(|(_, port)| port);
        let port = port(given, tls, self.transport);
        let host = uri.host().to_owned();
        self.actions.push_back(Action::Connect { host, port, tls, transport: self.transport });
    }

    /// The same again over another connection.
    fn reconnect(&mut self) {
        if self.connections >= MAX_CONNECTIONS {
            return self.end(Some(Error::Closed { inside_packet: false }));
        }
        self.tear_down();
        self.login.reconnected();
        self.connect();
    }

    /// Goes on with the other transport, if it may be used and was not tried.
    fn switch_transport(&mut self, status: Option<u16>, error: Error) {
        if self.config.transport.is_some() {
            return self.end(Some(error));
        }
        if self.has_switched {
            // Neither works; the next attempt begins as if nothing had been learnt.
            self.learnt.transport = None;
            let both = status.map(|status| Error::NoTransport { status });
            return self.end(Some(both.unwrap_or(error)));
        }
        self.has_switched = true;
        self.transport = match self.transport {
            Transport::Tcp => Transport::Udp,
            _ => Transport::Tcp,
        };
        // Torn down first, with what belongs to the old connection.
        self.reconnect();
        self.actions.push_front(Action::Note(Note::OtherTransport { transport: self.transport }));
    }

    fn first_packet_timeout(&self) -> Duration {
        match self.transport {
            Transport::Udp => self.config.timeouts.first_packet_udp,
            _ => self.config.timeouts.first_packet,
        }
    }

    fn session_timeout(&self) -> Duration {
        self.on_connection.session_timeout.unwrap_or(DEFAULT_SESSION_TIMEOUT)
    }

    /// TEARDOWN, if the camera may have a session of ours.
    fn tear_down(&mut self) {
        if matches!(self.state, State::Opening | State::Playing) && self.on_connection.has_session {
            let (bytes, cseq, _) = self.write(Method::Teardown);
            self.actions.extend([Action::Send(bytes), Action::Drain { cseq }]);
        }
    }

    /// TEARDOWN, and the end.
    fn end(&mut self, error: Option<Error>) {
        self.tear_down();
        self.finish(error);
    }

    /// The end, without a word to the camera.
    fn finish(&mut self, error: Option<Error>) {
        if self.state != State::Ended {
            self.state = State::Ended;
            self.pending = None;
            self.learnt.avoid_sha256 = self.login.avoid_sha256;
            self.actions.push_back(Action::End(error));
        }
    }
}

/// Whether `url`, made by [`url::of_stream`], is to be read over TLS.
fn is_tls(url: &str) -> bool {
    url.starts_with("rtsps:")
}

/// The transport over TLS, where `wanted` is.
fn encrypted(wanted: Option<Transport>) -> Transport {
    match wanted {
        Some(Transport::Http) => Transport::Http,
        _ => Transport::Tcp,
    }
}

/// The port to connect to, if the address names `given`. A tunnel begins at the camera's web server, not at its
/// server of RTSP.
fn port(given: Option<u16>, tls: bool, transport: Transport) -> u16 {
    let usual = if tls { RTSPS_PORT } else { RTSP_PORT };
    let given = given.unwrap_or(usual);
    match (transport, tls) {
        (Transport::Http, false) if given == usual => HTTP_PORT,
        (Transport::Http, true) if given == usual => HTTPS_PORT,
        _ => given,
    }
}
