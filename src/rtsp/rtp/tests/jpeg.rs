//! Habits of RTP/JPEG.

use super::{
    super::{Loss, TrackConfig, Transport},
    support::*,
};
use crate::media::Size;

/// One packet of a frame: offset, type, Q, blocks of width and height, then what follows the main header.
fn payload(offset: usize, kind: u8, q: u8, blocks: [u8; 2], rest: &[u8]) -> Vec<u8> {
    let [_, o0, o1, o2] = (offset as u32).to_be_bytes();
    [&[0, o0, o1, o2, kind, q, blocks[0], blocks[1]], rest].concat()
}

/// Entropy-coded data of this length, without the byte 0xff.
fn scan(fill: u8, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at as u8).wrapping_add(fill) & 0x7f).collect()
}

/// The packets of a frame of 160x120 with 50 bytes of scan in each.
fn frame(kind: u8, q: u8, scan: &[u8]) -> Vec<Vec<u8>> {
    scan.chunks(50).enumerate().map(|(at, chunk)| payload(50 * at, kind, q, [20, 15], chunk)).collect()
}

/// The segments of a JPEG up to its scan, by marker, and the scan with EOI.
fn parts(jpeg: &[u8]) -> (Vec<(u8, &[u8])>, &[u8]) {
    let mut segments = Vec::new();
    assert!(jpeg.starts_with(&[0xff, 0xd8]));
    let mut rest = &jpeg[2..];
    loop {
        let [0xff, marker, high, low, ..] = *rest else { panic!("{rest:02x?}") };
        let len = usize::from(u16::from_be_bytes([high, low]));
        segments.push((marker, &rest[4..2 + len]));
        rest = &rest[2 + len..];
        if marker == 0xda {
            return (segments, rest);
        }
    }
}

fn segment(jpeg: &[u8], marker: u8) -> Vec<Vec<u8>> {
    parts(jpeg).0.iter().filter(|(kind, _)| *kind == marker).map(|(_, data)| data.to_vec()).collect()
}

/// Width and height in the frame header, and the sampling of luma.
fn frame_header(jpeg: &[u8]) -> (u16, u16, u8) {
    let header = &segment(jpeg, 0xc0)[0];
    (u16::from_be_bytes([header[3], header[4]]), u16::from_be_bytes([header[1], header[2]]), header[7])
}

fn with_hint(size: Option<(u32, u32)>) -> Receiver {
    let size_hint = size.map(|(width, height)| Size { width, height });
    Receiver::new(&TrackConfig { size_hint, ..config("JPEG", "", Transport::Tcp) })
}

#[test]
fn r102_jpeg_is_made_complete() {
    let (mut rx, mut camera) = (Receiver::tcp("JPEG"), Camera::new());
    let data = scan(1, 120);
    rx.push_all(&camera.frame(&frame(1, 50, &data)));
    rx.push_all(&camera.frame(&frame(1, 50, &[&data[..], &[0xff, 0xd9]].concat())));
    let units = rx.whole();
    assert_eq!(units[0], units[1], "the end is there once");
    let (segments, rest) = parts(&units[0]);
    assert_eq!(
        segments.iter().map(|(marker, _)| *marker).collect::<Vec<_>>(),
        [0xe0, 0xdb, 0xdb, 0xc0, 0xc4, 0xc4, 0xc4, 0xc4, 0xda]
    );
    assert_eq!(rest, [&data[..], &[0xff, 0xd9]].concat());
    assert_eq!(frame_header(&units[0]), (160, 120, 0x22));
    // Q 50 is the table of the standard itself.
    assert_eq!(segments[1].1[..9], [0, 16, 11, 12, 14, 12, 10, 16, 14]);
    let infos = rx.stream_infos();
    assert_eq!((infos.len(), infos[0].size), (1, Size { width: 160, height: 120 }));
}

#[test]
fn r101_types_give_subsampling_and_restart_intervals() {
    for (kind, sampling) in [(0, 0x21), (1, 0x22), (2, 0x22), (63, 0x22), (64, 0x21), (65, 0x22), (127, 0x22)] {
        for interval in [0_u16, 1, 7, 65_535] {
            let (mut rx, mut camera) = (Receiver::tcp("JPEG"), Camera::new());
            let restart = if kind >= 64 { [&interval.to_be_bytes()[..], &[0xff, 0xff]].concat() } else { Vec::new() };
            let data = scan(1, 30);
            rx.push_all(&camera.frame(&[payload(0, kind, 50, [20, 15], &[restart, data.clone()].concat())]));
            let units = rx.whole();
            assert_eq!(frame_header(&units[0]).2, sampling, "{kind}");
            let expected = if kind >= 64 && interval > 0 { vec![interval.to_be_bytes().to_vec()] } else { vec![] };
            assert_eq!(segment(&units[0], 0xdd), expected, "{kind} {interval}");
            assert!(parts(&units[0]).1.starts_with(&data));
        }
    }
    let (mut rx, mut camera) = (Receiver::tcp("JPEG"), Camera::new());
    rx.push_all(&camera.frame(&[payload(0, 128, 50, [20, 15], &scan(1, 30))]));
    assert_eq!(rx.wholeness(), [false], "types from 128 on were never defined");
}

