//! RTSP servers that others wrote. A camera of nothing but its `url` is live with each of them, and is
//! shown both as it is sent and as JPEG.
//!
//! All but GStreamer's are fed from a virtual camera by FFmpeg, which copies the video: so the stamps
//! in the pictures tell how old they are. Servers that send datagrams have the address 127.0.0.1 and
//! ports of their own, because datagrams come from that address.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use cctv_agent::media::Codec;
use nix::unistd::Uid;
use stamp::Stamp;

use crate::support::{
    Agent, Cameras, Folder, MotionJpeg, Part, burnt_in, key_pair, mark, unix_ms, wait_for,
    wall::{Screen, Wall},
};

const EVERY_FORMAT: &[&str] = &["h264", "h265", "jpeg"];

/// The source of the foreign servers: their key frames come once a second.
const SOURCE: &str = "id=source size=640x360 fps=25 gop=25 small=none";

/// Pictures looked at in each form.
const PICTURES: usize = 60;

/// Age of the last pictures in milliseconds: nothing old is shown. VLC alone keeps 1.5 s of what it
/// reads.
const MAX_AGE: u64 = 6000;

/// Processes that end with this value.
struct Processes(Vec<Child>);

impl Processes {
    fn start(&mut self, command: &mut Command) -> &mut Child {
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}; scripts/test installs it"));
        self.0.push(child);
        self.0.last_mut().unwrap()
    }

    /// FFmpeg, which copies the video of `stream` to `output`; its output is the input of another program.
    fn feed(&mut self, stream: &str, output: &[&str]) -> Stdio {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-rtsp_transport", "tcp", "-i", stream, "-c", "copy"]).args(output);
        let child = self.start(command.stdin(Stdio::null()).stdout(Stdio::piped()));
        child.stdout.take().unwrap().into()
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A TCP port of 127.0.0.1 that is free.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_for_port(port: u16) {
    wait_for("the server to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
}

/// The file `name` of the folder that belongs to this test.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process/foreign_servers").join(name)
}

/// A Python script of this test.
fn python(script: &str) -> Command {
    let mut command = Command::new(file("python/bin/python"));
    command.arg(file(script));
    command
}

/// Checks that a camera with nothing but `url` is live, and that both forms of its video go on and are
/// fresh.
fn is_shown(url: &str, codec: Codec) {
    is_shown_with("", url, codec);
}

/// The same with these lines in the camera's section.
fn is_shown_with(lines: &str, url: &str, codec: Codec) {
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\n{lines}url = \"{url}\"\n"));
    // A server may listen before it has video: the agent tries again.
    let reconnects = agent.wait_for_state("gate", "live")["reconnects"].clone();

    let mut wall = Wall::open(&agent.address);
    wall.show(&["gate"], EVERY_FORMAT);
    let mut stamps = Vec::new();
    let mut screen = (codec != Codec::Jpeg).then(|| Screen::new(codec));
    while stamps.len() < PICTURES {
        let frame = wall.frame();
        match &mut screen {
            Some(screen) => {
                assert_eq!(frame.format, if codec == Codec::H264 { 2 } else { 3 }, "untouched");
                stamps.extend(screen.show(&frame).into_iter().map(|(_, stamp)| stamp));
            }
            None => {
                stamps.push(burnt_in(&frame.payload));
                // A page that does not say so gets JPEG slowly.
                wall.drawn(frame.sequence);
            }
        }
    }
    go_on(&stamps, "untouched");
    drop(wall);

    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    let mut parts: Vec<Part> = Vec::new();
    while parts.len() < PICTURES {
        let part = viewer.next_live();
        // The agent sends the same picture again after a second without a new one.
        if parts.last().is_none_or(|last| last.sequence != part.sequence) {
            parts.push(part);
        }
    }
    let stamps: Vec<Stamp> = parts.iter().map(|part| burnt_in(&part.jpeg)).collect();
    let sequences: Vec<_> = parts.iter().filter_map(|part| part.sequence).collect();
    go_on(&stamps, &format!("JPEG {sequences:?}"));
    // A page draws its own mark over untouched video; a JPEG may be shown anywhere.
    let is_late = url.ends_with(".m3u8");
    assert!(parts.iter().all(|part| mark::is_marked(&part.jpeg) == is_late), "{url}: the mark that it is late");
    let camera = agent.camera("gate");
    assert_eq!((&camera["reconnects"], &camera["state"]), (&reconnects, &"live".into()), "{camera:#}");
}

/// Checks that each picture is newer than the one before it, and the last one not old.
fn go_on(stamps: &[Stamp], form: &str) {
    let frames: Vec<u32> = stamps.iter().map(|stamp| stamp.frame).collect();
    assert!(frames.windows(2).all(|pair| pair[0] < pair[1]), "{form}: {frames:?}");
    let age = unix_ms().saturating_sub(stamps[stamps.len() - 1].unix_ms);
    println!("{form}: {age} ms old");
    assert!(age < MAX_AGE, "{form}: {age} ms old");
}

