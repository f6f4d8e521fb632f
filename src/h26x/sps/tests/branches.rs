//! Every optional branch of the syntax tables: the fields read are the fields written, and the fields behind the
//! branch have their values.

use super::{
    bit_writer::BitWriter,
    syntax::{H264Sps, H265Sps, ScalingList, ShortTermSet, Vui},
};
use crate::{
    h26x::{bit_reader::BitReader, sps::Sps},
    media::{Codec, Colour, Matrix, SampleAspect, Size},
};

/// Reads what was written. Panics unless names and lengths of the fields read are those of the fields written, up to
/// and including the field `last`.
fn read_up_to(codec: Codec, written: &BitWriter, last: &str) -> Sps {
    let rbsp = written.rbsp();
    let mut reader = BitReader::new(&rbsp);
    let sps = Sps::read(codec, &mut reader);
    let differs = reader.fields.iter().zip(&written.fields).position(|(read, written)| read != written);
    if let Some(at) = differs {
        panic!("field {at}: read {:?}, written {:?}", reader.fields[at], written.fields[at]);
    }
    assert_eq!(reader.fields.last().map(|(name, _)| *name), Some(last));
    assert_eq!(Sps::parse(codec, &written.nal()), sps);
    sps.expect("an SPS that was read to its end is valid")
}

/// What follows every branch: the VUI with a sample aspect of 12:11, BT.2020, full range and 25 frames per second.
fn vui(codec: Codec) -> Vui {
    Vui {
        aspect: Some((2, [0, 0])),
        signal_type: Some((true, Some(9))),
        timing: Some(if codec == Codec::H264 { [1, 50] } else { [1, 25] }),
        ..Vui::default()
    }
}

fn check(sps: &Sps, size: (u32, u32), what: &str) {
    assert_eq!(sps.size, Size { width: size.0, height: size.1 }, "{what}");
    assert_eq!(sps.sample_aspect, SampleAspect::new(12, 11), "{what}");
    assert_eq!(sps.colour, Colour { matrix: Matrix::Bt2020, full_range: true }, "{what}");
    assert_eq!(sps.fps, Some(25.0), "{what}");
}

fn check_h264(sps: &H264Sps, size: (u32, u32)) {
    let sps = H264Sps { vui: Some(vui(Codec::H264)), ..sps.clone() };
    check(&read_up_to(Codec::H264, &sps.write(), "time_scale"), size, &format!("{sps:?}"));
}

fn check_h265(sps: &H265Sps, size: (u32, u32)) {
    let sps = H265Sps { vui: Some(vui(Codec::H265)), ..sps.clone() };
    check(&read_up_to(Codec::H265, &sps.write(), "vui_time_scale"), size, &format!("{sps:?}"));
}

/// `chroma_format_idc`, `separate_colour_plane_flag`, and the crop unit of progressive video: table 6-1.
const CHROMA_FORMATS: [(u32, bool, (u32, u32)); 5] =
    [(0, false, (1, 1)), (1, false, (2, 2)), (2, false, (2, 1)), (3, false, (1, 1)), (3, true, (1, 1))];

#[test]
fn h264_crop_unit_follows_chroma_format_and_field_coding() {
    for (chroma_format_idc, separate_colour_plane, (unit_x, unit_y)) in CHROMA_FORMATS {
        for frame_mbs_only in [true, false] {
            let unit_y = if frame_mbs_only { unit_y } else { 2 * unit_y };
            let sps = H264Sps {
                profile_idc: 100,
                chroma_format_idc,
                separate_colour_plane,
                frame_mbs_only,
                ..H264Sps::default()
            };
            check_h264(&sps, (704, 576));
            let sps = H264Sps { crop: Some([1, 2, 3, 4]), ..sps };
            check_h264(&sps, (704 - 3 * unit_x, 576 - 7 * unit_y));
        }
    }
}

#[test]
fn h264_chroma_format_of_a_profile_without_that_field_is_4_2_0() {
    check_h264(&H264Sps { crop: Some([1, 2, 3, 4]), ..H264Sps::default() }, (698, 562));
}

#[test]
fn h264_scaling_matrix_is_skipped() {
    for (chroma_format_idc, separate_colour_plane, _) in CHROMA_FORMATS {
        let sps = H264Sps {
            profile_idc: 100,
            chroma_format_idc,
            separate_colour_plane,
            scaling_matrix: true,
            ..H264Sps::default()
        };
        check_h264(&sps, (704, 576));
    }
}

