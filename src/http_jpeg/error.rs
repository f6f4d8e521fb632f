//! Why the pictures of a camera ended.

use std::{io, time::Duration};

use super::multipart::Malformed;
use crate::{camera::fingerprint::Fingerprint, http_client::response, text, tls};

/// Why an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// `error` in the system's words; `None`: the name has no address.
    Resolve {
        host: String,
        error: Option<String>,
    },
    ConnectionRefused {
        address: String,
    },
    ConnectTimeout {
        address: String,
        waited: Duration,
    },
    /// `error` in the system's words.
    Connect {
        address: String,
        error: String,
    },
    /// There is no TLS connection to `address`.
    Tls {
        address: String,
        error: tls::client::Error,
    },
    NoAnswer {
        waited: Duration,
    },
    ClosedUnanswered,
    Closed,
    Reset,
    LoginRequired,
    Denied {
        status: u16,
    },
    /// The camera takes passwords in clear text alone, and may not be sent one.
    ClearPassword,
    /// As [`ClearPassword`](Self::ClearPassword), over TLS with a key that was not known before.
    UnknownKey {
        key: Fingerprint,
    },
    LoginUnsupported {
        offered: String,
    },
    NotFound {
        status: u16,
    },
    /// The camera has no room for another viewer.
    Busy {
        status: u16,
    },
    Refused {
        status: u16,
    },
    /// To another host, from TLS to clear text, or to nowhere.
    Redirect {
        location: String,
    },
    TooManyRedirects,
    /// The answer cannot be read as HTTP.
    Malformed {
        error: String,
    },
    /// The answer is of this type, and not what was asked for.
    WrongType {
        content_type: String,
    },
    OutOfStep {
        skipped: usize,
    },
    TooLong,
    /// The camera said that no more follows.
    EndedByCamera,
}

impl Error {
    /// Whether the next request may succeed although this one failed.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::ConnectionRefused { .. }
                | Self::ConnectTimeout { .. }
                | Self::Connect { .. }
                | Self::NoAnswer { .. }
                | Self::ClosedUnanswered
                | Self::Closed
                | Self::Reset
                | Self::Busy { .. }
                | Self::Refused { status: 500.. }
        )
    }

    /// No connection to `address`.
    pub(super) fn of_connecting(address: String, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::ConnectionRefused { address },
            _ => Self::Connect { address, error: text::chain(error) },
        }
    }

    /// An error of an open connection to `address`.
    pub(super) fn of_connection(address: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                Self::Reset
            }
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Connect { address: address.to_owned(), error: text::chain(error) },
        }
    }
}

impl From<response::Error> for Error {
    fn from(error: response::Error) -> Self {
        match error {
            response::Error::Empty => Self::ClosedUnanswered,
            error => Self::Malformed { error: text::chain(&error) },
        }
    }
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::Senseless { skipped } => Self::OutOfStep { skipped },
            Malformed::TooLong => Self::TooLong,
        }
    }
}
