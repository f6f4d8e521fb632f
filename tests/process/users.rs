//! Users: who sees which cameras, logins, sessions, and what ends them. The other machines are behind a
//! trusted proxy, which these tests play.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use cctv_agent::account::{password_hash::PasswordHash, token_hash::TokenHash};
use nix::sys::signal::Signal;

use crate::support::{Agent, Answer, Cameras, Folder, MotionJpeg, PATIENCE, agent_program, own_address, wait_for};

const PASSWORD: &str = "correct horse";
const OTHER_PASSWORD: &str = "battery staple";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A configuration with this password of `guard`, who sees `cameras`.
fn configuration(agent_address: &str, folder: &Folder, password: &str, cameras: &str, rest: &str) -> String {
    let hash = PasswordHash::new(password).unwrap();
    let text = crate::support::configuration(agent_address, folder, "");
    format!(
        "{text}trusted_proxies = [\"127.0.0.1\"]\n\n[[user]]\nname = \"guard\"\npassword = '{}'\ncameras = {cameras}\n\n\
         [[user]]\nname = \"prometheus\"\ntoken = \"{}\"\nmay = [\"metrics\"]\ncameras = {cameras}\n\n{rest}",
        hash.as_str(),
        TokenHash::of(TOKEN),
    )
}

fn start(folder: Folder, password: &str, cameras: &str, rest: &str) -> Agent {
    let address = format!("{}:8080", own_address());
    folder.write("cameras.toml", &configuration(&address, &folder, password, cameras, rest));
    Agent::spawn(folder, address, Command::new(agent_program()))
}

fn reload(agent: &Agent, text: &str) {
    let before = agent.api()["reload"]["count"].as_u64().unwrap();
    agent.folder.write("cameras.toml", text);
    agent.signal(Signal::SIGHUP);
    wait_for("the reload", || (agent.api()["reload"]["count"].as_u64()? > before).then_some(()));
    assert_eq!(agent.api()["complaints"].as_array().unwrap().len(), 0, "{}", agent.api()["complaints"]);
}

/// Sends a request of the machine `from`, over https to its proxy, with these lines; returns the open
/// connection.
fn send(agent: &Agent, from: &str, method: &str, target: &str, lines: &[&str]) -> TcpStream {
    let mut stream = TcpStream::connect(&agent.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nHost: {}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: {from}\r\n{lines}\r\n",
        agent.address
    )
    .unwrap();
    stream
}

/// The response to such a request; of an endless one the head alone.
fn ask(agent: &Agent, from: &str, method: &str, target: &str, lines: &[&str]) -> Answer {
    let mut stream = send(agent, from, method, target, lines);
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer { status, head, body: Vec::new() };
    if let Some(length) = answer.header("content-length") {
        answer.body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut answer.body).unwrap();
    }
    answer
}

fn basic(password: &str) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    format!("Authorization: Basic {}", BASE64_STANDARD.encode(format!("guard:{password}")))
}

/// The line with the cookie of a new session of `guard`.
fn log_in(agent: &Agent, password: &str) -> String {
    let answer = ask(agent, "10.0.0.5", "POST", "/login", &[&basic(password)]);
    assert_eq!(answer.status, 200, "{}", answer.head);
    let cookie = answer.header("set-cookie").unwrap();
    format!("Cookie: {}", cookie.split(';').next().unwrap())
}

fn status(agent: &Agent, line: &str) -> u16 {
    ask(agent, "10.0.0.5", "GET", "/api/cameras", &[line]).status
}

