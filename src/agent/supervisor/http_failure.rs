//! What the end of an attempt to read JPEG over HTTP means for the camera, and the reason for people.

use super::failure::{StreamFailure, away};
use crate::{
    camera::State,
    http_jpeg::Error,
    hub::Cause,
    text::{Code, Reason},
};

/// The failure of an attempt at `host` (never with a login) that ended with `error`. `was_live`: viewers
/// have seen the stream live in this attempt.
pub(super) fn http_failure(error: &Error, host: &str, was_live: bool) -> StreamFailure {
    let is_denied = matches!(
        error,
        Error::LoginRequired
            | Error::Denied { .. }
            | Error::ClearPassword
            | Error::UnknownKey { .. }
            | Error::LoginUnsupported { .. }
    );
    let state = if is_denied { State::Denied } else { State::Offline };
    // Only a password that was sent can lock an account.
    let refusals = u32::from(matches!(error, Error::Denied { .. }));
    let reason = reason(error, host);
    let reason = match error {
        Error::EndedByCamera => reason,
        _ if was_live => Reason::from(Code::StreamEndedBecause).and(reason),
        _ => reason,
    };
    StreamFailure { state, refusals, ..away(cause(error), reason) }
}

fn cause(error: &Error) -> Cause {
    match error {
        Error::Resolve { .. }
        | Error::ConnectionRefused { .. }
        | Error::ConnectTimeout { .. }
        | Error::Connect { .. }
        | Error::NoAnswer { .. }
        | Error::ClosedUnanswered => Cause::Unreachable,
        Error::Tls { error, .. } if error.is_silence() => Cause::Unreachable,
        Error::LoginRequired
        | Error::Denied { .. }
        | Error::ClearPassword
        | Error::UnknownKey { .. }
        | Error::LoginUnsupported { .. } => Cause::Denied,
        Error::Tls { .. }
        | Error::NotFound { .. }
        | Error::Busy { .. }
        | Error::Refused { .. }
        | Error::Redirect { .. }
        | Error::TooManyRedirects
        | Error::Malformed { .. } => Cause::Refused,
        Error::WrongType { .. } => Cause::NoVideo,
        Error::Closed | Error::Reset | Error::OutOfStep { .. } | Error::TooLong | Error::EndedByCamera => Cause::Ended,
    }
}

fn reason(error: &Error, host: &str) -> Reason {
    match error {
        Error::Resolve { host, error } => {
            Code::CannotResolve.with("host", host.as_str()).with_some("error", error.as_deref()).into()
        }
        Error::ConnectionRefused { address } => Code::ConnectionRefused.with("host", address.as_str()).into(),
        Error::ConnectTimeout { address, waited } => {
            Code::ConnectTimeout.with("host", address.as_str()).with("seconds", waited.as_secs_f64()).into()
        }
        Error::Connect { address, error } => {
            Code::CannotConnect.with("host", address.as_str()).with("error", error.as_str()).into()
        }
        Error::Tls { address, error } => error.reason(address),
        Error::NoAnswer { waited } => {
            let silent = Code::NoAnswer.with("host", host).with("method", "GET");
            silent.with("seconds", waited.as_secs_f64()).into()
        }
        Error::ClosedUnanswered => Code::ClosedUnanswered.with("host", host).with("method", "GET").into(),
        Error::Closed => Code::ConnectionClosed.into(),
        Error::Reset => Code::ConnectionReset.into(),
        Error::LoginRequired => {
            [Code::LoginNeeded.with("device", host).with("request", "its stream"), Code::SetLogin.into()].into()
        }
        Error::Denied { status: 403 } => answered(Code::StreamLoginRefused, 403, Code::AccountLockedOrWeak),
        Error::Denied { status } => answered(Code::StreamLoginRefused, *status, Code::CheckLogin),
        Error::ClearPassword => [Code::ClearPassword, Code::AllowHttpClearPassword].into(),
        Error::UnknownKey { key } => {
            [Code::ClearPassword.into(), Code::AllowHttpBasicToKey.with("key", key.to_string())].into()
        }
        Error::LoginUnsupported { offered } => {
            let unsupported = Code::StreamLoginUnsupported.with("schemes", offered.as_str());
            [unsupported, Code::EnableHttpDigest.into()].into()
        }
        Error::NotFound { status } => answered(Code::NoSuchStream, *status, Code::CheckProfileOrUrl),
        Error::Busy { status } => answered(Code::TooManyViewers, *status, Code::CloseOthers),
        Error::Refused { status } => Code::MethodRefused.with("method", "GET").with("answer", answer(*status)).into(),
        Error::Redirect { location } => Code::StreamElsewhere.with("location", location.as_str()).into(),
        Error::TooManyRedirects => Code::TooManyRedirects.into(),
        Error::Malformed { error } => Code::BadHttpAnswer.with("error", error.as_str()).into(),
        Error::WrongType { content_type } => {
            [Code::NotJpeg.with("type", content_type.as_str()), Code::CheckProfileOrUrl.into()].into()
        }
        Error::OutOfStep { skipped } => Code::OutOfStep.with("bytes", *skipped as u64).into(),
        Error::TooLong => Code::MessageTooLong.into(),
        Error::EndedByCamera => Code::CameraEnded.into(),
    }
}

