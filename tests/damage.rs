//! Damaged, lost and badly timed video never ends a worker's decoding, and never shows as late.
//!
//! A clip made by `ffmpeg` goes through the worker's group, follower and darkroom, the way its two
//! threads use them, with what networks do to it.

// A test that cannot prepare itself may stop where it stands.
#![allow(clippy::unwrap_used)]

use std::{process::Command, sync::Arc};

use cctv_agent::{
    media::{AccessUnit, Codec, Picture, Rendition, Size},
    worker::{
        darkroom::{Darkroom, Error},
        group::{Follower, Group},
        nal::{self, Kind, ParameterSets},
    },
};

const SIZE: Size = Size { width: 320, height: 240 };
const WANTED: Rendition = Rendition { size: SIZE, quality: 80, fps: 25 };
const GOP: u32 = 25;

/// Four seconds of a moving pattern with a key frame every second.
fn clip(codec: Codec, more: &str) -> Vec<AccessUnit> {
    let (encoder, option, format) = match codec {
        Codec::H264 => ("libx264", "-x264-params", "h264"),
        _ => ("libx265", "-x265-params", "hevc"),
    };
    let parameters = format!("aud=1:keyint={GOP}:min-keyint={GOP}:scenecut=0:{more}");
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=4", "-pix_fmt", "yuv420p"])
        .args(["-c:v", encoder, option, &parameters, "-f", format, "-"])
        .output()
        .expect("ffmpeg is installed; scripts/test sees to it");
    assert!(output.status.success());
    let mut units: Vec<Vec<u8>> = Vec::new();
    for piece in nal::split(&output.stdout) {
        if nal::kind(codec, piece) == Kind::Delimiter {
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

/// A camera's clip, played into a group of pictures.
struct Play {
    group: Group,
    follower: Follower,
    darkroom: Darkroom,
    pictures: Vec<Picture>,
    errors: u32,
}

impl Play {
    fn new(codec: Codec) -> Self {
        let mut darkroom = Darkroom::new(codec, 50);
        darkroom.want(&[WANTED]);
        Self { group: Group::default(), follower: Follower::new(), darkroom, pictures: Vec::new(), errors: 0 }
    }

    /// Works until nothing is left to do, as the decoding thread does.
    fn catch_up(&mut self) {
        while let Some(step) = self.follower.step(&self.group) {
            match self.darkroom.develop(&step.unit, step.show, &mut self.pictures) {
                Ok(()) => {}
                Err(Error::Encode(error)) => panic!("{error}"),
                Err(_) => {
                    self.errors += 1;
                    self.follower.lost();
                }
            }
        }
    }

    fn all(&mut self, units: &[AccessUnit]) {
        for unit in units {
            self.group.push(unit.clone());
            self.catch_up();
        }
    }

    fn sequences(&self) -> Vec<u32> {
        self.pictures.iter().map(|picture| picture.sequence).collect()
    }
}

fn pixels(picture: &Picture) -> Vec<u8> {
    turbojpeg::decompress(&picture.jpeg, turbojpeg::PixelFormat::GRAY).unwrap().pixels
}

#[test]
fn every_frame_of_a_sound_stream_gives_its_picture_at_once() {
    for (codec, more) in [(Codec::H264, "bframes=0"), (Codec::H265, "bframes=0:repeat-headers=1:log-level=error")] {
        let units = clip(codec, more);
        let mut play = Play::new(codec);
        for unit in &units {
            play.all(std::slice::from_ref(unit));
            assert_eq!(play.pictures.last().map(|picture| picture.sequence), Some(unit.sequence), "{codec:?}");
        }
        assert_eq!(play.errors, 0);
    }
}

#[test]
fn who_joins_within_a_group_gets_the_newest_picture_first() {
    let units = clip(Codec::H264, "bframes=0");
    let mut play = Play::new(Codec::H264);
    for unit in &units[..40] {
        play.group.push(unit.clone());
    }
    play.catch_up();
    assert_eq!(play.sequences().last(), Some(&39));
    assert!(play.sequences()[0] >= 37, "only the newest of the replayed group: {:?}", play.sequences());
    // The picture is the one that a decoder with the whole stream would show.
    let mut whole = Play::new(Codec::H264);
    whole.all(&units[..40]);
    assert_eq!(pixels(play.pictures.last().unwrap()), pixels(whole.pictures.last().unwrap()));
}

#[test]
fn damaged_stream_recovers_with_a_later_key_frame() {
    let sound = clip(Codec::H264, "bframes=0");
    let mut units = sound.clone();
    // Every kind of damage in the second group: cut short, emptied, overwritten, header bits flipped.
    for (unit, kind) in units[25..50].iter_mut().zip((0..5).cycle()) {
        let mut data = unit.data.to_vec();
        match kind {
            0 => data.truncate(data.len() / 2),
            1 => data.clear(),
            2 => data.fill(0xa5),
            3 => data.iter_mut().skip(8).step_by(7).for_each(|byte| *byte ^= 0x55),
            _ => data.rotate_left(9),
        }
        unit.data = Arc::from(data);
    }
    let mut play = Play::new(Codec::H264);
    play.all(&units);
    assert!(play.errors > 0, "damage is counted");
    let sequences = play.sequences();
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
    assert_eq!(sequences.iter().filter(|&&sequence| sequence >= 75).count(), 25, "the last group is whole");
    let mut whole = Play::new(Codec::H264);
    whole.all(&sound);
    assert_eq!(pixels(play.pictures.last().unwrap()), pixels(whole.pictures.last().unwrap()));
}

#[test]
fn stream_with_b_frames_shows_every_frame_in_order() {
    let units = clip(Codec::H264, "bframes=2:b-adapt=0");
    let mut play = Play::new(Codec::H264);
    play.all(&units);
    let sequences = play.sequences();
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
    assert!(sequences.len() >= units.len() - 8, "{} of {}", sequences.len(), units.len());
}

#[test]
fn key_frames_without_parameter_sets_can_be_joined_once_completed() {
    // As cameras do that tell their parameter sets only in the session description.
    let mut sets = ParameterSets::new(Codec::H264);
    let mut units = clip(Codec::H264, "bframes=0");
    assert!(sets.learn(&units[0].data));
    for unit in &mut units {
        let bare = nal::split(&unit.data).filter(|piece| {
            !matches!(nal::kind(Codec::H264, piece), Kind::SequenceParameters | Kind::PictureParameters)
        });
        let bare: Vec<u8> = bare.flat_map(|piece| [&[0, 0, 0, 1], piece].concat()).collect();
        unit.data = Arc::from(if unit.key { sets.complete(&bare) } else { bare });
    }
    let mut play = Play::new(Codec::H264);
    play.all(&units[25..]);
    assert_eq!((play.errors, play.sequences().len()), (0, 75));
}
