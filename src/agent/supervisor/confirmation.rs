//! Confirms by ONVIF a stream that was opened from memory.
//!
//! After a power cut the wall comes up although a camera's ONVIF service is slower than its stream. But the
//! channels of a recorder may have been set up anew meanwhile, and the remembered address may show another
//! camera. So the camera is asked as soon as it answers, beside the stream that is shown.

use std::time::Duration;

use smol::Timer;

use super::{
    StreamFailure,
    locate::{LocateError, Locator},
    resolved::ResolvedStream,
};
use crate::camera::State;

/// Pauses before the first question, the second and so on; the last one repeats.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(60),
];

impl Locator {
    /// Asks the camera, until it answers, where its stream is. An error is one that makes the remembered
    /// stream void: the camera has no such profile any longer. Never ends for a camera that refuses the
    /// login: asking again could lock the account, and the stream shows that it is there.
    pub(super) async fn confirm(self) -> Result<ResolvedStream, StreamFailure> {
        let mut backoff = PAUSES.iter();
        let mut pause = Duration::ZERO;
        loop {
            pause = backoff.next().copied().unwrap_or(pause);
            Timer::after(pause).await;
            // Not while the keeper of the other stream asks.
            let _asking = self.shared.asking.lock().await;
            let record = self.load().await;
            let Some(home) = self.home(record.as_ref()) else { return std::future::pending().await };
            match self.ask(&home, record.as_ref(), false).await {
                Ok(found) => return Ok(found),
                Err(LocateError::Final(failure)) if failure.denies_memory => return Err(failure),
                Err(LocateError::Final(failure)) if failure.state == State::Denied => {
                    drop(_asking);
                    return std::future::pending().await;
                }
                Err(LocateError::Final(_) | LocateError::Elsewhere(_)) => {}
            }
        }
    }
}
