//! Publishes what the agent's own client reads.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use smol::channel::Sender;

use crate::{
    camera::{Damaged, Transport},
    hub::{Reception, Stream},
    media::{Codec, UnixMicros},
    rtsp::rtp::{self, Event, KeyFrameGate, KeyFrameRequest, Stats, Unit},
    sync::Latch,
};

/// What the session learns of the units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The first frame came, shown or not.
    Frames,
    /// The stream became live.
    Live,
    /// The track is set up.
    SetUp {
        transport: Transport,
        /// How the camera offers to be asked for a key frame by RTCP.
        key_frame_request: Option<KeyFrameRequest>,
    },
    /// Frames come, and none may be shown before the next key frame.
    Waits {
        since: Instant,
        /// No key frame was shown in this session.
        is_first: bool,
    },
    /// A key frame came that may be shown.
    KeyFrame,
}

/// Hands on the whole units of one session, from a key frame on.
pub(super) struct Publisher {
    stream: Arc<Stream>,
    gate: KeyFrameGate,
    /// The number of the next unit.
    sequence: u32,
    has_frames: bool,
    /// The properties of the stream are known.
    is_described: bool,
    /// A key frame was handed on.
    has_begun: bool,
    is_jpeg: bool,
    /// It was told that the stream waits for a key frame, and none came since.
    awaits_key: bool,
    /// Since when units come and none may be shown.
    waits_since: Option<Instant>,
    /// By how many milliseconds the camera's clock is ahead.
    camera_clock: Option<i64>,
    clock: ArrivalClock,
    progress: Sender<Progress>,
    /// The session has ended for its viewers; what still comes is not shown.
    ending: Latch,
}

impl Publisher {
    /// `progress` must be unbounded.
    pub(super) fn new(stream: Arc<Stream>, first_sequence: u32, progress: Sender<Progress>, ending: Latch) -> Self {
        Self {
            stream,
            gate: KeyFrameGate::new(),
            sequence: first_sequence,
            has_frames: false,
            is_described: false,
            has_begun: false,
            is_jpeg: false,
            awaits_key: false,
            waits_since: None,
            camera_clock: None,
            clock: ArrivalClock::default(),
            progress,
            ending,
        }
    }

    pub(super) fn on_event(&mut self, event: Event) {
        if self.ending.is_set() {
            return;
        }
        match event {
            Event::StreamInfo(info) => {
                self.is_described = true;
                self.is_jpeg = info.codec == Codec::Jpeg;
                self.stream.set_stream_info(info);
            }
            Event::Unit(unit) => self.on_unit(unit),
            Event::SetUp { transport, key_frame_request } => {
                let transport = match transport {
                    rtp::Transport::Tcp => Transport::Tcp,
                    rtp::Transport::Udp => Transport::Udp,
                };
                self.tell(Progress::SetUp { transport, key_frame_request });
            }
            Event::Stats(stats) => self.stream.set_reception(self.reception(&stats)),
            // They end the attempt, which says why.
            Event::Problem(_) | Event::Ended => {}
        }
    }

    fn on_unit(&mut self, unit: Unit) {
        let received_at = unit.received_at;
        if !std::mem::replace(&mut self.has_frames, true) {
            self.tell(Progress::Frames);
        }
        let now = Instant::now();
        let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let taken = self.clock.unix_time(received_at, now, today);
        if let Some(time) = unit.camera_time {
            self.camera_clock = Some((time as i64 - taken as i64) / 1000);
        }
        let is_shown = self.admits(&unit);
        self.tell_key_frames(&unit, is_shown);
        if !is_shown {
            self.waits_since.get_or_insert(received_at);
            return self.stream.withhold_unit(received_at);
        }
        self.waits_since = None;
        let unit = unit.into_access_unit(self.sequence, taken);
        self.sequence = self.sequence.wrapping_add(1);
        if self.stream.publish_received_unit(&unit, received_at, now) {
            self.tell(Progress::Live);
        }
    }

    /// Whether viewers may see `unit`. A loss closes the gate until the next whole key frame, unless
    /// the camera's faults are to be shown; a key frame must be whole in any case.
    fn admits(&mut self, unit: &Unit) -> bool {
        if !self.is_described {
            // The gate stays closed: these units cannot be decoded.
            return false;
        }
        let passes = self.gate.admit(unit);
        self.has_begun |= passes;
        let is_complete = unit.is_whole || !(unit.is_key || unit.data.is_empty());
        passes || (self.has_begun && is_complete && self.stream.options().damaged == Damaged::Show)
    }

    /// Tells when the stream begins to wait for a key frame, and of each one that comes. Every JPEG is
    /// one, so nothing waits for the next.
    fn tell_key_frames(&mut self, unit: &Unit, is_shown: bool) {
        if self.is_jpeg {
            return;
        }
        if unit.is_key && is_shown {
            self.awaits_key = false;
            self.tell(Progress::KeyFrame);
        } else if self.gate.is_waiting() && !std::mem::replace(&mut self.awaits_key, true) {
            self.tell(Progress::Waits { since: unit.received_at, is_first: !self.has_begun });
        }
    }

    fn reception(&self, stats: &Stats) -> Reception {
        Reception {
            packets: stats.packets,
            lost: stats.lost,
            late: stats.late,
            foreign: stats.foreign,
            resyncs: stats.resyncs,
            jitter: stats.jitter,
            damaged_units: stats.damaged_units,
            waiting_for_key_frame: self.waits_since.map(|since| since.elapsed()),
            camera_clock: self.camera_clock,
        }
    }

    fn tell(&self, progress: Progress) {
        // If the session is gone, nobody needs it.
        let _ = self.progress.try_send(progress);
    }
}

/// Longest step back of the time of day that counts as the jitter of two clocks read one after the other.
const JITTER: UnixMicros = 1_000_000;

/// Turns arrival times into times of day that increase from unit to unit, unless the clock is set back.
#[derive(Default)]
struct ArrivalClock {
    last: UnixMicros,
}

impl ArrivalClock {
    /// The time of day of `at`, a moment before `now`, when it was `today`.
    fn unix_time(&mut self, at: Instant, now: Instant, today: Duration) -> UnixMicros {
        let then = today.saturating_sub(now.saturating_duration_since(at));
        let then = UnixMicros::try_from(then.as_micros()).unwrap_or(UnixMicros::MAX);
        let is_jitter = then <= self.last && self.last - then < JITTER;
        self.last = if is_jitter { self.last + 1 } else { then };
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_that_came_together_keep_their_order_and_a_clock_set_back_is_followed() {
        let (mut clock, now) = (ArrivalClock::default(), Instant::now());
        let today = Duration::from_secs(1_800_000_000);
        let mut at = |today| clock.unix_time(now, now + Duration::from_millis(5), today);
        let first = at(today);
        assert_eq!(first, 1_800_000_000_000_000 - 5000);
        assert_eq!(at(today), first + 1);
        assert_eq!(at(today - Duration::from_millis(3)), first + 2);
        let later = at(today + Duration::from_millis(40));
        assert_eq!(later, first + 40_000);
        let set_back = at(today - Duration::from_secs(3600));
        assert_eq!(set_back, first - 3_600_000_000);
    }
}
