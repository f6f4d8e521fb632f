//! `cctv-agent list`: shows the cameras of the running agent, and where each one was found.

use std::{path::Path, process::ExitCode};

use serde_json::{Value, json};

use super::{
    agent_client,
    arguments::QueryArgs,
    output::{print, print_json},
    table::{Side, aligned, shortened, shown},
};
use crate::{
    camera::{Camera, Source},
    config,
};

/// Maximum width of a name, in terminal cells; longer names are cut.
const WIDEST_NAME: usize = 24;

/// Maximum width of an address; longer ones are cut. Cameras without ONVIF have whole URLs.
const WIDEST_ADDRESS: usize = 44;

/// Asks the running agent and prints its cameras, or prints one line to stderr if no agent answers.
///
/// # Blocking
/// Blocks on the disk, and some seconds for each address that does not answer.
pub fn run(question: &QueryArgs) -> ExitCode {
    let answer = match agent_client::answer("list", &question.file) {
        Ok(answer) => answer,
        Err(code) => return code,
    };
    let configured = configured(&question.file);
    if question.json {
        print_json(&as_json(&answer, &configured));
    } else {
        print(&as_text(&answer, &configured));
    }
    ExitCode::SUCCESS
}

/// Formats the list for people; `answer` is the agent's response. For a camera that was not found
/// yet, the list shows the configured address.
fn as_text(answer: &Value, configured: &[Camera]) -> String {
    let cameras = rows(answer, configured);
    if cameras.is_empty() {
        return "no cameras\n".to_owned();
    }
    let mut table = vec![["ID", "NAME", "STATE", "ADDRESS", "PROFILE", "STREAM"].map(str::to_owned)];
    table.extend(cameras.into_iter().map(|camera| {
        let text = |key: &str| camera[key].as_str().map_or("-".to_owned(), shown);
        [
            text("id"),
            shortened(&text("name"), WIDEST_NAME),
            text("state"),
            shortened(&text("address"), WIDEST_ADDRESS),
            text("profile"),
            stream(&camera),
        ]
    }));
    aligned(&table, [Side::Left; 6]).iter().map(|line| format!("{line}\n")).collect()
}

/// Formats the list for programs.
fn as_json(answer: &Value, configured: &[Camera]) -> Value {
    Value::Array(rows(answer, configured))
}

/// Returns the cameras of `file`, or none if it is not valid. The running agent may have others.
fn configured(file: &Path) -> Vec<Camera> {
    config::read(file).map(|config| config.cameras).unwrap_or_default()
}

fn rows(answer: &Value, configured: &[Camera]) -> Vec<Value> {
    let cameras = answer["cameras"].as_array().into_iter().flatten();
    let row = |camera: &Value| {
        let (address, profile) = configured
            .iter()
            .find(|configured| camera["id"] == configured.id.as_str())
            .map_or((Value::Null, Value::Null), place);
        json!({
            "id": camera["id"],
            "name": camera["name"],
            "state": camera["state"],
            "address": if camera["address"].is_null() { address } else { camera["address"].clone() },
            "profile": if camera["profile"].is_null() { profile } else { camera["profile"].clone() },
            "codec": camera["codec"],
            "size": camera["size"],
            "fps": camera["fps"],
        })
    };
    cameras.map(row).collect()
}

/// Returns address and profile as configured. A password inside an address is masked.
fn place(camera: &Camera) -> (Value, Value) {
    match &camera.stream_source.source {
        Source::Onvif { host, uuid, profile, .. } => (json!(host.as_ref().or(uuid.as_ref())), json!(profile)),
        Source::Url(uri) => (json!(uri.to_string()), Value::Null),
    }
}

fn stream(camera: &Value) -> String {
    let Some(codec) = camera["codec"].as_str() else { return "-".to_owned() };
    let size = &camera["size"];
    format!("{codec} {}x{}", size[0], size[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table::cells;

    fn cameras(text: &str) -> Vec<Camera> {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        config::parse(text, Path::new("cameras.toml"), &no_files).unwrap().cameras
    }

    #[test]
    fn cameras_stand_in_columns_also_with_chinese_names() {
        let configured = cameras(
            "[[camera]]\nid='gate'\nip='10.0.0.9'\n[[camera]]\nid='yard'\nip='10.0.0.2'\nprofile='main'\n\
             [[camera]]\nid='hall'\nurl='rtsp://u:word@10.0.0.3/a?password=x'\n",
        );
        let answer = json!({ "cameras": [
            { "id": "gate", "name": "\u{5927}\u{9580}", "state": "live", "address": "10.0.0.1", "profile": "Profile_1",
              "codec": "h264", "size": [1920, 1080], "fps": 25.0 },
            { "id": "yard", "name": "yard", "state": "offline", "address": null, "codec": null, "size": null },
            { "id": "hall", "name": "a name that is much too long for a column", "state": "live" },
            { "id": "old", "name": "\u{1b}[2J", "state": "connecting" },
        ]});
        let expected = "\
ID    NAME                      STATE       ADDRESS                         PROFILE    STREAM
gate  \u{5927}\u{9580}                      live        10.0.0.1                        Profile_1  h264 1920x1080
yard  yard                      offline     10.0.0.2                        main       -
hall  a name that is much too…  live        rtsp://10.0.0.3/a?password=***  -          -
old   \\u{1b}[2J                 connecting  -                               -          -
";
        let text = as_text(&answer, &configured);
        assert_eq!(text, expected, "\n{text}");
        assert!(text.lines().all(|line| cells(line) <= 120));
        assert_eq!(as_json(&answer, &configured)[1]["address"], "10.0.0.2");
    }

    #[test]
    fn empty_wall_is_told() {
        assert_eq!(as_text(&json!({ "cameras": [] }), &[]), "no cameras\n");
    }
}
