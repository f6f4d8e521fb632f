//! Passthrough: a page that can decode the camera's video receives it as the camera sent it.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::support::wall::{Screen, Wall};
use crate::support::{Agent, Cameras, MotionJpeg, wait_for};
use cctv_agent::media::Codec;
use serde_json::json;

const EVERY_FORMAT: &[&str] = &["h264", "h265", "jpeg"];

fn configured(cameras: &Cameras, ids: &[&str]) -> String {
    ids.iter().map(|id| format!("[[camera]]\nid = \"{id}\"\n{}", cameras.place(id))).collect()
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// Resident memory of the agent in bytes.
fn memory(agent: &Agent) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{}/statm", agent.pid())).unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn every_frame_of_every_codec_arrives_decodable_and_no_worker_decodes() {
    let cameras = Cameras::start(&[
        "id=gate codec=h264 size=640x360 small=none",
        "id=porch codec=h265 size=640x360 small=none",
        "id=yard codec=h264 size=640x360 small=none sets=sdp",
    ]);
    let agent = Agent::start(&configured(&cameras, &["gate", "porch", "yard"]));
    for (id, codec, format, word, begins) in [
        ("gate", Codec::H264, 2, "h264", "avc1.64"),
        ("porch", Codec::H265, 3, "h265", "hvc1.1.6.L"),
        ("yard", Codec::H264, 2, "h264", "avc1.64"),
    ] {
        agent.wait_for_state(id, "live");
        let mut wall = Wall::open(&agent.address);
        wall.show(&[id], EVERY_FORMAT);
        let state = wall.state(|state| state["state"] == "live");
        assert_eq!((&state["format"], &state["size"]), (&word.into(), &json!([640, 360])));
        assert!(state["codec"].as_str().unwrap().starts_with(begins), "{state}");
        let mut screen = Screen::new(codec);
        let (mut next, mut stamps, mut ages, mut keys) = (None, Vec::new(), Vec::new(), 0);
        // Two groups of 50, so that these units include a key frame after the first one.
        for number in 0..101 {
            let frame = wall.frame();
            assert_eq!((frame.tile, frame.format, frame.after_gap), (0, format, false));
            assert!(frame.key || number > 0, "{id} begins with a key frame");
            assert!(next.is_none_or(|next| frame.sequence == next), "{id}: a unit is missing");
            next = Some(frame.sequence + 1);
            if frame.key {
                // A subscriber that joins here has no other source of parameter sets.
                screen = Screen::new(codec);
                keys += 1;
            }
            for (_, stamp) in screen.show(&frame) {
                stamps.push(stamp.frame);
                ages.push(unix_ms().saturating_sub(stamp.unix_ms));
                assert!(frame.taken / 1000 >= stamp.unix_ms, "taken is when it reached the worker");
            }
        }
        // The ages are only printed, because they depend on the machine. The first units come from
        // the kept group of pictures.
        let ages = &mut ages[60..];
        ages.sort_unstable();
        println!("{id}: from drawing to here {} ms, 95 % {} ms", ages[ages.len() / 2], ages[ages.len() * 95 / 100]);
        assert!(keys >= 2, "{keys} key frames");
        assert_eq!(stamps.len(), 101, "{id}: every unit is a picture");
        assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]), "{id}: {stamps:?}");
        let camera = agent.camera(id);
        assert_eq!((&camera["decoding"], &camera["renditions"]), (&false.into(), &json!([])), "{camera}");
        assert_eq!((&camera["viewers"], &camera["untouched"]), (&1.into(), &1.into()));
    }
}

#[test]
fn units_with_b_frames_arrive_in_decoding_order() {
    let cameras = Cameras::start(&["id=gate size=640x360 small=none bframes=2"]);
    let agent = Agent::start(&configured(&cameras, &["gate"]));
    agent.wait_for_state("gate", "live");
    let mut wall = Wall::open(&agent.address);
    wall.show(&["gate"], EVERY_FORMAT);
    let mut screen = Screen::new(Codec::H264);
    let mut stamps = Vec::new();
    while stamps.len() < 100 {
        stamps.extend(screen.show(&wall.frame()).iter().map(|(sequence, stamp)| (*sequence, stamp.frame)));
    }
    assert!(stamps.windows(2).all(|pair| pair[0].1 < pair[1].1), "decoded out of order: {stamps:?}");
    assert!(stamps.windows(2).any(|pair| pair[0].0 > pair[1].0), "there are no B-frames: {stamps:?}");
}

