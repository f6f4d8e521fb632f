//! Puts frames of MPEG-4 Visual together (RFC 6416). The payload is the bit stream itself.

use std::time::Instant;

use super::{Event, Loss, MAX_UNIT_LEN, Unit, order::Gap, packet::Packet};
use crate::{
    h26x::sps::Sps,
    media::{Codec, StreamInfo, transform::Transform},
};

/// `vop_start_code`, ISO/IEC 14496-2 6.2.1.
const VOP: u8 = 0xb6;

/// `video_object_layer_start_code`.
const VIDEO_OBJECT_LAYER: std::ops::RangeInclusive<u8> = 0x20..=0x2f;

/// Longest part of a frame that is searched for its VOP, in bytes: headers precede it.
const HEAD_LEN: usize = 4096;

/// `vop_coding_type`, table 6-20.
const INTRA: u8 = 0;
const BIDIRECTIONAL: u8 = 2;

/// The depacketiser of one MPEG-4 Visual track.
#[derive(Clone, Debug)]
pub struct Depacketizer {
    /// The headers of the stream from the SDP.
    config: Vec<u8>,
    frame: Option<Frame>,
    gap: Option<Gap>,
    lost: u32,
    /// No frame that others may refer to came since the last key frame.
    is_behind_key: bool,
    /// The properties of the last [`Event::StreamInfo`].
    announced: Option<StreamInfo>,
}

#[derive(Clone, Debug)]
struct Frame {
    data: Vec<u8>,
    time: u32,
    is_damaged: bool,
    loss: Loss,
    received_at: Instant,
}

impl Depacketizer {
    pub fn new(config: Vec<u8>) -> Self {
        Self { config, frame: None, gap: None, lost: 0, is_behind_key: false, announced: None }
    }

    pub fn push(&mut self, packet: &Packet, received_at: Instant, gap: Gap, out: &mut Vec<Event>) {
        match gap {
            Gap::None => {}
            Gap::Lost(lost) => self.lost = self.lost.saturating_add(lost),
            Gap::Unknown => self.lost = self.lost.saturating_add(1),
        }
        if gap != Gap::None {
            self.gap = Some(gap);
        }
        if self.frame.as_ref().is_some_and(|frame| frame.time != packet.time) {
            if self.gap.is_some()
                && let Some(frame) = &mut self.frame
            {
                // It may have lost its end.
                (frame.is_damaged, frame.loss) = (true, Loss::Before);
            }
            self.finish(packet.time, out);
        }
        let has_gap = self.gap.take().is_some();
        let frame = self.frame.get_or_insert_with(|| Frame {
            data: Vec::new(),
            time: packet.time,
            // Each frame begins with a start code.
            is_damaged: !packet.payload.starts_with(&[0, 0, 1]),
            loss: if has_gap { Loss::Before } else { Loss::None },
            received_at,
        });
        if has_gap && !frame.data.is_empty() {
            // Whether another frame is missing, too, is not known: times alone do not tell.
            (frame.is_damaged, frame.loss) = (true, Loss::Before);
        }
        frame.received_at = frame.received_at.max(received_at);
        frame.is_damaged |= frame.data.len() + packet.payload.len() > MAX_UNIT_LEN;
        if !frame.is_damaged {
            frame.data.extend_from_slice(packet.payload);
        }
        if packet.marker {
            self.finish(packet.time, out);
        }
    }

    /// Ends the frame in progress. Headers alone are no frame; they precede the one at `next_time`.
    fn finish(&mut self, next_time: u32, out: &mut Vec<Event>) {
        let Some(mut frame) = self.frame.take() else { return };
        let coding_type = coding_type(&frame.data);
        if !frame.is_damaged && coding_type.is_none() {
            frame.time = next_time;
            self.frame = Some(frame).filter(|frame| frame.data.len() < HEAD_LEN);
            return;
        }
        let is_key = coding_type == Some(INTRA);
        if is_key && !has_header(&frame.data) {
            frame.data.splice(..0, self.config.iter().copied());
        }
        let is_reference = coding_type != Some(BIDIRECTIONAL);
        // One that is shown before the key frame refers to the frame before it, too.
        let is_leading = self.is_behind_key && !is_reference;
        self.is_behind_key = is_key || is_leading;
        if is_key && !frame.is_damaged {
            self.announce(&frame.data, out);
        }
        out.push(Event::Unit(Unit {
            data: frame.data,
            is_key,
            is_whole: !frame.is_damaged,
            is_reference,
            is_leading,
            loss: frame.loss,
            lost_packets: std::mem::take(&mut self.lost),
            rtp_time: frame.time,
            camera_time: None,
            received_at: frame.received_at,
        }));
    }

    /// Says what the stream is, if that is new and the headers of `key_frame` can be read.
    fn announce(&mut self, key_frame: &[u8], out: &mut Vec<Event>) {
        let Some(Sps { size, sample_aspect, fps, .. }) = Sps::find(Codec::Mpeg4, key_frame) else { return };
        let fps = fps.unwrap_or(0.0);
        let info = StreamInfo {
            codec: Codec::Mpeg4,
            codec_config: None,
            size,
            sample_aspect,
            transform: Transform::NONE,
            fps,
        };
        if self.announced.replace(info) != Some(info) {
            out.push(Event::StreamInfo(info));
        }
    }
}

/// The start codes in the head of a frame, each with the byte behind it.
fn start_codes(data: &[u8]) -> impl Iterator<Item = (u8, Option<u8>)> {
    let head = &data[..data.len().min(HEAD_LEN)];
    let codes = head.windows(4).enumerate().filter(|(_, window)| window.starts_with(&[0, 0, 1]));
    codes.map(move |(at, window)| (window[3], data.get(at + 4).copied()))
}

/// `vop_coding_type` of the first VOP; `None` without one.
fn coding_type(data: &[u8]) -> Option<u8> {
    let (_, next) = start_codes(data).find(|(code, _)| *code == VOP)?;
    next.map(|byte| byte >> 6)
}

fn has_header(data: &[u8]) -> bool {
    start_codes(data).take_while(|(code, _)| *code != VOP).any(|(code, _)| VIDEO_OBJECT_LAYER.contains(&code))
}
