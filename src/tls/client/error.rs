//! Why there is no TLS connection to a camera.

use std::{fmt, io, time::Duration};

use crate::{
    camera::fingerprint::Fingerprint,
    text::{self, Code, Reason},
};

/// Why a handshake failed. Nothing was sent after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The device has another key than before.
    KeyChanged {
        presented: Fingerprint,
    },
    /// The device has another key than the configuration names.
    NotPinned {
        presented: Fingerprint,
    },
    /// The device speaks TLS 1.0, TLS 1.1 or SSL only.
    OldVersion,
    /// The device offers no cipher suite that is accepted.
    NoCommonCipher,
    /// The device's RSA key is too short to prove anything.
    WeakKey {
        bits: usize,
    },
    /// The answer is not TLS.
    NotTls,
    Timeout {
        waited: Duration,
    },
    /// The connection ended or was reset in the handshake.
    Closed,
    /// The device sent this alert.
    Alert(String),
    Failed(String),
}

/// Whether `reason` says that a device has another key than it must have.
pub fn is_of_other_key(reason: &Reason) -> bool {
    reason.parts().iter().any(|part| matches!(part.code(), Code::TlsKeyChanged | Code::TlsKeyNotPinned))
}

impl Error {
    /// Whether the device has another key than it must have.
    pub fn is_other_key(&self) -> bool {
        matches!(self, Self::KeyChanged { .. } | Self::NotPinned { .. })
    }

    /// Whether nobody seems to be there, rather than somebody who is not understood.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Closed)
    }

    /// An error of the socket in the handshake.
    pub fn of_socket(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Failed(text::reason(&text::chain(error))),
        }
    }

    /// The error at `host`, and what helps.
    pub fn reason(&self, host: &str) -> Reason {
        let of = |code: Code| code.with("host", host);
        match self {
            Self::KeyChanged { presented } => {
                [of(Code::TlsKeyChanged), Code::ForgetTlsKey.with("key", presented.to_string())].into()
            }
            Self::NotPinned { presented } => {
                [of(Code::TlsKeyNotPinned), Code::AllowTlsKey.with("key", presented.to_string())].into()
            }
            Self::OldVersion => [of(Code::TlsTooOld), Code::UpdateForTls.into()].into(),
            Self::NoCommonCipher => [of(Code::TlsNoCipher), Code::UpdateForTls.into()].into(),
            Self::WeakKey { bits } => {
                [of(Code::TlsWeakKey).with("bits", *bits as u64), Code::RenewCertificate.into()].into()
            }
            Self::NotTls => [of(Code::TlsNotSpoken), Code::CheckTlsPort.into()].into(),
            Self::Timeout { waited } => of(Code::TlsTimeout).with("seconds", waited.as_secs_f64()).into(),
            Self::Closed => of(Code::TlsClosed).into(),
            Self::Alert(alert) => of(Code::TlsRefused).with("alert", alert.as_str()).into(),
            Self::Failed(error) => of(Code::TlsFailed).with("error", error.as_str()).into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason("the camera"))
    }
}

impl std::error::Error for Error {}
