//! The burnt-in stamp: frame number and time of generation as black and white cells in the picture.
//!
//! It is written into the luma plane before encoding and read back from any decoded picture, also
//! after scaling to 320x180 and JPEG compression at quality 50. The crate depends on nothing but the
//! standard library. `docs/virtual-camera.md` specifies the layout for readers in other languages;
//! keep both alike.
//!
//! Layout: a picture of any size is divided into [`GRID_COLUMNS`] x [`GRID_ROWS`] cells; edges are
//! rounded down. The stamp is the cells of the two lowest rows, columns 14 to 65:
//!
//! ```text
//! column   14 15 | 16 ... 63                          | 64 65
//! row 43    W  B | frame: 32 bits, checksum: 16 bits  |  B  W
//! row 44    B  W | time: 48 bits                      |  W  B
//! ```
//!
//! White is 1, black is 0, numbers have their highest bit first. Time is Unix milliseconds. The
//! checksum is CRC-16/CCITT-FALSE (polynomial 0x1021, initial value 0xFFFF, not reflected) of the
//! ten bytes frame (4) and time (6), both big endian.
//!
//! The picture of a camera that can be turned also has its [`Position`], in the row above (42) and the same columns: two
//! edge cells as in row 44, then 16 bits each for pan, tilt and zoom, and two edge cells again.

#[cfg(test)]
mod tests;

/// Cells across the picture.
pub const GRID_COLUMNS: usize = 80;
/// Cells down the picture.
pub const GRID_ROWS: usize = 45;
/// First column of the stamp, counted from 0.
pub const FIRST_COLUMN: usize = 14;
/// First row of the stamp; the second and last row is the one below.
pub const FIRST_ROW: usize = 43;
/// Columns of the stamp, with two cells of frame on either side of the 48 data cells.
pub const COLUMNS: usize = 52;
const ROWS: usize = 2;
const EDGE: usize = 2;
const DATA: usize = COLUMNS - 2 * EDGE;
/// The four edge cells of each row: left two, then right two.
const SYNC: [[bool; 2 * EDGE]; ROWS] = [[true, false, false, true], [false, true, true, false]];
/// Minimum contrast between black and white edge cells, of 255; with less there is no stamp.
const LEAST_CONTRAST: u32 = 80;

/// The frame's own number and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Frames made by this stream before this one, since the camera started; wraps around.
    pub frame: u32,
    /// When the frame was made, in Unix milliseconds; the low 48 bits are written.
    pub unix_ms: u64,
}

/// Where a camera looks, in ten-thousandths: pan and tilt from -10000 (left, down) to 10000, zoom from 0 to 10000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub pan: i16,
    pub tilt: i16,
    pub zoom: i16,
}

/// Row of the position.
const POSITION_ROW: usize = FIRST_ROW - 1;
const POSITION_SYNC: [bool; 2 * EDGE] = SYNC[1];

/// A picture in memory, eight bits per sample. Only one sample of each pixel is read.
#[derive(Clone, Copy)]
pub struct Pixels<'a> {
    pub data: &'a [u8],
    pub width: usize,
    pub height: usize,
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Bytes from one pixel to the next: 1 for luma, 3 for RGB or BGR, 4 for RGBA. For 3 and 4 the
    /// green sample is read, which lies second in all of these.
    pub step: usize,
}

/// Why no stamp was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The picture is smaller than one pixel per cell, or its buffer is shorter than its size
    /// requires.
    #[error("the picture is too small for a stamp")]
    TooSmall,
    /// The edge cells are not black and white where they should be.
    #[error("the picture carries no stamp")]
    NoStamp,
    /// The cells were read but the checksum differs: a damaged picture.
    #[error("the stamp's checksum does not fit")]
    Damaged,
}

