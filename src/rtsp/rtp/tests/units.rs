//! Habits of times, markers and the order of NAL units: where an access unit ends.

use std::time::Duration;

use super::{super::Problem, support::*};

const AUD: [u8; 2] = [9, 0x10];
const SEI: [u8; 5] = [6, 5, 1, 9, 0x80];

/// Two slices of one picture.
fn two_slices(header: u8, fill: u8) -> [Vec<u8>; 2] {
    [slice(header, true, fill, 30), slice(header, false, fill, 30)]
}

#[test]
fn unit_ends_at_its_marker_at_once() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    let frame = p(1, 50);
    rx.push_all(&camera.frame(&fu_a(&frame, 10)));
    let units = rx.units();
    assert_eq!(units.len(), 1);
    assert_eq!((&units[0].data, units[0].received_at), (&annex_b(&[frame]), rx.now));
    assert_eq!(rx.receiver.deadline(), None);
}

#[test]
fn first_marker_is_believed_after_a_moment() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    let began = rx.now;
    rx.push_all(&camera.frame(&[&SPS[..], &PPS, &idr(1, 9)]));
    rx.wait(49);
    assert_eq!(rx.units(), []);
    rx.wait(1);
    let units = rx.units();
    assert_eq!((units.len(), units[0].received_at), (1, began), "its age counts from its last packet");
    assert_eq!(rx.stream_infos().len(), 1);
}

#[test]
fn r081_units_without_any_marker_end_when_the_next_begins() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    let key = [&SPS[..], &PPS, &idr(0, 50)];
    for packet in &key {
        rx.push(&camera.packet(false, packet));
    }
    let mut arrivals = vec![rx.now];
    for fill in 1..10 {
        rx.wait(40);
        camera.step();
        arrivals.push(rx.now);
        for fragment in fu_a(&p(fill, 50), 20) {
            rx.push(&camera.packet(false, &fragment));
        }
    }
    let units = rx.units();
    assert_eq!(units.len(), 9, "the last one may go on");
    assert_eq!(units[0].data, annex_b(&key));
    for (at, unit) in units.iter().enumerate() {
        assert!(unit.is_whole && unit.received_at == arrivals[at], "{at}");
    }
}

#[test]
fn r081_silence_ends_units_of_a_camera_that_never_sets_a_marker() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    let mut frame = |rx: &mut Receiver, nals: &[Vec<u8>]| {
        camera.step();
        for nal in nals {
            rx.push(&camera.packet(false, nal));
        }
        rx.wait(40);
    };
    frame(&mut rx, &[SPS.to_vec(), PPS.to_vec(), idr(0, 50)]);
    for fill in 0..30 {
        frame(&mut rx, &[p(fill, 50)]);
    }
    let units = rx.units();
    assert_eq!(units.len(), 31, "the last one ended by itself");
    assert!(units.iter().all(|unit| unit.is_whole));
    // A slice that comes later than that belongs to a picture that was cut.
    let [first, second] = two_slices(0x41, 3);
    frame(&mut rx, &[first]);
    rx.push(&Rtp { marker: false, ..camera.next(false, &second) }.bytes());
    frame_after(&mut rx, &mut camera);
    assert_eq!(rx.wholeness(), [true, false, true]);
}

fn frame_after(rx: &mut Receiver, camera: &mut Camera) {
    camera.step();
    rx.push(&camera.packet(false, &p(9, 9)));
    rx.wait(100);
}

#[test]
fn r112_silence_waits_for_half_the_interval_of_a_slow_camera() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    for _ in 0..30 {
        rx.push(&camera.packet(false, &p(1, 9)));
        camera.step();
        rx.wait(1000);
    }
    rx.units();
    rx.push(&camera.packet(false, &p(1, 9)));
    let wait = rx.receiver.deadline().unwrap() - rx.now;
    assert!(wait >= Duration::from_millis(450) && wait <= Duration::from_millis(510), "{wait:?}");
}

#[test]
fn r082_marker_on_sets_and_sei_ends_nothing() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    let key = idr(2, 60);
    for nal in [&SPS[..], &PPS, &SEI] {
        rx.push(&camera.packet(true, nal));
    }
    rx.push_all(&camera.frame(&fu_a(&key, 20)));
    assert_eq!(rx.whole(), [annex_b(&[&SPS[..], &PPS, &SEI, &key])]);
}

