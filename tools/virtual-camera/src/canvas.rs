//! A picture being drawn: three planes of YCbCr 4:2:0 in one buffer, in GStreamer's I420 layout.
//!
//! Everything is drawn in spans with `fill` and `copy_from_slice`, which are fast without
//! optimisation too: the virtual camera is normally built in the dev profile.

use stamp::{Position, Stamp};

use crate::{
    colour::{Coding, Rgb, Yuv},
    font,
};

/// A rectangle in pixels. It may extend beyond the picture; the part outside is not drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
}

#[derive(Clone)]
pub struct Canvas {
    pub width: usize,
    pub height: usize,
    pub coding: Coding,
    data: Vec<u8>,
}

impl Canvas {
    /// A black picture. `width` must be a multiple of 8, so that rows need no padding, and `height`
    /// of 2.
    pub fn new(width: usize, height: usize, coding: Coding) -> Self {
        assert!(width.is_multiple_of(8) && height.is_multiple_of(2), "sizes are checked by the settings");
        let mut canvas = Self { width, height, coding, data: vec![0; width * height * 3 / 2] };
        canvas.fill(canvas.whole(), [0; 3]);
        canvas
    }

    pub fn whole(&self) -> Area {
        Area { x: 0, y: 0, width: self.width as i32, height: self.height as i32 }
    }

    /// The planes Y, Cb and Cr, one after the other, without padding.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Paints every pixel with the colour that `paint` returns for its position. Each chroma sample
    /// is that of its block's first pixel: gradients stay smooth, and sharp edges need no extra
    /// work.
    pub fn paint(&mut self, paint: impl Fn(usize, usize) -> Rgb) {
        for y in 0..self.height {
            for x in 0..self.width {
                let [luma, cb, cr] = self.coding.yuv(paint(x, y));
                self.data[y * self.width + x] = luma;
                if x.is_multiple_of(2) && y.is_multiple_of(2) {
                    let (cb_at, cr_at) = self.chroma(x / 2, y / 2);
                    self.data[cb_at] = cb;
                    self.data[cr_at] = cr;
                }
            }
        }
    }

    pub fn fill(&mut self, area: Area, colour: Rgb) {
        let samples = self.coding.yuv(colour);
        self.fill_samples(area, samples);
    }

    fn fill_samples(&mut self, area: Area, [luma, cb, cr]: Yuv) {
        self.spans(area, |data, spans| {
            for (span, sample) in spans.into_iter().zip([luma, cb, cr]) {
                data[span].fill(sample);
            }
        });
    }

    /// Copies `area` from `original`, a picture of the same size.
    pub fn restore(&mut self, area: Area, original: &Self) {
        self.spans(area, |data, spans| {
            for span in spans {
                data[span.clone()].copy_from_slice(&original.data[span]);
            }
        });
    }

    /// Calls `visit` with the span of each plane for every row of `area`; the chroma spans are
    /// empty in odd rows. Chroma samples belong to the area if their first pixel column does, or
    /// the one after.
    fn spans(&mut self, area: Area, mut visit: impl FnMut(&mut [u8], [std::ops::Range<usize>; 3])) {
        let clip = |from: i32, length: i32, size: usize| {
            let to = (from + length).clamp(0, size as i32) as usize;
            (from.clamp(0, size as i32) as usize, to)
        };
        let (left, right) = clip(area.x, area.width, self.width);
        let (top, bottom) = clip(area.y, area.height, self.height);
        if left >= right || top >= bottom {
            return;
        }
        for y in top..bottom {
            let row = y * self.width;
            let (mut cb, mut cr) = (0..0, 0..0);
            if y.is_multiple_of(2) || y == top {
                let (first, _) = self.chroma(left / 2, y / 2);
                let count = right.div_ceil(2) - left / 2;
                let plane = self.width * self.height / 4;
                (cb, cr) = (first..first + count, first + plane..first + plane + count);
            }
            visit(&mut self.data, [row + left..row + right, cb, cr]);
        }
    }

