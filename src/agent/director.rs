//! The director: decides what each wall shows, second by second: what its timetable says, else its tour, else its
//! settings. What somebody called up goes before it, and a person's hand at a page before that; both are the page's.

mod timetable;
mod tour;

use std::{collections::BTreeMap, time::Instant};

use crate::{
    camera::CameraId,
    config::{Config, Shows, Wall, Walls},
    hub::Hub,
    local_time::Zone,
    onvif::clock,
    web::{Cause, Scene, Web},
};
use tour::{Cameras, Tour};

/// 2026-01-01, in seconds since 1970. A clock that shows less was not set since the machine started: no timetable is
/// older.
const EARLIEST: i64 = 1_767_225_600;

/// The tours and timetables of all walls.
#[derive(Default)]
pub struct Director {
    walls: Walls,
    /// The enabled cameras, in the order of the file.
    cameras: Vec<CameraId>,
    /// By the names of the walls; the wall without a name has an empty one.
    tours: BTreeMap<String, Tour>,
    zone: Zone,
    /// What is wrong with the time zone, if a timetable needs it.
    complaint: Option<String>,
    /// Whether the log knows that the clock is wrong.
    clock_is_wrong: bool,
    /// What the log knows of the walls for which a timetable decides, by their names.
    logged: BTreeMap<String, String>,
}

impl Director {
    /// Puts the walls of `config` into force. A tour goes on where it is, unless its wall has changed.
    ///
    /// # Blocking
    /// Blocks on the disk while it reads the time zone, if there is a timetable.
    pub fn set(&mut self, config: &Config, now: Instant) {
        let has_timetable = named(&config.walls).any(|(_, wall)| !wall.entries.is_empty());
        let has_hours = config.rules.iter().any(|rule| rule.hours.is_some());
        self.set_zone(if has_timetable || has_hours { Zone::of_machine() } else { Ok(Zone::Utc) });
        let mut tours = BTreeMap::new();
        for (name, wall) in named(&config.walls) {
            let is_same = named(&self.walls).any(|(other, before)| other == name && before == wall);
            let kept = self.tours.remove(name).filter(|_| is_same);
            if let Some(tour) = kept.or_else(|| Tour::of(wall, now)) {
                tours.insert(name.to_owned(), tour);
            }
        }
        self.tours = tours;
        self.walls = config.walls.clone();
        self.cameras = config.cameras.iter().map(|camera| camera.id.clone()).collect();
    }

    fn set_zone(&mut self, zone: Result<Zone, String>) {
        let (zone, complaint) = match zone {
            Ok(zone) => (zone, None),
            Err(wrong) => (
                Zone::Utc,
                Some(format!("timetables and rules go by UTC, because the time zone is not known: {wrong}")),
            ),
        };
        if let Some(complaint) = complaint.as_ref().filter(|complaint| self.complaint.as_ref() != Some(complaint)) {
            log::error!("{complaint}");
        }
        (self.zone, self.complaint) = (zone, complaint);
    }

    /// What is wrong with the time zone.
    pub fn complaints(&self) -> impl Iterator<Item = String> {
        self.complaint.clone().into_iter()
    }

    /// The minute of the day by a clock at the wall, 0 to 1439; `None`: the clock of this machine is not set.
    pub fn minute(&self) -> Option<u16> {
        let unix = clock::now();
        (unix >= EARLIEST).then(|| self.zone.at(unix).minute)
    }

    /// Lets `web` tell the pages what their walls show at `now`. Cheap if nothing has changed.
    pub fn tick(&mut self, hub: &Hub, web: &Web, now: Instant) {
        let is_live = |camera: &CameraId| hub.channel(camera.as_str()).is_some_and(|channel| channel.shown().is_live());
        let scenes = self.scenes(is_live, now, clock::now());
        self.log_timetables(&scenes);
        web.scenes.set(scenes);
    }

    /// Logs what timetables have changed, so that a dark screen at night has its line.
    fn log_timetables(&mut self, scenes: &BTreeMap<String, Scene>) {
        let decided = scenes.iter().filter(|(_, scene)| scene.cause == Cause::Timetable).map(|(name, scene)| {
            let other = scene.wall.as_deref().unwrap_or_default();
            let what = if scene.is_off { "is dark".to_owned() } else { format!("shows that of {other}") };
            (name.clone(), what)
        });
        let decided: BTreeMap<_, _> = decided.collect();
        let shown = |name: &str| if name.is_empty() { "the wall".to_owned() } else { format!("the wall {name}") };
        for (name, what) in decided.iter().filter(|(name, what)| self.logged.get(*name) != Some(*what)) {
            log::info!("{} {what}, as its timetable says", shown(name));
        }
        for name in self.logged.keys().filter(|name| !decided.contains_key(*name)) {
            log::info!("{} shows again what its settings say", shown(name));
        }
        self.logged = decided;
    }

