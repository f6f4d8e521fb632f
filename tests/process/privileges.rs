//! Nobody is root: `run --user` leaves no way back, in no thread and in no worker, and everything that
//! an operator does goes on working. An agent that is root says so.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::Path,
    process::{Command, Output},
};

use nix::unistd::{Pid, User, geteuid};

use crate::support::{Agent, Cameras, Folder, MotionJpeg, agent_program, configuration, own_address, wait_for};

/// A user that every machine has and that owns nothing.
const USER: &str = "nobody";

fn user() -> User {
    User::from_name(USER).unwrap().unwrap()
}

fn is_root(what: &str) -> bool {
    if !geteuid().is_root() {
        eprintln!("skipped: {what} needs root");
    }
    geteuid().is_root()
}

/// Writes a configuration that belongs to root and that the user may read.
fn write(folder: &Folder, address: &str, cameras: &str) {
    let file = folder.write("cameras.toml", &configuration(address, folder, cameras));
    chown(&file, Some(0), Some(user().gid.as_raw())).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
}

/// Starts the agent as root, at this address, to become the user.
fn start(address: String, cameras: &str) -> Agent {
    let folder = Folder::new();
    write(&folder, &address, cameras);
    Agent::spawn(folder, address, as_user())
}

/// A command that becomes an agent that becomes the user.
fn as_user() -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec \"$@\" --user {USER}"), "sh"]).arg(agent_program());
    command
}

/// `cctv-agent reload`, through another program that becomes it.
fn reload(agent: &Agent, wrapper: &[&str]) -> Output {
    let program = [wrapper, &[agent_program().to_str().unwrap(), "reload", "--config"]].concat();
    Command::new(program[0]).args(&program[1..]).arg(agent.folder.0.join("cameras.toml")).output().unwrap()
}

/// Fails unless the process is the user in every thread and cannot become anything else.
fn assert_unprivileged(pid: i32) {
    let (uid, gid) = (user().uid.to_string(), user().gid.to_string());
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let statuses = threads.map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap());
    let statuses: Vec<_> = statuses.collect();
    assert!(statuses.len() > 1, "the agent and its workers have more than one thread");
    for status in statuses {
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(value("Uid"), [uid.as_str(); 4].join(" "), "{status}");
        assert_eq!(value("Gid"), [gid.as_str(); 4].join(" "), "{status}");
        assert!(["", &gid].contains(&value("Groups").as_str()), "{status}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(value(set).trim_matches('0'), "", "{set} of {status}");
        }
        assert_eq!(value("NoNewPrivs"), "1", "{status}");
    }
    assert_undumpable(pid);
}

