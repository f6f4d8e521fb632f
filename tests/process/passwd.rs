//! `passwd`, `token` and `users`: a person at a terminal, the file, and the agent that takes it.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    os::{fd::OwnedFd, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use cctv_agent::account::{password_hash::PasswordHash, token_hash::TokenHash};
use nix::{
    pty::openpty,
    sys::termios::{LocalFlags, tcgetattr},
};

use crate::support::{Agent, Folder, agent_program, configuration, own_address, wait_for};

/// `cctv-agent passwd` at a terminal.
struct AtTerminal {
    child: Child,
    keys: File,
    /// Kept open, so that the terminal stays.
    terminal: OwnedFd,
    /// All that the terminal showed of the keys.
    echo: Arc<Mutex<Vec<u8>>>,
    /// What the command wrote to standard error.
    errors: Arc<Mutex<Vec<u8>>>,
}

fn collect(mut from: impl std::io::Read + Send + 'static) -> Arc<Mutex<Vec<u8>>> {
    let collected = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&collected);
    thread::spawn(move || {
        let mut some = [0; 256];
        while let Ok(length @ 1..) = from.read(&mut some) {
            writer.lock().unwrap().extend_from_slice(&some[..length]);
        }
    });
    collected
}

impl AtTerminal {
    fn start(file: &Path, name: &str) -> Self {
        let pty = openpty(None, None).unwrap();
        let mut child = Command::new(agent_program())
            .args(["passwd", name, "--config"])
            .arg(file)
            .stdin(Stdio::from(pty.slave.try_clone().unwrap()))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = collect(child.stderr.take().unwrap());
        let keys = File::from(pty.master);
        let echo = collect(keys.try_clone().unwrap());
        Self { child, keys, terminal: pty.slave, echo, errors }
    }

    fn errors(&self) -> String {
        String::from_utf8_lossy(&self.errors.lock().unwrap()).into_owned()
    }

    /// Types `keys` once `prompt` is there.
    fn answer(&mut self, prompt: &str, keys: &str) {
        wait_for(prompt, || self.errors().contains(prompt).then_some(()));
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// The exit code and what was written to standard output.
    fn end(mut self) -> (Option<i32>, String) {
        let status = wait_for("the command to exit", || self.child.try_wait().unwrap());
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        assert_eq!(String::from_utf8_lossy(&self.echo.lock().unwrap()), "", "the terminal showed what was typed");
        let flags = tcgetattr(&self.terminal).unwrap().local_flags;
        assert!(flags.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG), "the terminal is as before");
        (status.code(), out)
    }
}

fn run(arguments: &[&str], file: &Path, input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(agent_program())
        .args(arguments)
        .arg("--config")
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn file_of(agent: &Agent) -> PathBuf {
    agent.folder.0.join("cameras.toml")
}

/// The value of `key`, which stands once in the file.
fn value(file: &Path, key: &str) -> String {
    let text = fs::read_to_string(file).unwrap();
    let values: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(&format!("{key} = \""))).collect();
    assert_eq!(values.len(), 1, "{text}");
    values[0].trim_end_matches('"').to_owned()
}

