//! What an error of a device means, as a reason for the person on site.

use std::{error, fmt};

use super::{Error, is_https};
use crate::{
    http_auth::quote::quotable,
    onvif::{profile_choice, ptz, responses::Profile},
    text::{self, Code, Part, Reason, chain},
};

/// Maximum number of profiles named in the message about a missing one.
const MAX_PROFILES_NAMED: usize = 16;

impl Error {
    /// The error with its causes.
    pub fn reason(&self) -> Reason {
        match self {
            Self::NoStream { device, profile, source: Some(source) } => {
                Reason::from(of_profile(Code::NoStreamBecause, device, profile)).and(source.reason())
            }
            _ => self.caused_by(error::Error::source(self).map(chain)),
        }
    }

    fn caused_by(&self, cause: Option<String>) -> Reason {
        let of = |code: Code, device: &String| code.with("device", device.as_str());
        let to = |code: Code, device: &String, request: &'static str| of(code, device).with("request", request);
        match self {
            Self::Connect { device, .. } => of(Code::OnvifUnreachable, device).with_some("error", cause).into(),
            Self::Tls { device, source } => source.reason(device),
            Self::Slow { device, request, limit } => {
                to(Code::OnvifSlow, device, request).with("seconds", limit.as_secs_f64()).into()
            }
            Self::Closed { device, request, .. } => {
                to(Code::OnvifClosed, device, request).with_some("error", cause).into()
            }
            Self::Malformed { device, request, .. } => {
                to(Code::OnvifMalformed, device, request).with_some("error", cause).into()
            }
            Self::Status { device, request, status: 403 } => {
                [to(Code::OnvifForbidden, device, request), Code::AccountLockedOrWeak.into()].into()
            }
            Self::Status { device, request, status } => {
                let status = to(Code::OnvifStatus, device, request).with("status", u32::from(*status));
                [status, Code::CheckOnvif.into()].into()
            }
            Self::Redirect { device, request, location } if is_https(location) => {
                [to(Code::OnvifHttpsOnly, device, request), Code::AllowHttp.into()].into()
            }
            Self::Redirect { device, request, location } => {
                let elsewhere = to(Code::OnvifElsewhere, device, request).with("location", location.as_str());
                [elsewhere, Code::CheckOnvifPort.into()].into()
            }
            Self::Fault { device, request, fault } => {
                to(Code::OnvifFault, device, request).with("error", fault.to_string()).into()
            }
            Self::NoCredentials { device, request } => {
                [to(Code::LoginNeeded, device, request), Code::SetLogin.into()].into()
            }
            Self::UnsupportedLogin { device, request, schemes } => {
                let unsupported = to(Code::UnsupportedLogin, device, request).with("schemes", schemes.as_str());
                [unsupported, Code::EnableDigest.into()].into()
            }
            Self::Denied { device, request, username, fault, clock_known, right_missing } => {
                let refused = to(Code::LoginRefused, device, request).quoted("username", username);
                let refused = Reason::from(refused.with_some("error", fault.as_ref().map(|fault| fault.to_string())));
                if *right_missing {
                    let is_of_ptz = ptz::OPERATIONS.contains(request);
                    return refused.and(if is_of_ptz { Code::PtzRightMissing } else { Code::RightMissing });
                }
                let warns = fault.as_ref().is_some_and(|fault| fault.warns_of_lockout());
                let more = [(!clock_known, Code::ClockUnknown), (warns, Code::LockoutNear)];
                let more = more.into_iter().filter(|(applies, _)| *applies).map(|(_, code)| code);
                more.fold(refused.and(Code::CheckOnvifUser), Reason::and)
            }
            Self::NoSuchProfile { device, wanted, offered } => {
                [of(Code::NoSuchProfile, device).quoted("profile", wanted), offer(offered)].into()
            }
            Self::AmbiguousProfile { device, wanted, offered } => {
                let several = of(Code::AmbiguousProfile, device).quoted("profile", wanted);
                [several.with("profiles", list(offered)), Code::WriteToken.into()].into()
            }
            Self::SeveralSources { device, offered } => {
                [of(Code::SeveralSources, device), offer(offered), Code::NameProfile.into()].into()
            }
            Self::UnknownSource { device, .. } => {
                [of(Code::UnknownSource, device), Code::NameSmallProfile.into()].into()
            }
            Self::NoSmallProfile { device } => {
                [of(Code::NoSmallProfile, device), Code::NameOrRemoveSmallProfile.into()].into()
            }
            Self::ChannelsUnknown { device } => {
                [of(Code::ChannelsUnknown, device), Code::NameEachChannel.into()].into()
            }
            Self::NoSuchChannel { device, number, count } => {
                let none = of(Code::NoSuchChannel, device).with("number", u32::from(*number));
                [none.with("count", count.to_string()), Code::CorrectChannels.into()].into()
            }
            Self::NoChannelVideo { device, number } => {
                of(Code::NoChannelVideo, device).with("number", u32::from(*number)).into()
            }
            Self::NoSmallChannel { device, number } => {
                let none = of(Code::NoSmallChannel, device).with("number", u32::from(*number));
                [none, Code::SetUpSmallOrNone.into()].into()
            }
            Self::NoPtzService { device } => of(Code::NoPtzService, device).into(),
            Self::NoPtz { device, profile } => of_profile(Code::NoPtz, device, profile).into(),
            Self::NoSuchPreset { device, preset } => {
                of(Code::NoSuchPreset, device).quoted("preset", &text::fact(preset)).into()
            }
            Self::NoHome { device } => of(Code::NoHome, device).into(),
            Self::NoVideo { device } => of(Code::NoVideoProfile, device).into(),
            Self::NoStream { device, profile, .. } => of_profile(Code::NoStream, device, profile).into(),
            Self::BadUri { device, profile, uri } => {
                of_profile(Code::BadStreamUri, device, profile).with("uri", quotable(uri)).into()
            }
        }
    }
}

/// The error without its causes.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.caused_by(None).fmt(f)
    }
}

fn of_profile(code: Code, device: &str, profile: &str) -> Part {
    code.with("device", device).quoted("profile", &text::fact(profile))
}

fn offer(profiles: &[Profile]) -> Part {
    Code::ProfilesOffered.with("profiles", list(profiles))
}

/// The tokens of `profiles`, each with its name and video source if they add information.
fn list(profiles: &[Profile]) -> String {
    if profiles.is_empty() {
        return "none".to_owned();
    }
    let several = profile_choice::are_of_several_sources(profiles);
    let one = |profile: &Profile| {
        let name = Some(&profile.name).filter(|name| !name.is_empty() && **name != profile.token);
        let source = profile.source.as_ref().filter(|_| several).map(|source| &source.token);
        let details: Vec<_> = name.into_iter().chain(source).map(|text| quotable(text)).collect();
        let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
        format!("{:?}{details}", text::fact(&profile.token))
    };
    let named = profiles.iter().take(MAX_PROFILES_NAMED).map(one).collect::<Vec<_>>().join(", ");
    match profiles.len().saturating_sub(MAX_PROFILES_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
