//! Whose fault it is that pictures are overdue: a worker that gets no processor time, or hangs, is
//! no fault of the camera.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use crate::ipc::Progress;

/// Time for a worker to begin, and to go on until its first picture, on a slow machine that starts
/// many at a time.
const LOADING: Duration = Duration::from_secs(30);

/// Time for its first picture once it has begun to decode.
const FIRST_PICTURE: Duration = Duration::from_secs(5);

/// Between these shares of a core over a while a process has work, and does not get the processor time
/// for it. Less has one that waits for ever: its listening thread alone still takes units. More has one
/// that goes round in circles.
const STARVED: Range<f64> = 0.02..0.5;

/// A decoder may hold this many frames before it gives the first one (H.264 and H.265: a decoded
/// picture buffer of 16 frames).
const MAX_HELD_FRAMES: u32 = 16;

/// Whose fault it is that there are no pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It takes units and does nothing with them.
    Worker,
    /// Its frames were decoded, and gave no picture.
    Camera,
}

/// What a worker has shown of its work.
pub(super) struct WorkerProgress {
    started: Instant,
    /// When it gave its first sign.
    begun: Option<Instant>,
    /// Since when it has had units of which it has given no sign.
    unanswered: Option<Instant>,
    has_pictures: bool,
    last: Progress,
}

impl WorkerProgress {
    pub(super) fn new(started: Instant) -> Self {
        Self { started, begun: None, unanswered: None, has_pictures: false, last: Progress::default() }
    }

    /// Records that it has units to decode.
    pub(super) fn note_work(&mut self, now: Instant) {
        self.unanswered.get_or_insert(now);
    }

    /// Records a sign that it works.
    pub(super) fn note_sign(&mut self, now: Instant) {
        self.begun.get_or_insert(now);
        self.unanswered = None;
    }

    /// Records how far it has come.
    pub(super) fn note_progress(&mut self, progress: Progress, now: Instant) {
        self.note_sign(now);
        self.last = progress;
    }

    /// Records a picture; returns whether it is the first one.
    pub(super) fn note_picture(&mut self, now: Instant) -> bool {
        self.note_sign(now);
        self.last = Progress::default();
        !std::mem::replace(&mut self.has_pictures, true)
    }

    /// Whose fault it is that pictures are overdue at `now`; `None` while the worker may still make
    /// them. `stall_after`: how long a worker that has made pictures may give no sign, unless it
    /// `is_starved`.
    pub(super) fn fault(&self, stall_after: Duration, is_starved: bool, now: Instant) -> Option<Fault> {
        let Some(begun) = self.begun else { return (now >= self.started + LOADING).then_some(Fault::Worker) };
        if now < begun + FIRST_PICTURE {
            return None;
        }
        let limit = if self.has_pictures && !is_starved { stall_after } else { LOADING };
        if self.unanswered.is_some_and(|since| now >= since + limit) {
            return Some(Fault::Worker);
        }
        let is_fruitless = self.last.damaged > 0 || self.last.without_frame > MAX_HELD_FRAMES;
        is_fruitless.then_some(Fault::Camera)
    }
}

/// Whether a process that used `cpu` of processor time during `elapsed` is short of it.
pub(super) fn is_starved(cpu: Duration, elapsed: Duration) -> bool {
    STARVED.contains(&(cpu.as_secs_f64() / elapsed.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL_AFTER: Duration = Duration::from_secs(2);
    const BARREN: Progress = Progress { without_frame: MAX_HELD_FRAMES + 1, damaged: 0 };
    const DAMAGED: Progress = Progress { without_frame: 1, damaged: 1 };

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn worker_without_processor_time_is_no_fault_of_the_camera() {
        let start = Instant::now();
        let mut progress = WorkerProgress::new(start);
        progress.note_work(start);
        assert_eq!(progress.fault(STALL_AFTER, false, after(start, 29)), None, "it loads its libraries");
        assert_eq!(progress.fault(STALL_AFTER, false, after(start, 30)), Some(Fault::Worker));
        progress.note_sign(after(start, 20));
        progress.note_work(after(start, 20));
        assert_eq!(progress.fault(STALL_AFTER, false, after(start, 49)), None, "it decodes its first unit");
        assert_eq!(progress.fault(STALL_AFTER, false, after(start, 50)), Some(Fault::Worker));
    }

    #[test]
    fn frames_that_were_decoded_and_gave_no_picture_are_the_fault_of_the_camera() {
        for fruitless in [BARREN, DAMAGED] {
            let start = Instant::now();
            let mut progress = WorkerProgress::new(start);
            progress.note_progress(fruitless, start);
            assert_eq!(progress.fault(STALL_AFTER, false, after(start, 4)), None, "the next ones may be better");
            assert_eq!(progress.fault(STALL_AFTER, false, after(start, 5)), Some(Fault::Camera), "{fruitless:?}");
            progress.note_progress(Progress::default(), after(start, 5));
            assert_eq!(progress.fault(STALL_AFTER, false, after(start, 60)), None, "frames come");
        }
    }

    #[test]
    fn long_group_is_replayed_to_its_end_and_frames_that_a_decoder_holds_are_waited_for() {
        let start = Instant::now();
        let mut progress = WorkerProgress::new(start);
        for second in 0..120 {
            progress.note_work(after(start, second));
            progress.note_progress(Progress { without_frame: MAX_HELD_FRAMES, damaged: 0 }, after(start, second));
            assert_eq!(progress.fault(STALL_AFTER, false, after(start, second)), None);
        }
    }

    #[test]
    fn worker_that_hangs_after_its_pictures_is_found_by_what_it_leaves_lying() {
        let start = Instant::now();
        let mut progress = WorkerProgress::new(start);
        progress.note_progress(DAMAGED, start);
        assert!(progress.note_picture(after(start, 10)));
        assert!(!progress.note_picture(after(start, 11)));
        assert_eq!(progress.fault(STALL_AFTER, false, after(start, 60)), None, "it was given nothing");
        progress.note_work(after(start, 60));
        progress.note_work(after(start, 61));
        assert_eq!(progress.fault(STALL_AFTER, false, after(start, 61)), None);
        assert_eq!(progress.fault(STALL_AFTER, false, after(start, 62)), Some(Fault::Worker));
        assert_eq!(progress.fault(STALL_AFTER, true, after(start, 89)), None, "it works, and is only slow");
        assert_eq!(progress.fault(STALL_AFTER, true, after(start, 90)), Some(Fault::Worker));
    }

    #[test]
    fn starved_worker_is_neither_one_that_waits_for_ever_nor_one_that_goes_round_in_circles() {
        let uses = |milliseconds| is_starved(Duration::from_millis(milliseconds), Duration::from_secs(1));
        assert!(!uses(0) && !uses(10), "it takes units and decodes none");
        assert!(uses(30) && uses(120) && uses(400), "a share of two cores that sixteen decoders want");
        assert!(!uses(900), "it has what it needs, and gives no sign");
        assert!(!is_starved(Duration::ZERO, Duration::ZERO), "nothing is known");
    }
}
