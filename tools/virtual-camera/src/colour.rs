//! Converts red, green and blue to samples: range, matrix, and how a stream declares both.

/// The sample values of black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Luma 16 to 235, chroma 16 to 240: what most cameras send as H.264 and H.265.
    Limited,
    /// 0 to 255: JPEG, and some cameras.
    Full,
}

/// The weights of red, green and blue in luma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    Bt601,
    Bt709,
}

/// Range and matrix together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    pub range: Range,
    pub matrix: Matrix,
}

/// Red, green and blue, 0 to 255 each.
pub type Rgb = [u8; 3];
/// Y, Cb and Cr as stored in the planes.
pub type Yuv = [u8; 3];

impl Coding {
    /// Returns the samples nearest to `rgb`. ITU-R BT.601 and BT.709 both define luma as
    /// Kr R + (1 - Kr - Kb) G + Kb B and the chroma differences scaled to plus or minus one half.
    pub fn yuv(self, rgb: Rgb) -> Yuv {
        let [r, g, b] = rgb.map(|sample| f32::from(sample) / 255.0);
        let (kr, kb) = match self.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
        };
        let y = kr * r + (1.0 - kr - kb) * g + kb * b;
        let (cb, cr) = ((b - y) / (2.0 * (1.0 - kb)), (r - y) / (2.0 * (1.0 - kr)));
        let (luma, chroma, foot) = match self.range {
            Range::Limited => (219.0, 224.0, 16.0),
            Range::Full => (255.0, 255.0, 0.0),
        };
        // `as` saturates, which full-range chroma of pure red or blue (128 + 127.5) needs.
        [foot + luma * y, 128.0 + chroma * cb, 128.0 + chroma * cr].map(|sample| sample.round() as u8)
    }

    /// Luma of black and of white.
    pub fn extremes(self) -> (u8, u8) {
        match self.range {
            Range::Limited => (16, 235),
            Range::Full => (0, 255),
        }
    }

    /// GStreamer's `colorimetry` string: range:matrix:transfer:primaries in GStreamer's numbers.
    /// The encoders copy it into the stream's VUI.
    pub fn colorimetry(self) -> String {
        let range = match self.range {
            Range::Full => 1,
            Range::Limited => 2,
        };
        match self.matrix {
            // BT.709 matrix, transfer and primaries.
            Matrix::Bt709 => format!("{range}:3:5:1"),
            // BT.601 matrix and transfer, SMPTE 170M primaries.
            Matrix::Bt601 => format!("{range}:4:16:4"),
        }
    }
}

/// Converts hue in degrees, and saturation and lightness from 0 to 1, to red, green and blue.
pub fn hsl(hue: f32, saturation: f32, lightness: f32) -> Rgb {
    let strength = saturation * lightness.min(1.0 - lightness);
    [0.0, 8.0, 4.0].map(|n| {
        let k = (n + hue.rem_euclid(360.0) / 30.0) % 12.0;
        let level = lightness - strength * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        (level * 255.0).round() as u8
    })
}

/// The colour `share` of the way (0 to 1) from `a` to `b`.
pub fn between(a: Rgb, b: Rgb, share: f32) -> Rgb {
    std::array::from_fn(|n| (f32::from(a[n]) + (f32::from(b[n]) - f32::from(a[n])) * share).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yuv_of_white_black_and_grey_has_no_colour() {
        for matrix in [Matrix::Bt601, Matrix::Bt709] {
            let limited = Coding { range: Range::Limited, matrix };
            assert_eq!(limited.yuv([255; 3]), [235, 128, 128]);
            assert_eq!(limited.yuv([0; 3]), [16, 128, 128]);
            let full = Coding { range: Range::Full, matrix };
            assert_eq!(full.yuv([255; 3]), [255, 128, 128]);
            assert_eq!(full.yuv([191; 3]), [191, 128, 128]);
        }
    }

    /// SMPTE RP 219 gives the 75 % bars of BT.709 in eight bits (there in ten: 721, 674, 581, 534,
    /// 251, 204, 111 for luma; a quarter of that here).
    #[test]
    fn yuv_of_75_percent_bars_is_that_of_the_standard() {
        let coding = Coding { range: Range::Limited, matrix: Matrix::Bt709 };
        assert_eq!(coding.yuv([191, 191, 0]), [168, 44, 136]);
        assert_eq!(coding.yuv([0, 191, 191]), [145, 147, 44]);
        assert_eq!(coding.yuv([0, 191, 0]), [133, 63, 52]);
        assert_eq!(coding.yuv([191, 0, 191]), [63, 193, 204]);
        assert_eq!(coding.yuv([191, 0, 0]), [51, 109, 212]);
        assert_eq!(coding.yuv([0, 0, 191]), [28, 212, 120]);
    }

    #[test]
    fn yuv_of_primaries_differs_between_the_matrices() {
        let full = |matrix| Coding { range: Range::Full, matrix }.yuv([255, 0, 0]);
        assert_eq!(full(Matrix::Bt601), [76, 85, 255]);
        assert_eq!(full(Matrix::Bt709), [54, 99, 255]);
    }

    #[test]
    fn hsl_gives_the_six_pure_colours() {
        assert_eq!(hsl(0.0, 1.0, 0.5), [255, 0, 0]);
        assert_eq!(hsl(60.0, 1.0, 0.5), [255, 255, 0]);
        assert_eq!(hsl(120.0, 1.0, 0.5), [0, 255, 0]);
        assert_eq!(hsl(600.0, 1.0, 0.5), [0, 0, 255]);
        assert_eq!(hsl(77.0, 0.0, 1.0), [255, 255, 255]);
    }
}
