//! A camera that sends packets, and a receiver that collects what they give.

use std::time::{Duration, Instant};

use super::super::{Event, Problem, TrackConfig, TrackReceiver, Transport, Unit};
use crate::media::StreamInfo;

pub const SSRC: u32 = 0x0102_0304;
pub const PAYLOAD_TYPE: u8 = 96;
/// RTP time from one frame to the next, at 25 frames per second.
pub const STEP: u32 = 3600;

/// SPS and PPS of H.264 Baseline, 1280x720.
pub const SPS: [u8; 16] = [0x67, 0x42, 0, 0x29, 0xe2, 0x90, 0x0a, 0, 0xb7, 0x60, 0x2d, 0xc0, 0x40, 0x40, 0x69, 0x07];
pub const PPS: [u8; 4] = [0x68, 0xce, 0x3c, 0x80];

/// A slice of an IDR picture of H.264 that begins it, with `len` bytes of data.
pub fn idr(fill: u8, len: usize) -> Vec<u8> {
    slice(0x65, true, fill, len)
}

/// A slice of a P picture of H.264 to which others refer.
pub fn p(fill: u8, len: usize) -> Vec<u8> {
    slice(0x41, true, fill, len)
}

/// A slice of H.264 with this header; `begins` its picture or not. The data has no zero bytes.
pub fn slice(header: u8, begins: bool, fill: u8, len: usize) -> Vec<u8> {
    // first_mb_in_slice 0 and slice_type 7 (I) or 5 (P).
    let first = if !begins {
        0x42
    } else if header & 0x1f == 5 {
        0x88
    } else {
        0x9a
    };
    let data = (0..len).map(|at| (at as u8).wrapping_mul(31).wrapping_add(fill) | 1);
    [header, first].into_iter().chain(data).collect()
}

/// A NAL unit of H.265 of this type, with layer 0 and TemporalId 0; `first` is its third byte.
pub fn nal265(kind: u8, first: u8, fill: u8, len: usize) -> Vec<u8> {
    let data = (0..len).map(|at| (at as u8).wrapping_mul(29).wrapping_add(fill) | 1);
    [kind << 1, 1, first].into_iter().chain(data).collect()
}

/// VPS, SPS, PPS of H.265. The SPS is cut: its size is not known.
pub fn sets265() -> [Vec<u8>; 3] {
    [nal265(32, 0x0c, 1, 8), nal265(33, 0x01, 2, 8), nal265(34, 0xc1, 3, 4)]
}

pub fn annex_b<T: AsRef<[u8]>>(nals: &[T]) -> Vec<u8> {
    nals.iter().flat_map(|nal| [&[0, 0, 0, 1], nal.as_ref()].concat()).collect()
}

/// An RTP packet.
#[derive(Clone, Debug)]
pub struct Rtp {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub time: u32,
    pub ssrc: u32,
    pub payload: Vec<u8>,
}

impl Rtp {
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0x80, u8::from(self.marker) << 7 | self.payload_type];
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.time.to_be_bytes());
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// The packet with a header extension of whole words.
    pub fn with_extension(&self, profile: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = self.bytes();
        bytes[0] |= 0x10;
        let words = u16::try_from(data.len() / 4).unwrap();
        let extension = [&profile.to_be_bytes()[..], &words.to_be_bytes(), data].concat();
        bytes.splice(12..12, extension);
        bytes
    }
}

/// Numbers the packets of a stream.
#[derive(Clone, Debug)]
pub struct Camera {
    pub sequence: u16,
    pub time: u32,
    pub ssrc: u32,
    pub payload_type: u8,
}

impl Camera {
    pub fn new() -> Self {
        Self { sequence: 1000, time: 50_000, ssrc: SSRC, payload_type: PAYLOAD_TYPE }
    }

    pub fn next(&mut self, marker: bool, payload: &[u8]) -> Rtp {
        let Self { sequence, time, ssrc, payload_type } = *self;
        self.sequence = sequence.wrapping_add(1);
        Rtp { marker, payload_type, sequence, time, ssrc, payload: payload.to_vec() }
    }

    pub fn packet(&mut self, marker: bool, payload: &[u8]) -> Vec<u8> {
        self.next(marker, payload).bytes()
    }

    /// The packets of one frame, a packet for each payload, with the marker on the last; then the time goes on.
    pub fn frame<T: AsRef<[u8]>>(&mut self, payloads: &[T]) -> Vec<Vec<u8>> {
        let last = payloads.len() - 1;
        let packets = payloads.iter().enumerate().map(|(at, payload)| self.packet(at == last, payload.as_ref()));
        let packets = packets.collect();
        self.step();
        packets
    }

    pub fn step(&mut self) {
        self.time = self.time.wrapping_add(STEP);
    }
}

