//! What the end of an attempt to read a stream by RTSP means for the camera, and the reason for people.

use super::{
    client_failure::{self, LoginAdvice, answer, answered, connect_cause, connect_reason, login_reason, tls_cause},
    failure::StreamFailure,
};
use crate::{
    camera::{State, Transport, mask_credentials},
    hub::Cause,
    rtsp::{
        self,
        sdp::{NoAudio, NoVideo},
    },
    text::{Code, Part, Reason},
};

const ADVICE: LoginAdvice = LoginAdvice {
    clear_password: Code::AllowClearPassword,
    unknown_key: Code::AllowBasicToKey,
    digest: Code::EnableRtspDigest,
};

/// The failure of an attempt at `host` (never with a login) that ended with `error`. `was_live`: viewers
/// have seen the stream live in this attempt.
pub(super) fn rtsp_failure(error: &rtsp::Error, host: &str, was_live: bool) -> StreamFailure {
    let login = match error {
        rtsp::Error::Login(login) => Some(login),
        _ => None,
    };
    let cause = cause(error, was_live);
    let failure = client_failure::failure(cause, reason(error, host), login, was_live && interrupts(error));
    if cause == Cause::Stalled { StreamFailure { state: State::Stalled, ..failure } } else { failure }
}

fn cause(error: &rtsp::Error, was_live: bool) -> Cause {
    use rtsp::Error;
    match error {
        Error::Connect(error) => connect_cause(error, was_live),
        Error::UdpPorts | Error::GroupPort { .. } | Error::NoAnswer { .. } | Error::ClosedUnanswered { .. } => {
            Cause::Unreachable
        }
        Error::WriteTimeout { .. } if !was_live => Cause::Unreachable,
        Error::WriteTimeout { .. } => Cause::Stalled,
        Error::Login(_) => Cause::Denied,
        Error::Tls { error, .. } => tls_cause(error),
        Error::NotFound { .. }
        | Error::TooManyViewers { .. }
        | Error::NoTransport { .. }
        | Error::TransportRefused { .. }
        | Error::Refused { .. }
        | Error::Redirect { .. }
        | Error::TooManyRedirects
        | Error::NoVideo(NoVideo::NotSdp) => Cause::Refused,
        Error::SessionLost { .. } | Error::OutOfStep { .. } | Error::TooLong if !was_live => Cause::Refused,
        Error::NoVideo(_) | Error::NoAudio(_) | Error::Silent { .. } | Error::NoPackets { .. } => Cause::NoVideo,
        Error::SessionLost { .. }
        | Error::OutOfStep { .. }
        | Error::TooLong
        | Error::Closed { .. }
        | Error::Reset
        | Error::EndedByCamera
        | Error::NewSessionWanted
        | Error::Bye
        | Error::AnotherCodec => Cause::Ended,
    }
}

/// Whether the reason alone does not say that a live stream ended.
fn interrupts(error: &rtsp::Error) -> bool {
    use rtsp::Error;
    !matches!(error, Error::EndedByCamera | Error::NewSessionWanted | Error::Bye)
}

