//! The stall detector: what is overdue in a stream, by the agent's own monotonic clock.
//!
//! Time is always an argument. Beside silence, it detects four kinds of streams that look alive and
//! are not: frames without a key frame, key frames that stop, a decoder that gives no picture, and
//! frames that are old when they arrive.
//!
//! The agent's own client says when the last packet of a frame came. The worker's reader cannot:
//! FFmpeg hands an H.264 or H.265 frame on when the next one begins, so such a frame may be as old
//! as the gap before it, and the detector never assumes that it is younger.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::text::{Code, Reason};

/// The longest key-frame interval assumed for a camera before it was measured; cameras offer up to
/// 10 s. A new camera's interval is unknown, and a stream without its first key frame shows no
/// picture yet.
const ASSUMED_INTERVAL: Duration = Duration::from_secs(10);

/// Grace added to the expected key-frame interval.
const SLACK: Duration = Duration::from_secs(1);

/// Number of key-frame intervals remembered; the longest of them is expected. Cameras with "smart"
/// codecs lengthen their groups when the scene is still.
const MEMORY: usize = 16;

/// How long the camera has for the key frame that it is asked for once the group is too large to be kept: two
/// requests, and a moment.
const ASKED: Duration = Duration::from_secs(5);

/// Pictures may be missing for this many of their own intervals, if that is more than the limit.
const PICTURES: u32 = 2;

/// Number of units whose arrival times are remembered for the pictures made of them, and for how long
/// more than that are, up to a bound that a camera of 60 frames/s does not reach.
const UNITS: usize = 64;
const REMEMBERED: Duration = Duration::from_secs(15);
const MAX_UNITS: usize = 1024;

/// A stream becomes live once a frame is younger than `stall_after` divided by this. Then the next
/// frame, after an equally long gap, comes before that frame is too old.
const YOUNG: u32 = 2;

/// The stall detector of one stream. The key-frame intervals are remembered across workers.
#[derive(Debug, Default)]
pub struct StallDetector {
    begun: Option<Instant>,
    first_unit: Option<Instant>,
    last_unit: Option<Instant>,
    /// The newest units, and the earliest time at which each can have come.
    units: VecDeque<(u32, Instant)>,
    /// When the newest unit came that may not be shown: it is damaged, or precedes a key frame.
    last_withheld: Option<Instant>,
    /// The agent's own client reads the stream, and nothing but whole groups reaches the detector.
    is_gated: bool,
    last_key: Option<Instant>,
    last_picture: Option<Instant>,
    intervals: VecDeque<Duration>,
}

/// The limits that the stream must keep.
#[derive(Clone, Copy, Debug)]
pub struct StallLimits {
    /// The camera's `stall_after`.
    pub stall_after: Duration,
    pub live: bool,
    /// The shortest interval of the pictures wanted; `None` if none are.
    pub picture_every: Option<Duration>,
    /// Since when the group of pictures is too large to be kept, so that a new viewer sees nothing until the next key
    /// frame; `None`: it is kept.
    pub outgrown_at: Option<Instant>,
}

/// What did not come in time, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StallReason {
    Frames(Duration),
    /// Frames come too far apart to be shown as live.
    Seldom {
        every: Duration,
        limit: Duration,
    },
    /// The stream is open, but no picture can begin.
    FirstKeyFrame(Duration),
    /// The stream was live, but no new viewer could join it.
    KeyFrames(Duration),
    /// Frames arrive, but the decoder makes no picture of them.
    Pictures(Duration),
}

impl From<StallReason> for Reason {
    fn from(lack: StallReason) -> Self {
        let seconds = |code: Code, limit: Duration| code.with("seconds", limit.as_secs_f64());
        match lack {
            StallReason::Frames(limit) => seconds(Code::NoFrame, limit).into(),
            StallReason::Seldom { every, limit } => {
                [seconds(Code::FewFrames, every), seconds(Code::RaiseStallAfter, limit)].into()
            }
            StallReason::FirstKeyFrame(limit) => {
                [seconds(Code::NoFirstKeyFrame, limit), Code::SetKeyFrameInterval.into()].into()
            }
            StallReason::KeyFrames(limit) => seconds(Code::NoKeyFrame, limit).into(),
            StallReason::Pictures(limit) => seconds(Code::NotDecoded, limit).into(),
        }
    }
}

