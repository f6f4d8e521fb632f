//! Whether the processor is too short for all that is wanted of this stream.
//!
//! Then the pictures of this machine's own screen come first: see
//! [`RenditionLimiter::set_short`](cctv_agent::media::frame_limiter::RenditionLimiter::set_short).

use cctv_agent::media::UnixMicros;

/// Over how much of the stream late units are counted, in microseconds.
const WINDOW: UnixMicros = 1_000_000;

/// One late unit in this many is a shortage. A machine that stops for a moment has fewer.
const LATE: u64 = 4;

/// A window with fewer units continues: they tell nothing.
const MIN_UNITS: u32 = 4;

/// How long a shortage lasts at first, in microseconds, before all that is wanted is tried again. The
/// time doubles whenever that was too early, up to [`MAX_LEN`].
const MIN_LEN: UnixMicros = 10_000_000;
const MAX_LEN: UnixMicros = 32 * MIN_LEN;

/// The shortage of one stream's decoder. Its clock is the arrival of the units.
pub struct Shortage {
    window_began: Option<UnixMicros>,
    units: u32,
    late: u32,
    /// When the last window with too many late units ended.
    short_since: Option<UnixMicros>,
    /// When the last shortage ended.
    ended: Option<UnixMicros>,
    lasts: UnixMicros,
}

impl Default for Shortage {
    fn default() -> Self {
        Self { window_began: None, units: 0, late: 0, short_since: None, ended: None, lasts: MIN_LEN }
    }
}

impl Shortage {
    /// Notes a unit received at `taken`, and how many were [`late`](super::decode_cursor::Step::late).
    /// Returns whether there is a shortage.
    pub fn note(&mut self, taken: UnixMicros, late: u32) -> bool {
        // A clock that was set back begins anew.
        let began = *self.window_began.get_or_insert(taken);
        if taken < began {
            *self = Self::default();
        }
        self.units = self.units.saturating_add(late.max(1));
        self.late = self.late.saturating_add(late);
        if taken.saturating_sub(began) >= WINDOW && self.units >= MIN_UNITS {
            self.conclude(taken, u64::from(self.late) * LATE >= u64::from(self.units));
            (self.window_began, self.units, self.late) = (Some(taken), 0, 0);
        }
        self.short_since.is_some()
    }

    fn conclude(&mut self, now: UnixMicros, too_many_late: bool) {
        match self.short_since {
            Some(_) if too_many_late => self.short_since = Some(now),
            Some(since) if now.saturating_sub(since) >= self.lasts => {
                (self.short_since, self.ended) = (None, Some(now));
            }
            None if too_many_late => {
                let too_early = self.ended.is_some_and(|ended| now.saturating_sub(ended) < self.lasts);
                self.lasts = if too_early { MAX_LEN.min(2 * self.lasts) } else { MIN_LEN };
                self.short_since = Some(now);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stream {
        shortage: Shortage,
        now: UnixMicros,
    }

    impl Stream {
        fn new() -> Self {
            Self { shortage: Shortage::default(), now: 1_700_000_000_000_000 }
        }

        /// A second at 25 frames per second, of which `late` are late.
        fn second(&mut self, late: u32) -> bool {
            let mut is_short = false;
            for unit in 0..25 {
                is_short = self.shortage.note(self.now, u32::from(unit < late));
                self.now += 40_000;
            }
            is_short
        }

        /// Seconds until there is a shortage, or none, while `late` units of 25 are late.
        fn until(&mut self, is_short: bool, late: u32) -> usize {
            (1..10_000).find(|_| self.second(late) == is_short).expect("it never changes")
        }
    }

    #[test]
    fn moment_of_lateness_is_no_shortage() {
        let mut stream = Stream::new();
        assert!((0..100).all(|second| !stream.second(if second % 3 == 0 { 6 } else { 0 })));
        assert!(stream.until(true, 7) <= 3);
    }

    #[test]
    fn shortage_lasts_and_ever_longer_while_its_end_is_too_early() {
        let mut stream = Stream::new();
        stream.until(true, 25);
        assert!((0..100).all(|_| stream.second(12)), "it is still too much");
        let mut lasted = Vec::new();
        for _ in 0..7 {
            lasted.push(stream.until(false, 0));
            assert!(stream.until(true, 25) <= 3);
        }
        let doubled = [10, 20, 40, 80, 160, 320, 320];
        assert!(
            lasted.iter().zip(doubled).all(|(lasted, doubled)| (doubled..doubled + 16).contains(lasted)),
            "{lasted:?}"
        );
        stream.until(false, 0);
        assert!((0..1000).all(|_| !stream.second(0)));
        stream.until(true, 25);
        assert!(stream.until(false, 0) <= 13, "after a long calm it begins again");
    }

    #[test]
    fn skipped_units_count() {
        let mut stream = Stream::new();
        let mut now = stream.now;
        let is_short = (0..50).map(|step| {
            now += if step % 5 == 0 { 160_000 } else { 40_000 };
            stream.shortage.note(now, if step % 5 == 0 { 3 } else { 0 })
        });
        assert!(is_short.last().unwrap(), "one jump in five steps skips three of seven units");
    }

    #[test]
    fn clock_set_back_ends_it() {
        let mut stream = Stream::new();
        stream.until(true, 25);
        stream.now -= 3_600_000_000;
        assert!(!stream.second(0));
    }
}