fn tables(precision: u8, data: &[u8]) -> Vec<u8> {
    [&[0, precision], &(data.len() as u16).to_be_bytes()[..], data].concat()
}

#[test]
fn r099_tables_are_remembered_by_q() {
    let (mut rx, mut camera) = (Receiver::tcp("JPEG"), Camera::new());
    let mut send = |q: u8, head: Vec<u8>| {
        rx.push_all(&camera.frame(&[payload(0, 1, q, [20, 15], &[head, scan(1, 30)].concat())]));
        let unit = rx.units().remove(0);
        unit.is_whole.then(|| segment(&unit.data, 0xdb).iter().map(|table| table[1]).collect::<Vec<_>>())
    };
    assert_eq!(send(200, tables(0, &[])), None, "unknown yet");
    assert_eq!(send(200, tables(0, &[3; 128])), Some(vec![3, 3]));
    assert_eq!(send(201, tables(0, &[[4; 64], [5; 64]].concat())), Some(vec![4, 5]));
    assert_eq!(send(200, tables(0, &[])), Some(vec![3, 3]));
    assert_eq!(send(201, tables(0, &[])), Some(vec![4, 5]));
    assert_eq!(send(255, tables(0, &[6; 128])), Some(vec![6, 6]));
    assert_eq!(send(255, tables(0, &[])), None, "255 means each time");
    assert_eq!(send(99, vec![]), Some(vec![1, 1]), "2 of 100 of 16 and 17, and at least 1");
    assert_eq!(send(100, vec![]), send(99, vec![]));
    assert_eq!(send(127, vec![]), send(99, vec![]));
    assert_eq!(send(1, vec![]), Some(vec![255, 255]));
    assert_eq!(send(0, vec![]), None, "only with the head of the camera");
}

#[test]
fn r100_one_table_serves_both_and_tables_may_have_sixteen_bits() {
    let (mut rx, mut camera) = (Receiver::tcp("JPEG"), Camera::new());
    let mut send = |head: Vec<u8>| {
        rx.push_all(&camera.frame(&[payload(0, 1, 255, [20, 15], &[head, scan(1, 30)].concat())]));
        let unit = rx.units().remove(0);
        unit.is_whole.then_some(unit.data)
    };
    let one = send(tables(0, &[7; 64])).unwrap();
    assert_eq!(segment(&one, 0xdb), [[&[0][..], &[7; 64]].concat(), [&[1][..], &[7; 64]].concat()]);
    let wide = send(tables(0b01, &[[1; 128].as_slice(), &[2; 64]].concat())).unwrap();
    assert_eq!(segment(&wide, 0xdb), [[&[0x10][..], &[1; 128]].concat(), [&[1][..], &[2; 64]].concat()]);
    assert_eq!((segment(&wide, 0xc0).len(), segment(&wide, 0xc1).len()), (0, 1), "baseline has 8 bits only");
    assert!(send(tables(0b11, &[1; 256])).is_some());
    assert_eq!(send(tables(0b01, &[1; 100])), None, "not one whole table");
    assert_eq!(send([&[0, 0, 200, 0], &[1; 20][..]].concat()), None, "longer than the packet");
}

#[test]
fn r103_sides_above_2040_come_from_elsewhere() {
    let size = |hint: Option<(u32, u32)>, blocks: [u8; 2]| {
        let (mut rx, mut camera) = (with_hint(hint), Camera::new());
        rx.push_all(&camera.frame(&[payload(0, 1, 50, blocks, &scan(1, 30))]));
        let unit = rx.units().remove(0);
        unit.is_whole.then(|| (frame_header(&unit.data).0, frame_header(&unit.data).1))
    };
    assert_eq!(size(None, [64, 128]), Some((512, 1024)));
    assert_eq!(size(Some((2560, 1920)), [64, 240]), Some((2560, 1920)), "320 blocks are 64 in 8 bits");
    assert_eq!(size(Some((3840, 2160)), [224, 14]), Some((3840, 2160)));
    assert_eq!(size(Some((3840, 2160)), [0, 0]), Some((3840, 2160)));
    assert_eq!(size(Some((1921, 1080)), [241, 135]), Some((1921, 1080)), "rounded up to blocks");
    assert_eq!(size(Some((640, 480)), [20, 15]), Some((160, 120)), "a hint of another stream");
    assert_eq!(size(None, [0, 15]), None);
    assert_eq!(size(Some((20_000, 8)), [196, 1]), Some((1568, 8)).filter(|_| false), "too large for any decoder");
}