impl StallDetector {
    /// Records that another session begins. `is_gated`: units come by [`StallDetector::received`]
    /// and [`StallDetector::withheld`], so the first one is a key frame, however late.
    pub fn begin(&mut self, is_gated: bool, now: Instant) {
        match (self.last_unit, self.last_key) {
            // The camera did not keep its interval, so nothing is known of it any longer.
            (Some(_), None) => self.intervals.clear(),
            // A group that was cut off was at least this long. A camera that lengthens its groups
            // far beyond that is therefore interrupted once for each doubling, and not for ever.
            (Some(unit), Some(key)) => {
                let cut_off = unit.saturating_duration_since(key);
                if cut_off > self.interval() {
                    self.note_interval(cut_off);
                }
            }
            (None, _) => {}
        }
        (self.first_unit, self.last_unit, self.last_key) = (None, None, None);
        self.units.clear();
        (self.last_withheld, self.is_gated) = (None, is_gated);
        (self.begun, self.last_picture) = (Some(now), Some(now));
    }

    /// Records an access unit from the worker's reader; `prompt` if it hands units on as soon as
    /// they are complete.
    pub fn unit(&mut self, sequence: u32, key: bool, prompt: bool, now: Instant) {
        let before = self.last_unit.or(self.begun);
        let came_at = before.filter(|_| !prompt || self.last_unit.is_none()).unwrap_or(now);
        self.push(sequence, key, came_at, now);
    }

    /// Records an access unit from the agent's own client, whose last packet came at `at`.
    pub fn received(&mut self, sequence: u32, key: bool, at: Instant) {
        self.push(sequence, key, at, at);
    }

    /// Records an access unit that came at `at` and may not be shown.
    pub fn withheld(&mut self, at: Instant) {
        self.first_unit.get_or_insert(at);
        self.last_withheld = Some(at);
    }

    fn push(&mut self, sequence: u32, key: bool, came_at: Instant, now: Instant) {
        let is_full = |units: &VecDeque<(u32, Instant)>| {
            units.len() >= UNITS
                && units
                    .front()
                    .is_some_and(|(_, at)| units.len() >= MAX_UNITS || now.saturating_duration_since(*at) >= REMEMBERED)
        };
        while is_full(&self.units) {
            self.units.pop_front();
        }
        self.units.push_back((sequence, came_at));
        self.first_unit.get_or_insert(now);
        self.last_unit = Some(now);
        if key && let Some(before) = self.last_key.replace(now) {
            self.note_interval(now.saturating_duration_since(before));
        }
    }

    /// Records that the stream became live: from now on a picture is expected.
    pub fn live(&mut self, now: Instant) {
        self.last_picture = Some(now);
    }

    /// Records that a picture was made of unit `sequence`. Returns the age that the picture may
    /// have. One whose unit is forgotten may be of any age: its decoder is far behind, or the unit is of
    /// an earlier session.
    pub fn picture(&mut self, sequence: u32, now: Instant) -> Duration {
        let Some((_, taken)) = self.units.iter().rev().find(|(unit, _)| *unit == sequence) else {
            return Duration::MAX;
        };
        self.last_picture = self.last_picture.max(Some(*taken));
        now.saturating_duration_since(*taken)
    }

    /// Whether the newest unit is young enough for the stream to be live.
    pub fn is_young(&self, stall_after: Duration, now: Instant) -> bool {
        self.age(now).is_some_and(|age| age <= stall_after / YOUNG)
    }