/// The pixels `(x, y, width, height)` that a stamp covers in a picture of this size.
pub fn area(width: usize, height: usize) -> (usize, usize, usize, usize) {
    let (x, y) = (FIRST_COLUMN * width / GRID_COLUMNS, FIRST_ROW * height / GRID_ROWS);
    let right = (FIRST_COLUMN + COLUMNS) * width / GRID_COLUMNS;
    let bottom = (FIRST_ROW + ROWS) * height / GRID_ROWS;
    (x, y, right - x, bottom - y)
}

/// The pixels that a position covers, as [`area`].
pub fn position_area(width: usize, height: usize) -> (usize, usize, usize, usize) {
    let (x, _, across, _) = area(width, height);
    let (y, bottom) = (POSITION_ROW * height / GRID_ROWS, FIRST_ROW * height / GRID_ROWS);
    (x, y, across, bottom - y)
}

/// Writes `position` into a luma plane, as [`write`].
pub fn write_position(
    luma: &mut [u8],
    width: usize,
    height: usize,
    stride: usize,
    black: u8,
    white: u8,
    position: Position,
) {
    let Position { pan, tilt, zoom } = position;
    let bits = [pan, tilt, zoom].into_iter().fold(0_u64, |bits, value| bits << 16 | u64::from(value.cast_unsigned()));
    let cells = row_of(bits, POSITION_SYNC);
    write_row(luma, width, height, stride, [black, white], POSITION_ROW, &cells);
}

/// Reads the position from a whole picture, as [`read`].
///
/// # Errors
/// See [`Unreadable`]; a picture without a position has no stamp.
pub fn read_position(pixels: &Pixels<'_>) -> Result<Position, Unreadable> {
    check_size(pixels)?;
    let levels: [u32; COLUMNS] =
        std::array::from_fn(|column| mean_of_cell(pixels, FIRST_COLUMN + column, POSITION_ROW));
    let edges = [levels[0], levels[1], levels[EDGE + DATA], levels[EDGE + DATA + 1]];
    let of = |wanted: bool| {
        edges.iter().zip(POSITION_SYNC).filter(move |(_, white)| *white == wanted).map(|(level, _)| *level)
    };
    let (white, black) = (of(true).min().unwrap_or(0), of(false).max().unwrap_or(255));
    if white < black + LEAST_CONTRAST {
        return Err(Unreadable::NoStamp);
    }
    let middle = (white + black) / 2;
    let value = |n: usize| {
        let cells = &levels[EDGE + 16 * n..EDGE + 16 * (n + 1)];
        cells.iter().fold(0_u16, |number, &level| number << 1 | u16::from(level > middle)).cast_signed()
    };
    Ok(Position { pan: value(0), tilt: value(1), zoom: value(2) })
}

/// Writes `stamp` into a luma plane with the given sample values for black and white (16 and 235,
/// or 0 and 255). The caller sets chroma under [`area`] to neutral.
pub fn write(luma: &mut [u8], width: usize, height: usize, stride: usize, black: u8, white: u8, stamp: Stamp) {
    for (row, cells) in cells_of(stamp).iter().enumerate() {
        write_row(luma, width, height, stride, [black, white], FIRST_ROW + row, cells);
    }
}

fn write_row(
    luma: &mut [u8],
    width: usize,
    height: usize,
    stride: usize,
    levels: [u8; 2],
    row: usize,
    cells: &[bool; COLUMNS],
) {
    let (top, bottom) = (row * height / GRID_ROWS, (row + 1) * height / GRID_ROWS);
    for (column, &cell) in cells.iter().enumerate() {
        let left = (FIRST_COLUMN + column) * width / GRID_COLUMNS;
        let right = (FIRST_COLUMN + column + 1) * width / GRID_COLUMNS;
        for y in top..bottom {
            luma[y * stride + left..y * stride + right].fill(levels[usize::from(cell)]);
        }
    }
}

