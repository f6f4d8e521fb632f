//! JPEG cameras: reads the size of a JPEG, and decodes its planes if another size or quality is
//! wanted.

use turbojpeg::{Decompressor, ScalingFactor, Subsamp, YuvImage, yuv_pixels_len};

use super::planes::YuvPlanes;
use cctv_agent::media::Size;

/// A JPEG with a longer side is refused before memory is allocated, in pixels.
const MAX_SIDE_LEN: usize = 16_384;

/// The size in the frame header (SOF) of `jpeg`; `None` if there is none.
pub fn size(jpeg: &[u8]) -> Option<Size> {
    let mut at = 2;
    loop {
        let [0xff, marker, ..] = *jpeg.get(at..)? else { return None };
        match marker {
            // Fill bytes and markers without a segment.
            0xff => at += 1,
            0x01 | 0xd0..=0xd8 => at += 2,
            // Frame headers; C4, C8 and CC are tables.
            0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(&marker) => {
                let side = |from: usize| Some(u32::from(u16::from_be_bytes([*jpeg.get(from)?, *jpeg.get(from + 1)?])));
                let size = Size { width: side(at + 7)?, height: side(at + 5)? };
                return (size.width > 0 && size.height > 0).then_some(size);
            }
            // Scan data or the end, before any frame header.
            0xda | 0xd9 => return None,
            _ => at += 2 + usize::from(u16::from_be_bytes([*jpeg.get(at + 2)?, *jpeg.get(at + 3)?])),
        }
    }
}

/// Whether a decoder's error means that the picture is incomplete. Extra bytes before the end are
/// padding, which some cameras add; in that case everything was decoded.
pub fn is_damage(error: &turbojpeg::Error) -> bool {
    let harmless = |text: &String| text.contains("extraneous bytes before marker 0xd9");
    !matches!(error, turbojpeg::Error::TurboJpegError(text) if harmless(text))
}

/// Decompresses JPEGs to planes, scaled down as far as the DCT can do it at no cost.
pub struct JpegDecoder {
    decompressor: Decompressor,
    pixels: Vec<u8>,
}

impl JpegDecoder {
    /// # Errors
    /// Out of memory.
    pub fn new() -> turbojpeg::Result<Self> {
        Ok(Self { decompressor: Decompressor::new()?, pixels: Vec::new() })
    }

    /// Passes the planes of `jpeg` to `use_them`, at a scale in eighths: at least as large as
    /// `wanted`, if the JPEG is that large.
    ///
    /// # Errors
    /// If the JPEG is damaged, too large, or has an unusual subsampling.
    pub fn open<T>(
        &mut self,
        jpeg: &[u8],
        wanted: Size,
        use_them: impl FnOnce(&YuvPlanes) -> T,
    ) -> turbojpeg::Result<T> {
        const ALIGN: usize = 4;
        let header = self.decompressor.read_header(jpeg)?;
        if header.width.max(header.height) > MAX_SIDE_LEN || header.subsamp == Subsamp::Unknown {
            return Err(turbojpeg::Error::OutOfBounds);
        }
        let factor =
            if header.is_lossless { ScalingFactor::ONE } else { factor((header.width, header.height), wanted) };
        self.decompressor.set_scaling_factor(factor)?;
        let scaled = header.scaled(factor);
        self.pixels.resize(yuv_pixels_len(scaled.width, ALIGN, scaled.height, header.subsamp)?, 0);
        let output = YuvImage {
            pixels: &mut self.pixels[..],
            width: scaled.width,
            align: ALIGN,
            height: scaled.height,
            subsamp: header.subsamp,
        };
        match self.decompressor.decompress_to_yuv(jpeg, output) {
            Err(error) if is_damage(&error) => return Err(error),
            _ => {}
        }
        let image = YuvImage {
            pixels: &self.pixels[..],
            width: scaled.width,
            align: ALIGN,
            height: scaled.height,
            subsamp: header.subsamp,
        };
        let strides = [image.y_width(), image.uv_width(), image.uv_width()];
        let luma = strides[0] * image.y_height();
        let chroma = if header.subsamp == Subsamp::Gray { 0 } else { strides[1] * image.uv_height() };
        let (luma, rest) = self.pixels.split_at(luma);
        let (blue, rest) = rest.split_at(chroma);
        let size = Size { width: scaled.width as u32, height: scaled.height as u32 };
        Ok(use_them(&YuvPlanes::new(size, header.subsamp, [luma, blue, &rest[..chroma]], strides)))
    }
}

