//! One picture, or one piece of sound, as payloads of RTP packets.

use std::time::Duration;

use crate::{
    encoder::Encoded,
    faults::Faults,
    habits::Habits,
    rtp::{self, Payload, g711, h264, h265, jpeg::Picture, marked, nal},
    settings::Codec,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Video,
    Audio,
}

impl Kind {
    /// Ticks of the time stamps, per second.
    pub fn clock(self) -> u32 {
        match self {
            Self::Video => 90_000,
            Self::Audio => g711::RATE,
        }
    }
}

/// The parameter sets of a stream: SPS and PPS, or VPS, SPS and PPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sets {
    H264([Vec<u8>; 2]),
    H265([Vec<u8>; 3]),
    /// All headers before a frame.
    Mpeg4(Vec<u8>),
}

pub struct Unit {
    pub kind: Kind,
    pub is_key: bool,
    /// When its frame was made, on the feed's clock.
    pub at: Duration,
    pub payloads: Vec<Payload>,
}

/// The parameter sets in `picture`, if it has them.
pub fn sets(codec: Codec, picture: &Encoded) -> Option<Sets> {
    match codec {
        Codec::H264 => h264::sets(&nal::units(&picture.bytes)).map(Sets::H264),
        Codec::H265 => h265::sets(&nal::units(&picture.bytes)).map(Sets::H265),
        Codec::Mpeg4 => Some(picture.bytes[..mpeg4_frame(&picture.bytes)?].to_vec())
            .filter(|headers| !headers.is_empty())
            .map(Sets::Mpeg4),
        Codec::Mjpeg => None,
    }
}

/// Where the frame begins, behind the headers of the stream and of a group of frames.
fn mpeg4_frame(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|code| matches!(code, [0, 0, 1, 0xb3 | 0xb6]))
}

impl Unit {
    /// Splits `picture` into payloads; `None`: nothing is left of it. `with_sets`: parameter sets
    /// stay in the stream.
    pub fn of_picture(
        codec: Codec,
        picture: &Encoded,
        with_sets: bool,
        faults: &Faults,
        habits: &Habits,
    ) -> Option<Self> {
        let limit = habits.packet_size.map_or(rtp::PAYLOAD, usize::from);
        let length = if faults.truncate { picture.bytes.len() / 2 } else { picture.bytes.len() };
        let (is_key, bytes) = match codec {
            Codec::Mjpeg => {
                let mut jpeg = Picture::read(&picture.bytes)?;
                if faults.truncate {
                    jpeg.cut();
                }
                // The tables alone need more than the smallest packet size.
                (true, jpeg.payloads(limit.max(rtp::PAYLOAD)))
            }
            Codec::Mpeg4 => {
                let begin = if with_sets { 0 } else { mpeg4_frame(&picture.bytes)? };
                let bytes = picture.bytes.get(begin..length)?;
                (true, bytes.chunks(limit).map(<[u8]>::to_vec).collect())
            }
            Codec::H264 => {
                let mut units = nal::units(&picture.bytes[..length]);
                units.retain(|unit| with_sets || !h264::is_parameter_set(unit));
                let is_key = h264::is_key(&units);
                let whole = whole(&picture.bytes[..length]).filter(|_| is_key && habits.start_codes_inside);
                (is_key, h264::payloads(whole.as_ref().map_or(&units[..], std::slice::from_ref), limit))
            }
            Codec::H265 => {
                let mut units = nal::units(&picture.bytes[..length]);
                units.retain(|unit| with_sets || !h265::is_parameter_set(unit));
                let is_key = h265::is_key(&units);
                let whole = whole(&picture.bytes[..length]).filter(|_| is_key && habits.start_codes_inside);
                (is_key, h265::payloads(whole.as_ref().map_or(&units[..], std::slice::from_ref), limit))
            }
        };
        let mut payloads = marked(bytes);
        if faults.garbage_payload {
            for payload in &mut payloads {
                getrandom::fill(&mut payload.bytes).ok()?;
            }
        }
        if let [first, _, ..] = &mut payloads[..] {
            first.marker = is_key && habits.marker_on_sets;
        }
        (!payloads.is_empty()).then_some(Self { kind: Kind::Video, is_key, at: picture.at, payloads })
    }

    /// A packet of sound, whose first sample was taken at `at`.
    pub fn of_sound(bytes: Vec<u8>, at: Duration) -> Self {
        let payload = Payload { bytes, marker: false };
        Self { kind: Kind::Audio, is_key: true, at, payloads: vec![payload] }
    }
}

/// All NAL units as one: only the first start code is taken away.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros + 1..).filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Encoded {
        let mut bytes = vec![0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x65];
        bytes.extend([7; 100]);
        Encoded { bytes, at: Duration::from_secs(1), size: (640, 360), aspect: (1, 1) }
    }

    fn lengths(with_sets: bool, faults: Faults) -> Vec<usize> {
        let unit = Unit::of_picture(Codec::H264, &picture(), with_sets, &faults, &Habits::default()).unwrap();
        assert!(unit.is_key && unit.payloads.last().unwrap().marker);
        unit.payloads.iter().map(|payload| payload.bytes.len()).collect()
    }

    #[test]
    fn key_frame_has_its_sets_unless_they_are_in_the_description() {
        assert_eq!(lengths(true, Faults::default()), [1 + 2 + 4 + 2 + 2, 101]);
        assert_eq!(lengths(false, Faults::default()), [101]);
        let known = Sets::H264([vec![0x67, 1, 2, 3], vec![0x68, 1]]);
        assert_eq!(sets(Codec::H264, &picture()), Some(known));
    }

    #[test]
    fn faults_cut_a_picture_or_fill_it_with_garbage() {
        assert_eq!(lengths(false, Faults { truncate: true, ..Faults::default() }), [42]);
        let garbage = Faults { garbage_payload: true, ..Faults::default() };
        let unit = Unit::of_picture(Codec::H264, &picture(), false, &garbage, &Habits::default()).unwrap();
        assert!(unit.payloads[0].bytes != picture().bytes[16..] && unit.payloads[0].bytes.len() == 101);
    }

    #[test]
    fn key_frame_may_be_one_unit_with_start_codes_inside() {
        let habits = Habits::parse("start-codes-inside").unwrap();
        let unit = Unit::of_picture(Codec::H264, &picture(), true, &Faults::default(), &habits).unwrap();
        assert!(unit.is_key && unit.payloads.len() == 1);
        assert_eq!(unit.payloads[0].bytes, picture().bytes[4..]);
    }

    #[test]
    fn marker_may_stand_on_the_sets_too() {
        let habits = Habits::parse("marker-on-sets").unwrap();
        let unit = Unit::of_picture(Codec::H264, &picture(), true, &Faults::default(), &habits).unwrap();
        assert!(unit.payloads.iter().all(|payload| payload.marker));
    }
}
