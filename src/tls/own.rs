//! The certificate that the agent makes for itself, so that pages elsewhere are encrypted before
//! anybody has set anything up.
//!
//! Its key is made once and kept; the certificate is made anew with the same key when this machine
//! gets another name or address. It is signed by itself, so a browser asks once whether to trust
//! it; its fingerprint answers that.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use time::{Duration, OffsetDateTime};

use super::certificate::{Certificate, Error, Files, unix_seconds};
use crate::disk;

/// Beginning of validity: 1 January 2020, whatever the clock says; a machine without a battery
/// starts in 1970 and its viewers do not.
const NOT_BEFORE: i64 = 1_577_836_800;

/// No clock that is right is before this: 1 January 2026.
const EARLIEST_NOW: i64 = 1_767_225_600;

const LIFETIME: Duration = Duration::days(3650);

/// A certificate with less time than this is made anew.
const RENEW_BEFORE: i64 = 365 * 86400;

/// Maximum number of names and addresses in a certificate.
const MAX_NAMES: usize = 64;

const KEY_FILE: &str = "key.pem";
const CERTIFICATE_FILE: &str = "certificate.pem";
/// What the line before the certificate begins with; the names follow.
const NAMES_LINE: &str = "names: ";

/// Makes, keeps and renews the agent's own certificate in a directory.
pub struct OwnCertificates {
    directory: PathBuf,
    /// Read or made by the first call.
    key: Option<KeyPair>,
}

/// A certificate of our own.
#[derive(Debug)]
pub struct Made {
    pub certificate: Certificate,
    /// The names and addresses that it is for, including earlier ones.
    pub names: BTreeSet<String>,
    /// Why it could not be kept: after a restart there is another one.
    pub unsaved: Option<io::Error>,
}

impl OwnCertificates {
    /// Keeps key and certificate in `directory`, which is created when it is needed.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, key: None }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns a certificate for at least `names`: the one that is kept, or a new one with the same
    /// key. Names and addresses of the one that is kept stay in the new one, as far as there is
    /// room: an address that comes and goes changes nothing.
    ///
    /// # Errors
    /// If the system has no random bytes.
    ///
    /// # Blocking
    /// Blocks on the disk.
    pub fn certificate(&mut self, names: &BTreeSet<String>, now: SystemTime) -> Result<Made, Error> {
        let mut unsaved = None;
        if self.key.is_none() {
            let (key, is_new) = self.load_or_make_key()?;
            if is_new {
                unsaved = self.keep(KEY_FILE, &key.serialize_pem()).err();
            }
            self.key = Some(key);
        }
        let Some(key) = &self.key else { return Err(rcgen::Error::KeyGenerationUnavailable.into()) };
        let now = unix_seconds(now).max(EARLIEST_NOW);
        let earlier = match self.load(key) {
            Some((certificate, kept)) if names.is_subset(&kept) && certificate.expires - now > RENEW_BEFORE => {
                return Ok(Made { certificate, names: kept, unsaved });
            }
            Some((_, kept)) => kept,
            None => BTreeSet::new(),
        };
        let room = MAX_NAMES.saturating_sub(names.len());
        let names: BTreeSet<String> =
            names.iter().take(MAX_NAMES).chain(earlier.difference(names).take(room)).cloned().collect();
        let pem = make(key, &names, now)?;
        let certificate = self.assemble(&pem, key)?;
        let list: Vec<_> = names.iter().map(String::as_str).collect();
        let text = format!("{NAMES_LINE}{}\n{pem}", list.join(" "));
        unsaved = self.keep(CERTIFICATE_FILE, &text).err().or(unsaved);
        Ok(Made { certificate, names, unsaved })
    }

    fn keep(&self, name: &str, text: &str) -> io::Result<()> {
        disk::replace(&self.directory, name, text.as_bytes())
    }

    fn load_or_make_key(&self) -> Result<(KeyPair, bool), Error> {
        let path = self.directory.join(KEY_FILE);
        let useless = |why: String| log::warn!("{} cannot be used: {why}; a new key is made", path.display());
        match disk::read(&path) {
            Ok(None) => {}
            Ok(Some(text)) => match KeyPair::from_pem(&text) {
                Ok(key) => return Ok((key, false)),
                Err(error) => useless(error.to_string()),
            },
            Err(error) => useless(error.to_string()),
        }
        Ok((KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?, true))
    }

    /// The certificate on disk and its names, if it is for `key`.
    fn load(&self, key: &KeyPair) -> Option<(Certificate, BTreeSet<String>)> {
        let text = disk::read(&self.directory.join(CERTIFICATE_FILE)).ok()??;
        let names = text.lines().next()?.strip_prefix(NAMES_LINE)?;
        let names = names.split(' ').map(str::to_owned).collect();
        Some((self.assemble(&text, key).ok()?, names))
    }

    fn assemble(&self, pem: &str, key: &KeyPair) -> Result<Certificate, Error> {
        let files = Files { certificate: self.directory.join(CERTIFICATE_FILE), key: self.directory.join(KEY_FILE) };
        let malformed = || Error::Malformed { path: files.certificate.clone() };
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| malformed())?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|_| malformed())?;
        Certificate::new(vec![certificate], key, &files, true)
    }
}

/// Makes a certificate for `names` in PEM.
fn make(key: &KeyPair, names: &BTreeSet<String>, now: i64) -> Result<String, Error> {
    // What no certificate can hold is left out: the kernel takes any text as the machine's name.
    let names: Vec<_> = names.iter().filter(|name| name.is_ascii()).cloned().collect();
    let mut params = CertificateParams::new(names)?;
    let time = |seconds: i64| OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    params.not_before = time(NOT_BEFORE);
    params.not_after = time(now) + LIFETIME;
    params.distinguished_name.push(DnType::CommonName, "cctv-agent");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params.self_signed(key)?.pem())
}
