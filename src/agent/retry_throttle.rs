//! Limits how soon a reload makes an offline camera be tried again.
//!
//! A reload means that somebody may have fixed something. A script that sends a hundred reloads
//! must neither flood a camera nor make it lock the account.

use std::time::{Duration, Instant};

/// Pause between two attempts caused by reloads, for a camera that is offline.
const BETWEEN: Duration = Duration::from_secs(2);

/// The same for a camera that refuses the login: it may count attempts.
const BETWEEN_LOGINS: Duration = Duration::from_secs(20);

/// The throttle of one camera.
#[derive(Debug, Default)]
pub struct RetryThrottle {
    given: Option<Instant>,
    owed: bool,
}

impl RetryThrottle {
    /// Requests an attempt: a reload says that something may have been fixed.
    pub fn request(&mut self) {
        self.owed = true;
    }

    /// Whether the camera is to be tried now; `is_denied` if it refused the login. A request that
    /// is not due yet stays pending.
    pub fn poll(&mut self, is_denied: bool, now: Instant) -> bool {
        let between = if is_denied { BETWEEN_LOGINS } else { BETWEEN };
        let too_soon = self.given.is_some_and(|given| now.saturating_duration_since(given) < between);
        if !self.owed || too_soon {
            return false;
        }
        *self = Self { given: Some(now), owed: false };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundred_reloads_bring_two_attempts_forward() {
        let start = Instant::now();
        let mut retry_throttle = RetryThrottle::default();
        let mut given = Vec::new();
        for tenth in 0..400 {
            if tenth < 100 {
                retry_throttle.request();
            }
            if retry_throttle.poll(true, start + Duration::from_millis(100 * tenth)) {
                given.push(tenth);
            }
        }
        assert_eq!(given, [0, 200], "the first at once, all others together when the camera may have calmed down");
        assert!(!retry_throttle.poll(false, start + Duration::from_secs(3600)), "nothing without a reload");
    }
}
