//! The cameras on the wall: from one configuration to the next, touching only what differs.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use super::keeper::{Crew, Keeper};
use crate::{
    camera::{Camera, CameraId},
    config::{Config, changes::Changes},
    hub::{Hub, Lane},
};

/// One keeper per configured camera.
pub struct Roster {
    crew: Crew,
    hub: Arc<Hub>,
    keepers: BTreeMap<CameraId, Keeper>,
}

impl Roster {
    pub fn new(crew: Crew, hub: Arc<Hub>) -> Self {
        Self { crew, hub, keepers: BTreeMap::new() }
    }

    /// Puts the cameras of `new` on the wall, given that those of the last call are there and that
    /// `changes` lie between the two. Cameras that wait out a pause try again at once.
    pub fn apply(&mut self, changes: &Changes, new: &Config) {
        for id in &changes.removed {
            self.keepers.remove(id);
        }
        for camera in &changes.added {
            let name = camera.name.clone();
            let lane = Arc::new(Lane::new(camera.id.clone(), name, camera.tuning.clone(), Instant::now()));
            self.keep(camera, &lane);
        }
        for camera in changes.reconnect.iter().chain(&changes.retuned) {
            if let Some(keeper) = self.keepers.get(&camera.id) {
                keeper.lane().retune(camera.name.clone(), camera.tuning.clone());
            }
        }
        for camera in &changes.reconnect {
            if let Some(lane) = self.keepers.get(&camera.id).map(|keeper| Arc::clone(keeper.lane())) {
                self.keep(camera, &lane);
            }
        }
        let lane = |camera: &Camera| self.keepers.get(&camera.id).map(|keeper| Arc::clone(keeper.lane()));
        self.hub.replace_lanes(new.cameras.iter().filter_map(lane).collect());
        for id in changes.unchanged.iter().chain(changes.retuned.iter().map(|camera| &camera.id)) {
            if let Some(keeper) = self.keepers.get(id) {
                keeper.nudge();
            }
        }
    }

    /// Ends all keepers side by side and waits for them.
    pub async fn end(self) {
        let keepers: Vec<_> = self.keepers.into_values().collect();
        for keeper in &keepers {
            keeper.stop();
        }
        for keeper in keepers {
            keeper.end().await;
        }
    }

    fn keep(&mut self, camera: &Camera, lane: &Arc<Lane>) {
        let predecessor = self.keepers.remove(&camera.id);
        let keeper = Keeper::start(&self.crew, Arc::clone(lane), camera.origin.clone(), predecessor);
        self.keepers.insert(camera.id.clone(), keeper);
    }
}
