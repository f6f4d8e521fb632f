//! Cameras of every codec and profile are live, and shown in their colours as JPEG: `ffmpeg` makes the
//! clips, and virtual cameras send them.

use std::fs;

use serde_json::Value;
use turbojpeg::PixelFormat;

use crate::support::{
    Agent, Cameras, Folder, MotionJpeg,
    clip::{ffmpeg, gradual_h265},
    wall::Wall,
};

const WIDTH: usize = 640;
const HEIGHT: usize = 352;

/// Four bars, and their grey by BT.601.
const BARS: [[u8; 3]; 4] = [[220, 60, 40], [60, 110, 60], [100, 140, 190], [235, 235, 225]];
const GREYS: [[u8; 3]; 4] = [[106; 3], [89; 3], [134; 3], [234; 3]];

/// Largest error of a flat area, in levels of 255.
const TOLERANCE: u8 = 4;

const X264: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-f", "h264"];
const X265: &[&str] = &["-c:v", "libx265", "-preset", "ultrafast", "-crf", "12", "-f", "hevc"];
/// What is in the stream of each: units are told apart by delimiters.
const OF_X264: &str = "aud=1:keyint=25:scenecut=0:bframes=0";
const OF_X265: &str = "log-level=error:aud=1:repeat-headers=1:keyint=25:min-keyint=25:scenecut=0:bframes=0:open-gop=0";
const MPEG4: &[&str] = &["-c:v", "mpeg4", "-q:v", "2", "-g", "25", "-f", "m4v"];
/// The tables that RTP leaves out are the usual ones.
const MJPEG: &[&str] = &["-c:v", "mjpeg", "-q:v", "2", "-huffman", "default", "-f", "mjpeg"];

/// One camera: its name, its codec as the virtual camera calls it, and how FFmpeg encodes what it sends.
struct Kind {
    id: &'static str,
    codec: &'static str,
    arguments: Vec<String>,
    is_grey: bool,
}

fn kind(id: &'static str, codec: &'static str, arguments: &[&[&str]]) -> Kind {
    let arguments: Vec<_> = arguments.concat().into_iter().map(str::to_owned).collect();
    let is_grey = arguments.iter().any(|argument| argument.starts_with("gray"));
    Kind { id, codec, arguments, is_grey }
}

fn h264(id: &'static str, pixels: &str, more: &[&str]) -> Kind {
    kind(id, "h264", &[X264, &["-x264-params", OF_X264, "-pix_fmt", pixels], more])
}

fn h265(id: &'static str, pixels: &str) -> Kind {
    kind(id, "h265", &[X265, &["-x265-params", OF_X265, "-pix_fmt", pixels]])
}

/// The bars as packed RGB.
fn bars(size: (usize, usize)) -> Vec<u8> {
    (0..size.0 * size.1).flat_map(|at| BARS[at % size.0 * BARS.len() / size.0]).collect()
}

/// A clip of `frames` frames that show the bars.
fn clip(size: (usize, usize), frames: u32, arguments: &[String]) -> Vec<u8> {
    let (text, count) = (format!("{}x{}", size.0, size.1), frames.to_string());
    let repeat = format!("loop=loop={frames}:size=1,setpts=N/25/TB,scale=flags=accurate_rnd+full_chroma_int");
    #[rustfmt::skip]
    let input =
        ["-f", "rawvideo", "-pix_fmt", "rgb24", "-r", "25", "-s", &text, "-i", "-", "-vf", &repeat, "-frames:v", &count];
    let arguments = input.into_iter().chain(arguments.iter().map(String::as_str)).chain(["-"]);
    ffmpeg(&arguments.collect::<Vec<_>>(), bars(size))
}

/// The bars as a JPEG that is sampled 4:2:2 in the usual way.
fn jpeg_422(size: (usize, usize)) -> Vec<u8> {
    let pixels = bars(size);
    let (width, height, format) = (size.0, size.1, PixelFormat::RGB);
    let image = turbojpeg::Image { pixels: &pixels[..], width, pitch: 3 * width, height, format };
    turbojpeg::compress(image, 95, turbojpeg::Subsamp::Sub2x1).unwrap().to_vec()
}

/// Cameras that send clips, and an agent that shows them.
struct Scene {
    agent: Agent,
    _cameras: Cameras,
    _folder: Folder,
}

