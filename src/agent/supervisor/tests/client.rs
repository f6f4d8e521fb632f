//! Supervisors whose own client reads a camera that a test writes.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::atomic::AtomicUsize,
    thread,
};

use super::*;
use crate::{
    ipc::{self, Progress, ToWorker},
    media::RenditionRequest,
};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n\
    a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0IAKeKQFAe2AtwEBAaQeJEV,aM48gA==\r\n\
    a=control:trackID=1\r\n";

/// What the camera does.
#[derive(Clone, Copy, PartialEq)]
enum Habit {
    /// A key frame every ten frames, 50 frames a second.
    Sends,
    SendsNoKeyFrames,
    /// It has no room for another session.
    IsFull,
    /// Its video has a format that nobody knows.
    UnknownFormat,
}

/// A camera on loopback.
struct Camera {
    address: SocketAddr,
    sessions: Arc<AtomicUsize>,
    teardowns: Arc<AtomicUsize>,
}

impl Camera {
    /// Its thread ends with the test's process.
    fn start(habit: Habit) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sessions, teardowns) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counters = (Arc::clone(&sessions), Arc::clone(&teardowns));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, (sessions, teardowns)) = (stream.unwrap(), counters.clone());
                thread::spawn(move || serve(stream, habit, &sessions, &teardowns));
            }
        });
        Self { address, sessions, teardowns }
    }

    fn source(&self, reader: Reader) -> StreamSource {
        let (uri, _) = StreamUri::split(&format!("rtsp://{}/main", self.address)).unwrap();
        StreamSource { reader, ..StreamSource::from(Source::Url(uri)) }
    }

    fn sessions(&self) -> usize {
        self.sessions.load(Ordering::SeqCst)
    }
}

/// Answers requests, and sends frames once it plays; ends with the connection.
fn serve(mut stream: TcpStream, habit: Habit, sessions: &AtomicUsize, teardowns: &AtomicUsize) {
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let (mut unread, mut frame, mut plays) = (Vec::new(), 0_u16, false);
    loop {
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(0) => return,
            Ok(count) => unread.extend(&piece[..count]),
            Err(_) => {}
        }
        while let Some(end) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            let request = String::from_utf8(unread.drain(..end + 4).collect()).unwrap();
            let cseq = request.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap();
            let (status, headers, body) = match request.split(' ').next().unwrap() {
                "DESCRIBE" if habit == Habit::UnknownFormat => ("200 OK", String::new(), SDP.replace("H264", "VP8")),
                "DESCRIBE" => ("200 OK", String::new(), SDP.to_owned()),
                "SETUP" if habit == Habit::IsFull => ("453 Not Enough Bandwidth", String::new(), String::new()),
                "SETUP" => {
                    sessions.fetch_add(1, Ordering::SeqCst);
                    let headers = "Session: 1;timeout=90\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
                    ("200 OK", headers.to_owned(), String::new())
                }
                "PLAY" => {
                    plays = true;
                    ("200 OK", "Session: 1\r\n".to_owned(), String::new())
                }
                "TEARDOWN" => {
                    teardowns.fetch_add(1, Ordering::SeqCst);
                    ("200 OK", String::new(), String::new())
                }
                _ => ("200 OK", String::new(), String::new()),
            };
            let length = body.len();
            let answer =
                format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
        let is_key = habit == Habit::Sends && frame.is_multiple_of(10);
        if plays && stream.write_all(&packet(frame, is_key)).is_err() {
            return;
        }
        frame = frame.wrapping_add(u16::from(plays));
    }
}

/// An interleaved packet with one frame of one slice.
fn packet(number: u16, key: bool) -> Vec<u8> {
    let time = u32::from(number) * 1800;
    let header = [&[0x80, 0x80 | 96], &number.to_be_bytes()[..], &time.to_be_bytes(), &[0, 0, 0, 9]].concat();
    let payload = [&[if key { 0x65 } else { 0x41 }, 0x88, 0x84][..], &[0x21; 60]].concat();
    let length = u16::try_from(header.len() + payload.len()).unwrap().to_be_bytes();
    [&[b'$', 0, length[0], length[1]][..], &header, &payload].concat()
}