#[test]
fn gstreamer_is_shown() {
    for codec in [Codec::H264, Codec::H265, Codec::Jpeg] {
        let word = if codec == Codec::Jpeg { "mjpeg" } else { codec.as_str() };
        let cameras = Cameras::start(&[&format!("{SOURCE} server=gstreamer codec={word}")]);
        is_shown(&cameras.stream("source"), codec);
    }
}

/// GStreamer's server takes tunnels at its port of RTSP, with TLS or without.
#[test]
fn gstreamer_is_shown_through_http_and_https() {
    let lines = "transport = \"http\"\nusername = \"viewer\"\npassword = \"geheim\"\n";
    for (tls, scheme) in [("", "rtsp://"), (" rtsps=0 onvif=0", "rtsps://")] {
        let camera = format!("{SOURCE} server=gstreamer tunnel=on user=viewer pass=geheim auth=digest{tls}");
        let cameras = Cameras::start(&[&camera]);
        let url = cameras.stream("source");
        assert!(url.starts_with(scheme), "{url}");
        is_shown_with(lines, &url, Codec::H264);
    }
}

/// VLC sends datagrams alone: it answers 461 to SETUP over TCP.
#[test]
fn vlc_is_shown() {
    let cameras = Cameras::start(&[SOURCE]);
    let mut processes = Processes(Vec::new());
    let home = Folder::new();
    fs::set_permissions(&home.0, fs::Permissions::from_mode(0o777)).unwrap();
    let port = free_port();
    let video = processes.feed(&cameras.stream("source"), &["-f", "mpegts", "-"]);
    // VLC refuses to run as root.
    let mut vlc = if Uid::effective().is_root() {
        let mut wrapped = Command::new("setpriv");
        wrapped.args(["--reuid=65534", "--regid=65534", "--clear-groups", "cvlc"]);
        wrapped
    } else {
        Command::new("cvlc")
    };
    vlc.args(["-q", "--no-audio", "--network-caching=100", "fd://0", "--sout"])
        .arg(format!("#rtp{{sdp=rtsp://127.0.0.1:{port}/stream}}"))
        .env("HOME", &home.0)
        .current_dir(&home.0);
    processes.start(vlc.stdin(video));
    wait_for_port(port);
    is_shown(&format!("rtsp://127.0.0.1:{port}/stream"), Codec::H264);
}

/// The package rtsp-rs of PyPI: datagrams alone, H.264 without parameter sets in its description.
#[test]
fn rtsp_rs_is_shown() {
    let cameras = Cameras::start(&[SOURCE]);
    let mut processes = Processes(Vec::new());
    let port = free_port();
    let delimited = ["-bsf:v", "h264_metadata=aud=insert", "-f", "h264", "-"];
    let video = processes.feed(&cameras.stream("source"), &delimited);
    processes.start(python("h264_server.py").args([&format!("127.0.0.1:{port}"), "25"]).stdin(video));
    wait_for_port(port);
    is_shown(&format!("rtsp://127.0.0.1:{port}/stream"), Codec::H264);
}

/// The package espp of PyPI, which is also the firmware of ESP32 cameras: JPEG, datagrams alone, no
/// reports.
#[test]
fn espp_is_shown() {
    let cameras = Cameras::start(&[&format!("{SOURCE} codec=mjpeg")]);
    let mut processes = Processes(Vec::new());
    let port = free_port();
    let video = processes.feed(&cameras.stream("source"), &["-f", "mjpeg", "-"]);
    processes.start(python("jpeg_server.py").args(["127.0.0.1", &port.to_string()]).stdin(video));
    wait_for_port(port);
    is_shown(&format!("rtsp://127.0.0.1:{port}/stream"), Codec::Jpeg);
}

/// The package rtsp-streaming-server of npm: what FFmpeg publishes, in datagrams alone.
#[test]
fn rtsp_streaming_server_is_shown() {
    let cameras = Cameras::start(&[SOURCE]);
    let mut processes = Processes(Vec::new());
    let (publish, port) = (free_port(), free_port());
    // Below the ports that the kernel chooses.
    let first_udp_port = 20_000 + std::process::id() % 200 * 50;
    let ports = [publish.to_string(), port.to_string(), first_udp_port.to_string()];
    processes.start(Command::new("node").arg(file("relay.mjs")).args(ports));
    wait_for_port(publish);
    wait_for_port(port);
    let url = format!("rtsp://127.0.0.1:{publish}/stream");
    processes.feed(&cameras.stream("source"), &["-f", "rtsp", "-rtsp_transport", "udp", &url]);
    is_shown(&format!("rtsp://127.0.0.1:{port}/stream"), Codec::H264);
}

/// What OpenCV reads: FFmpeg's server of RTMP, and of MPEG-TS over HTTP, which take one viewer each.
#[test]
fn rtmp_and_mpeg_ts_over_http_are_shown() {
    let cameras = Cameras::start(&[SOURCE]);
    for (lines, scheme, format) in [("", "rtmp", "flv"), ("reader = \"opencv\"\n", "http", "mpegts")] {
        let mut processes = Processes(Vec::new());
        let url = format!("{scheme}://127.0.0.1:{}/live/gate", free_port());
        processes.feed(&cameras.stream("source"), &["-f", format, "-listen", "1", &url]);
        is_shown_with(lines, &url, Codec::H264);
    }
}

