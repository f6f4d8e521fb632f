//! The tour of one wall: which step is on, which cameras it shows, and which of them is large.
//!
//! Time is an argument. It is that of the monotonic clock, so a clock that is set does not move a tour.

use std::time::{Duration, Instant};

use crate::{
    camera::CameraId,
    config::{Layout, Turns, Wall},
    web::{Cause, Place, Scene},
};

/// How often a wall without steps decides anew which cameras are live, as long as a step lasts if nobody says.
const ALONE: Duration = Duration::from_secs(20);
/// A step that begins at most this late begins when the one before it should have ended.
const MAX_DRIFT: Duration = Duration::from_secs(2);

/// The cameras as the agent has them.
pub struct Cameras<'a> {
    /// All that are enabled, in the order of the file.
    pub all: &'a [CameraId],
    pub is_live: &'a dyn Fn(&CameraId) -> bool,
}

/// One step, with what the wall says where the step says nothing.
#[derive(Debug)]
struct Step {
    layout: Option<Layout>,
    cameras: Option<Vec<CameraId>>,
    time: Duration,
    skip_dead: bool,
    /// `None`: no camera takes turns.
    large_every: Option<Duration>,
    /// The camera that had the large panel last.
    large: Option<CameraId>,
}

/// A tour and where it is.
#[derive(Debug)]
pub struct Tour {
    steps: Vec<Step>,
    /// Whether the file has steps, and not only a wall that changes.
    has_steps: bool,
    index: usize,
    since: Option<Instant>,
    large_since: Instant,
    /// The cameras that were live when the step began; `None`: all of the step.
    chosen: Option<Vec<CameraId>>,
}

impl Tour {
    /// The tour of `wall`, if it has one.
    pub fn of(wall: &Wall, now: Instant) -> Option<Self> {
        let step = |layout: &Option<Layout>, cameras: &Option<Vec<CameraId>>, time, turns: Turns| {
            let skip_dead = turns.skip_dead.unwrap_or(false) && !matches!(layout, Some(Layout::Drawn(_)));
            let large_every = turns.large_every.filter(|seconds| *seconds > 0);
            let large_every = large_every.filter(|_| layout.as_ref().is_some_and(Layout::has_large));
            let large_every = large_every.map(|seconds| Duration::from_secs(seconds.into()));
            Step { layout: layout.clone(), cameras: cameras.clone(), time, skip_dead, large_every, large: None }
        };
        let mut steps: Vec<Step> = wall
            .steps
            .iter()
            .map(|own| {
                // A drawn layout is one of its own cameras.
                let of_wall = wall.layout.as_ref();
                let of_wall = of_wall.filter(|layout| own.cameras.is_none() || layout.cameras().is_none());
                let layout = own.layout.clone().or_else(|| of_wall.cloned());
                let cameras = own.cameras.clone().or_else(|| wall.cameras.clone());
                step(&layout, &cameras, Duration::from_secs(own.seconds.into()), own.turns.or(wall.turns))
            })
            .collect();
        let has_steps = !steps.is_empty();
        if !has_steps {
            let alone = step(&wall.layout, &wall.cameras, ALONE, wall.turns);
            if !alone.skip_dead && alone.large_every.is_none() {
                return None;
            }
            steps.push(alone);
        }
        Some(Self { steps, has_steps, index: 0, since: None, large_since: now, chosen: None })
    }

    /// Moves on as far as it is time, and returns what the wall shows at `now`.
    pub fn tick(&mut self, cameras: &Cameras<'_>, now: Instant) -> Scene {
        match self.since {
            None => {
                let first = if self.is_passed_over(0, cameras) { self.next(cameras) } else { 0 };
                self.enter(first, now, cameras);
            }
            Some(since) => {
                let due = since + self.steps[self.index].time;
                let is_dead = self.is_passed_over(self.index, cameras);
                let next = self.next(cameras);
                if now >= due {
                    let begin = if now < due + MAX_DRIFT { due } else { now };
                    self.enter(next, begin, cameras);
                } else if is_dead && next != self.index && !self.is_passed_over(next, cameras) {
                    self.enter(next, now, cameras);
                }
            }
        }
        self.turn_large(cameras, now);
        self.scene(cameras, now)
    }

