//! The cameras on the wall: from one configuration to the next, touching only what differs.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use super::keeper::{Crew, Keeper, Nudge};
use crate::{
    camera::{Camera, CameraId},
    config::{Config, changes::Changes},
    discovery::Hint,
    hub::{Hub, Lane},
    state::Directory,
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
        self.crew.lookout.set_port(new.server.discovery_port.unwrap_or(0));
        if self.crew.memory().path() != new.server.state_dir {
            self.crew.set_memory(Directory::open(&new.server.state_dir));
        }
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
            if let Some(keeper) = self.keepers.get(id).filter(|keeper| keeper.is_away()) {
                keeper.nudge(Nudge::Changed);
            }
        }
    }

    /// Lets go of what was learnt of cameras that are no longer in the configuration.
    pub fn forget_others(&self) {
        let (memory, ids) = (self.crew.memory(), self.keepers.keys().cloned().collect());
        // Detached: it ends when the files are gone.
        smol::unblock(move || memory.forget_all_but(&ids)).detach();
    }

    /// A device announced itself: cameras that are away and wait out a pause look at once.
    pub fn hear(&self, hint: Hint, now: Instant) {
        self.crew.lookout.hear(hint, now);
        for keeper in self.keepers.values().filter(|keeper| keeper.is_away()) {
            keeper.nudge(Nudge::Seen);
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
