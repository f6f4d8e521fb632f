//! RTSP messages on a connection (RFC 2326): requests and interleaved data in, answers out.

use std::fmt::Write as _;

use crate::habits::Habits;

/// A longer head, or body, is no request.
const HEAD_LIMIT: usize = 16 * 1024;
const BODY_LIMIT: usize = 64 * 1024;

#[derive(Debug, PartialEq)]
pub struct Request {
    pub method: String,
    /// Exactly as sent.
    pub url: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// The first header with this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The path without the query, without a slash at its end.
    pub fn path(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        let path = rest.find('/').map_or("", |at| &rest[at..]);
        path.split('?').next().unwrap_or_default().trim_end_matches('/')
    }

    /// The session's id, without parameters.
    pub fn session(&self) -> Option<&str> {
        self.header("session").and_then(|session| session.split(';').next()).map(str::trim)
    }
}

/// One item that a client sent.
#[derive(Debug, PartialEq)]
pub enum Incoming {
    Request(Request),
    /// An interleaved packet: a client sends receiver reports.
    Packet(Vec<u8>),
    /// An answer to a request of this camera.
    Answer,
}

/// The bytes are no RTSP.
#[derive(Debug, PartialEq)]
pub struct Malformed;

/// Bytes that have arrived and are not yet read.
#[derive(Default)]
pub struct Input(Vec<u8>);

impl Input {
    pub fn extend(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next whole item; `None`: more bytes are needed.
    ///
    /// # Errors
    /// The bytes are neither a request nor an answer nor an interleaved packet.
    pub fn next(&mut self) -> Result<Option<Incoming>, Malformed> {
        let breaks = self.0.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.0.drain(..breaks);
        if let [b'$', rest @ ..] = &*self.0 {
            let [_, high, low, ..] = *rest else { return Ok(None) };
            let length = 4 + usize::from(u16::from_be_bytes([high, low]));
            if self.0.len() < length {
                return Ok(None);
            }
            let packet = self.0.drain(..length).skip(4).collect();
            return Ok(Some(Incoming::Packet(packet)));
        }
        let Some(end) = self.0.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if self.0.len() > HEAD_LIMIT { Err(Malformed) } else { Ok(None) };
        };
        let head = std::str::from_utf8(&self.0[..end]).map_err(|_| Malformed)?;
        let (first, headers) = read_head(head).ok_or(Malformed)?;
        let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length: usize = length.map_or(Ok(0), |(_, value)| value.parse()).map_err(|_| Malformed)?;
        if length > BODY_LIMIT {
            return Err(Malformed);
        }
        if self.0.len() < end + 4 + length {
            return Ok(None);
        }
        self.0.drain(..end + 4 + length);
        if first.starts_with("RTSP/") {
            return Ok(Some(Incoming::Answer));
        }
        let mut words = first.split(' ').filter(|word| !word.is_empty());
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(method), Some(url), Some(version), None) if version.starts_with("RTSP/") => {
                Ok(Some(Incoming::Request(Request { method: method.to_owned(), url: url.to_owned(), headers })))
            }
            _ => Err(Malformed),
        }
    }
}

type Headers = Vec<(String, String)>;