#[test]
fn camera_is_live_without_a_worker_and_is_sent_teardown() {
    let (camera, scene) = (Camera::start(Habit::Sends), Scene::new(""));
    let status = scene.until_with(camera.source(Reader::Auto), "live", |status| {
        (status.condition.state == State::Live && status.frames > 20).then(|| status.clone())
    });
    assert!(status.worker.is_none());
    assert_eq!(status.stream.unwrap().codec, Codec::H264);
    assert!(status.age.unwrap() < Duration::from_secs(5), "{status:?}");
    assert_eq!((camera.sessions(), camera.teardowns.load(Ordering::SeqCst)), (1, 1));
}

#[test]
fn camera_without_key_frames_is_waited_for_and_says_so() {
    let (camera, scene) = (Camera::start(Habit::SendsNoKeyFrames), Scene::stalling(""));
    let condition = scene.until_with(camera.source(Reader::Auto), "the reason", |status| {
        let condition = &status.condition;
        condition.why.starts_with("waiting for a key frame, 3 s").then(|| condition.clone())
    });
    assert_eq!(condition.state, State::Connecting);
    assert_eq!(camera.sessions(), 1, "packets come, so there is nothing to begin again for");
}

#[test]
fn full_camera_is_left_alone_until_it_has_forgotten_old_sessions() {
    let (camera, scene) = (Camera::start(Habit::IsFull), Scene::new(""));
    let why = scene.until_with(camera.source(Reader::Auto), "the pause", |status| {
        let why = &status.condition.why;
        why.contains("trying again").then(|| why.to_string())
    });
    assert!(why.contains("453") && why.contains("trying again in 60 s"), "{why}");
}

#[test]
fn camera_that_the_client_cannot_follow_is_read_by_a_worker_in_the_next_attempt() {
    let (camera, scene) = (Camera::start(Habit::UnknownFormat), Scene::new("cat $here/live >&0; exec sleep 60"));
    let mut announced = false;
    scene.until_with(camera.source(Reader::Auto), "live", |status| {
        announced |= status.condition.why.contains("so OpenCV reads it");
        (status.condition.state == State::Live).then_some(())
    });
    assert!(announced);
    let scene = Scene::new("cat $here/live >&0; exec sleep 60");
    let why = scene.until_with(camera.source(Reader::Rtsp), "a second attempt", |status| {
        status.condition.why.contains("(attempt 2)").then(|| status.condition.why.to_string())
    });
    assert!(!why.contains("OpenCV"), "{why}");
}

fn viewed(scene: &Scene) -> crate::hub::Subscription {
    let size = Size { width: 320, height: 180 };
    scene
        .stream
        .subscribe(RenditionRequest { size: Some(size), quality: Some(50), fps: None }, crate::hub::ViewerOrigin::Own)
        .unwrap()
}

#[test]
fn decoder_that_dies_is_replaced_and_the_stream_stays_live() {
    let (camera, scene) = (Camera::start(Habit::Sends), Scene::new("echo >>$here/starts; sleep 0.1; kill -SEGV $$"));
    let _viewer = viewed(&scene);
    let mut lives = 0;
    let status = scene.until_with(camera.source(Reader::Auto), "three workers", |status| {
        lives += u64::from(status.condition.state == State::Live);
        let starts =
            fs::read_to_string(scene.script.program().with_file_name("starts")).unwrap_or_default().lines().count();
        (starts >= 3).then(|| status.clone())
    });
    assert!(lives > 0 && status.condition.state == State::Live, "{status:?}");
    assert_eq!((status.reconnects, camera.sessions()), (0, 1));
    assert!(status.last_error.unwrap().contains("SIGSEGV"));
}

#[test]
fn decoder_is_given_the_kept_group_before_it_is_to_make_pictures() {
    // It takes all that it is sent.
    let (camera, scene) = (Camera::start(Habit::Sends), Scene::new("exec cat >$here/fed"));
    let mut viewer = None;
    let first = scene.until_with(camera.source(Reader::Auto), "a request for pictures", |status| {
        if viewer.is_none() && status.frames > 5 {
            viewer = Some(viewed(&scene));
        }
        let fed = fs::read(scene.script.program().with_file_name("fed")).unwrap_or_default();
        let mut fed = &fed[..];
        let messages: Vec<ToWorker> = std::iter::from_fn(|| ipc::receive(&mut fed).ok()).collect();
        let is_request = |message: &ToWorker| matches!(message, ToWorker::SetRenditions(_));
        messages.iter().any(is_request).then_some(messages)
    });
    assert!(matches!(first[..2], [ToWorker::Decode(_), ToWorker::Unit(AccessUnit { key: true, .. })]), "{first:?}");
}

