//! A viewer sees the same colours as the camera, whatever range and matrix the camera sends.
//!
//! `ffmpeg` (libx264, libx265) encodes flat bars of known red, green and blue as video. The
//! worker's own code decodes and encodes them, and OpenCV reads the JPEG back.

use crate::clip::{ffmpeg, units};
use cctv_agent::{
    h26x::sps::Sps,
    media::{AccessUnit, Codec, Colour, Matrix, Picture, Rendition, Size, transform::Transform},
};
use cctv_worker::transcoder::Transcoder;
use opencv::{
    core::{Mat, MatTraitConst, Vec3b, Vector},
    imgcodecs,
};

/// Two rows of eight bars: the corners of the colour cube, and colours typical of a camera's view.
const BARS: [[[u8; 3]; 8]; 2] = [
    [[255, 255, 255], [255, 255, 0], [0, 255, 255], [0, 255, 0], [255, 0, 255], [255, 0, 0], [0, 0, 255], [0, 0, 0]],
    [
        [128, 128, 128],
        [180, 120, 100],
        [90, 60, 50],
        [60, 110, 60],
        [100, 140, 190],
        [200, 190, 170],
        [30, 30, 35],
        [220, 60, 40],
    ],
];

/// Largest error of a flat area, in levels of 255.
const TOLERANCE: u8 = 4;

const FULL: Size = Size { width: 1280, height: 720 };
const SMALL: Size = Size { width: 640, height: 360 };

/// Parameters of a test clip.
#[derive(Clone, Copy)]
struct Clip {
    codec: Codec,
    size: Size,
    /// FFmpeg's name of the pixel format.
    pixels: &'static str,
    colour: Colour,
    /// Whether the stream declares its colours; if not, players guess.
    declared: bool,
    /// Whether its frames consist of two fields.
    interlaced: bool,
}

const LIMITED_709: Colour = Colour { matrix: Matrix::Bt709, full_range: false };
const LIMITED_601: Colour = Colour { matrix: Matrix::Bt601, full_range: false };
const FULL_709: Colour = Colour { matrix: Matrix::Bt709, full_range: true };

fn declared(codec: Codec, colour: Colour, pixels: &'static str) -> Clip {
    Clip { codec, size: FULL, pixels, colour, declared: true, interlaced: false }
}

/// The bars as packed RGB.
fn bars(size: Size) -> Vec<u8> {
    let (wide, high) = (size.width as usize, size.height as usize);
    let pixel = |at: usize| BARS[at / wide * 2 / high][at % wide * 8 / wide];
    (0..wide * high).flat_map(pixel).collect()
}

/// An FFmpeg filter that converts RGB to planes in `colour`.
fn to_planes(colour: Colour, pixels: &str) -> String {
    let matrix = match colour.matrix {
        Matrix::Bt601 => "bt601",
        Matrix::Bt709 => "bt709",
        Matrix::Bt2020 => "bt2020",
    };
    let range = if colour.full_range { "full" } else { "limited" };
    let flags = "accurate_rnd+full_chroma_int";
    format!("scale=out_color_matrix={matrix}:out_range={range}:flags={flags},format={pixels}")
}

impl Clip {
    /// Three frames, in Annex B with an access unit delimiter before each.
    fn encode(&self) -> Vec<u8> {
        let full = self.colour.full_range;
        let (encoder, option, format, parameters) = match self.codec {
            Codec::H264 => {
                let range = if full { "on" } else { "off" };
                ("libx264", "-x264-params", "h264", format!("aud=1:fullrange={range}"))
            }
            Codec::H265 => {
                let range = if full { "full" } else { "limited" };
                ("libx265", "-x265-params", "hevc", format!("log-level=error:aud=1:repeat-headers=1:range={range}"))
            }
            Codec::Mpeg4 => return self.encode_mpeg4(),
            Codec::Jpeg => unreachable!("JPEG is not made of access units with delimiters"),
        };
        let matrix = match self.colour.matrix {
            _ if !self.declared => "undef",
            Matrix::Bt601 => "smpte170m",
            Matrix::Bt709 => "bt709",
            Matrix::Bt2020 => "bt2020nc",
        };
        let parameters = format!("{parameters}:colormatrix={matrix}");
        let size = format!("{}x{}", self.size.width, self.size.height);
        // The colours that the filter assumes must not be written into the stream.
        let filter = format!("{},setparams=colorspace=unknown", to_planes(self.colour, self.pixels));
        #[rustfmt::skip]
        let arguments = [
            "-f", "rawvideo", "-pix_fmt", "rgb24", "-r", "25", "-s", &size, "-i", "-", "-vf", &filter,
            "-c:v", encoder, "-crf", "8", "-bf", "0", "-flags", if self.interlaced { "+ilme+ildct" } else { "+bitexact" },
            option, &parameters, "-f", format, "-",
        ];
        ffmpeg(&arguments, bars(self.size).repeat(3))
    }

