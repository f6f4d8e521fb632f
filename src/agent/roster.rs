//! The cameras on the wall: from one configuration to the next, touching only what differs.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use smol::Task;

use super::{
    encouragement::Encouragement,
    keeper::{Crew, Keeper, Nudge},
};
use crate::{
    camera::{Camera, CameraId, State},
    config::{Config, changes::Changes},
    discovery::Hint,
    hub::{Cause, Hub, Lane},
    state::Directory,
};

/// What viewers read of a camera whose address, login or profile is another one now.
pub const RECONFIGURED: &str = "its configuration has changed; connecting again";

/// One keeper per configured camera.
pub struct Roster {
    crew: Crew,
    hub: Arc<Hub>,
    keepers: BTreeMap<CameraId, Kept>,
    /// Keepers of cameras that were removed, while they say TEARDOWN.
    leaving: Vec<Task<()>>,
}

struct Kept {
    keeper: Keeper,
    encouragement: Encouragement,
}

impl Roster {
    pub fn new(crew: Crew, hub: Arc<Hub>) -> Self {
        Self { crew, hub, keepers: BTreeMap::new(), leaving: Vec::new() }
    }

    /// Puts the cameras of `new` on the wall, given that those of the last call are there and that
    /// `changes` lie between the two. Cameras that wait out a pause are soon tried again.
    pub fn apply(&mut self, changes: &Changes, new: &Config) {
        let now = Instant::now();
        self.crew.lookout.set_port(new.server.discovery_port.unwrap_or(0));
        if self.crew.memory().path() != new.server.state_dir {
            self.move_memory(changes, new);
        }
        self.crew.set_limits(&new.limits);
        for id in &changes.removed {
            if let Some(kept) = self.keepers.remove(id) {
                self.leaving.push(self.crew.executor.spawn(kept.keeper.end()));
            }
        }
        for camera in &changes.added {
            let name = camera.name.clone();
            let lane = Arc::new(Lane::new(camera.id.clone(), name, camera.tuning.clone(), now));
            self.keep(camera, &lane);
        }
        for camera in changes.reconnect.iter().chain(&changes.retuned) {
            if let Some(kept) = self.keepers.get(&camera.id) {
                kept.keeper.lane().retune(camera.name.clone(), camera.tuning.clone());
            }
        }
        for camera in &changes.reconnect {
            if let Some(kept) = self.keepers.get(&camera.id) {
                // From here on it publishes nothing: what it shows is not what is configured.
                kept.keeper.stop();
                let lane = Arc::clone(kept.keeper.lane());
                lane.report(State::Connecting, RECONFIGURED, now);
                self.keep(camera, &lane);
            }
        }
        for kept in self.keepers.values() {
            kept.keeper.lane().allow_renditions(new.limits.renditions);
        }
        let lane = |camera: &Camera| self.keepers.get(&camera.id).map(|kept| Arc::clone(kept.keeper.lane()));
        self.hub.replace_lanes(new.cameras.iter().filter_map(lane).collect());
        for id in changes.unchanged.iter().chain(changes.retuned.iter().map(|camera| &camera.id)) {
            if let Some(kept) = self.keepers.get_mut(id).filter(|kept| kept.keeper.is_away()) {
                kept.encouragement.owe();
            }
        }
        self.tend(now);
    }

    /// Has cameras tried again that are still to be since a reload.
    pub fn tend(&mut self, now: Instant) {
        self.leaving.retain(|task| !task.is_finished());
        for Kept { keeper, encouragement } in self.keepers.values_mut() {
            let is_denied = keeper.lane().standing().state == State::Denied;
            if encouragement.is_due(is_denied, now) && keeper.is_away() {
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
        for kept in self.keepers.values().filter(|kept| kept.keeper.is_away()) {
            kept.keeper.nudge(Nudge::Seen);
        }
    }

    /// Ends all keepers side by side and waits for them.
    pub async fn end(self) {
        let keepers: Vec<_> = self.keepers.into_values().map(|kept| kept.keeper).collect();
        for keeper in &keepers {
            keeper.stop();
        }
        for keeper in keepers {
            keeper.end().await;
        }
        for task in self.leaving {
            task.await;
        }
    }

    fn keep(&mut self, camera: &Camera, lane: &Arc<Lane>) {
        let predecessor = self.keepers.remove(&camera.id).map(|kept| kept.keeper);
        if predecessor.is_some() {
            lane.note_failure(Cause::Changed, None, Instant::now());
        }
        let keeper = Keeper::start(&self.crew, Arc::clone(lane), camera.origin.clone(), predecessor);
        self.keepers.insert(camera.id.clone(), Kept { keeper, encouragement: Encouragement::default() });
    }

    /// Keeps what is learnt in another directory from now on, with what is known of cameras that stay as
    /// they are: they are not asked again.
    fn move_memory(&self, changes: &Changes, new: &Config) {
        let before = self.crew.memory();
        self.crew.set_memory(Directory::open(&new.server.state_dir));
        let after = self.crew.memory();
        let stays = |camera: &&Camera| changes.unchanged.contains(&camera.id) || changes.retuned.contains(camera);
        let cameras: Vec<_> = new.cameras.iter().filter(stays).cloned().collect();
        // Detached: it ends when the files have reached the disk.
        smol::unblock(move || {
            for Camera { id, origin, .. } in &cameras {
                if let (None, Some(learnt)) = (after.recall(id, origin), before.recall(id, origin)) {
                    after.keep(id, &learnt);
                }
            }
        })
        .detach();
    }
}
