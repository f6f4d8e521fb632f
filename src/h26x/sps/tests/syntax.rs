//! Parameter sets with the optional fields a test asks for, written field by field as the syntax tables list them.

use super::bit_writer::BitWriter;

/// `seq_parameter_set_data()`, H.264 7.3.2.1.1.
#[derive(Clone, Debug)]
pub struct H264Sps {
    pub profile_idc: u32,
    pub chroma_format_idc: u32,
    pub separate_colour_plane: bool,
    pub scaling_matrix: bool,
    pub pic_order_cnt_type: u32,
    pub ref_frames_in_pic_order_cnt_cycle: u32,
    pub frame_mbs_only: bool,
    /// Left, right, top, bottom.
    pub crop: Option<[u32; 4]>,
    pub vui: Option<Vui>,
}

impl Default for H264Sps {
    /// 704x576, 4:2:0, none of the optional fields.
    fn default() -> Self {
        Self {
            profile_idc: 66,
            chroma_format_idc: 1,
            separate_colour_plane: false,
            scaling_matrix: false,
            pic_order_cnt_type: 2,
            ref_frames_in_pic_order_cnt_cycle: 0,
            frame_mbs_only: true,
            crop: None,
            vui: None,
        }
    }
}

impl H264Sps {
    pub fn write(&self) -> BitWriter {
        let mut w = BitWriter::default();
        w.u(1, 0, "forbidden_zero_bit");
        w.u(2, 3, "nal_ref_idc");
        w.u(5, 7, "nal_unit_type");
        w.u(8, self.profile_idc, "profile_idc");
        for name in [
            "constraint_set0_flag",
            "constraint_set1_flag",
            "constraint_set2_flag",
            "constraint_set3_flag",
            "constraint_set4_flag",
            "constraint_set5_flag",
        ] {
            w.flag(false, name);
        }
        w.u(2, 0, "reserved_zero_2bits");
        w.u(8, 30, "level_idc");
        w.ue(5, "seq_parameter_set_id");
        if self.profile_idc == 100 {
            self.write_chroma_format(&mut w);
        }
        w.ue(4, "log2_max_frame_num_minus4");
        self.write_pic_order_cnt(&mut w);
        w.ue(4, "max_num_ref_frames");
        w.flag(false, "gaps_in_frame_num_value_allowed_flag");
        w.ue(43, "pic_width_in_mbs_minus1");
        w.ue(if self.frame_mbs_only { 35 } else { 17 }, "pic_height_in_map_units_minus1");
        w.flag(self.frame_mbs_only, "frame_mbs_only_flag");
        if !self.frame_mbs_only {
            w.flag(true, "mb_adaptive_frame_field_flag");
        }
        w.flag(true, "direct_8x8_inference_flag");
        w.flag(self.crop.is_some(), "frame_cropping_flag");
        if let Some([left, right, top, bottom]) = self.crop {
            w.ue(left, "frame_crop_left_offset");
            w.ue(right, "frame_crop_right_offset");
            w.ue(top, "frame_crop_top_offset");
            w.ue(bottom, "frame_crop_bottom_offset");
        }
        w.flag(self.vui.is_some(), "vui_parameters_present_flag");
        if let Some(vui) = &self.vui {
            vui.write_h264(&mut w);
        }
        w
    }

    fn write_chroma_format(&self, w: &mut BitWriter) {
        w.ue(self.chroma_format_idc, "chroma_format_idc");
        if self.chroma_format_idc == 3 {
            w.flag(self.separate_colour_plane, "separate_colour_plane_flag");
        }
        w.ue(2, "bit_depth_luma_minus8");
        w.ue(2, "bit_depth_chroma_minus8");
        w.flag(true, "qpprime_y_zero_transform_bypass_flag");
        w.flag(self.scaling_matrix, "seq_scaling_matrix_present_flag");
        if !self.scaling_matrix {
            return;
        }
        for list in 0..if self.chroma_format_idc == 3 { 12 } else { 8 } {
            let size = if list < 6 { 16 } else { 64 };
            w.flag(list % 4 != 3, "seq_scaling_list_present_flag");
            // A whole list, one that ends in its middle, one that is the default list, and none.
            match list % 4 {
                0 => (0..size).for_each(|at| w.se(if at % 2 == 0 { 9 } else { -9 }, "delta_scale")),
                // 8 + 127 + 121 is 256, which is 0.
                1 => [127, 121].into_iter().for_each(|delta| w.se(delta, "delta_scale")),
                2 => w.se(-8, "delta_scale"),
                _ => {}
            }
        }
    }

