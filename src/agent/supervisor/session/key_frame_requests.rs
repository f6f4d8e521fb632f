//! When the camera of a stream is asked for a key frame.
//!
//! It is asked after a loss, for a viewer who joins while no group of pictures is kept, once the group is too large
//! to be kept, if the first key frame is late, and if nothing comes at all. It may ignore that, or be unable to do it: it is not asked for ever.

use std::time::{Duration, Instant};

/// Minimum time between two requests.
const MIN_INTERVAL: Duration = Duration::from_secs(2);

/// Number of requests in a row that the camera may leave without a key frame.
const MAX_UNANSWERED: u32 = 10;

/// How long the first key frame of a session may take: nearly all cameras begin with one.
const FIRST_KEY_FRAME: Duration = Duration::from_secs(1);

/// How long nothing may come of a stream that is set up. Some cameras send nothing until they are asked; over UDP the
/// client gives up after three seconds.
const SILENCE: Duration = Duration::from_secs(2);

/// The requests of one stream, over all its sessions.
#[derive(Debug, Default)]
pub struct KeyFrameRequests {
    /// From when on a key frame is wanted; `None`: it is not.
    wanted_from: Option<Instant>,
    /// From when on the camera is silent for too long; `None`: it has sent a frame.
    silent_from: Option<Instant>,
    last: Option<Instant>,
    /// Requests since the last key frame, or since the last viewer joined.
    unanswered: u32,
}

impl KeyFrameRequests {
    /// Another session begins; the interval goes on.
    pub fn begin_session(&mut self) {
        *self = Self { last: self.last, ..Self::default() };
    }

    /// Frames come, and none may be shown: since `since` the stream waits for a key frame, the first
    /// of the session if `is_first`.
    pub fn waits(&mut self, is_first: bool, since: Instant) {
        self.want(if is_first { since + FIRST_KEY_FRAME } else { since });
    }

    /// The stream was set up at `now`, and nothing has come of it yet.
    pub fn set_up(&mut self, now: Instant) {
        self.silent_from = Some(now + SILENCE);
    }

    /// The first frame came. If it is no key frame, the stream [waits](Self::waits).
    pub fn on_first_frame(&mut self) {
        self.silent_from = None;
    }

    /// A viewer joined who begins with the next key frame, or would have to from now on.
    pub fn viewer_joined(&mut self, now: Instant) {
        self.unanswered = 0;
        self.want(now);
    }

    /// A whole key frame came.
    pub fn on_key_frame(&mut self) {
        (self.wanted_from, self.unanswered) = (None, 0);
    }

    /// When the camera is to be asked next; `None` if nothing is wanted of it.
    pub fn due(&self) -> Option<Instant> {
        let wanted_from = self.wanted_from.into_iter().chain(self.silent_from).min();
        let wanted_from = wanted_from.filter(|_| self.unanswered < MAX_UNANSWERED)?;
        Some(self.last.map_or(wanted_from, |last| wanted_from.max(last + MIN_INTERVAL)))
    }

    /// Counts a request.
    pub fn asked(&mut self, now: Instant) {
        (self.last, self.unanswered) = (Some(now), self.unanswered + 1);
    }

    fn want(&mut self, from: Instant) {
        self.wanted_from = Some(self.wanted_from.map_or(from, |wanted_from| wanted_from.min(from)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks whenever that is due until `end`; returns after how many milliseconds that was.
    fn asked(requests: &mut KeyFrameRequests, start: Instant, end: u64) -> Vec<u64> {
        let mut times = Vec::new();
        while let Some(due) = requests.due().filter(|due| *due <= start + Duration::from_millis(end)) {
            requests.asked(due);
            times.push(due.duration_since(start).as_millis() as u64);
        }
        times
    }

    #[test]
    fn loss_is_followed_by_a_request_at_most_every_two_seconds_until_a_key_frame_comes() {
        let (mut requests, start) = (KeyFrameRequests::default(), Instant::now());
        assert_eq!(requests.due(), None);
        requests.waits(false, start);
        assert_eq!(asked(&mut requests, start, 5000), [0, 2000, 4000]);
        requests.on_key_frame();
        assert_eq!(requests.due(), None);
        requests.waits(false, start + Duration::from_millis(4500));
        assert_eq!(asked(&mut requests, start, 7000), [6000], "the interval also holds for another loss");
    }

    #[test]
    fn first_key_frame_of_a_session_has_a_second() {
        let (mut requests, start) = (KeyFrameRequests::default(), Instant::now());
        requests.waits(true, start);
        assert_eq!(asked(&mut requests, start, 1500), [1000]);
        requests.begin_session();
        assert_eq!(requests.due(), None);
        requests.waits(true, start + Duration::from_millis(1500));
        assert_eq!(asked(&mut requests, start, 3000), [3000], "the interval also holds for another session");
    }

    #[test]
    fn camera_that_sends_nothing_is_asked_after_two_seconds_and_one_that_sends_is_not() {
        let (mut requests, start) = (KeyFrameRequests::default(), Instant::now());
        requests.set_up(start);
        assert_eq!(asked(&mut requests, start, 5000), [2000, 4000]);
        requests.begin_session();
        requests.set_up(start + Duration::from_secs(5));
        requests.on_first_frame();
        assert_eq!(requests.due(), None, "a JPEG has no other key frame");
    }

    #[test]
    fn camera_that_ignores_requests_is_not_asked_for_ever() {
        let (mut requests, start) = (KeyFrameRequests::default(), Instant::now());
        requests.waits(false, start);
        assert_eq!(asked(&mut requests, start, 3_600_000).len(), 10);
        requests.viewer_joined(start + Duration::from_secs(60));
        assert_eq!(asked(&mut requests, start, 3_600_000).len(), 10, "a viewer gives it another chance");
        requests.on_key_frame();
        requests.waits(false, start + Duration::from_secs(120));
        assert_eq!(asked(&mut requests, start, 120_000), [120_000]);
    }

    #[test]
    fn viewer_who_joins_does_not_wait_for_the_first_key_frame_to_be_late() {
        let (mut requests, start) = (KeyFrameRequests::default(), Instant::now());
        requests.waits(true, start);
        requests.viewer_joined(start + Duration::from_millis(300));
        assert_eq!(asked(&mut requests, start, 1000), [300]);
    }
}
