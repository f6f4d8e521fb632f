//! Applies faults to the packets of a running stream between encoder and socket.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use gstreamer::{self as gst, PadProbeData, PadProbeReturn, PadProbeType, prelude::*};

use crate::{camera::Camera, faults::Faults, settings::Codec};

/// Length of an RTP header without extensions and CSRCs; GStreamer's payloaders write no other.
const RTP_HEADER: usize = 12;
const MARKER: u8 = 0x80;
/// A key frame in progress when key frames are turned off leaves the camera within this time.
const UNDER_WAY: Duration = Duration::from_millis(500);
/// Ticks of the time stamps, per second.
const VIDEO_CLOCK: i64 = 90_000;
const AUDIO_CLOCK: i64 = 8_000;

/// Applies the faults of `camera` between encoder and payloader, and to all packets that leave
/// `media`.
pub fn watch(media: &gst::Bin, pipeline: &gst::Bin, camera: &Arc<Camera>, has_video: bool) {
    if let Some(entry) = media.by_name("pay0").and_then(|payloader| payloader.static_pad("sink")).filter(|_| has_video)
    {
        let camera = Arc::clone(camera);
        entry.add_probe(PadProbeType::BUFFER, move |_, info| {
            if let (true, Some(PadProbeData::Buffer(unit))) = (camera.faults().truncate, &mut info.data) {
                let half = unit.size() / 2;
                unit.make_mut().set_size(half);
            }
            PadProbeReturn::Ok
        });
    }
    let camera = Arc::clone(camera);
    pipeline.connect_element_added(move |_, element| {
        if element.factory().is_none_or(|factory| factory.name() != "rtpbin") {
            return;
        }
        let camera = Arc::clone(&camera);
        element.connect_pad_added(move |_, pad| {
            let both = PadProbeType::BUFFER | PadProbeType::BUFFER_LIST;
            let camera = Arc::clone(&camera);
            let name = pad.name();
            if name.starts_with("send_rtcp_src") {
                // The server's own reports would still be sent on a frozen connection.
                pad.add_probe(both, move |_, _| {
                    if camera.faults().mutes_all() { PadProbeReturn::Drop } else { PadProbeReturn::Ok }
                });
            } else if let Some(number) = name.strip_prefix("send_rtp_src_") {
                let track = Track { is_video: has_video && number == "0", begun: false, keyless: None };
                let track = Mutex::new(track);
                pad.add_probe(both, move |_, info| {
                    let mut track = track.lock().unwrap_or_else(PoisonError::into_inner);
                    track.pass(info, &camera.faults(), camera.codec())
                });
            }
        });
    });
}

/// One track of one pipeline.
struct Track {
    is_video: bool,
    /// A whole frame has passed: without one the server could not begin a session.
    begun: bool,
    /// The time from which no key frame passes, while key frames are off.
    keyless: Option<Instant>,
}

impl Track {
    fn pass(&mut self, info: &mut gst::PadProbeInfo, faults: &Faults, codec: Codec) -> PadProbeReturn {
        let packets: Vec<gst::Buffer> = match &info.data {
            Some(PadProbeData::Buffer(packet)) => vec![packet.clone()],
            Some(PadProbeData::BufferList(list)) => list.iter_owned().collect(),
            _ => return PadProbeReturn::Ok,
        };
        if self.begun && !self.concerned(faults) {
            self.keyless = None;
            return PadProbeReturn::Ok;
        }
        let treated: Vec<_> = packets.into_iter().filter_map(|packet| self.treat(packet, faults, codec)).collect();
        if treated.is_empty() {
            return PadProbeReturn::Drop;
        }
        let list = treated.into_iter().collect::<gst::BufferList>();
        info.data = Some(match &info.data {
            Some(PadProbeData::Buffer(_)) => PadProbeData::Buffer(list.iter_owned().next().expect("it is not empty")),
            _ => PadProbeData::BufferList(list),
        });
        PadProbeReturn::Ok
    }

    fn concerned(&self, faults: &Faults) -> bool {
        let picture = faults.audio_only || faults.no_key_frames || faults.garbage_payload;
        faults.stall || faults.mutes_all() || faults.jumped_s != 0 || self.is_video && picture
    }

