//! Call-ups: what each wall is told to bring to the front for a while.
//!
//! They live as long as the agent. A page is told how long each has left and ends it itself, so an agent
//! that is gone leaves nothing large on a wall.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    camera::CameraId,
    sync::{Mutex, Notified, Notifier},
};

/// Cameras that a wall shows large at the same time: a grid of 3 by 3. A further one replaces the oldest.
pub const MAX_SHOWN: usize = 9;
/// Cameras that a wall marks at the same time, as many as a wall has tiles.
const MAX_MARKED: usize = 64;
/// How long a call-up lasts if nobody says.
pub const USUAL_TIME: Duration = Duration::from_secs(30);
/// Longest time of a call-up.
pub const MAX_TIME: Duration = Duration::from_secs(24 * 3600);

/// How a camera is brought to the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emphasis {
    /// Large, and alone or with others of its kind.
    Shown,
    /// As [`Emphasis::Shown`], and pages first run what was there just before, where the agent keeps it.
    LookedBack,
    /// In its place, with a frame.
    Marked,
    /// As [`Emphasis::Marked`], and pages play a tone once.
    Sounded,
}

impl Emphasis {
    pub fn is_large(self) -> bool {
        matches!(self, Self::Shown | Self::LookedBack)
    }

    /// Whether a camera has one of the two and not both.
    fn excludes(self, other: Self) -> bool {
        self == other || (self.is_large() && other.is_large())
    }
}

/// A camera that a wall brings to the front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallUp {
    /// Rises with each call-up of the agent; one that was prolonged has a new one.
    pub number: u64,
    pub camera: CameraId,
    pub emphasis: Emphasis,
    pub since: Instant,
    pub until: Instant,
    /// Who or what wanted it, for people.
    pub by: String,
}

/// Another layout for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherLayout {
    /// One of the words of `layout`.
    pub layout: &'static str,
    pub until: Instant,
    pub by: String,
}

/// What one wall is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WallCallUps {
    /// The oldest first.
    pub cameras: Vec<CallUp>,
    pub layout: Option<OtherLayout>,
}

impl WallCallUps {
    /// Whether a camera is shown large, which a dark wall is lit for.
    pub fn is_lit(&self) -> bool {
        self.cameras.iter().any(|call_up| call_up.emphasis.is_large())
    }

    fn end_old(&mut self, now: Instant) {
        self.cameras.retain(|call_up| call_up.until > now);
        self.layout = self.layout.take().filter(|layout| layout.until > now);
    }

    fn is_empty(&self) -> bool {
        self.cameras.is_empty() && self.layout.is_none()
    }
}

/// The call-ups of all walls, by their names; the wall without a name has an empty one.
#[derive(Debug, Default)]
pub struct CallUps {
    state: Mutex<State>,
    changed: Notifier,
}

#[derive(Debug, Default)]
struct State {
    walls: BTreeMap<String, WallCallUps>,
    last_number: u64,
}

impl CallUps {
    /// Brings `camera` to the front of `wall` for `time` from `now` on. The same camera is prolonged; the oldest
    /// of too many ends.
    pub fn add(&self, wall: &str, camera: CameraId, emphasis: Emphasis, time: Duration, by: &str, now: Instant) {
        self.change(wall, now, |wall, number| {
            wall.cameras.retain(|other| !other.emphasis.excludes(emphasis) || other.camera != camera);
            let most = if emphasis.is_large() { MAX_SHOWN } else { MAX_MARKED };
            let present = wall.cameras.iter().filter(|other| other.emphasis.excludes(emphasis)).count();
            if present >= most
                && let Some(oldest) = wall.cameras.iter().position(|other| other.emphasis.excludes(emphasis))
            {
                wall.cameras.remove(oldest);
            }
            let until = now + time.min(MAX_TIME);
            wall.cameras.push(CallUp { number, camera, emphasis, since: now, until, by: by.to_owned() });
        });
    }

    /// Prolongs a call-up that [`add`](Self::add) made, if it is still in force: it ends `time` after `now`, or when it
    /// was to end. Pages take it for the same one, so what a person has put away stays away.
    pub fn prolong(&self, wall: &str, camera: &CameraId, emphasis: Emphasis, time: Duration, now: Instant) {
        let until = now + time.min(MAX_TIME);
        let is_longer = {
            let mut state = self.state.lock();
            let cameras = state.walls.get_mut(wall).map(|wall| wall.cameras.as_mut_slice()).unwrap_or_default();
            let found = cameras.iter_mut().find(|other| {
                (other.emphasis, &other.camera) == (emphasis, camera) && other.until > now && other.until < until
            });
            found.map(|found| found.until = until).is_some()
        };
        if is_longer {
            self.changed.notify();
        }
    }

    /// Gives `wall` another layout for `time` from `now` on.
    pub fn set_layout(&self, wall: &str, layout: &'static str, time: Duration, by: &str, now: Instant) {
        let layout = OtherLayout { layout, until: now + time.min(MAX_TIME), by: by.to_owned() };
        self.change(wall, now, |wall, _| wall.layout = Some(layout));
    }

    /// Ends the call-ups of `camera` on `wall`; without one, all of that wall and its other layout. Returns how
    /// many have ended.
    pub fn clear(&self, wall: &str, camera: Option<&CameraId>, now: Instant) -> usize {
        let mut ended = 0;
        self.change(wall, now, |wall, _| {
            let before = wall.cameras.len() + usize::from(wall.layout.is_some());
            wall.cameras.retain(|other| camera.is_some_and(|camera| *camera != other.camera));
            if camera.is_none() {
                wall.layout = None;
            }
            ended = before - wall.cameras.len() - usize::from(wall.layout.is_some());
        });
        ended
    }

