//! Splits Annex B access units into NAL units and reads NAL unit headers (H.264 7.3.1, H.265 7.3.1).
//!
//! A start code is `00 00 01`. Zero bytes before it belong to no NAL unit. MPEG-4 part 2 has the same start codes, and
//! what stands between two of them is treated as a NAL unit, whose header is its start code value.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::media::Codec;

/// Length of the part of an access unit that is searched for parameter sets and the first slice, in bytes.
/// They come first; a search to the end would scan all slices of every key frame.
const HEAD_LEN: usize = 16 << 10;

/// The beginning of `unit`, which holds the parameter sets and the header of the first slice.
pub fn head(unit: &[u8]) -> &[u8] {
    &unit[..unit.len().min(HEAD_LEN)]
}

/// Kind of a NAL unit, from its `nal_unit_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NalKind {
    /// Video parameter set, H.265 only.
    Vps,
    /// Sequence parameter set; in MPEG-4, the header of the video object layer.
    Sps,
    /// Picture parameter set.
    Pps,
    /// Slice of a key frame: an IDR picture in H.264, an IRAP picture in H.265, an I-VOP in MPEG-4.
    KeySlice,
    /// Slice of any other picture.
    Slice,
    /// Access unit delimiter.
    Aud,
    /// Everything else.
    Other,
}

/// The NAL units of `unit`, without start codes and without empty ones.
pub fn split(unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(unit);
    std::iter::from_fn(move || {
        loop {
            let from_nal = rest?;
            let end = find_start_code(from_nal);
            rest = end.and_then(|end| after_start_code(&from_nal[end..]));
            let nal = &from_nal[..end.unwrap_or(from_nal.len())];
            let len = nal.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            if len > 0 {
                return Some(&nal[..len]);
            }
        }
    })
}

/// Where the first start code in `bytes` begins.
pub fn find_start_code(bytes: &[u8]) -> Option<usize> {
    static START_CODE: LazyLock<Finder> = LazyLock::new(|| Finder::new(&[0, 0, 1]));
    START_CODE.find(bytes)
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    find_start_code(bytes).map(|at| &bytes[at + 3..])
}

/// Reads the kind of `nal` from its header. [`NalKind::Other`] for an empty one, for JPEG, and for the layers of
/// H.265 above the base layer, which decoders ignore (7.4.2.2).
pub fn kind(codec: Codec, nal: &[u8]) -> NalKind {
    let Some(&header) = nal.first() else { return NalKind::Other };
    match codec {
        Codec::H264 => match h264_nal_unit_type(header) {
            1..=4 => NalKind::Slice,
            5 => NalKind::KeySlice,
            7 => NalKind::Sps,
            8 => NalKind::Pps,
            9 => NalKind::Aud,
            _ => NalKind::Other,
        },
        Codec::H265 if h265_nuh_layer_id(nal) > 0 => NalKind::Other,
        Codec::H265 => match h265_nal_unit_type(header) {
            16..=23 => NalKind::KeySlice,
            0..=15 | 24..=31 => NalKind::Slice,
            32 => NalKind::Vps,
            33 => NalKind::Sps,
            34 => NalKind::Pps,
            35 => NalKind::Aud,
            _ => NalKind::Other,
        },
        Codec::Mpeg4 => mpeg4_kind(header, nal),
        Codec::Jpeg => NalKind::Other,
    }
}

/// ISO/IEC 14496-2 table 6-3: `vop_start_code` is `b6`, `video_object_layer_start_code` is `20` to `2f`. A VOP begins
/// with `vop_coding_type` u(2), table 6-20.
fn mpeg4_kind(start_code: u8, nal: &[u8]) -> NalKind {
    match (start_code, nal.get(1).map(|byte| byte >> 6)) {
        (0xb6, Some(0)) => NalKind::KeySlice,
        (0xb6, _) => NalKind::Slice,
        (0x20..=0x2f, _) => NalKind::Sps,
        _ => NalKind::Other,
    }
}

/// H.264 7.3.1: `forbidden_zero_bit` u(1), `nal_ref_idc` u(2), `nal_unit_type` u(5). Table 7-1 lists the types.
fn h264_nal_unit_type(header: u8) -> u8 {
    header & 0x1f
}

/// H.265 7.3.1.2: `forbidden_zero_bit` u(1), `nal_unit_type` u(6), the first bit of `nuh_layer_id` u(6).
/// Table 7-1 lists the types.
fn h265_nal_unit_type(header: u8) -> u8 {
    header >> 1 & 0x3f
}

/// H.265 7.3.1.2: the last bit of the first byte and five bits of the second, before `nuh_temporal_id_plus1` u(3).
fn h265_nuh_layer_id(nal: &[u8]) -> u8 {
    match nal {
        [first, second, ..] => (first & 1) << 5 | second >> 3,
        _ => 0,
    }
}

/// Whether the first slice of `unit` belongs to a key frame.
pub fn is_key(codec: Codec, unit: &[u8]) -> bool {
    let mut kinds = split(head(unit)).map(|nal| kind(codec, nal));
    let first_slice = kinds.find(|kind| matches!(kind, NalKind::KeySlice | NalKind::Slice));
    codec == Codec::Jpeg || first_slice == Some(NalKind::KeySlice)
}

