//! What can be told about a lane at one moment.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    camera::{CameraId, State},
    media::{Rendition, StreamInfo},
};

/// A camera's state with its reason, in words for the person on site.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub state: State,
    /// Why it is not live and what is done about it; empty while live.
    pub why: String,
}

/// Where a camera was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// IP address or host name, with a port where it is not the usual one; never a login.
    pub address: String,
    /// Token of the profile that is shown; `None` where the camera has none.
    pub profile: Option<String>,
}

/// Why a stream, or an attempt at one, came to its end: the few words that can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Frames or pictures stayed away for longer than they may.
    Stalled,
    /// The camera ended the stream.
    Ended,
    /// Nobody answers, or not in time.
    Unreachable,
    /// The camera answers and says no: no such profile or stream, or nothing that can be understood.
    Refused,
    /// The login was refused.
    Denied,
    /// There is no video in it that we can use.
    NoVideo,
    /// The worker died, hung or spoke nonsense.
    Worker,
    /// Memory ran short.
    Memory,
    /// The configuration says something else.
    Changed,
}

impl Cause {
    pub const ALL: [Self; 9] = [
        Self::Stalled,
        Self::Ended,
        Self::Unreachable,
        Self::Refused,
        Self::Denied,
        Self::NoVideo,
        Self::Worker,
        Self::Memory,
        Self::Changed,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Stalled => "stalled",
            Self::Ended => "ended",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::NoVideo => "no_video",
            Self::Worker => "worker",
            Self::Memory => "memory",
            Self::Changed => "changed",
        }
    }
}

/// Everything the API and the metrics tell about one camera; never holds a password.
#[derive(Clone, Debug)]
pub struct Status {
    pub id: CameraId,
    pub name: String,
    pub condition: Condition,
    /// For how long it has been in this state.
    pub since: Duration,
    /// `None` until it was found the first time.
    pub place: Option<Endpoint>,
    /// Time since the newest access unit arrived; `None` before the first.
    pub age: Option<Duration>,
    /// What the stream is; kept while it is being reconnected.
    pub stream: Option<StreamInfo>,
    /// Access units per second, measured over the last seconds.
    pub measured_fps: f64,
    /// Bits per second, measured over the last seconds.
    pub bitrate: f64,
    /// Access units received since the agent started.
    pub frames: u64,
    /// Bytes of access units received since the agent started.
    pub bytes: u64,
    /// Workers started after the first.
    pub reconnects: u64,
    /// Times the stream fell silent for longer than it may.
    pub stalls: u64,
    /// How often streams, and attempts at one, ended, by cause; without those that never did.
    pub failures: BTreeMap<Cause, u64>,
    /// The newest trouble in words; kept after it is over.
    pub last_error: Option<String>,
    /// Time since `last_error` was noted.
    pub last_error_age: Option<Duration>,
    /// For how long the camera has been live, all in all.
    pub live: Duration,
    /// For how long it has been on the wall.
    pub known: Duration,
    /// Time since it was live last: zero while it is; `None` before the first time.
    pub last_live_age: Option<Duration>,
    /// Units and bytes in the kept group of pictures.
    pub gop_cache: (usize, usize),
    /// Taken seats.
    pub viewers: usize,
    /// Those of them whose viewers take the camera's own video.
    pub untouched: usize,
    /// Pictures replaced in mailboxes, and access units left out, before their viewers took them.
    pub skipped: u64,
    /// Viewers refused because of one rendition too many.
    pub refused: u64,
    /// Whether a decoder runs in the worker.
    pub decoding: bool,
    pub renditions: Vec<RenditionStatus>,
    /// `None` while no worker runs.
    pub worker: Option<WorkerUsage>,
    /// What the worker has lately used of one processor: 1.0 is all of it. `None` before it was
    /// measured twice.
    pub worker_share: Option<f64>,
    /// Its streams one by one, where it has more than one.
    pub profiles: Vec<ProfileStatus>,
    /// By how much the keeper is behind the moment it promised to be back; zero while it is in time.
    pub keeper_late: Duration,
}

/// One of two streams of a camera.
#[derive(Clone, Debug)]
pub struct ProfileStatus {
    /// `main` or `small`.
    pub stream: &'static str,
    /// Not open, as nobody needs it.
    pub idle: bool,
    pub status: Status,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RenditionStatus {
    pub rendition: Rendition,
    pub viewers: usize,
    /// Pictures encoded since the rendition was first wanted.
    pub encodes: u64,
}

/// What a worker process costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WorkerUsage {
    pub pid: u32,
    /// Processor time it has used since it started.
    pub cpu: Duration,
    /// Resident memory in bytes, shared libraries included.
    pub resident: u64,
    /// What of it no other process shares.
    pub own: u64,
}
