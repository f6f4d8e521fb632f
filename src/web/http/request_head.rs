//! Reads the head of one request, before `async-h1` sees a byte of it.
//!
//! `async_h1::server::decode` does not limit a head without line ends and has no timeout. It spawns
//! on another runtime for `Expect: 100-continue`, panics on values that are not ASCII, and loses
//! pipelined requests in its own buffer. Therefore it gets a finished head: complete, short, and
//! only with the header lines that this server uses.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http_types::{Method, Request};
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::web::{
    http::{metadata::Metadata, response::Response, timeout_socket::Socket},
    limits::Limits,
};
use crate::{config::Authority, time::timeout};

/// The header lines that are passed on besides those in [`Metadata`]. All others are dropped, as
/// are the cookies of other services.
const KEPT_HEADERS: [&str; 7] = [
    "connection",
    "upgrade",
    "if-none-match",
    "accept-encoding",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
];

/// `async-h1` refuses heads of 8 KiB and more. The part of a head that is kept is never that long,
/// unless the address itself is nearly that long.
const MAX_KEPT: usize = 8 << 10;

/// The paths that take POST, without a body: what they need is in the head.
const POST_PATHS: [&str; 2] = ["/login", "/logout"];

/// The beginnings of paths that take POST with a body.
const BODY_PATHS: [&str; 4] = ["/api/wall/", "/api/walls/", "/api/cameras/", "/snapshot/"];

/// Limit in bytes: an object of a few short members.
const MAX_BODY: usize = 4 << 10;

/// Maximum number of header lines, as of other servers; a browser sends some twenty.
const MAX_HEADERS: usize = 100;

pub struct Head {
    /// Its URL has another host than the requested one, which is in `metadata`.
    pub request: Request,
    pub metadata: Metadata,
    /// Of at most 4 KiB, and only where the path takes one.
    pub body: Vec<u8>,
    /// The peer speaks HTTP/1.1 and does not request a close.
    pub keep_alive: bool,
}

pub enum Refusal {
    /// The peer left, or sent nothing: there is no response.
    Gone,
    /// Send this response and close the connection: what follows cannot be understood.
    Response(Box<Response>, Method),
}

/// Reads the next request's head; its first byte must come within `limit`.
pub async fn read(socket: &mut Socket, limits: &Limits, limit: Duration) -> Result<Head, Refusal> {
    let bytes = collect(socket, limits, limit).await?;
    let head = inspect(&bytes)?;
    let refuse = |text: String| refusal(400, text, head.method);
    let body = match timeout(limits.head_time, collect_body(socket, head.body_len)).await {
        Some(Ok(body)) => body,
        Some(Err(_)) => return Err(Refusal::Gone),
        None => return Err(refusal(408, "the body of the request did not arrive in time", head.method)),
    };
    let decoded = async_h1::server::decode(HeadReader { bytes: head.kept.into(), at: 0 }).await;
    match decoded {
        Ok(Some((request, _no_body))) => {
            Ok(Head { request, metadata: head.metadata, body, keep_alive: head.keep_alive })
        }
        Ok(None) => Err(refuse("the request ends before its head does".to_owned())),
        Err(error) => Err(refuse(error.to_string())),
    }
}

fn refusal(status: u16, text: impl Into<String>, method: Method) -> Refusal {
    Refusal::Response(Box::new(Response::error(status, text)), method)
}

