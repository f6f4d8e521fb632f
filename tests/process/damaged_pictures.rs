//! A network on which no key frame comes whole: damaged pictures stand in, and each way in which the agent
//! serves them carries the mark.

mod link;

use std::process::Command;

use serde_json::Value;

use crate::{
    shape::old_picture,
    support::{
        Agent, Cameras, MotionJpeg, agent_program, burnt_in, mark::is_marked, try_burnt_in, wait_for, wall::Wall,
    },
};
use link::Link;

/// Half of it is the time without a whole picture after which damaged ones are shown.
const STALL_AFTER: u32 = 4;

const SIZES: [&str; 3] = ["", "?size=160x90", "?size=320x180&quality=40"];

/// Whether `state` is that of a camera whose pictures are damaged, with the share of lost packets.
fn says_damaged(state: &Value) -> bool {
    let part = &state["reason"][0];
    let percent = part["params"]["percent"].as_f64();
    let why = state["why"].as_str().unwrap();
    state["state"] == "live"
        && part["code"] == "picture_damaged"
        && percent.is_some_and(|percent| why == format!("picture damaged: {percent:.1} % of packets lost"))
}

fn metric(agent: &Agent, camera: &str) -> String {
    let text = String::from_utf8(agent.get("/metrics").unwrap().body).unwrap();
    let begin = format!("cctv_camera_damaged{{camera=\"{camera}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&begin)).unwrap().to_owned()
}

fn status(agent: &Agent) -> String {
    let file = agent.folder.0.join("cameras.toml");
    let output = Command::new(agent_program()).args(["status", "gate", "--config"]).arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The snapshot at `target`; a worker that starts on a busy machine may take longer than one request waits.
fn snapshot(agent: &Agent, target: &str) -> Vec<u8> {
    wait_for("a snapshot", || agent.get(target).filter(|answer| answer.status == 200)).body
}

/// Walks all ways in which pictures and units of a damaged stream are served.
fn every_way_carries_the_mark(agent: &Agent) {
    for size in SIZES {
        let snapshot = snapshot(agent, &format!("/snapshot/gate{size}"));
        assert!(is_marked(&snapshot), "snapshot {size}");
        let mut viewer = MotionJpeg::open(&agent.address, &format!("/live/gate{size}"));
        for number in 0..10 {
            let part = viewer.next_live();
            assert_eq!(part.state, "live");
            assert!(is_marked(&part.jpeg), "part {number} of /live {size}");
        }
    }
    old_picture(&agent.address, "/ws/gate", is_marked);
    let mut wall = Wall::open(&agent.address);
    wall.show(&["gate"], &["jpeg"]);
    wall.state(says_damaged);
    for number in 0..10 {
        let frame = wall.frame();
        wall.drawn(frame.sequence);
        assert!(frame.format == 1 && is_marked(&frame.payload), "picture {number} on the wall socket");
    }
    let mut wall = Wall::open(&agent.address);
    wall.show(&["gate"], &["h264", "jpeg"]);
    let (mut is_told, mut units) = (false, 0);
    while units < 30 {
        match wall.next() {
            Ok(message) if message["tile"] == 0 => is_told = says_damaged(&message),
            Ok(_) => {}
            Err(frame) => {
                assert!(is_told && frame.format == 2 && frame.damaged, "unit {units} of the camera's own video");
                units += 1;
            }
        }
    }
    assert!(says_damaged(&agent.camera("gate")));
    assert_eq!(metric(agent, "gate"), "1");
    let status = status(agent);
    assert!(status.contains("picture damaged: ") && status.contains("live"), "{status}");
}

#[test]
fn damaged_pictures_stand_in_for_none_under_a_mark_and_are_hidden_where_that_is_wanted() {
    let cameras = Cameras::start(&["id=cam codec=h264 size=640x360 fps=15 gop=15 bitrate=1000 small=none"]);
    let stream = cameras.stream("cam");
    let (host, path) = stream.trim_start_matches("rtsp://").split_once('/').unwrap();
    let link = Link::start(host.parse().unwrap());
    let url = format!("url = \"rtsp://{}/{path}\"\ntransport = \"tcp\"\nstall_after = {STALL_AFTER}\n", link.address);
    let agent = Agent::start(&format!(
        "[[camera]]\nid = \"gate\"\n{url}\n[[camera]]\nid = \"yard\"\ndamaged = \"hide\"\n{url}"
    ));
    agent.wait_for_state("gate", "live");
    agent.wait_for_state("yard", "live");
    let all = MotionJpeg::open(&agent.address, "/live/gate?size=480x270").in_background();
    for id in ["gate", "yard"] {
        let snapshot = snapshot(&agent, &format!("/snapshot/{id}"));
        assert!(!is_marked(&snapshot));
        burnt_in(&snapshot);
        assert_eq!(metric(&agent, id), "0");
    }

    link.lose(true);
    wait_for("the damaged pictures", || says_damaged(&agent.camera("gate")).then_some(()));
    agent.wait_for_log(&["gate", "damaged pictures", "packets lost", "transport"]);
    every_way_carries_the_mark(&agent);
    wait_for("the camera whose damaged pictures are hidden to stall", || {
        let camera = agent.camera("yard");
        let is_right = camera["state"] != "live" && camera["stalls"] != 0;
        (is_right && camera["last_error"].as_str()?.contains("no key frame")).then_some(())
    });
    assert_eq!(agent.get("/snapshot/yard").unwrap().status, 503);
    assert!(agent.camera("gate")["stalls"] == 0, "{}", agent.camera("gate"));

    link.lose(false);
    wait_for("the mark to go", || {
        let camera = agent.camera("gate");
        (camera["state"] == "live" && camera["why"] == "").then_some(())
    });
    agent.wait_for_log(&["gate", "whole again"]);
    agent.wait_for_state("yard", "live");
    for id in ["gate", "yard"] {
        for size in SIZES {
            assert!(!is_marked(&snapshot(&agent, &format!("/snapshot/{id}{size}"))), "{id}{size}");
        }
        burnt_in(&snapshot(&agent, &format!("/snapshot/{id}")));
        assert_eq!(metric(&agent, id), "0");
    }

    // A picture that is damaged lacks its lower edge, where the camera writes a number.
    let (mut marked, mut plain) = (0, 0);
    for part in all.try_iter().filter(|part| part.sequence.is_some()) {
        if is_marked(&part.jpeg) {
            marked += 1;
        } else {
            assert!(try_burnt_in(&part.jpeg).is_some(), "a damaged picture without the mark");
            plain += 1;
        }
    }
    assert!(marked > 10 && plain > 10, "{marked} with the mark, {plain} without");
}
