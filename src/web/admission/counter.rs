//! Counts what is held at the same time, up to a limit.

use crate::{
    sync::{Mutex, MutexGuard},
    users::address_prefix,
};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

#[derive(Clone, Debug, Default)]
pub struct LimitedCounter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    held: AtomicUsize,
    refused: AtomicU64,
}

/// Counts as one until it is dropped.
#[derive(Debug)]
pub struct Permit(Arc<Counts>);

impl LimitedCounter {
    /// Counts one more; `None` if `limit` or more are counted already.
    pub fn enter(&self, limit: usize) -> Option<Permit> {
        let below = |count: usize| (count < limit).then_some(count + 1);
        if self.0.held.fetch_update(Ordering::AcqRel, Ordering::Acquire, below).is_err() {
            self.0.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(Permit(Arc::clone(&self.0)))
    }

    pub fn count(&self) -> usize {
        self.0.held.load(Ordering::Acquire)
    }

    /// How often [`LimitedCounter::enter`] returned `None`.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The same, counted for each address separately.
#[derive(Clone, Debug, Default)]
pub struct PerAddressCounter(Arc<Addresses>);

#[derive(Debug, Default)]
struct Addresses {
    held: Mutex<BTreeMap<IpAddr, usize>>,
    refused: AtomicU64,
}

/// Counts as one at its address until it is dropped.
#[derive(Debug)]
pub struct AddressPermit {
    addresses: Arc<Addresses>,
    at: IpAddr,
}

impl PerAddressCounter {
    /// Counts one more at `address`; `None` if `limit` or more are counted there already.
    pub fn enter(&self, address: IpAddr, limit: usize) -> Option<AddressPermit> {
        let at = address_prefix(address);
        let mut held = self.0.held();
        let count = held.entry(at).or_default();
        if *count >= limit {
            self.0.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *count += 1;
        Some(AddressPermit { addresses: Arc::clone(&self.0), at })
    }

    /// How often [`PerAddressCounter::enter`] returned `None`.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}

impl Addresses {
    fn held(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.held.lock()
    }
}

impl AddressPermit {
    /// Whether it counts for `address`.
    pub fn is_of(&self, address: IpAddr) -> bool {
        self.at == address_prefix(address)
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut held = self.addresses.held();
        if let Some(count) = held.get_mut(&self.at) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_is_free_again_when_its_holder_leaves() {
        let counter = LimitedCounter::default();
        let first = counter.enter(1);
        assert!(first.is_some() && counter.enter(1).is_none());
        drop(first);
        assert!(counter.enter(1).is_some());
        assert_eq!((counter.count(), counter.refused()), (0, 1));
    }

    #[test]
    fn lower_limit_lets_nobody_in_and_nobody_out() {
        let counter = LimitedCounter::default();
        let held = [counter.enter(2), counter.enter(2)];
        assert!(counter.enter(1).is_none());
        assert_eq!(counter.count(), held.len());
    }

    #[test]
    fn addresses_are_counted_apart_and_forgotten() {
        let counter = PerAddressCounter::default();
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = counter.enter(at("10.0.0.1"), 1);
        assert!(first.is_some() && counter.enter(at("::ffff:10.0.0.1"), 1).is_none());
        assert!(counter.enter(at("10.0.0.2"), 1).is_some());
        let six = counter.enter(at("2001:db8::1"), 1);
        assert!(six.is_some() && counter.enter(at("2001:db8::2"), 1).is_none(), "the same /64");
        assert!(counter.enter(at("2001:db8:0:1::1"), 1).is_some());
        drop((first, six));
        assert!(counter.0.held().is_empty());
        assert_eq!(counter.refused(), 2);
    }
}
