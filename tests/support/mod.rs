//! Support for scenarios: real virtual cameras and a real agent, each a process of its own on
//! loopback addresses that no other test uses. Each process ends when the value that started it is
//! dropped.

// Each test program uses only a part of this module.
#![allow(dead_code, clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use serde_json::Value;

pub mod clip;
pub mod elf;
pub mod held_key;
pub mod mark;
pub mod network;
pub mod onvif_camera;
pub mod page;
pub mod wall;
pub mod without;

/// Timeout of every wait: a condition that does not hold by then never will, even on a busy
/// machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Calls `look` until it returns a value.
///
/// # Panics
/// After [`PATIENCE`], with `what` in the message.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let looked = Instant::now();
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        // If `look` itself waited, for example for the next picture, no pause is needed.
        thread::sleep(LOOK_AGAIN.saturating_sub(looked.elapsed()));
    }
}

/// A loopback address that only this process uses.
pub fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    address(std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The `n`th address, counted from 0, of process `pid`, within 127.64/10.
///
/// 254 addresses have the same 24 bits: a block. Test programs that run at the same time have
/// numbers close to each other, so the next block of a process is far from its first one.
fn address(pid: u32, n: u16) -> Ipv4Addr {
    const BLOCKS: u32 = 1 << 14;
    const NEXT_BLOCK: u32 = 4099;
    let n = u32::from(n);
    let block = (pid + n / 254 * NEXT_BLOCK) % BLOCKS;
    let [.., a, b] = block.to_be_bytes();
    let [.., last] = (n % 254 + 1).to_be_bytes();
    Ipv4Addr::new(127, 64 | a, b, last)
}

#[test]
fn addresses_of_one_process_and_its_neighbours_are_distinct() {
    let all = (4_194_300..4_194_304).flat_map(|pid| (0..2000).map(move |n| address(pid, n)));
    let distinct: BTreeSet<_> = all.clone().collect();
    assert_eq!(distinct.len(), all.count());
    assert!(distinct.iter().all(|address| address.octets()[1] >> 6 == 1 && address.is_loopback()));
}

/// Unix time in milliseconds.
pub fn unix_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A directory of its own, removed when the value is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("cctv-test-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn agent_program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_cctv-agent"))
}

/// The response to an HTTP request: status, head and body.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Sends a request and reads the response to its end; `None` if nobody answers.
pub fn http(method: &str, address: &str, target: &str) -> Option<Answer> {
    asked(TcpStream::connect(address).ok()?, method, address, target)
}

/// Like [`http`], with these further header lines.
pub fn http_with(method: &str, address: &str, target: &str, lines: &[&str]) -> Option<Answer> {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    exchange(TcpStream::connect(address).ok()?, method, address, target, &lines, "")
}

/// Sends `body` with POST, as [`http`].
pub fn post(address: &str, target: &str, body: &str) -> Option<Answer> {
    let length = format!("Content-Length: {}\r\n", body.len());
    exchange(TcpStream::connect(address).ok()?, "POST", address, target, &length, body)
}

/// Like [`http`], on an existing connection.
pub fn asked(stream: TcpStream, method: &str, address: &str, target: &str) -> Option<Answer> {
    exchange(stream, method, address, target, "", "")
}

fn exchange(
    mut stream: TcpStream,
    method: &str,
    address: &str,
    target: &str,
    lines: &str,
    body: &str,
) -> Option<Answer> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = Vec::new();
    // A refused client may already have the response and a closed connection.
    let _ = write!(stream, "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{lines}\r\n{body}");
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head, body: bytes[end + 4..].to_vec() })
}

/// Virtual cameras in one process.
pub struct Cameras {
    child: Child,
    control: String,
    /// What each camera printed when it began to listen.
    introductions: Vec<Value>,
}