    /// What `wall` is told at `now`.
    pub fn of(&self, wall: &str, now: Instant) -> WallCallUps {
        let mut found = self.state.lock().walls.get(wall).cloned().unwrap_or_default();
        found.end_old(now);
        found
    }

    /// Is notified when a call-up was added or ended by hand, not when its time is over.
    pub fn changes(&self) -> Notified {
        self.changed.subscribe()
    }

    fn change(&self, wall: &str, now: Instant, change: impl FnOnce(&mut WallCallUps, u64)) {
        {
            let mut state = self.state.lock();
            state.last_number += 1;
            let number = state.last_number;
            let entry = state.walls.entry(wall.to_owned()).or_default();
            entry.end_old(now);
            change(entry, number);
            state.walls.retain(|_, wall| {
                wall.end_old(now);
                !wall.is_empty()
            });
        }
        self.changed.notify();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn id(name: &str) -> CameraId {
        CameraId::new(name).unwrap()
    }

    fn shown(call_ups: &CallUps, wall: &str, now: Instant) -> Vec<String> {
        call_ups.of(wall, now).cameras.iter().map(|call_up| call_up.camera.to_string()).collect()
    }

    #[test]
    fn camera_is_at_the_front_of_its_wall_until_its_time_is_over() {
        let (call_ups, now) = (CallUps::default(), Instant::now());
        let changed = call_ups.changes();
        call_ups.add("hall", id("gate"), Emphasis::Shown, 10 * SECOND, "guard", now);
        assert!(changed.take());
        assert_eq!(shown(&call_ups, "hall", now + 9 * SECOND), ["gate"]);
        assert!(shown(&call_ups, "hall", now + 10 * SECOND).is_empty() && shown(&call_ups, "", now).is_empty());

        // The same camera again: longer, with another number.
        let first = call_ups.of("hall", now).cameras[0].number;
        call_ups.add("hall", id("gate"), Emphasis::Shown, 10 * SECOND, "rule", now + 5 * SECOND);
        let both = call_ups.of("hall", now + 14 * SECOND).cameras;
        assert!(both.len() == 1 && both[0].number > first && both[0].by == "rule", "{both:?}");
        // A mark is another thing.
        call_ups.add("hall", id("gate"), Emphasis::Marked, 10 * SECOND, "rule", now + 5 * SECOND);
        assert_eq!(call_ups.of("hall", now + 6 * SECOND).cameras.len(), 2);
    }

    #[test]
    fn prolonged_call_up_stays_the_same_and_an_ended_one_stays_away() {
        let (call_ups, now) = (CallUps::default(), Instant::now());
        call_ups.add("", id("gate"), Emphasis::Marked, 10 * SECOND, "rule", now);
        let number = call_ups.of("", now).cameras[0].number;
        let changed = call_ups.changes();
        let prolong = |seconds: u32, at: u32| {
            call_ups.prolong("", &id("gate"), Emphasis::Marked, seconds * SECOND, now + at * SECOND);
            changed.take()
        };
        assert!(!prolong(1, 5), "it lasts longer already");
        assert!(prolong(10, 5));
        let prolonged = call_ups.of("", now + 14 * SECOND).cameras;
        assert!(prolonged.len() == 1 && prolonged[0].number == number);
        assert!(!prolong(10, 20) && call_ups.of("", now + 20 * SECOND).cameras.is_empty());
    }

    #[test]
    fn newest_count_where_there_are_too_many() {
        let (call_ups, now) = (CallUps::default(), Instant::now());
        for number in 0..MAX_SHOWN + 2 {
            call_ups.add("", id(&format!("c{number}")), Emphasis::Shown, SECOND, "script", now);
        }
        call_ups.add("", id("marked"), Emphasis::Marked, SECOND, "script", now);
        let names = shown(&call_ups, "", now);
        assert_eq!((names.len(), &*names[0], &*names[MAX_SHOWN]), (MAX_SHOWN + 1, "c2", "marked"));
    }

    #[test]
    fn one_camera_or_all_of_a_wall_are_given_back() {
        let (call_ups, now) = (CallUps::default(), Instant::now());
        for wall in ["hall", "back"] {
            call_ups.add(wall, id("gate"), Emphasis::Shown, SECOND, "script", now);
            call_ups.add(wall, id("gate"), Emphasis::Marked, SECOND, "script", now);
            call_ups.add(wall, id("yard"), Emphasis::Shown, SECOND, "script", now);
            call_ups.set_layout(wall, "4", SECOND, "script", now);
        }
        assert_eq!(call_ups.clear("hall", Some(&id("gate")), now), 2);
        assert_eq!(shown(&call_ups, "hall", now), ["yard"]);
        assert_eq!(call_ups.of("hall", now).layout.map(|layout| layout.layout), Some("4"));
        assert_eq!((call_ups.clear("hall", None, now), call_ups.clear("hall", None, now)), (2, 0));
        assert_eq!(call_ups.of("hall", now), WallCallUps::default());
        assert_eq!(call_ups.of("back", now).cameras.len(), 3);
        // What is over is not kept.
        call_ups.clear("nothing", None, now + SECOND);
        assert!(call_ups.state.lock().walls.is_empty());
    }
}
