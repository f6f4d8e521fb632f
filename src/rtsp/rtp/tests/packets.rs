//! Habits of single packets.

use super::{
    super::{Transport, packet::Packet},
    support::*,
};

#[test]
fn r067_rtcp_is_known_by_its_type_on_any_channel() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    // A sender report of the year 2020 between two frames.
    let mut report = vec![0x80, 200, 0, 6];
    report.extend(SSRC.to_be_bytes());
    report.extend(((2_208_988_800_u64 + 1_577_836_800) << 32).to_be_bytes());
    report.extend(camera.time.to_be_bytes());
    report.extend([0; 8]);
    rx.push(&report);
    rx.push_all(&camera.frame(&[p(1, 9)]));
    let units = rx.units();
    assert_eq!(units.len(), 1);
    assert_eq!(units[0].camera_time, Some(1_577_836_800_000_000));
    assert_eq!(rx.receiver.stats().ignored, 0);
}

#[test]
fn r071_huge_packets_are_read_and_tiny_ones_dropped() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    for len in 0..12 {
        rx.push(&[0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0][..len]);
    }
    let huge = p(7, 65_535 - 14);
    let packets = camera.frame(&[&huge]);
    assert_eq!(packets[0].len(), 65_535);
    rx.push_all(&packets);
    assert_eq!(rx.whole(), [annex_b(&[huge])]);
    assert_eq!(rx.receiver.stats().ignored, 12);
}

#[test]
fn r079_packets_with_lengths_that_cannot_be_are_dropped() {
    let good = Camera::new().packet(true, &[1, 2, 3, 4]);
    assert!(Packet::parse(&good).is_some());
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut packet = good.clone();
        change(&mut packet);
        packet
    };
    let packets = [
        changed(&|packet| packet[0] = 0x00),  // version 0
        changed(&|packet| packet[0] = 0xc0),  // version 3
        changed(&|packet| packet[0] |= 0x20), // 4 bytes of padding would be everything; the next line more than that
        changed(&|packet| packet[15] = 0),
        changed(&|packet| packet[0] |= 0x0f), // 15 CSRCs
        changed(&|packet| packet[0] |= 0x10), // an extension of 0x0304 words
    ];
    let parsed: Vec<_> = packets.iter().map(|packet| Packet::parse(packet).map(|packet| packet.payload)).collect();
    assert_eq!(parsed, [None, None, Some(&[][..]), Some(&[1, 2, 3, 0][..]), None, None]);
    for padding in [0, 5, 255] {
        let packet = changed(&|packet| (packet[0], packet[15]) = (0xa0, padding));
        assert_eq!(Packet::parse(&packet), None, "padding {padding}");
    }
    let packet = changed(&|packet| (packet[0], packet[15]) = (0xa0, 3));
    assert_eq!(Packet::parse(&packet).unwrap().payload, [1]);
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    rx.push(&packets[0]);
    rx.push_all(&camera.frame(&[p(1, 9)]));
    assert_eq!((rx.wholeness(), rx.receiver.stats().ignored), (vec![true], 1));
}

#[test]
fn r080_header_extensions_and_csrcs_are_skipped_by_their_length() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera::new());
    rx.settle(&mut camera);
    let frame = p(5, 30);
    // ONVIF replay: NTP time, flags, sequence.
    rx.push(&camera.next(true, &frame).with_extension(0xabac, &[9; 12]));
    camera.step();
    rx.push(&camera.next(true, &frame).with_extension(0xbede, &[]));
    camera.step();
    let mut packet = camera.packet(true, &frame);
    packet[0] |= 2;
    packet.splice(12..12, [7; 8]);
    rx.push(&packet);
    assert_eq!(rx.whole(), vec![annex_b(&[frame]); 3]);
}

