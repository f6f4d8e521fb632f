//! The bridge to a broker of MQTT: Debian's mosquitto.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use crate::support::{Agent, Cameras, Folder, key_pair, own_address, wait_for};

/// A running broker. Dropping it ends it.
struct Broker {
    child: Child,
    folder: Folder,
    /// Host and port.
    address: (String, u16),
    tls: bool,
}

impl Broker {
    fn start(more: &str) -> Self {
        let folder = Folder::new();
        let tls = more.contains("certfile");
        if tls {
            key_pair(&folder.0, "broker");
        }
        let address = (own_address().to_string(), 1883);
        let mut broker = Self { child: run(&folder, &address, more), folder, address, tls };
        broker.wait();
        broker
    }

    /// With a login `wall` and the password `secret`.
    fn with_login(more: &str) -> Self {
        let folder = Folder::new();
        let file = folder.0.join("passwords");
        let made = Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(&file).args(["wall", "secret"]).status();
        assert!(made.unwrap().success());
        let more = format!("{more}allow_anonymous false\npassword_file {}\n", file.display());
        let address = (own_address().to_string(), 1883);
        let mut broker = Self { child: run(&folder, &address, &more), folder, address, tls: false };
        broker.wait();
        broker
    }

    fn wait(&mut self) {
        wait_for("the broker", || std::net::TcpStream::connect((self.address.0.as_str(), self.address.1)).ok());
    }

    fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn again(&mut self, more: &str) {
        self.child = run(&self.folder, &self.address, more);
        self.wait();
    }

    /// The section of the configuration.
    fn section(&self, more: &str) -> String {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        format!("[mqtt]\nbroker = \"{scheme}://{}:{}\"\n{more}\n", self.address.0, self.address.1)
    }

    fn client(&self, program: &str, login: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", &self.address.0, "-p", &self.address.1.to_string()]).args(login);
        if self.tls {
            command.arg("--cafile").arg(self.folder.0.join("broker.pem")).arg("--insecure");
        }
        command
    }

    fn publish(&self, topic: &str, payload: &str) {
        let sent = self.client("mosquitto_pub", &["-q", "1", "-t", topic, "-m", payload]).status().unwrap();
        assert!(sent.success(), "{topic}");
    }

    fn listen(&self, login: &[&str]) -> Listener {
        let mut command = self.client("mosquitto_sub", login);
        command.args(["-t", "#", "-F", "%t %r %p"]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let output = BufReader::new(child.stdout.take().unwrap());
        let heard = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                heard.lock().unwrap().push(line);
            }
        });
        Listener { child, lines }
    }
}

fn run(folder: &Folder, (host, port): &(String, u16), more: &str) -> Child {
    let access = if more.contains("allow_anonymous") { "" } else { "allow_anonymous true\n" };
    let more = more.replace("FOLDER", folder.0.to_str().unwrap());
    let file = folder.write("mosquitto.conf", &format!("listener {port} {host}\n{access}{more}user root\n"));
    let silent = || Stdio::null();
    Command::new(mosquitto()).arg("-c").arg(file).stdout(silent()).stderr(silent()).spawn().unwrap()
}

fn mosquitto() -> &'static str {
    if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Hears every message.
struct Listener {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    /// Waits for a message that begins with this topic, whether the broker kept it, and what is in it.
    fn wait(&self, topic: &str, payload: &str) {
        let is_meant = |line: &&String| {
            let (found, rest) = line.split_once(' ').unwrap_or_default();
            found == topic && rest.get(2..).is_some_and(|rest| rest.contains(payload))
        };
        wait_for(&format!("{topic} {payload}"), || self.lines.lock().unwrap().iter().find(is_meant).map(|_| ()));
    }

    fn has(&self, topic: &str) -> bool {
        self.lines.lock().unwrap().iter().any(|line| line.starts_with(topic))
    }

