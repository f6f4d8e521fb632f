//! Small tiles are served from the camera's small stream; the main stream is opened only while a
//! viewer needs it.

use crate::support::wall::{Screen, Wall};
use crate::support::{Agent, Cameras, MotionJpeg, burnt_in, jpeg_size, wait_for};
use cctv_agent::media::Codec;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const SMALL: [u32; 2] = [640, 360];
const LARGE: [u32; 2] = [1280, 720];

/// Largest difference in age between pictures of two streams of one camera, in milliseconds. The
/// streams take different ways through encoder and network, so a picture of one may be this much
/// older than the last of the other on a very busy machine. Kept units are seconds old.
const ASTRAY: u64 = 1000;

/// The key frame with which another stream begins may be this much older than the last picture
/// shown, in microseconds.
const OVERTAKEN: u64 = 200_000;

fn camera() -> Cameras {
    Cameras::start(&["id=gate size=1280x720 small=640x360 gop=100"])
}

fn configured(cameras: &Cameras, small: &str) -> String {
    format!("[[camera]]\nid = \"gate\"\n{}small_profile = \"{small}\"\n", cameras.place("gate"))
}

fn started(cameras: &Cameras) -> Agent {
    let agent = Agent::start(&configured(cameras, "Profile_2"));
    agent.wait_for_state("gate", "live");
    agent
}

/// Sessions of the main stream and of the small one: those open now, and all since the start.
fn sessions(cameras: &Cameras) -> [(u64, u64); 2] {
    let facts = cameras.facts("gate");
    ["main", "small"].map(|stream| {
        let stream = &facts["streams"][stream];
        assert!(stream["most"].as_u64().unwrap() <= 1, "more than one session of a stream: {facts:#}");
        (stream["sessions"].as_u64().unwrap(), stream["opened"].as_u64().unwrap())
    })
}

fn profile(agent: &Agent, stream: &str) -> Value {
    let camera = agent.camera("gate");
    let profiles = camera["profiles"].as_array().unwrap();
    profiles.iter().find(|profile| profile["stream"] == stream).cloned().unwrap_or(Value::Null)
}

fn width(jpeg: &[u8]) -> u32 {
    u32::try_from(jpeg_size(jpeg).0).unwrap()
}

/// Follows all that one tile receives, from either stream, and checks it.
struct Eye {
    wall: Wall,
    screen: Option<Screen>,
    size: Value,
    taken: u64,
    made: u64,
    longest: u64,
}

impl Eye {
    fn open(agent: &Agent) -> Self {
        let wall = Wall::open(&agent.address);
        Self { wall, screen: None, size: Value::Null, taken: 0, made: 0, longest: 0 }
    }

    /// Receives until the shown stream has `size`, and then 50 more pictures.
    fn follow(&mut self, size: [u32; 2]) {
        let mut left = 50;
        while left > 0 {
            match self.wall.next() {
                Ok(text) if text["tile"] == 0 => {
                    assert_eq!(text["state"], "live", "{text}");
                    if self.size != text["size"] {
                        self.screen = None;
                        self.size = text["size"].clone();
                    }
                }
                Ok(_) => {}
                Err(frame) => {
                    let overtaken = if frame.key { OVERTAKEN } else { 0 };
                    assert!(frame.taken + overtaken >= self.taken, "an older one after a newer one");
                    if self.taken > 0 {
                        self.longest = self.longest.max(frame.taken.saturating_sub(self.taken) / 1000);
                    }
                    self.taken = frame.taken;
                    let made = if frame.format == 1 {
                        self.wall.drawn(frame.sequence);
                        vec![burnt_in(&frame.payload).unix_ms]
                    } else {
                        let is_new = self.screen.is_none();
                        assert!(frame.key || !is_new, "another stream begins with a key frame");
                        let screen = self.screen.get_or_insert_with(|| Screen::new(Codec::H264));
                        screen.show(&frame).iter().map(|(_, stamp)| stamp.unix_ms).collect()
                    };
                    for made in made {
                        assert!(made + ASTRAY >= self.made, "{} ms back in time", self.made - made);
                        self.made = self.made.max(made);
                    }
                    if self.size == json!(size) {
                        left -= 1;
                    }
                }
            }
        }
    }
}

#[test]
fn small_viewer_opens_the_small_stream_only_and_a_large_snapshot_the_main_one_for_a_while() {
    let cameras = camera();
    let agent = started(&cameras);
    let part = MotionJpeg::open(&agent.address, "/live/gate?size=640x360").next_live();
    assert_eq!(width(&part.jpeg), 640);
    assert_eq!(sessions(&cameras), [(0, 0), (1, 1)]);
    let gate = agent.camera("gate");
    assert_eq!((&gate["profile"], &gate["size"]), (&"Profile_2".into(), &json!(SMALL)));
    assert_eq!(profile(&agent, "main")["state"], "resting");
    let asked = cameras.facts("gate")["onvif"]["GetStreamUri"].clone();
    assert_eq!(asked, 2, "both streams in one conversation");

    let snapshot = agent.get("/snapshot/gate").unwrap();
    assert_eq!((snapshot.status, width(&snapshot.body)), (200, 1280));
    assert_eq!(sessions(&cameras), [(1, 1), (1, 1)]);
    assert_eq!(cameras.facts("gate")["onvif"]["GetStreamUri"], asked, "it was known already");
    wait_for("the main stream to be closed", || (profile(&agent, "main")["state"] == "resting").then_some(()));
    wait_for("its session to end", || (sessions(&cameras) == [(0, 1), (1, 1)]).then_some(()));
    let gate = agent.camera("gate");
    assert_eq!(
        (&gate["state"], &gate["reconnects"], &gate["stalls"]),
        (&"live".into(), &0.into(), &0.into()),
        "{gate:#}"
    );
}

