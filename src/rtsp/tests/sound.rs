//! A session that reads sound alone.

use super::fake::{Fake, config};
use crate::rtsp::{
    Error,
    sdp::{NoAudio, Track},
    session::{Config, Learnt, Wanted},
};

const VIDEO: &str = "v=0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\n";

fn fake() -> Fake {
    Fake::with(Config { wanted: Wanted::Audio, ..config(super::fake::URI) }, Learnt::default())
}

#[test]
fn session_of_sound_sets_up_nothing_else() {
    let mut fake = fake();
    fake.describe(&format!("{VIDEO}m=audio 0 RTP/AVP 0\r\na=control:trackID=2\r\n"));
    assert!(fake.request.starts_with("SETUP rtsp://10.0.0.1/stream/trackID=2 RTSP/1.0\r\n"), "{}", fake.request);
    fake.ok("Session: 12345678;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n");
    assert!(fake.request.starts_with("PLAY "), "{}", fake.request);
    fake.ok("Session: 12345678\r\n");
    assert!(fake.is_playing && matches!(fake.track, Some(Track::Audio(_))), "{:?}", fake.end);
    fake.session.stop();
    assert_eq!(fake.requests.iter().filter(|request| request.starts_with("SETUP")).count(), 1);
}

#[test]
fn stream_without_sound_that_can_be_read_ends_before_setup() {
    let unknown = NoAudio::UnknownFormats(vec!["G726-32".into()]);
    for (lines, reason) in [
        ("", NoAudio::NoAudio),
        ("m=audio 0 RTP/AVP 97\r\na=rtpmap:97 G726-32/8000\r\n", unknown),
        ("m=audio 0 RTP/SAVP 0\r\n", NoAudio::Encrypted),
    ] {
        let mut fake = fake();
        fake.describe(&format!("{VIDEO}{lines}"));
        assert_eq!(fake.end, Some(Some(Error::NoAudio(reason))));
        assert!(fake.requests.iter().all(|request| !request.starts_with("SETUP")));
    }
}
