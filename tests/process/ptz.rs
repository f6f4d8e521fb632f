//! Cameras are steered: they move while words come, and stand when those end, whoever dies.

use std::{thread, time::Duration};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Agent, Answer, Cameras, held_key::HeldKey, position_in, post, unix_ms, wait_for};

const SMALL: &str = "size=320x180 fps=10 small=none onvif=0 rtsp=0";

/// A camera stands within this time of what ends its movement.
const STANDS_WITHIN_MS: u64 = 1000;

/// How often a time is measured: this machine may do something else the first time.
const MEASUREMENTS: usize = 5;

fn section(cameras: &Cameras, id: &str, keys: &str) -> String {
    format!("[[camera]]\nid = \"{id}\"\n{}ptz = true\n{keys}\n", cameras.place(id))
}

fn tell(agent: &Agent, id: &str, word: &Value) -> Answer {
    post(&agent.address, &format!("/api/cameras/{id}/ptz"), &word.to_string()).expect("an answer")
}

fn state(agent: &Agent, id: &str) -> Value {
    agent.get(&format!("/api/cameras/{id}/ptz")).unwrap().json()
}

/// Where the camera looks: its own word for it.
fn view(cameras: &Cameras, id: &str) -> [f64; 3] {
    let facts = cameras.facts(id);
    ["pan", "tilt", "zoom"].map(|axis| facts["ptz"][axis].as_f64().unwrap())
}

fn is_near(one: [f64; 3], other: [f64; 3]) -> bool {
    one.iter().zip(other).all(|(one, other)| (one - other).abs() < 0.01)
}

fn stands(cameras: &Cameras, id: &str) -> Option<()> {
    (cameras.facts(id)["ptz"]["moving"] == false).then_some(())
}

/// When the camera came to rest, in Unix milliseconds.
fn rested_ms(cameras: &Cameras, id: &str) -> u64 {
    wait_for("the camera to stand", || stands(cameras, id));
    cameras.facts(id)["ptz"]["rested_ms"].as_u64().unwrap()
}

fn wait_until_moving(cameras: &Cameras, id: &str) {
    let before = view(cameras, id);
    wait_for("the camera to move", || (!is_near(view(cameras, id), before)).then_some(()));
}

/// Repeats `measure`, which returns milliseconds, until it is short enough once.
fn stands_in_time(mut measure: impl FnMut(usize) -> u64) {
    let mut times = Vec::new();
    while times.len() < MEASUREMENTS && times.iter().all(|time| *time > STANDS_WITHIN_MS) {
        times.push(measure(times.len()));
    }
    eprintln!("stood after {times:?} ms");
    assert!(times.iter().any(|time| *time <= STANDS_WITHIN_MS), "{times:?} ms");
}

#[test]
fn camera_moves_while_a_key_is_held_and_stands_when_the_page_is_killed() {
    // Without the agent it would move for an hour.
    let cameras = Cameras::start(&[&format!("id=gate {SMALL} ptz=forgets-timeout")]);
    let agent = Agent::start(&section(&cameras, "gate", ""));
    agent.wait_for_state("gate", "live");
    assert_eq!((&agent.camera("gate")["ptz"], &agent.camera("gate")["may_steer"]), (&json!(true), &json!(true)));
    assert_eq!(cameras.facts("gate")["onvif"]["ContinuousMove"], Value::Null, "nothing is said before somebody steers");
    let ahead = position_in(&agent.get("/snapshot/gate").unwrap().body);
    assert_eq!((ahead.pan, ahead.tilt, ahead.zoom), (0, 0, 0));
    let mut pan = 0.5;
    stands_in_time(|_| {
        // To and fro, so that it never comes to the end of its way.
        pan = -pan;
        let key = HeldKey::press(&agent, "gate", &json!({ "pan": pan, "tilt": pan, "zoom": 0 }));
        wait_until_moving(&cameras, "gate");
        wait_for("the agent to say so", || (state(&agent, "gate")["moving"] == true).then_some(()));
        let last_word = key.die();
        rested_ms(&cameras, "gate").saturating_sub(last_word)
    });
    // The picture says the same, now and later.
    let stood = view(&cameras, "gate");
    let seen = || {
        let position = position_in(&agent.get("/snapshot/gate").unwrap().body);
        [position.pan, position.tilt, position.zoom].map(|value| f64::from(value) / 10_000.0)
    };
    wait_for("a picture of where it stands", || is_near(seen(), stood).then_some(()));
    thread::sleep(Duration::from_secs(1));
    assert!(is_near(seen(), stood) && stood[0] != 0.0 && (stood[0] - stood[1]).abs() < 0.01, "{stood:?} {:?}", seen());
    assert_eq!(state(&agent, "gate")["moving"], false);
}

