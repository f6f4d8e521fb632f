//! A JPEG camera's own pictures, for viewers who want them as they are.

use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, options::DecoderOptions},
};

use crate::media::{
    AccessUnit, Picture, WantedRendition,
    frame_limiter::RenditionLimiter,
    inspection::{Inspection, InspectionSchedule},
};

/// Longest side of a JPEG that is inspected, in pixels; larger ones are taken for damaged.
const MAX_SIDE: usize = 16_384;

/// Bytes after the data, because the decoder reads ahead.
const PADDING: usize = 16;

/// The renditions that the camera sends itself, each with its rate.
pub(super) struct Passthrough {
    wanted: RenditionLimiter,
    /// Some cameras cut a frame themselves, and all its packets come.
    schedule: InspectionSchedule,
}

impl Default for Passthrough {
    fn default() -> Self {
        Self { wanted: RenditionLimiter::default(), schedule: InspectionSchedule::of_jpeg() }
    }
}

impl Passthrough {
    /// Passes exactly these from now on; those already passed keep their rhythm.
    pub(super) fn want(&mut self, renditions: &[impl Into<WantedRendition> + Copy]) {
        self.wanted.want(renditions);
    }

    /// Whether it has nothing to pass.
    pub(super) fn is_idle(&self) -> bool {
        self.wanted.is_empty()
    }

    /// The pictures that are due of `unit`; none if it is cut short or damaged, because no mark can be
    /// drawn into bytes that pass unchanged.
    pub(super) async fn pictures(&mut self, unit: &AccessUnit) -> Vec<Picture> {
        if unit.damage.is_some() {
            return Vec::new();
        }
        let due = self.wanted.take(unit.taken);
        if due.is_empty() || !self.passes(unit).await {
            return Vec::new();
        }
        let AccessUnit { sequence, taken, data, .. } = unit;
        let picture = |rendition| Picture { rendition, sequence: *sequence, taken: *taken, jpeg: data.clone() };
        due.into_iter().map(picture).collect()
    }

    async fn passes(&mut self, unit: &AccessUnit) -> bool {
        match self.schedule.next(unit) {
            Inspection::Done { whole } => whole,
            Inspection::Skipped => true,
            Inspection::Due(reason) => {
                // Decoding takes some ten milliseconds, in which other cameras go on.
                let jpeg = unit.data.clone();
                let whole = smol::unblock(move || is_whole(&jpeg)).await;
                self.schedule.conclude(unit, whole, reason);
                whole
            }
        }
    }
}

/// Whether the data of `jpeg` reach to the end of its picture. The decoder takes an end marker in the
/// middle of a picture for its end, and the lack of data for an error, so the marker is left out.
fn is_whole(jpeg: &[u8]) -> bool {
    let end = jpeg.windows(2).rposition(|marker| marker == [0xff, 0xd9]).unwrap_or(jpeg.len());
    let data = [&jpeg[..end], &[0; PADDING]].concat();
    let options = DecoderOptions::default().set_strict_mode(true).set_max_width(MAX_SIDE).set_max_height(MAX_SIDE);
    JpegDecoder::new_with_options(ZCursor::new(&data), options).decode().is_ok()
}

#[cfg(test)]
mod tests {
    use jpeg_encoder::{ColorType, Encoder};
    use smol::future::block_on;

    use super::*;
    use crate::media::{Damage, Rendition, Size, transform::Transform};

    const OWN: Rendition =
        Rendition { size: Size { width: 160, height: 120 }, transform: Transform::NONE, quality: 80, fps: 60 };

    /// A picture of noise, so that half of the data is half of the picture.
    fn jpeg(seed: u32) -> Vec<u8> {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        };
        let pixels: Vec<u8> = (0..160 * 120).map(|_| noise()).collect();
        let mut jpeg = Vec::new();
        Encoder::new(&mut jpeg, 80).encode(&pixels, 160, 120, ColorType::Luma).unwrap();
        jpeg
    }

    fn unit(number: u32, cut: bool) -> AccessUnit {
        let mut data = jpeg(number);
        if cut {
            data.truncate(data.len() / 2);
            data.extend([0xff, 0xd9]);
        }
        let taken = 1_000_000 + u64::from(number) * 40_000;
        AccessUnit { sequence: number, taken, key: true, damage: None, data: data.into() }
    }

    fn passed(passthrough: &mut Passthrough, unit: &AccessUnit) -> bool {
        !block_on(passthrough.pictures(unit)).is_empty()
    }

    #[test]
    fn jpegs_cut_short_by_the_camera_are_found_at_once_by_their_size() {
        let mut passthrough = Passthrough::default();
        passthrough.want(&[OWN]);
        for number in 0..60 {
            let cut = (30..40).contains(&number);
            assert_eq!(passed(&mut passthrough, &unit(number, cut)), !cut, "{number}");
        }
    }

    #[test]
    fn damaged_jpegs_never_pass() {
        let mut passthrough = Passthrough::default();
        passthrough.want(&[OWN]);
        for number in 0..60 {
            let damage = (number % 2 == 0).then_some(Damage { lost_permille: Some(12) });
            let unit = AccessUnit { damage, ..unit(number, false) };
            assert_eq!(passed(&mut passthrough, &unit), damage.is_none(), "{number}");
        }
    }

    #[test]
    fn padding_before_the_end_of_a_jpeg_is_no_damage() {
        let mut padded = jpeg(0);
        let end = padded.len() - 2;
        padded.splice(end..end, [0; 100]);
        assert!(is_whole(&padded));
    }

    #[test]
    fn data_that_are_no_jpeg_never_pass() {
        for data in [&[][..], b"hello", b"\xff\xd8\xff\xd9", &[0xff; 40]] {
            assert!(!is_whole(data), "{data:?}");
        }
    }

    #[test]
    fn each_rendition_has_its_own_rate() {
        let mut passthrough = Passthrough::default();
        let slow = Rendition { fps: 5, ..OWN };
        passthrough.want(&[OWN, slow]);
        let pictures: Vec<_> =
            (0..50).flat_map(|number| block_on(passthrough.pictures(&unit(number, false)))).collect();
        let count = |wanted| pictures.iter().filter(|picture| picture.rendition == wanted).count();
        assert_eq!(count(OWN), 50);
        assert!((10..=12).contains(&count(slow)), "{} in 2 s", count(slow));
    }
}
