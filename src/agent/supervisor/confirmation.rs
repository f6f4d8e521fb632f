//! Confirms by ONVIF a stream that was opened from the store.
//!
//! After a power cut the wall comes up even if a camera's ONVIF service is slower than its stream.
//! But the channels of a recorder may have been reassigned meanwhile, and the stored address may
//! show another camera. So the camera is asked, beside the stream that is shown, until it answers.

use std::time::Duration;

use smol::Timer;

use super::{
    StreamFailure,
    locator::{LocateError, Locator},
    resolved::ResolvedStream,
};
use crate::camera::State;

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
                Err(LocateError::Final(_) | LocateError::Elsewhere(_)) => {}
            }
        }
    }
}
