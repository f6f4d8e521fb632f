//! Errors of the conversation with one device.

mod reasons;

use std::{io, time::Duration};

use super::{
    responses::Profile,
    soap::{Fault, NotSoap},
    target::DEFAULT_PORT,
};
use crate::{
    http_client::{in_brackets, response},
    tls::client,
    uri::split_authority,
};

/// In all variants `device` is host and port, and `request` is the ONVIF operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    Connect {
        device: String,
        source: io::Error,
    },
    /// There is no TLS connection; nothing was sent.
    Tls {
        device: String,
        source: client::Error,
    },
    Slow {
        device: String,
        request: &'static str,
        limit: Duration,
    },
    Closed {
        device: String,
        request: &'static str,
        source: Option<io::Error>,
    },
    Malformed {
        device: String,
        request: &'static str,
        source: Malformed,
    },
    /// An HTTP status without an ONVIF message.
    Status {
        device: String,
        request: &'static str,
        status: u16,
    },
    Redirect {
        device: String,
        request: &'static str,
        location: String,
    },
    Fault {
        device: String,
        request: &'static str,
        fault: Fault,
    },
    NoCredentials {
        device: String,
        request: &'static str,
    },
    Denied {
        device: String,
        request: &'static str,
        username: String,
        /// The camera's own text, if it sent one.
        fault: Option<Box<Fault>>,
        /// If false, a login can fail although the password is right.
        clock_known: bool,
        /// The same login was accepted for another operation, so it is not wrong.
        right_missing: bool,
    },
    /// The device requires a kind of login that is not supported, such as `Basic`.
    UnsupportedLogin {
        device: String,
        request: &'static str,
        schemes: String,
    },
    NoSuchProfile {
        device: String,
        wanted: String,
        offered: Vec<Profile>,
    },
    /// Several profiles have the wanted name and may show different cameras.
    AmbiguousProfile {
        device: String,
        wanted: String,
        offered: Vec<Profile>,
    },
    /// No profile is configured, and those with video show several cameras.
    SeveralSources {
        device: String,
        offered: Vec<Profile>,
    },
    /// The device does not say which profiles show the same camera as `profile`.
    UnknownSource {
        device: String,
        profile: String,
    },
    /// No profile of the same video source is known to be smaller than the main one.
    NoSmallProfile {
        device: String,
    },
    /// The device does not report the video sources of its profiles, so it has no channels.
    ChannelsUnknown {
        device: String,
    },
    /// The device does not have a channel with this number now; `count` channels it has.
    NoSuchChannel {
        device: String,
        number: u16,
        count: usize,
    },
    /// No profile of the channel has video.
    NoChannelVideo {
        device: String,
        number: u16,
    },
    /// No profile of the channel is smaller than its main one.
    NoSmallChannel {
        device: String,
        number: u16,
    },
    /// The device has no PTZ service.
    NoPtzService {
        device: String,
    },
    /// The profile has no PTZ, and no other one of the same video source has.
    NoPtz {
        device: String,
        profile: String,
    },
    /// The device does not know the preset.
    NoSuchPreset {
        device: String,
        preset: String,
    },
    /// The device has no home position, and no preset that could stand in for it.
    NoHome {
        device: String,
    },
    /// No profile has video.
    NoVideo {
        device: String,
    },
    /// The profile exists but has no stream.
    NoStream {
        device: String,
        profile: String,
        source: Option<Box<Error>>,
    },
    /// `uri` is already masked.
    BadUri {
        device: String,
        profile: String,
        uri: String,
    },
}

/// Why a response could not be understood.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    #[error("the answer is empty")]
    Empty,
    #[error(transparent)]
    Http(response::Error),
    #[error(transparent)]
    Soap(NotSoap),
}

/// What to do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No response: try again soon, or look for the camera at another address.
    Unreachable,
    /// The login is missing or refused: every further attempt may lock the account.
    Denied,
    /// The configuration names a profile that the camera does not have, or
    /// does not select one of several.
    NoSuchProfile,
    /// There is a response, but it is not ONVIF.
    Malformed,
    /// The camera understood the request and refused it.
    Refused,
}

