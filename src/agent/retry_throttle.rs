//! How soon a reload makes a camera that is away be tried again.
//!
//! A reload means that somebody may have mended something. A script that sends a hundred of them must
//! neither hammer a camera nor have it lock the account.

use std::time::{Duration, Instant};

/// Between two attempts that reloads bring forward, for a camera that is merely away.
const BETWEEN: Duration = Duration::from_secs(2);

/// The same for a camera that refuses the login: it may count.
const BETWEEN_LOGINS: Duration = Duration::from_secs(20);

/// One camera's.
#[derive(Debug, Default)]
pub struct RetryThrottle {
    given: Option<Instant>,
    owed: bool,
}

impl RetryThrottle {
    /// A reload says that something may have been mended.
    pub fn request(&mut self) {
        self.owed = true;
    }

    /// Whether the camera is to be tried now; `is_denied` where it refused the login. What is not due yet
    /// stays owed.
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
