//! One ONVIF device: its clock, profiles and stream URIs.
//!
//! An asynchronous client that takes what cameras really send: see the files below, from reading
//! ([`soap`], [`answers`], [`address`]) over logging in
//! ([`login`], [`challenge`], [`digest`], [`token`], [`clock`]) to the conversation ([`device`],
//! [`media`]). It sends a wrong password at most twice per call, because cameras lock accounts, and
//! never logs a message, because cameras echo our own login in theirs.

pub mod address;
pub mod answers;
pub mod challenge;
pub mod clock;
mod device;
pub mod digest;
mod error;
pub mod login;
mod media;
pub mod soap;
pub mod token;

pub use self::{
    address::Streams,
    answers::{DeviceInformation, Profile},
    clock::Offset,
    error::{Error, Kind, Malformed},
    login::Authentication,
};

pub use crate::http::Limits;

use self::{device::Device, media::Media};
use crate::camera::{Credentials, StreamUri};

/// The port of ONVIF where nothing else is said.
pub const DEFAULT_PORT: u16 = 80;

/// The device to talk to.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// IP address (IPv6 without brackets) or host name.
    pub host: String,
    pub port: u16,
    pub credentials: Option<Credentials>,
}

/// One camera profile, ready to be opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// Empty where the camera does not tell.
    pub device: DeviceInformation,
    /// The camera's WS-Discovery identity, where it tells it.
    pub endpoint: Option<String>,
    /// Only the token is known where the camera took the configured one at once.
    pub profile: Profile,
    /// Where the stream may be, to be tried in this order; never empty. Drop one after a failed connect.
    pub streams: Vec<StreamUri>,
    /// The login that stood in the stream's address; `None` where one is configured, which wins.
    pub camera_credentials: Option<Credentials>,
    /// The camera's clock against ours, where it told it.
    pub clock_offset: Option<Offset>,
    pub authentication: Option<Authentication>,
}

/// All a camera has to offer.
#[derive(Debug)]
pub struct Survey {
    pub device: DeviceInformation,
    pub endpoint: Option<String>,
    pub offers: Vec<Offer>,
    pub clock_offset: Option<Offset>,
    pub authentication: Option<Authentication>,
}

/// One profile and where its stream is, or why it has none.
#[derive(Debug)]
pub struct Offer {
    pub profile: Profile,
    pub streams: Result<Streams, Error>,
}

/// Finds the stream of `profile`, a token or else a name; `None`: the first profile with video. Four
/// to eight requests where all is well.
///
/// # Errors
/// See [`Error::kind`] for what to do about one. After `Denied` nothing should be tried for a long
/// time: the password was refused once or twice, and cameras lock accounts.
pub async fn resolve(target: &Target, profile: Option<&str>) -> Result<Resolved, Error> {
    resolve_within(target, profile, Limits::default()).await
}

/// [`resolve`] with other limits of time.
///
/// # Errors
/// As [`resolve`].
pub async fn resolve_within(target: &Target, profile: Option<&str>, limits: Limits) -> Result<Resolved, Error> {
    let mut device = Device::new(target, limits);
    device.learn_clock().await?;
    let mut media = Media::find(device).await?;
    let (profile, streams) = match profile {
        Some(wanted) => media.wanted(wanted).await?,
        None => media.first_with_video().await?,
    };
    Ok(Resolved {
        device: media.device.information().await,
        endpoint: media.device.endpoint().await,
        profile,
        streams: streams.candidates,
        camera_credentials: streams.login.filter(|_| target.credentials.is_none()),
        clock_offset: media.device.offset(),
        authentication: media.device.authentication(),
    })
}

/// Asks a camera for all its profiles and their streams.
///
/// # Errors
/// When the profiles cannot be had; a profile without a stream is no error.
pub async fn survey(target: &Target) -> Result<Survey, Error> {
    survey_within(target, Limits::default()).await
}

/// [`survey`] with other limits of time.
///
/// # Errors
/// As [`survey`].
pub async fn survey_within(target: &Target, limits: Limits) -> Result<Survey, Error> {
    let mut device = Device::new(target, limits);
    device.learn_clock().await?;
    let mut media = Media::find(device).await?;
    let mut offers = Vec::new();
    for profile in media.profiles().await? {
        let streams = match media.stream_uri(&profile.token).await {
            Ok(uri) => media.streams(&profile.token, &uri),
            Err(error) => Err(error),
        };
        offers.push(Offer { profile, streams });
    }
    Ok(Survey {
        device: media.device.information().await,
        endpoint: media.device.endpoint().await,
        offers,
        clock_offset: media.device.offset(),
        authentication: media.device.authentication(),
    })
}
