//! A wall behind a real nginx, under a name of its own, in the usual configurations.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

use crate::support::{Agent, Answer, Cameras, Folder, PATIENCE, configuration, key_pair, own_address, wait_for};
use async_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};
use nix::sys::signal::Signal;
use serde_json::json;
use smol::{Async, Timer, future::FutureExt, stream::StreamExt};

const NAME: &str = "wall.example.com";

/// One proxy configuration: its port, its path, and what differs from the lines in the manual.
struct Way {
    port: u16,
    path: &'static str,
    slash: &'static str,
    host: &'static str,
}

/// The line of the manual that says for whom the browser asks.
const HOST: &str = "proxy_set_header Host $host;";

const WAYS: [Way; 4] = [
    Way { port: 8081, path: "/", slash: "", host: HOST },
    Way { port: 8082, path: "/", slash: "", host: "proxy_set_header Host $host:$server_port;" },
    Way { port: 8083, path: "/", slash: "", host: "" },
    Way { port: 8084, path: "/wall/", slash: "/", host: HOST },
];

/// A server without any line but `proxy_pass`.
const DEFAULT: Way = Way { port: 8085, path: "/", slash: "", host: "" };

/// How far the port with TLS is from the port at which the test asks.
const TLS: u16 = 1000;

/// nginx with one server for each of [`WAYS`], on an address of its own.
struct Nginx {
    child: Child,
    address: Ipv4Addr,
    folder: Folder,
}

impl Nginx {
    fn start(agent: &str) -> Self {
        let (folder, address) = (Folder::new(), own_address());
        let mut text = String::from(
            "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log error.log;\n\
             events { worker_connections 256; }\nhttp {\naccess_log off;\n\
             # So that a reader of plain multipart understands the pictures.\nchunked_transfer_encoding off;\n",
        );
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            writeln!(text, "{kind}_temp_path {kind};").unwrap();
        }
        for way in &WAYS {
            text += &way.lines(address, agent);
            text += &way.browser(address);
        }
        let port = DEFAULT.port;
        write!(text, "server {{ listen {address}:{port}; location / {{ proxy_pass http://{agent}; }} }}\n}}").unwrap();
        key_pair(&folder.0, "wall");
        let file = folder.write("nginx.conf", &text);
        let child = Command::new("nginx")
            .arg("-p")
            .arg(&folder.0)
            .arg("-c")
            .arg(file)
            .args(["-e", "error.log"])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx is needed (scripts/packages)");
        let nginx = Self { child, address, folder };
        for way in WAYS.iter().chain([&DEFAULT]) {
            wait_for("nginx", || TcpStream::connect((address, way.port)).ok());
        }
        nginx
    }

    fn connect(&self, way: &Way) -> TcpStream {
        let stream = TcpStream::connect((self.address, way.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The response to a browser that requests `target`, below the configuration's path.
    fn get(&self, way: &Way, target: &str) -> Answer {
        let path = format!("{}{target}", way.path);
        crate::support::asked(self.connect(way), "GET", &way.authority(), &path).unwrap()
    }

    /// Like [`Nginx::get`], but reads only the head of an endless response.
    fn get_head(&self, way: &Way, target: &str) -> Answer {
        let mut stream = self.connect(way);
        let path = format!("{}{target}", way.path);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", way.authority()).unwrap();
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        let head = wait_for("a head", || {
            let count = stream.read(&mut chunk).unwrap();
            bytes.extend_from_slice(&chunk[..count]);
            let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
            Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
        });
        let mut body = bytes[head.len() + 4..].to_vec();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status != 200 {
            stream.read_to_end(&mut body).unwrap();
        }
        Answer { status, head, body }
    }

    /// The wall's WebSocket as a page of `origin` opens it; else the status and the error text.
    fn socket(&self, way: &Way, origin: &str) -> Result<WebSocketStream<Async<TcpStream>>, (u16, String)> {
        let mut request = format!("ws://{}{}ws", way.authority(), way.path).into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("origin", origin.parse().unwrap());
        headers.insert("sec-websocket-protocol", "cctv.wall.1".parse().unwrap());
        let stream = Async::new(self.connect(way)).unwrap();
        match in_time(client_async(request, stream)) {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(answer)) => {
                let body = answer.body().clone().unwrap_or_default();
                Err((answer.status().as_u16(), String::from_utf8_lossy(&body).into_owned()))
            }
            Err(error) => panic!("{error}"),
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.0.join("error.log")).unwrap_or_default();
            eprintln!("--- log of nginx\n{log}");
        }
    }
}

