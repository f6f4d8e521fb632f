//! What flows through the house: access units down from the camera, renditions wanted by viewers,
//! and the pictures that answer them.

use std::{fmt, sync::Arc};

/// How a stream is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    H264,
    H265,
    /// Motion JPEG: every access unit is a whole picture.
    Jpeg,
}

impl Codec {
    /// The word used in the API and on the wall socket.
    pub fn word(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
            Self::Jpeg => "jpeg",
        }
    }
}

/// Which kind of H.264 or H.265 a stream is: what a decoder must be able to do, as the sequence
/// parameter set says it. Displayed as browsers ask for it (RFC 6381, ISO/IEC 14496-15 annex E).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// `profile_idc`, the byte of constraint flags, `level_idc`.
    H264([u8; 3]),
    /// `general_profile_space` to `general_level_idc`, 96 bits.
    H265([u8; 12]),
}

impl Variant {
    pub fn codec(self) -> Codec {
        match self {
            Self::H264(_) => Codec::H264,
            Self::H265(_) => Codec::H265,
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::H264([profile, constraints, level]) => write!(f, "avc1.{profile:02x}{constraints:02x}{level:02x}"),
            Self::H265([profile, a, b, c, d, constraints @ .., level]) => {
                let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
                let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
                let compatible = u32::from_be_bytes([*a, *b, *c, *d]).reverse_bits();
                write!(f, "hvc1.{space}{}.{compatible:X}.{tier}{level}", profile & 0x1f)?;
                // Zero bytes at the end are left out.
                let told = constraints.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
                constraints[..told].iter().try_for_each(|byte| write!(f, ".{byte:X}"))
            }
        }
    }
}

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

/// Unix time in microseconds.
pub type UnixMicros = u64;

/// What is known about a stream once it is open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamInfo {
    pub codec: Codec,
    /// `None` for JPEG, and until a parameter set was seen.
    pub variant: Option<Variant>,
    pub size: Size,
    /// Frames per second as the stream declares them; 0.0 where it does not.
    pub fps: f32,
}

/// One encoded frame as the camera sent it: H.264 and H.265 in Annex B with parameter sets before
/// every key frame, or a JPEG.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessUnit {
    /// Counts up over the life of the lane, across workers.
    pub sequence: u32,
    /// When the last of it arrived from the camera.
    pub taken: UnixMicros,
    /// Decodable without any earlier unit.
    pub key: bool,
    pub data: Arc<[u8]>,
}

/// What a viewer asks for. The lane turns it into a [`Rendition`] that others can share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// The box the picture will be shown in, in pixels; `None`: the camera's own size.
    pub size: Option<Size>,
    /// JPEG quality, 1 to 100; `None`: the camera's configured quality.
    pub quality: Option<u8>,
    /// At most this many frames per second; `None`: the camera's configured maximum.
    pub fps: Option<u8>,
}

/// One wanted JPEG stream; encoded once, however many watch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rendition {
    /// Exact size of the picture; never larger than the stream's.
    pub size: Size,
    /// JPEG quality, 1 to 100.
    pub quality: u8,
    /// At most this many frames per second, 1 to 60.
    pub fps: u8,
}

/// One JPEG of one rendition.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub rendition: Rendition,
    /// The sequence of the access unit it was decoded from.
    pub sequence: u32,
    /// When that access unit had arrived from the camera.
    pub taken: UnixMicros,
    pub jpeg: Arc<[u8]>,
}

/// Heights renditions are snapped up to, in pixels, so that viewers with nearly the same tile share
/// one encode: the common heights of 16:9 and 4:3 video. Neighbours differ by a third at least, so at
/// most 1.8 times the pixels asked for are encoded.
const LADDER: [u32; 13] = [90, 120, 180, 240, 270, 360, 480, 540, 720, 960, 1080, 1440, 2160];

/// Frame rates renditions are snapped up to, in frames per second.
const RATES: [u8; 10] = [1, 2, 5, 8, 10, 15, 20, 25, 30, 60];

