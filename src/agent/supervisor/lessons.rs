//! What earlier sessions of the agent's own client taught about a camera.

use crate::{camera::StreamUri, rtsp::session::Learnt};

/// What was learnt at the address of the last session.
#[derive(Default)]
pub(super) struct Lessons(Option<(StreamUri, Learnt)>);

impl Lessons {
    /// What is known of `stream`.
    pub(super) fn of(&self, stream: &StreamUri) -> Learnt {
        self.0.as_ref().filter(|(at, _)| at == stream).map(|(_, learnt)| learnt.clone()).unwrap_or_default()
    }

    pub(super) fn keep(&mut self, stream: &StreamUri, learnt: Learnt) {
        self.0 = Some((stream.clone(), learnt));
    }
}
