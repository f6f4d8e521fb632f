//! Pictures as separate planes of luma and chroma, borrowed from a decoder or owned.
//!
//! Planes follow turbojpeg's rule: luma is padded to a whole number of chroma samples, so a 405
//! wide 4:2:0 picture has 406 columns of luma and 203 of chroma.

use opencv::{
    core::{Mat, MatTraitConst, Rect},
    imgproc,
};
use turbojpeg::Subsamp;

use super::shrink;
use cctv_agent::media::{Size, part::Area};

/// A borrowed picture.
#[derive(Clone, Copy)]
pub struct YuvPlanes<'a> {
    pub size: Size,
    pub subsampling: Subsamp,
    planes: [&'a [u8]; 3],
    strides: [usize; 3],
}

impl<'a> YuvPlanes<'a> {
    /// Luma, blue and red chroma, with the distance between rows in bytes; grey pictures have empty
    /// chroma planes.
    ///
    /// # Panics
    /// If a plane is too short for `size`.
    pub fn new(size: Size, subsampling: Subsamp, planes: [&'a [u8]; 3], strides: [usize; 3]) -> Self {
        let new = Self { size, subsampling, planes, strides };
        for plane in 0..new.count() {
            let (width, height) = (new.width(plane), new.height(plane));
            assert!(strides[plane] >= width, "rows of plane {plane} overlap");
            assert!(planes[plane].len() >= strides[plane] * (height - 1) + width, "plane {plane} is too short");
        }
        new
    }

    pub fn has_chroma(&self) -> bool {
        self.subsampling != Subsamp::Gray
    }

    /// The number of planes.
    pub fn count(&self) -> usize {
        if self.has_chroma() { 3 } else { 1 }
    }

    pub fn width(&self, plane: usize) -> usize {
        plane_side(self.size.width, self.subsampling.width(), plane)
    }

    pub fn height(&self, plane: usize) -> usize {
        plane_side(self.size.height, self.subsampling.height(), plane)
    }

    pub fn row(&self, plane: usize, y: usize) -> &'a [u8] {
        &self.planes[plane][y * self.strides[plane]..][..self.width(plane)]
    }

    /// The columns and rows of a plane that are part of the picture, without padding.
    pub fn visible(&self, plane: usize) -> (usize, usize) {
        match plane {
            0 => (self.size.width as usize, self.size.height as usize),
            _ => (self.width(plane), self.height(plane)),
        }
    }

    /// The part of the picture that begins at column `left` and row `top`, or a little before, at the
    /// first sample that has chroma of its own.
    pub fn part(&self, Area { left, top, size }: Area) -> Self {
        let (across, down) = (self.subsampling.width(), self.subsampling.height());
        let (left, top) = (left as usize / across * across, top as usize / down * down);
        let mut part = Self { size, ..*self };
        for plane in 0..self.count() {
            let (left, top) = if plane == 0 { (left, top) } else { (left / across, top / down) };
            part.planes[plane] = &self.planes[plane][top * self.strides[plane] + left..];
        }
        part
    }

    /// Whether all samples are equal.
    pub fn equals(&self, other: &YuvPlanes) -> bool {
        self.size == other.size
            && self.subsampling == other.subsampling
            && (0..self.count()).all(|plane| (0..self.height(plane)).all(|y| self.row(plane, y) == other.row(plane, y)))
    }