fn reason(error: &rtsp::Error, host: &str) -> Reason {
    use rtsp::Error;
    match error {
        Error::Connect(error) => connect_reason(error, host),
        Error::UdpPorts => [Code::NoUdpPorts, Code::UseTcp].into(),
        Error::GroupPort { address } => {
            let taken = Code::GroupPortTaken.with("port", u64::from(address.port()));
            [taken.with("group", address.ip().to_string()), Code::FreeGroupPort.into()].into()
        }
        Error::Tls { address, error } => error.reason(address),
        Error::NoAnswer { method, waited } => {
            let silent = Code::NoAnswer.with("host", host).with("method", method.as_str());
            silent.with("seconds", waited.as_secs_f64()).into()
        }
        Error::ClosedUnanswered { method } => {
            Code::ClosedUnanswered.with("host", host).with("method", method.as_str()).into()
        }
        Error::Closed { .. } => Code::ConnectionClosed.into(),
        Error::Reset => Code::ConnectionReset.into(),
        Error::WriteTimeout { waited } => Code::RequestsNotTaken.with("seconds", waited.as_secs_f64()).into(),
        Error::Login(error) => login_reason(error, host, &ADVICE),
        Error::NotFound { status } => answered(Code::NoSuchStream, *status, Code::CheckProfileOrUrl),
        Error::TooManyViewers { status: Some(status), .. } => {
            answered(Code::TooManyViewers, *status, Code::CloseOthers)
        }
        Error::TooManyViewers { status: None, .. } => {
            [Code::ClosesEachConnection.with("host", host), Code::CloseOthers.into()].into()
        }
        Error::NoTransport { status } => Code::NoTransport.with("answer", answer(*status)).into(),
        Error::TransportRefused { transport: Transport::Http, status } => {
            answered(Code::NoTunnel, status.unwrap_or(200), Code::TryOtherTransport)
        }
        Error::TransportRefused { status: Some(status), .. } => {
            answered(Code::TransportRefused, *status, Code::TryOtherTransport)
        }
        Error::TransportRefused { status: None, .. } => [Code::OtherTransport, Code::TryOtherTransport].into(),
        Error::SessionLost { status } => Code::SessionLost.with("answer", answer(*status)).into(),
        Error::Refused { method, status, reason } => {
            let answer = format!("{status} {reason}");
            Code::MethodRefused.with("method", method.as_str()).with("answer", answer.trim_end()).into()
        }
        Error::Redirect { location } => Code::StreamElsewhere.with("location", mask_credentials(location)).into(),
        Error::TooManyRedirects => Code::TooManyRedirects.into(),
        Error::NoVideo(NoVideo::NotSdp) => Code::NoDescription.into(),
        Error::NoVideo(NoVideo::NoVideo) => Code::StreamWithoutVideo.into(),
        Error::NoVideo(NoVideo::Encrypted) => [Code::StreamEncrypted, Code::SwitchOffEncryption].into(),
        Error::NoVideo(NoVideo::UnknownFormats(formats)) => {
            [Code::UnsupportedCodec.quoted("codec", &formats.join(", ")), Code::SetCodec.into()].into()
        }
        Error::NoAudio(NoAudio::NoAudio) => [Code::NoSound, Code::SwitchOnSound].into(),
        Error::NoAudio(NoAudio::Encrypted) => [Code::StreamEncrypted, Code::SwitchOffEncryption].into(),
        Error::NoAudio(NoAudio::UnknownFormats(formats)) => {
            [Code::UnsupportedSound.quoted("codec", &formats.join(", ")), Code::SetSoundCodec.into()].into()
        }
        Error::Silent { waited } => Code::SilentSound.with("seconds", waited.as_secs_f64()).into(),
        Error::OutOfStep { skipped } => Code::OutOfStep.with("bytes", *skipped as u64).into(),
        Error::TooLong => Code::MessageTooLong.into(),
        Error::NoPackets { transport, waited } => {
            let advice = match transport {
                Transport::Tcp | Transport::Http => None,
                Transport::Udp => Some(Code::CheckFirewall.into()),
                Transport::Multicast => Some(Code::CheckMulticast.into()),
            };
            let silent = Code::NoPackets.with("transport", transport.name()).with("seconds", waited.as_secs_f64());
            std::iter::once(silent).chain(advice).collect::<Vec<Part>>().into()
        }
        Error::EndedByCamera => Code::CameraEnded.into(),
        Error::NewSessionWanted => Code::NewSessionWanted.into(),
        Error::Bye => Code::SaidBye.into(),
        Error::AnotherCodec => Code::AnotherCodec.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::{
        super::client_failure::tests::{connect_errors, login_errors},
        *,
    };
    use crate::{camera::fingerprint::Fingerprint, http_auth::login::LoginError, rtsp::message::Method, tls::client};

    const HOST: &str = "10.0.0.1:554";

    /// One of each variant, and of each case that has a reason of its own.
    fn all() -> Vec<rtsp::Error> {
        use rtsp::Error;
        let waited = Duration::from_secs(3);
        let address = || HOST.to_owned();
        let tcp = Transport::Tcp;
        let connect = connect_errors(HOST).into_iter().map(Error::Connect);
        let login = login_errors().into_iter().map(Error::Login);
        let others = vec![
            Error::UdpPorts,
            Error::GroupPort { address: "239.255.0.1:5004".parse().unwrap() },
            Error::Tls { address: address(), error: client::Error::KeyChanged { presented: Fingerprint([7; 32]) } },
            Error::Tls { address: address(), error: client::Error::Timeout { waited } },
            Error::NoAnswer { method: Method::Describe, waited },
            Error::ClosedUnanswered { method: Method::Setup },
            Error::Closed { inside_packet: true },
            Error::Reset,
            Error::WriteTimeout { waited },
            Error::NotFound { status: 404 },
            Error::TooManyViewers { status: Some(453), retry_after: waited },
            Error::TooManyViewers { status: None, retry_after: waited },
            Error::NoTransport { status: 461 },
            Error::TransportRefused { transport: tcp, status: Some(461) },
            Error::TransportRefused { transport: tcp, status: None },
            Error::SessionLost { status: 454 },
            Error::Refused { method: Method::Play, status: 500, reason: "Internal Server Error".into() },
            Error::Redirect { location: "http://viewer:hunter2@10.0.0.9/password=hunter2".into() },
            Error::TooManyRedirects,
            Error::NoVideo(NoVideo::NotSdp),
            Error::NoVideo(NoVideo::NoVideo),
            Error::NoVideo(NoVideo::Encrypted),
            Error::NoVideo(NoVideo::UnknownFormats(vec!["VP8".into(), "AV1".into()])),
            Error::NoAudio(NoAudio::NoAudio),
            Error::NoAudio(NoAudio::UnknownFormats(vec!["G726-32".into()])),
            Error::Silent { waited },
            Error::OutOfStep { skipped: 70_000 },
            Error::TooLong,
            Error::NoPackets { transport: tcp, waited },
            Error::NoPackets { transport: Transport::Udp, waited },
            Error::NoPackets { transport: Transport::Multicast, waited },
            Error::NoPackets { transport: Transport::Http, waited },
            Error::TransportRefused { transport: Transport::Http, status: Some(404) },
            Error::EndedByCamera,
            Error::NewSessionWanted,
            Error::Bye,
            Error::AnotherCodec,
        ];
        connect.chain(login).chain(others).collect()
    }

    fn text(error: &rtsp::Error, was_live: bool) -> String {
        rtsp_failure(error, HOST, was_live).reason.to_string()
    }

    #[test]
    fn every_error_has_a_reason_of_its_own_and_none_shows_a_password() {
        let mut seen = BTreeMap::new();
        for error in all() {
            let why = text(&error, false);
            assert!(!why.is_empty() && !why.contains('?') && !why.contains("hunter2"), "{error:?}: {why}");
            assert_eq!(seen.insert(why.clone(), format!("{error:?}")), None, "{error:?}: {why}");
            let live = text(&error, true);
            assert!(live.ends_with(&why) && !live.contains("hunter2"), "{error:?}: {live}");
        }
    }

    #[test]
    fn reason_says_what_would_be_right() {
        for (error, expected) in [
            (
                rtsp::Error::Login(LoginError::Denied { status: 401 }),
                "the camera refused the login (401 Unauthorized); check username and password",
            ),
            (
                rtsp::Error::Login(LoginError::Required),
                "10.0.0.1:554 wants a login for its stream; set username and password",
            ),
            (
                rtsp::Error::Login(LoginError::ClearPassword),
                "the camera takes the password of its stream in clear text only (Basic), and was not sent it; switch \
                 on Digest for RTSP in the camera, or write clear_password = true",
            ),
            (
                rtsp::Error::NoAnswer { method: Method::Describe, waited: Duration::from_secs(10) },
                "10.0.0.1:554 gave no answer to DESCRIBE within 10 s",
            ),
            (
                rtsp::Error::NoPackets { transport: Transport::Udp, waited: Duration::from_secs(3) },
                "no video over UDP within 3 s after PLAY; a firewall may drop it: write transport = \"tcp\"",
            ),
            (
                rtsp::Error::NoVideo(NoVideo::UnknownFormats(vec!["VP8".into()])),
                "the video is encoded as \"VP8\"; set the camera to H.264, H.265 or JPEG",
            ),
        ] {
            assert_eq!(text(&error, false), expected);
        }
        let live = text(&rtsp::Error::Reset, true);
        assert_eq!(live, "the stream ended: the connection to the camera was reset");
        assert_eq!(text(&rtsp::Error::EndedByCamera, true), "the camera ended the stream");
    }

    #[test]
    fn only_a_login_that_was_sent_counts_as_refused() {
        let mut denied = Vec::new();
        for error in all() {
            let failure = rtsp_failure(&error, HOST, false);
            assert!(!failure.crash && !failure.denies_memory);
            assert_eq!(failure.state == State::Denied, failure.cause == Cause::Denied, "{error:?}");
            assert_eq!(failure.state == State::Denied, error.retry() == rtsp::Retry::Denied, "{error:?}");
            denied.extend((failure.refusals > 0).then_some(error));
        }
        assert_eq!(
            denied,
            [
                rtsp::Error::Login(LoginError::Denied { status: 401 }),
                rtsp::Error::Login(LoginError::Denied { status: 403 })
            ]
        );
    }

    #[test]
    fn end_of_a_live_stream_counts_as_ended_and_a_failed_start_as_what_failed() {
        let causes = |error: &rtsp::Error| [true, false].map(|was_live| rtsp_failure(error, HOST, was_live).cause);
        assert_eq!(causes(&rtsp::Error::OutOfStep { skipped: 9 }), [Cause::Ended, Cause::Refused]);
        assert_eq!(causes(&rtsp::Error::Reset), [Cause::Ended, Cause::Ended]);
        let stuck = rtsp::Error::WriteTimeout { waited: Duration::from_secs(1) };
        assert_eq!(causes(&stuck), [Cause::Stalled, Cause::Unreachable]);
        assert_eq!(rtsp_failure(&stuck, HOST, true).state, State::Stalled);
    }
}
