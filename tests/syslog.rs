//! syslogd is restarted, absent or stuck, and the log neither falls silent nor holds anybody up.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    io::{self, Read as _},
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use cctv_agent::log::{Scribe, Sink, relay::Relay};
use log::Level;

const SECOND: Duration = Duration::from_secs(1);

/// How long a test waits for another process before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory that is gone when the test is over.
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

/// Listens as syslogd does, removing what an earlier one left behind.
fn listen(path: &Path) -> UnixDatagram {
    let _ = fs::remove_file(path);
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// All lines that wait in `socket`, with time and process identifier replaced.
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

fn scribe(path: &Path) -> Scribe {
    Scribe::new(Sink::Syslog(Relay::new(path.to_owned())))
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
fn lines_lost_while_syslogd_is_absent_are_counted_and_told() {
    let folder = Folder::new("syslog-absent");
    let (mut log, start) = (scribe(&folder.socket()), Instant::now());
    for n in 0..3 {
        log.write(Level::Info, &format!("porch: {n}"), start);
    }
    let syslogd = listen(&folder.socket());
    log.write(Level::Info, "porch: too soon to try again", start + SECOND / 2);
    assert_eq!(lines(&syslogd), [""; 0]);
    log.write(Level::Info, "porch: back", start + SECOND);
    assert_eq!(lines(&syslogd), ["<28>log: 4 lines lost while syslogd was away", "<30>porch: back"]);
}

#[test]
fn lost_lines_are_told_even_if_nothing_more_is_logged() {
    let folder = Folder::new("syslog-flush");
    let (mut log, start) = (scribe(&folder.socket()), Instant::now());
    log.write(Level::Info, "porch: lost", start);
    log.flush(start + SECOND);
    let syslogd = listen(&folder.socket());
    log.flush(start + 2 * SECOND);
    log.flush(start + 3 * SECOND);
    assert_eq!(lines(&syslogd), ["<28>log: 1 line lost while syslogd was away"]);
}

#[test]
fn absent_syslogd_is_looked_for_once_a_second_at_most() {
    let folder = Folder::new("syslog-retry");
    let mut relay = Relay::new(folder.socket());
    let start = Instant::now();
    relay.send(Level::Info, "a", start);
    let syslogd = listen(&folder.socket());
    for millisecond in [1, 500, 999] {
        relay.send(Level::Info, "a", start + Duration::from_millis(millisecond));
    }
    assert_eq!((relay.lost(), lines(&syslogd).len()), (4, 0));
    assert!(relay.tell_lost(start + SECOND));
    assert_eq!((relay.lost(), lines(&syslogd).len()), (0, 1));
}

#[test]
fn stuck_syslogd_holds_nobody_up_and_what_it_missed_is_told() {
    let folder = Folder::new("syslog-stuck");
    let syslogd = listen(&folder.socket());
    let mut relay = Relay::new(folder.socket());
    let now = Instant::now();
    // The kernel queues a few datagrams (net.unix.max_dgram_qlen) or as much as the buffers hold.
    let mut sent = 0;
    while relay.lost() == 0 {
        assert!(sent < 100_000, "the queue never fills");
        relay.send(Level::Info, &"x".repeat(900), now);
        sent += 1;
    }
    for _ in 0..99 {
        relay.send(Level::Info, "y", now);
    }
    assert_eq!(relay.lost(), 100);
    assert_eq!(lines(&syslogd).len(), sent - 1, "what was queued is not lost");
    relay.send(Level::Info, "z", now);
    assert_eq!(lines(&syslogd), ["<28>log: 100 lines lost while syslogd was away", "<30>z"]);
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

/// BusyBox's syslogd with a `/dev` of its own, so that it can have its own `/dev/log`.
struct BusyBox(Child);

impl BusyBox {
    /// Returns once it listens. It appends to `file`.
    fn start(file: &Path) -> Self {
        let script = "mount -t tmpfs tmpfs /dev && exec busybox syslogd -n -O \"$0\"";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script]).arg(file).stdin(Stdio::null());
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

/// Why a real syslogd cannot be started here, if so.
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
    // The agent always finds syslogd under one name; here this link is moved to the new one.
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
    log.write(Level::Error, &format!("gate: {} end", "long ".repeat(400)), start + 2 * SECOND);
    wait_until("the cut line", || content(&file).contains("long …"));

    let kept = content(&file);
    let pid = std::process::id();
    assert!(kept.contains(&format!("daemon.info cctv-agent[{pid}]: porch: live, 1920x1080 at 25 fps\n")), "{kept}");
    assert!(
        kept.contains(&format!("daemon.warn cctv-agent[{pid}]: log: 1 line lost while syslogd was away\n")),
        "{kept}"
    );
    assert!(kept.contains(&format!("daemon.err cctv-agent[{pid}]: gate: long ")), "{kept}");
}

#[test]
fn log_is_started_only_once() {
    use cctv_agent::log::{Target, chain, start};
    start(Target::Stderr, log::LevelFilter::Off).unwrap();
    let error = start(Target::Stderr, log::LevelFilter::Off).unwrap_err();
    assert!(chain(&error).starts_with("the log was started before: "), "{}", chain(&error));
}
