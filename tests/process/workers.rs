//! Workers that are killed, stopped, crash or run out of memory are replaced, leave nothing behind,
//! and the other camera does not lose a frame.

use std::{fs, process::Command, time::Instant};

use crate::support::{Agent, Cameras, MotionJpeg, burnt_in, wait_for};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const CAMERAS: [&str; 2] = ["id=gate size=320x176 small=none gop=25", "id=yard size=320x176 small=none gop=25"];

struct Scene {
    cameras: Cameras,
    agent: Agent,
    /// A viewer of the other camera; the next field is its [`offset`] at the start.
    beside: MotionJpeg,
    offset: i64,
}

impl Scene {
    /// Both cameras are read by `reader`, as the file calls it.
    fn new(reader: &str) -> Self {
        let cameras = Cameras::start(&CAMERAS);
        let section = |id: &str| {
            format!("[[camera]]\nid = \"{id}\"\nreader = \"{reader}\"\nstall_after = 2.0\n{}", cameras.place(id))
        };
        let agent = Agent::start(&(section("gate") + &section("yard")));
        agent.wait_for_state("gate", "live");
        agent.wait_for_state("yard", "live");
        let mut beside = MotionJpeg::open(&agent.address, "/live/yard");
        let offset = offset(&mut beside);
        Self { cameras, agent, beside, offset }
    }

    /// The one worker of camera `id`.
    fn worker(&self, id: &str) -> i32 {
        wait_for("a worker's number", || {
            let pid = self.agent.camera(id)["worker"]["pid"].as_i64()?;
            i32::try_from(pid).ok()
        })
    }

    /// Asserts that the other camera has lost no frame since the beginning and has the same worker.
    fn nothing_happened_beside(&mut self) {
        assert_eq!(offset(&mut self.beside), self.offset, "frames of the other camera are missing");
        let yard = self.agent.camera("yard");
        assert_eq!((&yard["reconnects"], &yard["stalls"]), (&0.into(), &0.into()), "{yard}");
    }
}

/// The difference between the camera's burnt-in frame count and the agent's count of frames
/// received. It stays the same while no frame is lost between them.
fn offset(viewer: &mut MotionJpeg) -> i64 {
    let part = viewer.next_live();
    i64::from(burnt_in(&part.jpeg).frame) - i64::from(part.sequence.unwrap())
}

fn is_gone(pid: i32) -> Option<()> {
    (!fs::exists(format!("/proc/{pid}")).unwrap()).then_some(())
}

/// Open descriptors and threads of the agent.
fn belongings(agent: &Agent) -> (usize, usize) {
    let count = |what: &str| fs::read_dir(format!("/proc/{}/{what}", agent.pid())).unwrap().count();
    (count("fd"), count("task"))
}

#[test]
fn workers_killed_at_any_moment_are_replaced_and_leave_nothing_behind() {
    let mut scene = Scene::new("opencv");
    scene.worker("gate");
    scene.worker("yard");
    let before = belongings(&scene.agent);
    let mut killed = Vec::new();
    // The moments: live for many frames, for few, just live, and while the stream is opening.
    for (signal, frames) in
        [(Signal::SIGKILL, 40), (Signal::SIGSEGV, 7), (Signal::SIGABRT, 1), (Signal::SIGKILL, 0), (Signal::SIGSEGV, 3)]
    {
        if frames > 0 {
            let live = scene.agent.wait_for_state("gate", "live");
            let seen = live["frames"].as_u64().unwrap();
            wait_for("frames", || (scene.agent.camera("gate")["frames"].as_u64()? >= seen + frames).then_some(()));
        }
        let yard = scene.worker("yard");
        let victim = wait_for("a worker", || scene.agent.workers().into_iter().find(|&pid| pid != yard));
        let struck = Instant::now();
        wait_for("the killed worker to be reaped", || {
            // A SIGSEGV sent from outside is not raised again as that of a bad access is, and
            // Rust's own handler takes the first one.
            let _ = kill(Pid::from_raw(victim), signal);
            is_gone(victim)
        });
        killed.push(victim);
        if frames > 0 {
            scene.agent.wait_for_state("gate", "live");
            eprintln!("{signal} after {frames} frames: live again after {:?}", struck.elapsed());
        }
        scene.nothing_happened_beside();
    }
    scene.agent.wait_for_state("gate", "live");
    // Three are replaced at once; after that the backoff applies.
    scene.agent.wait_for_log(&["gate: the worker was killed by SIGKILL; beginning again at once"]);
    scene.agent.wait_for_log(&["gate: the worker was killed by SIGSEGV", "beginning again at once"]);
    scene.agent.wait_for_log(&["gate: the worker was killed by SIG", "(attempt 1)"]);
    // What five deaths would leave behind is more than what comes and goes: a thread that waits for a disk, and a
    // connection to this test.
    wait_for("two workers, and no more descriptors and threads than before", || {
        let now = belongings(&scene.agent);
        (scene.agent.workers().len() == 2 && now.0 <= before.0 + 2 && now.1 <= before.1 + 2).then_some(())
    });
    assert!(killed.iter().all(|&pid| is_gone(pid).is_some()));
    wait_for("one session at the camera", || (scene.cameras.facts("gate")["sessions"] == 1).then_some(()));
    scene.nothing_happened_beside();
}