    fn write_pic_order_cnt(&self, w: &mut BitWriter) {
        w.ue(self.pic_order_cnt_type, "pic_order_cnt_type");
        match self.pic_order_cnt_type {
            0 => w.ue(2, "log2_max_pic_order_cnt_lsb_minus4"),
            1 => {
                w.flag(false, "delta_pic_order_always_zero_flag");
                w.se(-3, "offset_for_non_ref_pic");
                w.se(1, "offset_for_top_to_bottom_field");
                w.ue(self.ref_frames_in_pic_order_cnt_cycle, "num_ref_frames_in_pic_order_cnt_cycle");
                for offset in 0..self.ref_frames_in_pic_order_cnt_cycle {
                    w.se(offset as i32 - 1, "offset_for_ref_frame");
                }
            }
            _ => {}
        }
    }
}

/// `seq_parameter_set_rbsp()`, H.265 7.3.2.2.1.
#[derive(Clone, Debug)]
pub struct H265Sps {
    pub max_sub_layers_minus1: u32,
    pub sub_layer_ordering_info: bool,
    pub chroma_format_idc: u32,
    pub separate_colour_plane: bool,
    /// Left, right, top, bottom.
    pub window: Option<[u32; 4]>,
    pub log2_max_pic_order_cnt_lsb_minus4: u32,
    pub scaling_list: ScalingList,
    pub pcm: bool,
    pub short_term_sets: Vec<ShortTermSet>,
    pub long_term_pics: Option<u32>,
    pub vui: Option<Vui>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScalingList {
    Off,
    Default,
    Explicit,
}

/// `st_ref_pic_set()`, H.265 7.3.7.
#[derive(Clone, Copy, Debug)]
pub enum ShortTermSet {
    /// `delta_poc_s0_minus1` and `delta_poc_s1_minus1`.
    Explicit(&'static [u32], &'static [u32]),
    /// The difference to the POC of the set before, and `used_by_curr_pic_flag` with `use_delta_flag` of each picture.
    Predicted(i32, &'static [(bool, bool)]),
}

impl Default for H265Sps {
    /// 704x576, 4:2:0, none of the optional fields.
    fn default() -> Self {
        Self {
            max_sub_layers_minus1: 0,
            sub_layer_ordering_info: true,
            chroma_format_idc: 1,
            separate_colour_plane: false,
            window: None,
            log2_max_pic_order_cnt_lsb_minus4: 4,
            scaling_list: ScalingList::Off,
            pcm: false,
            short_term_sets: Vec::new(),
            long_term_pics: None,
            vui: None,
        }
    }
}

impl H265Sps {
    pub fn write(&self) -> BitWriter {
        let mut w = BitWriter::default();
        w.u(1, 0, "forbidden_zero_bit");
        w.u(6, 33, "nal_unit_type");
        w.u(6, 0, "nuh_layer_id");
        w.u(3, 1, "nuh_temporal_id_plus1");
        w.u(4, 9, "sps_video_parameter_set_id");
        w.u(3, self.max_sub_layers_minus1, "sps_max_sub_layers_minus1");
        w.flag(true, "sps_temporal_id_nesting_flag");
        self.write_profile_tier_level(&mut w);
        w.ue(6, "sps_seq_parameter_set_id");
        w.ue(self.chroma_format_idc, "chroma_format_idc");
        if self.chroma_format_idc == 3 {
            w.flag(self.separate_colour_plane, "separate_colour_plane_flag");
        }
        w.ue(704, "pic_width_in_luma_samples");
        w.ue(576, "pic_height_in_luma_samples");
        w.flag(self.window.is_some(), "conformance_window_flag");
        if let Some([left, right, top, bottom]) = self.window {
            w.ue(left, "conf_win_left_offset");
            w.ue(right, "conf_win_right_offset");
            w.ue(top, "conf_win_top_offset");
            w.ue(bottom, "conf_win_bottom_offset");
        }
        self.write_coding_tools(&mut w);
        w.flag(self.vui.is_some(), "vui_parameters_present_flag");
        if let Some(vui) = &self.vui {
            vui.write_h265(&mut w, self.max_sub_layers_minus1);
        }
        w.flag(true, "sps_extension_present_flag");
        w.u(8, 0b1000_0000, "sps_range_extension_flag to sps_extension_4bits");
        w.u(9, 0b1_0101_0101, "sps_range_extension()");
        w
    }

