//! Habits of sequence numbers and sources.

use std::time::Duration;

use super::{
    super::{Loss, Stats},
    support::*,
};

fn counts(stats: Stats) -> [u64; 5] {
    [stats.lost, stats.late, stats.duplicates, stats.foreign, stats.resyncs]
}

#[test]
fn r069_packets_of_an_earlier_session_are_foreign() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    let mut earlier = Camera { ssrc: 77, sequence: 9000, ..Camera::new() };
    for fill in 0..100 {
        rx.push_all(&camera.frame(&[p(fill, 9)]));
        rx.push_all(&earlier.frame(&[p(fill, 9)]));
        rx.wait(40);
    }
    assert_eq!(rx.whole().len(), 100);
    assert_eq!(counts(rx.receiver.stats()), [0, 0, 0, 100, 0]);
    assert_eq!(rx.receiver.ssrc(), Some(SSRC));
}

#[test]
fn r074_another_source_is_taken_once_ours_is_silent() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    let mut restarted = Camera { ssrc: 77, sequence: 5, ..Camera::new() };
    rx.push_all(&restarted.frame(&[p(1, 9)]));
    rx.wait(1000);
    assert_eq!(rx.units(), [], "foreign, as long as ours may go on");
    // The parameter sets known so far stay.
    let (key, next) = (idr(2, 9), p(3, 9));
    rx.push_all(&restarted.frame(&[&key]));
    rx.push_all(&restarted.frame(&[&next]));
    let units = rx.units();
    assert_eq!(units[0].loss, Loss::Before);
    let data: Vec<_> = units.into_iter().map(|unit| unit.data).collect();
    assert_eq!(data[data.len() - 2..], [annex_b(&[&SPS[..], &PPS, &key]), annex_b(&[next])]);
    assert_eq!(rx.receiver.ssrc(), Some(77));
    assert_eq!(rx.receiver.stats().resyncs, 1);
}

#[test]
fn r075_sequence_numbers_wrap_without_a_loss() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera { sequence: 65_534, ..Camera::new() });
    rx.settle(&mut camera);
    assert_eq!(camera.sequence, 3);
    assert_eq!(counts(rx.receiver.stats()), [0; 5]);
}

#[test]
fn r075_sequence_numbers_that_begin_anew_are_followed() {
    for jump in [20_000_u16, 5000, 0u16.wrapping_sub(200)] {
        let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
        rx.settle(&mut camera);
        camera.sequence = camera.sequence.wrapping_add(jump);
        let key = [&SPS[..], &PPS, &idr(9, 40)];
        rx.push_all(&camera.frame(&key));
        rx.push_all(&camera.frame(&[p(1, 9)]));
        let units = rx.units();
        assert_eq!(units.len(), 2, "{jump}");
        assert_eq!((units[0].loss, &units[0].data), (Loss::Before, &annex_b(&key)), "not even the first is lost");
        assert!(units.iter().all(|unit| unit.is_whole));
        assert_eq!(counts(rx.receiver.stats()), [0, 0, 0, 0, 1]);
    }
}

#[test]
fn r075_single_wild_number_changes_nothing() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    rx.push(&Rtp { sequence: 40_000, ..camera.clone().next(true, &p(1, 9)) }.bytes());
    rx.push_all(&camera.frame(&[p(2, 9)]));
    rx.push(&Rtp { sequence: 50_000, ..camera.clone().next(true, &p(1, 9)) }.bytes());
    rx.push_all(&camera.frame(&[p(2, 9)]));
    assert_eq!(rx.whole().len(), 2);
    assert_eq!(counts(rx.receiver.stats()), [0, 2, 0, 0, 0]);
}

#[test]
fn r070_packet_sent_twice_counts_once() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    let key = idr(4, 4000);
    for packet in camera.frame(&fu_a(&key, 1000)) {
        rx.push(&packet);
        rx.push(&packet);
    }
    assert_eq!(rx.whole(), [annex_b(&[&SPS[..], &PPS, &key])]);
    assert_eq!(counts(rx.receiver.stats()), [0, 0, 5, 0, 0]);
}

#[test]
fn r070_packets_that_come_again_far_behind_do_not_begin_the_numbering_anew() {
    for mut rx in [Receiver::tcp("H264"), Receiver::udp("H264")] {
        let mut camera = Camera::new();
        rx.settle(&mut camera);
        let packets: Vec<_> = (0..200).flat_map(|fill| camera.frame(&[p(fill, 9)])).collect();
        rx.push_all(&packets);
        // Of one frame, too: all its packets have the same time.
        let large = camera.frame(&fu_a(&p(7, 200_000), 1000));
        rx.push_all(&large);
        rx.push_all(&packets[..50]);
        rx.push_all(&large[..50]);
        rx.push_all(&camera.frame(&[p(8, 9)]));
        let units = rx.units();
        assert_eq!(units.len(), 202);
        assert!(units.iter().all(|unit| unit.is_whole && unit.loss == Loss::None));
        assert_eq!(counts(rx.receiver.stats()), [0, 100, 0, 0, 0]);
    }
}