    /// Records that pictures are wanted for the first time: the time limit starts now, not at an
    /// earlier picture.
    pub fn wanted(&mut self) {
        self.last_picture = self.last_unit;
    }

    /// The age that the newest access unit may have; `None` before the first.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.newest().map(|at| now.saturating_duration_since(at))
    }

    fn newest(&self) -> Option<Instant> {
        self.units.back().map(|(_, since)| *since)
    }

    /// Since when units come, but none that may be shown; `None` otherwise.
    pub fn waits_for_key_frame_since(&self) -> Option<Instant> {
        self.first_unit.filter(|_| self.last_unit.is_none())
    }

    /// What is overdue at `now`, if anything.
    pub fn overdue(&self, terms: StallLimits, now: Instant) -> Option<StallReason> {
        self.deadlines(terms).into_iter().flatten().find(|(at, _)| now >= *at).map(|(_, lack)| lack)
    }

    /// Whether pictures are overdue at `now`, where the decoder does not belong to the session.
    pub fn overdue_pictures(&self, terms: StallLimits, now: Instant) -> Option<StallReason> {
        self.picture_deadline(terms).filter(|(at, _)| now >= *at).map(|(_, lack)| lack)
    }

    /// When something will be overdue if nothing arrives until then; `None` before the first access
    /// unit.
    pub fn due(&self, terms: StallLimits) -> Option<Instant> {
        self.deadlines(terms).into_iter().flatten().map(|(at, _)| at).min()
    }

    fn deadlines(&self, terms: StallLimits) -> [Option<(Instant, StallReason)>; 3] {
        if self.is_gated {
            return [self.frame_deadline(terms), self.join_deadline(terms), None];
        }
        let limit = terms.stall_after;
        // A stream that is not live is not shown, so its next frame may take the whole limit.
        let (newest, last) = (self.newest(), self.last_unit);
        let gap = last.zip(newest).map_or(Duration::ZERO, |(last, newest)| last.saturating_duration_since(newest));
        let seldom = StallReason::Seldom { every: gap, limit };
        let is_seldom = gap > limit / YOUNG;
        let frames = if terms.live { newest } else { last }
            .map(|at| (at + limit, if is_seldom { seldom } else { StallReason::Frames(limit) }));
        let key = if terms.live && self.last_key.is_some() {
            self.join_deadline(terms)
        } else {
            self.first_unit.map(|at| {
                let limit = limit.max(self.interval() + SLACK);
                // If a key frame came, it and what followed were too old.
                (at + limit, if self.last_key.is_some() { seldom } else { StallReason::FirstKeyFrame(limit) })
            })
        };
        [frames, key, self.picture_deadline(terms)]
    }

    /// When a stream that the agent reads itself stalls. While it is live, only a frame that may be
    /// shown counts; before that, any frame does.
    fn frame_deadline(&self, terms: StallLimits) -> Option<(Instant, StallReason)> {
        let limit = terms.stall_after;
        let is_damaged = self.last_withheld > self.last_unit;
        let reason = if is_damaged { StallReason::KeyFrames(limit) } else { StallReason::Frames(limit) };
        match (terms.live, self.last_unit) {
            (true, Some(at)) => Some((at + limit, reason)),
            _ => self.last_unit.max(self.last_withheld).map(|at| (at + limit, StallReason::Frames(limit))),
        }
    }

    /// When the next key frame of a live stream is overdue, because no viewer can join.
    fn join_deadline(&self, terms: StallLimits) -> Option<(Instant, StallReason)> {
        let (at, outgrown_at) = self.last_key.zip(terms.outgrown_at).filter(|_| terms.live)?;
        let limit = terms.stall_after.max(2 * self.interval() + SLACK);
        Some(((at + limit).max(outgrown_at + ASKED), StallReason::KeyFrames(limit)))
    }

    fn picture_deadline(&self, terms: StallLimits) -> Option<(Instant, StallReason)> {
        let (at, every) = self.last_picture.zip(terms.picture_every).filter(|_| terms.live)?;
        let limit = picture_limit(terms.stall_after, every);
        Some((at + limit, StallReason::Pictures(limit)))
    }

    /// The key-frame interval to expect.
    fn interval(&self) -> Duration {
        self.intervals.iter().copied().max().unwrap_or(ASSUMED_INTERVAL)
    }

    fn note_interval(&mut self, interval: Duration) {
        if self.intervals.len() == MEMORY {
            self.intervals.pop_front();
        }
        self.intervals.push_back(interval);
    }
}

