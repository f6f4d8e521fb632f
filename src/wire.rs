//! The messages between agent and worker, on a stream socket between the two processes.
//!
//! A message is a head of five bytes, `u32` length of the body and `u8` kind, then the body; numbers
//! are little endian, as both ends run on one machine. A worker has met bytes from the network, so
//! nothing it sends is trusted: lengths are bounded before memory is taken and every field is checked.

use std::{error, fmt, io, sync::Arc};

use crate::{
    camera::{Secret, Transport},
    media::{AccessUnit, Codec, Picture, Rendition, Size, StreamInfo},
};

/// Bytes of the head before every body.
pub const HEAD: usize = 5;

/// The longest body either side accepts, in bytes. A 4K key frame at the highest quality stays under
/// 8 MiB, as does its JPEG.
pub const LONGEST_BODY: usize = 16 << 20;

/// More renditions than this for one camera are refused; the lane's own limit is lower.
pub const MOST_RENDITIONS: usize = 64;

/// What the agent tells a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum ToWorker {
    /// The first message, sent once.
    Open(Open),
    /// The whole set of pictures wanted from now on; empty: decode nothing.
    Want(Vec<Rendition>),
    /// End the session with the camera (TEARDOWN) and exit. The end of the socket means the same.
    Close,
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
}

/// What a worker tells the agent.
#[derive(Clone, Debug, PartialEq)]
pub enum FromWorker {
    /// The stream is open, or changed its size or codec; comes before the units it describes.
    Stream(StreamInfo),
    Unit(AccessUnit),
    Picture(Picture),
    /// Whether a decoder exists from now on.
    Decoding(bool),
    /// Why the worker gives up; its last message.
    Failed(Failure),
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
    /// The stream was open and then ended or fell silent.
    Ended,
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
            Self::TooLong { length } => write!(f, "message of {length} bytes; at most {LONGEST_BODY} are accepted"),
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
    /// Length of the body in bytes, at most [`LONGEST_BODY`].
    pub length: usize,
}

impl Head {
    /// # Errors
    /// [`Error::TooLong`] where the body would be longer than [`LONGEST_BODY`].
    pub fn read(bytes: [u8; HEAD]) -> Result<Self, Error> {
        let [a, b, c, d, kind] = bytes;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > LONGEST_BODY {
            return Err(Error::TooLong { length });
        }
        Ok(Self { kind, length })
    }
}

/// A message that can cross the socket.
pub trait Message: Sized {
    /// Appends head and body to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// # Errors
    /// Where `kind` is unknown, or `body` is not exactly one message of that kind.
    fn decode(kind: u8, body: &[u8]) -> Result<Self, Error>;
}

/// What a worker's environment must say before OpenCV is loaded; a process cannot safely change its
/// own. Setting it drops OpenCV's preference for TCP, so the transport is always named.
pub fn environment(transport: Transport) -> Vec<(&'static str, String)> {
    let transport = match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    // 0.1 s of analysis opens a stream in 0.8 s instead of 2 (measured with a group of 2 s).
    vec![("OPENCV_FFMPEG_CAPTURE_OPTIONS", format!("rtsp_transport;{transport}|analyzeduration;100000"))]
}

/// Blocks until one whole message was read.
///
/// # Errors
/// As [`Head::read`] and [`Message::decode`]; [`Error::Closed`] at a clean end.
pub fn receive<M: Message>(from: &mut impl io::Read) -> Result<M, Error> {
    let mut head = [0; HEAD];
    if from.read(&mut head[..1]).map_err(Error::Io)? == 0 {
        return Err(Error::Closed);
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
    message.encode(&mut bytes);
    to.write_all(&bytes)
}

const OPEN: u8 = 1;
const WANT: u8 = 2;
const CLOSE: u8 = 3;
const STREAM: u8 = 16;
const UNIT: u8 = 17;
const PICTURE: u8 = 18;
const DECODING: u8 = 19;
const FAILED: u8 = 20;

impl Message for ToWorker {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Open(open) => framed(out, OPEN, |out| {
                out.push(u8::from(open.transport == Transport::Udp));
                out.extend(open.first_sequence.to_le_bytes());
                out.push(open.default_quality);
                out.extend(open.uri.expose().as_bytes());
            }),
            Self::Want(renditions) => framed(out, WANT, |out| {
                for rendition in renditions {
                    put_rendition(out, *rendition);
                }
            }),
            Self::Close => framed(out, CLOSE, |_| ()),
        }
    }

    fn decode(kind: u8, body: &[u8]) -> Result<Self, Error> {
        let mut body = Body { kind, rest: body };
        let message = match kind {
            OPEN => {
                let transport = if body.flag()? { Transport::Udp } else { Transport::Tcp };
                let first_sequence = body.u32()?;
                let default_quality = body.u8()?;
                Self::Open(Open { uri: Secret::new(body.text()?), transport, first_sequence, default_quality })
            }
            WANT => {
                let mut renditions = Vec::new();
                while !body.rest.is_empty() {
                    if renditions.len() == MOST_RENDITIONS {
                        return Err(body.malformed());
                    }
                    renditions.push(body.rendition()?);
                }
                Self::Want(renditions)
            }
            CLOSE => Self::Close,
            _ => return Err(Error::UnknownKind(kind)),
        };
        body.end(message)
    }
}

