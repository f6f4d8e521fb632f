//! How fast a viewer takes what it is sent: one that takes a byte now and then holds a place, a
//! connection and memory, and shows nothing.

use std::time::{Duration, Instant};

/// The time of waiting over which the rate is judged.
const WINDOW: Duration = Duration::from_secs(60);

/// Bytes per second of waiting that a viewer must take. Half of what a modem of the telephone network
/// carries, and a small JPEG every two or three seconds.
const MIN_RATE: u64 = 4 << 10;

/// Counts bytes while writes wait for the viewer. Time in which nothing waits does not count, so a
/// wall whose cameras are away is not slow.
#[derive(Debug, Default)]
pub struct Throughput {
    waits_since: Option<Instant>,
    waited: Duration,
    bytes: u64,
}

impl Throughput {
    /// Records that a write waits for the viewer.
    pub fn waits(&mut self, now: Instant) {
        self.waits_since.get_or_insert(now);
    }

    /// Records that the viewer took `bytes`. Returns whether it is fast enough.
    pub fn took(&mut self, bytes: usize, now: Instant) -> bool {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if let Some(since) = self.waits_since.take() {
            self.waited += now.saturating_duration_since(since);
        }
        if self.waited < WINDOW {
            return true;
        }
        let is_enough = self.bytes >= MIN_RATE.saturating_mul(self.waited.as_secs());
        *self = Self::default();
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a viewer is kept for `seconds` that takes `bytes` after each `pause`.
    fn is_kept(bytes: usize, pause: Duration, seconds: u64) -> bool {
        let (mut throughput, start) = (Throughput::default(), Instant::now());
        let mut now = start;
        while now < start + Duration::from_secs(seconds) {
            throughput.waits(now);
            throughput.waits(now);
            now += pause;
            if !throughput.took(bytes, now) {
                return false;
            }
        }
        true
    }

    #[test]
    fn viewer_that_takes_a_byte_now_and_then_is_ended_within_a_minute() {
        assert!(is_kept(1, Duration::from_secs(1), 59) && !is_kept(1, Duration::from_secs(1), 60));
        assert!(!is_kept(4000, Duration::from_secs(1), 60) && !is_kept(30_000, Duration::from_secs(9), 70));
    }

    #[test]
    fn slow_line_is_no_reason() {
        assert!(is_kept(4 << 10, Duration::from_secs(1), 600) && is_kept(40 << 10, Duration::from_secs(9), 600));
        assert!(is_kept(1400, Duration::from_millis(100), 600));
    }

    #[test]
    fn time_in_which_nothing_waits_does_not_count() {
        let (mut throughput, start) = (Throughput::default(), Instant::now());
        for hour in 0..100 {
            assert!(throughput.took(100, start + Duration::from_secs(3600 * hour)));
        }
    }
}
