//! A certificate with its key, ready to be used, and how it is read from files.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use rustls::{crypto::ring, sign::CertifiedKey};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject as _},
};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::x509::not_after;
use crate::disk::regular_file;

/// Maximum length of a file, in bytes; a chain of certificates has some thousands.
const MAX_FILE_LEN: u64 = 1 << 20;

/// A certificate, its chain and its key.
#[derive(Debug)]
pub struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// SHA-256 of the certificate as browsers show it: `AB:01:…`.
    pub fingerprint: String,
    /// End of validity, in seconds since 1970.
    pub expires: i64,
    /// Whether the agent made it; such a certificate is renewed by itself.
    pub is_own: bool,
}

/// The files of a certificate, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The certificate of this machine first, then those that lead to an authority.
    pub certificate: PathBuf,
    /// The private key, not encrypted.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, Error)]
pub enum Error {
    #[error("{}: {}", path.display(), cannot_read(source))]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: this is not PEM: {source}", path.display())]
    Pem { path: PathBuf, source: pem::Error },
    #[error("{}: there is no certificate in it; a PEM file has a line -----BEGIN CERTIFICATE-----", path.display())]
    NoCertificate { path: PathBuf },
    #[error(
        "{}: there is no private key in it that can be used; a PEM file has a line -----BEGIN PRIVATE KEY-----, and the \
         key must not be encrypted",
        path.display()
    )]
    NoKey { path: PathBuf },
    #[error("{}: the key cannot be used: {source}; RSA, ECDSA and Ed25519 can", path.display())]
    Key { path: PathBuf, source: rustls::Error },
    #[error(
        "{} and {} do not belong together; the certificate of this machine must be the first in its file",
        certificate.display(),
        key.display()
    )]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("{}: the certificate cannot be read", path.display())]
    Malformed { path: PathBuf },
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    #[error("cannot set up TLS")]
    Rustls(#[from] rustls::Error),
}

impl Certificate {
    /// How many seconds the certificate is still valid; negative after its end.
    pub fn expires_in(&self, now: SystemTime) -> i64 {
        self.expires.saturating_sub(unix_seconds(now))
    }

    /// Makes a certificate of `chain` and `key`. `files` are for errors only.
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        files: &Files,
        is_own: bool,
    ) -> Result<Self, Error> {
        let Some(first) = chain.first() else {
            return Err(Error::NoCertificate { path: files.certificate.clone() });
        };
        let malformed = || Error::Malformed { path: files.certificate.clone() };
        let expires = not_after(first).ok_or_else(malformed)?;
        let fingerprint = fingerprint(first);
        let signing_key = ring::default_provider()
            .key_provider
            .load_private_key(key)
            .map_err(|source| Error::Key { path: files.key.clone(), source })?;
        let key = CertifiedKey::new(chain, signing_key);
        match key.keys_match() {
            Ok(()) => Ok(Self { key: Arc::new(key), fingerprint, expires, is_own }),
            Err(rustls::Error::InconsistentKeys(_)) => {
                Err(Error::Mismatch { certificate: files.certificate.clone(), key: files.key.clone() })
            }
            Err(_) => Err(malformed()),
        }
    }
}

impl Files {
    /// Reads the pair and checks that it belongs together.
    ///
    /// # Errors
    /// What is wrong, with the file and what to do.
    ///
    /// # Blocking
    /// Blocks on the disk while it reads two small regular files.
    pub fn read(&self) -> Result<Certificate, Error> {
        let chain = CertificateDer::pem_slice_iter(&read(&self.certificate)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| Error::Pem { path: self.certificate.clone(), source })?;
        if chain.is_empty() {
            return Err(Error::NoCertificate { path: self.certificate.clone() });
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?).map_err(|source| match source {
            pem::Error::NoItemsFound => Error::NoKey { path: self.key.clone() },
            source => Error::Pem { path: self.key.clone(), source },
        })?;
        Certificate::new(chain, key, self, false)
    }

    /// Whether users other than owner and group may read the key.
    pub fn key_is_readable_by_all(&self) -> bool {
        fs::metadata(&self.key).is_ok_and(|about| regular_file::is_readable_by_all(&about))
    }
}

/// Reads a regular file.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let (file, _) = regular_file::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_LEN).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn cannot_read(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file; check the path".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; let the user that runs cctv-agent read it, and its directories".to_owned()
        }
        _ => error.to_string(),
    }
}

fn fingerprint(der: &[u8]) -> String {
    let pairs: Vec<_> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// Seconds since 1970; negative for a clock before that.
pub(super) fn unix_seconds(now: SystemTime) -> i64 {
    let seconds = |duration: std::time::Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match now.duration_since(UNIX_EPOCH) {
        Ok(since) => seconds(since),
        Err(before) => -seconds(before.duration()),
    }
}
