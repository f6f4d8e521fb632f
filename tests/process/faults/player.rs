//! A player that assumes nothing: RTSP over one TCP connection, read byte by byte. It shows what a
//! virtual camera's fault looks like on the wire.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// One received item.
#[derive(Debug, PartialEq)]
pub enum Event {
    /// An interleaved packet: its channel and its bytes.
    Packet(u8, Vec<u8>),
    /// A response, or a request of the server: its first line.
    Message(String),
    /// Bytes that are neither.
    Noise(usize),
    Closed,
}

pub struct Player {
    stream: TcpStream,
    buffer: VecDeque<u8>,
    url: String,
    session: String,
    requests: u32,
}

impl Player {
    pub fn connect(url: &str) -> Self {
        let address = url.split('/').nth(2).unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        Self { stream, buffer: VecDeque::new(), url: url.to_owned(), session: String::new(), requests: 0 }
    }

    /// Plays all tracks in the description, and returns the description.
    ///
    /// # Errors
    /// The status line of the first refusal.
    pub fn play(&mut self) -> Result<String, String> {
        let url = self.url.clone();
        let (status, _, sdp) = self.ask("DESCRIBE", &url, "Accept: application/sdp\r\n");
        if !status.contains(" 200 ") {
            return Err(status);
        }
        let tracks = sdp.lines().filter_map(|line| line.strip_prefix("a=control:")).filter(|track| *track != "*");
        for (n, track) in tracks.enumerate() {
            let target = if track.contains("://") { track.to_owned() } else { format!("{url}/{track}") };
            let channels = format!("Transport: RTP/AVP/TCP;unicast;interleaved={}-{}\r\n", 2 * n, 2 * n + 1);
            let (status, head, _) = self.ask("SETUP", &target, &channels);
            if !status.contains(" 200 ") {
                return Err(status);
            }
            let session = head.lines().find_map(|line| line.strip_prefix("Session: ")).unwrap();
            self.session = session.split(';').next().unwrap().to_owned();
        }
        let (status, ..) = self.ask("PLAY", &url, "");
        if status.contains(" 200 ") { Ok(sdp) } else { Err(status) }
    }

    /// Sends a request without waiting for the response.
    pub fn send(&mut self, method: &str, target: &str, more: &str) {
        self.requests += 1;
        let session = if self.session.is_empty() { String::new() } else { format!("Session: {}\r\n", self.session) };
        let request = format!("{method} {target} RTSP/1.0\r\nCSeq: {}\r\n{session}{more}\r\n", self.requests);
        self.stream.write_all(request.as_bytes()).unwrap();
    }

    /// Ends the session and closes the connection at once, without reading what has arrived.
    pub fn tear_down(mut self) {
        let url = self.url.clone();
        self.send("TEARDOWN", &url, "");
    }

    /// Sends the request with which players keep their session alive.
    pub fn keep_alive(&mut self) {
        let url = self.url.clone();
        self.send("OPTIONS", &url, "");
    }

    /// Status line, head and body of the response.
    fn ask(&mut self, method: &str, target: &str, more: &str) -> (String, String, String) {
        self.send(method, target, more);
        let deadline = Instant::now() + crate::support::PATIENCE;
        let end = loop {
            let bytes = self.buffer.make_contiguous();
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            assert!(Instant::now() < deadline && self.fill() != Some(0), "no answer to {method}");
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok()).unwrap_or(0);
        while self.buffer.len() < length {
            assert!(Instant::now() < deadline && self.fill() != Some(0), "half an answer to {method}");
        }
        let body: Vec<u8> = self.buffer.drain(..length).collect();
        (head.lines().next().unwrap().to_owned(), head.clone(), String::from_utf8(body).unwrap())
    }

    /// Reads once; returns the number of bytes, or `None` if nothing came for a moment.
    fn fill(&mut self) -> Option<usize> {
        let mut bytes = [0; 16384];
        match self.stream.read(&mut bytes) {
            Ok(count) => {
                self.buffer.extend(&bytes[..count]);
                Some(count)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(_) => Some(0),
        }
    }

    /// The next item; `None` if no complete item came for a moment.
    pub fn event(&mut self) -> Option<Event> {
        if let Some(event) = self.parse() {
            return Some(event);
        }
        match self.fill() {
            Some(0) => Some(Event::Closed),
            Some(_) => self.parse(),
            None => None,
        }
    }

    fn parse(&mut self) -> Option<Event> {
        let bytes = self.buffer.make_contiguous();
        match bytes {
            [b'$', channel, high, low, rest @ ..] => {
                let length = usize::from(*high) << 8 | usize::from(*low);
                let channel = *channel;
                let packet = rest.get(..length)?.to_vec();
                self.buffer.drain(..4 + length);
                Some(Event::Packet(channel, packet))
            }
            [] | [b'$', ..] => None,
            _ if [&b"RTSP"[..], b"TEAR"].iter().any(|word| word.starts_with(&bytes[..bytes.len().min(4)])) => {
                let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                Some(Event::Message(String::from_utf8_lossy(&head).lines().next().unwrap_or("").to_owned()))
            }
            _ => {
                let noise = bytes.iter().position(|byte| *byte == b'$').unwrap_or(bytes.len());
                self.buffer.drain(..noise);
                Some(Event::Noise(noise))
            }
        }
    }

    /// All items that come within `time`.
    pub fn listen(&mut self, time: Duration) -> Vec<Event> {
        let end = Instant::now() + time;
        let mut events = Vec::new();
        while Instant::now() < end {
            let Some(event) = self.event() else { continue };
            let over = event == Event::Closed;
            events.push(event);
            if over {
                break;
            }
        }
        events
    }

    /// The number of bytes received of an incomplete packet.
    pub fn unfinished(&self) -> usize {
        self.buffer.len()
    }
}
