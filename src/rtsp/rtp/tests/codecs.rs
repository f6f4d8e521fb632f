//! Habits of the payloads of H.264 and H.265.

use super::{
    super::{Problem, Transport},
    support::*,
};
use crate::media::{Codec, Size};

/// A settled receiver of H.264.
fn h264() -> (Receiver, Camera) {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    (rx, camera)
}

/// A settled receiver of H.265, with these parameters.
fn h265(fmtp: &str) -> (Receiver, Camera) {
    let (mut rx, mut camera) = (Receiver::new(&config("H265", fmtp, Transport::Tcp)), Camera::new());
    let don: &[u8] = if fmtp.is_empty() { &[] } else { &[0, 0] };
    let with_don = |nal: Vec<u8>| [&nal[..2], don, &nal[2..]].concat();
    let key = [&sets265()[..], &[nal265(19, 0x80, 1, 9)]].concat().into_iter().map(with_don).collect::<Vec<_>>();
    rx.push_all(&camera.frame(&key));
    rx.push_all(&camera.frame(&[with_don(nal265(1, 0x80, 2, 9))]));
    rx.push_all(&camera.frame(&[with_don(nal265(1, 0x80, 2, 9))]));
    let units = rx.whole_units();
    assert!(units.len() == 3 && units[0].is_key && !units[1].is_key);
    (rx, camera)
}

#[test]
fn r088_fragments_without_their_start_are_dropped_to_the_next_unit() {
    for (name, nal) in [("H264", p(1, 50)), ("H265", nal265(1, 0x80, 1, 50))] {
        let (mut rx, mut camera) = if name == "H264" { h264() } else { h265("") };
        let fragments = if name == "H264" { fu_a(&nal, 10) } else { fu_265(&nal, 10) };
        rx.push_all(&camera.frame(&fragments[2..]));
        rx.push_all(&camera.frame(&fragments));
        let units = rx.units();
        assert_eq!(units.iter().map(|unit| unit.is_whole).collect::<Vec<_>>(), [false, true], "{name}");
        assert_eq!(units[0].data, b"", "no half of a slice");
        assert_eq!(units[1].data, annex_b(&[nal]));
    }
}

#[test]
fn r088_fragments_in_sequence_are_one_nal_unit_whatever_their_times() {
    let (mut rx, mut camera) = h264();
    let frame = p(1, 50);
    let fragments = fu_a(&frame, 10);
    for (at, fragment) in fragments.iter().enumerate() {
        camera.time += 7;
        rx.push(&camera.packet(at == fragments.len() - 1, fragment));
    }
    assert_eq!(rx.whole(), [annex_b(&[frame])]);
}

#[test]
fn r089_fragment_with_start_and_end_is_a_whole_nal_unit() {
    let (mut rx, mut camera) = h264();
    rx.push_all(&camera.frame(&fu_a(&p(1, 50), 100)));
    assert_eq!(rx.whole(), [annex_b(&[p(1, 50)])]);
    let (mut rx, mut camera) = h265("");
    let frame = nal265(1, 0x80, 1, 50);
    let fragments = fu_265(&frame, 100);
    assert_eq!(fragments.len(), 1);
    rx.push_all(&camera.frame(&fragments));
    assert_eq!(rx.whole(), [annex_b(&[frame])]);
}

#[test]
fn r090_first_fragment_gives_the_type_and_empty_ones_do_no_harm() {
    let (mut rx, mut camera) = h264();
    let frame = p(1, 50);
    let mut fragments = fu_a(&frame, 20);
    fragments[1][1] = 0x20 | 5; // reserved bit, another type
    fragments[2][0] = 0x1c; // another nal_ref_idc
    fragments.insert(1, vec![0x5c, 0x01]);
    rx.push_all(&camera.frame(&fragments));
    assert_eq!(rx.whole(), [annex_b(&[&frame])]);
    // Nothing but the header in the first one.
    let fragments = [&[vec![0x5c, 0x81]][..], &fu_a(&frame, 20)].concat();
    let mut fragments = fragments;
    fragments[1][1] &= 0x7f;
    rx.push_all(&camera.frame(&fragments));
    assert_eq!(rx.whole(), [annex_b(&[frame])]);
}

#[test]
fn r090_marker_without_the_end_of_the_fragments_is_damage() {
    let (mut rx, mut camera) = h264();
    let mut fragments = fu_a(&p(1, 50), 20);
    fragments.pop();
    rx.push_all(&camera.frame(&fragments));
    rx.push_all(&camera.frame(&[p(2, 9)]));
    rx.push_all(&camera.frame(&[p(2, 9)]));
    assert_eq!(rx.wholeness(), [false, true, true]);
}

