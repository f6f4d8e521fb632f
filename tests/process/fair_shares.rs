//! One address that takes whatever it can get, beside another one and this machine's own screen.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::mpsc,
    time::Duration,
};

use crate::support::{Agent, Cameras, MotionJpeg, PATIENCE, Part, wait_for};

/// Slow enough that even a busy machine makes each picture in time.
const CAMERA: &str = "id=gate size=320x180 fps=2 small=none";

const GREEDY: &str = "192.0.2.1";
const MODEST: &str = "192.0.2.2";

/// A request that a trusted proxy passes on for the visitor at `from`.
fn request(agent: &Agent, from: &str, target: &str) -> String {
    let host = &agent.address;
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {from}\r\nX-Forwarded-Proto: https\r\n\
         Connection: close\r\n\r\n"
    )
}

/// A connection over which the visitor at `from` has asked for `target`.
fn connection(agent: &Agent, from: &str, target: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&agent.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request(agent, from, target).as_bytes()).unwrap();
    stream
}

/// The status of the response, without reading on.
fn status(stream: &mut TcpStream) -> u16 {
    let mut begin = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut begin).unwrap();
    std::str::from_utf8(&begin).unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

/// A viewer at `from` that was admitted and reads no further.
fn seat(agent: &Agent, from: &str, target: &str) -> TcpStream {
    let mut stream = connection(agent, from, target);
    assert_eq!(status(&mut stream), 200, "{from} {target}");
    stream
}

/// The key in `[limits]` for which the visitor at `from` is refused.
fn refusal(agent: &Agent, from: &str, target: &str) -> String {
    let mut text = String::new();
    connection(agent, from, target).read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    body["limit"]["setting"].as_str().unwrap().to_owned()
}

/// Reads one byte a second from each stream until the value is dropped.
struct Sips(Option<mpsc::Sender<()>>, Option<std::thread::JoinHandle<()>>);

impl Sips {
    fn begin(mut streams: Vec<TcpStream>) -> Self {
        let (stop, stopped) = mpsc::channel();
        let sipping = std::thread::Builder::new().name("sips".into()).spawn(move || {
            streams.iter().for_each(|stream| stream.set_nonblocking(true).unwrap());
            while let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(Duration::from_secs(1)) {
                for stream in &mut streams {
                    match stream.read(&mut [0]) {
                        Ok(count) => assert_eq!(count, 1, "the greedy one is refused more, but not cut off"),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                    }
                }
            }
        });
        Self(Some(stop), Some(sipping.unwrap()))
    }
}

impl Drop for Sips {
    fn drop(&mut self) {
        drop(self.0.take());
        self.1.take().unwrap().join().unwrap();
    }
}

/// The sequence number of the last of `count` further live pictures, none of which is older than the
/// one before, with no card between them.
fn watched(viewer: &mpsc::Receiver<Part>, after: u32, count: u32) -> u32 {
    let mut newest = after;
    for _ in 0..count {
        newest = wait_for("a newer picture", || {
            let part = viewer.recv_timeout(PATIENCE).expect("the viewer was cut off");
            let sequence = part.sequence.expect("a card instead of a picture");
            assert!(sequence >= newest, "{sequence} after {newest}");
            (sequence > newest).then_some(sequence)
        });
    }
    newest
}

#[test]
fn greedy_address_has_its_share_and_others_see_fresh_pictures_all_the_time() {
    let cameras = Cameras::start(&[CAMERA]);
    let place = cameras.place("gate");
    let agent = Agent::start(&format!(
        "trusted_proxies = [\"127.0.0.1\"]\nwithout_login = \"everybody\"\n[limits]\nviewers = 20\n\
         [[camera]]\nid = \"gate\"\n{place}\n"
    ));
    agent.wait_for_state("gate", "live");
    let modest = TcpStream::connect(&agent.address).unwrap();
    let mut modest = MotionJpeg::requested(modest, &request(&agent, MODEST, "/live/gate?q=60"));
    let mut own = MotionJpeg::open(&agent.address, "/live/gate?q=70");
    let (seen_by_modest, seen_by_own) = (modest.next_live().sequence.unwrap(), own.next_live().sequence.unwrap());
    let (modest, own) = (modest.in_background(), own.in_background());

    // Sizes and qualities: four of its own, and any that others watch.
    let mut seats: Vec<_> = (1..=4).map(|q| seat(&agent, GREEDY, &format!("/live/gate?q={q}"))).collect();
    for target in ["/live/gate?q=5", "/live/gate?size=160x90", "/snapshot/gate?q=5"] {
        assert_eq!(refusal(&agent, GREEDY, target), "renditions_per_address", "{target}");
    }
    seats.extend([1, 4, 60, 70].map(|q| seat(&agent, GREEDY, &format!("/live/gate?q={q}"))));
    // Places.
    seats.extend((8..16).map(|_| seat(&agent, GREEDY, "/live/gate?q=1")));
    for target in ["/live/gate?q=1", "/snapshot/gate?q=1"] {
        assert_eq!(refusal(&agent, GREEDY, target), "viewers_per_address", "{target}");
    }
    let sips = Sips::begin(seats);
    let seen_by_modest = watched(&modest, seen_by_modest, 6);
    let seen_by_own = watched(&own, seen_by_own, 6);
    let gate = agent.camera("gate");
    assert_eq!((gate["renditions"].as_array().unwrap().len(), &gate["refused"]), (6, &3.into()), "{gate}");
    // Others are let in, and have sizes of their own.
    let mut another = MotionJpeg::requested(
        TcpStream::connect(&agent.address).unwrap(),
        &request(&agent, "192.0.2.3", "/live/gate?size=160x90"),
    );
    another.next_live();
    MotionJpeg::open(&agent.address, "/live/gate?q=71").next_live();
    assert_eq!(agent.get("/snapshot/gate?q=72").unwrap().status, 200);
    let metrics = String::from_utf8(agent.get("/metrics").unwrap().body).unwrap();
    assert!(metrics.contains("cctv_refused_total{limit=\"viewers_per_address\"} 2\n"), "{metrics}");
    agent.wait_for_log(&["refused a client", GREEDY, "`viewers_per_address` below [limits]"]);
    watched(&modest, seen_by_modest, 2);
    watched(&own, seen_by_own, 2);

    drop(sips);
    wait_for("the address to be let in again", || {
        (status(&mut connection(&agent, GREEDY, "/snapshot/gate?q=5")) == 200).then_some(())
    });
}
