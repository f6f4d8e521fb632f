//! The cameras that can be heard: applies a new configuration and touches only what differs.

use std::sync::Arc;

use super::{
    side_tasks::SideTasks,
    supervisor::{CameraShared, Context, SoundReader},
};
use crate::{
    camera::{Camera, CameraId},
    sound::Sounds,
};

/// Holds one task per camera with `sound = true`.
pub struct SoundReaders {
    sounds: Arc<Sounds>,
    tasks: SideTasks<SoundReader>,
}

impl SoundReaders {
    pub fn new(sounds: Arc<Sounds>) -> Self {
        Self { sounds, tasks: SideTasks::default() }
    }

    /// Lets those of `cameras` be heard that may be, and no others. `shared_of`: what the supervisors of a camera
    /// share.
    pub fn apply(
        &mut self,
        context: &Context,
        cameras: &[Camera],
        shared_of: impl Fn(&CameraId) -> Option<Arc<CameraShared>>,
    ) {
        self.tasks.retain(context, |id, reader| {
            let wanted = cameras.iter().find(|camera| camera.id == *id && camera.sound);
            let is_same = wanted.is_some_and(|camera| reader.is_of(&camera.stream_source));
            if !is_same {
                self.sounds.remove(id);
            }
            is_same
        });
        for camera in cameras {
            let is_new = camera.sound && !self.tasks.contains(&camera.id);
            if let Some(shared) = shared_of(&camera.id).filter(|_| is_new) {
                let feed = self.sounds.add(&camera.id);
                let reader = SoundReader::start(context, &shared, &camera.id, &camera.stream_source, feed);
                self.tasks.insert(camera.id.clone(), reader);
            }
        }
    }

    /// Asks all tasks to end, without waiting.
    pub fn stop(&self) {
        self.tasks.stop();
    }

    /// Ends all tasks in parallel and waits for them.
    pub async fn end(self) {
        self.tasks.end().await;
    }
}
