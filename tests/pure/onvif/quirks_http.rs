//! Quirks of transport: responses framed oddly, cut, delayed or redirected.

use std::{error::Error as _, sync::Mutex, time::Duration};

use cctv_agent::onvif::{Error, Hint, Kind, Limits, resolve_within};

use super::{resolved, uris};
use crate::support::onvif_camera::{Answer, Camera, ordinary};

/// Changes the framing of the well-framed `answer`.
fn reframe(answer: &Answer, frame: fn(&str) -> Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8(answer.bytes.clone()).unwrap();
    frame(text.split_once("\r\n\r\n").unwrap().1)
}

/// Resolves a camera that frames its responses by `frame`, in pieces of several sizes.
fn check_framing(frame: fn(&str) -> Vec<u8>, keep_open: bool) {
    for step in [1, 7, usize::MAX] {
        let camera = Camera::start(move |request| Answer {
            bytes: reframe(&ordinary(request, 0), frame),
            step,
            pause: None,
            keep_open,
        });
        let limits = Limits { quiet: Duration::from_millis(20), ..Limits::default() };
        let found = smol::block_on(resolve_within(&camera.target(), None, &Hint::default(), limits));
        let found = found.unwrap_or_else(|error| panic!("in steps of {step}: {error}: {:?}", error.source()));
        assert_eq!(found.profile.token, "0 & main");
    }
}

#[test]
fn quirk_17_chunks_with_extensions_and_trailers_are_joined() {
    let chunked = |body: &str| {
        let mut answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
        for piece in body.as_bytes().chunks(100) {
            answer += &format!("{:x};odd=\"1\"\r\n{}\r\n", piece.len(), str::from_utf8(piece).unwrap());
        }
        (answer + "0\r\nX-Trailer: 1\r\n\r\n").into_bytes()
    };
    check_framing(chunked, true);
    check_framing(chunked, false);
}

#[test]
fn quirk_18_answer_without_a_length_ends_with_the_connection_or_the_message() {
    check_framing(|body| format!("HTTP/1.0 200 OK\r\n\r\n{body}").into_bytes(), false);
    check_framing(|body| format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes(), true);
}

#[test]
fn quirk_19_length_too_big_is_read_to_the_end_of_the_message() {
    let too_big = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{body}").into_bytes();
    check_framing(too_big, false);
    check_framing(too_big, true);
}

#[test]
fn quirk_20_interim_answers_are_skipped() {
    let interim = |body: &str| {
        let length = body.len();
        format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    };
    check_framing(interim, true);
}

#[test]
fn quirk_21_rubbish_before_the_xml_and_in_the_status_line_is_skipped() {
    check_framing(|body| format!("HTTP/1.1 200 OK\r\n\r\n\0\0junk{body}\0").into_bytes(), false);
    check_framing(|body| format!("\0\0HTT/ 200\r\nServer: x\r\n\r\n{body}").into_bytes(), false);
    check_framing(|body| format!("\0\0{body}").into_bytes(), false);
}

#[test]
fn quirk_22_odd_heads_are_read() {
    let odd = |body: &str| {
        let length = body.len();
        format!("HTTP/1.1  200 \nContent-Length : {length}\nB\u{e4}d: x\n: y\nno colon\n\n{body}").into_bytes()
    };
    check_framing(odd, true);
}

#[test]
fn heads_and_bodies_without_an_end_are_given_up() {
    let habits: [fn() -> Vec<u8>; 3] = [
        || format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(20_000)).into_bytes(),
        || format!("HTTP/1.1 200 OK\r\n\r\n<a>{}", "x".repeat(2 << 20)).into_bytes(),
        || format!("HTTP/1.1 200 OK\r\n\r\n{}", "<a>".repeat(20_000)).into_bytes(),
    ];
    for endless in habits {
        let camera = Camera::start(move |_| Answer::raw(endless()));
        let error = resolved(&camera.target(), Some("000")).unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed, "{error}");
    }
}

