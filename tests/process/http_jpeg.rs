//! Motion JPEG over HTTP, from a server that others wrote.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use crate::support::{Agent, MotionJpeg, jpeg_size, wait_for};

/// FFmpeg as a camera of one viewer, which ends with this value.
struct Ffmpeg(Child);

impl Ffmpeg {
    fn start(port: u16) -> Self {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=10", "-c:v", "mjpeg"]);
        command.args(["-f", "mpjpeg", "-listen", "1", &format!("http://127.0.0.1:{port}/video")]);
        Self(command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| panic!("{error}; scripts/test installs it")))
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn motion_jpeg_of_ffmpeg_is_shown_untouched_and_its_end_is_told() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let camera = Ffmpeg::start(port);
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\nurl = \"http://127.0.0.1:{port}/video\"\n"));
    // FFmpeg may listen only after the first attempt.
    agent.wait_for_state("gate", "live");
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    let part = viewer.next_live();
    assert_eq!(jpeg_size(&part.jpeg), (320, 240));
    assert!(viewer.next_live().sequence > part.sequence);
    drop(camera);
    viewer.next_card();
    let why = wait_for("the reason", || {
        let camera = agent.camera("gate");
        let why = camera["why"].as_str()?.to_owned();
        (camera["state"] == "offline").then_some(why)
    });
    assert!(why.contains("the stream ended: ") || why.contains("connection refused"), "{why}");
    let _again = Ffmpeg::start(port);
    agent.wait_for_state("gate", "live");
}
