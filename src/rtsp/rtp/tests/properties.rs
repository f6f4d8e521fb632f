//! Known units, packetised in every way, over a link that loses, repeats and reorders packets: what is reported whole
//! is what was sent, and what is shown depends on nothing that was lost.

use std::collections::HashMap;

use super::{
    super::{Event, KeyFrameGate, Loss, Transport},
    support::*,
};

/// Seeded pseudo-random numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn chance(&mut self, per_mille: usize) -> bool {
        self.below(1000) < per_mille
    }
}

/// A frame as it was sent.
struct Sent {
    unit: Vec<u8>,
    is_key: bool,
    is_reference: bool,
    packets: Vec<Rtp>,
}

const FRAMES: usize = 60;
const GROUP: usize = 12;

fn codec_frames(is_h265: bool, random: &mut Random) -> Vec<Sent> {
    let mut camera = Camera { sequence: random.below(65_536) as u16, ..Camera::new() };
    let slices = 1 + random.below(3);
    let mut sent = Vec::new();
    for number in 0..FRAMES {
        let (is_key, is_reference) = (number % GROUP == 0, number % 3 != 2);
        let mut nals: Vec<Vec<u8>> = Vec::new();
        if is_key && is_h265 {
            nals.extend(sets265());
        } else if is_key {
            nals.extend([SPS.to_vec(), PPS.to_vec()]);
        }
        for at in 0..slices {
            let (fill, len) = (random.below(256) as u8, 1 + random.below(400));
            nals.push(if is_h265 {
                let kind = if is_key { 19 } else { u8::from(is_reference) };
                nal265(kind, if at == 0 { 0x80 } else { 0 }, fill, len)
            } else {
                let header = if is_key { 0x65 } else { 0x01 | u8::from(is_reference) << 6 };
                slice(header, at == 0, fill, len)
            });
        }
        let size = 10 + random.below(150);
        let mut payloads: Vec<Vec<u8>> = Vec::new();
        let mut small: Vec<Vec<u8>> = Vec::new();
        let flush = |small: &mut Vec<Vec<u8>>, payloads: &mut Vec<Vec<u8>>| match small.len() {
            0 => {}
            1 => payloads.append(small),
            _ => payloads.push(aggregate(if is_h265 { &[96, 1] } else { &[0x78] }, &std::mem::take(small))),
        };
        for nal in &nals {
            if nal.len() > size + 3 {
                flush(&mut small, &mut payloads);
                payloads.extend(if is_h265 { fu_265(nal, size) } else { fu_a(nal, size) });
            } else {
                small.push(nal.clone());
                if random.chance(300) {
                    flush(&mut small, &mut payloads);
                }
            }
        }
        flush(&mut small, &mut payloads);
        let last = payloads.len() - 1;
        let packets = payloads.iter().enumerate().map(|(at, payload)| camera.next(at == last, payload)).collect();
        camera.step();
        sent.push(Sent { unit: annex_b(&nals), is_key, is_reference, packets });
    }
    sent
}

/// The packets in the order of arrival, and which of each frame are missing.
fn link(sent: &[Sent], loss: usize, disorder: usize, random: &mut Random) -> (Vec<Rtp>, Vec<usize>) {
    let mut arrived: Vec<(usize, Rtp)> = Vec::new();
    let mut missing = vec![0; sent.len()];
    let mut at = 0;
    // Losses come alone or in bursts.
    let mut burst = 0;
    for (number, frame) in sent.iter().enumerate() {
        for packet in &frame.packets {
            at += 10;
            if burst == 0 && random.chance(loss) {
                burst = if random.chance(300) { 1 + random.below(20) } else { 1 };
            }
            if burst > 0 {
                burst -= 1;
                missing[number] += 1;
                continue;
            }
            // The first packet of all gives the numbering.
            let disorder = if number == 0 { 0 } else { disorder };
            let place = if random.chance(disorder) { at + random.below(200) } else { at };
            arrived.push((place, packet.clone()));
            if random.chance(disorder) {
                arrived.push((place + random.below(300), packet.clone()));
            }
        }
    }
    arrived.sort_by_key(|(place, _)| *place);
    (arrived.into_iter().map(|(_, packet)| packet).collect(), missing)
}

/// Runs one film over one link. Returns how many units were shown.
fn run(seed: u64, is_h265: bool, transport: Transport, loss: usize, disorder: usize) -> usize {
    let what = format!("seed {seed}, H.265 {is_h265}, {transport:?}, loss {loss}, disorder {disorder}");
    let random = &mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let sent = codec_frames(is_h265, random);
    let (arrived, missing) = link(&sent, loss, disorder, random);
    let name = if is_h265 { "H265" } else { "H264" };
    let mut rx = Receiver::new(&config(name, "", transport));
    for packet in &arrived {
        rx.push(&packet.bytes());
        rx.wait(1);
    }
    rx.wait(1000);
    let numbers: HashMap<u32, usize> = sent.iter().enumerate().map(|(at, sent)| (sent.packets[0].time, at)).collect();
    let (mut gate, mut shown, mut lost) = (KeyFrameGate::new(), Vec::new(), 0);
    for event in std::mem::take(&mut rx.events) {
        let Event::Unit(unit) = event else { continue };
        lost += u64::from(unit.lost_packets);
        let number = numbers[&unit.rtp_time];
        let frame = &sent[number];
        if unit.is_whole {
            assert!(unit.data == frame.unit, "{what}: frame {number} is reported whole and differs");
            assert_eq!(unit.is_key, frame.is_key, "{what}");
            // Before the first SPS of H.265, any picture may be referred to.
            assert!(unit.is_reference || !frame.is_reference, "{what}");
            if missing[number] > 0 {
                panic!("{what}: frame {number} lost {} packets and is reported whole", missing[number]);
            }
        }
        if loss == 0 && (disorder == 0 || transport == Transport::Udp) {
            assert!(unit.is_whole && (unit.loss == Loss::None || number == 0), "{what}: frame {number}");
        }
        if gate.admit(&unit) {
            assert!(unit.is_whole, "{what}");
            shown.push(number);
        }
    }
    assert!(lost <= rx.receiver.stats().lost, "{what}");
    // Nothing shown twice or out of order, and all that a shown frame refers to was shown before it.
    assert!(shown.is_sorted_by(|a, b| a < b), "{what}: {shown:?}");
    for &number in &shown {
        let key = number - number % GROUP;
        let needed = (key..number).filter(|&needed| sent[needed].is_reference || sent[needed].is_key);
        for needed in needed {
            assert!(shown.binary_search(&needed).is_ok(), "{what}: {number} is shown without {needed}");
        }
    }
    shown.len()
}