    /// The packet to send, or `None` to drop it.
    fn treat(&mut self, mut packet: gst::Buffer, faults: &Faults, codec: Codec) -> Option<gst::Buffer> {
        let mut head = [0; RTP_HEADER];
        packet.copy_to_slice(0, &mut head).ok().filter(|()| packet.size() > RTP_HEADER)?;
        if faults.no_key_frames && self.is_video {
            // A key frame in progress passes, because the frames after it depend on it. A new
            // session gets none.
            let grace = if self.begun { UNDER_WAY } else { Duration::ZERO };
            let keyless = *self.keyless.get_or_insert_with(|| Instant::now() + grace);
            let bytes = packet.map_readable().ok()?;
            if Instant::now() >= keyless && is_key(codec, &bytes[RTP_HEADER..]) {
                return None;
            }
        } else {
            self.keyless = None;
        }
        let silent = faults.mutes_all() || faults.stall || faults.audio_only && self.is_video;
        if silent && self.begun {
            return None;
        }
        self.begun |= !self.is_video || head[1] & MARKER != 0;
        let garbage = faults.garbage_payload && self.is_video;
        if garbage || faults.jumped_s != 0 {
            let mut bytes = packet.make_mut().map_writable().ok()?;
            if garbage {
                getrandom::fill(&mut bytes[RTP_HEADER..]).ok()?;
            }
            let clock = if self.is_video { VIDEO_CLOCK } else { AUDIO_CLOCK };
            // Time stamps have 32 bits and wrap around, and so does this value.
            let ahead = (faults.jumped_s * clock) as u32;
            let stamp = u32::from_be_bytes([head[4], head[5], head[6], head[7]]).wrapping_add(ahead);
            bytes[4..8].copy_from_slice(&stamp.to_be_bytes());
        }
        Some(packet)
    }
}

/// Whether this payload belongs to a key frame, its parameter sets included (RFC 6184 and RFC
/// 7798).
fn is_key(codec: Codec, payload: &[u8]) -> bool {
    let (header, bundle, piece): (usize, u8, u8) = match codec {
        Codec::H264 => (1, 24, 28),
        Codec::H265 => (2, 48, 49),
        Codec::Mjpeg | Codec::Mpeg4 => return true,
    };
    let kind = |byte: u8| if codec == Codec::H264 { byte & 0x1f } else { byte >> 1 & 0x3f };
    let begins_key = |kind: u8| match codec {
        Codec::H264 => matches!(kind, 5 | 7 | 8),
        _ => matches!(kind, 16..=23 | 32..=34),
    };
    let own = payload.first().map_or(0, |byte| kind(*byte));
    if own == piece {
        let mask = if codec == Codec::H264 { 0x1f } else { 0x3f };
        return payload.get(header).is_some_and(|byte| begins_key(byte & mask));
    }
    if own != bundle {
        return begins_key(own);
    }
    // Several units, each with its length; the first is a delimiter.
    let mut rest = payload.get(header..).unwrap_or_default();
    while let [high, low, unit @ ..] = rest {
        if unit.first().is_some_and(|byte| begins_key(kind(*byte))) {
            return true;
        }
        rest = unit.get(usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frames_are_known_in_single_packets_pieces_and_bundles() {
        for (payload, key) in [
            (&[0x65, 0x88][..], true),
            (&[0x67, 0x64], true),
            (&[0x41, 0x9a], false),
            (&[0x7c, 0x85], true),
            (&[0x7c, 0x45], true),
            (&[0x7c, 0x81], false),
            (&[0x78, 0, 2, 9, 16, 0, 2, 0x67, 1], true),
            (&[0x58, 0, 2, 9, 48, 0, 2, 0x41, 1], false),
            (&[], false),
        ] {
            assert_eq!(is_key(Codec::H264, payload), key, "{payload:x?}");
        }
        for (payload, key) in [
            (&[0x26, 1][..], true),
            (&[0x40, 1], true),
            (&[0x02, 1], false),
            (&[0x62, 1, 0x93], true),
            (&[0x62, 1, 0x81], false),
            (&[0x60, 1, 0, 24, 0x40], true),
        ] {
            assert_eq!(is_key(Codec::H265, payload), key, "{payload:x?}");
        }
    }

    #[test]
    fn track_lets_one_frame_pass_and_then_obeys() {
        gst::init().unwrap();
        let packet = |last: bool| {
            let mut bytes = [7_u8; 40];
            bytes[1] = 96 | if last { MARKER } else { 0 };
            bytes[4..8].copy_from_slice(&[0xff; 4]);
            gst::Buffer::from_slice(bytes)
        };
        let mut track = Track { is_video: true, begun: false, keyless: None };
        let silent = Faults { audio_only: true, ..Faults::default() };
        assert!(track.treat(packet(false), &silent, Codec::H264).is_some());
        assert!(track.treat(packet(true), &silent, Codec::H264).is_some());
        assert!(track.treat(packet(false), &silent, Codec::H264).is_none());
        let jumped = Faults { jumped_s: 1, ..Faults::default() };
        let ahead = track.treat(packet(true), &jumped, Codec::H264).unwrap();
        let bytes = ahead.map_readable().unwrap();
        assert_eq!(bytes[4..8], 89_999_u32.to_be_bytes());
        assert_eq!(bytes[12..], [7; 28]);
        let garbage = Faults { garbage_payload: true, ..Faults::default() };
        let garbled = track.treat(packet(true), &garbage, Codec::H264).unwrap();
        let bytes = garbled.map_readable().unwrap();
        assert!(bytes[12..] != [7; 28] && bytes[4..8] == [0xff; 4]);
    }
}
