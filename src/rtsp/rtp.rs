//! Turns the RTP packets of one video track into access units, and says of each unit whether it is whole.
//!
//! Nothing here reads a socket or a clock: packets and times are arguments, units are results.
//!
//! ```
//! use std::time::Instant;
//!
//! use cctv_agent::rtsp::rtp::{Event, KeyFrameGate, TrackConfig, TrackReceiver, Transport};
//!
//! let mut receiver = TrackReceiver::new(&TrackConfig {
//!     encoding_name: "H264".into(),
//!     clock_rate: 90_000,
//!     payload_type: 96,
//!     fmtp: "96 packetization-mode=1;sprop-parameter-sets=Z0IAKeKQCgC3YC3AQEBpB4kRUA==,aM48gA==".into(),
//!     transport: Transport::Tcp,
//!     size_hint: None,
//!     local_ssrc: 0x1234_5678,
//!     cname: "cctv-agent".into(),
//! })?;
//! let mut gate = KeyFrameGate::new();
//! // An IDR picture in one packet, with marker.
//! let packet = [&[0x80, 0x80 | 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9][..], &[0x65, 0x88, 0x84]].concat();
//! let mut events = Vec::new();
//! receiver.push(&packet, Instant::now(), &mut events);
//! // The first unit waits a moment: this camera's marker bits are not known to be right.
//! let due = receiver.deadline().ok_or("nothing is due")?;
//! receiver.poll(due, &mut events);
//! for event in events {
//!     if let Event::Unit(unit) = event
//!         && gate.admit(&unit)
//!     {
//!         assert!(unit.is_key && unit.data.ends_with(&[0, 0, 0, 1, 0x65, 0x88, 0x84]));
//!     }
//! }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it works
//!
//! A packet passes four stages. The `payload_type` filter drops packets that are not of this track. The `order` stage
//! sorts and counts them. A depacketiser for each codec (`h264`, `h265`, `jpeg`, `mpeg4`) takes the frames out of
//! them. For H.264 and H.265, `access_unit` finds where a unit ends. RTCP is recognised by its packet type, so the
//! channel on which a packet came does not matter. [`KeyFrameGate`] decides which units may be shown.
//!
//! All that a camera can make grow has a bound: the packets that wait, the length of a unit ([`MAX_UNIT_LEN`]), the
//! number of its NAL units, and the side of a JPEG.

mod access_unit;
mod audio;
mod backlog;
mod codec_fit;
mod config;
mod fmtp;
mod h264;
mod h265;
mod integrity;
mod jpeg;
mod mpeg4;
mod nal_class;
mod order;
mod packet;
mod payload_type;
mod receiver;
mod rtcp;
#[cfg(test)]
mod tests;
mod unit_end;

use std::time::{Duration, Instant};

pub use audio::{AacPacking, AudioConfig, AudioPacking, AudioReceiver, AudioUnit};
pub use backlog::{Backlog, Passage};
pub use config::{Encoding, KeyFrameRequest, TrackConfig, Transport, UnsupportedEncoding};
pub(super) use fmtp::Fmtp;
pub use integrity::KeyFrameGate;
pub use receiver::TrackReceiver;

use crate::media::{self, Damage, StreamInfo, UnixMicros};

/// The RTP clock rate of video, per second (RFC 2435, 6184, 7798), for a track that does not tell its own.
pub const VIDEO_CLOCK_RATE: u32 = 90_000;

/// Longest access unit, in bytes. A key frame of 4K at the highest quality stays below.
pub const MAX_UNIT_LEN: usize = 8 << 20;

/// Microseconds from the RTP time `earlier` to `time`, which may lie before it. The times have 32 bits and wrap, so
/// they must be within 2^31 ticks.
fn micros_between(earlier: u32, time: u32, clock_rate: u32) -> i64 {
    i64::from(time.wrapping_sub(earlier).cast_signed()) * 1_000_000 / i64::from(clock_rate.max(1))
}

/// Where packets are missing, seen from one unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// Nothing is missing since the unit before.
    #[default]
    None,
    /// Packets of this unit are missing, and of no other one.
    Inside,
    /// Packets are missing before or beside this unit. Whole units may be missing. So it is for the first unit of a
    /// stream.
    Before,
}

/// One access unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// Annex B with start codes of 4 bytes and parameter sets before each key frame, or one JPEG, or a frame of
    /// MPEG-4. May be cut or empty unless [`Unit::is_whole`].
    pub data: Vec<u8>,
    /// Decodable without any earlier unit.
    pub is_key: bool,
    /// Every packet of it came, and could be read.
    pub is_whole: bool,
    /// Other units may refer to it.
    pub is_reference: bool,
    /// It may refer to units before the newest key frame, so it is not decodable if decoding began there.
    pub is_leading: bool,
    pub loss: Loss,
    /// Packets lost since the last packet of the unit before, in this unit or before it; a lower bound where the
    /// camera changed its numbering.
    pub lost_packets: u32,
    /// In units of the clock rate.
    pub rtp_time: u32,
    /// The camera's clock at [`Unit::rtp_time`], from its sender reports. A hint to show: cameras' clocks are often
    /// wrong.
    pub camera_time: Option<UnixMicros>,
    /// When its last packet came.
    pub received_at: Instant,
}

impl Unit {
    /// The unit as the rest of the program passes it on; `damage` as [`KeyFrameGate`] and its user decide.
    pub fn into_access_unit(self, sequence: u32, taken: UnixMicros, damage: Option<Damage>) -> media::AccessUnit {
        media::AccessUnit { sequence, taken, key: self.is_key, damage, data: self.data.into_boxed_slice().into() }
    }
}

/// What a camera does that cannot be read, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// NAL units are not sent in decoding order (RFC 6184 interleaved mode). Reported once.
    Interleaved,
    /// For two seconds hardly anything fitted the track's codec: its settings were changed. Open the stream again.
    AnotherCodec,
}

/// What packets give.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The properties of the stream, before the first key frame and whenever they change. Not for headers that cannot
    /// be read. `fps` is what the stream declares.
    StreamInfo(StreamInfo),
    Unit(Unit),
    Problem(Problem),
    /// The counters so far, about once a second. [`stream::read`](crate::rtsp::stream::read) adds it.
    Stats(Stats),
    /// The track is set up. [`stream::read`](crate::rtsp::stream::read) adds it.
    SetUp {
        transport: Transport,
        /// Of the RTP times, per second.
        clock_rate: u32,
        /// How the camera offers to be asked for a key frame by RTCP.
        key_frame_request: Option<KeyFrameRequest>,
    },
    /// The camera said BYE, and nothing came since.
    Ended,
}

/// Counters of one track since its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// In order, without duplicates.
    pub packets: u64,
    pub lost: u64,
    pub late: u64,
    pub duplicates: u64,
    /// Of another source (SSRC).
    pub foreign: u64,
    /// Of another payload type, or not readable as RTP.
    pub ignored: u64,
    /// Changes of source or numbering.
    pub resyncs: u64,
    /// Interarrival jitter (RFC 3550 6.4.1).
    pub jitter: Duration,
    pub whole_units: u64,
    pub damaged_units: u64,
}
