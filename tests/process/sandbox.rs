//! The sandboxes of workers and readers under a real agent.

use std::{fs, time::Duration};

use cctv_agent::{
    camera::{CameraId, Secret, Transport},
    ipc::{self, FromWorker, Open},
    media::{Rendition, Size, transform::Transform},
    sandbox::{Sandbox, SandboxPolicy},
    time::timeout,
    worker_host::{LONG_CLOSE_TIMEOUT, Spawner, Worker},
};
use serde_json::{Value, json};
use smol::future::block_on;

use crate::support::{
    Agent, Cameras, MotionJpeg, PATIENCE, agent_program, http, wait_for,
    without::{LANDLOCK, without},
};

/// The fields of process `pid` in `/proc`.
fn field(pid: u64, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
}

/// The worker of camera `id`, once it has told what its sandbox is.
fn worker(agent: &Agent, id: &str) -> Value {
    wait_for("the sandbox of a worker", || {
        let worker = agent.camera(id)["worker"].clone();
        worker["sandbox"].is_string().then_some(worker)
    })
}

#[test]
fn worker_and_reader_show_a_live_picture_from_inside_their_sandboxes() {
    let cameras = Cameras::start(&[
        "id=gate size=320x176 small=none audio=on",
        "id=yard size=320x176 small=none audio=on",
        "id=hall size=320x176 small=none codec=h265",
    ]);
    let agent = Agent::start(&format!(
        "[[camera]]\nid = \"gate\"\n{}[[camera]]\nid = \"yard\"\nreader = \"opencv\"\n{}\
         [[camera]]\nid = \"hall\"\nreader = \"opencv\"\ntransport = \"udp\"\n{}",
        cameras.place("gate"),
        cameras.place("yard"),
        cameras.place("hall")
    ));
    for id in ["gate", "yard", "hall"] {
        agent.wait_for_state(id, "live");
        let mut viewer = MotionJpeg::open(&agent.address, &format!("/live/{id}"));
        viewer.next_live();
        let worker = worker(&agent, id);
        assert_eq!((&worker["sandbox"], &worker["sandbox_missing"]), (&json!("full"), &json!([])), "{id}: {worker}");
        let pid = worker["pid"].as_u64().unwrap();
        assert_eq!((field(pid, "Seccomp"), field(pid, "NoNewPrivs")), ("2".to_owned(), "1".to_owned()), "{id}");
        for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
            let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            assert!(status.contains("Seccomp:\t2\n") && status.contains("NoNewPrivs:\t1\n"), "{id}: {status}");
        }
        let metrics = String::from_utf8(http("GET", &agent.address, "/metrics").unwrap().body).unwrap();
        for (level, value) in [("full", 1), ("partly", 0), ("none", 0)] {
            let sample = format!("cctv_worker_sandbox{{camera=\"{id}\",sandbox=\"{level}\"}} {value}\n");
            assert!(metrics.contains(&sample), "{sample}");
        }
        viewer.next_live();
    }
    // Sound that no decoder is opened for is no news.
    assert!(
        agent.log_lines().iter().all(|line| !line.contains("whitelist") && !line.contains("Audio")),
        "{}",
        agent.log_text()
    );
}

#[test]
fn reader_needs_no_call_that_its_sandbox_refuses() {
    let cameras = Cameras::start(&[
        "id=tcp size=320x176 small=none audio=on user=viewer pass=right",
        "id=udp size=320x176 small=none codec=h265",
        "id=jpeg size=320x176 small=none codec=mjpeg",
    ]);
    let spawner = Spawner::new(agent_program().with_file_name("cctv-reader"));
    for (id, transport) in [("tcp", Transport::Tcp), ("udp", Transport::Udp), ("jpeg", Transport::Tcp)] {
        let login = if id == "tcp" { "rtsp://viewer:right@" } else { "rtsp://" };
        let open = Open {
            uri: Secret::new(cameras.stream(id).replacen("rtsp://", login, 1)),
            transport,
            first_sequence: 0,
            default_quality: 80,
            read_limit: Duration::from_secs(10),
            most_memory: ipc::WORKER_MEMORY,
            group_memory: 8 << 20,
            sandbox: SandboxPolicy::Fatal,
        };
        let rendition =
            Rendition { size: Size { width: 160, height: 88 }, transform: Transform::NONE, quality: 80, fps: 25 };
        block_on(async {
            let mut worker = Worker::start(&spawner, &CameraId::new(id).unwrap(), open).await.unwrap();
            worker.want(vec![rendition.into()]).await.unwrap();
            let mut next = async || timeout(PATIENCE, worker.next()).await.expect("a message").unwrap();
            assert_eq!(next().await, FromWorker::Sandbox(Sandbox::new(|_| true)), "{id}");
            while !matches!(next().await, FromWorker::Picture(_)) {}
            assert!(worker.end(LONG_CLOSE_TIMEOUT).await, "{id}");
        });
        wait_for("TEARDOWN", || (cameras.facts(id)["sessions"] == 0).then_some(()));
    }
}

#[test]
fn whole_sandbox_that_is_required_and_missing_is_told_on_the_tile() {
    let cameras = Cameras::start(&["id=gate size=320x176 small=none", "id=yard size=320x176 small=none"]);
    let section = |id: &str, more: &str| format!("[[camera]]\nid = \"{id}\"\n{more}{}", cameras.place(id));
    let both = section("gate", "") + &section("yard", "reader = \"opencv\"\n");
    without(&[LANDLOCK], || {
        let agent = Agent::start(&both);
        agent.wait_for_state("gate", "live");
        MotionJpeg::open(&agent.address, "/live/gate").next_live();
        for id in ["gate", "yard"] {
            let worker = worker(&agent, id);
            assert_eq!(worker["sandbox"], "partly", "{worker}");
            let missing = json!(["landlock", "landlock_network", "landlock_scope"]);
            assert_eq!(worker["sandbox_missing"], missing, "{worker}");
        }
        drop(agent);

        let agent = Agent::start(&format!("[limits]\nsandbox = \"required\"\n{both}"));
        agent.wait_for_state("gate", "live");
        let _viewer = MotionJpeg::open(&agent.address, "/live/gate");
        for id in ["gate", "yard"] {
            let camera = wait_for("the reason", || {
                let camera = agent.camera(id);
                // The reason is told a moment before the worker is gone.
                (camera["reason"][0]["code"] == "worker_sandbox" && camera["worker"].is_null()).then_some(camera)
            });
            assert_eq!(camera["reason"][1]["code"], "sandbox_required", "{camera:#}");
        }
        assert_eq!(agent.camera("gate")["state"], "live", "viewers that decode themselves need no worker");
        assert_ne!(agent.camera("yard")["state"], "live");
    });
}
