//! The viewers: each has a thread of its own and reads as fast as it is sent to, in any format.
//!
//! Nothing is decoded during a measurement. Some pictures are kept, with their time of arrival, and
//! decoded afterwards.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::ChildStdout,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use async_tungstenite::tungstenite::{
    ClientRequestBuilder, Message, WebSocket, client, http::Uri, protocol::WebSocketConfig,
};
use serde_json::{Value, json};

use crate::{
    Result,
    connection::{Connection, Secured},
};

/// A source that is silent for this long has failed.
pub const SILENCE: Duration = Duration::from_secs(45);
/// Pictures after which a viewer counts as served.
const BEGUN: u64 = 5;

/// The source of a viewer's pictures.
pub enum Source {
    /// Motion JPEG, from the response's head or the first boundary on.
    Multipart(Box<dyn Connection>),
    /// The protocol of 2019.
    Pieces(Box<WebSocket<Box<dyn Connection>>>),
    /// The wall's WebSocket, with one tile per camera.
    Wall(Box<WebSocket<Box<dyn Connection>>>),
    /// One byte per picture.
    Ticks(ChildStdout),
    /// The output of `ffmpeg -progress`.
    Progress(ChildStdout),
}

/// By what a viewer reaches a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn over(self, stream: TcpStream) -> Result<Box<dyn Connection>> {
        match self {
            Self::Http => Ok(Box::new(stream)),
            Self::Https => Ok(Box::new(Secured::begin(stream)?)),
        }
    }
}

/// A picture kept for later.
pub struct Kept {
    pub camera: usize,
    pub arrival: Instant,
    pub data: Vec<u8>,
    pub form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Jpeg,
    /// A data URL.
    Base64,
    /// H.264 or H.265 as the camera sent it.
    Unit,
}

/// Counters of all viewers.
#[derive(Default)]
pub struct Counted {
    counting: AtomicBool,
    stop: AtomicBool,
    pictures: AtomicU64,
    bytes: AtomicU64,
    /// Pictures that were sent again, byte for byte.
    repeats: AtomicU64,
    begun: AtomicU64,
    failed: Mutex<Option<String>>,
    kept: Mutex<Vec<Kept>>,
}

pub struct Viewers {
    counted: Arc<Counted>,
    threads: Vec<thread::JoinHandle<()>>,
}

/// What all viewers of a peer received.
pub struct Given {
    pub pictures: u64,
    pub bytes: u64,
    pub repeats: u64,
    pub kept: Vec<Kept>,
}

impl Viewers {
    /// Starts one viewer per source; `(camera, source)`.
    pub fn start(sources: Vec<(usize, Source)>) -> Self {
        let counted = Arc::new(Counted::default());
        let all = sources.len();
        let start = |(place, (camera, source))| {
            let counted = Arc::clone(&counted);
            thread::spawn(move || {
                let viewer = Viewer { camera, place, all, counted: &counted, seen: 0, last: Vec::new() };
                if let Err(error) = viewer.watch(source)
                    && !counted.stop.load(Ordering::Relaxed)
                {
                    *counted.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                }
            })
        };
        let threads = sources.into_iter().enumerate().map(start).collect();
        Self { counted, threads }
    }

    /// The number of viewers that got their first pictures, and the number of all viewers.
    pub fn begun(&self) -> (u64, usize) {
        (self.counted.begun.load(Ordering::Relaxed), self.threads.len())
    }

    /// Why a viewer stopped, if one did.
    pub fn failed(&self) -> Option<String> {
        self.counted.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn count(&self, on: bool) {
        self.counted.counting.store(on, Ordering::Relaxed);
    }

    /// Must be called after the peer was ended, so that no viewer still waits.
    pub fn stop(self) -> Given {
        self.counted.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let _ = thread.join();
        }
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let kept = std::mem::take(&mut *self.counted.kept.lock().unwrap_or_else(PoisonError::into_inner));
        let counted = &self.counted;
        Given { pictures: load(&counted.pictures), bytes: load(&counted.bytes), repeats: load(&counted.repeats), kept }
    }

    /// Must be called before the peer is ended: the end is then no failure.
    pub fn expect_end(&self) {
        self.counted.stop.store(true, Ordering::Relaxed);
    }
}

