//! The cameras that can be heard: applies a new configuration and touches only what differs.

use std::{collections::BTreeMap, sync::Arc};

use smol::Task;

use super::supervisor::{CameraShared, Context, SoundReader};
use crate::{
    camera::{Camera, CameraId},
    sound::Sounds,
};

/// Holds one task per camera with `sound = true`.
pub struct SoundReaders {
    sounds: Arc<Sounds>,
    running: BTreeMap<CameraId, SoundReader>,
    /// Tasks of cameras that can no longer be heard, while they send TEARDOWN.
    leaving: Vec<Task<()>>,
}

impl SoundReaders {
    pub fn new(sounds: Arc<Sounds>) -> Self {
        Self { sounds, running: BTreeMap::new(), leaving: Vec::new() }
    }

    /// Lets those of `cameras` be heard that may be, and no others. `shared_of`: what the supervisors of a camera
    /// share.
    pub fn apply(
        &mut self,
        context: &Context,
        cameras: &[Camera],
        shared_of: impl Fn(&CameraId) -> Option<Arc<CameraShared>>,
    ) {
        self.leaving.retain(|task| !task.is_finished());
        let is_same = |id: &CameraId, reader: &SoundReader| {
            let wanted = cameras.iter().find(|camera| camera.id == *id && camera.sound);
            wanted.is_some_and(|camera| reader.is_of(&camera.stream_source))
        };
        for (id, reader) in std::mem::take(&mut self.running) {
            if is_same(&id, &reader) {
                self.running.insert(id, reader);
            } else {
                self.sounds.remove(&id);
                self.leaving.push(context.executor.spawn(reader.end()));
            }
        }
        for camera in cameras {
            let is_new = camera.sound && !self.running.contains_key(&camera.id);
            if let Some(shared) = shared_of(&camera.id).filter(|_| is_new) {
                let feed = self.sounds.add(&camera.id);
                let reader = SoundReader::start(context, &shared, &camera.id, &camera.stream_source, feed);
                self.running.insert(camera.id.clone(), reader);
            }
        }
    }

    /// Asks all tasks to end, without waiting.
    pub fn stop(&self) {
        self.running.values().for_each(SoundReader::stop);
    }

    /// Ends all tasks in parallel and waits for them.
    pub async fn end(self) {
        self.stop();
        for (_, reader) in self.running {
            reader.end().await;
        }
        for task in self.leaving {
            task.await;
        }
    }
}