impl Scene {
    fn new(size: (usize, usize), clips: &[(&'static str, &'static str, Vec<u8>)]) -> Self {
        let folder = Folder::new();
        let describe = |(id, codec, bytes): &(&str, &str, Vec<u8>)| {
            let path = folder.0.join(id);
            fs::write(&path, bytes).unwrap();
            format!("id={id} codec={codec} small=none size={}x{} clip={}", size.0, size.1, path.display())
        };
        let descriptions: Vec<_> = clips.iter().map(describe).collect();
        let cameras = Cameras::start(&descriptions.iter().map(String::as_str).collect::<Vec<_>>());
        let section = |(id, ..): &(&str, &str, Vec<u8>)| {
            format!("[[camera]]\nid = \"{id}\"\nurl = \"{}\"\nstall_after = 4.0\n", cameras.stream(id))
        };
        let agent = Agent::start(&clips.iter().map(section).collect::<String>());
        Self { agent, _cameras: cameras, _folder: folder }
    }

    /// Checks that `count` pictures of camera `id`, from the first on, have the colours of `bars`.
    fn shows(&self, id: &str, size: (usize, usize), bars: &[[u8; 3]; 4], count: usize) {
        self.agent.wait_for_state(id, "live");
        let mut viewer = MotionJpeg::open(&self.agent.address, &format!("/live/{id}"));
        for number in 0..count {
            has_colours(&format!("{id}, picture {number}"), &viewer.next_live().jpeg, size, bars);
        }
        self.went_well(id);
    }

    /// Neither the session nor a worker failed.
    fn went_well(&self, id: &str) -> Value {
        let camera = self.agent.camera(id);
        assert_eq!((&camera["state"], &camera["reconnects"]), (&"live".into(), &0.into()), "{camera:#}");
        let failures: Vec<_> =
            camera["failures"].as_object().unwrap().iter().filter(|(_, count)| **count != 0).collect();
        assert!(failures.is_empty(), "{camera:#}");
        camera
    }

    /// What a page is told that can show each of `accept`: the state, once it is live.
    fn told(&self, id: &str, accept: &[&str]) -> Value {
        let mut wall = Wall::open(&self.agent.address);
        wall.show(&[id], accept);
        wall.state(|state| state["state"] == "live" && !state["format"].is_null())
    }
}

fn has_colours(what: &str, jpeg: &[u8], size: (usize, usize), bars: &[[u8; 3]; 4]) {
    let picture = turbojpeg::decompress(jpeg, PixelFormat::RGB).unwrap();
    assert_eq!((picture.width, picture.height), size, "{what}");
    for (column, bar) in bars.iter().enumerate() {
        let x = (2 * column + 1) * size.0 / (2 * bars.len());
        for y in [size.1 / 20, size.1 / 2, size.1 - 9] {
            let got = &picture.pixels[y * picture.pitch + 3 * x..][..3];
            let is_close = got.iter().zip(bar).all(|(got, wanted)| got.abs_diff(*wanted) <= TOLERANCE);
            assert!(is_close, "{what}: {got:?} where {bar:?} should be, in row {y}");
        }
    }
}

fn all_are_shown(kinds: &[Kind]) -> Scene {
    let size = (WIDTH, HEIGHT);
    let clips: Vec<_> = kinds.iter().map(|kind| (kind.id, kind.codec, clip(size, 50, &kind.arguments))).collect();
    let scene = Scene::new(size, &clips);
    for kind in kinds {
        scene.shows(kind.id, size, if kind.is_grey { &GREYS } else { &BARS }, 10);
        assert_eq!(scene.agent.camera(kind.id)["codec"], if kind.codec == "mjpeg" { "jpeg" } else { kind.codec });
    }
    scene
}

#[test]
fn mpeg4_is_shown_as_jpeg() {
    let scene = all_are_shown(&[
        kind("simple", "mpeg4", &[MPEG4]),
        kind("interlaced", "mpeg4", &[MPEG4, &["-flags", "+ilme+ildct"]]),
        kind("bframes", "mpeg4", &[MPEG4, &["-bf", "2"]]),
    ]);
    let state = scene.told("simple", &["h264", "h265", "jpeg"]);
    assert_eq!(state["format"], "jpeg", "{state}");
}

