//! The stream asks the camera for a key frame after a loss, and for a viewer who would have to wait for
//! one. The cameras here send one at the start and then none for an hour, unless said otherwise.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::wall::Wall;
use crate::support::{Agent, Cameras, MotionJpeg, wait_for};

/// A stall would end the session, and a new one begins with a key frame.
const NO_STALL: &str = "[defaults]\nstall_after = 60\n";

fn camera(keys: &str) -> Cameras {
    let gop = if keys.contains("gop=") { "" } else { "gop=90000" };
    Cameras::start(&[&format!("id=gate size=640x360 small=none {gop} {keys}")])
}

fn started(cameras: &Cameras, more: &str) -> Agent {
    let agent = Agent::start(&format!("{more}[[camera]]\nid = \"gate\"\n{}", cameras.place("gate")));
    agent.wait_for_state("gate", "live");
    agent
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// Loses some access units on the way.
fn lose(cameras: &Cameras, agent: &Agent, habits: &str) {
    let lost = || number(&agent.camera("gate")["reception"]["lost"]);
    let frames = || number(&cameras.facts("gate")["frames"]);
    let (lost_before, first) = (lost(), frames());
    cameras.fault("gate", &format!("habits?lose-units=1000&{habits}"));
    wait_for("units to be lost", || (frames() >= first + 5).then_some(()));
    cameras.fault("gate", "resume");
    wait_for("the loss to be noticed", || (lost() > lost_before).then_some(()));
}

/// Waits until frames are shown again, in the same session.
fn recover(agent: &Agent) -> Value {
    let frames = number(&agent.camera("gate")["frames"]);
    let camera = wait_for("frames after the loss", || {
        Some(agent.camera("gate")).filter(|camera| number(&camera["frames"]) > frames + 10)
    });
    assert_eq!((&camera["reconnects"], &camera["state"]), (&0.into(), &"live".into()), "{camera:#}");
    camera
}

fn sync_points(cameras: &Cameras) -> u64 {
    number(&cameras.facts("gate")["onvif"]["SetSynchronizationPoint"])
}

#[test]
fn after_a_loss_the_camera_is_asked_by_rtcp_if_it_offers_that() {
    for habits in ["offers-pli", "offers-fir"] {
        let cameras = camera(&format!("habits={habits}"));
        let agent = started(&cameras, NO_STALL);
        lose(&cameras, &agent, habits);
        let camera = recover(&agent);
        assert!(number(&camera["key_frame_requests"]) >= 1, "{camera:#}");
        assert!(number(&cameras.facts("gate")["key_frame_requests"]) >= 1, "{habits}: {}", cameras.facts("gate"));
        assert_eq!(sync_points(&cameras), 0);
        agent.wait_for_log(&["gate: the camera is asked for a key frame by RTCP"]);
        let metrics = String::from_utf8(agent.get("/metrics").unwrap().body).unwrap();
        assert!(metrics.contains("cctv_camera_key_frame_requests_total{camera=\"gate\"} "), "{metrics}");
    }
}

#[test]
fn after_a_loss_the_camera_is_asked_by_onvif_of_either_kind_if_it_offers_no_rtcp() {
    for keys in ["media=1 user=viewer pass=secret", "media=2"] {
        let cameras = camera(keys);
        let login = if keys.contains("user") { "username = \"viewer\"\npassword = \"secret\"\n" } else { "" };
        let agent = Agent::start(&format!("{NO_STALL}[[camera]]\nid = \"gate\"\n{}{login}", cameras.place("gate")));
        agent.wait_for_state("gate", "live");
        lose(&cameras, &agent, "none");
        let camera = recover(&agent);
        assert!(number(&camera["key_frame_requests"]) >= 1, "{camera:#}");
        assert!(sync_points(&cameras) >= 1, "{}", cameras.facts("gate"));
        let facts = cameras.facts("gate");
        assert_eq!((&facts["key_frame_requests"], &facts["failed_logins"]), (&0.into(), &0.into()), "{facts}");
    }
}

#[test]
fn camera_that_refuses_is_asked_once_and_is_live_at_its_next_key_frame() {
    let cameras = camera("gop=50 media=1 habits=no-sync-point");
    let agent = started(&cameras, NO_STALL);
    for _ in 0..3 {
        lose(&cameras, &agent, "no-sync-point");
        recover(&agent);
    }
    assert_eq!(sync_points(&cameras), 1, "{}", agent.log_text());
    agent.wait_for_log(&["gate: cannot be asked for a key frame by ONVIF"]);
}

#[test]
fn camera_that_ignores_requests_is_asked_every_two_seconds_at_most() {
    let habits = "offers-pli&no-key-frame-on-request";
    let cameras = camera(&format!("habits={}", habits.replace('&', ",")));
    let agent = started(&cameras, NO_STALL);
    let before = number(&agent.camera("gate")["key_frame_requests"]);
    let start = Instant::now();
    lose(&cameras, &agent, habits);
    wait_for("three requests", || (number(&agent.camera("gate")["key_frame_requests"]) >= before + 3).then_some(()));
    assert!(start.elapsed() >= Duration::from_secs(4));
}

#[test]
fn viewer_who_joins_while_no_group_is_kept_sees_a_picture_soon() {
    let cameras = Cameras::start(&[
        "id=gate size=1280x720 bitrate=8000 small=none gop=90000 habits=offers-pli",
        "id=yard size=1280x720 bitrate=8000 small=none gop=90000",
    ]);
    let camera = |id| format!("[[camera]]\nid = \"{id}\"\n{}", cameras.place(id));
    let agent = Agent::start(&format!("[limits]\ngroup_memory = 1\n{NO_STALL}{}{}", camera("gate"), camera("yard")));
    for id in ["gate", "yard"] {
        agent.wait_for_state(id, "live");
        let outgrown = || {
            wait_for("the group to outgrow its memory", || {
                let camera = agent.camera(id);
                (camera["state"] == "live" && camera["group"]["units"] == 0).then_some(())
            });
        };
        outgrown();
        let mut wall = Wall::open(&agent.address);
        wall.show(&[id], &["h264"]);
        assert!(wall.frame().key);
        outgrown();
        MotionJpeg::open(&agent.address, &format!("/live/{id}")).next_live();
        let camera = agent.camera(id);
        assert_eq!(camera["reconnects"], 0, "{camera:#}");
        assert!(number(&camera["key_frame_requests"]) >= 2, "{camera:#}");
    }
}

/// Some cameras send nothing after PLAY until somebody asks for a key frame.
#[test]
fn camera_that_is_silent_until_it_is_asked_is_asked_and_live() {
    for (keys, way) in [("habits=silent-until-asked,offers-pli", "RTCP"), ("habits=silent-until-asked", "ONVIF")] {
        let cameras = camera(keys);
        let agent = started(&cameras, "");
        assert_eq!(agent.camera("gate")["reconnects"], 0, "{}", agent.log_text());
        agent.wait_for_log(&[&format!("gate: the camera is asked for a key frame by {way}")]);
    }
}