/// The scales used, in eighths. Those between a half and the whole cost more than the whole,
/// because libjpeg-turbo has no vector code for them: 3.2 ms for 5/8 of 1080p, 2.6 ms for all of
/// it.
const EIGHTHS: [usize; 5] = [1, 2, 3, 4, 8];

/// The smallest of [`EIGHTHS`] at which `size` still covers `wanted`.
fn factor(size: (usize, usize), wanted: Size) -> ScalingFactor {
    let covers = |eighths: &usize| {
        let factor = ScalingFactor::new(*eighths, 8);
        factor.scale(size.0) >= wanted.width as usize && factor.scale(size.1) >= wanted.height as usize
    };
    ScalingFactor::new(EIGHTHS.into_iter().find(covers).unwrap_or(8), 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey_jpeg(width: usize, height: usize, subsamp: Subsamp) -> Vec<u8> {
        let format = turbojpeg::PixelFormat::RGB;
        let pixels: Vec<u8> = [200, 100, 50].repeat(width * height);
        let image = turbojpeg::Image { pixels: &pixels[..], width, pitch: 3 * width, height, format };
        turbojpeg::compress(image, 90, subsamp).unwrap().to_vec()
    }

    #[test]
    fn size_is_read_from_the_frame_header() {
        let jpeg = grey_jpeg(405, 30, Subsamp::Sub2x2);
        assert_eq!(size(&jpeg), Some(Size { width: 405, height: 30 }));
        for length in 0..jpeg.len() {
            let _ = size(&jpeg[..length]);
        }
        for rubbish in [&[][..], b"\xff\xd8", b"\xff\xd8\xff\xd9", b"hello, world", &[0xff; 40]] {
            assert_eq!(size(rubbish), None);
        }
    }

    #[test]
    fn smaller_wishes_are_decoded_smaller() {
        let size = |wide, high| Size { width: wide, height: high };
        assert_eq!(factor((1920, 1080), size(640, 360)), ScalingFactor::new(3, 8));
        assert_eq!(factor((1920, 1080), size(1920, 1080)), ScalingFactor::ONE);
        assert_eq!(factor((1920, 1080), size(1200, 675)), ScalingFactor::ONE, "5/8 costs more");
        assert_eq!(factor((1920, 1080), size(240, 135)), ScalingFactor::ONE_EIGHTH);
        assert_eq!(factor((100, 100), size(500, 500)), ScalingFactor::ONE);
    }

    #[test]
    fn planes_of_every_subsampling_come_out_right() {
        use Subsamp::{Gray, Sub1x2, Sub2x1, Sub2x2, Sub4x1};
        for subsamp in [Subsamp::None, Sub2x1, Sub2x2, Sub1x2, Sub4x1, Gray] {
            let jpeg = grey_jpeg(333, 77, subsamp);
            for wanted in [Size { width: 333, height: 77 }, Size { width: 100, height: 20 }] {
                let mut opener = JpegDecoder::new().unwrap();
                let middle = opener.open(&jpeg, wanted, |planes| {
                    // The padding after the picture may contain anything.
                    let luma = &planes.row(0, planes.height(0) / 2)[..planes.size.width as usize];
                    assert!(luma.iter().all(|luma| luma.abs_diff(124) <= 2), "{subsamp:?}: {luma:?}");
                    planes.has_chroma().then(|| planes.row(2, planes.height(2) / 2)[3])
                });
                // Red chroma of (200, 100, 50): 128 + (200 - 124.2) / 1.402.
                assert!(middle.unwrap().is_none_or(|red| red.abs_diff(182) <= 3), "{subsamp:?}");
            }
        }
    }
}
