//! Habits of RTCP.

use std::time::{Duration, Instant};

use super::{
    super::{
        Event,
        rtcp::{self, Reception, Report, Reporter, SenderReport},
    },
    support::*,
};

/// Seconds from 1900 to 1970.
const NTP_UNIX: u64 = 2_208_988_800;

fn sender_report(ssrc: u32, unix_seconds: u64, rtp_time: u32) -> Vec<u8> {
    let mut bytes = vec![0x80, 200, 0, 6];
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend(((NTP_UNIX + unix_seconds) << 32 | 0x8000_0000).to_be_bytes());
    bytes.extend(rtp_time.to_be_bytes());
    bytes.extend([0, 0, 0, 9, 0, 0, 1, 0]);
    bytes
}

fn bye(ssrc: u32) -> Vec<u8> {
    [&[0x81, 203, 0, 1], &ssrc.to_be_bytes()[..]].concat()
}

fn read(bytes: &[u8]) -> Vec<Report> {
    let mut reports = Vec::new();
    rtcp::read(bytes, |report| reports.push(report));
    reports
}

/// The camera's time of a frame after this RTCP.
fn camera_time(packets: &[Vec<u8>]) -> Option<u64> {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    rx.push_all(packets);
    rx.push_all(&camera.frame(&[p(1, 9)]));
    rx.whole_units()[0].camera_time
}

#[test]
fn r106_sender_reports_give_the_time_of_the_camera() {
    let time = 50_000 + 3 * STEP;
    let seconds = 1_767_225_600;
    assert_eq!(camera_time(&[sender_report(SSRC, seconds, time)]), Some(seconds * 1_000_000 + 500_000));
    // Half a second before the frame, and, late, one second behind it.
    assert_eq!(camera_time(&[sender_report(SSRC, seconds, time - 45_000)]), Some(seconds * 1_000_000 + 1_000_000));
    assert_eq!(camera_time(&[sender_report(SSRC, seconds, time + 90_000)]), Some(seconds * 1_000_000 - 500_000));
}

#[test]
fn r106_times_that_cannot_be_are_no_times() {
    assert_eq!(camera_time(&[]), None);
    assert_eq!(camera_time(&[sender_report(SSRC, 17, 50_000)]), None, "1970");
    assert_eq!(camera_time(&[sender_report(9, 1_767_225_600, 50_000)]), None, "another source");
    let zero = SenderReport { ssrc: 1, ntp: 0, rtp_time: 0 };
    assert_eq!(zero.unix_time(), None);
    let far = SenderReport { ssrc: 1, ntp: u64::MAX, rtp_time: u32::MAX };
    assert!(far.unix_time_at(0x7fff_ffff, 90_000).is_some());
}

#[test]
fn r106_report_before_the_first_packet_counts_only_if_it_is_of_its_source() {
    for (ssrc, is_read) in [(SSRC, true), (9, false)] {
        let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
        rx.push(&sender_report(ssrc, 1_767_225_600, 50_000));
        rx.push_all(&camera.frame(&[&SPS[..], &PPS, &idr(1, 9)]));
        rx.wait(100);
        assert_eq!(rx.whole_units()[0].camera_time.is_some(), is_read, "{ssrc}");
    }
}

#[test]
fn r107_what_is_whole_of_cut_rtcp_is_read() {
    let report = sender_report(7, 1_767_225_600, 5);
    let expected = read(&report);
    assert_eq!(expected.len(), 1);
    // SDES without an end, and junk behind.
    let sdes = [&[0x81, 202, 0, 4][..], &7_u32.to_be_bytes(), &[1, 200, b'a', b'b']].concat();
    assert_eq!(read(&[&report[..], &sdes].concat()), expected);
    assert_eq!(read(&[&report[..], &[0x13, 0x37, 9]].concat()), expected);
    assert_eq!(read(&[&sdes[..4], &[0; 16], &report[..]].concat()), expected, "a whole one before it");
    // The report blocks are cut, or the report itself.
    let mut long = report.clone();
    long[3] = 60;
    assert_eq!(read(&long), expected);
    assert_eq!(read(&report[..20]), expected);
    assert_eq!(read(&report[..19]), []);
    for end in 0..report.len() {
        let _ = read(&report[..end]);
    }
    assert_eq!(read(&bye(7)), [Report::Bye(7)]);
    assert_eq!(read(&[0x9f, 203, 0, 1, 0, 0, 0, 7]), [Report::Bye(7)], "31 sources said, one there");
}

