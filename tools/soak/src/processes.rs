//! The virtual cameras and the agent, processes that end with this one, however this one ends.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    net::Ipv4Addr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use serde_json::Value;

use crate::{Result, net};

/// Timeout after a request to end; the agent itself takes 3 s at most.
const END: Duration = Duration::from_secs(6);

/// Timeout for all virtual cameras to listen.
const CAMERAS_UP: Duration = Duration::from_secs(60);

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Contains characters that break a URL if they are not encoded; it must never appear in a log
/// line.
pub const PASSWORD: &str = "p@ss:w/rd?#^!&%41";

/// One process; dropping it ends it.
struct Process {
    child: Child,
}

impl Process {
    /// Starts `command` so that the kernel ends it with this thread, which must be the main one.
    fn start(program: &Path, arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> io::Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]).arg(program).args(arguments).stdin(Stdio::null());
        prepare(&mut command);
        Ok(Self { child: command.spawn()? })
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    fn has_ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }

    /// Requests its end and waits; returns how it ended, `None` if it had to be killed.
    fn end(&mut self) -> Option<String> {
        if let Some(status) = self.has_ended() {
            return Some(status);
        }
        let _ = signal::kill(self.pid(), Signal::SIGTERM);
        let deadline = Instant::now() + END;
        while Instant::now() < deadline {
            if let Some(status) = self.has_ended() {
                return Some(status);
            }
            thread::sleep(LOOK_AGAIN);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// A loopback address that only this process uses; tests and the demo use others.
pub fn own_address(n: u8) -> Ipv4Addr {
    let [.., a, b] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 32 | (a & 0x1f), b, n)
}

/// One virtual camera.
#[derive(Clone, Debug)]
pub struct Camera {
    pub id: String,
    pub ip: Ipv4Addr,
    pub onvif_port: u64,
    /// Its stream's address, without a login.
    pub stream: String,
}

/// The descriptions of `count` small cameras of several codecs. Every fifth has GStreamer's RTSP
/// server.
pub fn descriptions(count: u8) -> String {
    let line = |n: u8| {
        let codec = match n % 8 {
            5 => "h265",
            7 => "mjpeg",
            _ => "h264",
        };
        let server = if n.is_multiple_of(5) { "gstreamer" } else { "own" };
        format!(
            "id=cam{n:02} ip={} codec={codec} size=320x184 fps=10 gop=10 small=none snapshots=off audio={} server={server} \
             user=viewer pass='{PASSWORD}'\n",
            own_address(n),
            if n.is_multiple_of(2) { "on" } else { "off" },
        )
    };
    (1..=count).map(line).collect()
}

/// All virtual cameras, in one process.
pub struct Cameras {
    process: Process,
    control: String,
    pub all: Vec<Camera>,
    /// The faults that they support.
    pub faults: Vec<String>,
}

impl Cameras {
    /// Starts one camera for each of `lines`, in the syntax of its `--cameras-file`, and waits until they
    /// listen.
    pub fn start(program: &Path, lines: &str, folder: &Path) -> Result<Self> {
        let file = folder.join("cameras");
        write_secret(&file, lines)?;
        let log = File::create(folder.join("cameras.log"))?;
        let file = file.to_string_lossy().into_owned();
        let arguments = ["--control", "127.0.0.1:0", "--cameras-file", &file];
        let mut process = Process::start(program, &arguments, |command| {
            command.stdout(Stdio::piped()).stderr(log);
        })?;
        let Some(stdout) = process.child.stdout.take() else { return Err("the cameras have no output".into()) };
        let (sender, lines) = std::sync::mpsc::channel();
        // The thread ends with the cameras' output.
        thread::Builder::new().name("cameras".into()).spawn(move || {
            BufReader::new(stdout).lines().map_while(io::Result::ok).all(|line| sender.send(line).is_ok())
        })?;
        let deadline = Instant::now() + CAMERAS_UP;
        let (mut all, mut control) = (Vec::new(), String::new());
        while control.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = lines.recv_timeout(left).map_err(|_| "the virtual cameras did not start; see cameras.log")?;
            let line: Value = serde_json::from_str(&line)?;
            if let Some(url) = line["control"].as_str() {
                control = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
            } else {
                all.push(camera(&line).ok_or("the virtual cameras say something else than expected")?);
            }
        }
        let mut cameras = Self { process, control, all, faults: Vec::new() };
        cameras.faults = cameras.ask_for_faults()?;
        Ok(cameras)
    }

    /// The error for an unknown fault lists the known ones.
    fn ask_for_faults(&self) -> Result<Vec<String>> {
        let first = self.all.first().ok_or("no camera")?;
        let answer = net::http("POST", &self.control, &format!("/{}/unknown", first.id))?.json();
        let text = answer["error"].as_str().ok_or("the cameras do not list their faults")?;
        let words = text.split([',', ' ']).map(|word| word.split('?').next().unwrap_or(word));
        Ok(words.filter(|word| !word.is_empty()).map(str::to_owned).collect())
    }

    /// Sets a fault, or ends all with `resume`. Returns once it is active; `false` if this camera
    /// cannot have it.
    pub fn fault(&self, id: &str, fault: &str) -> Result<bool> {
        let answer = net::http("POST", &self.control, &format!("/{id}/{fault}"))?;
        match answer.status {
            200..300 => Ok(true),
            409 => Ok(false),
            status => Err(format!("{id}: the camera answers {status} to {fault}").into()),
        }
    }

    /// The counter `name`, summed over all cameras.
    pub fn counted(&self, name: &str) -> u64 {
        let report = net::http("GET", &self.control, "/").map(|answer| answer.json()).unwrap_or_default();
        let cameras = report.as_object().into_iter().flat_map(|cameras| cameras.values());
        cameras.filter_map(|camera| camera[name].as_u64()).sum()
    }

    pub fn has_ended(&mut self) -> Option<String> {
        self.process.has_ended()
    }
}

