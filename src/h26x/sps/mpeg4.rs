//! Reads the headers of an MPEG-4 part 2 stream (ISO/IEC 14496-2).

use super::picture_format::Sps;
use crate::{
    h26x::{
        bit_reader::BitReader,
        nal,
        vui::{SAMPLE_ASPECTS, Vui, frame_rate},
    },
    media::{SampleAspect, Size},
};

/// Start codes, table 6-3.
const VISUAL_OBJECT: u8 = 0xb5;
const VOP: u8 = 0xb6;
const VIDEO_OBJECT_LAYER: std::ops::RangeInclusive<u8> = 0x20..=0x2f;

/// `aspect_ratio_info`, table 6-12: the sides follow. Smaller values are those of [`SAMPLE_ASPECTS`].
const EXTENDED_PAR: u32 = 15;
const MAX_ASPECT_RATIO_INFO: u32 = 5;

/// `video_object_layer_shape`, table 6-14.
const RECTANGULAR: u32 = 0;

/// The properties in the headers before the first picture of `unit`.
pub fn find(unit: &[u8]) -> Option<Sps> {
    let mut vui = Vui::default();
    for header in nal::split(unit).take_while(|header| header[0] != VOP) {
        let mut reader = BitReader::new(&header[1..]);
        match header[0] {
            VISUAL_OBJECT => drop(read_visual_object(&mut reader, &mut vui)),
            code if VIDEO_OBJECT_LAYER.contains(&code) => return read_video_object_layer(&mut reader, vui),
            _ => {}
        }
    }
    None
}

/// `VisualObject()`, 6.2.2, up to `video_signal_type()`.
fn read_visual_object(reader: &mut BitReader, vui: &mut Vui) -> Option<()> {
    if reader.read_flag("is_visual_object_identifier")? {
        reader.skip_bits(4, "visual_object_verid")?;
        reader.skip_bits(3, "visual_object_priority")?;
    }
    let visual_object_type = reader.read_bits(4, "visual_object_type")?;
    if !matches!(visual_object_type, 1 | 2) || !reader.read_flag("video_signal_type")? {
        return Some(());
    }
    reader.skip_bits(3, "video_format")?;
    vui.full_range = reader.read_flag("video_range")?;
    if reader.read_flag("colour_description")? {
        reader.skip_bits(8, "colour_primaries")?;
        reader.skip_bits(8, "transfer_characteristics")?;
        vui.matrix_coefficients = Some(reader.read_bits(8, "matrix_coefficients")?);
    }
    Some(())
}

