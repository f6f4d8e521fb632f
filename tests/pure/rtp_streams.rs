//! Real H.264, H.265 and JPEG streams, encoded by `ffmpeg`, as packets over a link that loses some: the units are those
//! that were encoded, and every picture that a decoder makes of the units shown is one that it makes of the whole stream.

use std::{collections::HashMap, time::Instant};

use crate::support::clip::{ffmpeg, units};
use cctv_agent::{
    h26x::nal,
    media::{AccessUnit, Codec},
    rtsp::rtp::{Event, KeyFrameGate, TrackConfig, TrackReceiver, Transport, Unit},
};

const WIDTH: usize = 320;
const HEIGHT: usize = 240;
/// RTP time from frame to frame.
const STEP: u32 = 3600;
/// Bytes of payload in a packet.
const PAYLOAD_LEN: usize = 400;

/// Frames of a moving test picture, encoded with these arguments.
fn encode(seconds: u32, arguments: &[&str]) -> Vec<u8> {
    let source = format!("testsrc2=size={WIDTH}x{HEIGHT}:rate=25:duration={seconds}");
    ffmpeg(&[&["-f", "lavfi", "-i", &source], arguments, &["-"]].concat(), Vec::new())
}

fn h264(parameters: &str) -> Vec<AccessUnit> {
    let parameters = format!("aud=1:repeat-headers=1:keyint=12:min-keyint=12:scenecut=0:{parameters}");
    units(Codec::H264, &encode(2, &["-c:v", "libx264", "-x264-params", &parameters, "-f", "h264"]))
}

fn h265(parameters: &str) -> Vec<AccessUnit> {
    let common = "log-level=error:aud=1:repeat-headers=1:keyint=12:min-keyint=12:scenecut=0";
    let parameters = format!("{common}:{parameters}");
    units(Codec::H265, &encode(2, &["-c:v", "libx265", "-x265-params", &parameters, "-f", "hevc"]))
}

/// The payloads of one unit: small NAL units alone, long ones in fragments.
fn payloads(codec: Codec, unit: &[u8]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    for nal in nal::split(unit) {
        if nal.len() <= PAYLOAD_LEN {
            payloads.push(nal.to_vec());
            continue;
        }
        let (header, data) = nal.split_at(if codec == Codec::H265 { 2 } else { 1 });
        let chunks = data.chunks(PAYLOAD_LEN);
        let last = chunks.len() - 1;
        for (at, chunk) in chunks.enumerate() {
            let ends = u8::from(at == 0) << 7 | u8::from(at == last) << 6;
            payloads.push(match *header {
                [first, second] => [&[first & 0x81 | 49 << 1, second, ends | first >> 1 & 0x3f], chunk].concat(),
                _ => [&[header[0] & 0xe0 | 28, ends | header[0] & 0x1f], chunk].concat(),
            });
        }
    }
    payloads
}

/// Sends frames with these payloads, and drops the packets that `is_lost` names by their number.
fn receive(encoding_name: &str, frames: &[Vec<Vec<u8>>], mut is_lost: impl FnMut(usize) -> bool) -> Vec<Unit> {
    let mut receiver = TrackReceiver::new(&TrackConfig {
        encoding_name: encoding_name.into(),
        clock_rate: 90_000,
        payload_type: 96,
        fmtp: String::new(),
        transport: Transport::Tcp,
        size_hint: None,
        local_ssrc: 1,
        cname: "test".into(),
    })
    .unwrap();
    let (now, mut events, mut number) = (Instant::now(), Vec::new(), 0);
    for (frame, time) in frames.iter().zip((0..).step_by(STEP as usize)) {
        for (at, payload) in frame.iter().enumerate() {
            let marker = u8::from(at == frame.len() - 1) << 7;
            let mut packet = vec![0x80, marker | 96];
            packet.extend((number as u16).to_be_bytes());
            packet.extend(u32::to_be_bytes(time));
            packet.extend([0, 0, 0, 9]);
            packet.extend(payload);
            if !is_lost(number) {
                receiver.push(&packet, now, &mut events);
            }
            number += 1;
        }
    }
    let unit = |event| if let Event::Unit(unit) = event { Some(unit) } else { None };
    events.into_iter().filter_map(unit).collect()
}

/// The pictures of a stream in grey, in the order of display.
fn decode(codec: Codec, stream: Vec<u8>) -> Vec<Vec<u8>> {
    let format = if codec == Codec::H264 { "h264" } else { "hevc" };
    let arguments = ["-f", format, "-i", "-", "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "-"];
    let planes = ffmpeg(&arguments, stream);
    planes.chunks(WIDTH * HEIGHT).map(<[u8]>::to_vec).collect()
}

/// Pseudo-random numbers (xorshift): whether a packet is lost, with this chance in a thousand.
fn losses(seed: u64, per_mille: u64) -> impl FnMut(usize) -> bool {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % 1000 < per_mille
    }
}

fn stream_is_read(codec: Codec, clip: &[AccessUnit]) {
    let name = if codec == Codec::H264 { "H264" } else { "H265" };
    let frames: Vec<_> = clip.iter().map(|unit| payloads(codec, &unit.data)).collect();
    let received = receive(name, &frames, |_| false);
    assert_eq!(received.len(), clip.len());
    for (received, sent) in received.iter().zip(clip) {
        assert!(received.is_whole && received.data[..] == sent.data[..], "frame {}", sent.sequence);
        assert_eq!(received.is_key, sent.key, "frame {}", sent.sequence);
    }
}