#[test]
fn mixed_viewers_of_one_camera_each_get_their_own() {
    let cameras = Cameras::start(&["id=gate size=640x360 small=none"]);
    let agent = Agent::start(&configured(&cameras, &["gate"]));
    agent.wait_for_state("gate", "live");
    let mut wall = Wall::open(&agent.address);
    wall.show(&["gate"], EVERY_FORMAT);
    let mut other = Wall::open(&agent.address);
    other.show(&["gate"], &["jpeg"]);
    assert_eq!(other.frame().format, 1);
    MotionJpeg::open(&agent.address, "/live/gate?size=320x180").next_live();
    assert_eq!(wall.frame().format, 2);
    assert_eq!(agent.camera("gate")["decoding"], true);
    // The page's decoder fails: its tile continues in JPEG, and later returns to units.
    wall.show(&["gate"], &["jpeg"]);
    wall.state(|state| state["format"] == "jpeg");
    assert_eq!(wall.frame().format, 1);
    drop(other);
    wall.show(&["gate"], EVERY_FORMAT);
    wall.state(|state| state["format"] == "h264");
    let frame = wall.frame();
    assert_eq!((frame.format, frame.key), (2, true));
    wait_for("the decoder to end", || (agent.camera("gate")["decoding"] == false).then_some(()));
}

#[test]
fn switch_in_the_file_holds_for_whoever_is_watching() {
    let cameras = Cameras::start(&["id=gate size=640x360 small=none"]);
    let gate = configured(&cameras, &["gate"]);
    let agent = Agent::start(&gate);
    agent.wait_for_state("gate", "live");
    let mut wall = Wall::open(&agent.address);
    wall.show(&["gate"], EVERY_FORMAT);
    wall.state(|state| state["format"] == "h264");
    agent.reload(&format!("[defaults]\npassthrough = false\n{gate}"));
    wall.state(|state| state["format"] == "jpeg");
    assert_eq!(wall.frame().format, 1);
    agent.reload(&format!("{gate}passthrough = true\n"));
    wall.state(|state| state["format"] == "h264");
    assert_eq!(wall.frame().format, 2);
    assert_eq!(agent.camera("gate")["reconnects"], 0, "the stream itself was never touched");
}

#[test]
fn stalled_camera_sends_nothing_old_and_goes_on_with_a_key_frame() {
    let cameras = Cameras::start(&["id=gate size=640x360 small=none"]);
    let agent = Agent::start(&configured(&cameras, &["gate"]));
    agent.wait_for_state("gate", "live");
    let mut wall = Wall::open(&agent.address);
    wall.show(&["gate"], EVERY_FORMAT);
    wall.frame();
    cameras.fault("gate", "stall");
    wall.state(|state| state["state"] != "live");
    let mut late = Wall::open(&agent.address);
    late.show(&["gate"], EVERY_FORMAT);
    let first = late.next().expect("news come first, and while nothing is live no frame at all");
    assert_ne!(first["state"], "live");
    cameras.fault("gate", "resume");
    for wall in [&mut wall, &mut late] {
        let mut live = false;
        let first = loop {
            match wall.next() {
                Ok(text) => live = text["state"] == "live",
                Err(frame) => break frame,
            }
        };
        assert!(live && first.key, "a key frame, after the news that it is live");
    }
}

#[test]
fn viewer_that_stops_reading_costs_bounded_memory_and_nobody_else_a_frame() {
    let cameras = Cameras::start(&["id=gate size=1280x720 small=none fps=50 bitrate=8000"]);
    let agent = Agent::start(&configured(&cameras, &["gate"]));
    agent.wait_for_state("gate", "live");
    let mut healthy = Wall::open(&agent.address);
    healthy.show(&["gate"], EVERY_FORMAT);
    let mut sleepers: Vec<_> = (0..8).map(|_| Wall::open(&agent.address)).collect();
    for sleeper in &mut sleepers {
        sleeper.show(&["gate"], EVERY_FORMAT);
        sleeper.frame();
    }
    let mut last = healthy.frame().sequence;
    let mut watch = |frames: u32| {
        for _ in 0..frames {
            let frame = healthy.frame();
            assert_eq!((frame.sequence, frame.after_gap), (last + 1, false), "nobody else misses a frame");
            last = frame.sequence;
        }
    };
    // The kernel buffers some seconds of video for each sleeping viewer before its socket is full.
    wait_for("units left out", || {
        watch(50);
        (agent.camera("gate")["skipped"].as_u64() > Some(200)).then_some(())
    });
    let before = memory(&agent);
    watch(250);
    let growth = memory(&agent).saturating_sub(before);
    assert!(growth < 8 << 20, "memory grew by {growth} bytes");
}
