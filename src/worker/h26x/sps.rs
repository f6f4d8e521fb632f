//! Reads what a sequence parameter set says of the picture: size, shape, colours, rate, and who can decode it.
//!
//! H.264 7.3.2.1.1 and E.1.1, H.265 7.3.2.2 and E.2.1. A set that is cut short or absurd gives `None`;
//! one whose colour part cannot be read still gives the size.

use super::{
    bit_reader::{Bits, unescape},
    nal::{self, Kind},
};
use crate::{
    media::{Codec, SampleAspect, Size, Variant},
    worker::colour::{Colour, Matrix},
};

/// What one sequence parameter set says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sequence {
    pub variant: Variant,
    /// The visible picture, after cropping.
    pub size: Size,
    pub sample_aspect: SampleAspect,
    pub colour: Colour,
    /// Frames per second, where the stream declares them.
    pub fps: Option<f32>,
}

/// The longest side believed, in pixels.
const LONGEST_SIDE: u32 = 16_384;

/// Reads the first sequence parameter set in `unit`, Annex B.
pub fn find(codec: Codec, unit: &[u8]) -> Option<Sequence> {
    let before_slices =
        nal::split(nal::head(unit)).take_while(|nal| !matches!(nal::kind(codec, nal), Kind::Slice | Kind::KeySlice));
    before_slices.filter(|nal| nal::kind(codec, nal) == Kind::SequenceParameters).find_map(|nal| read(codec, nal))
}

/// Reads a sequence parameter set given without start code.
pub fn read(codec: Codec, nal: &[u8]) -> Option<Sequence> {
    let payload = unescape(nal);
    let mut bits = Bits::new(&payload);
    match codec {
        Codec::H264 => h264(&mut bits, Variant::H264(*payload.get(1..)?.first_chunk()?)),
        Codec::H265 => h265(&mut bits, Variant::H265(*payload.get(3..)?.first_chunk()?)),
        Codec::Jpeg => None,
    }
}

/// What the optional "video usability information" adds.
#[derive(Clone, Copy)]
struct Usability {
    sample_aspect: SampleAspect,
    full_range: bool,
    /// `matrix_coefficients`, table E-5; 2 is "unspecified".
    matrix: Option<u32>,
    fps: Option<f32>,
}

impl Default for Usability {
    fn default() -> Self {
        Self { sample_aspect: SampleAspect::SQUARE, full_range: false, matrix: None, fps: None }
    }
}