#[test]
fn worker_that_hangs_is_noticed_killed_and_replaced_while_viewers_see_the_card() {
    let mut scene = Scene::new("opencv");
    let mut viewer = MotionJpeg::open(&scene.agent.address, "/live/gate");
    viewer.next_live();
    let stopped = scene.worker("gate");
    let struck = Instant::now();
    kill(Pid::from_raw(stopped), Signal::SIGSTOP).unwrap();
    viewer.next_card();
    eprintln!("card after {:?}", struck.elapsed());
    wait_for("the stopped worker to be reaped", || is_gone(stopped));
    eprintln!("killed after {:?}", struck.elapsed());
    // No frame, or no picture of the frame before: whichever is noticed first.
    scene.agent.wait_for_log(&["gate: ", "for 2.0 s; its worker hung and was killed; beginning again at once"]);
    scene.agent.wait_for_log(&[&format!("worker {stopped} did not end by itself; it is killed")]);
    viewer.next_live();
    eprintln!("live again after {:?}", struck.elapsed());
    assert_eq!(scene.agent.camera("gate")["stalls"], 1);
    scene.nothing_happened_beside();
}

/// A JPEG camera's own pictures pass by the worker, which makes smaller ones: those that go on say nothing of those
/// that do not.
#[test]
fn smaller_pictures_of_a_jpeg_camera_do_not_look_live_while_their_worker_hangs() {
    const STALL_AFTER: u64 = 2;
    let cameras = Cameras::start(&["id=gate codec=mjpeg size=640x360 small=none fps=5 server=own"]);
    let camera = format!("[[camera]]\nid = \"gate\"\nstall_after = {STALL_AFTER}.0\n{}", cameras.place("gate"));
    let agent = Agent::start(&camera);
    agent.wait_for_state("gate", "live");
    let mut own = MotionJpeg::open(&agent.address, "/live/gate");
    let mut small = MotionJpeg::open(&agent.address, "/live/gate?size=320x180");
    own.next_live();
    small.next_live();
    kill(Pid::from_raw(agent.workers()[0]), Signal::SIGSTOP).unwrap();
    let struck = Instant::now();
    while small.next().state == "live" {
        // Checked on the monotonic clock: a second for the check, and one until the same picture is repeated.
        assert!(struck.elapsed().as_secs() < STALL_AFTER + 3, "an old picture looks live");
    }
    own.next_live();
    assert_eq!(agent.camera("gate")["state"], "live");
    // The next worker makes them again.
    small.next_live();
    // Late pictures, or its full socket: whichever is noticed first.
    agent.wait_for_log(&["gate: no pictures: ", "another worker in"]);
    assert_eq!(agent.camera("gate")["stalls"], 0, "the camera had no fault");
}

/// The socket to a decoder is full soon where units are large, before its pictures are overdue.
#[test]
fn decoder_that_takes_no_units_is_replaced_before_it_is_gone() {
    let cameras = Cameras::start(&["id=gate size=1280x720 small=none gop=25 bitrate=8000 pattern=moving server=own"]);
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\nstall_after = 10.0\n{}", cameras.place("gate")));
    agent.wait_for_state("gate", "live");
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    viewer.next_live();
    let stopped = agent.workers()[0];
    kill(Pid::from_raw(stopped), Signal::SIGSTOP).unwrap();
    agent.wait_for_log(&["gate: no pictures: the worker takes no messages; another worker in 0.1 s"]);
    agent.wait_for_log(&[&format!("worker {stopped} did not end by itself; it is killed")]);
    let lines = agent.log_lines();
    let line = |part: &str| lines.iter().position(|line| line.contains(part)).unwrap();
    assert!(line("takes no messages") < line("did not end by itself"), "the next worker waits for the end: {lines:?}");
    wait_for("the stopped worker to be reaped", || is_gone(stopped));
    viewer.next_live();
    assert_eq!(agent.camera("gate")["stalls"], 0, "the stream was live all the time");
}

#[test]
fn worker_that_is_refused_memory_is_replaced() {
    let mut scene = Scene::new("opencv");
    let starved = scene.worker("gate");
    let done = Command::new("prlimit").args(["--pid", &starved.to_string(), "--data=1:1"]).status();
    assert!(done.expect("prlimit of util-linux").success());
    // Pictures need a decoder, and a decoder needs memory.
    let mut viewer = MotionJpeg::open(&scene.agent.address, "/live/gate");
    wait_for("the worker to be replaced", || is_gone(starved));
    viewer.next_live();
    let camera = scene.agent.wait_for_state("gate", "live");
    eprintln!("{}", camera["last_error"]);
    assert_ne!(scene.worker("gate"), starved);
    scene.nothing_happened_beside();
}

#[test]
fn agent_killed_without_warning_leaves_no_worker_not_even_a_stopped_one() {
    let mut scene = Scene::new("opencv");
    let (stopped, running) = (scene.worker("gate"), scene.worker("yard"));
    kill(Pid::from_raw(stopped), Signal::SIGSTOP).unwrap();
    scene.agent.signal(Signal::SIGKILL);
    scene.agent.exit();
    wait_for("the running worker to end", || is_gone(running));
    wait_for("the stopped worker to end", || is_gone(stopped));
}

#[test]
fn camera_that_flaps_is_asked_ever_less_often() {
    for reader in ["rtsp", "opencv"] {
        camera_flaps(&Scene::new(reader));
    }
}

fn camera_flaps(scene: &Scene) {
    for attempt in 1..=3 {
        scene.agent.wait_for_state("gate", "live");
        let opened = scene.cameras.facts("gate")["sessions_opened"].as_u64().unwrap();
        assert_eq!(opened, attempt, "one session for each time it was live");
        scene.cameras.fault("gate", "drop");
        scene.agent.wait_for_log(&["gate: ", &format!("(attempt {attempt})")]);
    }
    assert!(scene.agent.log_lines().len() < 40, "{}", scene.agent.log_text());
}