#[test]
fn r083_sets_with_the_time_of_the_picture_before_open_the_next_unit() {
    for has_markers in [true, false] {
        let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
        if has_markers {
            rx.settle(&mut camera);
        }
        let (last, key) = (p(8, 30), idr(2, 60));
        rx.push(&camera.packet(has_markers, &last));
        rx.push(&camera.packet(false, &SPS));
        rx.push(&camera.packet(false, &PPS));
        camera.step();
        rx.push(&camera.packet(has_markers, &key));
        camera.step();
        rx.push(&camera.packet(has_markers, &p(1, 9)));
        let units = rx.whole();
        assert_eq!(units[..2], [annex_b(&[last]), annex_b(&[&SPS[..], &PPS, &key])], "{has_markers}");
    }
}

#[test]
fn r084_marker_on_each_slice_is_found_out_before_anything_is_cut() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    let mut expected = Vec::new();
    for number in 0..10 {
        let header = if number == 0 { 0x65 } else { 0x41 };
        let slices = two_slices(header, number);
        let nals =
            if number == 0 { [vec![SPS.to_vec(), PPS.to_vec()], slices.to_vec()].concat() } else { slices.into() };
        expected.push(annex_b(&nals));
        for nal in &nals {
            rx.push(&camera.packet(true, nal));
        }
        camera.step();
        rx.wait(40);
    }
    rx.wait(100);
    assert_eq!(rx.whole(), expected);
}

#[test]
fn r084_marker_that_lies_later_costs_one_unit() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    for fill in 0..5 {
        for nal in two_slices(0x41, fill) {
            rx.push(&camera.packet(true, &nal));
        }
        camera.step();
        rx.wait(40);
    }
    rx.wait(100);
    // The first slice alone, the rest of its picture, and from then on whole pictures.
    let units = rx.units();
    assert_eq!(units.iter().map(|unit| unit.is_whole).collect::<Vec<_>>(), [true, false, true, true, true, true]);
    assert_eq!(units[2].data, annex_b(&two_slices(0x41, 1)));
}

#[test]
fn r084_marker_on_every_fragment_is_ignored() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    let mut expected = Vec::new();
    for number in 0..5 {
        let frame = if number == 0 { idr(0, 90) } else { p(number, 90) };
        let sets = if number == 0 { vec![SPS.to_vec(), PPS.to_vec()] } else { vec![] };
        expected.push(annex_b(&[sets.clone(), vec![frame.clone()]].concat()));
        for payload in [sets, fu_a(&frame, 20)].concat() {
            rx.push(&camera.packet(true, &payload));
        }
        camera.step();
        rx.wait(40);
    }
    rx.wait(100);
    assert_eq!(rx.whole(), expected);
}

#[test]
fn r084_marker_missing_on_the_last_slice_delays_a_unit_only() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    let slices = two_slices(0x41, 5);
    slices.iter().for_each(|nal| rx.push(&camera.packet(false, nal)));
    camera.step();
    rx.push_all(&camera.frame(&[p(6, 9)]));
    assert_eq!(rx.whole(), [annex_b(&slices), annex_b(&[p(6, 9)])]);
}

#[test]
fn late_marker_in_a_packet_of_its_own_ends_the_unit() {
    for payload in [&[][..], &[12, 0xff, 0x80]] {
        let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
        rx.settle(&mut camera);
        let frame = p(5, 9);
        rx.push(&camera.packet(false, &frame));
        rx.wait(3);
        rx.push(&camera.packet(true, payload));
        let units = rx.units();
        assert!(units.len() == 1 && units[0].is_whole && units[0].data.starts_with(&annex_b(&[frame])));
        assert_eq!(units[0].received_at, rx.now);
    }
}

#[test]
fn r085_two_pictures_with_one_time_are_two_units() {
    for marker in [true, false] {
        let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
        rx.settle(&mut camera);
        for fill in 0..4 {
            rx.push(&camera.packet(marker, &p(fill, 9)));
        }
        camera.step();
        rx.push_all(&camera.frame(&[p(4, 9)]));
        assert_eq!(rx.whole(), (0..5).map(|fill| annex_b(&[p(fill, 9)])).collect::<Vec<_>>());
    }
}

#[test]
fn r085_one_picture_with_several_times_is_one_unit() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    let slices = two_slices(0x41, 5);
    rx.push(&camera.packet(false, &slices[0]));
    camera.time += 90;
    rx.push(&camera.packet(true, &slices[1]));
    assert_eq!(rx.whole(), [annex_b(&slices)]);
}

