//! Reads recovery points from supplemental enhancement information (SEI).

use super::{
    bit_reader::{BitReader, unescape},
    nal::{self, NalKind},
};
use crate::media::Codec;

/// `payloadType` of a recovery point: H.264 D.1.8, H.265 D.2.8.
const RECOVERY_POINT: usize = 6;

/// Part of an SEI NAL unit that is read, in bytes: some cameras put much data of their own into SEI.
const MAX_LEN: usize = 1024;

/// Largest credible number of pictures until everything is refreshed.
const MAX_PICTURES: u32 = 10_000;

/// The number of pictures after that of this SEI NAL unit until decoding that began with it is right: 0 if its own is.
/// `recovery_frame_cnt` of H.264 counts frames to which others may refer, `recovery_poc_cnt` of H.265 counts pictures
/// in the order in which they are shown. `None` without a recovery point.
pub fn recovery_point(codec: Codec, nal: &[u8]) -> Option<u32> {
    let header_len = match codec {
        Codec::H264 => 1,
        Codec::H265 => 2,
        Codec::Jpeg | Codec::Mpeg4 => return None,
    };
    let rbsp = unescape(nal.get(header_len..nal.len().min(MAX_LEN))?);
    let mut rest = &rbsp[..];
    loop {
        let (kind, len) = (read_sum(&mut rest)?, read_sum(&mut rest)?);
        if kind == RECOVERY_POINT {
            let mut reader = BitReader::new(rest);
            let count = match codec {
                Codec::H264 => reader.read_ue("recovery_frame_cnt")?,
                _ => u32::try_from(reader.read_se("recovery_poc_cnt")?).unwrap_or(0),
            };
            return Some(count.min(MAX_PICTURES));
        }
        rest = rest.get(len..)?;
    }
}

/// A value written as bytes 255 and a last one below: H.264 7.3.2.3.1, H.265 7.3.5.
fn read_sum(rest: &mut &[u8]) -> Option<usize> {
    let mut sum = 0;
    loop {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        sum += usize::from(byte);
        if byte != 0xff {
            return Some(sum);
        }
    }
}

/// As [`recovery_point`], of the access unit `unit`. `None` for IDR and IRAP pictures, which are right at once.
pub fn recovery_point_of(codec: Codec, unit: &[u8]) -> Option<u32> {
    let mut count = None;
    for nal in nal::split(nal::head(unit)) {
        match nal::kind(codec, nal) {
            NalKind::KeySlice => return None,
            NalKind::Slice => break,
            _ if is_sei(codec, nal) => count = count.or(recovery_point(codec, nal)),
            _ => {}
        }
    }
    count
}

fn is_sei(codec: Codec, nal: &[u8]) -> bool {
    match codec {
        Codec::H264 => nal[0] & 0x1f == 6,
        Codec::H265 => nal[0] >> 1 & 0x3f == 39,
        Codec::Jpeg | Codec::Mpeg4 => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_is_read_behind_other_messages() {
        // User data of 3 bytes, with a byte that prevents an emulation; then 24 frames: 0000 1100 1.
        let h264 = [6, 5, 3, 0, 0, 3, 7, 6, 2, 0b0000_1100, 0b1111_0000, 0x80];
        assert_eq!(recovery_point(Codec::H264, &h264), Some(24));
        // Long user data: 255 + 1 bytes.
        let long = [&[6, 5, 0xff, 1][..], &[9; 256], &[6, 1, 0x84, 0x80]].concat();
        assert_eq!(recovery_point(Codec::H264, &long), Some(0));
        // se(v) 2 is code 3, se(v) -1 is code 2.
        assert_eq!(recovery_point(Codec::H265, &[39 << 1, 1, 6, 1, 0b0010_0100]), Some(2));
        assert_eq!(recovery_point(Codec::H265, &[39 << 1, 1, 6, 1, 0b0110_0000]), Some(0));
        for nal in [&[6][..], &[6, 6], &[6, 6, 1], &[6, 5, 9, 1], &[6, 5, 1, 6, 0x80], &[]] {
            assert_eq!(recovery_point(Codec::H264, nal), None, "{nal:?}");
        }
    }

    #[test]
    fn only_pictures_that_need_it_have_a_recovery_point() {
        let sei = [0, 0, 1, 6, 6, 1, 0x60, 0x80];
        let unit = |slice: u8| [&sei[..], &[0, 0, 1, slice, 0x88, 7]].concat();
        assert_eq!(recovery_point_of(Codec::H264, &unit(0x41)), Some(2));
        assert_eq!(recovery_point_of(Codec::H264, &unit(0x65)), None);
        assert_eq!(recovery_point_of(Codec::H264, &[0, 0, 1, 0x41, 0x88, 7]), None);
    }
}
