//! Cameras are heard: only while somebody listens, without touching the picture, and never by those who may not.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use cctv_agent::account::token_hash::TokenHash;
use serde_json::{Value, json};

use crate::support::{Agent, Cameras, Folder, PATIENCE, agent_program, http, http_with, own_address, wait_for};

const SMALL: &str = "size=320x180 fps=10 small=none onvif=0 rtsp=0";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A beep is heard within this time of the second of the camera's clock, as a median.
const HEARD_WITHIN_MS: i64 = 300;
const BEEPS: usize = 5;

/// A client of `/api/cameras/ID/sound`.
struct Ear {
    reader: BufReader<TcpStream>,
    format: Value,
}

/// A unit: the agent's time in microseconds, and the samples as 16 bits.
struct Heard {
    taken: u64,
    samples: Vec<i32>,
}

impl Ear {
    fn open(agent: &Agent, id: &str) -> Self {
        let mut stream = TcpStream::connect(&agent.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /api/cameras/{id}/sound HTTP/1.1\r\nHost: {}\r\n\r\n", agent.address).unwrap();
        let mut reader = BufReader::new(stream);
        let (mut status, mut format) = (String::new(), Value::Null);
        reader.read_line(&mut status).unwrap();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some(("X-Audio", told)) => format = serde_json::from_str(told).unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        assert!(status.contains(" 200 "), "{status}");
        Self { reader, format }
    }

    /// The next unit; `None`: the agent has ended the answer.
    fn next(&mut self) -> Option<Heard> {
        let mut length = [0; 4];
        self.reader.read_exact(&mut length).ok()?;
        let mut frame = vec![0; u32::from_le_bytes(length) as usize];
        self.reader.read_exact(&mut frame).ok()?;
        assert_eq!((frame[0], frame[1]), (1, 16), "version and format");
        let taken = u64::from_le_bytes(frame[8..16].try_into().unwrap());
        Some(Heard { taken, samples: frame[16..].iter().map(|code| decode(*code)).collect() })
    }

    /// Reads to the end of the answer.
    fn rest(&mut self) {
        while self.next().is_some() {}
    }
}

/// µ-law as G.711 says.
fn decode(code: u8) -> i32 {
    let code = !code;
    let size = (((i32::from(code & 0x0f) << 3) + 0x84) << (code >> 4 & 7)) - 0x84;
    if code & 0x80 == 0 { size } else { -size }
}

/// How long after a second of the clock, in milliseconds, each of some beeps begins.
fn beeps(ear: &mut Ear) -> Vec<i64> {
    let (mut found, mut was_quiet) = (Vec::new(), false);
    while found.len() < BEEPS {
        let Heard { taken, samples } = ear.next().expect("sound");
        for (n, sample) in samples.iter().enumerate() {
            if sample.abs() > 2000 {
                if was_quiet {
                    // The unit came when its last sample had been taken.
                    let at = taken as i64 - (samples.len() - n) as i64 * 125;
                    let after = at.rem_euclid(1_000_000) / 1000;
                    found.push(if after > 500 { after - 1000 } else { after });
                }
                was_quiet = false;
            }
        }
        // A beep lasts longer than a packet, and between two of them is silence.
        was_quiet |= samples.iter().all(|sample| sample.abs() < 500);
    }
    found
}

fn section(cameras: &Cameras, id: &str, keys: &str) -> String {
    format!("[[camera]]\nid = \"{id}\"\n{}{keys}\n", cameras.place(id))
}

fn number(facts: &Value, pointer: &str) -> u64 {
    facts.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {pointer} in {facts:#}"))
}

#[test]
fn camera_is_heard_while_somebody_listens_and_its_picture_goes_on() {
    let cameras = Cameras::start(&[
        &format!("id=hall user=viewer pass=right audio=pcmu {SMALL}"),
        &format!("id=mute {SMALL}"),
        &format!("id=private audio=pcmu {SMALL}"),
    ]);
    let hall = section(&cameras, "hall", "username = \"viewer\"\npassword = \"right\"\nsound = true");
    let others = section(&cameras, "mute", "sound = true") + &section(&cameras, "private", "");
    let agent = Agent::start(&(hall + &others));
    for id in ["hall", "mute", "private"] {
        agent.wait_for_state(id, "live");
    }
    let told = |id: &str| ["sound", "may_listen"].map(|key| agent.camera(id)[key].clone());
    assert_eq!((told("hall"), told("private")), ([json!(true), json!(true)], [json!(false), json!(false)]));
    let quiet = cameras.facts("hall");
    assert_eq!(number(&quiet, "/sounds_opened"), 0, "nobody has listened");
    let (opened, reconnects) = (number(&quiet, "/sessions_opened"), agent.camera("hall")["reconnects"].clone());

    let mut first = Ear::open(&agent, "hall");
    assert_eq!((&first.format["format"], &first.format["sample_rate"]), (&json!("pcmu"), &json!(8000)));
    let mut second = Ear::open(&agent, "hall");
    let mut late = beeps(&mut first);
    late.sort_unstable();
    eprintln!("beeps come {late:?} ms after the second");
    assert!(late[late.len() / 2].abs() <= HEARD_WITHIN_MS, "{late:?} ms");
    assert!(!second.next().unwrap().samples.is_empty());
    let heard = cameras.facts("hall");
    assert_eq!(number(&heard, "/sounds_opened"), 1, "two who listen share a session");
    assert_eq!(number(&heard, "/sessions_opened"), opened + 1);

    drop(first);
    drop(second);
    wait_for("the session of the sound to end", || (cameras.facts("hall")["teardowns"] == 1).then_some(()));
    let after = cameras.facts("hall");
    assert_eq!((number(&after, "/sessions_opened"), number(&after, "/sounds_opened")), (opened + 1, 1));
    let camera = agent.camera("hall");
    assert_eq!((&camera["state"], &camera["reconnects"]), (&json!("live"), &reconnects), "the picture went on");

    let refused = agent.get("/api/cameras/mute/sound").unwrap();
    assert_eq!((refused.status, &refused.json()["reason"][0]["code"]), (502, &json!("no_sound")));
    assert_eq!(agent.get("/api/cameras/private/sound").unwrap().status, 409);
    assert_eq!(agent.get("/api/cameras/nobody/sound").unwrap().status, 404);
    assert_eq!(http("POST", &agent.address, "/api/cameras/hall/sound").unwrap().status, 405);
}

#[test]
fn sound_comes_again_after_a_loss_and_ends_when_it_may_no_longer_be_heard() {
    let cameras = Cameras::start(&[&format!("id=hall audio=pcmu {SMALL}")]);
    let (folder, address) = (Folder::new(), format!("{}:8080", own_address()));
    let text = |sound: bool| {
        let camera = section(&cameras, "hall", &format!("sound = {sound}"));
        let user = format!("[[user]]\nname = \"screen\"\ntoken = \"{}\"\n", TokenHash::of(TOKEN));
        format!("{}\n{user}\n{camera}", crate::support::configuration(&address, &folder, ""))
    };
    folder.write("cameras.toml", &text(true));
    let reloaded = text(false);
    let agent = Agent::spawn(folder, address.clone(), Command::new(agent_program()));
    agent.wait_for_state("hall", "live");
    let login = format!("Authorization: Bearer {TOKEN}");
    let stranger = http_with("GET", &address, "/api/cameras/hall/sound", &[&login]).unwrap();
    assert!(stranger.status == 403 && stranger.json()["error"].as_str().unwrap().contains("listen"));

    let mut ear = Ear::open(&agent, "hall");
    assert!(ear.next().is_some());
    cameras.fault("hall", "drop");
    wait_for("a new session of sound", || (cameras.facts("hall")["sounds_opened"] == 2).then_some(()));
    let deadline = Instant::now() + PATIENCE;
    let now = crate::support::unix_ms();
    while ear.next().expect("the answer goes on").taken / 1000 < now {
        assert!(Instant::now() < deadline, "no sound again");
    }

    agent.folder.write("cameras.toml", &reloaded);
    let (done, ended) = std::sync::mpsc::channel();
    let listens = thread::spawn(move || {
        ear.rest();
        let _ = done.send(Instant::now());
    });
    let told = Instant::now();
    agent.signal(nix::sys::signal::Signal::SIGHUP);
    let ended = ended.recv_timeout(PATIENCE).expect("the answer ends");
    listens.join().unwrap();
    eprintln!("the answer ended {:?} after the reload", ended - told);
    assert!(ended - told < Duration::from_secs(20));
    wait_for("it to be told", || (agent.get("/api/cameras/hall/sound")?.status == 409).then_some(()));
}
