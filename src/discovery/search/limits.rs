//! The time limits of a search.

use std::time::Duration;

/// Time limits of a search. The defaults suit real cameras; tests shorten them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The whole search, unless it may stop earlier.
    pub whole: Duration,
    /// When the second round begins, in which everything is asked again in another form.
    pub second_round: Duration,
    /// Interval of the rounds after the second one.
    pub further_rounds: Duration,
    /// How long to wait, after all wanted devices were seen, for
    /// others that claim the same identity.
    pub grace: Duration,
    /// To fetch one description.
    pub description: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            whole: Duration::from_secs(3),
            second_round: Duration::from_millis(1300),
            further_rounds: Duration::from_secs(5),
            grace: Duration::from_millis(300),
            description: Duration::from_secs(3),
        }
    }
}
