//! Benchmarks of the hot parts: `cargo bench`, or `cargo bench -- fan_out` for some of them.
//!
//! Only the public part of the library is measured. Multipart responses and base64 pieces are
//! measured through the whole `web` module on loopback: from the stream to the viewer's socket.

#![allow(clippy::unwrap_used)] // a bench that fails must stop

#[path = "../src/test_clip.rs"]
#[allow(dead_code)]
mod test_clip;

use std::{
    error,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant},
};

use async_tungstenite::tungstenite;
use cctv_agent::{
    config,
    h26x::nal,
    hub::{Channel, Hub, Stream, Subscription, ViewEvent, ViewerOrigin},
    ipc::{self, FromWorker},
    media::{AccessUnit, Codec, Colour, Matrix, Picture, Rendition, RenditionRequest, Size, transform::Transform},
    rtsp::rtp::{TrackConfig, TrackReceiver, Transport},
    web::Web,
};
use cctv_worker::{
    colour::Conversion,
    decoder::Decoder,
    encoder::Encoder,
    jpeg::JpegDecoder,
    planes::{YuvBuffer, YuvPlanes},
    transcoder::Transcoder,
};
use divan::{Bencher, black_box, counter::BytesCount};
use smol::future;
use test_clip::{Clip, Kind};

/// The same as in `clip`.
type Result<T> = std::result::Result<T, Box<dyn error::Error + Send + Sync>>;

const FULL_HD: Size = Size { width: 1920, height: 1080 };
const TILE: Size = Size { width: 640, height: 360 };
const NO_WISH: RenditionRequest = RenditionRequest { size: None, quality: None, fps: None };
/// Approximate bytes of a JPEG of 1080p at quality 80.
const JPEG_BYTES: usize = 250_000;
const QUALITY: u8 = 80;

fn main() {
    divan::main();
}

/// Two groups of pictures of 1080p25 at 4 Mbit/s.
fn video() -> &'static Clip {
    static VIDEO: OnceLock<Clip> = OnceLock::new();
    VIDEO.get_or_init(|| Clip::make(Kind::H264, 1920, 1080, 2 * test_clip::GOP).unwrap())
}

fn stills() -> &'static Clip {
    static STILLS: OnceLock<Clip> = OnceLock::new();
    STILLS.get_or_init(|| Clip::make(Kind::Jpeg, 1920, 1080, 4).unwrap())
}

/// A picture from the middle of the clip, in its own planes.
fn planes() -> &'static YuvBuffer {
    static PLANES: OnceLock<YuvBuffer> = OnceLock::new();
    PLANES.get_or_init(|| {
        let mut decoder = Decoder::new(Codec::H264).unwrap();
        let mut canvas = YuvBuffer::default();
        for (number, unit) in video().frames[..30].iter().enumerate() {
            decoder.push(unit, number as u64).unwrap();
            while let Some(frame) = decoder.take().unwrap() {
                frame.with_planes(None, |planes, _| planes.copy(&mut canvas));
            }
        }
        canvas
    })
}

fn rendition(size: Size) -> Rendition {
    Rendition { size, transform: Transform::NONE, quality: QUALITY, fps: 25 }
}

/// A live stream of a camera without a known size: it counts as 1920x1080.
fn live_stream() -> Arc<Stream> {
    let text = "[[camera]]\nid = \"c\"\nurl = \"rtsp://127.0.0.1/\"\n";
    let config = config::parse(text, Path::new("cameras.toml"), &|_| Err(io::ErrorKind::NotFound.into())).unwrap();
    let (camera, now) = (&config.cameras[0], Instant::now());
    let stream = Arc::new(Stream::new(camera.id.clone(), camera.name.clone(), camera.options.clone(), now));
    stream.begin_worker(now);
    stream.publish_unit(&unit(1), now);
    stream
}

fn unit(sequence: u32) -> AccessUnit {
    AccessUnit { sequence, taken: 1, key: true, damage: None, data: vec![0; 64].into() }
}

/// A unit and the picture of it.
fn publish(stream: &Stream, picture: Picture) {
    let now = Instant::now();
    stream.publish_unit(&unit(picture.sequence), now);
    stream.publish_picture(picture, now);
}

/// The next picture from the worker, in the rendition for viewers without a request.
fn picture(sequence: u32) -> Picture {
    let taken = 1_700_000_000_000_000 + u64::from(sequence);
    Picture { rendition: rendition(FULL_HD), sequence, taken, jpeg: vec![sequence as u8; JPEG_BYTES].into() }
}

/// One picture to every subscription, and out of every mailbox again.
#[divan::bench(args = [1, 16, 64])]
fn fan_out(bencher: Bencher, subscriptions: usize) {
    let stream = live_stream();
    let mut subscriptions: Vec<Subscription> =
        (0..subscriptions).map(|_| stream.subscribe(NO_WISH, ViewerOrigin::Own).unwrap()).collect();
    // The first event of each subscription is the stream's condition.
    subscriptions.iter_mut().for_each(|subscription| drop(future::block_on(subscription.next())));
    let picture = picture(2);
    bencher.bench_local(|| {
        publish(&stream, picture.clone());
        for subscription in &mut subscriptions {
            assert!(matches!(black_box(future::block_on(subscription.next())), ViewEvent::Picture(_)));
        }
    });
}

