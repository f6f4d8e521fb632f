//! The agent stops: cameras and viewers are notified, and nothing delays the end.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
    time::Instant,
};

use crate::support::{Agent, Cameras, MotionJpeg, own_address, page::Page, wait_for};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const SMALL: &str = "size=320x180 fps=10 small=none onvif=0 rtsp=0";

const GOODBYE: &str = "the agent is being stopped";

/// Waits for a clean exit and prints how long it took.
fn ends_well(agent: &mut Agent, asked: Instant) {
    let status = agent.exit();
    eprintln!("stopped after {:?}", asked.elapsed());
    assert_eq!(status.code(), Some(0), "{}", agent.log_text());
    wait_for("the last line of the log", || agent.log_text().contains("stopped").then_some(()));
}

/// The worker of camera `id`.
fn worker(agent: &Agent, id: &str) -> i64 {
    wait_for("the worker's number", || agent.camera(id)["worker"]["pid"].as_i64())
}

/// Waits until the camera has no session any more; returns whether the camera got a TEARDOWN or the
/// worker had no time for it.
fn was_closed_properly(agent: &Agent, cameras: &Cameras, id: &str, worker: i64) -> bool {
    let facts = wait_for(&format!("the end of the session with {id}"), || {
        Some(cameras.facts(id)).filter(|facts| facts["sessions"] == 0)
    });
    let held = ["did not end by itself", "was blocked and ended without TEARDOWN"];
    let killed = held.iter().any(|held| agent.log_text().contains(&format!("worker {worker} {held}")));
    let closed_properly = facts["teardowns"].as_u64().unwrap() > 0;
    if !closed_properly {
        eprintln!("{id}: no TEARDOWN{}", if killed { "; its worker was too slow" } else { "" });
    }
    closed_properly || killed
}

fn gone(pid: i32) -> Option<()> {
    (!fs::exists(format!("/proc/{pid}")).unwrap()).then_some(())
}

/// A viewer that sends a request and then never reads.
fn sleeper(address: &str, id: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /live/{id} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 16]).unwrap();
    stream
}

