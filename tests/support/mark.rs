//! Reads from a JPEG whether it has the mark of a damaged picture.

/// Red, green and blue of the mark's strip.
const AMBER: [u8; 3] = [255, 191, 0];

/// Most that JPEG changes of a colour.
const CLOSE: u8 = 40;

/// Whether an amber strip lies across the top of the picture.
pub fn is_marked(jpeg: &[u8]) -> bool {
    let mut decoder = zune_jpeg::JpegDecoder::new(std::io::Cursor::new(jpeg));
    let pixels = decoder.decode().unwrap();
    let (width, height) = decoder.dimensions().unwrap();
    assert_eq!(pixels.len(), 3 * width * height, "red, green and blue");
    // Above the letters.
    let row = &pixels[..3 * width];
    let is_amber = |pixel: &[u8]| pixel.iter().zip(AMBER).all(|(&level, amber)| level.abs_diff(amber) <= CLOSE);
    row.chunks(3).filter(|pixel| is_amber(pixel)).count() * 10 > 9 * width
}
