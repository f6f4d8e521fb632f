//! URLs, transports, and refusals of SETUP and PLAY.

use std::{net::IpAddr, time::Duration};

use super::fake::{Fake, SDP, URI, config};
use crate::{
    camera::{StreamUri, Transport},
    rtsp::{
        Error, Retry, Timeouts,
        session::{Learnt, Note},
        transport::{Delivery, read_delivery},
        url::{self, Described},
    },
};

const ASKED: &str = "rtsp://10.0.0.1:554/live?x=1";

/// The URLs of session and track.
fn urls(base: Option<&str>, session: Option<&str>, track: Option<&str>) -> (String, String) {
    let described =
        Described { content_base: base, content_location: None, session_control: session, track_control: track };
    let urls = url::resolve(ASKED, described);
    (urls.session, urls.track)
}

fn base(text: &str) -> String {
    urls(Some(text), None, None).0
}

#[test]
fn r008_base_is_repaired() {
    assert_eq!(base("rtsp://rtsp://10.0.0.1/a/"), "rtsp://10.0.0.1/a/");
    assert_eq!(base("10.0.0.1:1935/a/"), "rtsp://10.0.0.1:1935/a/");
    assert_eq!(base("/a/b"), "rtsp://10.0.0.1:554/a/b");
    assert_eq!(base("rtsp://fd00::1/a"), "rtsp://[fd00::1]/a");
    assert_eq!(base("rtsp://[fd00::1]:554/a"), "rtsp://[fd00::1]:554/a");
    assert_eq!(base("rtsp://admin:p@ss/@10.0.0.1/a"), "rtsp://ss/@10.0.0.1/a", "text in a request line, nothing more");
    assert_eq!(base("rtsp://admin:12345@10.0.0.1/a"), "rtsp://10.0.0.1/a");
    assert_eq!(base("rtsp://192.168.1.9:8554/a"), "rtsp://192.168.1.9:8554/a", "as the camera wrote it");
    assert_eq!(base("rtsp:///a"), "rtsp://10.0.0.1:554/a");
    assert_eq!(base("rtsp://a:b:c$/a"), "rtsp://10.0.0.1:554/a");
    for useless in ["", "  ", "http://10.0.0.1/a", "rtsp://10.0.0.1/a b", "rtsp://10.0.0.1/\u{7}"] {
        assert_eq!(base(useless), ASKED, "{useless:?}");
    }
    let location =
        Described { content_base: Some("http://x"), content_location: Some("rtsp://h/l"), ..Described::default() };
    assert_eq!(url::resolve(ASKED, location).session, "rtsp://h/l");
}

#[test]
fn r009_controls_are_appended_also_behind_a_query() {
    let track = |base, control| urls(Some(base), None, Some(control)).1;
    assert_eq!(
        track("rtsp://h/cam/realmonitor?channel=1&subtype=0&proto=Onvif/", "trackID=0"),
        "rtsp://h/cam/realmonitor?channel=1&subtype=0&proto=Onvif/trackID=0"
    );
    assert_eq!(track("rtsp://h/a?b=c", "trackID=0"), "rtsp://h/a?b=c/trackID=0");
    assert_eq!(track("rtsp://h/a/b", "../c%20d"), "rtsp://h/a/b/../c%20d", "nothing is normalised");
    assert_eq!(urls(None, None, Some("streamid=0")).1, "rtsp://10.0.0.1:554/live?x=1/streamid=0");
}

#[test]
fn r010_control_that_brings_its_separator_gets_no_other() {
    let track = |base, control| urls(Some(base), None, Some(control)).1;
    assert_eq!(track("rtsp://h/a", "/track1"), "rtsp://h/a/track1");
    assert_eq!(track("rtsp://h/a", "?track=1"), "rtsp://h/a?track=1");
    assert_eq!(track("rtsp://h/a/", "track1"), "rtsp://h/a/track1");
}