/// `code` with the camera's `status`, and what helps.
fn answered(code: Code, status: u16, advice: Code) -> Reason {
    [code.with("answer", answer(status)), advice.into()].into()
}

/// The status with its words in RFC 9110, which are better known than the number.
fn answer(status: u16) -> String {
    let words = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        410 => "Gone",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => return status.to_string(),
    };
    format!("{status} {words}")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::{camera::fingerprint::Fingerprint, tls::client};

    const HOST: &str = "10.0.0.1:80";

    /// One of each variant, and of each case that has a reason of its own.
    fn all() -> Vec<Error> {
        let waited = Duration::from_secs(3);
        let address = || HOST.to_owned();
        vec![
            Error::Resolve { host: "cam.lan".into(), error: None },
            Error::Resolve { host: "cam.lan".into(), error: Some("Temporary failure in name resolution".into()) },
            Error::ConnectionRefused { address: address() },
            Error::ConnectTimeout { address: address(), waited },
            Error::Connect { address: address(), error: "No route to host".into() },
            Error::Tls { address: address(), error: client::Error::KeyChanged { presented: Fingerprint([7; 32]) } },
            Error::Tls { address: address(), error: client::Error::Timeout { waited } },
            Error::NoAnswer { waited },
            Error::ClosedUnanswered,
            Error::Closed,
            Error::Reset,
            Error::LoginRequired,
            Error::Denied { status: 401 },
            Error::Denied { status: 403 },
            Error::ClearPassword,
            Error::UnknownKey { key: Fingerprint([7; 32]) },
            Error::LoginUnsupported { offered: "Negotiate".into() },
            Error::NotFound { status: 404 },
            Error::Busy { status: 503 },
            Error::Refused { status: 500 },
            Error::Redirect { location: "http://10.0.0.9/".into() },
            Error::TooManyRedirects,
            Error::Malformed { error: "the HTTP head is damaged".into() },
            Error::WrongType { content_type: "text/html".into() },
            Error::OutOfStep { skipped: 70_000 },
            Error::TooLong,
            Error::EndedByCamera,
        ]
    }

    #[test]
    fn every_error_has_a_reason_of_its_own() {
        let mut seen = BTreeMap::new();
        for error in all() {
            let why = http_failure(&error, HOST, false).reason.to_string();
            assert!(!why.is_empty() && !why.contains(['?', '{']), "{error:?}: {why}");
            assert_eq!(seen.insert(why.clone(), format!("{error:?}")), None, "{error:?}: {why}");
            let live = http_failure(&error, HOST, true).reason.to_string();
            assert!(live.ends_with(&why), "{error:?}: {live}");
        }
    }

    #[test]
    fn only_a_login_that_was_sent_counts_as_refused() {
        let mut refused = Vec::new();
        for error in all() {
            let failure = http_failure(&error, HOST, false);
            assert_eq!(failure.state == State::Denied, failure.cause == Cause::Denied, "{error:?}");
            refused.extend((failure.refusals > 0).then_some(error));
        }
        assert_eq!(refused, [Error::Denied { status: 401 }, Error::Denied { status: 403 }]);
    }

    #[test]
    fn reason_says_what_would_be_right() {
        for (error, expected) in [
            (
                Error::WrongType { content_type: "text/html".into() },
                "the camera sends text/html instead of JPEG; check profile or url",
            ),
            (
                Error::ClearPassword,
                "the camera takes the password of its stream in clear text only (Basic), and was not sent it; switch \
                 on Digest for HTTP in the camera, or write clear_password = true",
            ),
            (Error::NoAnswer { waited: Duration::from_secs(10) }, "10.0.0.1:80 gave no answer to GET within 10 s"),
        ] {
            assert_eq!(http_failure(&error, HOST, false).reason.to_string(), expected);
        }
        let live = http_failure(&Error::Reset, HOST, true).reason.to_string();
        assert_eq!(live, "the stream ended: the connection to the camera was reset");
    }
}