#[test]
fn r086_times_that_jump_change_nothing() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    for jump in [900_000_000, 3600, 0u32.wrapping_sub(900_000_000), 1, 0u32.wrapping_sub(7200)] {
        camera.time = camera.time.wrapping_add(jump);
        rx.push_all(&camera.frame(&fu_a(&p(1, 30), 10)));
    }
    assert_eq!(rx.whole(), vec![annex_b(&[p(1, 30)]); 5]);
}

#[test]
fn r087_delimiter_sets_sei_and_slice_keep_their_order() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    let key = idr(3, 20);
    let nals = [&AUD[..], &SPS, &PPS, &SEI, &key];
    rx.push_all(&camera.frame(&nals));
    rx.push_all(&camera.frame(&[&AUD[..], &p(1, 9)]));
    assert_eq!(rx.whole(), [annex_b(&nals), annex_b(&[&AUD[..], &p(1, 9)])]);
}

#[test]
fn r087_sei_alone_is_no_unit() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    rx.push_all(&camera.frame(&[SEI]));
    assert_eq!(rx.events, []);
    rx.push_all(&camera.frame(&[p(1, 9)]));
    assert_eq!(rx.whole(), [annex_b(&[&SEI[..], &p(1, 9)])], "it precedes the next picture");
}

#[test]
fn r095_parameter_sets_are_put_before_key_frames_without() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    let key = idr(9, 9);
    rx.push_all(&camera.frame(&[&AUD[..], &SEI, &key]));
    assert_eq!(rx.whole(), [annex_b(&[&AUD[..], &SPS, &PPS, &SEI, &key])], "behind the delimiter");
    // A second PPS, and a changed SPS.
    let (pps, mut sps) = ([0x68, 0x4c, 0x3c, 0x80], SPS);
    sps[3] = 0x1f;
    rx.push_all(&camera.frame(&[&sps[..], &PPS, &pps, &key]));
    assert_eq!(rx.whole().len(), 1);
    rx.push_all(&camera.frame(&[&key]));
    assert_eq!(rx.whole(), [annex_b(&[&sps[..], &PPS, &pps, &key])]);
    let infos = rx.stream_infos();
    assert_eq!(infos.len(), 1, "the stream is announced anew");
    assert_eq!(infos[0].codec_config.map(|config| config.to_string()), Some("avc1.42001f".into()));
}

#[test]
fn r095_key_frame_without_any_known_set_is_not_one() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.push_all(&camera.frame(&[idr(1, 9)]));
    rx.push_all(&camera.frame(&[&SPS[..], &PPS, &idr(2, 9)]));
    rx.push_all(&camera.frame(&[p(3, 9)]));
    assert_eq!(rx.units().iter().map(|unit| unit.is_key).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn r096_another_codec_in_the_same_session_is_reported() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    for number in 0..80 {
        rx.push_all(&camera.frame(&[&sets265()[..], &[nal265(1, 0x80, number, 9)]].concat()));
        rx.wait(40);
    }
    assert!(!rx.problems().is_empty() && rx.problems().iter().all(|problem| *problem == Problem::AnotherCodec));
    let (mut rx, mut camera) = (Receiver::tcp("H265"), Camera::new());
    for number in 0..80 {
        rx.push_all(&camera.frame(&[&SPS[..], &PPS, &idr(number, 9)]));
        rx.wait(40);
    }
    assert!(rx.problems().contains(&Problem::AnotherCodec));
}

#[test]
fn r096_new_size_is_announced() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.push_all(&camera.frame(&[&SPS[..], &PPS, &idr(2, 9)]));
    rx.push_all(&camera.frame(&[p(3, 9)]));
    let sizes = |rx: &Receiver| rx.stream_infos().iter().map(|info| info.size).collect::<Vec<_>>();
    assert_eq!(sizes(&rx).len(), 1);
    rx.push_all(&camera.frame(&[&SPS[..], &PPS, &idr(2, 9)]));
    assert_eq!(sizes(&rx).len(), 1, "only what is new");
    // 640x480, Baseline: no VUI.
    rx.push_all(&camera.frame(&[&[0x67, 0x42, 0, 0x1e, 0xf4, 0x05, 0x01, 0xe8][..], &PPS, &idr(2, 9)]));
    let sizes = sizes(&rx);
    assert_eq!((sizes.len(), sizes[1].width, sizes[1].height), (2, 640, 480));
}

