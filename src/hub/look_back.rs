//! The last seconds of a stream, as the camera encoded them: what was there before somebody looked.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::media::AccessUnit;

/// The units of the last seconds, whole groups of pictures only. Empty unless it is allowed some time and memory.
#[derive(Debug, Default)]
pub struct LookBack {
    /// Each with the time at which it was published; a key frame first.
    units: VecDeque<(Instant, AccessUnit)>,
    bytes: usize,
    keep: Duration,
    most_bytes: usize,
    /// Something is missing since the last unit: nothing is kept until the next key frame.
    awaits_key: bool,
}

impl LookBack {
    /// Sets how long units are kept, and how many bytes they may take; no time keeps none.
    pub fn set_limits(&mut self, keep: Duration, most_bytes: usize) {
        (self.keep, self.most_bytes) = (keep, most_bytes);
        if keep.is_zero() {
            self.clear();
            self.units.shrink_to_fit();
        }
    }

    /// Keeps `unit`, which was published `now`, and forgets what is too old or too much, group by group.
    pub fn push(&mut self, unit: &AccessUnit, now: Instant) {
        if self.keep.is_zero() {
            return;
        }
        if unit.damage.is_some() {
            // A damaged picture would be shown without its mark.
            self.awaits_key = true;
            return;
        }
        if unit.key {
            self.awaits_key = false;
        } else if self.awaits_key || self.units.is_empty() {
            return;
        }
        self.bytes += unit.data.len();
        self.units.push_back((now, unit.clone()));
        while self.bytes > self.most_bytes || self.second_group_is_old(now) {
            self.forget_first_group();
        }
    }

    /// Nothing of what is kept goes on: the stream is another one.
    pub fn clear(&mut self) {
        self.units.clear();
        self.bytes = 0;
        self.awaits_key = true;
    }

    /// The units of the last `time`, with those before them that a decoder needs.
    pub fn last(&self, time: Duration, now: Instant) -> Vec<AccessUnit> {
        let is_old = |at: Instant| now.saturating_duration_since(at) > time;
        let first = self.units.iter().rposition(|(at, unit)| unit.key && is_old(*at)).unwrap_or(0);
        self.units.iter().skip(first).map(|(_, unit)| unit.clone()).collect()
    }

    /// Whether the group after the first one reaches back far enough alone.
    fn second_group_is_old(&self, now: Instant) -> bool {
        let second = self.units.iter().skip(1).find(|(_, unit)| unit.key);
        second.is_some_and(|(at, _)| now.saturating_duration_since(*at) >= self.keep)
    }

    fn forget_first_group(&mut self) {
        loop {
            match self.units.pop_front() {
                Some((_, unit)) => self.bytes -= unit.data.len(),
                // One group alone is too much: nothing until the next key frame.
                None => {
                    self.awaits_key = true;
                    return;
                }
            }
            if self.units.front().is_some_and(|(_, unit)| unit.key) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Damage;

    const SECOND: Duration = Duration::from_secs(1);

    fn unit(sequence: u32, key: bool) -> AccessUnit {
        AccessUnit { sequence, taken: 0, key, damage: None, data: vec![0; 100].into() }
    }

    fn sequences(units: &[AccessUnit]) -> Vec<u32> {
        units.iter().map(|unit| unit.sequence).collect()
    }

    /// A unit a second, every fifth of them a key frame.
    fn minute(look_back: &mut LookBack, start: Instant) {
        for second in 0..60 {
            look_back.push(&unit(second, second % 5 == 0), start + second * SECOND);
        }
    }

    #[test]
    fn last_seconds_are_kept_in_whole_groups() {
        let (mut look_back, start) = (LookBack::default(), Instant::now());
        minute(&mut look_back, start);
        assert!(look_back.last(60 * SECOND, start).is_empty(), "nobody wants any");
        look_back.set_limits(20 * SECOND, 1 << 20);
        minute(&mut look_back, start);
        let now = start + 59 * SECOND;
        assert_eq!(sequences(&look_back.last(60 * SECOND, now)), (35..60).collect::<Vec<_>>());
        assert_eq!(sequences(&look_back.last(7 * SECOND, now)), (50..60).collect::<Vec<_>>());
        assert_eq!(look_back.bytes, 25 * 100);
        look_back.set_limits(Duration::ZERO, 1 << 20);
        assert!(look_back.units.is_empty() && look_back.bytes == 0);
    }

    #[test]
    fn memory_is_bounded_also_where_one_group_is_too_large() {
        let (mut look_back, start) = (LookBack::default(), Instant::now());
        look_back.set_limits(60 * SECOND, 1250);
        minute(&mut look_back, start);
        assert_eq!(sequences(&look_back.last(60 * SECOND, start + 59 * SECOND)), (50..60).collect::<Vec<_>>());
        look_back.set_limits(60 * SECOND, 250);
        for sequence in 60..70 {
            look_back.push(&unit(sequence, sequence == 60), start);
            assert!(look_back.bytes <= 250);
        }
        assert!(look_back.units.is_empty());
        look_back.push(&unit(70, true), start);
        assert_eq!(look_back.units.len(), 1);
    }

    #[test]
    fn damaged_pictures_and_what_refers_to_them_are_not_kept() {
        let (mut look_back, start) = (LookBack::default(), Instant::now());
        look_back.set_limits(60 * SECOND, 1 << 20);
        look_back.push(&unit(1, false), start);
        look_back.push(&unit(2, true), start);
        let damage = Some(Damage { lost_permille: None });
        look_back.push(&AccessUnit { damage, ..unit(3, false) }, start);
        look_back.push(&unit(4, false), start);
        look_back.push(&unit(5, true), start);
        assert_eq!(sequences(&look_back.last(60 * SECOND, start)), [2, 5]);
        look_back.clear();
        look_back.push(&unit(6, false), start);
        assert!(look_back.units.is_empty());
    }
}
