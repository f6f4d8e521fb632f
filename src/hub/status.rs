//! What the API and the metrics report of a stream at one moment.

use std::{collections::BTreeMap, time::Duration};

use super::events_status::EventsStatus;
use crate::{
    camera::{CameraId, State, fingerprint::Fingerprint},
    media::{Damage, Rendition, StreamInfo},
    sandbox::Sandbox,
    text::{Code, Reason},
};

/// A camera's state with its reason, in words for the person on site.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub state: State,
    /// Why it is not live and what is done about it. While live: what the pictures lack, empty if nothing.
    pub why: Reason,
}

impl Condition {
    /// The condition of a stream that shows pictures with this `damage`.
    pub(super) fn live(damage: Option<Damage>) -> Self {
        let reason = |damage: Damage| Code::PictureDamaged.with_some("percent", damage.percent()).into();
        Self { state: State::Live, why: damage.map(reason).unwrap_or_default() }
    }

    /// Whether the pictures shown as live are damaged, and have the mark that says so.
    pub fn is_damaged(&self) -> bool {
        self.state == State::Live && self.why.parts().iter().any(|part| part.code() == Code::PictureDamaged)
    }
}

/// Where a camera was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// IP address or host name, with a port if it is not the default; never a login.
    pub address: String,
    /// Token of the profile shown; `None` if the camera has none.
    pub profile: Option<String>,
    /// The TLS key that it showed: that of the stream if it is encrypted, else that of ONVIF. `None`: neither is.
    pub tls_key: Option<Fingerprint>,
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

    pub fn as_str(self) -> &'static str {
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
    /// Sessions with the camera after the first.
    pub reconnects: u64,
    /// How often the stream stalled.
    pub stalls: u64,
    /// How often the camera was asked for a key frame.
    pub key_frame_requests: u64,
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
    /// `None` before the agent itself has read the stream for the first time.
    pub reception: Option<Reception>,
    /// Of the camera, not of one of its streams; `None`: no rule wants its events.
    pub events: Option<EventsStatus>,
    /// Units and bytes in the kept group of pictures.
    pub gop_cache: (usize, usize),
    /// Number of subscriptions.
    pub viewers: usize,
    /// Number of those that take the camera's own video.
    pub untouched: usize,
    /// Whether viewers may take the camera's own video.
    pub passthrough: bool,
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
    /// What of the worker's sandbox took hold; of two workers, of both. `None` before it has said so.
    pub sandbox: Option<Sandbox>,
    /// The status of each stream, if the camera has more than one.
    pub profiles: Vec<ProfileStatus>,
    /// How far the supervisor is past its heartbeat deadline; zero while it is in time.
    pub heartbeat_late: Duration,
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

/// What the packets say about the network and the camera. The counters go on over sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reception {
    /// RTP packets in order, without duplicates.
    pub packets: u64,
    /// Packets that never came, or too late to be used.
    pub lost: u64,
    pub late: u64,
    /// Packets of another sender than the camera's video.
    pub foreign: u64,
    /// How often the camera began another numbering.
    pub resyncs: u64,
    /// Variation of the time that packets travel (RFC 3550 6.4.1); zero while there is no session.
    pub jitter: Duration,
    /// Access units of which packets were lost.
    pub damaged_units: u64,
    /// For how long units have come without a whole key frame to begin with; `None` if nothing waits for
    /// one.
    pub waiting_for_key_frame: Option<Duration>,
    /// By how many milliseconds the camera's clock is ahead of this machine's; `None` if the camera does
    /// not tell its time. A hint for people, used for nothing.
    pub camera_clock: Option<i64>,
}