impl Cameras {
    /// Starts one camera per description, in the syntax of `virtual-camera --camera`; adds an `ip`
    /// if there is none.
    pub fn start(descriptions: &[&str]) -> Self {
        let program = agent_program().with_file_name("virtual-camera");
        assert!(program.exists(), "there is no {}; run cargo build --workspace", program.display());
        let mut command = Command::new(program);
        command.args(["--exit-with-stdin", "--control", "127.0.0.1:0"]);
        for description in descriptions {
            let has_ip = description.split(' ').any(|pair| pair.starts_with("ip="));
            let ip = if has_ip { String::new() } else { format!("ip={} ", own_address()) };
            command.args(["--camera", &format!("{ip}{description}")]);
        }
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut cameras = Self { child, control: String::new(), introductions: Vec::new() };
        let lines = BufReader::new(cameras.child.stdout.take().unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            let line: Value = serde_json::from_str(&line).unwrap();
            if let Some(control) = line["control"].as_str() {
                cameras.control = control.trim_start_matches("http://").trim_end_matches('/').to_owned();
                return cameras;
            }
            cameras.introductions.push(line);
        }
        panic!("the virtual cameras ended before they were ready");
    }

    /// The `[[camera]]` lines `ip` and `onvif_port` of camera `id`.
    pub fn place(&self, id: &str) -> String {
        let introduction = self.introductions.iter().find(|line| line["camera"] == id).unwrap();
        let url = introduction["onvif"].as_str().unwrap();
        let authority = url.split('/').nth(2).unwrap();
        let (ip, port) = authority.split_once(':').unwrap();
        format!("ip = \"{ip}\"\nonvif_port = {port}\n")
    }

    /// The RTSP address of camera `id`.
    pub fn stream(&self, id: &str) -> String {
        let introduction = self.introductions.iter().find(|line| line["camera"] == id).unwrap();
        introduction["rtsp"].as_str().unwrap().to_owned()
    }

    /// The address and the port of the ONVIF service of camera `id` over TLS.
    pub fn https(&self, id: &str) -> (String, u16) {
        let introduction = self.introductions.iter().find(|line| line["camera"] == id).unwrap();
        let authority = introduction["https"].as_str().unwrap().split('/').nth(2).unwrap();
        let (ip, port) = authority.split_once(':').unwrap();
        (ip.to_owned(), port.parse().unwrap())
    }

    /// The `[[camera]]` lines of camera `id` for ONVIF over TLS alone.
    pub fn https_place(&self, id: &str) -> String {
        let (ip, port) = self.https(id);
        format!("ip = \"{ip}\"\nonvif_port = {port}\ntls = \"learn\"\n")
    }

    /// The TLS certificate of camera `id`, and its key.
    pub fn pem(&self, id: &str) -> String {
        let introduction = self.introductions.iter().find(|line| line["camera"] == id).unwrap();
        introduction["pem"].as_str().unwrap().to_owned()
    }

    /// The permanent identity of camera `id`: `urn:uuid:...`.
    pub fn endpoint(&self, id: &str) -> String {
        let introduction = self.introductions.iter().find(|line| line["camera"] == id).unwrap();
        introduction["endpoint"].as_str().unwrap().to_owned()
    }

    /// Gives camera `id` a fault, or ends its faults with `resume`.
    pub fn fault(&self, id: &str, fault: &str) {
        let answer = http("POST", &self.control, &format!("/{id}/{fault}")).unwrap();
        assert!(answer.status < 300, "{fault}: {}", answer.head);
    }

    /// Asks the cameras to end, with a Bye, and waits until they have.
    pub fn end(&mut self) {
        signal::kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        wait_for("the cameras to end", || self.child.try_wait().unwrap());
    }

