//! What a camera is told next. Time is an argument.

use std::time::{Duration, Instant};

use crate::ptz::{Asked, Destination, Motion};

/// A movement is renewed after this time: well within the limit of a second that the camera is given.
const RENEW: Duration = Duration::from_millis(450);

/// Pause before a stop that failed is sent again, and the time after which that ends.
const STOP_PAUSE: Duration = Duration::from_millis(200);
const STOP_PERSISTENCE: Duration = Duration::from_secs(10);

/// How long a stop is tried while the task ends: within the agent's limit to stop.
pub const LAST_STOP: Duration = Duration::from_secs(2);

/// When the stop is sent once more after a movement that the camera did not answer, which may reach it later.
const STOP_AGAIN: Duration = Duration::from_millis(300);

/// Pauses after a failure, in which only stops are sent.
const SILENT_PAUSE: Duration = Duration::from_secs(1);
const REFUSED_PAUSE: Duration = Duration::from_secs(2);
/// As for streams: cameras lock accounts.
const DENIED_PAUSE: Duration = Duration::from_secs(30 * 60);

/// Pause before a home position that was not reached is tried again, and how often that is done.
const HOME_PAUSE: Duration = Duration::from_secs(60);
const MAX_HOME_TRIES: u32 = 3;

/// One request, or a few.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Move(Motion),
    Stop,
    Presets,
    /// With its number.
    Goto(u64, Destination),
    /// Because nobody has steered for a while.
    Home,
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    Do(Command),
    /// Nothing until then, or until something is asked.
    Wait(Option<Instant>),
}

/// How a command failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The camera has understood it, and does not do it.
    Refused,
    /// No answer: it may have done it.
    Silent,
    /// The login is refused.
    Denied,
}

/// A stop that the camera has not confirmed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct PendingStop {
    next: Instant,
    /// Then it is given up.
    until: Instant,
    /// It is sent once more after it was confirmed.
    again: bool,
    /// It was confirmed, and is sent once more.
    is_confirmed: bool,
}

#[derive(Debug, Default)]
pub struct Drive {
    home_after: Option<Duration>,
    /// The movement that the camera was sent last and may still do, and when.
    sent: Option<(Motion, Instant)>,
    /// The one before, while the last one has no answer.
    before: Option<(Motion, Instant)>,
    /// A movement had no answer.
    is_unanswered: bool,
    pending_stop: Option<PendingStop>,
    gave_up: bool,
    goto: Option<(u64, Destination)>,
    wants_presets: bool,
    /// Nothing but stops before then.
    rest_until: Option<Instant>,
    is_denied: bool,
    home_due: Option<Instant>,
    home_tries: u32,
    is_ending: bool,
}

impl Drive {
    pub fn new(home_after: Option<Duration>) -> Self {
        Self { home_after, ..Self::default() }
    }

    /// Takes what was asked. Returns what is not even tried, because the login is refused.
    pub fn take(&mut self, asked: Asked, now: Instant) -> Asked {
        if asked.afresh {
            (self.rest_until, self.is_denied) = (None, false);
        }
        if self.is_denied && self.rest_until.is_some_and(|rest_until| now < rest_until) {
            // What moves is stopped all the same, once.
            return asked;
        }
        if asked.stop {
            self.goto = None;
            self.request_stop(STOP_PERSISTENCE, now);
        }
        if asked.goto.is_some() {
            self.goto = asked.goto;
        }
        self.wants_presets |= asked.presets;
        Asked::default()
    }

    /// The task ends: the camera is stopped, and nothing else is begun.
    pub fn end(&mut self, now: Instant) {
        if self.is_ending {
            return;
        }
        self.is_ending = true;
        (self.goto, self.wants_presets, self.home_due) = (None, false, None);
        if self.sent.is_some() || self.pending_stop.is_some() {
            self.pending_stop = None;
            self.request_stop(LAST_STOP, now);
        }
    }

    /// Whether the camera moves because it was told to.
    pub fn is_moving(&self) -> bool {
        self.sent.is_some()
    }

    /// Whether a stop was given up a moment ago.
    pub fn gives_up(&mut self) -> bool {
        std::mem::take(&mut self.gave_up)
    }

