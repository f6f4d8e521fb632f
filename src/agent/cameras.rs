//! The configured cameras: applies a new configuration and touches only what differs.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use smol::{Task, channel::Sender};

use super::{
    input::Input,
    retry_throttle::RetryThrottle,
    sound_readers::SoundReaders,
    steerings::Steerings,
    supervisor::{
        CameraShared, Context, EventWatch, RECONFIGURED, RetryTrigger, StreamRole, StreamSupervisor, Subject, WatchSpec,
    },
};
use crate::{
    camera::{Camera, CameraId, Source, State},
    config::{Config, MAX_CAMERAS, WholeRecorder, changes::Changes},
    discovery::Announcement,
    hub::{Cause, Channel, Hub, Stream},
    ptz::PtzControls,
    sound::Sounds,
    store::Directory,
    text::MIB,
};

/// Holds one supervisor per stream of each configured camera.
pub struct CameraManager {
    context: Context,
    hub: Arc<Hub>,
    supervisors: BTreeMap<CameraId, ManagedCamera>,
    /// Supervisors of removed cameras while they send TEARDOWN.
    leaving: Vec<Task<()>>,
    /// The events of the devices that rules name, by camera or recorder.
    event_watches: BTreeMap<CameraId, EventWatch>,
    steerings: Steerings,
    sound_readers: SoundReaders,
}

struct ManagedCamera {
    shared: Arc<CameraShared>,
    supervisor: StreamSupervisor,
    /// The supervisor of the small stream.
    small: Option<StreamSupervisor>,
    retry_throttle: RetryThrottle,
}

impl ManagedCamera {
    fn supervisors(&self) -> impl Iterator<Item = &StreamSupervisor> {
        std::iter::once(&self.supervisor).chain(&self.small)
    }

    /// Triggers a retry of the streams that are not live.
    fn trigger_retry(&self, why: RetryTrigger) {
        self.supervisors()
            .filter(|supervisor| supervisor.is_offline())
            .for_each(|supervisor| supervisor.trigger_retry(why));
    }

    async fn end(self) {
        self.supervisors().for_each(StreamSupervisor::stop);
        self.supervisor.end().await;
        if let Some(small) = self.small {
            small.end().await;
        }
    }
}

impl CameraManager {
    pub fn new(context: Context, hub: &Arc<Hub>, (controls, sounds): (&Arc<PtzControls>, &Arc<Sounds>)) -> Self {
        let (hub, steerings) = (Arc::clone(hub), Steerings::new(Arc::clone(controls)));
        Self {
            context,
            hub,
            supervisors: BTreeMap::new(),
            leaving: Vec::new(),
            event_watches: BTreeMap::new(),
            steerings,
            sound_readers: SoundReaders::new(Arc::clone(sounds)),
        }
    }

    /// Applies the cameras of `new`. `changes` must be the difference from the configuration of the
    /// last call. Cameras that wait in a pause are soon tried again.
    pub fn apply(&mut self, changes: &Changes, new: &Config) {
        let now = Instant::now();
        self.context.discovery_cache.set_port(new.server.discovery_port.unwrap_or(0));
        if self.context.store().path() != new.server.state_dir {
            self.move_memory(changes, new);
        }
        self.context.set_limits(&new.limits);
        for id in &changes.removed {
            if let Some(kept) = self.supervisors.remove(id) {
                self.leaving.push(self.context.executor.spawn(kept.end()));
            }
        }
        for camera in &changes.added {
            let name = camera.name.clone();
            let main = Arc::new(Stream::new(camera.id.clone(), name, camera.options.clone(), now));
            self.keep(camera, Channel::of(main));
        }
        for camera in changes.reconnect.iter().chain(&changes.small_changed).chain(&changes.retuned) {
            if let Some(kept) = self.supervisors.get(&camera.id) {
                for stream in kept.shared.channel.streams() {
                    stream.retune(camera.name.clone(), camera.options.clone());
                }
            }
        }
        for camera in &changes.small_changed {
            if let Some(kept) = self.supervisors.get_mut(&camera.id) {
                kept.shared.set_small_profile(camera.stream_source.small_profile.clone());
                let before = kept.small.take();
                kept.small = keep_small(&self.context, &kept.shared, camera, before);
            }
        }
        for camera in &changes.reconnect {
            if let Some(kept) = self.supervisors.get(&camera.id) {
                // It publishes nothing from here on, because what it shows is no longer configured.
                for supervisor in kept.supervisors() {
                    supervisor.stop();
                    supervisor.stream().report(State::Connecting, RECONFIGURED, now);
                }
                let channel = Arc::clone(&kept.shared.channel);
                self.keep(camera, channel);
            }
        }
        let channel = |camera: &Camera| Some(Arc::clone(&self.supervisors.get(&camera.id)?.shared.channel));
        let channels: Vec<_> = new.cameras.iter().filter_map(channel).collect();
        for stream in channels.iter().flat_map(|channel| channel.streams()) {
            stream.allow_renditions(new.limits.renditions, new.limits.renditions_per_address);
            stream.limit_group((new.limits.group_memory * MIB) as usize);
        }
        let look_back = &new.limits;
        let bytes = (look_back.look_back_memory * MIB) as usize / channels.len().max(1);
        for channel in &channels {
            channel.limit_look_back(Duration::from_secs(look_back.look_back), bytes);
        }
        self.hub.replace_channels(channels);
        for id in changes.unchanged.iter().chain(changes.retuned.iter().map(|camera| &camera.id)) {
            if let Some(kept) =
                self.supervisors.get_mut(id).filter(|kept| kept.supervisors().any(StreamSupervisor::is_offline))
            {
                kept.retry_throttle.request();
            }
        }
        let shared_of = |id: &CameraId| self.supervisors.get(id).map(|kept| Arc::clone(&kept.shared));
        self.steerings.apply(&self.context, &new.cameras, shared_of);
        self.sound_readers.apply(&self.context, &new.cameras, shared_of);
        self.tick(now);
    }

