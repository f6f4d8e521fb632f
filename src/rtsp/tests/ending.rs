//! The first packet, and the end.

use std::time::Duration;

use super::fake::{Fake, SDP, URI, config};
use crate::{
    camera::Transport,
    rtsp::{
        Error, Retry,
        session::{Learnt, Note},
    },
};

#[test]
fn r064_camera_that_announces_redirects_or_tears_down_ends_the_session() {
    let body = |sdp: &str| format!("ANNOUNCE x RTSP/1.0\r\nCSeq: 5\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
    let mut fake = Fake::playing();
    fake.answer(&body(SDP));
    fake.answer(&body("rubbish"));
    assert_eq!(fake.end, None, "the same as before");
    fake.answer(&body(&SDP.replace("H264", "H265")));
    assert_eq!(*fake.error(), Error::NewSessionWanted);
    assert_eq!((fake.error().retry(), fake.drained), (Retry::AtOnce, 1));
    let mut fake = Fake::playing();
    fake.answer("REDIRECT x RTSP/1.0\r\nCSeq: 5\r\nLocation: rtsp://10.9.9.9/\r\n\r\n");
    assert_eq!(*fake.error(), Error::NewSessionWanted, "asked again where it is configured");
    let mut fake = Fake::playing();
    fake.answer("TEARDOWN x RTSP/1.0\r\nCSeq: 5\r\n\r\n");
    assert_eq!(*fake.error(), Error::EndedByCamera);
    assert!(fake.requests.last().unwrap().starts_with("RTSP/1.0 200"), "{:?}", fake.requests);
}

#[test]
fn r109_answers_do_not_count_as_video() {
    let mut fake = Fake::playing();
    let until = fake.now + Duration::from_secs(10);
    while fake.end.is_none() && fake.now < until {
        fake.now += Duration::from_secs(1);
        fake.answer("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n");
        fake.session.on_deadline(fake.now);
        fake.run();
    }
    assert!(matches!(fake.error(), Error::NoPackets { .. }));
}

#[test]
fn r113_r114_first_packet_may_take_ten_seconds_and_not_longer() {
    let mut fake = Fake::playing();
    fake.now += Duration::from_millis(9900);
    fake.session.on_deadline(fake.now);
    fake.run();
    assert_eq!(fake.end, None);
    fake.pass(Duration::from_millis(100));
    assert_eq!(fake.error().to_string(), "no video over TCP within 10 s after PLAY");
    assert_eq!((fake.method(), fake.drained), ("TEARDOWN", 1));
}

#[test]
fn r116_silence_over_udp_leads_to_tcp() {
    let udp = Learnt { transport: Some(Transport::Udp), ..Learnt::default() };
    let mut fake = Fake::with(config(URI), udp);
    let header = "Session: 1\r\nTransport: RTP/AVP;unicast;server_port=6-7\r\n";
    fake.describe(SDP);
    fake.ok(header);
    fake.ok("");
    fake.pass(Duration::from_secs(3));
    assert_eq!((fake.drained, fake.connects.len()), (1, 2));
    assert_eq!(fake.connects[1].2, Transport::Tcp);
    assert_eq!(fake.notes, [Note::OtherTransport { transport: Transport::Tcp }]);
    fake.play();
    // And a configured one stays.
    let mut config = config(URI);
    config.transport = Some(Transport::Udp);
    let mut fake = Fake::with(config, Learnt::default());
    fake.describe(SDP);
    fake.ok(header);
    fake.ok("");
    fake.pass(Duration::from_secs(3));
    assert_eq!(fake.error().to_string(), "no video over UDP within 3 s after PLAY");
}

#[test]
fn r118_r119_end_is_a_teardown_and_a_drain_and_nothing_is_waited_for() {
    let mut fake = Fake::playing();
    fake.session.stop();
    fake.run();
    assert_eq!(fake.line(), "TEARDOWN rtsp://10.0.0.1/stream/");
    assert_eq!(fake.header("Session"), Some("12345678"));
    assert_eq!((fake.drained, fake.end.clone()), (1, Some(None)));
    // Where there is no session, there is nothing to tear down.
    let mut fake = Fake::new();
    fake.session.stop();
    fake.run();
    assert_eq!((fake.method(), fake.drained, fake.end.clone()), ("DESCRIBE", 0, Some(None)));
    // Stopped twice, closed after the end, late answers: nothing more.
    fake.session.stop();
    fake.close();
    fake.ok("");
    assert_eq!((fake.end, fake.requests.len()), (Some(None), 1));
}

#[test]
fn r120_each_end_has_its_words() {
    for (error, words) in [
        (Error::Closed { inside_packet: false }, "the camera closed the connection"),
        (Error::Closed { inside_packet: true }, "the camera closed the connection inside a packet"),
        (Error::Reset, "the connection was reset"),
    ] {
        let mut fake = Fake::playing();
        fake.session.on_closed(fake.now, error.clone());
        fake.run();
        assert_eq!(fake.error(), &error);
        assert_eq!(fake.error().to_string(), words);
        assert_eq!(fake.drained, 0, "nobody is there");
    }
}

#[test]
fn r115_lost_sessions_are_counted_out_after_their_timeout() {
    let mut fake = Fake::new();
    fake.status(453, "");
    assert_eq!(fake.error().retry(), Retry::After(Duration::from_secs(60)), "if the camera names none");
}
