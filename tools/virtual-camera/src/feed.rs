//! The feed of one stream: encoded pictures and sound for all who play it.
//!
//! Nothing is drawn or encoded while nothing plays, except one frame to describe the stream. Frames
//! are never queued: if the encoder has not taken the last frame, the next one is not made.

mod run;
mod unit;

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    camera::{Camera, count},
    encoder::Encoded,
    rtsp::sender::Sender,
    settings::{Aspect, Codec},
    stream::{Offer, Size, Stream},
};
pub use unit::{Kind, Sets, Unit};

/// The encoder stays ready this long after a DESCRIBE, a SETUP, or the end of the last session.
const LEASE: Duration = Duration::from_secs(5);
/// Timeout of encoding the frame that describes a stream.
const PATIENCE: Duration = Duration::from_secs(5);
/// A key frame in progress when key frames are turned off leaves the camera within this time.
const UNDER_WAY: Duration = Duration::from_millis(500);

pub struct Feed {
    pub stream: Arc<Stream>,
    camera: Arc<Camera>,
    /// The beginning of the feed's clock.
    began: Instant,
    state: Mutex<State>,
    /// Somebody came or left, or a fault changed, or parameter sets are known.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    senders: Vec<Arc<Sender>>,
    /// The encoder stays ready until then, also while nothing plays.
    lease: Option<Instant>,
    /// A thread runs for the picture, or for the sound.
    filming: bool,
    humming: bool,
    /// A new player waits for a key frame.
    key_wanted: bool,
    sets: Option<(Shape, Sets)>,
    /// The time from which no key frame passes, while key frames are off.
    keyless: Option<Instant>,
}

/// What the parameter sets depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    codec: Codec,
    size: Size,
    aspect: Aspect,
}

impl Feed {
    pub fn new(stream: Arc<Stream>, camera: Arc<Camera>) -> Arc<Self> {
        let (state, changed) = (Mutex::default(), Condvar::new());
        Arc::new(Self { stream, camera, began: Instant::now(), state, changed })
    }

    /// The feed's clock: RTP time stamps count it.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Starts the encoder, so that it is ready when somebody plays.
    pub fn prepare(self: &Arc<Self>) {
        let mut state = self.lock();
        state.lease = Some(Instant::now() + LEASE);
        self.start_threads(&mut state);
    }

    /// The parameter sets of the present stream. Blocks while the first frame is encoded; `None`:
    /// there are none, or the encoder gives none.
    pub fn sets(self: &Arc<Self>, offer: Offer) -> Option<Sets> {
        if offer.video.is_none_or(|codec| codec == Codec::Mjpeg) {
            return None;
        }
        let wanted = self.shape();
        let known = |state: &State| match &state.sets {
            Some((shape, sets)) if *shape == wanted => Some(sets.clone()),
            _ => None,
        };
        let until = Instant::now() + PATIENCE;
        let mut state = self.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let found = known(&state);
            if found.is_some() || left.is_zero() {
                return found;
            }
            state.lease = Some(Instant::now() + LEASE);
            self.start_threads(&mut state);
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Sends from now on to `senders`, beginning with a key frame.
    pub fn play(self: &Arc<Self>, senders: &[Arc<Sender>]) {
        let mut state = self.lock();
        self.remove(&mut state, senders);
        state.senders.extend(senders.iter().cloned());
        state.key_wanted = true;
        self.start_threads(&mut state);
        self.changed.notify_all();
    }

    /// Sends no more to `senders`.
    pub fn leave(&self, senders: &[Arc<Sender>]) {
        let mut state = self.lock();
        self.remove(&mut state, senders);
        if state.senders.is_empty() {
            state.lease = Some(Instant::now() + LEASE);
        }
        self.changed.notify_all();
    }

    /// A client asked for a key frame by RTCP.
    pub fn on_key_frame_request(&self) {
        count(&self.camera.counters.key_frame_requests);
        self.stream.want_key_frame();
    }

    /// Looks at the faults again.
    pub fn wake(&self) {
        // With the lock nobody can be between a look at the faults and the wait.
        drop(self.lock());
        self.changed.notify_all();
    }

    fn remove(&self, state: &mut State, senders: &[Arc<Sender>]) {
        state.senders.retain(|sender| !senders.iter().any(|other| Arc::ptr_eq(sender, other)));
    }

    /// Starts the threads that are needed and do not run.
    fn start_threads(self: &Arc<Self>, state: &mut State) {
        let offer = self.stream.offer();
        if offer.video.is_some() && !state.filming {
            state.filming = run::film(Arc::clone(self));
        }
        let has_sound = state.senders.iter().any(|sender| sender.kind == Kind::Audio);
        if has_sound && !state.humming {
            state.humming = run::hum(Arc::clone(self));
        }
    }

    fn shape(&self) -> Shape {
        Shape { codec: self.camera.codec(), size: self.stream.size(), aspect: self.stream.aspect() }
    }

    /// Whether no frame is made at present.
    fn rests(&self) -> bool {
        let faults = self.camera.faults();
        faults.stall || faults.freeze || faults.away == Some(self.stream.name())
    }

    /// Whether no unit of this kind passes at present.
    fn is_silent(&self, kind: Kind) -> bool {
        let faults = self.camera.faults();
        self.rests() || faults.mutes_all() || faults.audio_only && kind == Kind::Video
    }

    /// Called by the encoder for every picture.
    fn encoded(&self, codec: Codec, picture: &Encoded) {
        if let Some(sets) = unit::sets(codec, picture) {
            let mut state = self.lock();
            state.sets = Some((Shape { codec, size: picture.size, aspect: picture.aspect }, sets));
            self.changed.notify_all();
        }
        let (faults, habits) = (self.camera.faults(), self.camera.habits());
        let with_sets = !self.camera.settings.sets_in_sdp;
        if let Some(mut unit) = Unit::of_picture(codec, picture, with_sets, &faults, &habits) {
            // A camera may begin anywhere.
            unit.is_key |= self.camera.settings.clip.is_some();
            self.deliver(&unit);
        }
    }

    fn deliver(&self, unit: &Unit) {
        if self.is_silent(unit.kind) {
            return;
        }
        let no_key_frames = self.camera.faults().no_key_frames;
        let senders = {
            let mut state = self.lock();
            if unit.kind == Kind::Video {
                state.keyless = no_key_frames.then(|| state.keyless.unwrap_or_else(|| Instant::now() + UNDER_WAY));
                // One in progress passes, because the frames after it depend on it.
                if unit.is_key && state.keyless.is_some_and(|from| Instant::now() >= from) {
                    return;
                }
            }
            state.senders.clone()
        };
        senders.iter().filter(|sender| sender.kind == unit.kind).for_each(|sender| sender.send(unit, &self.camera));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
