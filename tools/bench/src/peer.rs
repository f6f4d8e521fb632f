//! The programs that are compared, each started with its own configuration for a row.
//!
//! Each gets the settings that cost it least and still give the same pictures: JPEG of quality 80
//! or its equivalent, all of the camera's frames, no image analysis.

use std::{
    fs,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use crate::{
    Result, ffmpeg,
    playback_server::PlaybackServer,
    scene::{Scene, Way},
    test_clip::{FPS, Kind},
    viewer::{self, SILENCE, Scheme, Source},
};

/// Timeout for a peer to listen and to send the first pictures to all viewers.
pub const START: Duration = Duration::from_secs(40);
/// Time between the request to end and a kill.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(4);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    Agent,
    /// Our agent over https, with the certificate that it makes.
    AgentTls,
    /// An earlier build of our agent.
    AgentBefore,
    /// The crate retina, which reads and forwards nothing.
    Retina,
    Motion,
    /// Decodes and compresses any stream.
    Ffmpeg,
    /// Passes a Motion JPEG camera's own pictures through.
    FfmpegCopy,
    /// With the newest OpenCV, whose JPEG encoder uses vector instructions.
    Predecessor,
    /// With OpenCV 4.6, the version in Debian. On PyPI, up to that version, its JPEG encoder was
    /// built without vector instructions, and takes four times as long.
    PredecessorOfDebian,
    /// Only decoding and compressing.
    BaselineBare,
    /// The same by the program `ffmpeg`, from a file, with the output discarded.
    BaselineFfmpeg,
    /// All that our worker does with a picture, without reading and sending.
    BaselineFull,
}

impl Peer {
    /// The peers of a row; those of `setup` that are not there are left out.
    pub fn of(scene: &Scene, setup: &Setup) -> Vec<Self> {
        let mut peers = vec![Self::Agent];
        if scene.tls {
            peers.push(Self::AgentTls);
        }
        if scene.before && setup.before.is_some() {
            peers.push(Self::AgentBefore);
        }
        if scene.way == Way::Untouched && setup.retina.is_some() {
            peers.push(Self::Retina);
        }
        if scene.way == Way::Jpeg {
            peers.extend([Self::Motion, Self::Ffmpeg, Self::Predecessor]);
        }
        if scene.way == Way::Jpeg && scene.kind == Kind::Jpeg && scene.size.is_none() {
            peers.push(Self::FfmpegCopy);
        }
        if scene.old_opencv {
            peers.push(Self::PredecessorOfDebian);
        }
        if scene.baseline {
            peers.extend([Self::BaselineBare, Self::BaselineFull, Self::BaselineFfmpeg]);
        }
        peers
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Agent => "**cctv-agent**",
            Self::AgentTls => "cctv-agent over https",
            Self::AgentBefore => "cctv-agent, the build before",
            Self::Retina => "retina, reading only",
            Self::Motion => "motion",
            Self::Ffmpeg => "ffmpeg -f mpjpeg",
            Self::FfmpegCopy => "ffmpeg -c copy -f mpjpeg",
            Self::Predecessor => "the way of 2019, OpenCV 5.0",
            Self::PredecessorOfDebian => "the way of 2019, OpenCV 4.6",
            Self::BaselineBare => "baseline: decode + compress",
            Self::BaselineFfmpeg => "baseline: ffmpeg, file to null",
            Self::BaselineFull => "baseline: + scale + colours",
        }
    }
}

/// The number of cores that our agent and its workers have, or are made to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    All,
    One,
    /// The number that the C library, and so FFmpeg's threads, see; needs root.
    Pretended(u32),
}

/// The file from which the C library reads it.
const CORES_FILE: &str = "/sys/devices/system/cpu/online";

/// All that is needed to start a peer.
#[derive(Clone)]
pub struct Setup<'a> {
    /// Folder for configurations and logs.
    pub folder: &'a Path,
    pub agent: &'a Path,
    pub before: Option<&'a Path>,
    pub retina: Option<&'a Path>,
    pub www: &'a Path,
    /// The Python interpreters that have `cv2`: the newest, and the version in Debian.
    pub python: &'a Path,
    pub old_python: &'a Path,
    pub predecessor: &'a Path,
    /// The clip as [`crate::test_clip::Clip::save`] writes it, and as a plain stream.
    pub clip: PathBuf,
    pub stream: PathBuf,
    pub cores: Cores,
}

/// A running peer; ended when dropped.
#[derive(Default)]
pub struct Running {
    children: Vec<Child>,
    /// Our agent's port.
    pub port: u16,
    /// The sources of its viewers, each with its camera.
    pub sources: Vec<(usize, Source)>,
    /// Connections that are held open and not read.
    _asleep: Vec<std::net::TcpStream>,
}

