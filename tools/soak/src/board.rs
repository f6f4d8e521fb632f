//! The states and pictures that a viewer of the whole wall received, by camera, and what was wrong.
//!
//! Two checks run all the time. A **lie** is a tile that says live while its newest picture is too
//! old by the burnt-in clock. A **disturbance** is a camera that stops being live although no fault
//! was set.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Pictures kept per camera: some minutes, far more than an incident lasts.
const MAX_SEEN: usize = 4000;
const MAX_REPORTED: usize = 1000;

/// Longest gap between two frames that counts as going on: the cameras send ten a second.
const MAX_UNIT_GAP: Duration = Duration::from_secs(1);

/// Maximum number of remarks kept; more are only counted.
const MAX_REMARKS: usize = 200;

/// A state as the viewer received it.
#[derive(Clone, Debug)]
pub struct StateReport {
    pub at: Instant,
    pub state: String,
    pub why: String,
}

impl StateReport {
    pub fn is_live(&self) -> bool {
        self.state == "live"
    }
}

/// A picture, as it arrived at the viewer.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub at: Instant,
    /// The clock in the picture, Unix milliseconds.
    pub taken: u64,
}

/// All that was received of one camera.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    pub reports: VecDeque<StateReport>,
    pub seen: VecDeque<Seen>,
    /// The clock of the picture on the tile; a page removes the picture when the state is not live.
    shown: Option<u64>,
    touch: Touch,
    /// When the last picture with an unreadable clock arrived.
    damaged: Option<Instant>,
    lies: bool,
    last_seen: Option<Instant>,
    /// When the last frame of the untouched video arrived.
    last_unit: Option<Instant>,
    /// Whether frames must come whatever happens to the pictures.
    expects_units: bool,
}

impl Sight {
    pub fn live_since(&self) -> Option<Instant> {
        let run = self.reports.iter().rev().take_while(|reports| reports.is_live());
        run.last().map(|reports| reports.at)
    }
}

/// What the soak is doing to a camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Touch {
    /// Nothing: it is live, and its pictures come steadily.
    #[default]
    None,
    /// A change after which it must stay live.
    Gentle,
    /// A fault that may end its live state.
    Rough,
}

/// A violation.
#[derive(Clone, Debug)]
pub struct Remark {
    pub at: Instant,
    pub what: String,
}

#[derive(Default)]
struct Inner {
    sights: BTreeMap<String, Sight>,
    lies: Vec<Remark>,
    disturbances: Vec<Remark>,
    others: Vec<Remark>,
    pictures: u64,
    damaged: u64,
    oldest: Duration,
    longest_gap: (Duration, String),
}

/// Shared by all viewers.
pub struct Board {
    inner: Mutex<Inner>,
    /// The age at which a picture shown as live counts as a lie.
    bound: Duration,
}

/// Totals for the report.
pub struct Summary {
    pub lies: Vec<Remark>,
    pub disturbances: Vec<Remark>,
    pub others: Vec<Remark>,
    pub pictures: u64,
    /// Pictures whose clock could not be read. They make no tile younger.
    pub damaged: u64,
    /// The greatest age of a picture that was shown as live.
    pub oldest: Duration,
    /// The longest gap between two pictures of an undisturbed camera, and the camera's name.
    pub longest_gap: (Duration, String),
}

