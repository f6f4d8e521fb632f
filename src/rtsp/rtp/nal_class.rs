//! What a NAL unit means for the access unit around it, from its first bytes (H.264 7.3.1 and 7.3.3, H.265 7.3.1.2
//! and 7.3.6.1).

use crate::media::Codec;

/// Bytes of a NAL unit that [`classify`] looks at.
pub const MAX_HEAD_LEN: usize = 3;

/// The role of a NAL unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NalClass {
    Slice(Slice),
    /// Access unit delimiter.
    Aud,
    Vps,
    Sps,
    Pps,
    /// Supplemental enhancement information that precedes its picture.
    Sei,
    /// Belongs to the picture before it, or to any: filler, end of sequence, suffix SEI.
    Other,
    /// Forbidden, reserved, or of a layer that is not decoded.
    Dropped(Dropped),
}

/// A slice, as far as its NAL unit header and its first bit tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// It is the first one of its picture.
    pub begins_picture: bool,
    /// Of an IDR picture (H.264) or an IRAP picture (H.265).
    pub is_key: bool,
    /// Other pictures may refer to it. `TemporalId` decides further in H.265 ([`Slice::temporal_id`]).
    pub is_reference: bool,
    /// H.265; 0 in H.264.
    pub temporal_id: u8,
    /// All slices of the picture are I slices (H.264 `slice_type` 7).
    pub is_intra: bool,
    /// A random access skipped leading picture (H.265): not decodable if decoding began at its key frame.
    pub is_rasl: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// A slice with `forbidden_zero_bit`: its bits are known to be wrong.
    DamagedSlice,
    /// Of a type that this codec does not use.
    Unfit,
    /// Of a layer above the base layer.
    Layer,
}

/// Bytes of the NAL unit header.
pub fn header_len(codec: Codec) -> usize {
    if codec == Codec::H265 { 2 } else { 1 }
}

/// Bytes needed for [`classify`]: the header, and the byte with the first bit of a slice.
pub fn head_len(codec: Codec) -> usize {
    header_len(codec) + 1
}

/// Reads the first bytes of a NAL unit; fewer than [`head_len`] if it is shorter.
pub fn classify(codec: Codec, head: &[u8]) -> NalClass {
    match (codec, head) {
        (Codec::H264, [header, rest @ ..]) => h264(*header, rest.first().copied()),
        (Codec::H265, [first, second, rest @ ..]) => h265(*first, *second, rest.first().copied()),
        _ => NalClass::Dropped(Dropped::Unfit),
    }
}

fn is_top_bit_set(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte & 0x80 != 0)
}

fn h264(header: u8, next: Option<u8>) -> NalClass {
    let (forbidden, nal_ref_idc, nal_unit_type) = (header & 0x80 != 0, header >> 5 & 3, header & 0x1f);
    if forbidden {
        let is_slice = (1..=5).contains(&nal_unit_type);
        return NalClass::Dropped(if is_slice { Dropped::DamagedSlice } else { Dropped::Unfit });
    }
    match nal_unit_type {
        // Data partitions B and C (3, 4) never begin a picture.
        1..=5 => NalClass::Slice(Slice {
            // first_mb_in_slice is ue(v): 0 is written as the bit 1.
            begins_picture: matches!(nal_unit_type, 1 | 2 | 5) && is_top_bit_set(next),
            is_key: nal_unit_type == 5,
            is_reference: nal_ref_idc != 0,
            temporal_id: 0,
            // ue(v) 0 and ue(v) 7 are the bits 1 and 0001000.
            is_intra: next == Some(0x88),
            is_rasl: false,
        }),
        6 => NalClass::Sei,
        7 => NalClass::Sps,
        8 => NalClass::Pps,
        9 => NalClass::Aud,
        10..=21 => NalClass::Other,
        _ => NalClass::Dropped(Dropped::Unfit),
    }
}

fn h265(first: u8, second: u8, next: Option<u8>) -> NalClass {
    let (forbidden, nal_unit_type) = (first & 0x80 != 0, first >> 1 & 0x3f);
    let (nuh_layer_id, nuh_temporal_id_plus1) = ((first & 1) << 5 | second >> 3, second & 7);
    if nuh_layer_id > 0 {
        return NalClass::Dropped(Dropped::Layer);
    }
    if forbidden {
        return NalClass::Dropped(if nal_unit_type < 32 { Dropped::DamagedSlice } else { Dropped::Unfit });
    }
    let Some(temporal_id) = nuh_temporal_id_plus1.checked_sub(1) else {
        return NalClass::Dropped(Dropped::Unfit);
    };
    match nal_unit_type {
        0..=31 => NalClass::Slice(Slice {
            begins_picture: is_top_bit_set(next),
            is_key: (16..=21).contains(&nal_unit_type),
            // Table 7-1: the even types up to RSV_VCL_N14 are sub-layer non-reference pictures.
            is_reference: nal_unit_type > 14 || !nal_unit_type.is_multiple_of(2),
            temporal_id,
            is_intra: false,
            is_rasl: matches!(nal_unit_type, 8 | 9),
        }),
        32 => NalClass::Vps,
        33 => NalClass::Sps,
        34 => NalClass::Pps,
        35 => NalClass::Aud,
        39 => NalClass::Sei,
        36..=38 | 40 => NalClass::Other,
        _ => NalClass::Dropped(Dropped::Unfit),
    }
}
