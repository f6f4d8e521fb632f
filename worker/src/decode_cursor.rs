//! The newest group of pictures, kept so that a decoder can start at once, and the rule by which a
//! decoder follows it: the newest frame wins, and the delay never grows.

use std::collections::VecDeque;

use cctv_agent::media::{AccessUnit, MAX_GROUP_UNITS, UnixMicros};

/// A frame that arrived this much before the newest is decoded but not shown, in microseconds. At
/// 25 fps two frames may arrive together; more than that is a backlog.
pub const MAX_LAG: UnixMicros = 100_000;

/// A decoder that works off a backlog still shows a frame this much later than the last one shown,
/// in microseconds: an overloaded processor gives five pictures a second, not one per key frame.
pub const SELDOM: UnixMicros = 200_000;

/// A decoder that is this far behind skips to the next key frame, in microseconds. A group replayed
/// for a new viewer may be older.
pub const MAX_DELAY: UnixMicros = 1_000_000;

/// The access units since the newest key frame, and older ones that a decoder has not reached yet.
/// A decoder that joins a longer group than the limits allow waits for the next key frame.
pub struct Group {
    units: VecDeque<AccessUnit>,
    /// Number of the first unit kept; all units ever pushed are counted.
    first: u64,
    /// Number of the newest key frame, if it is still kept.
    key: Option<u64>,
    bytes: usize,
    most_bytes: usize,
}

impl Group {
    /// `most_bytes`: the maximum number of bytes kept, unless the newest unit alone is larger.
    pub fn new(most_bytes: usize) -> Self {
        Self { units: VecDeque::new(), first: 0, key: None, bytes: 0, most_bytes }
    }

    pub fn push(&mut self, unit: AccessUnit) {
        if unit.key {
            let horizon = unit.taken.saturating_sub(MAX_LAG);
            while self.units.front().is_some_and(|old| old.taken < horizon) {
                self.drop_oldest();
            }
            self.key = Some(self.end());
        }
        self.bytes += unit.data.len();
        self.units.push_back(unit);
        while self.units.len() > MAX_GROUP_UNITS || (self.bytes > self.most_bytes && self.units.len() > 1) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(old) = self.units.pop_front() {
            self.bytes -= old.data.len();
            if self.key == Some(self.first) {
                self.key = None;
            }
            self.first += 1;
        }
    }

    /// The number of the next unit.
    pub fn end(&self) -> u64 {
        self.first + self.units.len() as u64
    }

    fn get(&self, number: u64) -> Option<&AccessUnit> {
        let index = number.checked_sub(self.first)?;
        self.units.get(usize::try_from(index).ok()?)
    }
}

/// A decoder's position in a group.
pub struct DecodeCursor {
    /// Number of the unit to decode next; `None` while it waits for a key frame.
    next: Option<u64>,
    /// Key frames before this number cannot be used.
    not_before: u64,
    /// When the last shown unit was received; set once the decoder has caught up after its start.
    shown: Option<UnixMicros>,
    /// Number of units skipped so far.
    pub skipped: u64,
}

/// The next unit for a decoder.
#[derive(Debug, PartialEq)]
pub struct Step {
    pub unit: AccessUnit,
    /// Whether to make a picture: the unit is near enough to the newest, or the decoder is behind
    /// and has shown nothing for a while.
    pub show: bool,
    /// How many units came too late for a decoder that had caught up: those skipped before this one, and
    /// this one itself.
    pub late: u32,
}

impl DecodeCursor {
    /// The cursor of a decoder that has seen nothing yet.
    pub fn new() -> Self {
        Self { next: None, not_before: 0, shown: None, skipped: 0 }
    }