    fn write_profile_tier_level(&self, w: &mut BitWriter) {
        w.u(2, 0, "general_profile_space");
        w.u(1, 0, "general_tier_flag");
        w.u(5, 1, "general_profile_idc");
        w.u(32, 0x6000_0000, "general_profile_compatibility_flag");
        w.flag(true, "general_progressive_source_flag");
        w.flag(false, "general_interlaced_source_flag");
        w.flag(true, "general_non_packed_constraint_flag");
        w.flag(true, "general_frame_only_constraint_flag");
        w.long_zeros(43, "general_reserved_zero_43bits");
        w.flag(false, "general_inbld_flag");
        w.u(8, 93, "general_level_idc");
        // Every combination of the two flags occurs from four sub-layers below the highest on.
        let flags = |layer: u32| (layer.is_multiple_of(2), layer % 4 < 2);
        for layer in 0..self.max_sub_layers_minus1 {
            w.flag(flags(layer).0, "sub_layer_profile_present_flag");
            w.flag(flags(layer).1, "sub_layer_level_present_flag");
        }
        if self.max_sub_layers_minus1 > 0 {
            (self.max_sub_layers_minus1..8).for_each(|_| w.u(2, 0, "reserved_zero_2bits"));
        }
        for layer in 0..self.max_sub_layers_minus1 {
            if flags(layer).0 {
                w.u(2, 0, "sub_layer_profile_space");
                w.u(1, 1, "sub_layer_tier_flag");
                w.u(5, 1, "sub_layer_profile_idc");
                w.u(32, 0x6000_0000, "sub_layer_profile_compatibility_flag");
                w.flag(true, "sub_layer_progressive_source_flag");
                w.flag(false, "sub_layer_interlaced_source_flag");
                w.flag(true, "sub_layer_non_packed_constraint_flag");
                w.flag(true, "sub_layer_frame_only_constraint_flag");
                w.long_zeros(43, "sub_layer_reserved_zero_43bits");
                w.flag(true, "sub_layer_inbld_flag");
            }
            if flags(layer).1 {
                w.u(8, 60, "sub_layer_level_idc");
            }
        }
    }

