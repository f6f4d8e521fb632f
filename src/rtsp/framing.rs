//! Splits the bytes of an RTSP connection into interleaved packets and messages, in any order.
//!
//! A camera whose send buffer is full loses a part of what it sends, and then bytes at a boundary
//! make no sense. [`Deframer`] searches for the next believable boundary and reports how much was
//! lost, so that the picture in progress counts as damaged.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use super::message::{self, Message};

/// Maximum number of bytes that are searched for a boundary.
pub const MAX_SEARCH_LEN: usize = 256 << 10;
/// Maximum time that is spent in search of a boundary.
pub const MAX_SEARCH_TIME: Duration = Duration::from_secs(2);

/// Bytes read from the socket at a time: few large reads cost less than many small ones.
const READ_LEN: usize = 64 << 10;
/// Length of what precedes an interleaved packet: `$`, channel, length.
const PREFIX_LEN: usize = 4;
/// Length of an RTP header without extensions.
const RTP_HEADER_LEN: usize = 12;
/// Lengths of packets that are believed while searching.
const BELIEVABLE_RTP: Range<usize> = RTP_HEADER_LEN..65_536;
const BELIEVABLE_RTCP: Range<usize> = 8..2049;

/// The beginnings of the requests that a camera can send.
const METHODS: [&[u8; 4]; 11] =
    [b"OPTI", b"ANNO", b"REDI", b"TEAR", b"SET_", b"GET_", b"DESC", b"PLAY", b"PAUS", b"SETU", b"RECO"];

/// What the packets of the track look like, as far as it is known. It decides what is believed
/// while searching.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The channels for RTP and RTCP.
    pub channels: Option<(u8, u8)>,
    pub payload_type: Option<u8>,
    pub ssrc: Option<u32>,
}

/// One thing that the camera sent.
#[derive(Debug, PartialEq)]
pub enum Event<'a> {
    /// An interleaved packet, of any channel and length.
    Packet {
        channel: u8,
        data: &'a [u8],
    },
    Message(Message),
    /// A boundary was found again after `skipped` bytes: something was lost.
    Resynchronised {
        skipped: usize,
    },
}

/// Why the connection cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FramingError {
    /// No boundary was found within [`MAX_SEARCH_LEN`] and [`MAX_SEARCH_TIME`].
    OutOfStep { skipped: usize },
    /// A message exceeds the limits of [`message`].
    TooLong,
}

/// Holds what was read and not yet used: at most one packet or message, and one read.
#[derive(Debug, Default)]
pub struct Deframer {
    buffer: Vec<u8>,
    /// The part of `buffer` that is filled and not used.
    start: usize,
    end: usize,
    pub expected: Expected,
    search: Option<Search>,
    /// How often a boundary was searched for and found.
    pub resynchronisations: u64,
    /// Bytes skipped by all searches.
    pub skipped_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Search {
    since: Instant,
    skipped: usize,
}

/// What stands at a place in the bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Boundary {
    Packet,
    Message,
    /// CR or LF between messages.
    Filler,
    Unclear,
    Nonsense,
}

/// What to do with the bytes at the start.
enum Step {
    Packet(u8, Range<usize>),
    Message(Message, usize),
    Skip(usize),
    Wait,
    Lost,
}

impl Deframer {
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the next bytes of the connection go; report their number to [`filled`](Self::filled).
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < self.end + READ_LEN {
            self.buffer.resize(self.end + READ_LEN, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// `count` bytes were put at the beginning of [`space`](Self::space).
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// Puts `bytes` behind the others.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let count = space.len().min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            self.filled(count);
            bytes = &bytes[count..];
        }
    }

    /// Whether a packet or message has begun and is not complete.
    pub fn is_inside(&self) -> bool {
        self.start < self.end
    }

    /// Whether a boundary is searched for.
    pub fn is_searching(&self) -> bool {
        self.search.is_some()
    }

