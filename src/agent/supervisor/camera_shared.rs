//! What the keepers of one camera's two streams share, so that the camera is asked once for both.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::ResolvedStream;
use crate::{
    camera::State,
    hub::{Channel, Stream},
    store::CameraRecord,
};

/// What one keeper was told is taken by the other one within this time; longer while the own stream
/// shows that the camera is still where it was.
const FRESH: Duration = Duration::from_secs(60);

/// The main stream is kept open for so long after the last who needed it.
pub const KEPT: Duration = Duration::from_secs(30);

/// Which of a camera's streams a keeper keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamRole {
    Main,
    Small,
}

pub struct CameraShared {
    pub channel: Arc<Channel>,
    /// Held by the one who asks the camera.
    pub asking: smol::lock::Mutex<()>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    small_profile: Option<String>,
    /// For the keeper of this part, from the other one.
    told: Vec<(StreamRole, Instant, ResolvedStream)>,
    record: Option<CameraRecord>,
}

impl CameraShared {
    pub fn new(channel: Arc<Channel>, small_profile: Option<String>) -> Arc<Self> {
        let inner = Inner { small_profile, ..Inner::default() };
        Arc::new(Self { channel, asking: smol::lock::Mutex::new(()), inner: Mutex::new(inner) })
    }

    /// As configured; `None` where the camera has one stream only.
    pub fn small_profile(&self) -> Option<String> {
        self.inner().small_profile.clone()
    }

    pub fn set_small_profile(&self, small_profile: Option<String>) {
        let mut inner = self.inner();
        inner.small_profile = small_profile;
        inner.told.retain(|(role, ..)| *role != StreamRole::Small);
    }

    /// The other stream's lane, where there are two.
    pub fn sibling(&self, of: StreamRole) -> Option<Arc<Stream>> {
        let small = self.channel.small();
        match of {
            StreamRole::Main => small,
            StreamRole::Small => small.map(|_| Arc::clone(self.channel.main())),
        }
    }

    /// Whether the camera answers where it was, as the other stream shows.
    pub(super) fn is_sibling_live(&self, of: StreamRole) -> bool {
        self.sibling(of).is_some_and(|stream| stream.is_live())
    }

    /// Why the camera refused the login of the small stream, which must not be tried again for the main one.
    pub(super) fn refusal(&self, of: StreamRole) -> Option<String> {
        let small = self.sibling(of).filter(|_| of == StreamRole::Main)?;
        Some(small.condition()).filter(|condition| condition.state == State::Denied).map(|condition| condition.why)
    }

    pub(super) fn tell(&self, role: StreamRole, found: ResolvedStream) {
        let mut inner = self.inner();
        inner.told.retain(|(other, ..)| *other != role);
        inner.told.push((role, Instant::now(), found));
    }

    /// What the other keeper was told of this one's stream: once, as it may have led nowhere.
    pub(super) fn told(&self, role: StreamRole) -> Option<ResolvedStream> {
        let is_live = self.is_sibling_live(role);
        let mut inner = self.inner();
        let index = inner.told.iter().position(|(other, ..)| *other == role)?;
        let (_, at, found) = inner.told.swap_remove(index);
        (is_live || at.elapsed() < FRESH).then_some(found)
    }

    /// Adds what led to the live stream of `role` to what is known of the other one's.
    pub(super) fn merge(&self, role: StreamRole, mut record: CameraRecord) -> CameraRecord {
        let mut inner = self.inner();
        if let Some(known) = inner.record.take().filter(|known| known.fingerprint == record.fingerprint) {
            let same_main = |a: &CameraRecord, b: &CameraRecord| {
                a.stream.as_ref().map(|stream| &stream.profile) == b.stream.as_ref().map(|stream| &stream.profile)
            };
            let same_small = |a: &CameraRecord, b: &CameraRecord| {
                a.small.as_ref().map(|small| (&small.wanted, &small.stream.profile))
                    == b.small.as_ref().map(|small| (&small.wanted, &small.stream.profile))
            };
            match role {
                StreamRole::Main if same_small(&known, &record) => record.small = known.small,
                StreamRole::Small if same_main(&known, &record) => record.stream = known.stream,
                StreamRole::Main | StreamRole::Small => {}
            }
        }
        inner.record = Some(record.clone());
        record
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
