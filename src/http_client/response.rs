//! Reads an HTTP response, however the camera frames it, without touching a socket.
//!
//! Lengths sent by cameras are hints. A response ends at its announced length, at its last chunk or
//! at the end of the connection, but also if the root element of its XML is closed and nothing more
//! arrives. A malformed part of the head is ignored; the response stays readable. A body that
//! arrives compressed without a request for it is decompressed.

mod chunks;
mod decoding;
mod reader;

pub use reader::{Reader, read};

/// Maximum bytes of status line and headers, interim responses included.
pub const MAX_HEAD_LEN: usize = 64 << 10;
/// Maximum number of header fields in one head.
pub const MAX_HEADERS: usize = 128;
/// Maximum bytes of the body that are kept, after decompression and without what the [`Outline`]
/// omits. The longest recorded response has 37 kB.
pub const MAX_BODY_LEN: usize = 1 << 20;
/// Maximum bytes of the body that are read, before and after decompression: it limits work, not
/// memory.
const MAX_READ: usize = 64 << 20;

/// One whole response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// `None` if the status line could not be read.
    pub status: Option<u16>,
    /// Name in lower case, value as lossy UTF-8.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// Every value of header `name`, which must be in lower case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

/// Why a response could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection ended before the first byte of a response.
    #[error("the connection was closed without an answer")]
    Empty,
    #[error("the HTTP head is longer than {} KiB", MAX_HEAD_LEN >> 10)]
    HeadTooLong,
    #[error("the answer is longer than {} KiB", MAX_BODY_LEN >> 10)]
    BodyTooLong,
    /// Far more bytes than the kept parts can need.
    #[error("the answer has not ended after {} MiB", MAX_READ >> 20)]
    Endless,
    /// The compression is unknown, or the compressed data is damaged; with the name of the
    /// encoding.
    #[error("the answer is damaged, or compressed in an unknown way ({0})")]
    Encoding(String),
    #[error("the HTTP head is damaged")]
    Head(#[source] httparse::Error),
    #[error("the chunks of the HTTP answer are damaged")]
    Chunk,
}
