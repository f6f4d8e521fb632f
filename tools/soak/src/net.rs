//! How the soak communicates with agent and cameras, like any viewer: HTTP, WebSockets, and the
//! burnt-in clock.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_tungstenite::tungstenite::{
    self, ClientRequestBuilder, WebSocket, client::client_with_config, http::Uri, protocol::WebSocketConfig,
};
use serde_json::Value;

/// Timeout of a response on loopback.
const ANSWER: Duration = Duration::from_secs(10);

/// Maximum length of a response of the agent or the cameras.
const MAX_LEN: u64 = 8 << 20;

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// Sends one request and reads the response to its end.
pub fn http(method: &str, address: &str, target: &str) -> io::Result<Answer> {
    let mut stream = connect(address)?;
    write!(stream, "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.take(MAX_LEN).read_to_end(&mut bytes)?;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Answer { status, body: bytes[end + 4..].to_vec() })
}

/// A connection with read and write timeouts.
pub fn connect(address: &str) -> io::Result<TcpStream> {
    let address = address.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
    let stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    Ok(stream)
}

/// Opens a WebSocket whose reads return after at most `patience`.
pub fn socket(
    address: &str,
    path: &str,
    protocol: Option<&str>,
    patience: Duration,
) -> Result<WebSocket<TcpStream>, String> {
    let stream = connect(address).map_err(|error| error.to_string())?;
    let uri: Uri = format!("ws://{address}{path}").parse().map_err(|_| "a bad address".to_owned())?;
    let mut request = ClientRequestBuilder::new(uri);
    if let Some(protocol) = protocol {
        request = request.with_sub_protocol(protocol);
    }
    let config = WebSocketConfig::default().read_buffer_size(64 << 10);
    let (socket, _) = client_with_config(request, stream, Some(config)).map_err(|error| error.to_string())?;
    socket.get_ref().set_read_timeout(Some(patience)).map_err(|error| error.to_string())?;
    Ok(socket)
}

/// Whether the error only means that nothing came in time.
pub fn is_silence(error: &tungstenite::Error) -> bool {
    matches!(error, tungstenite::Error::Io(error)
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
}

/// One part of a Motion JPEG response.
pub struct Part {
    /// 0 on a card.
    pub sequence: u32,
    pub jpeg: Vec<u8>,
}

/// A Motion JPEG response being read.
pub struct MotionJpeg {
    reader: BufReader<TcpStream>,
}

impl MotionJpeg {
    /// # Errors
    /// The status if it is not 200, or the error.
    pub fn open(address: &str, target: &str) -> Result<Self, String> {
        let mut stream = connect(address).map_err(|error| error.to_string())?;
        write!(stream, "GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n").map_err(|error| error.to_string())?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).map_err(|error| error.to_string())?;
        match line.split(' ').nth(1) {
            Some("200") => Ok(Self { reader }),
            Some(status) => Err(status.to_owned()),
            None => Err("no answer".to_owned()),
        }
    }

    pub fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    /// The next part. Skips empty lines, boundaries and the response's head.
    pub fn next(&mut self) -> io::Result<Part> {
        let (mut length, mut sequence) = (None, 0);
        let mut line = String::new();
        loop {
            line.clear();
            if self.reader.by_ref().take(4096).read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((name, value)) = line.split_once(':') {
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse::<u64>().ok().filter(|length| *length < MAX_LEN),
                    "x-sequence" => sequence = value.trim().parse().unwrap_or(0),
                    _ => {}
                }
            } else if let (true, Some(length)) = (line.trim().is_empty(), length) {
                let mut jpeg = vec![0; usize::try_from(length).unwrap_or(0)];
                self.reader.read_exact(&mut jpeg)?;
                return Ok(Part { sequence, jpeg });
            }
        }
    }
}

/// The clock burnt into a picture, in Unix milliseconds; `None` on a card or a damaged picture.
pub fn burnt_in(jpeg: &[u8]) -> Option<u64> {
    Some(stamp_of(jpeg)?.unix_ms)
}

/// The frame number burnt into a picture; `None` as above.
pub fn frame_number(jpeg: &[u8]) -> Option<u32> {
    Some(stamp_of(jpeg)?.frame)
}

fn stamp_of(jpeg: &[u8]) -> Option<stamp::Stamp> {
    let image = turbojpeg::decompress(jpeg, turbojpeg::PixelFormat::GRAY).ok()?;
    let (data, width, height, stride) = (image.pixels.as_slice(), image.width, image.height, image.pitch);
    stamp::read(&stamp::Pixels { data, width, height, stride, step: 1 }).ok()
}

pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
