//! One camera: who steers it, what it shall do, and what its task tells of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    motion::Motion,
    preset::{Preset, PresetRef},
    steerer::Steerer,
};
use crate::{
    sync::{Mutex, Notified, Notifier},
    text::Reason,
};

/// How long one word moves the camera.
pub const WORD: Duration = Duration::from_millis(500);

/// How long nobody else can steer after the last word.
const HOLD: Duration = Duration::from_secs(5);

/// How long a list of presets is used.
const PRESETS_FRESH: Duration = Duration::from_secs(60);

/// Somewhere to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    Preset(PresetRef),
    Home,
}

/// What became of a goto.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The camera is on its way.
    Done,
    NoSuchPreset,
    Failed(Reason),
    /// Something else was asked before it was done.
    Replaced,
}

/// What is told of a camera.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PtzState {
    /// Who steers now, or did a moment ago.
    pub by: Option<Steerer>,
    pub moving: bool,
    /// Why the camera last did not do what it should.
    pub error: Option<Reason>,
    /// `None`: not asked yet.
    pub presets: Option<Arc<[Preset]>>,
}

/// What the camera's task shall do, once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// Somebody has let go.
    pub stop: bool,
    pub goto: Option<(u64, Destination)>,
    /// The presets are wanted.
    pub presets: bool,
    /// What was refused before may be tried again.
    pub afresh: bool,
}

/// One camera that can be steered.
#[derive(Debug)]
pub struct PtzControl {
    state: Mutex<State>,
    /// Wakes the camera's task.
    requested: Notifier,
    /// Wakes those who tell people.
    changed: Arc<Notifier>,
}

#[derive(Debug, Default)]
struct State {
    /// With the time of the last word.
    steerer: Option<(Steerer, Instant)>,
    /// With the time until which it counts.
    motion: Option<(Motion, Instant)>,
    asked: Asked,
    last_goto: u64,
    outcome: Option<(u64, Outcome)>,
    presets: Option<Arc<[Preset]>>,
    /// When they came.
    presets_at: Option<Instant>,
    /// How often the presets were asked for, and up to which time that was answered.
    presets_asked: u64,
    presets_answered: u64,
    moving: bool,
    error: Option<Reason>,
}

impl State {
    /// The last goto is over if it is not done yet.
    fn replace_goto(&mut self) {
        self.asked.goto = None;
        if self.outcome.as_ref().is_none_or(|(number, _)| *number < self.last_goto) {
            self.outcome = Some((self.last_goto, Outcome::Replaced));
        }
    }

    /// Who steers at `now`.
    fn steerer(&self, now: Instant) -> Option<&Steerer> {
        let held = |(_, last): &&(Steerer, Instant)| now.saturating_duration_since(*last) < HOLD;
        self.steerer.as_ref().filter(held).map(|(steerer, _)| steerer)
    }
}

impl PtzControl {
    pub(super) fn new(changed: Arc<Notifier>) -> Self {
        Self { state: Mutex::default(), requested: Notifier::default(), changed }
    }

    /// Moves the camera for [`WORD`] from `now` on.
    ///
    /// # Errors
    /// Who steers it, if that is somebody else.
    pub fn steer(&self, by: &Steerer, motion: Motion, now: Instant) -> Result<(), Steerer> {
        if motion.is_still() {
            return self.stop(by, now);
        }
        self.take_word(by, now, |state| {
            state.motion = Some((motion, now + WORD));
            state.replace_goto();
        })
    }

    /// Stops the camera, also on its way to a preset.
    ///
    /// # Errors
    /// As [`steer`](Self::steer).
    pub fn stop(&self, by: &Steerer, now: Instant) -> Result<(), Steerer> {
        self.take_word(by, now, |state| {
            state.motion = None;
            state.replace_goto();
            state.asked.stop = true;
        })
    }

    /// Sends the camera somewhere; returns the number of the goto.
    ///
    /// # Errors
    /// As [`steer`](Self::steer).
    pub fn go(&self, by: &Steerer, goto: Destination, now: Instant) -> Result<u64, Steerer> {
        let mut number = 0;
        self.take_word(by, now, |state| {
            state.motion = None;
            state.last_goto += 1;
            number = state.last_goto;
            state.asked.goto = Some((number, goto));
        })?;
        Ok(number)
    }