#[test]
fn sixteen_cameras_and_all_kinds_of_viewers_are_told() {
    let ids: Vec<String> = (0..16).map(|number| format!("cam{number}")).collect();
    let descriptions: Vec<_> = ids.iter().map(|id| format!("id={id} {SMALL}")).collect();
    let cameras = Cameras::start(&descriptions.iter().map(String::as_str).collect::<Vec<_>>());
    let section = |id: &String| format!("[[camera]]\nid = \"{id}\"\n{}", cameras.place(id));
    let mut agent = Agent::start(&ids.iter().map(section).collect::<String>());
    for id in &ids {
        agent.wait_for_state(id, "live");
    }
    let mut motion = MotionJpeg::open(&agent.address, "/live/cam0");
    motion.next_live();
    let mut wall = Page::wall(&agent.address, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    wall.picture(15);
    let mut legacy = Page::open(&agent.address, "/ws/cam1");
    legacy.next();
    let workers: Vec<_> = ids.iter().map(|id| worker(&agent, id)).collect();

    // Each viewer reads its response to the end meanwhile, as browsers do.
    let viewers = [
        thread::spawn(move || motion.last().state),
        thread::spawn(move || wall.goodbye()),
        thread::spawn(move || legacy.goodbye()),
    ];
    let asked = Instant::now();
    agent.signal(Signal::SIGTERM);
    ends_well(&mut agent, asked);
    assert_eq!(viewers.map(|viewer| viewer.join().unwrap()), ["offline", GOODBYE, GOODBYE]);
    let closed_properly =
        ids.iter().zip(&workers).filter(|(id, worker)| was_closed_properly(&agent, &cameras, id, **worker)).count();
    eprintln!("{closed_properly} of 16 closed properly");
    assert_eq!(closed_properly, 16, "cameras got TEARDOWN");
    for worker in workers {
        wait_for("the worker to be gone", || gone(i32::try_from(worker).unwrap()));
    }
}

#[test]
fn nothing_that_is_under_way_holds_it_up() {
    let cameras = Cameras::start(&[
        &format!("id=frozen {SMALL}"),
        &format!("id=stopped {SMALL}"),
        &format!("id=removed {SMALL}"),
        &format!("id=good {SMALL}"),
    ]);
    cameras.fault("frozen", "freeze");
    // Accepts connections and never answers, like an ONVIF service that hangs.
    let mute = TcpListener::bind((own_address(), 0)).unwrap();
    let mute_at = mute.local_addr().unwrap();
    let url = |id: &str| format!("[[camera]]\nid = \"{id}\"\nurl = \"{}\"\n", cameras.stream(id));
    let rest = format!(
        "{}{}reader = \"opencv\"\n{}[[camera]]\nid = \"mute\"\nip = \"{}\"\nonvif_port = {}\n[[camera]]\nid = \"absent\"\nip = \"{}\"\n",
        url("frozen"),
        url("stopped"),
        url("good"),
        mute_at.ip(),
        mute_at.port(),
        own_address(),
    );
    let mut agent = Agent::start(&(rest.clone() + &url("removed")));
    for id in ["stopped", "good", "removed"] {
        agent.wait_for_state(id, "live");
    }
    agent.wait_for_state("absent", "offline");
    let _asleep: Vec<_> = (0..4).map(|_| sleeper(&agent.address, "good")).collect();
    wait_for("the sleepers", || (agent.camera("good")["viewers"] == 4).then_some(()));
    let stopped = worker(&agent, "stopped");
    kill(Pid::from_raw(i32::try_from(stopped).unwrap()), Signal::SIGSTOP).unwrap();
    let workers = agent.workers();
    assert_eq!(agent.camera("mute")["state"], "connecting");

    // A camera that has just been removed still gets a TEARDOWN.
    agent.reload(&rest);
    wait_for("the reload", || (agent.camera("removed").is_null()).then_some(()));
    let asked = Instant::now();
    agent.signal(Signal::SIGHUP);
    agent.signal(Signal::SIGTERM);
    ends_well(&mut agent, asked);
    for id in ["good", "removed"] {
        let facts = wait_for(&format!("the end of the session with {id}"), || {
            Some(cameras.facts(id)).filter(|facts| facts["sessions"] == 0)
        });
        assert!(facts["teardowns"].as_u64().unwrap() > 0, "{id} got no TEARDOWN: {facts:#}");
    }
    for worker in workers {
        wait_for("the workers to be gone", || gone(worker));
    }
}

#[test]
fn second_request_ends_it_at_once() {
    let cameras = Cameras::start(&["id=gate size=1280x720 small=none onvif=0 rtsp=0"]);
    let mut agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate")));
    agent.wait_for_state("gate", "live");
    // Their sockets are full: the agent cannot send them anything, and waits for them.
    let _asleep: Vec<_> = (0..2).map(|_| sleeper(&agent.address, "gate")).collect();
    wait_for("skipped pictures", || (agent.camera("gate")["skipped"].as_u64()? > 20).then_some(()));
    let asked = Instant::now();
    agent.signal(Signal::SIGTERM);
    agent.wait_for_log(&["stopping"]);
    agent.signal(Signal::SIGTERM);
    ends_well(&mut agent, asked);
    agent.wait_for_log(&["asked to stop twice"]);
    assert!(!agent.log_text().contains("did not close within"), "{}", agent.log_text());
}

#[test]
fn request_at_the_very_start_is_heard() {
    for _ in 0..5 {
        let mut agent = Agent::start("");
        agent.wait_for_log(&["starts, pid"]);
        let asked = Instant::now();
        agent.signal(Signal::SIGTERM);
        ends_well(&mut agent, asked);
    }
}

/// Cards are drawn on threads that are not joined. When `main` returned while they ran, half of
/// such agents ended with SIGSEGV.
#[test]
fn cards_that_are_being_drawn_do_not_spoil_the_end() {
    for _ in 0..16 {
        let away = format!("[[camera]]\nid = \"gate\"\nip = \"{}\"\nonvif_port = 9\n", own_address());
        let mut agent = Agent::start(&away);
        agent.wait_for_log(&["cannot reach"]);
        let sizes = ["3840x2160", "3830x2160", "3820x2160", "3810x2160"];
        let mut viewers = sizes.map(|size| MotionJpeg::open(&agent.address, &format!("/live/gate?size={size}")));
        // The other viewers still wait for their cards, which are never fetched.
        viewers[0].next_card();
        drop(viewers);
        agent.signal(Signal::SIGTERM);
        ends_well(&mut agent, Instant::now());
    }
}
