//! Finds out how old the first units of a session are.
//!
//! A camera or recorder may begin with units that it has kept: those of its newest group of pictures, or one of the
//! time before it froze. They come faster than their RTP times say. Nothing shows that of the first unit alone, so the
//! first ones are held until the pace is that of the times. Later ones pass: cameras' times jump too often to judge a
//! whole session by them, and a unit that was delayed is at most as old as the silence before it.

use std::time::{Duration, Instant};

use super::{MAX_UNIT_LEN, Unit, micros_between};

/// The pace is believed once no unit has come too early for this long. It holds up a camera of 25 frames/s for four
/// frames, and one of 6 frames/s or less for one.
const SETTLE: Duration = Duration::from_millis(150);

/// Jitter: units that come earlier than their times by less than this are not too early.
const JITTER: i64 = 50_000;

/// A unit that comes later than its time by less than this is not old. Times of B-frames go back by less.
const NOT_OLD: i64 = 500_000;

/// Longest time that units are held. A camera whose clock is too fast always seems to catch up.
const LONGEST: Duration = Duration::from_secs(10);

/// Most units that are held.
const MAX_UNITS: usize = 1024;

/// Steps of the RTP time that are believed, in microseconds. Some cameras' times are hours off now and then (R86).
const BELIEVED_STEPS: std::ops::RangeInclusive<i64> = -5_000_000..=600_000_000;

/// What becomes of a unit.
#[derive(Debug)]
pub enum Passage {
    /// It is held until its age is known.
    Held,
    /// The ages of all that were held are known: [`Unit::received_at`] is now the earliest time at which each can have
    /// come. The last one is the unit itself.
    Settled(Vec<Unit>),
    /// The unit, as it came.
    Passed(Unit),
}

/// The beginning of one session.
#[derive(Debug)]
pub struct Backlog {
    clock_rate: u32,
    /// When the first unit came.
    first_at: Option<Instant>,
    /// The time and the arrival of the newest unit.
    newest: Option<(u32, Instant)>,
    /// How much later than its time the newest unit came, in microseconds; the first one has 0.
    lag: i64,
    /// The least lag so far. A unit that has more is older by the difference.
    least: i64,
    /// The least lag when a unit last came too early, and when that was.
    early: Option<(i64, Instant)>,
    held: Vec<(Unit, i64)>,
    held_bytes: usize,
    is_over: bool,
}

impl Backlog {
    /// `clock_rate`: of the RTP times, per second.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            first_at: None,
            newest: None,
            lag: 0,
            least: 0,
            early: None,
            held: Vec::new(),
            held_bytes: 0,
            is_over: false,
        }
    }

    /// Takes the next unit.
    pub fn pass(&mut self, unit: Unit) -> Passage {
        if self.is_over {
            return Passage::Passed(unit);
        }
        let at = unit.received_at;
        self.note(unit.rtp_time, at);
        self.held_bytes += unit.data.len();
        self.held.push((unit, self.lag));
        let (_, early_at) = *self.early.get_or_insert((0, at));
        let is_long = at.saturating_duration_since(*self.first_at.get_or_insert(at)) >= LONGEST;
        let is_settled = at.saturating_duration_since(early_at) >= SETTLE;
        self.is_over = is_settled || is_long || self.held.len() >= MAX_UNITS || self.held_bytes > MAX_UNIT_LEN;
        if !self.is_over {
            return Passage::Held;
        }
        let least = self.least;
        let settled = std::mem::take(&mut self.held).into_iter().map(|(mut unit, lag)| {
            let age = u64::try_from(lag - least).ok().filter(|_| lag - least >= NOT_OLD).map(Duration::from_micros);
            unit.received_at = age.and_then(|age| unit.received_at.checked_sub(age)).unwrap_or(unit.received_at);
            unit
        });
        Passage::Settled(settled.collect())
    }

    /// Compares the steps of the times and of the arrivals.
    fn note(&mut self, time: u32, at: Instant) {
        let Some((last_time, last_at)) = self.newest.replace((time, at)) else { return };
        let passed = i64::try_from(at.saturating_duration_since(last_at).as_micros()).unwrap_or(i64::MAX);
        let step = micros_between(last_time, time, self.clock_rate);
        let step = if BELIEVED_STEPS.contains(&step) { step } else { passed };
        self.lag = self.lag.saturating_add(passed - step);
        self.least = self.least.min(self.lag);
        if self.early.is_none_or(|(least, _)| self.lag < least - JITTER) {
            self.early = Some((self.lag, at));
        }
    }
}
