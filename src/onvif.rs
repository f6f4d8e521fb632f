//! A client for one ONVIF device: its clock, profiles and stream URIs.
//!
//! It is asynchronous and accepts what cameras really send. [`soap`], [`responses`] and
//! [`uri_repair`] read responses; [`auth`], [`http_auth`](crate::http_auth), [`username_token`]
//! and [`clock`] log in; `device`, `media` and [`identity()`] make the requests. It sends a
//! wrong password at most twice per call, because cameras lock accounts. It never logs a message,
//! because cameras echo our own login in theirs.
//!
//! ```
//! use std::{io::{Read as _, Write as _}, net::TcpListener, thread};
//! use cctv_agent::onvif::{self, Target};
//!
//! // A camera that knows two operations and refuses all others, as many do.
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let port = listener.local_addr()?.port();
//! thread::spawn(move || {
//!     for mut stream in listener.incoming().flatten() {
//!         let mut request = Vec::new();
//!         let mut piece = [0; 4096];
//!         while !request.ends_with(b"Envelope>") {
//!             match stream.read(&mut piece) {
//!                 Ok(read @ 1..) => request.extend(&piece[..read]),
//!                 _ => break,
//!             }
//!         }
//!         let request = String::from_utf8_lossy(&request);
//!         let (status, answer) = if request.contains("GetProfiles") {
//!             (200, r#"<GetProfilesResponse><Profiles token="main"><VideoEncoderConfiguration/></Profiles></GetProfilesResponse>"#)
//!         } else if request.contains("GetStreamUri") {
//!             (200, "<GetStreamUriResponse><MediaUri><Uri>rtsp://127.0.0.1/main</Uri></MediaUri></GetStreamUriResponse>")
//!         } else {
//!             (500, "<Fault/>")
//!         };
//!         let body = format!("<Envelope><Body>{answer}</Body></Envelope>");
//!         let _ = write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
//!     }
//! });
//!
//! let camera = Target { host: "127.0.0.1".into(), port, tls: None, credentials: None };
//! let found = smol::block_on(onvif::resolve(&camera, None))?;
//! assert_eq!((found.profile.token.as_str(), found.streams[0].as_str()), ("main", "rtsp://127.0.0.1/main"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod auth;
pub mod clock;
mod device;
mod error;
mod identity;
mod media;
mod notifications;
pub mod profile_choice;
mod ptz;
mod pull_point;
mod recorder;
pub mod responses;
mod services;
mod snapshot;
pub mod soap;
mod synchronization;
mod target;
pub mod transport;
pub mod uri_repair;
pub mod username_token;

pub use self::{
    auth::Authentication,
    clock::Offset,
    error::{Error, Kind, Malformed},
    identity::{Identity, identity},
    notifications::{Notification, PropertyStates, notifications},
    ptz::{Ptz, Speed},
    pull_point::PullPoint,
    recorder::{ChannelStreams, Recorder, channel_order},
    responses::{DeviceInformation, Preset, Profile, VideoSource},
    snapshot::snapshot_uri,
    synchronization::Synchronization,
    target::{DEFAULT_PORT, Target},
    uri_repair::Streams,
};

pub use crate::http_client::Limits;

use self::{device::Device, media::Media};
use crate::{
    camera::fingerprint::PeerKey,
    camera::{Credentials, StreamUri},
    tls::client::KeyCheck,
};

/// One profile of a camera, with all that is needed to open its stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// Empty if the camera does not report it.
    pub device: DeviceInformation,
    /// The camera's WS-Discovery identity, if it reports one.
    pub endpoint: Option<String>,
    /// The camera's hardware addresses as `00:12:34:56:78:9a`, if it reports them without a login.
    pub hardware_addresses: Vec<String>,
    /// Only the token is known if a [`Hint`] named the profile.
    pub profile: Profile,
    /// Possible addresses of the stream, to try in this order; never empty.
    /// Drop one if connecting to it fails.
    pub streams: Vec<StreamUri>,
    /// The login that was in the stream's address. It is for hosts that the camera names. At the
    /// camera itself a configured login takes precedence.
    pub camera_credentials: Option<Credentials>,
    /// The difference between the camera's clock and ours, if the camera reported its time.
    pub clock_offset: Option<Offset>,
    pub authentication: Option<Authentication>,
}

impl Resolved {
    /// Returns what to remember for the next time.
    pub fn hint(&self) -> Hint {
        Hint {
            authentication: self.authentication,
            token: Some(self.profile.token.clone()),
            stream: self.streams.first().cloned(),
        }
    }

    /// Returns the `streams` that may be stored on disk: some makers put the login into the path.
    pub fn streams_without_login(&self) -> impl Iterator<Item = &StreamUri> {
        self.streams.iter().filter(|uri| uri.to_string() == uri.as_str())
    }
}

/// What was learnt from an earlier conversation with the same camera. It saves requests, above all
/// those with a password. An outdated hint costs at most one of the two refusals that are allowed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hint {
    /// How the camera required the login.
    pub authentication: Option<Authentication>,
    /// The token of a profile. If this profile is wanted, its stream is
    /// requested without the list of profiles.
    pub token: Option<String>,
    /// The address of the stream of `token`. If the camera now gives another address, the list is
    /// requested after all: the channels of a recorder may have been reassigned, and some firmwares
    /// give the stream of any channel for a token that no longer exists.
    pub stream: Option<StreamUri>,
}

