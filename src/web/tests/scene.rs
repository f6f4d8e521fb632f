//! A served wall with two cameras, of which the test feeds `gate`, and a client that waits with
//! timeouts.

use std::{
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use smol::{
    Timer,
    future::FutureExt,
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::super::{Limits, Rules, Web, serve};
use crate::{
    account::WithoutLogin,
    camera::{CameraId, StreamOptions},
    card::Card,
    hub::{Hub, Stream},
    media::{
        AccessUnit, Codec, CodecConfig, Picture, SampleAspect, Size, StreamInfo, WantedRendition, transform::Transform,
    },
    time::timeout,
};

/// Longer than anything takes on the busiest machine: only a failing test waits this long.
pub const LONG: Duration = Duration::from_secs(30);

pub const STREAM: StreamInfo = StreamInfo {
    codec: Codec::H264,
    codec_config: Some(CodecConfig::H264([0x64, 0, 0x1f])),
    size: Size { width: 1280, height: 720 },
    sample_aspect: SampleAspect::SQUARE,
    transform: Transform::NONE,
    fps: 25.0,
};

#[derive(Clone)]
pub struct Scene {
    pub web: Arc<Web>,
    pub hub: Arc<Hub>,
    pub gate: Arc<Stream>,
    pub address: SocketAddr,
}

pub fn stream(id: &str) -> Arc<Stream> {
    let options = StreamOptions::default();
    Arc::new(Stream::new(CameraId::new(id).unwrap(), format!("Camera {id}"), options, Instant::now()))
}

/// Rules that leave out who may use HTTP: most tests are about other things.
pub fn open() -> Rules {
    Rules { plain_http: true, ..Rules::default() }
}

/// Runs `story` against a server with limits changed by `change`.
pub fn play(change: impl FnOnce(&mut Limits), story: impl AsyncFnOnce(&Scene)) {
    play_with_www(Path::new("/nonexistent"), change, story);
}

/// No folder can be made there.
pub const NO_FOLDER: &str = "/dev/null/state";

pub fn play_with_www(www: &Path, change: impl FnOnce(&mut Limits), story: impl AsyncFnOnce(&Scene)) {
    let hub = Arc::new(Hub::default());
    let gate = stream("gate");
    hub.replace_streams(vec![Arc::clone(&gate), stream("porch")]);
    let draw = Arc::new(|size: Size, _: u8, card: &Card| {
        Ok(format!("card {}x{} {} {}", size.width, size.height, card.state.as_str(), card.why).into_bytes())
    });
    let mut web = Web::new(Arc::clone(&hub), PathBuf::from(www), "1.2.3", draw);
    change(&mut web.limits);
    web.set_access(open());
    web.users.set(Vec::new(), WithoutLogin::Everybody, Path::new(NO_FOLDER));
    let web = Arc::new(web);
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scene = Scene { web: Arc::clone(&web), hub, gate, address };
        let serving = async {
            serve(listener, web).await;
            smol::future::pending().await
        };
        story(&scene).or(serving).await;
    });
}

impl Scene {
    pub fn go_live(&self) {
        let first = self.gate.begin_worker(Instant::now());
        self.gate.set_stream_info(STREAM);
        let unit = AccessUnit { sequence: first, taken: 0, key: true, damage: None, data: vec![0; 100].into() };
        self.gate.publish_unit(&unit, Instant::now());
    }

    /// Waits until a viewer wants pictures, then publishes one for every wanted rendition, as a
    /// worker would.
    pub async fn publish(&self, sequence: u32) {
        eventually(|| !self.gate.demand().is_empty()).await;
        self.publish_large(sequence, picture(sequence));
    }

    pub fn publish_large(&self, sequence: u32, jpeg: Vec<u8>) {
        let jpeg: Bytes = jpeg.into();
        let unit_taken = 1_700_000_000_000_000 + u64::from(sequence) * 40_000;
        let unit = AccessUnit { sequence, taken: unit_taken, key: true, damage: None, data: jpeg.clone() };
        self.gate.publish_unit(&unit, Instant::now());
        self.publish_pictures(sequence, &jpeg);
    }

    /// Publishes pictures of a unit that was published.
    pub fn publish_pictures(&self, sequence: u32, jpeg: &Bytes) {
        let taken = 1_700_000_000_000_000 + u64::from(sequence);
        for WantedRendition { rendition, .. } in self.gate.demand() {
            let picture = Picture { rendition, sequence, taken, jpeg: jpeg.clone() };
            self.gate.publish_picture(picture, Instant::now());
        }
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Sends one request and reads one response on its own connection.
    pub async fn get(&self, path: &str) -> Reply {
        let mut client = self.connect().await;
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)).await;
        client.reply(false).await
    }
}

/// Stands for the JPEG with this sequence number; full of bytes that could confuse a parser.
pub fn picture(sequence: u32) -> Vec<u8> {
    format!("\u{feff}picture {sequence}\r\n--\r\n--cctv\r\n\r\n~1~::").into_bytes()
}

/// Waits for `condition`.
pub async fn eventually(mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            Timer::after(Duration::from_millis(2)).await;
        }
    };
    in_time(waiting).await;
}

pub async fn in_time<T>(work: impl Future<Output = T>) -> T {
    timeout(LONG, work).await.expect("it takes too long")
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), buffer: Vec::new() }
    }

    pub async fn send(&mut self, text: &str) {
        in_time(self.stream.write_all(text.as_bytes())).await.unwrap();
    }

    /// One line without its CR LF; both must be there.
    pub async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let line = line.strip_suffix(b"\r\n").expect("a line must end with CR LF");
                return String::from_utf8(line.to_vec()).unwrap();
            }
            assert!(self.more().await, "the connection ended within a line: {:?}", self.buffer);
        }
    }

    /// Some bytes, or none at the end of the connection.
    pub async fn some_or_end(&mut self) -> Vec<u8> {
        if self.buffer.is_empty() {
            self.more().await;
        }
        std::mem::take(&mut self.buffer)
    }

    pub async fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            assert!(self.more().await, "the connection ended too early");
        }
        self.buffer.drain(..count).collect()
    }

    /// Whether the server closes without another byte.
    pub async fn ended(&mut self) -> bool {
        self.buffer.is_empty() && !self.more().await
    }

    async fn more(&mut self) -> bool {
        let mut chunk = vec![0; 65536];
        match in_time(self.stream.read(&mut chunk)).await {
            Ok(count @ 1..) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                true
            }
            _ => false,
        }
    }

    pub async fn head(&mut self) -> Reply {
        let first = self.line().await;
        let status = first.strip_prefix("HTTP/1.1 ").expect("HTTP/1.1").split(' ').next().unwrap().parse().unwrap();
        let headers = self.header_lines().await;
        Reply { status, headers, body: Vec::new() }
    }

    pub async fn header_lines(&mut self) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        loop {
            let line = self.line().await;
            if line.is_empty() {
                return headers;
            }
            let (name, value) = line.split_once(": ").expect("a header line");
            headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// One whole response; a response to HEAD has no body.
    pub async fn reply(&mut self, to_head: bool) -> Reply {
        let mut reply = self.head().await;
        let length: usize = reply.header("content-length").expect("a length").parse().unwrap();
        if !to_head && reply.status != 304 {
            reply.body = self.exactly(length).await;
        }
        reply
    }
}
