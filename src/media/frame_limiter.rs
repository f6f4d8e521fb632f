//! Decides which frames of a stream a rendition takes, so that it gets at most its rate, evenly.
//!
//! The clock is the arrival time of the frames, which has jitter: a 25 fps camera gives every frame
//! to a 25 fps rendition, however unevenly the frames arrive.

use super::{Rendition, UnixMicros, WantedRendition};

/// A frame this much before its turn is still taken, in microseconds; at most half an interval.
const EARLY: u64 = 20_000;

/// A rendition may run this much faster than its rate: the clocks of cameras are not exact, and a
/// camera that runs a little fast must not lose a frame every few seconds.
const SLACK_PERCENT: u64 = 1;

/// Up to this many missed turns are made up for: a network that held frames back delivers them
/// together.
const MADE_UP: u64 = 3;

/// While the processor is short, a rendition that this machine's own screen does not watch has one turn
/// in this time, in microseconds.
const SELDOM: UnixMicros = 1_000_000;

/// The turns of one rendition.
#[derive(Clone, Debug)]
pub struct FrameLimiter {
    interval: u64,
    next: Option<UnixMicros>,
}

impl FrameLimiter {
    /// At most `fps` frames per second; 0 counts as 1.
    pub fn new(fps: u8) -> Self {
        let interval = 1_000_000 / u64::from(fps.max(1));
        Self { interval: interval - interval * SLACK_PERCENT / 100, next: None }
    }

    /// Whether it is the turn of the frame received at `taken`; if so, the turn is used up.
    pub fn take(&mut self, taken: UnixMicros) -> bool {
        if !self.is_due(taken) {
            return false;
        }
        let next = self.turn(taken);
        let oldest = taken.saturating_sub(MADE_UP * self.interval);
        self.next = Some(next.max(oldest) + self.interval);
        true
    }

    /// Whether [`FrameLimiter::take`] would return true.
    pub fn is_due(&self, taken: UnixMicros) -> bool {
        taken + EARLY.min(self.interval / 2) >= self.turn(taken)
    }

    /// The time of the next turn.
    fn turn(&self, taken: UnixMicros) -> UnixMicros {
        // A clock that was set back must not stop the rendition.
        self.next.filter(|&next| next <= taken + 2 * self.interval).unwrap_or(taken)
    }
}

/// The renditions that are wanted, in order of size, each with its turns.
#[derive(Clone, Debug, Default)]
pub struct RenditionLimiter {
    turns: Vec<Turns>,
    is_short: bool,
}

#[derive(Clone, Debug)]
struct Turns {
    wanted: WantedRendition,
    limiter: FrameLimiter,
    last: Option<UnixMicros>,
}

impl RenditionLimiter {
    /// Exactly these renditions from now on; those that were wanted before keep their rhythm.
    pub fn want(&mut self, renditions: &[impl Into<WantedRendition> + Copy]) {
        let kept = std::mem::take(&mut self.turns);
        let turns = |wanted: WantedRendition| {
            let old = kept.iter().find(|old| old.wanted.rendition == wanted.rendition).cloned();
            let (limiter, last) =
                old.map_or_else(|| (FrameLimiter::new(wanted.rendition.fps), None), |old| (old.limiter, old.last));
            Turns { wanted, limiter, last }
        };
        self.turns = renditions.iter().map(|&wanted| turns(wanted.into())).collect();
        self.turns.sort_by_key(|turns| turns.wanted.rendition);
    }

    /// Sets whether the processor is too short for all renditions. Then those that this machine's own
    /// screen watches keep their rate, and others have a turn a second at most. Without such a screen
    /// all are equal, and nothing changes.
    pub fn set_short(&mut self, is_short: bool) {
        self.is_short = is_short;
    }

    pub fn renditions(&self) -> impl Iterator<Item = &Rendition> {
        self.turns.iter().map(|turns| &turns.wanted.rendition)
    }

    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Whether it is the turn of any rendition for the frame received at `taken`.
    pub fn is_any_due(&self, taken: UnixMicros) -> bool {
        let own_first = self.own_first();
        self.turns.iter().any(|turns| turns.is_due(taken, own_first))
    }

    /// The renditions whose turn it is for the frame received at `taken`; their turns are used up. In
    /// order of size, but sizes that this machine's own screen watches come first.
    pub fn take(&mut self, taken: UnixMicros) -> Vec<Rendition> {
        let own_first = self.own_first();
        let due = self.turns.iter_mut().filter_map(|turns| turns.take(taken, own_first).then_some(turns.wanted));
        let due: Vec<WantedRendition> = due.collect();
        let is_own_size = |size| due.iter().any(|wanted| wanted.is_own && wanted.rendition.size == size);
        let mut renditions: Vec<Rendition> = due.iter().map(|wanted| wanted.rendition).collect();
        renditions.sort_by_key(|rendition| !is_own_size(rendition.size));
        renditions
    }

    fn own_first(&self) -> bool {
        self.is_short && self.turns.iter().any(|turns| turns.wanted.is_own)
    }
}

impl Turns {
    fn is_due(&self, taken: UnixMicros, own_first: bool) -> bool {
        let waits = own_first
            && !self.wanted.is_own
            // A clock that was set back must not stop the rendition.
            && self.last.is_some_and(|last| (last..last + SELDOM).contains(&taken));
        !waits && self.limiter.is_due(taken)
    }

    fn take(&mut self, taken: UnixMicros, own_first: bool) -> bool {
        let takes = self.is_due(taken, own_first) && self.limiter.take(taken);
        if takes {
            self.last = Some(taken);
        }
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Size, transform::Transform};

