//! What one stream's supervisor knows when it looks for its camera.

use std::{sync::Arc, time::Instant};

use super::{CameraShared, Context, StreamRole};
use crate::{
    camera::{CameraId, StreamSource},
    sync::Mutex,
};

/// Finds the stream of one supervisor. A clone can do so in parallel while the supervisor goes on
/// with its stream.
#[derive(Clone)]
pub(super) struct Locator {
    pub(super) context: Context,
    pub(super) shared: Arc<CameraShared>,
    pub(super) role: StreamRole,
    /// The stream's name in the log.
    pub(super) label: String,
    pub(super) id: CameraId,
    pub(super) stream_source: StreamSource,
    /// When the network was last searched for this camera; shared with the supervisor.
    pub(super) searched: Arc<Mutex<Option<Instant>>>,
}

impl Locator {
    /// For tasks beside the supervisor, which ask where the main stream of the camera is found.
    pub(super) fn beside(
        context: &Context,
        shared: &Arc<CameraShared>,
        id: &CameraId,
        stream_source: &StreamSource,
    ) -> Self {
        Self {
            context: context.clone(),
            shared: Arc::clone(shared),
            role: StreamRole::Main,
            label: id.to_string(),
            id: id.clone(),
            stream_source: stream_source.clone(),
            searched: Arc::default(),
        }
    }
}
