//! Reads sequence parameter sets (SPS): profile, picture size, sample aspect, colour and frame rate.
//!
//! An SPS that is cut short before the picture size is known, or that is absurd, gives `None`. One whose
//! later fields cannot be read still gives the size.

mod h264;
mod h265;
#[cfg(test)]
mod tests;

use super::{
    bit_reader::{BitReader, unescape},
    nal::{self, NalKind},
    vui::Vui,
};
use crate::media::{Codec, CodecConfig, Colour, Matrix, SampleAspect, Size};

/// Longest plausible side of a picture, in pixels.
const MAX_SIDE: u32 = 16_384;

/// What a sequence parameter set says of its stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sps {
    pub variant: CodecConfig,
    /// Size of the picture after cropping.
    pub size: Size,
    pub sample_aspect: SampleAspect,
    pub colour: Colour,
    /// Frames per second, where the stream declares them.
    pub fps: Option<f32>,
}

impl Sps {
    /// Reads the first readable SPS before the first slice of `unit`, Annex B.
    pub fn find(codec: Codec, unit: &[u8]) -> Option<Self> {
        let is_slice = |nal: &&[u8]| matches!(nal::kind(codec, nal), NalKind::Slice | NalKind::KeySlice);
        let before_slices = nal::split(nal::head(unit)).take_while(|nal| !is_slice(nal));
        before_slices.filter(|nal| nal::kind(codec, nal) == NalKind::Sps).find_map(|nal| Self::parse(codec, nal))
    }

    /// Reads an SPS NAL unit without start code.
    pub fn parse(codec: Codec, nal: &[u8]) -> Option<Self> {
        let rbsp = unescape(nal);
        Self::read(codec, &mut BitReader::new(&rbsp))
    }

    fn read(codec: Codec, reader: &mut BitReader) -> Option<Self> {
        match codec {
            Codec::H264 => h264::read_sps(reader),
            Codec::H265 => h265::read_sps(reader),
            Codec::Jpeg => None,
        }
    }

    fn new(variant: CodecConfig, size: Size, vui: Vui) -> Option<Self> {
        let is_plausible = |side| (1..=MAX_SIDE).contains(&side);
        // Table E-5 of both standards.
        let matrix = match vui.matrix_coefficients {
            Some(1) => Matrix::Bt709,
            Some(4..=6) => Matrix::Bt601,
            Some(9 | 10) => Matrix::Bt2020,
            _ => Matrix::guess(size),
        };
        let colour = Colour { matrix, full_range: vui.full_range };
        let Vui { sample_aspect, fps, .. } = vui;
        let sps = Self { variant, size, sample_aspect, colour, fps };
        (is_plausible(size.width) && is_plausible(size.height)).then_some(sps)
    }
}

/// Offsets of the frame cropping rectangle (H.264) or the conformance window (H.265), in crop units.
#[derive(Default)]
struct CropWindow {
    left: u32,
    right: u32,
    top: u32,
    bottom: u32,
}

impl CropWindow {
    /// The part of a `coded` picture inside the window; `None` if nothing would remain.
    fn apply(&self, coded: Size, crop_unit: Size) -> Option<Size> {
        let crop = |side: u32, before: u32, after: u32, unit: u32| {
            side.checked_sub(before.checked_add(after)?.checked_mul(unit)?)
        };
        let width = crop(coded.width, self.left, self.right, crop_unit.width)?;
        let height = crop(coded.height, self.top, self.bottom, crop_unit.height)?;
        Some(Size { width, height })
    }
}

/// `SubWidthC` and `SubHeightC`: luma samples per chroma sample (table 6-1 of both standards). 1 and 1 where
/// `chroma_array_type` is 0: monochrome, or colour planes coded apart.
fn chroma_subsampling(chroma_array_type: u32) -> Size {
    let width = if matches!(chroma_array_type, 1 | 2) { 2 } else { 1 };
    let height = if chroma_array_type == 1 { 2 } else { 1 };
    Size { width, height }
}