#[test]
fn guard_sees_two_of_four_cameras_and_no_trace_of_the_others() {
    let cameras =
        Cameras::start(&["id=gate size=320x180 fps=10 small=none", "id=vault size=320x180 fps=10 small=none"]);
    let nobody = own_address();
    let rest = format!(
        "[[camera]]\nid = \"gate\"\n{}\n[[camera]]\nid = \"vault\"\n{}\n[[camera]]\nid = \"yard\"\nip = \"{nobody}\"\n\
         [[camera]]\nid = \"safe\"\nip = \"{nobody}\"\n[wall]\ncameras = [\"gate\", \"vault\", \"safe\"]\n\
         [wall.rear]\ncameras = [\"safe\"]\n",
        cameras.place("gate"),
        cameras.place("vault"),
    );
    let agent = start(Folder::new(), PASSWORD, "[\"gate\", \"yard\"]", &rest);
    agent.wait_for_state("gate", "live");
    agent.wait_for_state("vault", "live");
    agent.wait_for_state("yard", "offline");
    let guard = basic(PASSWORD);
    let get = |target: &str| ask(&agent, "10.0.0.5", "GET", target, &[&guard]);

    let api = get("/api/cameras");
    let ids: Vec<_> = api.json()["cameras"].as_array().unwrap().iter().map(|camera| camera["id"].clone()).collect();
    assert_eq!(ids, ["gate", "yard"]);
    let text = String::from_utf8(api.body).unwrap();
    for hidden in ["vault", "safe", "rear", &nobody.to_string()] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    let token = format!("Authorization: Bearer {TOKEN}");
    let metrics = ask(&agent, "10.0.0.9", "GET", "/metrics", &[&token]);
    let text = String::from_utf8(metrics.body).unwrap();
    assert!(metrics.status == 200 && text.contains("cctv_camera_up{camera=\"gate\"} 1"), "{text}");
    assert!(!text.contains("vault") && !text.contains("safe"), "{text}");
    assert_eq!(get("/metrics").status, 403);
    assert_eq!(get("/status.html").status, 403);

    let upgrade = [
        guard.as_str(),
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ];
    for (camera, snapshot, live, old) in
        [("gate", 200, 200, 101), ("yard", 503, 200, 101), ("vault", 404, 404, 404), ("absent", 404, 404, 404)]
    {
        let seen = [
            get(&format!("/snapshot/{camera}")).status,
            get(&format!("/live/{camera}")).status,
            ask(&agent, "10.0.0.5", "GET", &format!("/ws/{camera}"), &upgrade).status,
        ];
        assert_eq!(seen, [snapshot, live, old], "{camera}");
    }
    assert_eq!(get("/snapshot/vault").body, get("/snapshot/absent").body);

    // A stranger, and the machine itself.
    let stranger = |target: &str| ask(&agent, "10.0.0.6", "GET", target, &[]);
    for target in ["/api/cameras", "/metrics", "/live/gate", "/snapshot/gate", "/live/absent"] {
        assert_eq!(stranger(target).status, 401, "{target}");
    }
    assert_eq!(stranger("/healthz").json(), serde_json::json!({ "ok": true }));
    let front = stranger("/?wall=hall");
    assert_eq!((front.status, front.header("location")), (303, Some("login?to=%3Fwall%3Dhall")));
    assert_eq!(stranger("/login").status, 200);
    assert_eq!(stranger("/js/login.js").status, 200);
    assert_eq!(agent.api()["cameras"].as_array().unwrap().len(), 4);

    // curl over TLS, as scripts do.
    let user = format!("guard:{PASSWORD}");
    let url = format!("https://{}/snapshot/", agent.address);
    for (camera, expected) in [("gate", "200"), ("vault", "404")] {
        let output = Command::new("curl")
            .args(["--silent", "--insecure", "--output", "/dev/null", "--write-out", "%{http_code}", "--user", &user])
            .arg(format!("{url}{camera}"))
            .output()
            .expect("curl is needed (scripts/packages)");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{camera}");
    }
}

