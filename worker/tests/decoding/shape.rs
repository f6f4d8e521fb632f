//! A picture has the shape that the camera saw, whatever shape its samples have.

use cctv_agent::{
    h26x::sps::Sps,
    media::{Codec, Rendition, RenditionRequest, SampleAspect, Size},
};
use cctv_worker::transcoder::Transcoder;

use crate::clip;

/// A white disc in the middle of a black picture in eight-bit grey, three frames, on square pixels.
fn disc(size: Size) -> Vec<u8> {
    let (width, height) = (i64::from(size.width), i64::from(size.height));
    let lit = |(x, y): (i64, i64)| (2 * x + 1 - width).pow(2) + (2 * y + 1 - height).pow(2) <= 300 * 300;
    let rows = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    rows.map(|at| if lit(at) { 255 } else { 0 }).collect::<Vec<u8>>().repeat(3)
}

/// The number of bright pixels in the middle row and in the middle column.
fn breadth(jpeg: &[u8]) -> (usize, usize) {
    let image = turbojpeg::decompress(jpeg, turbojpeg::PixelFormat::GRAY).unwrap();
    let bright = |x: usize, y: usize| image.pixels[y * image.pitch + x] > 127;
    let across = (0..image.width).filter(|&x| bright(x, image.height / 2)).count();
    (across, (0..image.height).filter(|&y| bright(image.width / 2, y)).count())
}

#[test]
fn circle_stays_a_circle() {
    for (codec, encoder, format, more) in [
        (Codec::H264, "libx264", "h264", ["-x264-params", "aud=1"]),
        (Codec::H265, "libx265", "hevc", ["-x265-params", "log-level=error:aud=1:repeat-headers=1"]),
    ] {
        for (seen, coded, aspect) in [
            ((1024, 576), (704, 576), (16, 11)),
            // This ratio is not in the standards' table, so it is written out.
            ((1024, 576), (720, 576), (64, 45)),
            ((704, 528), (704, 480), (10, 11)),
            // Half the lines.
            ((704, 528), (704, 288), (6, 11)),
            ((640, 360), (640, 360), (1, 1)),
        ] {
            let what = format!("{codec:?} {coded:?} {aspect:?}");
            let (seen, coded) = [seen, coded].map(|(width, height)| Size { width, height }).into();
            let size = format!("{}x{}", seen.width, seen.height);
            let filter = format!("scale={}:{},setsar={}/{}", coded.width, coded.height, aspect.0, aspect.1);
            #[rustfmt::skip]
            let arguments = [
                "-f", "rawvideo", "-pix_fmt", "gray", "-r", "25", "-s", &size, "-i", "-", "-vf", &filter, "-pix_fmt", "yuv420p",
                "-c:v", encoder, "-crf", "8", "-bf", "0", more[0], more[1], "-f", format, "-",
            ];
            let units = clip::units(codec, &clip::ffmpeg(&arguments, disc(seen)));
            let sequence = Sps::find(codec, &units[0].data).unwrap();
            assert_eq!(
                (sequence.size, sequence.sample_aspect),
                (coded, SampleAspect::new(aspect.0, aspect.1)),
                "{what}"
            );
            let display = sequence.size.displayed(sequence.sample_aspect);
            assert_eq!(display, seen, "{what}");
            let rendition =
                |size| Rendition::for_request(RenditionRequest { size, quality: None, fps: None }, display, 90, 25);
            let third = Size { width: seen.width / 3, height: seen.height / 3 };
            let mut transcoder = Transcoder::new(codec, 90);
            transcoder.want(&[rendition(None), rendition(Some(third))]);
            let mut pictures = Vec::new();
            for unit in &units {
                transcoder.transcode(unit, true, &mut pictures).unwrap();
            }
            assert_eq!(pictures.len(), 6, "{what}");
            for picture in pictures.iter().rev().take(2) {
                let Size { width, height } = picture.rendition.size;
                let (across, down) = breadth(&picture.jpeg);
                let wanted = 300 * width as usize / seen.width as usize;
                let round = across.abs_diff(wanted) <= 3 && down.abs_diff(wanted) <= 3;
                assert!(round, "{what}: {across} and {down} pixels, not {wanted}, in {width}x{height}");
            }
        }
    }
}