    /// What walls show in the place of their settings, by their names, at `now` and at `unix` seconds since 1970.
    fn scenes(&mut self, is_live: impl Fn(&CameraId) -> bool, now: Instant, unix: i64) -> BTreeMap<String, Scene> {
        let is_known = self.check_clock(unix);
        let cameras = Cameras { all: &self.cameras, is_live: &is_live };
        let tours: BTreeMap<_, _> =
            self.tours.iter_mut().map(|(name, tour)| (name.as_str(), tour.tick(&cameras, now))).collect();
        let local = self.zone.at(unix);
        let mut scenes = BTreeMap::new();
        for (name, wall) in named(&self.walls) {
            let own = || tours.get(name).cloned();
            let scene = match timetable::at(&wall.entries, local).filter(|_| is_known) {
                None => own(),
                Some((entry, until)) => match &entry.shows {
                    Shows::Own => own(),
                    Shows::Nothing => Some(Scene { is_off: true, until, ..Scene::of(Cause::Timetable) }),
                    // Taken over from the wall without a name.
                    Shows::Wall(other) if other == name => own(),
                    Shows::Wall(other) => self.walls.named.get(other).map(|of_other| {
                        let shown = tours.get(other.as_str()).cloned().unwrap_or_else(|| Scene {
                            layout: of_other.layout.clone(),
                            cameras: of_other.cameras.clone(),
                            ..Scene::of(Cause::Timetable)
                        });
                        Scene { cause: Cause::Timetable, wall: Some(other.clone()), until, ..shown }
                    }),
                },
            };
            if let Some(scene) = scene {
                scenes.insert(name.to_owned(), scene);
            }
        }
        scenes
    }

    /// Whether the time of day is known. A wall that is lit is safer than one that is dark at a time that nobody knows.
    fn check_clock(&mut self, unix: i64) -> bool {
        let is_wrong = unix < EARLIEST && named(&self.walls).any(|(_, wall)| !wall.entries.is_empty());
        if is_wrong != self.clock_is_wrong {
            self.clock_is_wrong = is_wrong;
            if is_wrong {
                log::warn!("the clock of this machine is not set; walls follow their timetables once it is");
            } else {
                log::info!("the clock of this machine is set; walls follow their timetables");
            }
        }
        !is_wrong
    }
}

