//! Multicast, and RTSP through HTTP.

use std::net::SocketAddr;

use super::fake::{Fake, SDP, URI, config};
use crate::{
    camera::Transport,
    rtsp::{
        Error,
        sdp::SessionDescription,
        session::Learnt,
        transport::{Delivery, read_delivery},
    },
};

fn fake(uri: &str, transport: Transport) -> Fake {
    let mut config = config(uri);
    config.transport = Some(transport);
    Fake::with(config, Learnt::default())
}

fn group(address: [u8; 4], port: u16) -> SocketAddr {
    SocketAddr::from((address, port))
}

#[test]
fn group_of_a_description_is_that_of_the_media_or_of_the_session() {
    let group_of = |text: &str| SessionDescription::read(text.as_bytes()).video().unwrap().group;
    let media = "m=video 5004/2 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n";
    let session = "c=IN IP4 239.1.1.1/127\r\n";
    assert_eq!(group_of(&format!("{session}{media}")), Some(group([239, 1, 1, 1], 5004)));
    assert_eq!(
        group_of(&format!("{session}{media}c=IN IP4 239.2.2.2/1/3\r\n")),
        Some(group([239, 2, 2, 2], 5004)),
        "the media's own"
    );
    assert_eq!(
        group_of(&format!("{media}c=IN IP6 ff15::101\r\n")),
        Some(SocketAddr::new("ff15::101".parse().unwrap(), 5004))
    );
    for other in ["c=IN IP4 0.0.0.0", "c=IN IP4 10.0.0.1", "c=IN IP4", "c=x", "c=IN IP4 239.1.1.1x"] {
        assert_eq!(group_of(&format!("{other}\r\n{media}")), None, "{other}");
    }
    assert_eq!(group_of(&format!("{session}{}", media.replace("5004/2", "0"))), None, "without a port");
}

#[test]
fn group_and_ports_are_the_cameras_choice() {
    let mut fake = fake(URI, Transport::Multicast);
    fake.describe(SDP);
    assert_eq!(fake.header("Transport"), Some("RTP/AVP;multicast"));
    fake.ok(
        "Session: 1\r\nTransport: RTP/AVP;multicast;destination=239.1.2.3;port=6000-6001;ttl=1;source=10.0.0.9\r\n",
    );
    let delivery =
        Delivery::Multicast { rtp: group([239, 1, 2, 3], 6000), rtcp_port: 6001, source: "10.0.0.9".parse().ok() };
    assert_eq!(fake.delivery, Some(delivery));
    fake.ok("");
    assert!(fake.is_playing);
    fake.session.on_packet();
    assert_eq!(fake.session.learnt().transport, None, "the file says it");
}

#[test]
fn group_that_the_response_leaves_out_is_that_of_the_description() {
    let described = Some(group([239, 9, 9, 9], 5004));
    let read = |header| read_delivery(header, Transport::Multicast, described);
    let expected = |rtp, rtcp_port| Some(Delivery::Multicast { rtp, rtcp_port, source: None });
    assert_eq!(read(None), expected(group([239, 9, 9, 9], 5004), 5005));
    assert_eq!(read(Some("RTP/AVP;multicast")), expected(group([239, 9, 9, 9], 5004), 5005));
    assert_eq!(read(Some("RTP/AVP;multicast;port=7000")), expected(group([239, 9, 9, 9], 7000), 7001));
    assert_eq!(read(Some("RTP/AVP;multicast;port=7000-7000")), expected(group([239, 9, 9, 9], 7000), 7001));
    assert_eq!(read(Some("RTP/AVP;destination=239.1.1.1;port=0")), expected(group([239, 1, 1, 1], 5004), 5005));
    assert_eq!(
        read(Some("RTP/AVP;multicast;destination=10.0.0.1;port=7000-7005")),
        expected(group([239, 9, 9, 9], 7000), 7005),
        "a destination that is no group"
    );
    let unnamed = read_delivery(Some("RTP/AVP;multicast;port=7000-7001"), Transport::Multicast, None);
    assert_eq!(unnamed, None, "nobody names the group");
}

#[test]
fn camera_that_does_not_send_to_a_group_is_not_read_otherwise() {
    for answer in ["RTP/AVP;unicast;client_port=0-1;server_port=7-8", "RTP/AVP/TCP;unicast;interleaved=0-1"] {
        let mut fake = fake(URI, Transport::Multicast);
        fake.describe(SDP);
        fake.ok(&format!("Session: 1\r\nTransport: {answer}\r\n"));
        assert_eq!(*fake.error(), Error::TransportRefused { transport: Transport::Multicast, status: None });
        assert_eq!(fake.connects.len(), 1);
    }
    let mut fake = fake(URI, Transport::Multicast);
    fake.describe(SDP);
    fake.status(461, "");
    assert_eq!(*fake.error(), Error::TransportRefused { transport: Transport::Multicast, status: Some(461) });
}

#[test]
fn r040_tunnel_begins_at_the_web_server_unless_the_address_says_otherwise() {
    for (uri, port, over_tls) in [
        ("rtsp://10.0.0.1/x", 80, false),
        ("rtsp://10.0.0.1:554/x", 80, false),
        ("rtsp://10.0.0.1:8080/x", 8080, false),
        ("rtsps://10.0.0.1/x", 443, true),
        ("rtsps://10.0.0.1:322/x", 443, true),
        ("rtsps://10.0.0.1:8443/x", 8443, true),
    ] {
        let mut fake = fake(uri, Transport::Http);
        assert_eq!((&fake.connects[..], fake.over_tls), (&[("10.0.0.1".into(), port, Transport::Http)][..], over_tls));
        assert_eq!(fake.session.path(), "/x");
        assert_eq!(fake.line(), format!("DESCRIBE {uri}"));
        fake.describe(SDP);
        assert_eq!(fake.header("Transport"), Some("RTP/AVP/TCP;unicast;interleaved=0-1"));
        fake.ok("Session: 1\r\nTransport: RTP/AVP/TCP;interleaved=2-3\r\n");
        assert_eq!(fake.delivery, Some(Delivery::Interleaved { rtp: 2, rtcp: 3 }));
    }
}
