//! The data that flows between cameras and viewers: access units from the camera, renditions wanted
//! by viewers, and the pictures made for them.

pub mod frame_limiter;
pub mod inspection;
pub mod jpeg_scan;
pub mod part;
pub mod transform;

use std::{cmp::Ordering, fmt};

use bytes::Bytes;

use transform::Transform;

/// How a stream is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    H264,
    H265,
    /// Motion JPEG: every access unit is a whole picture.
    Jpeg,
    /// MPEG-4 part 2 (Visual), of old cameras. No browser decodes it, so viewers get JPEG.
    Mpeg4,
}

impl Codec {
    /// The name used in the API and on the wall socket.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
            Self::Jpeg => "jpeg",
            Self::Mpeg4 => "mpeg4",
        }
    }
}

/// The codec configuration of an H.264 or H.265 stream: what a decoder must support, from the
/// sequence parameter set. `Display` gives the form that browsers expect (RFC 6381, ISO/IEC
/// 14496-15 annex E).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecConfig {
    /// `profile_idc`, the byte of constraint flags, `level_idc`.
    H264([u8; 3]),
    /// `general_profile_space` to `general_level_idc`, 96 bits.
    H265([u8; 12]),
}

impl CodecConfig {
    pub fn codec(self) -> Codec {
        match self {
            Self::H264(_) => Codec::H264,
            Self::H265(_) => Codec::H265,
        }
    }
}

impl fmt::Display for CodecConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::H264([profile, constraints, level]) => write!(f, "avc1.{profile:02x}{constraints:02x}{level:02x}"),
            Self::H265([profile, a, b, c, d, constraints @ .., level]) => {
                let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
                let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
                let compatible = u32::from_be_bytes([*a, *b, *c, *d]).reverse_bits();
                write!(f, "hvc1.{space}{}.{compatible:X}.{tier}{level}", profile & 0x1f)?;
                // Zero bytes at the end are omitted.
                let kept = constraints.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
                constraints[..kept].iter().try_for_each(|byte| write!(f, ".{byte:X}"))
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

/// Longest side of a picture that a viewer may request, in pixels; stretching does not exceed it
/// either.
pub const MAX_SIDE: u32 = 7680;

impl Size {
    /// The size at which a picture with this many samples has its true shape on square pixels. It
    /// is wider if the samples are wider than high, and higher if they are higher than wide, so
    /// that no captured detail is lost. A stretched side is even. If it would exceed [`MAX_SIDE`],
    /// the other side shrinks instead. Square samples leave the size unchanged.
    pub fn displayed(self, aspect: SampleAspect) -> Self {
        let SampleAspect { width, height } = aspect;
        match width.cmp(&height) {
            Ordering::Equal => self,
            Ordering::Greater => {
                let (width, height) = stretch(self.width, self.height, width, height);
                Self { width, height }
            }
            Ordering::Less => {
                let (height, width) = stretch(self.height, self.width, height, width);
                Self { width, height }
            }
        }
    }
}

/// Makes `side` `numerator / denominator` times longer, a factor greater than 1, and returns it
/// with the resulting `other` side.
fn stretch(side: u32, other: u32, numerator: u16, denominator: u16) -> (u32, u32) {
    let (numerator, denominator) = (u64::from(numerator), u64::from(denominator));
    let longest = MAX_SIDE.max(side);
    let stretched = even(side, numerator, denominator);
    if stretched <= longest {
        return (stretched, other);
    }
    let (longest_scaled, side_scaled) = (u64::from(longest) * denominator, u64::from(side) * numerator);
    (longest, even(other, longest_scaled, side_scaled))
}

/// The even number nearest to `length * numerator / denominator`, at least 2.
fn even(length: u32, numerator: u64, denominator: u64) -> u32 {
    scale(length, numerator, denominator.saturating_mul(2)).saturating_mul(2)
}

/// The ratio of width to height of a stream's samples, in lowest terms: 16:11 if 704x576 of an
/// analogue camera must be shown as 16:9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleAspect {
    width: u16,
    height: u16,
}

/// Greatest credible sample aspect; its inverse is the smallest. The standards' own ratios (H.264
/// and H.265, table E-1) end at 32:11, half the columns of 16:9; half the lines are as far on the
/// other side.
const MAX_STRETCH: u16 = 4;

impl SampleAspect {
    pub const SQUARE: Self = Self { width: 1, height: 1 };