    /// Asks the devices of the `cameras` that are `wanted` for their events, and no others.
    pub fn watch_events(&mut self, cameras: &[Camera], is_wanted: impl Fn(&CameraId) -> bool, inputs: &Sender<Input>) {
        let mut wanted: BTreeMap<CameraId, WatchSpec> = BTreeMap::new();
        for Camera { id, stream_source, .. } in cameras.iter().filter(|camera| is_wanted(&camera.id)) {
            let (Some(kept), Source::Onvif { .. }) = (self.supervisors.get(id), &stream_source.source) else {
                continue;
            };
            let recorder = stream_source.channel.as_ref();
            let channel = Arc::clone(&kept.shared.channel);
            let subject = Subject { channel, number: recorder.map(|channel| channel.number) };
            let device = recorder.map_or(id, |channel| &channel.recorder);
            let first = || {
                let (source, shared) = (stream_source.clone(), Arc::clone(&kept.shared));
                WatchSpec { source, shared, subjects: Vec::new() }
            };
            wanted.entry(device.clone()).or_insert_with(first).subjects.push(subject);
        }
        let stays = |id: &CameraId, watch: &EventWatch| wanted.get(id).is_some_and(|spec| spec.is_same(watch.spec()));
        // The others end before their successors begin: devices keep few subscriptions.
        self.event_watches.retain(|id, watch| stays(id, watch));
        for (id, spec) in wanted {
            let context = &self.context;
            self.event_watches.entry(id).or_insert_with(|| EventWatch::start(context, spec, inputs.clone()));
        }
    }

    /// `config` with as many channels of whole recorders as are known.
    pub fn with_known_channels(&self, config: Config) -> Config {
        let state_dir = config.server.state_dir.clone();
        config.with_channels(|recorder| match self.told_channels(recorder.id()) {
            0 => self.stored_channels(recorder, &state_dir),
            told => told,
        })
    }

    /// Whether a recorder has told more channels than `in_force` shows of it.
    pub fn has_grown(&self, in_force: &Config) -> bool {
        let has_grown = |recorder: &WholeRecorder| {
            let shown = in_force.cameras.iter().filter(|camera| camera.stream_source.is_channel_of(recorder.id()));
            self.told_channels(recorder.id()) > shown.count() && in_force.cameras.len() < MAX_CAMERAS
        };
        in_force.whole_recorders.iter().any(has_grown)
    }

    /// How many channels the recorder `id` has told since the start.
    fn told_channels(&self, id: &CameraId) -> usize {
        let shared = self.supervisors.values().filter_map(|kept| kept.shared.recorder.as_ref());
        let told = shared.filter(|recorder| recorder.id().as_ref() == Some(id)).map(|recorder| recorder.channels());
        told.max().unwrap_or(0)
    }

    /// How many channels of `recorder` are stored in `state_dir`.
    fn stored_channels(&self, recorder: &WholeRecorder, state_dir: &Path) -> usize {
        let Some(first) = recorder.camera(1) else { return 0 };
        let mut store = self.context.store();
        if store.path() != state_dir {
            // It is about to become the store.
            store = Arc::new(Directory::open(state_dir));
        }
        // One small file of a recorder, that was read or is about to be.
        store.load(&first.id, &first.stream_source).map_or(0, |record| record.sources.len())
    }

