//! What can be told about a lane at one moment.

use std::time::Duration;

use crate::{
    camera::{CameraId, State},
    media::{Rendition, StreamInfo},
};

/// A camera's state with its reason, in words for the person on site.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    pub state: State,
    /// Why it is not live and what is done about it; empty while live.
    pub why: String,
}

/// Where a camera was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// IP address or host name, with a port where it is not the usual one; never a login.
    pub address: String,
    /// Token of the profile that is shown; `None` where the camera has none.
    pub profile: Option<String>,
}

/// Everything the API and the metrics tell about one camera; never holds a password.
#[derive(Clone, Debug)]
pub struct Status {
    pub id: CameraId,
    pub name: String,
    pub standing: Standing,
    /// For how long it has been in this state.
    pub since: Duration,
    /// `None` until it was found the first time.
    pub place: Option<Place>,
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
    /// The newest trouble in words; kept after it is over.
    pub last_error: Option<String>,
    /// Units and bytes in the kept group of pictures.
    pub group: (usize, usize),
    /// Taken seats.
    pub viewers: usize,
    /// Pictures replaced in mailboxes before their viewers took them.
    pub skipped: u64,
    /// Whether a decoder runs in the worker.
    pub decoding: bool,
    pub renditions: Vec<RenditionStatus>,
    /// `None` while no worker runs.
    pub worker: Option<WorkerVitals>,
    /// By how much the keeper is behind the moment it promised to be back; zero while it is in time.
    pub keeper_late: Duration,
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
pub struct WorkerVitals {
    pub pid: u32,
    /// Processor time it has used since it started.
    pub cpu: Duration,
    /// Resident memory in bytes, shared libraries included.
    pub resident: u64,
}
