//! Who steers which camera, and what it shall do: between those who ask and the tasks that move cameras.

mod control;
mod motion;
mod preset;
mod steerer;

use std::{collections::BTreeMap, sync::Arc};

pub use control::{Asked, Destination, Outcome, PtzControl, PtzState, WORD};
pub use motion::Motion;
pub use preset::{Preset, PresetRef};
pub use steerer::Steerer;

use crate::{
    camera::CameraId,
    sync::{Mutex, Notified, Notifier},
};

/// The cameras that can be steered.
#[derive(Debug, Default)]
pub struct PtzControls {
    cameras: Mutex<BTreeMap<CameraId, Arc<PtzControl>>>,
    changed: Arc<Notifier>,
}

impl PtzControls {
    /// The camera named `id`, if it can be steered.
    pub fn get(&self, id: &str) -> Option<Arc<PtzControl>> {
        self.cameras.lock().get(&CameraId::new(id)?).cloned()
    }

    /// From now on the camera `id` can be steered.
    pub fn add(&self, id: &CameraId) -> Arc<PtzControl> {
        let control = Arc::new(PtzControl::new(Arc::clone(&self.changed)));
        self.cameras.lock().insert(id.clone(), Arc::clone(&control));
        self.changed.notify();
        control
    }

    /// The camera `id` can no longer be steered.
    pub fn remove(&self, id: &CameraId) {
        if self.cameras.lock().remove(id).is_some() {
            self.changed.notify();
        }
    }

    /// Notified when it has changed who steers a camera, or what a camera does.
    pub fn changes(&self) -> Notified {
        self.changed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camera_can_be_steered_from_when_it_is_added_until_it_is_removed() {
        let (controls, id) = (PtzControls::default(), CameraId::new("gate").unwrap());
        let changes = controls.changes();
        assert!(controls.get("gate").is_none() && controls.get("no name").is_none());
        controls.add(&id);
        assert!(controls.get("gate").is_some() && changes.take());
        controls.remove(&id);
        assert!(controls.get("gate").is_none() && changes.take());
    }
}
