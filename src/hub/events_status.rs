//! How it stands with a camera's events.

use crate::text::Reason;

/// What becomes of the events that rules want of a camera.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventsStatus {
    pub state: EventsState,
    /// Why there are none; empty while there are.
    pub why: Reason,
    /// Events that came since the rules want them.
    pub count: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventsState {
    /// The subscription begins, for the first time or after a loss.
    #[default]
    Subscribing,
    Subscribed,
    /// The camera has none for us; it is asked again now and then.
    Refused,
    /// It refuses the login for them, and is not asked again before a reload.
    Denied,
}

impl EventsState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscribing => "subscribing",
            Self::Subscribed => "subscribed",
            Self::Refused => "refused",
            Self::Denied => "denied",
        }
    }
}
