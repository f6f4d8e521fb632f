//! What a camera is: its name in URLs, the source of its stream, and its options.
//!
//! The fields of a [`Camera`] are grouped by the effect of a change, so that two configurations are
//! compared with `!=` on a group. A password is kept in a [`Secret`], which no formatter shows.

mod credentials;
pub mod fingerprint;
mod masking;
pub mod picture_options;
mod ptz_options;
mod stream_uri;
mod transport;
mod video_device;

use std::{fmt, net::IpAddr, time::Duration};

pub use self::{
    credentials::{Credentials, Secret},
    masking::mask_credentials,
    ptz_options::PtzOptions,
    stream_uri::{MAX_STREAM_URI_LEN, StreamUri},
    transport::Transport,
    video_device::VideoDevice,
};
use self::{fingerprint::Fingerprint, picture_options::PictureOptions};

/// A camera's name in URLs and log lines: 1 to 64 ASCII letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CameraId(String);

impl CameraId {
    /// Returns `None` unless `text` is 1 to 64 ASCII letters, digits, `-` or `_`.
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        ((1..=64).contains(&text.len()) && text.chars().all(allowed)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One configured camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    pub id: CameraId,
    /// Shown to people, in any language; the identifier if the file gives no name.
    pub name: String,
    pub stream_source: StreamSource,
    pub options: StreamOptions,
    pub ptz: PtzOptions,
    /// The camera can be heard.
    pub sound: bool,
}

/// Where the stream comes from. A change reconnects the camera.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamSource {
    pub source: Source,
    /// The channel of a recorder, which takes the place of a profile.
    pub channel: Option<RecorderChannel>,
    /// Profile token or name of the stream for small tiles.
    pub small_profile: Option<String>,
    /// The address of the stream for small tiles beside that of [`Source::Url`].
    pub small_url: Option<StreamUri>,
    /// The address of [`Source::Url`] is that of one JPEG, which is fetched again and again.
    pub is_snapshot: bool,
    /// The time from one request for a JPEG to the next.
    pub snapshot_every: Duration,
    pub credentials: Option<Credentials>,
    /// `None`: the transport in the stream's address, or else TCP; the agent's reader then goes on
    /// with UDP where the camera refuses TCP.
    pub transport: Option<Transport>,
    pub reader: Reader,
    /// Limit from the first connection to the first frame.
    pub open_within: Duration,
    /// Whether the login may be sent unprotected (Basic) to a camera that offers nothing else.
    pub clear_password: bool,
    pub tls: TlsPolicy,
    /// The keys or certificates of which each service of the camera must have one over TLS; none: the key
    /// that the service had the first time.
    pub fingerprints: Vec<Fingerprint>,
}

impl StreamSource {
    /// Whether the main stream comes from the same source as that of `other`.
    pub fn eq_main(&self, other: &Self) -> bool {
        let (small_profile, small_url) = (self.small_profile.clone(), self.small_url.clone());
        *self == Self { small_profile, small_url, ..other.clone() }
    }

    /// Whether the camera is a channel of the recorder `id`.
    pub fn is_channel_of(&self, id: &CameraId) -> bool {
        self.channel.as_ref().is_some_and(|channel| channel.recorder == *id)
    }

    /// Whether the camera has a second stream for small tiles.
    pub fn has_small(&self) -> bool {
        self.small_profile.is_some() || self.small_url.is_some()
    }

    /// Whether the camera may appear at another address: its address comes from ONVIF, and it is
    /// not configured to be on this machine.
    pub fn may_move(&self) -> bool {
        let is_loopback = |host: &String| host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        match &self.source {
            Source::Onvif { host, .. } => !host.as_ref().is_some_and(is_loopback),
            Source::Url(_) => false,
        }
    }
}

/// One channel of a recorder. All channels of one recorder are found in one conversation with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecorderChannel {
    /// The identifier of the recorder, which no camera has.
    pub recorder: CameraId,
    /// From 1, by the order of the recorder's video sources.
    pub number: u16,
}

