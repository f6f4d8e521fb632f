//! The rules at work: what walls are told when something happens.

use std::time::{Duration, Instant};

use super::input::Happened;
use crate::{
    call_ups::{CallUps, Emphasis},
    camera::CameraId,
    config::{Config, Rule, RuleAction, Trigger},
    event::{CameraEvent, Occurrence, Phase},
};

/// What lasts is shown for this long at most: some inputs are active for days.
const MAX_LASTING: Duration = Duration::from_secs(600);
/// Maximum number of lasting events that are followed at a time.
const MAX_FOLLOWED: usize = 256;

/// The rules, and what lasts of that to which they apply.
#[derive(Default)]
pub struct RuleEngine {
    rules: Vec<Rule>,
    /// All walls with the cameras on them; `None`: all cameras.
    walls: Vec<(String, Option<Vec<CameraId>>)>,
    followed: Vec<Followed>,
    /// The minute of the day by a clock at the wall; `None`: nobody knows.
    minute: Option<u16>,
}

/// Something that lasts, and the rule for it.
struct Followed {
    rule: usize,
    camera: CameraId,
    topic: String,
    sources: Vec<String>,
    since: Instant,
}

impl RuleEngine {
    /// Puts the rules of `config` into force; what lasts is no longer followed if they differ.
    pub fn set(&mut self, config: &Config) {
        let named = config.walls.named.iter().map(|(name, wall)| (name.clone(), wall.all_cameras()));
        self.walls = std::iter::once((String::new(), config.walls.standard.all_cameras())).chain(named).collect();
        if self.rules != config.rules {
            self.rules.clone_from(&config.rules);
            self.followed.clear();
        }
    }

    /// Sets the minute of the day by a clock at the wall, 0 to 1439; `None`: nobody knows, so rules apply at any time.
    pub fn set_minute(&mut self, minute: Option<u16>) {
        self.minute = minute;
    }

    /// Whether `rule` applies at this time of day.
    fn applies(&self, rule: &Rule) -> bool {
        rule.hours.zip(self.minute).is_none_or(|(hours, minute)| hours.contain(minute))
    }

    /// Whether a rule waits for `event` of `camera`.
    pub fn wants(&self, camera: &CameraId, is_wanted: impl Fn(&CameraEvent) -> bool) -> bool {
        let triggers = self.rules.iter().flat_map(|rule| &rule.on);
        triggers.into_iter().any(|trigger| match trigger {
            Trigger::Camera { camera: of, event } => of.as_ref().is_none_or(|of| of == camera) && is_wanted(event),
            Trigger::Mqtt(_) => false,
        })
    }

    /// The topics of MQTT that rules wait for.
    pub fn mqtt_topics(&self) -> Vec<String> {
        let mut topics: Vec<String> = Vec::new();
        for trigger in self.rules.iter().flat_map(|rule| &rule.on) {
            if let Trigger::Mqtt(topic) = trigger
                && !topics.contains(topic)
            {
                topics.push(topic.clone());
            }
        }
        topics
    }

    /// A device has told something of a camera.
    pub fn on_occurrence(&mut self, Happened { camera, occurrence }: &Happened, call_ups: &CallUps, now: Instant) {
        let Occurrence { topic, sources, phase } = occurrence;
        let is_same =
            |followed: &Followed| (&followed.camera, &followed.topic, &followed.sources) == (camera, topic, sources);
        match phase {
            Phase::Began | Phase::Momentary => {
                self.followed.retain(|followed| !is_same(followed));
                for (index, event) in self.matching(camera, |event| event.is_told_by(topic)) {
                    self.carry_out(index, Some(camera), event.as_str(), call_ups, now);
                    if *phase == Phase::Began && self.followed.len() < MAX_FOLLOWED {
                        let (camera, topic, sources) = (camera.clone(), topic.clone(), sources.clone());
                        self.followed.push(Followed { rule: index, camera, topic, sources, since: now });
                    }
                }
            }
            Phase::Lasts => {}
            Phase::Ended => {
                let ended: Vec<_> = self.followed.extract_if(.., |followed| is_same(followed)).collect();
                for followed in ended {
                    self.prolong(&followed, call_ups, now);
                }
            }
        }
    }

    /// The picture of `camera` was lost, or is back.
    pub fn on_picture(&self, camera: &CameraId, event: &CameraEvent, call_ups: &CallUps, now: Instant) {
        for (index, _) in self.matching(camera, |other| other == event) {
            self.carry_out(index, Some(camera), event.as_str(), call_ups, now);
        }
    }

    /// A message with this `topic` has come.
    pub fn on_message(&self, topic: &str, call_ups: &CallUps, now: Instant) {
        let is_meant = |rule: &Rule| rule.on.iter().any(|on| matches!(on, Trigger::Mqtt(wanted) if wanted == topic));
        for (index, _) in self.rules.iter().enumerate().filter(|(_, rule)| is_meant(rule) && self.applies(rule)) {
            self.carry_out(index, None, topic, call_ups, now);
        }
    }