/// Reads the stamp of a whole picture, of any size from 160x90 up (320x180 after lossy
/// compression).
///
/// # Errors
/// See [`Unreadable`].
pub fn read(pixels: &Pixels<'_>) -> Result<Stamp, Unreadable> {
    check_size(pixels)?;
    let mut levels = [[0_u32; COLUMNS]; ROWS];
    for (row, levels) in levels.iter_mut().enumerate() {
        for (column, level) in levels.iter_mut().enumerate() {
            *level = mean_of_cell(pixels, FIRST_COLUMN + column, FIRST_ROW + row);
        }
    }
    let edge = |row: usize, n: usize| levels[row][if n < EDGE { n } else { DATA + n }];
    let (mut darkest_white, mut brightest_black) = (u32::MAX, 0);
    for (row, sync) in SYNC.iter().enumerate() {
        for (n, &white) in sync.iter().enumerate() {
            if white {
                darkest_white = darkest_white.min(edge(row, n));
            } else {
                brightest_black = brightest_black.max(edge(row, n));
            }
        }
    }
    if darkest_white < brightest_black + LEAST_CONTRAST {
        return Err(Unreadable::NoStamp);
    }
    let middle = (darkest_white + brightest_black) / 2;
    let bits = |row: usize, from: usize, count: usize| {
        levels[row][EDGE + from..EDGE + from + count]
            .iter()
            .fold(0_u64, |number, &level| number << 1 | u64::from(level > middle))
    };
    let stamp = Stamp { frame: bits(0, 0, 32) as u32, unix_ms: bits(1, 0, DATA) };
    if bits(0, 32, 16) == u64::from(checksum(stamp)) { Ok(stamp) } else { Err(Unreadable::Damaged) }
}

fn check_size(pixels: &Pixels<'_>) -> Result<(), Unreadable> {
    let long_enough = pixels.height > 0
        && pixels.data.len() >= (pixels.height - 1) * pixels.stride + pixels.width * pixels.step
        && pixels.stride >= pixels.width * pixels.step;
    let is_fit = long_enough && pixels.width >= GRID_COLUMNS && pixels.height >= GRID_ROWS;
    if is_fit { Ok(()) } else { Err(Unreadable::TooSmall) }
}

/// Mean of the middle half of a cell in both directions, which excludes the blur at its edges.
fn mean_of_cell(pixels: &Pixels<'_>, column: usize, row: usize) -> u32 {
    let span = |n: usize, cells: usize, size: usize| {
        let (from, to) = (n * size / cells, (n + 1) * size / cells);
        let margin = (to - from) / 4;
        from + margin..(to - margin).max(from + margin + 1)
    };
    let sample = usize::from(pixels.step >= 3);
    let (mut sum, mut count) = (0, 0);
    for y in span(row, GRID_ROWS, pixels.height) {
        for x in span(column, GRID_COLUMNS, pixels.width) {
            sum += u32::from(pixels.data[y * pixels.stride + x * pixels.step + sample]);
            count += 1;
        }
    }
    sum / count
}

fn cells_of(stamp: Stamp) -> [[bool; COLUMNS]; ROWS] {
    let rows = [u64::from(stamp.frame) << 16 | u64::from(checksum(stamp)), stamp.unix_ms];
    std::array::from_fn(|row| row_of(rows[row], SYNC[row]))
}

fn row_of(bits: u64, sync: [bool; 2 * EDGE]) -> [bool; COLUMNS] {
    let mut cells = [false; COLUMNS];
    cells[..EDGE].copy_from_slice(&sync[..EDGE]);
    cells[EDGE + DATA..].copy_from_slice(&sync[EDGE..]);
    for (n, cell) in cells[EDGE..EDGE + DATA].iter_mut().enumerate() {
        *cell = bits >> (DATA - 1 - n) & 1 == 1;
    }
    cells
}

fn checksum(stamp: Stamp) -> u16 {
    let frame = stamp.frame.to_be_bytes();
    let time = stamp.unix_ms.to_be_bytes();
    crc16(frame.iter().chain(&time[2..]))
}

/// CRC-16/CCITT-FALSE.
pub fn crc16<'a>(bytes: impl Iterator<Item = &'a u8>) -> u16 {
    bytes.fold(0xFFFF, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| crc << 1 ^ if crc & 0x8000 != 0 { 0x1021 } else { 0 })
    })
}
