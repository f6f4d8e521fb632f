//! syslogd is restarted, absent or stuck: the log neither stops nor blocks the agent.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::support::{agent_program, http, own_address, wait_for};
use cctv_agent::log::{
    Pipeline, Sink,
    syslog::{MAX_WAITING, SyslogSink},
};
use log::Level;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const SECOND: Duration = Duration::from_secs(1);

/// How long a test waits for another process before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A temporary directory, removed when the value is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cctv-agent-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Listens as syslogd does, after it removes an old socket.
fn listen(path: &Path) -> UnixDatagram {
    let _ = fs::remove_file(path);
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// All lines queued in `socket`, with time and process identifier replaced.
fn lines(socket: &UnixDatagram) -> Vec<String> {
    let mut lines = Vec::new();
    let mut datagram = [0; 4096];
    while let Ok(length) = socket.recv(&mut datagram) {
        let line = String::from_utf8(datagram[..length].to_vec()).unwrap();
        let (priority, rest) = line.split_once('>').unwrap();
        let (time, rest) = rest.split_at("Nov 22 17:32:53 ".len());
        assert!(time.as_bytes()[3] == b' ' && time.as_bytes()[9] == b':', "{line}");
        let pid = format!("cctv-agent[{}]: ", std::process::id());
        lines.push(format!("{priority}>{}", rest.strip_prefix(&pid).unwrap()));
    }
    lines
}

fn scribe(path: &Path) -> Pipeline {
    Pipeline::new(Sink::Syslog(SyslogSink::new(path.to_owned())))
}

#[test]
fn line_has_facility_daemon_and_its_level() {
    let folder = Folder::new("syslog-levels");
    let syslogd = listen(&folder.socket());
    let (mut log, now) = (scribe(&folder.socket()), Instant::now());
    for (level, text) in
        [(Level::Error, "a: 1"), (Level::Warn, "a: 2"), (Level::Info, "a: 3"), (Level::Debug, "門: 4\n<0>forged")]
    {
        log.write(level, text, now);
    }
    assert_eq!(lines(&syslogd), ["<27>a: 1", "<28>a: 2", "<30>a: 3", "<31>門: 4 <0>forged"]);
}

#[test]
fn password_in_a_line_is_masked_on_its_way() {
    let folder = Folder::new("syslog-mask");
    let syslogd = listen(&folder.socket());
    scribe(&folder.socket()).write(Level::Error, "gate: cannot open rtsp://u:hunter2@10.0.0.1/", Instant::now());
    assert_eq!(lines(&syslogd), ["<27>gate: cannot open rtsp://***@10.0.0.1/"]);
}

#[test]
fn restart_of_syslogd_loses_nothing() {
    let folder = Folder::new("syslog-restart");
    let (mut log, now) = (scribe(&folder.socket()), Instant::now());
    let first = listen(&folder.socket());
    log.write(Level::Info, "porch: one", now);
    assert_eq!(lines(&first), ["<30>porch: one"]);
    drop(first);
    let second = listen(&folder.socket());
    log.write(Level::Info, "porch: two", now);
    log.write(Level::Info, "porch: three", now);
    assert_eq!(lines(&second), ["<30>porch: two", "<30>porch: three"]);
}

#[test]
fn lines_said_while_syslogd_is_absent_come_later_and_in_order() {
    let folder = Folder::new("syslog-absent");
    let (mut log, start) = (scribe(&folder.socket()), Instant::now());
    for word in ["one", "two", "three"] {
        log.write(Level::Info, &format!("porch: {word}"), start);
    }
    let syslogd = listen(&folder.socket());
    log.write(Level::Info, "porch: too soon to try again", start + SECOND / 2);
    assert_eq!(lines(&syslogd), [""; 0]);
    log.flush(start + SECOND);
    let expected = ["<30>porch: one", "<30>porch: two", "<30>porch: three", "<30>porch: too soon to try again"];
    assert_eq!(lines(&syslogd), expected);
    log.write(Level::Info, "porch: back", start + SECOND);
    assert_eq!(lines(&syslogd), ["<30>porch: back"]);
}

/// All lines, including those queued in `syslog`; drains the kernel's queue repeatedly.
fn all_lines(syslog: &mut SyslogSink, syslogd: &UnixDatagram, now: Instant) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        syslog.catch_up(now);
        let some = lines(syslogd);
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

#[test]
fn lines_past_what_may_wait_are_counted_and_told_in_their_place() {
    let folder = Folder::new("syslog-lost");
    let (mut syslog, start) = (SyslogSink::new(folder.socket()), Instant::now());
    for n in 0..MAX_WAITING + 3 {
        syslog.send(Level::Info, &format!("{n}"), start);
    }
    assert_eq!(syslog.lost(), 3);
    assert!(cctv_agent::log::lost() >= 3);
    let syslogd = listen(&folder.socket());
    let received = all_lines(&mut syslog, &syslogd, start + SECOND);
    syslog.send(Level::Info, "back", start + SECOND);
    assert_eq!(received.len(), MAX_WAITING + 1);
    assert_eq!(received[MAX_WAITING - 1..], ["<30>255", "<28>log: 3 lines lost while syslogd was away"]);
    assert_eq!((syslog.lost(), lines(&syslogd)), (0, vec!["<30>back".to_owned()]));
}

#[test]
fn absent_syslogd_is_looked_for_once_a_second_at_most() {
    let folder = Folder::new("syslog-retry");
    let mut syslog = SyslogSink::new(folder.socket());
    let start = Instant::now();
    syslog.send(Level::Info, "a", start);
    let syslogd = listen(&folder.socket());
    for millisecond in [1, 500, 999] {
        syslog.send(Level::Info, "a", start + Duration::from_millis(millisecond));
        assert_eq!(lines(&syslogd).len(), 0);
    }
    syslog.catch_up(start + SECOND);
    assert_eq!(lines(&syslogd).len(), 4);
}

#[test]
fn stuck_syslogd_holds_nobody_up_and_what_it_missed_is_told() {
    let folder = Folder::new("syslog-stuck");
    let syslogd = listen(&folder.socket());
    let mut syslog = SyslogSink::new(folder.socket());
    let now = Instant::now();
    // The kernel queues a few datagrams (net.unix.max_dgram_qlen) or as much as the buffers hold.
    let mut sent = 0;
    while syslog.lost() == 0 {
        assert!(sent < 100_000, "the queue never fills");
        syslog.send(Level::Info, &"x".repeat(900), now);
        sent += 1;
    }
    for _ in 0..99 {
        syslog.send(Level::Info, "y", now);
    }
    assert_eq!(syslog.lost(), 100);
    let received = all_lines(&mut syslog, &syslogd, now);
    assert_eq!(received.len(), sent - 1 + 1, "what was queued is not lost");
    assert_eq!(received.last().unwrap(), "<28>log: 100 lines lost while syslogd was away");
    syslog.send(Level::Info, "z", now);
    assert_eq!(lines(&syslogd), ["<30>z"]);
}

#[test]
fn repeats_become_one_line_per_ten_seconds() {
    let folder = Folder::new("syslog-repeats");
    let syslogd = listen(&folder.socket());
    let (mut log, start) = (scribe(&folder.socket()), Instant::now());
    for tenth in 0..100 {
        log.write(Level::Warn, "porch: slow", start + tenth * SECOND / 10);
    }
    log.write(Level::Info, "porch: slow", start + 9 * SECOND);
    log.flush(start + 9 * SECOND);
    assert_eq!(lines(&syslogd), ["<28>porch: slow", "<30>porch: slow"]);
    log.flush(start + 10 * SECOND);
    assert_eq!(lines(&syslogd), ["<28>porch: slow (repeated 99 times)"]);
    log.write(Level::Warn, "porch: slow", start + 11 * SECOND);
    log.finish(start + 12 * SECOND);
    assert_eq!(lines(&syslogd), ["<28>porch: slow (repeated once)"]);
}

#[test]
fn camera_that_flaps_says_each_thing_once_in_ten_seconds_with_its_newest_numbers() {
    let folder = Folder::new("syslog-flapping");
    let syslogd = listen(&folder.socket());
    let (mut log, start) = (scribe(&folder.socket()), Instant::now());
    let mut received = Vec::new();
    for second in 0..60 {
        let now = start + second * SECOND;
        log.write(Level::Warn, &format!("gate: no frame for 5.{second} s; trying again (attempt {second})"), now);
        log.write(Level::Info, &format!("gate: live, 640x{} H.264", 300 + second), now);
        log.write(Level::Info, &format!("cam{second}: found at 10.0.0.{second}"), now);
        received.extend(lines(&syslogd));
    }
    log.flush(start + 60 * SECOND);
    received.extend(lines(&syslogd));
    let count = |words: &str| received.iter().filter(|line| line.contains(words)).count();
    assert_eq!((count("no frame"), count("live")), (7, 7), "{received:#?}");
    assert_eq!(count("found at"), 60, "what is said of different cameras is different");
    let newest = "<28>gate: no frame for 5.59 s; trying again (attempt 59) (the last of 10 such lines)";
    assert!(received.iter().any(|line| line == newest), "{received:#?}");
}

#[test]
fn longest_line_fits_into_a_thousand_bytes() {
    let folder = Folder::new("syslog-long");
    let syslogd = listen(&folder.socket());
    let (mut log, start) = (scribe(&folder.socket()), Instant::now());
    for _ in 0..12 {
        log.write(Level::Error, &"門".repeat(5000), start);
    }
    log.finish(start);
    let mut datagram = [0; 4096];
    for _ in 0..2 {
        let length = syslogd.recv(&mut datagram).unwrap();
        assert!((900..1000).contains(&length), "{length}");
        assert!(str::from_utf8(&datagram[..length]).unwrap().contains("門 …"));
    }
}

/// Shell commands that mount a `/dev` that contains only `null`.
const OWN_DEV: &str = "mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3";

/// BusyBox's syslogd with a private `/dev`, so that it has a private `/dev/log`.
struct BusyBox(Child);

impl BusyBox {
    /// Starts it and returns once it listens. It appends to `file`.
    fn start(file: &Path) -> Self {
        let script = format!("{OWN_DEV} && exec busybox syslogd -n -O \"$0\"");
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &script]).arg(file).stdin(Stdio::null());
        let syslogd = Self(command.spawn().unwrap());
        // Until the mount is done this would be the machine's own /dev/log.
        let own = || {
            let mounts = fs::read_to_string(format!("/proc/{}/mounts", syslogd.0.id())).unwrap_or_default();
            mounts.lines().any(|line| line.starts_with("tmpfs /dev tmpfs ")) && syslogd.socket().exists()
        };
        wait_until("BusyBox's syslogd to listen", own);
        syslogd
    }

    fn socket(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/dev/log", self.0.id()))
    }

    /// `program`, run with the same `/dev`.
    fn neighbour(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-m", "-t", &self.0.id().to_string(), program]).stdin(Stdio::null());
        command
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().cast_signed()), signal).unwrap();
    }
}