struct Viewer<'a> {
    camera: usize,
    place: usize,
    all: usize,
    counted: &'a Counted,
    seen: u64,
    last: Vec<u8>,
}

impl Viewer<'_> {
    fn is_over(&self) -> bool {
        self.counted.stop.load(Ordering::Relaxed)
    }

    fn watch(mut self, source: Source) -> Result<()> {
        match source {
            Source::Multipart(stream) => {
                let mut reader = BufReader::with_capacity(1 << 18, stream);
                while !self.is_over() {
                    if let Some(jpeg) = part(&mut reader)? {
                        self.take(self.camera, jpeg, Form::Jpeg);
                    }
                }
            }
            Source::Pieces(mut socket) => {
                let mut url = Vec::new();
                while !self.is_over() {
                    let message = socket.read()?;
                    let Message::Text(text) = message else { continue };
                    if text.starts_with("::") {
                        if !url.is_empty() {
                            self.take(self.camera, std::mem::take(&mut url), Form::Base64);
                        }
                    } else if let Some((_, piece)) = text.strip_prefix('~').and_then(|text| text.split_once('~')) {
                        url.extend(piece.as_bytes());
                    }
                }
            }
            Source::Wall(mut socket) => {
                while !self.is_over() {
                    match socket.read()? {
                        Message::Binary(frame) if frame.len() > 16 => {
                            let (form, tile) = (if frame[1] == 1 { Form::Jpeg } else { Form::Unit }, frame[2]);
                            self.take(usize::from(tile), frame[16..].to_vec(), form);
                            let sequence = u32::from_le_bytes([frame[4], frame[5], frame[6], frame[7]]);
                            if form == Form::Jpeg {
                                let drawn = json!({ "drawn": { tile.to_string(): sequence } });
                                socket.send(Message::text(drawn.to_string()))?;
                            }
                        }
                        Message::Text(text) => {
                            let said: Value = serde_json::from_str(&text)?;
                            if let Some(error) = said.get("error") {
                                return Err(format!("the wall says {error}").into());
                            }
                        }
                        _ => {}
                    }
                }
            }
            Source::Ticks(mut pipe) => {
                let mut ticks = [0; 64];
                while let count @ 1.. = pipe.read(&mut ticks)? {
                    (0..count).for_each(|_| self.tick(0));
                }
            }
            Source::Progress(pipe) => {
                let mut before = 0;
                for line in BufReader::new(pipe).lines() {
                    if let Some(frames) = line?.strip_prefix("frame=") {
                        let frames = frames.trim().parse()?;
                        (before..frames).for_each(|_| self.tick(0));
                        before = frames;
                    }
                }
            }
        }
        Ok(())
    }

    fn tick(&mut self, bytes: usize) {
        self.seen += 1;
        if self.seen == BEGUN {
            self.counted.begun.fetch_add(1, Ordering::Relaxed);
        }
        if self.counted.counting.load(Ordering::Relaxed) {
            self.counted.pictures.fetch_add(1, Ordering::Relaxed);
            self.counted.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// Handles a complete picture. A repeated picture does not count: it shows nothing new.
    fn take(&mut self, camera: usize, data: Vec<u8>, form: Form) {
        let arrival = Instant::now();
        if form != Form::Unit && data == self.last {
            self.counted.repeats.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.tick(data.len());
        // Each viewer keeps its share of a camera's pictures: enough together, and none is left
        // out.
        let is_its_turn = form == Form::Unit || self.seen % self.all as u64 == self.place as u64;
        if is_its_turn && self.counted.counting.load(Ordering::Relaxed) {
            let kept = Kept { camera, arrival, data: data.clone(), form };
            self.counted.kept.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
        }
        self.last = data;
    }
}

/// The next part of a multipart stream; `None` for a card, whose sequence number is 0.
fn part(reader: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let (mut length, mut card) = (None, false);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err("the stream was closed".into());
        }
        let Some((name, value)) = line.split_once(':') else {
            match length {
                Some(length) if line.trim().is_empty() => {
                    let mut jpeg = vec![0; length];
                    reader.read_exact(&mut jpeg)?;
                    return Ok((!card).then_some(jpeg));
                }
                _ => continue,
            }
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.trim().parse()?),
            "x-sequence" => card = value.trim() == "0",
            _ => {}
        }
    }
}

