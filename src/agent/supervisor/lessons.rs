//! What earlier sessions of the agent's own client taught about a camera.

use crate::{
    camera::{StreamUri, Transport},
    rtsp::session::Learnt,
};

/// What was learnt at the address of the last session, and of the camera.
#[derive(Default)]
pub(super) struct Lessons {
    stream: Option<(StreamUri, Learnt)>,
    /// The camera refused the login for a request for a key frame by ONVIF: the account may lack the
    /// right, and another attempt could lock it.
    pub(super) denies_synchronization: bool,
}

impl Lessons {
    /// What is known of `stream`; `transport` is what was stored of it in an earlier run.
    pub(super) fn of(&self, stream: &StreamUri, transport: Option<Transport>) -> Learnt {
        let learnt = self.stream.as_ref().filter(|(at, _)| at == stream).map(|(_, learnt)| learnt.clone());
        learnt.unwrap_or(Learnt { transport, ..Learnt::default() })
    }

    pub(super) fn keep(&mut self, stream: &StreamUri, learnt: Learnt) {
        self.stream = Some((stream.clone(), learnt));
    }
}
