//! Multicast, and RTSP through HTTP.

use std::{
    io::{BufRead, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::mpsc,
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cctv_agent::{camera::Transport, http_auth::login::LoginError, rtsp::Error, sync::Notifier};
use socket2::{Domain, Protocol, Socket, Type};

use super::{
    Recorder, config, read, read_into,
    scripted::{Camera, Peer, SDP, frame, rtp},
};

/// A socket that sends to groups of loopback, from `source`.
fn sender(source: [u8; 4]) -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    socket.into()
}

#[test]
fn group_is_read_and_strangers_in_it_are_not() {
    const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 88, 1);
    let camera = Camera::start(|_, mut peer: Peer| {
        peer.request();
        peer.answer_with(&format!("Content-Length: {}\r\n", SDP.len()), SDP);
        let setup = peer.request();
        assert!(setup.contains("\r\nTransport: RTP/AVP;multicast\r\n"), "{setup}");
        let transport = format!("RTP/AVP;multicast;destination={GROUP};port=45000-45001;ttl=1");
        peer.answer(&format!("Session: 1\r\nTransport: {transport}\r\n"));
        peer.request();
        peer.answer("");
        let (ours, stranger) = (sender([127, 0, 0, 1]), sender([127, 0, 0, 2]));
        stranger.send_to(&rtp(666, b"s"), (GROUP, 45_000)).unwrap();
        for sequence in 1..=3 {
            ours.send_to(&rtp(sequence, b"x"), (GROUP, 45_000)).unwrap();
        }
        ours.send_to(&[0x80, 200, 0, 1, 0, 0, 0, 1], (GROUP, 45_001)).unwrap();
        assert!(peer.request().starts_with("TEARDOWN "));
    });
    let mut config = config(camera.address);
    config.transport = Some(Transport::Multicast);
    let (outcome, recorder) = read(config, 3);
    assert_eq!((outcome.error, recorder.packets), (None, vec![1, 2, 3]));
    assert_eq!(recorder.tracks[0].1, Transport::Multicast);
    assert_eq!(outcome.counters.dropped_packets, 1, "of the stranger");
    camera.finish();
}

/// The head of the next request of HTTP, in lines.
fn head(reader: &mut impl BufRead) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "a whole head, after {lines:?}");
        match line.trim_end() {
            "" => return lines,
            line => lines.push(line.to_owned()),
        }
    }
}

fn field<'a>(head: &'a [String], name: &str) -> &'a str {
    head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

fn accept(listener: &TcpListener) -> (TcpStream, BufReader<TcpStream>) {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let reader = BufReader::new(stream.try_clone().unwrap());
    (stream, reader)
}

/// The next piece of a POST in Base64, decoded: it ends with a whole request, or is one packet.
fn piece(post: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let mut four = [0; 4];
        post.read_exact(&mut four).ok()?;
        bytes.extend(STANDARD.decode(four).expect("Base64"));
        let is_packet = bytes[0] == b'$' && bytes.len() >= 4;
        let is_whole = match is_packet {
            true => bytes.len() == 4 + usize::from(u16::from_be_bytes([bytes[2], bytes[3]])),
            false => bytes.ends_with(b"\r\n\r\n"),
        };
        if is_whole {
            return Some(bytes);
        }
    }
}

