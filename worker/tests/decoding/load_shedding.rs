//! Load shedding: an overloaded processor decodes small pictures without the loop filter, and the
//! difference is not visible.

use crate::clip::{self, GOP, SIZE};
use cctv_agent::media::{AccessUnit, Codec, Picture, Rendition, Size, transform::Transform};
use cctv_worker::transcoder::Transcoder;

/// A third of the camera's size.
const SMALL: Size = Size { width: 212, height: 120 };

/// Minimum number of groups before load shedding may end: 30 s.
const PATIENCE: usize = 30;

/// As many bits per pixel as a 1080p25 camera sends at 4 Mbit/s.
const RATE: &str = ":bitrate=445:vbv-maxrate=445:vbv-bufsize=445";

struct Wall {
    transcoder: Transcoder,
    clip: Vec<AccessUnit>,
    shown: Vec<Picture>,
    groups: u64,
}

impl Wall {
    fn new(codec: Codec, clip: Vec<AccessUnit>, wanted: Size) -> Self {
        let mut transcoder = Transcoder::new(codec, 80);
        transcoder.want(&[rendition(wanted)]);
        Self { transcoder, clip, shown: Vec::new(), groups: 0 }
    }

    /// Decodes the next group, whose first `late` frames are late; returns whether it was decoded
    /// without the loop filter.
    fn group(&mut self, late: usize) -> bool {
        for (at, unit) in self.clip.iter().enumerate() {
            let taken = unit.taken + self.groups * GOP as u64 * 40_000;
            let unit = AccessUnit { taken, ..unit.clone() };
            self.transcoder.transcode(&unit, at >= late, &mut self.shown).unwrap();
        }
        self.groups += 1;
        self.transcoder.is_without_loop_filter()
    }
}

fn rendition(size: Size) -> Rendition {
    Rendition { size, transform: Transform::NONE, quality: 80, fps: 25 }
}

fn h264() -> Vec<AccessUnit> {
    clip::h264(RATE, 1)
}

/// The difference between two JPEGs, in decibels of PSNR.
fn likeness(one: &[u8], other: &[u8]) -> f64 {
    let [one, other] =
        [one, other].map(|jpeg| turbojpeg::decompress(jpeg, turbojpeg::PixelFormat::GRAY).unwrap().pixels);
    let squares: f64 = one.iter().zip(&other).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0_f64.powi(2) * one.len() as f64 / squares.max(1.0)).log10()
}

#[test]
fn haste_begins_where_there_is_too_much_to_do_and_ends_where_there_is_not() {
    for (codec, clip) in [(Codec::H264, h264()), (Codec::H265, clip::h265(RATE, 1))] {
        assert_eq!(clip.len(), GOP);
        let mut wall = Wall::new(codec, clip, SMALL);
        assert!(!wall.group(GOP), "joining a group is none");
        assert!(!wall.group(GOP / 2), "it takes effect with a key frame");
        let careful = wall.shown.last().unwrap().clone();
        assert!(wall.group(0), "{codec:?}");
        let hasty = wall.shown.last().unwrap().clone();
        let decibels = likeness(&careful.jpeg, &hasty.jpeg);
        eprintln!("{codec:?}: {decibels:.1} dB");
        assert_ne!(careful.jpeg, hasty.jpeg, "{codec:?}: nothing was left out");
        assert!(decibels > 33.0, "{codec:?}: it is seen, {decibels:.1} dB");
        assert!((0..PATIENCE - 2).all(|_| wall.group(0)), "{codec:?}: care came back too early");
        assert!((0..3).any(|_| !wall.group(0)), "{codec:?}: care never came back");
        assert_eq!(wall.shown.last().unwrap().jpeg, careful.jpeg, "{codec:?}");
        let follows = |two: &[Picture]| (two[0].sequence + 1) % GOP as u32 == two[1].sequence % GOP as u32;
        assert!(wall.shown.windows(2).all(follows), "{codec:?}: a frame was lost between two decoders");
    }
}

#[test]
fn large_pictures_are_made_with_care_always() {
    let mut wall = Wall::new(Codec::H264, h264(), SIZE);
    assert!((0..6).all(|_| !wall.group(GOP / 2)), "at the camera's own size it would be seen");
    wall.transcoder.want(&[rendition(SMALL), rendition(SIZE)]);
    assert!((0..6).all(|_| !wall.group(GOP / 2)), "nor where one of two is small");
    wall.transcoder.want(&[rendition(SMALL)]);
    assert!((0..2).any(|_| wall.group(GOP / 2)));
    wall.transcoder.want(&[rendition(SIZE)]);
    assert!(!wall.group(GOP / 2), "somebody looks closely");
}

#[test]
fn sparse_streams_are_decoded_with_care() {
    let sparse = clip::h264(":bitrate=100:vbv-maxrate=100:vbv-bufsize=100", 1);
    let mut wall = Wall::new(Codec::H264, sparse, SMALL);
    assert!((0..6).all(|_| !wall.group(GOP)));
}
