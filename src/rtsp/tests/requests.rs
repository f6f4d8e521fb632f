//! Requests, responses and keepalives.

use std::time::Duration;

use super::fake::{Fake, SDP, config, header, read};
use crate::rtsp::{
    Error,
    message::{self, MAX_BODY_LEN, MAX_HEAD_LEN},
    message::{Malformed, Message, Method},
    session::{Learnt, Note},
};

fn response(text: &str) -> message::Response {
    match read(text) {
        Some(Message::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn r001_header_names_are_written_as_the_standard_writes_them() {
    let mut fake = Fake::new();
    assert_eq!(
        fake.request,
        "DESCRIBE rtsp://10.0.0.1/stream?channel=1 RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: cctv-agent\r\nAccept: \
         application/sdp\r\n\r\n"
    );
    fake.describe(SDP);
    assert_eq!(fake.header("Transport"), Some("RTP/AVP/TCP;unicast;interleaved=0-1"));
    fake.ok("session: 9\r\ntransport: RTP/AVP/TCP;interleaved=0-1\r\n");
    assert_eq!(fake.header("Session"), Some("9"));
    assert_eq!(fake.header("Range"), Some("npt=0.000-"));
}

#[test]
fn r002_blanks_and_case_of_headers_do_not_count() {
    let response = response("RTSP/1.0 200 OK\r\nCseq:   7\t \r\nSESSION:        71;timeout=9 \r\n\r\n");
    assert_eq!(response.headers.cseq(), Some(7));
    assert_eq!(response.headers.get("Session"), Some("71;timeout=9"));
}

#[test]
fn r003_response_without_a_number_is_ours_and_an_earlier_one_is_not() {
    let mut fake = Fake::new();
    fake.answer(&format!("RTSP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{SDP}", SDP.len()));
    assert_eq!((fake.method(), fake.cseq()), ("SETUP", 2));
    fake.answer("RTSP/1.0 400 Bad Request\r\nCSeq: 1\r\n\r\n");
    assert_eq!(fake.end, None, "the response to the request before");
    fake.ok("Session: 1\r\n");
    assert_eq!(fake.method(), "PLAY");
    fake.ok("");
    // While playing.
    fake.answer("RTSP/1.0 400 Bad Request\r\nCSeq: 1\r\n\r\n");
    fake.answer("RTSP/1.0 400 Bad Request\r\n\r\n");
    assert_eq!(fake.notes, [Note::StrayResponse { status: 400 }, Note::StrayResponse { status: 400 }]);
    assert_eq!(fake.end, None);
}

#[test]
fn r003_camera_that_counts_wrongly_is_believed_if_no_other_response_comes() {
    let mut fake = Fake::new();
    fake.describe(SDP);
    fake.answer("RTSP/1.0 200 OK\r\nCSeq: 0\r\nSession: 1\r\n\r\n");
    assert_eq!(fake.method(), "SETUP");
    fake.pass(Duration::from_secs(1));
    assert_eq!(fake.method(), "PLAY");
}

#[test]
fn r004_status_line_needs_no_reason() {
    for text in ["RTSP/1.0 200\r\n\r\n", "RTSP/1.0 200 \r\n\r\n", "RTSP/2.0 200 OK\r\n\r\n", "rtsp/1.0  200\n\n"] {
        assert_eq!(response(text).status, 200, "{text:?}");
    }
    assert_eq!(response("RTSP/1.0 404 Not  Found\r\n\r\n").reason, "Not Found");
}

#[test]
fn r005_every_request_names_the_client() {
    let mut fake = Fake::playing();
    fake.session.stop();
    fake.run();
    assert_eq!(fake.requests.len(), 4);
    assert!(fake.requests.iter().all(|request| header(request, "User-Agent") == Some("cctv-agent")));
}

#[test]
fn r006_describe_comes_first_and_refused_keepalives_do_no_harm() {
    for status in [404, 405, 454, 501, 551] {
        let mut fake = Fake::playing();
        assert!(fake.requests[0].starts_with("DESCRIBE "));
        for _ in 0..3 {
            fake.session.on_packet();
            fake.pass(Duration::from_secs(20));
            assert_eq!(fake.method(), "OPTIONS");
            fake.status(status, "");
        }
        assert_eq!(fake.end, None, "{status}");
    }
    let mut fake = Fake::new();
    fake.status(501, "");
    assert!(matches!(fake.error(), Error::Refused { method: Method::Describe, status: 501, .. }));
}

#[test]
fn r007_anything_new_takes_a_new_connection_and_begins_with_describe() {
    let mut fake = Fake::new();
    fake.describe(SDP);
    fake.status(461, "");
    assert_eq!(fake.connects.len(), 2);
    assert_eq!((fake.method(), fake.cseq()), ("DESCRIBE", 1));
    assert_eq!(fake.requests.len(), 1);
}

#[test]
fn r013_timeout_is_read_wherever_it_stands_and_the_smallest_counts() {
    for (setup, play, interval) in [
        ("1; timeout=15", "1", 5),
        ("1;timeout=120", "1; Timeout = 30", 10),
        ("1;timeout=0", "1", 20),
        ("1;timeout=soon", "1;x;timeout=45s", 15),
        ("1", "1", 20),
        ("1;timeout=3600", "1", 20),
        ("1;timeout=1", "1", 1),
    ] {
        let mut fake = Fake::new();
        fake.describe(SDP);
        fake.ok(&format!("Session: {setup}\r\n"));
        assert_eq!(fake.header("Session"), Some("1"));
        fake.ok(&format!("Session: {play}\r\n"));
        fake.session.on_packet();
        let expected = fake.now + Duration::from_secs(interval);
        assert_eq!(fake.session.deadline(), Some(expected), "{setup:?}, {play:?}");
    }
}

#[test]
fn r014_identifier_of_the_first_setup_stays() {
    let mut fake = Fake::new();
    fake.describe(SDP);
    fake.ok("Session: one\r\n");
    fake.ok("Session: two\r\n");
    fake.session.on_packet();
    fake.pass(Duration::from_secs(20));
    assert_eq!(fake.header("Session"), Some("one"));
}

#[test]
fn r015_identifier_may_come_with_any_response_or_never() {
    let mut fake = Fake::new();
    fake.answer(&format!("RTSP/1.0 200 OK\r\nCSeq: $\r\nSession: d\r\nContent-Length: {}\r\n\r\n{SDP}", SDP.len()));
    assert_eq!(fake.header("Session"), Some("d"));
    fake.ok("");
    assert_eq!(fake.header("Session"), Some("d"));
    let mut fake = Fake::new();
    fake.describe(SDP);
    fake.ok("");
    assert_eq!(fake.header("Session"), None);
    fake.ok("Session: p\r\n");
    fake.session.on_packet();
    fake.pass(Duration::from_secs(20));
    assert_eq!(fake.header("Session"), Some("p"));
    // The one of SETUP replaces the one of DESCRIBE.
    let mut fake = Fake::new();
    fake.answer(&format!("RTSP/1.0 200 OK\r\nCSeq: $\r\nSession: d\r\nContent-Length: {}\r\n\r\n{SDP}", SDP.len()));
    fake.ok("Session: s\r\n");
    assert_eq!(fake.header("Session"), Some("s"));
}

/// Plays, and answers the first OPTIONS with GET_PARAMETER among the methods.
fn with_get_parameter() -> Fake {
    let mut fake = Fake::playing();
    fake.session.on_packet();
    fake.pass(Duration::from_secs(20));
    assert_eq!(fake.method(), "OPTIONS");
    fake.ok("Public: DESCRIBE, get_parameter,PLAY\r\n");
    fake.pass(Duration::from_secs(20));
    assert_eq!(fake.method(), "GET_PARAMETER");
    fake
}

#[test]
fn r016_get_parameter_is_used_if_it_is_named_and_given_up_after_a_refusal_or_a_silence() {
    let mut fake = with_get_parameter();
    fake.ok("");
    fake.pass(Duration::from_secs(20));
    assert_eq!(fake.method(), "GET_PARAMETER");
    // Without a response.
    fake.pass(Duration::from_secs(20));
    assert_eq!(fake.method(), "OPTIONS");
    let mut fake = with_get_parameter();
    fake.status(501, "");
    for _ in 0..2 {
        fake.pass(Duration::from_secs(20));
        assert_eq!(fake.method(), "OPTIONS");
        fake.ok("Public: GET_PARAMETER\r\n");
    }
    assert_eq!(fake.end, None);
}

#[test]
fn r016_get_parameter_that_ends_the_connection_is_remembered() {
    let mut fake = with_get_parameter();
    fake.now += Duration::from_secs(1);
    fake.close();
    assert_eq!(*fake.error(), Error::Closed { inside_packet: false });
    assert!(fake.session.learnt().options_only);
    let mut fake = Fake::with(config(super::fake::URI), fake.session.learnt().clone());
    fake.play();
    fake.session.on_packet();
    for _ in 0..2 {
        fake.pass(Duration::from_secs(20));
        assert_eq!(fake.method(), "OPTIONS");
        fake.ok("Public: GET_PARAMETER\r\n");
    }
}

#[test]
fn r017_keepalives_go_to_the_url_of_play_and_are_not_waited_for() {
    let mut fake = Fake::playing();
    fake.session.on_packet();
    for _ in 0..5 {
        fake.pass(Duration::from_secs(20));
        assert_eq!(fake.line(), "OPTIONS rtsp://10.0.0.1/stream/");
        assert_eq!(fake.header("Session"), Some("12345678"));
    }
    assert_eq!(fake.end, None);
}

#[test]
fn r018_streams_that_end_at_the_same_age_get_keepalives_earlier() {
    let mut learnt = Learnt::default();
    for _ in 0..3 {
        let mut fake = Fake::with(config(super::fake::URI), learnt);
        fake.play();
        fake.session.on_packet();
        fake.now += Duration::from_secs(10);
        fake.close();
        learnt = fake.session.learnt().clone();
    }
    let mut fake = Fake::with(config(super::fake::URI), learnt);
    fake.play();
    fake.session.on_packet();
    let third = fake.now + Duration::from_secs(10) / 3;
    assert_eq!(fake.session.deadline(), Some(third));
}

#[test]
fn folded_and_bare_lines_are_read() {
    let response = response("RTSP/1.0 200 OK\nCSeq: 1\nX: a,\n  b\n\tc\nnonsense\nLast:z\n\n");
    assert_eq!(response.headers.get("x"), Some("a, b c"));
    assert_eq!(response.headers.get("last"), Some("z"));
    assert_eq!(response.headers.len(), 3);
}

#[test]
fn messages_are_bounded() {
    let long = format!("RTSP/1.0 200 OK\r\nX: {}\r\n\r\n", "x".repeat(MAX_HEAD_LEN));
    assert_eq!(message::read(long.as_bytes()), Err(Malformed::HeadTooLong));
    assert_eq!(message::read(&long.as_bytes()[..MAX_HEAD_LEN + 1]), Err(Malformed::HeadTooLong));
    let many = format!("RTSP/1.0 200 OK\r\n{}\r\n", "x:\r\n".repeat(200));
    assert_eq!(message::read(many.as_bytes()), Err(Malformed::HeadTooLong));
    let body = format!("RTSP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", MAX_BODY_LEN + 1);
    assert_eq!(message::read(body.as_bytes()), Err(Malformed::BodyTooLong));
    for odd in ["HTTP/1.1 200 OK\r\n\r\n", "RTSP/1.0 OK\r\n\r\n", "RTSP/1.0 20\r\n\r\n", "x\r\n\r\n"] {
        assert_eq!(message::read(odd.as_bytes()), Err(Malformed::FirstLine), "{odd:?}");
    }
    assert_eq!(read("RTSP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nabc"), None);
    assert_eq!(response("RTSP/1.0 200 OK\r\nContent-Length: -4\r\n\r\n").body, b"");
}

#[test]
fn unanswered_request_ends_the_attempt_in_time() {
    let mut fake = Fake::new();
    fake.pass(Duration::from_secs(10));
    assert_eq!(fake.error().to_string(), "no answer to DESCRIBE within 10 s");
    let mut fake = Fake::new();
    fake.describe(SDP);
    fake.answer("RTSP/1.0 100 Continue\r\nCSeq: $\r\n\r\n");
    fake.pass(Duration::from_secs(5));
    assert_eq!(fake.error().to_string(), "no answer to SETUP within 5 s");
}

#[test]
fn r016_refused_login_says_nothing_about_get_parameter() {
    let mut fake = with_get_parameter();
    fake.status(401, "");
    fake.pass(Duration::from_secs(20));
    assert_eq!(fake.method(), "GET_PARAMETER");
}

#[test]
fn r018_streams_that_end_at_different_ages_keep_their_keepalives() {
    let mut learnt = Learnt { unanswered_closes: 2, ..Learnt::default() };
    for age in [10, 30, 60] {
        let mut fake = Fake::with(config(super::fake::URI), learnt);
        fake.play();
        fake.session.on_packet();
        fake.now += Duration::from_secs(age);
        fake.close();
        learnt = fake.session.learnt().clone();
    }
    assert_eq!((learnt.keepalive_within, learnt.unanswered_closes), (None, 0));
}