    /// The aspect that a stream declares. It is square if the declared one is not credible: a side
    /// of 0, which the standards call unspecified, or sides that differ too much ([`MAX_STRETCH`]).
    pub fn new(width: u16, height: u16) -> Self {
        let (long, short) = (width.max(height), width.min(height));
        if short == 0 || u32::from(long) > u32::from(short) * u32::from(MAX_STRETCH) {
            return Self::SQUARE;
        }
        let divisor = common_divisor(long.into(), short.into()) as u16;
        Self { width: width / divisor, height: height / divisor }
    }

    /// The aspect with which a picture of `size` samples has the shape of `shape`; square if that is not
    /// credible.
    pub fn that_gives(size: Size, shape: Size) -> Self {
        let mut width = u64::from(shape.width) * u64::from(size.height);
        let mut height = u64::from(shape.height) * u64::from(size.width);
        let divisor = common_divisor(width, height).max(1);
        (width, height) = (width / divisor, height / divisor);
        while width.max(height) > u64::from(u16::MAX) {
            (width, height) = (width / 2, height / 2);
        }
        Self::new(width as u16, height as u16)
    }

    /// Width and height of a sample, without a common divisor; neither is 0.
    pub fn sides(self) -> [u16; 2] {
        [self.width, self.height]
    }
}

/// The greatest one; 0 if both are 0.
fn common_divisor(one: u64, other: u64) -> u64 {
    let (mut divisor, mut rest) = (one, other);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    divisor
}

/// How luma and chroma are derived from red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    Bt601,
    Bt709,
    Bt2020,
}

impl Matrix {
    /// What players assume if the stream does not say.
    pub fn guess(size: Size) -> Self {
        if size.height >= 720 { Self::Bt709 } else { Self::Bt601 }
    }

    /// The weight of red and of blue in luma (ITU-R BT.601, BT.709, BT.2020).
    pub fn shares(self) -> (f64, f64) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Bt2020 => (0.2627, 0.0593),
        }
    }
}

/// The matrix and range of a picture's planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    pub matrix: Matrix,
    /// Luma and chroma use 0 to 255, not 16 to 235 and 16 to 240.
    pub full_range: bool,
}

impl Colour {
    /// The colours of a JPEG.
    pub const JPEG: Self = Self { matrix: Matrix::Bt601, full_range: true };
}

/// Unix time in microseconds.
pub type UnixMicros = u64;

/// The properties of an open stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamInfo {
    pub codec: Codec,
    /// `None` for JPEG and MPEG-4, until a parameter set was seen, and where no key frame is one to a browser: if
    /// decoders can begin only where a gradual refresh begins, a browser would show pictures that are not yet
    /// whole.
    pub codec_config: Option<CodecConfig>,
    /// In samples, as they are encoded.
    pub size: Size,
    /// Square until a parameter set was seen, and for JPEG, unless the configuration says otherwise.
    pub sample_aspect: SampleAspect,
    /// What is done to its pictures before they are shown; a stream itself says nothing of that.
    pub transform: Transform,
    /// Frames per second as the stream declares them; 0.0 if it does not.
    pub fps: f32,
}

impl StreamInfo {
    /// A stream of JPEGs of this size. They come whenever the camera has one.
    pub fn of_jpeg(size: Size) -> Self {
        let (sample_aspect, transform) = (SampleAspect::SQUARE, Transform::NONE);
        Self { codec: Codec::Jpeg, codec_config: None, size, sample_aspect, transform, fps: 0.0 }
    }

    /// The size of its pictures as they are shown, on square pixels, in pixels; [`StreamInfo::size`] if
    /// the samples are square and nothing is cut off or turned.
    pub fn display_size(&self) -> Size {
        let visible = self.transform.crop.visible(self.size).size;
        self.transform.turned(visible.displayed(self.sample_aspect))
    }
}

/// One encoded frame as the camera sent it: H.264 or H.265 in Annex B with parameter sets before
/// every key frame, a JPEG, or a frame of MPEG-4 with the headers of the stream before every key frame.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessUnit {
    /// Increases over the life of the stream, across workers.
    pub sequence: u32,
    /// When the last byte of the unit arrived from the camera.
    pub taken: UnixMicros,
    /// Decodable without any earlier unit.
    pub key: bool,
    /// `None`: its picture is what the camera sent. Otherwise its picture is shown only under a mark.
    pub damage: Option<Damage>,
    pub data: Bytes,
}

