//! Video made by `ffmpeg` while a test runs, as access units.

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use cctv_agent::{
    h26x::nal::{self, NalKind},
    media::{AccessUnit, Codec},
};

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

/// The access units of `stream`, Annex B with a delimiter before each, 25 a second.
pub fn units(codec: Codec, stream: &[u8]) -> Vec<AccessUnit> {
    let mut units: Vec<Vec<u8>> = Vec::new();
    for piece in nal::split(stream) {
        if nal::kind(codec, piece) == NalKind::Aud || units.is_empty() {
            units.push(Vec::new());
        }
        let unit = units.last_mut().unwrap();
        unit.extend([0, 0, 0, 1]);
        unit.extend(piece);
    }
    let unit = |(data, sequence): (Vec<u8>, u32)| AccessUnit {
        sequence,
        taken: 1_000_000 + 40_000 * u64::from(sequence),
        key: nal::is_key(codec, &data),
        data: Arc::from(data),
    };
    units.into_iter().zip(0..).map(unit).collect()
}