impl Drop for BusyBox {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn content(file: &Path) -> String {
    let mut text = String::new();
    if let Ok(mut file) = fs::File::open(file) {
        file.read_to_string(&mut text).unwrap();
    }
    text
}

/// The reason why a real syslogd cannot be started here, if any.
fn hindrance() -> Option<String> {
    let busybox = Command::new("busybox").args(["syslogd", "--help"]).stderr(Stdio::null()).status();
    if !busybox.as_ref().is_ok_and(std::process::ExitStatus::success) {
        return Some(format!("busybox has no syslogd here: {busybox:?}"));
    }
    let mount = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "tmpfs", "/dev"]).output();
    match mount {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("a private /dev needs root: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Some(format!("unshare: {error}")),
    }
}

#[test]
fn real_syslogd_keeps_our_lines_across_its_restart() {
    if let Some(reason) = hindrance() {
        eprintln!("skipped: {reason}");
        return;
    }
    let folder = Folder::new("syslog-busybox");
    let file = folder.0.join("messages");
    // The agent always finds syslogd at one path; this link is moved to the new socket.
    let link = folder.socket();
    let point_to = |syslogd: &BusyBox| -> io::Result<()> {
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(syslogd.socket(), &link)
    };
    let (mut log, start) = (scribe(&link), Instant::now());

    let first = BusyBox::start(&file);
    point_to(&first).unwrap();
    log.write(Level::Info, "porch: live, 1920x1080 at 25 fps", start);
    wait_until("the first line", || content(&file).contains("porch: live"));
    drop(first);
    log.write(Level::Warn, "porch: said to nobody", start);
    let second = BusyBox::start(&file);
    point_to(&second).unwrap();
    log.flush(start + 2 * SECOND);
    log.write(Level::Error, &format!("gate: {} end", "long ".repeat(400)), start + 2 * SECOND);
    wait_until("the cut line", || content(&file).contains("long …"));

    let kept = content(&file);
    let pid = std::process::id();
    assert!(kept.contains(&format!("daemon.info cctv-agent[{pid}]: porch: live, 1920x1080 at 25 fps\n")), "{kept}");
    assert!(kept.contains(&format!("daemon.warn cctv-agent[{pid}]: porch: said to nobody\n")), "{kept}");
    assert!(kept.contains(&format!("daemon.err cctv-agent[{pid}]: gate: long ")), "{kept}");
}