    /// Retries cameras that are still due since a reload.
    pub fn tick(&mut self, now: Instant) {
        self.leaving.retain(|task| !task.is_finished());
        for kept in self.supervisors.values_mut() {
            let is_denied = kept.supervisors().any(|supervisor| supervisor.stream().condition().state == State::Denied);
            if kept.retry_throttle.poll(is_denied, now) {
                kept.trigger_retry(RetryTrigger::Changed);
            }
        }
    }

    /// Deletes the records of cameras that are no longer in the configuration.
    pub fn forget_others(&self) {
        let recorders = self.supervisors.values().filter_map(|kept| kept.shared.recorder.as_ref()?.id());
        let (store, ids) = (self.context.store(), self.supervisors.keys().cloned().chain(recorders).collect());
        // Detached: it ends when the files are deleted.
        smol::unblock(move || store.retain(&ids)).detach();
    }

    /// Handles a device's announcement: cameras that are offline and wait in a pause look for it at
    /// once.
    pub fn on_announcement(&self, hint: Announcement, now: Instant) {
        self.context.discovery_cache.on_announcement(hint, now);
        for kept in self.supervisors.values() {
            kept.trigger_retry(RetryTrigger::Seen);
        }
    }

    /// Retries offline cameras because this machine has got a network; returns whether there are
    /// any.
    pub fn network_came(&self) -> bool {
        let away: Vec<_> =
            self.supervisors.values().filter(|kept| kept.supervisors().any(StreamSupervisor::is_offline)).collect();
        away.iter().for_each(|kept| kept.trigger_retry(RetryTrigger::Reachable));
        !away.is_empty()
    }

    /// Asks the tasks that move cameras to stop them, without waiting: nothing else may come before it.
    pub fn stop_moving(&self) {
        self.steerings.stop();
    }

    /// Ends all supervisors in parallel and waits for them, and until no camera moves.
    pub async fn end(self) {
        self.stop_moving();
        drop(self.event_watches);
        self.sound_readers.stop();
        let all: Vec<_> = self.supervisors.into_values().collect();
        all.iter().flat_map(ManagedCamera::supervisors).for_each(StreamSupervisor::stop);
        for kept in all {
            kept.end().await;
        }
        for task in self.leaving {
            task.await;
        }
        self.steerings.end().await;
        self.sound_readers.end().await;
    }

    fn keep(&mut self, camera: &Camera, channel: Arc<Channel>) {
        let (predecessor, small) = match self.supervisors.remove(&camera.id) {
            Some(kept) => (Some(kept.supervisor), kept.small),
            None => (None, None),
        };
        for supervisor in predecessor.iter().chain(&small) {
            supervisor.stream().note_failure(Cause::Changed, None, Instant::now());
        }
        let shared = CameraShared::new(
            channel,
            camera.stream_source.small_profile.clone(),
            self.context.recorder(&camera.stream_source),
        );
        // The small stream starts first: its supervisor resolves both.
        let small = keep_small(&self.context, &shared, camera, small);
        let supervisor = StreamSupervisor::start(
            &self.context,
            &shared,
            StreamRole::Main,
            camera.stream_source.clone(),
            predecessor,
        );
        let retry_throttle = RetryThrottle::default();
        self.supervisors.insert(camera.id.clone(), ManagedCamera { shared, supervisor, small, retry_throttle });
    }

    /// Switches to another state directory and copies the records of unchanged cameras to it, so
    /// that those cameras are not asked again.
    fn move_memory(&self, changes: &Changes, new: &Config) {
        let before = self.context.store();
        self.context.set_store(Directory::open(&new.server.state_dir));
        let after = self.context.store();
        let stays = |camera: &&Camera| changes.unchanged.contains(&camera.id) || changes.retuned.contains(camera);
        let cameras: Vec<_> = new.cameras.iter().filter(stays).cloned().collect();
        // Detached: it ends when the files are on disk.
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

/// Starts a supervisor for the small stream if one is configured, once the supervisor `before` has
/// ended. Until it is live, its viewers see the main stream.
fn keep_small(
    context: &Context,
    shared: &Arc<CameraShared>,
    camera: &Camera,
    before: Option<StreamSupervisor>,
) -> Option<StreamSupervisor> {
    let channel = &shared.channel;
    if !camera.stream_source.has_small() {
        channel.set_small(None);
        // Dropped: it sends TEARDOWN and ends.
        return None;
    }
    if before.is_none() {
        let stream = Stream::new(camera.id.clone(), camera.name.clone(), camera.options.clone(), Instant::now());
        channel.set_small(Some(Arc::new(stream)));
    } else if let Some(small) = channel.small() {
        small.report(State::Connecting, RECONFIGURED, Instant::now());
    }
    Some(StreamSupervisor::start(context, shared, StreamRole::Small, camera.stream_source.clone(), before))
}
