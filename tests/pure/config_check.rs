//! `check` reports the mistakes that an installer made in `cameras.toml`.
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use cctv_agent::{
    command::check::{BAD, GOOD, check},
    config,
    tls::OwnCertificates,
};

/// A temporary directory, removed when the value is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cctv-agent-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file that only its owner can read.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Exit code, stdout and stderr of `check`, with the directory removed from the file's name.
fn checked(file: &Path) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = check(file, &mut out, &mut err);
    let directory = format!("{}/", file.parent().unwrap().display());
    let text = |bytes| String::from_utf8(bytes).unwrap().replace(&directory, "");
    (code, text(out), text(err))
}

const BAD_FILE: &str = r#"# A morning's work
[server]
listen = ["127.0.0.1:8080", "localhost:8080"]
wwww = "/srv/www"

[defaults]
username = "viewer"
password = "hunter2"
password_file = "secret"
quality = 180

[[camera]]
id = "門"
name = "Front gate"
ip = "10.0.0.300"
passwrod = "hunter2"

[[camera]]
id = "porch"
ip = 192.168.1.20

[[camera]]
id = "porch"
ip = "192.168.1.21:8000"
max_fps = "25"
transport = "UDP"

[[camera]]
id = "yard"
url = "ftp://admin:hunter2@192.168.1.22/live"
profile = "main"
stall_after = 0

[[camera]]
name = "Hall"
enabled = yes

[[camera]]
id = "shed"
ip = "admin:hunter2@192.168.1.23"
username = "admin"
password = 12345678
"#;

const BAD_ANSWER: &str = r#"cameras.toml:3:29: [server]: listen "localhost:8080": names are not taken here; write it like "127.0.0.1:8080", or "0.0.0.0:8080" for the whole network
cameras.toml:4:1: [server]: unknown key "wwww"; did you mean "www"?
cameras.toml:9:1: [defaults]: password_file and password are both given; keep one of them
cameras.toml:10:11: [defaults]: quality is 180; write a whole number from 1 to 100
cameras.toml:13:6: camera "門": id "門" cannot stand in a URL; write 1 to 64 letters, digits, - and _, like "gate"
cameras.toml:15:6: camera "門": ip "10.0.0.300" is not an IP address; write it like 192.168.1.20
cameras.toml:16:1: camera "門": unknown key "passwrod"; did you mean "password"?
cameras.toml:20:13: not valid TOML: not a number; write numbers like 80, and text such as an address in quotation marks, like "192.168.1.20"
cameras.toml:23:6: camera "porch": this id is already used on line 19; give every camera its own
cameras.toml:24:6: camera "porch": ip "192.168.1.21:8000" holds a port; write "192.168.1.21", and onvif_port = 8000
cameras.toml:25:11: camera "porch": max_fps is a text; write a whole number from 1 to 60, without quotation marks
cameras.toml:26:13: camera "porch": transport "UDP" is unknown; write "tcp" or "udp" or "multicast" or "http"
cameras.toml:30:7: camera "yard": url is not an address of RTSP, HTTP or RTMP; write it like "rtsp://192.168.1.20/live", and give username and password as keys of their own
cameras.toml:31:1: camera "yard": profile means nothing next to url, which is opened as it is; remove one of them
cameras.toml:32:15: camera "yard": stall_after is 0; write a number from 1.0 to 60.0
cameras.toml:36:11: not valid TOML: text without quotation marks, or no value; write text like "gate", numbers like 80, and true or false
cameras.toml:40:6: camera "shed": ip holds a login; write it like 192.168.1.20, and give username and password as keys of their own
cameras.toml:42:12: camera "shed": password is a whole number; write a text in quotation marks, like "pass phrase"
cameras.toml: 18 problems; cctv-agent would not take this file
"#;

#[test]
fn every_mistake_is_told_at_once_in_file_order_and_without_a_password() {
    let folder = Folder::new("mistakes");
    folder.write("secret", "hunter2\n");
    let (code, out, err) = checked(&folder.write("cameras.toml", BAD_FILE));
    assert_eq!(err, BAD_ANSWER);
    assert_eq!((code, out.as_str()), (BAD, ""));
    assert!(!err.contains("hunter2") && !err.contains("12345678"));
}