#[test]
fn log_is_started_only_once() {
    use cctv_agent::log::{Target, chain, start};
    start(Target::Stderr, log::LevelFilter::Off).unwrap();
    let error = start(Target::Stderr, log::LevelFilter::Off).unwrap_err();
    assert!(chain(&error).starts_with("the log was started before: "), "{}", chain(&error));
}

/// A process that is killed when the value is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A wall without cameras on an address of its own.
fn empty_wall(folder: &Folder) -> (PathBuf, String) {
    let (file, address) = (folder.0.join("cameras.toml"), format!("{}:8080", own_address()));
    fs::write(&file, format!("[server]\nlisten = \"{address}\"\nstate_dir = \"state\"\n")).unwrap();
    (file, address)
}

#[test]
fn agent_serves_on_while_the_systems_syslogd_is_stopped_killed_and_restarted() {
    if let Some(reason) = hindrance() {
        eprintln!("skipped: {reason}");
        return;
    }
    let folder = Folder::new("syslog-agent");
    let messages = folder.0.join("messages");
    let (file, address) = empty_wall(&folder);
    let good = fs::read_to_string(&file).unwrap();
    let syslogd = BusyBox::start(&messages);
    let mut agent = syslogd.neighbour(agent_program().to_str().unwrap());
    let agent = Ended(agent.args(["run", "--log", "syslog", "--config"]).arg(&file).spawn().unwrap());
    wait_for("the first lines", || content(&messages).contains("the wall is at").then_some(()));
    let reloads = || http("GET", &address, "/api/cameras").unwrap().json()["reload"]["count"].as_u64().unwrap();
    let lost = || {
        let page = http("GET", &address, "/metrics").unwrap();
        let page = String::from_utf8(page.body).unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix("cctv_log_lost_lines_total "));
        line.expect("the number of lost lines").parse::<u64>().unwrap()
    };
    // Reloads files with new mistakes, each of which is logged as one line, until lines are lost.
    let mut words = 0..;
    let mut tell_too_much = || {
        let (lost_before, mut count) = (lost(), reloads());
        wait_for("lost lines", || {
            let mistakes: String = words.by_ref().take(200).map(|n| format!("wrong{n} = 1\n")).collect();
            fs::write(&file, good.clone() + &mistakes).unwrap();
            kill(Pid::from_raw(agent.0.id().cast_signed()), Signal::SIGHUP).unwrap();
            count = wait_for("the reload", || Some(reloads()).filter(|now| *now > count));
            (lost() > lost_before).then_some(())
        });
    };
    assert_eq!(lost(), 0);

    syslogd.signal(Signal::SIGSTOP);
    // Another program fills the kernel's queue of syslogd.
    let other = UnixDatagram::unbound().unwrap();
    other.set_nonblocking(true).unwrap();
    other.connect(syslogd.socket()).unwrap();
    let full = (0..100_000).find_map(|_| other.send(b"<14>other: x").err()).expect("a full queue");
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    tell_too_much();
    syslogd.signal(Signal::SIGCONT);
    // Lines of the last reload may have been lost after it was counted.
    let told = || -> u64 {
        let messages = content(&messages);
        let counts = messages.lines().filter(|line| line.contains(" lost while syslogd was away"));
        let counts = counts.filter_map(|line| line.split_once("log: ")?.1.split_once(" line"));
        counts.map(|(lines, _)| lines.parse::<u64>().unwrap()).sum()
    };
    wait_for("the number of lost lines in the log", || (told() > 0 && told() == lost()).then_some(()));

    drop(syslogd);
    let lost_by_stop = lost();
    tell_too_much();
    let mut next = Command::new("nsenter");
    next.args(["-m", "-t", &agent.0.id().to_string(), "busybox", "syslogd", "-n", "-O"]).arg(&messages);
    let _next = Ended(next.stdin(Stdio::null()).spawn().unwrap());
    wait_for("the lines lost meanwhile", || (told() > lost_by_stop && told() == lost()).then_some(()));
    let all_lost = lost();
    eprintln!("{lost_by_stop} of {all_lost} lines lost by the stop");
    fs::write(&file, good.clone() + "restarted = 1\n").unwrap();
    kill(Pid::from_raw(agent.0.id().cast_signed()), Signal::SIGHUP).unwrap();
    wait_for("a line said after the restart", || content(&messages).contains("\"restarted\"").then_some(()));
    assert_eq!(lost(), all_lost);
    assert_eq!(http("GET", &address, "/healthz").unwrap().status, 200);
}

