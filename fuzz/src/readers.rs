//! Properties that must hold for any input, one function for each parser.
//!
//! A function panics if a property is broken. The first property is that the parser returns at all,
//! in little memory. The fuzzer calls these functions, and so does `tests/corpus.rs`.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::LazyLock,
    time::{Duration, Instant, SystemTime},
};

use smol::Async;

use cctv_agent::{
    camera::{self, Credentials, Secret},
    config::{self, SecretFile},
    discovery::{DatagramSource, XAddr, description, ssdp, wsd},
    event::MAX_TOPIC_LEN,
    http_auth::{authorization, basic, challenge, cookie, digest::Session},
    http_client::response::{self, Response},
    http_jpeg::{
        multipart::{Item, Parts},
        picture_age::PictureAge,
    },
    ipc::{self, FromWorker, Message, ToWorker},
    media::jpeg_scan::{Found, Scanner},
    onvif::{
        PropertyStates, notifications, responses,
        soap::{self, CallError},
        uri_repair::{self, Service},
    },
    rtsp::{
        framing::{self, Deframer, Expected},
        message::{self, Message as RtspMessage, Method, RequestWriter},
        rtp::{self, Encoding, Event, KeyFrameGate, TrackConfig, TrackReceiver, Transport},
        sdp::SessionDescription,
        transport, url,
    },
    text,
    tls::{self, OwnCertificates, Tls},
    web::{
        Limits,
        request_head::{self, Refusal},
        timeout_socket::{self, Peer, Socket, TimedStream},
    },
    xml::{self, Element, filter::Filter},
};

/// Takes any bytes; panics if a property is broken.
pub type Check = fn(&[u8]);

/// Every parser by the name of its target and of the folder of its seeds.
pub const ALL: [(&str, Check); 18] = [
    ("authorization", authorization),
    ("certificate", certificate),
    ("challenge", challenge),
    ("config", config),
    ("connection", connection),
    ("cookie", cookie),
    ("description", description),
    ("ipc", ipc),
    ("multipart", multipart),
    ("probe_match", probe_match),
    ("response", response),
    ("rtp", rtp),
    ("rtp_jpeg", rtp_jpeg),
    ("rtsp_head", rtsp_head),
    ("sdp", sdp),
    ("soap", soap),
    ("ssdp", ssdp),
    ("xml", xml),
];

/// Maximum length of a camera's text in our messages, in characters.
const MAX_QUOTE_LEN: usize = 160;

/// A login of a request is short, holds no control character, and is the same after we write it.
pub fn authorization(bytes: &[u8]) {
    match authorization::parse(bytes) {
        Some(authorization::Login::Basic(login)) => {
            let both = [&login.username, login.password.expose()];
            assert!(both.iter().all(|text| text.len() < bytes.len() && !text.chars().any(char::is_control)));
            assert!(!login.username.is_empty() && !login.username.contains(':'));
            let again = authorization::parse(basic::authorize(&login).as_bytes());
            assert_eq!(again, Some(authorization::Login::Basic(login)));
        }
        Some(authorization::Login::Bearer(token)) => {
            assert!(token.expose().is_ascii() && !token.expose().contains(|c: char| c.is_whitespace() || c == ';'));
        }
        None => {}
    }
}

/// A cookie of ours is what stands in the line; what we give out is found among any others.
pub fn cookie(bytes: &[u8]) {
    if let Ok(Some(value)) = cookie::find(bytes, "__Host-cctv") {
        assert!((1..=cookie::MAX_LEN).contains(&value.len()));
        assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        let pair = [b"__Host-cctv=", value.as_bytes()].concat();
        assert!(bytes.windows(pair.len()).any(|window| window == pair));
    }
    if cookie::find(bytes, "__Host-cctv") == Ok(None) {
        let line = [b"__Host-cctv=mine; ", bytes].concat();
        assert_eq!(cookie::find(&line, "__Host-cctv"), Ok(Some("mine")));
    }
}