#[test]
fn r011_missing_starred_and_absolute_controls_decide_where_requests_go() {
    let base = Some("rtsp://h/a/");
    let in_base = || "rtsp://h/a/".to_owned();
    for control in [None, Some("*"), Some("")] {
        assert_eq!(urls(base, control, control), (in_base(), in_base()));
    }
    assert_eq!(urls(base, Some("rtsp://g/s?q"), Some("rtsp://f/t")), ("rtsp://g/s?q".into(), "rtsp://f/t".into()));
    assert_eq!(urls(base, Some("rtsp://g/s"), None).1, "rtsp://g/s");
    assert_eq!(urls(base, None, Some("track 1")).1, in_base(), "it would end the request line");
    assert_eq!(urls(base, Some("s"), Some("t")), ("rtsp://h/a/s".into(), "rtsp://h/a/t".into()));
    let mut fake = Fake::new();
    fake.describe(&SDP.replace("a=control:*", "a=control:rtsp://nat.example/sess"));
    assert_eq!(fake.line(), "SETUP rtsp://10.0.0.1/stream/trackID=1");
    fake.ok("Session: 1\r\n");
    assert_eq!(fake.line(), "PLAY rtsp://nat.example/sess");
    fake.ok("");
    fake.session.stop();
    fake.run();
    assert_eq!(fake.line(), "TEARDOWN rtsp://nat.example/sess");
    assert_eq!(fake.connects.len(), 1, "nobody connects to what stands in a URL");
}

#[test]
fn r011_setup_is_tried_with_our_authority_and_play_with_the_url_of_the_track() {
    for status in [400, 404, 454] {
        let mut fake = Fake::new();
        fake.describe(&SDP.replace("a=control:trackID=1", "a=control:rtsp://192.168.7.7/x/trackID=1"));
        assert_eq!(fake.line(), "SETUP rtsp://192.168.7.7/x/trackID=1");
        fake.status(status, "");
        assert_eq!(fake.line(), "SETUP rtsp://10.0.0.1/x/trackID=1");
        fake.status(404, "");
        assert_eq!(*fake.error(), Error::NotFound { status: 404 });
    }
    let mut fake = Fake::new();
    fake.describe(SDP);
    fake.ok("Session: 1\r\n");
    fake.status(459, "");
    assert_eq!(fake.line(), "PLAY rtsp://10.0.0.1/stream/trackID=1");
    fake.status(460, "");
    assert_eq!(fake.line(), "PLAY rtsp://10.0.0.1/stream/");
    fake.status(459, "");
    assert!(matches!(fake.error(), Error::Refused { status: 459, .. }));
}

#[test]
fn r012_rtp_info_is_not_read() {
    for info in ["url=x;seq=-1;rtptime=-1;", "", "url=trackID=9;seq=0;ssrc=0xA046", ";;;=,,"] {
        let mut fake = Fake::new();
        fake.describe(SDP);
        fake.ok("Session: 1\r\n");
        fake.ok(&format!("RTP-Info: {info}\r\n"));
        assert!(fake.is_playing, "{info}");
    }
}

fn set_up(requested: Transport, header: &str) -> Option<Delivery> {
    read_delivery(Some(header), requested, None)
}

/// Describes, and refuses SETUP with this status.
fn refused_setup(status: u16) -> Fake {
    let mut fake = Fake::new();
    fake.describe(SDP);
    fake.status(status, "");
    fake
}

#[test]
fn r029_refused_transport_leads_to_the_other_one_over_a_new_connection() {
    for status in [461, 406] {
        let mut fake = refused_setup(status);
        assert_eq!(fake.notes, [Note::OtherTransport { transport: Transport::Udp }]);
        let transports: Vec<_> = fake.connects.iter().map(|(.., transport)| *transport).collect();
        assert_eq!(transports, [Transport::Tcp, Transport::Udp]);
        fake.describe(SDP);
        assert_eq!(fake.header("Transport"), Some("RTP/AVP;unicast;client_port=50000-50001"));
        fake.ok("Session: 1\r\nTransport: RTP/AVP;unicast;client_port=50000-50001;server_port=6000-6001\r\n");
        fake.ok("");
        fake.session.on_packet();
        assert_eq!(fake.session.learnt().transport, Some(Transport::Udp), "remembered");
        let next = Fake::with(config(URI), fake.session.learnt().clone());
        assert_eq!(next.connects[0].2, Transport::Udp);
        // Neither.
        let mut fake = Fake::with(config(URI), Learnt { transport: Some(Transport::Tcp), ..Learnt::default() });
        fake.describe(SDP);
        fake.status(status, "");
        fake.describe(SDP);
        fake.status(461, "");
        assert_eq!(*fake.error(), Error::NoTransport { status: 461 });
        assert_eq!(fake.session.learnt().transport, None);
    }
}

#[test]
fn r029_transport_that_is_configured_is_not_changed() {
    let mut config = config(URI);
    config.transport = Some(Transport::Tcp);
    let mut fake = Fake::with(config, Learnt { transport: Some(Transport::Udp), ..Learnt::default() });
    assert_eq!(fake.connects[0].2, Transport::Tcp);
    fake.describe(SDP);
    fake.status(461, "");
    assert_eq!(*fake.error(), Error::TransportRefused { transport: Transport::Tcp, status: Some(461) });
}