    /// FFmpeg writes no colours into MPEG-4.
    fn encode_mpeg4(&self) -> Vec<u8> {
        let (size, filter) = (format!("{}x{}", self.size.width, self.size.height), to_planes(self.colour, self.pixels));
        #[rustfmt::skip]
        let arguments = [
            "-f", "rawvideo", "-pix_fmt", "rgb24", "-r", "25", "-s", &size, "-i", "-", "-vf", &filter,
            "-c:v", "mpeg4", "-q:v", "1", "-f", "m4v", "-",
        ];
        ffmpeg(&arguments, bars(self.size).repeat(3))
    }

    /// The pictures made of the last frame, at full size and scaled.
    fn transcode(&self) -> Vec<Picture> {
        let units = units(self.codec, &self.encode());
        assert!(units.len() == 3 && units[0].key, "{} units", units.len());
        let sequence = Sps::find(self.codec, &units[0].data).expect("a key frame has parameter sets");
        assert_eq!((sequence.size, sequence.colour), (self.size, self.colour), "the clip is not what it should be");
        transcode(self.codec, &units, self.size)
    }
}

fn transcode(codec: Codec, units: &[AccessUnit], size: Size) -> Vec<Picture> {
    let mut transcoder = Transcoder::new(codec, 50);
    let sizes = [size, Size { width: size.width / 2, height: size.height / 2 }];
    transcoder.want(&sizes.map(|size| Rendition { size, transform: Transform::NONE, quality: 80, fps: 25 }));
    let mut pictures = Vec::new();
    for unit in units {
        transcoder.transcode(unit, true, &mut pictures).unwrap();
    }
    assert_eq!(pictures.len(), 2 * units.len(), "every frame gives its pictures at once");
    pictures.split_off(pictures.len() - 2)
}

/// Compares the middle of every bar with `truth`.
fn check(what: &str, picture: &Picture, truth: impl Fn([u8; 3]) -> [u8; 3]) {
    let Size { width, height } = picture.rendition.size;
    let decoded = imgcodecs::imdecode(&Vector::<u8>::from_slice(&picture.jpeg), imgcodecs::IMREAD_COLOR).unwrap();
    assert_eq!((decoded.cols() as u32, decoded.rows() as u32), (width, height), "{what}");
    for (row, bars) in BARS.iter().enumerate() {
        for (column, bar) in bars.iter().enumerate() {
            let middle = |part: usize, of: u32, parts: usize| (2 * part + 1) * of as usize / (2 * parts);
            let (x, y) = (middle(column, width, 8), middle(row, height, 2));
            for (dx, dy) in [(0, 0), (9, 0), (0, 9), (7, 5)] {
                let got = rgb(&decoded, x + dx - 4, y + dy - 4);
                let wanted = truth(*bar);
                let close = got.iter().zip(wanted).all(|(got, wanted)| got.abs_diff(wanted) <= TOLERANCE);
                assert!(close, "{what}, {width}x{height}: {got:?} where {wanted:?} should be");
            }
        }
    }
}

fn rgb(picture: &Mat, x: usize, y: usize) -> [u8; 3] {
    let Vec3b { 0: [blue, green, red] } = *picture.at_2d::<Vec3b>(y as i32, x as i32).unwrap();
    [red, green, blue]
}

fn colours_are_true(what: &str, clip: &Clip) {
    for picture in clip.transcode() {
        check(what, &picture, |bar| bar);
    }
}

#[test]
fn h264_in_limited_bt709_has_true_colours() {
    colours_are_true("H.264 limited BT.709", &declared(Codec::H264, LIMITED_709, "yuv420p"));
}

#[test]
fn h264_in_limited_bt601_has_true_colours() {
    colours_are_true("H.264 limited BT.601", &declared(Codec::H264, LIMITED_601, "yuv420p"));
}

#[test]
fn h264_in_full_range_has_true_colours() {
    colours_are_true("H.264 full BT.709", &declared(Codec::H264, FULL_709, "yuvj420p"));
    colours_are_true("H.264 full BT.601", &declared(Codec::H264, Colour::JPEG, "yuvj420p"));
}