#[test]
fn r091_aggregate_with_padding_is_whole_and_one_with_a_wrong_length_is_not() {
    let nals = [&SPS[..], &PPS, &idr(1, 20)];
    let good = aggregate(&[0x78], &nals);
    let (mut rx, mut camera) = h264();
    rx.push_all(&camera.frame(std::slice::from_ref(&good)));
    rx.push_all(&camera.frame(&[[good.clone(), vec![0; 9]].concat()]));
    assert_eq!(rx.whole(), vec![annex_b(&nals); 2]);
    for (name, bad) in [
        ("too long", [&good[..], &[0, 9, 0x41, 0x88]].concat()),
        ("a zero length", [&good[..], &[0, 0, 0x41, 0x88]].concat()),
        ("half a length", [&good[..], &[9]].concat()),
    ] {
        rx.push_all(&camera.frame(&[bad]));
        rx.push_all(&camera.frame(&[p(1, 9)]));
        let units = rx.units();
        assert_eq!(units.iter().map(|unit| unit.is_whole).collect::<Vec<_>>(), [false, true], "{name}");
        assert_eq!(units[0].data, annex_b(&nals), "{name}: what came before is kept");
    }
}

#[test]
fn r092_interleaved_mode_is_read_in_order_and_reported_out_of_order() {
    let (mut rx, mut camera) = h264();
    let nals = [SPS.to_vec(), PPS.to_vec(), idr(1, 20)];
    rx.push_all(&camera.frame(&[aggregate(&[0x79, 0, 5], &nals)]));
    let entry = |nal: &[u8], more: &[u8]| [&(nal.len() as u16).to_be_bytes()[..], more, nal].concat();
    let mtap = |head: u8, more: &[u8]| {
        [vec![head, 0, 6], nals.iter().flat_map(|nal| entry(nal, more)).collect::<Vec<_>>()].concat()
    };
    rx.push_all(&camera.frame(&[mtap(0x7a, &[0, 0, 0])]));
    rx.push_all(&camera.frame(&[mtap(0x7b, &[0, 0, 0, 0])]));
    assert_eq!(rx.whole(), vec![annex_b(&nals); 3]);
    let fragments = |don: u8| {
        let mut fragments = fu_a(&p(1, 50), 20);
        for fragment in &mut fragments {
            fragment[0] = 0x40 | 29;
            fragment.splice(2..2, [0, don]);
        }
        fragments
    };
    rx.push_all(&camera.frame(&fragments(7)));
    assert_eq!(rx.whole(), [annex_b(&[p(1, 50)])]);
    assert_eq!(rx.problems(), []);
    rx.push_all(&camera.frame(&fragments(2)));
    rx.push_all(&camera.frame(&fragments(1)));
    assert_eq!(rx.wholeness(), [false, false]);
    assert_eq!(rx.problems(), [Problem::Interleaved], "once");
}

#[test]
fn r093_start_codes_inside_payloads_separate_nal_units() {
    let nals = [SPS.to_vec(), PPS.to_vec(), idr(1, 60)];
    let expected = annex_b(&nals);
    let short = [&nals[0][..], &[0, 0, 1], &nals[1], &[0, 0, 1], &nals[2]].concat();
    let long = [&nals[0][..], &[0, 0, 0, 1], &nals[1], &[0, 0, 0, 0, 1], &nals[2], &[0, 0]].concat();
    let leading = [&[0, 0, 0, 1], &short[..]].concat();
    let (mut rx, mut camera) = h264();
    for joined in [&short, &long, &leading, &[&[0, 0, 1], &short[..]].concat()] {
        rx.push_all(&camera.frame(&[joined]));
        rx.push_all(&camera.frame(&[aggregate(&[0x78], &[joined])]));
        // Each start code falls between two fragments at some size.
        for size in 1..40 {
            rx.push_all(&camera.frame(&fu_a(joined, size)));
        }
        let units = rx.whole();
        assert_eq!(units.len(), 41);
        for (at, unit) in units.iter().enumerate() {
            assert_eq!(unit, &expected, "{at} of {joined:02x?}");
        }
    }
}

#[test]
fn r093_start_codes_inside_payloads_of_h265_separate_nal_units() {
    let [vps, sps, pps] = sets265();
    let key = nal265(19, 0x80, 1, 60);
    let expected = annex_b(&[&vps, &sps, &pps, &key]);
    let joined = [&vps[..], &[0, 0, 1], &sps, &[0, 0, 0, 1], &pps, &[0, 0, 0, 1], &key].concat();
    let (mut rx, mut camera) = h265("");
    rx.push_all(&camera.frame(&[&joined]));
    rx.push_all(&camera.frame(&[[&[0, 0, 0, 1], &joined[..]].concat()]));
    rx.push_all(&camera.frame(&[[&[0, 0, 1], &joined[..]].concat()]));
    for size in 1..40 {
        rx.push_all(&camera.frame(&fu_265(&joined, size)));
    }
    assert_eq!(rx.whole(), vec![expected; 42]);
}