#[test]
fn letting_go_stops_at_once_and_no_more_is_said_than_needed() {
    let cameras = Cameras::start(&[&format!("id=gate {SMALL} ptz=on")]);
    let agent = Agent::start(&section(&cameras, "gate", ""));
    agent.wait_for_state("gate", "live");
    let began = unix_ms();
    let key = HeldKey::press(&agent, "gate", &json!({ "pan": -1 }));
    wait_for("the camera to be on its way", || (view(&cameras, "gate")[0] < -0.4).then_some(()));
    key.die();
    assert_eq!(tell(&agent, "gate", &json!({ "stop": true })).status, 200);
    rested_ms(&cameras, "gate");
    let (moves, held) = (cameras.facts("gate")["onvif"]["ContinuousMove"].as_u64().unwrap(), unix_ms() - began);
    assert!(moves >= 2 && moves <= held / 450 + 2, "{moves} movements in {held} ms");
    assert!(cameras.facts("gate")["onvif"]["Stop"].as_u64().unwrap() >= 1);
    assert_eq!(state(&agent, "gate")["error"], Value::Null);
}

#[test]
fn camera_stands_when_the_agent_is_stopped_in_the_middle() {
    let ids: Vec<String> = (0..MEASUREMENTS).map(|number| format!("gate{number}")).collect();
    let descriptions: Vec<_> = ids.iter().map(|id| format!("id={id} {SMALL} ptz=forgets-timeout")).collect();
    let cameras = Cameras::start(&descriptions.iter().map(String::as_str).collect::<Vec<_>>());
    stands_in_time(|number| {
        let id = &ids[number];
        let mut agent = Agent::start(&section(&cameras, id, ""));
        agent.wait_for_state(id, "live");
        let key = HeldKey::press(&agent, id, &json!({ "tilt": 0.5 }));
        wait_until_moving(&cameras, id);
        let asked = unix_ms();
        agent.signal(Signal::SIGTERM);
        assert_eq!(agent.exit().code(), Some(0));
        let rested = rested_ms(&cameras, id);
        key.die();
        rested.saturating_sub(asked)
    });
}

#[test]
fn camera_stands_by_itself_when_the_agent_is_killed_in_the_middle() {
    let ids: Vec<String> = (0..MEASUREMENTS).map(|number| format!("gate{number}")).collect();
    let descriptions: Vec<_> = ids.iter().map(|id| format!("id={id} {SMALL} ptz=on")).collect();
    let cameras = Cameras::start(&descriptions.iter().map(String::as_str).collect::<Vec<_>>());
    stands_in_time(|number| {
        let id = &ids[number];
        let mut agent = Agent::start(&section(&cameras, id, ""));
        agent.wait_for_state(id, "live");
        let key = HeldKey::press(&agent, id, &json!({ "zoom": 0.5 }));
        wait_until_moving(&cameras, id);
        let killed = unix_ms();
        agent.signal(Signal::SIGKILL);
        agent.exit();
        let rested = rested_ms(&cameras, id);
        key.die();
        rested.saturating_sub(killed)
    });
}

#[test]
fn camera_that_cannot_be_reached_any_more_stands_by_itself_and_is_steered_again_later() {
    let cameras = Cameras::start(&[&format!("id=gate {SMALL} ptz=on")]);
    let agent = Agent::start(&section(&cameras, "gate", ""));
    agent.wait_for_state("gate", "live");
    let mut pan = 0.5;
    stands_in_time(|_| {
        pan = -pan;
        let key = HeldKey::press(&agent, "gate", &json!({ "pan": pan }));
        wait_until_moving(&cameras, "gate");
        let cut = unix_ms();
        cameras.fault("gate", "onvif-down");
        let rested = rested_ms(&cameras, "gate");
        wait_for("the error", || state(&agent, "gate")["error"].as_str().map(str::to_owned));
        key.die();
        cameras.fault("gate", "resume");
        rested.saturating_sub(cut)
    });
    let _key = HeldKey::press(&agent, "gate", &json!({ "pan": -pan }));
    wait_until_moving(&cameras, "gate");
    wait_for("no error any more", || state(&agent, "gate")["error"].is_null().then_some(()));
}