    fn take_word(&self, by: &Steerer, now: Instant, act: impl FnOnce(&mut State)) -> Result<(), Steerer> {
        let mut state = self.state.lock();
        match state.steerer(now) {
            Some(other) if other != by => return Err(other.clone()),
            Some(_) => {}
            None => self.changed.notify(),
        }
        state.steerer = Some((by.clone(), now));
        act(&mut state);
        drop(state);
        self.requested.notify();
        Ok(())
    }

    /// Asks the camera for its presets, whether they are known or not; returns the number of the question.
    pub fn want_presets(&self) -> u64 {
        let mut state = self.state.lock();
        state.asked.presets = true;
        state.presets_asked += 1;
        let question = state.presets_asked;
        drop(state);
        self.requested.notify();
        question
    }

    /// Whether the presets are unknown at `now`, or were asked for so long ago that there may be others.
    pub fn are_presets_old(&self, now: Instant) -> bool {
        self.state.lock().presets_at.is_none_or(|at| now.saturating_duration_since(at) >= PRESETS_FRESH)
    }

    /// Whether the camera was asked for its presets since, and has answered or not.
    pub fn presets_answered(&self, question: u64) -> bool {
        self.state.lock().presets_answered >= question
    }

    /// What was refused before may be tried again, because somebody has changed something.
    pub fn allow_again(&self) {
        self.state.lock().asked.afresh = true;
        self.requested.notify();
    }

    /// What became of a goto; `None`: nothing yet.
    pub fn outcome(&self, goto: u64) -> Option<Outcome> {
        let state = self.state.lock();
        let (number, outcome) = state.outcome.as_ref()?;
        match number.cmp(&goto) {
            std::cmp::Ordering::Equal => Some(outcome.clone()),
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Greater => Some(Outcome::Replaced),
        }
    }

    /// What is told at `now`.
    pub fn state(&self, now: Instant) -> PtzState {
        let state = self.state.lock();
        PtzState {
            by: state.steerer(now).cloned(),
            moving: state.moving,
            error: state.error.clone(),
            presets: state.presets.clone(),
        }
    }

    /// Is notified when the camera's task has something to do.
    pub fn requests(&self) -> Notified {
        self.requested.subscribe()
    }

    /// How the camera shall move at `now`, and until when if no further word comes.
    pub fn motion(&self, now: Instant) -> Option<(Motion, Instant)> {
        self.state.lock().motion.filter(|(_, until)| now < *until)
    }

    /// Whether somebody has let go, and nobody has taken note of it yet.
    pub fn is_stop_asked(&self) -> bool {
        self.state.lock().asked.stop
    }

    /// What is to be done once; it is not returned again.
    pub fn take_asked(&self) -> Asked {
        std::mem::take(&mut self.state.lock().asked)
    }

    /// When nobody steers any more, if somebody does at `now`.
    pub fn held_until(&self, now: Instant) -> Option<Instant> {
        let state = self.state.lock();
        state.steerer(now)?;
        state.steerer.as_ref().map(|(_, last)| *last + HOLD)
    }

    /// Tells whether the camera moves, and why it did not do what it should.
    pub fn report(&self, moving: bool, error: Option<Reason>) {
        let mut state = self.state.lock();
        if (state.moving, &state.error) != (moving, &error) {
            (state.moving, state.error) = (moving, error);
            self.changed.notify();
        }
    }

    /// Nobody steers any more.
    pub fn let_go(&self, now: Instant) {
        let mut state = self.state.lock();
        if state.steerer.is_some() && state.steerer(now).is_none() {
            state.steerer = None;
            self.changed.notify();
        }
    }

    pub fn report_outcome(&self, goto: u64, outcome: Outcome) {
        self.state.lock().outcome = Some((goto, outcome));
        self.changed.notify();
    }

