//! The access units that one viewer has not taken yet.
//!
//! A slow viewer blocks nobody: its queue is limited in time and memory. Units that a decoder could
//! not use or would show too late are dropped, up to the next key frame. The unit data is shared
//! with the stream's group of pictures and all other queues.

use std::{collections::VecDeque, mem};

use crate::media::{AccessUnit, UnixMicros};

/// How old the oldest waiting unit may be, in microseconds, when a key frame arrives; older units
/// are dropped in favour of the key frame. Frames that the network delayed for less time arrive
/// late but complete.
const MAX_LAG: UnixMicros = 150_000;

/// How long a unit may wait for a viewer, in microseconds. After that, the queue continues at a key
/// frame.
const MAX_DELAY: UnixMicros = 2_000_000;

/// Maximum number of waiting units, beside the group that a new viewer is given and has not taken yet.
const MAX_UNITS: usize = 600;

/// Maximum number of waiting bytes, beside that group.
const MAX_BYTES: usize = 12 << 20;

#[derive(Debug)]
pub struct UnitQueue {
    units: VecDeque<AccessUnit>,
    bytes: usize,
    /// No unit is usable before the next key frame.
    awaits_key: bool,
    /// Units were dropped before the next one.
    gap: bool,
    /// The queue has been empty since it was filled with a group.
    caught_up: bool,
    /// Units and bytes of that group, until then.
    group: (usize, usize),
}

/// The next unit for a viewer.
#[derive(Clone, Debug, PartialEq)]
pub struct QueuedUnit {
    pub unit: AccessUnit,
    /// Units before this one were dropped.
    pub after_gap: bool,
}

impl UnitQueue {
    /// A queue that starts with `gop_cache`: a key frame and what follows it. If that is empty, it
    /// starts with the next key frame.
    pub fn new(gop_cache: &[AccessUnit]) -> Self {
        let bytes = gop_cache.iter().map(|unit| unit.data.len()).sum();
        Self {
            units: gop_cache.iter().cloned().collect(),
            bytes,
            awaits_key: gop_cache.is_empty(),
            gap: false,
            caught_up: false,
            group: (gop_cache.len(), bytes),
        }
    }

    /// Adds the newest unit. Returns how many units were dropped, including this one.
    pub fn push(&mut self, unit: &AccessUnit) -> u64 {
        let mut left_out = 0;
        let oldest = self.units.front().map_or(unit.taken, |oldest| oldest.taken);
        let lag = unit.taken.saturating_sub(oldest);
        if unit.key {
            if lag > MAX_LAG {
                left_out = self.empty();
            }
            self.awaits_key = false;
        } else if self.awaits_key {
            // Before the first key frame, nothing counts as missing.
            return u64::from(self.gap);
        }
        self.bytes += unit.data.len();
        self.units.push_back(unit.clone());
        let late = self.caught_up && !unit.key && lag > MAX_DELAY;
        let (units, bytes) = self.group;
        let is_full = self.units.len() > MAX_UNITS + units || self.bytes > MAX_BYTES + bytes;
        if late || (is_full && self.units.len() > 1) {
            left_out += self.empty();
        }
        left_out
    }

    /// Removes all units; the queue continues at a key frame.
    pub fn withdraw(&mut self) {
        self.empty();
        self.awaits_key = true;
    }

