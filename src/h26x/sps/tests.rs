pub mod bit_writer;
mod branches;
mod syntax;

use super::{picture_format::MAX_SIDE, *};
use crate::media::{Colour, Matrix, SampleAspect, Size};
use syntax::{H264Sps, H265Sps};

/// libx264, High, BT.709, limited range.
const HIGH_1080: &[u8] = &[
    0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x5a, 0x81, 0x01, 0x00, 0xa0, 0x00, 0x00,
    0x03, 0x00, 0x20, 0x00, 0x00, 0x06, 0x41, 0xe3, 0x06, 0x32, 0xc0,
];
/// libx264, Baseline, no colours declared.
const BASELINE_360: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03,
    0x00, 0x32, 0x0f, 0x16, 0x2e, 0x48,
];
/// libx264, High 4:2:2, interlaced, BT.601, full range, 402x302.
const INTERLACED_422: &[u8] = &[
    0x67, 0x7a, 0x00, 0x15, 0xbc, 0xd9, 0x41, 0xa1, 0x4f, 0x11, 0x15, 0x80, 0xb7, 0x02, 0x02, 0x06, 0x40, 0x00, 0x00,
    0x03, 0x00, 0x40, 0x00, 0x00, 0x0c, 0x87, 0xc5, 0x0a, 0x65, 0x80,
];
/// libx265, Main, BT.709, limited range.
const MAIN_1080: &[u8] = &[
    0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x78, 0xa0,
    0x03, 0xc0, 0x80, 0x10, 0xe5, 0x96, 0x56, 0x69, 0x24, 0xca, 0xf0, 0x16, 0xa0, 0x40, 0x40, 0x20, 0x80, 0x00, 0x00,
    0x03, 0x00, 0x80, 0x00, 0x00, 0x0c, 0x84,
];
/// libx265, Main 10, BT.2020, full range, 1280x722, scaling lists.
const MAIN10_722: &[u8] = &[
    0x42, 0x01, 0x01, 0x02, 0x20, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00, 0x5d, 0xa0,
    0x02, 0x80, 0x80, 0x2d, 0x9f, 0x23, 0x65, 0x95, 0x9a, 0x49, 0x39, 0x5e, 0x02, 0xdc, 0x08, 0x08, 0x24, 0x10, 0x00,
    0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x01, 0x90, 0x80,
];
const ALL: [(Codec, &[u8]); 5] = [
    (Codec::H264, HIGH_1080),
    (Codec::H264, BASELINE_360),
    (Codec::H264, INTERLACED_422),
    (Codec::H265, MAIN_1080),
    (Codec::H265, MAIN10_722),
];

#[test]
fn size_colour_and_rate_are_read_from_real_encoders() {
    let read = ALL.map(|(codec, nal)| {
        let sps = Sps::parse(codec, nal).unwrap();
        (sps.variant.unwrap().to_string(), sps.size, sps.colour, sps.fps)
    });
    let expected = |codecs: &str, width, height, matrix, full_range| {
        (codecs.to_owned(), Size { width, height }, Colour { matrix, full_range }, Some(25.0))
    };
    assert_eq!(read[0], expected("avc1.640028", 1920, 1080, Matrix::Bt709, false));
    assert_eq!(read[1], expected("avc1.42c01e", 640, 360, Matrix::Bt601, false));
    assert_eq!(read[2], expected("avc1.7a0015", 402, 302, Matrix::Bt601, true));
    assert_eq!(read[3], expected("hvc1.1.6.L120.90", 1920, 1080, Matrix::Bt709, false));
    assert_eq!(read[4], expected("hvc1.2.4.L93.90", 1280, 722, Matrix::Bt2020, true));
}

/// An SPS of 704x576 with VUI that holds this aspect and nothing else.
fn with_aspect(codec: Codec, aspect: Option<(u32, [u32; 2])>) -> Vec<u8> {
    let vui = Some(syntax::Vui { aspect, ..Default::default() });
    match codec {
        Codec::H264 => H264Sps { vui, ..H264Sps::default() }.write().nal(),
        _ => H265Sps { vui, ..H265Sps::default() }.write().nal(),
    }
}

const BOTH: [Codec; 2] = [Codec::H264, Codec::H265];

#[test]
fn aspect_ratio_idc_selects_a_row_of_table_e_1() {
    // ITU-T H.264 and H.265, table E-1; FFmpeg has the same ratios.
    let table = [
        "1:1", "1:1", "12:11", "10:11", "16:11", "40:33", "24:11", "20:11", "32:11", "80:33", "18:11", "15:11",
        "64:33", "160:99", "4:3", "3:2", "2:1",
    ];
    for codec in BOTH {
        for aspect_ratio_idc in 0..=254 {
            let sps = Sps::parse(codec, &with_aspect(codec, Some((aspect_ratio_idc, [0, 0])))).unwrap();
            let [width, height] = sps.sample_aspect.sides();
            // Unspecified and reserved numbers leave the samples square.
            let expected = table.get(aspect_ratio_idc as usize).copied().unwrap_or("1:1");
            assert_eq!(format!("{width}:{height}"), expected, "{codec:?} {aspect_ratio_idc}");
            assert_eq!(sps.size, Size { width: 704, height: 576 });
        }
        let sps = Sps::parse(codec, &with_aspect(codec, None)).unwrap();
        assert_eq!(sps.sample_aspect, SampleAspect::SQUARE);
    }
}

#[test]
fn extended_sar_gives_the_sample_aspect() {
    let sides = |codec, width, height| {
        Sps::parse(codec, &with_aspect(codec, Some((255, [width, height])))).unwrap().sample_aspect.sides()
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
fn sps_cut_short_in_the_vui_gives_the_size() {
    for codec in BOTH {
        let nal = with_aspect(codec, Some((255, [16, 11])));
        let read: Vec<_> = (0..nal.len()).filter_map(|len| Sps::parse(codec, &nal[..len])).collect();
        assert!(read.len() > 3, "{codec:?}");
        assert!(read.iter().all(|sps| sps.size == Size { width: 704, height: 576 }), "{codec:?}");
    }
}

#[test]
fn sps_is_found_before_the_first_slice_only() {
    let mut unit = vec![0, 0, 0, 1, 9, 16, 0, 0, 1];
    unit.extend(BASELINE_360);
    assert_eq!(Sps::find(Codec::H264, &unit).map(|sps| sps.size.height), Some(360));
    unit.splice(0..0, [0, 0, 1, 0x41, 1]);
    assert_eq!(Sps::find(Codec::H264, &unit), None);
}

#[test]
fn cut_and_damaged_sps_do_not_panic() {
    for (codec, nal) in ALL {
        for len in 0..nal.len() {
            let _ = Sps::parse(codec, &nal[..len]);
        }
        for bit in 0..nal.len() * 8 {
            let mut damaged = nal.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Some(sps) = Sps::parse(codec, &damaged) {
                assert!(sps.size.width.max(sps.size.height) <= MAX_SIDE);
            }
        }
        let _ = Sps::parse(codec, &[nal[0]; 300]);
        let _ = Sps::parse(codec, &[0xff; 300]);
    }
}