/// FFmpeg's server of RTMP behind one of TLS, whose certificate it has made itself: OpenCV takes any, and the
/// configuration says so to who wants another.
#[test]
fn rtmps_is_shown_and_a_fingerprint_for_it_is_refused() {
    let cameras = Cameras::start(&[SOURCE]);
    let mut processes = Processes(Vec::new());
    let (folder, port, behind) = (Folder::new(), free_port(), free_port());
    key_pair(&folder.0, "wall");
    let front = ["wall.pem", "wall.key", &port.to_string(), &behind.to_string()];
    processes.start(python("tls_front.py").args(front).current_dir(&folder.0));
    processes.feed(
        &cameras.stream("source"),
        &["-f", "flv", "-listen", "1", &format!("rtmp://127.0.0.1:{behind}/live/gate")],
    );
    wait_for_port(port);
    let url = format!("rtmps://127.0.0.1:{port}/live/gate");
    is_shown(&url, Codec::H264);

    let key = format!("sha256:{}", "5f".repeat(32));
    let text = format!("[[camera]]\nid = \"gate\"\nurl = \"{url}\"\nfingerprint = \"{key}\"\n");
    let none = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
    let wrong = cctv_agent::config::parse(&text, Path::new("cameras.toml"), &none).unwrap_err();
    assert!(wrong.iter().any(|wrong| wrong.to_string().contains("which OpenCV reads: it takes any key")), "{wrong:?}");
}

/// FFmpeg writes the pieces, nginx serves them. The tile says that the picture is not of this moment, and one that
/// stops is not live.
#[test]
fn hls_is_shown_says_that_it_is_late_and_ends_when_no_piece_comes() {
    for codec in ["h264", "h265"] {
        let cameras = Cameras::start(&[&format!("{SOURCE} codec={codec}")]);
        let mut processes = Processes(Vec::new());
        let folder = Folder::new();
        let port = free_port();
        let configuration = format!(
            "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log error.log;\n\
             events {{}}\nhttp {{ access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f;\n\
             uwsgi_temp_path u; scgi_temp_path s; server {{ listen 127.0.0.1:{port}; root .; }} }}\n"
        );
        let configuration = folder.write("nginx.conf", &configuration);
        let mut nginx = Command::new("nginx");
        processes.start(nginx.arg("-p").arg(&folder.0).arg("-c").arg(configuration).stderr(Stdio::null()));
        let playlist = folder.0.join("gate.m3u8");
        let hls = ["-f", "hls", "-hls_time", "1", "-hls_list_size", "5", "-hls_flags", "delete_segments+temp_file"];
        processes.feed(&cameras.stream("source"), &[&hls[..], &[playlist.to_str().unwrap()]].concat());
        wait_for("the first pieces", || {
            (fs::read_to_string(&playlist).unwrap_or_default().matches("#EXTINF").count() >= 3).then_some(())
        });
        let url = format!("http://127.0.0.1:{port}/gate.m3u8");
        is_shown(&url, if codec == "h264" { Codec::H264 } else { Codec::H265 });

        let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\nurl = \"{url}\"\nstall_after = 4\n"));
        let camera = agent.wait_for_state("gate", "live");
        assert_eq!(camera["why"], "the stream comes in pieces (HLS): the picture is some seconds old", "{camera}");
        assert_eq!(camera["reason"][0]["code"], "in_pieces", "{camera}");
        let ffmpeg = processes.0.last_mut().unwrap();
        ffmpeg.kill().unwrap();
        wait_for("the tile to say that nothing comes", || {
            let camera = agent.camera("gate");
            (camera["state"] != "live" && camera["why"] != "").then_some(())
        });
        MotionJpeg::open(&agent.address, "/live/gate").next_card();

        let missing = format!("[[camera]]\nid = \"gate\"\nurl = \"http://127.0.0.1:{port}/missing.m3u8\"\n");
        Agent::start(&missing).wait_for_log(&["gate: ", "no such stream (404 Not Found); check profile or url"]);
    }
}

/// One that is there is tested by `scripts/device-test`, with a driver of the kernel.
#[test]
fn camera_at_this_machine_that_is_pulled_out_is_told() {
    let agent = Agent::start("[[camera]]\nid = \"usb\"\nurl = \"/dev/v4l/by-id/none-video-index0?fps=5\"\n");
    let camera = wait_for("the reason", || {
        let camera = agent.camera("usb");
        (camera["last_error"] != serde_json::Value::Null).then_some(camera)
    });
    let words = "/dev/v4l/by-id/none-video-index0 is not there; check the cable of the camera";
    assert!(camera["last_error"].as_str().unwrap().starts_with(words), "{camera:#}");
    assert_eq!((&camera["state"], &camera["address"]), (&"offline".into(), &serde_json::Value::Null), "{camera:#}");
}