/// The first line, and the headers.
fn read_head(head: &str) -> Option<(String, Headers)> {
    let mut lines = head.split("\r\n");
    let first = lines.next()?.to_owned();
    let headers = lines
        .map(|line| line.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())))
        .collect::<Option<_>>()?;
    Some((first, headers))
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Answer {
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The bytes on the wire; `sequence` is the request's CSeq.
    pub fn bytes(&self, sequence: Option<&str>, habits: &Habits) -> Vec<u8> {
        let reason = if habits.no_reason { String::new() } else { format!(" {}", reason(self.status)) };
        let mut text = format!("RTSP/1.0 {}{reason}\r\n", self.status);
        let mut add = |name: &str, value: &str| {
            let _ = if habits.odd_headers {
                write!(text, "{}:       {value} \r\n", name.to_ascii_lowercase())
            } else {
                write!(text, "{name}: {value}\r\n")
            };
        };
        if let Some(sequence) = sequence.filter(|_| !habits.no_cseq) {
            add("CSeq", sequence);
        }
        self.headers.iter().for_each(|(name, value)| add(name, value));
        if !self.body.is_empty() {
            add("Content-Length", &self.body.len().to_string());
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        406 => "Not Acceptable",
        453 => "Not Enough Bandwidth",
        454 => "Session Not Found",
        455 => "Method Not Valid in This State",
        459 => "Aggregate Operation Not Allowed",
        461 => "Unsupported Transport",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        551 => "Option not supported",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(bytes: &[u8]) -> Vec<Incoming> {
        let mut input = Input::default();
        input.extend(bytes);
        std::iter::from_fn(|| input.next().unwrap()).collect()
    }

    #[test]
    fn pipelined_requests_and_interleaved_packets_are_told_apart() {
        let found = items(
            b"OPTIONS rtsp://h/main RTSP/1.0\r\nCSeq: 1\r\n\r\n$\x01\x00\x04abc\n\r\n\
              SET_PARAMETER rtsp://h/main RTSP/1.0\r\ncseq:2 \r\nSession: 12;timeout=60\r\nContent-Length: 4\r\n\r\na: b\
              RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\nPLAY rtsp",
        );
        let [Incoming::Request(first), Incoming::Packet(packet), Incoming::Request(second), Incoming::Answer] =
            &found[..]
        else {
            panic!("{found:?}")
        };
        assert_eq!(packet, b"abc\n");
        assert_eq!((first.method.as_str(), first.header("cseq")), ("OPTIONS", Some("1")));
        assert_eq!((second.header("CSeq"), second.session()), (Some("2"), Some("12")));
    }

    #[test]
    fn items_are_whole_whatever_the_pieces_in_which_they_arrive() {
        let bytes = b"OPTIONS rtsp://h/main RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 2\r\n\r\nab$\x00\x00\x01x";
        let mut input = Input::default();
        let mut found = 0;
        for byte in bytes {
            input.extend(&[*byte]);
            found += usize::from(input.next().unwrap().is_some());
        }
        assert_eq!(found, 2);
    }

    #[test]
    fn other_bytes_are_malformed() {
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\xff\xfe\r\n\r\n", b"PLAY\r\n\r\n", &[b'a'; HEAD_LIMIT + 1]] {
            let mut input = Input::default();
            input.extend(bytes);
            assert_eq!(input.next(), Err(Malformed));
        }
    }

    #[test]
    fn path_is_without_host_query_and_last_slash() {
        for (url, path) in [
            ("rtsp://h:554/main/?x=1", "/main"),
            ("rtsp://h/main/stream=0", "/main/stream=0"),
            ("rtsp://h", ""),
            ("*", ""),
            ("/small", "/small"),
        ] {
            let request = Request { method: "PLAY".into(), url: url.into(), headers: Vec::new() };
            assert_eq!(request.path(), path, "{url}");
        }
    }

    #[test]
    fn answer_has_the_sequence_number_and_the_length_of_its_body() {
        let mut answer = Answer::new(200).with("Session", "12");
        answer.body = "v=0\r\n".into();
        let text = String::from_utf8(answer.bytes(Some("7"), &Habits::default())).unwrap();
        assert_eq!(text, "RTSP/1.0 200 OK\r\nCSeq: 7\r\nSession: 12\r\nContent-Length: 5\r\n\r\nv=0\r\n");
        let odd = Habits { no_reason: true, odd_headers: true, ..Habits::default() };
        let text = String::from_utf8(Answer::new(454).bytes(Some("7"), &odd)).unwrap();
        assert_eq!(text, "RTSP/1.0 454\r\ncseq:       7 \r\n\r\n");
    }
}