/// Maximum number of units of a group of pictures that is kept: several minutes. "Smart" codecs send
/// a key frame a minute or less often; only bytes are scarce.
pub const MAX_GROUP_UNITS: usize = 10_000;

/// Says of a unit, or of a stream, that data which its pictures need were lost on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Share of the packets that were lost in the last seconds, in tenths of a percent, at most 1000;
    /// `None` if no number of packets is known to be lost.
    pub lost_permille: Option<u16>,
}

impl Damage {
    /// The share of lost packets in percent, with one decimal.
    pub fn percent(self) -> Option<f64> {
        self.lost_permille.map(|permille| f64::from(permille) / 10.0)
    }
}

/// What a viewer requests. The stream turns it into a [`Rendition`] that viewers can share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RenditionRequest {
    /// The box in which the picture will be shown, in pixels; `None` means the camera's own size.
    pub size: Option<Size>,
    /// JPEG quality, 1 to 100; `None` means the camera's configured quality.
    pub quality: Option<u8>,
    /// Maximum frames per second; `None` means the camera's configured maximum.
    pub fps: Option<u8>,
}

/// One wanted JPEG stream; encoded once, however many viewers share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rendition {
    /// Exact size of the picture, on square pixels; never larger than the stream's [display
    /// size](StreamInfo::display_size).
    pub size: Size,
    /// What is done to the camera's picture, whose part that is left is scaled to `size`.
    pub transform: Transform,
    /// JPEG quality, 1 to 100.
    pub quality: u8,
    /// Maximum frames per second, 1 to 60.
    pub fps: u8,
}

/// A rendition that somebody watches now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedRendition {
    pub rendition: Rendition,
    /// This machine's own screen is among those who watch it.
    pub is_own: bool,
}

impl From<Rendition> for WantedRendition {
    /// A rendition that only others watch.
    fn from(rendition: Rendition) -> Self {
        Self { rendition, is_own: false }
    }
}

/// One JPEG of one rendition.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub rendition: Rendition,
    /// The sequence number of the access unit from which it was decoded.
    pub sequence: u32,
    /// When that access unit had arrived from the camera.
    pub taken: UnixMicros,
    pub jpeg: Bytes,
}

/// Heights of renditions, in pixels: the common heights of 16:9 and 4:3 video. A requested height
/// is rounded up to the next one, so that viewers with nearly the same tile share one encode.
/// Neighbours differ by a third at least, so at most 1.8 times the requested pixels are encoded.
const LADDER: [u32; 13] = [90, 120, 180, 240, 270, 360, 480, 540, 720, 960, 1080, 1440, 2160];

/// Frame rates of renditions, in frames per second; a requested rate is rounded up to the next one.
const RATES: [u8; 10] = [1, 2, 5, 8, 10, 15, 20, 25, 30, 60];

impl Rendition {
    /// The rendition that serves `rendition_request` on a stream of display size `source`, of which
    /// nothing is cut off or turned: the picture is fitted into the requested box with its shape kept,
    /// rounded up to the next size and rate, and never enlarged.
    pub fn for_request(rendition_request: RenditionRequest, source: Size, quality: u8, max_fps: u8) -> Self {
        let wanted = rendition_request.fps.map_or(max_fps, |fps| fps.min(max_fps));
        let rate = RATES.into_iter().find(|&rate| rate >= wanted).unwrap_or(wanted);
        Self {
            size: rendition_request.size.map_or(source, |box_| snap(fit(source, box_), source)),
            transform: Transform::NONE,
            quality: rendition_request.quality.unwrap_or(quality),
            fps: rate.min(max_fps),
        }
    }

    /// The size of the camera's whole picture in which the visible part has the size of this rendition,
    /// before it is turned.
    pub fn whole_size(&self) -> Size {
        self.transform.crop.whole(self.transform.turned(self.size))
    }
}

