use super::*;
use crate::rtsp::rtp::fmtp::Fmtp;

const HBR: AacPacking = AacPacking { size_bits: 13, index_bits: 3, index_delta_bits: 3, samples: 1024 };

fn receiver(packing: AudioPacking, channels: u8, transport: Transport) -> AudioReceiver {
    AudioReceiver::new(&AudioConfig {
        payload_type: 97,
        clock_rate: 16_000,
        channels,
        packing,
        transport,
        local_ssrc: 1,
        cname: "test".into(),
    })
}

fn packet(sequence: u16, time: u32, payload: &[u8]) -> Vec<u8> {
    let [s0, s1] = sequence.to_be_bytes();
    let [t0, t1, t2, t3] = time.to_be_bytes();
    [&[0x80, 97, s0, s1, t0, t1, t2, t3, 0, 0, 0, 9][..], payload].concat()
}

/// A payload of AAC-hbr with headers for frames of these `sizes`, the second and later ones with this index delta.
fn aac(sizes: &[u16], delta: u16, data: &[u8]) -> Vec<u8> {
    let headers =
        sizes.iter().enumerate().flat_map(|(n, size)| (size << 3 | if n == 0 { 0 } else { delta }).to_be_bytes());
    let headers: Vec<u8> = headers.collect();
    [&(8 * headers.len() as u16).to_be_bytes()[..], &headers, data].concat()
}

fn push_all(receiver: &mut AudioReceiver, packets: &[Vec<u8>]) -> Vec<AudioUnit> {
    let (mut out, now) = (Vec::new(), Instant::now());
    packets.iter().for_each(|packet| receiver.push(packet, now, &mut out));
    out
}

fn contents(units: &[AudioUnit]) -> Vec<(u32, &[u8], bool)> {
    units.iter().map(|unit| (unit.rtp_time, &unit.data[..], unit.after_loss)).collect()
}

#[test]
fn samples_are_handed_on_as_they_come_and_a_loss_is_told() {
    let mut g711 = receiver(AudioPacking::Samples, 2, Transport::Tcp);
    // The last byte of the second packet is half a sample of two channels; the fourth packet is missing.
    let packets = [packet(1, 0, &[1, 2]), packet(2, 1, &[3, 4, 5]), packet(3, 2, &[]), packet(5, 4, &[6, 7])];
    let units = push_all(&mut g711, &packets);
    assert_eq!(contents(&units), [(0, &[1, 2][..], false), (1, &[3, 4], false), (4, &[6, 7], true)]);
}

#[test]
fn packet_that_is_too_long_is_a_loss() {
    let mut g711 = receiver(AudioPacking::Samples, 1, Transport::Tcp);
    let units = push_all(&mut g711, &[packet(1, 0, &vec![1; MAX_SAMPLES_LEN + 1]), packet(2, 1, &[2])]);
    assert_eq!(contents(&units), [(1, &[2][..], true)]);
}

#[test]
fn packets_that_changed_places_are_put_right_over_udp() {
    let mut g711 = receiver(AudioPacking::Samples, 1, Transport::Udp);
    let units = push_all(&mut g711, &[packet(1, 0, &[1]), packet(3, 2, &[3]), packet(2, 1, &[2])]);
    assert_eq!(contents(&units), [(0, &[1][..], false), (1, &[2], false), (2, &[3], false)]);
    let mut lossy = receiver(AudioPacking::Samples, 1, Transport::Udp);
    assert_eq!(push_all(&mut lossy, &[packet(1, 0, &[1]), packet(3, 2, &[3])]).len(), 1);
    let mut out = Vec::new();
    let due = lossy.deadline().unwrap();
    lossy.poll(due, &mut out);
    assert_eq!(contents(&out), [(2, &[3][..], true)]);
}

#[test]
fn several_frames_of_aac_in_one_packet_have_times_of_their_own() {
    let mut receiver = receiver(AudioPacking::Aac(HBR), 1, Transport::Tcp);
    let now = Instant::now();
    let mut units = Vec::new();
    receiver.push(&packet(1, 5000, &aac(&[2, 1, 0, 3], 0, &[1, 2, 3, 4, 5, 6])), now, &mut units);
    let wanted = [(5000, &[1, 2][..], false), (6024, &[3], false), (8072, &[4, 5, 6], false)];
    assert_eq!(contents(&units), wanted);
    // The last one came last.
    assert_eq!(units[2].received_at, now);
    assert_eq!(now - units[0].received_at, Duration::from_micros(3072 * 1_000_000 / 16_000));
}

#[test]
fn frame_of_aac_in_several_packets_is_put_together() {
    let part = |sequence, data: &[u8]| packet(sequence, 7, &aac(&[5], 0, data));
    let mut whole = receiver(AudioPacking::Aac(HBR), 1, Transport::Tcp);
    let units = push_all(&mut whole, &[part(1, &[1, 2]), part(2, &[3, 4]), part(3, &[5])]);
    assert_eq!(contents(&units), [(7, &[1, 2, 3, 4, 5][..], false)]);
    let mut lossy = receiver(AudioPacking::Aac(HBR), 1, Transport::Tcp);
    let next = packet(4, 1031, &aac(&[1], 0, &[9]));
    let units = push_all(&mut lossy, &[part(1, &[1, 2]), part(3, &[5]), next]);
    assert_eq!(contents(&units), [(1031, &[9][..], true)]);
}

#[test]
fn senseless_payloads_of_aac_give_nothing_and_are_a_loss() {
    for wrong in [
        vec![],
        vec![0],
        vec![0, 0],
        // Headers that are longer than the packet.
        vec![0xff, 0xff, 1, 2],
        // A header without its index.
        vec![0, 13, 0, 8, 1],
        // More data than the frame has.
        aac(&[2, 4], 0, &[1, 2, 3]),
        // No data of a frame in parts.
        aac(&[5], 0, &[]),
        aac(&[1; 65], 0, &[0; 65]),
    ] {
        let mut receiver = receiver(AudioPacking::Aac(HBR), 1, Transport::Tcp);
        let units = push_all(&mut receiver, &[packet(1, 0, &wrong), packet(2, 1, &aac(&[1], 0, &[7]))]);
        assert_eq!(contents(&units), [(1, &[7][..], true)], "{wrong:?}");
    }
}

#[test]
fn packings_are_read_from_the_description() {
    let of = |text: &str| AacPacking::of(&Fmtp::parse(text));
    assert_eq!(of("mode=AAC-hbr;config=1408"), Some(HBR));
    assert_eq!(of("mode=AAC-hbr;config=140C"), Some(AacPacking { samples: 960, ..HBR }));
    let low = AacPacking { size_bits: 6, index_bits: 2, index_delta_bits: 2, samples: 1024 };
    assert_eq!(of("97 mode=AAC-lbr;config=1408"), Some(low));
    assert_eq!(of("sizelength=16;indexlength=0;indexdeltalength=0").map(|packing| packing.size_bits), Some(16));
    for unread in
        ["sizelength=0", "sizelength=99", "mode=CELP-cbr", "constantsize=7", "ctsdeltalength=4", "indexlength=x"]
    {
        assert_eq!(of(unread), None, "{unread}");
    }
}
