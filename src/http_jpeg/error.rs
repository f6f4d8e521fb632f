//! Why the pictures of a camera ended.

use std::{io, time::Duration};

use super::multipart::Malformed;
use crate::{http_auth::login::LoginError, http_client::response, tcp::ConnectError, text, tls};

/// Why an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    Connect(ConnectError),
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
    Login(LoginError),
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
    pub(super) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Connect(_)
                | Self::NoAnswer { .. }
                | Self::ClosedUnanswered
                | Self::Closed
                | Self::Reset
                | Self::Busy { .. }
                | Self::Refused { status: 500.. }
        )
    }

    /// An error of an open connection.
    pub(super) fn of_connection(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                Self::Reset
            }
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => ConnectError::failed("the camera".to_owned(), error).into(),
        }
    }
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<LoginError> for Error {
    fn from(error: LoginError) -> Self {
        Self::Login(error)
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
