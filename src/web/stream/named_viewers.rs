//! What has reached each Motion JPEG viewer with a name, so that a page can ask whether its streams
//! are alive. A browser reports neither new pictures of such a stream nor its end to the page.
//!
//! A picture counts when the socket has taken all of it. For a viewer that stops reading, the count
//! stops as soon as the buffers in between are full.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::web::{
    admission::principal::Principal,
    stream::frame::{Frame, unix_now},
};
use crate::{
    camera::State,
    media::UnixMicros,
    sync::{Mutex, MutexGuard},
};

/// The period over which the rate is measured.
const WINDOW: Duration = Duration::from_secs(3);

/// All open streams with a name.
#[derive(Clone, Default)]
pub struct Streams(Arc<Mutex<Vec<Entry>>>);

struct Entry {
    number: u64,
    camera: String,
    viewer: String,
    /// The account whose stream it is.
    user: Option<String>,
    /// When the last new pictures were delivered, oldest first.
    delivered: VecDeque<Instant>,
    /// Sequence number and time of the newest picture delivered; `None` if there is none or the
    /// card is shown.
    newest: Option<(u32, UnixMicros)>,
}

/// One stream; removed when it is dropped.
pub struct Stream {
    all: Streams,
    number: u64,
}

impl Streams {
    /// Records that `viewer`, a page of `user`, watches `camera` from now on.
    pub fn enter(&self, camera: &str, viewer: String, user: Option<String>) -> Stream {
        let mut entries = self.entries();
        // The entries are in the order of their numbers.
        let number = entries.last().map_or(0, |last| last.number + 1);
        let camera = camera.to_owned();
        entries.push(Entry { number, camera, viewer, user, delivered: VecDeque::new(), newest: None });
        drop(entries);
        Stream { all: self.clone(), number }
    }

    /// For each stream of `camera` that `principal` may know of: its viewer, new pictures per second, and the age in seconds of
    /// the picture delivered last.
    pub fn as_json(&self, camera: &str, principal: &Principal, now: Instant) -> Value {
        let unix_now = unix_now();
        let tell = |entry: &Entry| {
            let recent = entry.delivered.iter().filter(|at| now.saturating_duration_since(**at) < WINDOW).count();
            let age = entry.newest.map(|(_, taken)| unix_now.saturating_sub(taken) as f64 / 1e6);
            json!({ "viewer": entry.viewer, "fps": recent as f64 / WINDOW.as_secs_f64(), "age": age })
        };
        let is_known = |entry: &&Entry| {
            let is_own = || principal.name().is_some() && entry.user.as_deref() == principal.name();
            entry.camera == camera && (principal.rights().details || is_own())
        };
        self.entries().iter().filter(is_known).map(tell).collect()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock()
    }
}

impl Stream {
    /// Records that the socket took all of `frame`.
    pub fn delivered(&mut self, frame: &Frame, now: Instant) {
        let mut entries = self.all.entries();
        let Some(entry) = entries.iter_mut().find(|entry| entry.number == self.number) else { return };
        if frame.state != State::Live {
            entry.newest = None;
            return;
        }
        let picture = Some((frame.sequence, frame.taken));
        if entry.newest != picture {
            entry.newest = picture;
            entry.delivered.push_back(now);
        }
        while entry.delivered.front().is_some_and(|at| now.saturating_duration_since(*at) >= WINDOW) {
            entry.delivered.pop_front();
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.all.entries().retain(|entry| entry.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{account::WithoutLogin, users::Users, web::visitor::Visitor};
    use std::path::Path;

    fn frame(sequence: u32, state: State) -> Frame {
        Frame { jpeg: vec![1].into(), taken: unix_now() - 500_000, sequence, state, last: false }
    }

    fn everybody() -> Principal {
        let users = Users::default();
        users.set(Vec::new(), WithoutLogin::Everybody, Path::new("/dev/null/state"));
        let address = std::net::Ipv4Addr::LOCALHOST.into();
        Principal::of_visitor(Visitor { address, is_https: false, is_loopback: true }, &users).unwrap()
    }

    #[test]
    fn rate_counts_new_pictures_only_and_falls_to_nothing() {
        let (streams, start) = (Streams::default(), Instant::now());
        let mut stream = streams.enter("gate", "me".to_owned(), None);
        for number in 0..30 {
            let now = start + Duration::from_millis(100) * number;
            // Every picture is sent twice: the second is a repetition.
            let picture = frame(number / 2, State::Live);
            stream.delivered(&Frame { taken: u64::from(number / 2), ..picture }, now);
        }
        let as_json = streams.as_json("gate", &everybody(), start + Duration::from_millis(2900));
        assert_eq!((&as_json[0]["viewer"], &as_json[0]["fps"]), (&json!("me"), &json!(5.0)));
        assert_eq!(streams.as_json("gate", &everybody(), start + Duration::from_secs(10))[0]["fps"], json!(0.0));
        assert_eq!(streams.as_json("porch", &everybody(), start), json!([]));
    }

    #[test]
    fn card_is_no_picture_and_a_viewer_that_left_is_not_told() {
        let (streams, now) = (Streams::default(), Instant::now());
        let mut stream = streams.enter("gate", "me".to_owned(), None);
        stream.delivered(&frame(7, State::Live), now);
        let age = streams.as_json("gate", &everybody(), now)[0]["age"].as_f64().unwrap();
        assert!(age >= 0.5, "{age}");
        stream.delivered(&frame(0, State::Stalled), now);
        assert_eq!(streams.as_json("gate", &everybody(), now)[0]["age"], Value::Null);
        let second = streams.enter("gate", "you".to_owned(), None);
        drop(stream);
        assert_eq!(streams.as_json("gate", &everybody(), now)[0]["viewer"], json!("you"));
        drop(second);
        assert_eq!(streams.as_json("gate", &everybody(), now), json!([]));
    }
}
