//! Watchdogs: a hardware watchdog resets a machine that hangs, and systemd gets the agent's state.
//!
//! A FIFO stands in for the device: it accepts heartbeats and refuses ioctls.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read as _},
    net::TcpStream,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            fs::OpenOptionsExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::support::{Agent, Cameras, Folder, agent_program, http, own_address, wait_for};
use nix::{
    fcntl::OFlag,
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};

/// The hardware's end of a FIFO.
struct Hardware {
    path: PathBuf,
    reader: File,
}

impl Hardware {
    fn new(path: PathBuf) -> Self {
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        let reader = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path).unwrap();
        Self { path, reader }
    }

    /// The bytes received since the last call, and whether an agent has the FIFO open.
    fn look(&self) -> (String, bool) {
        let mut all = String::new();
        let mut bytes = [0; 256];
        loop {
            match (&self.reader).read(&mut bytes) {
                Ok(0) => return (all, false),
                Ok(length) => all.push_str(str::from_utf8(&bytes[..length]).unwrap()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return (all, true),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Waits for a heartbeat sent after this call.
    fn wait_for_beat(&self) {
        self.look();
        wait_for("a beat", || (!self.look().0.is_empty()).then_some(()));
    }

    /// The last byte before the agent closes the device.
    fn last_word(&self) -> Option<char> {
        let mut all = String::new();
        wait_for("the device to be closed", || {
            let (some, open) = self.look();
            all.push_str(&some);
            (!open).then_some(())
        });
        all.chars().last()
    }
}

/// The configuration section that names `device`. The timeout is ten seconds: a check every 2.5.
fn section(device: &Path) -> String {
    format!("[watchdog]\ndevice = \"{}\"\ntimeout = 10\n", device.display())
}

/// The one letter of the process's state in proc(5).
fn process_state(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[test]
fn device_is_fed_while_the_agent_turns_and_stopped_only_when_it_is_asked_to_stop() {
    let folder = Folder::new();
    let hardware = Hardware::new(folder.0.join("watchdog"));
    let mut agent = Agent::start(&section(&hardware.path));
    hardware.wait_for_beat();
    agent.wait_for_log(&["warning", "does not let its timeout be set", "it is fed as if it were 10 s"]);

    agent.signal(Signal::SIGSTOP);
    wait_for("the agent to stand still", || (process_state(agent.pid())? == 'T').then_some(()));
    hardware.look();
    let waiting = wait_for("a look of a stopped agent", || Some(hardware.look()));
    assert_eq!(waiting, (String::new(), true));
    agent.signal(Signal::SIGCONT);
    hardware.wait_for_beat();

    agent.signal(Signal::SIGTERM);
    assert_eq!(hardware.last_word(), Some('V'));
    assert_eq!(agent.exit().code(), Some(0));

    // An agent that is killed leaves the watchdog running, so the machine is reset unless a new
    // agent starts in time.
    let mut agent = Agent::start(&section(&hardware.path));
    hardware.wait_for_beat();
    agent.signal(Signal::SIGKILL);
    assert_ne!(hardware.last_word(), Some('V'));
    agent.exit();
}

#[test]
fn workers_do_not_hold_the_device_open() {
    let folder = Folder::new();
    let hardware = Hardware::new(folder.0.join("watchdog"));
    let cameras = Cameras::start(&["id=gate size=640x360 small=none"]);
    let camera = format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate"));
    let (manager, mut systemd) = manager(&folder);
    let agent = Service::start(&[], &systemd.environment(), &format!("{}{camera}", section(&hardware.path)));
    systemd.wait_for(&manager, "STATUS=1 of 1 cameras live");
    hardware.wait_for_beat();
    let mut viewer = crate::support::MotionJpeg::open(&agent.address, "/live/gate");
    viewer.next_live();
    let children = crate::support::children(agent.pid());
    assert_eq!(children.len(), 1, "a decoder");
    for child in children {
        let open = fs::read_dir(format!("/proc/{child}/fd")).unwrap().filter_map(Result::ok);
        let held: Vec<_> = open.filter_map(|fd| fs::read_link(fd.path()).ok()).collect();
        assert!(!held.contains(&hardware.path), "{held:?}");
    }
}

#[test]
fn missing_device_is_told_once_and_taken_when_it_comes_and_a_reload_changes_it() {
    let folder = Folder::new();
    let (first, second) = (folder.0.join("first"), folder.0.join("second"));
    let agent = Agent::start(&section(&first));
    let line = agent.wait_for_log(&["cannot open", "first", "No such file", "trying every 10 s"]);
    assert!(line.contains("error"), "{line}");
    assert_eq!(agent.get("/healthz").unwrap().status, 200);
    let first = Hardware::new(first);
    wait_for("a beat", || (!first.look().0.is_empty()).then_some(()));
    assert_eq!(agent.log_text().matches("cannot open").count(), 1);

    let second = Hardware::new(second);
    agent.reload(&section(&second.path));
    assert_eq!(first.last_word(), Some('V'));
    second.wait_for_beat();
    agent.reload("");
    assert_eq!(second.last_word(), Some('V'));
    agent.wait_for_log(&["second", "no longer in use"]);
}

#[test]
fn crowd_at_the_door_and_a_lack_of_descriptors_are_no_reason_for_a_reset() {
    let folder = Folder::new();
    let hardware = Hardware::new(folder.0.join("watchdog"));
    let agent = Agent::start(&section(&hardware.path));
    hardware.wait_for_beat();
    let mut crowd = Vec::new();
    wait_for("a full house", || {
        crowd.extend((0..16).map(|_| TcpStream::connect(&agent.address).unwrap()));
        let answer = agent.get("/healthz")?;
        (answer.status == 503 || answer.status == 429).then_some(())
    });
    for _ in 0..3 {
        hardware.wait_for_beat();
    }
    drop(crowd);
    wait_for("room again", || (agent.get("/healthz")?.status == 200).then_some(()));

    let pid = agent.pid().to_string();
    let limit = |number: usize| {
        let done = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={number}:4096")]).status().unwrap();
        assert!(done.success());
    };
    limit(4096);
    // Open descriptors stay open; no new one can be opened.
    limit(3);
    let refused = TcpStream::connect(&agent.address).unwrap();
    agent.wait_for_log(&["cannot accept a connection", "Too many open files"]);
    for _ in 0..3 {
        hardware.wait_for_beat();
    }
    drop(refused);
    // One descriptor is free: enough to probe, not to open a stream.
    let open =
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().filter_map(|fd| fd.unwrap().file_name().into_string().ok());
    let open: Vec<usize> = open.filter_map(|fd| fd.parse().ok()).collect();
    limit((0..).find(|fd| !open.contains(fd)).unwrap() + 1);
    for _ in 0..2 {
        hardware.wait_for_beat();
    }
    limit(4096);
    wait_for("the wall", || (agent.get("/healthz")?.status == 200).then_some(()));
    assert!(!agent.log_text().contains("not fed"), "{}", agent.log_text());
}

#[test]
fn wall_that_nobody_can_reach_is_told_and_not_fed_until_it_answers_again() {
    let unshared = Command::new("unshare").args(["-n", "ip", "link", "set", "lo", "up"]).status();
    if !unshared.is_ok_and(|status| status.success()) {
        eprintln!("skipped: a network of its own needs root, unshare and ip");
        return;
    }
    let folder = Folder::new();
    let hardware = Hardware::new(folder.0.join("watchdog"));
    let network = ["unshare", "-n", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"];
    let agent = Service::start(&network, &[], &section(&hardware.path));
    hardware.wait_for_beat();
    let link = |state: &str| {
        let mut command = Command::new("nsenter");
        command.args(["-n", "-t", &agent.pid().to_string(), "ip", "link", "set", "lo", state]);
        assert!(command.status().unwrap().success());
    };
    link("down");
    let line = agent.wait_for_log(&["nobody answers at", "no heartbeat is sent, so the machine is reset in"]);
    assert!(line.contains("error"), "{line}");
    hardware.look();
    link("up");
    agent.wait_for_log(&["the agent is healthy again after", "heartbeats are sent again"]);
    hardware.wait_for_beat();
    kill(agent.pid(), Signal::SIGTERM).unwrap();
    assert_eq!(hardware.last_word(), Some('V'));
}

/// An agent started as the test specifies, with its log in a file.
struct Service {
    child: Child,
    folder: Folder,
    address: String,
}

impl Service {
    /// Starts the command `before`, which must become the agent by exec, with these variables.
    fn start(before: &[&str], environment: &[(&str, String)], sections: &str) -> Self {
        let (folder, address) = (Folder::new(), format!("{}:8080", own_address()));
        let file = folder.write("cameras.toml", &Self::file(&address, sections));
        let mut words: Vec<_> = before.iter().map(PathBuf::from).collect();
        words.extend([
            agent_program().to_owned(),
            "run".into(),
            "--log".into(),
            "stderr".into(),
            "--config".into(),
            file,
        ]);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).envs(environment.iter().map(|(name, value)| (name, value)));
        let log = File::create(folder.0.join("log")).unwrap();
        let child = command.stdin(Stdio::null()).stderr(log).spawn().unwrap();
        Self { child, folder, address }
    }

    fn file(address: &str, sections: &str) -> String {
        format!("[server]\nlisten = \"{address}\"\nstate_dir = \"state\"\n{sections}")
    }

    fn reload(&self, sections: &str) {
        self.folder.write("cameras.toml", &Self::file(&self.address, sections));
        kill(self.pid(), Signal::SIGHUP).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    fn wait_for_log(&self, parts: &[&str]) -> String {
        let holds = |line: &&str| parts.iter().all(|part| line.contains(part));
        wait_for(&format!("a log line with {parts:?}"), || {
            let log = fs::read_to_string(self.folder.0.join("log")).unwrap();
            log.lines().find(holds).map(str::to_owned)
        })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.folder.0.join("log")).unwrap_or_default());
        }
    }
}

/// The messages that systemd gets, in order.
struct Notifications {
    name: String,
    messages: Vec<String>,
    seen: usize,
}

impl Notifications {
    fn environment(&self) -> [(&'static str, String); 2] {
        [("NOTIFY_SOCKET", self.name.clone()), ("WATCHDOG_USEC", "2000000".to_owned())]
    }

    /// Waits for a message with this line, after all messages that were waited for before.
    fn wait_for(&mut self, manager: &UnixDatagram, line: &str) -> String {
        wait_for(line, || {
            let mut bytes = [0; 4096];
            while let Ok(length) = manager.recv(&mut bytes) {
                self.messages.push(String::from_utf8(bytes[..length].to_vec()).unwrap());
            }
            let new = &self.messages[self.seen..];
            let found = new.iter().position(|message| message.lines().any(|one| one.starts_with(line)))?;
            self.seen += found + 1;
            Some(new[found].clone())
        })
    }
}

/// A socket like systemd's, in `folder`.
fn manager(folder: &Folder) -> (UnixDatagram, Notifications) {
    let path = folder.0.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    (socket, Notifications { name: path.to_str().unwrap().to_owned(), messages: Vec::new(), seen: 0 })
}

#[test]
fn systemd_is_told_of_start_beats_reload_and_stop() {
    let folder = Folder::new();
    let (manager, mut systemd) = manager(&folder);
    let mut agent = Service::start(&[], &systemd.environment(), "");
    systemd.wait_for(&manager, "READY=1");
    assert_eq!(systemd.messages[0], "READY=1", "nothing before");
    assert!(http("GET", &agent.address, "/healthz").is_some(), "it is served when it is ready");
    systemd.wait_for(&manager, "STATUS=0 of 0 cameras live");
    systemd.wait_for(&manager, "WATCHDOG=1");
    systemd.wait_for(&manager, "WATCHDOG=1");

    agent.reload(&format!("[[camera]]\nid = \"gate\"\nurl = \"rtsp://{}/\"\n", own_address()));
    let reloading = systemd.wait_for(&manager, "RELOADING=1");
    let number = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    assert!(number.parse::<u64>().unwrap() > 0);
    systemd.wait_for(&manager, "READY=1");
    systemd.wait_for(&manager, "STATUS=0 of 1 cameras live");
    agent.reload("nonsense = 1\n");
    systemd.wait_for(&manager, "RELOADING=1");
    systemd.wait_for(&manager, "READY=1");
    systemd.wait_for(&manager, "WATCHDOG=1");

    kill(agent.pid(), Signal::SIGTERM).unwrap();
    systemd.wait_for(&manager, "STOPPING=1");
    assert_eq!(agent.child.wait().unwrap().code(), Some(0));
}

#[test]
fn socket_without_a_file_and_beats_that_another_process_owes() {
    let name = format!("cctv-agent-test-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut systemd = Notifications { name: format!("@{name}"), messages: Vec::new(), seen: 0 };
    let own = ["sh", "-c", "WATCHDOG_PID=$$ exec \"$@\"", "sh"];
    let agent = Service::start(&own, &systemd.environment(), "");
    systemd.wait_for(&socket, "READY=1");
    systemd.wait_for(&socket, "WATCHDOG=1");
    drop(agent);

    let mut environment = systemd.environment().to_vec();
    environment.push(("WATCHDOG_PID", "1".to_owned()));
    let agent = Service::start(&[], &environment, "");
    systemd.wait_for(&socket, "READY=1");
    systemd.wait_for(&socket, "STATUS=");
    let before = systemd.seen;
    kill(agent.pid(), Signal::SIGTERM).unwrap();
    systemd.wait_for(&socket, "STOPPING=1");
    let beats = systemd.messages[before..].iter().filter(|message| message.contains("WATCHDOG")).count();
    assert_eq!(beats, 0);
}