/// A connection to the server, as its first byte decides: what is no request is refused by a status, a
/// request is one that the server takes, and no handshake succeeds by chance.
pub fn connection(bytes: &[u8]) {
    static SERVER: LazyLock<(TcpListener, Tls)> = LazyLock::new(|| {
        let tls = Tls::default();
        // Nothing can be kept there, and nothing needs to be.
        let made = OwnCertificates::new(PathBuf::from("/proc/none")).certificate(&BTreeSet::new(), SystemTime::now());
        tls.set(made.expect("there are random bytes").certificate).expect("there are random bytes");
        (TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback is up"), tls)
    });
    let (listener, tls) = &*SERVER;
    let address = listener.local_addr().expect("a listener has an address");
    let mut client = TcpStream::connect(address).expect("the listener listens");
    let (stream, from) = listener.accept().expect("there is a client");
    let bytes = &bytes[..bytes.len().min(16 << 10)];
    client.write_all(bytes).expect("the kernel takes as much");
    client.shutdown(Shutdown::Write).expect("the server has not closed it");
    smol::block_on(async {
        let stream = Async::new(stream).expect("a stream can be waited for").into();
        let stream = TimedStream::new(stream, Duration::from_secs(10));
        let first = stream.first_byte().await;
        assert_eq!(first, bytes.first().copied());
        if first == Some(0x16) {
            assert!(tls.accept(stream).await.is_err(), "a handshake succeeded");
            return;
        }
        let peer = Peer { address: from.ip(), local: address, is_tls: false };
        let mut socket = Socket::new(timeout_socket::Transport::Plain(Box::new(stream)), peer);
        let limits = Limits::default();
        match request_head::read(&mut socket, &limits, limits.head_time).await {
            Ok(head) => {
                let path = head.request.url().path();
                assert!(path.starts_with('/'));
                let method = head.request.method().to_string();
                assert!(
                    matches!(method.as_str(), "GET" | "HEAD") || (method == "POST" && path.starts_with("/log")),
                    "{method}"
                );
                assert!(head.metadata.hosts.len() <= 2);
                assert!(head.request.iter().all(|(name, _)| name.as_str() != "authorization"));
            }
            Err(Refusal::Response(response, _)) => assert!((400..=505).contains(&response.status)),
            Err(Refusal::Gone) => {}
        }
    });
}

/// The end of a certificate is between the years 0 and 9999, as its two forms of time are.
pub fn certificate(bytes: &[u8]) {
    if let Some(end) = tls::not_after(bytes) {
        assert!((-62_167_219_200..=253_402_300_799).contains(&end), "{end}");
    }
}

/// XML is parsed or refused, and never deeper than the limit; escaped text parses back unchanged.
pub fn xml(bytes: &[u8]) {
    if let Ok(root) = xml::read(bytes) {
        assert!(depth(&root) <= 64, "deeper than promised");
    }
    if let Ok(text) = str::from_utf8(bytes) {
        let root = xml::read(format!("<a b=\"{0}\">{0}</a>", xml::escape(text)).as_bytes());
        let root = root.expect("escaped text is harmless");
        assert_eq!(root.text(), text.trim());
        assert_eq!(root.attribute("b"), Some(text));
    }
}

fn depth(element: &Element) -> usize {
    1 + element.children.iter().map(depth).max().unwrap_or(0)
}

/// Pictures of a Motion JPEG stream are whole JPEGs, in pieces of any size; the first byte gives the size.
pub fn multipart(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let read = |step: usize| {
        let (mut parts, mut jpegs) = (Parts::new("multipart/x-mixed-replace; boundary=frame"), Vec::new());
        for piece in bytes.chunks(step) {
            parts.feed(piece);
            loop {
                match parts.next_item() {
                    Ok(Some(Item::Picture { jpeg, size })) => {
                        assert_eq!(Scanner::default().scan(&jpeg), Found::Whole { len: jpeg.len(), size });
                        jpegs.push(jpeg);
                    }
                    Ok(Some(Item::Damaged | Item::End)) => {}
                    Ok(None) => break,
                    Err(_) => return jpegs,
                }
            }
        }
        jpegs
    };
    read(usize::from(*first).max(1));
    read(bytes.len().max(1));
}

/// An HTTP response parses the same in pieces of any size; the first byte gives the size.
pub fn response(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let whole = response::read(bytes).ok();
    let mut reader = response::Reader::default();
    for piece in bytes.chunks(1 + usize::from(*first)) {
        match reader.feed(piece) {
            Ok(true) => break,
            Ok(false) => {
                let _ = reader.looks_complete();
            }
            Err(_) => return assert_eq!(whole, None, "refused in pieces only"),
        }
    }
    let (Some(whole), Some(pieces)) = (&whole, reader.finish().ok()) else {
        return assert_eq!(whole, None, "refused in pieces only");
    };
    assert!(whole.body.len() <= response::MAX_BODY_LEN && whole.headers.len() <= response::MAX_HEADERS);
    let _ = PictureAge::default().of(whole);
    assert_eq!((whole.status, &whole.headers), (pieces.status, &pieces.headers));
    // If an announced length is too small, the bytes after the root element may be parsed or not.
    if whole.body != pieces.body {
        assert!(whole.body.starts_with(&pieces.body), "{:?} and {:?}", whole.body, pieces.body);
        assert_eq!(xml::read(&whole.body).ok(), Some(xml::read(&pieces.body).expect("the root is closed")));
    }
}

/// The kept part of a list of profiles is the same in pieces of any size, and no longer than the
/// input.
fn filter(bytes: &[u8]) {
    let kept = |step: usize| {
        let (mut filter, mut kept) = (Filter::new(responses::PROFILE_OUTLINE), Vec::new());
        bytes.chunks(step).for_each(|piece| filter.feed(piece, &mut kept));
        filter.finish(&mut kept);
        kept
    };
    let whole = kept(bytes.len().max(1));
    assert!(whole.len() <= bytes.len());
    // A tag longer than the buffer is cut at piece boundaries.
    if bytes.len() < 1 << 13 {
        assert_eq!(kept(1 + bytes.len() % 7), whole);
    }
}

/// A SOAP message, bare or in an HTTP response, is parsed or refused with text fit for a log line.
pub fn soap(bytes: &[u8]) {
    filter(bytes);
    let bare =
        [200, 401, 500].map(|status| Response { status: Some(status), headers: Vec::new(), body: bytes.to_vec() });
    for response in bare.iter().chain(&response::read(bytes).ok()) {
        match soap::open(response) {
            Ok(answer) => read_answer(&answer),
            Err(refusal) => check_refusal(&refusal),
        }
    }
}

fn read_answer(answer: &Element) {
    if let Some(time) = responses::device_time(answer).for_login() {
        assert!(time.to_unix() >= 0);
    }
    for (_, xaddr) in responses::services(answer).into_iter().chain(responses::capabilities(answer)) {
        if let Some(service) = Service::from_xaddr(&xaddr, 80, false) {
            assert!(service.path.starts_with('/') && !service.path.contains(['\r', '\n', ' ']), "{:?}", service.path);
            assert!(!service.ports.is_empty());
        }
    }
    for preset in responses::presets(answer, 300) {
        assert!((1..=responses::MAX_PRESET_TOKEN_LEN).contains(&preset.token.len()) && !preset.name.contains('\n'));
    }
    for profile in responses::profiles(answer) {
        assert!(!profile.token.is_empty());
    }
    if let Some(uri) = responses::media_uri(answer)
        && let Some(streams) = uri_repair::streams(&uri.uri, "192.0.2.1")
    {
        assert!(!streams.candidates.is_empty());
        for candidate in streams.candidates {
            assert!(candidate.as_str().starts_with("rtsp"), "{}", candidate.as_str());
            assert!(!candidate.as_str().contains(|c: char| c.is_control() || c.is_whitespace()), "{candidate:?}");
        }
    }
    let _ = (responses::device_information(answer), responses::endpoint(answer));
    let mut states = PropertyStates::default();
    for occurrence in notifications(answer).into_iter().filter_map(|told| states.take(told, Instant::now())) {
        assert!(occurrence.sources.len() <= 8 && occurrence.topic.chars().count() <= MAX_TOPIC_LEN, "{occurrence:?}");
    }
    for address in responses::hardware_addresses(answer) {
        assert_eq!(address.len(), 17, "{address:?}");
    }
}

fn check_refusal(refusal: &CallError) {
    let words = match refusal {
        CallError::Login { fault: Some(fault), .. } | CallError::Fault(fault) => {
            let _ = (fault.kind(), fault.warns_of_lockout());
            fault.to_string()
        }
        CallError::Redirect(location) => location.clone(),
        _ => return,
    };
    assert!(words.chars().count() <= MAX_QUOTE_LEN && !words.contains(char::is_control), "{words:?}");
}

/// Challenges, one per line, are parsed separately; the answer to them is one header line with the
/// complete login.
pub fn challenge(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let challenges = challenge::parse(text.lines());
    let login = Credentials { username: "a\"b\\,c =\u{e9}".into(), password: Secret::new("p") };
    for avoid_sha256 in [false, true] {
        let Some(mut session) = Session::choose(&challenges, avoid_sha256) else { continue };
        let field = session.authorize(&login, "POST", "/onvif/a?b=\"c\",d", "00ff");
        assert!(!field.contains(char::is_control), "{field:?}");
        let read = challenge::parse([field.as_str()]);
        assert_eq!(read.len(), 1, "{field:?}");
        assert_eq!(read[0].parameter("username"), Some(login.username.as_str()), "{field:?}");
        assert_eq!(read[0].parameter("uri"), Some("/onvif/a?b=\"c\",d"), "{field:?}");
    }
}

/// A message between agent and worker, its kind first, is refused or encodes back to the same
/// bytes.
pub fn ipc(bytes: &[u8]) {
    let Some((&kind, body)) = bytes.split_first() else { return };
    same_again(ToWorker::decode(kind, body), kind, body);
    // The first message has its version in front, which no seed can have.
    let first = [&ipc::VERSION.to_le_bytes()[..], body].concat();
    same_again(ToWorker::decode(kind, &first), kind, &first);
    match FromWorker::decode(kind, body) {
        // Its text is made safe to show.
        Ok(FromWorker::Failed(failure)) => {
            let why: &str = &failure.reason;
            assert!(why.chars().count() <= text::MAX_REASON_LEN && !why.contains(text::is_hidden));
        }
        message => same_again(message, kind, body),
    }
    let _ = ipc::receive::<ToWorker>(&mut &*bytes);
    let _ = ipc::receive::<FromWorker>(&mut &*bytes);
}

fn same_again<M: Message>(message: Result<M, ipc::Error>, kind: u8, body: &[u8]) {
    let Ok(message) = message else { return };
    let mut again = Vec::new();
    message.encode(&mut again);
    let (head, again) = again.split_first_chunk::<{ ipc::HEAD }>().expect("a message has a head");
    assert_eq!(ipc::Head::read(*head).ok(), Some(ipc::Head { kind, length: body.len() }));
    assert_eq!(again, body);
}

/// A configuration is parsed or refused, with positions that exist and without its passwords.
pub fn config(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let read_secret = |_: &Path| Ok::<_, io::Error>(SecretFile { text: "geheim".into(), readable_by_all: true });
    match config::parse(text, Path::new("/x/cameras.toml"), &read_secret) {
        Ok(config) => assert!(config.cameras.len() <= config::MAX_CAMERAS && !config.server.listen.is_empty()),
        Err(complaints) => {
            assert!(!complaints.is_empty(), "refused without a word");
            for complaint in complaints {
                let shown = complaint.to_string();
                assert!(text.contains("geheim") || !shown.contains("geheim"), "{shown:?}");
                assert!(!shown.contains('\n'), "{shown:?}");
            }
        }
    }
}

/// The sender of the datagrams and descriptions here.
const SENDER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A WS-Discovery datagram gives devices with addresses that can be asked, or nothing.
pub fn probe_match(bytes: &[u8]) {
    let ids = ["0f5d604c-81ac-4abc-8010-51dbffad55f2".to_owned()];
    if let Some(answer) = wsd::parse_answer(bytes, &ids) {
        assert!(answer.answers(&ids[0]), "an answer to something else");
    }
    let Some(message) = wsd::parse(bytes) else { return };
    for device in message.devices {
        check_addresses(&device.addresses(&DatagramSource::new(SENDER)));
        let _ = (device.mac(), device.is_onvif());
    }
}

/// An SSDP datagram gives one message or nothing, and a description is fetched only from its
/// sender.
pub fn ssdp(bytes: &[u8]) {
    let Some(message) = ssdp::parse(bytes) else { return };
    let _ = (message.udn(), message.identity(), message.is_camera());
    if let Some(location) =
        message.location.and_then(|text| description::Location::parse(&text, &DatagramSource::new(SENDER)))
    {
        assert_eq!(location.ip(), SENDER, "a description elsewhere");
    }
}

/// A device description gives addresses that can be asked, or nothing.
pub fn description(bytes: &[u8]) {
    let Some(found) = description::parse(bytes) else { return };
    let _ = (found.identity(), found.mac(), found.is_camera());
    check_addresses(&description::xaddrs_to_ask(found.presentation.as_deref(), &DatagramSource::new(SENDER)));
}

fn check_addresses(addresses: &[XAddr]) {
    for address in addresses {
        assert!(!address.host.is_empty() && address.port > 0, "{address:?}");
        assert!(address.path.starts_with('/') && !address.path.contains(['\r', '\n', ' ']), "{address:?}");
    }
}

/// The bytes of an RTSP connection are the same packets and messages in pieces of any size, as long as
/// they are in step; the first byte gives the size. What a camera's headers lead to can be sent.
pub fn rtsp_head(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let (whole, is_in_step) = rtsp_events(bytes, bytes.len().max(1));
    let (pieces, _) = rtsp_events(bytes, 1 + usize::from(*first));
    if is_in_step {
        assert_eq!(whole, pieces, "in pieces of {}", 1 + usize::from(*first));
    }
    if let Ok(Some((message, len))) = message::read(bytes) {
        assert!(len <= bytes.len());
        match message {
            RtspMessage::Response(response) => check_headers(&response.headers),
            RtspMessage::Request(request) => {
                assert!(request.headers.len() <= message::MAX_HEADERS && request.body.len() <= message::MAX_BODY_LEN);
                let answer = message::write_response(200, "OK", &request, request.headers.get("session"));
                let read = message::read(&answer).expect("our response is one").expect("our response is complete");
                assert_eq!(read.1, answer.len(), "it is one message");
            }
        }
    }
}

/// Returns what stands in `bytes`, read in pieces of `step`, and whether no byte was skipped.
fn rtsp_events(bytes: &[u8], step: usize) -> (Vec<String>, bool) {
    let (mut deframer, mut events, now) = (Deframer::new(), Vec::new(), Instant::now());
    deframer.expected = Expected { channels: Some((0, 1)), payload_type: Some(96), ssrc: Some(1) };
    let mut used = 0;
    for piece in bytes.chunks(step) {
        deframer.push(piece);
        loop {
            match deframer.next(now) {
                Ok(None) => break,
                Ok(Some(framing::Event::Packet { channel, data })) => {
                    used += data.len();
                    events.push(format!("{channel} {data:?}"));
                }
                Ok(Some(framing::Event::Resynchronised { skipped })) => used += skipped,
                Ok(Some(framing::Event::Message(message))) => events.push(format!("{message:?}")),
                Err(_) => return (events, false),
            }
        }
    }
    assert!(used <= bytes.len(), "more than there is");
    // At the end it may be searching.
    (events, !deframer.is_searching() && deframer.resynchronisations == 0)
}

fn check_headers(headers: &message::Headers) {
    assert!(headers.len() <= message::MAX_HEADERS);
    const ASKED: &str = "rtsp://10.0.0.1/live";
    let control = headers.get("x-control");
    let described = url::Described {
        content_base: headers.get("content-base"),
        content_location: headers.get("content-location"),
        session_control: control,
        track_control: control,
    };
    let urls = url::resolve(ASKED, described);
    for url in [&urls.session, &urls.track] {
        check_url(url);
        url::with_authority_of(url, ASKED).iter().for_each(|url| check_url(url));
    }
    for requested in [camera::Transport::Tcp, camera::Transport::Udp, camera::Transport::Multicast] {
        let _ = transport::read_delivery(headers.get("transport"), requested, None);
    }
    if let (Some(id), _) = transport::read_session(headers.get("session").unwrap_or("")) {
        let request = RequestWriter::new(Method::Play, &urls.session, 1).header("Session", &id).finish();
        assert!(!id.is_empty() && request.windows(2).filter(|pair| pair == b"\r\n").count() == 5, "{id:?}");
    }
}

/// It ends no request line early, and has no login.
fn check_url(url: &str) {
    assert!(!url.contains(|c: char| c.is_whitespace() || c.is_control()), "{url:?}");
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(""));
    assert!(!authority.is_empty() && !authority.contains('@'), "{url:?}");
}