/// Answers requests of RTSP through a tunnel, as [`Peer::open`] does; the last one is PLAY.
fn open(get: &mut TcpStream, post: &mut impl BufRead) {
    for _ in 0..3 {
        let request = String::from_utf8(piece(post).unwrap()).unwrap();
        let cseq = request.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap();
        let (headers, body) = match request.split(' ').next().unwrap() {
            "DESCRIBE" => (format!("Content-Length: {}\r\n", SDP.len()), SDP),
            "SETUP" => ("Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n".to_owned(), ""),
            _ => (String::new(), ""),
        };
        get.write_all(format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n{headers}\r\n{body}").as_bytes()).unwrap();
    }
}

const TUNNEL: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Type: application/x-rtsp-tunnelled\r\n\r\n";

/// The POST is never answered (R40), the GET wants a login, and what does not fit into one POST comes in the next one.
#[test]
fn r040_tunnel_through_http_is_read() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (notifier, wanted) = Notifier::pair();
    let (sender, more) = mpsc::channel();
    let camera = thread::spawn(move || {
        let (mut stream, mut reader) = accept(&listener);
        let get = head(&mut reader);
        assert_eq!(get[0], "GET /stream HTTP/1.0");
        assert_eq!((field(&get, "Authorization"), field(&get, "Host")), ("", &*address.to_string()));
        let challenge = "WWW-Authenticate: Digest realm=\"camera\", nonce=\"abc\", qop=\"auth\"";
        stream.write_all(format!("HTTP/1.0 401 Unauthorized\r\n{challenge}\r\n\r\n").as_bytes()).unwrap();
        drop(stream);

        let (mut answer, mut reader) = accept(&listener);
        let get = head(&mut reader);
        assert!(field(&get, "Authorization").starts_with("Digest username=\"admin\""), "{get:?}");
        let cookie = field(&get, "x-sessioncookie").to_owned();
        assert!((8..24).contains(&cookie.len()), "{cookie}");
        answer.write_all(TUNNEL).unwrap();

        let mut sequence = 0;
        for post in 0..2 {
            let (_stream, mut reader) = accept(&listener);
            let lines = head(&mut reader);
            assert_eq!((&*lines[0], field(&lines, "x-sessioncookie")), ("POST /stream HTTP/1.0", &*cookie));
            assert!(field(&lines, "Authorization").starts_with("Digest username=\"admin\""), "{lines:?}");
            let room: u64 = field(&lines, "Content-Length").parse().unwrap();
            let mut body = reader.take(room);
            if post == 0 {
                open(&mut answer, &mut body);
            }
            sequence += 1;
            answer.write_all(&frame(0, &rtp(sequence, b"x"))).unwrap();
            // The next one is wanted once this one has come, until the client opens another POST.
            while sender.send(()).is_ok() {
                match piece(&mut body) {
                    Some(packet) if packet[0] == b'$' => assert_eq!(packet.len(), 1004),
                    Some(request) => {
                        assert!(request.starts_with(b"TEARDOWN "));
                        return post;
                    }
                    None => break,
                }
                if post == 1 {
                    sequence += 1;
                    answer.write_all(&frame(0, &rtp(sequence, b"y"))).unwrap();
                }
            }
        }
        panic!("no TEARDOWN");
    });
    let asker = thread::spawn(move || {
        while more.recv().is_ok() {
            notifier.notify();
        }
    });
    let mut config = config(address);
    config.transport = Some(Transport::Http);
    let recorder = Recorder { enough: 4, key_frame_request: Some(vec![7; 1000]), ..Recorder::default() };
    let (outcome, recorder) = read_into(recorder, config, &wanted);
    // A fifth may have come before the client stopped.
    assert_eq!((outcome.error, &recorder.packets[..4]), (None, &[1, 2, 3, 4][..]));
    assert_eq!((recorder.tracks[0].1, outcome.learnt.transport), (Transport::Http, None));
    assert_eq!(camera.join().unwrap(), 1, "in the second POST");
    asker.join().unwrap();
}

#[test]
fn web_server_without_a_tunnel_is_told() {
    let refusals = [
        ("404 Not Found", Error::TransportRefused { transport: Transport::Http, status: Some(404) }),
        ("403 Forbidden", LoginError::Denied { status: 403 }.into()),
        ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", LoginError::ClearPassword.into()),
    ];
    for (status, expected) in refusals {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let camera = thread::spawn(move || {
            let (mut stream, mut reader) = accept(&listener);
            head(&mut reader);
            stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
        });
        let mut config = config(address);
        config.transport = Some(Transport::Http);
        assert_eq!(read(config, 1).0.error, Some(expected));
        camera.join().unwrap();
    }
}
