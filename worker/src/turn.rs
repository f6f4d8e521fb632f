//! Mirrors and turns a picture by quarters.

use super::planes::{YuvBuffer, YuvPlanes};
use cctv_agent::media::transform::Transform;

/// So many rows are turned together, so that the samples that are read one after the other are near each
/// other in memory.
const BLOCK: usize = 32;

/// Fills `to` with `from`, mirrored and turned as `transform` says; its crop is done before. Chroma has
/// the same number of samples in both directions, or there is none, so that it may be turned as well.
pub fn turn(from: &YuvPlanes, transform: Transform, to: &mut YuvBuffer) {
    to.reshape(transform.turned(from.size), from.subsampling);
    for plane in 0..from.count() {
        turn_plane(from, plane, transform, to);
    }
}

fn turn_plane(from: &YuvPlanes, plane: usize, transform: Transform, to: &mut YuvBuffer) {
    if transform.quarter_turns % 2 == 1 {
        return turn_sideways(from, plane, transform, to);
    }
    let is_upside_down = transform.quarter_turns == 2;
    let (width, height) = from.visible(plane);
    for y in 0..to.height(plane) {
        // Padding repeats the last sample.
        let y_from = y.min(height - 1);
        let source = &from.row(plane, if is_upside_down { height - 1 - y_from } else { y_from })[..width];
        let (target, padding) = to.row_mut(plane, y).split_at_mut(width);
        target.copy_from_slice(source);
        if transform.mirrored != is_upside_down {
            target.reverse();
        }
        padding.fill(target[width - 1]);
    }
}

/// Rows become columns: clockwise, the lowest one is the first.
fn turn_sideways(from: &YuvPlanes, plane: usize, transform: Transform, to: &mut YuvBuffer) {
    let is_clockwise = transform.quarter_turns == 1;
    let (last_x, last_y) = (from.visible(plane).0 - 1, from.visible(plane).1 - 1);
    let (across, down) = (to.width(plane), to.height(plane));
    for block in (0..across).step_by(BLOCK) {
        let rows: [&[u8]; BLOCK] = std::array::from_fn(|x| {
            let row = (block + x).min(last_y);
            from.row(plane, if is_clockwise { last_y - row } else { row })
        });
        let end = across.min(block + BLOCK);
        for y in 0..down {
            let column = y.min(last_x);
            let column = if transform.mirrored == is_clockwise { last_x - column } else { column };
            for (sample, row) in to.row_mut(plane, y)[block..end].iter_mut().zip(rows) {
                *sample = row[column];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cctv_agent::media::Size;
    use turbojpeg::Subsamp;

    /// The luma of a picture of 3 by 2 samples after `transform`, row by row.
    fn turned(mirrored: bool, quarter_turns: u8) -> Vec<Vec<u8>> {
        let luma = [1, 2, 3, 4, 5, 6];
        let size = Size { width: 3, height: 2 };
        let planes = YuvPlanes::new(size, Subsamp::Gray, [&luma, &[], &[]], [3, 0, 0]);
        let mut to = YuvBuffer::default();
        turn(&planes, Transform { mirrored, quarter_turns, ..Transform::NONE }, &mut to);
        let to = to.planes();
        (0..to.height(0)).map(|y| to.row(0, y).to_vec()).collect()
    }

    #[test]
    fn quarters_go_clockwise_and_after_the_mirror() {
        assert_eq!(turned(false, 0), [[1, 2, 3], [4, 5, 6]]);
        assert_eq!(turned(false, 1), [[4, 1], [5, 2], [6, 3]]);
        assert_eq!(turned(false, 2), [[6, 5, 4], [3, 2, 1]]);
        assert_eq!(turned(false, 3), [[3, 6], [2, 5], [1, 4]]);
        assert_eq!(turned(true, 0), [[3, 2, 1], [6, 5, 4]]);
        assert_eq!(turned(true, 1), [[6, 3], [5, 2], [4, 1]]);
        assert_eq!(turned(true, 2), [[4, 5, 6], [1, 2, 3]]);
        assert_eq!(turned(true, 3), [[1, 4], [2, 5], [3, 6]]);
    }

    #[test]
    fn padding_of_odd_sides_stays_at_the_right_and_lower_edge() {
        // Three by three pixels with 4:2:0: a fourth row and column of luma may contain anything.
        let luma = [1, 2, 3, 99, 4, 5, 6, 99, 7, 8, 9, 99, 99, 99, 99, 99];
        let chroma = [10, 20, 30, 40];
        let size = Size { width: 3, height: 3 };
        let planes = YuvPlanes::new(size, Subsamp::Sub2x2, [&luma, &chroma, &chroma], [4, 2, 2]);
        for (mirrored, quarter_turns, first, blue) in [
            (true, 0, [3, 2, 1, 1], [20, 10]),
            (false, 1, [7, 4, 1, 1], [30, 10]),
            (false, 2, [9, 8, 7, 7], [40, 30]),
            (false, 3, [3, 6, 9, 9], [20, 40]),
        ] {
            let mut to = YuvBuffer::default();
            turn(&planes, Transform { mirrored, quarter_turns, ..Transform::NONE }, &mut to);
            let to = to.planes();
            assert_eq!((to.row(0, 0), to.row(1, 0)), (&first[..], &blue[..]), "{mirrored} {quarter_turns}");
            assert_eq!(to.row(0, 3), to.row(0, 2));
        }
    }
}