#[test]
fn r072_floods_of_rtcp_bring_nothing_and_cost_little() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    let flood: Vec<u8> = [0x80, 204, 0, 0].repeat(16_000);
    for _ in 0..200 {
        rx.push(&flood);
    }
    assert_eq!(rx.events, []);
    assert_eq!(rx.receiver.deadline(), None);
}

#[test]
fn r108_bye_counts_only_if_no_packet_follows() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    rx.push(&bye(9));
    assert_eq!(rx.receiver.deadline(), None, "another source");
    rx.push(&bye(SSRC));
    rx.wait(900);
    rx.push_all(&camera.frame(&[p(1, 9)]));
    rx.wait(2000);
    assert_eq!(rx.whole().len(), 1);
    assert_eq!(rx.events, []);
    rx.push(&bye(SSRC));
    rx.wait(999);
    assert_eq!(rx.events, []);
    rx.wait(1);
    assert_eq!(rx.events, [Event::Ended]);
    rx.wait(5000);
    assert_eq!(rx.events.len(), 1, "once");
}

#[test]
fn r109_rtcp_alone_brings_no_unit() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    for _ in 0..100 {
        rx.push(&sender_report(SSRC, 1_767_225_600, 0));
        rx.wait(100);
    }
    assert_eq!(rx.events, []);
}

#[test]
fn receiver_report_says_what_came() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    camera.sequence += 5;
    rx.push_all(&camera.frame(&[p(1, 9)]));
    rx.push(&sender_report(SSRC, 1_767_225_600, 0));
    rx.wait(1500);
    let report = rx.receiver.receiver_report(rx.now);
    assert_eq!(report[..8], [0x81, 201, 0, 7, 0xaa, 0xbb, 0xcc, 0xdd]);
    assert_eq!(report[8..12], SSRC.to_be_bytes());
    // 5 of 11 are missing.
    assert_eq!((report[12], &report[13..16]), ((5 * 256 / 11) as u8, &[0, 0, 5][..]));
    assert_eq!(report[16..20], 1010_u32.to_be_bytes(), "highest sequence number");
    assert_eq!(report[24..28], (((NTP_UNIX + 1_767_225_600) << 16 | 0x8000) as u32).to_be_bytes());
    assert_eq!(report[28..32], (65_536_u32 * 3 / 2).to_be_bytes(), "1.5 s ago");
    assert_eq!(report[32..], [0x81, 202, 0, 3, 0xaa, 0xbb, 0xcc, 0xdd, 1, 4, b'c', b'c', b't', b'v', 0, 0]);
    assert_eq!(report.len() % 4, 0);
    let report = rx.receiver.receiver_report(rx.now);
    assert_eq!((report[12], report[15]), (0, 5), "nothing lost since");
}

#[test]
fn reports_with_any_name_and_any_counts_are_whole_words() {
    for name in ["", "a", "ab", "abc", "abcd", &"é".repeat(200)] {
        let mut reporter = Reporter::new(1, name);
        let now = Instant::now();
        let report = reporter.receiver_report(None, now);
        assert_eq!(report[..8], [0x80, 201, 0, 1, 0, 0, 0, 1]);
        assert_eq!(report.len() % 4, 0);
        let words = usize::from(u16::from_be_bytes([report[10], report[11]]));
        assert_eq!(report.len(), 8 + 4 + 4 * words, "{name}");
        let wild = Reception { ssrc: 1, first_sequence: u32::MAX, highest_sequence: 0, received: u32::MAX, jitter: 1 };
        assert_eq!(reporter.receiver_report(Some(wild), now + Duration::from_secs(1_000_000)).len() % 4, 0);
    }
}

#[test]
fn key_frame_is_requested_by_feedback() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    let packet = rx.receiver.picture_loss_indication(rx.now);
    assert!(packet.ends_with(&[0; 4]), "nobody has said who sends: {packet:?}");
    rx.settle(&mut camera);
    let packet = rx.receiver.picture_loss_indication(rx.now);
    let [feedback @ .., _, _, _, _] = &packet[packet.len() - 12..] else { panic!() };
    assert_eq!(feedback, [0x81, 206, 0, 2, 0xaa, 0xbb, 0xcc, 0xdd]);
    assert!(packet.ends_with(&SSRC.to_be_bytes()));
    for number in 0..2 {
        let packet = rx.receiver.full_intra_request(rx.now);
        let feedback = &packet[packet.len() - 20..];
        assert_eq!(feedback[..4], [0x84, 206, 0, 4]);
        assert_eq!(feedback[12..], [&SSRC.to_be_bytes()[..], &[number, 0, 0, 0]].concat());
    }
}