#[test]
fn r093_several_pictures_in_one_payload_are_several_units() {
    let (mut rx, mut camera) = h264();
    rx.push_all(&camera.frame(&[[&p(1, 9)[..], &[0, 0, 1], &p(2, 9)].concat()]));
    assert_eq!(rx.whole(), [annex_b(&[p(1, 9)]), annex_b(&[p(2, 9)])]);
}

#[test]
fn r094_nal_units_of_no_known_type_are_dropped() {
    let (mut rx, mut camera) = h264();
    let frame = p(1, 9);
    rx.push_all(&camera.frame(&[&[0x80 | 7, 1][..], &[0x60, 1, 2], &[0x7e, 1, 2], &[0x7f, 1, 2], &frame]));
    assert_eq!(rx.whole(), [annex_b(&[frame])]);
    let (mut rx, mut camera) = h265("");
    let frame = nal265(1, 0x80, 1, 9);
    rx.push_all(&camera.frame(&[nal265(41, 1, 1, 9), nal265(63, 1, 1, 9), frame.clone()]));
    assert_eq!(rx.whole(), [annex_b(&[frame])]);
}

#[test]
fn r094_slice_with_the_forbidden_bit_is_damage() {
    let (mut rx, mut camera) = h264();
    let [first, mut second] = [slice(0x41, true, 1, 9), slice(0x41, false, 1, 9)];
    second[0] |= 0x80;
    rx.push_all(&camera.frame(&[first, second]));
    rx.push_all(&camera.frame(&[p(2, 9)]));
    assert_eq!(rx.wholeness(), [false, true]);
}

#[test]
fn r097_every_random_access_picture_of_h265_is_a_key_frame() {
    let (mut rx, mut camera) = h265("");
    for kind in 16..=21 {
        rx.push_all(&camera.frame(&[nal265(kind, 0x80, 1, 9)]));
        let units = rx.whole_units();
        let expected = annex_b(&[&sets265()[..], &[nal265(kind, 0x80, 1, 9)]].concat());
        assert!(units.len() == 1 && units[0].is_key && units[0].data == expected, "{kind}");
    }
    for kind in [8, 9] {
        rx.push_all(&camera.frame(&[nal265(kind, 0x80, 1, 9)]));
        let units = rx.whole_units();
        assert!(!units[0].is_key && units[0].is_leading && units[0].is_reference == (kind == 9), "{kind}");
    }
}

#[test]
fn r098_decoding_order_numbers_of_h265_are_skipped() {
    let (mut rx, mut camera) = h265("sprop-max-don-diff=2");
    let nals = [nal265(1, 0x80, 1, 30), nal265(1, 0x00, 2, 30)];
    let aggregation = {
        let entry = |don: &[u8], nal: &[u8]| [don, &(nal.len() as u16).to_be_bytes(), nal].concat();
        [&[48 << 1, 1][..], &entry(&[0, 1], &nals[0]), &entry(&[0], &nals[1])].concat()
    };
    rx.push_all(&camera.frame(&[aggregation]));
    let mut fragments = nals.iter().flat_map(|nal| fu_265(nal, 9)).collect::<Vec<_>>();
    for fragment in fragments.iter_mut().filter(|fragment| fragment[2] & 0x80 != 0) {
        fragment.splice(3..3, [0, 1]);
    }
    rx.push_all(&camera.frame(&fragments));
    let single = nals.each_ref().map(|nal| [&nal[..2], &[0, 1], &nal[2..]].concat());
    rx.push_all(&camera.frame(&single));
    assert_eq!(rx.whole(), vec![annex_b(&nals); 3]);
}

#[test]
fn r098_layers_are_dropped_and_the_head_of_an_aggregate_is_not_read() {
    let (mut rx, mut camera) = h265("");
    let frame = nal265(1, 0x80, 1, 30);
    let mut upper = nal265(1, 0x80, 2, 30);
    upper[1] = 1 << 3 | 1;
    // Layer and TemporalId of the head are 0.
    rx.push_all(&camera.frame(&[aggregate(&[48 << 1, 0], &[&frame, &upper])]));
    assert_eq!(rx.whole(), [annex_b(&[&frame])]);
    rx.push_all(&camera.frame(&[vec![50 << 1, 1, 0x80, 0, 1, 2, 3], frame.clone()]));
    rx.push_all(&camera.frame(&[frame]));
    assert_eq!(rx.wholeness(), [false, true], "PACI is not read");
}

