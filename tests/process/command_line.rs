//! The command line: arguments and exit codes.

use std::process::{Command, Output, Stdio};

use crate::support::{Cameras, Folder, agent_program};

fn cctv_agent(arguments: &[&str]) -> Output {
    Command::new(agent_program()).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn wrong_usage_exits_with_64_and_a_hint() {
    let output = cctv_agent(&["frobnicate"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("--help"), "{}", text(&output.stderr));
}

#[test]
fn version_and_help_answer_on_standard_output() {
    assert!(text(&cctv_agent(&["--version"]).stdout).starts_with("cctv-agent "));
    assert!(text(&cctv_agent(&["--help"]).stdout).contains("--config FILE"));
}

#[test]
fn check_says_everything_that_is_wrong_and_exits_with_78() {
    let folder = Folder::new();
    let file = folder.write(
        "cameras.toml",
        "[[camera]]\nid = \"gate\"\nip = \"10.0.0.300\"\n\n[[camera]]\nid = \"gate\"\nip = \"10.0.0.1\"\nprofil = \"x\"\n",
    );
    let output = cctv_agent(&["check", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(78));
    let complaints = text(&output.stderr);
    for part in ["cameras.toml:3:", "cameras.toml:6:", "cameras.toml:8:1:", "did you mean \"profile\"?", "3 problems"] {
        assert!(complaints.contains(part), "{part} is not in\n{complaints}");
    }
}

#[test]
fn shipped_configuration_is_good() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/cameras.toml");
    let output = cctv_agent(&["check", shipped]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn address_in_use_exits_with_71_and_says_so() {
    let holder = std::net::TcpListener::bind((crate::support::own_address(), 0)).unwrap();
    let folder = Folder::new();
    let listen = format!("[server]\nlisten = \"{}\"\n", holder.local_addr().unwrap());
    let file = folder.write("cameras.toml", &listen);
    let output = cctv_agent(&["run", "--log", "stderr", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(71), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("another program listens there"), "{}", text(&output.stderr));
}

#[test]
fn info_prints_device_profiles_and_streams() {
    let cameras = Cameras::start(&["id=gate size=1280x720 fps=25 user=viewer pass=secret-word auth=both maker=Acme"]);
    let place = cameras.place("gate");
    let values: Vec<_> = place.lines().map(|line| line.split(" = ").nth(1).unwrap().trim_matches('"')).collect();
    let address = values.join(":");
    let folder = Folder::new();
    let password = folder.write("password", "secret-word\n");
    let login = ["--username", "viewer", "--password-file", password.to_str().unwrap()];

    let output = cctv_agent(&[&["info", address.as_str()], &login[..]].concat());
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for part in ["Acme", "host name", "gate", "Profile_1", "mainStream", "H264", "1280x720", "25", "rtsp://"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(!shown.contains("secret-word"));

    let output = cctv_agent(&[&["info", address.as_str(), "--json"], &login[..]].concat());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["profiles"][0]["token"], "Profile_1", "{json:#}");
}