/// Checks the pictures made after losses. Returns how many there were in all rounds, and how many units were withheld.
fn pictures_are_true(codec: Codec, clip: &[AccessUnit], per_mille: u64) -> (usize, u64) {
    let name = if codec == Codec::H264 { "H264" } else { "H265" };
    let frames: Vec<_> = clip.iter().map(|unit| payloads(codec, &unit.data)).collect();
    let whole = decode(codec, clip.iter().flat_map(|unit| unit.data.iter().copied()).collect());
    assert_eq!(whole.len(), clip.len());
    let numbers: HashMap<_, _> = whole.iter().enumerate().map(|(at, picture)| (picture, at)).collect();
    let (mut pictures, mut withheld) = (0, 0);
    for seed in 1..=4 {
        let mut gate = KeyFrameGate::new();
        let received = receive(name, &frames, losses(seed, per_mille));
        let shown: Vec<_> = received.into_iter().filter(|unit| gate.admit(unit)).collect();
        let count = shown.len();
        if count == 0 {
            continue;
        }
        let decoded = decode(codec, shown.into_iter().flat_map(|unit| unit.data).collect());
        assert_eq!(decoded.len(), count, "seed {seed}: a picture for each unit");
        let order: Vec<_> = decoded.iter().map(|picture| numbers.get(picture)).collect();
        assert!(order.iter().all(Option::is_some), "seed {seed}: a picture that the camera did not take: {order:?}");
        assert!(order.is_sorted(), "seed {seed}: {order:?}");
        pictures += count;
        withheld += gate.withheld();
    }
    (pictures, withheld)
}

#[test]
fn h264_streams_are_read_and_losses_show_no_false_picture() {
    for parameters in ["bframes=2:b-pyramid=none:slices=3", "bframes=3:b-pyramid=normal:ref=4"] {
        let clip = h264(parameters);
        stream_is_read(Codec::H264, &clip);
        let (pictures, withheld) = pictures_are_true(Codec::H264, &clip, 15);
        assert!(pictures > 20 && withheld > 20, "{parameters}: {pictures} pictures, {withheld} withheld");
    }
}

#[test]
fn h265_streams_are_read_and_losses_show_no_false_picture() {
    for parameters in ["bframes=3:open-gop=1", "bframes=3:open-gop=0:slices=2"] {
        let clip = h265(parameters);
        stream_is_read(Codec::H265, &clip);
        let (pictures, withheld) = pictures_are_true(Codec::H265, &clip, 15);
        assert!(pictures > 20 && withheld > 20, "{parameters}: {pictures} pictures, {withheld} withheld");
    }
}

/// The payloads of a JPEG with the standard Huffman tables, RFC 2435.
fn jpeg_payloads(jpeg: &[u8]) -> Vec<Vec<u8>> {
    let (mut at, mut tables, mut kind) = (2, Vec::new(), 0);
    while jpeg[at + 1] != 0xda {
        let len = usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        let segment = &jpeg[at + 4..at + 2 + len];
        match jpeg[at + 1] {
            0xdb => segment.chunks(65).for_each(|table| tables.extend(&table[1..])),
            0xc0 => kind = u8::from(segment[7] == 0x22),
            _ => {}
        }
        at += 2 + len;
    }
    let scan = &jpeg[at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]))..];
    let tables = [&[0, 0], &(tables.len() as u16).to_be_bytes()[..], &tables].concat();
    let mut payloads = Vec::new();
    for (number, chunk) in scan.chunks(PAYLOAD_LEN).enumerate() {
        let [_, o0, o1, o2] = ((number * PAYLOAD_LEN) as u32).to_be_bytes();
        let head = [0, o0, o1, o2, kind, 255, (WIDTH / 8) as u8, (HEIGHT / 8) as u8];
        payloads.push([&head[..], if number == 0 { &tables } else { &[] }, chunk].concat());
    }
    payloads
}

#[test]
fn jpeg_streams_are_read_and_losses_show_no_false_picture() {
    let arguments = ["-c:v", "mjpeg", "-huffman", "default", "-q:v", "4", "-pix_fmt", "yuvj420p", "-f", "mjpeg"];
    let stream = encode(2, &arguments);
    let begins: Vec<_> = (0..stream.len() - 2).filter(|&at| stream[at..].starts_with(b"\xff\xd8\xff")).collect();
    let ends = begins.iter().skip(1).copied().chain([stream.len()]);
    let clip: Vec<_> = begins.iter().zip(ends).map(|(&begin, end)| stream[begin..end].to_vec()).collect();
    assert_eq!(clip.len(), 50);
    let frames: Vec<_> = clip.iter().map(|jpeg| jpeg_payloads(jpeg)).collect();
    let grey = |jpeg: Vec<u8>| {
        let arguments =
            ["-f", "mjpeg", "-i", "-", "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "-"];
        ffmpeg(&arguments, jpeg)
    };
    let received = receive("JPEG", &frames, |_| false);
    assert!(received.len() == 50 && received.iter().all(|unit| unit.is_whole && unit.is_key));
    let expected = grey(stream.clone());
    let planes = grey(received.into_iter().flat_map(|unit| unit.data).collect());
    assert!(planes == expected, "the same pictures");
    let mut gate = KeyFrameGate::new();
    let received = receive("JPEG", &frames, losses(3, 10));
    let shown: Vec<_> = received.into_iter().filter(|unit| gate.admit(unit)).collect();
    assert!(shown.len() > 10 && gate.withheld() > 5, "{} and {}", shown.len(), gate.withheld());
    let frame = |unit: &Unit| (unit.rtp_time / STEP) as usize * WIDTH * HEIGHT;
    let expected: Vec<_> = shown.iter().flat_map(|unit| &expected[frame(unit)..][..WIDTH * HEIGHT]).copied().collect();
    assert!(grey(shown.into_iter().flat_map(|unit| unit.data).collect()) == expected, "the pictures of their frames");
}
