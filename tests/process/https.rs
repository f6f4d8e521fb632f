//! HTTPS on the wall's own port, with curl and OpenSSL as clients: the agent's own certificate,
//! configured ones, and a reload that replaces them.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use crate::support::{
    Agent, Cameras, Folder, PATIENCE, agent_program, configuration, key_pair, key_pair_for, wait_for,
};
use nix::sys::signal::Signal;

const GATE: &str = "id=gate size=320x180 fps=10 small=none onvif=0 rtsp=0";

fn curl(arguments: &[&str]) -> Output {
    let limit = PATIENCE.as_secs().to_string();
    let command =
        Command::new("curl").args(["--silent", "--show-error", "--max-time", &limit]).args(arguments).output();
    command.expect("curl is needed (scripts/packages)")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The fingerprint of the certificate that a client is shown, as OpenSSL writes it.
fn shown_fingerprint(address: &str) -> String {
    let script = "openssl s_client -connect \"$0\" </dev/null 2>/dev/null | openssl x509 -noout -sha256 -fingerprint";
    let output = Command::new("sh").args(["-c", script, address]).output().unwrap();
    let line = text(&output.stdout);
    line.trim().split_once('=').unwrap_or_else(|| panic!("{line:?}, {}", text(&output.stderr))).1.to_owned()
}

fn fingerprint(agent: &Agent) -> String {
    agent.api()["tls"]["fingerprint"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn own_certificate_is_made_shown_and_kept() {
    let mut agent = Agent::start("");
    let told = fingerprint(&agent);
    agent.wait_for_log(&["https: the certificate of the agent's own has the SHA-256 fingerprint", &told]);
    assert_eq!(shown_fingerprint(&agent.address), told);
    let directory = agent.folder.0.join("state/tls");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory), mode(&directory.join("key.pem"))), (0o700, 0o600));

    // A client that is given the certificate verifies it, by name and by address, without an exception.
    let certificate = directory.join("certificate.pem");
    let trusted = ["--cacert", certificate.to_str().unwrap()];
    let answer = curl(
        &[
            &trusted[..],
            &["https://localhost:8080/healthz", "--connect-to", &format!("localhost:8080:{}", agent.address)],
        ]
        .concat(),
    );
    assert!(text(&answer.stdout).contains("\"ok\":true"), "{}", text(&answer.stderr));
    // TLS before 1.2 is refused.
    let old = curl(&[
        "-k",
        "--tls-max",
        "1.1",
        "--ciphers",
        "DEFAULT@SECLEVEL=0",
        &format!("https://{}/healthz", agent.address),
    ]);
    assert!(!old.status.success(), "{}", text(&old.stdout));

    let file = agent.folder.0.join("cameras.toml");
    let status = Command::new(agent_program()).args(["status", "--config"]).arg(file).output().unwrap();
    assert!(text(&status.stdout).contains(&told), "{}", text(&status.stdout));
    agent.signal(Signal::SIGTERM);
    agent.exit();
    let again = Agent::start_with_tls(&directory);
    assert_eq!(fingerprint(&again), told, "a restart changes nothing");
}

#[test]
fn certificate_without_a_state_directory_is_told_once() {
    let folder = Folder::new();
    folder.write("state", "a file");
    let agent = Agent::start_through(&["env"], folder, "");
    let told = fingerprint(&agent);
    assert_eq!(shown_fingerprint(&agent.address), told);
    agent.wait_for_log(&["cannot keep the certificate", "after a restart there is another one"]);
}

/// A viewer of Motion JPEG over TLS, into a file.
struct Viewer {
    child: Child,
    file: std::path::PathBuf,
}

