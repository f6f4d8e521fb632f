//! What an error of a handshake means.

use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible};

use super::{Error, verifier::Verifier};
use crate::text;

/// Shorter RSA keys are not accepted by ring.
const MIN_RSA_BITS: usize = 2048;

/// The error of a handshake in which `verifier` looked at the key.
pub(super) fn from_io(error: &io::Error, verifier: &Verifier) -> Error {
    match error.get_ref().and_then(|source| source.downcast_ref::<rustls::Error>()) {
        Some(source) => from_rustls(source, verifier),
        None => Error::of_socket(error),
    }
}

/// As [`from_io`].
pub(super) fn from_rustls(error: &rustls::Error, verifier: &Verifier) -> Error {
    use rustls::Error as Tls;
    match error {
        Tls::InvalidCertificate(CertificateError::ApplicationVerificationFailure) => {
            verifier.refusal().unwrap_or_else(|| failed(error))
        }
        Tls::InvalidCertificate(CertificateError::BadSignature) => match verifier.rsa_bits() {
            Some(bits) if bits < MIN_RSA_BITS => Error::WeakKey { bits },
            _ => failed(error),
        },
        Tls::AlertReceived(AlertDescription::ProtocolVersion)
        | Tls::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => Error::OldVersion,
        Tls::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity) => {
            Error::NoCommonCipher
        }
        Tls::AlertReceived(alert) => Error::Alert(text::reason(&format!("{alert:?}"))),
        Tls::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            Error::NotTls
        }
        other => failed(other),
    }
}

fn failed(error: &rustls::Error) -> Error {
    Error::Failed(text::reason(&text::chain(error)))
}
