//! What failed attempts of the agent's own clients have in common: connections, logins, statuses.

use super::failure::{StreamFailure, away};
use crate::{
    camera::State,
    http_auth::login::LoginError,
    hub::Cause,
    tcp::ConnectError,
    text::{Code, Reason},
    tls,
};

/// What helps a camera whose login cannot be answered, by protocol.
pub(super) struct LoginAdvice {
    /// It takes passwords in clear text alone.
    pub(super) clear_password: Code,
    /// The same over TLS with a key that is not known, with the parameter `key`.
    pub(super) unknown_key: Code,
    pub(super) digest: Code,
}

/// A failure for `reason`. `interrupts`: a live stream ended, which `reason` alone does not say.
pub(super) fn failure(cause: Cause, reason: Reason, login: Option<&LoginError>, interrupts: bool) -> StreamFailure {
    let state = if login.is_some() { State::Denied } else { State::Offline };
    // Only a password that was sent can lock an account.
    let refusals = u32::from(matches!(login, Some(LoginError::Denied { .. })));
    let reason = if interrupts { Reason::from(Code::StreamEndedBecause).and(reason) } else { reason };
    StreamFailure { state, refusals, ..away(cause, reason) }
}

pub(super) fn connect_cause(error: &ConnectError, was_live: bool) -> Cause {
    match error {
        // The only one that an open connection can have.
        ConnectError::Failed { .. } if was_live => Cause::Ended,
        _ => Cause::Unreachable,
    }
}

/// `host`: whose connection it was, for an error that names none.
pub(super) fn connect_reason(error: &ConnectError, host: &str) -> Reason {
    match error {
        ConnectError::Resolve { host, error } => {
            Code::CannotResolve.with("host", host.as_str()).with_some("error", error.as_deref()).into()
        }
        ConnectError::Refused { address } => Code::ConnectionRefused.with("host", address.as_str()).into(),
        ConnectError::Timeout { address, waited } => {
            Code::ConnectTimeout.with("host", address.as_str()).with("seconds", waited.as_secs_f64()).into()
        }
        ConnectError::Failed { address, error } => {
            // An error of a connection that was open names no address.
            let address = if address.contains(' ') { host } else { address };
            Code::CannotConnect.with("host", address).with("error", error.as_str()).into()
        }
    }
}

pub(super) fn tls_cause(error: &tls::client::Error) -> Cause {
    if error.is_silence() { Cause::Unreachable } else { Cause::Refused }
}

pub(super) fn login_reason(error: &LoginError, host: &str, advice: &LoginAdvice) -> Reason {
    match error {
        LoginError::Required => {
            [Code::LoginNeeded.with("device", host).with("request", "its stream"), Code::SetLogin.into()].into()
        }
        LoginError::Denied { status: 403 } => answered(Code::StreamLoginRefused, 403, Code::AccountLockedOrWeak),
        LoginError::Denied { status } => answered(Code::StreamLoginRefused, *status, Code::CheckLogin),
        LoginError::ClearPassword => [Code::ClearPassword, advice.clear_password].into(),
        LoginError::UnknownKey { key } => {
            [Code::ClearPassword.into(), advice.unknown_key.with("key", key.to_string())].into()
        }
        LoginError::Unsupported { offered } => {
            [Code::StreamLoginUnsupported.with("schemes", offered.as_str()), advice.digest.into()].into()
        }
    }
}

/// `code` with the camera's `status`, and what helps.
pub(super) fn answered(code: Code, status: u16, advice: Code) -> Reason {
    [code.with("answer", answer(status)), advice.into()].into()
}

/// The status with its words in RFC 2326 and RFC 9110, which are better known than the number.
pub(super) fn answer(status: u16) -> String {
    let words = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        410 => "Gone",
        429 => "Too Many Requests",
        453 => "Not Enough Bandwidth",
        454 => "Session Not Found",
        455 => "Method Not Valid in This State",
        461 => "Unsupported Transport",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => return status.to_string(),
    };
    format!("{status} {words}")
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::camera::fingerprint::Fingerprint;

    /// One of each variant, and of each case that has a reason of its own.
    pub(in super::super) fn connect_errors(address: &str) -> Vec<ConnectError> {
        let address = || address.to_owned();
        vec![
            ConnectError::Resolve { host: "cam.lan".into(), error: None },
            ConnectError::Resolve {
                host: "cam.lan".into(),
                error: Some("Temporary failure in name resolution".into()),
            },
            ConnectError::Refused { address: address() },
            ConnectError::Timeout { address: address(), waited: Duration::from_secs(3) },
            ConnectError::Failed { address: address(), error: "No route to host".into() },
        ]
    }

    /// As [`connect_errors`].
    pub(in super::super) fn login_errors() -> Vec<LoginError> {
        vec![
            LoginError::Required,
            LoginError::Denied { status: 401 },
            LoginError::Denied { status: 403 },
            LoginError::ClearPassword,
            LoginError::UnknownKey { key: Fingerprint([7; 32]) },
            LoginError::Unsupported { offered: "Negotiate".into() },
        ]
    }

    #[test]
    fn only_a_password_that_was_sent_counts_as_refused() {
        for error in login_errors() {
            let failure = failure(Cause::Denied, Reason::default(), Some(&error), false);
            assert_eq!(failure.state, State::Denied);
            assert_eq!(failure.refusals > 0, matches!(error, LoginError::Denied { .. }), "{error:?}");
        }
        let failure = failure(Cause::Ended, Code::ConnectionReset.into(), None, true);
        assert_eq!((failure.state, failure.refusals), (State::Offline, 0));
        assert_eq!(failure.reason.to_string(), "the stream ended: the connection to the camera was reset");
    }

    #[test]
    fn connection_that_broke_while_the_stream_was_live_is_its_end() {
        let broken = ConnectError::Failed { address: "the camera".into(), error: "No route to host".into() };
        assert_eq!([true, false].map(|live| connect_cause(&broken, live)), [Cause::Ended, Cause::Unreachable]);
        assert_eq!(
            connect_reason(&broken, "10.0.0.1:554").to_string(),
            "cannot connect to 10.0.0.1:554: No route to host"
        );
    }
}
