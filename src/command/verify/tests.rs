use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
};

use super::*;

/// Keys and signatures were made by minisign 0.11; the secret keys are gone.
const THIS_KEY: &str = "\
untrusted comment: minisign public key 51ADFF8EC17F3DB7
RWS3PX/Bjv+tUeZEfNG0+DN/svhAEI4w4eu4sVwrFTya87gKr9hM29Wr
";
const NEXT_KEY: &str = "\
untrusted comment: minisign public key 849148358D531165
RWRlEVONNUiRhBiQS1ruI45/0VYEzHJsJRiED5UhFoVLRUjZiBAkXrEH
";
const MANIFEST: &str = "\
product=cctv-agent
variant=headless
build=20261130101500
bytes=10000
sha256=0cd0bf930677960951dda8588edcb6b293c0c3b26ef3ba72cddff4ddfc6822c7
date=2026-11-30T10:15:00Z
";
const BY_THIS: &str = "\
untrusted comment: signature from minisign secret key
RUS3PX/Bjv+tUap3MW58bE875zHpUsB8UYJwuLjiF9J5VAZK2URhmrLkj+ejOJ40tIuyIhNF9COmJTxtjPCKly0BRQeQBcGR3Ag=
trusted comment: update
YX1CE7ALYcKRKZieeR3+2qhtqNzVS7JG+/o1vJN6np9e4couoT0UjfsohU+QWCOJaUJhRkMIIYQBuklIsIiLDQ==
";
const BY_NEXT: &str = "\
untrusted comment: signature from minisign secret key
RURlEVONNUiRhIKz/82Orx5ILf3aO5KAiIaBEA4gAu4dBZ6fWb9NsUVOZCkADtMZ/HtLBHBL9QWa8QBc06GrN5Rk8Qtbho47wAc=
trusted comment: update
Xk/mQv0K6Pevs/BTl+R97oFJ+jLQhx5dbkvlvUokMfukGJ29q7YJdhWNZwE6aBY4IrsitKdKh2gr9IJIU+soDA==
";
/// The form that minisign made before 2020, of the same manifest.
const LEGACY: &str = "\
untrusted comment: signature from minisign secret key
RWS3PX/Bjv+tUWDNzN4/Y3LN79c60WXuUDP/nt7MTKNwQEgsDgZJONTId1YAWLy70LH+2Bqq5euThRnJDgSI3OTsz2YBSIVfOAQ=
trusted comment: update
RNPoQvHfRmqF4ESwTGU1rKITfdDDr1rQeKnndcUC2LbRO7YeKh1jwwVRc4l5/WVMbgaj79ymgMFem4usv30BCg==
";
const INSTALLED: &str = "\
product=cctv-agent
variant=headless
build=20261129000000
date=2026-11-29T00:00:00Z
";

/// What the slot held before.
const OLD_BYTE: u8 = 0xaa;
const SLOT_LEN: usize = 16_384;

fn image() -> Vec<u8> {
    (0..10_000u32).map(|index| (index % 251) as u8).collect()
}

/// A folder with an update, the keys of a box, what is installed on it, and a slot.
struct Files {
    folder: PathBuf,
}