/// Whether no other picture refers to this one, so that a decoder can skip it. H.264 marks such a picture
/// itself. H.265 marks it for its own temporal sub-layer only, so it must belong to the highest one (see
/// [`max_temporal_id`]).
pub fn is_disposable(codec: Codec, unit: &[u8], max_temporal_id: u8) -> bool {
    let mut slices = split(head(unit)).filter(|nal| matches!(kind(codec, nal), NalKind::Slice | NalKind::KeySlice));
    match (codec, slices.next()) {
        (Codec::H264, Some(&[header, ..])) => {
            let nal_ref_idc = header >> 5 & 3; // 7.3.1
            nal_ref_idc == 0
        }
        (Codec::H265, Some(&[first, second, ..])) => {
            let nal_unit_type = h265_nal_unit_type(first);
            let nuh_temporal_id_plus1 = second & 7; // 7.3.1.2
            // Table 7-1: the even types up to RSV_VCL_N14 are sub-layer non-reference pictures.
            let is_sub_layer_non_reference = nal_unit_type <= 14 && nal_unit_type.is_multiple_of(2);
            is_sub_layer_non_reference && nuh_temporal_id_plus1 > max_temporal_id
        }
        // 6.3.5: a B-VOP, `vop_coding_type` 2.
        (Codec::Mpeg4, Some(&[_, byte, ..])) => byte >> 6 == 2,
        _ => false,
    }
}

/// Highest `TemporalId` that the SPS in `unit` allows. `None` for H.264, and without an SPS.
pub fn max_temporal_id(codec: Codec, unit: &[u8]) -> Option<u8> {
    let mut sps = split(head(unit)).filter(|nal| kind(codec, nal) == NalKind::Sps);
    let sps = sps.next().filter(|_| codec == Codec::H265)?;
    // H.265 7.3.2.2.1, behind the header of two bytes: sps_video_parameter_set_id u(4),
    // sps_max_sub_layers_minus1 u(3), sps_temporal_id_nesting_flag u(1).
    let sps_max_sub_layers_minus1 = sps.get(2)? >> 1 & 7;
    Some(sps_max_sub_layers_minus1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AUD and two slices of an IDR picture.
    const KEY: &[u8] = &[0, 0, 0, 1, 9, 16, 0, 0, 1, 0x65, 1, 2, 0, 0, 1, 0x65, 3];

    #[test]
    fn nal_units_are_split_at_short_and_long_start_codes() {
        let nals: Vec<_> = split(KEY).collect();
        assert_eq!(nals, [&[9, 16][..], &[0x65, 1, 2], &[0x65, 3]]);
    }

    #[test]
    fn bytes_without_a_start_code_hold_no_nal_unit() {
        for bytes in [&[][..], &[0, 0], &[0, 0, 1], &[1, 1, 1], &[0, 0, 1, 0, 0, 1, 0]] {
            assert_eq!(split(bytes).count(), 0, "{bytes:?}");
        }
    }

    #[test]
    fn nal_units_above_the_base_layer_are_other() {
        let sps = |nuh_layer_id: u8| [33 << 1 | nuh_layer_id >> 5, (nuh_layer_id & 0x1f) << 3 | 1];
        assert_eq!(kind(Codec::H265, &sps(0)), NalKind::Sps);
        for nuh_layer_id in 1..=63 {
            assert_eq!(kind(Codec::H265, &sps(nuh_layer_id)), NalKind::Other, "{nuh_layer_id}");
        }
    }

    #[test]
    fn first_slice_decides_whether_a_unit_is_a_key_frame() {
        assert!(is_key(Codec::H264, KEY));
        assert!(!is_key(Codec::H264, &[0, 0, 1, 0x41, 1]));
        assert!(is_key(Codec::H265, &[0, 0, 1, 0x2a, 1, 7]));
        assert!(!is_key(Codec::H265, &[0, 0, 1, 0x02, 1, 7]));
    }

    #[test]
    fn only_non_reference_pictures_are_disposable() {
        assert!(is_disposable(Codec::H264, &[0, 0, 1, 9, 16, 0, 0, 1, 0x01, 1], 0));
        assert!(!is_disposable(Codec::H264, &[0, 0, 1, 0x41, 1], 0));
        assert!(!is_disposable(Codec::H264, KEY, 0));
        // TRAIL_N, TRAIL_R, TSA_N with TemporalId 1, SEI.
        let trail_n = [0, 0, 1, 0x00, 1, 7];
        assert!(is_disposable(Codec::H265, &trail_n, 0));
        assert!(!is_disposable(Codec::H265, &trail_n, 1), "the sub-layer above may refer to it");
        assert!(!is_disposable(Codec::H265, &[0, 0, 1, 0x02, 1, 7], 0));
        assert!(is_disposable(Codec::H265, &[0, 0, 1, 0x04, 2, 7], 1));
        assert!(!is_disposable(Codec::H265, &[0, 0, 1, 0x4e, 1, 7], 0));
        assert_eq!(max_temporal_id(Codec::H265, &[0, 0, 1, 0x42, 1, 0x05, 9]), Some(2));
        assert_eq!(max_temporal_id(Codec::H264, KEY), None);
    }
}
