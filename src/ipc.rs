//! The messages between agent and worker, on a stream socket between the two processes.
//!
//! A message is a head of five bytes, `u32` length of the body and `u8` kind, then the body; numbers
//! are little endian, as both ends run on one machine. A worker has met bytes from the network, so
//! nothing it sends is trusted: lengths are bounded before memory is taken and every field is checked.

mod encoding;
pub mod fork;

use std::{
    error, fmt,
    io::{self, IoSlice},
    time::Duration,
};

use crate::{
    camera::{Secret, Transport},
    media::{AccessUnit, Picture, Rendition, StreamInfo},
};

/// Bytes of the head before every body.
pub const HEAD: usize = 5;

/// The longest body either side accepts, in bytes. A 4K key frame at the highest quality stays under
/// 8 MiB, as does its JPEG.
pub const MAX_BODY_LEN: usize = 16 << 20;

/// Bytes of memory a worker may have where nobody says otherwise. Measured as data (heap, stacks and
/// private mappings): 53 MB while reading, 87 MB with 1080p H.264 decoded and encoded in three sizes,
/// 200 MB with 4K H.264, 475 MB with 4K H.265 of 10 bits.
pub const WORKER_MEMORY: u64 = 768 << 20;

/// More renditions than this for one camera are refused; the lane's own limit is lower.
pub const MAX_RENDITIONS: usize = 64;

/// What the agent tells a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum ToWorker {
    /// The first message, sent once.
    Open(Open),
    /// The whole set of pictures wanted from now on; empty: decode nothing.
    SetRenditions(Vec<Rendition>),
    /// End the session with the camera (TEARDOWN) and exit within this time, in whole milliseconds. The end
    /// of the socket means the same.
    Close(Duration),
}

/// The stream a worker is to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// RTSP address with percent-encoded credentials.
    pub uri: Secret,
    pub transport: Transport,
    /// Sequence of the first access unit; it counts up from there, wrapping.
    pub first_sequence: u32,
    /// JPEG quality where a viewer does not ask for one, 1 to 100: at this quality and their own size
    /// the pictures of a JPEG camera pass through untouched.
    pub default_quality: u8,
    /// Without an access unit for this long the worker gives up by itself, and can say TEARDOWN; in
    /// whole milliseconds.
    pub read_limit: Duration,
    /// Bytes of memory the worker is refused more than; see [`WORKER_MEMORY`].
    pub most_memory: u64,
}

/// What a worker tells the agent.
#[derive(Clone, Debug, PartialEq)]
pub enum FromWorker {
    /// The stream is open, or changed its size, shape or codec; comes before the units it describes.
    Stream(StreamInfo),
    Unit(AccessUnit),
    Picture(Picture),
    /// The unit sent last is this picture as it is.
    UnitAsPicture(UnitAsPicture),
    /// Whether a decoder exists from now on.
    Decoding(bool),
    /// Why the worker gives up; its last message.
    Failed(Failure),
}

/// A JPEG camera's own picture, which has crossed the socket as a unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitAsPicture {
    pub rendition: Rendition,
    /// Of the unit.
    pub sequence: u32,
}

/// Why a worker gave up, in words for the person on site; never holds a password.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub kind: FailureKind,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No connection, no answer, or no such stream.
    Unreachable,
    /// The camera refused the login.
    Denied,
    /// The stream holds no video we can use.
    NoVideo,
    /// The stream was open and then ended.
    Ended,
    /// The stream is open, and no frame came within [`Open::read_limit`].
    Silent,
    /// The worker's own trouble.
    Internal,
}

#[derive(Debug)]
pub enum Error {
    /// The other side ended between two messages.
    Closed,
    /// The socket failed, or ended inside a message.
    Io(io::Error),
    TooLong {
        length: usize,
    },
    UnknownKind(u8),
    Malformed {
        kind: u8,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(f, "the other side closed the socket"),
            Self::Io(_) => write!(f, "the socket between agent and worker failed"),
            Self::TooLong { length } => write!(f, "message of {length} bytes; at most {MAX_BODY_LEN} are accepted"),
            Self::UnknownKind(kind) => write!(f, "message of unknown kind {kind}"),
            Self::Malformed { kind } => write!(f, "malformed message of kind {kind}"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io(source) => Some(source),
            Self::Closed | Self::TooLong { .. } | Self::UnknownKind(_) | Self::Malformed { .. } => None,
        }
    }
}

/// A head that passed its checks: what follows and how long it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    pub kind: u8,
    /// Length of the body in bytes, at most [`MAX_BODY_LEN`].
    pub length: usize,
}

impl Head {
    /// # Errors
    /// [`Error::TooLong`] where the body would be longer than [`MAX_BODY_LEN`].
    pub fn read(bytes: [u8; HEAD]) -> Result<Self, Error> {
        let [a, b, c, d, kind] = bytes;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > MAX_BODY_LEN {
            return Err(Error::TooLong { length });
        }
        Ok(Self { kind, length })
    }
}

pub use encoding::{decode_with_payload, payload_len};

/// A message that can cross the socket.
pub trait Message: Sized {
    /// Appends head and body to `out`, but for the bytes at the end that are returned: those of a frame,
    /// which need not be copied.
    fn begin(&self, out: &mut Vec<u8>) -> &[u8];

    /// Appends head and body to `out`.
    fn encode(&self, out: &mut Vec<u8>) {
        let rest = self.begin(out);
        out.extend_from_slice(rest);
    }

    /// # Errors
    /// Where `kind` is unknown, or `body` is not exactly one message of that kind.
    fn decode(kind: u8, body: &[u8]) -> Result<Self, Error>;
}

/// What a worker's environment must say before OpenCV opens a stream. Setting it drops OpenCV's preference
/// for TCP, so the transport is always named.
pub fn environment(transport: Transport) -> Vec<(&'static str, String)> {
    let transport = match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    // 0.1 s of analysis opens a stream in 0.8 s instead of 2 (measured with a group of 2 s).
    let options = format!("rtsp_transport;{transport}|analyzeduration;100000");
    // OpenCV opens a decoder with a thread for each core, which never gets a frame: 31 MB instead of 19 where
    // there are 16. Its 4.7 is the first that heeds this.
    vec![("OPENCV_FFMPEG_CAPTURE_OPTIONS", options), ("OPENCV_FFMPEG_THREADS", "1".to_owned())]
}

/// Blocks until one whole message was read.
///
/// # Errors
/// As [`Head::read`] and [`Message::decode`]; [`Error::Closed`] at a clean end.
pub fn receive<M: Message>(from: &mut impl io::Read) -> Result<M, Error> {
    let mut head = [0; HEAD];
    loop {
        match from.read(&mut head[..1]) {
            Ok(0) => return Err(Error::Closed),
            Ok(_) => break,
            // A signal is no reason to end.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Io(error)),
        }
    }
    from.read_exact(&mut head[1..]).map_err(Error::Io)?;
    let head = Head::read(head)?;
    let mut body = vec![0; head.length];
    from.read_exact(&mut body).map_err(Error::Io)?;
    M::decode(head.kind, &body)
}

/// Blocks until the whole message was written, in one write where the socket takes it.
///
/// # Errors
/// What the socket says.
pub fn send(to: &mut impl io::Write, message: &impl Message) -> io::Result<()> {
    let mut bytes = Vec::new();
    let rest = message.begin(&mut bytes);
    let mut slices = [IoSlice::new(&bytes), IoSlice::new(rest)];
    let mut left = slices.as_mut_slice();
    while !left.is_empty() {
        match to.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