/// The `web` module on a thread of its own, with the stream that it serves and its port.
fn served() -> (Arc<Stream>, u16) {
    let (hub, stream) = (Arc::new(Hub::default()), live_stream());
    hub.replace_channels(vec![Channel::of(Arc::clone(&stream))]);
    let draw = Arc::new(|_: Size, _: u8, _: &_| Ok(b"card".to_vec()));
    let web = Arc::new(Web::new(hub, PathBuf::from("/nonexistent"), "bench", draw));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let listener = smol::Async::new(listener).unwrap().into();
        smol::block_on(cctv_agent::web::serve(listener, web));
    });
    (stream, port)
}

/// From the stream as Motion JPEG into a socket and out of it, for all viewers.
#[divan::bench(args = [1, 16], max_time = 2)]
fn multipart_to_sockets(bencher: Bencher, viewers: usize) {
    let (stream, port) = served();
    let mut viewers: Vec<_> = (0..viewers)
        .map(|_| {
            let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
            write!(connection, "GET /live/c HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
            BufReader::with_capacity(1 << 18, connection)
        })
        .collect();
    let mut part = vec![0; JPEG_BYTES];
    let mut sequence = 1;
    // Until all have subscribed, pictures go to those that have.
    wait_until(|| stream.status(Instant::now()).viewers == viewers.len());
    bencher.counter(BytesCount::new(JPEG_BYTES * viewers.len())).bench_local(|| {
        sequence += 1;
        publish(&stream, picture(sequence));
        viewers.iter_mut().for_each(|viewer| read_part(viewer, &mut part));
    });
}

/// Reads one part of JPEG_BYTES and skips shorter ones.
fn read_part(viewer: &mut BufReader<TcpStream>, part: &mut [u8]) {
    let mut line = String::new();
    loop {
        line.clear();
        viewer.read_line(&mut line).unwrap();
        if line.trim_end() == format!("Content-Length: {JPEG_BYTES}") {
            break;
        }
    }
    while line.trim_end() != "" {
        line.clear();
        viewer.read_line(&mut line).unwrap();
    }
    viewer.read_exact(part).unwrap();
}

/// The same by the protocol of 2019: base64, cut into pieces, in WebSocket messages.
#[divan::bench(max_time = 2)]
fn base64_pieces_to_socket(bencher: Bencher) {
    let (stream, port) = served();
    let connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (mut socket, _) = tungstenite::client(format!("ws://127.0.0.1:{port}/ws/c"), connection).unwrap();
    wait_until(|| stream.status(Instant::now()).viewers == 1);
    let mut sequence = 1;
    bencher.counter(BytesCount::new(JPEG_BYTES)).bench_local(|| {
        sequence += 1;
        publish(&stream, picture(sequence));
        let mut length = 0;
        while length < JPEG_BYTES * 4 / 3 {
            if let tungstenite::Message::Text(text) = socket.read().unwrap() {
                length += text.len();
            }
        }
    });
}

/// Waits for other threads, at most 30 s.
fn wait_until(so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < deadline, "the viewers did not subscribe in time");
        thread::sleep(Duration::from_millis(1));
    }
}

#[divan::bench(args = [20_000, JPEG_BYTES])]
fn ipc_encode(bencher: Bencher, bytes: usize) {
    let unit = AccessUnit { sequence: 1, taken: 1, key: false, damage: None, data: vec![7; bytes].into() };
    let message = FromWorker::Unit(unit);
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        let mut sink = Sink(0);
        ipc::send(&mut sink, &message).unwrap();
        sink.0
    });
}

/// Takes bytes as a socket would, without the kernel's work.
struct Sink(usize);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += black_box(bytes).len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[divan::bench(args = [20_000, JPEG_BYTES])]
fn ipc_decode(bencher: Bencher, bytes: usize) {
    let unit = AccessUnit { sequence: 1, taken: 1, key: false, damage: None, data: vec![7; bytes].into() };
    let mut encoded = Vec::new();
    ipc::send(&mut encoded, &FromWorker::Unit(unit)).unwrap();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| ipc::receive::<FromWorker>(&mut &encoded[..]).unwrap());
}

