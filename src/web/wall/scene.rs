//! What tours and timetables let walls show now. The agent decides it; pages, the state of a wall and `/api/cameras` tell it.

use std::{collections::BTreeMap, time::Instant};

use serde_json::{Value, json};

use crate::web::{admission::principal::Principal, wall::wall_settings::layout_json};
use crate::{
    camera::CameraId,
    config::Layout,
    sync::{Mutex, Notified, Notifier},
};

/// Why a wall shows something else than its settings say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Tour,
    Timetable,
}

impl Cause {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tour => "tour",
            Self::Timetable => "timetable",
        }
    }
}

/// The place in a tour of several steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub step: usize,
    pub of: usize,
    pub until: Instant,
}

/// When a timetable will let a wall show something else, by the local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    /// Minutes since midnight.
    pub minute: u16,
    /// `None`: within a day. Else the day of the week, 0: Monday.
    pub weekday: Option<u8>,
}

impl Until {
    /// `hh:mm`.
    pub fn time(self) -> String {
        format!("{:02}:{:02}", self.minute / 60, self.minute % 60)
    }

    /// As it is written in `days` of the file.
    pub fn day(self) -> Option<&'static str> {
        self.weekday.and_then(|day| ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].get(usize::from(day)).copied())
    }
}

/// What one wall shows in the place of its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    pub cause: Cause,
    /// The wall of which it is, if a timetable names another one.
    pub wall: Option<String>,
    /// The screen is meant to be black; then there is neither layout nor cameras.
    pub is_off: bool,
    /// `None` if no timetable decides, or for ever.
    pub until: Option<Until>,
    /// `None`: that of `auto`.
    pub layout: Option<Layout>,
    /// In this order; `None`: all.
    pub cameras: Option<Vec<CameraId>>,
    pub place: Option<Place>,
}

impl Scene {
    /// All cameras, in the layout that fits.
    pub fn of(cause: Cause) -> Self {
        Self { cause, wall: None, is_off: false, until: None, layout: None, cameras: None, place: None }
    }

    /// The scene as far as `principal` may see its cameras. `seconds` is the time that is left.
    pub(in crate::web) fn as_json(&self, principal: &Principal, now: Instant) -> Value {
        let seen = |ids: &Vec<CameraId>| -> Vec<String> {
            ids.iter().filter(|id| principal.sees(id.as_str())).map(CameraId::to_string).collect()
        };
        let left = |place: Place| (place.until.saturating_duration_since(now).as_secs_f64() * 10.0).ceil() / 10.0;
        json!({
            "by": self.cause.as_str(),
            "wall": self.wall,
            "screen": if self.is_off { "off" } else { "on" },
            "until": self.until.map(Until::time),
            "until_day": self.until.and_then(Until::day),
            "layout": self.layout.as_ref().and_then(|layout| layout_json(layout, principal)),
            "cameras": self.cameras.as_ref().map(seen),
            "step": self.place.map(|place| place.step),
            "steps": self.place.map(|place| place.of),
            "seconds": self.place.map(left),
        })
    }
}

/// The scenes of all walls that have one, by their names; the wall without a name has an empty one.
#[derive(Default)]
pub struct Scenes {
    scenes: Mutex<BTreeMap<String, Scene>>,
    changed: Notifier,
}

impl Scenes {
    /// Sets all scenes; pages are told at once.
    pub fn set(&self, scenes: BTreeMap<String, Scene>) {
        let mut current = self.scenes.lock();
        if *current == scenes {
            return;
        }
        *current = scenes;
        drop(current);
        self.changed.notify();
    }

    /// The scene of `wall`; `None`: it shows what its settings say.
    pub fn of(&self, wall: &str) -> Option<Scene> {
        self.scenes.lock().get(wall).cloned()
    }

    /// All of them, by the names of their walls.
    pub fn all(&self) -> BTreeMap<String, Scene> {
        self.scenes.lock().clone()
    }

    /// Is notified when a scene has changed.
    pub fn changes(&self) -> Notified {
        self.changed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Account, Credential, Rights, Seen, token_hash::TokenHash};

    #[test]
    fn cameras_of_others_are_in_no_scene() {
        let credential = Credential::Token(TokenHash::of("token"));
        let cameras = Seen::Only(["gate".to_owned()].into());
        let guard = Account { name: "guard".to_owned(), rights: Rights::WATCH, cameras, credential };
        let ids = ["vault", "gate"].map(|id| CameraId::new(id).unwrap()).to_vec();
        let scene = Scene { cameras: Some(ids), ..Scene::of(Cause::Tour) };
        let json = scene.as_json(&Principal::of_login(guard.into()), Instant::now());
        assert_eq!((&json["cameras"], &json["step"]), (&json!(["gate"]), &Value::Null));
    }
}