    /// The number of frames taken if they arrive at `times`, in milliseconds.
    fn taken(fps: u8, times: impl Iterator<Item = u64>) -> usize {
        let mut frame_limiter = FrameLimiter::new(fps);
        times.filter(|ms| frame_limiter.take(1_000_000_000 + ms * 1000)).count()
    }

    #[test]
    fn trembling_camera_at_the_same_rate_loses_nothing() {
        let tremble = [0, 17, -12, 19, -19, 3, 0, -7, 15, 18];
        let times = (0..1000_u64).map(|n| 100 + n * 40).zip(tremble.into_iter().cycle());
        assert_eq!(taken(25, times.map(|(ms, shift)| ms.saturating_add_signed(shift))), 1000);
    }

    #[test]
    fn slightly_fast_camera_loses_nothing() {
        assert_eq!(taken(30, (0..3000_u64).map(|n| n * 33)), 3000);
    }

    #[test]
    fn frames_held_back_and_delivered_together_are_all_taken() {
        // From the second ten on: the first frame sets the rhythm, and must not be a late one.
        let times = (0..100_u64).map(|n| if n > 10 && n % 10 < 3 { (n - n % 10 + 3) * 40 } else { n * 40 });
        assert_eq!(taken(25, times), 100);
    }

    #[test]
    fn faster_camera_is_thinned_evenly() {
        let mut frame_limiter = FrameLimiter::new(10);
        let times: Vec<u64> = (0..250).map(|n| n * 40_000).filter(|&at| frame_limiter.take(at)).collect();
        assert!((98..=104).contains(&times.len()), "{} frames in 10 s", times.len());
        let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| [80_000, 120_000].contains(gap)), "{gaps:?}");
        assert!((10..=12).contains(&taken(1, (0..250).map(|n| n * 40))));
    }

    #[test]
    fn flood_after_a_pause_is_not_taken_whole() {
        let flood = std::iter::once(0).chain((0..100).map(|n| 60_000 + n));
        assert!(taken(25, flood) <= 2 + MADE_UP as usize + 3);
    }

    #[test]
    fn clock_set_back_does_not_silence_the_rendition() {
        let mut frame_limiter = FrameLimiter::new(25);
        assert!(frame_limiter.take(2_000_000_000));
        assert!(frame_limiter.take(1_000_000_000));
    }

    const SMALL: Rendition =
        Rendition { size: Size { width: 320, height: 180 }, transform: Transform::NONE, quality: 80, fps: 25 };
    const LARGE: Rendition = Rendition { size: Size { width: 640, height: 360 }, ..SMALL };

    fn wanted(renditions: &[(Rendition, bool)]) -> RenditionLimiter {
        let wanted = |&(rendition, is_own): &_| WantedRendition { rendition, is_own };
        let mut limiter = RenditionLimiter::default();
        limiter.want(&renditions.iter().map(wanted).collect::<Vec<_>>());
        limiter
    }

    /// How many pictures of each rendition are made in the ten seconds from `second` on, at 25 frames
    /// per second.
    fn made(limiter: &mut RenditionLimiter, second: u64, renditions: &[Rendition]) -> Vec<usize> {
        let due: Vec<_> = (0..250).flat_map(|frame| limiter.take((second * 25 + frame) * 40_000)).collect();
        renditions.iter().map(|rendition| due.iter().filter(|due| *due == rendition).count()).collect()
    }

    #[test]
    fn own_screen_keeps_its_rate_while_the_processor_is_short() {
        let mut limiter = wanted(&[(SMALL, false), (LARGE, true)]);
        assert_eq!(made(&mut limiter, 1000, &[SMALL, LARGE]), [250, 250]);
        limiter.set_short(true);
        assert_eq!(made(&mut limiter, 1010, &[SMALL, LARGE]), [10, 250]);
        limiter.set_short(false);
        assert_eq!(made(&mut limiter, 1020, &[SMALL, LARGE]), [250, 250]);
        limiter.set_short(true);
        assert_eq!(made(&mut limiter, 500, &[SMALL, LARGE]), [10, 250], "the clock was set back");
    }

    #[test]
    fn strangers_among_themselves_are_equal() {
        let mut limiter = wanted(&[(SMALL, false), (LARGE, false)]);
        limiter.set_short(true);
        assert_eq!(made(&mut limiter, 1000, &[SMALL, LARGE]), [250, 250]);
        let mut limiter = wanted(&[(SMALL, true), (LARGE, true)]);
        limiter.set_short(true);
        assert_eq!(made(&mut limiter, 1000, &[SMALL, LARGE]), [250, 250]);
    }

    #[test]
    fn frame_on_which_only_a_stranger_waits_is_nobodys_turn() {
        let mut limiter = wanted(&[(SMALL, false), (Rendition { fps: 5, ..LARGE }, true)]);
        limiter.set_short(true);
        assert_eq!(limiter.take(1_000_000_000).len(), 2);
        assert!(!limiter.is_any_due(1_000_040_000) && limiter.is_any_due(1_000_200_000));
    }

    #[test]
    fn own_sizes_come_first() {
        let other_quality = Rendition { quality: 30, ..LARGE };
        let mut limiter = wanted(&[(SMALL, false), (other_quality, false), (LARGE, true)]);
        assert_eq!(limiter.take(1_000_000_000), [other_quality, LARGE, SMALL], "equal sizes share the scaling");
    }
}
