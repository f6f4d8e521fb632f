//! The newest group of pictures: the access units since the last key frame.

use crate::media::{AccessUnit, MAX_GROUP_UNITS};

/// Maximum number of bytes, unless the configuration sets another.
const USUAL_BYTES: usize = 8 << 20;

/// Everything that a decoder needs to show the newest frame. It is empty until the first key frame,
/// and again when a group exceeds the limits.
#[derive(Debug)]
pub struct GopCache {
    units: Vec<AccessUnit>,
    bytes: usize,
    most_bytes: usize,
}

impl Default for GopCache {
    fn default() -> Self {
        Self { units: Vec::new(), bytes: 0, most_bytes: USUAL_BYTES }
    }
}

impl GopCache {
    /// Adds the newest unit; a key frame starts a new group. A group that exceeds the limits is
    /// dropped as a whole, because its units are useless without their start. Returns whether that has happened now.
    pub fn push(&mut self, unit: &AccessUnit) -> bool {
        if unit.key {
            self.clear();
        } else if self.units.is_empty() {
            return false;
        }
        self.bytes += unit.data.len();
        self.units.push(unit.clone());
        let is_outgrown = self.units.len() > MAX_GROUP_UNITS || self.bytes > self.most_bytes;
        if is_outgrown {
            self.clear();
        }
        is_outgrown
    }

    /// Sets the maximum number of bytes, from the next unit on.
    pub fn set_limit(&mut self, most_bytes: usize) {
        self.most_bytes = most_bytes;
    }

    /// The maximum number of bytes.
    pub fn limit(&self) -> usize {
        self.most_bytes
    }

    pub fn clear(&mut self) {
        self.units.clear();
        self.bytes = 0;
    }

    /// From the key frame on, oldest first.
    pub fn units(&self) -> &[AccessUnit] {
        &self.units
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(sequence: u32, key: bool, bytes: usize) -> AccessUnit {
        AccessUnit { sequence, taken: 0, key, damage: None, data: vec![0; bytes].into() }
    }

    #[test]
    fn group_begins_with_a_key_frame() {
        let mut gop_cache = GopCache::default();
        gop_cache.push(&unit(0, false, 9));
        assert!(gop_cache.units().is_empty());
        gop_cache.push(&unit(1, true, 100));
        gop_cache.push(&unit(2, false, 10));
        assert_eq!((gop_cache.units().len(), gop_cache.bytes()), (2, 110));
        gop_cache.push(&unit(3, true, 100));
        assert_eq!(gop_cache.units()[0].sequence, 3);
        assert_eq!(gop_cache.bytes(), 100);
    }

    #[test]
    fn group_of_many_bytes_is_dropped_until_the_next_key_frame() {
        let mut gop_cache = GopCache::default();
        gop_cache.push(&unit(0, true, USUAL_BYTES));
        gop_cache.push(&unit(1, false, 1));
        assert!(gop_cache.units().is_empty());
        gop_cache.push(&unit(2, false, 1));
        assert!(gop_cache.units().is_empty());
        gop_cache.set_limit(USUAL_BYTES + 1);
        gop_cache.push(&unit(3, true, USUAL_BYTES));
        gop_cache.push(&unit(4, false, 1));
        assert_eq!(gop_cache.units().len(), 2);
        gop_cache.set_limit(1000);
        gop_cache.push(&unit(5, false, 1));
        assert!(gop_cache.units().is_empty(), "a lower limit applies to the group that is kept");
    }

    #[test]
    fn group_of_minutes_is_kept_and_an_endless_one_is_not() {
        let mut gop_cache = GopCache::default();
        gop_cache.push(&unit(0, true, 100_000));
        // Two minutes of a smart codec at 25 fps and 0.3 Mbit/s.
        for sequence in 1..3000 {
            gop_cache.push(&unit(sequence, false, 1500));
        }
        assert_eq!(gop_cache.units().len(), 3000);
        let mut gop_cache = GopCache::default();
        gop_cache.push(&unit(0, true, 1));
        for sequence in 1..=MAX_GROUP_UNITS as u32 {
            assert_eq!(gop_cache.units().len(), sequence as usize);
            gop_cache.push(&unit(sequence, false, 1));
        }
        assert!(gop_cache.units().is_empty());
    }
}