#[test]
fn wrong_passwords_make_their_address_wait_and_no_other() {
    let cameras = Cameras::start(&["id=gate size=320x180 fps=10 small=none"]);
    let rest = format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate"));
    let agent = start(Folder::new(), PASSWORD, "[\"gate\"]", &rest);
    agent.wait_for_state("gate", "live");
    let mut wall = MotionJpeg::open(&agent.address, "/live/gate");
    wall.next_live();
    let wrong = basic("wrong password");
    let mut seen = Vec::new();
    for _ in 0..40 {
        let answer = ask(&agent, "10.0.0.7", "GET", "/api/cameras", &[&wrong]);
        seen.push(answer.status);
        if answer.status == 429 {
            assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1, "{}", answer.head);
        }
        assert_eq!(wall.next().state, "live", "the wall goes on");
    }
    assert!(seen[..5].iter().all(|status| *status == 401), "{seen:?}");
    assert!(seen.iter().filter(|status| **status == 429).count() >= 30, "{seen:?}");
    wait_for("another address to log in", || (status(&agent, &basic(PASSWORD)) == 200).then_some(()));
    // This machine itself never waits.
    for _ in 0..10 {
        assert_eq!(agent.get("/api/cameras").unwrap().status, 200);
    }
    let text = String::from_utf8(agent.get("/metrics").unwrap().body).unwrap();
    let locked_out = text.lines().find(|line| line.starts_with("cctv_logins_total{outcome=\"locked_out\"}")).unwrap();
    assert!(locked_out.rsplit(' ').next().unwrap().parse::<f64>().unwrap() >= 30.0, "{locked_out}");
    wall.next_live();
}

/// Nothing of a Motion JPEG stream came from the camera later than 2 s after `in_force`.
fn assert_ended_in_time(stream: &[u8], in_force: SystemTime) {
    let text = String::from_utf8_lossy(stream);
    let (_, last) = text.rsplit_once("X-Timestamp: ").unwrap();
    let last: f64 = last.split("\r\n").next().unwrap().parse().unwrap();
    let in_force = in_force.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    assert!(last < in_force + 2.0, "a frame of {:.3} s after the reload", last - in_force);
}

#[test]
fn session_survives_a_kill_and_ends_by_logout_or_another_password() {
    let cameras = Cameras::start(&["id=gate size=320x180 fps=10 small=none"]);
    let rest = format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate"));
    let mut agent = start(Folder::new(), PASSWORD, "[\"gate\"]", &rest);
    agent.wait_for_state("gate", "live");
    let answer = ask(&agent, "10.0.0.5", "POST", "/login", &[&basic(PASSWORD)]);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-cctv="), "{cookie}");
    assert!(cookie.contains("; Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age="), "{cookie}");
    let (kept, left) = (log_in(&agent, PASSWORD), log_in(&agent, PASSWORD));
    assert_eq!((status(&agent, &kept), status(&agent, &left)), (200, 200));
    assert_eq!(ask(&agent, "10.0.0.5", "POST", "/logout", &[&left]).status, 200);
    assert_eq!((status(&agent, &kept), status(&agent, &left)), (200, 401));

    // The address and the folder stay; the process does not.
    agent.signal(Signal::SIGKILL);
    agent.exit();
    let agent = agent.again();
    agent.wait_for_state("gate", "live");
    assert_eq!((status(&agent, &kept), status(&agent, &left)), (200, 401), "{}", agent.log_text());

    // A stream of the session ends with another password, and so does the session.
    let lines = [kept.as_str()];
    let watch = |agent: &Agent| {
        let mut stream = send(agent, "10.0.0.5", "GET", "/live/gate", &lines);
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        stream
    };
    let mut stream = watch(&agent);
    let with = |password: &str, seen: &str| configuration(&agent.address, &agent.folder, password, seen, &rest);
    reload(&agent, &with(OTHER_PASSWORD, "[\"gate\"]"));
    let in_force = SystemTime::now();
    let mut until_end = Vec::new();
    stream.read_to_end(&mut until_end).unwrap();
    assert!(until_end.ends_with(b"--\r\n"), "the last part and its end");
    assert_ended_in_time(&until_end, in_force);
    assert_eq!(status(&agent, &kept), 401);

    let other = log_in(&agent, OTHER_PASSWORD);
    assert_eq!(status(&agent, &other), 200);
    let mut stream = send(&agent, "10.0.0.5", "GET", "/live/gate", &[&other]);
    let without = with(OTHER_PASSWORD, "[\"gate\"]").replace("name = \"guard\"", "name = \"ward\"");
    reload(&agent, &without);
    let in_force = SystemTime::now();
    until_end.clear();
    stream.read_to_end(&mut until_end).unwrap();
    assert_ended_in_time(&until_end, in_force);
    assert_eq!(status(&agent, &other), 401, "the user is gone");
}