/// Requests `target` by `scheme` at a port of this machine, and waits for the port until `deadline`.
pub fn watch(port: u16, target: &str, scheme: Scheme, deadline: Instant) -> Result<Box<dyn Connection>> {
    let mut stream = scheme.over(call(port, deadline)?)?;
    request(&mut stream, 1, port, target)?;
    Ok(stream)
}

/// Requests `target` at a port of this machine, and waits for the port until `deadline`.
pub fn ask(port: u16, target: &str, deadline: Instant) -> Result<TcpStream> {
    ask_in(1, port, target, deadline)
}

fn ask_in(minor: u8, port: u16, target: &str, deadline: Instant) -> Result<TcpStream> {
    let mut stream = call(port, deadline)?;
    request(&mut stream, minor, port, target)?;
    Ok(stream)
}

fn request(stream: &mut impl Write, minor: u8, port: u16, target: &str) -> io::Result<()> {
    write!(stream, "GET {target} HTTP/1.{minor}\r\nHost: 127.0.0.1:{port}\r\n\r\n")
}

/// Like [`ask`], repeated until there is a response: motion closes the connection while it has no
/// picture. Uses HTTP/1.0, which forbids chunked responses.
pub fn ask_until_answered(port: u16, target: &str, deadline: Instant) -> Result<TcpStream> {
    loop {
        let stream = ask_in(0, port, target, deadline)?;
        match stream.peek(&mut [0]) {
            Ok(1) => return Ok(stream),
            _ if Instant::now() > deadline => return Err("it hangs up whenever it is asked".into()),
            _ => thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// A connection to a port of this machine.
pub fn call(port: u16, deadline: Instant) -> Result<TcpStream> {
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(SILENCE))?;
                return Ok(stream);
            }
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// A WebSocket on which `first` was sent.
pub fn socket(
    port: u16,
    target: &str,
    protocol: Option<&str>,
    first: &Value,
    scheme: Scheme,
    deadline: Instant,
) -> Result<Box<WebSocket<Box<dyn Connection>>>> {
    let stream = scheme.over(call(port, deadline)?)?;
    let uri: Uri = format!("ws://127.0.0.1:{port}{target}").parse()?;
    let mut request = ClientRequestBuilder::new(uri);
    if let Some(protocol) = protocol {
        request = request.with_sub_protocol(protocol);
    }
    let config = WebSocketConfig::default();
    let (mut socket, _) =
        client::client_with_config(request, stream, Some(config)).map_err(|error| error.to_string())?;
    socket.send(Message::text(first.to_string()))?;
    Ok(Box::new(socket))
}

/// A page's message that shows `cameras` cameras at `size`.
pub fn show(cameras: usize, size: (usize, usize), accept: &[&str]) -> Value {
    let tile = |tile| json!({ "tile": tile, "camera": format!("c{tile}"), "size": [size.0, size.1], "accept": accept });
    json!({ "show": (0..cameras).map(tile).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_every_peer_are_read_and_cards_are_not_counted() {
        let ours = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n--b\r\n\
                    Content-Type: image/jpeg\r\nContent-Length: 4\r\nX-Sequence: 0\r\n\r\ncard\r\n--b\r\n\
                    Content-Type: image/jpeg\r\nContent-Length: 3\r\nX-Sequence: 7\r\n\r\none\r\n--b\r\n";
        let ffmpeg = "--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: 3\r\n\r\ntwo\r\n--ffmpeg\r\n";
        let motion = "--BoundaryString\r\nContent-type: image/jpeg\r\nContent-Length:         5\r\n\r\nthree\r\n";
        let text = [ours, ffmpeg, motion].concat();
        let mut reader = BufReader::new(text.as_bytes());
        assert_eq!(part(&mut reader).unwrap(), None);
        for jpeg in ["one", "two", "three"] {
            assert_eq!(part(&mut reader).unwrap().as_deref(), Some(jpeg.as_bytes()));
        }
        assert!(part(&mut reader).is_err());
    }
}