#[test]
fn decoder_that_was_given_no_processor_time_ends_no_session() {
    // It begins to decode, gets no further, and ends when it is asked to.
    let script = "cat $here/begin >&0; exec 3<&0; cat <&3 >$here/fed & \
                  until LC_ALL=C grep -qaP '\\x04\\x00\\x00\\x00\\x03' $here/fed; do sleep 0.05; done; kill $!";
    let (camera, scene) = (Camera::start(Habit::Sends), Scene::stalling(script));
    scene.script.write("begin", &[FromWorker::Decoding(true)]);
    let _viewer = viewed(&scene);
    let mut overdue_since = None;
    // A worker at work would have made a picture in 5 s.
    scene.until_with(camera.source(Reader::Auto), "time to pass", |_| {
        if scene.stream.picture_condition().state == State::Stalled {
            overdue_since.get_or_insert_with(Instant::now);
        }
        overdue_since.filter(|since| since.elapsed() > Duration::from_secs(8)).map(drop)
    });
    assert_eq!(camera.sessions(), 1);
}

#[test]
fn frames_that_a_decoder_could_not_decode_end_the_session() {
    let (camera, scene) = (Camera::start(Habit::Sends), Scene::stalling("cat $here/damage >&0; exec cat >/dev/null"));
    let damage = Progress { without_frame: 1, damaged: 1 };
    scene.script.write("damage", &[FromWorker::Decoding(true), FromWorker::Progress(damage)]);
    let _viewer = viewed(&scene);
    scene.until_with(camera.source(Reader::Auto), "another session", |_| (camera.sessions() > 1).then_some(()));
}

#[test]
fn decoder_ends_soon_after_its_viewers_have_gone() {
    // It takes all that it is sent.
    let (camera, scene) = (Camera::start(Habit::Sends), Scene::new("exec cat >/dev/null"));
    let mut viewer = Some(viewed(&scene));
    scene.until_with(camera.source(Reader::Auto), "the end of the worker", |status| {
        if status.worker.is_some() {
            viewer = None;
        }
        (viewer.is_none() && status.worker.is_none()).then_some(())
    });
    assert_eq!(camera.sessions(), 1);
}

#[test]
fn worker_of_another_version_is_told_to_viewers_of_pictures_and_tried_by_the_law_of_pauses() {
    let (camera, scene) = (Camera::start(Habit::Sends), Scene::new("exit 76"));
    let _viewer = viewed(&scene);
    scene.until_with(camera.source(Reader::Auto), "the reason", |status| {
        status.condition.why.contains("of another version than the agent; restart").then(|| {
            assert_eq!(status.condition.state, State::Live);
            assert_eq!(scene.stream.picture_condition().state, State::Offline);
        })
    });
    assert_eq!(camera.sessions(), 1);
    let why = scene.failure().why;
    assert!(why.contains("of another version") && why.contains("(attempt 1)"), "a reader: {why}");
}

#[test]
fn missing_worker_program_is_told_to_viewers_of_pictures_alone() {
    let (camera, mut scene) = (Camera::start(Habit::Sends), Scene::new(""));
    scene.context.spawner = Arc::new(Spawner::new("/nonexistent/worker"));
    let _viewer = viewed(&scene);
    scene.until_with(camera.source(Reader::Auto), "the reason", |status| {
        status.condition.why.contains("/nonexistent/worker").then(|| {
            assert_eq!(status.condition.state, State::Live);
            assert_eq!(scene.stream.condition().why, "", "viewers of the camera's own video see nothing of it");
            assert_eq!(scene.stream.picture_condition().state, State::Offline);
        })
    });
    assert_eq!(camera.sessions(), 1);
}