    fn empty(&mut self) -> u64 {
        let left_out = self.units.len() as u64;
        self.gap |= left_out > 0;
        self.awaits_key = true;
        self.units.clear();
        self.bytes = 0;
        self.group = (0, 0);
        left_out
    }

    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    pub fn take(&mut self) -> Option<QueuedUnit> {
        let unit = self.units.pop_front()?;
        self.bytes -= unit.data.len();
        if self.units.is_empty() {
            (self.caught_up, self.group) = (true, (0, 0));
        }
        Some(QueuedUnit { unit, after_gap: mem::take(&mut self.gap) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: UnixMicros = 40_000;

    fn unit(sequence: u32, key: bool, bytes: usize) -> AccessUnit {
        let taken = 1_000_000_000 + u64::from(sequence) * INTERVAL;
        AccessUnit { sequence, taken, key, damage: None, data: vec![0; bytes].into() }
    }

    /// Pushes units `from..to` with a key frame every `gop`; returns how many were dropped.
    fn push(unit_queue: &mut UnitQueue, from: u32, to: u32, gop: u32) -> u64 {
        (from..to).map(|sequence| unit_queue.push(&unit(sequence, sequence.is_multiple_of(gop), 1000))).sum()
    }

    fn all(unit_queue: &mut UnitQueue) -> Vec<(u32, bool)> {
        std::iter::from_fn(|| unit_queue.take()).map(|taken| (taken.unit.sequence, taken.after_gap)).collect()
    }

    #[test]
    fn new_viewer_is_given_the_group_and_then_every_unit() {
        let gop_cache: Vec<_> = (50..60).map(|sequence| unit(sequence, sequence == 50, 1000)).collect();
        let mut unit_queue = UnitQueue::new(&gop_cache);
        assert_eq!(push(&mut unit_queue, 60, 62, 50), 0);
        assert_eq!(all(&mut unit_queue), (50..62).map(|sequence| (sequence, false)).collect::<Vec<_>>());
    }

    #[test]
    fn viewer_without_a_group_begins_with_a_key_frame_and_misses_nothing() {
        let mut unit_queue = UnitQueue::new(&[]);
        assert_eq!(push(&mut unit_queue, 47, 52, 50), 0);
        assert_eq!(all(&mut unit_queue), [(50, false), (51, false)]);
    }

    #[test]
    fn slow_viewer_jumps_to_the_next_key_frame_and_sees_that_it_did() {
        let mut unit_queue = UnitQueue::new(&[unit(0, true, 1000)]);
        assert_eq!(all(&mut unit_queue), [(0, false)]);
        assert_eq!(push(&mut unit_queue, 1, 51, 50), 49);
        assert_eq!(all(&mut unit_queue), [(50, true)]);
        push(&mut unit_queue, 51, 52, 50);
        assert_eq!(all(&mut unit_queue), [(51, false)]);
    }

    #[test]
    fn units_held_back_for_a_moment_are_not_lost_to_a_key_frame() {
        let mut unit_queue = UnitQueue::new(&[unit(0, true, 1000)]);
        all(&mut unit_queue);
        assert_eq!(push(&mut unit_queue, 47, 51, 50), 0);
        assert_eq!(all(&mut unit_queue).len(), 4);
    }

    #[test]
    fn nothing_waits_for_longer_than_the_delay_once_the_group_is_taken() {
        let mut unit_queue = UnitQueue::new(&[unit(0, true, 1000)]);
        all(&mut unit_queue);
        let gop = 100_000;
        for sequence in 1..5000 {
            unit_queue.push(&unit(sequence, false, 1000));
            let oldest = unit_queue.units.front().map_or(sequence, |unit| unit.sequence);
            assert!(u64::from(sequence - oldest) * INTERVAL <= MAX_DELAY);
        }
        assert!(unit_queue.is_empty(), "it waits for a key frame");
        push(&mut unit_queue, gop, gop + 3, gop);
        assert_eq!(all(&mut unit_queue), [(gop, true), (gop + 1, false), (gop + 2, false)]);
    }

    #[test]
    fn sleeping_viewer_costs_bounded_memory() {
        let gop_cache: Vec<_> = (0..500).map(|sequence| unit(sequence, sequence == 0, 16_000)).collect();
        let mut unit_queue = UnitQueue::new(&gop_cache);
        for sequence in 500..5000 {
            unit_queue.push(&unit(sequence, sequence.is_multiple_of(1000), 100_000));
            assert!(unit_queue.bytes <= MAX_BYTES + 8_000_000 && unit_queue.units.len() <= MAX_UNITS + 500);
            assert_eq!(unit_queue.bytes, unit_queue.units.iter().map(|unit| unit.data.len()).sum::<usize>());
        }
    }

    #[test]
    fn group_of_minutes_reaches_a_new_viewer_whole() {
        let gop_cache: Vec<_> = (0..3000).map(|sequence| unit(sequence, sequence == 0, 10_000)).collect();
        let mut unit_queue = UnitQueue::new(&gop_cache);
        assert_eq!(push(&mut unit_queue, 3000, 3100, 100_000), 0);
        assert_eq!(all(&mut unit_queue).len(), 3100);
        assert_eq!(unit_queue.group, (0, 0));
    }

    #[test]
    fn withdrawn_units_are_not_found_and_what_follows_begins_with_a_key_frame() {
        let mut unit_queue = UnitQueue::new(&[unit(0, true, 1000), unit(1, false, 1000)]);
        unit_queue.withdraw();
        push(&mut unit_queue, 2, 52, 50);
        assert_eq!(all(&mut unit_queue), [(50, true), (51, false)]);
    }
}
