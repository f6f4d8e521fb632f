//! How a camera is steered.

use std::time::Duration;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PtzOptions {
    /// The camera can be steered.
    pub is_steered: bool,
    /// The camera goes to its home position after this time without a word; `None`: never.
    pub home_after: Option<Duration>,
}