    /// The planes in turbojpeg's type; not for grey pictures.
    pub fn image(&self) -> turbojpeg::YuvPlanesImage<&'a [u8]> {
        turbojpeg::YuvPlanesImage {
            y_plane: self.planes[0],
            u_plane: self.planes[1],
            v_plane: self.planes[2],
            width: self.size.width as usize,
            height: self.size.height as usize,
            y_stride: self.strides[0],
            u_stride: self.strides[1],
            v_stride: self.strides[2],
            subsamp: self.subsampling,
        }
    }

    /// The luma plane alone, in turbojpeg's type.
    pub fn grey_image(&self) -> turbojpeg::Image<&'a [u8]> {
        turbojpeg::Image {
            pixels: self.planes[0],
            width: self.size.width as usize,
            pitch: self.strides[0],
            height: self.size.height as usize,
            format: turbojpeg::PixelFormat::GRAY,
        }
    }

    /// Whether turbojpeg can read the planes as they are: it needs whole rows, including the last
    /// one.
    pub fn is_whole(&self) -> bool {
        (0..self.count()).all(|plane| self.planes[plane].len() >= self.strides[plane] * self.height(plane))
    }

    /// Fills `to` with this picture scaled to `size`; the shape may change. The planes are first
    /// averaged in whole squares while the result is not smaller than `size`, then interpolated.
    /// This is as sharp and free of moiré as averaging in one step, which takes several times as
    /// long. Chroma becomes 4:2:0 in any case; grey stays grey.
    ///
    /// # Errors
    /// The error of OpenCV, such as out of memory.
    pub fn scale(&self, size: Size, to: &mut YuvBuffer) -> opencv::Result<()> {
        to.reshape(size, if self.has_chroma() { Subsamp::Sub2x2 } else { Subsamp::Gray });
        // More than rounding means that the samples are not square.
        let lowered = u64::from(self.size.height) * u64::from(size.width);
        let narrowed = u64::from(self.size.width) * u64::from(size.height);
        let is_flattened = 10 * lowered > 11 * narrowed;
        for plane in 0..self.count() {
            // Padding may contain anything, and a last row cut short is lost; averaging does not
            // show it.
            let (bytes, stride) = (self.planes[plane], self.strides[plane]);
            let rows = bytes.len() / stride;
            let (columns, visible_rows) = self.visible(plane);
            let sides = (columns, visible_rows.min(rows));
            let wanted = (to.width(plane), to.height(plane));
            let YuvBuffer { planes, shrunk, sums, .. } = &mut *to;
            let target = &mut planes[plane];
            let side = (sides.0 / wanted.0).min(sides.1 / wanted.1).min(shrink::LARGEST);
            if side < 2 {
                resize((bytes, stride), sides, target, wanted, is_flattened)?;
                continue;
            }
            let sides = (sides.0 / side, sides.1 / side);
            if sides == wanted {
                shrink::box_downscale(bytes, stride, side, target, sides.0, sums);
            } else {
                shrunk.resize(sides.0 * sides.1, 0);
                shrink::box_downscale(bytes, stride, side, shrunk, sides.0, sums);
                resize((shrunk, sides.0), sides, target, wanted, is_flattened)?;
            }
        }
        Ok(())
    }

    /// Fills `to` with a copy of this picture.
    pub fn copy(&self, to: &mut YuvBuffer) {
        to.reshape(self.size, self.subsampling);
        for plane in 0..self.count() {
            for y in 0..self.height(plane) {
                to.row_mut(plane, y).copy_from_slice(self.row(plane, y));
            }
        }
    }
}

/// Scales a plane of `sides` (width, height) whose rows are `from.1` bytes apart into `to` of
/// `size`. `is_flattened`: the height shrinks by more than the width.
fn resize(
    from: (&[u8], usize),
    sides: (usize, usize),
    to: &mut [u8],
    size: (usize, usize),
    is_flattened: bool,
) -> opencv::Result<()> {
    let (bytes, stride) = from;
    let rows = bytes.len() / stride;
    let from = Mat::new_rows_cols_with_data(rows as i32, stride as i32, &bytes[..rows * stride])?;
    let from = from.roi(Rect::new(0, 0, sides.0 as i32, sides.1 as i32))?;
    let mut to = Mat::new_rows_cols_with_data_mut(size.1 as i32, size.0 as i32, to)?;
    // Interpolation uses samples of two rows and columns, so it would skip some; but OpenCV
    // averages only if neither side grows.
    let skips = sides.0 >= 2 * size.0 || is_flattened && sides.1 >= 2 * size.1;
    let averages = skips && sides.0 >= size.0 && sides.1 >= size.1;
    let method = if averages { imgproc::INTER_AREA } else { imgproc::INTER_LINEAR };
    imgproc::resize(&from, &mut to, opencv::core::Size::new(size.0 as i32, size.1 as i32), 0.0, 0.0, method)
}