#[test]
fn quirk_19_length_too_small_is_read_to_the_end_of_the_message() {
    for keep_open in [false, true] {
        let camera = Camera::start(move |request| Answer {
            bytes: reframe(&ordinary(request, 0), |body| {
                format!("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{body}").into_bytes()
            }),
            step: usize::MAX,
            pause: None,
            keep_open,
        });
        assert_eq!(uris(&resolved(&camera.target(), Some("000")).unwrap()), ["rtsp://127.0.0.1/sub"]);
    }
}

#[test]
fn quirk_18_connection_closed_without_an_answer_is_tried_once_more() {
    let first = Mutex::new(Vec::new());
    let camera = Camera::start(move |request| {
        let mut seen = first.lock().unwrap();
        if seen.iter().any(|name| name == request.name()) {
            return ordinary(request, 0);
        }
        seen.push(request.name().to_owned());
        Answer::raw("")
    });
    resolved(&camera.target(), Some("000")).unwrap();
    assert_eq!(camera.names().iter().filter(|name| *name == "GetStreamUri").count(), 2);
}

#[test]
fn quirk_34_redirect_to_https_is_a_clear_message() {
    let camera = Camera::start(|_| Answer::http(301, "Location: https://127.0.0.1/onvif/device_service\r\n", ""));
    let error = resolved(&camera.target(), Some("000")).unwrap_err();
    assert!(error.to_string().contains("only by HTTPS"), "{error}");
    assert_eq!(camera.requests().len(), 1);
}

#[test]
fn silent_and_trickling_cameras_run_into_the_deadline() {
    let limits = Limits { call: Duration::from_millis(300), ..Limits::default() };
    let silent = Camera::start(|_| Answer { keep_open: true, ..Answer::raw("") });
    let error = smol::block_on(resolve_within(&silent.target(), Some("000"), &Hint::default(), limits)).unwrap_err();
    assert!(matches!(error, Error::Slow { .. }), "{error}");
    assert_eq!(silent.requests().len(), 1, "a silent camera is not asked again");
    // No single pause is long, but the total is.
    let trickling = Camera::start(|request| {
        let answer = ordinary(request, 0);
        Answer { step: 1, pause: Some(Duration::from_millis(50)), ..answer }
    });
    let error = smol::block_on(resolve_within(&trickling.target(), Some("000"), &Hint::default(), limits)).unwrap_err();
    assert!(matches!(error, Error::Slow { .. }), "{error}");
}

/// `body` in gzip format without compression: one stored block.
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = body.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap();
        bytes.push(u8::from(blocks.peek().is_none()));
        bytes.extend(length.to_le_bytes());
        bytes.extend((!length).to_le_bytes());
        bytes.extend(block);
    }
    let mut crc = !0_u32;
    for byte in body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    bytes.extend((!crc).to_le_bytes());
    bytes.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
    bytes
}

#[test]
fn quirk_47_body_that_is_compressed_unasked_is_read() {
    for field in ["Content-Encoding: gzip\r\n", "Content-Encoding: x-gzip\r\n", ""] {
        for length in [true, false] {
            let camera = Camera::start(move |request| {
                assert_eq!(request.header("accept-encoding"), Some("identity"));
                let answer = ordinary(request, 0);
                let text = String::from_utf8(answer.bytes).unwrap();
                let body = gzip(text.split_once("\r\n\r\n").unwrap().1.as_bytes());
                let length = if length { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
                Answer::raw([format!("HTTP/1.1 200 OK\r\n{field}{length}\r\n").into_bytes(), body].concat())
            });
            let found = resolved(&camera.target(), Some("000")).unwrap();
            assert_eq!(uris(&found), ["rtsp://127.0.0.1/sub"], "{field:?}");
        }
    }
    let camera = Camera::start(|_| Answer::http(200, "Content-Encoding: br\r\n", "xyz"));
    let error = resolved(&camera.target(), Some("000")).unwrap_err();
    let text = format!("{error}: {}", std::error::Error::source(&error).unwrap());
    assert!(text.contains("compressed in an unknown way (br)"), "{text}");
}