/// `aspect_ratio_idc` to sample aspect: table E-1 of both standards. 0 is "unspecified", and what is not here is reserved.
const SAMPLE_ASPECTS: [(u16, u16); 17] = [
    (0, 0),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// `Extended_SAR`: the two sides follow.
const EXTENDED: u32 = 255;

fn sequence(variant: Variant, size: Size, usability: Usability) -> Option<Sequence> {
    let sane = |side| (1..=LONGEST_SIDE).contains(&side);
    let matrix = match usability.matrix {
        Some(1) => Matrix::Bt709,
        Some(4..=6) => Matrix::Bt601,
        Some(9 | 10) => Matrix::Bt2020,
        _ => Matrix::guess(size),
    };
    let colour = Colour { matrix, full_range: usability.full_range };
    let Usability { sample_aspect, fps, .. } = usability;
    (sane(size.width) && sane(size.height)).then_some(Sequence { variant, size, sample_aspect, colour, fps })
}

fn h264(bits: &mut Bits, variant: Variant) -> Option<Sequence> {
    bits.skip(8)?;
    let profile = bits.take(8)?;
    bits.skip(16)?;
    bits.unsigned()?;
    let mut chroma = 1;
    let mut separate_planes = false;
    if [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135].contains(&profile) {
        chroma = bits.unsigned()?;
        separate_planes = chroma == 3 && bits.flag()?;
        bits.unsigned()?;
        bits.unsigned()?;
        bits.skip(1)?;
        if bits.flag()? {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.flag()? {
                    h264_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.unsigned()?;
    match bits.unsigned()? {
        0 => {
            bits.unsigned()?;
        }
        1 => {
            bits.skip(1)?;
            bits.signed()?;
            bits.signed()?;
            for _ in 0..bits.unsigned()?.min(256) {
                bits.signed()?;
            }
        }
        _ => {}
    }
    bits.unsigned()?;
    bits.skip(1)?;
    let macroblocks_wide = bits.unsigned()?.checked_add(1)?;
    let map_units_high = bits.unsigned()?.checked_add(1)?;
    let frames_only = bits.flag()?;
    let fields = if frames_only { 1 } else { 2 };
    if !frames_only {
        bits.skip(1)?;
    }
    bits.skip(1)?;
    let [left, right, top, bottom] = crop(bits)?;
    let chroma = if separate_planes { 0 } else { chroma };
    let across = if matches!(chroma, 1 | 2) { 2 } else { 1 };
    let down = if chroma == 1 { 2 } else { 1 } * fields;
    let size = Size {
        width: cropped(macroblocks_wide.checked_mul(16)?, left, right, across)?,
        height: cropped(map_units_high.checked_mul(16 * fields)?, top, bottom, down)?,
    };
    sequence(variant, size, h264_usability(bits).unwrap_or_default())
}

fn h264_scaling_list(bits: &mut Bits, length: usize) -> Option<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..length {
        if next != 0 {
            next = (last + bits.signed()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

/// Left, right, top, bottom, in units that depend on the chroma format; zero where there is no crop.
fn crop(bits: &mut Bits) -> Option<[u32; 4]> {
    let mut sides = [0; 4];
    if bits.flag()? {
        for side in &mut sides {
            *side = bits.unsigned()?;
        }
    }
    Some(sides)
}

fn cropped(coded: u32, before: u32, after: u32, unit: u32) -> Option<u32> {
    coded.checked_sub(before.checked_add(after)?.checked_mul(unit)?)
}

fn h264_usability(bits: &mut Bits) -> Option<Usability> {
    let mut usability = Usability::default();
    if bits.flag()? && signal_type(bits, &mut usability).is_some() {
        usability.fps = timing(bits, 2.0);
    }
    Some(usability)
}

/// Aspect ratio, overscan, video signal type and chroma location: alike in H.264 and H.265. What was
/// read before the bits ran out stays in `usability`.
fn signal_type(bits: &mut Bits, usability: &mut Usability) -> Option<()> {
    if bits.flag()? {
        let (width, height) = match bits.take(8)? {
            EXTENDED => (bits.take(16)? as u16, bits.take(16)? as u16),
            number => SAMPLE_ASPECTS.get(number as usize).copied().unwrap_or_default(),
        };
        usability.sample_aspect = SampleAspect::new(width, height);
    }
    if bits.flag()? {
        bits.skip(1)?;
    }
    if bits.flag()? {
        bits.skip(3)?;
        usability.full_range = bits.flag()?;
        if bits.flag()? {
            bits.skip(16)?;
            usability.matrix = Some(bits.take(8)?);
        }
    }
    if bits.flag()? {
        bits.unsigned()?;
        bits.unsigned()?;
    }
    Some(())
}

/// The declared frame rate; H.264 counts `ticks` of 2 a frame, being fields, H.265 one.
fn timing(bits: &mut Bits, ticks: f64) -> Option<f32> {
    if !bits.flag()? {
        return None;
    }
    let (units, scale) = (f64::from(bits.take(32)?), f64::from(bits.take(32)?));
    let fps = scale / (units * ticks);
    (fps.is_finite() && (0.1..=240.0).contains(&fps)).then_some(fps as f32)
}

fn h265(bits: &mut Bits, variant: Variant) -> Option<Sequence> {
    bits.skip(16 + 4)?;
    let sub_layers = bits.take(3)? as usize;
    bits.skip(1)?;
    h265_profile(bits, sub_layers)?;
    bits.unsigned()?;
    let mut chroma = bits.unsigned()?;
    if chroma == 3 && bits.flag()? {
        chroma = 0;
    }
    let (width, height) = (bits.unsigned()?, bits.unsigned()?);
    let [left, right, top, bottom] = crop(bits)?;
    let across = if matches!(chroma, 1 | 2) { 2 } else { 1 };
    let down = if chroma == 1 { 2 } else { 1 };
    let size = Size { width: cropped(width, left, right, across)?, height: cropped(height, top, bottom, down)? };
    sequence(variant, size, h265_usability(bits, sub_layers).unwrap_or_default())
}

/// `profile_tier_level(1, sub_layers)`.
fn h265_profile(bits: &mut Bits, sub_layers: usize) -> Option<()> {
    bits.skip(96)?;
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    Some(())
}

/// Everything between the conformance window and the usability information, and then that.
fn h265_usability(bits: &mut Bits, sub_layers: usize) -> Option<Usability> {
    bits.unsigned()?;
    bits.unsigned()?;
    let order_count_bits = bits.unsigned()?.checked_add(4)?;
    let every_layer = bits.flag()?;
    for _ in if every_layer { 0 } else { sub_layers }..=sub_layers {
        for _ in 0..3 {
            bits.unsigned()?;
        }
    }
    for _ in 0..6 {
        bits.unsigned()?;
    }
    if bits.flag()? && bits.flag()? {
        h265_scaling_lists(bits)?;
    }
    bits.skip(2)?;
    if bits.flag()? {
        bits.skip(8)?;
        bits.unsigned()?;
        bits.unsigned()?;
        bits.skip(1)?;
    }
    h265_reference_sets(bits)?;
    if bits.flag()? {
        for _ in 0..bits.unsigned()?.min(33) {
            bits.skip(order_count_bits as usize + 1)?;
        }
    }
    bits.skip(2)?;
    let mut usability = Usability::default();
    if bits.flag()? && signal_type(bits, &mut usability).is_some() {
        usability.fps = h265_rate(bits);
    }
    Some(usability)
}

fn h265_rate(bits: &mut Bits) -> Option<f32> {
    bits.skip(3)?;
    crop(bits)?;
    timing(bits, 1.0)
}

fn h265_scaling_lists(bits: &mut Bits) -> Option<()> {
    for size in 0..4_u32 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !bits.flag()? {
                bits.unsigned()?;
                continue;
            }
            if size > 1 {
                bits.signed()?;
            }
            for _ in 0..64.min(1 << (4 + 2 * size)) {
                bits.signed()?;
            }
        }
    }
    Some(())
}

/// `st_ref_pic_set` for every set; each may be told as a difference from the one before.
fn h265_reference_sets(bits: &mut Bits) -> Option<()> {
    let sets = bits.unsigned()?;
    if sets > 64 {
        return None;
    }
    let mut previous = 0;
    for set in 0..sets {
        let predicted = set > 0 && bits.flag()?;
        let mut pictures = 0;
        if predicted {
            bits.skip(1)?;
            bits.unsigned()?;
            for _ in 0..=previous {
                let kept = bits.flag()? || bits.flag()?;
                pictures += u32::from(kept);
            }
        } else {
            pictures = bits.unsigned()?.checked_add(bits.unsigned()?)?;
            if pictures > 32 {
                return None;
            }
            for _ in 0..pictures {
                bits.unsigned()?;
                bits.skip(1)?;
            }
        }
        previous = pictures;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// libx264, High, BT.709, limited range.
    const HIGH_1080: &[u8] = &[
        0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x5a, 0x81, 0x01, 0x00, 0xa0, 0x00,
        0x00, 0x03, 0x00, 0x20, 0x00, 0x00, 0x06, 0x41, 0xe3, 0x06, 0x32, 0xc0,
    ];
    /// libx264, Baseline, colours not told.
    const BASELINE_360: &[u8] = &[
        0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00,
        0x03, 0x00, 0x32, 0x0f, 0x16, 0x2e, 0x48,
    ];
    /// libx264, High 4:2:2, interlaced, BT.601, full range, 402x302.
    const INTERLACED_422: &[u8] = &[
        0x67, 0x7a, 0x00, 0x15, 0xbc, 0xd9, 0x41, 0xa1, 0x4f, 0x11, 0x15, 0x80, 0xb7, 0x02, 0x02, 0x06, 0x40, 0x00,
        0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x0c, 0x87, 0xc5, 0x0a, 0x65, 0x80,
    ];
    /// libx265, Main, BT.709, limited range.
    const MAIN_1080: &[u8] = &[
        0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x78,
        0xa0, 0x03, 0xc0, 0x80, 0x10, 0xe5, 0x96, 0x56, 0x69, 0x24, 0xca, 0xf0, 0x16, 0xa0, 0x40, 0x40, 0x20, 0x80,
        0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x0c, 0x84,
    ];
    /// libx265, Main 10, BT.2020, full range, 1280x722, scaling lists.
    const MAIN10_722: &[u8] = &[
        0x42, 0x01, 0x01, 0x02, 0x20, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x5d,
        0xa0, 0x02, 0x80, 0x80, 0x2d, 0x9f, 0x23, 0x65, 0x95, 0x9a, 0x49, 0x39, 0x5e, 0x02, 0xdc, 0x08, 0x08, 0x24,
        0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x01, 0x90, 0x80,
    ];
    const ALL: [(Codec, &[u8]); 5] = [
        (Codec::H264, HIGH_1080),
        (Codec::H264, BASELINE_360),
        (Codec::H264, INTERLACED_422),
        (Codec::H265, MAIN_1080),
        (Codec::H265, MAIN10_722),
    ];

    #[test]
    fn size_colour_and_rate_are_read_from_what_encoders_write() {
        let told = |sequence: Sequence| (sequence.variant.to_string(), sequence.size, sequence.colour, sequence.fps);
        let read: Vec<_> = ALL.iter().map(|(codec, nal)| told(read(*codec, nal).unwrap())).collect();
        let sequence = |codecs: &str, width, height, matrix, full_range| {
            (codecs.to_owned(), Size { width, height }, Colour { matrix, full_range }, Some(25.0))
        };
        assert_eq!(read[0], sequence("avc1.640028", 1920, 1080, Matrix::Bt709, false));
        assert_eq!(read[1], sequence("avc1.42c01e", 640, 360, Matrix::Bt601, false));
        assert_eq!(read[2], sequence("avc1.7a0015", 402, 302, Matrix::Bt601, true));
        assert_eq!(read[3], sequence("hvc1.1.6.L120.90", 1920, 1080, Matrix::Bt709, false));
        assert_eq!(read[4], sequence("hvc1.2.4.L93.90", 1280, 722, Matrix::Bt2020, true));
    }

    /// Fields of a parameter set: a value and its bits, or none for an exp-Golomb number.
    type Field = (u32, Option<u32>);

    /// `fields` behind each other, with emulation prevention bytes.
    fn nal(fields: &[Field]) -> Vec<u8> {
        let mut bits = String::new();
        for (value, count) in fields {
            match count {
                Some(count) => {
                    (0..*count).rev().for_each(|bit| bits.push(if value >> bit & 1 == 1 { '1' } else { '0' }))
                }
                None => {
                    let code = format!("{:b}", value + 1);
                    bits.push_str(&"0".repeat(code.len() - 1));
                    bits.push_str(&code);
                }
            }
        }
        bits.push('1');
        let mut nal: Vec<u8> = Vec::new();
        for byte in bits.as_bytes().chunks(8) {
            let byte = byte.iter().enumerate().fold(0, |byte, (at, bit)| byte | (bit - b'0') << (7 - at));
            if nal.ends_with(&[0, 0]) && byte <= 3 {
                nal.push(3);
            }
            nal.push(byte);
        }
        nal
    }

    /// A set of 704x576 whose usability information begins with `aspect` and holds nothing else.
    fn of_shape(codec: Codec, aspect: &[Field]) -> Vec<u8> {
        const ONE: Field = (1, Some(1));
        const NONE: Field = (0, Some(1));
        const ZERO: Field = (0, None);
        let before = match codec {
            Codec::H264 => vec![
                (0x67, Some(8)),
                (66, Some(8)),
                (0, Some(8)),
                (30, Some(8)),
                ZERO,
                ZERO,
                (2, None),
                (1, None),
                NONE,
                (43, None),
                (35, None),
                ONE,
                ONE,
                NONE,
                ONE,
            ],
            _ => [
                &[
                    (0x4201, Some(16)),
                    (0, Some(8)),
                    (1 << 24 | 0x60, Some(32)),
                    (0, Some(32)),
                    (93, Some(32)),
                    ZERO,
                    (1, None),
                ][..],
                &[(704, None), (576, None), NONE, ZERO, ZERO, (4, None), ONE, ZERO, ZERO, ZERO],
                &[ZERO; 6],
                &[NONE; 4],
                &[ZERO, NONE, NONE, NONE, ONE],
            ]
            .concat(),
        };
        nal(&[&before, aspect, &[NONE; 12]].concat())
    }

    const BOTH: [Codec; 2] = [Codec::H264, Codec::H265];

    #[test]
    fn sample_aspect_is_that_of_the_standards_table() {
        // ITU-T H.264 and H.265, table E-1, as FFmpeg names it, too.
        let table = [
            "1:1", "1:1", "12:11", "10:11", "16:11", "40:33", "24:11", "20:11", "32:11", "80:33", "18:11", "15:11",
            "64:33", "160:99", "4:3", "3:2", "2:1",
        ];
        for codec in BOTH {
            for number in 0..=254 {
                let read = read(codec, &of_shape(codec, &[(1, Some(1)), (number, Some(8))])).unwrap();
                let [width, height] = read.sample_aspect.sides();
                // Reserved numbers, and none at all, leave the samples square.
                let wanted = table.get(number as usize).copied().unwrap_or("1:1");
                assert_eq!(format!("{width}:{height}"), wanted, "{codec:?} {number}");
                assert_eq!(read.size, Size { width: 704, height: 576 });
            }
            assert_eq!(read(codec, &of_shape(codec, &[(0, Some(1))])).unwrap().sample_aspect, SampleAspect::SQUARE);
        }
    }

    #[test]
    fn sample_aspect_may_be_written_out() {
        let sides = |codec, width, height| {
            let aspect = [(1, Some(1)), (255, Some(8)), (width, Some(16)), (height, Some(16))];
            read(codec, &of_shape(codec, &aspect)).unwrap().sample_aspect.sides()
        };
        for codec in BOTH {
            assert_eq!(sides(codec, 64, 45), [64, 45]);
            assert_eq!(sides(codec, 4352, 4096), [17, 16]);
            for (width, height) in [(0, 11), (16, 0), (0, 0), (1, 200), (65_535, 1)] {
                assert_eq!(sides(codec, width, height), [1, 1], "{width}:{height}");
            }
        }
    }

    #[test]
    fn aspect_that_is_cut_off_leaves_the_size() {
        for codec in BOTH {
            let whole = of_shape(codec, &[(1, Some(1)), (255, Some(8)), (16, Some(16)), (11, Some(16))]);
            let sizes: Vec<_> = (0..whole.len()).filter_map(|length| read(codec, &whole[..length])).collect();
            assert!(sizes.len() > 3, "{codec:?}");
            assert!(sizes.iter().all(|read| read.size == Size { width: 704, height: 576 }), "{codec:?}");
        }
    }

    #[test]
    fn set_is_found_before_the_first_slice_only() {
        let mut unit = vec![0, 0, 0, 1, 9, 16, 0, 0, 1];
        unit.extend(BASELINE_360);
        assert_eq!(find(Codec::H264, &unit).map(|sequence| sequence.size.height), Some(360));
        unit.splice(0..0, [0, 0, 1, 0x41, 1]);
        assert_eq!(find(Codec::H264, &unit), None);
    }

    #[test]
    fn cut_and_damaged_sets_do_no_harm() {
        for (codec, nal) in ALL {
            for length in 0..nal.len() {
                let _ = read(codec, &nal[..length]);
            }
            for bit in 0..nal.len() * 8 {
                let mut damaged = nal.to_vec();
                damaged[bit / 8] ^= 1 << (bit % 8);
                if let Some(sequence) = read(codec, &damaged) {
                    assert!(sequence.size.width.max(sequence.size.height) <= LONGEST_SIDE);
                }
            }
            let _ = read(codec, &[nal[0]; 300]);
            let _ = read(codec, &[0xff; 300]);
        }
    }
}
