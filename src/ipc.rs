//! The messages between agent and worker, on a stream socket between the two processes.
//!
//! A message is a head of five bytes, `u32` length of the body and `u8` kind, then the body.
//! Numbers are little endian, because both ends run on one machine. A worker handles bytes from the
//! network, so nothing that it sends is trusted: lengths are checked before memory is allocated,
//! and every field is checked.

mod encoding;
mod version;

use std::{
    io::{self, IoSlice},
    time::Duration,
};

use bytes::Bytes;

use crate::{
    camera::{Secret, Transport, VideoDevice},
    media::{AccessUnit, Codec, Picture, Rendition, StreamInfo, WantedRendition},
    sandbox::{Sandbox, SandboxPolicy},
    text::Reason,
};
pub use version::{OTHER_VERSION_EXIT, VERSION};

/// Bytes of the head before every body.
pub const HEAD: usize = 5;

/// The longest body that either side accepts, in bytes. A 4K key frame at the highest quality stays
/// under 8 MiB, as does its JPEG.
pub const MAX_BODY_LEN: usize = 16 << 20;

/// Default memory limit of a worker, in bytes. It counts data (heap, stacks and private mappings).
/// Measured: 53 MB while reading, 87 MB with 1080p H.264 decoded and encoded in three sizes, 200 MB
/// with 4K H.264, 475 MB with 4K H.265 of 10 bits.
pub const WORKER_MEMORY: u64 = 768 << 20;

/// Maximum number of renditions per camera; the stream's own limit is lower.
pub const MAX_RENDITIONS: usize = 64;

/// A message from the agent to a worker. The first one, sent once, is [`ToWorker::Open`] or
/// [`ToWorker::Decode`], whose body begins with the [`VERSION`].
#[derive(Clone, Debug, PartialEq)]
pub enum ToWorker {
    /// Read this stream, and decode it on demand.
    Open(Open),
    /// Decode the units that follow.
    Decode(Decode),
    /// The next unit for a worker that began with [`ToWorker::Decode`].
    Unit(AccessUnit),
    /// All renditions wanted from now on; empty: decode nothing.
    SetRenditions(Vec<WantedRendition>),
    /// End the session with the camera (TEARDOWN) and exit within this time, in whole milliseconds.
    /// The end of the socket means the same.
    Close(Duration),
}

/// The stream a worker is to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// RTSP address with percent-encoded credentials.
    pub uri: Secret,
    pub transport: Transport,
    /// Sequence number of the first access unit; it counts up from there and wraps.
    pub first_sequence: u32,
    /// JPEG quality if a viewer requests none, 1 to 100. At this quality and their own size, the
    /// pictures of a JPEG camera pass through unchanged.
    pub default_quality: u8,
    /// After this time without an access unit the worker gives up by itself, and can send TEARDOWN;
    /// in whole milliseconds.
    pub read_limit: Duration,
    /// The memory limit of the worker in bytes; see [`WORKER_MEMORY`].
    pub most_memory: u64,
    /// The bytes of units that it may keep for a decoder that starts later: as much as the agent
    /// keeps of the stream.
    pub group_memory: u64,
    pub sandbox: SandboxPolicy,
}

/// What a worker is to decode: the units that the agent sends it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decode {
    pub codec: Codec,
    /// As [`Open::default_quality`].
    pub default_quality: u8,
    /// As [`Open::most_memory`].
    pub most_memory: u64,
    /// As [`Open::group_memory`].
    pub group_memory: u64,
    pub sandbox: SandboxPolicy,
    /// What each of its pictures must say, in ASCII: it is drawn into them as a mark. No picture is
    /// passed on as it is then. Never empty.
    pub remark: Option<String>,
}

/// A message from a worker to the agent. A worker that began with [`ToWorker::Decode`] sends no
/// `Stream`, `Unit` or `UnitAsPicture`.
#[derive(Clone, Debug, PartialEq)]
pub enum FromWorker {
    /// What of the sandbox took hold: the first message of a worker, before it reads anything that a
    /// camera sent.
    Sandbox(Sandbox),
    /// The stream is open, or its size, shape or codec has changed. Comes before the units it
    /// describes.
    Stream(StreamInfo),
    Unit(AccessUnit),
    Picture(Picture),
    /// The last unit is this picture, unchanged.
    UnitAsPicture(UnitAsPicture),
    /// Whether a decoder exists from now on.
    Decoding(bool),
    /// The decoding thread is at work; sent every half second at most, while it is given units.
    Progress(Progress),
    /// Why the worker gives up; its last message.
    Failed(Failure),
}

/// What became of the units that a worker has decoded since a frame last came of one. Both numbers
/// are 0 while it decodes none, as when it waits for a key frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Units given to the decoder that gave no frame. It may hold some of them.
    pub without_frame: u32,
    /// Units that could not be decoded, or were cut short.
    pub damaged: u32,
}

/// A JPEG camera's own picture, already sent as a unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitAsPicture {
    pub rendition: Rendition,
    /// The sequence number of the unit.
    pub sequence: u32,
}

