//! Failed logins by address, and how long an address has to wait. The caller says what time it is.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use crate::rate_window::RateWindow;

/// Failures without a wait, for people who mistype.
const FREE: u32 = 5;

/// Maximum wait.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// A failure is forgotten after this time without another one.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60 * 60);

/// Maximum number of addresses that are remembered.
const MAX_ADDRESSES: usize = 4096;

/// With more failures than this within [`WINDOW`], whatever their addresses, each one costs
/// [`COST_IN_A_CROWD`].
const MAX_IN_WINDOW: u64 = 50;
const WINDOW: Duration = Duration::from_secs(60);
const COST_IN_A_CROWD: Duration = Duration::from_secs(1);

/// The failures that are remembered. Loopback never waits: whoever is there owns the machine's screen.
#[derive(Debug)]
pub(super) struct Failures {
    by_address: BTreeMap<IpAddr, Failed>,
    /// Those of all addresses.
    recent: RateWindow,
}

impl Default for Failures {
    fn default() -> Self {
        Self { by_address: BTreeMap::new(), recent: RateWindow::new(WINDOW) }
    }
}

#[derive(Debug)]
struct Failed {
    count: u32,
    last: Instant,
    wait: Duration,
}

impl Failures {
    /// # Errors
    /// How long this address has to wait before another login of it is looked at.
    pub(super) fn check(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        if address.to_canonical().is_loopback() {
            return Ok(());
        }
        let Some(failed) = self.by_address.get(&address_prefix(address)) else { return Ok(()) };
        let left = failed.wait.saturating_sub(now.saturating_duration_since(failed.last));
        if left.is_zero() { Ok(()) } else { Err(left) }
    }

    /// Notes a failure; returns how long the address has to wait now.
    pub(super) fn note(&mut self, address: IpAddr, now: Instant) -> Option<Duration> {
        if address.to_canonical().is_loopback() {
            return None;
        }
        let prefix = address_prefix(address);
        let is_crowded = self.recent.add(1, now) > MAX_IN_WINDOW;
        if !self.by_address.contains_key(&prefix) && self.by_address.len() >= MAX_ADDRESSES {
            self.make_room(now);
        }
        let failed = self.by_address.entry(prefix).or_insert(Failed { count: 0, last: now, wait: Duration::ZERO });
        if now.saturating_duration_since(failed.last) >= FORGOTTEN_AFTER {
            failed.count = 0;
        }
        failed.count = failed.count.saturating_add(1);
        failed.last = now;
        failed.wait = wait(failed.count).max(if is_crowded { COST_IN_A_CROWD } else { Duration::ZERO });
        Some(failed.wait).filter(|wait| !wait.is_zero())
    }

    /// Forgets the failures of an address from which a login succeeded.
    pub(super) fn forget(&mut self, address: IpAddr) {
        self.by_address.remove(&address_prefix(address));
    }

    /// Forgets what is old, and else the address whose last failure is the oldest.
    fn make_room(&mut self, now: Instant) {
        self.by_address.retain(|_, failed| now.saturating_duration_since(failed.last) < FORGOTTEN_AFTER);
        if self.by_address.len() >= MAX_ADDRESSES {
            let oldest = self.by_address.iter().min_by_key(|(_, failed)| failed.last).map(|(address, _)| *address);
            oldest.and_then(|address| self.by_address.remove(&address));
        }
    }
}

fn wait(count: u32) -> Duration {
    let Some(beyond) = count.checked_sub(FREE + 1) else { return Duration::ZERO };
    Duration::from_secs(1 << beyond.min(6)).min(MAX_WAIT)
}

/// The part of the address that is counted: one machine may own a whole /64 of IPv6.
pub fn address_prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn five_failures_are_free_and_then_the_wait_doubles_up_to_a_minute() {
        let (mut failures, mut now) = (Failures::default(), Instant::now());
        let address = ip("10.0.0.7");
        let waits: Vec<Option<u64>> = (0..14)
            .map(|_| {
                let wait = failures.note(address, now);
                assert_eq!(failures.check(address, now).err(), wait);
                now += wait.unwrap_or_default();
                assert_eq!(failures.check(address, now), Ok(()), "the wait is over");
                wait.map(|wait| wait.as_secs())
            })
            .collect();
        let after = [1, 2, 4, 8, 16, 32, 60, 60, 60].map(Some);
        assert_eq!(waits, [[None; 5].as_slice(), &after].concat());
        assert_eq!(failures.check(ip("10.0.0.8"), now), Ok(()), "no other address waits");
    }

    #[test]
    fn success_and_an_hour_forget() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        let address = ip("10.0.0.7");
        for _ in 0..6 {
            failures.note(address, now);
        }
        assert_eq!(failures.check(address, now), Err(secs(1)));
        failures.forget(address);
        assert_eq!(failures.check(address, now), Ok(()));
        for _ in 0..6 {
            failures.note(address, now);
        }
        assert_eq!(failures.note(address, now + FORGOTTEN_AFTER), None);
    }

    #[test]
    fn one_network_of_ipv6_is_one_address_and_loopback_never_waits() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        for n in 0..6 {
            failures.note(ip(&format!("2001:db8::{n}")), now);
            for own in ["127.0.0.1", "::1", "::ffff:127.0.0.2"] {
                assert_eq!(failures.note(ip(own), now), None);
                assert_eq!(failures.check(ip(own), now), Ok(()));
            }
        }
        assert_eq!(failures.check(ip("2001:db8::ffff"), now), Err(secs(1)));
        assert_eq!(failures.check(ip("2001:db8:0:1::1"), now), Ok(()));
        for _ in 0..6 {
            failures.note(ip("::ffff:10.0.0.7"), now);
        }
        assert_eq!(failures.check(ip("10.0.0.7"), now), Err(secs(1)));
    }

    #[test]
    fn each_failure_costs_a_second_while_many_addresses_fail() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        let waits: Vec<_> = (0..60).map(|n| failures.note(ip(&format!("10.0.1.{n}")), now)).collect();
        assert!(waits[..50].iter().all(Option::is_none) && waits[50..].iter().all(|wait| *wait == Some(secs(1))));
        assert_eq!(failures.note(ip("10.0.2.1"), now + WINDOW), None, "a minute later there is room again");
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_address_goes_first() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        let address = |n: u32| IpAddr::from((0x0a00_0000 + n).to_be_bytes());
        for n in 0..MAX_ADDRESSES as u32 + 10 {
            failures.note(address(n), now + Duration::from_millis(u64::from(n)));
        }
        assert_eq!(failures.by_address.len(), MAX_ADDRESSES);
        assert!(!failures.by_address.contains_key(&address(9)) && failures.by_address.contains_key(&address(10)));
    }
}
