//! Box downscaling: averages squares of samples, so that a plane becomes a whole number of times
//! smaller.
//!
//! Each sample is read once, in memory order, and no buffer as large as the plane is written.

use multiversion::multiversion;

/// Side of the largest squares: the sum of one, plus half its number of samples for rounding, needs
/// 15 bits.
pub const LARGEST: usize = 8;

/// Fills `to`, whose rows are `width` samples wide without gaps, with the averages of squares of
/// `side` by `side` samples (2 to [`LARGEST`]). The rows of `from` are `stride` apart; samples left
/// over at its right and lower edge are ignored. `sums` is a work buffer.
///
/// # Panics
/// If `from` is too small, or `side` is out of range.
pub fn box_downscale(from: &[u8], stride: usize, side: usize, to: &mut [u8], width: usize, sums: &mut Vec<u16>) {
    let averages = match side {
        2 => averages::<2>,
        3 => averages::<3>,
        4 => averages::<4>,
        5 => averages::<5>,
        6 => averages::<6>,
        7 => averages::<7>,
        8 => averages::<8>,
        _ => panic!("squares of {side} samples are not averaged"),
    };
    sums.resize(width * (side + 1), 0);
    let (columns, box_downscale) = sums.split_at_mut(width * side);
    for (rows, to) in from.chunks(stride * side).zip(to.chunks_exact_mut(width)) {
        averages(rows, stride, columns, box_downscale, to);
    }
}

/// One row of averages. The loops are plain, one operation at a time, and within 16 bits, so the
/// compiler vectorises them: here for processors with AVX2, for others since 2008, and for all.
#[multiversion(targets("x86_64+avx2", "x86_64+ssse3+sse4.1"))]
fn averages<const SIDE: usize>(
    rows: &[u8],
    stride: usize,
    columns: &mut [u16],
    box_downscale: &mut [u16],
    to: &mut [u8],
) {
    let row = |y: usize| &rows[y * stride..][..columns.len()];
    let (first, second) = (row(0), row(1));
    let mut rest = [first; SIDE];
    for (y, rest) in rest.iter_mut().enumerate().skip(2) {
        *rest = row(y);
    }
    for ((column, &first), &second) in columns.iter_mut().zip(first).zip(second) {
        *column = u16::from(first) + u16::from(second);
    }
    for row in &rest[2..] {
        for (column, &sample) in columns.iter_mut().zip(*row) {
            *column = column.wrapping_add(u16::from(sample));
        }
    }
    for (square, columns) in box_downscale.iter_mut().zip(columns.as_chunks::<SIDE>().0) {
        *square = columns.iter().fold(0, |sum: u16, &column| sum.wrapping_add(column));
    }
    let samples = (SIDE * SIDE) as u16;
    // The division is a multiplication by a fraction of 65536, rounded up.
    let part = 0x10000_u32.div_ceil(u32::from(samples));
    for (to, &square) in to.iter_mut().zip(&*box_downscale) {
        *to = ((u32::from(square.wrapping_add(samples / 2)) * part) >> 16) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neither regular nor limited to few values.
    fn noise(length: usize) -> Vec<u8> {
        (0..length as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    #[test]
    fn every_square_becomes_its_average() {
        for side in 2..=LARGEST {
            for width in [1, 2, 7, 8, 9, 33, 160] {
                // More samples than needed in each row, and a last row that is cut short.
                let (height, stride) = (5, width * side + 3);
                let from = noise(stride * (height * side - 1) + width * side);
                let mut to = vec![0; width * height];
                box_downscale(&from, stride, side, &mut to, width, &mut vec![7; 3]);
                for (at, &got) in to.iter().enumerate() {
                    let (x, y) = (at % width * side, at / width * side);
                    let square = (0..side * side).map(|n| u32::from(from[(y + n / side) * stride + x + n % side]));
                    let wanted = f64::from(square.sum::<u32>()) / (side * side) as f64;
                    assert!((f64::from(got) - wanted).abs() <= 0.6, "{side}, {width}: {got}, not {wanted}");
                }
            }
        }
    }

    #[test]
    fn plain_areas_stay_what_they_are() {
        for side in 2..=LARGEST {
            for value in 0..=u8::MAX {
                let mut to = [!value; 16];
                box_downscale(&vec![value; 16 * side * side], 16 * side, side, &mut to, 16, &mut Vec::new());
                assert_eq!(to, [value; 16], "side {side}");
            }
        }
    }
}
