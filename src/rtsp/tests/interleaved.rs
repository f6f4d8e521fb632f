//! The bytes of a connection.

use std::time::{Duration, Instant};

use super::fake::Fake;
use crate::rtsp::{
    framing::{Deframer, Event, Expected, FramingError, MAX_SEARCH_LEN, MAX_SEARCH_TIME},
    message::Message,
    session::Note,
};

const SSRC: u32 = 0xa1b2_c3d4;

/// An RTP packet of our track.
fn rtp(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 1]);
    packet.extend(SSRC.to_be_bytes());
    packet.extend(payload);
    packet
}

fn frame(channel: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![b'$', channel];
    bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend(data);
    bytes
}

fn deframer() -> Deframer {
    let mut deframer = Deframer::new();
    deframer.expected = Expected { channels: Some((0, 1)), payload_type: Some(96), ssrc: Some(SSRC) };
    deframer
}

/// What `bytes` are, in words.
fn events(bytes: &[u8]) -> Vec<String> {
    let mut in_one = deframer();
    in_one.push(bytes);
    drain(&mut in_one)
}

/// The same when the bytes come one by one.
fn events_byte_by_byte(bytes: &[u8]) -> Vec<String> {
    let mut deframer = deframer();
    let mut events = Vec::new();
    for byte in bytes {
        deframer.push(&[*byte]);
        events.extend(drain(&mut deframer));
    }
    events
}

fn drain(deframer: &mut Deframer) -> Vec<String> {
    let mut events = Vec::new();
    let now = Instant::now();
    while let Some(event) = deframer.next(now).unwrap() {
        events.push(match event {
            Event::Packet { channel, data } if data.len() >= 4 => {
                format!("{channel}: {} bytes, {}", data.len(), u16::from_be_bytes([data[2], data[3]]))
            }
            Event::Packet { channel, data } => format!("{channel}: {} bytes", data.len()),
            Event::Message(Message::Response(response)) => format!("response {}", response.status),
            Event::Message(Message::Request(request)) => format!("request {}", request.method),
            Event::Resynchronised { skipped } => format!("skipped {skipped}"),
        });
    }
    events
}

