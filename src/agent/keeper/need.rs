//! Whether a stream is to be open at all: always, but for the main one of two.

use std::time::{Duration, Instant};

use smol::{Timer, future::FutureExt};

use super::{AWAY, Keeping, Part};
use crate::{camera::State, hub::Condition};

/// How often the keeper of a stream that rests looks whether it is needed, beside being told.
const LOOK_FOR_NEED: Duration = Duration::from_millis(500);

impl Keeping {
    /// Waits until the stream is to be open: at once, but for the main one of two. Returns `false` at
    /// the end.
    pub(super) async fn until_needed(&mut self) -> bool {
        self.unneeded = None;
        let demand = self.stream.demand_changes();
        while !self.is_needed(Instant::now()) {
            self.rest();
            self.stream.set_heartbeat_deadline(Instant::now() + AWAY);
            let rung = async {
                // The sender lives in the lane: this cannot fail.
                let _rung = demand.recv().await;
            };
            let look = async {
                Timer::after(LOOK_FOR_NEED).await;
            };
            if self.unless_stopped(rung.or(look)).await.is_none() {
                return false;
            }
        }
        true
    }

    pub(super) fn is_needed(&self, now: Instant) -> bool {
        self.part == Part::Small || self.household.channel.needs_main(now)
    }

    /// Says that the stream is not open, and why.
    pub(super) fn rest(&self) {
        let condition = match self.household.refusal(self.part) {
            Some(why) => Condition { state: State::Denied, why },
            None => Condition { state: State::Connecting, why: "not open, as nobody needs it".to_owned() },
        };
        if !self.stream.is_idle() || self.stream.condition() != condition {
            self.stream.rest(condition, Instant::now());
        }
    }
}