    /// Indices of the chroma samples of a block of four pixels.
    fn chroma(&self, x: usize, y: usize) -> (usize, usize) {
        let cb = self.width * self.height + y * self.width / 2 + x;
        (cb, cb + self.width * self.height / 4)
    }

    /// Writes `text` with its upper left corner at (`x`, `y`), `scale` pixels to a dot.
    pub fn text(&mut self, x: i32, y: i32, scale: i32, colour: Rgb, text: &str) {
        let samples = self.coding.yuv(colour);
        for (n, character) in text.chars().enumerate() {
            let left = x + (n * font::ADVANCE) as i32 * scale;
            for (row, dots) in font::glyph(character).into_iter().enumerate() {
                for column in (0..font::WIDTH).filter(|column| dots >> (font::WIDTH - 1 - column) & 1 == 1) {
                    let (x, y) = (left + column as i32 * scale, y + row as i32 * scale);
                    self.fill_samples(Area { x, y, width: scale, height: scale }, samples);
                }
            }
        }
    }

    /// Copies `original`, a picture of the same size, so that its column `columns[x]` comes to `x` and its row
    /// `rows[y]` to `y`.
    pub fn copy_mapped(&mut self, original: &Self, columns: &[usize], rows: &[usize]) {
        for (y, from) in rows.iter().enumerate() {
            let (to, from) = (y * self.width, from * self.width);
            for (x, column) in columns.iter().enumerate() {
                self.data[to + x] = original.data[from + column];
            }
        }
        for (y, from) in rows.iter().step_by(2).enumerate() {
            for (x, column) in columns.iter().step_by(2).enumerate() {
                let (cb, cr) = self.chroma(x, y);
                let (from_cb, from_cr) = self.chroma(column / 2, from / 2);
                self.data[cb] = original.data[from_cb];
                self.data[cr] = original.data[from_cr];
            }
        }
    }

    /// Draws the position of a camera that can be turned.
    pub fn stamp_position(&mut self, position: Position) {
        let (black, white) = self.coding.extremes();
        let (x, y, width, height) = stamp::position_area(self.width, self.height);
        let area = Area { x: x as i32, y: y as i32, width: width as i32, height: height as i32 };
        self.fill_samples(area, [black, 128, 128]);
        stamp::write_position(&mut self.data, self.width, self.height, self.width, black, white, position);
    }

    /// Draws the stamp on a neutral background.
    pub fn stamp(&mut self, stamp: Stamp) {
        let (black, white) = self.coding.extremes();
        let (x, y, width, height) = stamp::area(self.width, self.height);
        let area = Area { x: x as i32, y: y as i32, width: width as i32, height: height as i32 };
        self.fill_samples(area, [black, 128, 128]);
        stamp::write(&mut self.data, self.width, self.height, self.width, black, white, stamp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colour::{Matrix, Range};

    const CODING: Coding = Coding { range: Range::Limited, matrix: Matrix::Bt709 };

    #[test]
    fn fill_beyond_the_edges_touches_the_inside_only() {
        let mut canvas = Canvas::new(16, 8, CODING);
        canvas.fill(Area { x: -4, y: -4, width: 8, height: 6 }, [255; 3]);
        canvas.fill(Area { x: 14, y: 6, width: 100, height: 100 }, [255; 3]);
        canvas.fill(Area { x: 40, y: 0, width: 4, height: 4 }, [255; 3]);
        let white: Vec<_> = (0..128).filter(|&n| canvas.data()[n] == 235).collect();
        assert_eq!(white, [0, 1, 2, 3, 16, 17, 18, 19, 110, 111, 126, 127]);
    }

    #[test]
    fn restored_area_is_as_before_in_all_planes() {
        let mut original = Canvas::new(32, 16, CODING);
        original.paint(|x, y| [x as u8 * 8, y as u8 * 16, 90]);
        let mut canvas = original.clone();
        canvas.text(3, 1, 2, [255, 0, 0], "8");
        assert_ne!(canvas.data(), original.data());
        canvas.restore(Area { x: 3, y: 1, width: 10, height: 14 }, &original);
        assert_eq!(canvas.data(), original.data());
    }
}