/// `VideoObjectLayer()`, 6.2.3, up to the size. `None` for pictures that are no rectangle.
fn read_video_object_layer(reader: &mut BitReader, vui: Vui) -> Option<Sps> {
    reader.skip_bits(1, "random_accessible_vol")?;
    reader.skip_bits(8, "video_object_type_indication")?;
    if reader.read_flag("is_object_layer_identifier")? {
        reader.skip_bits(4, "video_object_layer_verid")?;
        reader.skip_bits(3, "video_object_layer_priority")?;
    }
    let sample_aspect = match reader.read_bits(4, "aspect_ratio_info")? {
        EXTENDED_PAR => {
            let (width, height) = (reader.read_bits(8, "par_width")?, reader.read_bits(8, "par_height")?);
            SampleAspect::new(width as u16, height as u16)
        }
        known @ 0..=MAX_ASPECT_RATIO_INFO => {
            let (width, height) = SAMPLE_ASPECTS[known as usize];
            SampleAspect::new(width, height)
        }
        _ => SampleAspect::SQUARE,
    };
    if reader.read_flag("vol_control_parameters")? {
        reader.skip_bits(2, "chroma_format")?;
        reader.skip_bits(1, "low_delay")?;
        if reader.read_flag("vbv_parameters")? {
            // Bit rate, buffer size and occupancy, in halves with marker bits between them.
            reader.skip_bits(79, "vbv_parameters")?;
        }
    }
    if reader.read_bits(2, "video_object_layer_shape")? != RECTANGULAR {
        return None;
    }
    reader.skip_bits(1, "marker_bit")?;
    let vop_time_increment_resolution = reader.read_bits(16, "vop_time_increment_resolution")?;
    reader.skip_bits(1, "marker_bit")?;
    let mut fps = None;
    if reader.read_flag("fixed_vop_rate")? {
        // As many bits as the largest increment needs, at least one.
        let bits = vop_time_increment_resolution.saturating_sub(1).max(1).ilog2() as usize + 1;
        let fixed_vop_time_increment = reader.read_bits(bits, "fixed_vop_time_increment")?;
        fps = frame_rate(vop_time_increment_resolution, f64::from(fixed_vop_time_increment));
    }
    reader.skip_bits(1, "marker_bit")?;
    let width = reader.read_bits(13, "video_object_layer_width")?;
    reader.skip_bits(1, "marker_bit")?;
    let height = reader.read_bits(13, "video_object_layer_height")?;
    Sps::new(None, Size { width, height }, Vui { sample_aspect, fps, ..vui })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        h26x::{
            nal::{NalKind, is_disposable, is_key, kind},
            sps::tests::bit_writer::BitWriter,
        },
        media::{Codec, Colour, Matrix},
    };

    /// The headers of FFmpeg's encoder for 640x360 at 25 frames per second, and the beginning of an I-VOP.
    const OF_FFMPEG: &[u8] = &[
        0, 0, 1, 0xb0, 1, 0, 0, 1, 0xb5, 0x89, 0x13, 0, 0, 1, 0, 0, 0, 1, 0x20, 0, 0xc4, 0x8d, 0x88, 0, 0xcd, 0x14, 4,
        0x2d, 0x14, 0x43, 0, 0, 1, 0xb6, 0x10, 0x60,
    ];

    #[test]
    fn headers_of_a_common_encoder_are_read() {
        let sps = Sps::find(Codec::Mpeg4, OF_FFMPEG).unwrap();
        let colour = Colour { matrix: Matrix::Bt601, full_range: false };
        let size = Size { width: 640, height: 360 };
        let expected = Sps { variant: None, size, sample_aspect: SampleAspect::SQUARE, colour, fps: None };
        assert_eq!(sps, expected);
        assert!(is_key(Codec::Mpeg4, OF_FFMPEG));
        for len in 0..OF_FFMPEG.len() - 6 {
            assert_eq!(Sps::find(Codec::Mpeg4, &OF_FFMPEG[..len]).filter(|sps| sps.size != size), None, "{len}");
        }
    }
    /// Headers with all that is optional: `shape` is `video_object_layer_shape`.
    fn with_everything(shape: u32) -> Vec<u8> {
        let mut object = BitWriter::default();
        object.u(8, VISUAL_OBJECT.into(), "visual_object_start_code");
        object.flag(true, "is_visual_object_identifier");
        object.u(7, 0x11, "visual_object_verid, visual_object_priority");
        object.u(4, 1, "visual_object_type");
        object.flag(true, "video_signal_type");
        object.u(3, 5, "video_format");
        object.flag(true, "video_range");
        object.flag(true, "colour_description");
        object.u(24, 0x01_01_01, "colour_primaries, transfer_characteristics, matrix_coefficients");
        let mut layer = BitWriter::default();
        layer.u(8, 0x2f, "video_object_layer_start_code");
        layer.u(9, 0x111, "random_accessible_vol, video_object_type_indication");
        layer.flag(true, "is_object_layer_identifier");
        layer.u(7, 0x11, "video_object_layer_verid, video_object_layer_priority");
        layer.u(4, EXTENDED_PAR, "aspect_ratio_info");
        layer.u(8, 16, "par_width");
        layer.u(8, 11, "par_height");
        layer.flag(true, "vol_control_parameters");
        layer.u(3, 3, "chroma_format, low_delay");
        layer.flag(true, "vbv_parameters");
        layer.long_zeros(79, "vbv_parameters");
        layer.u(2, shape, "video_object_layer_shape");
        layer.flag(true, "marker_bit");
        layer.u(16, 30_000, "vop_time_increment_resolution");
        layer.flag(true, "marker_bit");
        layer.flag(true, "fixed_vop_rate");
        layer.u(15, 1200, "fixed_vop_time_increment");
        layer.flag(true, "marker_bit");
        layer.u(13, 704, "video_object_layer_width");
        layer.flag(true, "marker_bit");
        layer.u(13, 576, "video_object_layer_height");
        layer.flag(true, "marker_bit");
        // There are no emulation prevention bytes.
        [&[0, 0, 1][..], &object.rbsp(), &[0, 0, 1], &layer.rbsp(), &[0, 0, 1, VOP, 0x10]].concat()
    }

    #[test]
    fn optional_headers_give_shape_colour_and_rate() {
        let sps = Sps::find(Codec::Mpeg4, &with_everything(RECTANGULAR)).unwrap();
        let colour = Colour { matrix: Matrix::Bt709, full_range: true };
        let (size, sample_aspect) = (Size { width: 704, height: 576 }, SampleAspect::new(16, 11));
        assert_eq!(sps, Sps { variant: None, size, sample_aspect, colour, fps: Some(25.0) });
    }

    #[test]
    fn pictures_that_are_no_rectangle_are_not_read() {
        assert_eq!(Sps::find(Codec::Mpeg4, &with_everything(2)), None);
        assert_eq!(Sps::find(Codec::Mpeg4, &[0, 0, 1, 0xb6, 0x10]), None);
    }

    #[test]
    fn kinds_of_frames_are_told_apart() {
        for (byte, is_intra, is_spare) in [(0x10, true, false), (0x50, false, false), (0x90, false, true)] {
            let vop = [0, 0, 1, 0xb3, 0, 0x10, 7, 0, 0, 1, VOP, byte, 9];
            assert_eq!((is_key(Codec::Mpeg4, &vop), is_disposable(Codec::Mpeg4, &vop, 0)), (is_intra, is_spare));
        }
        assert_eq!(kind(Codec::Mpeg4, &[VOP]), NalKind::Slice, "cut short");
        assert_eq!(kind(Codec::Mpeg4, &[0x2f, 1]), NalKind::Sps);
    }
}
