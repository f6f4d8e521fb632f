//! The time of day at which a unit came.

use std::time::{Duration, Instant};

use crate::media::UnixMicros;

/// Longest step back of the time of day that counts as the jitter of two clocks read one after the other.
const JITTER: UnixMicros = 1_000_000;

/// Turns arrival times into times of day that increase from unit to unit, unless the clock is set back.
#[derive(Default)]
pub(super) struct ArrivalClock {
    last: UnixMicros,
}

impl ArrivalClock {
    /// The time of day of `at`, a moment before `now`, when it was `today`.
    pub(super) fn unix_time(&mut self, at: Instant, now: Instant, today: Duration) -> UnixMicros {
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
