//! The server as a client sees it, over a real connection.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpStream, UdpSocket},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use gstreamer::{self as gst, prelude::*};

use super::{
    message::{Incoming, Input, Request},
    server::Server,
};
use crate::{
    camera::Camera,
    settings,
    stream::{Part, Stream},
};

pub fn camera(keys: &str) -> Arc<Camera> {
    let line = ["--camera".to_owned(), format!("id=gate ip=127.0.0.1 rtsp=0 size=160x96 small=none {keys}")];
    let options = settings::parse(line.iter().map(std::ffi::OsString::from)).unwrap().unwrap();
    Arc::new(Camera::new(options.cameras.into_iter().next().unwrap()))
}

/// A request for `rtsp://h/main`.
pub fn request(method: &str, headers: &str) -> Request {
    let mut input = Input::default();
    input.extend(format!("{method} rtsp://h/main RTSP/1.0\r\nCSeq: 1\r\n{headers}\r\n").as_bytes());
    match input.next() {
        Ok(Some(Incoming::Request(request))) => request,
        other => panic!("{other:?}"),
    }
}

const TCP: &str = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";

fn started(keys: &str) -> Arc<Server> {
    gst::init().unwrap();
    let camera = camera(keys);
    let stream = Stream::new(Arc::clone(&camera), Part::Main);
    Server::start(camera, vec![stream]).unwrap()
}

struct Client {
    stream: BufReader<TcpStream>,
    url: String,
}

