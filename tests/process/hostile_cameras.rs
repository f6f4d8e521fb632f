//! Scenario: a hostile camera, or another device in its place, gets neither the login nor anything
//! else that is not its own.
//!
//! ONVIF is plain HTTP: any response may come from an attacker on the path.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use crate::support::onvif_camera::{Answer, Camera, Request, ordinary};
use crate::support::{Agent, Cameras, Folder, PATIENCE, agent_program, own_address, wait_for};
use serde_json::{Value, json};

const LOGIN: &str = "username = \"viewer\"\npassword = \"s3cret-word\"\n";
const UUID: &str = "urn:uuid:5f5a69c2-e0ae-504f-829b-000000000064";

/// An RTSP server that asks for the login in clear text and records every request.
struct Listener {
    address: SocketAddr,
    heard: Arc<Mutex<String>>,
}

impl Listener {
    fn start(ip: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&heard);
        // The thread ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                thread::spawn(move || Self::answer(stream, &kept));
            }
        });
        Self { address, heard }
    }

    fn answer(mut stream: TcpStream, heard: &Mutex<String>) -> Option<()> {
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let (mut text, mut buffer) = (String::new(), [0; 4096]);
        loop {
            let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
            let piece = String::from_utf8_lossy(&buffer[..count]).into_owned();
            heard.lock().unwrap().push_str(&piece);
            text.push_str(&piece);
            while let Some((request, rest)) = text.split_once("\r\n\r\n").map(|(a, b)| (a.to_owned(), b.to_owned())) {
                let number = request.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or("1");
                let answer = if request.starts_with("OPTIONS") {
                    format!("RTSP/1.0 200 OK\r\nCSeq: {number}\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY\r\n\r\n")
                } else {
                    let ask = "WWW-Authenticate: Basic realm=\"camera\"";
                    format!("RTSP/1.0 401 Unauthorized\r\nCSeq: {number}\r\n{ask}\r\n\r\n")
                };
                stream.write_all(answer.as_bytes()).ok()?;
                text = rest;
            }
        }
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }

    fn assert_no_login(&self) {
        let heard = self.heard();
        let bare = !heard.contains("Authorization") && !heard.contains("viewer") && !heard.contains("s3cret");
        assert!(bare, "it was sent the login:\n{heard}");
    }
}

/// A camera at an address of its own.
fn listen(answer: impl Fn(&Request) -> Answer + Send + 'static) -> Camera {
    Camera::listen(TcpListener::bind((own_address(), 0)).unwrap(), answer)
}

/// The camera's lines in `cameras.toml`.
fn entry(id: &str, camera: &Camera, more: &str) -> String {
    let target = camera.target();
    format!("[[camera]]\nid = \"{id}\"\nip = \"{}\"\nonvif_port = {}\n{more}\n", target.host, target.port)
}

/// A camera that says its streams are at `uri`.
fn naming(uri: String) -> Camera {
    listen(move |request| match request.name() {
        "GetStreamUri" => Answer::soap(&format!("<R><Uri>{uri}</Uri></R>")),
        _ => ordinary(request, 0),
    })
}

fn is_identity_question(request: &Request) -> bool {
    matches!(request.name(), "GetEndpointReference" | "GetDeviceInformation" | "GetNetworkInterfaces")
}

/// Answers identity requests with `identity` and requires a login for all others.
fn closed(request: &Request, identity: impl Fn(&Request) -> Answer) -> Answer {
    match request.name() {
        _ if is_identity_question(request) => identity(request),
        "GetSystemDateAndTime" | "GetServices" | "GetCapabilities" => ordinary(request, 0),
        _ => Answer::http(401, "WWW-Authenticate: Digest realm=\"the realm\", nonce=\"n1\", qop=\"auth\"\r\n", ""),
    }
}