impl Files {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("cctv-verify-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("keys")).unwrap();
        let files = Self { folder };
        files.write("keys/this.pub", THIS_KEY);
        files.write("keys/next.pub", NEXT_KEY);
        files.write("manifest", MANIFEST);
        files.write("manifest.minisig", BY_THIS);
        files.write("installed", INSTALLED);
        files.write("image", image());
        files.write("slot", [OLD_BYTE; SLOT_LEN]);
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn slot(&self) -> Vec<u8> {
        fs::read(self.path("slot")).unwrap()
    }

    fn arguments(&self) -> Verify {
        Verify {
            manifest: self.path("manifest"),
            keys: self.path("keys"),
            installed: Some(self.path("installed")),
            downgrade: false,
            image: Some(self.path("image")),
            output: Some(self.path("slot")),
        }
    }

    /// The text and the exit code of the refusal.
    fn refusal(&self) -> (String, u8) {
        let error = verify(&self.arguments()).unwrap_err();
        (chain(&error), error.exit_code())
    }

    /// Asserts that the update is refused with this text, before anything is written.
    fn is_refused_unread(&self, part: &str) {
        let (text, code) = self.refusal();
        assert!(text.contains(part), "{text}");
        assert_eq!(code, REFUSED, "{text}");
        assert!(self.slot().iter().all(|byte| *byte == OLD_BYTE), "{text}");
    }

    /// Asserts that the update is refused with this text, and that the slot cannot be started.
    fn is_refused_and_no_file_system(&self, part: &str) {
        let (text, code) = self.refusal();
        assert!(text.contains(part), "{text}");
        assert_eq!(code, REFUSED, "{text}");
        assert!(self.slot()[..4096].iter().all(|byte| *byte == 0), "{text}");
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn update_signed_by_either_key_is_copied_whole() {
    for signature in [BY_THIS, BY_NEXT] {
        let files = Files::new();
        files.write("manifest.minisig", signature);
        let manifest = verify(&files.arguments()).unwrap();
        assert_eq!(manifest.to_string(), "headless build 20261130101500 of 2026-11-30T10:15:00Z");
        let slot = files.slot();
        assert_eq!(slot[..10_000], image());
        assert!(slot[10_000..].iter().all(|byte| *byte == OLD_BYTE));
    }
}

#[test]
fn image_shorter_than_the_part_that_is_written_last_is_copied_whole() {
    let files = Files::new();
    let manifest = Manifest {
        variant: "headless".into(),
        build: 1,
        bytes: 3,
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into(),
        date: String::new(),
    };
    let mut slot = OpenOptions::new().write(true).open(files.path("slot")).unwrap();
    image::copy(&mut b"abc".as_slice(), &manifest, &mut slot).unwrap();
    assert_eq!(files.slot()[..4], [b'a', b'b', b'c', OLD_BYTE]);
}

#[test]
fn nothing_is_written_for_a_manifest_that_is_not_as_signed() {
    let files = Files::new();
    for (from, to) in [("build=2026", "build=2027"), ("bytes=10000", "bytes=10001"), ("sha256=0c", "sha256=0d")] {
        files.write("manifest", MANIFEST.replace(from, to));
        files.is_refused_unread("altered after it was signed");
    }
    files.write("manifest", MANIFEST);
    files.write("manifest.minisig", BY_THIS.replace("trusted comment: update", "trusted comment: updatf"));
    files.is_refused_unread("altered after it was signed");
    files.write("manifest.minisig", BY_THIS.replace("RUS3", "RUS4"));
    files.is_refused_unread("a key that this machine does not know");
    for nonsense in ["", "nonsense", LEGACY] {
        files.write("manifest.minisig", nonsense);
        files.is_refused_unread("not a signature of minisign");
    }
}

#[test]
fn key_that_the_box_does_not_have_counts_for_nothing() {
    let files = Files::new();
    files.write("manifest.minisig", BY_NEXT);
    fs::remove_file(files.path("keys/next.pub")).unwrap();
    files.is_refused_unread("a key that this machine does not know");
}

#[test]
fn missing_files_are_named() {
    for (name, part) in [
        ("manifest", "manifest cannot be read"),
        ("manifest.minisig", "manifest.minisig cannot be read"),
        ("installed", "installed cannot be read"),
        ("image", "image cannot be read"),
    ] {
        let files = Files::new();
        fs::remove_file(files.path(name)).unwrap();
        let (text, code) = files.refusal();
        assert!(text.contains(part), "{text}");
        assert_eq!(code, UNREADABLE, "{text}");
        assert!(files.slot().iter().all(|byte| *byte == OLD_BYTE), "{text}");
    }
    let files = Files::new();
    fs::remove_file(files.path("keys/this.pub")).unwrap();
    fs::remove_file(files.path("keys/next.pub")).unwrap();
    assert!(files.refusal().0.contains("it holds no public key"));
    files.write("keys/this.pub", "nonsense");
    assert!(files.refusal().0.contains("this.pub is not a public key"));
}

#[test]
fn output_is_a_slot_that_exists() {
    let files = Files::new();
    fs::remove_file(files.path("slot")).unwrap();
    let (text, code) = files.refusal();
    assert!(text.contains("slot cannot be written"), "{text}");
    assert_eq!(code, NOT_WRITTEN);
    assert!(!files.path("slot").exists());
}

#[test]
fn only_a_newer_build_of_the_same_variant_is_taken() {
    let files = Files::new();
    for build in ["20261130101500", "20261130101501"] {
        files.write("installed", INSTALLED.replace("20261129000000", build));
        files.is_refused_unread(&format!("build 20261130101500 is not newer than build {build}"));
        verify(&Verify { downgrade: true, output: None, ..files.arguments() }).unwrap();
    }
    files.write("installed", INSTALLED.replace("headless", "kiosk"));
    files.is_refused_unread("for headless, and this box is kiosk");
    let downgrade = Verify { downgrade: true, ..files.arguments() };
    assert!(matches!(verify(&downgrade), Err(Error::OtherVariant { .. })));
}

#[test]
fn image_that_differs_from_its_manifest_leaves_nothing_that_starts() {
    let files = Files::new();
    for at in [0, 5000, 9999] {
        let mut altered = image();
        altered[at] ^= 1;
        files.write("image", altered);
        files.is_refused_and_no_file_system("the image was altered");
    }
    for length in [0, 100, 4096, 9999] {
        files.write("image", &image()[..length]);
        files.is_refused_and_no_file_system(&format!("cut off: {length} of 10000 bytes"));
    }
    files.write("image", [image(), vec![0]].concat());
    files.is_refused_and_no_file_system("longer than the 10000 bytes");
    assert!(files.slot()[10_000..].iter().all(|byte| *byte == OLD_BYTE));
}

#[test]
fn manifest_has_exactly_its_six_lines() {
    assert_eq!(Manifest::parse(MANIFEST.as_bytes()).unwrap().bytes, 10_000);
    let error = |text: &str| Manifest::parse(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error(""), "its last line does not end");
    assert_eq!(error(MANIFEST.trim_end()), "its last line does not end");
    assert_eq!(error(&format!("{MANIFEST}\n")), "it has 7 lines, not 6");
    assert_eq!(error(&format!("{MANIFEST}bytes=1\n")), "it has 7 lines, not 6");
    assert_eq!(error(&MANIFEST.replace("variant", "Variant")), "line 2 is not variant=…");
    assert_eq!(error(&MANIFEST.replace("headless", "héadless")), "it is not text in ASCII");
    for (from, to, name) in [
        ("=cctv-agent", "=other", "product"),
        ("=headless", "=", "variant"),
        ("=headless", "=head less", "variant"),
        ("=headless", &format!("={}", "a".repeat(33)), "variant"),
        ("=20261130101500", "=0", "build"),
        ("=20261130101500", "=-1", "build"),
        ("=20261130101500", "=+1", "build"),
        ("=20261130101500", "=1 ", "build"),
        ("=20261130101500", "=1234567890123456789", "build"),
        ("=10000", "=010000", "bytes"),
        ("=0cd0", "=0CD0", "sha256"),
        ("=0cd0", "=0cd", "sha256"),
        ("T10:15:00Z", " 10:15:00Z", "date"),
        ("T10:15:00Z", "T10:15:00", "date"),
        ("T10:15:00Z", "T10:15:00Z\r", "date"),
    ] {
        assert_eq!(error(&MANIFEST.replacen(from, to, 1)), format!("{name} is not what it should be"), "{to:?}");
    }
}