/// A description has bounded contents, and its controls give URLs that can be sent.
pub fn sdp(bytes: &[u8]) {
    let description = SessionDescription::read(bytes);
    assert!(description.media.len() <= 32 && description.media.iter().all(|media| media.formats.len() <= 32));
    let Ok(track) = description.video() else { return };
    assert!(track.payload_type < 128 && track.clock_rate > 0);
    assert!(track.frame_rate.is_none_or(|rate| rate > 0.0 && rate <= 1000.0));
    assert!(description.others(&track).len() < description.media.len());
    let described = url::Described {
        session_control: description.control(),
        track_control: track.control.as_deref(),
        ..url::Described::default()
    };
    let urls = url::resolve("rtsp://10.0.0.1/live", described);
    [urls.session, urls.track].iter().for_each(|url| check_url(url));
}

/// Packets of RTP and RTCP give units that are what they are called. The first byte gives codec and transport; then each
/// packet has its length in two bytes, and the milliseconds before it in one, before it.
pub fn rtp(bytes: &[u8]) {
    let Some((&kind, mut rest)) = bytes.split_first() else { return };
    let encoding_name = ["H264", "H265", "JPEG", "MP4V-ES", ""][usize::from(kind & 0x0f) % 5];
    let transport = if kind & 0x10 == 0 { Transport::Tcp } else { Transport::Udp };
    let fmtp = if kind & 0x20 == 0 { "" } else { "sprop-max-don-diff=1;config=000001B0;sprop-parameter-sets=Z0IAKQ==" };
    let mut track = Track::new(encoding_name, fmtp, transport);
    while let Some(([l0, l1, millis], after)) = rest.split_first_chunk() {
        let (packet, after) = after.split_at(after.len().min(usize::from(u16::from_be_bytes([*l0, *l1]))));
        track.push(packet, *millis);
        rest = after;
    }
    track.finish();
}