/// The bytes up to and including the empty line; what follows stays in `socket.early`.
async fn collect(socket: &mut Socket, limits: &Limits, limit: Duration) -> Result<Vec<u8>, Refusal> {
    let mut bytes = std::mem::take(&mut socket.early);
    let mut chunk = [0; 2048];
    if bytes.is_empty() {
        match timeout(limit, socket.read(&mut chunk)).await {
            Some(Ok(count @ 1..)) => bytes.extend_from_slice(&chunk[..count]),
            _ => return Err(Refusal::Gone),
        }
    }
    let reading = async {
        let mut searched = 0;
        loop {
            // RFC 9112 2.2: empty lines before a request are to be ignored.
            let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if searched == 0 && blank > 0 {
                bytes.drain(..blank);
            }
            if let Some(end) = end_of_head(&bytes, searched) {
                let rest = bytes.split_off(end);
                return if end > limits.head_bytes { Err(too_long(limits)) } else { Ok((bytes, rest)) };
            }
            if bytes.len() > limits.head_bytes {
                return Err(too_long(limits));
            }
            searched = bytes.len().saturating_sub(3);
            match socket.read(&mut chunk).await {
                Ok(count @ 1..) => bytes.extend_from_slice(&chunk[..count]),
                _ => return Err(Refusal::Gone),
            }
        }
    };
    match timeout(limits.head_time, reading).await {
        Some(Ok((head, rest))) => {
            socket.early = rest;
            Ok(head)
        }
        Some(Err(refused)) => Err(refused),
        None => {
            let text = format!("the head of the request did not arrive within {:.1} s", limits.head_time.as_secs_f64());
            Err(refusal(408, text, Method::Get))
        }
    }
}

/// The next `len` bytes.
async fn collect_body(socket: &mut Socket, len: usize) -> io::Result<Vec<u8>> {
    let mut body = std::mem::take(&mut socket.early);
    if body.len() > len {
        socket.early = body.split_off(len);
    }
    let begun = body.len();
    body.resize(len, 0);
    socket.read_exact(&mut body[begun..]).await?;
    Ok(body)
}

fn too_long(limits: &Limits) -> Refusal {
    refusal(431, format!("the head of the request is longer than {} bytes", limits.head_bytes), Method::Get)
}

/// Where the first empty line at or after `from` ends. A bare line feed counts as a line end too,
/// so that a peer that sends such is refused at once and not waited for.
fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    (from..bytes.len()).find_map(|at| match &bytes[at..] {
        [b'\r', b'\n', b'\r', b'\n', ..] => Some(at + 4),
        [b'\n', b'\n', ..] => Some(at + 2),
        _ => None,
    })
}

struct Inspected {
    method: Method,
    keep_alive: bool,
    metadata: Metadata,
    body_len: usize,
    kept: Vec<u8>,
}