#[test]
fn camera_that_is_removed_in_the_middle_is_stopped() {
    let cameras = Cameras::start(&[
        &format!("id=gate {SMALL} ptz=forgets-timeout"),
        &format!("id=yard {SMALL} ptz=forgets-timeout"),
        &format!("id=dock {SMALL} ptz=forgets-timeout"),
    ]);
    let of = |id: &str, keys: &str| section(&cameras, id, keys);
    let agent = Agent::start(&[of("gate", ""), of("yard", ""), of("dock", "")].concat());
    for id in ["gate", "yard", "dock"] {
        agent.wait_for_state(id, "live");
    }
    let keys = ["gate", "yard", "dock"].map(|id| HeldKey::press(&agent, id, &json!({ "pan": 0.2 })));
    ["gate", "yard", "dock"].iter().for_each(|id| wait_until_moving(&cameras, id));
    // From now on only the reload can stop them; words would be refused.
    keys.into_iter().for_each(drop);
    tell(&agent, "gate", &json!({ "pan": 0.2 }));
    // One is removed, one is no longer steered, and one is opened again in another way.
    let yard = of("yard", "").replace("ptz = true", "ptz = false");
    agent.reload(&[yard, of("dock", "transport = \"udp\"")].concat());
    for id in ["gate", "yard", "dock"] {
        rested_ms(&cameras, id);
    }
    wait_for("the reload", || agent.camera("gate").is_null().then_some(()));
    assert_eq!(agent.camera("yard")["ptz"], false);
    let refused = tell(&agent, "yard", &json!({ "pan": 1 }));
    assert_eq!(refused.status, 409);
    let _key = HeldKey::press(&agent, "dock", &json!({ "pan": -0.2 }));
    wait_until_moving(&cameras, "dock");
}

#[test]
fn presets_are_listed_and_reached_by_name_and_number_and_home_is_home() {
    let login = "user=operator pass=geheim";
    let cameras = Cameras::start(&[
        &format!("id=gate {SMALL} ptz=on {login} auth=digest"),
        &format!("id=yard {SMALL} ptz=no-home {login} auth=usernametoken media=2"),
    ]);
    let login = "username = \"operator\"\npassword = \"geheim\"";
    let agent = Agent::start(&[section(&cameras, "gate", login), section(&cameras, "yard", login)].concat());
    let reaches = |id: &str, word: Value, goal: [f64; 3]| {
        let answer = tell(&agent, id, &word);
        assert_eq!(answer.status, 200, "{word}: {}", String::from_utf8_lossy(&answer.body));
        wait_for(&format!("{id} at {word}"), || is_near(view(&cameras, id), goal).then_some(()));
    };
    for id in ["gate", "yard"] {
        agent.wait_for_state(id, "live");
        let told = state(&agent, id);
        let numbers: Vec<_> =
            told["presets"].as_array().unwrap().iter().map(|preset| preset["number"].clone()).collect();
        assert_eq!((json!(numbers), &told["presets"][2]["name"]), (json!([1, 2, 3]), &json!("門")), "{told}");
        reaches(id, json!({ "preset": "Yard" }), [0.5, 0.25, 0.5]);
        reaches(id, json!({ "preset": 3 }), [0.0, -0.5, 0.0]);
    }
    reaches("gate", json!({ "home": true }), [0.0; 3]);
    // Without a home position the first preset stands in.
    reaches("yard", json!({ "home": true }), [-0.5, 0.0, 0.0]);
    let unknown = tell(&agent, "gate", &json!({ "preset": "Roof" }));
    let words = String::from_utf8_lossy(&unknown.body).into_owned();
    assert!(unknown.status == 404 && words.contains("Door (1), Yard (2)"), "{words}");
    assert!(!agent.log_text().contains("geheim"));
}

#[test]
fn camera_goes_home_when_nobody_has_steered_it_for_a_while() {
    let cameras = Cameras::start(&[&format!("id=gate {SMALL} ptz=on")]);
    let agent = Agent::start(&section(&cameras, "gate", "home_after = 10"));
    agent.wait_for_state("gate", "live");
    let left = unix_ms();
    assert_eq!(tell(&agent, "gate", &json!({ "preset": "Door" })).status, 200);
    wait_for("the preset", || is_near(view(&cameras, "gate"), [-0.5, 0.0, 0.0]).then_some(()));
    wait_for("home", || is_near(view(&cameras, "gate"), [0.0; 3]).then_some(()));
    assert!(unix_ms() - left >= 10_000);
    assert_eq!(cameras.facts("gate")["onvif"]["GotoHomePosition"], 1);
}

