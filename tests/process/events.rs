//! Events of cameras by ONVIF, and the rules for them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Agent, Cameras, http, wait_for};

/// A camera with events.
fn camera(keys: &str) -> Cameras {
    Cameras::start(&[&format!("id=gate size=320x240 fps=5 small=none snapshots=off {keys}")])
}

fn started(cameras: &Cameras, login: &str, rules: &str) -> Agent {
    Agent::start(&file(cameras, login, rules))
}

fn file(cameras: &Cameras, login: &str, rules: &str) -> String {
    format!("{rules}[[camera]]\nid = \"gate\"\n{}{login}", cameras.place("gate"))
}

const BELL: &str = "[[rule]]\non = \"gate:doorbell\"\nseconds = 20\n";

fn events(agent: &Agent) -> Value {
    agent.camera("gate")["events"].clone()
}

fn wait_for_events(agent: &Agent, state: &str) -> Value {
    wait_for(&format!("events to be {state}"), || Some(events(agent)).filter(|events| events["state"] == state))
}

/// The cameras that the wall brings to the front, each with who wants it.
fn shown(agent: &Agent) -> Vec<(String, String)> {
    let wall = agent.get("/api/wall").unwrap().json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let shown = wall["shown"].as_array().unwrap().iter();
    shown.map(|call_up| (text(&call_up["camera"]), text(&call_up["by"]))).collect()
}

fn wait_until_shown(agent: &Agent, by: &str) {
    wait_for(&format!("{by} on the wall"), || shown(agent).contains(&("gate".into(), by.into())).then_some(()));
}

fn calls(cameras: &Cameras, operation: &str) -> u64 {
    cameras.facts("gate")["onvif"][operation].as_u64().unwrap_or(0)
}

fn clear(agent: &Agent) {
    assert_eq!(http("POST", &agent.address, "/api/wall/clear").unwrap().status, 200);
    assert!(shown(agent).is_empty());
}

#[test]
fn bell_brings_its_camera_to_the_front() {
    let cameras = camera("events=on");
    let agent = started(&cameras, "", BELL);
    wait_for_events(&agent, "subscribed");
    // Another event, and the end of this one, are not meant.
    cameras.fault("gate", "event?topic=motion&active=true");
    cameras.fault("gate", "event?topic=doorbell&active=false");
    wait_for("an event that no rule is for", || (events(&agent)["count"] == 1).then_some(()));
    assert!(shown(&agent).is_empty());
    cameras.fault("gate", "event?topic=doorbell&active=true");
    wait_until_shown(&agent, "gate:doorbell");
    agent.wait_for_log(&["rule gate:doorbell: show gate for 20 s"]);
    // Nobody asked for the password of a camera that has none, and one subscription is enough.
    let facts = cameras.facts("gate");
    assert_eq!((&facts["pull_points_made"], &facts["proofs"]), (&json!(1), &json!(0)), "{facts:#}");
}

#[test]
fn camera_without_a_rule_is_not_asked_for_events() {
    let cameras = camera("events=on");
    let agent = started(&cameras, "", "[[rule]]\non = \"gate:lost\"\n");
    agent.wait_for_state("gate", "live");
    assert_eq!((events(&agent), calls(&cameras, "CreatePullPointSubscription")), (Value::Null, 0));
    // A reload that wants them begins, and one that does not ends the subscription at the camera.
    agent.reload(&file(&cameras, "", BELL));
    wait_for_events(&agent, "subscribed");
    agent.reload(&file(&cameras, "", ""));
    wait_for("the subscription to be ended", || (cameras.facts("gate")["pull_points"] == 0).then_some(()));
    assert_eq!((events(&agent), calls(&cameras, "Unsubscribe")), (Value::Null, 1));
}

#[test]
fn subscription_is_begun_again_after_every_loss() {
    // They end after three seconds and cannot be prolonged, as those of some cameras after a minute.
    let cameras = camera("events=3");
    let agent = started(&cameras, "", BELL);
    wait_for("three subscriptions", || (cameras.facts("gate")["pull_points_made"].as_u64()? >= 3).then_some(()));
    cameras.fault("gate", "event?topic=doorbell&active=true");
    wait_until_shown(&agent, "gate:doorbell");
    clear(&agent);
    // The camera restarts, and rings when it is back.
    cameras.fault("gate", "refuse");
    cameras.fault("gate", "forget-events");
    wait_for("the loss to be told", || {
        let told = events(&agent);
        let is_told = told["why"].as_str()?.contains("cannot reach the ONVIF service");
        (is_told && told["state"] == "subscribing").then_some(())
    });
    cameras.fault("gate", "event?topic=doorbell&active=false");
    cameras.fault("gate", "resume");
    wait_for_events(&agent, "subscribed");
    cameras.fault("gate", "event?topic=doorbell&active=true");
    wait_until_shown(&agent, "gate:doorbell");
}