    /// The next unit to decode; `None` until the group grows.
    pub fn step(&mut self, decode_cursor: &Group) -> Option<Step> {
        let newest = decode_cursor.units.back()?.taken;
        // Before a jump begins anew.
        let had_caught_up = self.shown.is_some();
        let lag = |number| decode_cursor.get(number).map_or(0, |unit| newest.saturating_sub(unit.taken));
        let next = match self.next.filter(|&next| next >= decode_cursor.first) {
            Some(next) if next == decode_cursor.end() => return None,
            Some(next) => {
                let newer_key = decode_cursor.key.filter(|&key| key > next && lag(next) > MAX_LAG);
                if newer_key.is_none() && self.shown.is_some() && lag(next) > MAX_DELAY {
                    self.skipped += decode_cursor.end() - next;
                    self.await_key(decode_cursor.end());
                    return None;
                }
                newer_key.unwrap_or(next)
            }
            None => {
                self.shown = None;
                decode_cursor.key.filter(|&key| key >= self.not_before)?
            }
        };
        let skipped = self.next.map_or(0, |meant| next - meant);
        self.skipped += skipped;
        let unit = decode_cursor.get(next)?.clone();
        let is_near = newest.saturating_sub(unit.taken) <= MAX_LAG;
        let late = if had_caught_up { skipped + u64::from(!is_near) } else { 0 };
        let overdue = self.shown.is_some_and(|shown| unit.taken >= shown + SELDOM);
        let show = overdue || is_near;
        if show {
            self.shown = Some(unit.taken);
        }
        self.next = Some(next + 1);
        Some(Step { unit, show, late: u32::try_from(late).unwrap_or(u32::MAX) })
    }

    /// The last unit could not be decoded: continues with the next key frame.
    pub fn lost(&mut self) {
        let tried = self.next.unwrap_or(self.not_before);
        self.await_key(tried);
    }

    fn await_key(&mut self, not_before: u64) {
        self.next = None;
        self.not_before = not_before;
    }
}

impl Default for DecodeCursor {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_BYTES: usize = 20 << 20;

    /// A camera's group of pictures: a key frame every `gop` frames, 25 frames per second.
    struct Camera {
        decode_cursor: Group,
        gop: u32,
        sent: u32,
    }

    impl Camera {
        fn new(gop: u32) -> Self {
            Self { decode_cursor: Group::new(MAX_BYTES), gop, sent: 0 }
        }

        fn send(&mut self, frames: u32) {
            for _ in 0..frames {
                let taken = 1_000_000_000 + u64::from(self.sent) * 40_000;
                let key = self.sent.is_multiple_of(self.gop);
                self.decode_cursor.push(AccessUnit {
                    sequence: self.sent,
                    taken,
                    key,
                    damage: None,
                    data: vec![0; 1000].into(),
                });
                self.sent += 1;
            }
        }
    }

    fn all(follower: &mut DecodeCursor, decode_cursor: &Group) -> Vec<(u32, bool)> {
        std::iter::from_fn(|| follower.step(decode_cursor)).map(|step| (step.unit.sequence, step.show)).collect()
    }

    #[test]
    fn new_decoder_replays_the_group_and_shows_only_the_newest() {
        let mut camera = Camera::new(50);
        camera.send(60);
        let steps = all(&mut DecodeCursor::new(), &camera.decode_cursor);
        assert_eq!(steps.first(), Some(&(50, false)));
        assert_eq!(steps[steps.len() - 3..], [(57, true), (58, true), (59, true)]);
        assert_eq!(steps.len(), 10);
    }

    #[test]
    fn decoder_that_keeps_up_gets_every_frame_once() {
        let mut camera = Camera::new(10);
        let mut follower = DecodeCursor::new();
        let mut seen = Vec::new();
        for burst in [1, 1, 2, 1, 3, 1, 1, 2].into_iter().cycle().take(80) {
            camera.send(burst);
            seen.extend(all(&mut follower, &camera.decode_cursor));
        }
        let wanted: Vec<_> = (0..camera.sent).map(|sequence| (sequence, true)).collect();
        assert_eq!(seen, wanted);
        assert_eq!(follower.skipped, 0);
    }

    #[test]
    fn decoder_that_falls_behind_jumps_to_the_next_key_frame() {
        let mut camera = Camera::new(20);
        let mut follower = DecodeCursor::new();
        camera.send(5);
        all(&mut follower, &camera.decode_cursor);
        camera.send(20);
        let steps = all(&mut follower, &camera.decode_cursor);
        assert_eq!(steps.first().map(|step| step.0), Some(20));
        assert_eq!(steps.last(), Some(&(24, true)));
        assert_eq!(follower.skipped, 15);
    }