    /// What is to be done at `now`, if the camera shall move like `wanted` until then.
    pub fn next(&mut self, wanted: Option<(Motion, Instant)>, now: Instant) -> Next {
        if self.sent.is_some() && wanted.is_none() {
            self.request_stop(STOP_PERSISTENCE, now);
        }
        // A stop goes before everything.
        if let Some(stop) = self.pending_stop {
            if wanted.is_some() && stop.is_confirmed {
                // Now the camera shall move again.
                self.pending_stop = None;
            } else if now >= stop.until {
                self.gave_up = self.sent.is_some();
                (self.pending_stop, self.sent) = (None, None);
            } else if now >= stop.next {
                return Next::Do(Command::Stop);
            } else {
                return Next::Wait(Some(stop.next));
            }
        }
        if self.is_ending {
            return Next::Wait(None);
        }
        if let Some(rest_until) = self.rest_until {
            if now < rest_until {
                // What moves nevertheless is stopped when the words end.
                return Next::Wait(Some(wanted.map_or(rest_until, |(_, until)| until.min(rest_until))));
            }
            (self.rest_until, self.is_denied) = (None, false);
        }
        if let Some((motion, until)) = wanted {
            self.goto = None;
            return match self.sent {
                Some((sent, at)) if sent == motion && now < at + RENEW => Next::Wait(Some(until.min(at + RENEW))),
                _ => Next::Do(Command::Move(motion)),
            };
        }
        if let Some((number, goto)) = &self.goto {
            return Next::Do(Command::Goto(*number, goto.clone()));
        }
        if self.wants_presets {
            return Next::Do(Command::Presets);
        }
        match self.home_due {
            Some(due) if now >= due => Next::Do(Command::Home),
            due => Next::Wait(due),
        }
    }

    /// The command is sent.
    pub fn begins(&mut self, command: &Command, now: Instant) {
        match command {
            Command::Move(motion) => {
                self.before = self.sent;
                self.sent = Some((*motion, now));
                self.is_unanswered = true;
                self.left_home(now);
            }
            Command::Goto(_, Destination::Preset(_)) => self.left_home(now),
            Command::Goto(_, Destination::Home) => self.home_due = None,
            Command::Stop | Command::Presets | Command::Home => {}
        }
    }

    /// The camera has confirmed the command.
    pub fn succeeded(&mut self, command: &Command, now: Instant) {
        match command {
            Command::Move(_) => self.is_unanswered = false,
            Command::Stop => {
                self.sent = None;
                self.pending_stop = match self.pending_stop.take() {
                    Some(PendingStop { until, again: true, .. }) => {
                        Some(PendingStop { next: now + STOP_AGAIN, until, again: false, is_confirmed: true })
                    }
                    _ => None,
                };
                self.is_unanswered = false;
            }
            Command::Goto(..) => self.goto = None,
            Command::Presets => self.wants_presets = false,
            Command::Home => self.home_due = None,
        }
    }

    /// The command is no longer wanted, and the camera has not answered.
    pub fn abandoned(&mut self, command: &Command, now: Instant) {
        match command {
            // What it may do is ended by the stop that follows.
            Command::Move(_) | Command::Presets => {}
            Command::Goto(..) => self.goto = None,
            Command::Home => self.home_due = None,
            Command::Stop => self.retry_stop(now),
        }
    }

    /// The command has failed.
    pub fn failed(&mut self, command: &Command, trouble: Trouble, now: Instant) {
        if trouble == Trouble::Denied {
            self.is_denied = true;
        }
        let pause = match trouble {
            Trouble::Refused => REFUSED_PAUSE,
            Trouble::Silent => SILENT_PAUSE,
            Trouble::Denied => DENIED_PAUSE,
        };
        match command {
            Command::Stop => {
                if trouble == Trouble::Denied {
                    // Asking again may lock the account; the camera's own limit is left.
                    self.gave_up = self.sent.is_some();
                    (self.pending_stop, self.sent) = (None, None);
                } else if trouble == Trouble::Refused && self.sent.is_none() {
                    // It was not moved.
                    self.pending_stop = None;
                }
                self.retry_stop(now);
            }
            Command::Move(_) => {
                if trouble != Trouble::Silent && self.is_unanswered {
                    // What it did before it does still, until its limit or a stop.
                    self.sent = self.before;
                    self.is_unanswered = false;
                }
            }
            Command::Goto(..) => self.goto = None,
            Command::Presets => self.wants_presets = false,
            Command::Home => {
                self.home_tries += 1;
                self.home_due = (self.home_tries < MAX_HOME_TRIES).then_some(now + HOME_PAUSE);
            }
        }
        if *command != Command::Stop || trouble == Trouble::Denied {
            self.rest_until = Some(now + pause);
        }
    }