#[test]
fn r097_recovery_point_is_a_key_frame_once_no_idr_came_for_five_seconds() {
    let recovery_point = [6, 6, 1, 0xc0, 0x80];
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    let mut keys: Vec<Vec<(bool, bool)>> = Vec::new();
    for number in 0..12 {
        rx.push_all(&camera.frame(&[&SPS[..], &PPS, &recovery_point, &p(number, 9)]));
        // A picture before it in the order of display, and one behind.
        rx.push_all(&camera.frame(&[slice(0x01, true, number, 9)]));
        rx.push_all(&camera.frame(&[p(number, 9)]));
        rx.wait(1000);
        keys.extend(rx.whole_units().chunks(3).map(|units| units.iter().map(|u| (u.is_key, u.is_leading)).collect()));
    }
    let before = vec![(false, false); 3];
    assert_eq!(keys[..5], vec![before; 5]);
    assert_eq!(keys[5..], vec![vec![(true, false), (false, true), (false, false)]; 7]);
}

#[test]
fn gradual_refresh_is_begun_at_its_recovery_point_and_is_nothing_for_browsers() {
    // Of three frames: 00100, and of pictures: se(v) 3 is code 5, 00110.
    let [h264, h265] = [&[6, 6, 1, 0x24, 0x80][..], &[39 << 1, 1, 6, 1, 0x34, 0x80]];
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.push_all(&camera.frame(&[&SPS[..], &PPS, &idr(2, 9)]));
    let has_config =
        |rx: &Receiver| rx.stream_infos().iter().map(|info| info.codec_config.is_some()).collect::<Vec<_>>();
    rx.wait(6000);
    assert_eq!(has_config(&rx), [true]);
    for number in 0..3 {
        rx.push_all(&camera.frame(&[h264, &p(number, 9)]));
        rx.push_all(&camera.frame(&[slice(0x01, true, number, 9)]));
    }
    rx.push_all(&camera.frame(&[&idr(2, 9)]));
    let keys: Vec<_> = rx.whole_units().iter().map(|unit| (unit.is_key, unit.is_leading)).collect();
    let group = [(true, false), (false, false)];
    assert_eq!(keys[1..], [&[group; 3].concat()[..], &[(true, false)]].concat());
    assert_eq!(has_config(&rx), [true, false], "and it stays so");

    let (mut rx, mut camera) = (Receiver::tcp("H265"), Camera::new());
    rx.push_all(&camera.frame(&[&sets265()[..], &[nal265(19, 0x80, 1, 9)]].concat()));
    rx.wait(6000);
    rx.push_all(&camera.frame(&[h265.to_vec(), nal265(1, 0x80, 1, 9)]));
    rx.push_all(&camera.frame(&[nal265(1, 0x80, 1, 9)]));
    assert_eq!(rx.whole_units().iter().map(|unit| unit.is_key).collect::<Vec<_>>(), [true, true, false]);
}

#[test]
fn intra_picture_is_a_key_frame_once_no_idr_came_for_five_seconds() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    // first_mb_in_slice 0, slice_type 7.
    let intra = [0x41, 0x88, 7, 7];
    rx.push_all(&camera.frame(&[&SPS[..], &PPS, &intra]));
    rx.wait(6000);
    rx.push_all(&camera.frame(&[&SPS[..], &PPS, &intra]));
    rx.push_all(&camera.frame(&[p(1, 9)]));
    assert_eq!(rx.whole_units().iter().map(|unit| unit.is_key).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(rx.stream_infos().len(), 1);
}

#[test]
fn unit_is_bounded_in_bytes_and_nal_units() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    rx.push(&camera.packet(false, &p(1, 9)));
    for _ in 0..600 {
        rx.push(&camera.packet(false, &slice(0x41, false, 1, 9)));
    }
    camera.step();
    rx.push_all(&camera.frame(&[p(2, 9)]));
    assert_eq!(rx.wholeness(), [false, true]);
    let piece = vec![0xaa; 60_000];
    rx.push(&camera.packet(false, &[&[0x7c, 0x81], &piece[..]].concat()));
    for _ in 0..200 {
        rx.push(&camera.packet(false, &[&[0x7c, 0x01], &piece[..]].concat()));
    }
    rx.push(&camera.packet(true, &[0x7c, 0x41, 1]));
    camera.step();
    rx.push_all(&camera.frame(&[p(2, 9)]));
    let units = rx.units();
    assert_eq!(
        units.iter().map(|unit| (unit.is_whole, unit.data.len() < 1000)).collect::<Vec<_>>(),
        [(false, true), (true, true)]
    );
}
