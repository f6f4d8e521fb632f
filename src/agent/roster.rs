//! The cameras on the wall: from one configuration to the next, touching only what differs.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use smol::Task;

use super::{
    encouragement::Encouragement,
    keeper::{Crew, Household, Keeper, Nudge, Part},
};
use crate::{
    camera::{Camera, CameraId, State},
    config::{Config, changes::Changes},
    discovery::Announcement,
    hub::{Cause, Channel, Hub, Stream},
    store::Directory,
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
    household: Arc<Household>,
    keeper: Keeper,
    /// Of the small stream.
    small: Option<Keeper>,
    encouragement: Encouragement,
}

impl Kept {
    fn keepers(&self) -> impl Iterator<Item = &Keeper> {
        std::iter::once(&self.keeper).chain(&self.small)
    }

    /// For the streams that are not live.
    fn nudge(&self, why: Nudge) {
        self.keepers().filter(|keeper| keeper.is_away()).for_each(|keeper| keeper.nudge(why));
    }

    async fn end(self) {
        self.keepers().for_each(Keeper::stop);
        self.keeper.end().await;
        if let Some(small) = self.small {
            small.end().await;
        }
    }
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
                self.leaving.push(self.crew.executor.spawn(kept.end()));
            }
        }
        for camera in &changes.added {
            let name = camera.name.clone();
            let main = Arc::new(Stream::new(camera.id.clone(), name, camera.options.clone(), now));
            self.keep(camera, Channel::of(main));
        }
        for camera in changes.reconnect.iter().chain(&changes.small_changed).chain(&changes.retuned) {
            if let Some(kept) = self.keepers.get(&camera.id) {
                for stream in kept.household.channel.streams() {
                    stream.retune(camera.name.clone(), camera.options.clone());
                }
            }
        }
        for camera in &changes.small_changed {
            if let Some(kept) = self.keepers.get_mut(&camera.id) {
                kept.household.set_small_profile(camera.stream_source.small_profile.clone());
                let before = kept.small.take();
                kept.small = keep_small(&self.crew, &kept.household, camera, before);
            }
        }
        for camera in &changes.reconnect {
            if let Some(kept) = self.keepers.get(&camera.id) {
                // From here on it publishes nothing: what it shows is not what is configured.
                for keeper in kept.keepers() {
                    keeper.stop();
                    keeper.stream().report(State::Connecting, RECONFIGURED, now);
                }
                let channel = Arc::clone(&kept.household.channel);
                self.keep(camera, channel);
            }
        }
        let channel = |camera: &Camera| Some(Arc::clone(&self.keepers.get(&camera.id)?.household.channel));
        let channels: Vec<_> = new.cameras.iter().filter_map(channel).collect();
        for stream in channels.iter().flat_map(|channel| channel.streams()) {
            stream.allow_renditions(new.limits.renditions);
        }
        self.hub.replace_channels(channels);
        for id in changes.unchanged.iter().chain(changes.retuned.iter().map(|camera| &camera.id)) {
            if let Some(kept) = self.keepers.get_mut(id).filter(|kept| kept.keepers().any(Keeper::is_away)) {
                kept.encouragement.owe();
            }
        }
        self.tend(now);
    }

    /// Has cameras tried again that are still to be since a reload, and looks after what workers come from.
    pub fn tend(&mut self, now: Instant) {
        self.crew.spawner.tend();
        self.leaving.retain(|task| !task.is_finished());
        for kept in self.keepers.values_mut() {
            let is_denied = kept.keepers().any(|keeper| keeper.stream().condition().state == State::Denied);
            if kept.encouragement.is_due(is_denied, now) {
                kept.nudge(Nudge::Changed);
            }
        }
    }

    /// Lets go of what was learnt of cameras that are no longer in the configuration.
    pub fn forget_others(&self) {
        let (memory, ids) = (self.crew.memory(), self.keepers.keys().cloned().collect());
        // Detached: it ends when the files are gone.
        smol::unblock(move || memory.retain(&ids)).detach();
    }

    /// A device announced itself: cameras that are away and wait out a pause look at once.
    pub fn hear(&self, hint: Announcement, now: Instant) {
        self.crew.lookout.hear(hint, now);
        for kept in self.keepers.values() {
            kept.nudge(Nudge::Seen);
        }
    }

    /// This machine has got a network: cameras that are away are tried again. Whether there are any.
    pub fn network_came(&self) -> bool {
        let away: Vec<_> = self.keepers.values().filter(|kept| kept.keepers().any(Keeper::is_away)).collect();
        away.iter().for_each(|kept| kept.nudge(Nudge::Reachable));
        !away.is_empty()
    }

    /// Ends all keepers side by side and waits for them.
    pub async fn end(self) {
        let all: Vec<_> = self.keepers.into_values().collect();
        all.iter().flat_map(Kept::keepers).for_each(Keeper::stop);
        for kept in all {
            kept.end().await;
        }
        for task in self.leaving {
            task.await;
        }
    }

    fn keep(&mut self, camera: &Camera, channel: Arc<Channel>) {
        let (predecessor, small) = match self.keepers.remove(&camera.id) {
            Some(kept) => (Some(kept.keeper), kept.small),
            None => (None, None),
        };
        for keeper in predecessor.iter().chain(&small) {
            keeper.stream().note_failure(Cause::Changed, None, Instant::now());
        }
        let household = Household::new(channel, camera.stream_source.small_profile.clone());
        // The small one first: it asks for both.
        let small = keep_small(&self.crew, &household, camera, small);
        let keeper = Keeper::start(&self.crew, &household, Part::Main, camera.stream_source.clone(), predecessor);
        let encouragement = Encouragement::default();
        self.keepers.insert(camera.id.clone(), Kept { household, keeper, small, encouragement });
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
            for Camera { id, stream_source, .. } in &cameras {
                if let (None, Some(record)) = (after.load(id, stream_source), before.load(id, stream_source)) {
                    after.save(id, &record);
                }
            }
        })
        .detach();
    }
}

/// Keeps the small stream as it is configured now, if it is, once the keeper `before` has left. Its
/// viewers go on with the main stream until it is live.
fn keep_small(crew: &Crew, household: &Arc<Household>, camera: &Camera, before: Option<Keeper>) -> Option<Keeper> {
    let channel = &household.channel;
    if camera.stream_source.small_profile.is_none() {
        channel.set_small(None);
        // Dropped: it says TEARDOWN and goes.
        return None;
    }
    if before.is_none() {
        let stream = Stream::new(camera.id.clone(), camera.name.clone(), camera.options.clone(), Instant::now());
        channel.set_small(Some(Arc::new(stream)));
    } else if let Some(small) = channel.small() {
        small.report(State::Connecting, RECONFIGURED, Instant::now());
    }
    Some(Keeper::start(crew, household, Part::Small, camera.stream_source.clone(), before))
}
