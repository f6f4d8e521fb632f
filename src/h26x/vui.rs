//! Reads video usability information (VUI): sample aspect, colour and frame rate.
//!
//! `vui_parameters()` is H.264 E.1.1 and H.265 E.2.1. Both begin with the same fields.

use super::bit_reader::BitReader;
use crate::media::SampleAspect;

/// What the VUI adds to a sequence parameter set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vui {
    pub sample_aspect: SampleAspect,
    /// `video_full_range_flag`.
    pub full_range: bool,
    /// `matrix_coefficients`, table E-5 of both standards; 2 is "unspecified".
    pub matrix_coefficients: Option<u32>,
    /// Frames per second.
    pub fps: Option<f32>,
}

impl Default for Vui {
    /// The values that apply without VUI.
    fn default() -> Self {
        Self { sample_aspect: SampleAspect::SQUARE, full_range: false, matrix_coefficients: None, fps: None }
    }
}

/// Sample aspect by `aspect_ratio_idc`: table E-1 of both standards. 0 is "unspecified"; numbers past the
/// end are reserved.
pub(super) const SAMPLE_ASPECTS: [(u16, u16); 17] = [
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

/// `aspect_ratio_idc` of a sample aspect that `sar_width` and `sar_height` spell out.
const EXTENDED_SAR: u32 = 255;

/// Frame rates outside are nonsense, in frames per second.
const PLAUSIBLE_FPS: std::ops::RangeInclusive<f64> = 0.1..=240.0;

impl Vui {
    /// Reads `vui_parameters()`, H.264 E.1.1. Fields read before the data ends are kept.
    pub fn read_h264(reader: &mut BitReader) -> Self {
        let mut vui = Self::default();
        vui.read_h264_fields(reader);
        vui
    }

    /// Reads `vui_parameters()`, H.265 E.2.1. Fields read before the data ends are kept.
    pub fn read_h265(reader: &mut BitReader) -> Self {
        let mut vui = Self::default();
        vui.read_h265_fields(reader);
        vui
    }

    /// H.264 E.1.1, up to the timing. `fixed_frame_rate_flag`, `hrd_parameters()` (E.1.2), `pic_struct_present_flag`
    /// and the bitstream restriction follow; nothing uses them.
    fn read_h264_fields(&mut self, reader: &mut BitReader) -> Option<()> {
        self.read_common_fields(reader, "matrix_coefficients")?;
        if reader.read_flag("timing_info_present_flag")? {
            let num_units_in_tick = reader.read_bits(32, "num_units_in_tick")?;
            let time_scale = reader.read_bits(32, "time_scale")?;
            // E.2.1: a frame lasts two ticks, one for each field.
            self.fps = frame_rate(time_scale, 2.0 * f64::from(num_units_in_tick));
        }
        Some(())
    }

    /// H.265 E.2.1, up to the timing. `vui_poc_proportional_to_timing_flag`, `hrd_parameters()` (E.2.2) and the
    /// bitstream restriction follow; nothing uses them.
    fn read_h265_fields(&mut self, reader: &mut BitReader) -> Option<()> {
        self.read_common_fields(reader, "matrix_coeffs")?;
        reader.skip_bits(1, "neutral_chroma_indication_flag")?;
        reader.skip_bits(1, "field_seq_flag")?;
        reader.skip_bits(1, "frame_field_info_present_flag")?;
        // The default display window is a hint; decoders show the whole conformance window.
        if reader.read_flag("default_display_window_flag")? {
            reader.read_ue("def_disp_win_left_offset")?;
            reader.read_ue("def_disp_win_right_offset")?;
            reader.read_ue("def_disp_win_top_offset")?;
            reader.read_ue("def_disp_win_bottom_offset")?;
        }
        if reader.read_flag("vui_timing_info_present_flag")? {
            let vui_num_units_in_tick = reader.read_bits(32, "vui_num_units_in_tick")?;
            let vui_time_scale = reader.read_bits(32, "vui_time_scale")?;
            self.fps = frame_rate(vui_time_scale, f64::from(vui_num_units_in_tick));
        }
        Some(())
    }

    /// The fields from `aspect_ratio_info_present_flag` to `chroma_sample_loc_type_bottom_field`, H.264 E.1.1 and
    /// H.265 E.2.1. The standards differ in the name of the matrix coefficients alone.
    fn read_common_fields(&mut self, reader: &mut BitReader, matrix_name: &'static str) -> Option<()> {
        if reader.read_flag("aspect_ratio_info_present_flag")? {
            let aspect_ratio_idc = reader.read_bits(8, "aspect_ratio_idc")?;
            let (sar_width, sar_height) = if aspect_ratio_idc == EXTENDED_SAR {
                (reader.read_bits(16, "sar_width")? as u16, reader.read_bits(16, "sar_height")? as u16)
            } else {
                SAMPLE_ASPECTS.get(aspect_ratio_idc as usize).copied().unwrap_or_default()
            };
            self.sample_aspect = SampleAspect::new(sar_width, sar_height);
        }
        if reader.read_flag("overscan_info_present_flag")? {
            reader.skip_bits(1, "overscan_appropriate_flag")?;
        }
        if reader.read_flag("video_signal_type_present_flag")? {
            reader.skip_bits(3, "video_format")?;
            self.full_range = reader.read_flag("video_full_range_flag")?;
            if reader.read_flag("colour_description_present_flag")? {
                reader.skip_bits(8, "colour_primaries")?;
                reader.skip_bits(8, "transfer_characteristics")?;
                self.matrix_coefficients = Some(reader.read_bits(8, matrix_name)?);
            }
        }
        if reader.read_flag("chroma_loc_info_present_flag")? {
            reader.read_ue("chroma_sample_loc_type_top_field")?;
            reader.read_ue("chroma_sample_loc_type_bottom_field")?;
        }
        Some(())
    }
}

/// Frames per second where a second has `time_scale` units and a frame has `units_per_frame`; `None` for nonsense.
pub(super) fn frame_rate(time_scale: u32, units_per_frame: f64) -> Option<f32> {
    let fps = f64::from(time_scale) / units_per_frame;
    PLAUSIBLE_FPS.contains(&fps).then_some(fps as f32)
}
