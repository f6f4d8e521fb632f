//! A camera whose responses a test writes, in front of a [`Session`] without sockets.

use std::time::{Duration, Instant};

use crate::{
    camera::{Credentials, Secret, StreamUri, Transport},
    rtsp::{
        Error, Timeouts,
        message::{self, Message},
        sdp::Track,
        session::{Action, Config, Learnt, Note, Session, Wanted},
        transport::Delivery,
    },
    tls::client::KeyCheck,
};

/// A description with one H.264 track.
pub const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=x\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n\
    a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0IAKeKQFAe2AtwEBAaQeJEV,aM48gA==\r\n\
    a=control:trackID=1\r\n";

pub const URI: &str = "rtsp://10.0.0.1/stream?channel=1";

pub struct Fake {
    pub session: Session,
    pub now: Instant,
    /// The last request.
    pub request: String,
    pub notes: Vec<Note>,
    pub delivery: Option<Delivery>,
    pub track: Option<Track>,
    pub connects: Vec<(String, u16, Transport)>,
    /// Whether the last of them is over TLS.
    pub over_tls: bool,
    pub is_playing: bool,
    /// The requests of the present connection.
    pub requests: Vec<String>,
    /// All requests that were followed by a drain.
    pub drained: usize,
    pub end: Option<Option<Error>>,
}

pub fn config(uri: &str) -> Config {
    Config {
        uri: StreamUri::split(uri).unwrap().0,
        wanted: Wanted::Video,
        credentials: Some(Credentials { username: "admin".into(), password: Secret::new("secret") }),
        allow_clear_password: false,
        transport: None,
        tls: KeyCheck::default(),
        timeouts: Timeouts::default(),
        seed: [7; 8],
    }
}

impl Fake {
    pub fn new() -> Self {
        Self::with(config(URI), Learnt::default())
    }

    pub fn with(config: Config, learnt: Learnt) -> Self {
        let mut fake = Self {
            session: Session::new(config, learnt),
            now: Instant::now(),
            request: String::new(),
            notes: Vec::new(),
            delivery: None,
            track: None,
            connects: Vec::new(),
            over_tls: false,
            is_playing: false,
            requests: Vec::new(),
            drained: 0,
            end: None,
        };
        fake.run();
        fake
    }

    /// A session that plays, over TCP.
    pub fn playing() -> Self {
        let mut fake = Self::new();
        fake.play();
        fake
    }

    /// Answers DESCRIBE, SETUP and PLAY.
    pub fn play(&mut self) {
        self.describe(SDP);
        self.ok("Session: 12345678;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n");
        self.ok("Session: 12345678\r\nRTP-Info: url=trackID=1;seq=1;rtptime=2\r\n");
        assert!(self.is_playing, "{:?}", self.end);
    }

    pub fn describe(&mut self, sdp: &str) {
        self.answer(&format!(
            "RTSP/1.0 200 OK\r\nCSeq: $\r\nContent-Base: rtsp://10.0.0.1/stream/\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        ));
    }

    /// A good response with `headers`.
    pub fn ok(&mut self, headers: &str) {
        self.answer(&format!("RTSP/1.0 200 OK\r\nCSeq: $\r\n{headers}\r\n"));
    }

    /// A response with this status and `headers`.
    pub fn status(&mut self, status: u16, headers: &str) {
        self.answer(&format!("RTSP/1.0 {status} Some Words\r\nCSeq: $\r\n{headers}\r\n"));
    }

    /// A message of the camera; `$` is the number of the last request.
    pub fn answer(&mut self, text: &str) {
        let text = text.replacen('$', &self.cseq().to_string(), 1);
        let (message, len) = message::read(text.as_bytes()).unwrap().expect("the message is complete");
        assert_eq!(len, text.len());
        self.message(message);
    }

    pub fn message(&mut self, message: Message) {
        self.session.on_message(self.now, message);
        self.run();
    }

    pub fn close(&mut self) {
        self.session.on_closed(self.now, Error::Closed { inside_packet: false });
        self.run();
    }

    /// Lets time pass up to the deadline, which must be within `limit`.
    pub fn pass(&mut self, limit: Duration) {
        let deadline = self.session.deadline().expect("there is a deadline");
        assert!(deadline <= self.now + limit, "the deadline is too late by {:?}", deadline - (self.now + limit));
        self.now = deadline;
        self.session.on_deadline(self.now);
        self.run();
    }

    pub fn cseq(&self) -> u32 {
        self.header("CSeq").expect("a request has a number").parse().unwrap()
    }

    /// The value of this header of the last request, whose name is compared by case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.request, name)
    }

    /// `METHOD url` of the last request.
    pub fn line(&self) -> &str {
        self.request.lines().next().unwrap_or("").strip_suffix(" RTSP/1.0").expect("a request line")
    }

    pub fn method(&self) -> &str {
        self.line().split(' ').next().unwrap()
    }

    pub fn error(&self) -> &Error {
        self.end.as_ref().expect("it has not ended").as_ref().expect("it has ended without an error")
    }

    pub fn run(&mut self) {
        while let Some(action) = self.session.next_action() {
            match action {
                Action::Connect { host, port, tls, transport } => {
                    self.over_tls = tls;
                    self.connects.push((host, port, transport));
                    self.requests.clear();
                    let client_port = if transport == Transport::Udp { 50_000 } else { 0 };
                    self.session.connected(self.now, client_port);
                }
                Action::Send(bytes) => {
                    let text = String::from_utf8(bytes).unwrap();
                    assert!(text.ends_with("\r\n\r\n") && text.matches("\r\n\r\n").count() == 1, "{text:?}");
                    if !text.starts_with("RTSP/") {
                        self.request = text.clone();
                    }
                    self.requests.push(text);
                }
                Action::Receive { track, delivery } => {
                    (self.track, self.delivery) = (Some(*track), Some(delivery));
                }
                Action::Playing => self.is_playing = true,
                Action::Drain { cseq } => {
                    assert_eq!(cseq, self.cseq());
                    self.drained += 1;
                }
                Action::Note(note) => self.notes.push(note),
                Action::End(error) => self.end = Some(error),
            }
        }
    }
}

pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// A message of a camera, or `None` if it is not complete.
pub fn read(text: &str) -> Option<Message> {
    message::read(text.as_bytes()).unwrap().map(|(message, _)| message)
}