impl Board {
    pub fn new(bound: Duration) -> Self {
        Self { inner: Mutex::default(), bound }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called when the tile of `camera` received a state.
    pub fn reports(&self, camera: &str, reports: StateReport) {
        let mut inner = self.inner();
        let sight = inner.sights.entry(camera.to_owned()).or_default();
        let was_live = sight.reports.back().is_some_and(StateReport::is_live);
        let disturbed = was_live && !reports.is_live() && sight.touch != Touch::Rough;
        if !reports.is_live() || !was_live {
            sight.shown = None;
            sight.lies = false;
            sight.last_seen = None;
        }
        let remark = Remark { at: reports.at, what: format!("{camera}: {}: {}", reports.state, reports.why) };
        sight.reports.push_back(reports);
        if sight.reports.len() > MAX_REPORTED {
            sight.reports.pop_front();
        }
        if disturbed {
            push(&mut inner.disturbances, remark);
        }
    }

    /// Called when the tile of `camera` received a picture.
    pub fn seen(&self, camera: &str, seen: Seen) {
        let mut inner = self.inner();
        inner.pictures += 1;
        let sight = inner.sights.entry(camera.to_owned()).or_default();
        let gap = sight.last_seen.map(|last| seen.at - last).filter(|_| sight.touch == Touch::None);
        sight.last_seen = Some(seen.at);
        sight.shown = Some(seen.taken);
        sight.seen.push_back(seen);
        if sight.seen.len() > MAX_SEEN {
            sight.seen.pop_front();
        }
        if let Some(gap) = gap.filter(|gap| *gap > inner.longest_gap.0) {
            inner.longest_gap = (gap, camera.to_owned());
        }
    }

    /// Called when a viewer of untouched video received a frame of `camera`. While frames are expected,
    /// a gap is a disturbance.
    pub fn unit(&self, camera: &str, at: Instant) {
        let mut inner = self.inner();
        let sight = inner.sights.entry(camera.to_owned()).or_default();
        let gap = sight.last_unit.replace(at).map(|last| at.saturating_duration_since(last));
        if let Some(gap) = gap.filter(|gap| sight.expects_units && *gap > MAX_UNIT_GAP) {
            let what = format!("{camera}: its untouched video paused for {:.1} s", gap.as_secs_f64());
            push(&mut inner.disturbances, Remark { at, what });
        }
    }

    /// Sets whether the untouched video of `camera` must go on from now on.
    pub fn expect_units(&self, camera: &str, expects: bool) {
        let mut inner = self.inner();
        let sight = inner.sights.entry(camera.to_owned()).or_default();
        sight.expects_units = expects;
        sight.last_unit = expects.then(Instant::now);
    }

    /// Called when the tile of `camera` received a picture whose clock cannot be read.
    pub fn damaged(&self, camera: &str, now: Instant) {
        let mut inner = self.inner();
        inner.damaged += 1;
        inner.sights.entry(camera.to_owned()).or_default().damaged = Some(now);
    }

    /// Checks every tile now; one lie is reported once, however long it lasts.
    pub fn check(&self, now: Instant, unix_ms: u64) {
        let mut inner = self.inner();
        let mut lies = Vec::new();
        let mut oldest = inner.oldest;
        for (camera, sight) in &mut inner.sights {
            let Some(since) = sight.live_since() else { continue };
            let live_for = now.saturating_duration_since(since);
            let age = match sight.shown {
                Some(taken) => Duration::from_millis(unix_ms.saturating_sub(taken)),
                None => live_for,
            };
            oldest = oldest.max(age);
            if age <= self.bound {
                sight.lies = false;
            } else if !sight.lies {
                sight.lies = true;
                let damaged = sight.damaged.is_some_and(|at| now.saturating_duration_since(at) < self.bound / 2);
                let what = match sight.shown {
                    _ if damaged => format!("only damaged pictures came for {:.1} s", age.as_secs_f64()),
                    Some(_) => format!("its picture is {:.1} s old", age.as_secs_f64()),
                    None => format!("no picture came for {:.1} s", age.as_secs_f64()),
                };
                lies.push(Remark { at: now, what: format!("{camera}: shown as live, but {what}") });
            }
        }
        inner.oldest = oldest;
        lies.into_iter().for_each(|lie| push(&mut inner.lies, lie));
    }

    /// Checks a picture of `camera` that another viewer just received as live.
    pub fn check_picture(&self, camera: &str, taken: u64, unix_ms: u64, viewer: &str) {
        let age = Duration::from_millis(unix_ms.saturating_sub(taken));
        let mut inner = self.inner();
        inner.oldest = inner.oldest.max(age);
        if age > self.bound {
            let what = format!("{camera}: {viewer} was given a picture {:.1} s old as live", age.as_secs_f64());
            push(&mut inner.lies, Remark { at: Instant::now(), what });
        }
    }

    pub fn remark(&self, what: String) {
        push(&mut self.inner().others, Remark { at: Instant::now(), what });
    }

    /// Sets what is being done to `camera` from now on.
    pub fn touch(&self, camera: &str, touch: Touch) {
        let mut inner = self.inner();
        let sight = inner.sights.entry(camera.to_owned()).or_default();
        sight.touch = touch;
        sight.last_seen = None;
    }

    pub fn sight(&self, camera: &str) -> Sight {
        self.inner().sights.get(camera).cloned().unwrap_or_default()
    }

    pub fn live_since(&self, camera: &str) -> Option<Instant> {
        self.inner().sights.get(camera).and_then(Sight::live_since)
    }

    pub fn summary(&self) -> Summary {
        let inner = self.inner();
        Summary {
            lies: inner.lies.clone(),
            disturbances: inner.disturbances.clone(),
            others: inner.others.clone(),
            pictures: inner.pictures,
            damaged: inner.damaged,
            oldest: inner.oldest,
            longest_gap: inner.longest_gap.clone(),
        }
    }
}

fn push(remarks: &mut Vec<Remark>, remark: Remark) {
    if remarks.len() < MAX_REMARKS {
        remarks.push(remark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(6);

    fn report(board: &Board, at: Instant, state: &str) {
        board.reports("a", StateReport { at, state: state.to_owned(), why: String::new() });
    }

    #[test]
    fn old_picture_shown_as_live_is_one_lie() {
        let (board, now) = (Board::new(BOUND), Instant::now());
        report(&board, now, "live");
        board.seen("a", Seen { at: now, taken: 1_000_000 });
        board.check(now, 1_006_000);
        assert!(board.summary().lies.is_empty());
        board.check(now, 1_006_001);
        board.check(now, 1_009_000);
        assert_eq!(board.summary().lies.len(), 1);
        board.seen("a", Seen { at: now, taken: 1_009_000 });
        board.check(now, 1_009_100);
        board.check(now, 1_019_000);
        assert_eq!(board.summary().lies.len(), 2, "it was truthful in between");
    }

    #[test]
    fn live_without_any_picture_is_a_lie_too() {
        let (board, now) = (Board::new(BOUND), Instant::now());
        report(&board, now, "live");
        board.check(now + BOUND, 0);
        assert!(board.summary().lies.is_empty());
        board.check(now + BOUND + Duration::from_millis(1), 0);
        assert_eq!(board.summary().lies.len(), 1);
    }

    #[test]
    fn gap_in_untouched_video_counts_only_while_frames_are_expected() {
        let (board, now) = (Board::new(BOUND), Instant::now());
        let unit = |ms| board.unit("a", now + Duration::from_millis(ms));
        [0, 5000].into_iter().for_each(unit);
        assert!(board.summary().disturbances.is_empty());
        board.expect_units("a", true);
        [500, 1400].into_iter().for_each(unit);
        assert!(board.summary().disturbances.is_empty());
        unit(2500);
        assert_eq!(board.summary().disturbances.len(), 1);
    }

    #[test]
    fn state_that_is_not_live_takes_the_picture_away() {
        let (board, now) = (Board::new(BOUND), Instant::now());
        report(&board, now, "live");
        board.seen("a", Seen { at: now, taken: 1 });
        report(&board, now, "stalled");
        board.check(now + 2 * BOUND, 100_000);
        assert!(board.summary().lies.is_empty());
        assert_eq!(board.summary().disturbances.len(), 1);
        report(&board, now, "live");
        board.touch("a", Touch::Rough);
        report(&board, now, "offline");
        assert_eq!(board.summary().disturbances.len(), 1, "something was done to it");
    }
}
