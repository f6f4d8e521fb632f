//! Monitoring: `/api/cameras`, `/metrics`, `cctv-agent status` and, after SIGUSR1, the log report
//! the same facts, and none of them contains a password.

mod exposition;

use std::process::Command;

use crate::support::{Agent, Cameras, MotionJpeg, agent_program, own_address, wait_for};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

const PASSWORD: &str = "s3cret/of:the@gate";

fn status(agent: &Agent, arguments: &[&str]) -> String {
    let mut command = Command::new(agent_program());
    let output =
        command.arg(arguments[0]).arg("--config").arg(agent.folder.0.join("cameras.toml")).args(&arguments[1..]);
    let output = output.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn metrics(agent: &Agent) -> exposition::Page {
    let text = String::from_utf8(agent.get("/metrics").unwrap().body).unwrap();
    exposition::Page::read(&text).unwrap_or_else(|wrong| panic!("{wrong} in\n{text}"))
}

fn failures(camera: &Value, cause: &str) -> u64 {
    camera["failures"][cause].as_u64().unwrap_or(0)
}

/// All causes but a lack of memory, which `limits` has.
#[test]
fn every_end_of_a_stream_is_counted_by_its_cause() {
    let cameras = Cameras::start(&[
        "id=gate size=320x180 fps=5 small=none snapshots=off",
        "id=other size=320x180 fps=5 small=none",
        "id=read size=320x180 fps=5 small=none snapshots=off",
        "id=locked size=320x180 small=none user=viewer pass=right auth=digest",
    ]);
    let gate =
        |place: &str, stall_after: f64| format!("[[camera]]\nid = \"gate\"\nstall_after = {stall_after:?}\n{place}\n");
    let rest = format!(
        "[[camera]]\nid = \"locked\"\nusername = \"viewer\"\npassword = '{PASSWORD}'\n{}\n\
         [[camera]]\nid = \"absent\"\nip = \"{}\"\n\
         [[camera]]\nid = \"profiled\"\nprofile = \"none such\"\n{}\n\
         [[camera]]\nid = \"read\"\nreader = \"opencv\"\n{}\n",
        cameras.place("locked"),
        own_address(),
        cameras.place("other"),
        cameras.place("read"),
    );
    let agent = Agent::start(&(gate(&cameras.place("gate"), 2.0) + &rest));
    agent.wait_for_state("gate", "live");
    let counted = |id: &str, cause: &str, times: u64| {
        wait_for(&format!("{id} to have {cause} {times}"), || {
            (failures(&agent.camera(id), cause) >= times).then_some(())
        });
        assert!(
            metrics(&agent).value("cctv_camera_failures_total", &[("camera", id), ("reason", cause)]) >= times as f64
        );
    };
    counted("locked", "denied", 1);
    counted("absent", "unreachable", 1);
    counted("profiled", "refused", 1);

    agent.wait_for_state("read", "live");
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    viewer.next_live();
    let _viewer = viewer.in_background();
    // The worker that decodes, and the one that reads.
    for id in ["gate", "read"] {
        let worker = wait_for("a worker", || i32::try_from(agent.camera(id)["worker"]["pid"].as_i64()?).ok());
        kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
        counted(id, "worker", 1);
        agent.wait_for_state(id, "live");
    }
    let reconnects = |id: &str| agent.camera(id)["reconnects"].as_u64().unwrap();
    assert_eq!((reconnects("gate"), reconnects("read")), (0, 1), "only a reader takes its stream along");
    for id in ["gate", "read"] {
        cameras.fault(id, "drop");
        counted(id, "ended", 1);
        cameras.fault(id, "no-video");
        counted(id, "no_video", 1);
        cameras.fault(id, "resume");
    }
    // The pause may be long by now: the stream is opened anew.
    agent.reload(&(gate(&format!("{}open_within = 20\n", cameras.place("gate")), 2.0) + &rest));
    agent.wait_for_state("read", "live");
    agent.wait_for_state("gate", "live");
    cameras.fault("gate", "stall");
    counted("gate", "stalled", 1);
    let gone = agent.camera("gate");
    assert!(gone["last_error"].as_str().unwrap().contains("no frame for 2.0 s"), "{gone}");
    assert!(gone["last_error_age"].as_f64() <= gone["last_live_age"].as_f64(), "{gone}");
    cameras.fault("gate", "resume");
    agent.wait_for_state("gate", "live");
    let before = reconnects("gate");
    agent.reload(&(gate(&cameras.place("other"), 2.0) + &rest));
    counted("gate", "changed", 1);
    assert_eq!(metrics(&agent).value("cctv_reload_taken", &[]), 1.0);
    let camera = wait_for("the camera to be live at its new place", || {
        Some(agent.camera("gate"))
            .filter(|camera| camera["state"] == "live" && camera["reconnects"].as_u64() > Some(before))
    });
    assert_eq!((&camera["stalls"], &camera["last_live_age"]), (&1.into(), &0.0.into()), "{camera}");
    let (live, known) = (camera["live_seconds"].as_f64().unwrap(), camera["known_seconds"].as_f64().unwrap());
    assert!(0.0 < live && live < known && camera["availability"].as_f64().unwrap() < 1.0, "{camera}");
    assert!(agent.camera("absent")["last_live_age"].is_null());
}

#[test]
fn all_tell_the_same_and_none_tells_a_password() {
    let cameras = Cameras::start(&[
        &format!("id=gate size=640x360 fps=10 small=none user=viewer pass={PASSWORD} auth=digest"),
        "id=locked size=320x180 small=none user=viewer pass=right auth=digest",
    ]);
    let login = format!("username = \"viewer\"\npassword = '{PASSWORD}'\n");
    let agent = Agent::start(&format!(
        "[defaults]\n{login}\n[[camera]]\nid = \"gate\"\n{}\n[[camera]]\nid = \"locked\"\n{}\n",
        cameras.place("gate"),
        cameras.place("locked"),
    ));
    agent.wait_for_state("gate", "live");
    agent.wait_for_state("locked", "denied");
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate?size=320x180");
    viewer.next_live();
    wait_for("the worker's share of a processor", || agent.camera("gate")["worker"]["cpu"].as_f64());
    // A past error stays visible.
    kill(Pid::from_raw(agent.workers()[0]), Signal::SIGKILL).unwrap();
    wait_for("the failure", || (failures(&agent.camera("gate"), "worker") == 1).then_some(()));
    agent.wait_for_state("gate", "live");
    viewer.next_live();
    wait_for("the next worker's share", || agent.camera("gate")["worker"]["cpu"].as_f64());

    let (api, page) = (agent.api(), metrics(&agent));
    let gate = &api["cameras"][0];
    let of_gate = [("camera", "gate")];
    for (series, labels, fact) in [
        ("cctv_camera_up", &of_gate[..], 1.0),
        ("cctv_camera_reconnects_total", &of_gate, gate["reconnects"].as_f64().unwrap()),
        ("cctv_camera_stalls_total", &of_gate, gate["stalls"].as_f64().unwrap()),
        ("cctv_camera_viewers", &of_gate, 1.0),
        ("cctv_camera_renditions", &of_gate, 1.0),
        ("cctv_camera_refused_total", &of_gate, 0.0),
        ("cctv_camera_failures_total", &[("camera", "gate"), ("reason", "worker")], 1.0),
        ("cctv_camera_failures_total", &[("camera", "gate"), ("reason", "denied")], 0.0),
        ("cctv_viewers", &[], 1.0),
        ("cctv_refused_total", &[("limit", "viewers")], 0.0),
        ("cctv_reloads_total", &[], 0.0),
        ("cctv_log_lost_lines_total", &[], 0.0),
        ("cctv_agent_threads", &[], api["agent"]["threads"].as_f64().unwrap()),
        ("cctv_agent_descriptors_limit", &[], api["agent"]["most_descriptors"].as_f64().unwrap()),
    ] {
        assert_eq!(page.value(series, labels), fact, "{series} {labels:?}");
    }
    for series in [
        "cctv_camera_frame_age_seconds",
        "cctv_camera_last_error_age_seconds",
        "cctv_camera_last_live_age_seconds",
        "cctv_camera_live_seconds_total",
        "cctv_camera_known_seconds_total",
        "cctv_camera_availability_ratio",
        "cctv_camera_skipped_pictures_total",
        "cctv_worker_cpu_seconds_total",
        "cctv_worker_memory_bytes",
        "cctv_worker_own_memory_bytes",
    ] {
        page.value(series, &of_gate);
    }

    let table = status(&agent, &["status"]);
    eprintln!("{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    for part in ["1 viewer", "threads", "descriptors", "640x360", "SIGKILL", "check username and password", " % "] {
        assert!(table.contains(part), "{part} is not in\n{table}");
    }
    let before = agent.log_lines().len();
    agent.signal(Signal::SIGUSR1);
    let last = agent.wait_for_log(&["agent: 1 of 2 cameras live, 1 viewer, ", "threads", "descriptors", "0 reloads"]);
    let report = agent.log_lines()[before..].join("\n");
    eprintln!("{report}");
    for part in [
        "gate: live for ",
        "1 viewer, 1 rendition",
        "failures: worker 1, worker ",
        " ago: the worker was killed by SIGKILL",
        "locked: denied for ",
        &last,
    ] {
        assert!(report.contains(part), "{part} is not in\n{report}");
    }
    let shown = [
        api.to_string(),
        String::from_utf8(agent.get("/metrics").unwrap().body).unwrap(),
        table,
        status(&agent, &["status", "--json"]),
        status(&agent, &["list"]),
        agent.log_text(),
    ]
    .concat();
    for secret in [PASSWORD, "s3cret", "%40gate"] {
        assert!(!shown.contains(secret), "{secret} is shown");
    }
}
