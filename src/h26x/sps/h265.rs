//! Reads the SPS of H.265: `seq_parameter_set_rbsp()`, 7.3.2.2.1. The ranges of its fields are from 7.4.3.2.1.

use super::picture_format::{CropWindow, Sps, chroma_subsampling};
use crate::{
    h26x::{bit_reader::BitReader, vui::Vui},
    media::{CodecConfig, Size},
};

/// Highest value of `sps_max_sub_layers_minus1` in the base layer.
const MAX_SUB_LAYERS_MINUS1: usize = 6;

/// Reads an SPS NAL unit: 7.3.1.2, 7.3.2.2.1.
pub fn read_sps(reader: &mut BitReader) -> Option<Sps> {
    // nal_unit_header(), 7.3.1.2
    reader.skip_bits(1, "forbidden_zero_bit")?;
    reader.skip_bits(6, "nal_unit_type")?;
    reader.skip_bits(6, "nuh_layer_id")?;
    reader.skip_bits(3, "nuh_temporal_id_plus1")?;

    // seq_parameter_set_rbsp(), 7.3.2.2.1
    reader.skip_bits(4, "sps_video_parameter_set_id")?;
    let sps_max_sub_layers_minus1 = reader.read_bits(3, "sps_max_sub_layers_minus1")? as usize;
    if sps_max_sub_layers_minus1 > MAX_SUB_LAYERS_MINUS1 {
        return None;
    }
    reader.skip_bits(1, "sps_temporal_id_nesting_flag")?;
    let variant = Some(CodecConfig::H265(reader.peek_bytes()?));
    skip_profile_tier_level(reader, sps_max_sub_layers_minus1)?;
    reader.read_ue("sps_seq_parameter_set_id")?;
    let size = read_size(reader)?;
    let vui = read_vui(reader, sps_max_sub_layers_minus1).unwrap_or_default();
    Sps::new(variant, size, vui)
}

/// `profile_tier_level(1, sps_max_sub_layers_minus1)`, 7.3.3.
fn skip_profile_tier_level(reader: &mut BitReader, max_num_sub_layers_minus1: usize) -> Option<()> {
    reader.skip_bits(2, "general_profile_space")?;
    reader.skip_bits(1, "general_tier_flag")?;
    reader.skip_bits(5, "general_profile_idc")?;
    reader.skip_bits(32, "general_profile_compatibility_flag")?;
    reader.skip_bits(1, "general_progressive_source_flag")?;
    reader.skip_bits(1, "general_interlaced_source_flag")?;
    reader.skip_bits(1, "general_non_packed_constraint_flag")?;
    reader.skip_bits(1, "general_frame_only_constraint_flag")?;
    // The profile gives these 44 bits their meaning; all meanings have the same length.
    reader.skip_bits(43, "general_reserved_zero_43bits")?;
    reader.skip_bits(1, "general_inbld_flag")?;
    reader.skip_bits(8, "general_level_idc")?;
    let mut sub_layers = Vec::new();
    for _ in 0..max_num_sub_layers_minus1 {
        let sub_layer_profile_present_flag = reader.read_flag("sub_layer_profile_present_flag")?;
        let sub_layer_level_present_flag = reader.read_flag("sub_layer_level_present_flag")?;
        sub_layers.push((sub_layer_profile_present_flag, sub_layer_level_present_flag));
    }
    if max_num_sub_layers_minus1 > 0 {
        for _ in max_num_sub_layers_minus1..8 {
            reader.skip_bits(2, "reserved_zero_2bits")?;
        }
    }
    for (sub_layer_profile_present_flag, sub_layer_level_present_flag) in sub_layers {
        if sub_layer_profile_present_flag {
            reader.skip_bits(2, "sub_layer_profile_space")?;
            reader.skip_bits(1, "sub_layer_tier_flag")?;
            reader.skip_bits(5, "sub_layer_profile_idc")?;
            reader.skip_bits(32, "sub_layer_profile_compatibility_flag")?;
            reader.skip_bits(1, "sub_layer_progressive_source_flag")?;
            reader.skip_bits(1, "sub_layer_interlaced_source_flag")?;
            reader.skip_bits(1, "sub_layer_non_packed_constraint_flag")?;
            reader.skip_bits(1, "sub_layer_frame_only_constraint_flag")?;
            reader.skip_bits(43, "sub_layer_reserved_zero_43bits")?;
            reader.skip_bits(1, "sub_layer_inbld_flag")?;
        }
        if sub_layer_level_present_flag {
            reader.skip_bits(8, "sub_layer_level_idc")?;
        }
    }
    Some(())
}

