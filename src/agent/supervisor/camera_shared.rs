//! State shared by the supervisors of one camera's two streams, so that the camera is asked once
//! for both.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{RecorderShared, ResolvedStream};
use crate::{
    camera::{State, StreamUri},
    hub::{Channel, Stream},
    store::CameraRecord,
    sync::{Mutex, MutexGuard},
    text::Reason,
};

/// How long a supervisor may use what the other one was given for it; longer while the other stream
/// shows that the camera is still at its address.
const FRESH: Duration = Duration::from_secs(60);

/// How long the main stream stays open after the last demand for it.
pub const KEPT: Duration = Duration::from_secs(30);

/// Which of a camera's streams a supervisor owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamRole {
    Main,
    Small,
}

pub struct CameraShared {
    pub channel: Arc<Channel>,
    /// Locked by the supervisor that asks the camera.
    pub asking: smol::lock::Mutex<()>,
    /// The recorder of which the camera is a channel.
    pub recorder: Option<Arc<RecorderShared>>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    small_profile: Option<String>,
    /// Resolved streams for the supervisor of this role, from the other one.
    results: Vec<(StreamRole, Instant, ResolvedStream)>,
    record: Option<CameraRecord>,
    /// The streams that are live and read by the agent itself.
    read: BTreeMap<StreamRole, (StreamUri, ResolvedStream)>,
}

impl CameraShared {
    pub fn new(
        channel: Arc<Channel>,
        small_profile: Option<String>,
        recorder: Option<Arc<RecorderShared>>,
    ) -> Arc<Self> {
        let inner = Inner { small_profile, ..Inner::default() };
        Arc::new(Self { channel, asking: smol::lock::Mutex::new(()), recorder, inner: Mutex::new(inner) })
    }

    /// The small profile as configured; `None` if the camera has one stream only.
    pub fn small_profile(&self) -> Option<String> {
        self.inner().small_profile.clone()
    }

    pub fn set_small_profile(&self, small_profile: Option<String>) {
        let mut inner = self.inner();
        inner.small_profile = small_profile;
        inner.results.retain(|(role, ..)| *role != StreamRole::Small);
    }

    /// The other stream, if there are two.
    pub fn sibling(&self, of: StreamRole) -> Option<Arc<Stream>> {
        let small = self.channel.small();
        match of {
            StreamRole::Main => small,
            StreamRole::Small => small.map(|_| Arc::clone(self.channel.main())),
        }
    }

    /// Whether the other stream is live, which shows that the camera is still at its address.
    pub(super) fn is_sibling_live(&self, of: StreamRole) -> bool {
        self.sibling(of).is_some_and(|stream| stream.is_live())
    }

    /// Why the camera refused the login of the small stream. The main stream must then not try it
    /// again.
    pub(super) fn refusal(&self, of: StreamRole) -> Option<Reason> {
        let small = self.sibling(of).filter(|_| of == StreamRole::Main)?;
        Some(small.condition()).filter(|condition| condition.state == State::Denied).map(|condition| condition.why)
    }

    /// Which stream the supervisor of `role` reads live by RTSP; `None`: it reads none now.
    pub(super) fn set_read(&self, role: StreamRole, stream: Option<(StreamUri, ResolvedStream)>) {
        let mut inner = self.inner();
        match stream {
            Some(stream) => inner.read.insert(role, stream),
            None => inner.read.remove(&role),
        };
    }

    /// The stream that is live by RTSP, the main one of two.
    pub(super) fn read(&self) -> Option<(StreamUri, ResolvedStream)> {
        self.inner().read.values().next().cloned()
    }

    pub(super) fn tell(&self, role: StreamRole, found: ResolvedStream) {
        let mut inner = self.inner();
        inner.results.retain(|(other, ..)| *other != role);
        inner.results.push((role, Instant::now(), found));
    }

    /// What the other supervisor was given for this role's stream. It is returned once only,
    /// because it may have led nowhere.
    pub(super) fn take_result(&self, role: StreamRole) -> Option<ResolvedStream> {
        let is_live = self.is_sibling_live(role);
        let mut inner = self.inner();
        let index = inner.results.iter().position(|(other, ..)| *other == role)?;
        let (_, at, found) = inner.results.swap_remove(index);
        (is_live || at.elapsed() < FRESH).then_some(found)
    }

    /// Merges the record of the live stream of `role` with what is known of the other stream.
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
        self.inner.lock()
    }
}