/// `source` scaled down to fit into `box_`; its shape is kept, and each side has at least one
/// pixel.
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
fn scale(length: u32, numerator: impl Into<u64>, denominator: impl Into<u64>) -> u32 {
    let denominator = denominator.into().max(1);
    let scaled = u64::from(length).saturating_mul(numerator.into()).saturating_add(denominator / 2) / denominator;
    u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL_HD: Size = Size { width: 1920, height: 1080 };

    fn size_for(width: u32, height: u32, source: Size) -> (u32, u32) {
        let rendition_request = RenditionRequest { size: Some(Size { width, height }), quality: None, fps: None };
        let size = Rendition::for_request(rendition_request, source, 80, 25).size;
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

    fn displayed(size: (u32, u32), aspect: (u16, u16)) -> (u32, u32) {
        let size = Size { width: size.0, height: size.1 }.displayed(SampleAspect::new(aspect.0, aspect.1));
        (size.width, size.height)
    }

    #[test]
    fn samples_that_are_not_square_stretch_the_side_that_is_too_short() {
        assert_eq!(displayed((704, 576), (16, 11)), (1024, 576));
        assert_eq!(displayed((704, 576), (12, 11)), (768, 576));
        assert_eq!(displayed((704, 480), (10, 11)), (704, 528));
        assert_eq!(displayed((704, 288), (6, 11)), (704, 528));
        assert_eq!(displayed((960, 1080), (2, 1)), (1920, 1080));
        assert_eq!(displayed((352, 240), (40, 33)), (426, 240), "even");
        assert_eq!(displayed((1919, 1079), (1, 1)), (1919, 1079), "square samples change nothing");
        assert_eq!(displayed((1, 1), (32, 11)), (2, 1));
    }

    #[test]
    fn picture_is_not_stretched_beyond_the_largest_that_may_be_asked_for() {
        assert_eq!(displayed((5120, 2880), (2, 1)), (7680, 2160));
        assert_eq!(displayed((2880, 5120), (1, 2)), (2160, 7680));
        assert_eq!(displayed((8000, 4000), (2, 1)), (8000, 2000), "larger than that already");
        assert_eq!(displayed((65_535, 65_535), (u16::MAX, u16::MAX - 1)), (65_535, 65_534));
    }

    #[test]
    fn nonsense_for_a_sample_aspect_is_square() {
        for (width, height) in [(0, 0), (0, 11), (16, 0), (1, 200), (200, 1), (4001, 1000), (u16::MAX, 1)] {
            assert_eq!(SampleAspect::new(width, height), SampleAspect::SQUARE, "{width}:{height}");
        }
        assert_eq!(SampleAspect::new(1, 4).sides(), [1, 4]);
        assert_eq!(SampleAspect::new(u16::MAX, u16::MAX), SampleAspect::SQUARE);
        assert_eq!(SampleAspect::new(32, 22), SampleAspect::new(16, 11), "in lowest terms");
    }

    #[test]
    fn smaller_renditions_fit_the_display_shape() {
        let stretched = Size { width: 704, height: 576 }.displayed(SampleAspect::new(16, 11));
        assert_eq!(size_for(640, 360, stretched), (640, 360));
        assert_eq!(size_for(640, 640, stretched), (640, 360));
        assert_eq!(size_for(9999, 9999, stretched), (1024, 576));
    }

    #[test]
    fn variants_are_written_as_browsers_ask_for_them() {
        assert_eq!(CodecConfig::H264([0x64, 0, 0x28]).to_string(), "avc1.640028");
        let main = [1, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93];
        assert_eq!(CodecConfig::H265(main).to_string(), "hvc1.1.6.L93.B0");
        let high_tier = [0x22, 0x20, 0, 0, 0, 0x90, 0, 0, 0, 0, 1, 150];
        assert_eq!(CodecConfig::H265(high_tier).to_string(), "hvc1.2.4.H150.90.0.0.0.0.1");
    }

    #[test]
    fn degenerate_sizes_do_not_divide_by_zero() {
        assert_eq!(size_for(1, 1, Size { width: 1, height: 4000 }), (1, 90));
        assert_eq!(size_for(1, 1, Size { width: 0, height: 0 }), (0, 0));
    }

    #[test]
    fn rate_never_exceeds_the_camera_maximum() {
        let rendition_request = RenditionRequest { size: None, quality: Some(50), fps: Some(11) };
        let rendition = Rendition::for_request(rendition_request, FULL_HD, 80, 12);
        assert_eq!((rendition.quality, rendition.fps), (50, 12));
        let slower = Rendition::for_request(RenditionRequest { fps: Some(4), ..rendition_request }, FULL_HD, 80, 25);
        assert_eq!(slower.fps, 5);
    }
}
