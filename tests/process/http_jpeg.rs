//! JPEG over HTTP, from servers that others wrote: Motion JPEG of FFmpeg, alone and behind web servers with
//! logins, and pictures that are fetched again and again.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{Agent, Cameras, Folder, MotionJpeg, burnt_in, jpeg_size, key_pair, mark, unix_ms, wait_for};

const MD5: &str = "f0f14013e80565e4d7b4cef1d496e445";
const SHA_256: &str = "55ede760e1cbf7886c78b50e92eddd1fb09b59028a4e80756650db27f462fb14";
const LOGIN: &str = "username = \"viewer\"\npassword = \"geheim\"\n";

/// A process that ends with this value.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}; scripts/test installs it")))
    }

    /// FFmpeg as a camera of one viewer.
    fn camera(port: u16) -> Self {
        let mut command = ffmpeg();
        command.args(["-f", "mpjpeg", "-listen", "1", &format!("http://127.0.0.1:{port}/video")]);
        Self::start(&mut command)
    }

    /// nginx with these `servers`; the paths in them are those of `folder`.
    fn nginx(folder: &Folder, servers: &str) -> Self {
        let configuration = format!(
            "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log error.log;\n\
             events {{}}\nhttp {{ access_log off; client_body_temp_path body; proxy_temp_path proxy;\n\
             fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s; types {{ image/jpeg jpg; }}\n{servers} }}\n"
        );
        let configuration = folder.write("nginx.conf", &configuration);
        Self::start(Command::new("nginx").arg("-p").arg(&folder.0).arg("-c").arg(configuration).stderr(Stdio::null()))
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// FFmpeg, which makes ten pictures a second.
fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=10", "-c:v", "mjpeg"]);
    command
}