    /// The counters of camera `id`.
    pub fn facts(&self, id: &str) -> Value {
        http("GET", &self.control, &format!("/{id}")).unwrap().json()
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running agent with its configuration in a folder of its own.
pub struct Agent {
    child: Child,
    pub folder: Folder,
    /// `ip:port` of the wall.
    pub address: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Agent {
    /// Starts an agent with these cameras and does not wait for it.
    pub fn start(cameras: &str) -> Self {
        Self::start_in(Folder::new(), cameras, None, &[])
    }

    /// Starts an agent through another program, which must become it: `prlimit`, or `sh -c` with
    /// `exec "$@"`.
    pub fn start_through(wrapper: &[&str], folder: Folder, cameras: &str) -> Self {
        Self::start_in(folder, cameras, None, wrapper)
    }

    fn start_in(folder: Folder, cameras: &str, state: Option<&Path>, wrapper: &[&str]) -> Self {
        let address = format!("{}:8080", own_address());
        if let Some(state) = state {
            fs::create_dir(folder.0.join("state")).unwrap();
            // Without the directory of the certificate.
            let is_file = |file: &fs::DirEntry| file.path().is_file();
            for file in fs::read_dir(state).unwrap().map(Result::unwrap).filter(is_file) {
                fs::copy(file.path(), folder.0.join("state").join(file.file_name())).unwrap();
            }
        }
        folder.write("cameras.toml", &configuration(&address, &folder, cameras));
        let program = [wrapper, &[agent_program().to_str().unwrap()]].concat();
        let mut command = Command::new(program[0]);
        command.args(&program[1..]);
        Self::spawn(folder, address, command)
    }

    /// Starts `command` with the arguments of an agent that runs with the file in `folder`.
    pub fn spawn(folder: Folder, address: String, mut command: Command) -> Self {
        let mut child = command
            .args(["run", "--log", "stderr", "--log-level", "debug", "--config"])
            .arg(folder.0.join("cameras.toml"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let writer = Arc::clone(&log);
        thread::Builder::new()
            .name("agent log".into())
            .spawn(move || lines.map_while(Result::ok).for_each(|line| writer.lock().unwrap().push(line)))
            .unwrap();
        Self { child, folder, address, log }
    }

    /// Starts another one that runs in the same folder, after this one has ended.
    pub fn again(self) -> Self {
        self.again_through(Command::new(agent_program()))
    }

    /// As [`again`](Self::again), by a command that becomes the agent.
    pub fn again_through(mut self, command: Command) -> Self {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let folder = Folder(std::mem::take(&mut self.folder.0));
        Self::spawn(folder, self.address.clone(), command)
    }

    /// Starts an agent with a copy of the state directory `state`.
    pub fn start_with_state(cameras: &str, state: &Path) -> Self {
        Self::start_in(Folder::new(), cameras, Some(state), &[])
    }

    /// Starts an agent whose own certificate is that in `directory`.
    pub fn start_with_tls(directory: &Path) -> Self {
        let folder = Folder::new();
        fs::create_dir_all(folder.0.join("state/tls")).unwrap();
        for file in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            fs::copy(file.path(), folder.0.join("state/tls").join(file.file_name())).unwrap();
        }
        Self::start_in(folder, "", None, &[])
    }

    /// Writes another configuration and asks for a reload.
    pub fn reload(&self, cameras: &str) {
        self.folder.write("cameras.toml", &configuration(&self.address, &self.folder, cameras));
        self.signal(Signal::SIGHUP);
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    pub fn signal(&self, signal: Signal) {
        signal::kill(self.pid(), signal).unwrap();
    }

    /// Waits for the process to end by itself.
    pub fn exit(&mut self) -> ExitStatus {
        wait_for("the agent to exit", || self.child.try_wait().unwrap())
    }

    pub fn get(&self, target: &str) -> Option<Answer> {
        http("GET", &self.address, target)
    }

    /// Waits for `/api/cameras` and returns it.
    pub fn api(&self) -> Value {
        wait_for("/api/cameras", || self.get("/api/cameras")).json()
    }

    /// The entry of camera `id` in `/api/cameras`.
    pub fn camera(&self, id: &str) -> Value {
        let api = self.api();
        let cameras = api["cameras"].as_array().unwrap();
        cameras.iter().find(|camera| camera["id"] == id).cloned().unwrap_or(Value::Null)
    }

    /// Waits until camera `id` is in `state` and returns its entry.
    pub fn wait_for_state(&self, id: &str, state: &str) -> Value {
        let mut last = Value::Null;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            last = self.camera(id);
            if last["state"] == state {
                return last;
            }
            thread::sleep(LOOK_AGAIN);
        }
        panic!("{id} did not become {state}; it is {last:#}\n{}", self.log_text());
    }

    pub fn log_lines(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    pub fn log_text(&self) -> String {
        self.log_lines().join("\n")
    }

    /// Waits for a log line that contains all of `parts`, and returns it.
    pub fn wait_for_log(&self, parts: &[&str]) -> String {
        let holds = |line: &&String| parts.iter().all(|part| line.contains(part));
        wait_for(&format!("a log line with {parts:?}"), || self.log_lines().iter().find(holds).cloned())
    }

    /// Process numbers of the agent's workers: its only children.
    pub fn workers(&self) -> Vec<i32> {
        children(self.pid())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- log of the agent\n{}", self.log_text());
        }
    }
}

/// Writes a configuration file for a wall at `address`.
pub fn configuration(address: &str, folder: &Folder, cameras: &str) -> String {
    let www = Path::new(env!("CARGO_MANIFEST_DIR")).join("www");
    // Without a user only this machine is served, and most scenarios are about something else.
    let is_own = address.parse().is_ok_and(|address: SocketAddr| address.ip().is_loopback());
    let without_login = if is_own { "" } else { "without_login = \"everybody\"\n" };
    format!(
        "[server]\nlisten = \"{address}\"\n{without_login}www = \"{}\"\nstate_dir = \"{}\"\n\n{cameras}",
        www.display(),
        folder.0.join("state").display()
    )
}

/// Makes a certificate for `wall.example.com` and loopback, `NAME.pem`, with its key, `NAME.key`.
pub fn key_pair(folder: &Path, name: &str) {
    key_pair_for(folder, name, 30);
}

/// As [`key_pair`], valid for so many days.
pub fn key_pair_for(folder: &Path, name: &str, days: u32) {
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            &days.to_string(),
        ])
        .args(["-subj", "/CN=wall.example.com", "-addext", "subjectAltName=DNS:wall.example.com,IP:127.0.0.1"])
        .args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("openssl is needed (scripts/packages)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// One part of a Motion JPEG response.
pub struct Part {
    pub sequence: Option<u32>,
    /// Unix seconds.
    pub timestamp: Option<f64>,
    /// `X-State`.
    pub state: String,
    pub jpeg: Vec<u8>,
    pub arrived: Instant,
}

/// A viewer of `/live/<id>` that parses strictly by RFC 2046.
pub struct MotionJpeg {
    reader: BufReader<TcpStream>,
    boundary: String,
}

impl MotionJpeg {
    pub fn open(address: &str, target: &str) -> Self {
        Self::over(TcpStream::connect(address).unwrap(), address, target)
    }

    /// Like [`MotionJpeg::open`], on an existing connection.
    pub fn over(stream: TcpStream, address: &str, target: &str) -> Self {
        Self::requested(stream, &format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n"))
    }

    /// Like [`MotionJpeg::over`], with a request of its own.
    pub fn requested(mut stream: TcpStream, request: &str) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let status = line(&mut reader);
        assert!(status.starts_with("HTTP/1.1 200"), "{status}");
        let mut boundary = None;
        loop {
            let field = line(&mut reader);
            if field.is_empty() {
                break;
            }
            if let Some(kind) = field.to_ascii_lowercase().strip_prefix("content-type:") {
                assert!(kind.trim().starts_with("multipart/x-mixed-replace"), "{kind}");
                let value = field.split_once("boundary=").unwrap().1;
                boundary = Some(value.trim_matches('"').to_owned());
            }
        }
        let boundary = boundary.expect("a boundary");
        assert_eq!(line(&mut reader), format!("--{boundary}"), "the body begins with a delimiter");
        Self { reader, boundary }
    }

    /// Reads one part and the delimiter after it, which is not the last one.
    pub fn next(&mut self) -> Part {
        let (part, delimiter) = self.read_part();
        assert_eq!(delimiter, format!("--{}", self.boundary));
        part
    }

    /// Reads to the last part and to the end of the connection.
    pub fn last(&mut self) -> Part {
        wait_for("the last part", || {
            let (part, delimiter) = self.read_part();
            if delimiter == format!("--{}", self.boundary) {
                return None;
            }
            assert_eq!(delimiter, format!("--{}--", self.boundary));
            let mut rest = Vec::new();
            self.reader.read_to_end(&mut rest).unwrap();
            assert_eq!(rest, b"", "nothing follows the end");
            Some(part)
        })
    }

    fn read_part(&mut self) -> (Part, String) {
        let (mut length, mut sequence, mut timestamp, mut state) = (None, None, None, String::new());
        loop {
            let field = line(&mut self.reader);
            if field.is_empty() {
                break;
            }
            let (name, value) = field.split_once(':').expect("a header field");
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok(),
                "content-type" => assert_eq!(value.trim(), "image/jpeg"),
                // Cards have the sequence number 0.
                "x-sequence" => sequence = value.trim().parse().ok().filter(|number| *number != 0),
                "x-timestamp" => timestamp = value.trim().parse().ok(),
                "x-state" => state = value.trim().to_owned(),
                _ => {}
            }
        }
        let mut jpeg = vec![0; length.expect("a Content-Length")];
        self.reader.read_exact(&mut jpeg).unwrap();
        let arrived = Instant::now();
        assert!(jpeg.starts_with(b"\xff\xd8") && jpeg.ends_with(b"\xff\xd9"), "a whole JPEG");
        assert_eq!(line(&mut self.reader), "", "CRLF before the delimiter");
        (Part { sequence, timestamp, state, jpeg, arrived }, line(&mut self.reader))
    }

    /// Reads up to the next live picture and skips cards.
    pub fn next_live(&mut self) -> Part {
        wait_for("a live picture", || Some(self.next()).filter(|part| part.sequence.is_some()))
    }

    /// Reads up to the next card and skips live pictures.
    pub fn next_card(&mut self) -> Part {
        wait_for("a card", || Some(self.next()).filter(|part| part.sequence.is_none()))
    }

    /// Reads parts in a thread of its own until the receiver is dropped or the stream ends.
    pub fn in_background(mut self) -> mpsc::Receiver<Part> {
        let (sender, receiver) = mpsc::channel();
        thread::Builder::new().name("viewer".into()).spawn(move || while sender.send(self.next()).is_ok() {}).unwrap();
        receiver
    }
}

fn line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    line.strip_suffix("\r\n").unwrap_or_else(|| panic!("{line:?} does not end with CRLF")).to_owned()
}

/// Width and height of a JPEG.
pub fn jpeg_size(jpeg: &[u8]) -> (usize, usize) {
    let header = turbojpeg::read_header(jpeg).unwrap();
    (header.width, header.height)
}

/// What the virtual camera burnt into a picture.
pub fn burnt_in(jpeg: &[u8]) -> stamp::Stamp {
    try_burnt_in(jpeg).expect("a stamp in the picture")
}

/// The same for a picture that may be broken.
pub fn try_burnt_in(jpeg: &[u8]) -> Option<stamp::Stamp> {
    let image = turbojpeg::decompress(jpeg, turbojpeg::PixelFormat::GRAY).ok()?;
    let (data, width, height, stride) = (image.pixels.as_slice(), image.width, image.height, image.pitch);
    stamp::read(&stamp::Pixels { data, width, height, stride, step: 1 }).ok()
}

/// Where a virtual camera that can be turned looks, as its picture says.
pub fn position_in(jpeg: &[u8]) -> stamp::Position {
    let image = turbojpeg::decompress(jpeg, turbojpeg::PixelFormat::GRAY).unwrap();
    let (data, width, height, stride) = (image.pixels.as_slice(), image.width, image.height, image.pitch);
    stamp::read_position(&stamp::Pixels { data, width, height, stride, step: 1 }).expect("a position in the picture")
}

/// Process numbers of the children of `pid`'s first thread.
pub fn children(pid: Pid) -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
