//! Lets only those units pass of which the camera's pictures can be made without a fault.
//!
//! After a loss nothing passes until a key frame whose packets are all there. One exception: a unit to which no other
//! refers, of which alone packets are missing.

use super::{Loss, Unit};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waits for a whole key frame.
    Waiting,
    /// Passes units that decoding from here allows.
    Open {
        /// Decoding began at the newest key frame, so pictures that refer to earlier ones are not decodable.
        skips_leading: bool,
    },
}

/// The gate of one stream.
#[derive(Clone, Debug)]
pub struct KeyFrameGate {
    state: State,
    withheld: u64,
}

impl Default for KeyFrameGate {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyFrameGate {
    /// A gate that waits for the first key frame.
    pub fn new() -> Self {
        Self { state: State::Waiting, withheld: 0 }
    }

    /// Returns whether `unit` may be decoded and shown.
    pub fn admit(&mut self, unit: &Unit) -> bool {
        let passes = self.passes(unit);
        self.withheld += u64::from(!passes);
        passes
    }

    fn passes(&mut self, unit: &Unit) -> bool {
        let was_waiting = self.state == State::Waiting;
        if unit.is_whole && unit.is_key && (was_waiting || unit.loss != Loss::None) {
            self.state = State::Open { skips_leading: true };
            return true;
        }
        let State::Open { skips_leading } = self.state else { return false };
        match (unit.is_whole, unit.loss) {
            (true, Loss::None) => {
                if unit.is_key {
                    self.state = State::Open { skips_leading: false };
                }
                !(skips_leading && unit.is_leading)
            }
            (false, Loss::None | Loss::Inside) if !unit.is_reference => false,
            _ => {
                self.state = State::Waiting;
                false
            }
        }
    }

    /// Something is missing that no unit tells of, such as bytes between packets that could not be read.
    pub fn on_loss(&mut self) {
        self.state = State::Waiting;
    }

    /// Units withheld since the gate was made.
    pub fn withheld(&self) -> u64 {
        self.withheld
    }

    /// Whether the gate waits for a key frame.
    pub fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }
}