impl Way {
    /// The lines of the manual, for this configuration.
    fn lines(&self, address: Ipv4Addr, agent: &str) -> String {
        let mut changed = manual("docs/installing.md");
        for (from, to) in [
            ("listen 443 ssl;", format!("listen {address}:{} ssl;", self.port + TLS)),
            ("/etc/ssl/wall.pem", "wall.pem".to_owned()),
            ("/etc/ssl/private/wall.key", "wall.key".to_owned()),
            ("location /", format!("location {}", self.path)),
            ("proxy_pass http://127.0.0.1:8080;", format!("proxy_pass http://{agent}{};", self.slash)),
            (HOST, self.host.to_owned()),
        ] {
            assert!(changed.contains(from), "{from}");
            changed = changed.replace(from, &to);
        }
        changed
    }

    /// A server that does for the test what a browser does: it speaks TLS with the port of the
    /// manual's lines and passes everything on as it is.
    fn browser(&self, address: Ipv4Addr) -> String {
        format!(
            "server {{ listen {address}:{}; location / {{ proxy_pass https://{address}:{}; proxy_ssl_verify off;\n\
             proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";\n\
             proxy_set_header Host $http_host; proxy_buffering off; }} }}\n",
            self.port,
            self.port + TLS
        )
    }

    /// The `Host` header of a browser that uses this configuration.
    fn authority(&self) -> String {
        format!("{NAME}:{}", self.port)
    }

    fn origin(&self) -> String {
        format!("http://{}", self.authority())
    }
}

fn in_time<T>(work: impl Future<Output = T>) -> T {
    smol::block_on(async { Some(work.await) }.or(async {
        Timer::after(PATIENCE).await;
        None
    }))
    .expect("an answer in time")
}

