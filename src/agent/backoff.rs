//! The backoff: how long a supervisor waits before it tries again.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(1);
const MAX_LEN: Duration = Duration::from_secs(60);

/// A stream that was live for this long starts again with the shortest pause.
const GOOD_WHILE: Duration = Duration::from_secs(60);

/// Refused logins before the camera is left alone: cameras lock accounts after as few as five.
const REFUSALS: u32 = 2;

/// The ONVIF client stops by itself after this many refusals, the most that a camera should see.
pub const FINAL_REFUSAL: u32 = REFUSALS;

/// The usual lock-out of cameras is 30 minutes.
const AFTER_REFUSALS: Duration = Duration::from_secs(30 * 60);

/// Largest random addition to a pause, as a fraction of it. It keeps cameras that failed together
/// from all coming back at the same instant.
const JITTER: f64 = 0.25;

/// Workers of a live stream that died are replaced at once, but at most this many times in
/// [`CRASH_WINDOW`]: a stream that crashes its workers must not use up the processor.
const CRASHES: usize = 3;
const CRASH_WINDOW: Duration = Duration::from_secs(60);

/// The pause before a dead worker is replaced. It lets the kernel close the old connection first.
const AT_ONCE: Duration = Duration::from_millis(100);

/// The pauses of one stream: 1, 2, 4 … 60 s, and half an hour after two refused logins.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
    refusals: u32,
    live_since: Option<Instant>,
    /// When workers were replaced at once, within the last [`CRASH_WINDOW`].
    crashes: Vec<Instant>,
}

impl Backoff {
    /// The stream went live.
    pub fn live(&mut self, now: Instant) {
        self.live_since = Some(now);
        self.refusals = 0;
    }

    /// The pause after an attempt that failed, or a stream that ended; `random` is in 0..1.
    pub fn after_failure(&mut self, now: Instant, random: f64) -> Duration {
        self.note_end(now);
        let pause = (FIRST * 2_u32.saturating_pow(self.failures.min(16))).min(MAX_LEN);
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(1.0 + JITTER * random)
    }

    /// The pause after a worker died through no fault of the camera. `None` if the usual pause
    /// applies, because the stream was not live or too many workers died recently. The camera's
    /// failure count does not grow.
    pub fn after_crash(&mut self, now: Instant, random: f64) -> Option<Duration> {
        self.crashes.retain(|&at| now.saturating_duration_since(at) < CRASH_WINDOW);
        if self.live_since.is_none() || self.crashes.len() >= CRASHES {
            return None;
        }
        self.crashes.push(now);
        self.note_end(now);
        Some(AT_ONCE.mul_f64(1.0 + JITTER * random))
    }

    /// The pause after another `attempts` refused logins.
    pub fn after_refusal(&mut self, attempts: u32, now: Instant, random: f64) -> Duration {
        self.refusals = self.refusals.saturating_add(attempts);
        let usual = self.after_failure(now, random);
        if self.is_denied() { AFTER_REFUSALS } else { usual }
    }

    /// Notes that the stream is no longer live, if it was.
    fn note_end(&mut self, now: Instant) {
        if self.live_since.take().is_some_and(|since| now.saturating_duration_since(since) >= GOOD_WHILE) {
            self.failures = 0;
        }
    }

    /// Whether the camera has refused the login so often that it is left alone.
    pub fn is_denied(&self) -> bool {
        self.refusals >= REFUSALS
    }

    /// Failed attempts since the stream was last live for a minute.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Returns to short pauses, because the failures may have had a cause outside the camera.
    /// Refused logins stay counted.
    pub fn reset_delay(&mut self) {
        self.failures = 0;
    }

    /// Resets everything: somebody changed something, so the next attempt comes at once.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        let seconds: Vec<_> = (0..9).map(|_| backoff.after_failure(now, 0.0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert!(backoff.after_failure(now, 1.0) <= Duration::from_secs(75));
    }

    #[test]
    fn network_that_has_come_makes_pauses_short_and_forgives_no_refusal() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        backoff.after_refusal(1, now, 0.0);
        backoff.after_failure(now, 0.0);
        backoff.reset_delay();
        assert_eq!(backoff.after_failure(now, 0.0).as_secs(), 1);
        backoff.after_refusal(1, now, 0.0);
        assert!(backoff.is_denied());
    }

    #[test]
    fn a_minute_live_resets_the_pauses_and_a_blink_does_not() {
        let mut backoff = Backoff::default();
        let start = Instant::now();
        backoff.after_failure(start, 0.0);
        backoff.live(start);
        assert_eq!(backoff.after_failure(start + Duration::from_secs(59), 0.0).as_secs(), 2);
        backoff.live(start);
        assert_eq!(backoff.after_failure(start + Duration::from_secs(60), 0.0).as_secs(), 1);
    }

    #[test]
    fn camera_that_is_up_for_three_seconds_at_a_time_is_asked_ever_less_often() {
        let mut backoff = Backoff::default();
        let (start, mut now, mut attempts) = (Instant::now(), Instant::now(), 0);
        while now < start + Duration::from_secs(3600) {
            backoff.live(now);
            now += Duration::from_secs(3);
            now += backoff.after_failure(now, 0.0);
            attempts += 1;
        }
        assert!(attempts < 70, "{attempts} in an hour");
    }

    #[test]
    fn worker_that_dies_is_replaced_at_once_but_not_again_and_again() {
        let mut backoff = Backoff::default();
        let start = Instant::now();
        assert_eq!(backoff.after_crash(start, 0.0), None, "the stream was not live");
        for _ in 0..CRASHES {
            backoff.live(start);
            assert_eq!(backoff.after_crash(start, 0.0), Some(AT_ONCE));
            assert_eq!(backoff.after_crash(start, 0.0), None, "nor was it live again");
        }
        backoff.live(start);
        assert_eq!(backoff.after_crash(start, 0.0), None);
        assert_eq!(backoff.after_failure(start, 0.0), FIRST, "the camera did not fail before");
        backoff.live(start);
        assert_eq!(backoff.after_crash(start + CRASH_WINDOW, 0.0), Some(AT_ONCE));
    }

    #[test]
    fn minute_live_before_a_crash_counts_as_a_good_while() {
        let mut backoff = Backoff::default();
        let start = Instant::now();
        for _ in 0..5 {
            backoff.after_failure(start, 0.0);
        }
        backoff.live(start);
        backoff.after_crash(start + GOOD_WHILE, 0.0);
        assert_eq!(backoff.failures(), 0);
    }

    #[test]
    fn second_refusal_means_half_an_hour() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        assert_eq!(backoff.after_refusal(1, now, 0.0).as_secs(), 1);
        assert!(!backoff.is_denied());
        assert_eq!(backoff.after_refusal(1, now, 0.0).as_secs(), 1800);
        assert!(backoff.is_denied());
        backoff.reset();
        assert_eq!(backoff.after_refusal(2, now, 0.0).as_secs(), 1800);
    }
}
