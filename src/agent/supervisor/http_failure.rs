//! What the end of an attempt to read JPEG over HTTP means for the camera, and the reason for people.

use super::{
    client_failure::{self, LoginAdvice, answer, answered, connect_cause, connect_reason, login_reason, tls_cause},
    failure::StreamFailure,
};
use crate::{
    http_jpeg::Error,
    hub::Cause,
    text::{Code, Reason},
};

const ADVICE: LoginAdvice = LoginAdvice {
    clear_password: Code::AllowHttpClearPassword,
    unknown_key: Code::AllowHttpBasicToKey,
    digest: Code::EnableHttpDigest,
};

/// The failure of an attempt at `host` (never with a login) that ended with `error`. `was_live`: viewers
/// have seen the stream live in this attempt.
pub(super) fn http_failure(error: &Error, host: &str, was_live: bool) -> StreamFailure {
    let login = match error {
        Error::Login(login) => Some(login),
        _ => None,
    };
    let interrupts = was_live && *error != Error::EndedByCamera;
    client_failure::failure(cause(error, was_live), reason(error, host), login, interrupts)
}

fn cause(error: &Error, was_live: bool) -> Cause {
    match error {
        Error::Connect(error) => connect_cause(error, was_live),
        Error::NoAnswer { .. } | Error::ClosedUnanswered => Cause::Unreachable,
        Error::Tls { error, .. } => tls_cause(error),
        Error::Login(_) => Cause::Denied,
        Error::NotFound { .. }
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
        Error::Connect(error) => connect_reason(error, host),
        Error::Tls { address, error } => error.reason(address),
        Error::NoAnswer { waited } => {
            let silent = Code::NoAnswer.with("host", host).with("method", "GET");
            silent.with("seconds", waited.as_secs_f64()).into()
        }
        Error::ClosedUnanswered => Code::ClosedUnanswered.with("host", host).with("method", "GET").into(),
        Error::Closed => Code::ConnectionClosed.into(),
        Error::Reset => Code::ConnectionReset.into(),
        Error::Login(error) => login_reason(error, host, &ADVICE),
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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::{
        super::client_failure::tests::{connect_errors, login_errors},
        *,
    };
    use crate::{camera::State, camera::fingerprint::Fingerprint, http_auth::login::LoginError, tls::client};

    const HOST: &str = "10.0.0.1:80";

    /// One of each variant, and of each case that has a reason of its own.
    fn all() -> Vec<Error> {
        let waited = Duration::from_secs(3);
        let address = || HOST.to_owned();
        let connect = connect_errors(HOST).into_iter().map(Error::Connect);
        let login = login_errors().into_iter().map(Error::Login);
        let others = vec![
            Error::Tls { address: address(), error: client::Error::KeyChanged { presented: Fingerprint([7; 32]) } },
            Error::Tls { address: address(), error: client::Error::Timeout { waited } },
            Error::NoAnswer { waited },
            Error::ClosedUnanswered,
            Error::Closed,
            Error::Reset,
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
        ];
        connect.chain(login).chain(others).collect()
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
        assert_eq!(
            refused,
            [Error::Login(LoginError::Denied { status: 401 }), Error::Login(LoginError::Denied { status: 403 })]
        );
    }

    #[test]
    fn reason_says_what_would_be_right() {
        for (error, expected) in [
            (
                Error::WrongType { content_type: "text/html".into() },
                "the camera sends text/html instead of JPEG; check profile or url",
            ),
            (
                Error::Login(LoginError::ClearPassword),
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