    /// The fields from `bit_depth_luma_minus8` to `strong_intra_smoothing_enabled_flag`.
    fn write_coding_tools(&self, w: &mut BitWriter) {
        w.ue(2, "bit_depth_luma_minus8");
        w.ue(2, "bit_depth_chroma_minus8");
        w.ue(self.log2_max_pic_order_cnt_lsb_minus4, "log2_max_pic_order_cnt_lsb_minus4");
        w.flag(self.sub_layer_ordering_info, "sps_sub_layer_ordering_info_present_flag");
        for layer in 0..if self.sub_layer_ordering_info { self.max_sub_layers_minus1 + 1 } else { 1 } {
            w.ue(4 + layer, "sps_max_dec_pic_buffering_minus1");
            w.ue(layer, "sps_max_num_reorder_pics");
            w.ue(5, "sps_max_latency_increase_plus1");
        }
        w.ue(1, "log2_min_luma_coding_block_size_minus3");
        w.ue(2, "log2_diff_max_min_luma_coding_block_size");
        w.ue(1, "log2_min_luma_transform_block_size_minus2");
        w.ue(2, "log2_diff_max_min_luma_transform_block_size");
        w.ue(3, "max_transform_hierarchy_depth_inter");
        w.ue(4, "max_transform_hierarchy_depth_intra");
        w.flag(self.scaling_list != ScalingList::Off, "scaling_list_enabled_flag");
        if self.scaling_list != ScalingList::Off {
            w.flag(self.scaling_list == ScalingList::Explicit, "sps_scaling_list_data_present_flag");
        }
        if self.scaling_list == ScalingList::Explicit {
            write_scaling_list_data(w);
        }
        w.flag(true, "amp_enabled_flag");
        w.flag(true, "sample_adaptive_offset_enabled_flag");
        w.flag(self.pcm, "pcm_enabled_flag");
        if self.pcm {
            w.u(4, 7, "pcm_sample_bit_depth_luma_minus1");
            w.u(4, 7, "pcm_sample_bit_depth_chroma_minus1");
            w.ue(1, "log2_min_pcm_luma_coding_block_size_minus3");
            w.ue(2, "log2_diff_max_min_pcm_luma_coding_block_size");
            w.flag(true, "pcm_loop_filter_disabled_flag");
        }
        w.ue(self.short_term_sets.len() as u32, "num_short_term_ref_pic_sets");
        for (st_rps_idx, set) in self.short_term_sets.iter().enumerate() {
            set.write(w, st_rps_idx);
        }
        w.flag(self.long_term_pics.is_some(), "long_term_ref_pics_present_flag");
        if let Some(pictures) = self.long_term_pics {
            w.ue(pictures, "num_long_term_ref_pics_sps");
            for picture in 0..pictures {
                let len = self.log2_max_pic_order_cnt_lsb_minus4 as usize + 4;
                w.u(len, picture, "lt_ref_pic_poc_lsb_sps");
                w.flag(picture % 2 == 0, "used_by_curr_pic_lt_sps_flag");
            }
        }
        w.flag(true, "sps_temporal_mvp_enabled_flag");
        w.flag(false, "strong_intra_smoothing_enabled_flag");
    }
}

/// Every second list explicit, the others predicted.
fn write_scaling_list_data(w: &mut BitWriter) {
    for (matrices, coefficients, has_dc) in [(6, 16, false), (6, 64, false), (6, 64, true), (2, 64, true)] {
        for matrix in 0..matrices {
            let is_explicit = matrix % 2 == 0;
            w.flag(is_explicit, "scaling_list_pred_mode_flag");
            if !is_explicit {
                w.ue(1, "scaling_list_pred_matrix_id_delta");
                continue;
            }
            if has_dc {
                w.se(8, "scaling_list_dc_coef_minus8");
            }
            (0..coefficients).for_each(|at| w.se(at % 5 - 2, "scaling_list_delta_coef"));
        }
    }
}

impl ShortTermSet {
    fn write(&self, w: &mut BitWriter, st_rps_idx: usize) {
        if st_rps_idx > 0 {
            w.flag(matches!(self, Self::Predicted(..)), "inter_ref_pic_set_prediction_flag");
        }
        match *self {
            Self::Explicit(negative, positive) => {
                w.ue(negative.len() as u32, "num_negative_pics");
                w.ue(positive.len() as u32, "num_positive_pics");
                for &delta in negative {
                    w.ue(delta, "delta_poc_s0_minus1");
                    w.flag(true, "used_by_curr_pic_s0_flag");
                }
                for &delta in positive {
                    w.ue(delta, "delta_poc_s1_minus1");
                    w.flag(false, "used_by_curr_pic_s1_flag");
                }
            }
            Self::Predicted(delta_rps, pictures) => {
                w.flag(delta_rps < 0, "delta_rps_sign");
                w.ue(delta_rps.unsigned_abs() - 1, "abs_delta_rps_minus1");
                for &(used_by_curr_pic_flag, use_delta_flag) in pictures {
                    w.flag(used_by_curr_pic_flag, "used_by_curr_pic_flag");
                    if !used_by_curr_pic_flag {
                        w.flag(use_delta_flag, "use_delta_flag");
                    }
                }
            }
        }
    }
}

/// `vui_parameters()`, H.264 E.1.1 and H.265 E.2.1.
#[derive(Clone, Debug, Default)]
pub struct Vui {
    /// `aspect_ratio_idc`, and `sar_width` with `sar_height` where it is 255.
    pub aspect: Option<(u32, [u32; 2])>,
    pub overscan: bool,
    /// `video_full_range_flag`, and `matrix_coefficients` of the colour description.
    pub signal_type: Option<(bool, Option<u32>)>,
    pub chroma_location: bool,
    /// H.265 only.
    pub display_window: bool,
    /// Units in a tick, and the time scale.
    pub timing: Option<[u32; 2]>,
    pub hrd: bool,
}

impl Vui {
    fn write_h264(&self, w: &mut BitWriter) {
        self.write_common(w, "matrix_coefficients");
        w.flag(self.timing.is_some(), "timing_info_present_flag");
        if let Some([num_units_in_tick, time_scale]) = self.timing {
            w.u(32, num_units_in_tick, "num_units_in_tick");
            w.u(32, time_scale, "time_scale");
            w.flag(true, "fixed_frame_rate_flag");
        }
        w.flag(self.hrd, "nal_hrd_parameters_present_flag");
        if self.hrd {
            // hrd_parameters(), E.1.2
            w.ue(0, "cpb_cnt_minus1");
            w.u(4, 1, "bit_rate_scale");
            w.u(4, 2, "cpb_size_scale");
            w.ue(1000, "bit_rate_value_minus1");
            w.ue(2000, "cpb_size_value_minus1");
            w.flag(true, "cbr_flag");
            w.u(5, 23, "initial_cpb_removal_delay_length_minus1");
            w.u(5, 23, "cpb_removal_delay_length_minus1");
            w.u(5, 23, "dpb_output_delay_length_minus1");
            w.u(5, 24, "time_offset_length");
        }
        w.flag(false, "vcl_hrd_parameters_present_flag");
        if self.hrd {
            w.flag(false, "low_delay_hrd_flag");
        }
        w.flag(true, "pic_struct_present_flag");
        w.flag(false, "bitstream_restriction_flag");
    }