/// The age up to which a picture is live, if one is wanted `every` so often.
pub fn picture_limit(stall_after: Duration, every: Duration) -> Duration {
    stall_after.max(PICTURES * every)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: StallLimits =
        StallLimits { stall_after: Duration::from_secs(5), live: true, picture_every: None, outgrown_at: None };
    const OPENING: StallLimits = StallLimits { live: false, ..LIVE };

    struct Scene {
        stall: StallDetector,
        start: Instant,
    }

    impl Scene {
        fn new() -> Self {
            let (mut stall, start) = (StallDetector::default(), Instant::now());
            stall.begin(false, start);
            Self { stall, start }
        }

        /// A live stream whose group was outgrown at this time.
        fn outgrown(&self, at: u64) -> StallLimits {
            StallLimits { outgrown_at: Some(self.at(at)), ..LIVE }
        }

        fn at(&self, milliseconds: u64) -> Instant {
            self.start + Duration::from_millis(milliseconds)
        }

        /// Sends 25 frames a second in `from..until` milliseconds, with a key frame every `gop`
        /// from `from` on.
        fn send(&mut self, from: u64, until: u64, gop: Option<u64>) {
            for at in (from..until).step_by(40) {
                let key = gop.is_some_and(|gop| (at - from).is_multiple_of(gop));
                let number = u32::try_from(at).unwrap();
                self.stall.unit(number, key, false, self.at(at));
            }
        }

        fn overdue(&self, terms: StallLimits, milliseconds: u64) -> Option<StallReason> {
            let (now, due) = (self.at(milliseconds), self.stall.due(terms));
            let lack = self.stall.overdue(terms, now);
            assert_eq!(lack.is_some(), due.is_some_and(|due| due <= now), "the two answers belong together");
            lack
        }
    }

    #[test]
    fn silence_is_overdue_at_the_limit_and_not_before() {
        let mut scene = Scene::new();
        assert_eq!(scene.overdue(LIVE, 60_000), None, "opening has its own deadline");
        scene.send(0, 1000, Some(1000));
        assert_eq!(scene.overdue(LIVE, 5919), None);
        assert_eq!(scene.overdue(LIVE, 5920), Some(StallReason::Frames(LIVE.stall_after)), "the last may be 40 ms old");
        assert_eq!(scene.overdue(OPENING, 5959), None);
        assert_eq!(scene.overdue(OPENING, 5960), Some(StallReason::Frames(LIVE.stall_after)));
    }

    #[test]
    fn first_key_frame_of_an_unknown_camera_may_take_the_longest_interval_cameras_offer() {
        let mut scene = Scene::new();
        scene.send(0, 30_000, None);
        assert_eq!(scene.overdue(OPENING, 10_999), None);
        assert!(matches!(scene.overdue(OPENING, 11_000), Some(StallReason::FirstKeyFrame(_))));
    }

    #[test]
    fn first_key_frame_of_a_known_camera_is_due_within_the_limit() {
        let mut scene = Scene::new();
        scene.send(0, 10_000, Some(2000));
        scene.stall.begin(false, scene.at(10_000));
        scene.send(11_000, 30_000, None);
        assert_eq!(scene.overdue(OPENING, 15_999), None);
        assert!(matches!(scene.overdue(OPENING, 16_000), Some(StallReason::FirstKeyFrame(_))));
        // The measured interval is no longer true; the stream must not be refused for ever.
        scene.stall.begin(false, scene.at(30_000));
        scene.send(31_000, 60_000, None);
        assert_eq!(scene.overdue(OPENING, 41_999), None);
    }

    #[test]
    fn key_frames_that_cease_are_overdue_once_nobody_can_join() {
        let mut scene = Scene::new();
        scene.send(0, 10_040, Some(2000));
        scene.send(10_040, 60_000, None);
        assert_eq!(scene.overdue(LIVE, 50_000), None, "the group is whole: it hurts nobody");
        let ceased = Some(StallReason::KeyFrames(Duration::from_secs(5)));
        let early = scene.outgrown(9_000);
        assert_eq!((scene.overdue(early, 14_999), scene.overdue(early, 15_000)), (None, ceased));
        let late = scene.outgrown(40_000);
        assert_eq!((scene.overdue(late, 44_999), scene.overdue(late, 45_000)), (None, ceased), "it is asked first");
    }

    #[test]
    fn camera_with_long_groups_is_not_interrupted() {
        let mut scene = Scene::new();
        scene.send(0, 60_000, Some(20_000));
        for at in (0..80_000).step_by(1000) {
            scene.stall.unit(1, false, false, scene.at(at.max(59_960)));
            assert_eq!(scene.overdue(scene.outgrown(0), at), None, "at {at} ms");
        }
    }

    #[test]
    fn group_that_was_cut_off_doubles_the_patience() {
        let mut scene = Scene::new();
        let (mut begun, mut cuts) = (0, Vec::new());
        // No key frame except the first, as with an encoder that refreshes by stripes.
        for _ in 0..4 {
            scene.stall.begin(false, scene.at(begun));
            scene.stall.unit(1, true, false, scene.at(begun));
            let mut at = begun;
            while !matches!(scene.overdue(scene.outgrown(0), at), Some(StallReason::KeyFrames(_))) {
                at += 40;
                scene.stall.unit(1, false, false, scene.at(at));
            }
            cuts.push((at - begun) / 1000);
            begun = at;
        }
        assert_eq!(cuts, [21, 43, 87, 175]);
    }

    #[test]
    fn client_that_tells_arrivals_is_believed_however_seldom_frames_come() {
        let mut scene = Scene::new();
        scene.stall.begin(true, scene.at(0));
        for (number, at) in (1..6).map(|second| (second, u64::from(second) * 4000)) {
            scene.stall.received(number, number == 1, scene.at(at));
            assert!(scene.stall.is_young(LIVE.stall_after, scene.at(at)));
            assert_eq!(scene.stall.age(scene.at(at + 300)), Some(Duration::from_millis(300)));
            assert_eq!(scene.overdue(LIVE, at + 3999), None);
        }
        assert_eq!(scene.overdue(LIVE, 25_000), Some(StallReason::Frames(LIVE.stall_after)));
    }

    #[test]
    fn frames_before_the_first_key_frame_are_no_stall_as_long_as_they_come() {
        let mut scene = Scene::new();
        scene.stall.begin(true, scene.at(0));
        assert_eq!(scene.overdue(OPENING, 60_000), None, "opening has its own deadline");
        for at in (1000..90_000).step_by(40) {
            scene.stall.withheld(scene.at(at));
            assert_eq!(scene.overdue(OPENING, at), None, "at {at} ms");
        }
        assert_eq!(scene.stall.waits_for_key_frame_since(), Some(scene.at(1000)));
        assert_eq!(scene.overdue(OPENING, 94_960), Some(StallReason::Frames(LIVE.stall_after)));
        scene.stall.received(1, true, scene.at(95_000));
        assert_eq!(scene.stall.waits_for_key_frame_since(), None);
    }

    #[test]
    fn damaged_frames_keep_no_stream_live() {
        let mut scene = Scene::new();
        scene.stall.begin(true, scene.at(0));
        scene.stall.received(1, true, scene.at(1000));
        for at in (1040..5990).step_by(40) {
            scene.stall.withheld(scene.at(at));
            assert_eq!(scene.overdue(LIVE, at), None, "at {at} ms");
        }
        assert_eq!(scene.overdue(LIVE, 6000), Some(StallReason::KeyFrames(LIVE.stall_after)));
        scene.stall.received(2, true, scene.at(6000));
        assert_eq!(scene.overdue(LIVE, 6000), None);
    }

    #[test]
    fn pictures_that_another_process_makes_do_not_end_the_session() {
        let mut scene = Scene::new();
        scene.stall.begin(true, scene.at(0));
        let terms = StallLimits { picture_every: Some(Duration::from_secs(1)), ..LIVE };
        for at in (0..10_000).step_by(40) {
            scene.stall.received(at, at == 0, scene.at(at.into()));
        }
        assert_eq!(scene.overdue(terms, 10_000), None);
        assert!(matches!(scene.stall.overdue_pictures(terms, scene.at(10_000)), Some(StallReason::Pictures(_))));
        scene.stall.picture(9960, scene.at(10_000));
        assert_eq!(scene.stall.overdue_pictures(terms, scene.at(10_000)), None);
    }

    #[test]
    fn decoder_is_given_the_limit_or_two_of_its_own_intervals() {
        let mut scene = Scene::new();
        scene.send(0, 20_000, Some(2000));
        assert_eq!(scene.overdue(LIVE, 20_000), None, "nobody wants pictures");
        scene.stall.wanted();
        let terms = |seconds| StallLimits { picture_every: Some(Duration::from_secs(seconds)), ..LIVE };
        scene.send(20_000, 40_000, Some(2000));
        assert_eq!(scene.overdue(terms(1), 24_959), None);
        assert!(matches!(scene.overdue(terms(1), 24_960), Some(StallReason::Pictures(_))));
        assert_eq!(scene.overdue(terms(4), 27_959), None);
        scene.stall.picture(26_000, scene.at(26_000));
        assert_eq!(scene.overdue(terms(1), 30_959), None);
    }

    #[test]
    fn picture_of_an_earlier_session_may_be_of_any_age() {
        let mut scene = Scene::new();
        scene.stall.received(1, true, scene.at(0));
        scene.stall.received(2, false, scene.at(1000));
        assert_eq!(scene.stall.picture(2, scene.at(1040)), Duration::from_millis(40));
        // The camera stops; the decoder still has the frame, and a new viewer makes it work.
        scene.stall.begin(true, scene.at(9000));
        scene.stall.received(3, true, scene.at(9900));
        assert!(scene.stall.picture(2, scene.at(9950)) > LIVE.stall_after);
        assert_eq!(scene.stall.picture(3, scene.at(9950)), Duration::from_millis(50));
    }

    #[test]
    fn frames_are_remembered_for_as_long_as_a_decoder_can_be_behind() {
        for fps in [1, 25, 60] {
            let (mut scene, mut at) = (Scene::new(), 0);
            for number in 0..60 * fps {
                at = u64::from(number) * 1000 / u64::from(fps);
                scene.stall.received(number, number == 0, scene.at(at));
            }
            let age = |scene: &mut Scene, behind: u32| scene.stall.picture(60 * fps - 1 - behind, scene.at(at));
            assert_eq!(age(&mut scene, 0), Duration::ZERO);
            let ten_seconds = age(&mut scene, 10 * fps);
            assert!(ten_seconds >= Duration::from_secs(9) && ten_seconds < Duration::from_secs(11), "{ten_seconds:?}");
            assert!(scene.stall.units.len() <= MAX_UNITS);
        }
        let mut scene = Scene::new();
        for number in 0..10_000 {
            scene.stall.received(number, false, scene.at(u64::from(number)));
        }
        assert_eq!(scene.stall.units.len(), MAX_UNITS);
        assert_eq!(scene.stall.picture(1, scene.at(10_000)), Duration::MAX);
    }
}
