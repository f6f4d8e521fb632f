//! The director: decides what each wall shows, second by second. What somebody called up goes before it, and a
//! person's hand at a page before that; both are the page's.

mod tour;

use std::{collections::BTreeMap, time::Instant};

use crate::{
    camera::CameraId,
    config::{Config, Wall, Walls},
    hub::Hub,
    web::{Scene, Web},
};
use tour::{Cameras, Tour};

/// The tours of all walls.
#[derive(Default)]
pub struct Director {
    walls: Walls,
    /// The enabled cameras, in the order of the file.
    cameras: Vec<CameraId>,
    /// By the names of the walls; the wall without a name has an empty one.
    tours: BTreeMap<String, Tour>,
}

impl Director {
    /// Puts the walls of `config` into force. A tour goes on where it is, unless its wall has changed.
    pub fn set(&mut self, config: &Config, now: Instant) {
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

    /// Lets `web` tell the pages what their walls show at `now`. Cheap if nothing has changed.
    pub fn tick(&mut self, hub: &Hub, web: &Web, now: Instant) {
        let is_live = |camera: &CameraId| hub.channel(camera.as_str()).is_some_and(|channel| channel.shown().is_live());
        web.scenes.set(self.scenes(is_live, now));
    }

    /// What walls show at `now` in the place of their settings, by their names.
    fn scenes(&mut self, is_live: impl Fn(&CameraId) -> bool, now: Instant) -> BTreeMap<String, Scene> {
        let cameras = Cameras { all: &self.cameras, is_live: &is_live };
        self.tours.iter_mut().map(|(name, tour)| (name.clone(), tour.tick(&cameras, now))).collect()
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
            let scenes = director.scenes(|_| true, at(seconds));
            scenes.get("hall").and_then(|scene| scene.place).map(|place| place.step)
        };
        director.set(&config(TOUR), start);
        assert_eq!((step(&mut director, 0), step(&mut director, 20)), (Some(1), Some(2)));
        director.set(&config(&format!("{TOUR}[wall.back]\nlayout=4\n")), at(25));
        assert_eq!(step(&mut director, 26), Some(2));
        director.set(&config(&format!("{TOUR}seconds=30\n")), at(27));
        assert_eq!(step(&mut director, 27), Some(1));
        director.set(&config(""), at(28));
        assert!(director.scenes(|_| true, at(28)).is_empty());
    }
}
