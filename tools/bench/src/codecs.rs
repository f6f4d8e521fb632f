//! What each codec and profile costs a worker: processor time for each picture, and memory.
//!
//! A worker alone is given the units of a clip of 1280x720 at the pace of a camera, and makes one JPEG of
//! each. `ffmpeg` encodes a moving test picture with noise at about the same quality in every codec.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use cctv_agent::{
    camera::CameraId,
    ipc::{self, Decode, FromWorker},
    media::{AccessUnit, Codec, Rendition, Size, UnixMicros, transform::Transform},
    sandbox::SandboxPolicy,
    time::timeout,
    worker_host::{CLOSE_TIMEOUT, Spawner, Worker},
};
use smol::{Timer, block_on};

use crate::{Result, clip};

/// Pictures of a clip, 25 a second; the first second is not counted.
const FRAMES: usize = 150;
const UNCOUNTED: usize = 25;
const FRAME_TIME: Duration = Duration::from_millis(40);
const SIZE: Size = Size { width: 1280, height: 720 };
/// Differs from the default quality of the worker, so that JPEG is encoded again, too.
const QUALITY: u8 = 70;
const GROUP_MEMORY: u64 = 8 << 20;

const X264: &[&str] =
    &["-c:v", "libx264", "-preset", "veryfast", "-x264-params", "aud=1:keyint=50:scenecut=0", "-f", "h264"];
const X265: &[&str] = &[
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-x265-params",
    "log-level=error:aud=1:repeat-headers=1:keyint=50",
    "-f",
    "hevc",
];
const MPEG4: &[&str] = &["-c:v", "mpeg4", "-q:v", "6", "-g", "50", "-f", "m4v"];
const MJPEG: &[&str] = &["-c:v", "mjpeg", "-q:v", "5", "-f", "mjpeg"];

/// Name, codec, encoder, and what makes the profile.
type Kind = (&'static str, Codec, &'static [&'static str], &'static [&'static str]);

const KINDS: &[Kind] = &[
    ("H.264 Baseline", Codec::H264, X264, &["-profile:v", "baseline", "-pix_fmt", "yuv420p"]),
    ("H.264 High", Codec::H264, X264, &["-profile:v", "high", "-bf", "0", "-pix_fmt", "yuv420p"]),
    ("H.264 High, B frames", Codec::H264, X264, &["-profile:v", "high", "-bf", "2", "-pix_fmt", "yuv420p"]),
    ("H.264 High, interlaced", Codec::H264, X264, &["-bf", "0", "-pix_fmt", "yuv420p", "-flags", "+ilme+ildct"]),
    ("H.264 High 4:2:2", Codec::H264, X264, &["-profile:v", "high422", "-bf", "0", "-pix_fmt", "yuv422p"]),
    ("H.264 High 10", Codec::H264, X264, &["-profile:v", "high10", "-bf", "0", "-pix_fmt", "yuv420p10le"]),
    ("H.264 grey", Codec::H264, X264, &["-bf", "0", "-pix_fmt", "gray"]),
    ("H.265 Main", Codec::H265, X265, &["-bf", "0", "-pix_fmt", "yuv420p"]),
    ("H.265 Main 10", Codec::H265, X265, &["-bf", "0", "-pix_fmt", "yuv420p10le"]),
    ("H.265 Main 4:2:2 10", Codec::H265, X265, &["-bf", "0", "-pix_fmt", "yuv422p10le"]),
    ("MPEG-4 part 2", Codec::Mpeg4, MPEG4, &["-pix_fmt", "yuv420p"]),
    ("JPEG 4:2:0, encoded again", Codec::Jpeg, MJPEG, &["-pix_fmt", "yuvj420p"]),
    ("JPEG 4:2:2, encoded again", Codec::Jpeg, MJPEG, &["-pix_fmt", "yuvj422p"]),
];

struct Cost {
    pictures: u32,
    /// Of each picture.
    cpu: Duration,
    /// Private memory of the worker, in bytes.
    memory: u64,
}

/// The table, for workers of the program at `worker`.
///
/// # Errors
/// If a clip cannot be made, or a worker fails.
pub fn table(worker: &Path) -> Result<String> {
    let mut text = format!(
        "\nA worker that makes one JPEG of {}x{} of each picture, 25 a second:\n\n\
         | codec and profile | kB each | CPU, ms per picture | memory, MB |\n|---|---|---|---|\n",
        SIZE.width, SIZE.height
    );
    for (name, codec, encoder, profile) in KINDS {
        let source = format!("testsrc2=size={}x{}:rate=25,noise=alls=6:allf=t", SIZE.width, SIZE.height);
        let frames = FRAMES.to_string();
        let input = ["-f", "lavfi", "-i", &source, "-frames:v", &frames];
        let (codec_options, format) = encoder.split_at(encoder.len() - 2);
        let arguments = [&input, codec_options, profile, format, &["-"]].concat();
        let units = clip::units(*codec, &clip::ffmpeg(&arguments, Vec::new()));
        let bytes: usize = units.iter().map(|unit| unit.data.len()).sum();
        let Cost { pictures, cpu, memory } = block_on(cost(worker, *codec, units))?;
        eprintln!("  {name}: {:.2} ms per picture, {pictures} pictures", cpu.as_secs_f64() * 1e3);
        text += &format!(
            "| {name} | {:.0} | {:.2} | {:.0} |\n",
            bytes as f64 / FRAMES as f64 / 1e3,
            cpu.as_secs_f64() * 1e3,
            memory as f64 / 1e6
        );
    }
    Ok(text)
}

async fn cost(worker: &Path, codec: Codec, units: Vec<AccessUnit>) -> Result<Cost> {
    let decode = Decode {
        codec,
        default_quality: 80,
        most_memory: ipc::WORKER_MEMORY,
        group_memory: GROUP_MEMORY,
        remark: None,
        sandbox: SandboxPolicy::Auto,
    };
    let camera = CameraId::new("bench").ok_or("no identifier")?;
    let mut worker = Worker::start_decoder(&Spawner::new(worker), &camera, decode).await?;
    let rendition = Rendition { size: SIZE, transform: Transform::NONE, quality: QUALITY, fps: 60 };
    worker.want(vec![rendition.into()]).await?;
    let (began, mut pictures, mut before) = (Instant::now(), 0, Duration::ZERO);
    for (number, unit) in units.into_iter().enumerate() {
        if number == UNCOUNTED {
            (pictures, before) = (0, worker.vitals().ok_or("no vitals")?.cpu);
        }
        worker.feed(&AccessUnit { taken: now(), ..unit }).await?;
        let due = began + FRAME_TIME * (number as u32 + 1);
        while let Some(left) = due.checked_duration_since(Instant::now()) {
            match timeout(left, worker.next()).await {
                Some(message) => pictures += u32::from(matches!(message?, FromWorker::Picture(_))),
                None => break,
            }
        }
        Timer::at(due).await;
    }
    let vitals = worker.vitals().ok_or("no vitals")?;
    worker.end(CLOSE_TIMEOUT).await;
    if pictures == 0 {
        return Err("no picture came".into());
    }
    Ok(Cost { pictures, cpu: (vitals.cpu - before) / pictures, memory: vitals.own })
}

fn now() -> UnixMicros {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixMicros::try_from(since.as_micros()).unwrap_or(UnixMicros::MAX)
}
