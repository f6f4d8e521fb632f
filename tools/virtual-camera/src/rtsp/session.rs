//! An RTSP session: the tracks of one stream that a client has set up.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::sender::{Sender, Way};
use crate::{feed::Feed, rtp::rtcp};

pub struct Session {
    pub id: String,
    pub feed: Arc<Feed>,
    state: Mutex<State>,
}

struct State {
    tracks: Vec<(usize, Arc<Sender>)>,
    is_playing: bool,
    is_over: bool,
    /// The last sign of life of the client.
    seen: Instant,
}

impl Session {
    pub fn new(id: String, feed: Arc<Feed>) -> Arc<Self> {
        let state = State { tracks: Vec::new(), is_playing: false, is_over: false, seen: Instant::now() };
        Arc::new(Self { id, feed, state: Mutex::new(state) })
    }

    /// Sets up a track, in place of an earlier one of this number.
    pub fn add(&self, track: usize, sender: Sender) -> Arc<Sender> {
        let sender = Arc::new(sender);
        let mut state = self.lock();
        state.tracks.retain(|(number, _)| *number != track);
        state.tracks.push((track, Arc::clone(&sender)));
        sender
    }

    pub fn tracks(&self) -> Vec<(usize, Arc<Sender>)> {
        self.lock().tracks.clone()
    }

    fn senders(&self) -> Vec<Arc<Sender>> {
        self.lock().tracks.iter().map(|(_, sender)| Arc::clone(sender)).collect()
    }

    pub fn is_playing(&self) -> bool {
        self.lock().is_playing
    }

    /// Sends from now on, unless the session is over.
    pub fn play(&self) {
        let senders = self.senders();
        let mut state = self.lock();
        if !state.is_over {
            state.is_playing = true;
            // With the lock, so that a session that ends in the meantime is not left in the feed.
            self.feed.play(&senders);
        }
    }

    pub fn pause(&self) {
        let senders = self.senders();
        let mut state = self.lock();
        state.is_playing = false;
        self.feed.leave(&senders);
    }

    /// Sends nothing more, for ever.
    pub fn end(&self) {
        self.lock().is_over = true;
        self.pause();
    }

    /// The client has given a sign of life.
    pub fn touch(&self) {
        self.lock().seen = Instant::now();
    }

    /// Does what the RTCP packet of the client asks for.
    pub fn on_rtcp(&self, packet: &[u8]) {
        if rtcp::asks_for_key_frame(packet) {
            self.feed.on_key_frame_request();
        }
    }

    /// Whether the client has been silent for `limit`. A session over the RTSP connection lasts as
    /// long as that.
    pub fn has_expired(&self, limit: Duration) -> bool {
        let mut state = self.lock();
        for packet in state.tracks.iter().flat_map(|(_, sender)| sender.heard()).collect::<Vec<_>>() {
            state.seen = Instant::now();
            self.on_rtcp(&packet);
        }
        let by_udp = state.tracks.iter().any(|(_, sender)| matches!(sender.way, Way::Udp { .. }));
        by_udp && state.seen.elapsed() > limit
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
