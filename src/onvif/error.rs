//! Errors of the conversation with one device, with texts for the person on site.

use std::{error, fmt, io, time::Duration};

use super::{
    profile_choice,
    responses::Profile,
    soap::{Fault, NotSoap, quotable},
};
use crate::{http_client::response, text};

/// Maximum number of profiles named in the message about a missing one.
const MAX_PROFILES_NAMED: usize = 16;

/// In all variants `device` is host and port, and `request` is the ONVIF operation.
#[derive(Debug)]
pub enum Error {
    Connect {
        device: String,
        source: io::Error,
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
            Self::Connect { .. } | Self::Slow { .. } | Self::Closed { .. } => Kind::Unreachable,
            Self::NoCredentials { .. }
            | Self::Denied { .. }
            | Self::UnsupportedLogin { .. }
            | Self::Status { status: 403, .. } => Kind::Denied,
            Self::NoSuchProfile { .. } | Self::AmbiguousProfile { .. } | Self::SeveralSources { .. } => {
                Kind::NoSuchProfile
            }
            Self::Malformed { .. } | Self::BadUri { .. } => Kind::Malformed,
            Self::Status { .. }
            | Self::Redirect { .. }
            | Self::Fault { .. }
            | Self::UnknownSource { .. }
            | Self::NoSmallProfile { .. }
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
        )
    }

    /// Whether further requests to the same service are pointless now.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Slow { .. }) || self.ends_everything()
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

fn is_https(location: &str) -> bool {
    location.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { device, .. } => write!(f, "cannot reach the ONVIF service at {device}"),
            Self::Slow { device, request, limit } => {
                write!(f, "{device} did not answer {request} within {} s", limit.as_secs_f32())
            }
            Self::Closed { device, request, .. } => {
                write!(f, "{device} closed the connection without answering {request}")
            }
            Self::Malformed { device, request, .. } => {
                write!(f, "cannot understand the answer of {device} to {request}")
            }
            Self::Status { device, request, status: 403 } => {
                write!(f, "{device} forbids {request} (HTTP status 403); the account may be locked or lack the right")
            }
            Self::Status { device, request, status } => write!(
                f,
                "{device} answered {request} with HTTP status {status} and no ONVIF message; \
                 check that ONVIF is switched on in the camera, and its port"
            ),
            Self::Redirect { device, request, location } if is_https(location) => write!(
                f,
                "{device} answers {request} only by HTTPS, which is not supported for ONVIF; allow HTTP in the camera"
            ),
            Self::Redirect { device, request, location } => {
                write!(f, "{device} sends {request} elsewhere, to {location}; check the ONVIF port")
            }
            Self::Fault { device, request, fault } => write!(f, "{device} refused {request}: {fault}"),
            Self::NoCredentials { device, request } => {
                write!(f, "{device} wants a login for {request}; set username and password")
            }
            Self::UnsupportedLogin { device, request, schemes } => write!(
                f,
                "{device} asks for a login by {schemes} for {request}, which is not spoken as it does not protect the \
                 password; switch on Digest or WS-UsernameToken in the camera"
            ),
            Self::Denied { device, request, username, fault, clock_known, right_missing } => {
                write!(f, "{device} refused {request} for user {username:?}")?;
                if let Some(fault) = fault {
                    write!(f, ": {fault}")?;
                }
                if *right_missing {
                    return f
                        .write_str("; the login itself is right: give the camera's user the right to see live video");
                }
                f.write_str("; check username and password, and that the camera has an ONVIF user of that name")?;
                if !clock_known {
                    f.write_str("; its clock, which it does not tell, may be wrong")?;
                }
                if fault.as_ref().is_some_and(|fault| fault.warns_of_lockout()) {
                    f.write_str("; it counts failed logins and may lock the account")?;
                }
                Ok(())
            }
            Self::NoSuchProfile { device, wanted, offered } => {
                write!(f, "{device} has no media profile {wanted:?}; it offers ")?;
                list_profiles(f, offered)
            }
            Self::AmbiguousProfile { device, wanted, offered } => {
                write!(f, "{device} calls several profiles {wanted:?}, which may show different cameras: ")?;
                list_profiles(f, offered)?;
                f.write_str("; write the token of one as profile")
            }
            Self::SeveralSources { device, offered } => {
                write!(f, "{device} shows several cameras, and no profile says which; it offers ")?;
                list_profiles(f, offered)?;
                f.write_str("; name one as profile")
            }
            Self::UnknownSource { device, .. } => {
                write!(f, "{device} does not say which profiles belong to one channel; name small_profile")
            }
            Self::NoSmallProfile { device } => {
                write!(f, "{device} has no smaller profile of the same video source; name small_profile, or remove it")
            }
            Self::NoVideo { device } => write!(f, "{device} has no media profile with video"),
            Self::NoStream { device, profile, .. } => {
                write!(f, "{device} has no stream for profile {:?}", text::fact(profile))
            }
            Self::BadUri { device, profile, uri } => {
                let (profile, uri) = (text::fact(profile), quotable(uri));
                write!(f, "{device} gives an unusable stream address for profile {profile:?}: {uri}")
            }
        }
    }
}

/// Writes the tokens of `profiles`, each with its name and video source if they add information.
fn list_profiles(f: &mut fmt::Formatter<'_>, profiles: &[Profile]) -> fmt::Result {
    if profiles.is_empty() {
        return f.write_str("none");
    }
    let several = profile_choice::are_of_several_sources(profiles);
    for (index, profile) in profiles.iter().take(MAX_PROFILES_NAMED).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{:?}", text::fact(&profile.token))?;
        let name = Some(&profile.name).filter(|name| !name.is_empty() && **name != profile.token);
        let source = profile.source.as_ref().filter(|_| several).map(|source| &source.token);
        let details: Vec<_> = name.into_iter().chain(source).map(|text| quotable(text)).collect();
        if !details.is_empty() {
            write!(f, " ({})", details.join(", "))?;
        }
    }
    match profiles.len().saturating_sub(MAX_PROFILES_NAMED) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Connect { source, .. } => Some(source),
            Self::Closed { source, .. } => source.as_ref().map(|source| source as _),
            Self::Malformed { source, .. } => Some(source),
            Self::NoStream { source, .. } => source.as_ref().map(|source| &**source as _),
            _ => None,
        }
    }
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
        assert!(error::Error::source(&error).is_some());
    }

    #[test]
    fn https_is_named_as_the_reason() {
        let redirect =
            |location: &str| Error::Redirect { device: "d".into(), request: "GetProfiles", location: location.into() };
        assert!(redirect("HTTPS://10.0.0.1/").to_string().contains("only by HTTPS"));
        assert!(redirect("http://10.0.0.1/x").to_string().contains("to http://10.0.0.1/x"));
    }
}