/// The lines for nginx in a manual.
fn manual(path: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    text.split("```nginx\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

#[test]
fn manuals_have_the_same_lines_for_nginx() {
    let lines = |path: &str| -> Vec<String> {
        manual(path).lines().map(|line| line.split('#').next().unwrap().trim_end().to_owned()).collect()
    };
    assert_eq!(lines("docs/installing.zh-TW.md"), lines("docs/installing.md"));
}

/// The addresses in `src`, `href` and `import` of a file of the page, except those in comments and
/// examples and those that are made while it runs.
fn references(text: &str) -> Vec<String> {
    let is_code = |line: &&str| !["//", "*", "/*"].iter().any(|start| line.trim_start().starts_with(start));
    let code: String = text.lines().filter(is_code).collect::<Vec<_>>().join("\n");
    let (mut rest, mut text) = (code.as_str(), String::new());
    while let Some((before, example)) = rest.split_once("&lt;") {
        text += before;
        rest = example.split_once("&gt;").map_or("", |(_, after)| after);
    }
    text += rest;
    let starts = ["src=\"", "href=\"", "from \"", "import(\""];
    let found = starts.iter().flat_map(|start| text.split(start).skip(1).filter_map(|rest| rest.split('"').next()));
    found.filter(|address| !address.is_empty() && !address.starts_with(['#', '$'])).map(str::to_owned).collect()
}

/// Resolves `reference`, found in the file `from` of the page, to a path below the page.
fn resolved(from: &str, reference: &str) -> String {
    assert!(!reference.starts_with('/') && !reference.contains("://"), "{from} refers to {reference}");
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in reference.split('?').next().unwrap().split('/') {
        match part {
            "." => {}
            ".." => assert!(parts.pop().is_some(), "{from} refers to {reference}, outside of the page"),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Fetches the page and everything it refers to.
fn whole_page(nginx: &Nginx, way: &Way) {
    let mut wanted = vec![String::new(), "status.html".to_owned(), "examples/view.html".to_owned()];
    let mut at = 0;
    while let Some(path) = wanted.get(at).cloned() {
        at += 1;
        let answer = nginx.get(way, &path);
        assert_eq!(answer.status, 200, "{path} by port {}", way.port);
        let is_text = path.is_empty() || path.ends_with(".html") || path.ends_with(".js");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        for reference in if is_text { references(&text) } else { Vec::new() } {
            let file = resolved(&path, &reference);
            if !wanted.contains(&file) {
                wanted.push(file);
            }
        }
    }
    assert!(wanted.len() > 30, "the page has many files: {wanted:?}");
}

/// One live picture of `/live/gate`.
fn live_picture(nginx: &Nginx, way: &Way) {
    let mut viewer =
        crate::support::MotionJpeg::over(nginx.connect(way), &way.authority(), &format!("{}live/gate", way.path));
    let part = viewer.next_live();
    assert_eq!(part.state, "live");
    crate::support::burnt_in(&part.jpeg);
}

/// One picture over the wall's WebSocket.
fn wall_picture(nginx: &Nginx, way: &Way) {
    let mut socket = nginx.socket(way, &way.origin()).unwrap_or_else(|refused| panic!("{}: {refused:?}", way.port));
    let show = json!({ "show": [{ "tile": 0, "camera": "gate", "size": [320, 180], "accept": ["jpeg"] }] });
    in_time(socket.send(Message::text(show.to_string()))).unwrap();
    let picture = wait_for("a picture over the socket", || match in_time(socket.next())?.unwrap() {
        Message::Binary(bytes) => Some(bytes),
        _ => None,
    });
    crate::support::burnt_in(&picture[16..]);
}

const GATE: &str = "id=gate size=320x180 fps=10 small=none onvif=0 rtsp=0";

fn section(cameras: &Cameras) -> String {
    format!("[[camera]]\nid = \"gate\"\nstall_after = 60.0\n{}", cameras.place("gate"))
}

/// The configuration with one more line in `[server]`.
fn with_line(agent: &Agent, line: &str, cameras: &str) -> String {
    configuration(&agent.address, &agent.folder, cameras)
        .replace("[server]\n", &format!("[server]\nwithout_login = \"everybody\"\n{line}\n"))
}

#[test]
fn wall_behind_nginx_works_under_a_name_of_its_own_once_the_file_says_it() {
    let cameras = Cameras::start(&[GATE]);
    let section = section(&cameras);
    let agent = Agent::start(&section);
    agent.wait_for_state("gate", "live");
    let nginx = Nginx::start(&agent.address);

    let write = |lines: &[(&str, &str)]| {
        let lines: String = lines.iter().map(|(key, value)| format!("{key} = [\"{value}\"]\n")).collect();
        agent.folder.write("cameras.toml", &with_line(&agent, &lines, &section));
        let before = agent.api()["reload"]["count"].as_u64().unwrap();
        agent.signal(Signal::SIGHUP);
        wait_for("the reload", || (agent.api()["reload"]["count"].as_u64()? > before).then_some(()));
    };
    // Without `trusted_proxies`: the key, and what the proxy must report.
    let (names, proxies) = (("names", NAME), ("trusted_proxies", "127.0.0.1"));
    for way in &WAYS {
        write(&[names]);
        let answer = nginx.get_head(way, "api/cameras");
        let reason = answer.json()["error"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 403, "by port {}: {reason}", way.port);
        assert!(reason.contains("trusted_proxies = [\"127.0.0.1\"]"), "{reason}");
        // Without `names`: the agent refuses a foreign name that it can see, and names that key.
        write(&[proxies]);
        let passes_host = !way.host.is_empty();
        for target in ["", "api/cameras", "live/gate", "snapshot/gate", "metrics", "healthz", "js/main.js"] {
            let answer = nginx.get_head(way, target);
            if passes_host {
                assert_eq!(answer.status, 421, "{target} by port {}", way.port);
                let reason = answer.json()["error"].to_string();
                assert!(reason.contains(NAME) && reason.contains("`names` below [server]"), "{reason}");
            } else {
                assert_eq!(answer.status, 200, "{target} by port {}", way.port);
            }
        }
        let (status, reason) = nginx.socket(way, &way.origin()).map(drop).unwrap_err();
        assert_eq!(status, if passes_host { 421 } else { 403 }, "by port {}: {reason}", way.port);
        assert!(reason.contains(NAME) && reason.contains("`names`"), "{reason}");
        assert!(passes_host || reason.contains(HOST), "{reason}");
    }

    // A reload admits them and interrupts nobody.
    let mut watching = crate::support::MotionJpeg::open(&agent.address, "/live/gate");
    let first = watching.next_live().sequence.unwrap();
    let viewer = watching.in_background();
    write(&[names, proxies]);
    assert_eq!(agent.api()["reload"]["outcome"], "1 camera unchanged, names changed");
    for way in &WAYS {
        whole_page(&nginx, way);
        let api = nginx.get(way, "api/cameras");
        assert_eq!((api.status, api.json()["cameras"][0]["id"].clone()), (200, json!("gate")));
        live_picture(&nginx, way);
        wall_picture(&nginx, way);
        let foreign = nginx.socket(way, "http://evil.example").map(drop).unwrap_err();
        assert_eq!(foreign.0, 403, "by port {}", way.port);
    }
    let reloaded = Instant::now();
    wait_for("a picture after all that", || {
        let part = viewer.recv_timeout(PATIENCE).expect("the viewer goes on");
        assert_eq!(part.state, "live");
        assert!(part.sequence.unwrap() > first);
        (part.arrived > reloaded).then_some(())
    });
    assert_eq!(agent.camera("gate")["reconnects"], 0);
}

#[test]
fn page_behind_nginx_as_it_comes_is_told_the_lines_that_are_missing() {
    let agent = Agent::start("");
    agent.api();
    let nginx = Nginx::start(&agent.address);
    // Otherwise all its visitors would count as this machine's own screen, which needs no login.
    for path in ["", "api/cameras", "snapshot/gate"] {
        let answer = nginx.get(&DEFAULT, path);
        let text = String::from_utf8_lossy(&answer.body).replace("\\\"", "\"");
        assert_eq!(answer.status, 403, "{path}: {text}");
        for line in [
            "trusted_proxies = [\"127.0.0.1\"]",
            HOST,
            "proxy_http_version 1.1;",
            "proxy_set_header Upgrade $http_upgrade;",
            "Connection \"upgrade\";",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
    let (status, reason) = nginx.socket(&DEFAULT, &DEFAULT.origin()).map(drop).unwrap_err();
    assert!(status == 403 && reason.contains("proxy_set_header Upgrade $http_upgrade;"), "{status}: {reason}");
}

#[test]
fn running_agent_answers_under_its_own_names_alone() {
    let cameras = Cameras::start(&[GATE]);
    let agent = Agent::start(&section(&cameras));
    agent.wait_for_state("gate", "live");
    let ask = |host: &str, target: &str| {
        crate::support::asked(TcpStream::connect(&agent.address).unwrap(), "GET", host, target).unwrap()
    };
    for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example"] {
        for target in ["/", "/api/cameras", "/live/gate", "/snapshot/gate", "/metrics", "/healthz"] {
            let answer = ask(host, target);
            assert_eq!(answer.status, 421, "{host} {target}");
            assert!(!String::from_utf8_lossy(&answer.body).contains("gate"), "{host} {target}");
        }
    }
    assert_eq!(ask(&agent.address, "http://evil.example/api/cameras").status, 421);
    for host in [agent.address.as_str(), "localhost:8080", "[::1]"] {
        assert_eq!(ask(host, "/api/cameras").status, 200, "{host}");
    }
}
