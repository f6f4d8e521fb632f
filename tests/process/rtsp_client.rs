//! The RTSP client against cameras on loopback: scripted ones, which bend the standard, and the
//! virtual camera.

mod scripted;
mod transports;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use cctv_agent::{
    camera::{Credentials, Secret, StreamUri, Transport},
    rtsp::{
        Error, Timeouts,
        client::{self, Outcome, PacketReceiver},
        message::Method,
        rtp::{Event, KeyFrameGate, Unit},
        sdp::{Track, VideoTrack},
        session::{Config, Learnt, Wanted},
        stream,
    },
    sync::{Notified, Notifier},
    tcp::ConnectError,
    tls::client::KeyCheck,
};
use scripted::{Camera, Peer, SDP, frame, rtp};
use smol::{Timer, future::FutureExt};

const SPS: &[u8] = &[0x67, 0x42, 0, 0x29, 0xe2, 0x90, 0x14, 7, 0xb6, 2, 0xdc, 4, 4, 6, 0x90, 0x78, 0x91, 0x15];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

/// Takes everything down.
#[derive(Default)]
struct Recorder {
    tracks: Vec<(VideoTrack, Transport)>,
    /// Sequence numbers.
    packets: Vec<u16>,
    rtcp: usize,
    skipped: usize,
    /// Stop after so many packets.
    enough: usize,
    /// What is sent where a key frame is wanted.
    key_frame_request: Option<Vec<u8>>,
    stop: Option<smol::channel::Sender<()>>,
}

impl PacketReceiver for Recorder {
    fn start(&mut self, track: &Track, transport: Transport) {
        let Track::Video(track) = track else { panic!("{track:?} was not wanted") };
        self.tracks.push((track.clone(), transport));
    }

    fn rtp(&mut self, packet: &[u8], received_at: Instant) {
        assert!(received_at <= Instant::now());
        self.packets.push(u16::from_be_bytes([packet[2], packet[3]]));
        if self.packets.len() >= self.enough {
            self.stop = None;
        }
    }

    fn rtcp(&mut self, _packet: &[u8], _received_at: Instant) {
        self.rtcp += 1;
    }

    fn out_of_step(&mut self, skipped: usize, _now: Instant) {
        self.skipped += skipped;
    }