impl Running {
    pub fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }

    /// Whether one of the processes has ended, which makes the measurement of the others worthless.
    pub fn has_ended(&mut self) -> bool {
        self.children.iter_mut().any(|child| !matches!(child.try_wait(), Ok(None)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &self.children {
            let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM);
        }
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        for child in &mut self.children {
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(10));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that nothing uses now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Setup<'_> {
    /// Starts `peer` for `scene` with the cameras of `playback`, and its viewers.
    ///
    /// # Errors
    /// If it cannot be started or does not listen in time.
    pub fn start(&self, peer: Peer, scene: &Scene, playback: &PlaybackServer) -> Result<Running> {
        let mut running = Running::default();
        let deadline = Instant::now() + START;
        let watched = || (0..scene.cameras).flat_map(|camera| (0..scene.viewers).map(move |_| camera));
        match peer {
            Peer::Agent | Peer::AgentTls => {
                running.port = self.agent(&mut running, &playback.urls())?;
                let scheme = if peer == Peer::AgentTls { Scheme::Https } else { Scheme::Http };
                self.watch_agent(&mut running, scene, scheme, deadline)?;
            }
            Peer::AgentBefore => {
                let setup = Setup { agent: self.before.ok_or("there is no build before")?, ..self.clone() };
                return setup.start(Peer::Agent, scene, playback);
            }
            Peer::Retina => {
                let mut command = Command::new(self.retina.ok_or("retina-reader is not built")?);
                command.args(playback.urls());
                let out = self.tap(&mut running, &command, "retina")?;
                running.sources.push((0, Source::Ticks(out)));
            }
            Peer::Motion => {
                let ports = self.motion(&mut running, scene, playback)?;
                for camera in watched() {
                    let stream = viewer::ask_until_answered(ports[camera], "/", deadline)?;
                    running.sources.push((camera, Source::Multipart(Box::new(stream))));
                }
            }
            Peer::Ffmpeg | Peer::FfmpegCopy => {
                // All are started before the first wait: each takes seconds to open its stream.
                let mut doors = Vec::new();
                for camera in watched() {
                    let listener = TcpListener::bind("127.0.0.1:0")?;
                    let mut command = ffmpeg::reader(scene, &playback.url(camera), peer == Peer::FfmpegCopy);
                    command.args(["-f", "mpjpeg", &format!("tcp://127.0.0.1:{}", listener.local_addr()?.port())]);
                    running.children.push(self.spawn(&command, "ffmpeg", Stdio::null())?);
                    doors.push((camera, listener));
                }
                for (camera, listener) in doors {
                    running.sources.push((camera, Source::Multipart(Box::new(accept(&listener, deadline)?))));
                }
            }
            Peer::Predecessor | Peer::PredecessorOfDebian => {
                let port = free_port()?;
                let python = if peer == Peer::Predecessor { self.python } else { self.old_python };
                let mut command = Command::new(python);
                command.arg(self.predecessor).arg(port.to_string());
                running.children.push(self.spawn(&command, "predecessor", Stdio::null())?);
                let (width, height) = scene.size.unwrap_or((0, 0));
                for camera in watched() {
                    let url = playback.url(camera);
                    let open = json!({ "act": "open", "url": url, "resolution": [width, height] });
                    let socket = viewer::socket(port, "/", None, &open, Scheme::Http, deadline)?;
                    running.sources.push((camera, Source::Pieces(socket)));
                }
            }
            Peer::BaselineBare | Peer::BaselineFull => {
                let (width, height) = scene.size.unwrap_or(crate::FULL_HD);
                let mut command = Command::new(std::env::current_exe()?);
                command.arg(if peer == Peer::BaselineBare { "baseline-bare" } else { "baseline-full" });
                command.arg(&self.clip).arg(width.to_string()).arg(height.to_string());
                let out = self.tap(&mut running, &command, "baseline")?;
                running.sources.push((0, Source::Ticks(out)));
            }
            Peer::BaselineFfmpeg => {
                let mut command = Command::new("ffmpeg");
                command.args(["-nostdin", "-loglevel", "error", "-progress", "pipe:1", "-stats_period", "0.1"]);
                command.args(["-threads", "1", "-re", "-r", &FPS.to_string(), "-f", "h264", "-i"]).arg(&self.stream);
                command.args(ffmpeg::picture_options(scene)).args(["-threads", "1", "-f", "null", "-"]);
                let out = self.tap(&mut running, &command, "ffmpeg-baseline")?;
                running.sources.push((0, Source::Progress(out)));
            }
        }
        Ok(running)
    }

    /// Our agent as a service: cameras `c0`, `c1` … on its own port, which is returned.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn agent(&self, running: &mut Running, urls: &[String]) -> Result<u16> {
        let port = free_port()?;
        let mut text = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\nwww = '{}'\nstate_dir = '{}'\n",
            self.www.display(),
            self.folder.display()
        );
        for (camera, url) in urls.iter().enumerate() {
            text.push_str(&format!("\n[[camera]]\nid = \"c{camera}\"\nurl = \"{url}\"\n"));
        }
        let config = self.folder.join("cameras.toml");
        fs::write(&config, text)?;
        // Each of these programs executes the next, and the last one the agent.
        let mut command = Command::new(match self.cores {
            Cores::All => self.agent,
            Cores::One => Path::new("taskset"),
            Cores::Pretended(_) => Path::new("unshare"),
        });
        match self.cores {
            Cores::All => {}
            Cores::One => {
                command.args(["-c", "0"]).arg(self.agent);
            }
            Cores::Pretended(count) => {
                let file = self.folder.join("cores");
                fs::write(&file, format!("0-{}\n", count - 1))?;
                let script = format!("mount --bind \"$0\" {CORES_FILE} && exec \"$@\"");
                command.args(["--mount", "sh", "-c", &script]).arg(file).arg(self.agent);
            }
        }
        command.args(["run", "--log", "stderr", "--config"]).arg(config);
        running.children.push(self.spawn(&command, "agent", Stdio::null())?);
        Ok(port)
    }

    /// An agent without viewers.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn agent_alone(&self, playback: &PlaybackServer) -> Result<Running> {
        let mut running = Running::default();
        running.port = self.agent(&mut running, &playback.urls())?;
        Ok(running)
    }

    fn watch_agent(&self, running: &mut Running, scene: &Scene, scheme: Scheme, deadline: Instant) -> Result<()> {
        let query = scene.size.map(|(width, height)| format!("?size={width}x{height}")).unwrap_or_default();
        if scene.way == Way::Untouched {
            let show = viewer::show(scene.cameras, crate::FULL_HD, &["h264"]);
            let socket = viewer::socket(running.port, "/ws", Some("cctv.wall.1"), &show, scheme, deadline)?;
            running.sources.push((0, Source::Wall(socket)));
            return Ok(());
        }
        if let Way::Sleepers(count) = scene.way {
            for _ in 0..count {
                running._asleep.push(viewer::ask(running.port, "/live/c0", deadline)?);
            }
        }
        for camera in 0..scene.cameras {
            for _ in 0..scene.viewers {
                let stream = viewer::watch(running.port, &format!("/live/c{camera}{query}"), scheme, deadline)?;
                running.sources.push((camera, Source::Multipart(stream)));
            }
        }
        Ok(())
    }

    /// One motion process, in which each camera has a stream port of its own; returns the ports.
    /// Motion detection is paused, and it draws no text.
    fn motion(&self, running: &mut Running, scene: &Scene, playback: &PlaybackServer) -> Result<Vec<u16>> {
        let folder = self.folder.join("motion");
        fs::create_dir_all(&folder)?;
        let ports = (0..scene.cameras).map(|_| free_port()).collect::<Result<Vec<_>>>()?;
        let (width, height) = scene.size.unwrap_or(playback.size());
        let mut text = format!(
            "daemon off\nsetup_mode off\nlog_level 4\nlog_file {0}/log\ntarget_dir {0}\nwidth {width}\nheight {height}\nframerate {FPS}\n\
             pause on\nemulate_motion off\npicture_output off\nmovie_output off\ntext_right\nwebcontrol_port 0\n\
             stream_localhost on\nstream_quality 80\nstream_maxrate {FPS}\nstream_motion off\n",
            folder.display()
        );
        for (camera, port) in ports.iter().enumerate() {
            let own = format!("netcam_url {}\nstream_port {port}\n", playback.url(camera));
            if scene.cameras == 1 {
                text.push_str(&own);
                continue;
            }
            let file = folder.join(format!("camera-{camera}.conf"));
            fs::write(&file, format!("camera_id {}\n{own}", camera + 1))?;
            text.push_str(&format!("camera {}\n", file.display()));
        }
        let config = folder.join("motion.conf");
        fs::write(&config, text)?;
        running.children.push(self.spawn(
            Command::new("motion").args(["-n", "-c"]).arg(config),
            "motion",
            Stdio::null(),
        )?);
        Ok(ports)
    }

    /// Starts one more program that ends with `running`; `name` is the name of its log.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn add(&self, running: &mut Running, command: &Command, name: &str) -> Result<()> {
        running.children.push(self.spawn(command, name, Stdio::null())?);
        Ok(())
    }

    fn tap(&self, running: &mut Running, command: &Command, name: &str) -> Result<ChildStdout> {
        let mut child = self.spawn(command, name, Stdio::piped())?;
        let out = child.stdout.take().ok_or("no way to hear it")?;
        running.children.push(child);
        Ok(out)
    }

    /// Its output goes to a file of its name; it ends with this process.
    fn spawn(&self, command: &Command, name: &str, stdout: Stdio) -> Result<Child> {
        let log = fs::File::create(self.folder.join(format!("{name}.log")))?;
        // `setpriv` executes the program, so the process id is the program's own.
        let mut bound = Command::new("setpriv");
        bound.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
        bound.stdin(Stdio::null()).stdout(stdout).stderr(log).process_group(0);
        bound.spawn().map_err(|error| format!("{name}: {error}").into())
    }
}

fn accept(listener: &TcpListener, deadline: Instant) -> Result<std::net::TcpStream> {
    listener.set_nonblocking(true)?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                stream.set_read_timeout(Some(SILENCE))?;
                return Ok(stream);
            }
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            Err(_) => return Err(format!("it sent nothing within {} s", START.as_secs()).into()),
        }
    }
}
