//! What may be shown after a loss, and when a key frame is requested.

use super::{super::KeyFrameGate, support::*};

/// A receiver with its gate behind it.
struct Gated {
    rx: Receiver,
    camera: Camera,
    gate: KeyFrameGate,
}

impl Gated {
    fn new(name: &str) -> Self {
        Self { rx: Receiver::tcp(name), camera: Camera::new(), gate: KeyFrameGate::new() }
    }

    /// A settled one that shows.
    fn open() -> Self {
        let mut gated = Self::new("H264");
        gated.frame(&key());
        gated.frame(&[p(1, 9)]);
        gated.frame(&[p(1, 9)]);
        assert_eq!(gated.shown().len(), 3);
        gated
    }

    fn frame<T: AsRef<[u8]>>(&mut self, payloads: &[T]) {
        let packets = self.camera.frame(payloads);
        self.rx.push_all(&packets);
    }

    /// Sends a frame without the packets numbered.
    fn frame_without(&mut self, payloads: &[Vec<u8>], lost: &[usize]) {
        for (at, packet) in self.camera.frame(payloads).iter().enumerate() {
            if !lost.contains(&at) {
                self.rx.push(packet);
            }
        }
    }

    fn shown(&mut self) -> Vec<Vec<u8>> {
        let units = self.rx.units();
        units.into_iter().filter(|unit| self.gate.admit(unit)).map(|unit| unit.data).collect()
    }
}

fn key() -> Vec<Vec<u8>> {
    vec![SPS.to_vec(), PPS.to_vec(), idr(1, 20)]
}

fn non_reference(fill: u8, len: usize) -> Vec<u8> {
    slice(0x01, true, fill, len)
}

#[test]
fn r111_nothing_is_shown_before_the_first_key_frame() {
    let mut gated = Gated::new("H264");
    gated.frame(&[p(1, 9)]);
    gated.frame(&[p(2, 9)]);
    gated.frame(&key());
    gated.frame(&[p(3, 9)]);
    assert_eq!(gated.shown(), [annex_b(&key()), annex_b(&[p(3, 9)])]);
    assert_eq!(gated.gate.withheld(), 2);
}

#[test]
fn after_a_loss_nothing_is_shown_until_a_whole_key_frame() {
    for lost in [0, 1, 2] {
        let mut gated = Gated::open();
        gated.frame_without(&fu_a(&p(1, 50), 20), &[lost]);
        gated.frame(&[p(2, 9)]);
        gated.frame(&[non_reference(2, 9)]);
        gated.frame_without(&[&key()[..2], &fu_a(&idr(1, 50), 20)].concat(), &[3]);
        gated.frame(&[p(3, 9)]);
        assert_eq!(gated.shown(), Vec::<Vec<u8>>::new(), "{lost}");
        assert!(gated.gate.is_waiting());
        gated.frame(&key());
        gated.frame(&[p(4, 9)]);
        assert_eq!(gated.shown(), [annex_b(&key()), annex_b(&[p(4, 9)])]);
        assert_eq!(gated.gate.withheld(), 5, "{lost}");
    }
}

#[test]
fn lost_frame_of_one_packet_is_noticed() {
    let mut gated = Gated::open();
    gated.frame_without(&[p(1, 9)], &[0]);
    gated.frame(&[p(2, 9)]);
    assert_eq!(gated.shown(), Vec::<Vec<u8>>::new());
}

#[test]
fn key_frame_right_behind_a_loss_is_shown_if_all_of_it_came() {
    let mut gated = Gated::open();
    gated.frame_without(&[p(1, 9)], &[0]);
    gated.frame(&key());
    assert_eq!(gated.shown(), [annex_b(&key())]);
    // Its own parameter sets are what is missing: they may be new.
    for lost in [&[0][..], &[1], &[0, 1]] {
        gated.frame_without(&key(), lost);
        gated.frame(&[p(1, 9)]);
        assert_eq!(gated.shown(), Vec::<Vec<u8>>::new(), "{lost:?}");
        gated.frame(&key());
        assert_eq!(gated.shown().len(), 1);
    }
}

#[test]
fn non_reference_picture_lost_alone_stops_nothing() {
    for lost in [0, 1, 2] {
        let mut gated = Gated::open();
        gated.frame_without(&fu_a(&non_reference(1, 50), 20), &[lost]);
        gated.frame(&[p(2, 9)]);
        assert_eq!(gated.shown(), [annex_b(&[p(2, 9)])], "fragment {lost}");
        assert_eq!(gated.gate.withheld(), 1);
    }
}

#[test]
fn loss_that_may_reach_beyond_a_non_reference_picture_waits_for_a_key_frame() {
    // The end of one picture and the next picture, or only the end: nobody knows.
    let mut gated = Gated::open();
    gated.frame_without(&fu_a(&non_reference(1, 50), 20), &[2]);
    gated.frame_without(&[p(1, 9)], &[0]);
    gated.frame(&[p(2, 9)]);
    assert_eq!(gated.shown(), Vec::<Vec<u8>>::new());
    let mut gated = Gated::open();
    gated.frame_without(&[p(1, 9)], &[0]);
    gated.frame_without(&fu_a(&non_reference(1, 50), 20), &[0]);
    gated.frame(&[p(2, 9)]);
    assert_eq!(gated.shown(), Vec::<Vec<u8>>::new());
}

#[test]
fn times_that_do_not_tell_pictures_apart_excuse_no_loss() {
    let mut gated = Gated::open();
    gated.frame(&[p(1, 9)]);
    gated.camera.time -= STEP;
    gated.frame(&[p(1, 9)]);
    gated.frame_without(&fu_a(&non_reference(1, 50), 20), &[1]);
    gated.frame(&[p(2, 9)]);
    assert_eq!(gated.shown().len(), 2);
}

#[test]
fn pictures_that_lead_a_key_frame_are_skipped_if_decoding_began_there() {
    let cra = || [&sets265()[..], &[nal265(21, 0x80, 1, 9)]].concat();
    let (rasl, trail) = (nal265(8, 0x80, 1, 9), nal265(1, 0x80, 1, 9));
    let mut gated = Gated::new("H265");
    gated.frame(&cra());
    gated.frame(&[&rasl]);
    gated.frame(&[&trail]);
    assert_eq!(gated.shown(), [annex_b(&cra()), annex_b(&[&trail])]);
    gated.frame(&cra());
    gated.frame(&[&rasl]);
    gated.frame(&[&trail]);
    assert_eq!(gated.shown(), [annex_b(&cra()), annex_b(&[&rasl]), annex_b(&[&trail])], "decoding went on");
    gated.frame_without(std::slice::from_ref(&trail), &[0]);
    gated.frame(&cra());
    gated.frame(&[&rasl]);
    gated.frame(&[&trail]);
    assert_eq!(gated.shown(), [annex_b(&cra()), annex_b(&[&trail])]);
}