/// The fragments (FU-A) of a NAL unit of H.264, with at most `size` bytes each.
pub fn fu_a(nal: &[u8], size: usize) -> Vec<Vec<u8>> {
    let chunks = nal[1..].chunks(size);
    let last = chunks.len() - 1;
    let bits = |at: usize| u8::from(at == 0) << 7 | u8::from(at == last) << 6;
    let fragment = |(at, chunk): (usize, &[u8])| [&[nal[0] & 0xe0 | 28, bits(at) | nal[0] & 0x1f], chunk].concat();
    chunks.enumerate().map(fragment).collect()
}

/// The fragments (FU) of a NAL unit of H.265.
pub fn fu_265(nal: &[u8], size: usize) -> Vec<Vec<u8>> {
    let chunks = nal[2..].chunks(size);
    let last = chunks.len() - 1;
    let bits = |at: usize| u8::from(at == 0) << 7 | u8::from(at == last) << 6;
    let fragment = |(at, chunk): (usize, &[u8])| {
        [&[nal[0] & 0x81 | 49 << 1, nal[1], bits(at) | nal[0] >> 1 & 0x3f], chunk].concat()
    };
    chunks.enumerate().map(fragment).collect()
}

/// A STAP-A of H.264, or its relatives, with this head.
pub fn aggregate<T: AsRef<[u8]>>(head: &[u8], nals: &[T]) -> Vec<u8> {
    let entry = |nal: &T| [&u16::try_from(nal.as_ref().len()).unwrap().to_be_bytes()[..], nal.as_ref()].concat();
    [head.to_vec(), nals.iter().flat_map(entry).collect()].concat()
}

pub fn config(encoding_name: &str, fmtp: &str, transport: Transport) -> TrackConfig {
    TrackConfig {
        encoding_name: encoding_name.into(),
        clock_rate: 90_000,
        payload_type: PAYLOAD_TYPE,
        fmtp: fmtp.into(),
        transport,
        size_hint: None,
        local_ssrc: 0xaabb_ccdd,
        cname: "cctv".into(),
    }
}

/// A receiver with a clock.
pub struct Receiver {
    pub receiver: TrackReceiver,
    pub now: Instant,
    pub events: Vec<Event>,
}

impl Receiver {
    pub fn new(config: &TrackConfig) -> Self {
        Self { receiver: TrackReceiver::new(config).unwrap(), now: Instant::now(), events: Vec::new() }
    }

    pub fn tcp(encoding_name: &str) -> Self {
        Self::new(&config(encoding_name, "", Transport::Tcp))
    }

    pub fn udp(encoding_name: &str) -> Self {
        Self::new(&config(encoding_name, "", Transport::Udp))
    }

    pub fn push(&mut self, packet: &[u8]) {
        self.receiver.push(packet, self.now, &mut self.events);
    }

    pub fn push_all<T: AsRef<[u8]>>(&mut self, packets: &[T]) {
        packets.iter().for_each(|packet| self.push(packet.as_ref()));
    }

    /// Lets `millis` pass, and does what is due.
    pub fn wait(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(due) = self.receiver.deadline().filter(|&due| due <= until) {
            self.receiver.poll(due, &mut self.events);
            assert!(self.receiver.deadline() != Some(due), "still due");
        }
        self.now = until;
    }

    /// The units so far; other events stay.
    pub fn units(&mut self) -> Vec<Unit> {
        let (units, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.events).into_iter().partition(|event| matches!(event, Event::Unit(_)));
        self.events = rest;
        units.into_iter().filter_map(|event| if let Event::Unit(unit) = event { Some(unit) } else { None }).collect()
    }

    /// The units so far, all of which are whole.
    pub fn whole_units(&mut self) -> Vec<Unit> {
        let units = self.units();
        assert!(units.iter().all(|unit| unit.is_whole), "damaged: {units:?}");
        units
    }

    /// The units so far, all of which are whole, as bytes.
    pub fn whole(&mut self) -> Vec<Vec<u8>> {
        self.whole_units().into_iter().map(|unit| unit.data).collect()
    }

    /// Whether each unit so far is whole.
    pub fn wholeness(&mut self) -> Vec<bool> {
        self.units().iter().map(|unit| unit.is_whole).collect()
    }

    pub fn problems(&self) -> Vec<Problem> {
        let problem = |event: &Event| if let Event::Problem(problem) = event { Some(*problem) } else { None };
        self.events.iter().filter_map(problem).collect()
    }

    pub fn stream_infos(&self) -> Vec<StreamInfo> {
        let info = |event: &Event| if let Event::StreamInfo(info) = event { Some(*info) } else { None };
        self.events.iter().filter_map(info).collect()
    }

    /// Sends a key frame and P frames with markers, so that markers are trusted. Drops their units.
    pub fn settle(&mut self, camera: &mut Camera) {
        for packet in camera.frame(&[&SPS[..], &PPS, &idr(1, 20)]) {
            self.push(&packet);
        }
        for packet in [camera.frame(&[p(2, 20)]), camera.frame(&[p(3, 20)])].concat() {
            self.push(&packet);
        }
        assert_eq!(self.whole().len(), 3);
        self.events.clear();
    }
}