/// The fields from `chroma_format_idc` to the conformance window, 7.3.2.2.1. Returns the size of a picture
/// inside the window.
fn read_size(reader: &mut BitReader) -> Option<Size> {
    let chroma_format_idc = reader.read_ue_up_to(3, "chroma_format_idc")?;
    let separate_colour_plane_flag = chroma_format_idc == 3 && reader.read_flag("separate_colour_plane_flag")?;
    let pic_width_in_luma_samples = reader.read_ue("pic_width_in_luma_samples")?;
    let pic_height_in_luma_samples = reader.read_ue("pic_height_in_luma_samples")?;
    let mut window = CropWindow::default();
    if reader.read_flag("conformance_window_flag")? {
        window.left = reader.read_ue("conf_win_left_offset")?;
        window.right = reader.read_ue("conf_win_right_offset")?;
        window.top = reader.read_ue("conf_win_top_offset")?;
        window.bottom = reader.read_ue("conf_win_bottom_offset")?;
    }
    let coded = Size { width: pic_width_in_luma_samples, height: pic_height_in_luma_samples };
    // 7.4.3.2.1: ChromaArrayType is 0 where the colour planes are coded apart.
    let chroma_array_type = if separate_colour_plane_flag { 0 } else { chroma_format_idc };
    window.apply(coded, chroma_subsampling(chroma_array_type))
}

/// The fields from `bit_depth_luma_minus8` to the VUI, 7.3.2.2.1. The SPS extensions follow; nothing uses them.
fn read_vui(reader: &mut BitReader, sps_max_sub_layers_minus1: usize) -> Option<Vui> {
    reader.read_ue("bit_depth_luma_minus8")?;
    reader.read_ue("bit_depth_chroma_minus8")?;
    let log2_max_pic_order_cnt_lsb_minus4 = reader.read_ue_up_to(12, "log2_max_pic_order_cnt_lsb_minus4")?;
    let sps_sub_layer_ordering_info_present_flag = reader.read_flag("sps_sub_layer_ordering_info_present_flag")?;
    let first = if sps_sub_layer_ordering_info_present_flag { 0 } else { sps_max_sub_layers_minus1 };
    for _ in first..=sps_max_sub_layers_minus1 {
        reader.read_ue("sps_max_dec_pic_buffering_minus1")?;
        reader.read_ue("sps_max_num_reorder_pics")?;
        reader.read_ue("sps_max_latency_increase_plus1")?;
    }
    reader.read_ue("log2_min_luma_coding_block_size_minus3")?;
    reader.read_ue("log2_diff_max_min_luma_coding_block_size")?;
    reader.read_ue("log2_min_luma_transform_block_size_minus2")?;
    reader.read_ue("log2_diff_max_min_luma_transform_block_size")?;
    reader.read_ue("max_transform_hierarchy_depth_inter")?;
    reader.read_ue("max_transform_hierarchy_depth_intra")?;
    if reader.read_flag("scaling_list_enabled_flag")? && reader.read_flag("sps_scaling_list_data_present_flag")? {
        skip_scaling_list_data(reader)?;
    }
    reader.skip_bits(1, "amp_enabled_flag")?;
    reader.skip_bits(1, "sample_adaptive_offset_enabled_flag")?;
    if reader.read_flag("pcm_enabled_flag")? {
        reader.skip_bits(4, "pcm_sample_bit_depth_luma_minus1")?;
        reader.skip_bits(4, "pcm_sample_bit_depth_chroma_minus1")?;
        reader.read_ue("log2_min_pcm_luma_coding_block_size_minus3")?;
        reader.read_ue("log2_diff_max_min_pcm_luma_coding_block_size")?;
        reader.skip_bits(1, "pcm_loop_filter_disabled_flag")?;
    }
    skip_short_term_ref_pic_sets(reader)?;
    if reader.read_flag("long_term_ref_pics_present_flag")? {
        let lt_ref_pic_poc_lsb_len = log2_max_pic_order_cnt_lsb_minus4 as usize + 4;
        let num_long_term_ref_pics_sps = reader.read_ue_up_to(32, "num_long_term_ref_pics_sps")?;
        for _ in 0..num_long_term_ref_pics_sps {
            reader.skip_bits(lt_ref_pic_poc_lsb_len, "lt_ref_pic_poc_lsb_sps")?;
            reader.skip_bits(1, "used_by_curr_pic_lt_sps_flag")?;
        }
    }
    reader.skip_bits(1, "sps_temporal_mvp_enabled_flag")?;
    reader.skip_bits(1, "strong_intra_smoothing_enabled_flag")?;
    let vui_parameters_present_flag = reader.read_flag("vui_parameters_present_flag")?;
    vui_parameters_present_flag.then(|| Vui::read_h265(reader))
}