/// How the stream's address is found.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Requested by ONVIF.
    Onvif {
        /// IP address (IPv6 without brackets) or host name; `None` if only `uuid` is known.
        host: Option<String>,
        port: u16,
        /// Profile token or name; `None` means the first profile with video.
        profile: Option<String>,
        /// WS-Discovery identity, as written in the file.
        uuid: Option<String>,
        trust: Trust,
        /// Another host that may be sent the login, if the camera names it for its stream.
        stream_host: Option<String>,
    },
    /// Written in the file; ONVIF is not used.
    Url(StreamUri),
}

/// How a device is recognised as the camera before it is sent the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It reports the identity that is configured or was learnt.
    Identity,
    /// It answers at the configured address.
    Address,
}

/// Whether ONVIF is asked over TLS (HTTPS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPolicy {
    /// Where the camera refuses HTTP or redirects to HTTPS, and from then on.
    Auto,
    /// Only so.
    Learn,
    /// Never.
    Off,
}

/// What reads the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The agent; OpenCV for a camera whose protocol the agent cannot follow.
    Auto,
    /// The agent itself, and nothing else.
    Rtsp,
    /// OpenCV, in a worker.
    Opencv,
}

/// What is done with frames of which packets were lost, and with those that refer to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damaged {
    /// Where whole pictures come less often than every half of `stall_after`, damaged ones stand in for
    /// them, under a mark.
    Show,
    /// Nothing is shown until the next whole key frame.
    Hide,
}

/// How the stream is treated. A change applies from the next frame on.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamOptions {
    /// JPEG quality if a viewer requests none, 1 to 100.
    pub quality: u8,
    /// Maximum rate of any rendition, in frames per second, 1 to 60.
    pub max_fps: u8,
    /// Browsers that can decode the camera's own video get it untouched; otherwise all viewers get
    /// JPEG.
    pub passthrough: bool,
    /// A stream without an access unit for this long is stalled.
    pub stall_after: Duration,
    pub damaged: Damaged,
    pub picture: PictureOptions,
}

/// The present state of a camera's picture, reported to every viewer in these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Being resolved or opened.
    Connecting,
    /// Frames arrive.
    Live,
    /// Was live; no frame for longer than `stall_after`.
    Stalled,
    /// Cannot be reached or gives no video; tried again after a pause.
    Offline,
    /// Refused our login; tried again only after a long pause or a reload.
    Denied,
}

impl State {
    /// The name used in the API, in metrics and on the wall socket.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Stalled => "stalled",
            Self::Offline => "offline",
            Self::Denied => "denied",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camera_id_takes_only_what_is_safe_in_a_url() {
        assert!(CameraId::new("Gate_2-a").is_some());
        for bad in ["", "a b", "a/b", "..", "ä", &"x".repeat(65)] {
            assert_eq!(CameraId::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn camera_on_this_machine_does_not_move() {
        let stream_source = |host: Option<&str>| {
            StreamSource::from(Source::Onvif {
                host: host.map(str::to_owned),
                port: 80,
                profile: None,
                uuid: None,
                trust: Trust::Identity,
                stream_host: None,
            })
        };
        assert!(stream_source(Some("10.0.0.1")).may_move());
        assert!(stream_source(None).may_move());
        assert!(!stream_source(Some("127.0.0.11")).may_move());
        assert!(!stream_source(Some("::1")).may_move());
    }

    #[test]
    fn secret_is_not_shown_by_debug() {
        let shown = format!("{:?}", Credentials { username: "viewer".into(), password: Secret::new("hunter2") });
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn masking_hides_user_information_and_parameters() {
        let log = "open rtsp://u:p@ss@10.0.0.1/user=admin_password=x1_channel=1?pwd=k&a=b failed; rtsp://h/";
        assert_eq!(
            mask_credentials(log),
            "open rtsp://***@10.0.0.1/user=***_password=***_channel=1?pwd=***&a=b failed; rtsp://h/"
        );
    }

    #[test]
    fn masking_takes_letters_of_any_length_before_a_parameter() {
        assert_eq!(mask_credentials("\u{fffd}=1 \u{9580}Password=x é=y"), "\u{fffd}=1 \u{9580}Password=*** é=y");
    }

    #[test]
    fn masking_hides_a_password_with_an_unencoded_slash() {
        let masked = mask_credentials("rtsp://user:pa/ss@10.0.0.1/live");
        assert!(!masked.contains("pa/ss"), "{masked}");
    }
}
