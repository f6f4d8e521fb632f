//! A login, and what becomes of it.

use std::{fmt, sync::Arc, time::Duration};

use crate::account::Account;

/// What somebody sends to prove who it is.
#[derive(Clone, Copy)]
pub enum Login<'a> {
    /// `Authorization: Basic`.
    Password { name: &'a str, password: &'a str },
    /// `Authorization: Bearer`.
    Token(&'a str),
}

impl fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password(…)",
            Self::Token(_) => "Token(…)",
        })
    }
}

/// What becomes of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is this account's.
    Accepted(Arc<Account>),
    /// It is nobody's: 401.
    Refused,
    /// It was not looked at, because this address has failed too often: 429.
    LockedOut {
        /// For `Retry-After`, in whole seconds; at least one.
        retry_after: Duration,
    },
    /// It was not looked at, because too many others are being verified: 503.
    Busy,
}
