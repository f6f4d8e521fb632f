//! A picture has the same shape in every format, also if the camera's samples are not square.

use crate::support::wall::Wall;
use crate::support::{Agent, Cameras, MotionJpeg, PATIENCE, burnt_in, clip, jpeg_size, try_burnt_in, wait_for};
use async_tungstenite::{client_async, tungstenite::Message};
use base64::{Engine, prelude::BASE64_STANDARD};
use cctv_agent::{
    h26x::sps::Sps,
    media::{Codec, Rendition, RenditionRequest, SampleAspect, Size},
    worker::transcoder::Transcoder,
};
use serde_json::json;
use smol::{Timer, block_on, future::FutureExt, net::TcpStream, stream::StreamExt};

/// The first camera picture that the old protocol sends at `target`, joined.
fn old_picture(address: &str, target: &str) -> Vec<u8> {
    block_on(
        async {
            let stream = TcpStream::connect(address).await.unwrap();
            let (mut socket, _) = client_async(format!("ws://{address}{target}"), stream).await.unwrap();
            let mut url = String::new();
            loop {
                let Message::Text(text) = socket.next().await.unwrap().unwrap() else { continue };
                if text.starts_with("::") {
                    let jpeg =
                        url.strip_prefix("data:image/jpeg;base64,").map(|text| BASE64_STANDARD.decode(text).unwrap());
                    // Cards come before the first picture.
                    if let Some(jpeg) = jpeg.filter(|jpeg| try_burnt_in(jpeg).is_some()) {
                        return jpeg;
                    }
                    url.clear();
                } else {
                    url.push_str(text.splitn(3, '~').nth(2).unwrap());
                }
            }
        }
        .or(async {
            Timer::after(PATIENCE).await;
            panic!("waited in vain for a picture by the old protocol")
        }),
    )
}

/// Asserts that `jpeg` has this size and contains the camera's whole picture, down to its lower
/// edge.
fn has_size(what: &str, jpeg: &[u8], size: (usize, usize)) {
    assert_eq!(jpeg_size(jpeg), size, "{what}");
    burnt_in(jpeg);
}

#[test]
fn analogue_camera_is_as_wide_by_every_way() {
    let cameras = Cameras::start(&[
        "id=gate codec=h264 size=704x576 aspect=16:11 small=352x288",
        "id=porch codec=h265 size=704x576 aspect=16:11 small=none",
        // NTSC: the samples are higher than wide.
        "id=yard codec=h264 size=704x480 aspect=10:11 small=none",
    ]);
    let configuration: String = ["gate", "porch", "yard"]
        .iter()
        .map(|id| format!("[[camera]]\nid = \"{id}\"\n{}", cameras.place(id)))
        .collect();
    let agent = Agent::start(&configuration);
    for (id, coded, whole, small) in [
        ("gate", [704, 576], (1024, 576), (640, 360)),
        ("porch", [704, 576], (1024, 576), (640, 360)),
        ("yard", [704, 480], (704, 528), (480, 360)),
    ] {
        let camera = agent.wait_for_state(id, "live");
        assert_eq!(camera["size"], json!(coded), "what is encoded");
        let jpeg = |target: &str| agent.get(target).unwrap().body;
        has_size("/snapshot", &jpeg(&format!("/snapshot/{id}")), whole);
        has_size("/snapshot?size", &jpeg(&format!("/snapshot/{id}?size=640x360")), small);
        let live = |target: &str| MotionJpeg::open(&agent.address, target).next_live().jpeg;
        has_size("/live", &live(&format!("/live/{id}")), whole);
        has_size("/live?size", &live(&format!("/live/{id}?size=640x360")), small);
        has_size("/ws/<id>", &old_picture(&agent.address, &format!("/ws/{id}")), whole);
        has_size("/ws/<id>?size", &old_picture(&agent.address, &format!("/ws/{id}?size=640x360")), small);
        for accept in [&["jpeg"][..], &["h264", "h265", "jpeg"]] {
            let mut wall = Wall::open(&agent.address);
            wall.show_at(id, [1920, 1080], accept);
            let state = wall.state(|state| state["state"] == "live");
            assert_eq!((&state["size"], &state["display"]), (&json!(coded), &json!([whole.0, whole.1])), "{accept:?}");
            let frame = wall.frame();
            if frame.format == 1 {
                has_size("wall socket", &frame.payload, whole);
            }
        }
    }
    agent.wait_for_log(&["gate: live, 704x576 h264", ", shown as 1024x576"]);
}

#[test]
fn sample_aspect_may_change_while_the_stream_goes_on() {
    let cameras = Cameras::start(&["id=gate codec=h264 size=704x576 small=none gop=10"]);
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate")));
    agent.wait_for_state("gate", "live");
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    assert_eq!(jpeg_size(&viewer.next_live().jpeg), (704, 576));
    for (aspect, size) in [
        ("16:11", (1024, 576)),
        ("12:11", (768, 576)),
        // An invalid ratio, treated as square samples.
        ("1:200", (704, 576)),
        ("10:11", (704, 634)),
    ] {
        cameras.fault("gate", &format!("aspect?to={aspect}"));
        let picture = wait_for(&format!("pictures of samples {aspect}"), || {
            let jpeg = viewer.next_live().jpeg;
            (jpeg_size(&jpeg) == size).then_some(jpeg)
        });
        burnt_in(&picture);
    }
    assert_eq!(agent.camera("gate")["reconnects"], 0, "in the same session");
}

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
