//! Resource limits: viewers, connections, sizes, memory, open files, disk space. New clients get an
//! error that names the limit and the setting that raises it; existing viewers are not affected.

use std::{
    fs,
    io::Read as _,
    net::{IpAddr, SocketAddr, TcpStream},
    process::Command,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::support::{Agent, Answer, Cameras, Folder, MotionJpeg, Part, own_address, wait_for};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// Slow enough that even a busy machine delivers each picture in time.
const CAMERA: &str = "id=gate size=320x180 fps=2 small=none";

fn config(limits: &str, cameras: &Cameras, ids: &[&str]) -> String {
    let camera = |id: &&str| format!("[[camera]]\nid = \"{id}\"\n{}\n", cameras.place(id));
    format!("[limits]\n{limits}\n{}", ids.iter().map(camera).collect::<String>())
}

/// Checks the next `count` sequence numbers that a viewer receives; each must follow the one
/// before.
fn without_gaps(parts: &mpsc::Receiver<Part>, after: Option<u32>, count: usize) -> u32 {
    let mut seen: Vec<u32> = after.into_iter().collect();
    let wanted = seen.len() + count;
    while seen.len() < wanted {
        let part = parts.recv_timeout(crate::support::PATIENCE).expect("the viewer was cut off");
        let sequence = part.sequence.expect("a card instead of a picture");
        match seen.last() {
            // The agent sends the same picture again after a second without a new one.
            Some(last) if *last == sequence => {}
            Some(last) => {
                assert_eq!(sequence, last + 1, "a picture is missing");
                seen.push(sequence);
            }
            None => seen.push(sequence),
        }
    }
    seen[seen.len() - 1]
}

fn assert_refused(answer: &Answer, setting: &str, value: u64) {
    assert_eq!(answer.status, 503, "{}", answer.head);
    let json = answer.json();
    assert_eq!((&json["limit"]["setting"], &json["limit"]["value"]), (&setting.into(), &value.into()), "{json}");
    let error = json["error"].as_str().unwrap();
    assert!(error.contains(&format!("`{setting}` below [limits]")) && error.contains(&value.to_string()), "{error}");
    assert_eq!(answer.header("retry-after"), Some("5"));
}

fn metric(agent: &Agent, series: &str) -> f64 {
    let text = String::from_utf8(agent.get("/metrics").unwrap().body).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

#[test]
fn newcomers_are_refused_and_those_inside_miss_nothing() {
    let cameras = Cameras::start(&[CAMERA]);
    let agent = Agent::start(&config("viewers = 2", &cameras, &["gate"]));
    agent.wait_for_state("gate", "live");
    let stranger = IpAddr::from(own_address());
    let stranger_opens = || MotionJpeg::over(connect_from(stranger, &agent.address), &agent.address, "/live/gate");
    let stranger_asks = || asks_from(stranger, &agent, "/live/gate?size=160x90").unwrap();
    let [one, two] = [(); 2].map(|()| {
        let mut viewer = stranger_opens();
        viewer.next_live();
        viewer.in_background()
    });
    let (mut a, mut b) = (without_gaps(&one, None, 1), without_gaps(&two, None, 1));
    let worker = agent.workers();
    assert_eq!(worker.len(), 1);
    for _ in 0..50 {
        assert_refused(&stranger_asks(), "viewers", 2);
    }
    (a, b) = (without_gaps(&one, Some(a), 5), without_gaps(&two, Some(b), 5));
    assert_eq!(agent.get("/snapshot/gate").unwrap().status, 200, "what is no viewer is served");
    assert_eq!(metric(&agent, "cctv_refused_total{limit=\"viewers\"}"), 50.0);
    let refusals = agent.log_lines().iter().filter(|line| line.contains("refused a client")).count();
    assert!((1..50).contains(&refusals), "{refusals} lines\n{}", agent.log_text());

    // A lower limit disconnects nobody, and a higher one admits new viewers.
    agent.reload(&config("viewers = 1", &cameras, &["gate"]));
    wait_for("the lower bound", || (agent.api()["limits"]["viewers"] == 1).then_some(()));
    assert_refused(&stranger_asks(), "viewers", 1);
    (a, b) = (without_gaps(&one, Some(a), 5), without_gaps(&two, Some(b), 5));
    agent.reload(&config("viewers = 3", &cameras, &["gate"]));
    wait_for("the higher bound", || (agent.api()["limits"]["viewers"] == 3).then_some(()));
    let mut third = stranger_opens();
    third.next_live();
    (a, b) = (without_gaps(&one, Some(a), 3), without_gaps(&two, Some(b), 3));

    // The screen of this machine itself is admitted although other clients fill the limit.
    assert_refused(&stranger_asks(), "viewers", 3);
    MotionJpeg::open(&agent.address, "/live/gate").next_live();
    third.next_live();
    without_gaps(&one, Some(a), 3);
    without_gaps(&two, Some(b), 3);
    assert_eq!((agent.workers(), &agent.camera("gate")["reconnects"]), (worker, &0.into()));
    agent.wait_for_log(&["1 camera unchanged, limits changed"]);
}

#[test]
fn one_size_too_many_is_refused_and_those_watched_may_be_had() {
    let cameras = Cameras::start(&["id=gate size=640x360 fps=5 small=none"]);
    // This machine itself gets two in any case.
    let agent = Agent::start(&config("renditions = 2", &cameras, &["gate"]));
    agent.wait_for_state("gate", "live");
    let mut first = MotionJpeg::open(&agent.address, "/live/gate?q=30");
    let mut second = MotionJpeg::open(&agent.address, "/live/gate?q=31");
    first.next_live();
    second.next_live();
    assert_refused(&agent.get("/live/gate?q=32").unwrap(), "renditions", 2);
    assert_refused(&agent.get("/snapshot/gate?q=32").unwrap(), "renditions", 2);
    MotionJpeg::open(&agent.address, "/live/gate?q=31").next_live();
    let gate = agent.camera("gate");
    assert_eq!((&gate["refused"], gate["renditions"].as_array().unwrap().len()), (&2.into(), 2), "{gate}");
    first.next_live();
    agent.reload(&config("renditions = 3", &cameras, &["gate"]));
    wait_for("one more size", || (agent.get("/snapshot/gate?q=32").unwrap().status == 200).then_some(()));
}

/// Connects from the local address `address`.
fn connect_from(address: IpAddr, to: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(address, 0).into()).unwrap();
    socket.connect(&to.parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.into()
}

/// The response to a client that connects from `address`.
fn asks_from(address: IpAddr, agent: &Agent, target: &str) -> Option<Answer> {
    crate::support::asked(connect_from(address, &agent.address), "GET", &agent.address, target)
}

#[test]
fn one_address_cannot_shut_out_the_others() {
    let cameras = Cameras::start(&[CAMERA]);
    let agent = Agent::start(&config("connections_per_address = 8", &cameras, &["gate"]));
    agent.wait_for_state("gate", "live");
    let (greedy, modest) = (IpAddr::from(own_address()), IpAddr::from(own_address()));
    let held: Vec<_> = (0..8).map(|_| connect_from(greedy, &agent.address)).collect();
    wait_for("all eight to be counted", || (metric(&agent, "cctv_connections") >= 9.0).then_some(()));
    for _ in 0..20 {
        let refused = asks_from(greedy, &agent, "/api/cameras").unwrap();
        assert_refused(&refused, "connections_per_address", 8);
        assert!(refused.json()["error"].as_str().unwrap().contains("reverse proxy"));
    }
    assert_eq!(asks_from(modest, &agent, "/api/cameras").unwrap().status, 200);
    agent.wait_for_log(&["refused a client", &greedy.to_string(), "connections_per_address"]);
    drop(held);
    wait_for("the address to be let in again", || {
        (asks_from(greedy, &agent, "/api/cameras")?.status == 200).then_some(())
    });
}

/// The limit on the data of process `pid`, in bytes.
fn data_limit(pid: i32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max data size"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn memory_of_a_worker_is_bounded_by_its_setting() {
    // One worker decodes what the agent reads, the other one reads as well.
    let cameras = Cameras::start(&[CAMERA, "id=read size=320x180 fps=2 small=none"]);
    let read = format!("[[camera]]\nid = \"read\"\nreader = \"opencv\"\n{}\n", cameras.place("read"));
    let limited = |limit: u64| config(&format!("worker_memory = {limit}"), &cameras, &["gate"]) + &read;
    let agent = Agent::start(&limited(300));
    let ids = ["gate", "read"];
    let viewers = ids.map(|id| {
        agent.wait_for_state(id, "live");
        let mut viewer = MotionJpeg::open(&agent.address, &format!("/live/{id}"));
        viewer.next_live();
        viewer.in_background()
    });
    let worker = |id: &str| i32::try_from(agent.camera(id)["worker"]["pid"].as_i64()?).ok();
    let before = ids.map(|id| wait_for("a worker", || worker(id)));
    assert_eq!(before.map(data_limit), [Some(300 << 20); 2]);
    agent.reload(&limited(400));
    wait_for("the reload", || (agent.api()["reload"]["count"] == 1).then_some(()));
    assert_eq!(ids.map(worker), before.map(Some), "running ones are left alone");
    assert_eq!(before.map(data_limit), [Some(300 << 20); 2]);
    for ((id, before), viewer) in ids.into_iter().zip(before).zip(viewers) {
        kill(Pid::from_raw(before), Signal::SIGKILL).unwrap();
        wait_for("the next worker to be bounded", || {
            let next = worker(id).filter(|next| *next != before)?;
            (data_limit(next) == Some(400 << 20)).then_some(())
        });
        wait_for("a picture of it", || viewer.recv_timeout(crate::support::PATIENCE).unwrap().sequence);
    }
}

/// Private memory that process `pid` uses, in KiB.
fn own_memory(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn memory_that_cards_of_many_sizes_were_drawn_in_is_given_back() {
    let section = |number: usize| format!("[[camera]]\nid = \"cam{number}\"\nurl = \"rtsp://{}/\"\n", own_address());
    let agent = Agent::start(&(0..8).map(section).collect::<String>());
    for number in 0..8 {
        agent.wait_for_state(&format!("cam{number}"), "offline");
    }
    let before = own_memory(agent.pid().as_raw());
    let sizes = ["160x90", "320x180", "640x360", "800x450", "1280x720", "1920x1080", "2560x1440", "3840x2160"];
    thread::scope(|scope| {
        for number in 0..8 {
            let (agent, sizes) = (&agent, sizes.iter().cycle().skip(number).take(2 * sizes.len()));
            scope.spawn(move || {
                for size in sizes {
                    let card = agent.get(&format!("/snapshot/cam{number}?size={size}")).unwrap();
                    assert_eq!((card.status, card.header("content-type")), (503, Some("image/jpeg")));
                }
            });
        }
    });
    let after = own_memory(agent.pid().as_raw());
    eprintln!("{} KiB more after 128 cards: {before} and {after} KiB", after.saturating_sub(before));
    // Drawing a card of 3840x2160 takes 25 MB; finished cards are cached, in at most 4 MiB.
    assert!(after < before + (16 << 10), "{before} KiB before, {after} KiB after");
}

#[test]
fn largest_worker_goes_when_the_total_is_used_up() {
    let small = ["a", "b", "c", "d"];
    let mut descriptions = vec!["id=large size=2560x1440 fps=2 small=none".to_owned()];
    descriptions.extend(small.map(|id| format!("id={id} size=320x180 fps=2 small=none")));
    let cameras = Cameras::start(&descriptions.iter().map(String::as_str).collect::<Vec<_>>());
    let ids = ["large", "a", "b", "c", "d"];
    let absent = format!("[[camera]]\nid = \"absent\"\nip = \"{}\"\n", own_address());
    let limited = |limits: &str| config(limits, &cameras, &ids) + &absent;
    let agent = Agent::start(&limited(""));
    ids.iter().for_each(|id| drop(agent.wait_for_state(id, "live")));
    let viewer = MotionJpeg::open(&agent.address, "/live/large").in_background();
    let _others = small.map(|id| {
        let mut viewer = MotionJpeg::open(&agent.address, &format!("/live/{id}"));
        viewer.next_live();
        viewer.in_background()
    });
    let own = |id: &str| agent.camera(id)["worker"]["own_memory_bytes"].as_u64().map(|bytes| bytes >> 20);
    // By then the decoder has allocated all its pictures.
    (0..12).for_each(|_| drop(viewer.recv_timeout(crate::support::PATIENCE).unwrap()));
    let cpu = agent.camera("large")["worker"]["cpu_seconds"].clone();
    wait_for("its memory to be measured again", || {
        (agent.camera("large")["worker"]["cpu_seconds"] != cpu).then_some(())
    });
    let (large, others) = wait_for("the large worker to be large", || {
        let others = small.map(own).into_iter().sum::<Option<u64>>()?;
        own("large").filter(|large| *large > others / 4 + 8).map(|large| (large, others))
    });
    // The agent keeps the memory that drawing cards takes.
    assert_eq!(agent.get("/snapshot/absent?size=1920x1080").unwrap().status, 503);
    // With the large worker the total is slightly above the limit; without it there is room.
    let of_agent = fs::read_to_string(format!("/proc/{}/statm", agent.pid())).unwrap();
    let pages: Vec<u64> = of_agent.split_whitespace().map(|count| count.parse().unwrap()).collect();
    let of_agent = ((pages[1] - pages[2]) * 4096) >> 20;
    let bound = of_agent + others + large - 6;
    eprintln!("agent {of_agent} MiB, large worker {large}, the others {others}; bound {bound}");
    let pids = || small.map(|id| agent.camera(id)["worker"]["pid"].clone());
    let before = pids();
    agent.reload(&limited(&format!("total_memory = {bound}")));
    eprintln!("{}", agent.wait_for_log(&["large: ", "was the largest", "total_memory below [limits]"]));
    wait_for("the card", || viewer.recv_timeout(crate::support::PATIENCE).unwrap().sequence.is_none().then_some(()));
    assert_eq!(pids(), before, "the small ones go on");
    assert!(agent.camera("large")["failures"]["memory"].as_u64() >= Some(1));
    agent.reload(&limited("total_memory = 4096"));
    wait_for("a live picture", || viewer.recv_timeout(crate::support::PATIENCE).unwrap().sequence);
    assert_eq!(pids(), before);
}

/// Opens connections until the value is dropped, and reopens those that the agent closes.
struct Flood(Option<mpsc::Sender<()>>, Option<std::thread::JoinHandle<()>>);

impl Flood {
    fn begin(address: &str, count: usize) -> Self {
        let (stop, stopped) = mpsc::channel();
        let address: SocketAddr = address.parse().unwrap();
        let flood = std::thread::Builder::new().name("flood".into()).spawn(move || {
            let mut held: Vec<TcpStream> = Vec::new();
            loop {
                held.retain_mut(|stream| {
                    stream.set_nonblocking(true).unwrap();
                    let mut byte = [0];
                    matches!(stream.read(&mut byte), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
                });
                while held.len() < count
                    && let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1))
                {
                    held.push(stream);
                }
                match stopped.recv_timeout(Duration::from_millis(20)) {
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                    _ => return,
                }
            }
        });
        Self(Some(stop), Some(flood.unwrap()))
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        drop(self.0.take());
        self.1.take().unwrap().join().unwrap();
    }
}

fn lives(agent: &Agent) -> usize {
    agent.log_lines().iter().filter(|line| line.contains("gate: live, ")).count()
}

#[test]
fn flood_of_connections_takes_no_descriptor_from_a_camera() {
    let cameras = Cameras::start(&[CAMERA]);
    // 96 for the agent, 16 for its camera, 12 for connections.
    let agent = Agent::start_through(&["prlimit", "--nofile=64:124"], Folder::new(), &config("", &cameras, &["gate"]));
    agent.wait_for_state("gate", "live");
    assert_eq!(metric(&agent, "cctv_agent_descriptors_limit"), 124.0, "the soft limit is raised");
    agent.wait_for_log(&["only 12 connections fit"]);
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    viewer.next_live();
    let viewer = viewer.in_background();
    let last = without_gaps(&viewer, None, 1);

    let flood = Flood::begin(&agent.address, 150);
    agent.wait_for_log(&["refused a client", "limit of open files"]);
    let last = without_gaps(&viewer, Some(last), 5);
    let before = agent.workers();
    kill(Pid::from_raw(before[0]), Signal::SIGKILL).unwrap();
    wait_for("another decoder under the flood", || {
        let now = agent.workers();
        (now.len() == 1 && now != before).then_some(())
    });
    let before = lives(&agent);
    cameras.fault("gate", "drop");
    wait_for("the camera to be live again under the flood", || (lives(&agent) > before).then_some(()));
    assert!(!agent.log_text().contains("Too many open files"), "{}", agent.log_text());
    // Beside the flood the last picture may have been sent twice.
    wait_for("the viewer's next live picture", || {
        let frame = viewer.recv_timeout(crate::support::PATIENCE).expect("the viewer was cut off");
        frame.sequence.filter(|sequence| *sequence > last)
    });
    drop(flood);
    wait_for("an answer", || (agent.get("/healthz")?.status == 200).then_some(()));
}

fn descriptors(agent: &Agent) -> usize {
    fs::read_dir(format!("/proc/{}/fd", agent.pid())).unwrap().count()
}

fn bound_descriptors(agent: &Agent, soft: usize) {
    let pid = agent.pid().to_string();
    let limit = format!("--nofile={soft}:");
    assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
}

#[test]
fn agent_out_of_descriptors_goes_on_and_recovers() {
    let cameras = Cameras::start(&[CAMERA]);
    let agent = Agent::start(&config("", &cameras, &["gate"]));
    agent.wait_for_state("gate", "live");
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    viewer.next_live();
    let viewer = viewer.in_background();
    let last = without_gaps(&viewer, None, 1);
    let enough = descriptors(&agent) + 200;
    bound_descriptors(&agent, descriptors(&agent) + 4);

    let flood = Flood::begin(&agent.address, 40);
    agent.wait_for_log(&["cannot accept a connection", "Too many open files"]);
    let mut last = without_gaps(&viewer, Some(last), 5);
    // Without descriptors no new worker starts either; the tile says so, and the start is retried.
    bound_descriptors(&agent, 3);
    kill(Pid::from_raw(agent.workers()[0]), Signal::SIGKILL).unwrap();
    agent.wait_for_log(&["gate: no pictures", "Too many open files", "another worker in"]);
    wait_for("the card", || viewer.recv_timeout(crate::support::PATIENCE).unwrap().sequence.is_none().then_some(()));
    assert!(!agent.log_text().contains("gate: cannot connect"), "the camera is read on: {}", agent.log_text());
    // A camera that is gone is not read again.
    cameras.fault("gate", "drop");
    agent.wait_for_log(&["gate: cannot connect", "Too many open files", "trying again"]);
    drop(flood);
    bound_descriptors(&agent, enough);
    wait_for("a live picture", || {
        let sequence = viewer.recv_timeout(crate::support::PATIENCE).expect("the viewer was cut off").sequence?;
        let newer = sequence > last;
        last = last.max(sequence);
        newer.then_some(())
    });
    wait_for("an answer", || (agent.get("/healthz")?.status == 200).then_some(()));
    let lines = agent.log_lines().iter().filter(|line| line.contains("cannot accept")).count();
    assert!(lines <= 20, "{lines} lines about accepting");
}

/// Starts an agent whose state directory is a file system of 64 KiB that `prepare`, a line of
/// shell, has changed. Returns `None` if this user may not mount. The agent's stderr goes to the
/// file `log`, unless that is empty.
fn agent_on_small_disk(prepare: &str, log: &str, config: &str) -> Option<Agent> {
    let folder = Folder::new();
    let state = folder.0.join("state");
    fs::create_dir(&state).unwrap();
    let state = state.to_str().unwrap();
    let mount = "mount -t tmpfs -o size=64k,mode=700 tmpfs \"$0\"";
    let root = nix::unistd::geteuid().is_root();
    let unshare: &[&str] = if root { &["unshare", "-m"] } else { &["unshare", "-r", "-m"] };
    let tried = Command::new(unshare[0]).args(&unshare[1..]).args(["sh", "-c", mount, state]).output();
    if !tried.as_ref().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: mounting a small file system is not allowed here: {tried:?}");
        return None;
    }
    let script = format!("{mount} && cd \"$0\" && {{ {prepare}; }} >/dev/null 2>&1; cd /; exec \"$@\" {log}");
    Some(Agent::start_through(&[unshare, &["sh", "-c", &script, state]].concat(), folder, config))
}

/// A file in the state directory as the agent sees it.
fn state_file(agent: &Agent, name: &str) -> std::path::PathBuf {
    let state = agent.folder.0.join("state").join(name);
    std::path::PathBuf::from(format!("/proc/{}/root{}", agent.pid(), state.display()))
}

fn complaints_of_the_disk(agent: &Agent) -> Vec<String> {
    agent.log_lines().into_iter().filter(|line| line.contains("cannot keep what was learnt")).collect()
}

/// Makes the camera go live once more, at which the agent saves its record.
fn reconnect(agent: &Agent, cameras: &Cameras) {
    let before = lives(agent);
    cameras.fault("gate", "drop");
    wait_for("the camera to be live again", || (lives(agent) > before).then_some(()));
}

#[test]
fn full_disk_is_told_once_and_disturbs_no_picture() {
    let cameras = Cameras::start(&[CAMERA]);
    let Some(agent) = agent_on_small_disk("head -c 1000000 /dev/zero >filler", "", &config("", &cameras, &["gate"]))
    else {
        return;
    };
    agent.wait_for_state("gate", "live");
    agent.wait_for_log(&["state directory", "No space left on device"]);
    reconnect(&agent, &cameras);
    MotionJpeg::open(&agent.address, "/live/gate").next_live();
    assert_eq!(agent.get("/healthz").unwrap().status, 200);
    assert_eq!(complaints_of_the_disk(&agent).len(), 1, "{}", agent.log_text());
    fs::remove_file(state_file(&agent, "filler")).unwrap();
    reconnect(&agent, &cameras);
    agent.wait_for_log(&["state directory", "can be written again"]);
    let kept: Value = serde_json::from_slice(&fs::read(state_file(&agent, "gate.json")).unwrap()).unwrap();
    assert!(kept.is_object(), "{kept}");
}

#[test]
fn read_only_disk_is_told_once_and_disturbs_no_picture() {
    let cameras = Cameras::start(&[CAMERA]);
    let Some(agent) = agent_on_small_disk("mount -o remount,ro \"$0\"", "", &config("", &cameras, &["gate"])) else {
        return;
    };
    agent.wait_for_state("gate", "live");
    agent.wait_for_log(&["state directory", "Read-only file system"]);
    reconnect(&agent, &cameras);
    MotionJpeg::open(&agent.address, "/live/gate").next_live();
    assert_eq!(complaints_of_the_disk(&agent).len(), 1, "{}", agent.log_text());
}

#[test]
fn state_directory_that_vanishes_is_made_again_or_done_without() {
    let cameras = Cameras::start(&[CAMERA]);
    let agent = Agent::start(&config("", &cameras, &["gate"]));
    agent.wait_for_state("gate", "live");
    let state = agent.folder.0.join("state");
    let kept = wait_for("what was learnt", || fs::read(state.join("gate.json")).ok());
    fs::remove_dir_all(&state).unwrap();
    // A file stands where the directory belongs, so nothing can be saved there.
    fs::write(&state, "in the way").unwrap();
    agent.reload(&config("", &cameras, &["gate"]).replace("[[camera]]", "[[camera]]\nstall_after = 3.0"));
    reconnect(&agent, &cameras);
    MotionJpeg::open(&agent.address, "/live/gate").next_live();
    assert!(complaints_of_the_disk(&agent).len() <= 1, "{}", agent.log_text());
    assert!(!kept.is_empty() && agent.get("/healthz").unwrap().status == 200);
}

#[test]
fn log_on_a_full_disk_ends_nothing() {
    let cameras = Cameras::start(&[CAMERA]);
    let fill = "head -c 1000000 /dev/zero >filler; : >log";
    let Some(agent) = agent_on_small_disk(fill, "2>>\"$0\"/log", &config("", &cameras, &["gate"])) else {
        return;
    };
    let started = Instant::now();
    agent.wait_for_state("gate", "live");
    MotionJpeg::open(&agent.address, "/live/gate").next_live();
    eprintln!("live after {:?}", started.elapsed());
}
