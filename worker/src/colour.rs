//! Converts the luma and chroma of a video to those of a JPEG.
//!
//! A JPEG is full range BT.601 by convention; video is mostly limited range (16 to 235), and BT.709
//! from 720 lines up. Both are linear maps of the same RGB, so the conversion needs no RGB: luma is
//! stretched and takes a little of both chromas, and the chromas mix only with each other.

use std::hint::black_box;

use multiversion::multiversion;

use super::planes::{YuvBuffer, YuvPlanes};
use cctv_agent::media::{Colour, Matrix};

/// A factor in 1/8192. A sample shifted up by 7, times the factor, shifted down by 16, is in 1/16
/// of a level. This is the 16-bit multiplication that every vector unit has (`pmulhw` on x86).
type Factor = i16;

const FACTOR_ONE: f64 = 8192.0;
const SAMPLE_SHIFT: u32 = 7;
const PRODUCT_SHIFT: u32 = 16;
/// Sums are in 1/16 of a level. None comes near the limits of 16 bits; the arithmetic is wrapping
/// because overflow checks would keep debug builds from using vectors.
const SUM_SHIFT: u32 = 4;
const HALF_LEVEL: i16 = 1 << (SUM_SHIFT - 1);

/// The conversion from one kind of planes to a JPEG's.
#[derive(Clone, Copy, Debug)]
pub struct Conversion {
    luma: Factor,
    /// Added to every luma sample, in 1/16 of a level.
    luma_offset: i16,
    luma_of_chroma: [Factor; 2],
    blue_of_chroma: [Factor; 2],
    red_of_chroma: [Factor; 2],
}

impl Conversion {
    /// `None` if the planes already have a JPEG's colours.
    pub fn to_jpeg(from: Colour) -> Option<Self> {
        if from == Colour::JPEG {
            return None;
        }
        let (luma, black, chroma) =
            if from.full_range { (1.0, 0.0, 1.0) } else { (255.0 / 219.0, 16.0, 255.0 / 224.0) };
        let (red_share, blue_share) = from.matrix.shares();
        let green_share = 1.0 - red_share - blue_share;
        // What one unit of blue and of red chroma adds to each primary.
        let red = [0.0, 2.0 * (1.0 - red_share)];
        let blue = [2.0 * (1.0 - blue_share), 0.0];
        let green = [-blue[0] * blue_share / green_share, -red[1] * red_share / green_share];
        let (jpeg_red, jpeg_blue) = Matrix::Bt601.shares();
        let jpeg_green = 1.0 - jpeg_red - jpeg_blue;
        let luma_of = |c: usize| jpeg_red * red[c] + jpeg_green * green[c] + jpeg_blue * blue[c];
        let factors = |of: &dyn Fn(usize) -> f64| [0, 1].map(|c| (of(c) * chroma * FACTOR_ONE).round() as Factor);
        Some(Self {
            luma: (luma * FACTOR_ONE).round() as Factor,
            luma_offset: (-black * luma * f64::from(1 << SUM_SHIFT)).round() as i16 + HALF_LEVEL,
            luma_of_chroma: factors(&luma_of),
            blue_of_chroma: factors(&|c| (blue[c] - luma_of(c)) / (2.0 * (1.0 - jpeg_blue))),
            red_of_chroma: factors(&|c| (red[c] - luma_of(c)) / (2.0 * (1.0 - jpeg_red))),
        })
    }

