//! Reproducible random numbers: the same seed gives the same numbers. The machine's timing still
//! differs between runs.

use std::{ops::RangeInclusive, time::Duration};

/// SplitMix64 (Steele, Lea, Flood 2014): one number of state, good enough for choices.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of `0..below`; 0 if `below` is 0.
    pub fn below(&mut self, below: usize) -> usize {
        usize::try_from(self.next() % (below.max(1) as u64)).unwrap_or(0)
    }

    /// One of `things`, `None` if there are none.
    pub fn of<'a, T>(&mut self, things: &'a [T]) -> Option<&'a T> {
        let n = self.below(things.len());
        things.get(n)
    }

    pub fn milliseconds(&mut self, range: RangeInclusive<u64>) -> Duration {
        let width = range.end() - range.start() + 1;
        Duration::from_millis(range.start() + self.next() % width)
    }

    /// An independent generator for another thread.
    pub fn child(&mut self) -> Self {
        Self(self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_gives_the_same_numbers_within_the_range() {
        let numbers = |seed| {
            let mut rng = Rng::new(seed);
            (0..50).map(|_| rng.milliseconds(2000..=20000).as_millis()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
        assert!(numbers(7).iter().all(|n| (2000..=20000).contains(n)));
        assert_eq!(Rng::new(1).of::<u8>(&[]), None);
    }
}