fn camera(line: &Value) -> Option<Camera> {
    let authority = line["onvif"].as_str()?.split('/').nth(2)?;
    let (ip, port) = authority.split_once(':')?;
    Some(Camera {
        id: line["camera"].as_str()?.to_owned(),
        ip: ip.parse().ok()?,
        onvif_port: port.parse().ok()?,
        stream: line["rtsp"].as_str()?.to_owned(),
    })
}

/// Counts of log lines.
#[derive(Default)]
pub struct LogCount {
    pub lines: AtomicU64,
    /// Lines that contain the password. There must be none.
    pub passwords: AtomicU64,
    pub panics: AtomicU64,
}

/// The agent under test.
pub struct Agent {
    process: Process,
    /// `ip:port` of the wall.
    pub address: String,
    pub log: Arc<LogCount>,
    reader: Option<JoinHandle<()>>,
}

impl Agent {
    /// Starts it; its log goes to `agent.log` in `folder`.
    pub fn start(program: &Path, file: &Path, address: String, folder: &Path) -> Result<Self> {
        let file = file.to_string_lossy().into_owned();
        let mut process = Process::start(program, &["run", "--log", "stderr", "--config", &file], |command| {
            command.stdout(Stdio::null()).stderr(Stdio::piped());
        })?;
        let Some(stderr) = process.child.stderr.take() else { return Err("the agent has no log".into()) };
        let (log, mut out) = (Arc::new(LogCount::default()), File::create(folder.join("agent.log"))?);
        let count = Arc::clone(&log);
        let reader = thread::Builder::new().name("agent log".into()).spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(io::Result::ok) {
                count.lines.fetch_add(1, Ordering::Relaxed);
                count.passwords.fetch_add(u64::from(line.contains(PASSWORD)), Ordering::Relaxed);
                count.panics.fetch_add(u64::from(line.contains("panicked")), Ordering::Relaxed);
                let _ = writeln!(out, "{line}");
            }
        })?;
        Ok(Self { process, address, log, reader: Some(reader) })
    }

    pub fn pid(&self) -> i32 {
        self.process.pid().as_raw()
    }

    pub fn reload(&self) -> Result<()> {
        Ok(signal::kill(self.process.pid(), Signal::SIGHUP)?)
    }

    pub fn api(&self) -> Result<Value> {
        Ok(net::http("GET", &self.address, "/api/cameras")?.json())
    }

    /// The process that decodes camera `id`, if it is one of the agent's children at this moment.
    pub fn decoder(&self, id: &str, children: &[i32]) -> Option<i32> {
        let api = self.api().ok()?;
        let camera = api["cameras"].as_array()?.iter().find(|camera| camera["id"] == id)?;
        let pid = i32::try_from(camera["worker"]["pid"].as_i64()?).ok()?;
        children.contains(&pid).then_some(pid)
    }

    pub fn has_ended(&mut self) -> Option<String> {
        self.process.has_ended()
    }

    /// Stops it; returns how it ended and how long that took, `None` if it had to be killed.
    pub fn stop(&mut self) -> Option<(String, Duration)> {
        let start = Instant::now();
        let status = self.process.end();
        let took = start.elapsed();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        status.map(|status| (status, took))
    }
}

/// Calls `look` until it returns a value, for at most `limit`, and not after `stop` is set.
pub fn wait_for<T>(limit: Duration, stop: &AtomicBool, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline && !stop.load(Ordering::Relaxed) {
        if let Some(found) = look() {
            return Some(found);
        }
        thread::sleep(LOOK_AGAIN);
    }
    None
}

/// Writes a file that only its owner may read.
pub fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