#[test]
fn r050_codec_without_a_name_is_found_by_the_parameters_or_the_first_packets() {
    use super::super::Encoding;
    let encoding = |payload_type, fmtp: &str| {
        let config = super::super::TrackConfig { payload_type, ..config("", fmtp, Transport::Tcp) };
        Receiver::new(&config).receiver.encoding()
    };
    assert_eq!(encoding(26, ""), Some(Encoding::Jpeg));
    assert_eq!(encoding(35, "35 sprop-parameter-sets=Z0IAKQ==,aM4="), Some(Encoding::H264));
    assert_eq!(encoding(98, "sprop-vps=QAE=;sprop-sps=QgE=;sprop-pps=RAE="), Some(Encoding::H265));
    let (mut rx, mut camera) = (Receiver::tcp(""), Camera::new());
    assert_eq!(rx.receiver.encoding(), None);
    rx.push_all(&camera.frame(&[p(1, 9)]));
    rx.settle(&mut camera);
    assert_eq!(rx.receiver.encoding(), Some(Encoding::H264));
    let (mut rx, mut camera) = (Receiver::tcp(" "), Camera::new());
    let [vps, sps, pps] = sets265();
    rx.push_all(&camera.frame(&[vps, sps, pps, nal265(19, 0x80, 1, 9)]));
    rx.wait(100);
    assert_eq!((rx.receiver.encoding(), rx.wholeness()), (Some(Encoding::H265), vec![true]));
}

#[test]
fn r051_packets_of_another_payload_type_than_announced_are_read() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera { payload_type: 98, ..Camera::new() });
    let key = [&SPS[..], &PPS, &idr(1, 40)];
    rx.push_all(&camera.frame(&key));
    rx.push(&Rtp { payload_type: 50, ..camera.clone().next(true, &[9; 9]) }.bytes());
    for fill in 0..3 {
        rx.push_all(&camera.frame(&[p(fill, 9)]));
    }
    assert_eq!(rx.units(), [], "undecided");
    rx.wait(600);
    let units = rx.whole();
    assert_eq!(units.len(), 4);
    assert_eq!(units[0], annex_b(&key), "nothing is lost by waiting");
    assert_eq!(rx.receiver.payload_type(), Some(98));
}

#[test]
fn r051_commonest_type_counts_after_fifty_packets() {
    let (mut rx, mut camera) = (Receiver::tcp("H264"), Camera { payload_type: 98, ..Camera::new() });
    rx.push_all(&camera.frame(&[&SPS[..], &PPS, &idr(1, 40)]));
    for fill in 0..50 {
        rx.push_all(&camera.frame(&[p(fill, 9)]));
    }
    assert_eq!(rx.whole().len(), 51);
    assert_eq!(rx.receiver.stats().lost, 0);
    // The announced type comes too late to be the track's.
    rx.push(&Rtp { payload_type: PAYLOAD_TYPE, ..camera.clone().next(true, &[9; 9]) }.bytes());
    rx.push_all(&camera.frame(&[p(1, 9)]));
    assert_eq!((rx.whole().len(), rx.receiver.payload_type()), (1, Some(98)));
}

#[test]
fn r051_packets_of_another_type_between_are_no_loss() {
    for uses_own_number in [false, true] {
        for transport in [Transport::Tcp, Transport::Udp] {
            let (mut rx, mut camera) = (Receiver::new(&config("H264", "", transport)), Camera::new());
            rx.settle(&mut camera);
            for fill in 0..3 {
                rx.push_all(&camera.frame(&[p(fill, 9)]));
                let mut extra = if uses_own_number { camera.next(true, &[0]) } else { camera.clone().next(true, &[0]) };
                extra.payload_type = 50;
                rx.push(&extra.bytes());
            }
            rx.push_all(&camera.frame(&[p(9, 9)]));
            assert_eq!(rx.whole().len(), 4, "{uses_own_number} {transport:?}");
            let stats = rx.receiver.stats();
            assert_eq!((stats.lost, stats.ignored), (0, 3), "{uses_own_number}");
        }
    }
}
