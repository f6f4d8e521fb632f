//! Which frames to inspect for a cut that no decoder reports: to inspect each would mean to decode
//! everything twice.
//!
//! The first frame is inspected, frames much smaller than usual, and one now and then.

use std::collections::VecDeque;

use super::{AccessUnit, UnixMicros};

/// A frame is suspicious if it has less than this percentage of the median of the frames before.
const USUAL_PERCENT: usize = 75;

/// Number of sizes remembered.
const MEMORY: usize = 15;

/// An unsuspicious JPEG is inspected at this interval, in microseconds.
const JPEG_EVERY: UnixMicros = 1_000_000;

/// An unsuspicious H.265 frame is inspected at this interval, in microseconds.
const VIDEO_EVERY: UnixMicros = 5_000_000;

/// After an inspection, suspicious frames of video that are not key frames pass for this long, in
/// microseconds: a second and third small frame are small for the same reason.
const MIN_PAUSE: UnixMicros = 80_000;

/// The inspections of one kind of frames of a stream.
#[derive(Debug)]
pub struct InspectionSchedule {
    every: UnixMicros,
    is_video: bool,
    /// Sizes in bytes of the frames that passed, newest last.
    sizes: VecDeque<usize>,
    /// When the last inspected frame was received.
    inspected: Option<UnixMicros>,
    /// Whether the last inspected frame was damaged: the next may be, too.
    distrusted: bool,
    /// Doubled after each false suspicion: small frames may be normal for this camera.
    pause: UnixMicros,
}

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspection {
    /// It was inspected before, because a group is replayed.
    Done { whole: bool },
    /// It may pass.
    Skipped,
    /// Inspect it, and tell the result to [`InspectionSchedule::conclude`].
    Due(InspectionReason),
}

/// Why a frame is inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InspectionReason {
    /// It is much smaller than usual.
    Small,
    /// It is the first, the last one was damaged, or it is time.
    Routine,
}

impl InspectionSchedule {
    pub fn of_jpeg() -> Self {
        Self::new(JPEG_EVERY, false)
    }

    pub fn of_video() -> Self {
        Self::new(VIDEO_EVERY, true)
    }

    fn new(every: UnixMicros, is_video: bool) -> Self {
        Self { every, is_video, sizes: VecDeque::new(), inspected: None, distrusted: false, pause: MIN_PAUSE }
    }

    /// When the last inspected frame was received.
    pub fn inspected(&self) -> Option<UnixMicros> {
        self.inspected
    }

    /// What to do with `unit`, the next frame of this kind.
    pub fn next(&mut self, unit: &AccessUnit) -> Inspection {
        if self.inspected == Some(unit.taken) {
            return Inspection::Done { whole: !self.distrusted };
        }
        // A clock that was set back must not postpone an inspection.
        let past = |time| self.inspected.is_none_or(|at| unit.taken < at || unit.taken - at >= time);
        let pause = if self.is_video && !unit.key { self.pause } else { 0 };
        if self.is_small(unit.data.len()) && past(pause) {
            Inspection::Due(InspectionReason::Small)
        } else if self.distrusted || past(self.every) {
            Inspection::Due(InspectionReason::Routine)
        } else {
            self.note(unit.data.len());
            Inspection::Skipped
        }
    }

    /// Records whether the inspected `unit` is whole.
    pub fn conclude(&mut self, unit: &AccessUnit, whole: bool, reason: InspectionReason) {
        self.inspected = Some(unit.taken);
        self.distrusted = !whole;
        self.pause = match (whole, reason) {
            (false, _) => MIN_PAUSE,
            (true, InspectionReason::Small) => (self.pause * 2).min(VIDEO_EVERY),
            (true, InspectionReason::Routine) => (self.pause / 2).max(MIN_PAUSE),
        };
        if whole {
            self.note(unit.data.len());
        }
    }

    fn note(&mut self, bytes: usize) {
        self.sizes.push_back(bytes);
        if self.sizes.len() > MEMORY {
            self.sizes.pop_front();
        }
    }

    fn is_small(&self, bytes: usize) -> bool {
        let mut sizes: Vec<usize> = self.sizes.iter().copied().collect();
        sizes.sort_unstable();
        sizes.get(sizes.len() / 2).is_some_and(|usual| bytes * 100 < usual * USUAL_PERCENT)
    }
}
