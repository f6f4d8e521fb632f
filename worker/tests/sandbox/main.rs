//! What a worker could still do that a camera's bytes have taken over. The program starts itself again
//! for each attempt: the new process enters the sandbox of a worker, makes the attempt, and prints
//! how it ended.

// Helpers of a test panic as the test does.
#![allow(clippy::unwrap_used)]

mod attempts;
#[path = "../../../tests/support/without.rs"]
mod without;

use std::{
    env, io,
    net::TcpListener,
    os::unix::process::ExitStatusExt as _,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
};

use cctv_agent::sandbox::{Sandbox, SandboxPart, SandboxPolicy};
use cctv_worker::sandbox::{enter, needs::Needs};
use nix::{
    libc,
    sys::signal::Signal,
    unistd::{Pid, getppid},
};
use without::{LANDLOCK, SECCOMP, without};

/// The first argument of a process that makes an attempt.
const ATTEMPT: &str = "--attempt";

/// The port of the camera in the sandbox of a worker that reads; a test's own number takes its place.
const PORT: &str = "CCTV_TEST_PORT";

/// A test, by its name.
type Test = (&'static str, fn());

const TESTS: [Test; 9] = [
    ("every_attempt_succeeds_without_a_sandbox", every_attempt_succeeds_without_a_sandbox),
    ("worker_that_decodes_reaches_nothing", worker_that_decodes_reaches_nothing),
    ("worker_that_reads_reaches_the_port_of_its_camera", worker_that_reads_reaches_the_port_of_its_camera),
    ("worker_that_reads_a_device_opens_that_and_no_socket", worker_that_reads_a_device_opens_that_and_no_socket),
    ("seccomp_alone_refuses_everything", seccomp_alone_refuses_everything),
    ("landlock_alone_refuses_files_and_tcp", landlock_alone_refuses_files_and_tcp),
    ("process_with_a_thread_has_no_landlock", process_with_a_thread_has_no_landlock),
    ("what_a_worker_needs_goes_on", what_a_worker_needs_goes_on),
    ("panic_ends_the_process_with_its_message", panic_ends_the_process_with_its_message),
];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [first, needs, attempt] = arguments.as_slice()
        && first == ATTEMPT
    {
        return make(needs, attempt);
    }
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-')).map_or("", String::as_str);
    for (name, test) in TESTS.iter().filter(|(name, _)| name.contains(wanted)) {
        test();
        println!("test {name} ... ok");
    }
}

/// Enters a sandbox, prints what of it took hold, and makes an attempt.
fn make(needs: &str, attempt: &str) {
    let port = env::var(PORT).map_or(0, |port| port.parse().unwrap());
    // The sandbox refuses this call as well.
    let parent = getppid();
    if needs == "threaded" {
        return make_in_older_thread(attempt, port, parent);
    }
    let sandbox = match needs {
        "nothing" => enter(Needs::Nothing, SandboxPolicy::Auto),
        "stream" => enter(Needs::Stream { port }, SandboxPolicy::Auto),
        "device" => enter(Needs::Device(attempts::DEVICE), SandboxPolicy::Auto),
        _ => Sandbox::new(|_| false),
    };
    print_level(sandbox);
    print_end(attempts::make(attempt, port, parent));
}

/// As [`make`], in a thread that is older than the sandbox.
fn make_in_older_thread(attempt: &str, port: u16, parent: Pid) {
    let (begin, begun) = mpsc::channel();
    let attempt = attempt.to_owned();
    let thread = thread::spawn(move || {
        begun.recv().unwrap();
        attempts::make(&attempt, port, parent)
    });
    print_level(enter(Needs::Nothing, SandboxPolicy::Auto));
    begin.send(()).unwrap();
    print_end(thread.join().unwrap());
}

fn print_level(sandbox: Sandbox) {
    let missing: Vec<_> = sandbox.missing().map(SandboxPart::as_str).collect();
    println!("{} {}", sandbox.level().as_str(), missing.join(","));
}

fn print_end(end: io::Result<()>) {
    match end {
        Ok(()) => println!("done"),
        Err(error) => println!("refused {}", error.raw_os_error().unwrap_or(0)),
    }
}

/// How an attempt ended, seen from outside.
#[derive(Debug, PartialEq)]
enum End {
    Done,
    Refused,
    Killed,
}

/// Makes `attempt` in a new process; returns the level of its sandbox, and how it ended.
fn attempt(needs: &str, attempt: &str, port: u16) -> (String, End) {
    let (status, printed, _) = run(needs, attempt, port);
    let mut lines = printed.lines().map(str::to_owned);
    let level = lines.next().unwrap_or_else(|| panic!("{attempt}: {status:?}"));
    let end = match lines.next().as_deref() {
        Some("done") => End::Done,
        Some(refused) if refused == format!("refused {}", libc::EPERM) => End::Refused,
        Some(refused) if refused == format!("refused {}", libc::EACCES) => End::Refused,
        None if status.signal() == Some(Signal::SIGSYS as i32) => End::Killed,
        other => panic!("{needs} {attempt}: {other:?}, {status:?}"),
    };
    (level, end)
}