#[test]
fn h265_suffix_sei_belongs_to_the_picture_before_it() {
    let (mut rx, mut camera) = h265("");
    let nals = [nal265(39, 1, 1, 9), nal265(1, 0x80, 1, 9), nal265(1, 0, 1, 9), nal265(40, 1, 1, 9)];
    rx.push_all(&camera.frame(&nals));
    rx.push_all(&camera.frame(&nals));
    assert_eq!(rx.whole(), vec![annex_b(&nals); 2]);
}

#[test]
fn non_reference_pictures_are_known() {
    let (mut rx, mut camera) = h264();
    rx.push_all(&camera.frame(&[slice(0x01, true, 1, 9)]));
    rx.push_all(&camera.frame(&[p(1, 9)]));
    assert_eq!(rx.units().iter().map(|unit| unit.is_reference).collect::<Vec<_>>(), [false, true]);
    // TRAIL_N in the highest of one sub-layer, and TRAIL_R.
    let (mut rx, mut camera) = h265("");
    rx.push_all(&camera.frame(&[nal265(0, 0x80, 1, 9)]));
    rx.push_all(&camera.frame(&[nal265(1, 0x80, 1, 9)]));
    assert_eq!(rx.units().iter().map(|unit| unit.is_reference).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn mpeg4_frames_get_the_headers_of_the_sdp() {
    let config_text = "96 profile-level-id=1; config=000001B001000001B50900000100000001200F";
    let (mut rx, mut camera) = (Receiver::new(&config("MP4V-ES", config_text, Transport::Tcp)), Camera::new());
    let headers = [0, 0, 1, 0xb0, 1, 0, 0, 1, 0xb5, 9, 0, 0, 1, 0, 0, 0, 1, 0x20, 0x0f];
    let vop = |coding_type: u8, len: usize| [&[0, 0, 1, 0xb6, coding_type << 6][..], &vec![7; len]].concat();
    let (intra, predicted, both) = (vop(0, 90), vop(1, 50), vop(2, 50));
    rx.push_all(&camera.frame(&intra.chunks(20).collect::<Vec<_>>()));
    rx.push_all(&camera.frame(&[&predicted]));
    rx.push_all(&camera.frame(&[&both]));
    // Headers in the stream, in a packet of their own time.
    rx.push_all(&camera.frame(&[headers]));
    rx.push_all(&camera.frame(&[&intra]));
    let units = rx.whole_units();
    let flags: Vec<_> = units.iter().map(|unit| (unit.is_key, unit.is_reference)).collect();
    assert_eq!(flags, [(true, true), (false, true), (false, false), (true, true)]);
    let key = [&headers[..], &intra].concat();
    assert_eq!(
        units.into_iter().map(|unit| unit.data).collect::<Vec<_>>(),
        [key.clone(), predicted.clone(), both, key]
    );
    // Losses: in the middle, at the beginning, at the end.
    for lost in [1, 0, 4] {
        let mut packets = camera.frame(&intra.chunks(20).collect::<Vec<_>>());
        packets.remove(lost);
        rx.push_all(&packets);
        rx.push_all(&camera.frame(&[&predicted]));
        assert_eq!(rx.wholeness(), [false, true], "{lost}");
    }
    assert_eq!(rx.receiver.stats().lost, 3);
}

#[test]
fn mpeg4_headers_describe_the_stream_once_and_frames_that_need_the_group_before_are_leading() {
    let headers = [
        0, 0, 1, 0xb0, 1, 0, 0, 1, 0xb5, 0x89, 0x13, 0, 0, 1, 0, 0, 0, 1, 0x20, 0, 0xc4, 0x8d, 0x88, 0, 0xcd, 0x14, 4,
        0x2d, 0x14, 0x43,
    ];
    let (mut rx, mut camera) = (Receiver::new(&config("MP4V-ES", "", Transport::Tcp)), Camera::new());
    let vop = |coding_type: u8| [0, 0, 1, 0xb6, coding_type << 6 | 0x10, 7, 7];
    for _ in 0..2 {
        rx.push_all(&camera.frame(&[&[&headers[..], &vop(0)].concat()]));
        for coding_type in [2, 2, 1, 2] {
            rx.push_all(&camera.frame(&[vop(coding_type)]));
        }
    }
    let infos = rx.stream_infos();
    assert_eq!(infos.len(), 1, "{infos:?}");
    assert_eq!((infos[0].codec, infos[0].size), (Codec::Mpeg4, Size { width: 640, height: 360 }));
    let leading: Vec<_> = rx.whole_units().iter().map(|unit| unit.is_leading).collect();
    assert_eq!(leading, [[false, true, true, false, false]; 2].concat());
}
