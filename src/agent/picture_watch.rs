//! Notices when a camera's picture is lost for longer than a hiccup, and when it is back.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    camera::{CameraId, State},
    event::CameraEvent,
};

/// A picture that is away for less is not lost: most sessions that end are begun again within this time.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// What is known of each camera's picture.
#[derive(Default)]
pub struct PictureWatch(BTreeMap<CameraId, Picture>);

enum Picture {
    /// It was not live since the agent knows the camera, which is no event.
    Awaited,
    Live,
    Away {
        since: Instant,
        is_told: bool,
    },
}

impl PictureWatch {
    /// Takes the state of all cameras; returns what has happened.
    pub fn tick(
        &mut self,
        states: impl Iterator<Item = (CameraId, State)>,
        now: Instant,
    ) -> Vec<(CameraId, CameraEvent)> {
        let mut before = std::mem::take(&mut self.0);
        let mut events = Vec::new();
        for (id, state) in states {
            let picture = before.remove(&id).unwrap_or(Picture::Awaited);
            let next = match (picture, state == State::Live) {
                (Picture::Away { is_told, .. }, true) => {
                    if is_told {
                        events.push((id.clone(), CameraEvent::Back));
                    }
                    Picture::Live
                }
                (_, true) => Picture::Live,
                (Picture::Awaited, false) => Picture::Awaited,
                (Picture::Live, false) => Picture::Away { since: now, is_told: false },
                (Picture::Away { since, is_told }, false) => {
                    let is_due = !is_told && now.duration_since(since) >= LOST_AFTER;
                    if is_due {
                        events.push((id.clone(), CameraEvent::Lost));
                    }
                    Picture::Away { since, is_told: is_told || is_due }
                }
            };
            self.0.insert(id, next);
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_is_lost_once_after_five_seconds_and_back_once() {
        let (mut watch, start) = (PictureWatch::default(), Instant::now());
        let id = CameraId::new("gate").unwrap();
        let mut events = Vec::new();
        let states = [(0, State::Connecting), (10, State::Live), (20, State::Stalled), (23, State::Live)];
        let states = states.into_iter().chain([(30, State::Live), (40, State::Offline), (60, State::Live)]);
        let states: Vec<_> = states.collect();
        for second in 0..70 {
            let (_, state) = *states.iter().rev().find(|(from, _)| *from <= second).unwrap();
            let told = watch.tick(std::iter::once((id.clone(), state)), start + Duration::from_secs(second));
            events.extend(told.into_iter().map(|(_, event)| (second, event)));
        }
        assert_eq!(events, [(45, CameraEvent::Lost), (60, CameraEvent::Back)]);
        // A camera that is no longer configured is forgotten.
        watch.tick(std::iter::empty(), start);
        assert!(watch.0.is_empty());
    }
}