/// `scaling_list_data()`, 7.3.4.
fn skip_scaling_list_data(reader: &mut BitReader) -> Option<()> {
    for size_id in 0..4 {
        // Blocks of 32x32 have the lists of matrixId 0 and 3 only.
        for _matrix_id in (0..6).step_by(if size_id == 3 { 3 } else { 1 }) {
            if !reader.read_flag("scaling_list_pred_mode_flag")? {
                reader.read_ue("scaling_list_pred_matrix_id_delta")?;
                continue;
            }
            let coef_num = 64.min(1 << (4 + (size_id << 1)));
            if size_id > 1 {
                reader.read_se("scaling_list_dc_coef_minus8")?;
            }
            for _ in 0..coef_num {
                reader.read_se("scaling_list_delta_coef")?;
            }
        }
    }
    Some(())
}

/// Every `st_ref_pic_set()` of an SPS, 7.3.7.
fn skip_short_term_ref_pic_sets(reader: &mut BitReader) -> Option<()> {
    let num_short_term_ref_pic_sets = reader.read_ue_up_to(64, "num_short_term_ref_pic_sets")?;
    let mut delta_pocs = Vec::new();
    for st_rps_idx in 0..num_short_term_ref_pic_sets {
        delta_pocs = read_st_ref_pic_set(reader, st_rps_idx, &delta_pocs)?;
    }
    Some(())
}

/// `st_ref_pic_set(stRpsIdx)`, 7.3.7. Takes the POC differences of the set before, `DeltaPocS0` and then
/// `DeltaPocS1`, and returns those of this set.
fn read_st_ref_pic_set(reader: &mut BitReader, st_rps_idx: u32, ref_delta_pocs: &[i64]) -> Option<Vec<i64>> {
    let inter_ref_pic_set_prediction_flag = st_rps_idx > 0 && reader.read_flag("inter_ref_pic_set_prediction_flag")?;
    if inter_ref_pic_set_prediction_flag { predict_set(reader, ref_delta_pocs) } else { read_explicit_set(reader) }
}

/// The fields of `st_ref_pic_set()` with inter prediction, 7.3.7, from `delta_rps_sign` to `use_delta_flag`.
fn predict_set(reader: &mut BitReader, ref_delta_pocs: &[i64]) -> Option<Vec<i64>> {
    let delta_rps_sign = reader.read_flag("delta_rps_sign")?;
    let abs_delta_rps = i64::from(reader.read_ue("abs_delta_rps_minus1")?) + 1;
    let delta_rps = if delta_rps_sign { -abs_delta_rps } else { abs_delta_rps };
    let mut delta_pocs = Vec::new();
    // The last pair of flags is for the picture that the set before belongs to.
    for ref_delta_poc in ref_delta_pocs.iter().copied().chain([0]) {
        let used_by_curr_pic_flag = reader.read_flag("used_by_curr_pic_flag")?;
        let use_delta_flag = used_by_curr_pic_flag || reader.read_flag("use_delta_flag")?;
        let delta_poc = ref_delta_poc + delta_rps;
        // 7.4.8: neither DeltaPocS0 nor DeltaPocS1 takes a difference of 0, the current picture.
        if use_delta_flag && delta_poc != 0 {
            delta_pocs.push(delta_poc);
        }
    }
    // 7.4.8: DeltaPocS0 is before DeltaPocS1, and the nearest picture comes first in each.
    delta_pocs.sort_by_key(|delta_poc| (*delta_poc > 0, delta_poc.abs()));
    Some(delta_pocs)
}

/// The fields of `st_ref_pic_set()` without inter prediction, 7.3.7, from `num_negative_pics` on.
fn read_explicit_set(reader: &mut BitReader) -> Option<Vec<i64>> {
    let num_negative_pics = reader.read_ue("num_negative_pics")?;
    let num_positive_pics = reader.read_ue("num_positive_pics")?;
    num_negative_pics.checked_add(num_positive_pics).filter(|&pictures| pictures <= 32)?;
    let mut delta_pocs = Vec::new();
    let mut delta_poc = 0;
    for _ in 0..num_negative_pics {
        delta_poc -= i64::from(reader.read_ue("delta_poc_s0_minus1")?) + 1;
        reader.skip_bits(1, "used_by_curr_pic_s0_flag")?;
        delta_pocs.push(delta_poc);
    }
    delta_poc = 0;
    for _ in 0..num_positive_pics {
        delta_poc += i64::from(reader.read_ue("delta_poc_s1_minus1")?) + 1;
        reader.skip_bits(1, "used_by_curr_pic_s1_flag")?;
        delta_pocs.push(delta_poc);
    }
    Some(delta_pocs)
}