#[test]
fn r075_numbering_and_time_that_begin_anew_are_followed_after_a_second() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    let begun = camera.clone();
    rx.push_all(&(0..200).flat_map(|fill| camera.frame(&[p(fill, 9)])).collect::<Vec<_>>());
    rx.units();
    let mut camera = begun;
    rx.push_all(&camera.frame(&[p(1, 9)]));
    rx.push_all(&camera.frame(&[p(2, 9)]));
    assert_eq!(rx.units(), [], "these may be old");
    rx.wait(1000);
    let key = [&SPS[..], &PPS, &idr(9, 40)];
    rx.push_all(&camera.frame(&key));
    let units = rx.units();
    assert_eq!((units[0].loss, units.last().unwrap().data.clone()), (Loss::Before, annex_b(&key)));
    assert_eq!(rx.receiver.stats().resyncs, 1);
}

#[test]
fn r076_gap_over_tcp_is_a_loss() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    let mut packets = camera.frame(&fu_a(&p(4, 5000), 1000));
    packets.remove(2);
    rx.push_all(&packets);
    let units = rx.units();
    assert_eq!(units.len(), 1);
    assert!(!units[0].is_whole, "halves are not glued");
    assert_eq!((units[0].loss, units[0].lost_packets), (Loss::Inside, 1));
    assert_eq!(counts(rx.receiver.stats()), [1, 0, 0, 0, 0]);
}

#[test]
fn r077_packets_that_changed_places_are_sorted_over_udp() {
    let (mut rx, mut camera) = (Receiver::udp("H264"), Camera::new());
    rx.settle(&mut camera);
    let frame = p(4, 9000);
    let mut packets = camera.frame(&fu_a(&frame, 1000));
    packets.reverse();
    packets.push(packets[3].clone());
    rx.push(&packets[4]);
    rx.push_all(&packets);
    assert_eq!(rx.whole(), [annex_b(&[frame])]);
    assert_eq!(counts(rx.receiver.stats()), [0, 0, 2, 0, 0]);
}

#[test]
fn r077_missing_packet_is_waited_for_fifty_milliseconds() {
    let (mut rx, mut camera) = (Receiver::udp("H264"), Camera::new());
    rx.settle(&mut camera);
    let [first, second, third] = [1, 2, 3].map(|fill| camera.frame(&[p(fill, 9)]).remove(0));
    let start = rx.now;
    rx.push(&second);
    rx.wait(10);
    rx.push(&third);
    assert_eq!(rx.receiver.deadline(), Some(start + Duration::from_millis(50)));
    rx.wait(39);
    assert_eq!(rx.units(), []);
    rx.wait(1);
    let units = rx.units();
    let losses: Vec<_> = units.iter().map(|unit| (unit.loss, unit.lost_packets)).collect();
    assert_eq!(losses, [(Loss::Before, 1), (Loss::None, 0)]);
    assert_eq!(units[1].received_at, start + Duration::from_millis(10), "its own arrival");
    rx.push(&first);
    assert_eq!(rx.units(), []);
    assert_eq!(counts(rx.receiver.stats()), [1, 1, 0, 0, 0]);
}

#[test]
fn r077_window_is_bounded_in_packets() {
    let (mut rx, mut camera) = (Receiver::udp("H264"), Camera::new());
    rx.settle(&mut camera);
    camera.packet(true, &p(1, 9));
    for fill in 0..64 {
        rx.push_all(&camera.frame(&[p(fill, 9)]));
        assert_eq!(rx.events.len(), 0);
    }
    rx.push_all(&camera.frame(&[p(1, 9)]));
    assert_eq!(rx.units().len(), 65);
}

#[test]
fn jitter_grows_with_the_disorder_of_arrivals() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    for _ in 0..50 {
        rx.push_all(&camera.frame(&[p(1, 9)]));
        rx.wait(40);
    }
    assert!(rx.receiver.stats().jitter < Duration::from_micros(100), "{:?}", rx.receiver.stats().jitter);
    for step in 0..200 {
        rx.push_all(&camera.frame(&[p(1, 9)]));
        rx.wait(if step % 2 == 0 { 30 } else { 50 });
    }
    let jitter = rx.receiver.stats().jitter.as_millis();
    assert!((9..=11).contains(&jitter), "{jitter} ms, and each packet is 10 ms early or late");
}
