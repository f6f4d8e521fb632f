//! Limits how many datagrams are read: enough for every network, too few for a flood to matter.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::rate_window::RateWindow;

/// Maximum datagrams of one sender per second. A camera answers four
/// repeats of four probes, maybe twice.
const MAX_OF_ONE: u32 = 64;
/// Maximum datagrams of all senders per second.
const MAX_OF_ALL: u64 = 2048;

/// Counts datagrams by sender within a second.
#[derive(Debug)]
pub struct RateLimiter {
    all: RateWindow,
    senders: HashMap<IpAddr, u32>,
}

impl RateLimiter {
    pub fn new() -> Self {
        Self { all: RateWindow::new(Duration::from_secs(1)), senders: HashMap::new() }
    }

    /// Whether to read a datagram of `sender` that arrived at `now`.
    pub fn admits(&mut self, sender: IpAddr, now: Instant) -> bool {
        if self.all.roll(now) {
            self.senders.clear();
        }
        if self.all.add(1, now) > MAX_OF_ALL {
            return false;
        }
        let count = self.senders.entry(sender).or_insert(0);
        *count += 1;
        *count <= MAX_OF_ONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_loud_sender_drowns_no_other() {
        let start = Instant::now();
        let mut rate_limiter = RateLimiter::new();
        let ip = |last: u8| IpAddr::from([10, 0, 0, last]);
        let admitted = (0..1000).filter(|_| rate_limiter.admits(ip(1), start)).count();
        assert_eq!(admitted, MAX_OF_ONE as usize);
        assert!(rate_limiter.admits(ip(2), start));
        assert!(rate_limiter.admits(ip(1), start + Duration::from_secs(1)), "a new second");
    }

    #[test]
    fn many_senders_together_are_bounded() {
        let start = Instant::now();
        let mut rate_limiter = RateLimiter::new();
        let senders = (0..20_000_u32).map(|n| IpAddr::from(n.to_be_bytes()));
        assert_eq!(senders.filter(|sender| rate_limiter.admits(*sender, start)).count(), MAX_OF_ALL as usize);
    }
}
