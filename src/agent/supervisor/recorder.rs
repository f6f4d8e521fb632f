//! What the cameras of one recorder share, so that it is asked by one conversation at a time, and its
//! streams are opened a few at a time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use smol::lock::Semaphore;

use super::{failure::LocateError, place::Place};
use crate::{
    camera::{CameraId, RecorderChannel, State, StreamSource},
    onvif,
    store::Address,
    sync::{Mutex, MutexGuard},
};

/// How long the answers of one conversation count. A recorder that is set up anew restarts, which takes
/// longer.
const FRESH: Duration = Duration::from_secs(30);

/// How long a refused login counts for the other channels. They fail together and wait equally long,
/// so their next attempts fall into such a time, too: the account sees those of one camera.
const DENIED: Duration = Duration::from_secs(10);

/// Maximum number of streams of one recorder that are being opened at the same time.
const MAX_OPENINGS: usize = 4;

/// State shared by the supervisors of all channels of one recorder. Of its ONVIF service they use two
/// connections at most: that of the conversation, and one for key frames.
pub struct RecorderShared {
    /// What the file says of the recorder itself.
    basis: StreamSource,
    /// Locked by the supervisor that asks the recorder; the others queue behind it.
    pub(super) asking: smol::lock::Mutex<()>,
    /// The turn to ask for a key frame.
    pub key_frames: Semaphore,
    /// The turns for opening a stream.
    pub openings: Arc<Semaphore>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Where the supervisor that has the lock asks.
    asked: Option<Address>,
    conversation: Option<Conversation>,
    /// Whether that supervisor got the list of channels, so a failure is that of its own channel.
    is_listed: bool,
    failure: Option<(Address, Instant, LocateError)>,
    /// The video sources by the number of their channels, as far as they were learnt.
    order: Vec<String>,
}

/// A conversation with the recorder in which each channel can be asked for.
pub(super) struct Conversation {
    asked: Address,
    /// Where it takes place, which may be over TLS.
    pub(super) place: Place,
    began: Instant,
    pub(super) recorder: onvif::Recorder,
}

impl RecorderShared {
    /// `None`: the camera is no channel of a recorder.
    pub fn new(stream_source: &StreamSource) -> Option<Arc<Self>> {
        stream_source.channel.as_ref()?;
        Some(Arc::new(Self {
            basis: basis(stream_source),
            asking: smol::lock::Mutex::new(()),
            key_frames: Semaphore::new(1),
            openings: Arc::new(Semaphore::new(MAX_OPENINGS)),
            inner: Mutex::default(),
        }))
    }

    pub fn id(&self) -> Option<CameraId> {
        self.basis.channel.as_ref().map(|channel| channel.recorder.clone())
    }

    /// Whether the camera is a channel of this recorder, as it is configured here.
    pub fn is_of(&self, stream_source: &StreamSource) -> bool {
        self.basis == basis(stream_source)
    }

    /// The video sources by the number of their channels; empty before the recorder has answered.
    pub(super) fn order(&self) -> Vec<String> {
        self.inner().order.clone()
    }

    /// How many channels it has; 0 before it has answered.
    pub fn channels(&self) -> usize {
        self.inner().order.len()
    }

    /// Learns the order in which the recorder lists its sources `now`, and returns that of the channels.
    /// `remembered`: theirs at an earlier start.
    pub(super) fn learn_order(&self, remembered: &[String], now: &[String]) -> Vec<String> {
        let mut inner = self.inner();
        let known = if inner.order.is_empty() { remembered } else { &inner.order };
        inner.order = onvif::channel_order(known, now);
        inner.order.clone()
    }

    /// The failure of another channel at `at` that is also that of a supervisor which waits since
    /// `since`.
    pub(super) fn failure(&self, at: &Address, since: Instant) -> Option<LocateError> {
        let inner = self.inner();
        let (asked, when, error) = inner.failure.as_ref()?;
        (asked == at && (*when >= since || (is_denied(error) && when.elapsed() < DENIED))).then(|| error.at_now())
    }

    /// Takes the conversation at `at`, if there is one whose answers count.
    pub(super) fn take(&self, at: &Address) -> Option<Conversation> {
        let is_here = |known: &Conversation| known.asked == *at || known.place.at == *at;
        self.inner().conversation.take().filter(|known| is_here(known) && known.began.elapsed() < FRESH)
    }

    pub(super) fn put_back(&self, conversation: Conversation) {
        self.inner().conversation = Some(conversation);
    }

    /// The supervisor that has the lock asks at `at` now.
    pub(super) fn asks(&self, at: &Address) {
        let mut inner = self.inner();
        inner.asked = Some(at.clone());
        inner.is_listed = false;
    }

    /// A conversation began at `began` and brought the list of channels. `is_over`: the recorder gives
    /// no further answer in it.
    pub(super) fn begun(&self, place: &Place, began: Instant, recorder: onvif::Recorder, is_over: bool) {
        let mut inner = self.inner();
        inner.is_listed = true;
        if is_over {
            return;
        }
        let asked = inner.asked.clone().unwrap_or_else(|| place.at.clone());
        inner.conversation = Some(Conversation { asked, place: place.clone(), began, recorder });
    }

    /// Notes why the recorder at `at` gave no stream, unless that is the failure of one channel alone.
    /// A refused login is that of all.
    pub(super) fn failed(&self, at: &Address, error: &LocateError) {
        let mut inner = self.inner();
        if !inner.is_listed || is_denied(error) {
            inner.failure = Some((at.clone(), Instant::now(), error.at_now()));
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}

fn is_denied(error: &LocateError) -> bool {
    matches!(error, LocateError::Final(failure) if failure.state == State::Denied)
}

/// What the channels of one recorder have in common.
fn basis(stream_source: &StreamSource) -> StreamSource {
    let channel = stream_source.channel.as_ref().map(|channel| RecorderChannel { number: 0, ..channel.clone() });
    StreamSource { channel, small_profile: None, small_url: None, ..stream_source.clone() }
}