impl Client {
    fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let url = format!("rtsp://127.0.0.1:{}/main", server.port);
        Self { stream: BufReader::new(stream), url }
    }

    fn send(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// The next packet: its channel, and its bytes.
    fn packet(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).unwrap();
        assert_eq!(head[0], b'$');
        let mut bytes = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]]))];
        self.stream.read_exact(&mut bytes).unwrap();
        (head[1], bytes)
    }

    /// The next answer: its status, and the rest. Packets before it are skipped.
    fn answer(&mut self) -> (u16, String) {
        while self.stream.fill_buf().unwrap().first() == Some(&b'$') {
            self.packet();
        }
        let (mut text, mut length) = (String::new(), 0);
        while !text.ends_with("\r\n\r\n") {
            let from = text.len();
            assert_ne!(self.stream.read_line(&mut text).unwrap(), 0, "closed after {text:?}");
            if let Some(value) = text[from..].strip_prefix("Content-Length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        text.push_str(std::str::from_utf8(&body).unwrap());
        (text.split(' ').nth(1).unwrap().trim().parse().unwrap(), text)
    }

    fn ask(&mut self, method: &str, track: &str, headers: &str) -> (u16, String) {
        let text = format!("{method} {}{track} RTSP/1.0\r\nCSeq: 5\r\n{headers}\r\n", self.url);
        self.send(&text);
        self.answer()
    }

    /// Plays the picture, and returns the `Session` header.
    fn play(&mut self, transport: &str) -> String {
        let (status, text) = self.ask("SETUP", "/stream=0", transport);
        assert_eq!(status, 200, "{text}");
        let id = text.lines().find_map(|line| line.strip_prefix("Session: ")).unwrap();
        let session = format!("Session: {}\r\n", id.split(';').next().unwrap());
        assert_eq!(self.ask("PLAY", "", &session).0, 200);
        session
    }
}

fn wait_for(what: &str, mut wanted: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !wanted() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn sessions(server: &Server) -> i64 {
    server.camera.counters.sessions.load(Ordering::Relaxed)
}

#[test]
fn pipelined_requests_are_answered_in_order_between_interleaved_packets() {
    let server = started("");
    let mut client = Client::connect(&server);
    let options = |number| format!("OPTIONS * RTSP/1.0\r\nCSeq: {number}\r\n\r\n");
    client.send(&format!("{}$\0\0\u{4}abcd{}", options(1), options(2)));
    for number in 1..=2 {
        let (status, text) = client.answer();
        assert_eq!(status, 200);
        assert!(text.contains(&format!("CSeq: {number}\r\n")) && text.contains("GET_PARAMETER"), "{text}");
    }
}

#[test]
fn stream_is_described_with_its_parameter_sets_and_played_from_a_key_frame() {
    let server = started("");
    let mut client = Client::connect(&server);
    let (status, text) = client.ask("DESCRIBE", "", "Accept: application/sdp\r\n");
    assert!(status == 200 && text.contains("sprop-parameter-sets=Z"), "{text}");
    let session = client.play(TCP);
    let (channel, packet) = client.packet();
    assert_eq!((channel, packet[0], packet[12] & 0x1f), (0, 0x80, 24), "the sets come first");
    assert_eq!(client.ask("PAUSE", "", &session).0, 200);
    assert_eq!(client.ask("GET_PARAMETER", "", &session).0, 200);
    assert_eq!(client.ask("PLAY", "", &session).0, 200);
    assert_eq!(client.packet().1[12] & 0x1f, 24);
    assert_eq!((sessions(&server), client.ask("TEARDOWN", "", &session).0, sessions(&server)), (1, 200, 0));
    assert_eq!(client.ask("PLAY", "", &session).0, 454);
}

#[test]
fn wrong_requests_are_refused_with_their_status() {
    let server = started("audio=on habits=no-udp");
    let mut client = Client::connect(&server);
    for (method, track, headers, status) in [
        ("DESCRIBE", "x", "", 404),
        ("DESCRIBE", "", "Accept: text/html\r\n", 406),
        ("SETUP", "", TCP, 459),
        ("SETUP", "/stream=2", TCP, 404),
        ("SETUP", "/other/stream=0", TCP, 404),
        ("DESCRIBE", "?login=none", "", 200),
        ("SETUP", "/stream=0", "", 400),
        ("SETUP", "/stream=0", "Transport: RTP/AVP;unicast;client_port=5000-5001\r\n", 461),
        ("SETUP", "/stream=0", "Transport: RTP/AVP;multicast\r\n", 461),
        ("SETUP", "/stream=0", "Session: 1\r\nTransport: RTP/AVP/TCP\r\n", 454),
        ("PLAY", "", "", 454),
        ("TEARDOWN", "", "Session: 1\r\n", 454),
        ("RECORD", "", "", 501),
    ] {
        assert_eq!(client.ask(method, track, headers).0, status, "{method} {track} {headers}");
    }
    assert_eq!(sessions(&server), 0);
    client.send("what is this?\r\n\r\n");
    assert_eq!(client.answer().0, 400);
    assert_eq!(client.stream.read(&mut [0; 1]).unwrap(), 0, "the connection ends");
}

#[test]
fn control_is_found_behind_a_query() {
    let server = started("audio=on");
    let mut client = Client::connect(&server);
    for track in ["/stream=0", "?channel=1&subtype=0/stream=1", "/?x=/stream=0"] {
        assert_eq!(client.ask("SETUP", track, TCP).0, 200, "{track}");
    }
}

/// A client that is not of our making.
#[test]
fn gstreamer_plays_every_codec_over_tcp_and_udp_with_a_login() {
    for (codec, reader) in [
        ("h264", "rtph264depay ! h264parse"),
        ("h265", "rtph265depay ! h265parse"),
        ("mjpeg", "rtpjpegdepay ! jpegdec"),
    ] {
        let server = started(&format!("codec={codec} user=viewer pass=right"));
        let port = server.port;
        for protocol in ["tcp", "udp"] {
            let line = format!(
                "rtspsrc location=rtsp://127.0.0.1:{port}/main protocols={protocol} user-id=viewer user-pw=right \
                 latency=0 ! {reader} ! fakesink num-buffers=10 sync=false"
            );
            let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
            pipeline.set_state(gst::State::Playing).unwrap();
            let ends = [gst::MessageType::Eos, gst::MessageType::Error];
            let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(20), &ends);
            pipeline.set_state(gst::State::Null).unwrap();
            let is_whole = end.as_ref().is_some_and(|end| end.type_() == gst::MessageType::Eos);
            assert!(is_whole, "{codec} over {protocol}: {end:?}");
        }
        wait_for("the end of the sessions", || sessions(&server) == 0);
    }
}

#[test]
fn session_ends_with_its_connection_and_no_frame_is_made_after_it() {
    let server = started("");
    let mut client = Client::connect(&server);
    client.play(TCP);
    client.packet();
    drop(client);
    wait_for("the end of the session", || sessions(&server) == 0);
    let frames = || server.camera.counters.frames.load(Ordering::Relaxed);
    let before = frames();
    std::thread::sleep(Duration::from_millis(300));
    assert!(frames() <= before + 1);
}

#[test]
fn session_over_udp_lasts_while_the_client_reports() {
    let server = started("habits=session-timeout=1");
    let (rtp, rtcp) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
    let mut client = Client::connect(&server);
    let transport = format!("Transport: RTP/AVP;unicast;client_port={}-{}\r\n", port(&rtp), port(&rtcp));
    client.play(&transport);
    rtp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut packet = [0; 2000];
    assert!(rtp.recv(&mut packet).unwrap() > 12 && packet[0] == 0x80);
    let reports_to = rtcp.recv_from(&mut packet).unwrap().1;
    assert_eq!(packet[1], 200, "a sender report");
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        rtcp.send_to(&[0x80, 201, 0, 1, 0, 0, 0, 0], reports_to).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(sessions(&server), 1);
    }
    wait_for("the end of a session whose client is silent", || sessions(&server) == 0);
}