/// Payloads of RTP/JPEG give whole JPEGs. Each has its flags in one byte and its length in two bytes before it.
pub fn rtp_jpeg(bytes: &[u8]) {
    const MARKER: u8 = 1;
    const EXTENSION: u8 = 2;
    const LOSS: u8 = 4;
    const NEW_TIME: u8 = 8;
    let mut track = Track::new("JPEG", "", Transport::Tcp);
    let (mut sequence, mut time, mut rest) = (0_u16, 0_u32, bytes);
    while let Some(([flags, l0, l1], after)) = rest.split_first_chunk() {
        let (payload, after) = after.split_at(after.len().min(usize::from(u16::from_be_bytes([*l0, *l1]))));
        rest = after;
        sequence = sequence.wrapping_add(if flags & LOSS == 0 { 1 } else { 2 });
        time = time.wrapping_add(if flags & NEW_TIME == 0 { 0 } else { 3600 });
        let extension_bit = if flags & EXTENSION == 0 { 0 } else { 0x10 };
        let mut packet = vec![0x80 | extension_bit, (flags & MARKER) << 7 | 96];
        packet.extend(sequence.to_be_bytes());
        packet.extend(time.to_be_bytes());
        packet.extend([0, 0, 0, 1]);
        packet.extend(payload);
        track.push(&packet, 1);
    }
    track.finish();
}