    fn write_h265(&self, w: &mut BitWriter, max_sub_layers_minus1: u32) {
        self.write_common(w, "matrix_coeffs");
        w.flag(false, "neutral_chroma_indication_flag");
        w.flag(false, "field_seq_flag");
        w.flag(true, "frame_field_info_present_flag");
        w.flag(self.display_window, "default_display_window_flag");
        if self.display_window {
            w.ue(3, "def_disp_win_left_offset");
            w.ue(4, "def_disp_win_right_offset");
            w.ue(5, "def_disp_win_top_offset");
            w.ue(6, "def_disp_win_bottom_offset");
        }
        w.flag(self.timing.is_some(), "vui_timing_info_present_flag");
        if let Some([num_units_in_tick, time_scale]) = self.timing {
            w.u(32, num_units_in_tick, "vui_num_units_in_tick");
            w.u(32, time_scale, "vui_time_scale");
            w.flag(true, "vui_poc_proportional_to_timing_flag");
            w.ue(0, "vui_num_ticks_poc_diff_one_minus1");
            w.flag(self.hrd, "vui_hrd_parameters_present_flag");
            if self.hrd {
                write_h265_hrd(w, max_sub_layers_minus1);
            }
        }
        w.flag(false, "bitstream_restriction_flag");
    }

    fn write_common(&self, w: &mut BitWriter, matrix_name: &'static str) {
        w.flag(self.aspect.is_some(), "aspect_ratio_info_present_flag");
        if let Some((aspect_ratio_idc, [sar_width, sar_height])) = self.aspect {
            w.u(8, aspect_ratio_idc, "aspect_ratio_idc");
            if aspect_ratio_idc == 255 {
                w.u(16, sar_width, "sar_width");
                w.u(16, sar_height, "sar_height");
            }
        }
        w.flag(self.overscan, "overscan_info_present_flag");
        if self.overscan {
            w.flag(true, "overscan_appropriate_flag");
        }
        w.flag(self.signal_type.is_some(), "video_signal_type_present_flag");
        if let Some((full_range, matrix_coefficients)) = self.signal_type {
            w.u(3, 5, "video_format");
            w.flag(full_range, "video_full_range_flag");
            w.flag(matrix_coefficients.is_some(), "colour_description_present_flag");
            if let Some(matrix_coefficients) = matrix_coefficients {
                w.u(8, 1, "colour_primaries");
                w.u(8, 13, "transfer_characteristics");
                w.u(8, matrix_coefficients, matrix_name);
            }
        }
        w.flag(self.chroma_location, "chroma_loc_info_present_flag");
        if self.chroma_location {
            w.ue(2, "chroma_sample_loc_type_top_field");
            w.ue(3, "chroma_sample_loc_type_bottom_field");
        }
    }
}

/// `hrd_parameters(1, sps_max_sub_layers_minus1)`, H.265 E.2.2.
fn write_h265_hrd(w: &mut BitWriter, max_sub_layers_minus1: u32) {
    w.flag(true, "nal_hrd_parameters_present_flag");
    w.flag(false, "vcl_hrd_parameters_present_flag");
    w.flag(false, "sub_pic_hrd_params_present_flag");
    w.u(4, 1, "bit_rate_scale");
    w.u(4, 2, "cpb_size_scale");
    w.u(5, 23, "initial_cpb_removal_delay_length_minus1");
    w.u(5, 23, "au_cpb_removal_delay_length_minus1");
    w.u(5, 23, "dpb_output_delay_length_minus1");
    for _ in 0..=max_sub_layers_minus1 {
        w.flag(true, "fixed_pic_rate_general_flag");
        w.ue(0, "elemental_duration_in_tc_minus1");
        w.ue(0, "cpb_cnt_minus1");
        w.ue(1000, "bit_rate_value_minus1");
        w.ue(2000, "cpb_size_value_minus1");
        w.flag(true, "cbr_flag");
    }
}