impl Error {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Connect { .. } | Self::Tls { .. } | Self::Slow { .. } | Self::Closed { .. } => Kind::Unreachable,
            Self::NoCredentials { .. }
            | Self::Denied { .. }
            | Self::UnsupportedLogin { .. }
            | Self::Status { status: 403, .. } => Kind::Denied,
            Self::NoSuchProfile { .. }
            | Self::AmbiguousProfile { .. }
            | Self::SeveralSources { .. }
            | Self::ChannelsUnknown { .. }
            | Self::NoSuchChannel { .. } => Kind::NoSuchProfile,
            Self::Malformed { .. } | Self::BadUri { .. } => Kind::Malformed,
            Self::Status { .. }
            | Self::Redirect { .. }
            | Self::Fault { .. }
            | Self::UnknownSource { .. }
            | Self::NoSmallProfile { .. }
            | Self::NoChannelVideo { .. }
            | Self::NoSmallChannel { .. }
            | Self::NoPtzService { .. }
            | Self::NoPtz { .. }
            | Self::NoSuchPreset { .. }
            | Self::NoHome { .. }
            | Self::NoVideo { .. }
            | Self::NoStream { .. } => Kind::Refused,
        }
    }

    /// Whether the device listed its profiles and the wanted one is not among them. The stored
    /// facts about that profile are then outdated.
    pub fn denies_profile(&self) -> bool {
        matches!(
            self,
            Self::NoSuchProfile { .. }
                | Self::AmbiguousProfile { .. }
                | Self::SeveralSources { .. }
                | Self::UnknownSource { .. }
                | Self::NoSmallProfile { .. }
                | Self::ChannelsUnknown { .. }
                | Self::NoSuchChannel { .. }
                | Self::NoChannelVideo { .. }
                | Self::NoSmallChannel { .. }
        )
    }

    /// Whether the device has another TLS key than it must have.
    pub fn is_other_key(&self) -> bool {
        matches!(self, Self::Tls { source, .. } if source.is_other_key())
    }

    /// The port at which the device at `host`, which was asked in clear text, may answer over TLS: it
    /// redirects there, or refuses a connection to the default port.
    pub fn tls_port(&self, host: &str) -> Option<u16> {
        match self {
            Self::Connect { device, source } => {
                let is_default = *device == format!("{}:{DEFAULT_PORT}", in_brackets(host));
                (is_default && source.kind() == io::ErrorKind::ConnectionRefused).then_some(client::HTTPS_PORT)
            }
            Self::Redirect { location, .. } if is_https(location) => {
                let (_, rest) = location.split_once("://")?;
                let (to, port) = split_authority(&rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())])?;
                to.eq_ignore_ascii_case(host).then_some(port.unwrap_or(client::HTTPS_PORT))
            }
            _ => None,
        }
    }

    /// Whether further requests to the same service are pointless now.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Tls { .. } | Self::Slow { .. }) || self.ends_everything()
    }

    /// Whether requests to another service of the same device are pointless, too.
    pub(super) fn ends_everything(&self) -> bool {
        match self {
            Self::NoCredentials { .. } | Self::Denied { .. } | Self::UnsupportedLogin { .. } => true,
            Self::Redirect { location, .. } => is_https(location),
            _ => false,
        }
    }
}

/// Keeps the most informative error: a fault with the device's own text comes first.
pub(super) fn remember(kept: &mut Option<Error>, error: Error) {
    let telling = |error: &Error| matches!(error, Error::Fault { .. });
    if kept.as_ref().is_none_or(|kept| telling(&error) && !telling(kept)) {
        *kept = Some(error);
    }
}

fn is_https(location: &str) -> bool {
    location.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_profile_lists_what_is_offered() {
        let profile =
            |token: &str, name: &str| Profile { token: token.into(), name: name.into(), ..Profile::default() };
        let offered = vec![profile("000", "Main stream"), profile("sub", "sub")];
        let error = Error::NoSuchProfile { device: "10.0.0.1:80".into(), wanted: "x".into(), offered };
        assert_eq!(
            error.to_string(),
            "10.0.0.1:80 has no media profile \"x\"; it offers \"000\" (Main stream), \"sub\""
        );
        assert_eq!(error.kind(), Kind::NoSuchProfile);
    }

    #[test]
    fn long_list_of_profiles_is_cut_and_its_length_told() {
        let profile = |number: usize| Profile { token: number.to_string(), ..Profile::default() };
        let error = |count: usize| {
            let offered = (0..count).map(profile).collect();
            Error::NoSuchProfile { device: "d".into(), wanted: "x".into(), offered }.to_string()
        };
        assert!(error(16).ends_with(", \"15\""));
        assert!(error(20_000).ends_with(", \"15\" and 19984 more"), "{}", error(20_000));
        let long = Profile { token: "t".repeat(1 << 20), name: "n".repeat(1 << 20), ..Profile::default() };
        let error = Error::NoSuchProfile { device: "d".into(), wanted: "x".into(), offered: vec![long] };
        assert!(error.to_string().len() < 500);
    }

    #[test]
    fn causes_are_kept_and_not_pasted() {
        let source = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = Error::Connect { device: "10.0.0.1:80".into(), source };
        assert_eq!(error.to_string(), "cannot reach the ONVIF service at 10.0.0.1:80");
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn https_is_named_as_the_reason() {
        let redirect =
            |location: &str| Error::Redirect { device: "d".into(), request: "GetProfiles", location: location.into() };
        assert!(redirect("HTTPS://10.0.0.1/").to_string().contains("only by HTTPS"));
        assert!(redirect("http://10.0.0.1/x").to_string().contains("to http://10.0.0.1/x"));
        for (location, port) in [
            ("https://10.0.0.1/onvif", Some(443)),
            ("HTTPS://10.0.0.1:8443", Some(8443)),
            ("https://10.0.0.9/onvif", None),
            ("https://user@10.0.0.1/", None),
            ("http://10.0.0.1/", None),
        ] {
            assert_eq!(redirect(location).tls_port("10.0.0.1"), port, "{location}");
        }
    }

    #[test]
    fn only_a_refused_default_port_leads_to_https() {
        let refused = |device: &str, kind: io::ErrorKind| Error::Connect { device: device.into(), source: kind.into() };
        let port = |error: Error| error.tls_port("10.0.0.1");
        assert_eq!(port(refused("10.0.0.1:80", io::ErrorKind::ConnectionRefused)), Some(443));
        assert_eq!(port(refused("10.0.0.1:8000", io::ErrorKind::ConnectionRefused)), None);
        assert_eq!(port(refused("10.0.0.1:80", io::ErrorKind::TimedOut)), None);
    }
}