#[test]
fn r061_packets_before_the_response_to_play_are_handed_on() {
    let mut fake = Fake::new();
    fake.describe(super::fake::SDP);
    fake.ok("Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=4-5\r\n");
    assert!(fake.delivery.is_some() && fake.method() == "PLAY");
    fake.session.on_packet();
    fake.ok("");
    assert_eq!(fake.session.deadline(), Some(fake.now + Duration::from_secs(20)), "only the keepalive is due");
    let bytes = [frame(0, &rtp(1, b"x")), b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n".to_vec()].concat();
    assert_eq!(events(&bytes), ["0: 13 bytes, 1", "response 200"]);
}

#[test]
fn r062_r065_messages_stand_between_packets_with_or_without_empty_lines() {
    let bytes = [
        frame(0, &rtp(1, b"x")),
        b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 3\r\n\r\n$\0\0\r\n\r\n".to_vec(),
        frame(1, &[0x80, 200, 0, 1, 0, 0, 0, 1]),
        b"\r\n\n\rOPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n\r\n".to_vec(),
        frame(0, &rtp(2, b"y")),
        b"get_parameter rtsp://x RTSP/1.0\nCSeq: 2\n\n".to_vec(),
    ]
    .concat();
    let expected = [
        "0: 13 bytes, 1",
        "response 200",
        "1: 8 bytes, 1",
        "request OPTIONS",
        "0: 13 bytes, 2",
        "request GET_PARAMETER",
    ];
    assert_eq!(events(&bytes), expected);
    assert_eq!(events_byte_by_byte(&bytes), expected);
}

#[test]
fn r063_camera_that_asks_is_answered() {
    let mut fake = Fake::playing();
    for method in ["OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "NONSENSE"] {
        fake.answer(&format!("{method} rtsp://10.0.0.1/ RTSP/1.0\r\ncseq: 77\r\n\r\n"));
        assert_eq!(fake.requests.last().unwrap(), "RTSP/1.0 200 OK\r\nCSeq: 77\r\nSession: 12345678\r\n\r\n");
        assert_eq!(fake.notes.pop(), Some(Note::CameraRequest { method: method.into() }));
    }
    assert_eq!(fake.end, None);
}

#[test]
fn r066_r068_packets_of_any_channel_are_framed() {
    let bytes = [frame(2, &rtp(1, b"x")), frame(255, &[]), frame(0, &rtp(2, b"x"))].concat();
    assert_eq!(events(&bytes), ["2: 13 bytes, 1", "255: 0 bytes", "0: 13 bytes, 2"]);
}

#[test]
fn r067_rtcp_is_known_by_its_type() {
    use crate::rtsp::framing::is_rtcp;
    assert!([200, 201, 202, 203, 204, 205, 206, 207].iter().all(|second| is_rtcp(*second)));
    assert!([96, 26, 96 | 0x80, 26 | 0x80, 127 | 0x80, 199, 208].iter().all(|second| !is_rtcp(*second)));
}

#[test]
fn r070_rubbish_between_packets_is_skipped() {
    let rubbish = b"\x00\x01$\x07rubbish RTSP $\0\xff\xff".to_vec();
    let bytes = [frame(0, &rtp(1, b"x")), rubbish.clone(), frame(0, &rtp(2, b"y")), frame(0, &rtp(3, b"z"))].concat();
    // The packet before is in doubt: it may have been cut.
    let expected = [format!("skipped {}", 17 + rubbish.len()), "0: 13 bytes, 2".into(), "0: 13 bytes, 3".into()];
    assert_eq!(events(&bytes), expected);
    // Nothing could be known when it came.
    let one_by_one = events_byte_by_byte(&bytes);
    assert_eq!(one_by_one[0], "0: 13 bytes, 1");
    assert_eq!(one_by_one.last().unwrap(), "0: 13 bytes, 3");
}

#[test]
fn r070_packet_that_was_cut_does_not_take_the_next_ones_with_it() {
    let long = frame(0, &rtp(1, &[7; 1000]));
    let mut bytes = long[..500].to_vec();
    for sequence in 2..30 {
        bytes.extend(frame(0, &rtp(sequence, &[9; 90])));
    }
    let events = events(&bytes);
    assert_eq!(events[0], "skipped 500");
    assert_eq!(events.len(), 29);
    assert_eq!((events[1].as_str(), events[28].as_str()), ("0: 102 bytes, 2", "0: 102 bytes, 29"));
}

#[test]
fn r070_message_ends_the_search() {
    let bytes = [&[1, 2, 3, 4, 5][..], b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n"].concat();
    assert_eq!(events(&bytes), ["skipped 5", "response 200"]);
    // A beginning without an end is rubbish too.
    let bytes = [&b"RTSP/1.0 nonsense\n\n"[..], &frame(0, &rtp(2, b"y"))].concat();
    assert_eq!(events(&bytes), ["skipped 19", "0: 13 bytes, 2"]);
}

#[test]
fn r070_packets_of_others_are_not_believed_while_searching() {
    let mut foreign = rtp(9, b"f");
    foreign[8] ^= 1;
    let mut other_type = rtp(9, b"t");
    other_type[1] = 97;
    let bytes =
        [vec![1], frame(0, &foreign), frame(0, &other_type), frame(7, &rtp(9, b"c")), frame(0, &rtp(2, b"y"))].concat();
    assert_eq!(events(&bytes), ["skipped 52", "0: 13 bytes, 2"]);
}

#[test]
fn r070_search_ends() {
    let mut deframer = deframer();
    let now = Instant::now();
    let mut result = Ok(());
    for _ in 0..MAX_SEARCH_LEN / 1000 + 2 {
        deframer.push(&[1; 1000]);
        result = result.and(deframer.next(now).map(|event| assert_eq!(event, None)));
    }
    assert!(matches!(result, Err(FramingError::OutOfStep { skipped }) if skipped > MAX_SEARCH_LEN), "{result:?}");
    let mut deframer = self::deframer();
    deframer.push(&[1; 100]);
    assert_eq!(deframer.next(now), Ok(None));
    deframer.push(&[1; 100]);
    let late = now + MAX_SEARCH_TIME + Duration::from_millis(1);
    assert!(matches!(deframer.next(late), Err(FramingError::OutOfStep { .. })));
}

#[test]
fn r071_long_and_short_packets_keep_the_step() {
    let bytes = [frame(0, &rtp(1, &[5; 65_523])), frame(0, &[1; 3]), frame(0, &[]), frame(0, &rtp(2, b"y"))].concat();
    let expected = ["0: 65535 bytes, 1", "0: 3 bytes", "0: 0 bytes", "0: 13 bytes, 2"];
    assert_eq!(events(&bytes), expected);
}

#[test]
fn r072_long_rtcp_is_framed_as_any_other() {
    let mut bytes = Vec::new();
    for _ in 0..500 {
        bytes.extend(frame(1, &[0x80, 202].iter().copied().chain([0; 3000]).collect::<Vec<_>>()));
    }
    assert_eq!(events(&bytes).len(), 500);
}

#[test]
fn message_that_is_too_long_ends_the_opening() {
    let mut deframer = Deframer::new();
    deframer.push(&[&b"RTSP/1.0 200 OK\r\n"[..], &[b'x'; 20_000]].concat());
    assert_eq!(deframer.next(Instant::now()), Err(FramingError::TooLong));
}

#[test]
fn r070_message_without_an_end_between_packets_is_rubbish() {
    let head = [&b"RTSP/1.0 200 OK\r\n"[..], &[b'x'; 20_000]].concat();
    let body = b"RTSP/1.0 200 OK\r\nContent-Length: 999999\r\n\r\n";
    for rubbish in [&head[..], body] {
        let bytes = [rubbish, &frame(0, &rtp(2, b"y"))].concat();
        assert_eq!(events(&bytes), [format!("skipped {}", rubbish.len()), "0: 13 bytes, 2".into()]);
    }
}