#[test]
fn r104_head_in_the_extension_replaces_what_would_be_made() {
    let (mut rx, mut camera) = (Receiver::tcp("JPEG"), Camera::new());
    let sof = [0xff, 0xc0, 0, 17, 8, 0x0b, 0xb8, 0x0f, 0xa0, 3, 1, 0x11, 0, 2, 0x11, 1, 3, 0x11, 1];
    let dqt = [&[0xff, 0xdb, 0, 67, 0][..], &[9; 64], &[0xff, 0xdb, 0, 67, 1], &[8; 64]].concat();
    let dri = [0xff, 0xdd, 0, 4, 0, 5];
    let pad = |mut data: Vec<u8>| {
        data.resize(data.len().next_multiple_of(4), 0xff);
        data
    };
    let data = scan(1, 80);
    let first = camera.next(false, &payload(0, 1, 0, [0, 0], &data[..40]));
    rx.push(&first.with_extension(0xffd8, &pad([&dqt[..], &dri].concat())));
    // The head goes on in the next packet.
    rx.push(&camera.next(true, &payload(40, 1, 0, [0, 0], &data[40..])).with_extension(0xffff, &pad(sof.to_vec())));
    camera.step();
    let units = rx.whole();
    assert_eq!(frame_header(&units[0]), (4000, 3000, 0x11));
    assert_eq!(segment(&units[0], 0xdb), [[&[0][..], &[9; 64]].concat(), [&[1][..], &[8; 64]].concat()]);
    assert_eq!(segment(&units[0], 0xdd), [[0, 5]]);
    assert_eq!(segment(&units[0], 0xc4).len(), 4, "what it lacks is made");
    assert_eq!(parts(&units[0]).1, [&data[..], &[0xff, 0xd9]].concat());
    // Size and tables of the frame before; the restart interval is not.
    rx.push(&camera.next(true, &payload(0, 1, 0, [0, 0], &data)).with_extension(0xffd8, &[0xff; 4]));
    let units = rx.whole();
    assert_eq!((frame_header(&units[0]).0, frame_header(&units[0]).1), (4000, 3000));
    assert_eq!((segment(&units[0], 0xdb)[0][1], segment(&units[0], 0xdd).len()), (9, 0));
}

#[test]
fn r105_gap_damages_a_frame_and_a_missing_marker_does_not() {
    let (mut rx, mut camera) = (Receiver::tcp("JPEG"), Camera::new());
    let data = scan(1, 230);
    rx.push_all(&camera.frame(&frame(1, 50, &data)));
    assert_eq!(rx.whole().len(), 1);
    for lost in 0..5 {
        let mut packets = camera.frame(&frame(1, 50, &data));
        packets.remove(lost);
        rx.push_all(&packets);
        rx.push_all(&camera.frame(&frame(1, 50, &data)));
        let units = rx.units();
        assert_eq!(units.iter().map(|unit| unit.is_whole).collect::<Vec<_>>(), [false, true], "{lost}");
        assert!(units.iter().any(|unit| unit.loss != Loss::None));
        assert_eq!(units.iter().map(|unit| unit.lost_packets).sum::<u32>(), 1);
    }
    // An offset that jumps without a gap in the numbers.
    let mut payloads = frame(1, 50, &data);
    payloads.remove(2);
    rx.push_all(&camera.frame(&payloads));
    assert_eq!(rx.wholeness(), [false]);
    // No marker: the end of the image, or the next frame, ends it.
    for end in [&[0xff, 0xd9][..], &[]] {
        for payload in frame(1, 50, &[&data[..], end].concat()) {
            rx.push(&camera.packet(false, &payload));
        }
        camera.step();
        assert_eq!(rx.units().len(), usize::from(!end.is_empty()));
    }
    rx.push_all(&camera.frame(&frame(1, 50, &data)));
    assert_eq!(rx.whole().len(), 2);
}

#[test]
fn padding_behind_the_end_of_an_image_is_no_frame() {
    let (mut rx, mut camera) = (Receiver::tcp("JPEG"), Camera::new());
    rx.push(&camera.packet(false, &payload(0, 1, 50, [20, 15], &[1, 2, 0xff, 0xd9])));
    rx.push(&camera.packet(true, &payload(4, 1, 50, [20, 15], &[0, 0])));
    camera.step();
    rx.push_all(&camera.frame(&frame(1, 50, &scan(1, 40))));
    assert_eq!(rx.whole().len(), 2);
}

#[test]
fn whole_jpeg_as_scan_is_taken_as_it_is() {
    let (mut rx, mut camera) = (Receiver::tcp("JPEG"), Camera::new());
    rx.push_all(&camera.frame(&frame(1, 50, &scan(1, 40))));
    let jpeg = rx.whole().remove(0);
    rx.push_all(&camera.frame(&frame(1, 50, &jpeg)));
    assert_eq!(rx.whole(), [jpeg]);
}

#[test]
fn jpeg_is_bounded() {
    let (mut rx, mut camera) = (Receiver::tcp("JPEG"), Camera::new());
    let piece = scan(1, 60_000);
    for at in 0..200 {
        rx.push(&camera.packet(false, &payload(at * piece.len(), 1, 50, [20, 15], &piece)));
    }
    rx.push(&camera.packet(true, &payload(200 * piece.len(), 1, 50, [20, 15], &piece)));
    assert_eq!(rx.wholeness(), [false]);
}
