//! Commands that query the running agent or make it reload its file.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use crate::support::{Agent, Cameras, Folder, MotionJpeg, agent_program, own_address, wait_for};
use nix::sys::signal::Signal;
use serde_json::Value;

fn file_of(agent: &Agent) -> PathBuf {
    agent.folder.0.join("cameras.toml")
}

/// Runs `cctv-agent <command> --config <file of the agent>`; returns its result, stdout and stderr.
fn ask(agent: &Agent, command: &[&str]) -> (Output, String, String) {
    ask_about(&file_of(agent), command)
}

fn ask_about(file: &std::path::Path, command: &[&str]) -> (Output, String, String) {
    let output =
        Command::new(agent_program()).args(command).arg("--config").arg(file).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    (output, out, err)
}

/// Writes another configuration for `agent` without a reload.
fn write(agent: &Agent, listen: &str, cameras: &str) {
    agent.folder.write("cameras.toml", &format!("[server]\nlisten = \"{listen}\"\n\n{cameras}"));
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn agent_on_ipv6_is_asked_under_its_own_address() {
    let Ok(free) = TcpListener::bind("[::1]:0") else { return eprintln!("skipped: this machine has no IPv6") };
    let port = free.local_addr().unwrap().port();
    drop(free);
    for (listen, reached) in [("[::1]", "[::1]"), ("[::]", "[::1]")] {
        let folder = Folder::new();
        folder.write(
            "cameras.toml",
            &format!("[server]\nlisten = \"{listen}:{port}\"\nwithout_login = \"everybody\"\nstate_dir = \"state\"\n"),
        );
        let agent = Agent::spawn(folder, format!("{reached}:{port}"), Command::new(agent_program()));
        assert_eq!(agent.api()["pid"], agent.pid().as_raw());
        for command in ["list", "status"] {
            let (output, _, errors) = ask(&agent, &[command]);
            assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""), "{command} at {listen}");
        }
        assert_eq!(crate::support::http("GET", &agent.address, "http://evil.example/api/cameras").unwrap().status, 421);
    }
}

#[test]
fn list_and_status_tell_what_the_agent_sees() {
    let cameras = Cameras::start(&["id=gate size=640x360 fps=10 small=none"]);
    let nobody = own_address();
    let agent = Agent::start(&format!(
        "[[camera]]\nid = \"gate\"\nname = \"大門\"\nprofile = \"Profile_1\"\n{}\n\
         [[camera]]\nid = \"yard\"\nname = \"Back yard\"\nip = \"{nobody}\"\n",
        cameras.place("gate"),
    ));
    agent.wait_for_state("gate", "live");
    agent.wait_for_state("yard", "offline");

    let (output, list, errors) = ask(&agent, &["list"]);
    assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""));
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 3, "{list}");
    for part in ["gate", "大門", "live", "Profile_1", "h264 640x360"] {
        assert!(lines[1].contains(part), "{part} is not in\n{list}");
    }
    assert!(lines[2].contains("offline") && lines[2].contains(&nobody.to_string()), "{list}");
    let (_, list, _) = ask(&agent, &["list", "--json"]);
    let list = json(&list);
    assert_eq!(list[0]["name"], "大門");
    assert_eq!(list[1]["address"], nobody.to_string());

    let (output, status, errors) = ask(&agent, &["status"]);
    assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""));
    for part in ["2 cameras: 1 live, 1 offline", "640x360", "refused"] {
        assert!(status.contains(part), "{part} is not in\n{status}");
    }
    assert!(status.lines().all(|line| line.chars().count() <= 100), "{status}");
    let (_, status, _) = ask(&agent, &["status", "--json"]);
    assert_eq!(json(&status)["pid"], agent.pid().as_raw());
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    viewer.next_live();
    wait_for("the worker's processor time", || {
        let (_, status, _) = ask(&agent, &["status"]);
        let gate = status.lines().find(|line| line.starts_with("gate"))?.to_owned();
        gate.contains(" % ").then_some(())
    });
}

