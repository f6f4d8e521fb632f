//! The camera is gone, refuses connections, or has nothing to show.

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
        Scenario { id: "full", keys: "", faults: &["full", "drop"], words: &["453"], states: OFFLINE },
        Scenario { id: "busy", keys: "", faults: &["full?status=503", "drop"], words: &["503"], states: OFFLINE },
        Scenario { id: "sound-only", keys: "", faults: &["no-video"], words: &["no video"], states: OFFLINE },
    ]);
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