    /// Keeps up what lasts; to be called about once a second.
    pub fn tick(&mut self, call_ups: &CallUps, now: Instant) {
        self.followed.retain(|followed| now.duration_since(followed.since) < MAX_LASTING);
        for followed in &self.followed {
            self.prolong(followed, call_ups, now);
        }
    }

    /// The rules that wait for an event of `camera`, each with that event.
    fn matching(&self, camera: &CameraId, is_meant: impl Fn(&CameraEvent) -> bool) -> Vec<(usize, CameraEvent)> {
        let event_of = |rule: &Rule| {
            rule.on.iter().find_map(|trigger| match trigger {
                Trigger::Camera { camera: of, event }
                    if of.as_ref().is_none_or(|of| of == camera) && is_meant(event) =>
                {
                    Some(event.clone())
                }
                _ => None,
            })
        };
        let rules = self.rules.iter().enumerate().filter(|(_, rule)| self.applies(rule));
        rules.filter_map(|(index, rule)| Some((index, event_of(rule)?))).collect()
    }

    fn carry_out(&self, index: usize, of: Option<&CameraId>, event: &str, call_ups: &CallUps, now: Instant) {
        let rule = &self.rules[index];
        let Some(camera) = rule.camera.as_ref().or(of) else { return };
        let by = of.map_or_else(|| format!("mqtt:{event}"), |of| format!("{of}:{event}"));
        let (emphasis, verb) = emphasis(rule.action);
        log::info!("rule {by}: {verb} {camera} for {} s", rule.time.as_secs());
        for wall in self.walls_of(rule, camera) {
            call_ups.add(wall, camera.clone(), emphasis, rule.time, &by, now);
        }
    }

    fn prolong(&self, followed: &Followed, call_ups: &CallUps, now: Instant) {
        let rule = &self.rules[followed.rule];
        let camera = rule.camera.as_ref().unwrap_or(&followed.camera);
        let (emphasis, _) = emphasis(rule.action);
        for wall in self.walls_of(rule, camera) {
            call_ups.prolong(wall, camera, emphasis, rule.time, now);
        }
    }

    /// The walls on which `rule` brings `camera` to the front.
    fn walls_of<'a>(&'a self, rule: &'a Rule, camera: &'a CameraId) -> impl Iterator<Item = &'a str> {
        let is_meant = move |(name, cameras): &&(String, Option<Vec<CameraId>>)| {
            rule.wall.as_ref().is_none_or(|wall| wall == name)
                && cameras.as_ref().is_none_or(|cameras| cameras.contains(camera))
        };
        self.walls.iter().filter(is_meant).map(|(name, _)| name.as_str())
    }
}

