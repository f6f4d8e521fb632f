//! What a small stream knows of the shape of the main one.

use crate::media::Size;

/// The shape of the camera's main stream, as the small one knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::hub) enum MainShape {
    Unknown,
    /// The size of its samples, from the list of the camera's profiles, which says nothing of their
    /// shape.
    Listed(Size),
    /// As the main stream says itself, on square pixels.
    Declared(Size),
}