/// An owned picture whose memory is reused.
pub struct YuvBuffer {
    size: Size,
    subsampling: Subsamp,
    /// Rows follow each other without gaps.
    planes: [Vec<u8>; 3],
    /// Work buffers of [`YuvPlanes::scale`].
    shrunk: Vec<u8>,
    sums: Vec<u16>,
}

impl Default for YuvBuffer {
    fn default() -> Self {
        let size = Size { width: 1, height: 1 };
        let planes = [vec![0], Vec::new(), Vec::new()];
        Self { size, subsampling: Subsamp::Gray, planes, shrunk: Vec::new(), sums: Vec::new() }
    }
}

impl YuvBuffer {
    /// Takes the given shape; the contents are undefined.
    pub fn reshape(&mut self, size: Size, subsampling: Subsamp) {
        (self.size, self.subsampling) = (size, subsampling);
        for plane in 0..3 {
            let length =
                if plane > 0 && subsampling == Subsamp::Gray { 0 } else { self.width(plane) * self.height(plane) };
            self.planes[plane].resize(length, 0);
        }
    }

    pub fn planes(&self) -> YuvPlanes<'_> {
        let planes = [&self.planes[0][..], &self.planes[1], &self.planes[2]];
        YuvPlanes::new(self.size, self.subsampling, planes, [0, 1, 2].map(|plane| self.width(plane)))
    }

    pub fn width(&self, plane: usize) -> usize {
        plane_side(self.size.width, self.subsampling.width(), plane)
    }

    pub fn height(&self, plane: usize) -> usize {
        plane_side(self.size.height, self.subsampling.height(), plane)
    }

    /// The first `count` rows of a plane, without gaps.
    pub fn rows_mut(&mut self, plane: usize, count: usize) -> &mut [u8] {
        let width = self.width(plane);
        &mut self.planes[plane][..count * width]
    }

    pub fn row_mut(&mut self, plane: usize, y: usize) -> &mut [u8] {
        let width = self.width(plane);
        &mut self.planes[plane][y * width..][..width]
    }
}

