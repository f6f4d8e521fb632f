//! Why the pictures of a camera ended.

use std::{io, time::Duration};

use super::multipart::Malformed;
use crate::{http_auth::login::LoginError, http_client::response, tcp::ConnectError, text, tls};

/// Why an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Connect(ConnectError),
    /// There is no TLS connection to `address`.
    #[error("{}", .error.reason(.address))]
    Tls { address: String, error: tls::client::Error },
    #[error("no answer within {} s", .waited.as_secs_f64())]
    NoAnswer { waited: Duration },
    #[error("the camera closed the connection without an answer")]
    ClosedUnanswered,
    #[error("the camera closed the connection")]
    Closed,
    #[error("the connection was reset")]
    Reset,
    #[error(transparent)]
    Login(LoginError),
    #[error("nothing is there (status {status})")]
    NotFound { status: u16 },
    /// The camera has no room for another viewer.
    #[error("the camera has no room for another viewer (status {status})")]
    Busy { status: u16 },
    #[error("the camera refuses the request (status {status})")]
    Refused { status: u16 },
    /// To another host, from TLS to clear text, or to nowhere.
    #[error("the camera sends us to {location}")]
    Redirect { location: String },
    #[error("the camera redirects again and again")]
    TooManyRedirects,
    /// The answer cannot be read as HTTP.
    #[error("the answer is no HTTP: {error}")]
    Malformed { error: String },
    /// The answer is of this type, and not what was asked for.
    #[error("it sends {content_type}, and no Motion JPEG")]
    WrongType { content_type: String },
    #[error("{skipped} bytes are no pictures")]
    OutOfStep { skipped: usize },
    #[error("a picture is longer than any can be")]
    TooLong,
    /// The camera said that no more follows.
    #[error("the camera ended the stream")]
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
