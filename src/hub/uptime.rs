//! How long a camera has been live, and when it was last live.

use std::time::{Duration, Instant};

/// The live periods of one camera. Time is an argument.
#[derive(Debug)]
pub struct Uptime {
    known_since: Instant,
    /// Sum of the past live periods.
    past: Duration,
    live_since: Option<Instant>,
    last_live: Option<Instant>,
}

impl Uptime {
    pub fn new(now: Instant) -> Self {
        Self { known_since: now, past: Duration::ZERO, live_since: None, last_live: None }
    }

    /// Records whether the camera is live from now on.
    pub fn note(&mut self, live: bool, now: Instant) {
        match (live, self.live_since) {
            (true, None) => self.live_since = Some(now),
            (false, Some(since)) => {
                self.past += now.saturating_duration_since(since);
                (self.live_since, self.last_live) = (None, Some(now));
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Total live time so far.
    pub fn live(&self, now: Instant) -> Duration {
        self.past + self.live_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Time since this value was created.
    pub fn known(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.known_since)
    }

    /// Time since the camera was last live; zero while it is live, `None` before the first time.
    pub fn last_live_age(&self, now: Instant) -> Option<Duration> {
        match self.live_since {
            Some(_) => Some(Duration::ZERO),
            None => self.last_live.map(|at| now.saturating_duration_since(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn live_times_add_up_and_the_last_is_remembered() {
        let start = Instant::now();
        let mut uptime = Uptime::new(start);
        assert_eq!((uptime.live(start + SECOND), uptime.last_live_age(start + SECOND)), (Duration::ZERO, None));
        uptime.note(true, start + SECOND);
        uptime.note(true, start + 2 * SECOND);
        let at = start + 4 * SECOND;
        assert_eq!((uptime.live(at), uptime.last_live_age(at)), (3 * SECOND, Some(Duration::ZERO)));
        uptime.note(false, start + 5 * SECOND);
        uptime.note(false, start + 6 * SECOND);
        uptime.note(true, start + 10 * SECOND);
        uptime.note(false, start + 11 * SECOND);
        let at = start + 20 * SECOND;
        assert_eq!((uptime.live(at), uptime.known(at)), (5 * SECOND, 20 * SECOND));
        assert_eq!(uptime.last_live_age(at), Some(9 * SECOND));
    }
}