#[test]
fn growing_and_shrinking_tile_of_pictures_never_goes_dark_or_back() {
    grows_and_shrinks(&["jpeg"]);
}

#[test]
fn growing_and_shrinking_tile_of_untouched_video_never_goes_dark_or_back() {
    grows_and_shrinks(&["h264", "jpeg"]);
}

fn grows_and_shrinks(accept: &[&str]) {
    let cameras = camera();
    let agent = started(&cameras);
    let mut eye = Eye::open(&agent);
    for size in [SMALL, LARGE, SMALL, LARGE] {
        eye.wall.show_at("gate", size, accept);
        eye.follow(size);
    }
    println!("{accept:?}: longest time from one frame to the next {} ms", eye.longest);
    assert_eq!(sessions(&cameras), [(1, 1), (1, 1)]);
    // A tile only slightly larger than the small stream does not switch to the main one.
    eye.wall.show_at("gate", SMALL, accept);
    eye.follow(SMALL);
    eye.wall.show_at("gate", [720, 405], accept);
    eye.follow(SMALL);
    assert_eq!(agent.camera("gate")["viewers"], 1);
}

#[test]
fn large_and_small_viewers_each_get_their_stream() {
    let cameras = camera();
    let agent = started(&cameras);
    let mut small = MotionJpeg::open(&agent.address, "/live/gate?size=640x360");
    let mut large = MotionJpeg::open(&agent.address, "/live/gate");
    wait_for("a large picture", || (width(&large.next_live().jpeg) == 1280).then_some(()));
    assert_eq!(width(&small.next_live().jpeg), 640);
    assert_eq!(sessions(&cameras), [(1, 1), (1, 1)]);
    let viewers = |stream| profile(&agent, stream)["viewers"].clone();
    assert_eq!(
        (viewers("main"), viewers("small"), agent.camera("gate")["viewers"].clone()),
        (1.into(), 1.into(), 2.into())
    );
    let metrics = String::from_utf8(agent.get("/metrics").unwrap().body).unwrap();
    assert!(metrics.contains("cctv_stream_live{camera=\"gate\",stream=\"main\"} 1"), "{metrics}");
}

#[test]
fn stream_that_fails_is_stood_in_for_by_the_other_which_says_so() {
    let cameras = camera();
    let agent = started(&cameras);
    let mut small = MotionJpeg::open(&agent.address, "/live/gate?size=640x360");
    small.next_live();
    cameras.fault("gate", "away?stream=small");
    // The failure is shown first: the card of the stream that was shown.
    let card = small.next_card();
    assert!(["stalled", "offline"].contains(&card.state.as_str()), "{}", card.state);
    small.next_live();
    let gate = wait_for("the camera to be live", || Some(agent.camera("gate")).filter(|gate| gate["state"] == "live"));
    assert_eq!((&gate["profile"], &gate["size"]), (&"Profile_1".into(), &json!(LARGE)));
    assert!(gate["why"].as_str().unwrap().contains("stands in for the small one"), "{gate:#}");
    assert_eq!(profile(&agent, "small")["state"], "offline");

    cameras.fault("gate", "resume");
    agent.signal(Signal::SIGHUP);
    wait_for("the small stream", || (profile(&agent, "small")["viewers"] == 1).then_some(()));
    wait_for("the main one to be left", || (profile(&agent, "main")["viewers"] == 0).then_some(()));
    small.next_live();

    let mut large = MotionJpeg::open(&agent.address, "/live/gate");
    wait_for("a large picture", || (width(&large.next_live().jpeg) == 1280).then_some(()));
    cameras.fault("gate", "away?stream=main");
    wait_for("a picture of the small stream", || (width(&large.next_live().jpeg) == 640).then_some(()));
    cameras.fault("gate", "resume");
    agent.signal(Signal::SIGHUP);
    wait_for("a large picture again", || (width(&large.next_live().jpeg) == 1280).then_some(()));
    sessions(&cameras);
}

#[test]
fn small_stream_is_found_by_itself_and_a_wrong_one_leaves_the_main_one() {
    let cameras = camera();
    let agent = Agent::start(&configured(&cameras, "auto"));
    agent.wait_for_state("gate", "live");
    assert_eq!(agent.camera("gate")["profile"], "Profile_2");
    let mut large = MotionJpeg::open(&agent.address, "/live/gate");
    wait_for("a large picture", || (width(&large.next_live().jpeg) == 1280).then_some(()));

    agent.reload(&configured(&cameras, "Profile_9"));
    let small =
        wait_for("the complaint", || Some(profile(&agent, "small")).filter(|small| small["state"] == "offline"));
    assert!(small["why"].as_str().unwrap().contains("Profile_2"), "it says what there is: {small}");
    let part = MotionJpeg::open(&agent.address, "/live/gate?size=640x360").next_live();
    assert_eq!(width(&part.jpeg), 640);
    agent.reload(&configured(&cameras, "Profile_9").replace("small_profile = \"Profile_9\"\n", ""));
    wait_for("one stream", || (agent.camera("gate")["profiles"] == json!([])).then_some(()));
    assert_eq!(width(&large.next_live().jpeg), 1280);
    assert_eq!(sessions(&cameras)[0], (1, 1));
}