impl Viewer {
    fn open(agent: &Agent, name: &str) -> Self {
        let file = agent.folder.0.join(name);
        let child = Command::new("curl")
            .args(["--silent", "--insecure", "--no-buffer", &format!("https://{}/live/gate", agent.address)])
            .stdout(File::create(&file).unwrap())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, file }
    }

    /// Waits for `count` more live pictures.
    fn wait_for_pictures(&mut self, count: usize) {
        let live = |file: &Path| text(&fs::read(file).unwrap()).matches("X-State: live").count();
        let wanted = live(&self.file) + count;
        wait_for("pictures over TLS", || {
            assert!(self.child.try_wait().unwrap().is_none(), "the connection ended");
            (live(&self.file) >= wanted).then_some(())
        });
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn reload_replaces_the_certificate_and_a_bad_pair_replaces_none() {
    let cameras = Cameras::start(&[GATE]);
    let section = format!("[[camera]]\nid = \"gate\"\nstall_after = 60.0\n{}", cameras.place("gate"));
    let agent = Agent::start(&section);
    agent.wait_for_state("gate", "live");
    let own = fingerprint(&agent);
    let mut viewer = Viewer::open(&agent, "first");
    viewer.wait_for_pictures(3);
    let folder = &agent.folder;
    for name in ["one", "other"] {
        key_pair(&folder.0, name);
    }
    let files = "[tls]\ncertificate = \"wall.pem\"\nkey = \"wall.key\"\n";
    let put = |certificate: &str, key: &str| {
        fs::copy(folder.0.join(certificate), folder.0.join("wall.pem")).unwrap();
        fs::copy(folder.0.join(key), folder.0.join("wall.key")).unwrap();
        let before = agent.api()["reload"]["count"].as_u64().unwrap();
        folder.write("cameras.toml", &configuration(&agent.address, folder, &format!("{files}{section}")));
        agent.signal(Signal::SIGHUP);
        wait_for("the reload", || (agent.api()["reload"]["count"].as_u64()? > before).then_some(()));
    };
    put("one.pem", "one.key");
    let one = fingerprint(&agent);
    assert_ne!(one, own);
    assert_eq!(shown_fingerprint(&agent.address), one);
    assert_eq!(agent.api()["tls"]["own"], false);

    // A pair that does not belong together, or is no certificate: the one before goes on.
    for (certificate, key) in [("one.pem", "other.key"), ("one.key", "one.key"), ("one.pem", "one.pem")] {
        put(certificate, key);
        assert_eq!(shown_fingerprint(&agent.address), one, "{certificate} {key}");
        let complaints = agent.api()["complaints"].to_string();
        assert!(
            complaints.contains("[tls]: ") && complaints.contains("the previous certificate stays"),
            "{complaints}"
        );
    }
    // The same files with other content: only SIGHUP reads them.
    put("other.pem", "other.key");
    let other = shown_fingerprint(&agent.address);
    assert!(other != one && other == fingerprint(&agent));
    assert_eq!(agent.api()["complaints"].as_array().unwrap().len(), 0);
    viewer.wait_for_pictures(3);
    let metric = text(&agent.get("/metrics").unwrap().body);
    let line = metric.lines().find(|line| line.starts_with("cctv_tls_expires_seconds ")).unwrap();
    let days = line.split(' ').nth(1).unwrap().parse::<f64>().unwrap() / 86400.0;
    assert!((29.0..=30.0).contains(&days), "{line}");

    // One that expires soon is told to pages.
    key_pair_for(&folder.0, "soon", 10);
    put("soon.pem", "soon.key");
    let complaints = agent.api()["complaints"].to_string();
    assert!(
        complaints.contains("[tls]: the certificate expires in ") && complaints.contains("renew it"),
        "{complaints}"
    );
}

#[test]
fn handshake_that_stops_in_the_middle_ends() {
    let agent = Agent::start("");
    agent.api();
    let mut stream = TcpStream::connect(&agent.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&[0x16, 3, 1, 2, 0]).unwrap();
    wait_for("a connection", || (agent.api()["connections"].as_u64()? >= 2).then_some(()));
    let mut rest = Vec::new();
    let _reset = stream.read_to_end(&mut rest);
    assert!(rest.is_empty());
    wait_for("its end", || (agent.api()["connections"].as_u64()? == 1).then_some(()));
}