#[test]
fn r030_r031_transport_is_requested_without_udp_and_mode() {
    let mut config = config(URI);
    config.transport = Some(Transport::Udp);
    let mut fake = Fake::with(config, Learnt::default());
    fake.describe(SDP);
    assert_eq!(fake.header("Transport"), Some("RTP/AVP;unicast;client_port=50000-50001"));
    let mut fake = Fake::new();
    fake.describe(SDP);
    assert_eq!(fake.header("Transport"), Some("RTP/AVP/TCP;unicast;interleaved=0-1"));
}

#[test]
fn r032_transport_of_the_response_is_read_leniently() {
    let tcp = |header| set_up(Transport::Tcp, header);
    let channels = |rtp, rtcp| Some(Delivery::Interleaved { rtp, rtcp });
    assert_eq!(tcp("RTP/AVP;unicast;interleaved=0-1"), channels(0, 1));
    assert_eq!(tcp("RTP/AVP/TCP;unicast; interleaved = 10 - 11 ;"), channels(10, 11));
    assert_eq!(tcp("RTP/AVP/TCP;interleaved=8"), channels(8, 9));
    assert_eq!(tcp("interleaved=2-3;RTP/AVP/TCP;ssrc=1"), channels(2, 3));
    assert_eq!(tcp("RTP/AVP/TCP;unicast;interleaved=x-y"), channels(0, 1));
    assert_eq!(tcp("RTP/AVP/TCP;unicast;client_port=5-6"), channels(0, 1));
    assert_eq!(read_delivery(None, Transport::Tcp, None), channels(0, 1));
    assert_eq!(tcp(""), channels(0, 1));
    // Over UDP all the same.
    assert_eq!(tcp("RTP/AVP;unicast;client_port=5-6;server_port=7-8"), None);
    assert_eq!(set_up(Transport::Udp, "RTP/AVP/TCP;unicast;interleaved=0-1"), None);
}

#[test]
fn r033_ssrc_is_not_read() {
    for ssrc in ["A046", "0x1", " 12 ", "", "0", "4294967296"] {
        let mut fake = Fake::new();
        fake.describe(SDP);
        fake.ok(&format!("Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc={ssrc};mode=\"play\"\r\n"));
        assert_eq!(fake.method(), "PLAY", "{ssrc}");
    }
}

#[test]
fn r034_r035_ports_and_source_may_be_missing_or_useless() {
    let udp = |header: &str| match set_up(Transport::Udp, header) {
        Some(Delivery::Udp { server_ports, source }) => (server_ports, source),
        other => panic!("{header}: {other:?}"),
    };
    assert_eq!(udp("RTP/AVP;unicast;client_port=5-6"), (None, None));
    assert_eq!(udp("RTP/AVP;unicast;server_port=0-0"), (None, None));
    assert_eq!(udp("RTP/AVP;unicast;server_port=7"), (Some((7, 8)), None));
    for source in ["camera.local", "0.0.0.0", "127.0.0.1", "::1", "239.1.1.1", ""] {
        assert_eq!(udp(&format!("RTP/AVP;source={source};server_port=7-9")), (Some((7, 9)), None), "{source}");
    }
    assert_eq!(udp("RTP/AVP;source=10.0.0.2").1, Some(IpAddr::from([10, 0, 0, 2])));
}

#[test]
fn r036_r037_video_alone_is_set_up_and_nothing_is_required() {
    let mut fake = Fake::new();
    fake.describe(&format!(
        "{SDP}m=audio 0 RTP/AVP 8\r\na=sendonly\r\na=control:trackID=2\r\nm=application 0 RTP/AVP 107\r\n\
         a=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:trackID=3\r\n"
    ));
    assert_eq!(fake.notes, [Note::OtherMedia(vec!["audio 8".into(), "application vnd.onvif.metadata".into()])]);
    fake.ok("Session: 1\r\n");
    fake.ok("");
    let methods: Vec<_> = fake.requests.iter().map(|request| request.split(' ').next().unwrap()).collect();
    assert_eq!(methods, ["DESCRIBE", "SETUP", "PLAY"]);
    assert!(fake.requests.iter().all(|request| !request.contains("Require")));
}

