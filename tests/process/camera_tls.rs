//! Cameras over TLS: ONVIF over https and RTSP as `rtsps`, recognised by their keys.

use std::{
    io::Write as _,
    net::{IpAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use cctv_agent::media::Codec;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{
    Agent, Cameras, Folder, MotionJpeg, agent_program, burnt_in, own_address, wait_for,
    wall::{Screen, Wall},
};

const LOGIN: &str = "username = \"viewer\"\npassword = \"geheim\"\n";

/// A camera with a login whose services are over TLS, too.
fn camera(https: &str) -> Cameras {
    let gate = "id=gate size=640x360 fps=10 small=none user=viewer pass=geheim auth=digest onvif=0 rtsp=0 rtsps=0";
    Cameras::start(&[&format!("{gate} {https}")])
}

/// The section of the camera, asked by ONVIF over TLS.
fn over_tls(cameras: &Cameras, more: &str) -> String {
    format!("[[camera]]\nid = \"gate\"\n{}{LOGIN}{more}", cameras.https_place("gate"))
}

/// The section of the camera with its stream alone.
fn stream(cameras: &Cameras, more: &str) -> String {
    let url = cameras.stream("gate");
    assert!(url.starts_with("rtsps://"), "{url}");
    format!("[[camera]]\nid = \"gate\"\nurl = \"{url}\"\n{LOGIN}{more}")
}

fn number(cameras: &Cameras, counter: &str) -> u64 {
    cameras.facts("gate")[counter].as_u64().unwrap()
}

/// Waits until the tile says `what`, and returns all that it says.
fn wait_for_reason(agent: &Agent, what: &str) -> String {
    wait_for(what, || {
        let why = agent.camera("gate")["why"].as_str()?.to_owned();
        why.contains(what).then_some(why)
    })
}

/// The key in a reason or a line of the log.
fn key_in(text: &str) -> String {
    let start = text.find("sha256:").unwrap_or_else(|| panic!("no key in {text:?}"));
    text[start..start + "sha256:".len() + 64].to_owned()
}

/// What of a password or a request has reached the camera.
fn received(cameras: &Cameras) -> [Value; 3] {
    let facts = cameras.facts("gate");
    [facts["proofs"].clone(), facts["onvif"].clone(), facts["sessions_opened"].clone()]
}

/// How many attempts to show the camera have failed.
fn failures(agent: &Agent) -> u64 {
    let failures = agent.camera("gate")["failures"].clone();
    failures.as_object().unwrap().values().filter_map(Value::as_u64).sum()
}

/// The connections of the camera end, and the agent opens new ones.
fn reconnect(cameras: &Cameras, agent: &Agent) {
    let before = failures(agent);
    cameras.fault("gate", "drop");
    wait_for("the end of the stream", || (failures(agent) > before).then_some(()));
}

#[test]
fn camera_is_live_over_tls_untouched_and_as_jpeg() {
    let cameras = camera("https=0");
    let agent = Agent::start(&over_tls(&cameras, ""));
    agent.wait_for_state("gate", "live");
    let mut wall = Wall::open(&agent.address);
    wall.show(&["gate"], &["h264", "jpeg"]);
    let (mut screen, mut stamps) = (Screen::new(Codec::H264), Vec::new());
    while stamps.len() < 30 {
        stamps.extend(screen.show(&wall.frame()).iter().map(|(_, stamp)| stamp.frame));
    }
    assert!(stamps.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{stamps:?}");
    let part = MotionJpeg::open(&agent.address, "/live/gate").next_live();
    assert!(burnt_in(&part.jpeg).frame > 0);

    assert_eq!(number(&cameras, "plain_requests"), 0);
    assert!(number(&cameras, "handshakes") >= 2 && number(&cameras, "decrypted") > 0);
    let learnt =
        ["ONVIF", "the stream"].map(|what| key_in(&agent.wait_for_log(&[&format!("key of {what} is sha256:")])));
    assert_eq!(learnt[0], learnt[1]);
    assert_eq!(agent.camera("gate")["tls_key"].as_str().unwrap().to_lowercase(), learnt[0].to_lowercase());
}

#[test]
fn changed_key_is_told_on_the_tile_and_nothing_is_sent_to_it() {
    let cameras = camera("https=0");
    for section in [over_tls(&cameras, ""), stream(&cameras, "")] {
        cameras.fault("gate", "resume");
        let agent = Agent::start(&section);
        agent.wait_for_state("gate", "live");
        agent.wait_for_log(&["key of the stream is sha256:"]);
        cameras.fault("gate", "tls?as=other-key");
        reconnect(&cameras, &agent);
        let before = received(&cameras);
        let why = wait_for_reason(&agent, "has another TLS key than before, so nothing was sent to it");
        assert_eq!(agent.camera("gate")["state"], "offline");
        let decrypted = number(&cameras, "decrypted");
        let handshakes = number(&cameras, "handshakes");
        // Also in further attempts.
        let attempts = failures(&agent);
        wait_for("two attempts", || (failures(&agent) >= attempts + 2).then_some(()));
        assert_eq!(received(&cameras), before);
        assert_eq!((number(&cameras, "decrypted"), number(&cameras, "handshakes")), (decrypted, handshakes));

        // The way out that it names.
        agent.reload(&format!("{section}fingerprint = \"{}\"\n", key_in(&why)));
        agent.wait_for_state("gate", "live");
        agent.wait_for_log(&["key of the stream is", &key_in(&why)]);
        // The new key is learnt: the line can go.
        agent.reload(&section);
        agent.wait_for_state("gate", "live");
    }
}

/// `cctv-agent keys` with the file of an agent: the exit code, and what it says.
fn keys(file: &Path, more: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(agent_program()).arg("keys").args(more).arg("--config").arg(file).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn forgotten_key_is_learnt_anew_by_a_running_agent_and_by_the_next_one() {
    let cameras = camera("https=0");
    let mut agent = Agent::start(&over_tls(&cameras, ""));
    let file = agent.folder.0.join("cameras.toml");
    assert_eq!(keys(&file, &[]), (Some(0), "no TLS keys of cameras\n".to_owned()));
    agent.wait_for_state("gate", "live");
    let first = key_in(&agent.wait_for_log(&["key of the stream is sha256:"]));
    let (code, list) = keys(&file, &[]);
    let of_gate = list.lines().filter(|line| line.starts_with("gate ") && line.ends_with(&first));
    assert!(code == Some(0) && of_gate.count() == 2, "{list}");
    let (_, port) = cameras.https("gate");
    assert!(list.contains(&format!(":{port} ")), "{list}");

    cameras.fault("gate", "tls?as=other-key");
    reconnect(&cameras, &agent);
    let why = wait_for_reason(&agent, "if it is the camera, run cctv-agent keys --forget CAMERA, or write");
    let second = key_in(&why);
    let (code, said) = keys(&file, &["--forget", "hall"]);
    assert!(code == Some(65) && said.contains("no TLS key of hall is kept; there are keys of gate"), "{said}");
    let (code, said) = keys(&file, &["--forget", "gate"]);
    assert!(code == Some(0) && said.contains("the TLS keys of gate are forgotten"), "{said}");
    agent.wait_for_state("gate", "live");
    agent.wait_for_log(&["key of ONVIF is", &second]);
    agent.wait_for_log(&["key of the stream is", &second]);
    assert!(!keys(&file, &[]).1.contains(&first));

    // Without a running agent.
    agent.signal(Signal::SIGTERM);
    agent.exit();
    cameras.fault("gate", "resume");
    assert!(keys(&file, &["--json"]).1.contains(&second));
    assert_eq!(keys(&file, &["--forget", "gate"]).0, Some(0));
    let state = agent.folder.0.join("state");
    assert!(!state.join("gate.keys").exists());
    let next = Agent::start_with_state(&over_tls(&cameras, ""), &state);
    next.wait_for_state("gate", "live");
    next.wait_for_log(&["key of the stream is", &first]);
}

#[test]
fn key_is_known_after_a_restart() {
    let cameras = camera("https=0");
    for section in [over_tls(&cameras, ""), stream(&cameras, "")] {
        let mut first = Agent::start(&section);
        first.wait_for_state("gate", "live");
        first.wait_for_log(&["key of the stream is sha256:"]);
        first.signal(Signal::SIGTERM);
        first.exit();
        cameras.fault("gate", "tls?as=other-key");
        let before = received(&cameras);
        let agent = Agent::start_with_state(&section, &first.folder.0.join("state"));
        wait_for_reason(&agent, "has another TLS key than before");
        assert_eq!(received(&cameras), before);
        cameras.fault("gate", "resume");
        agent.wait_for_state("gate", "live");
    }
}

#[test]
fn renewed_certificate_with_the_same_key_is_the_same_camera() {
    let cameras = camera("https=0");
    let agent = Agent::start(&over_tls(&cameras, ""));
    agent.wait_for_state("gate", "live");
    let key = key_in(&agent.wait_for_log(&["key of ONVIF is sha256:"]));
    agent.reload(&over_tls(&cameras, &format!("fingerprint = \"{key}\"\n")));
    for fault in ["tls?as=renewed", "resume"] {
        cameras.fault("gate", fault);
        reconnect(&cameras, &agent);
        agent.wait_for_state("gate", "live");
    }
    // What OpenSSL prints is that of the certificate, which does not stay.
    let openssl = fingerprint_by_openssl(&cameras.pem("gate"));
    agent.reload(&over_tls(&cameras, &format!("fingerprint = \"{openssl}\"\n")));
    agent.wait_for_state("gate", "live");
    cameras.fault("gate", "tls?as=renewed");
    reconnect(&cameras, &agent);
    let why = wait_for_reason(&agent, "has another TLS key than fingerprint says, so nothing was sent to it");
    assert_eq!(key_in(&why), key);
}

fn fingerprint_by_openssl(pem: &str) -> String {
    let mut openssl = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    openssl.stdin.take().unwrap().write_all(pem.as_bytes()).unwrap();
    let output = openssl.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn each_kind_of_failed_handshake_has_its_reason() {
    let cameras = camera("https=0");
    for (fault, reason) in [
        ("old", "speaks only TLS 1.0 or 1.1, which are not safe; update the firmware"),
        ("plain", "does not speak TLS; check the port"),
        ("closed", "closed the connection in the TLS handshake"),
        ("stuck", "did not finish the TLS handshake within 5 s"),
    ] {
        cameras.fault("gate", &format!("tls?as={fault}"));
        for section in [over_tls(&cameras, ""), stream(&cameras, "")] {
            let agent = Agent::start(&section);
            wait_for_reason(&agent, reason);
        }
    }
    assert_eq!(number(&cameras, "decrypted"), 0);
    assert_eq!(number(&cameras, "plain_requests"), 0);
}

#[test]
fn redirect_to_https_is_followed_and_the_login_never_goes_back_to_http() {
    let cameras = camera("https=0");
    cameras.fault("gate", "https-redirect");
    let section = format!("[[camera]]\nid = \"gate\"\n{}{LOGIN}", cameras.place("gate"));
    let agent = Agent::start(&section);
    agent.wait_for_state("gate", "live");
    let plain = number(&cameras, "plain_requests");
    assert!(plain > 0 && number(&cameras, "plain_proofs") == 0);
    agent.wait_for_log(&["key of ONVIF is sha256:"]);
    // Now it would answer in clear text, and TLS does not work; it is not asked there.
    cameras.fault("gate", "resume");
    cameras.fault("gate", "tls?as=closed");
    reconnect(&cameras, &agent);
    wait_for_reason(&agent, "closed the connection in the TLS handshake");
    assert_eq!((number(&cameras, "plain_requests"), number(&cameras, "plain_proofs")), (plain, 0));
    // Unless the configuration says so.
    agent.reload(&format!("{section}tls = \"off\"\n"));
    wait_for("a request in clear text", || (number(&cameras, "plain_requests") > plain).then_some(()));
}

#[test]
fn camera_that_refuses_port_80_is_asked_at_443() {
    let ip = IpAddr::from(own_address());
    if TcpListener::bind((ip, 443)).is_err() {
        return eprintln!("skipped: port 443 is not for this user");
    }
    let cameras = camera(&format!("https=443 ip={ip}"));
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\nip = \"{ip}\"\n{LOGIN}"));
    agent.wait_for_state("gate", "live");
    assert_eq!(number(&cameras, "plain_requests"), 0);
}

#[test]
fn info_asks_over_tls_and_prints_the_key() {
    let cameras = camera("https=0");
    let folder = Folder::new();
    let password = folder.write("password", "geheim\n");
    let (ip, port) = cameras.https("gate");
    let ask = |address: String| {
        let mut info = Command::new(crate::support::agent_program());
        info.args(["info", &address, "--username", "viewer", "--password-file"]).arg(&password).stdin(Stdio::null());
        String::from_utf8(info.output().unwrap().stdout).unwrap()
    };
    let text = ask(format!("https://{ip}:{port}"));
    assert!(text.contains("rtsps://") && text.contains("TLS key   sha256:"), "{text}");
    // The same from a camera that redirects.
    cameras.fault("gate", "https-redirect");
    let plain = cameras.place("gate");
    let plain_port = plain.rsplit("= ").next().unwrap().trim();
    assert_eq!(key_in(&ask(format!("{ip}:{plain_port}"))), key_in(&text));
    assert_eq!(number(&cameras, "plain_proofs"), 0);
}

/// A process that ends with this value.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn servers_that_others_wrote_are_read_over_tls() {
    // RTSP over TLS by GStreamer, with GnuTLS.
    let gstreamer = "id=gate size=640x360 fps=10 small=none server=gstreamer onvif=0 rtsps=0";
    let cameras = Cameras::start(&[gstreamer]);
    let url = cameras.stream("gate");
    assert!(url.starts_with("rtsps://"), "{url}");
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\nurl = \"{url}\"\n"));
    agent.wait_for_state("gate", "live");
    MotionJpeg::open(&agent.address, "/live/gate").next_live();
    drop(agent);

    // ONVIF over TLS by nginx, with OpenSSL and an RSA key, in TLS 1.2.
    let cameras =
        Cameras::start(&["id=gate size=640x360 fps=10 small=none user=viewer pass=geheim auth=digest onvif=0"]);
    let folder = Folder::new();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=camera", "-keyout", "key.pem"])
        .args(["-out", "certificate.pem"])
        .current_dir(&folder.0)
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    let place = cameras.place("gate");
    let ip = place.split('"').nth(1).unwrap();
    let behind = place.rsplit("= ").next().unwrap().trim();
    let port = TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap().port();
    let configuration = folder.write(
        "nginx.conf",
        &format!(
            "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log error.log;\n\
             events {{}}\nhttp {{ access_log off; client_body_temp_path body; proxy_temp_path proxy;\n\
             fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n\
             server {{ listen {ip}:{port} ssl; ssl_protocols TLSv1.2; ssl_certificate certificate.pem;\n\
             ssl_certificate_key key.pem; location / {{ proxy_pass http://{ip}:{behind}; }} }} }}\n"
        ),
    );
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(&folder.0).arg("-c").arg(&configuration).stderr(Stdio::null());
    let _nginx = Nginx(nginx.spawn().expect("nginx is needed (scripts/packages)"));
    wait_for("nginx", || TcpStream::connect((ip, port)).ok());
    let agent = Agent::start(&format!(
        "[[camera]]\nid = \"gate\"\nip = \"{ip}\"\nonvif_port = {port}\ntls = \"learn\"\n{LOGIN}"
    ));
    agent.wait_for_state("gate", "live");
    agent.wait_for_log(&["key of ONVIF is sha256:"]);
}