/// FFmpeg, which writes each picture to the same file of `folder`.
fn pictures(folder: &Path) -> Process {
    let mut command = ffmpeg();
    command.args(["-f", "image2", "-update", "1", "-atomic_writing", "1", "snapshot.jpg"]);
    Process::start(command.current_dir(folder))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_for_port(port: u16) {
    wait_for("the server to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
}

fn camera(url: &str, more: &str) -> String {
    format!("[[camera]]\nid = \"gate\"\nurl = \"{url}\"\n{more}")
}

/// Waits until the tile says `what`, and returns all that it says.
fn wait_for_reason(agent: &Agent, what: &str) -> String {
    wait_for(what, || {
        let why = agent.camera("gate")["why"].as_str()?.to_owned();
        why.contains(what).then_some(why)
    })
}

/// Checks that viewers get pictures of FFmpeg.
fn is_shown(agent: &Agent) {
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    let part = viewer.next_live();
    assert_eq!(jpeg_size(&part.jpeg), (320, 240));
    wait_for("another picture", || (viewer.next_live().sequence > part.sequence).then_some(()));
}

#[test]
fn motion_jpeg_of_ffmpeg_is_shown_untouched_and_its_end_is_told() {
    let port = free_port();
    let server = Process::camera(port);
    let agent = Agent::start(&camera(&format!("http://127.0.0.1:{port}/video"), ""));
    // FFmpeg may listen only after the first attempt.
    agent.wait_for_state("gate", "live");
    is_shown(&agent);
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    viewer.next_live();
    drop(server);
    viewer.next_card();
    let why = wait_for("the reason", || {
        let camera = agent.camera("gate");
        let why = camera["why"].as_str()?.to_owned();
        (camera["state"] == "offline").then_some(why)
    });
    assert!(why.contains("the stream ended: ") || why.contains("connection refused"), "{why}");
    let _again = Process::camera(port);
    agent.wait_for_state("gate", "live");
}

#[test]
fn basic_login_redirects_and_tls_of_nginx() {
    let folder = Folder::new();
    let [source, plain, tls] = [free_port(), free_port(), free_port()];
    folder.write("users", "viewer:{PLAIN}geheim\n");
    key_pair(&folder.0, "camera");
    let video = format!(
        "location = /video {{ auth_basic camera; auth_basic_user_file users; proxy_buffering off;\n\
         proxy_pass http://127.0.0.1:{source}/video; }}"
    );
    let _nginx = Process::nginx(
        &folder,
        &format!(
            "server {{ listen 127.0.0.1:{plain}; {video}\n\
             location = /old {{ return 302 /video; }}\n\
             location = /away {{ return 302 http://127.0.0.2:{plain}/video; }}\n\
             location = /secure {{ return 301 https://127.0.0.1:{tls}/video; }}\n\
             location = /page {{ default_type text/html; return 200 page; }} }}\n\
             server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate camera.pem; ssl_certificate_key camera.key; {video} }}"
        ),
    );
    wait_for_port(plain);
    let at = |path: &str, more: &str| camera(&format!("http://127.0.0.1:{plain}/{path}"), more);

    // Basic, at the end of a redirect.
    let agent = Agent::start(&at("old", LOGIN));
    wait_for_reason(&agent, "in clear text only (Basic), and was not sent it");
    agent.reload(&at("old", ""));
    wait_for_reason(&agent, "wants a login for its stream; set username and password");
    agent.reload(&at("old", "username = \"viewer\"\npassword = \"wrong\"\nclear_password = true\n"));
    wait_for_reason(&agent, "the camera refused the login (401 Unauthorized); check username and password");
    assert_eq!(agent.camera("gate")["state"], "denied");
    let server = Process::camera(source);
    agent.reload(&at("old", &format!("{LOGIN}clear_password = true\n")));
    agent.wait_for_state("gate", "live");
    is_shown(&agent);
    drop(server);

    // What leads elsewhere, and what is no stream.
    agent.reload(&at("away", LOGIN));
    wait_for_reason(&agent, &format!("the camera redirects to http://127.0.0.2:{plain}/video, which is not followed"));
    agent.reload(&at("page", LOGIN));
    wait_for_reason(&agent, "the camera sends text/html instead of JPEG; check profile or url");

    // Over TLS the password is sent to a key that is known.
    let _server = Process::camera(source);
    let secure = format!("https://127.0.0.1:{tls}/video");
    agent.reload(&camera(&secure, LOGIN));
    let why = wait_for_reason(&agent, "write fingerprint = \"sha256:");
    let start = why.find("sha256:").unwrap();
    let pinned = format!("fingerprint = \"{}\"\n", &why[start..start + "sha256:".len() + 64]);
    agent.reload(&camera(&secure, &format!("{LOGIN}{pinned}")));
    agent.wait_for_state("gate", "live");
    is_shown(&agent);
    let other = format!("fingerprint = \"sha256:{}\"\n", "00".repeat(32));
    agent.reload(&camera(&secure, &format!("{LOGIN}{other}")));
    wait_for_reason(&agent, "has another TLS key than fingerprint says, so nothing was sent to it");
    // The redirect leads to the same key.
    agent.reload(&at("secure", LOGIN));
    wait_for_reason(&agent, "in clear text only (Basic), and was not sent it");
}

#[test]
fn digest_login_of_lighttpd() {
    // Of "viewer:camera:geheim".
    for (algorithm, response) in [("MD5", MD5), ("SHA-256", SHA_256)] {
        let folder = Folder::new();
        let [source, port] = [free_port(), free_port()];
        folder.write("users", &format!("viewer:camera:{response}\n"));
        let path = folder.0.display();
        let configuration = folder.write(
            "lighttpd.conf",
            &format!(
                "server.document-root = \"{path}\"\nserver.bind = \"127.0.0.1\"\nserver.port = {port}\n\
                 server.modules = (\"mod_auth\", \"mod_authn_file\", \"mod_proxy\")\n\
                 auth.backend = \"htdigest\"\nauth.backend.htdigest.userfile = \"{path}/users\"\n\
                 auth.require = (\"/video\" => (\"method\" => \"digest\", \"algorithm\" => \"{algorithm}\",\n\
                 \"realm\" => \"camera\", \"require\" => \"valid-user\"))\nserver.stream-response-body = 2\n\
                 proxy.server = (\"/video\" => ((\"host\" => \"127.0.0.1\", \"port\" => {source})))\n"
            ),
        );
        let _lighttpd = Process::start(Command::new("lighttpd").arg("-D").arg("-f").arg(configuration));
        wait_for_port(port);
        let url = format!("http://127.0.0.1:{port}/video");
        let agent = Agent::start(&camera(&url, "username = \"viewer\"\npassword = \"wrong\"\n"));
        wait_for_reason(&agent, "the camera refused the login (401 Unauthorized); check username and password");
        let _server = Process::camera(source);
        agent.reload(&camera(&url, LOGIN));
        agent.wait_for_state("gate", "live");
        is_shown(&agent);
    }
}

#[test]
fn snapshots_are_shown_and_a_camera_that_freezes_or_ends_is_told() {
    let folder = Folder::new();
    let port = free_port();
    let serve = || {
        let nginx = Process::nginx(
            &folder,
            &format!(
                "server {{ listen 127.0.0.1:{port}; root .;\n\
                 location = /page {{ default_type text/html; return 200 page; }} }}"
            ),
        );
        wait_for_port(port);
        nginx
    };
    let ffmpeg = pictures(&folder.0);
    let nginx = serve();
    wait_for("a picture", || folder.0.join("snapshot.jpg").exists().then_some(()));
    let camera = |path: &str| format!("[[camera]]\nid = \"gate\"\nsnapshot_url = \"http://127.0.0.1:{port}/{path}\"\n");
    let agent = Agent::start(&camera("snapshot.jpg"));
    agent.wait_for_state("gate", "live");
    is_shown(&agent);

    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    viewer.next_live();
    // The server goes on to answer, with the same picture.
    ffmpeg.signal(Signal::SIGSTOP);
    viewer.next_card();
    wait_for_reason(&agent, "no frame for 5.0 s");
    ffmpeg.signal(Signal::SIGCONT);
    // It is tried at once.
    agent.reload(&camera("snapshot.jpg"));
    agent.wait_for_state("gate", "live");

    drop(nginx);
    wait_for_reason(&agent, "connection refused");
    let _nginx = serve();
    agent.reload(&camera("snapshot.jpg"));
    agent.wait_for_state("gate", "live");

    agent.reload(&camera("page"));
    wait_for_reason(&agent, "the camera sends text/html instead of JPEG");
    agent.reload(&camera("nothing.jpg"));
    wait_for_reason(&agent, "the camera knows no such stream (404 Not Found)");
}

#[test]
fn snapshots_of_a_camera_with_a_login_are_fresh() {
    let cameras =
        Cameras::start(&["id=gate size=640x360 fps=10 small=none user=viewer pass=geheim auth=digest onvif=0"]);
    let place = cameras.place("gate");
    let ip = place.split('"').nth(1).unwrap();
    let port = place.rsplit("= ").next().unwrap().trim();
    let section = format!(
        "[[camera]]\nid = \"gate\"\nsnapshot_url = \"http://{ip}:{port}/snapshot/main\"\nusername = \"viewer\"\n"
    );
    let agent = Agent::start(&format!("{section}password = \"wrong\"\n"));
    wait_for_reason(&agent, "the camera refused the login (401 Unauthorized)");
    agent.reload(&format!("{section}password = \"geheim\"\n"));
    agent.wait_for_state("gate", "live");
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    let first = burnt_in(&viewer.next_live().jpeg);
    let last = wait_for("newer pictures", || {
        let stamp = burnt_in(&viewer.next_live().jpeg);
        (stamp.frame > first.frame + 2).then_some(stamp)
    });
    let age = unix_ms().saturating_sub(last.unix_ms);
    assert!(age < 5000, "{age} ms old");
}

#[test]
fn camera_whose_stream_cannot_be_opened_is_shown_by_its_snapshots_and_says_so() {
    let gate = "id=gate size=640x360 fps=10 small=none user=viewer pass=geheim auth=digest onvif=0 rtsp=0";
    let cameras = Cameras::start(&[gate]);
    cameras.fault("gate", "no-video");
    let section = format!("[[camera]]\nid = \"gate\"\n{}{LOGIN}", cameras.place("gate"));
    let agent = Agent::start(&section);
    let camera = agent.wait_for_state("gate", "live");
    let why = camera["why"].as_str().unwrap();
    let expected = "snapshots instead of the stream, at most one picture every 1.0 s; the stream has no video";
    assert!(why.starts_with(expected), "{why}");
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    let first = burnt_in(&viewer.next_live().jpeg);
    wait_for("newer pictures", || (burnt_in(&viewer.next_live().jpeg).frame > first.frame + 2).then_some(()));
    assert_eq!(cameras.facts("gate")["failed_logins"], 0);
    // A JPEG may be shown anywhere, where nobody reads the reason.
    assert!((0..3).all(|_| mark::is_marked(&viewer.next_live().jpeg)), "the camera's own size");
    let mut small = MotionJpeg::open(&agent.address, "/live/gate?size=320x180");
    assert!((0..3).all(|_| mark::is_marked(&small.next_live().jpeg)), "another size");
    assert!(mark::is_marked(&agent.get("/snapshot/gate").unwrap().body), "a snapshot of the wall");

    // A camera that is opened again has its stream, if that is there again.
    cameras.fault("gate", "resume");
    agent.reload(&format!("{section}every = 2\n"));
    wait_for("the stream", || {
        let camera = agent.camera("gate");
        (camera["state"] == "live" && camera["codec"] == "h264" && camera["why"] == "").then_some(())
    });
    let mut viewer = MotionJpeg::open(&agent.address, "/live/gate");
    assert!((0..5).all(|_| !mark::is_marked(&viewer.next_live().jpeg)), "the stream needs no mark");
}

#[test]
fn stream_takes_the_place_of_the_snapshots_by_itself_after_a_minute() {
    let cameras = Cameras::start(&["id=gate size=640x360 fps=10 small=none onvif=0 rtsp=0"]);
    cameras.fault("gate", "no-video");
    let agent = Agent::start(&format!("[[camera]]\nid = \"gate\"\n{}", cameras.place("gate")));
    let camera = agent.wait_for_state("gate", "live");
    assert_eq!(camera["codec"], "jpeg", "{camera}");
    cameras.fault("gate", "resume");
    wait_for("half a minute of snapshots", || {
        let camera = agent.camera("gate");
        assert_eq!(camera["codec"], "jpeg", "{camera}");
        (camera["live_seconds"].as_f64() > Some(30.0)).then_some(())
    });
    agent.wait_for_log(&["gate: ", "the stream is tried again instead of snapshots"]);
    wait_for("the stream", || {
        let camera = agent.camera("gate");
        (camera["state"] == "live" && camera["codec"] == "h264" && camera["why"] == "").then_some(())
    });
}