impl Reception {
    /// The counters of both; the rest is that of `self` where it is known.
    pub(super) fn sum(self, other: Self) -> Self {
        let Self { packets, lost, late, foreign, resyncs, jitter, damaged_units, waiting_for_key_frame, camera_clock } =
            other;
        Self {
            packets: self.packets + packets,
            lost: self.lost + lost,
            late: self.late + late,
            foreign: self.foreign + foreign,
            resyncs: self.resyncs + resyncs,
            jitter: self.jitter.max(jitter),
            damaged_units: self.damaged_units + damaged_units,
            waiting_for_key_frame: self.waiting_for_key_frame.or(waiting_for_key_frame),
            camera_clock: self.camera_clock.or(camera_clock),
        }
    }

    /// What stays of a session after its end.
    pub(super) fn ended(self) -> Self {
        Self { jitter: Duration::ZERO, waiting_for_key_frame: None, camera_clock: None, ..self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RenditionStatus {
    pub rendition: Rendition,
    pub viewers: usize,
    /// Pictures encoded since the rendition was first wanted.
    pub encodes: u64,
}

impl RenditionStatus {
    fn add(&mut self, other: &Self) {
        let Self { rendition: _, viewers, encodes } = other;
        self.viewers += viewers;
        self.encodes += encodes;
    }
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

impl WorkerUsage {
    /// What two workers cost, with the number of the first process.
    fn sum(self, other: Self) -> Self {
        let Self { pid: _, cpu, resident, own } = other;
        Self { pid: self.pid, cpu: self.cpu + cpu, resident: self.resident + resident, own: self.own + own }
    }
}

impl Status {
    /// Adds the counters of the camera's other stream; the rest stays that of the stream shown. A
    /// new field does not compile until it is named here.
    pub(super) fn add_other_stream(&mut self, other: &Self) {
        let Self {
            id: _,
            name: _,
            condition: _,
            events: _,
            since: _,
            place: _,
            age: _,
            stream: _,
            passthrough: _,
            measured_fps: _,
            bitrate: _,
            gop_cache: _,
            // The channel counts them: a viewer may have a subscription to both streams.
            viewers: _,
            profiles: _,
            frames,
            bytes,
            reconnects,
            stalls,
            key_frame_requests,
            failures,
            last_error,
            last_error_age,
            live,
            known,
            last_live_age,
            untouched,
            skipped,
            refused,
            decoding,
            renditions,
            worker,
            worker_share,
            sandbox,
            reception,
            heartbeat_late,
        } = other;
        self.frames += frames;
        self.bytes += bytes;
        self.reconnects += reconnects;
        self.stalls += stalls;
        self.key_frame_requests += key_frame_requests;
        self.skipped += skipped;
        self.refused += refused;
        self.untouched += untouched;
        self.decoding |= decoding;
        self.heartbeat_late = self.heartbeat_late.max(*heartbeat_late);
        self.known = self.known.max(*known);
        self.live = self.live.max(*live);
        self.last_live_age = [self.last_live_age, *last_live_age].into_iter().flatten().min();
        for (cause, count) in failures {
            *self.failures.entry(*cause).or_default() += count;
        }
        if last_error_age.is_some_and(|age| self.last_error_age.is_none_or(|own| age < own)) {
            self.last_error.clone_from(last_error);
            self.last_error_age = *last_error_age;
        }
        for status in renditions {
            match self.renditions.iter_mut().find(|own| own.rendition == status.rendition) {
                Some(own) => own.add(status),
                None => self.renditions.push(*status),
            }
        }
        self.renditions.sort_unstable_by_key(|status| status.rendition);
        self.worker = either_or(self.worker, *worker, WorkerUsage::sum);
        self.reception = either_or(self.reception, *reception, Reception::sum);
        self.worker_share = either_or(self.worker_share, *worker_share, |own, other| own + other);
        self.sandbox = either_or(self.sandbox, *sandbox, Sandbox::common);
    }
}

/// The sum of two values, or the one that is there.
fn either_or<T>(one: Option<T>, other: Option<T>, sum: impl FnOnce(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(sum(one, other)),
        (one, other) => one.or(other),
    }
}