#[test]
fn child_of_init_logs_to_syslog_and_a_person_who_starts_it_sees_the_lines() {
    let folder = Folder::new("syslog-service");
    let messages = folder.0.join("messages");
    let (file, address) = empty_wall(&folder);
    let mut person = Command::new(agent_program());
    person.args(["run", "--config"]).arg(&file).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut person = Ended(person.spawn().unwrap());
    wait_for("the wall", || http("GET", &address, "/healthz"));
    kill(Pid::from_raw(person.0.id().cast_signed()), Signal::SIGTERM).unwrap();
    let mut said = String::new();
    person.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("the wall is at") && said.contains("stopped"), "{said}");

    if let Some(reason) = hindrance() {
        eprintln!("the other half is skipped: {reason}");
        return;
    }
    // The shell is process 1 of its namespace, so the agent is a child of init.
    let script = format!("{OWN_DEV}; busybox syslogd -O \"$1\"; \"$2\" run --config \"$3\" & wait");
    let mut init = Command::new("unshare");
    init.args(["-m", "-p", "-f", "--kill-child", "sh", "-c", &script, "init"]);
    init.arg(&messages).arg(agent_program()).arg(&file);
    let said = fs::File::create(folder.0.join("stderr")).unwrap();
    let init = Ended(init.stdin(Stdio::null()).stderr(said).spawn().unwrap());
    wait_for("lines in syslog", || content(&messages).contains("daemon.info cctv-agent[").then_some(()));
    wait_for("the wall in syslog", || content(&messages).contains("the wall is at").then_some(()));
    drop(init);
    assert_eq!(content(&folder.0.join("stderr")), "");
}