impl Message for FromWorker {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Stream(info) => framed(out, STREAM, |out| {
                out.push(match info.codec {
                    Codec::H264 => 0,
                    Codec::H265 => 1,
                    Codec::Jpeg => 2,
                });
                put_size(out, info.size);
                out.extend(info.fps.to_le_bytes());
            }),
            Self::Unit(unit) => framed(out, UNIT, |out| {
                out.extend(unit.sequence.to_le_bytes());
                out.extend(unit.taken.to_le_bytes());
                out.push(u8::from(unit.key));
                out.extend(unit.data.iter());
            }),
            Self::Picture(picture) => framed(out, PICTURE, |out| {
                put_rendition(out, picture.rendition);
                out.extend(picture.sequence.to_le_bytes());
                out.extend(picture.taken.to_le_bytes());
                out.extend(picture.jpeg.iter());
            }),
            Self::Decoding(on) => framed(out, DECODING, |out| out.push(u8::from(*on))),
            Self::Failed(failure) => framed(out, FAILED, |out| {
                out.push(match failure.kind {
                    FailureKind::Unreachable => 0,
                    FailureKind::Denied => 1,
                    FailureKind::NoVideo => 2,
                    FailureKind::Ended => 3,
                    FailureKind::Internal => 4,
                });
                out.extend(failure.text.as_bytes());
            }),
        }
    }

    fn decode(kind: u8, body: &[u8]) -> Result<Self, Error> {
        let mut body = Body { kind, rest: body };
        let message = match kind {
            STREAM => {
                let codec = match body.u8()? {
                    0 => Codec::H264,
                    1 => Codec::H265,
                    2 => Codec::Jpeg,
                    _ => return Err(body.malformed()),
                };
                let size = body.size()?;
                let fps = f32::from_le_bytes(body.array()?);
                if !(0.0..=1000.0).contains(&fps) {
                    return Err(body.malformed());
                }
                Self::Stream(StreamInfo { codec, size, fps })
            }
            UNIT => {
                let sequence = body.u32()?;
                let taken = u64::from_le_bytes(body.array()?);
                let key = body.flag()?;
                Self::Unit(AccessUnit { sequence, taken, key, data: body.bytes()? })
            }
            PICTURE => {
                let rendition = body.rendition()?;
                let sequence = body.u32()?;
                let taken = u64::from_le_bytes(body.array()?);
                Self::Picture(Picture { rendition, sequence, taken, jpeg: body.bytes()? })
            }
            DECODING => Self::Decoding(body.flag()?),
            FAILED => {
                let kind = match body.u8()? {
                    0 => FailureKind::Unreachable,
                    1 => FailureKind::Denied,
                    2 => FailureKind::NoVideo,
                    3 => FailureKind::Ended,
                    4 => FailureKind::Internal,
                    _ => return Err(body.malformed()),
                };
                Self::Failed(Failure { kind, text: body.text()? })
            }
            _ => return Err(Error::UnknownKind(kind)),
        };
        body.end(message)
    }
}

fn framed(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0, 0, 0, 0, kind]);
    body(out);
    let length = u32::try_from(out.len() - start - HEAD).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

fn put_size(out: &mut Vec<u8>, size: Size) {
    out.extend(size.width.to_le_bytes());
    out.extend(size.height.to_le_bytes());
}

