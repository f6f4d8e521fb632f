//! The camera is gone, refuses connections, or has nothing to show.

use nix::sys::signal::Signal;

use crate::{
    faults::scenario::{Scenario, Wall, run},
    support::wait_for,
};

const OFFLINE: &[&str] = &["offline"];

#[test]
fn camera_that_leaves_or_refuses_says_why_and_comes_back() {
    run(&[
        Scenario { id: "dropped", keys: "", faults: &["drop"], words: &["ended"], states: OFFLINE },
        Scenario { id: "goodbye", keys: "", faults: &["bye"], words: &["ended"], states: OFFLINE },
        Scenario { id: "teardown", keys: "", faults: &["teardown"], words: &["ended"], states: OFFLINE },
        Scenario { id: "unplugged", keys: "", faults: &["refuse"], words: &["refused"], states: OFFLINE },
        Scenario { id: "sound-only", keys: "", faults: &["no-video"], words: &["no video"], states: OFFLINE },
    ]);
}

/// A camera without room counts sessions of nobody until they are forgotten, so it is left alone for as
/// long; a reload ends the pause.
#[test]
fn camera_without_room_is_left_alone_for_a_minute_or_until_a_reload() {
    let cases = [("full", "full", "453"), ("busy", "full?status=503", "503")];
    let wall = Wall::new(&cases.map(|(id, ..)| Scenario { id, keys: "", faults: &[], words: &[], states: &[] }));
    for (id, fault, word) in cases {
        let mut viewer = wall.viewer(id);
        wall.cameras.fault(id, fault);
        wall.cameras.fault(id, "drop");
        viewer.next_card();
        let camera =
            wall.wait_for(id, "its reason", |camera| camera["why"].as_str().unwrap_or_default().contains(word));
        assert_eq!(camera["state"], "offline");
        let why = camera["why"].as_str().unwrap();
        assert!(why.contains("trying again in 60 s"), "{why}");
        wall.cameras.fault(id, "resume");
        wall.agent.signal(Signal::SIGHUP);
        viewer.next_live();
    }
}

/// The stream works and was live a moment ago: the agent opens it at the same address and does not
/// wait for ONVIF.
#[test]
fn camera_that_hangs_up_while_its_onvif_is_ill_is_back_at_the_first_attempt() {
    let ills = [("mute", "onvif-down"), ("babbling", "garbage")];
    let wall = Wall::new(&ills.map(|(id, _)| Scenario { id, keys: "", faults: &[], words: &[], states: &[] }));
    for (id, ill) in ills {
        let mut viewer = wall.viewer(id);
        wall.cameras.fault(id, ill);
        for times in 1..=2 {
            wall.cameras.fault(id, "drop");
            viewer.next_card();
            viewer.next_live();
            let logged = || {
                let lines = wall.agent.log_lines();
                lines.into_iter().filter(|line| line.contains(&format!("{id}: ")) && line.contains("(attempt "))
            };
            wait_for("the end of the stream in the log", || (logged().count() >= times).then_some(()));
            let logged: Vec<_> = logged().collect();
            assert!(logged.len() == times && logged[times - 1].contains("the stream ended"), "{id}: {logged:#?}");
        }
    }
}