#[test]
fn r038_full_camera_is_not_asked_again_before_its_sessions_end() {
    for status in [453, 503] {
        let mut fake = Fake::new();
        fake.describe(SDP);
        fake.status(status, "Session: 1;timeout=90\r\n");
        let retry_after = Duration::from_secs(90);
        assert_eq!(*fake.error(), Error::TooManyViewers { status: Some(status), retry_after });
        assert_eq!(fake.error().retry(), Retry::After(retry_after));
    }
    // Closed without an answer, the third time.
    let mut learnt = Learnt::default();
    let mut errors = Vec::new();
    for _ in 0..3 {
        let mut fake = Fake::with(config(URI), learnt);
        fake.close();
        learnt = fake.session.learnt().clone();
        errors.push(fake.error().to_string());
    }
    let closed = "the camera closed the connection instead of answering DESCRIBE";
    assert_eq!(errors, [closed, closed, "too many viewers at the camera"]);
}

#[test]
fn r039_play_has_a_range_unless_it_is_refused() {
    let mut fake = Fake::new();
    fake.describe(SDP);
    fake.ok("Session: 1\r\n");
    assert_eq!(fake.header("Range"), Some("npt=0.000-"));
    fake.status(457, "");
    assert_eq!((fake.method(), fake.header("Range")), ("PLAY", None));
    fake.status(457, "");
    assert!(matches!(fake.error(), Error::Refused { status: 457, .. }));
}

#[test]
fn r041_srtp_is_not_asked_for_and_not_taken() {
    let uri = |text: &str| url::of_stream(&StreamUri::split(text).unwrap().0);
    assert_eq!(uri("rtsps://10.0.0.1:7441/abc?enableSrtp"), "rtsps://10.0.0.1:7441/abc");
    assert_eq!(uri("rtspt://10.0.0.1/abc?x"), "rtsp://10.0.0.1/abc?x");
    let mut fake = Fake::new();
    fake.describe(&SDP.replace("RTP/AVP", "RTP/SAVP"));
    assert_eq!(fake.error().to_string(), "the stream is encrypted (SRTP), which is not read");
    for port in [322, 7441] {
        let uri = if port == 322 { "rtsps://10.0.0.1/x".to_owned() } else { format!("rtsps://10.0.0.1:{port}/x") };
        let mut config = config(&uri);
        // Datagrams would not be encrypted.
        config.transport = Some(Transport::Udp);
        let mut fake = Fake::with(config, Learnt { transport: Some(Transport::Udp), ..Learnt::default() });
        assert_eq!((&fake.connects[..], fake.over_tls), (&[("10.0.0.1".into(), port, Transport::Tcp)][..], true));
        assert_eq!(fake.line(), format!("DESCRIBE {uri}"));
        fake.describe(SDP);
        assert!(fake.header("Transport").unwrap().starts_with("RTP/AVP/TCP"), "{}", fake.request);
        fake.status(461, "");
        assert!(matches!(fake.error(), Error::TransportRefused { transport: Transport::Tcp, .. }));
        assert_eq!(fake.connects.len(), 1);
    }
}

#[test]
fn r042_multicast_is_a_refused_transport() {
    for header in [
        "RTP/AVP;multicast;destination=239.0.0.1;port=5000-5001",
        "RTP/AVP;multicast;destination=239.0.0.1;client_port=5000-5001",
        "RTP/AVP;destination=239.0.0.1;port=5000-5001",
    ] {
        for transport in [Transport::Tcp, Transport::Udp] {
            assert_eq!(set_up(transport, header), None, "{header}");
        }
    }
    let mut fake = Fake::new();
    fake.describe(SDP);
    fake.ok("Session: 1\r\nTransport: RTP/AVP;multicast;destination=239.0.0.1;port=5000-5001\r\n");
    assert_eq!(fake.drained, 1, "the session that it made is torn down");
    assert_eq!(fake.connects[1].2, Transport::Udp);
}

#[test]
fn r043_slow_cameras_get_ten_seconds() {
    let limits = Timeouts::default();
    let seconds =
        [limits.connect, limits.response, limits.setup, limits.first_packet, limits.first_packet_udp, limits.write];
    assert_eq!(seconds.map(|limit| limit.as_secs()), [3, 10, 5, 10, 3, 1]);
    let mut fake = Fake::new();
    for _ in 0..9 {
        fake.now += Duration::from_secs(1);
        fake.session.on_deadline(fake.now);
        fake.run();
    }
    assert_eq!(fake.end, None);
    fake.play();
}

#[test]
fn lost_session_is_opened_again_once() {
    let mut fake = Fake::new();
    fake.describe(SDP);
    fake.ok("Session: 1\r\n");
    fake.status(455, "");
    assert_eq!((fake.connects.len(), fake.method()), (2, "DESCRIBE"));
    fake.describe(SDP);
    fake.ok("Session: 2\r\n");
    fake.status(455, "");
    assert_eq!(*fake.error(), Error::SessionLost { status: 455 });
}
