//! Which certificate is in force: that of the configured files, or one of the agent's own.
//!
//! A pair of files that cannot be used never replaces one that can. A certificate of our own is
//! made anew when this machine gets another name or address.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use smol::{Task, future::FutureExt, unblock};

use super::network::{LocalAddress, local_addresses, own_addresses};
use crate::{
    config,
    log::chain,
    text,
    tls::{Certificate, Error, Files, Made, OwnCertificates, Tls},
    web::own_names,
};

/// The directory of our own certificate, in the state directory.
const DIRECTORY: &str = "tls";

/// How often is checked whether our own certificate must be renewed.
const RENEWAL_CHECK: Duration = Duration::from_secs(3600);

/// Pages are told of a certificate that expires within this time, in seconds.
const REMIND_BEFORE: i64 = 21 * 86400;

/// Names that are never sent over a network.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

pub struct Certificates {
    tls: Arc<Tls>,
    wanted: Wanted,
    /// Why the configured files are not in force.
    complaint: Option<String>,
    own: Own,
}

/// What the configuration says.
#[derive(Default)]
struct Wanted {
    files: Option<Files>,
    names: Vec<String>,
    state_dir: PathBuf,
}

/// Where our own certificate is.
#[derive(Default)]
struct Own {
    /// `None` while it is made by another thread.
    certificates: Option<OwnCertificates>,
    /// The names of the one in force; empty before the first.
    names: BTreeSet<String>,
    made: Option<Instant>,
    making: Option<Task<(OwnCertificates, Result<Made, Error>)>>,
    /// Whether it was told that nothing can be kept.
    complained: bool,
}

impl Certificates {
    pub fn new(tls: Arc<Tls>) -> Self {
        Self { tls, wanted: Wanted::default(), complaint: None, own: Own::default() }
    }

    /// Puts the certificate of a configuration into force; reads the files again, also if nothing
    /// else changed.
    ///
    /// # Blocking
    /// Blocks on the disk, where a key is made the first time.
    pub fn set(&mut self, config: &config::Tls, names: &[String], state_dir: &Path) {
        let files = config.files.clone().map(|(certificate, key)| Files { certificate, key });
        self.wanted = Wanted { files, names: names.to_vec(), state_dir: state_dir.to_owned() };
        self.complaint = None;
        let Some(files) = &self.wanted.files else {
            // One of files may be in force.
            return self.renew_own(!self.is_own());
        };
        if files.key_is_readable_by_all() {
            log::warn!("{}: every user of this machine can read this key; chmod 640 it", files.key.display());
        }
        match files.read().and_then(|certificate| self.put_into_force(certificate)) {
            Ok(()) => self.own.names.clear(),
            Err(error) => {
                let error = chain(&error);
                let goes_on = match self.tls.certificate() {
                    Some(_) => "the previous certificate stays in force",
                    None => "a certificate of the agent's own stands in",
                };
                log::error!("{error}; {goes_on}");
                self.complaint = Some(format!("[tls]: {error}; {goes_on}"));
                if self.tls.certificate().is_none() {
                    self.renew_own(true);
                }
            }
        }
    }

    /// Renews our own certificate if this machine has other names than it, or it gets old. Puts one
    /// into force that another thread has made.
    pub fn tick(&mut self, local_addresses: &BTreeSet<LocalAddress>, now: Instant) {
        if let Some(task) = &mut self.own.making {
            let finished = async { Some(task.await) }.or(async { None });
            let Some((certificates, made)) = smol::future::block_on(finished) else { return };
            self.own.making = None;
            self.own.certificates = Some(certificates);
            self.take_own(made);
            return;
        }
        if !self.is_own() {
            return;
        }
        let names = self.names(&own_addresses(local_addresses));
        let is_due = self.own.made.is_none_or(|made| now.duration_since(made) >= RENEWAL_CHECK);
        if (is_due || !names.is_subset(&self.own.names))
            && let Some(mut certificates) = self.own.certificates.take()
        {
            self.own.making = Some(unblock(move || {
                let made = certificates.certificate(&names, SystemTime::now());
                (certificates, made)
            }));
        }
    }

    /// What pages are told: files that cannot be used, and a certificate that expires soon.
    pub fn complaints(&self) -> Vec<String> {
        let expiring = self.tls.certificate().filter(|certificate| !certificate.is_own).and_then(|certificate| {
            let left = certificate.expires_in(SystemTime::now());
            let until = text::duration(left.unsigned_abs() as f64);
            match left {
                ..0 => Some(format!("[tls]: the certificate expired {until} ago; browsers refuse it")),
                0..REMIND_BEFORE => Some(format!("[tls]: the certificate expires in {until}; renew it and reload")),
                _ => None,
            }
        });
        self.complaint.iter().cloned().chain(expiring).collect()
    }

    /// Whether the certificate in force is our own.
    fn is_own(&self) -> bool {
        self.tls.certificate().is_some_and(|certificate| certificate.is_own)
    }

    /// Makes our own certificate now, if `is_needed` or the state directory is another one.
    fn renew_own(&mut self, is_needed: bool) {
        let directory = self.wanted.state_dir.join(DIRECTORY);
        let is_elsewhere = self.own.certificates.as_ref().is_none_or(|own| own.directory() != directory);
        if !is_needed && !is_elsewhere {
            return;
        }
        self.own.making = None;
        let mut certificates = OwnCertificates::new(directory);
        let addresses = local_addresses().map(|local| own_addresses(&local)).unwrap_or_default();
        let made = certificates.certificate(&self.names(&addresses), SystemTime::now());
        self.own.certificates = Some(certificates);
        self.take_own(made);
    }

    fn take_own(&mut self, made: Result<Made, Error>) {
        self.own.made = Some(Instant::now());
        let outcome = made.and_then(|Made { certificate, names, unsaved }| {
            if let Some(error) = &unsaved
                && !self.own.complained
            {
                log::warn!(
                    "{}: cannot keep the certificate: {error}; after a restart there is another one, which browsers do \
                     not know",
                    self.wanted.state_dir.join(DIRECTORY).display()
                );
            }
            self.own.complained = unsaved.is_some();
            self.own.names = names;
            self.put_into_force(certificate)
        });
        if let Err(error) = outcome {
            log::error!("{}", chain(&error));
        }
    }

    fn put_into_force(&self, certificate: Certificate) -> Result<(), Error> {
        let old = self.tls.certificate().map(|certificate| certificate.fingerprint.clone());
        let fingerprint = certificate.fingerprint.clone();
        let whose = if certificate.is_own { "of the agent's own" } else { "of the file" };
        self.tls.set(certificate)?;
        if old.as_ref() != Some(&fingerprint) {
            log::info!("https: the certificate {whose} has the SHA-256 fingerprint {fingerprint}");
        }
        Ok(())
    }

    /// Every name and address by which a browser may ask for this machine.
    fn names(&self, addresses: &BTreeSet<IpAddr>) -> BTreeSet<String> {
        let own = LOOPBACK.map(str::to_owned).into_iter().chain(own_names());
        own.chain(self.wanted.names.iter().cloned()).chain(addresses.iter().map(ToString::to_string)).collect()
    }
}