/// One track with its clock, and what it gave.
struct Track {
    receiver: TrackReceiver,
    gate: KeyFrameGate,
    now: Instant,
    events: Vec<Event>,
    bytes: usize,
    packets: usize,
    units: usize,
}

impl Track {
    fn new(encoding_name: &str, fmtp: &str, transport: Transport) -> Self {
        let config = TrackConfig {
            encoding_name: encoding_name.into(),
            clock_rate: 90_000,
            payload_type: 96,
            fmtp: fmtp.into(),
            transport,
            size_hint: None,
            local_ssrc: 1,
            cname: "c".into(),
        };
        let receiver = TrackReceiver::new(&config).expect("a codec that is read");
        let (gate, now, events) = (KeyFrameGate::new(), Instant::now(), Vec::new());
        Self { receiver, gate, now, events, bytes: 0, packets: 0, units: 0 }
    }

    fn push(&mut self, packet: &[u8], millis: u8) {
        self.wait(Duration::from_millis(u64::from(millis)));
        self.receiver.push(packet, self.now, &mut self.events);
        (self.bytes, self.packets) = (self.bytes + packet.len(), self.packets + 1);
        self.check();
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        for round in 0.. {
            let Some(due) = self.receiver.deadline().filter(|&due| due <= until) else { break };
            assert!(round < 1000, "always due");
            self.receiver.poll(due, &mut self.events);
        }
        self.now = until;
    }

