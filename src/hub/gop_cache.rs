//! The newest group of pictures: the access units since the last key frame.

use crate::media::AccessUnit;

/// Maximum number of units: 20 s at 25 fps. Cameras with longer groups exist ("smart" codecs), but
/// a viewer should not have to decode more than this before the first picture.
const MAX_UNITS: usize = 500;

/// Maximum number of bytes: a 4K camera at 16 Mbit/s fills this in 4 s.
const MAX_BYTES: usize = 8 << 20;

/// Everything that a decoder needs to show the newest frame. It is empty until the first key frame,
/// and again when a group exceeds the limits.
#[derive(Debug, Default)]
pub struct GopCache {
    units: Vec<AccessUnit>,
    bytes: usize,
}

impl GopCache {
    /// Adds the newest unit; a key frame starts a new group. A group that exceeds the limits is
    /// dropped as a whole, because its units are useless without their start.
    pub fn push(&mut self, unit: &AccessUnit) {
        if unit.key {
            self.clear();
        } else if self.units.is_empty() {
            return;
        }
        self.bytes += unit.data.len();
        self.units.push(unit.clone());
        if self.units.len() > MAX_UNITS || self.bytes > MAX_BYTES {
            self.clear();
        }
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
        AccessUnit { sequence, taken: 0, key, data: vec![0; bytes].into() }
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
    fn group_beyond_its_bounds_is_dropped_until_the_next_key_frame() {
        let mut gop_cache = GopCache::default();
        gop_cache.push(&unit(0, true, MAX_BYTES));
        gop_cache.push(&unit(1, false, 1));
        assert!(gop_cache.units().is_empty());
        gop_cache.push(&unit(2, false, 1));
        assert!(gop_cache.units().is_empty());
        gop_cache.push(&unit(3, true, 1));
        for sequence in 4..2000 {
            gop_cache.push(&unit(sequence, false, 1));
            assert!(gop_cache.units().len() <= MAX_UNITS);
        }
    }
}