/// Checks the form of the head and everything that must be refused before decoding.
fn inspect(bytes: &[u8]) -> Result<Inspected, Refusal> {
    let bad = |text: &str| refusal(400, text, Method::Get);
    if !bytes.ends_with(b"\r\n\r\n") {
        return Err(bad("lines must end with CR LF"));
    }
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len() - 1);
    let (first, lines) = (&bytes[..end], &bytes[end + 1..]);
    let first = first.strip_suffix(b"\r").unwrap_or(first);
    let first = std::str::from_utf8(first).ok().filter(|line| line.is_ascii());
    let mut words = first.unwrap_or("").split(' ');
    let (Some(word), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad("the first line must be: method, address, HTTP/1.1"));
    };
    let method = match word {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" if takes_post(target) => Method::Post,
        _ if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-') => {
            return Err(bad("this is not HTTP"));
        }
        _ => {
            let mut response = Response::error(405, "only GET and HEAD are supported");
            response.headers.push(("Allow", "GET, HEAD".to_owned()));
            return Err(Refusal::Response(Box::new(response), Method::Get));
        }
    };
    let old = match version {
        "HTTP/1.1" => false,
        "HTTP/1.0" => true,
        _ => return Err(refusal(505, "only HTTP/1.1 and HTTP/1.0 are supported", method)),
    };
    let mut keep_alive = !old;
    let mut body_len = 0;
    let mut metadata = Metadata::default();
    metadata.is_old = old;
    let (authority, path) = split(target).ok_or_else(|| bad("the address must be a path, or a whole URL"))?;
    // `async-h1` needs a host to build the URL, and gets one that is never used.
    let mut kept = format!("{word} {path} HTTP/1.1\r\nhost: x\r\n").into_bytes();
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let headers = match httparse::parse_headers(lines, &mut headers) {
        Ok(httparse::Status::Complete((_, headers))) => headers,
        Err(httparse::Error::TooManyHeaders) => {
            return Err(refusal(431, format!("the request has more than {MAX_HEADERS} header lines"), method));
        }
        Ok(httparse::Status::Partial) | Err(_) => return Err(bad("a header line must be: name, colon, value")),
    };
    for httparse::Header { name, value } in headers.iter().copied() {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "expect" => return Err(refusal(417, "the header Expect is not supported", method)),
            "transfer-encoding" => return Err(refusal(413, "a request must not have a body", method)),
            "content-length" if value != b"0" => body_len = length(value, target, method)?,
            "connection" if has_word(value, "close") => keep_alive = false,
            "host" => metadata.hosts.push(host(value)?),
            name => metadata.take(name, value),
        }
        if KEPT_HEADERS.contains(&name.as_str()) {
            if !value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
                return Err(bad("a header value must be of ASCII"));
            }
            kept.extend_from_slice(name.as_bytes());
            kept.extend_from_slice(b": ");
            kept.extend_from_slice(value);
            kept.extend_from_slice(b"\r\n");
        }
    }
    match (metadata.hosts.len(), old) {
        // HTTP/1.0 does not have this header.
        (1, _) | (0, true) => {}
        _ => return Err(refusal(400, "exactly one Host header must be given", method)),
    }
    if let Some(authority) = authority {
        metadata.hosts.push(host(authority.as_bytes())?);
    }
    kept.extend_from_slice(b"\r\n");
    if kept.len() >= MAX_KEPT {
        return Err(refusal(431, "the address and the headers that are needed are longer than 8 KiB", method));
    }
    Ok(Inspected { method, keep_alive, metadata, body_len, kept })
}

/// Splits the target: the authority of an absolute target (RFC 9112 3.2.2), and the path with its
/// query.
fn split(target: &str) -> Option<(Option<&str>, String)> {
    if target.starts_with('/') {
        return Some((None, target.to_owned()));
    }
    let (scheme, rest) = target.split_once("://")?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Some((Some(authority), path))
}

/// Whether the path of `target` is one of [`POST_PATHS`] or [`BODY_PATHS`].
fn takes_post(target: &str) -> bool {
    takes_body(target)
        || split(target)
            .is_some_and(|(_, path)| POST_PATHS.contains(&path.split(['?', '#']).next().unwrap_or_default()))
}

/// Whether the path of `target` is one of [`BODY_PATHS`].
fn takes_body(target: &str) -> bool {
    split(target).is_some_and(|(_, path)| BODY_PATHS.iter().any(|beginning| path.starts_with(beginning)))
}

/// The length of a body that is announced as `value`.
fn length(value: &[u8], target: &str, method: Method) -> Result<usize, Refusal> {
    if method != Method::Post || !takes_body(target) {
        return Err(refusal(413, "a request must not have a body", method));
    }
    let is_number = value.iter().all(u8::is_ascii_digit);
    let len = std::str::from_utf8(value).ok().filter(|_| is_number).and_then(|text| text.parse::<usize>().ok());
    match len {
        Some(len) if len <= MAX_BODY => Ok(len),
        Some(_) => Err(refusal(413, format!("the body is longer than {MAX_BODY} bytes"), method)),
        None => Err(refusal(400, "Content-Length must be a number", method)),
    }
}

fn host(value: &[u8]) -> Result<Authority, Refusal> {
    std::str::from_utf8(value).ok().and_then(Authority::parse).ok_or_else(|| {
        refusal(400, "Host must be a name or an IP address, and may have a port behind a colon", Method::Get)
    })
}