#[test]
fn habits_are_seen_by_the_client() {
    let server = started(
        "habits=slow-answers=200,no-options,no-content-base,no-rtp-info,payload-type=98-in-packets-while-96-in-sdp",
    );
    let mut client = Client::connect(&server);
    let began = Instant::now();
    assert_eq!(client.ask("OPTIONS", "", "").0, 501);
    assert!(began.elapsed() >= Duration::from_millis(200));
    let (_, text) = client.ask("DESCRIBE", "", "");
    assert!(text.contains("RTP/AVP 96") && !text.contains("Content-Base"), "{text}");
    client.play(TCP);
    assert_eq!(client.packet().1[1] & 0x7f, 98);
}

/// FFmpeg's and live555's clients get over these habits; a client of ours must too.
#[test]
fn habits_of_the_framing_are_on_the_wire() {
    let server = started("habits=garbage-between=1000,foreign-channel,crlf-before-answers,plain-transport,odd-headers");
    let mut client = Client::connect(&server);
    client.send(&format!("SETUP {}/stream=0 RTSP/1.0\r\nCSeq: 1\r\n{TCP}\r\n", client.url));
    let mut head = [0; 2];
    client.stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"\r\n");
    let (status, text) = client.answer();
    assert!(status == 200 && text.contains("transport:       RTP/AVP;unicast;interleaved=0-1"), "{text}");
    let session = text.lines().find_map(|line| line.strip_prefix("session:")).unwrap().trim();
    assert!(session.ends_with("; timeout=60"), "{session}");
    let id = session.split(';').next().unwrap();
    client.send(&format!("PLAY {} RTSP/1.0\r\nCSeq: 2\r\nSession: {id}\r\n\r\n", client.url));
    client.stream.read_exact(&mut head).unwrap();
    assert_eq!(client.answer().0, 200);
    client.stream.read_exact(&mut head).unwrap();
    assert_eq!(head, [0, 0xff], "garbage");
    let mut rest = Vec::new();
    client.stream.read_until(b'$', &mut rest).unwrap();
    assert_eq!(client.stream.fill_buf().unwrap()[0], 99);
}
