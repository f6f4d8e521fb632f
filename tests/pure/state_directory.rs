//! Camera records survive any end of the agent; damage costs one log line and nothing else.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, OnceLock},
    thread,
    time::Instant,
};

use crate::support::Folder;
use cctv_agent::{
    camera::{CameraId, Source, StreamSource, StreamUri, Trust},
    store::{Address, CameraRecord, ConfigFingerprint, Directory, Identity, Stream},
};

/// Set in the child process that writes for ever: the directory it writes to.
const WRITE_TO: &str = "CCTV_AGENT_TEST_WRITES_TO";

fn id(name: &str) -> CameraId {
    CameraId::new(name).unwrap()
}

fn stream_source(host: &str, profile: Option<&str>) -> StreamSource {
    let profile = profile.map(str::to_owned);
    StreamSource::from(Source::Onvif {
        host: Some(host.into()),
        port: 80,
        profile,
        uuid: None,
        trust: Trust::Identity,
        stream_host: None,
    })
}

/// A record of a camera at 10.0.0.1; `serial` pads the file.
fn record(serial: &str) -> CameraRecord {
    CameraRecord {
        fingerprint: ConfigFingerprint::of(&stream_source("10.0.0.1", None)).unwrap(),
        identity: Identity { endpoint: Some("urn:uuid:1".into()), serial: Some(serial.into()), mac: None },
        address: Some(Address { host: "10.0.0.7".into(), port: 80, tls: false }),
        authentication: Some("UsernameToken".into()),
        stream: Some(Stream {
            uri: StreamUri::split("rtsp://10.0.0.7/1").unwrap().0,
            profile: "p".into(),
            transport: None,
        }),
        small: None,
        sources: Vec::new(),
        when: 1_900_000_000,
    }
}

fn recalled(folder: &Path, name: &str) -> Option<CameraRecord> {
    Directory::open(folder).load(&id(name), &stream_source("10.0.0.1", None))
}

/// Lines logged in this process that contain `part`.
fn logged(part: &str) -> Vec<String> {
    lines().lock().unwrap().iter().filter(|line| line.contains(part)).cloned().collect()
}

fn lines() -> &'static Mutex<Vec<String>> {
    struct Collector(Mutex<Vec<String>>);
    impl log::Log for Collector {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            self.0.lock().unwrap().push(format!("{} {}", record.level(), record.args()));
        }
        fn flush(&self) {}
    }
    static COLLECTOR: OnceLock<Collector> = OnceLock::new();
    static REGISTERED: OnceLock<()> = OnceLock::new();
    let collector = COLLECTOR.get_or_init(|| Collector(Mutex::default()));
    REGISTERED.get_or_init(|| {
        log::set_logger(collector).unwrap();
        log::set_max_level(log::LevelFilter::Info);
    });
    &collector.0
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn learnt_today_is_recalled_tomorrow() {
    let folder = Folder::new();
    let path = folder.0.join("a/state");
    let directory = Directory::open(&path);
    assert_eq!(directory.load(&id("gate"), &stream_source("10.0.0.1", None)), None);
    assert!(!path.exists(), "nothing is made before there is something to keep");
    directory.save(&id("gate"), &record("1"));
    assert_eq!(recalled(&path, "gate"), Some(record("1")));
    assert_eq!((mode(&path), mode(&path.join("gate.json"))), (0o700, 0o600));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "nothing else is left behind");
}

#[test]
fn entry_from_another_configuration_is_not_used() {
    let folder = Folder::new();
    Directory::open(&folder.0).save(&id("gate"), &record("1"));
    for other in [stream_source("10.0.0.2", None), stream_source("10.0.0.1", Some("p2"))] {
        assert_eq!(Directory::open(&folder.0).load(&id("gate"), &other), None, "{other:?}");
    }
    let url = Source::Url(StreamUri::split("rtsp://10.0.0.1/").unwrap().0);
    let url = StreamSource { source: url, ..stream_source("10.0.0.1", None) };
    assert_eq!(Directory::open(&folder.0).load(&id("gate"), &url), None);
    assert_eq!(recalled(&folder.0, "gate"), Some(record("1")), "the old configuration finds it again");
}

#[test]
fn nothing_is_written_that_is_known_already() {
    let folder = Folder::new();
    let file = folder.0.join("gate.json");
    let inode = || std::os::unix::fs::MetadataExt::ino(&fs::metadata(&file).unwrap());
    let directory = Directory::open(&folder.0);
    directory.save(&id("gate"), &record("1"));
    // A hard link prevents a second file from getting the inode number of the first.
    fs::hard_link(&file, folder.0.join("link")).unwrap();
    let first = inode();
    let later = CameraRecord { when: 1_900_000_060, ..record("1") };
    directory.save(&id("gate"), &later);
    Directory::open(&folder.0).save(&id("gate"), &later);
    assert_eq!(inode(), first, "also after a restart");
    directory.save(&id("gate"), &record("2"));
    assert_ne!(inode(), first);
}