#[test]
fn without_a_loss_every_unit_is_whole_and_shown() {
    for seed in 1..60 {
        for is_h265 in [false, true] {
            assert_eq!(run(seed, is_h265, Transport::Tcp, 0, 0), FRAMES);
            assert_eq!(run(seed, is_h265, Transport::Udp, 0, 0), FRAMES);
            assert_eq!(run(seed, is_h265, Transport::Udp, 0, 100), FRAMES);
        }
    }
}

#[test]
fn no_unit_that_lost_a_packet_is_whole_and_nothing_that_needs_it_is_shown() {
    let mut shown = 0;
    for seed in 1..200 {
        for is_h265 in [false, true] {
            for loss in [5, 30, 200] {
                shown += run(seed, is_h265, Transport::Tcp, loss, 0);
                shown += run(seed, is_h265, Transport::Udp, loss, 50);
            }
        }
    }
    let share = shown * 100 / (199 * 2 * 3 * 2 * FRAMES);
    assert!((15..90).contains(&share), "{share} % of the units were shown");
}

/// Late packets and duplicates of a frame give no second unit of it, whole or damaged.
#[test]
fn jpeg_is_one_unit_whatever_comes_twice_or_late() {
    for seed in 1..300_u64 {
        let random = &mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut camera = Camera { sequence: random.below(65_536) as u16, ..Camera::new() };
        let mut sent = Vec::new();
        for _ in 0..FRAMES {
            let scan: Vec<u8> = (0..1 + random.below(500)).map(|_| random.below(255) as u8).collect();
            let size = 20 + random.below(100);
            let mut payloads = Vec::new();
            for (at, chunk) in scan.chunks(size).enumerate() {
                let [_, o0, o1, o2] = ((at * size) as u32).to_be_bytes();
                payloads.push([&[0, o0, o1, o2, 1, 50, 20, 15], chunk].concat());
            }
            let last = payloads.len() - 1;
            let packets = payloads.iter().enumerate().map(|(at, payload)| camera.next(at == last, payload)).collect();
            camera.step();
            sent.push(Sent { unit: [&scan[..], &[0xff, 0xd9]].concat(), is_key: true, is_reference: false, packets });
        }
        let loss = [0, 5, 40][seed as usize % 3];
        let (arrived, missing) = link(&sent, loss, 100, random);
        let mut rx = Receiver::new(&config("JPEG", "", Transport::Udp));
        for packet in &arrived {
            rx.push(&packet.bytes());
            rx.wait(1);
        }
        rx.wait(1000);
        let units = rx.units();
        assert!(units.windows(2).all(|pair| pair[0].rtp_time < pair[1].rtp_time), "seed {seed}: a frame came twice");
        for unit in units.iter().filter(|unit| unit.is_whole) {
            let number = sent.iter().position(|frame| frame.packets[0].time == unit.rtp_time).unwrap();
            assert!(missing[number] == 0 && unit.data.ends_with(&sent[number].unit), "seed {seed}: frame {number}");
        }
        if loss == 0 {
            assert_eq!(units.iter().filter(|unit| unit.is_whole).count(), FRAMES, "seed {seed}");
        }
    }
}

#[test]
fn jpeg_that_lost_a_packet_is_never_whole() {
    for seed in 1..200_u64 {
        let random = &mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut camera = Camera { sequence: random.below(65_536) as u16, ..Camera::new() };
        let mut rx = Receiver::tcp("JPEG");
        let mut expected = HashMap::new();
        for _ in 0..40 {
            let scan: Vec<u8> = (0..1 + random.below(500)).map(|_| random.below(255) as u8).collect();
            let size = 20 + random.below(100);
            let chunks: Vec<_> = scan.chunks(size).collect();
            let mut is_lost = false;
            for (at, chunk) in chunks.iter().enumerate() {
                let [_, o0, o1, o2] = ((at * size) as u32).to_be_bytes();
                let packet = camera.packet(at == chunks.len() - 1, &[&[0, o0, o1, o2, 1, 50, 20, 15], *chunk].concat());
                if random.chance(40) {
                    is_lost = true;
                } else {
                    rx.push(&packet);
                }
            }
            expected.insert(camera.time, (scan, is_lost));
            camera.step();
        }
        let mut whole = 0;
        for unit in rx.units().into_iter().filter(|unit| unit.is_whole) {
            let (scan, is_lost) = &expected[&unit.rtp_time];
            assert!(!is_lost && unit.data.ends_with(&[&scan[..], &[0xff, 0xd9]].concat()), "seed {seed}");
            whole += 1;
        }
        assert!(whole >= expected.values().filter(|(_, is_lost)| !is_lost).count() - 1, "seed {seed}");
    }
}