    /// Tells the presets, or that the camera does not give them now.
    pub fn report_presets(&self, presets: Option<Vec<Preset>>, now: Instant) {
        let mut state = self.state.lock();
        if let Some(presets) = presets {
            state.presets = Some(presets.into());
            state.presets_at = Some(now);
        }
        state.presets_answered = state.presets_asked;
        drop(state);
        self.changed.notify();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn control() -> PtzControl {
        PtzControl::new(Arc::default())
    }

    fn steerer(account: &str) -> Steerer {
        Steerer::new(Some(account), [127, 0, 0, 1].into())
    }

    fn left() -> Motion {
        Motion::new(-1.0, 0.0, 0.0).unwrap()
    }

    #[test]
    fn word_moves_for_half_a_second_and_wakes_the_task() {
        let (control, now) = (control(), Instant::now());
        let requests = control.requests();
        control.steer(&steerer("guard"), left(), now).unwrap();
        assert!(requests.take());
        assert_eq!(control.motion(now + 499 * MS), Some((left(), now + WORD)));
        assert_eq!(control.motion(now + WORD), None);
        control.steer(&steerer("guard"), left(), now + 400 * MS).unwrap();
        assert!(control.motion(now + 899 * MS).is_some());
        control.stop(&steerer("guard"), now + 450 * MS).unwrap();
        assert_eq!(control.motion(now + 450 * MS), None);
        assert!(control.take_asked().stop && !control.take_asked().stop, "once");
        // No speed at all is a stop.
        control.steer(&steerer("guard"), Motion::default(), now + WORD).unwrap();
        assert!(control.take_asked().stop);
    }

    #[test]
    fn second_person_waits_until_the_first_has_been_silent() {
        let (control, now) = (control(), Instant::now());
        let (guard, chief) = (steerer("guard"), steerer("chief"));
        control.steer(&guard, left(), now).unwrap();
        assert_eq!(control.steer(&chief, left(), now + HOLD - MS), Err(guard.clone()));
        assert_eq!(control.stop(&chief, now + MS), Err(guard.clone()));
        assert_eq!(control.go(&chief, Destination::Home, now + MS), Err(guard.clone()));
        // The same account at another place is somebody else.
        assert!(control.steer(&Steerer::new(Some("guard"), [127, 0, 0, 2].into()), left(), now + MS).is_err());
        assert_eq!(control.state(now + MS).by, Some(guard));
        assert_eq!(control.state(now + HOLD).by, None);
        control.steer(&chief, left(), now + HOLD).unwrap();
        assert_eq!(control.state(now + HOLD).by, Some(chief));
    }

    #[test]
    fn others_are_told_who_begins_and_that_it_is_over_but_not_of_each_word() {
        let changed = Arc::new(Notifier::default());
        let (control, now, changes) = (PtzControl::new(Arc::clone(&changed)), Instant::now(), changed.subscribe());
        control.steer(&steerer("guard"), left(), now).unwrap();
        assert!(changes.take());
        control.steer(&steerer("guard"), left(), now + 200 * MS).unwrap();
        assert!(!changes.take());
        assert_eq!(control.held_until(now + 200 * MS), Some(now + 200 * MS + HOLD));
        control.let_go(now + 300 * MS);
        assert!(!changes.take(), "too early");
        control.let_go(now + 200 * MS + HOLD);
        assert!(changes.take() && control.held_until(now + HOLD).is_none());
    }

    #[test]
    fn movement_and_goto_take_the_place_of_each_other() {
        let (control, now, guard) = (control(), Instant::now(), steerer("guard"));
        control.steer(&guard, left(), now).unwrap();
        let first = control.go(&guard, Destination::Home, now).unwrap();
        assert_eq!(control.motion(now), None);
        let second = control.go(&guard, Destination::Preset(PresetRef::Number(2)), now).unwrap();
        assert_eq!(control.take_asked().goto, Some((second, Destination::Preset(PresetRef::Number(2)))));
        assert_eq!(control.outcome(first), None);
        control.report_outcome(second, Outcome::NoSuchPreset);
        assert_eq!(
            (control.outcome(first), control.outcome(second)),
            (Some(Outcome::Replaced), Some(Outcome::NoSuchPreset))
        );
        let third = control.go(&guard, Destination::Home, now).unwrap();
        control.steer(&guard, left(), now).unwrap();
        assert_eq!((control.take_asked().goto, control.outcome(third)), (None, Some(Outcome::Replaced)));
    }

    #[test]
    fn presets_are_asked_for_again_after_a_while() {
        let (control, now) = (control(), Instant::now());
        assert!(control.are_presets_old(now));
        let question = control.want_presets();
        assert!(control.take_asked().presets && !control.presets_answered(question));
        control.report_presets(Some(Vec::new()), now);
        assert!(control.presets_answered(question) && !control.are_presets_old(now));
        assert!(control.are_presets_old(now + PRESETS_FRESH));
        // A camera that does not answer now has the presets that it had.
        let question = control.want_presets();
        control.report_presets(None, now + PRESETS_FRESH);
        assert!(control.presets_answered(question) && control.state(now).presets.is_some());
        assert!(control.are_presets_old(now + PRESETS_FRESH));
    }
}
