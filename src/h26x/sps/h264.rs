//! Reads the SPS of H.264: `seq_parameter_set_data()`, 7.3.2.1.1. The ranges of its fields are from 7.4.2.1.1.

use super::picture_format::{CropWindow, Sps, chroma_subsampling};
use crate::{
    h26x::{bit_reader::BitReader, vui::Vui},
    media::{CodecConfig, Size},
};

/// Values of `profile_idc` whose SPS has the fields from `chroma_format_idc` on, 7.3.2.1.1.
const PROFILES_WITH_CHROMA_FORMAT: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// Reads an SPS NAL unit: 7.3.1, 7.3.2.1.1.
pub fn read_sps(reader: &mut BitReader) -> Option<Sps> {
    // nal_unit(), 7.3.1
    reader.skip_bits(1, "forbidden_zero_bit")?;
    reader.skip_bits(2, "nal_ref_idc")?;
    reader.skip_bits(5, "nal_unit_type")?;

    // seq_parameter_set_data(), 7.3.2.1.1
    let variant = Some(CodecConfig::H264(reader.peek_bytes()?));
    let profile_idc = reader.read_bits(8, "profile_idc")?;
    reader.skip_bits(1, "constraint_set0_flag")?;
    reader.skip_bits(1, "constraint_set1_flag")?;
    reader.skip_bits(1, "constraint_set2_flag")?;
    reader.skip_bits(1, "constraint_set3_flag")?;
    reader.skip_bits(1, "constraint_set4_flag")?;
    reader.skip_bits(1, "constraint_set5_flag")?;
    reader.skip_bits(2, "reserved_zero_2bits")?;
    reader.skip_bits(8, "level_idc")?;
    reader.read_ue("seq_parameter_set_id")?;
    let has_chroma_format = PROFILES_WITH_CHROMA_FORMAT.contains(&profile_idc);
    // 7.4.2.1.1: chroma_format_idc is inferred to be 1, 4:2:0.
    let chroma_array_type = if has_chroma_format { read_chroma_format(reader)? } else { 1 };
    reader.read_ue("log2_max_frame_num_minus4")?;
    skip_pic_order_cnt(reader)?;
    reader.read_ue("max_num_ref_frames")?;
    reader.skip_bits(1, "gaps_in_frame_num_value_allowed_flag")?;
    let size = read_size(reader, chroma_array_type)?;
    let vui = match reader.read_flag("vui_parameters_present_flag") {
        Some(true) => Vui::read_h264(reader),
        Some(false) | None => Vui::default(),
    };
    Sps::new(variant, size, vui)
}

/// The fields from `chroma_format_idc` to the scaling lists, 7.3.2.1.1. Returns `ChromaArrayType`.
fn read_chroma_format(reader: &mut BitReader) -> Option<u32> {
    let chroma_format_idc = reader.read_ue_up_to(3, "chroma_format_idc")?;
    let separate_colour_plane_flag = chroma_format_idc == 3 && reader.read_flag("separate_colour_plane_flag")?;
    reader.read_ue("bit_depth_luma_minus8")?;
    reader.read_ue("bit_depth_chroma_minus8")?;
    reader.skip_bits(1, "qpprime_y_zero_transform_bypass_flag")?;
    if reader.read_flag("seq_scaling_matrix_present_flag")? {
        let lists = if chroma_format_idc == 3 { 12 } else { 8 };
        for list in 0..lists {
            if reader.read_flag("seq_scaling_list_present_flag")? {
                // Six lists for blocks of 4x4, then those for blocks of 8x8.
                let size_of_scaling_list = if list < 6 { 16 } else { 64 };
                skip_scaling_list(reader, size_of_scaling_list)?;
            }
        }
    }
    // 7.4.2.1.1: ChromaArrayType is 0 where the colour planes are coded apart.
    Some(if separate_colour_plane_flag { 0 } else { chroma_format_idc })
}

/// `scaling_list()`, 7.3.2.1.1.1. A list ends early where `nextScale` becomes 0.
fn skip_scaling_list(reader: &mut BitReader, size_of_scaling_list: usize) -> Option<()> {
    let (mut last_scale, mut next_scale) = (8, 8);
    for _ in 0..size_of_scaling_list {
        if next_scale != 0 {
            let delta_scale = reader.read_se("delta_scale")?;
            next_scale = (last_scale + delta_scale + 256).rem_euclid(256);
        }
        last_scale = if next_scale == 0 { last_scale } else { next_scale };
    }
    Some(())
}

/// The fields from `pic_order_cnt_type` to `offset_for_ref_frame`, 7.3.2.1.1.
fn skip_pic_order_cnt(reader: &mut BitReader) -> Option<()> {
    match reader.read_ue_up_to(2, "pic_order_cnt_type")? {
        0 => {
            reader.read_ue("log2_max_pic_order_cnt_lsb_minus4")?;
        }
        1 => {
            reader.skip_bits(1, "delta_pic_order_always_zero_flag")?;
            reader.read_se("offset_for_non_ref_pic")?;
            reader.read_se("offset_for_top_to_bottom_field")?;
            let num_ref_frames_in_pic_order_cnt_cycle =
                reader.read_ue_up_to(255, "num_ref_frames_in_pic_order_cnt_cycle")?;
            for _ in 0..num_ref_frames_in_pic_order_cnt_cycle {
                reader.read_se("offset_for_ref_frame")?;
            }
        }
        _ => {}
    }
    Some(())
}

/// The fields from `pic_width_in_mbs_minus1` to the frame cropping rectangle, 7.3.2.1.1. Returns the size
/// of a frame inside the rectangle.
fn read_size(reader: &mut BitReader, chroma_array_type: u32) -> Option<Size> {
    let pic_width_in_mbs_minus1 = reader.read_ue("pic_width_in_mbs_minus1")?;
    let pic_height_in_map_units_minus1 = reader.read_ue("pic_height_in_map_units_minus1")?;
    let frame_mbs_only_flag = reader.read_flag("frame_mbs_only_flag")?;
    if !frame_mbs_only_flag {
        reader.skip_bits(1, "mb_adaptive_frame_field_flag")?;
    }
    reader.skip_bits(1, "direct_8x8_inference_flag")?;
    let mut window = CropWindow::default();
    if reader.read_flag("frame_cropping_flag")? {
        window.left = reader.read_ue("frame_crop_left_offset")?;
        window.right = reader.read_ue("frame_crop_right_offset")?;
        window.top = reader.read_ue("frame_crop_top_offset")?;
        window.bottom = reader.read_ue("frame_crop_bottom_offset")?;
    }
    // 7.4.2.1.1: where fields may occur, a map unit is two macroblocks high and the crop unit is twice as high.
    let fields_per_map_unit = if frame_mbs_only_flag { 1 } else { 2 };
    let coded = Size {
        width: pic_width_in_mbs_minus1.checked_add(1)?.checked_mul(16)?,
        height: pic_height_in_map_units_minus1.checked_add(1)?.checked_mul(16 * fields_per_map_unit)?,
    };
    let Size { width, height } = chroma_subsampling(chroma_array_type);
    window.apply(coded, Size { width, height: height * fields_per_map_unit })
}
