//! A decoder that begins in the middle of a stream without IDR pictures shows what the camera saw, or
//! nothing.

use std::collections::HashMap;

use crate::clip::{SIZE, gradual_h265, h264, h265};
use cctv_agent::{
    h26x::sei::recovery_point_of,
    media::{AccessUnit, Codec, Picture, Rendition, Size, transform::Transform},
};
use cctv_worker::{
    decoder,
    transcoder::{Error, Transcoder},
};

const SMALL: Size = Size { width: SIZE.width / 2, height: SIZE.height / 2 };

/// Feeds the units; returns the pictures, and how many times decoding failed.
fn transcode(codec: Codec, units: &[AccessUnit]) -> (Vec<Picture>, usize) {
    let mut transcoder = Transcoder::new(codec, 80);
    transcoder.want(&[Rendition { size: SMALL, quality: 80, fps: 60, transform: Transform::NONE }]);
    let (mut pictures, mut failures, mut lost) = (Vec::new(), 0, true);
    for unit in units {
        lost &= !unit.key;
        if lost {
            continue;
        }
        if let Err(error) = transcoder.transcode(unit, true, &mut pictures) {
            assert!(!matches!(error, Error::Decode(decoder::Error::NoOutput)), "the decoder is given up");
            (failures, lost) = (failures + 1, true);
        }
    }
    (pictures, failures)
}

/// The luma of a picture.
fn luma(jpeg: &[u8]) -> Vec<u8> {
    turbojpeg::decompress(jpeg, turbojpeg::PixelFormat::GRAY).unwrap().pixels
}

/// The largest difference of a sample.
fn difference(a: &[u8], b: &[u8]) -> u8 {
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// Joins `units` at the first key frame from `from` on, and checks each picture against those that a decoder shows
/// which has seen all. Returns how many units gave no picture before the first one.
fn joins(what: &str, codec: Codec, units: &[AccessUnit], from: usize) -> usize {
    let (all, failures) = transcode(codec, units);
    assert_eq!(failures, 0, "{what}");
    let known: HashMap<u32, Vec<u8>> = all.iter().map(|picture| (picture.sequence, luma(&picture.jpeg))).collect();
    let first = (from..units.len()).find(|&at| units[at].key).unwrap();
    let (joined, failures) = transcode(codec, &units[first..]);
    assert_eq!(failures, 0, "{what}");
    for picture in &joined {
        let seen = luma(&picture.jpeg);
        // B frames change the order, and the numbers with it.
        let near = picture.sequence.saturating_sub(4)..picture.sequence + 5;
        let best = near.filter_map(|number| known.get(&number)).map(|truth| difference(&seen, truth)).min();
        assert!(best.is_some_and(|best| best <= 24), "{what}: picture {} is {best:?} levels off", picture.sequence);
    }
    assert!(joined.len() >= 20, "{what}: {} pictures", joined.len());
    joined[0].sequence as usize - first
}

/// Marks as key frames those units at which the agent joins a stream without IDR pictures.
fn without_idr(codec: Codec, mut units: Vec<AccessUnit>) -> Vec<AccessUnit> {
    for unit in &mut units {
        unit.key |= recovery_point_of(codec, &unit.data).is_some();
    }
    assert!(units.iter().filter(|unit| unit.key).count() >= 3, "it cannot be joined");
    units
}

#[test]
fn gradual_refresh_is_shown_once_it_is_complete() {
    for (extra, seconds) in [(":intra-refresh=1", 4), (":intra-refresh=1:keyint=40", 6)] {
        let units = without_idr(Codec::H264, h264(extra, seconds));
        let waited = joins(extra, Codec::H264, &units, 10);
        assert!(waited >= 10, "{extra}: shown after {waited} units");
    }
}

#[test]
fn gradual_refresh_of_h265_is_shown_once_it_says_so_and_needs_no_second_decoder() {
    let stream: Vec<u8> = h265(":intra-refresh=1", 6).iter().flat_map(|unit| unit.data.to_vec()).collect();
    let units = without_idr(Codec::H265, gradual_h265(&stream));
    let (pictures, failures) = transcode(Codec::H265, &units[25..]);
    let numbers: Vec<u32> = pictures.iter().map(|picture| picture.sequence).collect();
    assert_eq!((numbers, failures), ((25 + 74..150).collect(), 0));
}

#[test]
fn open_groups_are_joined_at_once() {
    for extra in [":open-gop=1", ":open-gop=1:bframes=2:b-adapt=0", ":open-gop=1:bframes=3:b-adapt=0:b-pyramid=normal"]
    {
        let units = without_idr(Codec::H264, h264(extra, 4));
        let waited = joins(extra, Codec::H264, &units, 10);
        assert!(waited <= 8, "{extra}: shown after {waited} units");
    }
    for extra in [":open-gop=1", ":open-gop=1:bframes=3:b-adapt=0"] {
        let waited = joins(extra, Codec::H265, &h265(extra, 4), 10);
        assert!(waited <= 8, "H.265 {extra}: shown after {waited} units");
    }
}

#[test]
fn after_missing_units_nothing_is_shown_until_the_refresh_is_complete() {
    let mut units = without_idr(Codec::H264, h264(":intra-refresh=1", 5));
    // The rest of a group is lost, as the agent hands on nothing until the next key frame.
    let next = (40..units.len()).find(|&at| units[at].key).unwrap();
    units.drain(30..next);
    let waited = joins("loss", Codec::H264, &units[..], 0);
    assert_eq!(waited, 0, "it begins with an IDR picture");
    let (pictures, _) = transcode(Codec::H264, &units);
    let numbers: Vec<usize> = pictures.iter().map(|picture| picture.sequence as usize).collect();
    let shown: Vec<_> = numbers.iter().filter(|&&number| (next..next + 10).contains(&number)).collect();
    assert!(shown.is_empty(), "{shown:?} of {numbers:?}");
    assert!(numbers.ends_with(&[124]), "{numbers:?}");
}
