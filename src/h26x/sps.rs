//! Reads sequence parameter sets (SPS): profile, picture size, sample aspect, colour and frame rate. What they are to
//! H.264 and H.265, the header of the video object layer is to MPEG-4 part 2.
//!
//! An SPS that is cut short before the picture size is known, or that is absurd, gives `None`. One whose
//! later fields cannot be read still gives the size.

mod h264;
mod h265;
mod mpeg4;
mod picture_format;
#[cfg(test)]
mod tests;

use super::{
    bit_reader::{BitReader, unescape},
    nal::{self, NalKind},
};
use crate::media::Codec;
pub use picture_format::Sps;

impl Sps {
    /// Reads the first readable SPS before the first slice of `unit`, Annex B.
    pub fn find(codec: Codec, unit: &[u8]) -> Option<Self> {
        if codec == Codec::Mpeg4 {
            return mpeg4::find(nal::head(unit));
        }
        let is_slice = |nal: &&[u8]| matches!(nal::kind(codec, nal), NalKind::Slice | NalKind::KeySlice);
        let before_slices = nal::split(nal::head(unit)).take_while(|nal| !is_slice(nal));
        before_slices.filter(|nal| nal::kind(codec, nal) == NalKind::Sps).find_map(|nal| Self::parse(codec, nal))
    }

    /// Reads an SPS NAL unit without start code.
    pub fn parse(codec: Codec, nal: &[u8]) -> Option<Self> {
        let rbsp = unescape(nal);
        Self::read(codec, &mut BitReader::new(&rbsp))
    }

    fn read(codec: Codec, reader: &mut BitReader) -> Option<Self> {
        match codec {
            Codec::H264 => h264::read_sps(reader),
            Codec::H265 => h265::read_sps(reader),
            // Its colours stand in another header, see `mpeg4::find`.
            Codec::Mpeg4 => None,
            Codec::Jpeg => None,
        }
    }
}
