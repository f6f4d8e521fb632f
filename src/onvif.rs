//! One ONVIF device: its clock, profiles and stream URIs.
//!
//! An asynchronous client that takes what cameras really send: see the files below, from reading
//! ([`soap`], [`answers`], [`address`]) over logging in
//! ([`login`], [`challenge`], [`digest`], [`token`], [`clock`]) to the conversation ([`device`],
//! [`media`], [`identity`]). It sends a wrong password at most twice per call, because cameras lock accounts, and
//! never logs a message, because cameras echo our own login in theirs.
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
//! let camera = Target { host: "127.0.0.1".into(), port, credentials: None };
//! let found = smol::block_on(onvif::resolve(&camera, None))?;
//! assert_eq!((found.profile.token.as_str(), found.streams[0].as_str()), ("main", "rtsp://127.0.0.1/main"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod auth;
pub mod challenge;
pub mod clock;
mod device;
pub mod digest;
mod error;
mod identity;
mod media;
pub mod profile_choice;
pub mod responses;
pub mod soap;
pub mod uri_repair;
pub mod username_token;

pub use self::{
    auth::Authentication,
    clock::Offset,
    error::{Error, Kind, Malformed},
    identity::{Identity, identity, is_same_endpoint},
    responses::{DeviceInformation, Profile, VideoSource},
    uri_repair::Streams,
};

pub use crate::http_client::Limits;

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
    /// The camera's hardware addresses as `00:12:34:56:78:9a`, where it tells them without a login.
    pub hardware_addresses: Vec<String>,
    /// Only the token is known where a [`Hint`] named it.
    pub profile: Profile,
    /// Where the stream may be, to be tried in this order; never empty. Drop one after a failed connect.
    pub streams: Vec<StreamUri>,
    /// The login that stood in the stream's address: for the hosts that the camera names. At the camera
    /// itself one that is configured wins.
    pub camera_credentials: Option<Credentials>,
    /// The camera's clock against ours, where it told it.
    pub clock_offset: Option<Offset>,
    pub authentication: Option<Authentication>,
}

impl Resolved {
    /// What is worth remembering for the next time.
    pub fn hint(&self) -> Hint {
        Hint {
            authentication: self.authentication,
            token: Some(self.profile.token.clone()),
            stream: self.streams.first().cloned(),
        }
    }

    /// Those of the `streams` that may be written to a disk: some makers put the login into the path.
    pub fn streams_without_login(&self) -> impl Iterator<Item = &StreamUri> {
        self.streams.iter().filter(|uri| uri.to_string() == uri.as_str())
    }
}

/// What an earlier conversation with the same camera taught. It saves requests, those with a password
/// first of all; one that no longer holds costs at most one refusal of the two that are allowed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hint {
    /// How it wanted to be logged in to.
    pub authentication: Option<Authentication>,
    /// A token that was that of a profile. Where it is the one wanted, its stream is asked for without the
    /// list of profiles.
    pub token: Option<String>,
    /// Where the stream of `token` was. Where it is another now, the list is asked for after all: the
    /// channels of a recorder may have been set up anew, and some firmwares give the stream of any
    /// channel for a token that no longer exists.
    pub stream: Option<StreamUri>,
}

/// All a camera has to offer.
#[derive(Debug)]
pub struct DeviceReport {
    pub device: DeviceInformation,
    pub endpoint: Option<String>,
    /// Its name in the network, where it has one.
    pub host_name: Option<String>,
    pub offers: Vec<ProfileReport>,
    pub clock_offset: Option<Offset>,
    pub authentication: Option<Authentication>,
}

/// One profile and where its stream is, or why it has none.
#[derive(Debug)]
pub struct ProfileReport {
    pub profile: Profile,
    pub streams: Result<Streams, Error>,
}

/// Finds the stream of `profile`, a token or else a name; `None`: the first profile with video. Six
/// to eight requests where all is well, two or three of them with a login if the camera wants one.
///
/// # Errors
/// See [`Error::kind`] for what to do about one. After `Denied` nothing should be tried for a long
/// time: the password was refused once or twice, and cameras lock accounts.
pub async fn resolve(target: &Target, profile: Option<&str>) -> Result<Resolved, Error> {
    resolve_within(target, profile, &Hint::default(), Limits::default()).await
}

/// [`resolve`] with what was learnt before, and other limits of time.
///
/// # Errors
/// As [`resolve`].
pub async fn resolve_within(
    target: &Target,
    profile: Option<&str>,
    hint: &Hint,
    limits: Limits,
) -> Result<Resolved, Error> {
    Ok(resolve_both(target, profile, None, hint, limits).await?.0)
}

/// The word for a small stream that is to be found by itself.
pub const AUTO: &str = "auto";

/// The stream for small tiles.
#[derive(Clone, Debug, PartialEq)]
pub struct SmallStream {
    pub profile: Profile,
    /// As [`Resolved::streams`].
    pub streams: Vec<StreamUri>,
}

/// [`resolve_within`] for a second stream as well, in the same conversation: that of the profile `small`, a
/// token or a name, or of the one that [`AUTO`] finds. It costs one request more, or two where no
/// list of profiles was needed for the first. What is wrong with it alone is told beside the first.
///
/// # Errors
/// As [`resolve`].
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
    // Where this would take a password, the serial number will have to do.
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

/// Asks a device for its profiles, without their streams: three or four requests, or a refusal where it
/// wants a login and `target` has none.
///
/// # Errors
/// When no media service lists profiles.
pub async fn profiles_within(target: &Target, limits: Limits) -> Result<Vec<Profile>, Error> {
    Media::find(Device::new(target, None, limits)).await?.profiles().await
}

/// Asks a camera for all its profiles and their streams.
///
/// # Errors
/// When the profiles cannot be had; a profile without a stream is no error.
pub async fn report(target: &Target) -> Result<DeviceReport, Error> {
    report_within(target, Limits::default()).await
}

/// [`report`] with other limits of time.
///
/// # Errors
/// As [`report`].
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
        device: media.device.information().await,
        endpoint: media.device.endpoint().await.ok().flatten(),
        host_name: media.device.host_name().await.ok().flatten(),
        offers,
        clock_offset: media.device.offset(),
        authentication: media.device.authentication(),
    })
}
