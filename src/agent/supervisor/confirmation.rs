//! Confirms by ONVIF a stream that was opened from the store.
//!
//! After a power cut the wall comes up even if a camera's ONVIF service is slower than its stream.
//! But the channels of a recorder may have been reassigned meanwhile, and the stored address may
//! show another camera. So the camera is asked, beside the stream that is shown, until it answers.

use std::time::Duration;

use smol::Timer;

use super::{
    StreamFailure,
    failure::{LocateError, offline},
    locator::Locator,
    resolved::ResolvedStream,
};
use crate::{camera::State, tls::client::is_of_other_key};

/// Pauses before the first request, the second and so on; the last one repeats.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
];

impl Locator {
    /// Asks the camera where its stream is, until it answers. An error makes the stored stream
    /// invalid: the camera no longer has such a profile. Never ends for a camera that refuses the
    /// login: another attempt could lock the account, and the stream shows that the camera is
    /// there.
    pub(super) async fn confirm(self) -> Result<ResolvedStream, StreamFailure> {
        let mut backoff = PAUSES.iter();
        let mut pause = Duration::ZERO;
        loop {
            pause = backoff.next().copied().unwrap_or(pause);
            Timer::after(pause).await;
            let answer = {
                // The supervisor of the other stream does not ask meanwhile.
                let _asking = self.shared.asking.lock().await;
                let record = self.load().await;
                // Without an address there is nobody to ask yet.
                let Some(home) = self.home(record.as_ref()) else { continue };
                self.ask(&home, record.as_ref(), false).await
            };
            match answer {
                Ok(found) => return Ok(found),
                Err(LocateError::Final(failure)) if failure.denies_memory => return Err(failure),
                Err(LocateError::Final(failure)) if failure.state == State::Denied => {
                    return std::future::pending().await;
                }
                // Another device answers, which may have the stream, too.
                Err(LocateError::Elsewhere(why)) if is_of_other_key(&why) => {
                    return Err(StreamFailure { denies_memory: true, ..offline(why) });
                }
                Err(LocateError::Final(_) | LocateError::Elsewhere(_)) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Instant};

    use smol::{Executor, future::block_on};

    use super::{
        super::{CameraShared, Context, StreamRole},
        *,
    };
    use crate::{
        camera::{CameraId, Source, StreamOptions, StreamSource, Trust},
        hub::{Channel, Stream},
        store::Directory,
        time::timeout,
        worker_host::Spawner,
    };

    /// Only `uuid` is configured, and the state directory cannot be read.
    fn locator_without_address(executor: &Arc<Executor<'static>>) -> Locator {
        let context = Context::new(Arc::clone(executor), Spawner::new("/nonexistent/worker"));
        context.set_store(Directory::open("/dev/null/state"));
        let options = StreamOptions::default();
        let id = CameraId::new("gate").unwrap();
        let stream = Arc::new(Stream::new(id.clone(), "Gate".into(), options, Instant::now()));
        let source = Source::Onvif {
            host: None,
            port: 80,
            profile: None,
            uuid: Some("urn:uuid:1".into()),
            trust: Trust::Identity,
            stream_host: None,
        };
        Locator {
            context,
            shared: CameraShared::new(Channel::of(stream), None, None),
            role: StreamRole::Main,
            label: "gate".into(),
            id,
            stream_source: StreamSource::from(source),
            searched: Arc::default(),
        }
    }

    #[test]
    fn lock_is_free_while_there_is_nobody_to_ask() {
        let executor = Arc::new(Executor::new());
        let locator = locator_without_address(&executor);
        let shared = Arc::clone(&locator.shared);
        block_on(executor.run(async {
            let confirmation = executor.spawn(locator.confirm());
            // Its first attempt is over soon after this pause.
            Timer::after(PAUSES[0]).await;
            for _ in 0..20 {
                let lock = timeout(Duration::from_secs(30), shared.asking.lock()).await;
                assert!(lock.is_some(), "the other stream's supervisor can never ask");
                drop(lock);
                Timer::after(Duration::from_millis(10)).await;
            }
            assert!(!confirmation.is_finished(), "nobody can have confirmed anything");
        }));
    }
}
