//! Draws the mark of a damaged picture: an amber strip with a text, across the top.
//!
//! It is drawn into the planes that are compressed, after scaling, so its letters have the same size
//! in each rendition.

use opencv::{
    core::{Mat, Point, Scalar},
    imgproc,
};

use super::planes::YuvBuffer;

/// Luma, blue and red chroma of the strip in a JPEG's colours.
const AMBER: [u8; 3] = [188, 22, 176];
const INK: f64 = 0.0;

const FONT: i32 = imgproc::FONT_HERSHEY_SIMPLEX;
/// Height of a capital letter of [`FONT`] at scale 1, in pixels.
const CAPITAL: f64 = 21.0;
/// A capital letter is this part of the picture's height, where the picture is large enough for that.
const PART_OF_HEIGHT: f64 = 27.0;
/// Smaller letters cannot be read.
const MIN_SCALE: f64 = 0.38;
/// Of the picture's width, pixels on each side of the text.
const MARGIN: f64 = 3.0;
/// Height of a line and of the part of it above the baseline, in capital letters.
const LINE: f64 = 2.0;
const ASCENT: f64 = 1.35;

/// Draws the strip with `text`, of ASCII alone. Long texts take several lines, which may cover up to
/// half of a small picture.
///
/// # Errors
/// The error of OpenCV, such as out of memory.
pub fn draw(picture: &mut YuvBuffer, text: &str) -> opencv::Result<()> {
    let size = picture.planes().size;
    let scale = (f64::from(size.height) / PART_OF_HEIGHT / CAPITAL).max(MIN_SCALE);
    // Antialiased strokes of one pixel are pale; those of large letters are thin.
    let thickness = (scale * 1.5).round().max(1.0) as i32;
    let lines = wrapped(text, f64::from(size.width) - 2.0 * MARGIN, |line| {
        Ok(f64::from(imgproc::get_text_size(line, FONT, scale, thickness, &mut 0)?.width))
    })?;
    let line_height = (CAPITAL * LINE * scale).ceil();
    let strip = ((line_height * lines.len() as f64) as usize).min(size.height.div_ceil(2) as usize);
    for (plane, level) in AMBER.into_iter().enumerate() {
        if plane > 0 && !picture.planes().has_chroma() {
            break;
        }
        let rows = (strip * picture.height(plane)).div_ceil(picture.height(0));
        (0..rows).for_each(|y| picture.row_mut(plane, y).fill(level));
    }
    let columns = picture.width(0);
    let luma = picture.rows_mut(0, strip);
    let mut luma = Mat::new_rows_cols_with_data_mut(strip as i32, columns as i32, luma)?;
    let ink = Scalar::all(INK);
    for (number, line) in lines.iter().enumerate() {
        let baseline = (line_height * number as f64 + CAPITAL * ASCENT * scale).round();
        let at = Point::new(MARGIN as i32, baseline as i32);
        imgproc::put_text(&mut luma, line, at, FONT, scale, ink, thickness, imgproc::LINE_AA, false)?;
    }
    Ok(())
}

/// `text` in lines that are at most `limit` wide, if no word is wider.
fn wrapped(text: &str, limit: f64, width: impl Fn(&str) -> opencv::Result<f64>) -> opencv::Result<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"))? <= limit => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cctv_agent::media::Size;
    use turbojpeg::Subsamp;

    const TEXT: &str = "picture damaged: 1.2 % of packets lost";

    fn marked(width: u32, height: u32, subsampling: Subsamp) -> YuvBuffer {
        let mut picture = YuvBuffer::default();
        picture.reshape(Size { width, height }, subsampling);
        for plane in 0..if subsampling == Subsamp::Gray { 1 } else { 3 } {
            (0..picture.height(plane)).for_each(|y| picture.row_mut(plane, y).fill(77));
        }
        draw(&mut picture, TEXT).unwrap();
        picture
    }

    /// Rows of the luma plane that belong to the strip.
    fn strip(picture: &YuvBuffer) -> usize {
        let planes = picture.planes();
        (0..planes.height(0)).take_while(|&y| planes.row(0, y)[0] != 77).count()
    }

    #[test]
    fn strip_is_amber_and_leaves_most_of_the_picture_alone() {
        for (width, height) in [(160, 90), (320, 180), (640, 360), (1920, 1080), (405, 720), (3840, 2160)] {
            for subsampling in [Subsamp::Sub2x2, Subsamp::Sub2x1, Subsamp::None, Subsamp::Gray] {
                let picture = marked(width, height, subsampling);
                let (planes, what) = (picture.planes(), format!("{width}x{height} {subsampling:?}"));
                let rows = strip(&picture);
                assert!(rows >= 10 && rows <= height as usize * 2 / 5, "{what}: {rows} rows");
                let row = |plane: usize, y: usize| planes.row(plane, y);
                assert!(row(0, 0).iter().all(|&luma| luma == AMBER[0]), "{what}: above the letters");
                assert!((rows..planes.height(0)).all(|y| row(0, y).iter().all(|&luma| luma == 77)), "{what}");
                if subsampling != Subsamp::Gray {
                    assert_eq!((row(1, 0)[0], row(2, 0)[0]), (AMBER[1], AMBER[2]), "{what}");
                    assert!(row(1, planes.height(1) - 1).iter().all(|&blue| blue == 77), "{what}");
                }
            }
        }
    }

    #[test]
    fn text_is_black_and_all_of_it_lies_within_the_picture() {
        for (width, height) in [(160, 90), (160, 120), (640, 360), (1920, 1080), (405, 720)] {
            let picture = marked(width, height, Subsamp::Sub2x2);
            let (planes, rows) = (picture.planes(), strip(&picture));
            let ink = |x: usize, y: usize| planes.row(0, y)[x] < 94;
            let inked = (0..rows).map(|y| (0..width as usize).filter(|&x| ink(x, y)).count()).sum::<usize>();
            assert!(inked * 100 > rows * width as usize * 3, "{width}x{height}: {inked} dark pixels");
            let at_edge = (0..rows).any(|y| ink(0, y) || ink(width as usize - 1, y));
            assert!(!at_edge, "{width}x{height}: a letter is cut off");
            let is_bottom_cut = (0..width as usize).any(|x| ink(x, rows - 1));
            assert!(!is_bottom_cut, "{width}x{height}: the last line is cut off");
        }
    }

    #[test]
    fn any_size_has_a_strip() {
        for (width, height) in [(1, 1), (2, 2), (16, 16), (7000, 16), (16, 3000)] {
            assert!(strip(&marked(width, height, Subsamp::Sub2x2)) > 0, "{width}x{height}");
        }
    }

    #[test]
    fn lines_are_as_long_as_they_fit() {
        let width = |line: &str| Ok(line.len() as f64);
        assert_eq!(wrapped("one two three", 7.0, width).unwrap(), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 2.0, width).unwrap(), ["one", "two", "three"]);
        assert_eq!(wrapped("one", 100.0, width).unwrap(), ["one"]);
    }
}
