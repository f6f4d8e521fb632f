//! The cameras that exist for one principal. Everything that serves cameras has this and not the hub.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::web::admission::principal::Principal;
use crate::{
    camera::CameraId,
    hub::{Channel, Hub},
    sync::Notified,
};

/// A view of the hub without the cameras that its principal may not see.
#[derive(Clone)]
pub struct VisibleCameras {
    hub: Arc<Hub>,
    principal: Principal,
}

impl VisibleCameras {
    pub(super) fn new(hub: &Arc<Hub>, principal: Principal) -> Self {
        Self { hub: Arc::clone(hub), principal }
    }

    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The camera named `id` in URLs.
    pub fn channel(&self, id: &str) -> Option<Arc<Channel>> {
        if self.principal.sees(id) { self.hub.channel(id) } else { None }
    }

    /// In the order of the configuration.
    pub fn channels(&self) -> Vec<Arc<Channel>> {
        let mut channels = self.hub.channels();
        channels.retain(|channel| self.principal.sees(channel.id().as_str()));
        channels
    }

    /// As [`Hub::overdue_supervisors`].
    pub fn overdue_supervisors(&self, limit: Duration, now: Instant) -> Vec<(CameraId, Duration)> {
        let mut overdue = self.hub.overdue_supervisors(limit, now);
        overdue.retain(|(id, _)| self.principal.sees(id.as_str()));
        overdue
    }

    /// Notified after each change of the cameras, also of those that are not visible.
    pub fn changes(&self) -> Notified {
        self.hub.changes()
    }
}
