//! The command line: arguments and exit codes.

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use crate::support::{Agent, Cameras, Folder, agent_program};

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

    let output = cctv_agent(&[&["info", address.as_str(), "--quick"], &login[..]].concat());
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for part in ["Acme", "host name", "gate", "Profile_1", "mainStream", "H264", "1280x720", "25", "rtsp://"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(!shown.contains("secret-word"));
    assert!(!shown.contains("The streams"), "--quick opens none");
}

/// What an installer needs on the ladder, from one command: what the streams are really like, a picture, and
/// lines that show the camera.
#[test]
fn info_reads_the_streams_and_gives_lines_that_show_the_camera() {
    let camera = "id=gate size=640x360 fps=20 small=320x180 gop=20 user=viewer pass=secret-word auth=both maker=Acme";
    let cameras = Cameras::start(&[camera]);
    let place = cameras.place("gate");
    let values: Vec<_> = place.lines().map(|line| line.split(" = ").nth(1).unwrap().trim_matches('"')).collect();
    let address = values.join(":");
    let folder = Folder::new();
    let password = folder.write("password", "secret-word\n");
    let picture = folder.0.join("gate.jpg");
    let login = ["--username", "viewer", "--password-file", password.to_str().unwrap()];
    let output =
        cctv_agent(&[&["info", address.as_str(), "--picture", picture.to_str().unwrap()], &login[..]].concat());
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!shown.contains("secret-word"));
    for part in ["FIRST PICTURE", "KEY FRAMES", "Digest (", "TCP", "every ", "small_profile = \"auto\""] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    let jpeg = fs::read(&picture).unwrap();
    assert_eq!(turbojpeg::read_header(&jpeg).map(|header| (header.width, header.height)).unwrap(), (640, 360));

    // The lines are a whole section: with a web page and the password's file they are a wall.
    let (_, lines) = shown.split_once("For cameras.toml:\n").unwrap();
    let file = lines.split("password_file = \"").nth(1).unwrap().split('"').next().unwrap();
    let agent = Agent::start(&lines.replace(file, password.to_str().unwrap()));
    let id = lines.split("id = \"").nth(1).unwrap().split('"').next().unwrap();
    agent.wait_for_state(id, "live");

    let output = cctv_agent(&[&["info", address.as_str(), "--json"], &login[..]].concat());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let main = &json["profiles"][0];
    assert_eq!(main["token"], "Profile_1", "{json:#}");
    assert_eq!((&main["measured"]["codec"], &main["measured"]["size"][0]), (&"h264".into(), &640.into()), "{json:#}");
    let interval = main["measured"]["key_frame_interval"].as_f64().unwrap();
    assert!((0.5..2.0).contains(&interval), "20 frames at 20 a second: {interval}");
    let fps = main["measured"]["fps"].as_f64().unwrap();
    assert!((10.0..30.0).contains(&fps), "{fps}");
    assert_eq!(main["not_measured"], serde_json::Value::Null);
}

#[test]
fn info_says_why_a_stream_cannot_be_read() {
    let cameras = Cameras::start(&["id=gate size=320x180 fps=5 small=none user=viewer pass=secret-word auth=open"]);
    let place = cameras.place("gate");
    let values: Vec<_> = place.lines().map(|line| line.split(" = ").nth(1).unwrap().trim_matches('"')).collect();
    let output = cctv_agent(&["info", &values.join(":"), "--picture", "/tmp/none.jpg"]);
    let (shown, complaint) = (text(&output.stdout), text(&output.stderr));
    assert!(shown.contains("Profile_1: the camera needs a login"), "{shown}");
    assert!(complaint.contains("no picture for /tmp/none.jpg: no stream could be read"), "{complaint}");
    assert_eq!(output.status.code(), Some(70));
}

/// What has no ONVIF is read at its address; what is not there says why.
#[test]
fn info_reads_the_stream_at_an_address_and_says_what_a_device_lacks() {
    let cameras = Cameras::start(&["id=gate size=320x180 fps=20 gop=20 small=none"]);
    let url = cameras.stream("gate");
    let folder = Folder::new();
    let picture = folder.0.join("gate.jpg");
    let output = cctv_agent(&["info", &url, "--picture", picture.to_str().unwrap()]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}{}", text(&output.stderr));
    for part in ["FIRST PICTURE", "H264", "320x180", "every ", &format!("url = \"{url}\"")] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    let jpeg = fs::read(&picture).unwrap();
    assert_eq!(turbojpeg::read_header(&jpeg).map(|header| (header.width, header.height)).unwrap(), (320, 180));

    let output = cctv_agent(&["info", "/dev/video987", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(70), "{json:#}");
    let reason = json["not_measured"].as_str().unwrap();
    assert!(reason.starts_with("/dev/video987 is not there; check the cable"), "{json:#}");
    let output = cctv_agent(&["info", "rtsp://viewer:secret-word@127.0.0.1/"]);
    let complaint = text(&output.stderr);
    assert!(
        complaint.contains("the login belongs into --username") && !complaint.contains("secret-word"),
        "{complaint}"
    );
}
