//! The wall from another machine: http leads to https, and a page there gets the camera's own video.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{Agent, Answer, Cameras, Folder, agent_program, asked, configuration, network::Network, wait_for};

const CAMERA: &str = "id=gate size=320x184 small=none gop=15 onvif=0 rtsp=0";

/// The response to a request with this header line; `asked` ends the line of `Host` with it.
fn with_header(address: &str, method: &str, target: &str, line: &str) -> Answer {
    let stream = TcpStream::connect(address).unwrap();
    asked(stream, method, &format!("{address}\r\n{line}"), target).unwrap()
}

#[test]
fn other_machines_are_sent_to_https_and_get_the_cameras_own_video() {
    let Some(network) = Network::new() else { return };
    let (wall, outside) = (network.host(), network.host());
    let address = format!("{}:8080", wall.address());
    let (cameras, agent) = wall.within(|| {
        let cameras = Cameras::start(&[CAMERA]);
        let folder = Folder::new();
        let section = format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate"));
        folder.write("cameras.toml", &configuration(&address, &folder, &section));
        let agent = Agent::spawn(folder, address.clone(), Command::new(agent_program()));
        // The machine itself asks at the same address, as `status` and the watchdogs do.
        agent.wait_for_state("gate", "live");
        let status = Command::new(agent_program())
            .args(["status", "--config"])
            .arg(agent.folder.0.join("cameras.toml"))
            .output()
            .unwrap();
        assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
        (cameras, agent)
    });
    let ask = |method: &str, target: &str, line: &str| outside.within(|| with_header(&address, method, target, line));
    for method in ["GET", "HEAD"] {
        for target in ["/", "/live/gate?q=50", "/snapshot/gate", "/healthz", "/api/cameras", "/metrics", "/ws"] {
            let answer = ask(method, target, "X: y");
            assert_eq!(answer.status, 308, "{method} {target}");
            assert_eq!(answer.header("location").unwrap(), format!("https://{address}{target}"));
        }
    }
    let login = ask("GET", "/api/cameras", "Authorization: Basic dmlld2VyOnNlY3JldA==");
    assert_eq!(login.status, 403);
    agent.wait_for_log(&["sent a login over http", "change that password"]);
    assert!(!agent.log_text().contains("dmlld2Vy"));

    // A client that is given the certificate verifies it, at this address.
    let certificate = agent.folder.0.join("state/tls/certificate.pem");
    let verified = outside.within(|| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--location", "--cacert"]).arg(&certificate);
        curl.arg(format!("http://{address}/healthz")).output().unwrap()
    });
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(text.contains("\"ok\":true"), "{text} {}", String::from_utf8_lossy(&verified.stderr));

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page");
    if page.join("node_modules").exists() {
        let output = outside.within(|| {
            let mut node = Command::new("node");
            node.args(["--test", "remote.live.test.mjs"]).current_dir(&page).stdin(Stdio::null());
            node.env("CCTV_REMOTE_URL", format!("http://{address}/")).output().unwrap()
        });
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("pass 1"), "{text}");
    } else {
        eprintln!("skipped: the page in Chromium: run npm ci in tests/page");
    }
    drop(cameras);

    // A machine that gets another address is known by it as well, and by the same key.
    let key = fs::read(agent.folder.0.join("state/tls/key.pem")).unwrap();
    let other = "10.77.0.200".parse().unwrap();
    wall.move_to(other);
    wait_for("a certificate for the new address", || {
        fs::read_to_string(&certificate).unwrap().lines().next()?.contains("10.77.0.200").then_some(())
    });
    assert_eq!(fs::read(agent.folder.0.join("state/tls/key.pem")).unwrap(), key);
}

#[test]
fn plain_http_serves_other_machines_as_before() {
    let Some(network) = Network::new() else { return };
    let (wall, outside) = (network.host(), network.host());
    let address = format!("{}:8080", wall.address());
    let agent = wall.within(|| {
        let folder = Folder::new();
        let text = configuration(&address, &folder, "").replace("[server]\n", "[server]\nplain_http = true\n");
        folder.write("cameras.toml", &text);
        let agent = Agent::spawn(folder, address.clone(), Command::new(agent_program()));
        agent.api();
        agent
    });
    for target in ["/", "/healthz", "/api/cameras"] {
        assert_eq!(outside.within(|| with_header(&address, "GET", target, "X: y")).status, 200, "{target}");
    }
    drop(agent);
}
