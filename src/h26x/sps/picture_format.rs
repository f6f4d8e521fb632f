//! What the headers of the codecs give: the format of the pictures, computed in the same way.

use crate::{
    h26x::vui::Vui,
    media::{CodecConfig, Colour, Matrix, SampleAspect, Size},
};

/// Longest plausible side of a picture, in pixels.
pub(super) const MAX_SIDE: u32 = 16_384;

/// What a sequence parameter set says of its stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sps {
    /// `None` for MPEG-4.
    pub variant: Option<CodecConfig>,
    /// Size of the picture after cropping.
    pub size: Size,
    pub sample_aspect: SampleAspect,
    pub colour: Colour,
    /// Frames per second, where the stream declares them.
    pub fps: Option<f32>,
}

impl Sps {
    pub(super) fn new(variant: Option<CodecConfig>, size: Size, vui: Vui) -> Option<Self> {
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
pub struct CropWindow {
    pub left: u32,
    pub right: u32,
    pub top: u32,
    pub bottom: u32,
}

impl CropWindow {
    /// The part of a `coded` picture inside the window; `None` if nothing would remain.
    pub fn apply(&self, coded: Size, crop_unit: Size) -> Option<Size> {
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
pub fn chroma_subsampling(chroma_array_type: u32) -> Size {
    let width = if matches!(chroma_array_type, 1 | 2) { 2 } else { 1 };
    let height = if chroma_array_type == 1 { 2 } else { 1 };
    Size { width, height }
}
