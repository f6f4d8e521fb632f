//! Pictures of units that say that they are damaged: the worker shows what can be decoded, and each picture
//! has the mark.

use crate::clip::{SIZE, h264, h265};
use crate::mark::is_marked;
use cctv_agent::media::{AccessUnit, Codec, Damage, Picture, Rendition, Size, transform::Transform};
use cctv_worker::transcoder::Transcoder;

const DAMAGE: Damage = Damage { lost_permille: Some(12) };

fn damaged(unit: &AccessUnit) -> AccessUnit {
    AccessUnit { damage: Some(DAMAGE), ..unit.clone() }
}

/// Truncates the unit, as a loss of its last packets does.
fn cut(unit: &AccessUnit) -> AccessUnit {
    AccessUnit { data: unit.data.slice(..unit.data.len() / 2), ..damaged(unit) }
}

fn pictures(codec: Codec, units: &[AccessUnit], wanted: &[Rendition]) -> Vec<Picture> {
    let mut transcoder = Transcoder::new(codec, 80);
    transcoder.want(wanted);
    let mut pictures = Vec::new();
    for unit in units {
        transcoder.transcode(unit, true, &mut pictures).unwrap();
    }
    pictures
}

fn rendition(size: Size) -> Rendition {
    Rendition { size, transform: Transform::NONE, quality: 80, fps: 60 }
}

fn clips(seconds: u32) -> [(Codec, Vec<AccessUnit>); 2] {
    [(Codec::H264, h264("", seconds)), (Codec::H265, h265("", seconds))]
}

#[test]
fn every_picture_of_a_damaged_unit_has_the_mark_and_no_other_has() {
    for (codec, mut units) in clips(3) {
        for unit in &mut units[10..40] {
            *unit = cut(unit);
        }
        // Whole, and shown under the mark until it is certain that nothing is lost any longer.
        for unit in &mut units[40..60] {
            *unit = damaged(unit);
        }
        let small = Size { width: 160, height: 90 };
        let pictures = pictures(codec, &units, &[rendition(small), rendition(SIZE)]);
        let came = |range: std::ops::Range<u32>| pictures.iter().filter(|p| range.contains(&p.sequence)).count();
        assert_eq!((came(0..10), came(40..75)), (20, 70), "{codec:?}");
        assert!(came(10..40) >= 20, "{codec:?}: {} pictures of damaged units", came(10..40));
        for picture in &pictures {
            let expected = (10..60).contains(&picture.sequence);
            let Size { width, .. } = picture.rendition.size;
            assert_eq!(is_marked(&picture.jpeg), expected, "{codec:?} {}, {width} wide", picture.sequence);
        }
    }
}

#[test]
fn key_frame_that_is_damaged_begins_pictures() {
    for (codec, mut units) in clips(1) {
        units.iter_mut().for_each(|unit| *unit = damaged(unit));
        units[0] = cut(&units[0]);
        let pictures = pictures(codec, &units, &[rendition(SIZE)]);
        assert!(pictures.len() >= 20, "{codec:?}: {} pictures", pictures.len());
        assert!(pictures.iter().all(|picture| is_marked(&picture.jpeg)));
    }
}

#[test]
fn units_that_are_missing_hold_nothing_up_under_the_mark() {
    for (codec, mut units) in clips(2) {
        units[10..50].iter_mut().for_each(|unit| *unit = damaged(unit));
        units.drain(5..20);
        let pictures = pictures(codec, &units, &[rendition(SIZE)]);
        assert!(pictures.len() >= 30, "{codec:?}: {} pictures", pictures.len());
        assert!(pictures.iter().all(|picture| is_marked(&picture.jpeg) == (picture.sequence >= 10)));
    }
}

#[test]
fn pictures_after_the_mark_are_the_same_bytes_as_if_there_had_been_none() {
    for (codec, units) in clips(4) {
        let plain = pictures(codec, &units, &[rendition(SIZE)]);
        let mut once = units.clone();
        for unit in &mut once[10..45] {
            *unit = cut(unit);
        }
        let after = pictures(codec, &once, &[rendition(SIZE)]);
        // From the next whole key frame on.
        let from = |pictures: &[Picture]| pictures.iter().filter(|p| p.sequence >= 50).cloned().collect::<Vec<_>>();
        assert!(from(&after).len() >= 45 && from(&after) == from(&plain), "{codec:?}");
        assert!(plain.iter().all(|picture| !is_marked(&picture.jpeg)), "{codec:?}");
    }
}