#[test]
fn commands_of_root_are_answered_where_this_machine_needs_a_login_too() {
    let (address, folder) = (format!("{}:8080", own_address()), Folder::new());
    let user = "without_login = \"nobody\"\n[[user]]\nname = \"screen\"\ntoken = \"sha256:\
                3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0\"\n";
    let text = crate::support::configuration(&address, &folder, user);
    folder.write("cameras.toml", &text);
    let mut agent = Agent::spawn(folder, address, Command::new(agent_program()));
    wait_for("a response", || agent.get("/healthz"));
    assert_eq!(agent.get("/api/cameras").unwrap().status, 401);

    for command in [&["status"][..], &["list"], &["users"], &["reload"], &["status", "--json"]] {
        let (output, _, errors) = ask(&agent, command);
        assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""), "{command:?}: {}", agent.log_text());
    }
    let file = agent.folder.0.join("state/command-key");
    let key = fs::read_to_string(&file).unwrap();
    let status = |agent: &Agent, key: &str| {
        let login = format!("Authorization: Bearer {key}");
        crate::support::http_with("GET", &agent.address, "/api/cameras", &[&login]).unwrap().status
    };
    assert_eq!((status(&agent, &key), status(&agent, &key[1..])), (200, 401));
    assert!(!agent.log_text().contains(&key), "{}", agent.log_text());

    // Another user of this machine cannot read the key, and is told what would help.
    for path in [&agent.folder.0, &file_of(&agent)] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let other = Command::new(agent_program())
        .args(["status", "--config"])
        .arg(file_of(&agent))
        .uid(nobody.uid.as_raw())
        .gid(nobody.gid.as_raw())
        .output()
        .unwrap();
    let told = String::from_utf8(other.stderr).unwrap();
    assert!(other.status.code() == Some(70) && told.contains("try as root"), "{told}");

    // The next run has another key, and without the need there is none.
    agent.signal(Signal::SIGTERM);
    agent.exit();
    let agent = agent.again();
    wait_for("a response", || agent.get("/healthz"));
    let new = fs::read_to_string(&file).unwrap();
    assert!(new != key && status(&agent, &key) == 401 && status(&agent, &new) == 200);
    agent.folder.write("cameras.toml", &text.replace("\"nobody\"", "\"loopback\""));
    let (_, out, errors) = ask(&agent, &["reload"]);
    assert!(out.starts_with("reloaded") && errors.is_empty(), "{out}{errors}");
    assert!(!file.exists() && status(&agent, &new) == 401);
    assert_eq!(ask(&agent, &["status"]).0.status.code(), Some(0));
}

#[test]
fn reader_that_goes_away_is_no_failure() {
    let agent = Agent::start("");
    agent.api();
    for command in ["list", "status"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(agent_program())
            .args([command, "--config"])
            .arg(file_of(&agent))
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{command}");
    }
}

#[test]
fn where_no_agent_runs_that_is_said_with_exit_code_70() {
    let folder = Folder::new();
    let listen = format!("{}:8080", own_address());
    let file = folder.write("cameras.toml", &format!("[server]\nlisten = \"{listen}\"\n"));
    for (command, part) in [("list", &*listen), ("status", &*listen), ("reload", "no agent runs with")] {
        let (output, out, errors) = ask_about(&file, &[command]);
        assert_eq!((output.status.code(), out.as_str()), (Some(70), ""), "{command}: {errors}");
        assert!(errors.contains(part) && errors.contains("--config") && errors.lines().count() == 1, "{errors}");
    }
    for command in ["list", "status", "reload"] {
        let (output, _, errors) = ask_about(&folder.0.join("absent.toml"), &[command]);
        assert_eq!(output.status.code(), Some(78), "{command}: {errors}");
        assert!(errors.contains("no such file"), "{errors}");
        let (output, _, errors) = ask_about(&file, &[command, "--colour"]);
        assert_eq!(output.status.code(), Some(64), "{command}: {errors}");
        assert!(errors.contains("--help"), "{errors}");
    }
}