    /// The step after this one that has a live camera, or may be shown without; if none has, the next one.
    fn next(&self, cameras: &Cameras<'_>) -> usize {
        let count = self.steps.len();
        let mut following = (1..=count).map(|by| (self.index + by) % count);
        following.find(|index| !self.is_passed_over(*index, cameras)).unwrap_or((self.index + 1) % count)
    }

    fn is_passed_over(&self, index: usize, cameras: &Cameras<'_>) -> bool {
        let step = &self.steps[index];
        step.skip_dead && !step.cameras(cameras).iter().any(cameras.is_live)
    }

    fn enter(&mut self, index: usize, now: Instant, cameras: &Cameras<'_>) {
        let is_same = self.since.is_some() && index == self.index;
        self.index = index;
        self.since = Some(now);
        let step = &mut self.steps[index];
        self.chosen = step.skip_dead.then(|| step.live(cameras)).filter(|live| !live.is_empty());
        // A step that follows itself goes on as it was.
        if !is_same {
            self.large_since = now;
            step.next_large(self.chosen.as_deref(), cameras);
        }
    }

    fn turn_large(&mut self, cameras: &Cameras<'_>, now: Instant) {
        let step = &mut self.steps[self.index];
        if let Some(every) = step.large_every
            && now >= self.large_since + every
        {
            let due = self.large_since + every;
            self.large_since = if now < due + MAX_DRIFT { due } else { now };
            step.next_large(self.chosen.as_deref(), cameras);
        }
    }

    fn scene(&self, cameras: &Cameras<'_>, now: Instant) -> Scene {
        let step = &self.steps[self.index];
        let mut shown = self.chosen.clone().or_else(|| step.cameras.clone());
        if step.large_every.is_some() {
            let mut list = shown.unwrap_or_else(|| cameras.all.to_vec());
            if let Some(at) = list.iter().position(|camera| Some(camera) == step.large.as_ref()) {
                list[..=at].rotate_right(1);
            }
            shown = Some(list);
        }
        let until = self.since.unwrap_or(now) + step.time;
        // With one step nothing comes after it.
        let place = self.has_steps && self.steps.len() > 1;
        let place = place.then_some(Place { step: self.index + 1, of: self.steps.len(), until });
        Scene { layout: step.layout.clone(), cameras: shown, place, ..Scene::of(Cause::Tour) }
    }
}

impl Step {
    fn cameras(&self, cameras: &Cameras<'_>) -> Vec<CameraId> {
        self.cameras.clone().unwrap_or_else(|| cameras.all.to_vec())
    }

    fn live(&self, cameras: &Cameras<'_>) -> Vec<CameraId> {
        self.cameras(cameras).into_iter().filter(|camera| (cameras.is_live)(camera)).collect()
    }

    /// Gives the large panel to the camera after the one that had it last, among `chosen` or those of the step.
    fn next_large(&mut self, chosen: Option<&[CameraId]>, cameras: &Cameras<'_>) {
        if self.large_every.is_none() {
            return;
        }
        let list = chosen.map_or_else(|| self.cameras(cameras), <[CameraId]>::to_vec);
        let begin = self.large.as_ref().and_then(|large| list.iter().position(|camera| camera == large));
        let begin = begin.map_or(0, |at| at + 1);
        let may_be_large =
            |camera: &&CameraId| cameras.all.contains(camera) && (!self.skip_dead || (cameras.is_live)(camera));
        let next = list.iter().cycle().skip(begin).take(list.len()).find(may_be_large);
        self.large = next.or(list.first()).cloned();
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeSet, path::Path};

