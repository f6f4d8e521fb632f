//! Video made by `ffmpeg` (libx264, libx265, mjpeg) while a test runs, as access units.

use std::{
    io::Write,
    process::{Command, Stdio},
    thread,
};

use cctv_agent::{
    h26x::nal::{self, NalKind},
    media::{AccessUnit, Codec, Size},
};

/// Size of the pictures of [`h264`], [`h265`] and [`mjpeg`].
pub const SIZE: Size = Size { width: 640, height: 360 };

/// Frames from one key frame to the next in [`h264`] and [`h265`].
pub const GOP: usize = 25;

/// Pipes `input` through `ffmpeg` with these arguments.
pub fn ffmpeg(arguments: &[&str], input: Vec<u8>) -> Vec<u8> {
    let mut child = Command::new("ffmpeg")
        .args(["-v", "error"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ffmpeg is installed; scripts/test sees to it");
    let mut to = child.stdin.take().unwrap();
    let feeder = thread::spawn(move || {
        let _ = to.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert!(output.status.success() && !output.stdout.is_empty(), "ffmpeg {arguments:?} failed");
    output.stdout
}

/// The access units of `stream`, 25 a second: H.264 or H.265 in Annex B with a delimiter before each
/// unit, MPEG-4, or JPEGs one after the other.
pub fn units(codec: Codec, stream: &[u8]) -> Vec<AccessUnit> {
    let units = match codec {
        Codec::Jpeg => jpegs(stream),
        Codec::H264 | Codec::H265 => annex_b(codec, stream),
        Codec::Mpeg4 => visual_objects(stream),
    };
    let unit = |(data, sequence): (Vec<u8>, u32)| AccessUnit {
        sequence,
        taken: 1_000_000 + 40_000 * u64::from(sequence),
        key: nal::is_key(codec, &data),
        damage: None,
        data: data.into(),
    };
    units.into_iter().zip(0..).map(unit).collect()
}

fn annex_b(codec: Codec, stream: &[u8]) -> Vec<Vec<u8>> {
    let mut units: Vec<Vec<u8>> = Vec::new();
    for piece in nal::split(stream) {
        if nal::kind(codec, piece) == NalKind::Aud || units.is_empty() {
            units.push(Vec::new());
        }
        let unit = units.last_mut().unwrap();
        unit.extend([0, 0, 0, 1]);
        unit.extend(piece);
    }
    units
}

/// A unit ends with its VOP; headers precede the next one.
fn visual_objects(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut units = vec![Vec::new()];
    for piece in nal::split(stream) {
        let unit = units.last_mut().unwrap();
        unit.extend([0, 0, 1]);
        unit.extend(piece);
        if matches!(nal::kind(Codec::Mpeg4, piece), NalKind::KeySlice | NalKind::Slice) {
            units.push(Vec::new());
        }
    }
    units.pop();
    units
}

fn jpegs(stream: &[u8]) -> Vec<Vec<u8>> {
    let begins: Vec<usize> = (0..stream.len() - 2).filter(|&at| stream[at..].starts_with(b"\xff\xd8\xff")).collect();
    let ends = begins.iter().skip(1).copied().chain([stream.len()]);
    begins.iter().zip(ends).map(|(&begin, end)| stream[begin..end].to_vec()).collect()
}

/// `seconds` of a moving test picture at 25 fps, as access units.
fn test_clip(codec: Codec, arguments: &[&str], seconds: u32) -> Vec<AccessUnit> {
    let source = format!("testsrc2=size={}x{}:rate=25:duration={seconds}", SIZE.width, SIZE.height);
    let arguments = [&["-f", "lavfi", "-i", &source], arguments, &["-"]].concat();
    units(codec, &ffmpeg(&arguments, Vec::new()))
}

pub fn h264(extra: &str, seconds: u32) -> Vec<AccessUnit> {
    let parameters = format!("aud=1:keyint={GOP}:scenecut=0:bframes=0{extra}");
    test_clip(
        Codec::H264,
        &["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-x264-params", &parameters, "-f", "h264"],
        seconds,
    )
}

pub fn h265(extra: &str, seconds: u32) -> Vec<AccessUnit> {
    let parameters = format!(
        "log-level=error:aud=1:repeat-headers=1:keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes=0:open-gop=0{extra}"
    );
    test_clip(
        Codec::H265,
        &["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-x265-params", &parameters, "-f", "hevc"],
        seconds,
    )
}

/// H.265 that is refreshed gradually, from a recovery point every [`GOP`] frames. libx265 does not write recovery
/// points, so they are put in where it repeats the parameter sets.
pub fn gradual_h265(stream: &[u8]) -> Vec<AccessUnit> {
    // recovery_poc_cnt 74, exact_match_flag 0, broken_link_flag 0.
    const SEI: &[u8] = &[0, 0, 0, 1, 39 << 1, 1, 6, 3, 0x01, 0x28, 0x40, 0x80];
    let with_sei = |unit: AccessUnit| {
        let mut data = Vec::new();
        let mut begins = false;
        for piece in nal::split(&unit.data) {
            let kind = nal::kind(Codec::H265, piece);
            if kind == NalKind::Slice && std::mem::take(&mut begins) {
                data.extend(SEI);
            }
            begins |= kind == NalKind::Sps;
            data.extend([0, 0, 0, 1]);
            data.extend(piece);
        }
        AccessUnit { data: data.into(), ..unit }
    };
    units(Codec::H265, stream).into_iter().map(with_sei).collect()
}

pub fn mpeg4(extra: &[&str], seconds: u32) -> Vec<AccessUnit> {
    let gop = GOP.to_string();
    let arguments = [&["-c:v", "mpeg4", "-q:v", "4", "-g", &gop, "-sc_threshold", "1000000000"], extra, &["-f", "m4v"]];
    test_clip(Codec::Mpeg4, &arguments.concat(), seconds)
}

pub fn mjpeg(seconds: u32) -> Vec<AccessUnit> {
    test_clip(Codec::Jpeg, &["-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj420p", "-f", "mjpeg"], seconds)
}
