//! What the rules are applied to.

use crate::{camera::CameraId, event::Occurrence};

#[derive(Debug)]
pub enum Input {
    /// Something happened at a camera.
    Happened(Happened),
    /// A message with this topic has come.
    Message(String),
}

/// What happened at a camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    pub camera: CameraId,
    pub occurrence: Occurrence,
}
