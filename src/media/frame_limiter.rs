//! Decides which frames of a stream a rendition takes, so that it gets at most its rate, evenly.
//!
//! The clock is the arrival time of the frames, which has jitter: a 25 fps camera gives every frame
//! to a 25 fps rendition, however unevenly the frames arrive.

use super::{Rendition, UnixMicros};

/// A frame this much before its turn is still taken, in microseconds; at most half an interval.
const EARLY: u64 = 20_000;

/// A rendition may run this much faster than its rate: the clocks of cameras are not exact, and a
/// camera that runs a little fast must not lose a frame every few seconds.
const SLACK_PERCENT: u64 = 1;

/// Up to this many missed turns are made up for: a network that held frames back delivers them
/// together.
const MADE_UP: u64 = 3;

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
pub struct RenditionLimiter(Vec<(Rendition, FrameLimiter)>);

impl RenditionLimiter {
    /// Exactly these renditions from now on; those that were wanted before keep their rhythm.
    pub fn want(&mut self, renditions: &[Rendition]) {
        let kept = std::mem::take(&mut self.0);
        let limiter = |rendition: &Rendition| {
            let old = kept.iter().find(|(old, _)| old == rendition);
            old.map_or_else(|| FrameLimiter::new(rendition.fps), |(_, limiter)| limiter.clone())
        };
        self.0 = renditions.iter().map(|rendition| (*rendition, limiter(rendition))).collect();
        self.0.sort_by_key(|(rendition, _)| *rendition);
    }

    pub fn renditions(&self) -> impl Iterator<Item = &Rendition> {
        self.0.iter().map(|(rendition, _)| rendition)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is the turn of any rendition for the frame received at `taken`.
    pub fn is_any_due(&self, taken: UnixMicros) -> bool {
        self.0.iter().any(|(_, limiter)| limiter.is_due(taken))
    }

    /// The renditions whose turn it is for the frame received at `taken`; their turns are used up.
    pub fn take(&mut self, taken: UnixMicros) -> Vec<Rendition> {
        self.0.iter_mut().filter_map(|(rendition, limiter)| limiter.take(taken).then_some(*rendition)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