#[test]
fn password_is_typed_unseen_and_the_agent_takes_it() {
    let agent = Agent::start("# The gate\n[[camera]]\nid = \"gate\"\nip = \"127.0.0.1\"\nonvif_port = 9\n");
    agent.api();
    let file = file_of(&agent);
    let before = fs::read_to_string(&file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();

    let mut terminal = AtTerminal::start(&file, "guard");
    terminal.answer("New password of guard: ", "wrong\u{15}correct horsf\u{7f}e\r");
    terminal.answer("The same again: ", "correct horse\r");
    let (code, out) = terminal.end();
    assert_eq!(code, Some(0), "{out}");
    for part in ["the user guard is added to", "other machines are not served yet", "reloaded: ", "users changed"] {
        assert!(out.contains(part), "{part} is not in\n{out}");
    }
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with(&before) && text.contains("\n[[user]]\nname = \"guard\"\n"), "{text}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(PasswordHash::parse(&value(&file, "password")).unwrap().verify("correct horse"));
    agent.wait_for_log(&["the user guard was added"]);

    let (code, out, errors) = run(&["passwd", "guard", "--stdin"], &file, "another horse\n");
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{out}");
    assert!(PasswordHash::parse(&value(&file, "password")).unwrap().verify("another horse"));
    agent.wait_for_log(&["the user guard has another password"]);
    assert!(!agent.log_text().contains("horse"));

    let (code, out, _) = run(&["users"], &file, "");
    assert_eq!(code, Some(0), "{out}");
    let line: Vec<&str> = out.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(line, ["guard", "password", "watch", "0", "not", "yet", "all"]);

    assert_eq!(run(&["passwd", "guard", "--delete"], &file, "").0, Some(0));
    assert_eq!(fs::read_to_string(&file).unwrap().trim_end(), before.trim_end());
    agent.wait_for_log(&["the user guard was removed"]);
    let (code, _, errors) = run(&["passwd", "guard", "--delete"], &file, "");
    assert!(code == Some(78) && errors.contains("there is no user \"guard\""), "{errors}");
}

#[test]
fn nothing_changes_where_a_person_stops_or_mistypes() {
    let folder = Folder::new();
    let file = folder.write("cameras.toml", "[server]\n");
    for (first, second, why) in [
        ("correct horse\r", "correct horze\r", "these are two passwords"),
        ("correct\u{3}", "", "stopped"),
        ("too short\r", "", "at least 10 characters"),
    ] {
        let mut terminal = AtTerminal::start(&file, "guard");
        terminal.answer("New password of guard: ", first);
        if !second.is_empty() {
            terminal.answer("The same again: ", second);
        }
        let errors = Arc::clone(&terminal.errors);
        assert_eq!(terminal.end().0, Some(65), "{why}");
        wait_for(why, || String::from_utf8_lossy(&errors.lock().unwrap()).contains(why).then_some(()));
    }
    let (code, _, errors) = run(&["passwd", "guard"], &file, "correct horse\n");
    assert!(code == Some(65) && errors.contains("--stdin"), "{errors}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "[server]\n");
}

#[test]
fn token_is_printed_once_and_kept_as_its_hash() {
    let folder = Folder::new();
    let address = format!("{}:8443", own_address());
    let text = configuration(&address, &folder, "").replace("[server]\n", "[server]\nnames = [\"wall.example.com\"]\n");
    let file = folder.write("cameras.toml", &text);
    let (code, out, errors) = run(&["token", "lobby-tv"], &file, "");
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{out}");
    let token = out.lines().find(|line| line.len() == 64).unwrap();
    assert!(out.contains(&format!("https://wall.example.com:8443/login#token={token}\n")), "{out}");
    assert!(out.contains("no agent runs with this file"), "{out}");
    assert_eq!(value(&file, "token"), TokenHash::of(token).to_string());
    assert!(!fs::read_to_string(&file).unwrap().contains(token));
    let (_, again, _) = run(&["token", "lobby-tv"], &file, "");
    assert!(again.contains("has a new token") && !again.contains(token), "{again}");
}

#[test]
fn listening_beyond_this_machine_without_a_user_is_a_complaint() {
    let folder = Folder::new();
    let file = folder.write("cameras.toml", "[server]\nlisten = \"0.0.0.0:8080\"\n");
    let check = || {
        let output = Command::new(agent_program()).arg("check").arg(&file).stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, errors) = check();
    assert!(out.ends_with("listening on 127.0.0.1:8080\n"), "the machine's own screen needs the address: {out}");
    assert_eq!(code, Some(78), "{errors}");
    for part in ["cameras.toml:2:10: [server]: listen reaches other machines", "1 problem; cctv-agent would serve this"]
    {
        assert!(errors.contains(part), "{part} is not in\n{errors}");
    }
    assert_eq!(run(&["passwd", "guard", "--stdin"], &file, "correct horse").0, Some(0));
    let (code, out, errors) = check();
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert!(out.ends_with("listening on 0.0.0.0:8080\n"), "{out}");
}