#[test]
fn h264_that_does_not_tell_its_colours_is_taken_as_players_take_it() {
    let silent = |size, colour| Clip { size, declared: false, ..declared(Codec::H264, colour, "yuv420p") };
    colours_are_true("H.264 untold, 720 lines", &silent(FULL, LIMITED_709));
    colours_are_true("H.264 untold, 360 lines", &silent(SMALL, LIMITED_601));
}

#[test]
fn h264_in_422_has_true_colours() {
    colours_are_true("H.264 4:2:2", &declared(Codec::H264, LIMITED_709, "yuv422p"));
}

#[test]
fn h265_in_limited_range_has_true_colours() {
    colours_are_true("H.265 limited BT.709", &declared(Codec::H265, LIMITED_709, "yuv420p"));
    colours_are_true("H.265 limited BT.601", &declared(Codec::H265, LIMITED_601, "yuv420p"));
}

#[test]
fn h265_in_ten_bits_has_true_colours() {
    colours_are_true("H.265 Main 10", &declared(Codec::H265, LIMITED_709, "yuv420p10le"));
}

#[test]
fn more_than_eight_bits_and_all_chroma_have_true_colours() {
    for (codec, pixels) in [
        (Codec::H264, "yuv420p10le"),
        (Codec::H264, "yuv422p10le"),
        (Codec::H264, "yuv444p"),
        (Codec::H265, "yuv422p"),
        (Codec::H265, "yuv422p10le"),
        (Codec::H265, "yuv420p12le"),
        (Codec::H265, "yuv444p"),
    ] {
        for colour in [LIMITED_709, FULL_709] {
            let clip = Clip { size: SMALL, ..declared(codec, colour, pixels) };
            colours_are_true(&format!("{codec:?} {pixels} {colour:?}"), &clip);
        }
    }
}

#[test]
fn interlaced_video_has_true_colours() {
    for pixels in ["yuv420p", "yuv422p", "yuv422p10le"] {
        let clip = Clip { interlaced: true, ..declared(Codec::H264, LIMITED_601, pixels) };
        colours_are_true(&format!("interlaced {pixels}"), &clip);
    }
}

#[test]
fn mpeg4_has_true_colours() {
    let clip = |size, colour| Clip { size, declared: false, ..declared(Codec::Mpeg4, colour, "yuv420p") };
    colours_are_true("MPEG-4, 720 lines", &clip(FULL, LIMITED_709));
    colours_are_true("MPEG-4, 360 lines", &clip(SMALL, LIMITED_601));
}

#[test]
fn grey_video_stays_grey() {
    let luma = |[r, g, b]: [u8; 3]| 0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b);
    for (codec, colour, pixels) in [
        (Codec::H264, LIMITED_709, "gray"),
        (Codec::H264, FULL_709, "gray"),
        (Codec::H264, LIMITED_709, "gray10le"),
        (Codec::H264, FULL_709, "gray10le"),
        (Codec::H265, LIMITED_709, "gray"),
        (Codec::H265, LIMITED_709, "gray10le"),
        (Codec::H265, FULL_709, "gray10le"),
        (Codec::H265, LIMITED_709, "gray12le"),
    ] {
        // Encoders do not write a matrix where there is no chroma.
        let clip = Clip { declared: false, ..declared(codec, colour, pixels) };
        for picture in clip.transcode() {
            let what = format!("{codec:?} {pixels} {colour:?}");
            check(&what, &picture, |bar| [luma(bar).round() as u8; 3]);
        }
    }
}

#[test]
fn jpeg_made_smaller_or_coarser_keeps_its_colours() {
    let size = format!("{}x{}", FULL.width, FULL.height);
    for pixels in ["yuvj420p", "yuvj422p", "yuvj444p", "yuvj440p"] {
        let filter = to_planes(Colour::JPEG, pixels);
        #[rustfmt::skip]
        let arguments = [
            "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", &size, "-i", "-", "-vf", &filter, "-q:v", "2", "-f", "mjpeg", "-",
        ];
        let jpeg = ffmpeg(&arguments, bars(FULL));
        let unit = AccessUnit { sequence: 0, taken: 0, key: true, damage: None, data: jpeg.into() };
        for picture in transcode(Codec::Jpeg, &[unit], FULL) {
            check(pixels, &picture, |bar| bar);
        }
    }
}
