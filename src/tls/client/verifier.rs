//! Recognises a camera by its key.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest, Sha256};

use super::Error;
use crate::{
    camera::fingerprint::{Fingerprint, PeerKey},
    sync::Mutex,
    tls::x509::{self, PublicKey},
};

/// Which key a camera must have. Clones belong to the same conversation: after the first handshake all
/// further ones must find the same key.
#[derive(Clone, Debug, Default)]
pub struct KeyCheck {
    pinned: Vec<Fingerprint>,
    learnt: Option<Fingerprint>,
    seen: Arc<Mutex<Option<PeerKey>>>,
}

impl KeyCheck {
    /// `pinned`: the fingerprints in the configuration, each of a key or a certificate, of which one must
    /// fit; they replace `learnt`, that of the key in earlier conversations. Without both, any key is taken.
    pub fn new(pinned: impl IntoIterator<Item = Fingerprint>, learnt: Option<Fingerprint>) -> Self {
        Self { pinned: pinned.into_iter().collect(), learnt, seen: Arc::default() }
    }

    /// The key that the camera has proved to have in this conversation.
    pub fn seen(&self) -> Option<PeerKey> {
        *self.seen.lock()
    }

    /// Whether the key was known before this conversation. If not, it may be anybody's.
    pub fn is_known(&self) -> bool {
        !self.pinned.is_empty() || self.learnt.is_some()
    }

    /// Forgets this conversation.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self::new(self.pinned.iter().copied(), self.learnt)
    }

    fn check(&self, presented: &PeerKey) -> Result<(), Error> {
        let fits = |pinned: &Fingerprint| presented.has(*pinned);
        let known = match self.pinned.as_slice() {
            [] => self.learnt,
            all if all.iter().any(fits) => None,
            _ => return Err(Error::NotPinned { presented: presented.key }),
        };
        match known.or(self.seen().map(|seen| seen.key)) {
            Some(known) if known != presented.key => Err(Error::KeyChanged { presented: presented.key }),
            _ => Ok(()),
        }
    }
}

/// Two checks are equal if they accept the same keys.
impl PartialEq for KeyCheck {
    fn eq(&self, other: &Self) -> bool {
        (&self.pinned, self.learnt, self.seen()) == (&other.pinned, other.learnt, other.seen())
    }
}

/// The check of one handshake.
#[derive(Debug)]
pub(super) struct Verifier {
    check: KeyCheck,
    algorithms: WebPkiSupportedAlgorithms,
    /// What the device has shown, and the bits of its key if that is RSA.
    presented: Mutex<Option<(PeerKey, Option<usize>)>>,
}

impl Verifier {
    pub(super) fn new(check: KeyCheck) -> Arc<Self> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        Arc::new(Self { check, algorithms, presented: Mutex::default() })
    }

    /// The handshake has succeeded: the device has the key that it showed.
    pub(super) fn accept(&self) {
        if let Some((presented, _)) = *self.presented.lock() {
            *self.check.seen.lock() = Some(presented);
        }
    }

    /// Why the key was refused.
    pub(super) fn refusal(&self) -> Option<Error> {
        let (presented, _) = (*self.presented.lock())?;
        self.check.check(&presented).err()
    }

    pub(super) fn rsa_bits(&self) -> Option<usize> {
        (*self.presented.lock())?.1
    }

    /// Checks that `signed` is a signature of `message` by the key of `certificate`.
    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let PublicKey { algorithm, key, .. } = public_key(certificate)?;
        let known = self.algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
        let mut of_key = known.flat_map(|(_, all)| *all).filter(|one| one.public_key_alg_id().as_ref() == algorithm);
        if of_key.any(|one| one.verify_signature(key, message, signed.signature()).is_ok()) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        Err(CertificateError::BadSignature.into())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let key = public_key(certificate)?;
        let presented = PeerKey { key: sha256(key.info), certificate: sha256(certificate) };
        *self.presented.lock() = Some((presented, key.rsa_bits()));
        match self.check.check(&presented) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(_) => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // TLS 1.3 has no such signatures (RFC 8446 4.2.3).
        let is_pkcs1 = matches!(
            signed.scheme,
            SignatureScheme::RSA_PKCS1_SHA256 | SignatureScheme::RSA_PKCS1_SHA384 | SignatureScheme::RSA_PKCS1_SHA512
        );
        if is_pkcs1 {
            return Err(CertificateError::BadSignature.into());
        }
        self.verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn public_key<'a>(certificate: &'a CertificateDer<'_>) -> Result<PublicKey<'a>, rustls::Error> {
    x509::public_key(certificate).ok_or_else(|| CertificateError::BadEncoding.into())
}

fn sha256(bytes: &[u8]) -> Fingerprint {
    Fingerprint(Sha256::digest(bytes).into())
}