/// Why a worker gave up; never holds a password.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub kind: FailureKind,
    pub reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No connection, no response, or no such stream.
    Unreachable,
    /// The camera refused the login.
    Denied,
    /// The stream holds no usable video.
    NoVideo,
    /// The stream was open and then ended.
    Ended,
    /// The sandbox is not as [`SandboxPolicy::Required`] demands.
    Sandbox,
    /// The stream is open, and no frame came within [`Open::read_limit`].
    Silent,
    /// An error of the worker itself.
    Internal,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peer closed the socket between two messages.
    #[error("the other side closed the socket")]
    Closed,
    /// The socket failed, or was closed inside a message.
    #[error("the socket between agent and worker failed")]
    Io(#[source] io::Error),
    #[error("message of {length} bytes; at most {MAX_BODY_LEN} are accepted")]
    TooLong { length: usize },
    #[error("message of unknown kind {0}")]
    UnknownKind(u8),
    #[error("malformed message of kind {kind}")]
    Malformed { kind: u8 },
    /// The first message to a worker has another [`VERSION`].
    #[error("a message of another version")]
    OtherVersion,
}

/// A checked head: the kind and length of the body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    pub kind: u8,
    /// Length of the body in bytes, at most [`MAX_BODY_LEN`].
    pub length: usize,
}

impl Head {
    /// # Errors
    /// [`Error::TooLong`] if the body would be longer than [`MAX_BODY_LEN`].
    pub fn read(bytes: [u8; HEAD]) -> Result<Self, Error> {
        let [a, b, c, d, kind] = bytes;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > MAX_BODY_LEN {
            return Err(Error::TooLong { length });
        }
        Ok(Self { kind, length })
    }
}

/// A message that can be sent over the socket.
pub trait Message: Sized {
    /// Appends head and body to `out`, except the last bytes of the body, which are returned: those
    /// of a frame, which need not be copied.
    fn begin(&self, out: &mut Vec<u8>) -> &[u8];

    /// Appends head and body to `out`.
    fn encode(&self, out: &mut Vec<u8>) {
        let rest = self.begin(out);
        out.extend_from_slice(rest);
    }

    /// How many of the last bytes of a body of `length` bytes are the frame itself. `None` if the
    /// body is too short for a message of `kind`, or such a message holds no frame.
    fn payload_len(kind: u8, length: usize) -> Option<usize>;

    /// Decodes a message that holds a frame, from the fields before the frame and the frame's own
    /// bytes.
    ///
    /// # Errors
    /// As [`Message::decode`].
    fn decode_with_payload(kind: u8, fields: &[u8], data: Bytes) -> Result<Self, Error>;

    /// # Errors
    /// If `kind` is unknown, or `body` is not exactly one message of that kind.
    fn decode(kind: u8, body: &[u8]) -> Result<Self, Error>;
}

/// Environment variables that a worker needs before OpenCV opens what `open` names. They replace OpenCV's
/// preference for TCP, so the transport of RTSP is always named.
pub fn environment(open: &Open) -> Vec<(&'static str, String)> {
    if VideoDevice::parse(open.uri.expose()).is_some() {
        // In whole seconds; the stall detector tells it sooner.
        let seconds = open.read_limit.as_secs().max(1);
        return vec![("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", seconds.to_string())];
    }
    let transport = match open.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        Transport::Multicast => "udp_multicast",
        Transport::Http => "http",
    };
    // With an analysis of 0.1 s a stream opens in 0.8 s instead of 2 s (measured with a GOP of 2
    // s). The others keep a camera from choosing which parts of FFmpeg read its stream: protocols and
    // decoders are those that are needed, none for sound, and RTP is taken from the camera's address
    // alone. Sound is asked for nevertheless (`allowed_media_types`): of a camera without video FFmpeg
    // would only say that PLAY failed.
    let for_all = "analyzeduration;100000|codec_whitelist;h264,hevc,mjpeg";
    let scheme = open.uri.expose().split(':').next().unwrap_or_default();
    // The formats are those that containers over HTTP have; the inner one of HLS is among them. Nothing leads from
    // TLS to clear text. FFmpeg begins three pieces before the end of a playlist; one is enough.
    let of_http = "format_whitelist;hls,mpegts,mov,flv,live_flv,matroska,mpjpeg|live_start_index;-1";
    let of_rtmp = "format_whitelist;flv,live_flv";
    let options = match scheme {
        "http" => format!("{for_all}|protocol_whitelist;http,https,tls,tcp,crypto|{of_http}"),
        "https" => format!("{for_all}|protocol_whitelist;https,tls,tcp,crypto|{of_http}"),
        "rtmp" => format!("{for_all}|protocol_whitelist;rtmp,tcp|{of_rtmp}"),
        "rtmps" => format!("{for_all}|protocol_whitelist;rtmps,rtmp,tls,tcp|{of_rtmp}"),
        _ => format!(
            "rtsp_transport;{transport}|{for_all}|protocol_whitelist;rtp,tcp,udp,tls{}|rtsp_flags;filter_src",
            if open.transport == Transport::Http { ",http" } else { "" }
        ),
    };
    // OpenCV opens a decoder with a thread for each core, which never gets a frame: 31 MB instead
    // of 19 MB with 16 cores. OpenCV 4.7 is the first version that honours this variable.
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
            // A signal does not end the read.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Io(error)),
        }
    }
    from.read_exact(&mut head[1..]).map_err(Error::Io)?;
    let head = Head::read(head)?;
    let payload = M::payload_len(head.kind, head.length);
    let mut fields = vec![0; head.length - payload.unwrap_or(0)];
    from.read_exact(&mut fields).map_err(Error::Io)?;
    let Some(length) = payload else { return M::decode(head.kind, &fields) };
    let mut data = vec![0; length];
    from.read_exact(&mut data).map_err(Error::Io)?;
    M::decode_with_payload(head.kind, &fields, data.into())
}

/// Blocks until the whole message was written, in one write if the socket takes it.
///
/// # Errors
/// The error of the socket.
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