fn run(needs: &str, attempt: &str, port: u16) -> (ExitStatus, String, String) {
    let output = Command::new(env::current_exe().unwrap())
        .args([ATTEMPT, needs, attempt])
        .env(PORT, port.to_string())
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status, text(output.stdout), text(output.stderr))
}

/// Is listened to, as a camera is, or another service of this machine.
fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Otherwise the other tests would prove nothing. Some attempts are left to a root user.
fn every_attempt_succeeds_without_a_sandbox() {
    let (_listener, port) = listener();
    for name in attempts::REFUSED.iter().chain(attempts::DEADLY) {
        let end = attempt("none", name, port).1;
        let is_left_out = attempts::NEEDS_ROOT.contains(name) && !nix::unistd::geteuid().is_root();
        assert!(end == End::Done || is_left_out, "{name}: {end:?}");
    }
}

/// What of the sandbox this machine's kernel has; the tests run on older ones, too.
fn own_level() -> String {
    attempt("nothing", "open", 0).0
}

fn worker_that_decodes_reaches_nothing() {
    let (_listener, port) = listener();
    let level = own_level();
    eprintln!("this kernel: {level}");
    for name in attempts::REFUSED {
        assert_eq!(attempt("nothing", name, port), (level.clone(), End::Refused), "{name}");
    }
    for name in attempts::DEADLY {
        assert_eq!(attempt("nothing", name, port), (level.clone(), End::Killed), "{name}");
    }
}

fn worker_that_reads_reaches_the_port_of_its_camera() {
    let (_camera, port) = listener();
    let (_other, other) = listener();
    let level = own_level();
    let has = |part: &str| !level.contains(part);
    for name in ["connect", "udp", "name"] {
        assert_eq!(attempt("stream", name, port).1, End::Done, "{name}");
    }
    if has("landlock_network") {
        assert_eq!(attempt("stream", &format!("connect:{other}"), port).1, End::Refused);
        assert_eq!(attempt("stream", "listen", port).1, End::Refused);
    }
    if has("landlock") {
        assert_eq!(attempt("stream", "open", port).1, End::Refused);
        assert_eq!(attempt("stream", "memory_of_parent", port).1, End::Refused);
    }
    for name in ["create", "unix_socket", "kill", "run", "executable_memory"] {
        assert_eq!(attempt("stream", name, port).1, End::Refused, "{name}");
    }
    for name in attempts::DEADLY {
        assert_eq!(attempt("stream", name, port).1, End::Killed, "{name}");
    }
}

fn worker_that_reads_a_device_opens_that_and_no_socket() {
    let (_listener, port) = listener();
    let has = |part: &str| !own_level().contains(part);
    assert_eq!(attempt("device", "device", port).1, End::Done);
    if has("landlock") {
        for name in ["open", "memory_of_parent"] {
            assert_eq!(attempt("device", name, port).1, End::Refused, "{name}");
        }
    }
    for name in ["connect", "listen", "udp", "unix_socket", "create", "kill", "run", "executable_memory"] {
        assert_eq!(attempt("device", name, port).1, End::Refused, "{name}");
    }
    for name in attempts::DEADLY {
        assert_eq!(attempt("device", name, port).1, End::Killed, "{name}");
    }
}

fn seccomp_alone_refuses_everything() {
    without(&[LANDLOCK], || {
        let (_listener, port) = listener();
        let level = "partly landlock,landlock_network,landlock_scope".to_owned();
        for name in attempts::REFUSED {
            assert_eq!(attempt("nothing", name, port), (level.clone(), End::Refused), "{name}");
        }
    });
}

fn landlock_alone_refuses_files_and_tcp() {
    if own_level().contains("landlock,") {
        eprintln!("skipped: this kernel has no Landlock");
        return;
    }
    without(&[SECCOMP], || {
        let (_listener, port) = listener();
        for name in ["open", "create", "memory_of_parent"] {
            let (level, end) = attempt("nothing", name, port);
            assert!(level.starts_with("partly seccomp") && end == End::Refused, "{name}: {level}, {end:?}");
        }
    });
    without(&[LANDLOCK, SECCOMP], || {
        let (level, end) = attempt("nothing", "open", 0);
        assert!(level.starts_with("none ") && end == End::Done, "{level}, {end:?}");
    });
}

fn process_with_a_thread_has_no_landlock() {
    let (_listener, port) = listener();
    for name in attempts::REFUSED {
        let (level, end) = attempt("threaded", name, port);
        assert_eq!(level, "partly landlock,landlock_network,landlock_scope");
        assert_eq!(end, End::Refused, "{name}: seccomp binds the other threads, too");
    }
}

fn what_a_worker_needs_goes_on() {
    for name in attempts::NEEDED {
        assert_eq!(attempt("nothing", name, 0).1, End::Done, "{name}");
    }
}

fn panic_ends_the_process_with_its_message() {
    let (status, _, stderr) = run("nothing", "panic", 0);
    assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{stderr}");
    assert!(stderr.contains("the decoder is at its end") && stderr.contains("stack backtrace"), "{stderr}");
}
