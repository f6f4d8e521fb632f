//! The sound of cameras: between those who listen and the tasks that read it.

mod feed;
mod format;

use std::{collections::BTreeMap, sync::Arc};

pub use feed::{Listener, QueuedSound, SoundEvent, SoundFeed, SoundState, SoundUnit};
pub use format::{SoundCodec, SoundFormat};

use crate::{camera::CameraId, sync::Mutex};

/// The cameras that can be heard.
#[derive(Debug, Default)]
pub struct Sounds {
    feeds: Mutex<BTreeMap<CameraId, Arc<SoundFeed>>>,
}

impl Sounds {
    /// The camera named `id`, if it can be heard.
    pub fn get(&self, id: &str) -> Option<Arc<SoundFeed>> {
        self.feeds.lock().get(&CameraId::new(id)?).cloned()
    }

    /// From now on the camera `id` can be heard.
    pub fn add(&self, id: &CameraId) -> Arc<SoundFeed> {
        let feed = Arc::new(SoundFeed::default());
        self.feeds.lock().insert(id.clone(), Arc::clone(&feed));
        feed
    }

    /// The camera `id` can no longer be heard; who listens to it is told.
    pub fn remove(&self, id: &CameraId) {
        if let Some(feed) = self.feeds.lock().remove(id) {
            feed.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camera_can_be_heard_from_when_it_is_added_until_it_is_removed() {
        let (sounds, id) = (Sounds::default(), CameraId::new("gate").unwrap());
        assert!(sounds.get("gate").is_none() && sounds.get("no name").is_none());
        let listener = sounds.add(&id).listen();
        assert!(sounds.get("gate").is_some());
        sounds.remove(&id);
        assert!(sounds.get("gate").is_none());
        assert_eq!(smol::block_on(listener.next()), SoundEvent::Closed);
    }
}