/// Whether the comma-separated list `value` contains `word`, in any case.
fn has_word(value: &[u8], word: &str) -> bool {
    value.split(|&byte| byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

/// A finished head as the socket that `async-h1` needs: it reads to the end and discards the
/// response.
#[derive(Clone)]
struct HeadReader {
    bytes: Arc<[u8]>,
    at: usize,
}

impl AsyncRead for HeadReader {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let rest = &self.bytes[self.at..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for HeadReader {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{camera::Secret, http_auth::authorization::Login, web::http::metadata::Authorization};

    fn status(head: &str) -> Option<u16> {
        match inspect(head.as_bytes()) {
            Ok(_) => None,
            Err(Refusal::Response(response, _)) => Some(response.status),
            Err(Refusal::Gone) => Some(0),
        }
    }

    #[test]
    fn head_keeps_only_the_lines_that_are_used() {
        let Ok(head) =
            inspect(b"GET /a HTTP/1.1\r\nHost: gate.example\r\nCookie: \xff\r\nConnection: a, Close\r\n\r\n")
        else {
            panic!("refused")
        };
        assert_eq!(head.kept, b"GET /a HTTP/1.1\r\nhost: x\r\nconnection: a, Close\r\n\r\n");
        assert_eq!(head.metadata.hosts, [Authority::parse("gate.example").unwrap()]);
        assert!(!head.keep_alive);
    }

    #[test]
    fn head_that_must_not_reach_the_decoder_is_refused() {
        for (head, expected) in [
            ("POST / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
            ("POST /login/ HTTP/1.1\r\nHost: x\r\n\r\n", 405),
            ("POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n", 413),
            ("POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
            ("GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n", 417),
            ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", 413),
            ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
            ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: ä\r\n\r\n", 400),
            ("GET /ä HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET / HTTP/1.1\nHost: x\n\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nX: \u{1}\r\n\r\n", 400),
            (&format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(MAX_HEADERS)), 431),
        ] {
            assert_eq!(status(head), Some(expected), "{head:?}");
        }
    }

    #[test]
    fn login_takes_a_post_without_a_body() {
        for path in ["/login", "/login?to=x", "/logout", "http://x/logout"] {
            let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
            assert_eq!(status(&head), None, "{path}");
        }
    }

    #[test]
    fn login_and_session_are_read_and_doubled_ones_are_not() {
        let metadata = |lines: &str| match inspect(format!("GET / HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n").as_bytes()) {
            Ok(head) => head.metadata,
            Err(_) => panic!("refused"),
        };
        let one = metadata("Authorization: Bearer abc\r\nCookie: a=b; __Host-cctv=xyz");
        assert_eq!(one.authorization, Authorization::Login(Login::Bearer(Secret::new("abc"))));
        assert_eq!(one.session().map(Secret::expose), Some("xyz"));
        let two = metadata("Authorization: Bearer abc\r\nAuthorization: Bearer abc");
        assert_eq!((two.session().is_none(), two.authorization), (true, Authorization::Malformed));
        assert_eq!(metadata("Cookie: __Host-cctv=x\r\nCookie: __Host-cctv=y").session(), None);
        assert_eq!(metadata("Cookie: __Host-cctv=x\r\nCookie: __Host-cctv=%00").session(), None);
        assert_eq!(metadata("Authorization: Digest x").authorization, Authorization::Malformed);
        assert_eq!(metadata("X: y").authorization, Authorization::Absent);
    }

    #[test]
    fn version_one_zero_is_served_and_closed() {
        let Ok(head) = inspect(b"GET / HTTP/1.0\r\n\r\n") else { panic!("refused") };
        assert!(!head.keep_alive);
    }

    #[test]
    fn end_of_head_is_found_across_reads() {
        assert_eq!(end_of_head(b"a\r\n\r\nrest", 0), Some(5));
        assert_eq!(end_of_head(b"a\r\n\r\nrest", 1), Some(5));
        assert_eq!(end_of_head(b"a\r\nb\r\n", 0), None);
    }
}