    fn identity(&self) -> (Option<u8>, Option<u32>) {
        (Some(96), (!self.packets.is_empty()).then_some(scripted::SSRC))
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn poll(&mut self, _now: Instant) {}

    fn failure(&mut self) -> Option<Error> {
        None
    }

    fn report(&mut self, _now: Instant) -> Option<Vec<u8>> {
        None
    }

    fn key_frame_request(&mut self, _now: Instant) -> Option<Vec<u8>> {
        self.key_frame_request.clone()
    }
}

fn config(address: SocketAddr) -> Config {
    Config {
        uri: StreamUri::split(&format!("rtsp://{address}/stream")).unwrap().0,
        wanted: Wanted::Video,
        credentials: Some(Credentials { username: "admin".into(), password: Secret::new("secret") }),
        allow_clear_password: false,
        transport: None,
        tls: KeyCheck::default(),
        timeouts: Timeouts::default(),
        seed: [1; 8],
    }
}

/// Reads until `enough` packets have come, then stops.
fn read(config: Config, enough: usize) -> (Outcome, Recorder) {
    let (_, never) = Notifier::pair();
    read_into(Recorder { enough, ..Recorder::default() }, config, &never)
}

/// The same into `recorder`, whose request for a key frame is sent at each notification of `wanted`.
fn read_into(mut recorder: Recorder, config: Config, wanted: &Notified) -> (Outcome, Recorder) {
    let (sender, receiver) = smol::channel::bounded::<()>(1);
    recorder.stop = Some(sender);
    let stop = async move {
        let _ = receiver.recv().await;
    };
    let read = client::read("test", config, Learnt::default(), &mut recorder, wanted, stop);
    let limit = async {
        Timer::after(Duration::from_secs(60)).await;
        panic!("it does not end");
    };
    let outcome = smol::block_on(read.or(limit));
    (outcome, recorder)
}

#[test]
fn good_session_is_torn_down_without_a_reset() {
    let camera = Camera::start(|_, mut peer: Peer| {
        peer.open(SDP);
        let mut number = 0;
        // The camera goes on sending until it has read TEARDOWN.
        while peer.pending().is_none() {
            number += 1;
            peer.send(&frame(0, &rtp(number, &[7; 1000])));
            peer.send(&frame(1, &[0x80, 200, 0, 1, 0, 0, 0, 1]));
        }
        let teardown = peer.request();
        assert!(teardown.starts_with("TEARDOWN rtsp://"), "{teardown}");
        peer.answer("");
        peer.expect_end();
    });
    let (outcome, recorder) = read(config(camera.address), 50);
    assert_eq!(outcome.error, None);
    assert_eq!(recorder.packets[..50], (1..=50).collect::<Vec<u16>>());
    assert!(recorder.rtcp > 0 && recorder.skipped == 0);
    assert_eq!((recorder.tracks.len(), recorder.tracks[0].1), (1, Transport::Tcp));
    assert_eq!(outcome.learnt.transport, Some(Transport::Tcp));
    camera.finish();
}

#[test]
fn r043_r113_slow_camera_is_waited_for() {
    let camera = Camera::start(|_, mut peer: Peer| {
        peer.request();
        thread::sleep(Duration::from_millis(300));
        peer.answer_with(&format!("Content-Length: {}\r\n", SDP.len()), SDP);
        peer.request();
        thread::sleep(Duration::from_millis(300));
        peer.answer("Session: 1\r\n");
        peer.request();
        thread::sleep(Duration::from_millis(300));
        peer.answer("");
        thread::sleep(Duration::from_millis(300));
        peer.send(&frame(0, &rtp(1, b"x")));
        peer.request();
    });
    let mut config = config(camera.address);
    let limit = Duration::from_secs(5);
    config.timeouts = Timeouts { response: limit, setup: limit, first_packet: limit, ..config.timeouts };
    let (outcome, recorder) = read(config, 1);
    assert_eq!((outcome.error, recorder.packets), (None, vec![1]));
    camera.finish();
}

#[test]
fn camera_that_never_answers_is_given_up_in_time() {
    for (answered, method) in [(0, Method::Describe), (1, Method::Setup), (2, Method::Play)] {
        let camera = Camera::start(move |_, mut peer: Peer| {
            for number in 0..answered {
                peer.request();
                match number {
                    0 => peer.answer_with(&format!("Content-Length: {}\r\n", SDP.len()), SDP),
                    _ => peer.answer(""),
                }
            }
            peer.request();
            peer.wait_for_end();
        });
        let mut config = config(camera.address);
        let waited = Duration::from_millis(300);
        config.timeouts =
            Timeouts { response: waited, setup: waited, teardown: Duration::from_millis(50), ..config.timeouts };
        let (outcome, _) = read(config, 1);
        assert_eq!(outcome.error, Some(Error::NoAnswer { method, waited }));
        camera.finish();
    }
}

#[test]
fn r114_camera_that_sends_nothing_after_play_gets_a_teardown() {
    let camera = Camera::start(|_, mut peer: Peer| {
        peer.open(SDP);
        assert!(peer.request().starts_with("TEARDOWN "));
    });
    let mut config = config(camera.address);
    let waited = Duration::from_millis(300);
    config.timeouts.first_packet = waited;
    let (outcome, _) = read(config, 1);
    assert_eq!(outcome.error, Some(Error::NoPackets { transport: Transport::Tcp, waited }));
    camera.finish();
}

#[test]
fn r006_camera_without_options_is_kept_alive() {
    let camera = Camera::start(|_, mut peer: Peer| {
        peer.request();
        peer.answer_with(&format!("Content-Length: {}\r\n", SDP.len()), SDP);
        peer.request();
        peer.answer("Session: 1; timeout=3\r\n");
        peer.request();
        peer.answer("");
        for number in 1..=3 {
            peer.send(&frame(0, &rtp(number, b"x")));
            let keepalive = peer.request();
            assert!(keepalive.starts_with("OPTIONS ") && keepalive.contains("\r\nSession: 1\r\n"), "{keepalive}");
            peer.send_status(501, "");
        }
        peer.send(&frame(0, &rtp(4, b"x")));
        assert!(peer.request().starts_with("TEARDOWN "));
    });
    let (outcome, recorder) = read(config(camera.address), 4);
    assert_eq!((outcome.error, recorder.packets), (None, vec![1, 2, 3, 4]));
    camera.finish();
}

#[test]
fn r019_r027_camera_with_sha_256_alone_that_closes_after_each_refusal_is_read() {
    let camera = Camera::start(|number, mut peer: Peer| {
        let request = peer.request();
        if number == 0 {
            assert!(!request.contains("Authorization"), "{request}");
            peer.send_status(
                401,
                "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"\r\n",
            );
            return;
        }
        assert!(request.contains("algorithm=SHA-256") && request.contains("nonce=\"n\""), "{request}");
        peer.answer_with(&format!("Content-Length: {}\r\n", SDP.len()), SDP);
        for _ in 0..2 {
            assert!(peer.request().contains("algorithm=SHA-256"));
            peer.answer("Session: 1\r\n");
        }
        peer.send(&frame(0, &rtp(1, b"x")));
        peer.request();
    });
    let (outcome, recorder) = read(config(camera.address), 1);
    assert_eq!((outcome.error, recorder.packets), (None, vec![1]));
    camera.finish();
}

#[test]
fn r029_r116_r117_camera_without_tcp_is_read_over_udp_and_strangers_are_not() {
    let camera = Camera::start(|number, mut peer: Peer| {
        peer.request();
        peer.answer_with(&format!("Content-Length: {}\r\n", SDP.len()), SDP);
        let setup = peer.request();
        if number == 0 {
            return peer.send_status(461, "");
        }
        let ports =
            setup.split("RTP/AVP;unicast;client_port=").nth(1).and_then(|rest| rest.lines().next()).unwrap_or("");
        let port: u16 = ports.split('-').next().unwrap().parse().unwrap();
        assert_eq!(port % 2, 0, "{setup}");
        let [rtp_socket, rtcp_socket, stranger] = [(); 3].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let (a, b) = (rtp_socket.local_addr().unwrap().port(), rtcp_socket.local_addr().unwrap().port());
        peer.answer(&format!("Session: 1\r\nTransport: RTP/AVP;unicast;client_port={ports};server_port={a}-{b}\r\n"));
        // The way through a firewall is opened before PLAY.
        let mut buffer = [0; 100];
        assert_eq!(rtp_socket.recv(&mut buffer).unwrap(), 12);
        let count = rtcp_socket.recv(&mut buffer).unwrap();
        assert!(count >= 8 && buffer[1] == 201, "{:?}", &buffer[..count]);
        peer.request();
        peer.answer("");
        // A packet of somebody else, also from another address.
        stranger.send_to(&rtp(666, b"s"), ("127.0.0.1", port)).unwrap();
        let other = UdpSocket::bind(("127.0.0.2", a)).unwrap();
        other.send_to(&rtp(667, b"s"), ("127.0.0.1", port)).unwrap();
        for sequence in 1..=3 {
            rtp_socket.send_to(&rtp(sequence, b"x"), ("127.0.0.1", port)).unwrap();
        }
        rtcp_socket.send_to(&[0x80, 200, 0, 1, 0, 0, 0, 1], ("127.0.0.1", port + 1)).unwrap();
        // The connection stays open meanwhile.
        assert!(peer.request().starts_with("TEARDOWN "));
    });
    let (outcome, recorder) = read(config(camera.address), 3);
    assert_eq!((outcome.error, recorder.packets), (None, vec![1, 2, 3]));
    assert_eq!(outcome.learnt.transport, Some(Transport::Udp));
    assert_eq!(outcome.counters.dropped_packets, 2, "of strangers");
    camera.finish();
}

#[test]
fn r070_connection_is_read_on_after_rubbish() {
    let camera = Camera::start(|_, mut peer: Peer| {
        peer.open(SDP);
        let cut = frame(0, &rtp(2, &[7; 900]));
        let mut bytes = frame(0, &rtp(1, b"x"));
        bytes.extend(&cut[..300]);
        (3..=20).for_each(|sequence| bytes.extend(frame(0, &rtp(sequence, &[9; 200]))));
        peer.send(&bytes);
        peer.request();
    });
    let (outcome, recorder) = read(config(camera.address), 19);
    assert_eq!(outcome.error, None);
    assert_eq!(recorder.packets, [1].into_iter().chain(3..=20).collect::<Vec<u16>>());
    assert_eq!(recorder.skipped, 300);
    assert_eq!((outcome.counters.skipped_bytes, outcome.counters.resynchronisations), (300, 1));
    camera.finish();
}

#[test]
fn r070_connection_that_makes_no_sense_ends() {
    let camera = Camera::start(|_, mut peer: Peer| {
        peer.open(SDP);
        for _ in 0..500 {
            if peer.stream.write_all(&[0x5a; 1000]).is_err() {
                return;
            }
        }
    });
    let (outcome, _) = read(config(camera.address), 1);
    assert!(matches!(outcome.error, Some(Error::OutOfStep { skipped }) if skipped < 400_000), "{:?}", outcome.error);
    camera.finish();
}

#[test]
fn r073_camera_that_does_not_read_is_given_up() {
    let camera = Camera::start(|_, mut peer: Peer| {
        peer.open(SDP);
        // Each of them is answered.
        let questions = "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n".repeat(1000);
        while peer.stream.write_all(questions.as_bytes()).is_ok() {}
    });
    let mut config = config(camera.address);
    config.timeouts.write = Duration::from_millis(300);
    let (outcome, _) = read(config, 1);
    assert_eq!(outcome.error, Some(Error::WriteTimeout { waited: Duration::from_millis(300) }));
    camera.finish();
}

#[test]
fn r120_ends_are_told_apart() {
    type End = fn(Peer);
    let ends: [(End, Error); 3] = [
        (|_| {}, Error::Closed { inside_packet: false }),
        (|mut peer| peer.send(b"$\0\x10\0half"), Error::Closed { inside_packet: true }),
        (|peer| peer.reset(), Error::Reset),
    ];
    for (end, error) in ends {
        let camera = Camera::start(move |_, mut peer: Peer| {
            peer.open(SDP);
            end(peer);
        });
        let (outcome, _) = read(config(camera.address), 1);
        assert_eq!(outcome.error, Some(error));
        camera.finish();
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (outcome, _) = read(config(address), 1);
    assert_eq!(outcome.error, Some(ConnectError::Refused { address: address.to_string() }.into()));
}

/// Reads access units until `enough` whole ones have come, then stops.
fn read_units(config: Config, enough: usize) -> (Outcome, Vec<Unit>) {
    let (sender, receiver) = smol::channel::bounded::<()>(1);
    let (mut sender, mut units, mut gate) = (Some(sender), Vec::new(), KeyFrameGate::new());
    let on_event = |event| {
        if let Event::Unit(unit) = event
            && gate.admit(&unit)
        {
            units.push(unit);
            if units.len() >= enough {
                sender = None;
            }
        }
    };
    let stop = async move {
        let _ = receiver.recv().await;
    };
    let (_, never) = Notifier::pair();
    let read = stream::read("test", config, Learnt::default(), on_event, &never, stop);
    let limit = async {
        Timer::after(Duration::from_secs(60)).await;
        panic!("it does not end");
    };
    let outcome = smol::block_on(read.or(limit));
    (outcome, units)
}

#[test]
fn r051_packets_of_another_payload_type_than_described_give_access_units() {
    let camera = Camera::start(|_, mut peer: Peer| {
        peer.open(SDP);
        let mut sequence = 0;
        for picture in 0..40_u32 {
            let slice: &[u8] = if picture % 20 == 0 { &[0x65, 0x88, 0x84, 1] } else { &[0x41, 0x9a, 1, 2] };
            let nals: &[&[u8]] = if picture % 20 == 0 { &[SPS, PPS, slice] } else { &[slice] };
            for (number, nal) in nals.iter().enumerate() {
                sequence += 1;
                let mut packet = rtp(sequence, nal);
                packet[1] = 98 | if number + 1 == nals.len() { 0x80 } else { 0 };
                packet[4..8].copy_from_slice(&(picture * 3600).to_be_bytes());
                peer.send(&frame(0, &packet));
            }
            thread::sleep(Duration::from_millis(20));
        }
        peer.wait_for_end();
    });
    let (outcome, units) = read_units(config(camera.address), 30);
    assert_eq!(outcome.error, None);
    assert!(units.iter().all(|unit| unit.is_whole) && units[0].is_key && units[20].is_key, "{units:?}");
    assert_eq!(units[1].data, [0, 0, 0, 1, 0x41, 0x9a, 1, 2]);
    camera.finish();
}

/// A camera that sends no key frame until it is asked for one in the way that its description offers,
/// the way of which `is_request` knows the packet. Returns how often it was asked.
fn asked_for_a_key_frame(offer: &str, transport: Transport, is_request: fn(&[u8]) -> bool) -> usize {
    let asked = Arc::new(AtomicUsize::new(0));
    let (sdp, counter) = (SDP.replace("a=control:t", &format!("{offer}a=control:t")), Arc::clone(&asked));
    let camera = Camera::start(move |_, mut peer: Peer| {
        let rtcp = UdpSocket::bind("127.0.0.1:0").unwrap();
        rtcp.set_nonblocking(true).unwrap();
        let rtp_socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut client = None;
        match transport {
            Transport::Udp => {
                let ports = [&rtp_socket, &rtcp].map(|socket| socket.local_addr().unwrap().port());
                client = Some(peer.open_udp(&sdp, ports));
            }
            _ => peer.open(&sdp),
        }
        peer.stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let (mut sequence, mut is_over, mut wants) = (0, false, false);
        while !is_over {
            let nals: &[&[u8]] = if wants { &[SPS, PPS, &[0x65, 0x88, 0x84, 1]] } else { &[&[0x41, 0x9a, 1, 2]] };
            for (number, nal) in nals.iter().enumerate() {
                sequence += 1;
                let mut packet = rtp(sequence, nal);
                packet[1] = 96 | if number + 1 == nals.len() { 0x80 } else { 0 };
                packet[4..8].copy_from_slice(&(u32::from(sequence) * 3600).to_be_bytes());
                match client {
                    None => peer.stream.write_all(&frame(0, &packet)).unwrap_or(()),
                    Some(port) => drop(rtp_socket.send_to(&packet, ("127.0.0.1", port))),
                }
            }
            let mut piece = [0; 2000];
            if client.is_some()
                && let Ok(count) = rtcp.recv(&mut piece)
                && is_request(&piece[..count])
            {
                counter.fetch_add(1, Ordering::SeqCst);
                wants = true;
            }
            match peer.stream.read(&mut piece) {
                Ok(0) => is_over = true,
                Ok(count) if piece[0] == b'$' => {
                    assert_eq!(piece[1], 1, "the channel of RTCP");
                    assert!(is_request(&piece[4..count]), "{:?}", &piece[..count]);
                    counter.fetch_add(1, Ordering::SeqCst);
                    wants = true;
                }
                Ok(_) => is_over = true,
                Err(_) => {}
            }
        }
    });
    let (notifier, wanted) = Notifier::pair();
    let (sender, receiver) = smol::channel::bounded::<()>(1);
    let (mut sender, mut offered, mut units) = (Some(sender), None, 0);
    let on_event = |event| match event {
        Event::SetUp { key_frame_request, .. } => offered = key_frame_request,
        Event::Unit(unit) => {
            units += 1;
            if units == 5 {
                notifier.notify();
            }
            // Without an offer there is nothing to wait for but the packets of a while.
            if unit.is_key || (offered.is_none() && units > 50) {
                sender = None;
            }
        }
        _ => {}
    };
    let stop = async move {
        let _ = receiver.recv().await;
    };
    let config = Config { transport: Some(transport), ..config(camera.address) };
    let read = stream::read("test", config, Learnt::default(), on_event, &wanted, stop);
    let limit = async {
        Timer::after(Duration::from_secs(60)).await;
        panic!("no key frame comes");
    };
    assert_eq!(smol::block_on(read.or(limit)).error, None);
    camera.finish();
    asked.load(Ordering::SeqCst)
}

#[test]
fn r110_camera_that_offers_it_is_asked_for_a_key_frame_by_rtcp() {
    /// Whether the last packet of a compound packet has this type of feedback.
    fn feedback(compound: &[u8], format: u8, words: usize) -> bool {
        let last = compound.len().checked_sub(4 * (words + 1)).map_or(&[][..], |at| &compound[at..]);
        compound[1] == 201 && last.starts_with(&[0x80 | format, 206])
    }
    let (pli, fir) = ("a=rtcp-fb:96 nack pli\r\n", "a=rtcp-fb:* ccm fir\r\n");
    assert_eq!(asked_for_a_key_frame(pli, Transport::Tcp, |packet| feedback(packet, 1, 2)), 1);
    assert_eq!(asked_for_a_key_frame(fir, Transport::Tcp, |packet| feedback(packet, 4, 4)), 1);
    assert_eq!(asked_for_a_key_frame(pli, Transport::Udp, |packet| feedback(packet, 1, 2)), 1);
    assert_eq!(asked_for_a_key_frame("", Transport::Tcp, |_| false), 0);
}

#[test]
fn virtual_camera_is_read_over_both_transports_with_its_login() {
    // At the address from which it sends datagrams to this machine.
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let by_udp =
        format!("id=porch codec=h264 size=320x240 fps=25 small=none ip=127.0.0.1 rtsp={} onvif={}", free(), free());
    let cameras = crate::support::Cameras::start(&[
        &by_udp,
        "id=gate codec=h264 size=320x240 fps=25 small=none user=admin pass=secret",
        "id=yard codec=h265 size=320x240 fps=25 small=none",
        "id=hall codec=mjpeg size=320x240 fps=10 small=none",
    ]);
    for (id, transport) in
        [("gate", Transport::Tcp), ("porch", Transport::Udp), ("yard", Transport::Tcp), ("hall", Transport::Tcp)]
    {
        let uri = StreamUri::split(&cameras.stream(id)).unwrap().0;
        let config = Config { uri, transport: Some(transport), ..config(([127, 0, 0, 1], 0).into()) };
        let (outcome, units) = read_units(config, 30);
        assert_eq!(outcome.error, None, "{id}");
        assert!(units[0].is_key && units.iter().all(|unit| unit.is_whole), "{id}");
        assert!(units.windows(2).all(|pair| pair[0].received_at <= pair[1].received_at), "{id}");
    }
}