    fn check(&mut self) {
        for event in std::mem::take(&mut self.events) {
            let Event::Unit(unit) = event else { continue };
            self.units += 1;
            assert!(unit.data.len() <= rtp::MAX_UNIT_LEN + (1 << 17), "{} bytes", unit.data.len());
            let is_shown = self.gate.admit(&unit);
            assert!(unit.is_whole || !is_shown, "a damaged unit is shown");
            match self.receiver.encoding() {
                Some(Encoding::H264 | Encoding::H265) if unit.is_whole => assert!(unit.data.starts_with(&[0, 0, 0, 1])),
                Some(Encoding::Jpeg) if unit.is_whole => {
                    assert!(unit.data.starts_with(&[0xff, 0xd8]) && unit.data.ends_with(&[0xff, 0xd9]));
                }
                _ => {}
            }
        }
        // A start code takes three bytes, and a slice two.
        assert!(self.units <= self.packets + self.bytes / 4, "{} units", self.units);
    }

    fn finish(mut self) {
        self.wait(Duration::from_secs(20));
        self.check();
        let stats = self.receiver.stats();
        assert!(stats.packets <= self.packets as u64 && stats.whole_units + stats.damaged_units == self.units as u64);
        assert_eq!(self.receiver.receiver_report(self.now).len() % 4, 0);
    }
}
