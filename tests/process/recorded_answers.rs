//! The answers that other programs read (`/api/cameras`, `/metrics`, the wall socket, `check`, `--help`)
//! keep what they had: each recorded answer must still be there, and only additions are allowed.
//!
//! The files in `tests/recorded` are the answers of the build of 2026-11-29 before the code was renamed
//! (afd52d7), except one line of `--help` that was reworded and two of `check`: `rotate` is a key of a camera
//! now, and `layout` may be a list of rows. With `CCTV_AGENT_RECORD=1` the test writes them from the present build instead of comparing. A change of a
//! recorded line is a change that other people's programs notice, and belongs into `CHANGELOG.md`.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{
    Agent, Cameras, Folder, agent_program, own_address,
    page::{Heard, Page},
};
use serde_json::{Value, json};

/// Keys whose numbers are the same in every run. All other numbers are measured.
const EXACT: [&str; 5] = ["size", "display", "quality", "tile", "connections_per_address"];

fn recorded(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(name)
}

/// The recorded text of `name`, or `None` after `present` has been written in its place.
fn record_or_read(name: &str, present: &str) -> Option<String> {
    if std::env::var_os("CCTV_AGENT_RECORD").is_some() {
        fs::write(recorded(name), present).unwrap();
        return None;
    }
    Some(fs::read_to_string(recorded(name)).unwrap())
}

/// Fails unless the lines of `name` occur in `present`, in the same order.
fn compare_lines(name: &str, present: &str) {
    let Some(before) = record_or_read(name, present) else { return };
    let mut lines = present.lines();
    for line in before.lines() {
        assert!(lines.any(|now| now == line), "{name}: {line:?} is missing, or not in its place, in\n{present}");
    }
}

/// Collects into `lost` each place of `before` that `now` does not have, or has with another value.
/// A measured number may be another number, or none yet.
fn compare(path: &str, before: &Value, now: &Value, lost: &mut Vec<String>) {
    let measured = |value: &Value| value.is_number() || value.is_null();
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => {
            for (key, value) in before {
                let path = format!("{path}.{key}");
                match now.get(key) {
                    None => lost.push(format!("{path} is gone")),
                    Some(now) if !EXACT.contains(&key.as_str()) && measured(value) && measured(now) => {}
                    Some(now) => compare(&path, value, now, lost),
                }
            }
        }
        (Value::Array(before), Value::Array(now)) if before.len() == now.len() => {
            before.iter().zip(now).enumerate().for_each(|(i, (b, n))| compare(&format!("{path}[{i}]"), b, n, lost));
        }
        _ if before == now => {}
        _ => lost.push(format!("{path} was {before} and is {now}")),
    }
}

fn compare_json(name: &str, present: &Value) {
    let Some(before) = record_or_read(name, &format!("{present:#}\n")) else { return };
    let mut lost = Vec::new();
    compare("", &serde_json::from_str(&before).unwrap(), present, &mut lost);
    assert!(lost.is_empty(), "{name}:\n{}\nin {present:#}", lost.join("\n"));
}

/// Standard output and standard error of a command, with its exit code.
fn answer(arguments: &[&str], folder: &Folder) -> String {
    let output =
        Command::new(agent_program()).args(arguments).current_dir(&folder.0).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(folder.0.to_str().unwrap(), "DIRECTORY");
    let code = output.status.code().unwrap();
    let command = arguments.join(" ");
    format!("$ cctv-agent {command}\n{}{}exit {code}\n\n", text(&output.stdout), text(&output.stderr))
}

#[test]
fn help_keeps_its_lines() {
    compare_lines("help.txt", &answer(&["--help"], &Folder::new()));
}

#[test]
fn check_says_what_it_said_of_good_and_bad_files() {
    let folder = Folder::new();
    let mut said = String::new();
    let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/cameras.toml")).unwrap();
    for (name, text) in [
        ("shipped.toml", shipped.as_str()),
        ("good.toml", GOOD_FILE),
        ("bad.toml", BAD_FILE),
        ("torn.toml", "[server\nlisten = 1\n[[camera]]\nid = \"a\"\n"),
        ("empty.toml", ""),
    ] {
        folder.write(name, text);
        said.push_str(&answer(&["check", name], &folder));
    }
    said.push_str(&answer(&["check", "absent.toml"], &folder));
    compare_lines("check.txt", &said);
}

const GOOD_FILE: &str = r#"[server]
listen = ["127.0.0.1:8080", "[::1]:8080"]
names = ["wall.example"]

[defaults]
stall_after = 6

[wall]
layout = "1+5"
rotate = "10 s"
language = "zh-TW"

[[camera]]
id = "gate"
name = "大門"
ip = "192.168.1.20"
profile = "Profile_1"
small_profile = "auto"

[[camera]]
id = "yard"
url = "rtsp://192.168.1.21/live"
transport = "udp"
"#;

const BAD_FILE: &str = r#"[server]
listen = "127.0.0.1"
wwww = "/srv"
names = ["bad name"]