    /// Fills `to` with the converted `from`, in the same size and subsampling.
    pub fn convert(&self, from: &YuvPlanes, to: &mut YuvBuffer) {
        to.reshape(from.size, from.subsampling);
        let (across, down) = from.subsampling.size();
        let rows = |factors: [Factor; 2]| factors.map(|factor| vec![factor; from.width(1)]);
        let luma = vec![self.luma; from.width(0)];
        let [luma_of_chroma, blue_of_chroma, red_of_chroma] =
            [self.luma_of_chroma, self.blue_of_chroma, self.red_of_chroma].map(rows);
        let mut offsets = vec![self.luma_offset; from.width(0)];
        let mut sums = vec![0; from.width(1)];
        let mix = self.luma_of_chroma != [0, 0] && from.has_chroma();
        for y in 0..from.height(0) {
            if mix && y % down == 0 {
                let chroma = [from.row(1, y / down), from.row(2, y / down)];
                mix_rows(&luma_of_chroma, chroma, self.luma_offset, &mut sums);
                spread(&sums, across, &mut offsets);
            }
            luma_row(&luma, from.row(0, y), &offsets, to.row_mut(0, y));
        }
        if from.has_chroma() {
            for y in 0..from.height(1) {
                let chroma = [from.row(1, y), from.row(2, y)];
                for (plane, factors) in [(1, &blue_of_chroma), (2, &red_of_chroma)] {
                    mix_rows(factors, chroma, MIDDLE, &mut sums);
                    levels(&sums, to.row_mut(plane, y));
                }
            }
        }
    }
}

/// The middle of the chroma range, in 1/16 of a level, plus half a level for rounding.
const MIDDLE: i16 = (128 << SUM_SHIFT) + HALF_LEVEL;

// The loops below are plain, one operation at a time, over rows of factors instead of one factor,
// with a shift that the compiler does not know. So it sees that 16-bit multiplication is enough. If
// it combines shift and factor, it uses 32-bit multiplication, which x86 before 2008 lacks, so code
// for all x86 processors must do without it: 1.3 ms for 1080p instead of 0.4.

#[multiversion(targets("x86_64+avx2", "x86_64+ssse3+sse4.1"))]
fn luma_row(factors: &[Factor], from: &[u8], offsets: &[i16], to: &mut [u8]) {
    let shift = black_box(SAMPLE_SHIFT);
    for (((to, &luma), &offset), &factor) in to.iter_mut().zip(from).zip(offsets).zip(factors) {
        *to = level(product(i16::from(luma), factor, shift).wrapping_add(offset));
    }
}

/// Blue and red chroma times their factors, plus `offset`.
#[multiversion(targets("x86_64+avx2", "x86_64+ssse3+sse4.1"))]
fn mix_rows(factors: &[Vec<Factor>; 2], chroma: [&[u8]; 2], offset: i16, sums: &mut [i16]) {
    let shift = black_box(SAMPLE_SHIFT);
    let (blue, red) = (chroma[0].iter().zip(&factors[0]), chroma[1].iter().zip(&factors[1]));
    for ((sum, (&blue, &of_blue)), (&red, &of_red)) in sums.iter_mut().zip(blue).zip(red) {
        let blue = product(i16::from(blue) - 128, of_blue, shift);
        let red = product(i16::from(red) - 128, of_red, shift);
        *sum = offset.wrapping_add(blue).wrapping_add(red);
    }
}

/// Repeats each of `sums` `across` times.
#[multiversion(targets("x86_64+avx2", "x86_64+ssse3+sse4.1"))]
fn spread(sums: &[i16], across: usize, offsets: &mut [i16]) {
    if across == 2 {
        for (pair, &sum) in offsets.as_chunks_mut::<2>().0.iter_mut().zip(sums) {
            *pair = [sum, sum];
        }
    } else {
        for (decode_cursor, &sum) in offsets.chunks_mut(across).zip(sums) {
            decode_cursor.fill(sum);
        }
    }
}

#[multiversion(targets("x86_64+avx2", "x86_64+ssse3+sse4.1"))]
fn levels(sums: &[i16], to: &mut [u8]) {
    for (to, &sum) in to.iter_mut().zip(sums) {
        *to = level(sum);
    }
}

/// `sample` times `factor`, in 1/16 of a level; `shift` is [`SAMPLE_SHIFT`].
fn product(sample: i16, factor: Factor, shift: u32) -> i16 {
    ((i32::from(sample.wrapping_shl(shift)) * i32::from(factor)) >> PRODUCT_SHIFT) as i16
}

