//! What the API and the metrics report of a stream at one moment.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    camera::{CameraId, State},
    media::{Rendition, StreamInfo},
    text::Reason,
};

/// A camera's state with its reason, in words for the person on site.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub state: State,
    /// Why it is not live and what is done about it; empty while live.
    pub why: Reason,
}

/// Where a camera was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// IP address or host name, with a port if it is not the default; never a login.
    pub address: String,
    /// Token of the profile shown; `None` if the camera has none.
    pub profile: Option<String>,
}

/// Why a stream, or an attempt to open one, ended: the few values that the metrics count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Frames or pictures were overdue.
    Stalled,
    /// The camera ended the stream.
    Ended,
    /// Nobody answers, or not in time.
    Unreachable,
    /// The camera answers with a refusal (no such profile or stream), or with something
    /// unintelligible.
    Refused,
    /// The login was refused.
    Denied,
    /// The stream has no video that the agent can use.
    NoVideo,
    /// The worker died, hung or broke the protocol.
    Worker,
    /// Memory was short.
    Memory,
    /// The configuration changed.
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

/// Everything that the API and the metrics report of one camera; never holds a password.
#[derive(Clone, Debug)]
pub struct Status {
    pub id: CameraId,
    pub name: String,
    pub condition: Condition,
    /// How long it has been in this state.
    pub since: Duration,
    /// `None` until it was found the first time.
    pub place: Option<Endpoint>,
    /// Time since the newest access unit arrived; `None` before the first.
    pub age: Option<Duration>,
    /// The stream's properties; kept while it is reconnected.
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
    /// How often the stream stalled.
    pub stalls: u64,
    /// How often streams, and attempts to open one, ended, by cause; causes without a count are
    /// absent.
    pub failures: BTreeMap<Cause, u64>,
    /// The newest error; kept after it is over.
    pub last_error: Option<Reason>,
    /// Time since `last_error` was recorded.
    pub last_error_age: Option<Duration>,
    /// Total time for which the camera has been live.
    pub live: Duration,
    /// How long it has been on the wall.
    pub known: Duration,
    /// Time since it was last live; zero while it is live, `None` before the first time.
    pub last_live_age: Option<Duration>,
    /// Units and bytes in the kept group of pictures.
    pub gop_cache: (usize, usize),
    /// Number of subscriptions.
    pub viewers: usize,
    /// Number of those that take the camera's own video.
    pub untouched: usize,
    /// Pictures replaced in mailboxes, and access units dropped, before their viewers took them.
    pub skipped: u64,
    /// Viewers refused because of one rendition too many.
    pub refused: u64,
    /// Whether a decoder runs in the worker.
    pub decoding: bool,
    pub renditions: Vec<RenditionStatus>,
    /// `None` while no worker runs.
    pub worker: Option<WorkerUsage>,
    /// The share of one processor that the worker has used lately; 1.0 is all of it. `None` before
    /// two measurements.
    pub worker_share: Option<f64>,
    /// The status of each stream, if the camera has more than one.
    pub profiles: Vec<ProfileStatus>,
    /// How far the supervisor is past its heartbeat deadline; zero while it is in time.
    pub keeper_late: Duration,
}

/// One of two streams of a camera.
#[derive(Clone, Debug)]
pub struct ProfileStatus {
    /// `main` or `small`.
    pub stream: &'static str,
    /// Not open, because nobody needs it.
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
    /// Processor time used since it started.
    pub cpu: Duration,
    /// Resident memory in bytes, including shared libraries.
    pub resident: u64,
    /// The part of it that no other process shares.
    pub own: u64,
}
