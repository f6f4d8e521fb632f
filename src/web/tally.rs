//! Counts what is held at the same time, up to a limit.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<AtomicUsize>);

/// One of those counted, until it is dropped.
#[derive(Debug)]
pub struct Counted(Arc<AtomicUsize>);

impl Tally {
    /// Counts one more; `None` where `limit` are counted already.
    pub fn enter(&self, limit: usize) -> Option<Counted> {
        let below = |count: usize| (count < limit).then_some(count + 1);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, below).ok()?;
        Some(Counted(Arc::clone(&self.0)))
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_is_free_again_when_its_holder_leaves() {
        let tally = Tally::default();
        let first = tally.enter(1);
        assert!(first.is_some() && tally.enter(1).is_none());
        drop(first);
        assert!(tally.enter(1).is_some());
        assert_eq!(tally.count(), 0);
    }
}
