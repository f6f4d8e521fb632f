//! Recovery: a camera stalls, closes the connection or stays away, or its worker dies. The wall
//! says so and recovers by itself.

use std::{fs, time::Instant};

use crate::support::{Agent, Cameras, MotionJpeg, wait_for};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const CAMERA: &str = "id=gate size=640x360 small=none";

fn agent_for(cameras: &Cameras) -> Agent {
    agent_with(cameras, "")
}

fn agent_with(cameras: &Cameras, keys: &str) -> Agent {
    let place = cameras.place("gate");
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\nstall_after = 2.0\n{keys}\n{place}"));
    agent.wait_for_state("gate", "live");
    agent
}

/// A worker reads the stream.
const BY_WORKER: &str = "reader = \"opencv\"";

/// The worker that decodes for a viewer.
fn decoder(agent: &Agent) -> i32 {
    wait_for("a worker", || agent.workers().first().copied())
}

#[test]
fn stalled_camera_shows_the_card_and_comes_back() {
    let cameras = Cameras::start(&[CAMERA]);
    let agent = agent_for(&cameras);
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    let live = viewer.next_live();
    let last_sequence = live.sequence.unwrap();

    cameras.fault("gate", "stall");
    agent.wait_for_log(&["gate: no frame for 2.0 s"]);
    let snapshot = agent.get("/snapshot/gate").unwrap();
    assert_eq!(snapshot.status, 503, "a stalled camera has no snapshot");
    assert_eq!(snapshot.header("content-type"), Some("image/jpeg"), "but a card");
    // The open stream now carries cards, and no picture received earlier.
    let card = viewer.next_card();
    for _ in 0..2 {
        let next = viewer.next();
        assert_eq!(next.sequence, None, "a picture followed the card while the camera was stalled");
    }
    assert_ne!(card.jpeg, live.jpeg);
    // The camera still listens, so it got a TEARDOWN before the next session was requested.
    let teardowns = wait_for("TEARDOWN or another session", || {
        let facts = cameras.facts("gate");
        let (over, opened) = (facts["teardowns"].as_u64()?, facts["sessions_opened"].as_u64()?);
        (over >= 1 || opened >= 2).then_some(over)
    });
    assert_eq!(teardowns, 1);

    cameras.fault("gate", "resume");
    let again = viewer.next_live();
    assert!(again.sequence.unwrap() > last_sequence, "the same viewer goes on with newer pictures");
    let camera = agent.wait_for_state("gate", "live");
    assert_eq!(camera["stalls"], 1, "{camera}");
}

#[test]
fn camera_that_hangs_up_or_refuses_is_read_again_when_it_is_back() {
    let cameras = Cameras::start(&[CAMERA]);
    let agent = agent_for(&cameras);
    cameras.fault("gate", "drop");
    wait_for("a new session", || (agent.camera("gate")["reconnects"].as_u64()? >= 1).then_some(()));
    agent.wait_for_state("gate", "live");

    cameras.fault("gate", "refuse");
    agent.wait_for_state("gate", "offline");
    // The failure is reported at once, the reaction as soon as the worker has closed.
    wait_for("a word on what is done", || agent.camera("gate")["why"].as_str()?.contains("trying again").then_some(()));
    cameras.fault("gate", "resume");
    agent.wait_for_state("gate", "live");
}

#[test]
fn killed_worker_is_replaced_and_leaves_nothing_behind() {
    let cameras = Cameras::start(&[CAMERA]);
    let agent = agent_with(&cameras, BY_WORKER);
    let before = agent.workers();
    assert_eq!(before.len(), 1);
    kill(Pid::from_raw(before[0]), Signal::SIGKILL).unwrap();
    wait_for("another worker", || {
        let now = agent.workers();
        (now.len() == 1 && now != before).then_some(())
    });
    agent.wait_for_state("gate", "live");
    agent.wait_for_log(&["gate: ", "SIGKILL"]);
    wait_for("one session at the camera", || (cameras.facts("gate")["sessions"] == 1).then_some(()));
}

#[test]
fn worker_that_hangs_is_killed() {
    let cameras = Cameras::start(&[CAMERA]);
    let agent = agent_with(&cameras, BY_WORKER);
    let stopped = agent.workers()[0];
    kill(Pid::from_raw(stopped), Signal::SIGSTOP).unwrap();
    wait_for("the stopped worker to be reaped", || (!fs::exists(format!("/proc/{stopped}")).unwrap()).then_some(()));
    agent.wait_for_state("gate", "live");
}

