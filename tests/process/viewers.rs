//! One viewer stops reading; the other viewers are not affected.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::support::{Agent, Cameras, MotionJpeg, wait_for};

/// Resident memory of the agent in bytes.
fn memory(agent: &Agent) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{}/statm", agent.pid())).unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn viewer_that_stops_reading_changes_nobody_elses_rate_nor_the_memory() {
    let cameras = Cameras::start(&["id=gate size=1280x720 small=none"]);
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate")));
    agent.wait_for_state("gate", "live");
    let mut healthy = MotionJpeg::open(&agent.address, "/live/gate");
    let mut frames = |count: u32| {
        let mut seen = Vec::new();
        while seen.len() < count as usize {
            seen.extend(healthy.next().sequence);
        }
        let span = seen[seen.len() - 1] - seen[0];
        f64::from(count) / f64::from(span + 1)
    };
    frames(25);
    let alone = frames(100);
    let mut sleepers = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(&agent.address).unwrap();
        write!(stream, "GET /live/gate HTTP/1.1\r\nHost: {}\r\n\r\n", agent.address).unwrap();
        let mut first = [0; 16];
        stream.read_exact(&mut first).unwrap();
        sleepers.push(stream);
    }
    wait_for("nine viewers", || (agent.camera("gate")["viewers"] == 9).then_some(()));
    frames(100); // Fills the sleepers' sockets.
    let before = memory(&agent);
    let beside_sleepers = frames(150);
    let after = memory(&agent);
    // The share of the camera's frames that arrived: load on the machine affects both alike.
    assert!(beside_sleepers > alone - 0.2, "{beside_sleepers:.2} of the frames beside sleepers, {alone:.2} alone");
    let growth = after.saturating_sub(before);
    assert!(growth < 8 << 20, "memory grew by {growth} bytes");
}

#[test]
fn sleeping_viewer_is_sent_away_in_the_end() {
    let cameras = Cameras::start(&["id=gate size=1280x720 small=none"]);
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate")));
    agent.wait_for_state("gate", "live");
    let mut sleeper = TcpStream::connect(&agent.address).unwrap();
    write!(sleeper, "GET /live/gate HTTP/1.1\r\nHost: {}\r\n\r\n", agent.address).unwrap();
    wait_for("the viewer", || (agent.camera("gate")["viewers"] == 1).then_some(()));
    let start = Instant::now();
    wait_for("the sleeper to be gone", || (agent.camera("gate")["viewers"] == 0).then_some(()));
    assert!(start.elapsed() > Duration::from_secs(1), "a slow viewer gets some patience");
}