    #[test]
    fn slow_decoder_in_a_long_group_shows_five_a_second_until_it_is_a_second_late() {
        // Half as fast as the camera.
        let mut camera = Camera::new(250);
        let mut follower = DecodeCursor::new();
        let mut shown = Vec::new();
        for _ in 0..125 {
            camera.send(2);
            if let Some(step) = follower.step(&camera.decode_cursor) {
                assert!(u64::from(camera.sent - 1 - step.unit.sequence) * 40_000 <= MAX_DELAY);
                if step.show {
                    shown.push(step.unit.sequence);
                }
            }
        }
        assert_eq!(shown, [0, 1, 6, 11, 16, 21], "the first near the newest, then each fifth, then none");
        let seen = (0..10).find_map(|_| {
            camera.send(2);
            follower.step(&camera.decode_cursor)
        });
        assert_eq!(seen.map(|step| (step.unit.sequence, step.show)), Some((250, true)), "the next key frame");
    }

    #[test]
    fn slow_decoder_is_late_and_one_that_catches_up_at_first_is_not() {
        for gop in [1, 250] {
            let mut camera = Camera::new(gop);
            camera.send(100);
            let mut follower = DecodeCursor::new();
            let late = |follower: &mut DecodeCursor, camera: &Camera| -> u32 {
                std::iter::from_fn(|| follower.step(&camera.decode_cursor)).map(|step| step.late).sum()
            };
            assert_eq!(late(&mut follower, &camera), 0, "the group that was joined");
            camera.send(3);
            assert_eq!(late(&mut follower, &camera), 0, "frames that arrive together");
            camera.send(10);
            assert_eq!(late(&mut follower, &camera), if gop == 1 { 9 } else { 7 }, "skipped, or not near the newest");
        }
    }

    #[test]
    fn slow_decoder_never_falls_silent_where_key_frames_are_frequent() {
        let mut camera = Camera::new(25);
        let mut follower = DecodeCursor::new();
        let mut pauses = Vec::new();
        let mut last = 0;
        for _ in 0..1000 {
            camera.send(2);
            if let Some(step) = follower.step(&camera.decode_cursor).filter(|step| step.show) {
                pauses.push(step.unit.sequence - last);
                last = step.unit.sequence;
            }
        }
        let worst = pauses.iter().max();
        assert!(pauses.len() > 300 && worst <= Some(&14), "{} shown, {worst:?} frames apart", pauses.len());
    }

    #[test]
    fn undecodable_unit_waits_for_the_next_key_frame() {
        let mut camera = Camera::new(10);
        let mut follower = DecodeCursor::new();
        camera.send(13);
        all(&mut follower, &camera.decode_cursor);
        follower.lost();
        camera.send(3);
        assert_eq!(follower.step(&camera.decode_cursor), None);
        camera.send(5);
        assert_eq!(follower.step(&camera.decode_cursor).map(|step| step.unit.sequence), Some(20));
    }

    #[test]
    fn decoder_joins_a_group_of_a_minute() {
        let mut camera = Camera::new(1500);
        camera.send(1501 + 1400);
        let steps = all(&mut DecodeCursor::new(), &camera.decode_cursor);
        assert_eq!((steps.first(), steps.last()), (Some(&(1500, false)), Some(&(2900, true))));
        assert_eq!(steps.len(), 1401);
    }

    #[test]
    fn endless_group_is_bounded_and_cannot_be_joined() {
        let mut camera = Camera::new(u32::MAX);
        camera.send(1);
        let mut follower = DecodeCursor::new();
        for _ in 0..2 * MAX_GROUP_UNITS {
            camera.send(1);
            all(&mut follower, &camera.decode_cursor);
        }
        assert_eq!(camera.decode_cursor.units.len(), MAX_GROUP_UNITS);
        assert_eq!(DecodeCursor::new().step(&camera.decode_cursor), None, "its beginning is gone");
        camera.send(1);
        assert!(follower.step(&camera.decode_cursor).is_some(), "who was there follows on");
        for _ in 0..3 {
            let data = vec![0; MAX_BYTES / 2 + 1].into();
            camera.decode_cursor.push(AccessUnit { sequence: 0, taken: 0, key: false, damage: None, data });
        }
        assert!(camera.decode_cursor.bytes <= MAX_BYTES);
    }
}