    use super::*;
    use crate::config::parse;

    const SECOND: Duration = Duration::from_secs(1);

    /// A wall with six cameras, `a` to `f`, some of them dead.
    struct Scenario {
        tour: Tour,
        all: Vec<CameraId>,
        dead: RefCell<BTreeSet<&'static str>>,
        start: Instant,
    }

    impl Scenario {
        fn new(wall: &str) -> Self {
            let cameras: String =
                ["a", "b", "c", "d", "e", "f"].map(|id| format!("[[camera]]\nid='{id}'\nip='{id}.lan'\n")).concat();
            let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
            let config = parse(&format!("{cameras}{wall}"), Path::new("c"), &no_files).unwrap();
            let start = Instant::now();
            let tour = Tour::of(&config.walls.standard, start).unwrap();
            let all = config.cameras.into_iter().map(|camera| camera.id).collect();
            Self { tour, all, dead: RefCell::default(), start }
        }

        /// Layout and cameras after this many seconds.
        fn at(&mut self, seconds: f64) -> String {
            let is_live = |camera: &CameraId| !self.dead.borrow().contains(camera.as_str());
            let cameras = Cameras { all: &self.all, is_live: &is_live };
            let scene = self.tour.tick(&cameras, self.start + SECOND.mul_f64(seconds));
            let layout = match scene.layout {
                None => "-".to_owned(),
                Some(Layout::Word(word)) => word.to_owned(),
                Some(Layout::Drawn(grid)) => grid.rows(|_| true).join("/"),
            };
            let ids = scene.cameras.map_or("all".to_owned(), |ids| ids.iter().map(CameraId::as_str).collect());
            format!("{layout} {ids}")
        }

        fn dead(&self, dead: &[&'static str]) {
            *self.dead.borrow_mut() = dead.iter().copied().collect();
        }
    }

    #[test]
    fn steps_follow_each_other_and_come_round_again() {
        let mut wall = Scenario::new(
            "[wall]\nlayout=4\ncameras=['a','b']\n[[wall.step]]\nseconds=10\n\
             [[wall.step]]\ncameras=['c','d','e']\nlayout='1+5'\nseconds=5\n[[wall.step]]\nlayout=['f f', 'f f']\n",
        );
        for (seconds, shown) in
            [(0.0, "4 ab"), (9.9, "4 ab"), (10.3, "1+5 cde"), (15.2, "f f/f f f"), (34.9, "f f/f f f"), (35.0, "4 ab")]
        {
            assert_eq!(wall.at(seconds), shown, "after {seconds} s");
        }
        // An agent that was suspended goes on with the next step and its whole time.
        assert_eq!(
            (wall.at(1000.0), wall.at(1004.9), wall.at(1005.0)),
            ("1+5 cde".into(), "1+5 cde".into(), "f f/f f f".into())
        );
    }

    #[test]
    fn step_with_other_cameras_does_not_take_over_a_drawn_layout() {
        let mut wall = Scenario::new(
            "[wall]\nlayout=['a b']\n[[wall.step]]\ncameras=['c']\n[[wall.step]]\nlayout=4\n[[wall.step]]\n",
        );
        assert_eq!((wall.at(0.0), wall.at(20.0), wall.at(40.0)), ("- c".into(), "4 ab".into(), "a b ab".into()));
    }

    #[test]
    fn cameras_take_turns_in_the_large_panel_and_the_others_keep_their_order() {
        let mut wall = Scenario::new("[wall]\nlayout='1+5'\nlarge_every=10\ncameras=['a','b','c']\n");
        for (seconds, shown) in [(0.0, "abc"), (9.0, "abc"), (10.0, "bac"), (20.5, "cab"), (30.0, "abc"), (45.0, "bac")]
        {
            assert_eq!(wall.at(seconds), format!("1+5 {shown}"), "after {seconds} s");
        }
        let mut all = Scenario::new("[wall]\nlayout='1+5'\nlarge_every=10\n");
        assert_eq!((all.at(0.0), all.at(10.0)), ("1+5 abcdef".into(), "1+5 bacdef".into()));
    }