#[test]
fn good_file_is_praised_with_what_it_does() {
    let folder = Folder::new("good");
    folder.write("secret", "hunter2\n");
    let file = folder.write(
        "cameras.toml",
        "[server]\nlisten = ['127.0.0.1:8080', '[::1]:8080']\n\
         [defaults]\nusername = 'viewer'\npassword_file = 'secret'\n\
         [[camera]]\nid = 'gate'\nip = '192.168.1.64'\n[[camera]]\nid = 'yard'\nip = '192.168.1.65'\n",
    );
    let (code, out, err) = checked(&file);
    assert_eq!((code, err.as_str()), (GOOD, ""));
    assert_eq!(out, "cameras.toml: good: 2 cameras, listening on 127.0.0.1:8080 and [::1]:8080\n");
    let config = config::read(&file).unwrap();
    let credentials = config.cameras[0].stream_source.credentials.as_ref().unwrap();
    assert_eq!(credentials.password.expose(), "hunter2");
}

#[test]
fn certificate_that_cannot_be_used_is_a_mistake_with_its_file() {
    let folder = Folder::new("certificate");
    let made = OwnCertificates::new(folder.0.clone()).certificate(&BTreeSet::new(), SystemTime::now()).unwrap();
    assert!(made.unsaved.is_none());
    let text = "[tls]\ncertificate = 'certificate.pem'\nkey = 'key.pem'\n";
    let file = folder.write("cameras.toml", text);
    let (code, _, err) = checked(&file);
    assert_eq!((code, err.as_str()), (GOOD, ""));
    folder.write("key.pem", "");
    let (code, out, err) = checked(&file);
    assert_eq!((code, out.as_str()), (BAD, ""));
    assert!(err.starts_with("cameras.toml: [tls]: key.pem: there is no private key in it that can be used"), "{err}");
}

#[test]
fn shipped_file_is_good() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("cameras.toml");
    let (code, out, err) = checked(&shipped);
    assert_eq!((code, err.as_str()), (GOOD, ""));
    assert_eq!(out, "cameras.toml: good: no cameras yet, listening on 127.0.0.1:8080\n");
}

#[test]
fn restreaming_example_is_good() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/restreaming/cameras.toml");
    let (code, out, _) = checked(&example);
    // `check` may warn about the example passwords, because git does not restrict who can read a
    // file.
    assert_eq!(code, GOOD);
    assert!(out.ends_with("cameras.toml: good: 2 cameras, listening on 127.0.0.1:8080\n"), "{out}");
}

#[test]
fn passwords_that_every_user_can_read_are_remarked_on_but_work() {
    let folder = Folder::new("open");
    let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    open(&folder.write("secret", "hunter2"));
    let file = folder.write(
        "cameras.toml",
        "[[camera]]\nid = 'a'\nip = 'a'\nusername = 'u'\npassword_file = 'secret'\n\
         [[camera]]\nid = 'b'\nip = 'b'\nusername = 'u'\npassword = 'hunter2'\n",
    );
    open(&file);
    let (code, _, err) = checked(&file);
    assert_eq!(code, GOOD);
    assert_eq!(
        err,
        "cameras.toml:5:17: camera \"a\": every user of this machine can read the file password_file names; \
         chmod 640 it\n\
         cameras.toml:10:12: every user of this machine can read this password; chmod 640 this file, or use \
         password_file\n"
    );
}

#[test]
fn file_that_cannot_be_read_is_one_complaint() {
    let folder = Folder::new("unreadable");
    let missing = folder.0.join("cameras.toml");
    let (code, _, err) = checked(&missing);
    assert_eq!(code, BAD);
    assert_eq!(
        err,
        "cameras.toml: cannot be read: there is no such file; check the path\n\
         cameras.toml: 1 problem; cctv-agent would not take this file\n"
    );
    let directory = folder.0.join("directory");
    fs::create_dir(&directory).unwrap();
    assert!(checked(&directory).2.contains("directory: cannot be read: it is a directory; name the file in it"));
    let huge = folder.write("huge", vec![b'#'; (1 << 20) + 1]);
    assert!(checked(&huge).2.contains("huge: cannot be read: it is too large"));
    let exact = folder.write("exact", vec![b'#'; 1 << 20]);
    assert_eq!(checked(&exact).0, GOOD);
}

#[test]
fn file_in_another_encoding_is_told_where() {
    let folder = Folder::new("latin1");
    let file = folder.write("cameras.toml", b"[[camera]]\n# caf\xe9\nid = 'a'\n");
    let (code, _, err) = checked(&file);
    assert_eq!(code, BAD);
    let first = err.lines().next().unwrap();
    assert_eq!(first, "cameras.toml:2:6: this character is not UTF-8; save the file with the encoding UTF-8");
}

#[test]
fn fifo_is_refused_instead_of_waited_for() {
    let folder = Folder::new("fifo");
    let fifo = folder.0.join("cameras.toml");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(checked(&fifo).2.contains("cannot be read: not a regular file"));
}