#[test]
fn directions_are_those_of_the_picture_that_people_see() {
    let cameras = Cameras::start(&[
        &format!("id=turned {SMALL} ptz=on"),
        &format!("id=mirrored {SMALL} ptz=on"),
        &format!("id=hanging {SMALL} ptz=on"),
    ]);
    let agent = Agent::start(
        &[
            section(&cameras, "turned", "rotate = 90"),
            section(&cameras, "mirrored", "mirror = true"),
            section(&cameras, "hanging", "rotate = 180"),
        ]
        .concat(),
    );
    for (id, fits) in [
        ("turned", (|[pan, tilt, _]| pan == 0.0 && tilt > 0.1) as fn([f64; 3]) -> bool),
        ("mirrored", |[pan, tilt, _]| pan < -0.1 && tilt == 0.0),
        ("hanging", |[pan, tilt, _]| pan < -0.1 && tilt == 0.0),
    ] {
        agent.wait_for_state(id, "live");
        let key = HeldKey::press(&agent, id, &json!({ "pan": 1 }));
        wait_for("the camera to be somewhere else", || {
            let [pan, tilt, _] = view(&cameras, id);
            (pan.abs() > 0.1 || tilt.abs() > 0.1).then_some(())
        });
        key.die();
        assert!(fits(view(&cameras, id)), "{id}: {:?}", view(&cameras, id));
    }
}

#[test]
fn cameras_with_habits_of_their_own_are_moved_and_stopped() {
    let cameras = Cameras::start(&[
        &format!("id=gate {SMALL} ptz=no-timeout"),
        &format!("id=yard {SMALL} ptz=no-stop,forgets-timeout"),
    ]);
    let agent = Agent::start(&[section(&cameras, "gate", ""), section(&cameras, "yard", "")].concat());
    for id in ["gate", "yard"] {
        agent.wait_for_state(id, "live");
        let key = HeldKey::press(&agent, id, &json!({ "pan": 0.5, "zoom": 0.5 }));
        wait_until_moving(&cameras, id);
        key.die();
        rested_ms(&cameras, id);
        wait_for("the agent to say so", || (state(&agent, id)["moving"] == false).then_some(()));
        assert_eq!(state(&agent, id)["error"], Value::Null, "{id}");
    }
    agent.wait_for_log(&["gate: it takes no time limit for a movement"]);
}

#[test]
fn camera_without_ptz_is_told_as_such() {
    let cameras = Cameras::start(&[&format!("id=gate {SMALL}"), &format!("id=yard {SMALL} ptz=no-configuration")]);
    let agent = Agent::start(&[section(&cameras, "gate", ""), section(&cameras, "yard", "")].concat());
    for (id, words) in [("gate", "has no PTZ service"), ("yard", "has no PTZ for profile \"Profile_1\"")] {
        agent.wait_for_state(id, "live");
        let error = state(&agent, id)["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.starts_with("the camera was not moved") && error.contains(words), "{id}: {error}");
        let refused = tell(&agent, id, &json!({ "preset": 1 }));
        assert_eq!(refused.status, 502, "{}", String::from_utf8_lossy(&refused.body));
    }
}

#[test]
fn user_of_the_camera_who_may_not_move_it_is_told_so_and_not_tried_again() {
    let login = "user=viewer pass=geheim";
    let cameras = Cameras::start(&[&format!("id=gate {SMALL} ptz=no-right {login} auth=usernametoken")]);
    let agent = Agent::start(&section(&cameras, "gate", "username = \"viewer\"\npassword = \"geheim\""));
    agent.wait_for_state("gate", "live");
    let error = state(&agent, "gate")["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("give the camera's user the right to move it"), "{error}");
    let proofs = cameras.facts("gate")["proofs"].as_u64().unwrap();
    tell(&agent, "gate", &json!({ "pan": 1 }));
    let refused = tell(&agent, "gate", &json!({ "home": true }));
    assert_eq!(refused.status, 502);
    assert_eq!(cameras.facts("gate")["proofs"].as_u64().unwrap(), proofs, "cameras lock accounts");
    agent.wait_for_state("gate", "live");
    // A reload is somebody who has changed something.
    agent.signal(Signal::SIGHUP);
    wait_for("another attempt", || {
        state(&agent, "gate");
        (cameras.facts("gate")["proofs"].as_u64().unwrap() > proofs).then_some(())
    });
}

#[test]
fn refused_login_is_not_tried_again_for_steering() {
    let cameras = Cameras::start(&[&format!("id=gate {SMALL} ptz=on user=operator pass=geheim auth=digest")]);
    let login = "username = \"operator\"\npassword = \"falsch\"";
    let agent = Agent::start(&section(&cameras, "gate", login));
    agent.wait_for_state("gate", "denied");
    let failed = cameras.facts("gate")["failed_logins"].as_u64().unwrap();
    for word in [json!({ "pan": 1 }), json!({ "stop": true }), json!({ "pan": -1 })] {
        assert_eq!(tell(&agent, "gate", &word).status, 200);
    }
    let refused = tell(&agent, "gate", &json!({ "home": true }));
    assert_eq!(refused.status, 502, "{}", String::from_utf8_lossy(&refused.body));
    let error = state(&agent, "gate")["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("refused GetProfiles for user \"operator\""), "{error}");
    assert_eq!(cameras.facts("gate")["failed_logins"].as_u64().unwrap(), failed);
}