    #[test]
    fn large_panel_goes_on_where_it_was_when_its_step_comes_round_again() {
        let mut wall = Scenario::new(
            "[[wall.step]]\nlayout='1+5'\nlarge_every=10\ncameras=['a','b','c']\n[[wall.step]]\nlayout=1\ncameras=['d']\nlarge_every=0\n",
        );
        for (seconds, shown) in
            [(0.0, "1+5 abc"), (10.0, "1+5 bac"), (20.0, "1 d"), (40.0, "1+5 cab"), (50.0, "1+5 abc")]
        {
            assert_eq!(wall.at(seconds), shown, "after {seconds} s");
        }
    }

    #[test]
    fn dead_cameras_are_shown_unless_the_file_says_otherwise() {
        let mut wall = Scenario::new("[[wall.step]]\ncameras=['a','b']\n[[wall.step]]\ncameras=['c']\n");
        wall.dead(&["a", "b", "c"]);
        assert_eq!((wall.at(0.0), wall.at(20.0)), ("- ab".into(), "- c".into()));
    }

    #[test]
    fn dead_cameras_and_dead_steps_are_passed_over_where_asked() {
        let mut wall = Scenario::new(
            "[wall]\nskip_dead=true\n[[wall.step]]\ncameras=['a','b']\n[[wall.step]]\ncameras=['c']\n\
             [[wall.step]]\ncameras=['d','e']\nskip_dead=false\n[[wall.step]]\nlayout=['f a']\n",
        );
        wall.dead(&["a", "c", "d", "e", "f"]);
        assert_eq!(wall.at(0.0), "- b");
        // A camera that dies in its step is shown, as not live, until the step ends; but not a whole step that is dead.
        wall.dead(&["c", "d", "e", "f", "b"]);
        assert_eq!(wall.at(10.0), "- b");
        assert_eq!(wall.at(20.0), "- de", "c is passed over");
        assert_eq!(wall.at(40.0), "f a fa", "a drawn layout has all its places");
        wall.dead(&["a", "b", "f"]);
        assert_eq!(wall.at(60.0), "- c");
        wall.dead(&["a", "b", "c", "f"]);
        assert_eq!(wall.at(61.0), "- de", "at once");
    }

    #[test]
    fn wall_of_dead_cameras_goes_round_all_the_same() {
        let mut wall =
            Scenario::new("[wall]\nskip_dead=true\n[[wall.step]]\ncameras=['a','b']\n[[wall.step]]\ncameras=['c']\n");
        wall.dead(&["a", "b", "c"]);
        assert_eq!((wall.at(0.0), wall.at(10.0), wall.at(30.0)), ("- c".into(), "- c".into(), "- ab".into()));
    }

    #[test]
    fn wall_without_steps_leaves_dead_cameras_out_and_takes_them_in_again() {
        let mut wall = Scenario::new("[wall]\nlayout='1+5'\nskip_dead=true\nlarge_every=10\n");
        wall.dead(&["b", "d", "e", "f"]);
        assert_eq!((wall.at(0.0), wall.at(10.0)), ("1+5 ac".into(), "1+5 ca".into()));
        wall.dead(&["c"]);
        assert_eq!((wall.at(20.0), wall.at(30.0)), ("1+5 abdef".into(), "1+5 badef".into()));
    }

    #[test]
    fn wall_that_does_not_change_has_no_tour() {
        assert!(Tour::of(&Wall::default(), Instant::now()).is_none());
        let large = Turns { large_every: Some(10), skip_dead: Some(false) };
        let wall = Wall { layout: Some(Layout::Word("4")), turns: large, ..Wall::default() };
        assert!(Tour::of(&wall, Instant::now()).is_none(), "no large panel");
    }
}