#[test]
fn every_profile_of_h264_is_shown() {
    let scene = all_are_shown(&[
        h264("baseline", "yuv420p", &["-profile:v", "baseline"]),
        h264("interlaced", "yuv420p", &["-flags", "+ilme+ildct"]),
        h264("ten", "yuv420p10le", &[]),
        h264("chroma", "yuv422p", &[]),
        h264("both", "yuv422p10le", &["-flags", "+ilme+ildct"]),
        h264("grey", "gray", &[]),
    ]);
    assert_eq!(scene.told("chroma", &["h264", "jpeg"])["format"], "h264");
}

#[test]
fn every_profile_of_h265_is_shown() {
    let scene = all_are_shown(&[
        h265("main", "yuv420p"),
        h265("ten", "yuv420p10le"),
        h265("chroma", "yuv422p"),
        h265("grey", "gray"),
        h265("greyten", "gray10le"),
    ]);
    assert_eq!(scene.told("ten", &["h265", "jpeg"])["format"], "h265");
}

#[test]
fn jpeg_with_restart_markers_and_wider_than_its_packets_can_say_is_shown() {
    // 2560 pixels are 320 blocks, of which packets have the lower 8 bits.
    let size = (2560, 352);
    let make =
        |pixels: &str, more: &[&str]| clip(size, 8, &kind("", "", &[MJPEG, &["-pix_fmt", pixels], more]).arguments);
    let clips = [
        ("usual", "mjpeg", make("yuvj420p", &[])),
        // FFmpeg samples 4:2:2 in a way that packets cannot say.
        ("chroma", "mjpeg", jpeg_422(size).repeat(2)),
        ("restarts", "mjpeg", make("yuvj420p", &["-slices", "4", "-threads", "4"])),
    ];
    assert!(clips[2].2.windows(2).any(|marker| marker == [0xff, 0xd0]), "there are no restart markers");
    let scene = Scene::new(size, &clips);
    for (id, ..) in &clips {
        scene.shows(id, size, &BARS, 5);
    }
}

/// The access units of `stream` behind the first `skipped`.
fn without_beginning(stream: &[u8], skipped: usize) -> Vec<u8> {
    // The delimiters of H.264 and H.265.
    let is_delimiter = |at: &usize| matches!(stream[*at..], [0, 0, 0, 1, 9, ..] | [0, 0, 0, 1, 70, 1, ..]);
    let begin = (0..stream.len()).filter(is_delimiter).nth(skipped).expect("the clip is longer");
    stream[begin..].to_vec()
}

#[test]
fn cameras_without_key_frames_are_joined_and_show_nothing_that_is_not_whole() {
    let size = (320, 192);
    let make = |format: &str, encoder: &str, option: &str, parameters: &str| {
        let arguments =
            ["-c:v", encoder, "-preset", "ultrafast", option, parameters, "-pix_fmt", "yuv420p", "-f", format];
        let stream = clip(size, 500, &arguments.map(str::to_owned));
        without_beginning(&stream, 30)
    };
    let x264 = |more: &str| {
        let parameters = format!("aud=1:keyint=50:scenecut=0:bframes=0:{more}");
        make("h264", "libx264", "-x264-params", &parameters)
    };
    // Otherwise libx265 refers to what is not refreshed yet, and its pictures never become right.
    let parameters = "log-level=error:aud=1:repeat-headers=1:keyint=25:scenecut=0:bframes=0:intra-refresh=1:\
                      constrained-intra=1:no-deblock=1:no-sao=1";
    let gradual265 = gradual_h265(&make("hevc", "libx265", "-x265-params", parameters));
    let clips = [
        ("open", "h264", x264("open-gop=1")),
        ("gradual", "h264", x264("intra-refresh=1")),
        ("gradual265", "h265", gradual265.iter().flat_map(|unit| unit.data.to_vec()).collect()),
    ];
    let scene = Scene::new(size, &clips);
    scene.shows("open", size, &BARS, 10);
    scene.shows("gradual", size, &BARS, 10);
    scene.shows("gradual265", size, &BARS, 10);
    let codes = |id: &str| -> Vec<Value> {
        let parts = scene.went_well(id)["as_jpeg"].take();
        parts.as_array().unwrap().iter().map(|part| part["code"].clone()).collect()
    };
    assert_eq!(codes("gradual"), ["gradual_refresh", "set_key_frames"]);
    assert_eq!(codes("gradual265"), ["gradual_refresh", "set_key_frames"]);
    assert_eq!(scene.told("gradual", &["h264", "jpeg"])["format"], "jpeg");
    assert_eq!(codes("open"), [""; 0]);
    assert_eq!(scene.told("open", &["h264", "jpeg"])["format"], "h264");
}
