//! The camera's cable is pulled: no FIN, no RST; its connections stay half open for ever.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Agent, Cameras, MotionJpeg, burnt_in, held_key::HeldKey, network::Network, unix_ms, wait_for};

/// Much less than the default of 5 s, to save test time.
const STALL_AFTER: Duration = Duration::from_millis(2500);

#[test]
fn camera_whose_cable_is_pulled_is_missed_and_read_again_when_it_is_back() {
    let Some(network) = Network::new() else { return };
    let (wall, camera) = (network.host(), network.host());
    let place = camera.address();
    let cameras = camera.within(|| Cameras::start(&[&format!("id=gate ip={place} size=320x184 small=none gop=15")]));
    let stall_after = STALL_AFTER.as_secs_f64();
    let url = cameras.stream("gate");
    wall.within(|| {
        let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\nstall_after = {stall_after}\nurl = \"{url}\"\n"));
        agent.wait_for_state("gate", "live");
        let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
        viewer.next_live();

        let pulled = Instant::now();
        camera.unplug();
        viewer.next_card();
        let detected = pulled.elapsed();
        let why = wait_for("the reason", || {
            let said = agent.camera("gate");
            let why = said["why"].as_str()?.to_owned();
            (said["state"] != "live" && why.contains("no frame for")).then_some(why)
        });
        // Each attempt now fails by itself.
        wait_for("further attempts", || (agent.camera("gate")["reconnects"].as_u64()? >= 2).then_some(()));

        let (back, back_ms) = (Instant::now(), unix_ms());
        camera.plug_in();
        wait_for("a picture from after the fault", || {
            let part = viewer.next_live();
            (burnt_in(&part.jpeg).unix_ms > back_ms).then_some(())
        });
        eprintln!("gate: cable detected after {detected:.1?} as {why:?}, live {:.1?} after it is back", back.elapsed());
        agent.wait_for_state("gate", "live");
        assert_eq!(agent.workers().len(), 1);
        // The camera may still keep the session, because it never received its end.
        let sessions = camera.within(|| cameras.facts("gate")["sessions"].as_i64().unwrap());
        assert!((1..=2).contains(&sessions), "{sessions}");
    });
}

#[test]
fn camera_is_tried_again_as_soon_as_the_wall_has_its_network_back() {
    let Some(network) = Network::new() else { return };
    let (wall, camera) = (network.host(), network.host());
    let place = camera.address();
    let cameras = camera.within(|| Cameras::start(&[&format!("id=gate ip={place} size=320x184 small=none gop=15")]));
    let url = cameras.stream("gate");
    wall.within(|| {
        let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\nstall_after = 1.0\nurl = \"{url}\"\n"));
        agent.wait_for_state("gate", "live");
        wall.unplug();
        // From here on the next attempt comes after 16 s at least.
        wait_for("the fifth attempt", || agent.camera("gate")["why"].as_str()?.contains("(attempt 5)").then_some(()));
        let noticed = Instant::now();
        wall.plug_in();
        agent.wait_for_log(&["the network has changed: ", &format!(" has {}", wall.address()), "tried again"]);
        agent.wait_for_state("gate", "live");
        let took = noticed.elapsed();
        eprintln!("gate: live {took:.1?} after the wall had its cable back");
        assert!(took < Duration::from_secs(16), "it waited out its pause");
    });
}

#[test]
fn camera_whose_cable_is_pulled_while_it_moves_stands_by_itself() {
    let Some(network) = Network::new() else { return };
    let (wall, camera) = (network.host(), network.host());
    let place = camera.address();
    let cameras =
        camera.within(|| Cameras::start(&[&format!("id=gate ip={place} size=320x184 small=none gop=15 ptz=on")]));
    let ptz = || camera.within(|| cameras.facts("gate")["ptz"].clone());
    wall.within(|| {
        let section = format!("[[camera]]\nid = \"gate\"\nptz = true\n{}", cameras.place("gate"));
        let agent = Agent::start(&section);
        agent.wait_for_state("gate", "live");
        // This machine may do something else the first time.
        let mut times = Vec::new();
        let mut pan = 0.5;
        while times.len() < 5 && times.iter().all(|time| *time > 1000) {
            pan = -pan;
            let before = ptz()["pan"].as_f64().unwrap();
            let key = HeldKey::press(&agent, "gate", &json!({ "pan": pan }));
            wait_for("the camera to move", || ((ptz()["pan"].as_f64()? - before).abs() > 0.01).then_some(()));
            let pulled = unix_ms();
            camera.unplug();
            wait_for("the camera to stand", || (ptz()["moving"] == false).then_some(()));
            times.push(ptz()["rested_ms"].as_u64().unwrap().saturating_sub(pulled));
            key.die();
            camera.plug_in();
            wait_for("the camera to be steered again", || {
                let state = agent.get("/api/cameras/gate/ptz")?.json();
                (state["moving"] == false).then_some(())
            });
            agent.wait_for_state("gate", "live");
        }
        eprintln!("gate: stood {times:?} ms after its cable was pulled");
        assert!(times.iter().any(|time| *time <= 1000), "{times:?} ms");
    });
}
