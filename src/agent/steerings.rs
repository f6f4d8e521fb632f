//! The cameras that can be steered: applies a new configuration and touches only what differs.

use std::sync::Arc;

use super::{
    side_tasks::SideTasks,
    supervisor::{CameraShared, Context, Steering},
};
use crate::{
    camera::{Camera, CameraId},
    ptz::PtzControls,
};

/// Holds one task per camera with `ptz = true`.
pub struct Steerings {
    controls: Arc<PtzControls>,
    tasks: SideTasks<Steering>,
}

impl Steerings {
    pub fn new(controls: Arc<PtzControls>) -> Self {
        Self { controls, tasks: SideTasks::default() }
    }

    /// Steers those of `cameras` that can be steered, and no others. Cameras that have refused something are asked
    /// again. `shared_of`: what the supervisors of a camera share.
    pub fn apply(
        &mut self,
        context: &Context,
        cameras: &[Camera],
        shared_of: impl Fn(&CameraId) -> Option<Arc<CameraShared>>,
    ) {
        self.tasks.retain(context, |id, steering| {
            let wanted = cameras.iter().find(|camera| camera.id == *id && camera.ptz.is_steered);
            let is_same = wanted.is_some_and(|camera| steering.is_of(&camera.stream_source, camera.ptz));
            if is_same {
                steering.control().allow_again();
            } else {
                self.controls.remove(id);
            }
            is_same
        });
        for camera in cameras {
            let is_new = camera.ptz.is_steered && !self.tasks.contains(&camera.id);
            if let Some(shared) = shared_of(&camera.id).filter(|_| is_new) {
                let control = self.controls.add(&camera.id);
                let steering =
                    Steering::start(context, &shared, &camera.id, &camera.stream_source, (camera.ptz, control));
                self.tasks.insert(camera.id.clone(), steering);
            }
        }
    }

    /// Asks all tasks to stop their cameras, without waiting.
    pub fn stop(&self) {
        self.tasks.stop();
    }

    /// Ends all tasks in parallel and waits until their cameras stand.
    pub async fn end(self) {
        self.tasks.end().await;
    }
}
