//! Whether a stream is to be open: always, except the main one of two.

use std::time::{Duration, Instant};

use smol::{Timer, future::FutureExt};

use super::{AWAY, StreamRole, SupervisorTask};
use crate::{camera::State, hub::Condition, text::Code};

/// How often the supervisor of an idle stream checks for demand, besides being notified.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

impl SupervisorTask {
    /// Waits until the stream is to be open: returns at once, except for the main one of two.
    /// Returns `false` if the supervisor is to end.
    pub(super) async fn until_needed(&mut self) -> bool {
        self.unneeded = None;
        let demand = self.stream.demand_changes();
        while !self.is_needed(Instant::now()) {
            self.idle();
            self.stream.set_heartbeat_deadline(Instant::now() + AWAY);
            let changed = async {
                // The notifier is in the stream, so it is still there.
                let _ = demand.changed().await;
            };
            let poll = async {
                Timer::after(POLL_INTERVAL).await;
            };
            if self.stop.unless_set(changed.or(poll)).await.is_none() {
                return false;
            }
        }
        true
    }

    pub(super) fn is_needed(&self, now: Instant) -> bool {
        self.role == StreamRole::Small || self.shared.channel.needs_main(now)
    }

    /// Reports that the stream is not open, and why.
    pub(super) fn idle(&self) {
        let condition = match self.shared.refusal(self.role) {
            Some(why) => Condition { state: State::Denied, why },
            None => Condition { state: State::Connecting, why: Code::NotNeeded.into() },
        };
        if !self.stream.is_idle() || self.stream.condition() != condition {
            self.stream.rest(condition, Instant::now());
        }
    }
}