#[test]
fn what_lasts_stays_at_the_front_and_what_began_meanwhile_is_noticed() {
    let cameras = camera("events=on");
    let rule = "[[rule]]\non = \"gate:motion\"\nseconds = 2\n";
    let agent = started(&cameras, "", rule);
    wait_for_events(&agent, "subscribed");
    cameras.fault("gate", "event?topic=motion&active=true");
    wait_until_shown(&agent, "gate:motion");
    let number = || agent.get("/api/wall").unwrap().json()["shown"][0]["number"].clone();
    let first = number();
    let since = std::time::Instant::now();
    while since.elapsed() < Duration::from_secs(6) {
        assert_eq!(number(), first);
        std::thread::sleep(Duration::from_millis(100));
    }
    cameras.fault("gate", "event?topic=motion&active=false");
    wait_for("the wall to be as it was", || shown(&agent).is_empty().then_some(()));
    // It begins again while the camera has forgotten the agent: the new subscription tells it.
    cameras.fault("gate", "forget-events");
    cameras.fault("gate", "event?topic=motion&active=true");
    wait_until_shown(&agent, "gate:motion");
}

#[test]
fn camera_that_refuses_is_told_so_and_left_alone() {
    let cameras = camera("events=refused");
    let agent = started(&cameras, "", BELL);
    let told = wait_for_events(&agent, "refused");
    assert!(told["why"].as_str().unwrap().contains("Optional Action Not Implemented"), "{told:#}");
    agent.wait_for_log(&["gate: no events: ", "asked again in ten minutes"]);
    agent.wait_for_state("gate", "live");
    let asked = calls(&cameras, "CreatePullPointSubscription");
    // The wall, the pictures and the other rules go on, and nobody asks again.
    wait_for("some pictures", || (agent.camera("gate")["frames"].as_u64()? > 20).then_some(()));
    assert_eq!(calls(&cameras, "CreatePullPointSubscription"), asked);
}

#[test]
fn login_and_clock_are_those_of_the_stream() {
    let cameras = camera("events=on user=viewer pass=secret auth=usernametoken skew=-86400");
    let login = "username = \"viewer\"\npassword = \"secret\"\n";
    let agent = started(&cameras, login, BELL);
    wait_for_events(&agent, "subscribed");
    cameras.fault("gate", "event?topic=doorbell&active=true");
    wait_until_shown(&agent, "gate:doorbell");
    assert_eq!(cameras.facts("gate")["failed_logins"], 0);
}

#[test]
fn wrong_password_is_not_tried_once_more_for_the_events() {
    let cameras = camera("events=on user=viewer pass=secret");
    let agent = started(&cameras, "username = \"viewer\"\npassword = \"wrong\"\n", BELL);
    agent.wait_for_state("gate", "denied");
    let proofs = || cameras.facts("gate")["proofs"].as_u64().unwrap();
    let before = proofs();
    // Twice as long as it takes to look again.
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!((proofs(), calls(&cameras, "CreatePullPointSubscription")), (before, 0));
    // The right one brings both, without a restart.
    agent.reload(&file(&cameras, "username = \"viewer\"\npassword = \"secret\"\n", BELL));
    wait_for_events(&agent, "subscribed");
}

#[test]
fn hundred_events_a_second_disturb_nobody() {
    let cameras = camera("events=on");
    let agent = started(&cameras, "", "[[rule]]\non = [\"gate:motion\", \"gate:doorbell\"]\nseconds = 20\n");
    wait_for_events(&agent, "subscribed");
    agent.wait_for_state("gate", "live");
    for round in 0..10 {
        let active = round % 2 == 0;
        cameras.fault("gate", &format!("event?topic=motion&active={active}&count=50"));
        cameras.fault("gate", "event?topic=line&active=none&count=50");
    }
    cameras.fault("gate", "event?topic=doorbell&active=true");
    wait_until_shown(&agent, "gate:doorbell");
    let camera = agent.camera("gate");
    assert_eq!((&camera["state"], &camera["reconnects"]), (&json!("live"), &json!(0)), "{camera:#}");
}

#[test]
fn lost_picture_is_shown_as_lost_and_a_short_hiccup_is_not() {
    let cameras = camera("events=off");
    let agent = started(
        &cameras,
        "",
        "[defaults]\nstall_after = 2\n[[rule]]\non = \"*:lost\"\n[[rule]]\non = \"gate:back\"\ndo = \"mark\"\n",
    );
    agent.wait_for_state("gate", "live");
    cameras.fault("gate", "drop");
    wait_for("the session to be begun again", || (agent.camera("gate")["reconnects"] == 1).then_some(()));
    agent.wait_for_state("gate", "live");
    assert!(shown(&agent).is_empty());
    cameras.fault("gate", "freeze");
    wait_until_shown(&agent, "gate:lost");
    assert_ne!(agent.camera("gate")["state"], "live");
    cameras.fault("gate", "resume");
    wait_for("the mark", || {
        Some(agent.get("/api/wall")?.json()["marked"][0]["by"].clone()).filter(|by| *by == "gate:back")
    });
}