/// A state directory with the stored record of camera `id` at `camera`, whose stream was at `uri`.
fn learnt(id: &str, host: &str, port: u16, identity: &Value, uri: &str) -> Folder {
    let folder = Folder::new();
    let entry = json!({
        "maker": "cctv-agent", "format": 1, "camera": id,
        "basis": { "host": host, "port": port, "profile": null, "uuid": null },
        "identity": identity, "address": { "host": host, "port": port }, "authentication": null,
        "stream": { "uri": uri, "profile": "000" }, "when": 1,
    });
    folder.write(&format!("{id}.json"), &entry.to_string());
    folder
}

fn last_error(agent: &Agent, id: &str, part: &str) -> String {
    wait_for(&format!("{id}: {part}"), || {
        agent.camera(id)["last_error"].as_str().filter(|error| error.contains(part)).map(str::to_owned)
    })
}

#[test]
fn login_is_sent_to_no_other_host_that_the_camera_names() {
    let stranger = Listener::start(own_address());
    let (one, two) =
        (naming(format!("rtsp://{}/x", stranger.address)), naming(format!("rtsp://{}/y", stranger.address)));
    let small = "profile = \"0 & main\"\nsmall_profile = \"000\"\n";
    let agent = Agent::start(&(entry("one", &one, LOGIN) + &entry("two", &two, &format!("{LOGIN}{small}"))));
    for (id, path) in [("one", "/x"), ("two", "/y")] {
        wait_for("a request for the stream", || stranger.heard().contains(path).then_some(()));
        wait_for("its end", || agent.camera(id)["last_error"].as_str().map(str::to_owned));
        stranger.assert_no_login();
        // The refusal does not concern the login, so the login is not wrong and no 30-minute pause
        // applies.
        let camera = agent.wait_for_state(id, "offline");
        let error = last_error(&agent, id, "stream_host");
        assert!(error.contains(&stranger.address.ip().to_string()), "{error}");
        assert_eq!(camera["failures"]["denied"], Value::Null, "{camera}");
    }
    stranger.assert_no_login();
}

#[test]
fn remembered_stream_on_another_host_is_opened_without_the_login() {
    let stranger = Listener::start(own_address());
    let host = own_address().to_string();
    // Nothing listens for ONVIF there.
    let state = learnt(
        "gate",
        &host,
        8000,
        &json!({ "endpoint": null, "serial": "1", "mac": null }),
        &format!("rtsp://{}/x", stranger.address),
    );
    let configuration = format!("[[camera]]\nid = \"gate\"\nip = \"{host}\"\nonvif_port = 8000\n{LOGIN}");
    let agent = Agent::start_with_state(&configuration, &state.0);
    wait_for("a request for the stream", || stranger.heard().contains("DESCRIBE").then_some(()));
    wait_for("its end", || agent.camera("gate")["last_error"].as_str().map(str::to_owned));
    stranger.assert_no_login();
}

#[test]
fn login_is_sent_to_the_host_that_stream_host_names() {
    let recorder = Cameras::start(&["id=gate size=320x184 small=none user=viewer pass=s3cret-word auth=digest"]);
    let uri = recorder.stream("gate");
    let host = uri.split(['/', ':']).nth(3).unwrap();
    let camera = naming(uri.clone());
    let agent = Agent::start(&entry("gate", &camera, &format!("{LOGIN}stream_host = \"{host}\"\n")));
    agent.wait_for_state("gate", "live");
    assert_eq!(recorder.facts("gate")["failed_logins"], 0);
}

#[test]
fn login_that_the_camera_itself_writes_into_the_address_goes_where_it_says() {
    let recorder = Cameras::start(&["id=gate size=320x184 small=none user=own pass=word auth=digest"]);
    let uri = recorder.stream("gate").replace("rtsp://", "rtsp://own:word@");
    let camera = naming(uri);
    let agent = Agent::start(&entry("gate", &camera, LOGIN));
    agent.wait_for_state("gate", "live");
    assert_eq!(recorder.facts("gate")["failed_logins"], 0, "and ours does not");
}