/// A report of everything that a camera offers.
#[derive(Debug)]
pub struct DeviceReport {
    pub device: DeviceInformation,
    pub endpoint: Option<String>,
    /// Its name in the network, if it has one.
    pub host_name: Option<String>,
    /// What it showed over TLS; `None`: it was asked in clear text.
    pub key: Option<PeerKey>,
    pub offers: Vec<ProfileReport>,
    pub clock_offset: Option<Offset>,
    pub authentication: Option<Authentication>,
}

/// One profile with its stream, or the reason why it has none.
#[derive(Debug)]
pub struct ProfileReport {
    pub profile: Profile,
    pub streams: Result<Streams, Error>,
}

/// Finds the stream of `profile`, which is a token, or else a name; `None`: the first profile with
/// video. This takes six to eight requests if there are no errors. Two or three of them carry a
/// login if the camera requires one.
///
/// # Errors
/// [`Error::kind`] says what to do about an error. After `Denied`, try nothing for a long time: the
/// password was refused once or twice, and cameras lock accounts.
pub async fn resolve(target: &Target, profile: Option<&str>) -> Result<Resolved, Error> {
    resolve_within(target, profile, &Hint::default(), Limits::default()).await
}

/// Like [`resolve`], with what was learnt before and with other time limits.
///
/// # Errors
/// Those of [`resolve`].
pub async fn resolve_within(
    target: &Target,
    profile: Option<&str>,
    hint: &Hint,
    limits: Limits,
) -> Result<Resolved, Error> {
    Ok(resolve_both(target, profile, None, hint, limits).await?.0)
}

/// The value of `small_profile` that selects a small stream automatically.
pub const AUTO: &str = "auto";

/// The stream for small tiles.
#[derive(Clone, Debug, PartialEq)]
pub struct SmallStream {
    pub profile: Profile,
    /// Like [`Resolved::streams`].
    pub streams: Vec<StreamUri>,
}

/// Like [`resolve_within`], and finds a second stream in the same conversation: that of the profile
/// `small`, which is a token or a name, or of the profile that [`AUTO`] selects. This costs one
/// more request, or two if the first stream needed no list of profiles. An error of the second
/// stream alone is returned beside the first stream.
///
/// # Errors
/// Those of [`resolve`].
pub async fn resolve_both(
    target: &Target,
    profile: Option<&str>,
    small: Option<&str>,
    hint: &Hint,
    limits: Limits,
) -> Result<(Resolved, Option<Result<SmallStream, Error>>), Error> {
    let mut device = Device::new(target, hint.authentication, limits);
    device.learn_clock().await?;
    let mut media = Media::find(device).await?;
    let (profile, streams) = match profile {
        Some(token) if hint.token.as_deref() == Some(token) => match media.by_token(token).await {
            Ok(found) if found.1.candidates.iter().any(|uri| Some(uri) == hint.stream.as_ref()) => found,
            Err(error) if error.is_final() => return Err(error),
            Ok(_) | Err(_) => media.wanted(token).await?,
        },
        Some(wanted) => media.wanted(wanted).await?,
        None => media.first_with_video().await?,
    };
    let small = match small {
        None => None,
        Some(AUTO) => Some(media.smaller(&profile.token).await),
        Some(wanted) => Some(media.wanted(wanted).await),
    };
    let small = small.map(|found| found.map(|(profile, streams)| SmallStream { profile, streams: streams.candidates }));
    let mut device = media.device;
    let information = device.information().await;
    // If this requires a password, the serial number has to be enough.
    let hardware_addresses = match device.authentication() {
        Some(Authentication::Open) => device.hardware_addresses().await.unwrap_or_default(),
        _ => Vec::new(),
    };
    let main = Resolved {
        device: information,
        endpoint: device.endpoint().await.ok().flatten(),
        hardware_addresses,
        profile,
        streams: streams.candidates,
        camera_credentials: streams.login,
        clock_offset: device.offset(),
        authentication: device.authentication(),
    };
    Ok((main, small))
}

/// Asks a device for its profiles without their streams. This takes three or four requests, or ends
/// with a refusal if the device requires a login and `target` has none.
///
/// # Errors
/// If no media service lists profiles.
pub async fn profiles_within(target: &Target, limits: Limits) -> Result<Vec<Profile>, Error> {
    Media::find(Device::new(target, None, limits)).await?.profiles().await
}

/// Asks a camera for all its profiles and their streams.
///
/// # Errors
/// If the profiles are not available. A profile without a stream is not an error.
pub async fn report(target: &Target) -> Result<DeviceReport, Error> {
    report_within(target, Limits::default()).await
}

/// Like [`report`], with other time limits.
///
/// # Errors
/// Those of [`report`].
pub async fn report_within(target: &Target, limits: Limits) -> Result<DeviceReport, Error> {
    let mut device = Device::new(target, None, limits);
    device.learn_clock().await?;
    let mut media = Media::find(device).await?;
    let mut offers = Vec::new();
    for profile in media.profiles().await? {
        let streams = match media.stream_uri(&profile.token).await {
            Ok(uri) => media.streams(&profile.token, &uri),
            Err(error) => Err(error),
        };
        offers.push(ProfileReport { profile, streams });
    }
    Ok(DeviceReport {
        key: target.tls.as_ref().and_then(KeyCheck::seen),
        device: media.device.information().await,
        endpoint: media.device.endpoint().await.ok().flatten(),
        host_name: media.device.host_name().await.ok().flatten(),
        offers,
        clock_offset: media.device.offset(),
        authentication: media.device.authentication(),
    })
}