fn level(sum: i16) -> u8 {
    (sum >> SUM_SHIFT).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use cctv_agent::media::Size;
    use turbojpeg::Subsamp;

    /// Planes of one pixel of `rgb`, as the matrix is defined.
    fn encode(rgb: [f64; 3], colour: Colour) -> [u8; 3] {
        let (red, blue) = colour.matrix.shares();
        let luma = red * rgb[0] + (1.0 - red - blue) * rgb[1] + blue * rgb[2];
        let chroma = [(rgb[2] - luma) / (2.0 * (1.0 - blue)), (rgb[0] - luma) / (2.0 * (1.0 - red))];
        let (scale, black, chroma_scale) = if colour.full_range { (255.0, 0.0, 255.0) } else { (219.0, 16.0, 224.0) };
        [luma * scale + black, chroma[0] * chroma_scale + 128.0, chroma[1] * chroma_scale + 128.0]
            .map(|value| value.round().clamp(0.0, 255.0) as u8)
    }

    #[test]
    fn every_colour_comes_out_as_jpeg_would_write_it() {
        for matrix in [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020] {
            for full_range in [false, true] {
                let colour = Colour { matrix, full_range };
                let Some(conversion) = Conversion::to_jpeg(colour) else { continue };
                for step in 0..1000_u32 {
                    let part = |digit: u32| f64::from(step / 10_u32.pow(digit) % 10) / 9.0;
                    let rgb = [part(0), part(1), part(2)];
                    let [luma, blue, red] = encode(rgb, colour);
                    let (y, b, r) = ([luma; 4], [blue], [red]);
                    let planes = YuvPlanes::new(Size { width: 2, height: 2 }, Subsamp::Sub2x2, [&y, &b, &r], [2, 1, 1]);
                    let mut canvas = YuvBuffer::default();
                    conversion.convert(&planes, &mut canvas);
                    let got =
                        [canvas.planes().row(0, 1)[1], canvas.planes().row(1, 0)[0], canvas.planes().row(2, 0)[0]];
                    let wanted = encode(rgb, Colour::JPEG);
                    // Rounding happens twice, and the rounding error of the input is stretched.
                    let close = got.iter().zip(wanted).all(|(&got, wanted)| got.abs_diff(wanted) <= 2);
                    assert!(close, "{colour:?} {rgb:?}: {got:?}, not {wanted:?}");
                }
            }
        }
    }

    #[test]
    fn jpeg_planes_need_no_conversion() {
        assert!(Conversion::to_jpeg(Colour::JPEG).is_none());
    }

    #[test]
    fn levels_outside_the_limited_range_are_clipped_not_wrapped() {
        let conversion = Conversion::to_jpeg(Colour { matrix: Matrix::Bt709, full_range: false }).unwrap();
        for extreme in [[0, 0, 0], [255, 255, 255], [0, 255, 255], [255, 0, 0], [255, 0, 255], [0, 255, 0]] {
            let [luma, blue, red] = extreme.map(|value: u8| [value]);
            let planes = YuvPlanes::new(Size { width: 1, height: 1 }, Subsamp::None, [&luma, &blue, &red], [1, 1, 1]);
            let mut canvas = YuvBuffer::default();
            conversion.convert(&planes, &mut canvas);
            let got = canvas.planes().row(0, 0)[0];
            assert!(if extreme[0] == 0 { got < 80 } else { got > 170 }, "{extreme:?}: {got}");
        }
    }

    #[test]
    fn unsaid_matrix_is_guessed_from_the_height() {
        assert_eq!(Matrix::guess(Size { width: 1280, height: 720 }), Matrix::Bt709);
        assert_eq!(Matrix::guess(Size { width: 704, height: 576 }), Matrix::Bt601);
    }
}
