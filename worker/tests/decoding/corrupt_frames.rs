//! Damaged access units give no picture. A decoder that conceals missing data shows a picture that
//! moves in one part and stands still in another.
//!
//! The tests damage clips and pass them through the worker's own decoding and encoding.

use crate::clip::{SIZE, h264, h265, mjpeg, mpeg4};
use cctv_agent::{
    h26x::nal,
    media::{AccessUnit, Codec, Picture, Rendition, Size, transform::Transform},
};
use cctv_worker::transcoder::Transcoder;

/// Truncates the unit as the virtual camera and some real ones do.
fn cut(unit: &AccessUnit) -> AccessUnit {
    AccessUnit { data: unit.data.slice(..unit.data.len() / 2), ..unit.clone() }
}

/// Truncates a JPEG in the same way and appends the end marker that FFmpeg's depayloader adds.
fn cut_jpeg(unit: &AccessUnit) -> AccessUnit {
    let mut data = unit.data[..unit.data.len() / 2].to_vec();
    data.extend([0xff, 0xd9]);
    AccessUnit { data: data.into(), ..unit.clone() }
}

/// Sequence numbers of the pictures that the worker would show: after damage it resumes at the next
/// key frame.
fn shown(codec: Codec, units: &[AccessUnit], wanted: Size) -> Vec<u32> {
    shown_at(25, codec, units, wanted)
}

fn shown_at(fps: u8, codec: Codec, units: &[AccessUnit], wanted: Size) -> Vec<u32> {
    let mut transcoder = Transcoder::new(codec, 80);
    transcoder.want(&[Rendition { size: wanted, transform: Transform::NONE, quality: 80, fps }]);
    let mut pictures: Vec<Picture> = Vec::new();
    let mut lost = true;
    for unit in units {
        lost &= !unit.key;
        if !lost {
            lost = transcoder.transcode(unit, true, &mut pictures).is_err();
        }
    }
    pictures.iter().map(|picture| picture.sequence).collect()
}

/// Truncates every unit from `first` on.
fn cut_from(codec: Codec, units: &[AccessUnit], first: usize) -> Vec<AccessUnit> {
    let cut = if codec == Codec::Jpeg { cut_jpeg } else { cut };
    units.iter().enumerate().map(|(at, unit)| if at < first { unit.clone() } else { cut(unit) }).collect()
}

fn all(range: std::ops::Range<u32>) -> Vec<u32> {
    range.collect()
}

#[test]
fn intact_clips_are_shown_whole() {
    for extra in ["", ":slices=4", ":ref=4:cabac=0", ":intra-refresh=1"] {
        assert_eq!(shown(Codec::H264, &h264(extra, 3), SIZE), all(0..75), "H.264 {extra}");
    }
    for extra in ["", ":slices=4", ":wpp=0", ":open-gop=1", ":repeat-headers=1:hash=1", ":lossless=1"] {
        assert_eq!(shown(Codec::H265, &h265(extra, 3), SIZE), all(0..75), "H.265 {extra}");
    }
    for extra in [&[][..], &["-flags", "+ilme+ildct"], &["-flags", "+qpel+mv4"], &["-data_partitioning", "1"]] {
        assert_eq!(shown(Codec::Mpeg4, &mpeg4(extra, 3), SIZE), all(0..75), "MPEG-4 {extra:?}");
    }
    assert_eq!(shown(Codec::Jpeg, &mjpeg(3), SIZE), all(0..75), "JPEG");
}

#[test]
fn h264_cut_short_shows_nothing() {
    for extra in ["", ":slices=4", ":cabac=0"] {
        let units = h264(extra, 3);
        assert_eq!(shown(Codec::H264, &cut_from(Codec::H264, &units, 30), SIZE), all(0..30), "{extra}");
        assert!(shown(Codec::H264, &cut_from(Codec::H264, &units, 0), SIZE).is_empty(), "{extra}");
    }
}

#[test]
fn mpeg4_cut_short_shows_nothing() {
    for extra in [&[][..], &["-flags", "+ilme+ildct"], &["-data_partitioning", "1"], &["-ps", "300"]] {
        let units = mpeg4(extra, 3);
        assert_eq!(shown(Codec::Mpeg4, &cut_from(Codec::Mpeg4, &units, 30), SIZE), all(0..30), "{extra:?}");
        assert!(shown(Codec::Mpeg4, &cut_from(Codec::Mpeg4, &units, 0), SIZE).is_empty(), "{extra:?}");
    }
}

#[test]
fn one_damaged_frame_of_h264_costs_the_rest_of_its_group_and_no_more() {
    let mut units = h264("", 3);
    units[30] = cut(&units[30]);
    assert_eq!(shown(Codec::H264, &units, SIZE), [all(0..30), all(50..75)].concat());
}

#[test]
fn h265_cut_short_shows_nothing() {
    for extra in ["", ":slices=4", ":wpp=0", ":hash=1"] {
        let units = h265(extra, 4);
        for first in [30, 50] {
            let shown = shown(Codec::H265, &cut_from(Codec::H265, &units, first), SIZE);
            let lies = shown.iter().filter(|sequence| **sequence as usize >= first).count();
            // The worker inspects only some frames, so damage in the frames between key frames may
            // pass.
            assert!(lies <= if first == 50 { 0 } else { 10 }, "{extra}, from {first}: {shown:?}");
        }
        // Only key frames are complete.
        let parts: Vec<_> = units.iter().map(|unit| if unit.key { unit.clone() } else { cut(unit) }).collect();
        assert_eq!(shown(Codec::H265, &parts, SIZE), [0, 25, 50, 75], "{extra}");
        assert!(shown(Codec::H265, &cut_from(Codec::H265, &units, 0), SIZE).is_empty(), "{extra}");
        let mut once = units.clone();
        once[50] = cut(&once[50]);
        assert_eq!(shown(Codec::H265, &once, SIZE), [all(0..50), all(75..100)].concat(), "{extra}");
    }
}

#[test]
fn h265_that_lacks_a_frame_waits_for_the_next_key_frame() {
    let mut units = h265("", 3);
    units.remove(30);
    let shown = shown(Codec::H265, &units, SIZE);
    assert_eq!(shown, [all(0..30), all(50..75)].concat());
}

#[test]
fn jpegs_cut_short_show_nothing_passed_on_or_scaled() {
    let units = mjpeg(3);
    for wanted in [SIZE, Size { width: 320, height: 180 }] {
        assert_eq!(shown(Codec::Jpeg, &cut_from(Codec::Jpeg, &units, 30), wanted), all(0..30), "{wanted:?}");
        assert!(shown(Codec::Jpeg, &cut_from(Codec::Jpeg, &units, 0), wanted).is_empty(), "{wanted:?}");
    }
}

#[test]
fn frames_left_out_because_nobody_needs_them_break_nothing() {
    let clips = [
        (Codec::H264, h264(":b-adapt=0:bframes=2:b-pyramid=none", 3)),
        (Codec::H265, h265(":b-adapt=0:bframes=2:no-b-pyramid=1", 3)),
        (Codec::Mpeg4, mpeg4(&["-bf", "2"], 3)),
    ];
    for (codec, units) in clips {
        let disposable = units.iter().filter(|unit| nal::is_disposable(codec, &unit.data, 0)).count();
        assert!(disposable >= 40, "{codec:?}: {disposable} of {}", units.len());
        let shown = shown_at(5, codec, &units, SIZE);
        assert!(shown.is_sorted() && (13..=16).contains(&shown.len()), "{codec:?}: {shown:?}");
    }
}