    fn request_stop(&mut self, persistence: Duration, now: Instant) {
        if self.pending_stop.is_none() {
            self.pending_stop = Some(PendingStop {
                next: now,
                until: now + persistence,
                again: self.is_unanswered,
                is_confirmed: false,
            });
        }
    }

    fn retry_stop(&mut self, now: Instant) {
        if let Some(stop) = &mut self.pending_stop {
            stop.next = now + STOP_PAUSE;
        }
    }

    fn left_home(&mut self, now: Instant) {
        self.home_due = self.home_after.map(|after| now + after);
        self.home_tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ptz::PresetRef;

    const MS: Duration = Duration::from_millis(1);
    const WORD: Duration = crate::ptz::WORD;

    /// A camera that is steered, on a clock of its own.
    struct Scene {
        drive: Drive,
        now: Instant,
        /// The movement that is wanted, and until when.
        wanted: Option<(Motion, Instant)>,
    }

    impl Scene {
        fn new(home_after: Option<Duration>) -> Self {
            Self { drive: Drive::new(home_after), now: Instant::now(), wanted: None }
        }

        fn word(&mut self, pan: f32) {
            self.wanted = Some((Motion { pan, ..Motion::default() }, self.now + WORD));
        }

        fn pass(&mut self, time: Duration) {
            self.now += time;
        }

        fn next(&mut self) -> Next {
            let now = self.now;
            self.drive.next(self.wanted.filter(|(_, until)| now < *until), now)
        }

        /// Does what is next, at once.
        fn does(&mut self, result: Result<(), Trouble>) -> Command {
            let Next::Do(command) = self.next() else { panic!("nothing to do: {:?}", self.drive) };
            self.drive.begins(&command, self.now);
            match result {
                Ok(()) => self.drive.succeeded(&command, self.now),
                Err(trouble) => self.drive.failed(&command, trouble, self.now),
            }
            command
        }

        fn waits(&mut self) -> Option<Duration> {
            let Next::Wait(until) = self.next() else { panic!("something to do: {:?}", self.drive) };
            until.map(|until| until - self.now)
        }

        fn ask(&mut self, asked: Asked) -> Asked {
            self.drive.take(asked, self.now)
        }
    }

    fn moves(pan: f32) -> Command {
        Command::Move(Motion { pan, ..Motion::default() })
    }

    #[test]
    fn camera_moves_while_words_come_and_is_stopped_when_they_end() {
        let mut scene = Scene::new(None);
        assert_eq!(scene.waits(), None, "nothing is sent before somebody steers");
        scene.word(1.0);
        assert_eq!(scene.does(Ok(())), moves(1.0));
        assert_eq!(scene.waits(), Some(RENEW));
        scene.pass(200 * MS);
        scene.word(1.0);
        assert_eq!(scene.waits(), Some(RENEW - 200 * MS), "the same word is not sent again");
        scene.pass(RENEW - 200 * MS);
        assert_eq!(scene.does(Ok(())), moves(1.0), "but before the camera's own limit");
        assert_eq!(scene.waits(), Some(250 * MS), "no word is left then");
        scene.pass(250 * MS);
        assert!(scene.drive.is_moving());
        assert_eq!(scene.does(Ok(())), Command::Stop);
        assert!(!scene.drive.is_moving());
        assert_eq!(scene.waits(), None, "nothing more is sent");
    }

    #[test]
    fn another_direction_is_sent_at_once_and_letting_go_stops_at_once() {
        let mut scene = Scene::new(None);
        scene.word(1.0);
        scene.does(Ok(()));
        scene.pass(50 * MS);
        scene.word(-1.0);
        assert_eq!(scene.does(Ok(())), moves(-1.0));
        scene.wanted = None;
        scene.ask(Asked { stop: true, presets: true, ..Asked::default() });
        assert_eq!(scene.does(Ok(())), Command::Stop, "before everything queued");
        assert_eq!(scene.does(Ok(())), Command::Presets);
        // A stop is also for a camera on its way to a preset.
        scene.ask(Asked { stop: true, ..Asked::default() });
        assert_eq!(scene.does(Ok(())), Command::Stop);
        assert_eq!(scene.waits(), None);
    }

    #[test]
    fn stop_that_failed_is_repeated_and_given_up_in_the_end() {
        let mut scene = Scene::new(None);
        scene.word(1.0);
        scene.does(Ok(()));
        scene.pass(WORD);
        let began = scene.now;
        let mut tries = 0;
        while !scene.drive.gives_up() {
            assert_eq!(scene.does(Err(Trouble::Silent)), Command::Stop);
            tries += 1;
            // A new movement does not go before it.
            scene.word(1.0);
            let pause = scene.waits().unwrap();
            scene.pass(pause);
            scene.next();
        }
        assert!(tries > 10 && scene.now - began >= STOP_PERSISTENCE, "{tries} tries");
        assert!(scene.now - began < STOP_PERSISTENCE + STOP_PAUSE);
        // In the second of them it worked.
        let mut scene = Scene::new(None);
        scene.word(1.0);
        scene.does(Ok(()));
        scene.pass(WORD);
        scene.does(Err(Trouble::Refused));
        scene.pass(STOP_PAUSE);
        assert_eq!(scene.does(Ok(())), Command::Stop);
        assert_eq!((scene.waits(), scene.drive.gives_up()), (None, false));
    }

    #[test]
    fn movement_without_an_answer_is_stopped_twice() {
        let mut scene = Scene::new(None);
        scene.word(1.0);
        let Next::Do(command) = scene.next() else { panic!("{:?}", scene.drive) };
        scene.drive.begins(&command, scene.now);
        scene.pass(WORD);
        scene.drive.abandoned(&command, scene.now);
        assert_eq!(scene.does(Ok(())), Command::Stop);
        assert_eq!(scene.waits(), Some(STOP_AGAIN), "the movement may reach the camera after the stop");
        scene.pass(STOP_AGAIN);
        assert_eq!(scene.does(Ok(())), Command::Stop);
        assert_eq!(scene.waits(), None);
    }

    #[test]
    fn refused_movement_is_tried_again_after_a_pause_and_needs_no_stop() {
        let mut scene = Scene::new(None);
        scene.word(1.0);
        assert_eq!(scene.does(Err(Trouble::Refused)), moves(1.0));
        assert!(!scene.drive.is_moving());
        assert_eq!(scene.waits(), Some(WORD));
        // Nor does letting go ask the camera again and again.
        scene.wanted = None;
        scene.ask(Asked { stop: true, ..Asked::default() });
        assert_eq!(scene.does(Err(Trouble::Refused)), Command::Stop);
        assert_eq!(scene.waits(), Some(REFUSED_PAUSE));
        scene.pass(REFUSED_PAUSE);
        assert_eq!(scene.waits(), None);
    }

    #[test]
    fn silent_camera_may_move_so_it_is_stopped() {
        let mut scene = Scene::new(None);
        scene.word(1.0);
        scene.does(Err(Trouble::Silent));
        assert!(scene.drive.is_moving());
        assert_eq!(scene.waits(), Some(WORD), "not the whole pause");
        scene.pass(WORD);
        assert_eq!(scene.does(Ok(())), Command::Stop);
    }

    #[test]
    fn movement_that_is_not_renewed_because_the_login_is_refused_is_stopped_when_the_words_end() {
        let mut scene = Scene::new(None);
        scene.word(1.0);
        scene.does(Ok(()));
        scene.pass(RENEW);
        scene.word(1.0);
        assert_eq!(scene.does(Err(Trouble::Denied)), moves(1.0));
        assert_eq!(scene.waits(), Some(WORD));
        scene.pass(WORD);
        assert_eq!(scene.does(Err(Trouble::Denied)), Command::Stop);
        assert!(scene.drive.gives_up());
        assert_eq!(scene.waits(), Some(DENIED_PAUSE), "and not sent again, as cameras lock accounts");
    }

    #[test]
    fn movement_without_an_answer_is_stopped_twice_also_at_the_end_of_the_task() {
        let mut scene = Scene::new(None);
        scene.word(1.0);
        let Next::Do(command) = scene.next() else { panic!("{:?}", scene.drive) };
        scene.drive.begins(&command, scene.now);
        scene.drive.abandoned(&command, scene.now);
        scene.wanted = None;
        scene.drive.end(scene.now);
        assert_eq!(scene.does(Ok(())), Command::Stop);
        assert_eq!(scene.waits(), Some(STOP_AGAIN));
        scene.pass(STOP_AGAIN);
        assert_eq!(scene.does(Ok(())), Command::Stop);
        assert_eq!(scene.waits(), None);
    }

    #[test]
    fn refused_login_is_not_tried_again_until_somebody_has_changed_something() {
        let mut scene = Scene::new(None);
        scene.word(1.0);
        scene.does(Err(Trouble::Denied));
        scene.pass(60_000 * MS);
        scene.word(1.0);
        assert_eq!(scene.waits(), Some(WORD));
        let asked = Asked { presets: true, goto: Some((1, Destination::Home)), ..Asked::default() };
        assert_eq!(scene.ask(asked.clone()), asked, "who asks is told so at once");
        // Nor is the login sent again to stop a camera that was not moved.
        scene.wanted = None;
        scene.ask(Asked { stop: true, ..Asked::default() });
        assert_eq!(scene.waits(), Some(DENIED_PAUSE - 60_000 * MS));
        scene.word(1.0);
        assert_eq!(scene.ask(Asked { afresh: true, ..asked }), Asked::default());
        assert_eq!(scene.does(Ok(())), moves(1.0));
    }

    #[test]
    fn end_of_the_task_stops_the_camera_and_begins_nothing() {
        let mut scene = Scene::new(Some(1000 * MS));
        scene.word(1.0);
        scene.does(Ok(()));
        scene.ask(Asked { presets: true, goto: Some((1, Destination::Home)), ..Asked::default() });
        scene.drive.end(scene.now);
        scene.wanted = None;
        assert_eq!(scene.does(Err(Trouble::Silent)), Command::Stop);
        scene.pass(STOP_PAUSE);
        scene.drive.end(scene.now);
        assert_eq!(scene.does(Ok(())), Command::Stop);
        assert_eq!(scene.waits(), None);
        // A camera that stands is not asked for anything.
        let mut scene = Scene::new(None);
        scene.drive.end(scene.now);
        assert_eq!(scene.waits(), None);
    }

    #[test]
    fn camera_goes_home_when_nobody_has_steered_it_for_the_time() {
        let after = 60_000 * MS;
        let mut scene = Scene::new(Some(after));
        assert_eq!(scene.waits(), None, "nobody knows where it looked before");
        scene.word(1.0);
        scene.does(Ok(()));
        scene.pass(WORD);
        scene.does(Ok(()));
        assert_eq!(scene.waits(), Some(after - WORD));
        scene.pass(after / 2);
        let preset = Destination::Preset(PresetRef::Number(1));
        scene.ask(Asked { goto: Some((1, preset.clone())), ..Asked::default() });
        assert_eq!(scene.does(Ok(())), Command::Goto(1, preset));
        assert_eq!(scene.waits(), Some(after));
        scene.pass(after);
        assert_eq!(scene.does(Err(Trouble::Silent)), Command::Home);
        scene.pass(HOME_PAUSE);
        assert_eq!(scene.does(Err(Trouble::Refused)), Command::Home);
        scene.pass(HOME_PAUSE);
        assert_eq!(scene.does(Err(Trouble::Refused)), Command::Home);
        scene.pass(HOME_PAUSE);
        assert_eq!(scene.waits(), None, "it is given up");
        // Somebody who sends it home is not followed by another journey.
        scene.word(1.0);
        scene.does(Ok(()));
        scene.pass(WORD);
        scene.does(Ok(()));
        scene.ask(Asked { goto: Some((2, Destination::Home)), ..Asked::default() });
        assert_eq!(scene.does(Ok(())), Command::Goto(2, Destination::Home));
        assert_eq!(scene.waits(), None);
    }

    #[test]
    fn movement_takes_the_place_of_a_goto() {
        let mut scene = Scene::new(None);
        scene.ask(Asked { goto: Some((1, Destination::Home)), ..Asked::default() });
        scene.word(1.0);
        assert_eq!(scene.does(Ok(())), moves(1.0));
        scene.pass(WORD);
        assert_eq!(scene.does(Ok(())), Command::Stop);
        assert_eq!(scene.waits(), None);
    }
}
