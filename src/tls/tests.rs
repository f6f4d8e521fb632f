//! Certificates in a directory of the test, and handshakes with rustls as a client.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::*;

/// A directory that is removed with the value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cctv-tls-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn own_certificate_is_kept_and_made_anew_with_the_same_key_for_a_new_address() {
    let folder = Folder::new("own");
    let directory = folder.0.join("tls");
    let own = || OwnCertificates::new(directory.clone());
    let now = SystemTime::now();
    let first = own().certificate(&names(&["localhost", "10.0.0.5"]), now).unwrap();
    assert!(first.unsaved.is_none() && first.certificate.is_own);
    assert_eq!((mode(&directory), mode(&directory.join("key.pem"))), (0o700, 0o600));
    let key = fs::read(directory.join("key.pem")).unwrap();

    // After a restart, also without one of the addresses.
    let second = own().certificate(&names(&["localhost"]), now).unwrap();
    assert_eq!(second.certificate.fingerprint, first.certificate.fingerprint);
    let third = own().certificate(&names(&["localhost", "10.0.0.9"]), now).unwrap();
    assert_ne!(third.certificate.fingerprint, first.certificate.fingerprint);
    assert_eq!(third.names, names(&["localhost", "10.0.0.5", "10.0.0.9"]));
    assert_eq!(fs::read(directory.join("key.pem")).unwrap(), key);

    // Nine and a half years later.
    let late = now + Duration::from_secs(9 * 366 * 86400 + 200 * 86400);
    let fourth = own().certificate(&names(&["localhost"]), late).unwrap();
    assert!(fourth.certificate.expires > third.certificate.expires);

    fs::write(directory.join("key.pem"), "rubbish").unwrap();
    let fifth = own().certificate(&names(&["localhost"]), now).unwrap();
    assert!(fifth.unsaved.is_none());
    assert_ne!(fs::read(directory.join("key.pem")).unwrap(), key);
}

#[test]
fn own_certificate_is_valid_for_years_although_the_clock_says_1970() {
    let folder = Folder::new("clock");
    let made = OwnCertificates::new(folder.0.clone()).certificate(&names(&["localhost"]), UNIX_EPOCH).unwrap();
    assert!(made.certificate.expires_in(SystemTime::now()) > 365 * 86400);
    assert!(made.certificate.expires_in(UNIX_EPOCH) > 0);
}

#[test]
fn certificate_without_a_place_on_disk_is_of_this_process() {
    let folder = Folder::new("full");
    fs::write(folder.0.join("file"), "").unwrap();
    let mut own = OwnCertificates::new(folder.0.join("file"));
    let first = own.certificate(&names(&["localhost"]), SystemTime::now()).unwrap();
    assert!(first.unsaved.is_some());
}

#[test]
fn pair_of_files_is_checked_and_every_mistake_has_its_file() {
    let folder = Folder::new("files");
    let made = |name: &str| {
        let directory = folder.0.join(name);
        OwnCertificates::new(directory.clone()).certificate(&names(&["localhost"]), SystemTime::now()).unwrap();
        Files { certificate: directory.join("certificate.pem"), key: directory.join("key.pem") }
    };
    let (one, other) = (made("one"), made("other"));
    let certificate = one.read().unwrap();
    assert!(!certificate.is_own && certificate.fingerprint.len() == 95);
    let write = |name: &str, text: &str| {
        let path = folder.0.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    symlink("/dev/null", folder.0.join("device")).unwrap();
    let wrong = |files: Files| files.read().unwrap_err().to_string();
    let with_key = |key: PathBuf| Files { key, ..one.clone() };
    let with_certificate = |certificate: PathBuf| Files { certificate, ..one.clone() };
    assert!(wrong(with_key(other.key.clone())).contains("do not belong together"));
    assert!(wrong(with_key(folder.0.join("none"))).contains("none: there is no such file"));
    assert!(wrong(with_key(folder.0.join("device"))).contains("not a regular file"));
    assert!(wrong(with_key(one.certificate.clone())).contains("there is no private key in it"));
    assert!(wrong(with_certificate(one.key.clone())).contains("there is no certificate in it"));
    let rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(wrong(with_certificate(write("rubbish", rubbish))).contains("the certificate cannot be read"));
    let broken = "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n";
    assert!(wrong(with_certificate(write("broken", broken))).contains("broken: this is not PEM"));
    assert!(!one.key_is_readable_by_all());
    fs::set_permissions(&one.key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(one.key_is_readable_by_all());
}
