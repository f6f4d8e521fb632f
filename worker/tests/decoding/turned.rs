//! A picture that is cut, mirrored or turned shows every edge where it belongs, in every codec and with
//! every shape of samples. `tests/page/view.test.mjs` expects the same of the page's canvas.

use cctv_agent::{
    h26x::sps::Sps,
    media::{
        AccessUnit, Codec, Rendition, RenditionRequest, SampleAspect, Size, StreamInfo,
        transform::{Crop, Transform},
    },
};
use cctv_worker::transcoder::Transcoder;

use crate::clip;

/// Left, top, right and lower edge of the bright part of a black picture, in parts of the whole.
const BRIGHT: [f64; 4] = [0.25, 0.125, 0.5, 0.75];

const CROP: Crop = Crop { left: 200, top: 0, right: 0, bottom: 100 };

/// Three pictures of this many samples, in eight-bit grey.
fn picture(size: Size) -> Vec<u8> {
    let [left, top, right, bottom] = BRIGHT;
    let part = |at: u32, of: u32| (f64::from(at) + 0.5) / f64::from(of);
    let lit = |x: f64, y: f64| (left..right).contains(&x) && (top..bottom).contains(&y);
    let rows = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
    rows.map(|(x, y)| if lit(part(x, size.width), part(y, size.height)) { 255 } else { 0 }).collect()
}

/// Where the edges of the bright part must be in a picture of `size`, in pixels.
fn truth(stream: StreamInfo, size: Size) -> [f64; 4] {
    let visible = stream.transform.crop.visible(stream.size);
    let [width, height] = [stream.size.width, stream.size.height].map(f64::from);
    let seen = |(x, y): (f64, f64)| {
        let x = (x * width - f64::from(visible.left)) / f64::from(visible.size.width);
        let y = (y * height - f64::from(visible.top)) / f64::from(visible.size.height);
        let x = if stream.transform.mirrored { 1.0 - x } else { x };
        // Clockwise, what was above is at the right.
        let (x, y) = (0..stream.transform.quarter_turns).fold((x, y), |(x, y), _| (1.0 - y, x));
        (x * f64::from(size.width), y * f64::from(size.height))
    };
    let [left, top, right, bottom] = BRIGHT;
    let ((ax, ay), (bx, by)) = (seen((left, top)), seen((right, bottom)));
    [ax.min(bx), ay.min(by), ax.max(bx), ay.max(by)]
}

/// The edges of the bright part in `jpeg`, seen from its middle.
fn edges(jpeg: &[u8], size: Size, [left, top, right, bottom]: [f64; 4]) -> [f64; 4] {
    let image = turbojpeg::decompress(jpeg, turbojpeg::PixelFormat::GRAY).unwrap();
    assert_eq!((image.width as u32, image.height as u32), (size.width, size.height));
    let bright = |x: usize, y: usize| image.pixels[y * image.pitch + x] > 127;
    let (row, column) = ((top + bottom) as usize / 2, (left + right) as usize / 2);
    let across: Vec<usize> = (0..image.width).filter(|&x| bright(x, row)).collect();
    let down: Vec<usize> = (0..image.height).filter(|&y| bright(column, y)).collect();
    let last = |of: &[usize]| of.last().map_or(0.0, |last| *last as f64 + 1.0);
    let first = |of: &[usize]| of.first().map_or(0.0, |first| *first as f64);
    [first(&across), first(&down), last(&across), last(&down)]
}

/// Access units of a stream of this many samples and this shape.
fn units(codec: Codec, size: Size, aspect: (u16, u16)) -> Vec<AccessUnit> {
    let grey = picture(size);
    if codec == Codec::Jpeg {
        let (width, height) = (size.width as usize, size.height as usize);
        let format = turbojpeg::PixelFormat::GRAY;
        let image = turbojpeg::Image { pixels: &grey[..], width, pitch: width, height, format };
        // Of colour, because cameras have some.
        let pixels: Vec<u8> = image.pixels.iter().flat_map(|level| [*level; 3]).collect();
        let format = turbojpeg::PixelFormat::RGB;
        let image = turbojpeg::Image { pixels: &pixels[..], width, pitch: 3 * width, height, format };
        let jpeg = turbojpeg::compress(image, 95, turbojpeg::Subsamp::Sub2x1).unwrap();
        return vec![AccessUnit { sequence: 0, taken: 1_000_000, key: true, damage: None, data: jpeg.to_vec().into() }];
    }
    let (encoder, format, more) = match codec {
        Codec::H264 => ("libx264", "h264", ["-x264-params", "aud=1"]),
        _ => ("libx265", "hevc", ["-x265-params", "log-level=error:aud=1:repeat-headers=1"]),
    };
    let (samples, filter) = (format!("{}x{}", size.width, size.height), format!("setsar={}/{}", aspect.0, aspect.1));
    #[rustfmt::skip]
    let arguments = [
        "-f", "rawvideo", "-pix_fmt", "gray", "-r", "25", "-s", &samples, "-i", "-", "-vf", &filter, "-pix_fmt", "yuv420p",
        "-c:v", encoder, "-crf", "8", "-bf", "0", more[0], more[1], "-f", format, "-",
    ];
    clip::units(codec, &clip::ffmpeg(&arguments, grey.repeat(3)))
}

fn transforms() -> impl Iterator<Item = Transform> {
    let turns = |crop, mirrored| (0..4).map(move |quarter_turns| Transform { crop, mirrored, quarter_turns });
    turns(Crop::NONE, false).chain(turns(Crop::NONE, true)).chain(turns(CROP, false)).chain(turns(CROP, true))
}

#[test]
fn edges_are_where_they_belong() {
    for codec in [Codec::H264, Codec::H265, Codec::Jpeg] {
        for (size, aspect) in [
            ((640, 360), (1, 1)),
            ((704, 576), (16, 11)),
            ((704, 576), (12, 11)),
            ((704, 480), (10, 11)),
            ((720, 288), (32, 45)),
        ] {
            let size = Size { width: size.0, height: size.1 };
            let units = units(codec, size, aspect);
            let sample_aspect = SampleAspect::new(aspect.0, aspect.1);
            if let Some(sps) = Sps::find(codec, &units[0].data) {
                assert_eq!((sps.size, sps.sample_aspect), (size, sample_aspect));
            }
            let stream = |transform| StreamInfo { codec, codec_config: None, size, sample_aspect, transform, fps: 0.0 };
            let renditions: Vec<Rendition> = transforms()
                .flat_map(|transform| {
                    let display = stream(transform).display_size();
                    let third = Size { width: display.width / 3, height: display.height / 3 };
                    [None, Some(third)].map(|size| {
                        let request = RenditionRequest { size, quality: None, fps: None };
                        Rendition { transform, ..Rendition::for_request(request, display, 90, 25) }
                    })
                })
                .collect();
            let mut transcoder = Transcoder::new(codec, 90);
            transcoder.want(&renditions);
            let mut pictures = Vec::new();
            transcoder.transcode(&units[0], true, &mut pictures).unwrap();
            assert_eq!(pictures.len(), renditions.len());
            for picture in pictures {
                let Rendition { size: shown, transform, .. } = picture.rendition;
                let wanted = truth(stream(transform), shown);
                let got = edges(&picture.jpeg, shown, wanted);
                let near = got.iter().zip(wanted).all(|(got, wanted)| (got - wanted).abs() <= 1.0);
                assert!(near, "{codec:?} {size:?} {aspect:?} {transform:?} in {shown:?}: {got:?}, not {wanted:?}");
            }
        }
    }
}
