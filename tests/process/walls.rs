//! What walls show at which time: tours and timetables of a real agent, as pages and programs are told.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::support::{Agent, Folder, agent_program, page::Page, wait_for};
use serde_json::{Value, json};

/// Three cameras at which nobody answers.
const CAMERAS: &str = "[[camera]]\nid = \"gate\"\nurl = \"rtsp://127.0.0.1:9/a\"\n\
                       [[camera]]\nid = \"yard\"\nurl = \"rtsp://127.0.0.1:9/b\"\n\
                       [[camera]]\nid = \"dock\"\nurl = \"rtsp://127.0.0.1:9/c\"\n";

/// A page of the wall `name`.
fn page_of(agent: &Agent, name: &str) -> Page {
    wait_for("an agent that listens", || agent.get("/healthz"));
    let mut page = Page::open(&agent.address, "/ws");
    page.say(&json!({ "wall": name }));
    page
}

/// Waits until a page is told a scene that fits.
fn wait_for_scene(page: &mut Page, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    page.wait_for_message(what, |told| told.get("wall").is_some_and(|wall| fits(&wall["scene"])))["wall"]["scene"]
        .clone()
}

fn state(agent: &Agent, name: &str) -> Value {
    agent.get(&format!("/api/walls/{name}")).unwrap().json()
}

/// `hh:mm` so many minutes from now, by a clock that is so many hours ahead of UTC.
fn local_time(hours_ahead: u64, minutes_from_now: i64) -> String {
    let minutes = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60 + hours_ahead * 60;
    let minute = (i64::try_from(minutes).unwrap() + minutes_from_now).rem_euclid(24 * 60);
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[test]
fn all_pages_of_a_wall_go_round_together_and_a_late_one_joins() {
    let agent = Agent::start(&format!(
        "{CAMERAS}[[wall.hall.step]]\ncameras = [\"gate\", \"yard\"]\nlayout = \"1+5\"\nseconds = 4\nlarge_every = 3\n\
         [[wall.hall.step]]\nlayout = [\"dock dock gate\"]\nseconds = 4\n"
    ));
    let (mut first, mut second) = (page_of(&agent, "hall"), page_of(&agent, "hall"));
    for round in 0..2 {
        for page in [&mut first, &mut second] {
            let told =
                wait_for_scene(page, "the first step", |scene| scene["step"] == 1 && scene["cameras"][0] == "yard");
            assert_eq!(
                (&told["by"], &told["layout"], &told["cameras"][1]),
                (&json!("tour"), &json!("1+5"), &json!("gate")),
                "{round}"
            );
            let told = wait_for_scene(page, "the second step", |scene| scene["step"] == 2);
            assert_eq!((&told["layout"], &told["cameras"]), (&json!(["dock dock gate"]), &json!(["dock", "gate"])));
        }
    }
    // One that comes in the middle is told at once what the others have.
    let mut late = page_of(&agent, "hall");
    let now = wait_for_scene(&mut late, "a step", |_| true);
    assert!(now["steps"] == 2 && now["seconds"].as_f64().unwrap() <= 4.0, "{now}");
    let told = wait_for("the state", || Some(state(&agent, "hall")).filter(|state| state["scene"]["step"] == 2));
    assert_eq!((&told["why"], &told["cameras"]), (&json!("tour"), &json!(["gate", "yard", "dock"])));
    // A reload that changes something else does not begin anew; one without steps ends the tour.
    agent.reload(CAMERAS);
    wait_for_scene(&mut late, "the end of the tour", Value::is_null);
}

#[test]
fn dark_screen_is_told_as_meant_by_the_time_zone_of_the_machine_and_lit_by_a_call_up() {
    // Eight hours ahead, as in Taipei.
    let (from, to) = (local_time(8, -2), local_time(8, 20));
    let walls = format!(
        "{CAMERAS}[wall.night]\ncameras = [\"dock\"]\n[[wall.hall.at]]\nfrom = \"{from}\"\nto = \"{to}\"\nscreen = \"off\"\n\
         [[wall.back.at]]\nfrom = \"{from}\"\nto = \"{to}\"\nwall = \"night\"\n"
    );
    let agent = Agent::start_through(&["env", "TZ=CST-8"], Folder::new(), &walls);
    let mut page = page_of(&agent, "hall");
    let scene = wait_for_scene(&mut page, "a dark screen", |scene| scene["screen"] == "off");
    assert_eq!((&scene["until"], &scene["by"]), (&json!(to), &json!("timetable")));
    agent.wait_for_log(&["the wall hall is dark, as its timetable says"]);
    let told = state(&agent, "back");
    assert_eq!((&told["scene"]["wall"], &told["scene"]["cameras"]), (&json!("night"), &json!(["dock"])));
    let health = agent.get("/healthz").unwrap();
    assert_eq!((health.status, &health.json()["dark"]), (200, &json!([{ "wall": "hall", "until": to }])));
    let file = agent.folder.0.join("cameras.toml");
    let status = Command::new(agent_program()).args(["status", "--config"]).arg(file).output().unwrap();
    let text = String::from_utf8(status.stdout).unwrap();
    assert!(text.contains(&format!("the wall hall is meant to be dark until {to}, as its timetable says\n")), "{text}");
    assert!(text.contains(&format!("the wall back shows that of night until {to}, as its timetable says\n")), "{text}");

    let mut stream = TcpStream::connect(&agent.address).unwrap();
    let body = r#"{"camera":"gate","seconds":60}"#;
    let (host, length) = (&agent.address, body.len());
    write!(stream, "POST /api/walls/hall/show HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    page.wait_for_message("the call-up", |told| told["wall"]["shown"][0]["camera"] == "gate");
    assert_eq!(state(&agent, "hall")["why"], "call_up");
    assert_eq!(agent.get("/healthz").unwrap().json()["dark"], json!([]));
    assert!(agent.api()["complaints"].as_array().unwrap().is_empty());
}

#[test]
fn time_zone_that_is_not_known_is_told_and_utc_stands_in() {
    let (from, to) = (local_time(0, -2), local_time(0, 20));
    let night = format!("[[wall.at]]\nfrom = \"{from}\"\nto = \"{to}\"\nscreen = \"off\"\n");
    let agent = Agent::start_through(&["env", "TZ=Nowhere/Land"], Folder::new(), &format!("{CAMERAS}{night}"));
    let told = wait_for("the complaint", || agent.api()["complaints"][0].as_str().map(str::to_owned));
    assert!(told.contains("go by UTC") && told.contains("\"Nowhere/Land\""), "{told}");
    wait_for_scene(&mut page_of(&agent, ""), "a dark screen", |scene| scene["screen"] == "off");
    // Nobody needs the zone any more.
    agent.reload(CAMERAS);
    wait_for("the end of the complaint", || agent.api()["complaints"].as_array()?.is_empty().then_some(()));
}
