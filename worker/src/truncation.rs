//! Detects frames that were cut short and that a decoder would not report.
//!
//! FFmpeg decodes half a H.265 frame without an error: the missing part keeps the picture before,
//! or grey. A passed-through JPEG is not decoded at all, and FFmpeg's depayloader adds an end to
//! whatever arrived. Certainty would mean to decode everything twice. Instead, this module inspects
//! frames that are much smaller than usual, the first frame, and one now and then.

use turbojpeg::{Decompressor, ScalingFactor};

use super::{
    decoder::{self, Decoder},
    ffmpeg_log, jpeg,
};
use cctv_agent::{
    h26x::{
        nal::{self, NalKind},
        parameter_sets::ParameterSets,
    },
    media::{
        AccessUnit, Codec,
        inspection::{Inspection, InspectionSchedule},
    },
};

/// Bytes appended to each slice for the second decoding. A complete slice ends before them; for one
/// cut short the decoder reads on into them and makes another picture.
const TAIL: [u8; 64] = [0xb5; 64];

/// Inspects the frames of one stream.
pub struct TruncationDetector {
    codec: Codec,
    /// JPEGs are always key frames.
    key_frames: InspectionSchedule,
    others: InspectionSchedule,
    sets: ParameterSets,
    decompressor: Option<Decompressor>,
}

impl TruncationDetector {
    pub fn new(codec: Codec) -> Self {
        let sets = ParameterSets::new(codec);
        let schedule = || match codec {
            Codec::Jpeg => InspectionSchedule::of_jpeg(),
            Codec::H264 | Codec::H265 | Codec::Mpeg4 => InspectionSchedule::of_video(),
        };
        Self { codec, key_frames: schedule(), others: schedule(), sets, decompressor: None }
    }

    /// Whether `unit` may be shown, as far as an inspection can say. H.264 and MPEG-4 always may: their
    /// decoders report damage by themselves.
    ///
    /// # Blocking
    /// Mostly none. An inspection takes as long as decoding: a JPEG at an eighth of its size, or a
    /// frame of H.265 twice.
    pub fn passes(&mut self, unit: &AccessUnit) -> bool {
        if matches!(self.codec, Codec::H264 | Codec::Mpeg4) {
            return true;
        }
        if unit.key {
            self.sets.update(&unit.data);
        }
        let schedule = if unit.key { &mut self.key_frames } else { &mut self.others };
        let reason = match schedule.next(unit) {
            Inspection::Done { whole } => return whole,
            Inspection::Skipped => return true,
            Inspection::Due(reason) => reason,
        };
        let whole = match self.codec {
            Codec::Jpeg => self.jpeg_is_whole(&unit.data),
            Codec::H264 | Codec::H265 | Codec::Mpeg4 => self.frame_is_whole(unit),
        };
        let schedule = if unit.key { &mut self.key_frames } else { &mut self.others };
        schedule.conclude(unit, whole, reason);
        whole
    }

    /// Decodes at an eighth: reads the entropy-coded data to its end and does hardly anything else.
    fn jpeg_is_whole(&mut self, jpeg: &[u8]) -> bool {
        if self.decompressor.is_none() {
            self.decompressor = Decompressor::new().ok();
        }
        let Some(decompressor) = &mut self.decompressor else { return true };
        let mut work = || {
            let header = decompressor.read_header(jpeg)?;
            let factor = if header.is_lossless { ScalingFactor::ONE } else { ScalingFactor::ONE_EIGHTH };
            decompressor.set_scaling_factor(factor)?;
            let header = header.scaled(factor);
            let mut pixels = vec![0; header.width * header.height];
            let image = turbojpeg::Image {
                pixels: &mut pixels[..],
                width: header.width,
                pitch: header.width,
                height: header.height,
                format: turbojpeg::PixelFormat::GRAY,
            };
            decompressor.decompress(jpeg, image)
        };
        !work().is_err_and(|error| jpeg::is_damage(&error))
    }
    /// Whether the picture stays the same whatever follows its slices. Frames that depend on others
    /// are decoded on grey ones, because the end of a slice does not depend on them. A frame that
    /// cannot be decoded at all passes: the stream's own decoder reports it.
    fn frame_is_whole(&self, unit: &AccessUnit) -> bool {
        let bare = if unit.key { unit.data.to_vec() } else { self.sets.prepend_to(&unit.data) };
        let mut tailed = Vec::with_capacity(bare.len() + 4 * TAIL.len());
        for nal in nal::split(&bare) {
            tailed.extend([0, 0, 0, 1]);
            tailed.extend(nal);
            if matches!(nal::kind(self.codec, nal), NalKind::Slice | NalKind::KeySlice) {
                tailed.extend(TAIL);
            }
        }
        // Error messages would be about the changes made here.
        let pictures = ffmpeg_log::muted(|| (alone(self.codec, &bare), alone(self.codec, &tailed)));
        match pictures {
            (Ok(Some(picture)), Ok(Some(other))) => picture.looks_like(&other),
            _ => true,
        }
    }
}

/// The picture of a frame, from a decoder that has seen nothing else.
fn alone(codec: Codec, unit: &[u8]) -> Result<Option<decoder::Frame>, decoder::Error> {
    let mut decoder = Decoder::lenient(codec)?;
    decoder.push(unit, 0)?;
    decoder.finish()?;
    decoder.take()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of noise, so that half of the data is half of the picture.
    fn jpeg(seed: u32, cut: bool) -> Vec<u8> {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        };
        let pixels: Vec<u8> = (0..160 * 120).map(|_| noise()).collect();
        let format = turbojpeg::PixelFormat::GRAY;
        let image = turbojpeg::Image { pixels: &pixels[..], width: 160, pitch: 160, height: 120, format };
        let mut jpeg = turbojpeg::compress(image, 80, turbojpeg::Subsamp::Gray).unwrap().to_vec();
        if cut {
            jpeg.truncate(jpeg.len() / 2);
            jpeg.extend([0xff, 0xd9]);
        }
        jpeg
    }

    fn unit(number: u32, cut: bool) -> AccessUnit {
        let taken = 1_000_000 + u64::from(number) * 40_000;
        AccessUnit { sequence: number, taken, key: true, damage: None, data: jpeg(number, cut).into() }
    }

    #[test]
    fn jpegs_cut_short_are_found_at_once_by_their_size() {
        let mut truncation = TruncationDetector::new(Codec::Jpeg);
        for number in 0..60 {
            let cut = (30..40).contains(&number);
            assert_eq!(truncation.passes(&unit(number, cut)), !cut, "{number}");
        }
    }

    #[test]
    fn jpegs_always_cut_short_never_pass() {
        let mut truncation = TruncationDetector::new(Codec::Jpeg);
        assert!((0..60).all(|number| !truncation.passes(&unit(number, true))));
    }

    #[test]
    fn usual_jpegs_are_inspected_once_a_second() {
        let mut truncation = TruncationDetector::new(Codec::Jpeg);
        let mut inspections = Vec::new();
        for number in 0..100 {
            assert!(truncation.passes(&unit(number, false)));
            inspections.extend(truncation.key_frames.inspected());
        }
        inspections.dedup();
        assert_eq!(inspections.len(), 4);
    }

    #[test]
    fn padding_before_the_end_of_a_jpeg_is_no_damage() {
        let mut padded = jpeg(0, false);
        let end = padded.len() - 2;
        padded.splice(end..end, [0; 100]);
        let mut truncation = TruncationDetector::new(Codec::Jpeg);
        assert!(truncation.passes(&AccessUnit { data: padded.into(), ..unit(0, false) }));
    }
}