fn put_rendition(out: &mut Vec<u8>, rendition: Rendition) {
    put_size(out, rendition.size);
    out.push(rendition.quality);
    out.push(rendition.fps);
}

/// The part of a body that was not read yet.
struct Body<'a> {
    kind: u8,
    rest: &'a [u8],
}

impl Body<'_> {
    fn malformed(&self) -> Error {
        Error::Malformed { kind: self.kind }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(|| self.malformed())?;
        self.rest = rest;
        Ok(*array)
    }

    fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    fn flag(&mut self) -> Result<bool, Error> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.malformed()),
        }
    }

    /// Sides of 1 to 65535 pixels: the largest a JPEG can have.
    fn size(&mut self) -> Result<Size, Error> {
        let size = Size { width: self.u32()?, height: self.u32()? };
        let sane = |side| (1..=65_535).contains(&side);
        if sane(size.width) && sane(size.height) { Ok(size) } else { Err(self.malformed()) }
    }

    fn rendition(&mut self) -> Result<Rendition, Error> {
        let rendition = Rendition { size: self.size()?, quality: self.u8()?, fps: self.u8()? };
        let sane = (1..=100).contains(&rendition.quality) && rendition.fps > 0;
        if sane { Ok(rendition) } else { Err(self.malformed()) }
    }

    fn text(&mut self) -> Result<String, Error> {
        let text = str::from_utf8(self.rest).map_err(|_| self.malformed())?.to_owned();
        self.rest = &[];
        Ok(text)
    }

    fn bytes(&mut self) -> Result<Arc<[u8]>, Error> {
        Ok(std::mem::take(&mut self.rest).into())
    }

    /// `message`, provided that nothing is left over.
    fn end<M>(self, message: M) -> Result<M, Error> {
        if self.rest.is_empty() { Ok(message) } else { Err(self.malformed()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Rendition = Rendition { size: Size { width: 640, height: 360 }, quality: 50, fps: 25 };

    fn crosses<M: Message + PartialEq + fmt::Debug>(message: &M) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        assert_eq!(&receive::<M>(&mut bytes.as_slice()).unwrap(), message);
        for cut in 1..bytes.len() {
            assert!(receive::<M>(&mut &bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn every_message_comes_out_as_it_went_in() {
        let uri = Secret::new("rtsp://u:p@10.0.0.1/");
        crosses(&ToWorker::Open(Open { uri, transport: Transport::Udp, first_sequence: 7, default_quality: 80 }));
        crosses(&ToWorker::Want(vec![SMALL, Rendition { fps: 1, ..SMALL }]));
        crosses(&ToWorker::Close);
        crosses(&FromWorker::Stream(StreamInfo { codec: Codec::H265, size: SMALL.size, fps: 12.5 }));
        let data: Arc<[u8]> = Arc::from(&b"\0\0\0\x01frame"[..]);
        crosses(&FromWorker::Unit(AccessUnit { sequence: 9, taken: 1 << 50, key: true, data: data.clone() }));
        crosses(&FromWorker::Picture(Picture { rendition: SMALL, sequence: 9, taken: 3, jpeg: data }));
        crosses(&FromWorker::Decoding(true));
        crosses(&FromWorker::Failed(Failure { kind: FailureKind::Denied, text: "401 Unauthorized".into() }));
    }

    #[test]
    fn length_beyond_the_limit_is_refused_before_memory_is_taken() {
        let head = [0xff, 0xff, 0xff, 0x7f, UNIT];
        assert!(matches!(receive::<FromWorker>(&mut &head[..]), Err(Error::TooLong { .. })));
    }

    #[test]
    fn fields_out_of_range_are_refused() {
        let mut picture = Vec::new();
        FromWorker::Picture(Picture {
            rendition: Rendition { quality: 101, ..SMALL },
            sequence: 0,
            taken: 0,
            jpeg: Arc::from(&b""[..]),
        })
        .encode(&mut picture);
        assert!(matches!(receive::<FromWorker>(&mut picture.as_slice()), Err(Error::Malformed { kind: PICTURE })));
        assert!(FromWorker::decode(DECODING, &[2]).is_err());
        assert!(FromWorker::decode(DECODING, &[1, 0]).is_err());
        assert!(matches!(FromWorker::decode(OPEN, &[]), Err(Error::UnknownKind(OPEN))));
    }
}