#[test]
fn h264_picture_order_count_is_skipped() {
    for (pic_order_cnt_type, ref_frames_in_pic_order_cnt_cycle) in [(0, 0), (1, 0), (1, 1), (1, 255), (2, 0)] {
        let sps = H264Sps { pic_order_cnt_type, ref_frames_in_pic_order_cnt_cycle, ..H264Sps::default() };
        check_h264(&sps, (704, 576));
    }
}

#[test]
fn h265_conformance_window_unit_follows_chroma_format() {
    for (chroma_format_idc, separate_colour_plane, (unit_x, unit_y)) in CHROMA_FORMATS {
        let sps = H265Sps { chroma_format_idc, separate_colour_plane, ..H265Sps::default() };
        check_h265(&sps, (704, 576));
        let sps = H265Sps { window: Some([1, 2, 3, 4]), ..sps };
        check_h265(&sps, (704 - 3 * unit_x, 576 - 7 * unit_y));
    }
}

#[test]
fn h265_sub_layers_are_skipped() {
    for max_sub_layers_minus1 in 0..=6 {
        for sub_layer_ordering_info in [true, false] {
            let sps = H265Sps { max_sub_layers_minus1, sub_layer_ordering_info, ..H265Sps::default() };
            check_h265(&sps, (704, 576));
        }
    }
}

#[test]
fn h265_scaling_lists_and_pcm_are_skipped() {
    for scaling_list in [ScalingList::Off, ScalingList::Default, ScalingList::Explicit] {
        for pcm in [true, false] {
            check_h265(&H265Sps { scaling_list, pcm, ..H265Sps::default() }, (704, 576));
        }
    }
}

#[test]
fn h265_short_term_reference_sets_are_skipped() {
    use ShortTermSet::{Explicit, Predicted};
    const USED: (bool, bool) = (true, true);
    const UNUSED: (bool, bool) = (false, true);
    const DROPPED: (bool, bool) = (false, false);
    let sets = [
        Explicit(&[0, 1, 4], &[2]),
        // Five flags for four pictures; two pictures remain.
        Predicted(-1, &[USED, DROPPED, UNUSED, DROPPED, DROPPED]),
        // Three flags for two pictures; all remain, and the set itself.
        Predicted(-2, &[USED, UNUSED, USED]),
        Predicted(-1, &[DROPPED, DROPPED, DROPPED, DROPPED]),
        // One flag for no picture.
        Predicted(3, &[USED]),
        Explicit(&[], &[]),
        Explicit(&[15], &[]),
    ];
    for count in 0..=sets.len() {
        check_h265(&H265Sps { short_term_sets: sets[..count].to_vec(), ..H265Sps::default() }, (704, 576));
    }
    check_h265(&H265Sps { short_term_sets: vec![Explicit(&[0], &[]); 64], ..H265Sps::default() }, (704, 576));
}

#[test]
fn h265_long_term_reference_pictures_are_skipped() {
    for log2_max_pic_order_cnt_lsb_minus4 in [0, 4, 12] {
        for pictures in [0, 1, 32] {
            let long_term_pics = Some(pictures);
            let sps = H265Sps { log2_max_pic_order_cnt_lsb_minus4, long_term_pics, ..H265Sps::default() };
            check_h265(&sps, (704, 576));
        }
    }
}

#[test]
fn h265_sps_with_every_branch_at_once_is_read() {
    let sps = H265Sps {
        max_sub_layers_minus1: 6,
        chroma_format_idc: 3,
        separate_colour_plane: true,
        window: Some([0, 4, 0, 6]),
        scaling_list: ScalingList::Explicit,
        pcm: true,
        short_term_sets: vec![ShortTermSet::Explicit(&[0], &[]), ShortTermSet::Predicted(-1, &[(true, true); 2])],
        long_term_pics: Some(3),
        ..H265Sps::default()
    };
    check_h265(&sps, (700, 570));
}

#[test]
fn every_combination_of_vui_fields_is_read() {
    for mask in 0..1 << 8 {
        let has = |bit: u32| mask >> bit & 1 == 1;
        for codec in [Codec::H264, Codec::H265] {
            let scale = if codec == Codec::H264 { 60_000 } else { 30_000 };
            let vui = Vui {
                aspect: has(0).then_some((255, [64, 45])),
                overscan: has(1),
                signal_type: has(2).then_some((true, has(3).then_some(9))),
                chroma_location: has(4),
                display_window: has(5),
                timing: has(6).then_some([1001, scale]),
                hrd: has(7),
            };
            let what = format!("{codec:?} {vui:?}");
            let (written, last) = match codec {
                Codec::H264 => (
                    H264Sps { vui: Some(vui), ..H264Sps::default() }.write(),
                    if has(6) { "time_scale" } else { "timing_info_present_flag" },
                ),
                _ => (
                    H265Sps { vui: Some(vui), max_sub_layers_minus1: 2, ..H265Sps::default() }.write(),
                    if has(6) { "vui_time_scale" } else { "vui_timing_info_present_flag" },
                ),
            };
            let sps = read_up_to(codec, &written, last);
            let matrix = if has(2) && has(3) { Matrix::Bt2020 } else { Matrix::Bt601 };
            assert_eq!(sps.size, Size { width: 704, height: 576 }, "{what}");
            assert_eq!(sps.sample_aspect.sides(), if has(0) { [64, 45] } else { [1, 1] }, "{what}");
            assert_eq!(sps.colour, Colour { matrix, full_range: has(2) }, "{what}");
            assert_eq!(sps.fps, has(6).then_some(30_000.0 / 1001.0), "{what}");
        }
    }
}

