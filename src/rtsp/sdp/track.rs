//! The one track of a stream that is read.

use std::net::SocketAddr;

use super::{VideoTrack, audio::AudioTrack};

/// The track that is read.
#[derive(Clone, Debug, PartialEq)]
pub enum Track {
    Video(VideoTrack),
    Audio(AudioTrack),
}

impl Track {
    /// As written, trimmed.
    pub fn control(&self) -> Option<&str> {
        match self {
            Self::Video(track) => track.control.as_deref(),
            Self::Audio(track) => track.control.as_deref(),
        }
    }

    /// The group and the port to which the camera sends the track, if the description names one.
    pub fn group(&self) -> Option<SocketAddr> {
        match self {
            Self::Video(track) => track.group,
            Self::Audio(track) => track.group,
        }
    }
}