/// All walls with their names; the wall without a name comes first.
fn named(walls: &Walls) -> impl Iterator<Item = (&str, &Wall)> {
    std::iter::once(("", &walls.standard)).chain(walls.named.iter().map(|(name, wall)| (name.as_str(), wall)))
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::*;
    use crate::config::parse;

    fn config(walls: &str) -> Config {
        let cameras = "[[camera]]\nid='a'\nip='a.lan'\n[[camera]]\nid='b'\nip='b.lan'\n";
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        parse(&format!("{cameras}{walls}"), Path::new("c"), &no_files).unwrap()
    }

    #[test]
    fn tour_goes_on_over_a_reload_that_does_not_change_its_wall() {
        const TOUR: &str = "[[wall.hall.step]]\ncameras=['a']\n[[wall.hall.step]]\ncameras=['b']\n";
        let (mut director, start) = (Director::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let step = |director: &mut Director, seconds| {
            let scenes = director.scenes(|_| true, at(seconds), 0);
            scenes.get("hall").and_then(|scene| scene.place).map(|place| place.step)
        };
        director.set(&config(TOUR), start);
        assert_eq!((step(&mut director, 0), step(&mut director, 20)), (Some(1), Some(2)));
        director.set(&config(&format!("{TOUR}[wall.back]\nlayout=4\n")), at(25));
        assert_eq!(step(&mut director, 26), Some(2));
        director.set(&config(&format!("{TOUR}seconds=30\n")), at(27));
        assert_eq!(step(&mut director, 27), Some(1));
        director.set(&config(""), at(28));
        assert!(director.scenes(|_| true, at(28), 0).is_empty());
    }

    /// A director with the zone of this rule, and what it lets the wall `hall` show at a moment.
    fn in_zone(rule: &str, walls: &str) -> impl FnMut(i64) -> String + use<> {
        let (mut director, start) = (Director::default(), Instant::now());
        director.set(&config(walls), start);
        director.set_zone(Zone::of_rule(rule).ok_or_else(|| "no rule".to_owned()));
        move |unix| match director.scenes(|_| true, start, unix).get("hall") {
            None => "own".to_owned(),
            Some(scene) => {
                let until = scene.until.map_or("ever".to_owned(), |until| until.time());
                let what = if scene.is_off { "off" } else { scene.wall.as_deref().unwrap_or("?") };
                format!("{what} until {until}")
            }
        }
    }

    const NIGHT: &str = "[wall.night]\ncameras=['b']\n[[wall.hall.at]]\nfrom='02:30'\nto='06:00'\nscreen='off'\n\
                         [[wall.hall.at]]\nfrom='22:00'\nto='02:30'\nwall='night'\n";

    #[test]
    fn timetable_follows_the_clock_at_the_wall_over_both_changes_of_summer_time() {
        const HOUR: i64 = 3600;
        for (rule, spring, autumn, back_to) in [
            ("CET-1CEST,M3.5.0,M10.5.0/3", 1_774_746_000, 1_792_890_000, 2),
            ("EST5EDT,M3.2.0,M11.1.0", 1_772_953_200, 1_793_512_800, 1),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_791_043_200, 1_775_318_400, 2),
        ] {
            let mut shown = in_zone(rule, NIGHT);
            // In spring the clock goes from 01:59 to 03:00, and 02:30 does not come.
            assert_eq!(shown(spring - 1), "night until 02:30", "{rule}");
            assert_eq!(shown(spring), "off until 06:00", "{rule}");
            assert_eq!(shown(spring + 3 * HOUR - 1), "off until 06:00", "{rule}");
            assert_eq!(shown(spring + 3 * HOUR), "own", "{rule}");
            // In autumn it goes from 02:59 back to 02:00 (in New York from 01:59 to 01:00), so 02:30 comes twice.
            let half_past = format!("0{back_to}:30");
            let mut shown = in_zone(rule, &NIGHT.replace("02:30", &half_past));
            let night = format!("night until {half_past}");
            assert_eq!(shown(autumn - HOUR / 2 - 1), night, "{rule}");
            assert_eq!(shown(autumn - HOUR / 2), "off until 06:00", "{rule}");
            assert_eq!(shown(autumn - 1), "off until 06:00", "{rule}");
            assert_eq!(shown(autumn), night, "{rule}: the clock shows the same hour again");
            assert_eq!(shown(autumn + HOUR / 2), "off until 06:00", "{rule}");
            let six = autumn + (6 - back_to) * HOUR;
            assert_eq!((shown(six - 1), shown(six)), ("off until 06:00".into(), "own".into()), "{rule}");
        }
        // Without summer time: 22:00 and 06:00 in Taipei.
        let mut shown = in_zone("CST-8", NIGHT);
        let ten = 1_774_706_400;
        let hours = [ten - 1, ten, ten + 8 * HOUR - 1, ten + 8 * HOUR].map(&mut shown);
        assert_eq!(hours, ["own", "night until 02:30", "off until 06:00", "own"]);
    }

    #[test]
    fn clock_that_jumps_is_followed_and_one_that_is_not_set_leaves_the_wall_lit() {
        let mut shown = in_zone("UTC0", "[[wall.hall.at]]\nfrom='00:00'\nto='24:00'\nscreen='off'\n");
        assert_eq!((shown(0), shown(EARLIEST - 1)), ("own".into(), "own".into()), "a machine without a battery");
        assert_eq!(shown(1_790_000_000), "off until ever");
        assert_eq!(shown(EARLIEST - 1), "own");
        let mut shown = in_zone("UTC0", NIGHT);
        // 2026-09-21 at 13:33, at 03:33, and at 13:33 again.
        assert_eq!([1_789_997_580, 1_789_961_580, 1_789_997_580].map(&mut shown), ["own", "off until 06:00", "own"]);
    }

    #[test]
    fn wall_of_another_name_is_shown_with_its_tour_and_without_its_timetable() {
        let walls = "[[wall.at]]\nfrom='00:00'\nto='24:00'\nwall='night'\n[wall.night]\nlayout=4\n\
                     [[wall.night.step]]\ncameras=['a']\n[[wall.night.step]]\ncameras=['b']\n[wall.hall]\nlayout=1\n";
        let (mut director, start) = (Director::default(), Instant::now());
        director.set(&config(walls), start);
        let scenes = director.scenes(|_| true, start + Duration::from_secs(0), 1_790_000_000);
        let (hall, night) = (&scenes["hall"], &scenes["night"]);
        assert_eq!((hall.cause, hall.wall.as_deref()), (Cause::Timetable, Some("night")));
        assert_eq!((night.cause, &night.wall), (Cause::Tour, &None), "it shows what it shows");
        assert_eq!((&hall.cameras, &hall.layout, hall.place), (&night.cameras, &night.layout, night.place));
    }

    #[test]
    fn zone_that_is_not_known_is_a_complaint_and_utc_stands_in() {
        let mut director = Director::default();
        director.set(&config(NIGHT), Instant::now());
        director.set_zone(Err("/etc/localtime does not exist".to_owned()));
        let told: Vec<_> = director.complaints().collect();
        assert!(told.len() == 1 && told[0].contains("go by UTC") && told[0].ends_with("does not exist"), "{told:?}");
        assert_eq!(director.zone, Zone::Utc);
        director.set(&config(""), Instant::now());
        assert_eq!(director.complaints().count(), 0, "nobody needs it");
    }
}