#[test]
fn sps_without_vui_has_defaults() {
    for (codec, written) in [(Codec::H264, H264Sps::default().write()), (Codec::H265, H265Sps::default().write())] {
        let sps = read_up_to(codec, &written, "vui_parameters_present_flag");
        assert_eq!((sps.sample_aspect, sps.fps), (SampleAspect::SQUARE, None));
        assert_eq!(sps.colour, Colour { matrix: Matrix::Bt601, full_range: false });
    }
}

#[test]
fn h265_predicted_set_leaves_out_the_current_picture() {
    use ShortTermSet::{Explicit, Predicted};
    const USED: (bool, bool) = (true, true);
    const DROPPED: (bool, bool) = (false, false);
    let sets = [
        // POC differences -1 and 3.
        Explicit(&[0], &[2]),
        // 1, 5 and 2.
        Predicted(2, &[USED, USED, USED]),
        // In the order 1, 2, 5: -1, 0, 3 and -2. The second is the current picture.
        Predicted(-2, &[USED, DROPPED, USED, USED]),
        // In the order -1, -2, 3: 0, -1, 4 and 1. The first is the current picture.
        Predicted(1, &[USED, USED, USED, USED]),
        // Three pictures again.
        Predicted(-7, &[USED, USED, USED, USED]),
    ];
    for count in 0..=sets.len() {
        check_h265(&H265Sps { short_term_sets: sets[..count].to_vec(), ..H265Sps::default() }, (704, 576));
    }
}

/// The last field read, and the SPS.
fn last_field(codec: Codec, written: &BitWriter) -> (&'static str, Option<Sps>) {
    let rbsp = written.rbsp();
    let mut reader = BitReader::new(&rbsp);
    let sps = Sps::read(codec, &mut reader);
    (reader.fields.last().unwrap().0, sps)
}

#[test]
fn h264_value_out_of_range_ends_the_reading() {
    let default = H264Sps::default();
    let high = H264Sps { profile_idc: 100, ..default.clone() };
    let cycle = H264Sps { pic_order_cnt_type: 1, ref_frames_in_pic_order_cnt_cycle: 256, ..default.clone() };
    for (sps, field) in [
        (H264Sps { chroma_format_idc: 4, ..high }, "chroma_format_idc"),
        (H264Sps { pic_order_cnt_type: 3, ..default }, "pic_order_cnt_type"),
        (cycle, "num_ref_frames_in_pic_order_cnt_cycle"),
    ] {
        assert_eq!(last_field(Codec::H264, &sps.write()), (field, None));
    }
}

#[test]
fn h265_value_out_of_range_ends_the_reading() {
    let default = H265Sps { vui: Some(vui(Codec::H265)), ..H265Sps::default() };
    for (sps, field) in [
        (H265Sps { max_sub_layers_minus1: 7, ..default.clone() }, "sps_max_sub_layers_minus1"),
        (H265Sps { chroma_format_idc: 4, ..default.clone() }, "chroma_format_idc"),
    ] {
        assert_eq!(last_field(Codec::H265, &sps.write()), (field, None));
    }
    let sets = vec![ShortTermSet::Explicit(&[0], &[]); 65];
    for (sps, field) in [
        (H265Sps { log2_max_pic_order_cnt_lsb_minus4: 13, ..default.clone() }, "log2_max_pic_order_cnt_lsb_minus4"),
        (H265Sps { short_term_sets: sets, ..default.clone() }, "num_short_term_ref_pic_sets"),
        (H265Sps { long_term_pics: Some(33), ..default }, "num_long_term_ref_pics_sps"),
    ] {
        let (last, sps) = last_field(Codec::H265, &sps.write());
        assert_eq!(last, field);
        // The size is known by then; the VUI is not.
        let sps = sps.expect(field);
        assert_eq!((sps.size, sps.fps), (Size { width: 704, height: 576 }, None), "{field}");
    }
}