[defaults]
quality = 180
stall_after = "6 h"
username = "viewer"

[wall]
layout = "7x"
language = "fr"

[limits]
viewers = 0

[[camera]]
id = "gate"
ip = "10.0.0.300"
transport = "tpc"
passwrod = "hunter2"

[[camera]]
id = "gate"
ip = "10.0.0.1"
url = "ftp://10.0.0.1/live"
rotate = 45

[[camera]]
name = "nobody"
stream_host = "http://x"
"#;

/// One camera that is live, one with a wrong password, one that nobody answers for, one without
/// such a profile, one whose stream refuses the connection, and one whose stream is unknown.
fn cameras() -> (Cameras, String, Vec<(String, &'static str)>) {
    let cameras = Cameras::start(&[
        "id=gate size=640x360 small=320x180 fps=10 name=Gate",
        "id=hall size=640x360 fps=10 user=viewer pass=right auth=digest",
        "id=dock size=640x360 fps=10",
    ]);
    let nobody = own_address();
    let place = |id: &str| cameras.place(id);
    let text = format!(
        "[[camera]]\nid = \"gate\"\nname = \"大門\"\nprofile = \"Profile_1\"\nsmall_profile = \"auto\"\n{}\n\
         [[camera]]\nid = \"hall\"\nusername = \"viewer\"\npassword = \"wrong\"\n{}\n\
         [[camera]]\nid = \"dock\"\nprofile = \"Profile_9\"\n{}\n\
         [[camera]]\nid = \"yard\"\nip = \"{nobody}\"\n\n\
         [[camera]]\nid = \"roof\"\nurl = \"rtsp://{nobody}:1/live\"\n",
        place("gate"),
        place("hall"),
        place("dock"),
    );
    let mut names = vec![(nobody.to_string(), "NOBODY")];
    for (id, name) in [("gate", "GATE"), ("hall", "HALL"), ("dock", "DOCK")] {
        names.push((cameras.stream(id).split('/').nth(2).unwrap().to_owned(), name));
        names.push((cameras.stream(id).split('/').nth(2).unwrap().split(':').next().unwrap().to_owned(), name));
        names.push((cameras.endpoint(id), "ENDPOINT"));
        names.push((cameras.endpoint(id).trim_start_matches("urn:uuid:").to_owned(), "UUID"));
    }
    (cameras, text, names)
}

/// Replaces the addresses of this run by names, and the countdown of the next attempt.
fn normalised(text: &str, names: &[(String, &'static str)]) -> String {
    let mut text = names.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    while let Some(at) = text.find("; trying again in ") {
        let end = text[at..].find(['"', '\\']).map_or(text.len(), |end| at + end);
        text.replace_range(at..end, "");
    }
    text
}

#[test]
fn answers_of_a_running_agent_keep_their_fields() {
    let (_cameras, text, mut names) = cameras();
    let agent = Agent::start(&text);
    names.push((agent.address.clone(), "AGENT"));
    names.push((agent.folder.0.display().to_string(), "DIRECTORY"));
    for (id, state) in
        [("gate", "live"), ("hall", "denied"), ("dock", "denied"), ("yard", "offline"), ("roof", "offline")]
    {
        agent.wait_for_state(id, if id == "dock" { "offline" } else { state });
    }
    let mut page = Page::open(&agent.address, "/ws");
    let show: Vec<_> = ["gate", "hall", "dock", "yard", "roof", "none"]
        .iter()
        .enumerate()
        .map(|(tile, camera)| json!({ "tile": tile, "camera": camera, "size": [640, 360], "accept": ["jpeg"] }))
        .collect();
    page.say(&json!({ "show": show }));
    // The newest state of each tile, and the error of the last one.
    let mut messages: BTreeMap<String, Value> = BTreeMap::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    while (messages.len() < 7 || messages["0"]["size"] != json!([640, 360])) && Instant::now() < deadline {
        if let Heard::Message(message) = page.next() {
            let tile = message.get("tile").map_or("error".to_owned(), Value::to_string);
            messages.insert(tile, message);
        }
    }
    let wall = json!(messages);
    compare_json("wall.json", &serde_json::from_str(&normalised(&wall.to_string(), &names)).unwrap());
    let settled = |profiles: &Value| profiles[0]["state"] == "live" && profiles[1]["viewers"] == 0;
    crate::support::wait_for("the main stream alone to be watched", || {
        Some(agent.camera("gate")["profiles"].clone()).filter(settled)
    });
    let api = serde_json::from_str(&normalised(&agent.api().to_string(), &names)).unwrap();
    compare_json("cameras.json", &api);
    let metrics = String::from_utf8(agent.get("/metrics").unwrap().body).unwrap();
    let series: Vec<_> = metrics
        .lines()
        .map(|line| if line.starts_with('#') { line } else { line.rsplit_once(' ').unwrap().0 })
        .map(|line| normalised(line, &names))
        .collect();
    compare_lines("metrics.txt", &(series.join("\n") + "\n"));
}
