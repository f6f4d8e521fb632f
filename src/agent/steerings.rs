//! The cameras that can be steered: applies a new configuration and touches only what differs.

use std::{collections::BTreeMap, sync::Arc};

use smol::Task;

use super::supervisor::{CameraShared, Context, Steering};
use crate::{
    camera::{Camera, CameraId},
    ptz::PtzControls,
};

/// Holds one task per camera with `ptz = true`.
pub struct Steerings {
    controls: Arc<PtzControls>,
    running: BTreeMap<CameraId, Steering>,
    /// Tasks of cameras that are no longer steered, while they stop them.
    leaving: Vec<Task<()>>,
}

impl Steerings {
    pub fn new(controls: Arc<PtzControls>) -> Self {
        Self { controls, running: BTreeMap::new(), leaving: Vec::new() }
    }

    /// Steers those of `cameras` that can be steered, and no others. Cameras that have refused something are asked
    /// again. `shared_of`: what the supervisors of a camera share.
    pub fn apply(
        &mut self,
        context: &Context,
        cameras: &[Camera],
        shared_of: impl Fn(&CameraId) -> Option<Arc<CameraShared>>,
    ) {
        self.leaving.retain(|task| !task.is_finished());
        let is_same = |id: &CameraId, steering: &Steering| {
            let wanted = cameras.iter().find(|camera| camera.id == *id && camera.ptz.is_steered);
            wanted.is_some_and(|camera| steering.is_of(&camera.stream_source, camera.ptz))
        };
        for (id, steering) in std::mem::take(&mut self.running) {
            if is_same(&id, &steering) {
                steering.control().allow_again();
                self.running.insert(id, steering);
            } else {
                self.controls.remove(&id);
                self.leaving.push(context.executor.spawn(steering.end()));
            }
        }
        for camera in cameras {
            let is_new = camera.ptz.is_steered && !self.running.contains_key(&camera.id);
            if let Some(shared) = shared_of(&camera.id).filter(|_| is_new) {
                let control = self.controls.add(&camera.id);
                let steering =
                    Steering::start(context, &shared, &camera.id, &camera.stream_source, (camera.ptz, control));
                self.running.insert(camera.id.clone(), steering);
            }
        }
    }

    /// Asks all tasks to stop their cameras, without waiting.
    pub fn stop(&self) {
        self.running.values().for_each(Steering::stop);
    }

    /// Ends all tasks in parallel and waits until their cameras stand.
    pub async fn end(self) {
        self.stop();
        for (_, steering) in self.running {
            steering.end().await;
        }
        for task in self.leaving {
            task.await;
        }
    }
}