#[test]
fn stranger_that_answers_nonsense_where_the_camera_was_is_sent_no_login() {
    for identity in [
        json!({ "endpoint": null, "serial": "77", "mac": null }),
        json!({ "endpoint": UUID, "serial": null, "mac": null }),
    ] {
        for nonsense in [
            || Answer::http(404, "", "<html>no</html>"),
            || Answer::http(200, "", "lollipop"),
            || Answer::http(302, "Location: http://192.0.2.1/\r\n", ""),
        ] {
            let stranger = listen(move |request| closed(request, |_| nonsense()));
            let target = stranger.target();
            let rtsp = Listener::start(target.host.parse().unwrap());
            let state = learnt("gate", &target.host, target.port, &identity, &format!("rtsp://{}/x", rtsp.address));
            let agent = Agent::start_with_state(&entry("gate", &stranger, LOGIN), &state.0);
            let error = wait_for("a reason", || agent.camera("gate")["last_error"].as_str().map(str::to_owned));
            rtsp.assert_no_login();
            assert_eq!(stranger.passwords_sent(), 0, "{:?}", stranger.names());
            // Wait for one more attempt.
            wait_for("another attempt", || agent.camera("gate")["why"].as_str()?.contains("(attempt 2)").then_some(()));
            assert_eq!(stranger.passwords_sent(), 0, "{:?}", stranger.names());
            rtsp.assert_no_login();
            assert!(error.contains("no login was sent") && error.contains("trust = \"address\""), "{error}");
        }
    }
}

#[test]
fn camera_that_does_not_tell_the_configured_uuid_is_sent_no_login_unless_its_address_is_trusted() {
    let silent = |request: &Request| closed(request, |_| Answer::fault(500, &["ter:ActionNotSupported"], ""));
    let (stranger, trusted) = (listen(silent), listen(silent));
    let uuid = format!("{LOGIN}uuid = \"{UUID}\"\n");
    let agent = Agent::start(&entry("gate", &stranger, &uuid));
    let error = last_error(&agent, "gate", &stranger.target().host);
    assert_eq!(stranger.passwords_sent(), 0, "{:?}", stranger.names());
    wait_for("another attempt", || agent.camera("gate")["why"].as_str()?.contains("(attempt 2)").then_some(()));
    assert_eq!(stranger.passwords_sent(), 0, "{:?}", stranger.names());
    assert!(error.contains("trust = \"address\""), "{error}");

    agent.reload(&entry("gate", &trusted, &format!("{uuid}trust = \"address\"\n")));
    wait_for("the login", || (trusted.passwords_sent() > 0).then_some(()));
}

#[test]
fn camera_that_told_its_identity_and_no_longer_does_is_let_in_by_its_address() {
    let silent = |request: &Request| closed(request, |_| Answer::http(404, "", "<html>no</html>"));
    let camera = listen(silent);
    let target = camera.target();
    let identity = json!({ "endpoint": UUID, "serial": null, "mac": null });
    let state = learnt("gate", &target.host, target.port, &identity, "rtsp://127.0.0.1:9/x");
    let agent = Agent::start_with_state(&entry("gate", &camera, &format!("{LOGIN}trust = \"address\"\n")), &state.0);
    wait_for("the login", || (camera.passwords_sent() > 0).then_some(()));
    drop(agent);
}