fn assert_undumpable(pid: i32) {
    let folder = format!("/proc/{pid}");
    // What a process shows to root alone belongs to root.
    assert_eq!(fs::metadata(Path::new(&folder).join("mem")).unwrap().uid(), 0);
    let limits = fs::read_to_string(Path::new(&folder).join("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}

#[test]
fn agent_started_by_root_becomes_the_user_in_every_thread_and_so_do_its_workers() {
    if !is_root("becoming another user") {
        return;
    }
    let cameras = Cameras::start(&["id=gate codec=h264 size=320x184 small=none"]);
    let section = format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate"));
    let agent = start(format!("{}:80", own_address()), &section);
    agent.wait_for_state("gate", "live");
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    viewer.next_live();
    assert_unprivileged(agent.pid().as_raw());
    let workers = agent.workers();
    assert!(!workers.is_empty());
    workers.into_iter().for_each(assert_unprivileged);

    let api = agent.api();
    assert_eq!(api["runs_as_root"], false, "{api}");
    // Measured, although only root may look into it.
    wait_for("the memory of the worker", || {
        (agent.camera("gate")["worker"]["memory_bytes"].as_u64()? > 1 << 20).then_some(())
    });
    assert!(!agent.log_text().contains("runs as root"));
    let record = agent.folder.0.join("state/gate.json");
    wait_for("the camera's record", || record.exists().then_some(()));
    let owner = |path: &Path| fs::metadata(path).unwrap().uid();
    assert_eq!(owner(&record), user().uid.as_raw());
    assert_eq!(owner(&agent.folder.0.join("cameras.toml")), 0, "the configuration stays root's");
}

#[test]
fn agent_that_was_root_keeps_its_certificate_and_what_it_has_learnt_as_the_user() {
    if !is_root("becoming another user") {
        return;
    }
    let address = format!("{}:8080", own_address());
    let folder = Folder::new();
    write(&folder, &address, "");
    let state = folder.0.join("state");
    let root = Agent::spawn(folder, address, Command::new(agent_program()));
    let first = wait_for("a certificate", || root.api()["tls"]["fingerprint"].as_str().map(str::to_owned));
    let key = state.join("tls/key.pem");
    wait_for("the key", || key.exists().then_some(()));
    assert_eq!(fs::metadata(&key).unwrap().uid(), 0);

    let agent = root.again_through(as_user());
    assert_eq!(agent.api()["runs_as_root"], false);
    let second = wait_for("a certificate", || agent.api()["tls"]["fingerprint"].as_str().map(str::to_owned));
    assert_eq!(second, first, "{}", agent.log_text());
    for path in [state.clone(), state.join("tls"), key] {
        assert_eq!(fs::metadata(&path).unwrap().uid(), user().uid.as_raw(), "{}", path.display());
    }
}

#[test]
fn what_root_gave_up_is_named_at_a_reload_and_the_wall_stays_up() {
    if !is_root("becoming another user") {
        return;
    }
    let address = format!("{}:80", own_address());
    let agent = start(address.clone(), "");
    agent.api();
    let other = address.replace(":80", ":81");
    write(&agent.folder, &other, "");
    let told = reload(&agent, &[]);
    assert_eq!(told.status.code(), Some(71), "{told:?}");
    let error = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(error.contains("with --user they are opened only when the agent starts, so restart it"), "{error}");
    agent.wait_for_log(&["error", "cannot listen on", ":81", "so restart it"]);
    assert_eq!(agent.get("/healthz").unwrap().status, 200, "at its old address");

    // A port that needs no root, at the request of the user itself.
    write(&agent.folder, &address.replace(":80", ":8080"), "");
    let id = user().uid.to_string();
    let told = reload(&agent, &["setpriv", "--reuid", &id, "--regid", &user().gid.to_string(), "--clear-groups"]);
    assert!(told.status.success(), "{told:?}");

    let file = agent.folder.0.join("cameras.toml");
    chown(&file, Some(0), Some(0)).unwrap();
    let told = reload(&agent, &[]);
    assert_eq!(told.status.code(), Some(78), "{told:?}");
    let error = String::from_utf8_lossy(&told.stderr).into_owned();
    let remedy = format!("chmod 640 {}", file.display());
    assert!(error.contains(&format!("permission denied to the user {USER}; as root: chgrp")), "{error}");
    assert!(error.contains(&remedy), "{error}");
}

#[test]
fn agent_does_not_start_as_somebody_else_than_it_was_told() {
    let folder = Folder::new();
    let file = folder.write("cameras.toml", &configuration(&format!("{}:8080", own_address()), &folder, ""));
    let run = |wrapper: &[&str], user: &str| {
        let program =
            [wrapper, &[agent_program().to_str().unwrap(), "run", "--log", "stderr", "--user", user]].concat();
        let output = Command::new(program[0]).args(&program[1..]).arg("--config").arg(&file).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, error) = run(&[], "no-such-user");
    assert!(code == Some(77) && error.contains("no user no-such-user"), "{code:?}: {error}");
    let (code, error) = run(&[], "root");
    assert!(code == Some(77) && error.contains("is root"), "{code:?}: {error}");
    if is_root("starting as a third user") {
        let id = user().uid.to_string();
        let (code, error) = run(&["setpriv", "--reuid", &id, "--clear-groups"], "daemon");
        assert!(code == Some(77) && error.contains("only root can become the user daemon"), "{code:?}: {error}");
    }
}

#[test]
fn agent_that_is_root_says_so_and_no_other_does() {
    let agent = Agent::start("");
    let root = geteuid().is_root();
    assert_eq!(agent.api()["runs_as_root"], root);
    let metrics = String::from_utf8(agent.get("/metrics").unwrap().body).unwrap();
    assert!(metrics.contains(&format!("\ncctv_agent_runs_as_root {}\n", i32::from(root))), "{metrics}");
    let lines = agent.log_lines().iter().filter(|line| line.contains("runs as root")).count();
    assert_eq!(lines, usize::from(root), "{}", agent.log_text());
    let mut status = Command::new(agent_program());
    let status = status.args(["status", "--config"]).arg(agent.folder.0.join("cameras.toml")).output().unwrap();
    let status = String::from_utf8(status.stdout).unwrap();
    assert_eq!(status.contains("the agent runs as root; start it with --user"), root, "{status}");
    assert_undumpable(Pid::as_raw(agent.pid()));
}
