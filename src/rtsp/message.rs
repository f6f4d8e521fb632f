//! RTSP 1.0 messages: writes requests, reads responses and the camera's own requests.
//!
//! Reading is as lenient as cameras need it: LF or CRLF, header names in any case, blanks anywhere
//! around values, folded lines, a status line without a reason, bytes that are not UTF-8. A line
//! that is not understood is skipped.

use std::fmt::Write as _;

/// Maximum length of a message's head, in bytes.
pub const MAX_HEAD_LEN: usize = 16 << 10;
/// Maximum number of header lines of a message.
pub const MAX_HEADERS: usize = 100;
/// Maximum length of a message's body, in bytes.
pub const MAX_BODY_LEN: usize = 128 << 10;

/// Sent with each request: some cameras answer 401 for ever to a client without a name.
const USER_AGENT: &str = "cctv-agent";

/// A method that this client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Describe,
    Setup,
    Play,
    Options,
    GetParameter,
    Teardown,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Describe => "DESCRIBE",
            Self::Setup => "SETUP",
            Self::Play => "PLAY",
            Self::Options => "OPTIONS",
            Self::GetParameter => "GET_PARAMETER",
            Self::Teardown => "TEARDOWN",
        }
    }
}

/// A request under construction. Header names are written as the standard writes them, because some
/// cameras compare them by case.
pub struct RequestWriter(String);

impl RequestWriter {
    /// `url` must hold neither white space nor control characters.
    pub fn new(method: Method, url: &str, cseq: u32) -> Self {
        Self(format!("{} {url} RTSP/1.0\r\nCSeq: {cseq}\r\nUser-Agent: {USER_AGENT}\r\n", method.as_str()))
    }

    /// Adds a header line. Control characters in `value` are left out, so that it stays one line.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        let _ = write!(self.0, "{name}: {value}\r\n");
        self
    }

    /// The bytes to send.
    pub fn finish(mut self) -> Vec<u8> {
        self.0.push_str("\r\n");
        self.0.into_bytes()
    }
}

/// A response to `request` of the camera.
pub fn write_response(status: u16, reason: &str, request: &Request, session: Option<&str>) -> Vec<u8> {
    let mut text = format!("RTSP/1.0 {status} {reason}\r\n");
    for (name, value) in [("CSeq", request.headers.get("cseq")), ("Session", session)] {
        if let Some(value) = value {
            let value: String = value.chars().filter(|c| !c.is_control()).collect();
            let _ = write!(text, "{name}: {value}\r\n");
        }
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// The header lines of a message: names as written, values trimmed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The value of the first line `name`, whose case does not count.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The value of each line `name`, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sequence number; `None` also if it cannot be read.
    pub fn cseq(&self) -> Option<u32> {
        self.get("cseq")?.parse().ok()
    }

    /// The announced length of the body. Without a readable announcement there is no body.
    fn content_length(&self) -> usize {
        self.all("content-length").find_map(|value| value.parse().ok()).unwrap_or(0)
    }
}

/// A camera's response to a request of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    pub status: u16,
    /// The words after the status; may be empty.
    pub reason: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// A request by the camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// In upper case.
    pub method: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    Response(Response),
    Request(Request),
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The first line is neither a status line nor a request line.
    FirstLine,
    /// The head exceeds [`MAX_HEAD_LEN`] or [`MAX_HEADERS`].
    HeadTooLong,
    /// The announced body exceeds [`MAX_BODY_LEN`].
    BodyTooLong,
}

/// Reads the message at the beginning of `bytes`. Returns it with its length, or `None` while bytes
/// are missing.
pub fn read(bytes: &[u8]) -> Result<Option<(Message, usize)>, Malformed> {
    let Some(head_len) = head_len(bytes) else {
        return if bytes.len() > MAX_HEAD_LEN { Err(Malformed::HeadTooLong) } else { Ok(None) };
    };
    if head_len > MAX_HEAD_LEN {
        return Err(Malformed::HeadTooLong);
    }
    let text = String::from_utf8_lossy(&bytes[..head_len]);
    let mut lines = text.lines();
    let first = FirstLine::read(lines.next().unwrap_or("")).ok_or(Malformed::FirstLine)?;
    let headers = read_headers(lines)?;
    let body_len = headers.content_length();
    if body_len > MAX_BODY_LEN {
        return Err(Malformed::BodyTooLong);
    }
    let Some(body) = bytes.get(head_len..head_len + body_len) else { return Ok(None) };
    let body = body.to_vec();
    let message = match first {
        FirstLine::Status(status, reason) => Message::Response(Response { status, reason, headers, body }),
        FirstLine::Method(method) => Message::Request(Request { method, headers, body }),
    };
    Ok(Some((message, head_len + body_len)))
}

/// The length of the head with the empty line behind it. `None`: that line is not there yet.
fn head_len(bytes: &[u8]) -> Option<usize> {
    // A longer head is refused, so more need not be searched.
    let searched = &bytes[..bytes.len().min(MAX_HEAD_LEN + 4)];
    let ends = searched.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    ends.into_iter().find_map(|at| match searched.get(at..)? {
        [b'\n', ..] => Some(at + 1),
        [b'\r', b'\n', ..] => Some(at + 2),
        _ => None,
    })
}

enum FirstLine {
    Status(u16, String),
    Method(String),
}

impl FirstLine {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let first = words.next()?;
        if first.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("RTSP/")) {
            let status = words.next()?.parse().ok().filter(|status| (100..1000).contains(status))?;
            return Some(Self::Status(status, words.collect::<Vec<_>>().join(" ")));
        }
        // METHOD URL RTSP/1.0
        let version = words.nth(1)?;
        let is_method = first.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        let is_version = version.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("RTSP/"));
        (is_method && is_version).then(|| Self::Method(first.to_ascii_uppercase()))
    }
}

fn read_headers<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Headers, Malformed> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for (number, line) in lines.enumerate() {
        if number > MAX_HEADERS {
            return Err(Malformed::HeadTooLong);
        }
        if line.starts_with([' ', '\t'])
            && let Some((_, value)) = headers.last_mut()
        {
            value.push(' ');
            value.push_str(trimmed(line));
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((trimmed(name).to_owned(), trimmed(value).to_owned()));
        }
    }
    headers.iter_mut().for_each(|(_, value)| value.truncate(value.trim_end().len()));
    Ok(Headers(headers))
}

/// `text` without blanks and NUL at both ends.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\0')
}
