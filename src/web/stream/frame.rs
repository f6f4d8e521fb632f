//! One JPEG on its way to a viewer.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::{camera::State, media::UnixMicros};

/// One JPEG for the viewer.
pub struct Frame {
    pub jpeg: Bytes,
    /// When the picture was received, or the card drawn.
    pub taken: UnixMicros,
    /// The picture's sequence number; 0 for a card.
    pub sequence: u32,
    pub state: State,
    /// No frame follows: the camera was removed or the agent stops.
    pub last: bool,
}

/// Unix time in microseconds by the system's clock.
pub fn unix_now() -> UnixMicros {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as UnixMicros)
}