    fn forget(&self) {
        self.lines.lock().unwrap().clear();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn camera(keys: &str) -> Cameras {
    Cameras::start(&[&format!("id=gate size=320x240 fps=5 small=none snapshots=off {keys}")])
}

fn file(cameras: &Cameras, more: &str) -> String {
    format!("{more}[[camera]]\nid = \"gate\"\nname = \"大門\"\n{}", cameras.place("gate"))
}

fn shown(agent: &Agent, wall: &str) -> Value {
    agent.get(wall).unwrap().json()["shown"][0]["camera"].clone()
}

#[test]
fn states_are_published_and_walls_are_told_what_to_show() {
    let (cameras, broker) = (camera("events=on"), Broker::start(""));
    let listener = broker.listen(&[]);
    let more = broker.section("home_assistant = true")
        + "[wall.hall]\ncameras = [\"gate\"]\n[[rule]]\non = \"gate:motion\"\ndo = \"mark\"\n";
    let mut agent = Agent::start(&file(&cameras, &more));
    listener.wait("cctv-agent/status", "online");
    listener.wait("cctv-agent/cameras/gate/state", "live");
    listener.wait("cctv-agent/cameras/gate/name", "大門");
    listener.wait("homeassistant/binary_sensor/cctv-agent_gate/live/config", "cctv-agent/cameras/gate/state");
    listener.wait("homeassistant/binary_sensor/cctv-agent_gate/motion/config", "\"device_class\":\"motion\"");
    // What Home Assistant's button sends, a bare name, and the body of the HTTP request.
    broker.publish("cctv-agent/wall/show", "{\"camera\":\"gate\"}");
    wait_for("the wall", || (shown(&agent, "/api/wall") == "gate").then_some(()));
    listener.wait("cctv-agent/wall/shown", "\"by\":\"mqtt\"");
    broker.publish("cctv-agent/walls/hall/show", "gate");
    wait_for("the hall", || (shown(&agent, "/api/walls/hall") == "gate").then_some(()));
    broker.publish("cctv-agent/walls/hall/clear", "");
    wait_for("the hall to be as it was", || (shown(&agent, "/api/walls/hall") == Value::Null).then_some(()));
    // Nonsense is told in the log and has no effect.
    for (topic, payload, told) in [
        ("cctv-agent/wall/show", "{\"camera\":\"gaet\"}", "there is no camera with this name"),
        ("cctv-agent/wall/show", "{\"camera\":7}", "camera must be a text"),
        ("cctv-agent/walls/cellar/show", "gate", "there is no wall with this name"),
        ("cctv-agent/wall/sing", "gate", "a wall can be told show, mark, layout and clear"),
        ("cctv-agent/wall/show", &"x".repeat(5000), "at most 4096 are taken"),
    ] {
        broker.publish(topic, payload);
        agent.wait_for_log(&["mqtt: ", told]);
    }
    // Events of the camera.
    wait_for("the subscription", || (agent.camera("gate")["events"]["state"] == "subscribed").then_some(()));
    cameras.fault("gate", "event?topic=motion&active=true");
    listener.wait("cctv-agent/cameras/gate/motion", "ON");
    cameras.fault("gate", "event?topic=motion&active=false");
    listener.wait("cctv-agent/cameras/gate/motion", "OFF");
    cameras.fault("gate", "freeze");
    listener.wait("cctv-agent/cameras/gate/state", "stalled");
    listener.forget();
    agent.signal(nix::sys::signal::Signal::SIGTERM);
    listener.wait("cctv-agent/status", "offline");
    assert!(agent.exit().success());
}

#[test]
fn broker_may_go_and_come_back_and_costs_the_wall_nothing() {
    let (cameras, mut broker) = (camera(""), Broker::start(""));
    let rule = "[[rule]]\non = \"mqtt:house/bell\"\ncamera = \"gate\"\n";
    let agent = Agent::start(&file(&cameras, &(broker.section("prefix = \"house/wall\"") + rule)));
    agent.wait_for_state("gate", "live");
    agent.wait_for_log(&["mqtt: connected to the broker at "]);
    broker.publish("house/bell", "anything");
    wait_for("the bell", || (shown(&agent, "/api/wall") == "gate").then_some(()));
    broker.end();
    agent.wait_for_log(&["mqtt: no broker at ", "; trying again"]);
    let before = agent.camera("gate");
    wait_for("pictures", || (agent.camera("gate")["frames"].as_u64()? > before["frames"].as_u64()? + 10).then_some(()));
    let camera = agent.camera("gate");
    assert_eq!((&camera["state"], &camera["reconnects"]), (&json!("live"), &json!(0)));
    broker.again("");
    let listener = broker.listen(&[]);
    listener.wait("house/wall/status", "online");
    listener.wait("house/wall/cameras/gate/state", "live");
    assert!(!listener.has("homeassistant/"));
}

#[test]
fn login_is_used_and_never_shown() {
    let (cameras, broker) = (camera(""), Broker::with_login(""));
    let wrong = broker.section("username = \"wall\"\npassword = \"hunter2\"");
    let agent = Agent::start(&file(&cameras, &wrong));
    agent.wait_for_log(&["mqtt: no broker at ", "it refuses the login; trying again"]);
    agent.wait_for_state("gate", "live");
    agent.reload(&file(&cameras, &broker.section("username = \"wall\"\npassword = \"secret\"")));
    let listener = broker.listen(&["-u", "wall", "-P", "secret"]);
    listener.wait("cctv-agent/cameras/gate/state", "live");
    let log = agent.log_text() + &agent.api().to_string();
    assert!(!log.contains("hunter2") && !log.contains("secret"), "{log}");
}

#[test]
fn broker_over_tls_must_have_the_key_of_the_file() {
    let cameras = camera("");
    let broker = Broker::start("certfile FOLDER/broker.pem\nkeyfile FOLDER/broker.key\n");
    let other = format!("fingerprint = \"{}\"", "ab".repeat(32));
    let agent = Agent::start(&file(&cameras, &broker.section(&other)));
    let line = agent.wait_for_log(&["mqtt: no broker at ", "sha256:"]);
    let seen = line.split("sha256:").nth(1).unwrap()[..64].to_owned();
    agent.reload(&file(&cameras, &broker.section(&format!("fingerprint = \"sha256:{seen}\""))));
    agent.wait_for_log(&["mqtt: connected to the broker at "]);
    broker.listen(&[]).wait("cctv-agent/status", "online");
}

#[test]
fn messages_that_the_broker_kept_are_not_obeyed() {
    let (cameras, broker) = (camera(""), Broker::start(""));
    let sent = broker.client("mosquitto_pub", &["-r", "-q", "1", "-t", "cctv-agent/wall/show", "-m", "gate"]).status();
    assert!(sent.unwrap().success());
    let agent = Agent::start(&file(&cameras, &broker.section("")));
    agent.wait_for_log(&["mqtt: connected to the broker at "]);
    broker.publish("cctv-agent/wall/mark", "gate");
    wait_for("the mark", || (agent.get("/api/wall")?.json()["marked"][0]["camera"] == "gate").then_some(()));
    assert_eq!(shown(&agent, "/api/wall"), Value::Null);
}
