//! The camera's password is changed while a viewer watches it.

use nix::sys::signal::Signal;

use crate::faults::scenario::{Scenario, Wall};

#[test]
fn camera_that_refuses_the_login_is_left_alone_until_a_reload() {
    let scenario = Scenario { id: "locked", keys: "user=viewer pass=right", faults: &[], words: &[], states: &[] };
    let wall = Wall::new(&[scenario]);
    let mut viewer = wall.viewer("locked");
    assert_eq!(wall.cameras.facts("locked")["failed_logins"], 0);
    wall.cameras.fault("locked", "wrongpassword");
    wall.cameras.fault("locked", "drop");
    viewer.next_card();
    let denied = wall.wait_for("locked", "denied for half an hour", |camera| {
        let why = camera["why"].as_str().unwrap_or_default();
        camera["state"] == "denied" && why.contains("password") && why.contains("30 min")
    });
    let failed = wall.cameras.facts("locked")["failed_logins"].as_u64().unwrap();
    eprintln!("locked: {} after {failed} refused logins", denied["why"]);
    assert!((1..=2).contains(&failed), "{failed} wrong logins: cameras lock accounts after five");

    wall.cameras.fault("locked", "resume");
    wall.agent.signal(Signal::SIGHUP);
    viewer.next_live();
    wall.agent.wait_for_state("locked", "live");
}