/// The body of a response may have 1 MiB; the reason made from it has a few lines.
#[test]
fn camera_with_thousands_of_profiles_makes_no_long_reason() {
    let camera = listen(|request| match request.name() {
        "GetProfiles" => {
            let profiles: String = (0..20_000).map(|n| format!("<P:Profiles token=\"{n}\"/>")).collect();
            Answer::soap(&format!("<R>{profiles}</R>"))
        }
        _ => ordinary(request, 0),
    });
    let agent = Agent::start(&entry("gate", &camera, "profile = \"nosuch\"\n"));
    let error = last_error(&agent, "gate", "no media profile \"nosuch\"");
    assert!(error.chars().count() <= 300, "{} characters", error.chars().count());
    let camera = agent.camera("gate");
    assert!(camera["why"].as_str().unwrap().chars().count() < 400, "{camera}");
    let mut page = crate::support::wall::Wall::open(&agent.address);
    page.show(&["gate"], &["jpeg"]);
    let state = page.state(|state| state["why"].as_str().is_some_and(|why| why.contains("nosuch")));
    assert!(state["why"].as_str().unwrap().chars().count() < 400, "{state}");
    assert_eq!(state["reason"][0]["code"], "no_such_profile", "{state}");
    assert!(agent.log_lines().iter().all(|line| line.len() < 1100));
}

#[test]
fn line_break_in_a_stream_address_reaches_no_other_service() {
    let host = own_address();
    let service = Listener::start(host);
    let uri = format!("rtsp://{}/&#13;&#10;SET a b&#13;&#10;x", service.address);
    let camera = Camera::listen(TcpListener::bind((host, 0)).unwrap(), move |request| match request.name() {
        "GetStreamUri" => Answer::soap(&format!("<R><Uri>{uri}</Uri></R>")),
        _ => ordinary(request, 0),
    });
    let agent = Agent::start(&entry("gate", &camera, ""));
    let error = wait_for("a reason", || agent.camera("gate")["last_error"].as_str().map(str::to_owned));
    assert!(!service.heard().lines().any(|line| line.starts_with("SET")), "{}", service.heard());
    assert!(error.contains("unusable stream address"), "{error}");
    assert!(!error.contains(char::is_control), "{error:?}");
}

/// A terminal shows what a camera sends and never interprets it.
#[test]
fn no_command_passes_control_characters_of_a_camera_on_to_the_terminal() {
    let name = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\u{feff}";
    let broken =
        listen(move |_| Answer::http(200, "", &format!("<Envelope><Body><a{name}></b{name}></Body></Envelope>")));
    let odd = listen(move |request| match request.name() {
        "GetDeviceInformation" => Answer::soap(&format!("<R><Manufacturer>{name}</Manufacturer></R>")),
        "GetStreamUri" => Answer::fault(500, &["ter:Action"], &format!("no{name}")),
        _ => ordinary(request, 0),
    });
    let is_raw = |c: char| {
        c != '\n' && c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}')
    };
    let assert_clean = |arguments: &[&str]| {
        let output = Command::new(agent_program()).args(arguments).stdin(Stdio::null()).output().unwrap();
        for bytes in [output.stdout, output.stderr] {
            let text = String::from_utf8(bytes).unwrap();
            assert!(!text.contains(is_raw), "{arguments:?}: {text:?}");
        }
    };
    for camera in [&broken, &odd] {
        let target = camera.target();
        let address = format!("{}:{}", target.host, target.port);
        assert_clean(&["info", &address]);
        assert_clean(&["info", &address, "--json", "--quick"]);
    }
    let agent = Agent::start(&(entry("broken", &broken, "") + &entry("odd", &odd, "")));
    for id in ["broken", "odd"] {
        wait_for("a reason", || agent.camera(id)["last_error"].as_str().map(str::to_owned));
    }
    let file = agent.folder.0.join("cameras.toml");
    let file = file.to_str().unwrap();
    for command in [&["status"][..], &["status", "--json"], &["list"], &["list", "--json"], &["reload"]] {
        assert_clean(&[command, &["--config", file]].concat());
    }
    fs::write(
        file,
        format!("[server]\nlisten = \"127.0.0.1:0\"\n[[camera]]\nid = \"a{name}\"\nip = \"x{name}\"\nu{name} = 1\n"),
    )
    .unwrap();
    assert_clean(&["check", file]);
    assert_clean(&["reload", "--config", file]);
    assert_clean(&["list", "--config", file]);
    assert!(!agent.log_text().contains(is_raw), "{:?}", agent.log_text());
}