/// One frame of 1080p H.264, on average over two groups of pictures.
/// RTP packets of H.264 with fragments of 1400 bytes, and a marker on the last packet of each unit.
fn rtp_packets(units: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let (mut packets, mut sequence) = (Vec::<Vec<u8>>::new(), 0_u16);
    for (unit, time) in units.iter().zip((0_u32..).step_by(3600)) {
        for nal in nal::split(unit) {
            let chunks = nal[1..].chunks(1400);
            let last = chunks.len() - 1;
            for (at, chunk) in chunks.enumerate() {
                let ends = u8::from(at == 0) << 7 | u8::from(at == last) << 6;
                let head = [&[0x80, 96], &sequence.to_be_bytes()[..], &time.to_be_bytes(), &[0, 0, 0, 1]].concat();
                packets.push([&head[..], &[nal[0] & 0xe0 | 28, ends | nal[0] & 0x1f], chunk].concat());
                sequence += 1;
            }
        }
        packets.last_mut().unwrap()[1] |= 0x80;
    }
    packets
}

/// A second of 1080p25 at 4 Mbit/s.
#[divan::bench]
fn rtp_to_units(bencher: Bencher) {
    let packets = rtp_packets(&video().frames[..25]);
    let config = TrackConfig {
        encoding_name: "H264".into(),
        clock_rate: 90_000,
        payload_type: 96,
        fmtp: String::new(),
        transport: Transport::Tcp,
        size_hint: None,
        local_ssrc: 1,
        cname: "bench".into(),
    };
    let bytes: usize = packets.iter().map(Vec::len).sum();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        let (mut receiver, mut events, now) = (TrackReceiver::new(&config).unwrap(), Vec::new(), Instant::now());
        for packet in &packets {
            receiver.push(black_box(packet), now, &mut events);
        }
        assert_eq!(receiver.stats().whole_units, 25);
        events
    });
}

#[divan::bench(max_time = 4)]
fn decode(bencher: Bencher) {
    let mut decoder = Decoder::new(Codec::H264).unwrap();
    let mut units = video().frames.iter().enumerate().cycle();
    bencher.bench_local(|| {
        let (number, unit) = units.next().unwrap();
        decoder.push(unit, number as u64).unwrap();
        while let Some(frame) = decoder.take().unwrap() {
            drop(black_box(frame));
        }
    });
}

#[divan::bench(args = ["640x360", "639x337", "960x540", "1280x720"])]
fn scale(bencher: Bencher, to: &str) {
    let (width, height) = to.split_once('x').unwrap();
    let size = Size { width: width.parse().unwrap(), height: height.parse().unwrap() };
    let (from, mut target) = (planes().planes(), YuvBuffer::default());
    bencher.bench_local(|| from.scale(size, &mut target).unwrap());
}

/// Limited range BT.709 to a JPEG's colours.
#[divan::bench(args = ["640x360", "1920x1080"])]
fn colours(bencher: Bencher, size: &str) {
    let (mut small, mut target) = (YuvBuffer::default(), YuvBuffer::default());
    let from = in_size(size, &mut small);
    let conversion = Conversion::to_jpeg(Colour { matrix: Matrix::Bt709, full_range: false }).unwrap();
    bencher.bench_local(|| conversion.convert(&from, &mut target));
}

/// Compression alone: the planes already have a JPEG's colours.
#[divan::bench(args = ["640x360", "1920x1080"])]
fn encode(bencher: Bencher, size: &str) {
    let mut small = YuvBuffer::default();
    let (from, mut encoder) = (in_size(size, &mut small), Encoder::new().unwrap());
    bencher.bench_local(|| {
        encoder.encode(&from, Colour::JPEG, (from.size, Transform::NONE), None, std::iter::once(QUALITY)).unwrap()
    });
}

fn in_size<'a>(size: &str, small: &'a mut YuvBuffer) -> YuvPlanes<'a> {
    if size == "1920x1080" {
        return planes().planes();
    }
    planes().planes().scale(TILE, small).unwrap();
    small.planes()
}

/// All the work of a worker for one frame of 1080p H.264.
#[divan::bench(args = ["640x360", "1920x1080"], max_time = 4)]
fn worker(bencher: Bencher, size: &str) {
    let mut transcoder = Transcoder::new(Codec::H264, QUALITY);
    transcoder.want(&[rendition(if size == "640x360" { TILE } else { FULL_HD })]);
    let mut units = video().frames.iter().enumerate().cycle();
    let (mut sequence, mut pictures) = (0, Vec::new());
    bencher.bench_local(|| {
        let (number, unit) = units.next().unwrap();
        sequence += 1;
        let taken = u64::from(sequence) * 40_000;
        let unit =
            AccessUnit { sequence, taken, key: number % test_clip::GOP == 0, damage: None, data: unit.to_vec().into() };
        transcoder.transcode(&unit, true, &mut pictures).unwrap();
        pictures.drain(..).count()
    });
}

/// A JPEG camera's picture of 1080p, decoded at the smallest scale that is large enough.
#[divan::bench(args = ["640x360", "1920x1080"])]
fn open_jpeg(bencher: Bencher, size: &str) {
    let wanted = if size == "640x360" { TILE } else { FULL_HD };
    let mut decoder = JpegDecoder::new().unwrap();
    let jpeg = &stills().frames[0];
    bencher.bench_local(|| decoder.open(jpeg, wanted, |planes| black_box(planes.size)).unwrap());
}
