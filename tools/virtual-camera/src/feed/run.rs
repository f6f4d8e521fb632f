//! The threads of a feed: one makes frames, one makes sound. Each ends when nothing needs it.

use std::{
    sync::{Arc, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{Feed, Kind, Shape, State, Unit};
use crate::{
    camera::count,
    clip::Clip,
    encoder::{Encoded, Encoder},
    rtp::g711,
    settings::Codec,
};

/// A feed without anything to do looks at its lease this often.
const NAP: Duration = Duration::from_secs(1);

/// Starts the thread that makes frames; whether that succeeded.
pub fn film(feed: Arc<Feed>) -> bool {
    let name = format!("frames {}", feed.camera.settings.id);
    thread::Builder::new().name(name).spawn(move || Film::new(feed).run()).is_ok()
}

/// Starts the thread that makes sound.
pub fn hum(feed: Arc<Feed>) -> bool {
    let name = format!("sound {}", feed.camera.settings.id);
    thread::Builder::new().name(name).spawn(move || run_hum(&feed)).is_ok()
}

struct Film {
    feed: Arc<Feed>,
    /// When the next frame is due.
    due: Instant,
    /// The format of the frames that the encoder gets.
    given: Option<Shape>,
    /// Frames since the last key frame that was asked for.
    since_key: u32,
}

/// What is to be done now.
enum Step {
    /// Encode a frame, as a key frame or not.
    Frame(bool),
    /// Nothing: the time for it was waited for.
    Again,
    End,
}

impl Film {
    fn new(feed: Arc<Feed>) -> Self {
        Self { feed, due: Instant::now(), given: None, since_key: 0 }
    }

    fn run(&mut self) {
        let camera = Arc::clone(&self.feed.camera);
        let codec = camera.codec();
        if let Some(path) = &camera.settings.clip {
            match Clip::read(codec, path) {
                Ok(clip) => self.run_clip(codec, clip),
                Err(error) => {
                    eprintln!("{}: {}: {error}", camera.settings.id, path.display());
                    self.feed.lock().filming = false;
                }
            }
            return;
        }
        let weak = Arc::downgrade(&self.feed);
        let bitrate = self.feed.stream.bitrate();
        let deliver = move |picture| {
            if let Some(feed) = weak.upgrade() {
                feed.encoded(codec, &picture);
            }
        };
        let encoder = match Encoder::start(codec, &camera.settings, bitrate, deliver) {
            Ok(encoder) => encoder,
            Err(error) => {
                eprintln!("{}: {error}", camera.settings.id);
                self.feed.lock().filming = false;
                return;
            }
        };
        loop {
            match self.step(codec) {
                Step::Frame(as_key) => self.push(&encoder, as_key),
                Step::Again => {}
                Step::End => return,
            }
        }
    }

    /// Sends the pictures of a file; key frames come where the file has them.
    fn run_clip(&mut self, codec: Codec, mut clip: Clip) {
        loop {
            match self.step(codec) {
                Step::Frame(_) => {
                    let shape = self.feed.shape();
                    let at = self.feed.now();
                    count(&self.feed.camera.counters.frames);
                    self.given = Some(shape);
                    let picture = Encoded { bytes: clip.next(), at, size: shape.size, aspect: shape.aspect };
                    self.feed.encoded(codec, &picture);
                }
                Step::Again => {}
                Step::End => return,
            }
        }
    }

    /// Under the lock, so that nobody who comes misses a thread that ends.
    fn step(&mut self, codec: Codec) -> Step {
        let (feed, now) = (&self.feed, Instant::now());
        let (faults, shape) = (feed.camera.faults(), feed.shape());
        let rests = feed.rests();
        let mut state = feed.lock();
        let plays = state.senders.iter().any(|sender| sender.kind == Kind::Video);
        let leased = state.lease.is_some_and(|until| until > now);
        if shape.codec != codec || !plays && !leased {
            state.filming = false;
            return Step::End;
        }
        // An encoder with B-frames gives its first picture after some frames.
        let is_unknown = codec != Codec::Mjpeg && state.sets.as_ref().is_none_or(|(known, _)| *known != shape);
        if !plays {
            // The next player gets a frame at once.
            self.due = now;
        }
        if !(plays && !rests || is_unknown) {
            return self.wait(state, NAP);
        }
        let first = self.given.is_none();
        let pace = faults.pace.filter(|_| !first);
        let usual = Duration::from_secs(1) / feed.camera.settings.fps;
        let interval = pace.unwrap_or(usual);
        // A frame that was due long ago, or is due too late for the present pace, is due now.
        self.due = self.due.min(now + interval);
        if self.due > now && self.given == Some(shape) {
            return self.wait(state, self.due - now);
        }
        self.due = (self.due + interval).max(now);
        state.key_wanted |= feed.stream.take_key_wanted();
        let as_key = self.since_key > 0 && (state.key_wanted || self.since_key >= feed.camera.settings.gop);
        Step::Frame(as_key && !faults.no_key_frames)
    }

    /// Waits with the lock of `state`, so that no change is missed.
    fn wait(&self, state: MutexGuard<'_, State>, time: Duration) -> Step {
        drop(self.feed.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner));
        Step::Again
    }

    fn push(&mut self, encoder: &Encoder, as_key: bool) {
        if !encoder.is_idle() {
            // A key frame stays wanted.
            return;
        }
        let feed = &self.feed;
        let at = feed.now();
        let (size, frame) = feed.stream.next_frame();
        let shape = Shape { size, ..feed.shape() };
        if self.given != Some(shape) {
            encoder.set_caps(&feed.stream.caps(shape.size, shape.aspect));
            self.given = Some(shape);
        }
        if as_key || self.since_key == 0 {
            self.since_key = 0;
            feed.lock().key_wanted = false;
        }
        encoder.push(frame, at, as_key);
        self.since_key += 1;
    }
}

fn run_hum(feed: &Feed) {
    let interval = Duration::from_secs(1) * g711::SAMPLES / g711::RATE;
    let (began, mut made) = (feed.now(), 0_u32);
    let today = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |today| today.as_micros() as u64);
    loop {
        let at = began + interval * made;
        // A packet is complete when its last sample is taken.
        let due = at + interval;
        let mut state = feed.lock();
        loop {
            if !state.senders.iter().any(|sender| sender.kind == Kind::Audio) {
                state.humming = false;
                return;
            }
            let left = due.saturating_sub(feed.now());
            if left.is_zero() {
                break;
            }
            state = feed.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        let bytes = feed.camera.settings.sound().packet(u64::from(made) * u64::from(g711::SAMPLES), today);
        feed.deliver(&Unit::of_sound(bytes, at));
        made += 1;
    }
}