impl Rendition {
    /// The rendition that serves `wish` on a stream of `source` size: the picture fitted into the
    /// wished box with its shape kept, snapped up to a ladder of sizes and rates, never enlarged.
    pub fn for_wish(wish: Wish, source: Size, quality: u8, max_fps: u8) -> Self {
        let wanted = wish.fps.map_or(max_fps, |fps| fps.min(max_fps));
        let rate = RATES.into_iter().find(|&rate| rate >= wanted).unwrap_or(wanted);
        Self {
            size: wish.size.map_or(source, |box_| snap(fit(source, box_), source)),
            quality: wish.quality.unwrap_or(quality),
            fps: rate.min(max_fps),
        }
    }
}

/// `source` scaled down to fit into `box_`, its shape kept, at least one pixel each way.
pub fn fit(source: Size, box_: Size) -> Size {
    // Compares box_.width / source.width with box_.height / source.height without division.
    let by_width = u64::from(box_.width) * u64::from(source.height);
    let by_height = u64::from(box_.height) * u64::from(source.width);
    if box_.width >= source.width && box_.height >= source.height {
        source
    } else if by_width <= by_height {
        Size { width: box_.width, height: scale(box_.width, source.height, source.width) }
    } else {
        Size { width: scale(box_.height, source.width, source.height), height: box_.height }
    }
}

fn snap(fitted: Size, source: Size) -> Size {
    match LADDER.into_iter().find(|&height| height >= fitted.height) {
        Some(height) if height < source.height => Size { width: scale(height, source.width, source.height), height },
        _ => source,
    }
}

/// `length * numerator / denominator`, rounded, at least 1.
fn scale(length: u32, numerator: u32, denominator: u32) -> u32 {
    let denominator = u64::from(denominator.max(1));
    let scaled = (u64::from(length) * u64::from(numerator) + denominator / 2) / denominator;
    u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL_HD: Size = Size { width: 1920, height: 1080 };

    fn size_for(width: u32, height: u32, source: Size) -> (u32, u32) {
        let wish = Wish { size: Some(Size { width, height }), quality: None, fps: None };
        let size = Rendition::for_wish(wish, source, 80, 25).size;
        (size.width, size.height)
    }

    #[test]
    fn wish_on_the_ladder_is_served_exactly() {
        assert_eq!(size_for(640, 360, FULL_HD), (640, 360));
    }

    #[test]
    fn nearly_equal_wishes_share_a_rendition() {
        assert_eq!(size_for(500, 300, FULL_HD), size_for(610, 355, FULL_HD));
    }

    #[test]
    fn picture_is_never_enlarged() {
        assert_eq!(size_for(4000, 4000, FULL_HD), (1920, 1080));
        assert_eq!(size_for(1900, 1070, Size { width: 640, height: 480 }), (640, 480));
    }

    #[test]
    fn shape_of_the_picture_is_kept() {
        assert_eq!(size_for(640, 640, Size { width: 1080, height: 1920 }), (405, 720));
        assert_eq!(size_for(300, 10_000, FULL_HD), (320, 180));
    }

    #[test]
    fn variants_are_written_as_browsers_ask_for_them() {
        assert_eq!(Variant::H264([0x64, 0, 0x28]).to_string(), "avc1.640028");
        let main = [1, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93];
        assert_eq!(Variant::H265(main).to_string(), "hvc1.1.6.L93.B0");
        let high_tier = [0x22, 0x20, 0, 0, 0, 0x90, 0, 0, 0, 0, 1, 150];
        assert_eq!(Variant::H265(high_tier).to_string(), "hvc1.2.4.H150.90.0.0.0.0.1");
    }

    #[test]
    fn degenerate_sizes_do_not_divide_by_zero() {
        assert_eq!(size_for(1, 1, Size { width: 1, height: 4000 }), (1, 90));
        assert_eq!(size_for(1, 1, Size { width: 0, height: 0 }), (0, 0));
    }

    #[test]
    fn rate_never_exceeds_the_camera_maximum() {
        let wish = Wish { size: None, quality: Some(50), fps: Some(11) };
        let rendition = Rendition::for_wish(wish, FULL_HD, 80, 12);
        assert_eq!((rendition.quality, rendition.fps), (50, 12));
        let slower = Rendition::for_wish(Wish { fps: Some(4), ..wish }, FULL_HD, 80, 25);
        assert_eq!(slower.fps, 5);
    }
}