#[test]
fn something_else_at_the_address_is_no_agent() {
    let cameras = Cameras::start(&["id=gate size=640x360 small=none"]);
    let place = cameras.place("gate");
    let values: Vec<_> = place.lines().map(|line| line.split(" = ").nth(1).unwrap().trim_matches('"')).collect();
    let folder = Folder::new();
    let file = folder.write("cameras.toml", &format!("[server]\nlisten = \"{}\"\n", values.join(":")));
    let (output, _, errors) = ask_about(&file, &["status"]);
    assert_eq!(output.status.code(), Some(70), "{errors}");
    assert!(errors.contains("something else answers there"), "{errors}");
}

#[test]
fn good_file_is_reloaded_and_what_changed_is_told() {
    let nobody = own_address();
    let camera = |id: &str| format!("[[camera]]\nid = \"{id}\"\nip = \"{nobody}\"\n");
    let agent = Agent::start(&camera("gate"));
    // Right after the start, when signals are not handled yet, a reload waits.
    write(&agent, &agent.address, &(camera("gate") + &camera("yard")));
    let (output, _, errors) = ask(&agent, &["reload"]);
    assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""), "{}", agent.log_text());
    assert_eq!(agent.api()["cameras"].as_array().unwrap().len(), 2, "in force when the command ends");

    write(&agent, &agent.address, &(camera("yard") + &camera("hall")));
    let (output, out, errors) = ask(&agent, &["reload"]);
    assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""));
    assert_eq!(out, "reloaded: 1 camera added, 1 removed, 1 unchanged\n");

    let moved = format!("{}:8081", own_address());
    write(&agent, &moved, &camera("yard"));
    let (output, out, errors) = ask(&agent, &["reload"]);
    assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""));
    assert_eq!(out, "reloaded: 1 camera removed, 1 unchanged, listen changed\n");
    let (_, list, _) = ask(&agent, &["list"]);
    assert!(list.contains("yard") && !list.contains("hall"), "{list}");
}

#[test]
fn bad_file_is_told_and_the_agent_is_left_alone() {
    let nobody = own_address();
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\nip = \"{nobody}\"\n"));
    agent.api();
    write(&agent, &agent.address, "[[camera]]\nid = \"gate\"\nip = \"10.0.0.300\"\nprofil = \"x\"\n");
    let (output, out, errors) = ask(&agent, &["reload"]);
    assert_eq!((output.status.code(), out.as_str()), (Some(78), ""));
    for part in ["cameras.toml:6:", "cameras.toml:7:", "did you mean \"profile\"?", "2 problems", "nothing was changed"]
    {
        assert!(errors.contains(part), "{part} is not in\n{errors}");
    }
    let (output, status, _) = ask(&agent, &["status"]);
    assert_eq!(output.status.code(), Some(0), "the agent is found although its file is bad");
    assert!(status.contains("gate"), "{status}");
    assert_eq!(agent.api()["reload"]["count"], 0, "no signal was sent");

    agent.signal(nix::sys::signal::Signal::SIGHUP);
    wait_for("the complaints", || ask(&agent, &["status"]).1.contains("did you mean").then_some(()));
}

#[test]
fn only_the_agent_of_that_file_is_reloaded() {
    let (one, other) = (Agent::start(""), Agent::start(""));
    one.api();
    other.api();
    // Names the same file differently, relative to its directory.
    let output = Command::new(agent_program())
        .args(["reload", "--config", "./cameras.toml"])
        .current_dir(&one.folder.0)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, b"reloaded: no cameras\n");
    assert_eq!(one.api()["reload"]["count"], 1);
    assert_eq!(other.api()["reload"]["count"], 0);

    // The file leads to the address of another agent, whose response confirms nothing.
    write(&one, &other.address, "");
    let (output, out, errors) = ask(&one, &["reload"]);
    assert_eq!(
        (output.status.code(), out.as_str()),
        (Some(71), "reloaded: listen changed, www changed, state_dir changed\n"),
        "{errors}"
    );
    assert!(errors.contains(&format!("cannot listen on {}", other.address)), "{errors}");
    assert!(errors.contains(&format!("stays at http://{}/", one.address)), "{errors}");
    assert_eq!((one.api()["reload"]["count"].as_u64(), other.api()["reload"]["count"].as_u64()), (Some(2), Some(0)));
}
