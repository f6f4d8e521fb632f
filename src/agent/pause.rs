//! How long a keeper waits before it tries again.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// A stream that was live for this long has earned a fresh start.
const GOOD_WHILE: Duration = Duration::from_secs(60);

/// Refused logins before the camera is left alone: cameras lock accounts after as few as five.
const REFUSALS: u32 = 2;

/// The ONVIF client stops by itself after as many refusals as a camera should see.
pub const FINAL_REFUSAL: u32 = REFUSALS;

/// The usual lock-out of cameras is 30 minutes.
const AFTER_REFUSALS: Duration = Duration::from_secs(30 * 60);

/// Added to a pause at most, as a part of it, so that cameras that failed together do not all come
/// back in the same instant.
const JITTER: f64 = 0.25;

/// The pauses of one camera: 1, 2, 4 … 60 s, and half an hour after two refused logins.
#[derive(Debug, Default)]
pub struct Pauses {
    failures: u32,
    refusals: u32,
    live_since: Option<Instant>,
}

impl Pauses {
    /// The stream went live.
    pub fn live(&mut self, now: Instant) {
        self.live_since = Some(now);
        self.refusals = 0;
    }

    /// The pause after an attempt that failed, or a stream that ended; `random` is in 0..1.
    pub fn after_failure(&mut self, now: Instant, random: f64) -> Duration {
        if self.live_since.take().is_some_and(|since| now.saturating_duration_since(since) >= GOOD_WHILE) {
            self.failures = 0;
        }
        let pause = (FIRST * 2_u32.saturating_pow(self.failures.min(16))).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(1.0 + JITTER * random)
    }

    /// The pause after `attempts` refused logins more.
    pub fn after_refusal(&mut self, attempts: u32, now: Instant, random: f64) -> Duration {
        self.refusals = self.refusals.saturating_add(attempts);
        let usual = self.after_failure(now, random);
        if self.is_denied() { AFTER_REFUSALS } else { usual }
    }

    /// Whether the camera has refused us often enough to be left alone.
    pub fn is_denied(&self) -> bool {
        self.refusals >= REFUSALS
    }

    /// Failed attempts since the last good while.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Somebody changed something: try at once, with full courage.
    pub fn forgive(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let mut pauses = Pauses::default();
        let now = Instant::now();
        let seconds: Vec<_> = (0..9).map(|_| pauses.after_failure(now, 0.0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(pauses.after_failure(now, 1.0) <= Duration::from_secs(75));
    }

    #[test]
    fn a_minute_live_resets_the_pauses_and_a_blink_does_not() {
        let mut pauses = Pauses::default();
        let start = Instant::now();
        pauses.after_failure(start, 0.0);
        pauses.live(start);
        assert_eq!(pauses.after_failure(start + Duration::from_secs(59), 0.0).as_secs(), 2);
        pauses.live(start);
        assert_eq!(pauses.after_failure(start + Duration::from_secs(60), 0.0).as_secs(), 1);
    }

    #[test]
    fn second_refusal_means_half_an_hour() {
        let mut pauses = Pauses::default();
        let now = Instant::now();
        assert_eq!(pauses.after_refusal(1, now, 0.0).as_secs(), 1);
        assert!(!pauses.is_denied());
        assert_eq!(pauses.after_refusal(1, now, 0.0).as_secs(), 1800);
        assert!(pauses.is_denied());
        pauses.forgive();
        assert_eq!(pauses.after_refusal(2, now, 0.0).as_secs(), 1800);
    }
}