#[test]
fn damaged_files_are_told_once_ignored_and_replaced() {
    lines();
    let whole = record("1").to_text(&id("gate"));
    let cases: [(&str, Vec<u8>); 7] = [
        ("empty", Vec::new()),
        ("cut", whole.as_bytes()[..whole.len() / 2].to_vec()),
        ("newer", whole.replace("\"format\": 1", "\"format\": 99").into_bytes()),
        ("other", whole.replace("\"gate\"", "\"gate2\"").into_bytes()),
        ("zeros", vec![0; 4096]),
        ("latin", b"\xff\xfe{}".to_vec()),
        ("huge", " ".repeat(1 << 20).into_bytes()),
    ];
    let folder = Folder::new();
    let damaged = |name: &str, make: &dyn Fn(&Path)| {
        let path = folder.0.join(name);
        fs::create_dir(&path).unwrap();
        make(&path.join("gate.json"));
        let directory = Directory::open(&path);
        for _ in 0..3 {
            assert_eq!(directory.load(&id("gate"), &stream_source("10.0.0.1", None)), None, "{name}");
        }
        let lines = logged(path.to_str().unwrap());
        assert_eq!(lines.len(), 1, "{name}: {lines:?}");
        assert!(lines[0].starts_with("WARN gate: "), "{lines:?}");
        path
    };
    for (name, bytes) in cases {
        let path = damaged(name, &|file| fs::write(file, &bytes).unwrap());
        Directory::open(&path).save(&id("gate"), &record("1"));
        assert_eq!(recalled(&path, "gate"), Some(record("1")), "{name}");
    }
    // The agent does not wait for a FIFO's writer, and does not replace a directory.
    let fifo = damaged("fifo", &|file| nix::unistd::mkfifo(file, nix::sys::stat::Mode::S_IRWXU).unwrap());
    Directory::open(&fifo).save(&id("gate"), &record("1"));
    assert_eq!(recalled(&fifo, "gate"), Some(record("1")));
    damaged("folder", &|file| fs::create_dir(file).unwrap());
}

#[test]
fn directory_that_cannot_be_written_is_told_once_and_memory_serves() {
    lines();
    let folder = Folder::new();
    let file = folder.write("file", "");
    // Not even root can create files there, unlike in a directory without write permission.
    for path in [file.join("state"), PathBuf::from(format!("/proc/{}/net", std::process::id()))] {
        let directory = Directory::open(&path);
        for serial in ["1", "2"] {
            directory.save(&id("gate"), &record(serial));
            directory.save(&id("yard"), &record(serial));
            assert_eq!(directory.load(&id("gate"), &stream_source("10.0.0.1", None)), Some(record(serial)));
        }
        let lines = logged(&format!("{}: ", path.display()));
        assert_eq!(lines.len(), 1, "{lines:?}");
        directory.retain(&BTreeSet::new());
    }
}

#[test]
fn mended_directory_is_told_and_used() {
    lines();
    let folder = Folder::new();
    let path = folder.0.join("state");
    fs::write(&path, "in the way").unwrap();
    let directory = Directory::open(&path);
    directory.save(&id("gate"), &record("1"));
    fs::remove_file(&path).unwrap();
    directory.save(&id("gate"), &record("1"));
    assert_eq!(recalled(&path, "gate"), Some(record("1")), "what could not be kept is kept at the next success");
    assert_eq!(logged(path.to_str().unwrap()).len(), 2);
}

#[test]
fn entry_too_long_for_a_file_is_not_written() {
    let folder = Folder::new();
    Directory::open(&folder.0).save(&id("gate"), &record("1"));
    Directory::open(&folder.0).save(&id("gate"), &record(&"9".repeat(64 << 10)));
    assert_eq!(recalled(&folder.0, "gate"), Some(record("1")));
}

#[test]
fn only_cameras_that_are_configured_are_remembered() {
    let folder = Folder::new();
    let directory = Directory::open(&folder.0);
    for name in ["gate", "yard", "old"] {
        directory.save(&id(name), &record("1"));
    }
    folder.write("old.json.new", "half");
    folder.write("notes.json", "{\"mine\": true}");
    directory.retain(&BTreeSet::from([id("gate"), id("yard")]));
    let mut left: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["gate.json", "notes.json", "yard.json"]);
    assert_eq!(directory.load(&id("old"), &stream_source("10.0.0.1", None)), None);
}

/// The child process of the tests below: replaces one record by the other, for ever.
#[test]
fn writer() {
    let Some(path) = std::env::var_os(WRITE_TO) else { return };
    let directory = Directory::open(path);
    loop {
        for serial in serials() {
            directory.save(&id("gate"), &record(&serial));
        }
        println!("round");
    }
}

/// Two serials of different length, both several disk blocks long.
fn serials() -> [String; 2] {
    ["1".repeat(12_000), "2".repeat(9_000)]
}

#[test]
fn killed_in_the_middle_of_writing_it_leaves_old_or_new_but_never_half() {
    let folder = Folder::new();
    let whole = serials().map(|serial| record(&serial));
    let mut seen = [0; 2];
    let mut kills = 0;
    crate::support::wait_for("both entries to be found after a kill", || {
        for _ in 0..40 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "state_directory::writer", "--nocapture"])
                .env(WRITE_TO, &folder.0)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // The kill must hit the writer while it writes, each time at another point of its loop.
            let output = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
            let mut rounds = output.filter(|line| line.contains("round")).map(|_| Instant::now());
            let (first, second) = (rounds.next().unwrap(), rounds.next().unwrap());
            thread::sleep((second - first) * (kills % 16) / 8);
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            let found = recalled(&folder.0, "gate").expect("an entry, old or new");
            seen[whole.iter().position(|whole| *whole == found).expect("a whole entry")] += 1;
        }
        seen.iter().all(|count| *count > 0).then_some(())
    });
}

#[test]
fn full_disk_leaves_the_old_entry() {
    let folder = Folder::new();
    let before = record("before");
    Directory::open(&folder.0).save(&id("gate"), &before);
    // No file may grow past a few KiB, and SIGXFSZ is ignored, so a write fails as on a full disk.
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$0\" --exact state_directory::writer --nocapture";
    let mut child = Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .env(WRITE_TO, &folder.0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let rounds = output.filter(|line| line.contains("round")).take(2).count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(rounds, 2, "it went on");
    assert_eq!(recalled(&folder.0, "gate"), Some(before));
}