    /// The next event; `None` until more bytes come.
    pub fn next(&mut self, now: Instant) -> Result<Option<Event<'_>>, FramingError> {
        loop {
            let step = match self.search {
                None => self.step()?,
                Some(search) => match self.find() {
                    Some(count) => {
                        self.start += count;
                        let skipped = search.skipped + count;
                        self.search = None;
                        self.resynchronisations += 1;
                        self.skipped_bytes += skipped as u64;
                        return Ok(Some(Event::Resynchronised { skipped }));
                    }
                    None => self.search_further(search, now)?,
                },
            };
            match step {
                Step::Packet(channel, data) => {
                    self.start = data.end;
                    return Ok(Some(Event::Packet { channel, data: &self.buffer[data] }));
                }
                Step::Message(message, len) => {
                    self.start += len;
                    return Ok(Some(Event::Message(message)));
                }
                Step::Skip(count) => self.start += count,
                Step::Wait => return Ok(None),
                // The byte here begins nothing that is believed.
                Step::Lost => {
                    self.start += 1;
                    self.search = Some(Search { since: now, skipped: 1 });
                }
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// What to do while in step.
    fn step(&self) -> Result<Step, FramingError> {
        let bytes = self.bytes();
        Ok(match boundary(bytes) {
            Boundary::Filler => Step::Skip(bytes.iter().take_while(|byte| is_filler(**byte)).count()),
            Boundary::Unclear => Step::Wait,
            Boundary::Nonsense => Step::Lost,
            Boundary::Packet => match packet_len(bytes) {
                // A packet that was cut short contains what follows it. Then no boundary is behind it.
                Some(len) if is_followed_by_nonsense(bytes, len) => Step::Lost,
                Some(len) if bytes.len() >= len => Step::Packet(bytes[1], self.start + PREFIX_LEN..self.start + len),
                _ => Step::Wait,
            },
            Boundary::Message => match message::read(bytes) {
                Ok(Some((message, len))) => Step::Message(message, len),
                Ok(None) => Step::Wait,
                Err(message::Malformed::FirstLine) => Step::Lost,
                // Between packets it may be a beginning without an end.
                Err(_) if self.expected.channels.is_some() => Step::Lost,
                Err(message::Malformed::HeadTooLong | message::Malformed::BodyTooLong) => {
                    return Err(FramingError::TooLong);
                }
            },
        })
    }

    /// Drops bytes that cannot be a boundary; keeps the last ones, of which too few are there.
    fn search_further(&mut self, search: Search, now: Instant) -> Result<Step, FramingError> {
        let dropped = self.bytes().len().saturating_sub(PREFIX_LEN + RTP_HEADER_LEN);
        self.start += dropped;
        let skipped = search.skipped + dropped;
        if skipped > MAX_SEARCH_LEN || now.saturating_duration_since(search.since) > MAX_SEARCH_TIME {
            return Err(FramingError::OutOfStep { skipped });
        }
        self.search = Some(Search { skipped, ..search });
        Ok(Step::Wait)
    }

    /// The place of the first believable boundary.
    fn find(&self) -> Option<usize> {
        let bytes = self.bytes();
        (0..bytes.len()).find(|at| self.is_believable(&bytes[*at..]))
    }

    fn is_believable(&self, bytes: &[u8]) -> bool {
        if bytes.starts_with(b"RTSP/1.") {
            return true;
        }
        let [b'$', channel, _, _, first, second, ..] = *bytes else { return false };
        let Some(len) = packet_len(bytes) else { return false };
        let is_ours = self.expected.channels.is_none_or(|(rtp, rtcp)| channel == rtp || channel == rtcp);
        if !is_ours || first >> 6 != 2 || is_followed_by_nonsense(bytes, len) {
            return false;
        }
        if is_rtcp(second) {
            return BELIEVABLE_RTCP.contains(&(len - PREFIX_LEN));
        }
        let Some(ssrc) = bytes.get(PREFIX_LEN + 8..PREFIX_LEN + RTP_HEADER_LEN) else { return false };
        BELIEVABLE_RTP.contains(&(len - PREFIX_LEN))
            && self.expected.payload_type.is_none_or(|payload_type| second & 0x7f == payload_type)
            && self.expected.ssrc.is_none_or(|expected| ssrc == expected.to_be_bytes())
    }
}

/// `packet` as it goes over the connection on `channel` (RFC 2326 10.12).
pub fn interleaved(channel: u8, packet: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(packet.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[b'$', channel, high, low], packet].concat()
}

/// Whether the second byte of a packet says that it is RTCP, whatever its channel: some cameras
/// exchange the channels. RTP with these types does not occur (RFC 5761).
pub fn is_rtcp(second_byte: u8) -> bool {
    (200..=207).contains(&second_byte)
}

/// The length of the interleaved packet with its prefix.
fn packet_len(bytes: &[u8]) -> Option<usize> {
    let [_, _, high, low, ..] = *bytes else { return None };
    Some(PREFIX_LEN + usize::from(u16::from_be_bytes([high, low])))
}

/// Whether bytes behind the first `len` are there and begin nothing.
fn is_followed_by_nonsense(bytes: &[u8], len: usize) -> bool {
    bytes.get(len..).is_some_and(|rest| boundary(rest) == Boundary::Nonsense)
}

fn is_filler(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// What begins with `bytes`.
fn boundary(bytes: &[u8]) -> Boundary {
    match *bytes {
        [] => Boundary::Unclear,
        [b'$', ..] => Boundary::Packet,
        [byte, ..] if is_filler(byte) => Boundary::Filler,
        _ => {
            let begins = |word: &[u8]| {
                let common = word.len().min(bytes.len());
                bytes[..common].eq_ignore_ascii_case(&word[..common])
            };
            match begins(b"RTSP/") || METHODS.iter().any(|method| begins(*method)) {
                true if bytes.len() < 5 => Boundary::Unclear,
                true => Boundary::Message,
                false => Boundary::Nonsense,
            }
        }
    }
}
