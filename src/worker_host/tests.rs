//! Stand-in workers are shell scripts: they fail in ways the real worker does not.

pub mod stand_in;

use std::path::PathBuf;

use smol::{Timer, future::block_on};

use stand_in::StandIn;

use super::*;
use crate::{
    camera::{Secret, Transport},
    ipc::FailureKind,
    sandbox::SandboxPolicy,
};

fn start(script: &StandIn) -> Worker {
    try_start(&Spawner::new(script.program())).unwrap()
}

fn try_start(spawner: &Spawner) -> Result<Worker, Error> {
    let id = CameraId::new("gate").unwrap();
    let open = Open {
        uri: Secret::new("rtsp://u:hunter2@h/"),
        transport: Transport::Tcp,
        first_sequence: 1,
        default_quality: 80,
        read_limit: Duration::from_secs(5),
        most_memory: ipc::WORKER_MEMORY,
        group_memory: 8 << 20,
        sandbox: SandboxPolicy::Auto,
    };
    block_on(Worker::start(spawner, &id, open))
}

fn is_gone(pid: u32) -> bool {
    // Polled, because another thread reaps the process.
    (0..500).any(|_| {
        let gone = !PathBuf::from(format!("/proc/{pid}")).exists();
        if !gone {
            block_on(Timer::after(EXIT_POLL));
        }
        gone
    })
}

#[test]
fn worker_that_dies_is_told_with_signal_and_last_words() {
    let script = StandIn::new("head -c 5 >/dev/null; echo opening rtsp://u:hunter2@h/ >&2; kill -SEGV $$");
    let error = block_on(start(&script).next()).unwrap_err();
    assert_eq!(error.to_string(), "the worker was killed by SIGSEGV after saying \"opening rtsp://***@h/\"");
}

#[test]
fn worker_that_calls_what_its_sandbox_forbids_is_told_apart() {
    let script = StandIn::new("head -c 5 >/dev/null; echo decoding >&2; kill -SYS $$");
    let error = block_on(start(&script).next()).unwrap_err();
    assert_eq!(
        error.reason(),
        "the worker was ended at a system call that its sandbox forbids, after saying \"decoding\"; the log of the \
         kernel may name the call"
    );
}

#[test]
fn worker_of_another_version_is_told_with_what_to_do() {
    let error = block_on(start(&StandIn::new("head -c 5 >/dev/null; exit 76")).next()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the worker's program is of another version than the agent; restart the service cctv-agent"
    );
}

#[test]
fn nonsense_on_the_socket_is_an_error() {
    let script = StandIn::new("printf 'HTTP/1.1 200 OK' >&0; cat >/dev/null");
    assert!(matches!(block_on(start(&script).next()), Err(Error::Ipc(_))));
}

#[test]
fn failure_message_is_the_end() {
    // Length 13, kind 20 (failed), kind of failure 1 (denied), the code of the reason.
    let script = StandIn::new(r"printf '\015\000\000\000\024\001camera_ended' >&0; cat >/dev/null");
    let error = block_on(start(&script).next()).unwrap_err();
    assert!(matches!(error, Error::GaveUp(Failure { kind: FailureKind::Denied, .. })), "{error}");
}

#[test]
fn message_survives_a_wait_that_was_given_up() {
    // Decoding(true) in two halves; the second follows once the agent has sent something.
    let script =
        StandIn::new(r"printf '\001\000\000' >&0; head -c 100 >/dev/null; printf '\000\023\001' >&0; cat >/dev/null");
    let mut worker = start(&script);
    block_on(async {
        let given_up = async {
            Timer::after(Duration::from_millis(50)).await;
            None
        };
        assert!(async { Some(worker.next().await) }.or(given_up).await.is_none());
        let size = crate::media::Size { width: 64, height: 36 };
        let rendition =
            crate::media::Rendition { size, transform: crate::media::transform::Transform::NONE, quality: 80, fps: 25 };
        worker.want(vec![rendition.into(); 20]).await.unwrap();
        assert!(matches!(worker.next().await, Ok(FromWorker::Decoding(true))));
    });
}

#[test]
fn dropped_worker_is_killed_and_reaped() {
    let script = StandIn::new("trap '' TERM HUP; cat >/dev/null; while :; do sleep 1; done");
    let worker = start(&script);
    let pid = worker.vitals().unwrap().pid;
    drop(worker);
    assert!(is_gone(pid));
}

#[test]
fn worker_that_ignores_the_farewell_is_killed() {
    let script = StandIn::new("cat >/dev/null; while :; do sleep 1; done");
    let worker = start(&script);
    let pid = worker.vitals().unwrap().pid;
    block_on(worker.end(CLOSE_TIMEOUT));
    assert!(is_gone(pid));
}

#[test]
fn vitals_of_this_process_make_sense() {
    let vitals = read_vitals(std::process::id(), &proc::Process::own().usage_reader().unwrap()).unwrap();
    assert!(vitals.resident > 1 << 20 && vitals.own <= vitals.resident, "{vitals:?}");
}

#[test]
fn program_that_is_not_installed_is_reported_with_its_place() {
    let error = try_start(&Spawner::new("/nonexistent/cctv-worker")).err().unwrap();
    assert!(matches!(error, Error::Missing { .. }));
    let reason = error.reason();
    assert!(reason.starts_with("the program cctv-worker is not installed: expected at /nonexistent/cctv-worker;"));
    let reason = try_start(&Spawner::new("/nonexistent/cctv-reader")).err().unwrap().reason();
    assert!(reason.starts_with("the program cctv-reader is not installed: expected at /nonexistent/cctv-reader;"));
}

#[test]
fn program_that_cannot_be_started_is_no_missing_one() {
    let folder = std::env::temp_dir();
    let error = try_start(&Spawner::new(&folder)).err().unwrap();
    assert!(matches!(error, Error::Start(_)), "{error}");
    assert!(error.reason().starts_with("cannot start a worker: "), "{}", error.reason());
}

#[test]
fn password_is_in_neither_arguments_nor_environment() {
    let script = StandIn::new("cat /proc/$$/environ /proc/$$/cmdline >$here/seen; kill -SEGV $$");
    block_on(start(&script).next()).unwrap_err();
    let seen = script.read("seen");
    assert!(seen.contains("rtsp_transport;tcp") && !seen.contains("hunter2"), "{seen:?}");
}