#[test]
fn stream_needs_no_worker_until_somebody_wants_pictures_and_none_soon_after() {
    let cameras = Cameras::start(&[CAMERA]);
    let agent = agent_for(&cameras);
    assert_eq!(agent.workers(), [] as [i32; 0]);
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    viewer.next_live();
    assert_eq!(agent.workers().len(), 1);
    drop(viewer);
    wait_for("the worker to end", || agent.workers().is_empty().then_some(()));
    assert_eq!(cameras.facts("gate")["sessions_opened"], 1);
}

#[test]
fn decoder_that_dies_or_hangs_is_replaced_while_the_camera_is_read_on() {
    let cameras = Cameras::start(&[CAMERA]);
    let agent = agent_for(&cameras);
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    for signal in [Signal::SIGKILL, Signal::SIGSTOP] {
        // A worker that has begun; one that loads its libraries is given longer.
        wait_for("the decoder", || {
            viewer.next();
            (agent.camera("gate")["decoding"] == true).then_some(())
        });
        let worker = decoder(&agent);
        kill(Pid::from_raw(worker), signal).unwrap();
        wait_for("another worker in its place", || {
            viewer.next();
            let now = agent.workers();
            (now.len() == 1 && now[0] != worker).then_some(())
        });
        assert!(!fs::exists(format!("/proc/{worker}")).unwrap(), "it is reaped");
    }
    viewer.next_live();
    agent.wait_for_log(&["gate: no pictures: ", "SIGKILL"]);
    let camera = agent.camera("gate");
    assert_eq!((&camera["state"], &camera["reconnects"]), (&"live".into(), &0.into()), "{camera}");
    assert_eq!(cameras.facts("gate")["sessions_opened"], 1, "the camera was left alone");
}

#[test]
fn agent_killed_without_warning_leaves_no_worker() {
    let cameras = Cameras::start(&[CAMERA]);
    let mut agent = agent_for(&cameras);
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    viewer.next_live();
    let worker = decoder(&agent);
    agent.signal(Signal::SIGKILL);
    agent.exit();
    wait_for("the worker to end", || (!fs::exists(format!("/proc/{worker}")).unwrap()).then_some(()));
}

#[test]
fn sigterm_takes_leave_of_the_camera_and_exits_with_zero() {
    let cameras = Cameras::start(&[CAMERA]);
    let mut agent = agent_for(&cameras);
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    viewer.next();
    let asked = Instant::now();
    agent.signal(Signal::SIGTERM);
    let status = agent.exit();
    assert_eq!(status.code(), Some(0));
    assert!(agent.log_text().contains("stopped"), "{}", agent.log_text());
    eprintln!("stopped after {:?}", asked.elapsed());
    wait_for("TEARDOWN", || (cameras.facts("gate")["teardowns"].as_u64()? >= 1).then_some(()));
}

#[test]
fn transport_that_a_camera_needs_is_remembered_over_a_restart() {
    let cameras = Cameras::start(&["id=gate size=640x360 small=320x180 habits=no-tcp"]);
    let config = format!("[[camera]]\nid = \"gate\"\nsmall_profile = \"Profile_2\"\n{}", cameras.place("gate"));
    let lives = |agent: &Agent| {
        for stream in ["gate", "gate (small)"] {
            agent.wait_for_log(&[&format!("{stream}: live, ")]);
        }
    };
    let open_both = |agent: &Agent| {
        agent.wait_for_state("gate", "live");
        // A picture of this size is the main stream's.
        MotionJpeg::open(&agent.address, "/live/gate?size=640x360").next_live();
        lives(agent);
    };
    let mut agent = Agent::start(&config);
    open_both(&agent);
    for stream in ["gate", "gate (small)"] {
        agent.wait_for_log(&[&format!("{stream}: goes on over UDP")]);
    }
    let is_kept = || {
        let text = fs::read_to_string(agent.folder.0.join("state/gate.json")).unwrap_or_default();
        (text.matches("\"udp\"").count() == 2).then_some(())
    };
    wait_for("both transports on disk", is_kept);
    agent.signal(Signal::SIGTERM);
    agent.exit();
    let next = Agent::start_with_state(&config, &agent.folder.0.join("state"));
    open_both(&next);
    assert!(!next.log_text().contains("goes on over UDP"), "{}", next.log_text());
}