/// How walls bring a camera to the front for `action`, and its word for the log.
fn emphasis(action: RuleAction) -> (Emphasis, &'static str) {
    match action {
        RuleAction::Show => (Emphasis::Shown, "show"),
        RuleAction::Mark => (Emphasis::Marked, "mark"),
        RuleAction::Sound => (Emphasis::Sounded, "sound"),
        RuleAction::LookBack => (Emphasis::LookedBack, "look back at"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;

    const SECOND: Duration = Duration::from_secs(1);
    const CAMERAS: &str = "[[camera]]\nid='gate'\nip='10.0.0.1'\n[[camera]]\nid='yard'\nip='10.0.0.2'\n\
                           [wall.hall]\ncameras=['gate']\n[wall.all]\nlayout=4\n[mqtt]\nbroker='mqtt://h'\n";

    fn engine(rules: &str) -> RuleEngine {
        let text = format!("{CAMERAS}{rules}");
        let config = config::parse(&text, Path::new("c"), &|_: &Path| unreachable!()).unwrap();
        let mut engine = RuleEngine::default();
        engine.set(&config);
        engine
    }

    fn id(name: &str) -> CameraId {
        CameraId::new(name).unwrap()
    }

    fn motion(camera: &str, phase: Phase) -> Happened {
        let topic = "RuleEngine/CellMotionDetector/Motion".to_owned();
        Happened { camera: id(camera), occurrence: Occurrence { topic, sources: vec!["S".into()], phase } }
    }

    /// What each wall shows, as `wall:camera`.
    fn shown(call_ups: &CallUps, now: Instant) -> String {
        let of = |wall: &str| -> Vec<String> {
            let cameras = call_ups.of(wall, now).cameras;
            cameras.iter().map(|call_up| format!("{wall}:{}", call_up.camera)).collect()
        };
        ["", "hall", "all"].map(of).concat().join(" ")
    }

    #[test]
    fn event_brings_its_camera_to_the_front_of_every_wall_that_shows_it() {
        let mut engine = engine("[[rule]]\non='*:motion'\nseconds=10");
        let (call_ups, now) = (CallUps::default(), Instant::now());
        engine.on_occurrence(&motion("yard", Phase::Momentary), &call_ups, now);
        assert_eq!(shown(&call_ups, now), ":yard all:yard");
        assert_eq!(call_ups.of("", now).cameras[0].by, "yard:motion");
        engine.on_occurrence(&motion("gate", Phase::Momentary), &call_ups, now);
        assert_eq!(shown(&call_ups, now), ":yard :gate hall:gate all:yard all:gate");
        assert_eq!(shown(&call_ups, now + 10 * SECOND), "");
        assert!(engine.wants(&id("yard"), CameraEvent::is_of_camera) && engine.mqtt_topics().is_empty());
    }

    #[test]
    fn rule_may_name_another_camera_one_wall_and_other_events() {
        let mut engine = engine(
            "[[rule]]\non=['gate:doorbell', 'mqtt:house/bell']\ncamera='gate'\nwall='hall'\ndo='sound'\n\
             [[rule]]\non='yard:lost'\ncamera='gate'\nwall='all'\ndo='mark'\nseconds=5",
        );
        let (call_ups, now) = (CallUps::default(), Instant::now());
        engine.on_occurrence(&motion("gate", Phase::Began), &call_ups, now);
        engine.on_picture(&id("gate"), &CameraEvent::Lost, &call_ups, now);
        engine.on_picture(&id("yard"), &CameraEvent::Back, &call_ups, now);
        engine.on_message("house/other", &call_ups, now);
        assert_eq!(shown(&call_ups, now), "");
        engine.on_picture(&id("yard"), &CameraEvent::Lost, &call_ups, now);
        assert_eq!(shown(&call_ups, now), "all:gate");
        engine.on_message("house/bell", &call_ups, now + 6 * SECOND);
        assert_eq!(shown(&call_ups, now + 6 * SECOND), "hall:gate");
        let told = &call_ups.of("hall", now + 6 * SECOND).cameras[0];
        assert_eq!((told.emphasis, told.by.as_str()), (Emphasis::Sounded, "mqtt:house/bell"));
        assert_eq!(engine.mqtt_topics(), ["house/bell"]);
        assert!(!engine.wants(&id("yard"), CameraEvent::is_of_camera));
    }

    #[test]
    fn rule_with_hours_applies_within_them_and_whenever_nobody_knows_the_time() {
        let mut engine = engine(
            "[[rule]]\non=['gate:motion', 'gate:lost', 'mqtt:a']\ncamera='gate'\nwall='hall'\nfrom='22:00'\nto='06:00'",
        );
        let (call_ups, now) = (CallUps::default(), Instant::now());
        for (minute, is_shown) in [(Some(12 * 60), false), (Some(23 * 60), true), (Some(360), false), (None, true)] {
            engine.set_minute(minute);
            engine.on_occurrence(&motion("gate", Phase::Momentary), &call_ups, now);
            assert_eq!(call_ups.clear("hall", None, now) > 0, is_shown, "motion at {minute:?}");
            engine.on_picture(&id("gate"), &CameraEvent::Lost, &call_ups, now);
            assert_eq!(call_ups.clear("hall", None, now) > 0, is_shown, "lost at {minute:?}");
            engine.on_message("a", &call_ups, now);
            assert_eq!(call_ups.clear("hall", None, now) > 0, is_shown, "message at {minute:?}");
        }
    }

    #[test]
    fn what_lasts_is_shown_as_long_and_its_seconds_longer() {
        let mut engine = engine("[[rule]]\non='gate:motion'\nwall='hall'\nseconds=10");
        let (call_ups, now) = (CallUps::default(), Instant::now());
        engine.on_occurrence(&motion("gate", Phase::Began), &call_ups, now);
        let number = call_ups.of("hall", now).cameras[0].number;
        for second in 1..60 {
            engine.tick(&call_ups, now + second * SECOND);
        }
        engine.on_occurrence(&motion("gate", Phase::Ended), &call_ups, now + 60 * SECOND);
        for second in 60..69 {
            engine.tick(&call_ups, now + second * SECOND);
            assert_eq!(shown(&call_ups, now + second * SECOND), "hall:gate", "{second}");
        }
        assert_eq!(call_ups.of("hall", now + 69 * SECOND).cameras[0].number, number);
        assert_eq!(shown(&call_ups, now + 70 * SECOND), "");
    }

    #[test]
    fn input_that_is_active_for_days_is_shown_for_ten_minutes() {
        let mut engine = engine("[[rule]]\non='gate:motion'\nwall='hall'\nseconds=30");
        let (call_ups, now) = (CallUps::default(), Instant::now());
        engine.on_occurrence(&motion("gate", Phase::Began), &call_ups, now);
        let last = (1..2000).take_while(|second| {
            engine.tick(&call_ups, now + *second * SECOND);
            !shown(&call_ups, now + *second * SECOND).is_empty()
        });
        assert_eq!(last.last(), Some(599 + 29));
    }
}