/// A plane's side in samples, from the picture's side in pixels and the number of pixels that share
/// a chroma sample.
fn plane_side(pixels: u32, shared: usize, plane: usize) -> usize {
    let chroma = (pixels as usize).div_ceil(shared);
    if plane == 0 { chroma * shared } else { chroma }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_sizes_are_padded_to_whole_chroma_samples() {
        let mut canvas = YuvBuffer::default();
        canvas.reshape(Size { width: 405, height: 719 }, Subsamp::Sub2x2);
        assert_eq!((canvas.width(0), canvas.height(0), canvas.width(1), canvas.height(1)), (406, 720, 203, 360));
        canvas.reshape(Size { width: 405, height: 719 }, Subsamp::Gray);
        assert_eq!((canvas.width(0), canvas.height(0)), (405, 719));
    }

    #[test]
    fn part_begins_where_it_is_cut() {
        let luma: Vec<u8> = (0..48).collect();
        let chroma: Vec<u8> = (100..112).collect();
        let size = Size { width: 8, height: 6 };
        let planes = YuvPlanes::new(size, Subsamp::Sub2x2, [&luma, &chroma, &chroma], [8, 4, 4]);
        let part = planes.part(Area { left: 2, top: 2, size: Size { width: 6, height: 4 } });
        assert_eq!((part.row(0, 0), part.row(1, 0)), (&luma[18..24], &chroma[5..8]));
        assert_eq!((part.row(0, 3), part.row(1, 1)), (&luma[42..48], &chroma[9..12]));
        let mut whole = YuvBuffer::default();
        part.copy(&mut whole);
        assert!(part.equals(&whole.planes()));
        // Between two samples of chroma.
        let part = planes.part(Area { left: 3, top: 1, size: Size { width: 4, height: 4 } });
        assert_eq!((part.row(0, 0), part.row(1, 0)), (&luma[2..6], &chroma[1..3]));
    }

    #[test]
    fn scaling_averages_and_heeds_the_stride() {
        // Columns 0 and 100; the stride's own bytes (255) must not show.
        let luma: Vec<u8> = [0, 100, 0, 100, 255, 255].repeat(4);
        let chroma = [50, 50, 255].repeat(2);
        let size = Size { width: 4, height: 4 };
        let planes = YuvPlanes::new(size, Subsamp::Sub2x2, [&luma, &chroma, &chroma], [6, 3, 3]);
        let mut canvas = YuvBuffer::default();
        planes.scale(Size { width: 2, height: 2 }, &mut canvas).unwrap();
        let small = canvas.planes();
        assert_eq!((small.row(0, 0), small.row(0, 1), small.row(1, 0)), (&[50, 50][..], &[50, 50][..], &[50][..]));
    }

    #[test]
    fn picture_that_is_lowered_more_than_narrowed_leaves_no_row_out() {
        // One row of three is bright; every row of the result contains a third of it.
        let luma: Vec<u8> = (0..600).flat_map(|y| [if y % 3 == 1 { 240 } else { 0 }; 300]).collect();
        let size = Size { width: 300, height: 600 };
        let planes = YuvPlanes::new(size, Subsamp::Gray, [&luma, &[], &[]], [300, 0, 0]);
        let mut canvas = YuvBuffer::default();
        planes.scale(Size { width: 200, height: 200 }, &mut canvas).unwrap();
        assert!(
            canvas.planes().row(0, 100).iter().all(|&luma| luma.abs_diff(80) <= 1),
            "{:?}",
            canvas.planes().row(0, 100)
        );
    }

    #[test]
    fn everything_stays_where_it_was_at_any_size() {
        // Brighter from left to right, blue from top to bottom.
        let (width, height) = (1020, 510);
        let luma: Vec<u8> = (0..width * height).map(|at| (at % width / 4) as u8).collect();
        let blue: Vec<u8> = (0..width / 2 * height / 2).map(|at| (at / (width / 2)) as u8).collect();
        let size = Size { width: width as u32, height: height as u32 };
        let planes = YuvPlanes::new(size, Subsamp::Sub2x2, [&luma, &blue, &blue], [width, width / 2, width / 2]);
        let mut canvas = YuvBuffer::default();
        for (across, down) in [
            (1020, 510),
            (800, 500),
            (1400, 500),
            (1400, 200),
            (900, 700),
            (300, 700),
            (510, 255),
            (511, 256),
            (340, 170),
            (339, 169),
            (255, 127),
            (97, 51),
        ] {
            planes.scale(Size { width: across, height: down }, &mut canvas).unwrap();
            let (small, rows) = (canvas.planes(), down.div_ceil(2));
            let part = |at: usize, of: u32| (at as f64 + 0.5) / f64::from(of) * 255.0 - 0.5;
            // The edge samples left over by the squares are less than a pixel here.
            let slack = |of: u32| 255.0 / f64::from(of) + 1.5;
            for (x, &luma) in small.row(0, 20)[..across as usize].iter().enumerate() {
                let wanted = part(x, across);
                assert!(
                    (f64::from(luma) - wanted).abs() <= slack(across),
                    "{across}x{down}, column {x}: {luma}, not {wanted}"
                );
            }
            for y in 0..small.height(1) {
                let wanted = part(y, rows);
                let blue = small.row(1, y)[9];
                assert!(
                    (f64::from(blue) - wanted).abs() <= slack(rows),
                    "{across}x{down}, row {y}: {blue}, not {wanted}"
                );
            }
        }
    }
}
