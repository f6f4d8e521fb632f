//! What an attempt teaches the next one about a camera.

use std::time::Duration;

use crate::camera::Transport;

/// Number of streams that ended at the same age before that is taken for a habit.
const HABIT: usize = 3;
/// Streams that lived longer than this did not end for want of keepalives.
const MAX_AGE: Duration = Duration::from_secs(120);

/// What an attempt teaches the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learnt {
    /// The transport by which packets came.
    pub transport: Option<Transport>,
    /// GET_PARAMETER ends the session, so OPTIONS keeps it alive.
    pub options_only: bool,
    /// The camera offers SHA-256 and refuses it.
    pub avoid_sha256: bool,
    /// How often in a row the camera closed the connection instead of answering.
    pub unanswered_closes: u8,
    /// Maximum interval of keepalives.
    pub keepalive_within: Option<Duration>,
    /// The ages of the last streams that the camera ended.
    pub ages: Vec<Duration>,
}

impl Learnt {
    /// The camera ended a stream at the age `age`. Where that happens three times in a row at the same
    /// age, keepalives come at a third of it.
    pub(super) fn ended_after(&mut self, age: Duration) {
        self.ages.push(age);
        if self.ages.len() > HABIT {
            self.ages.remove(0);
        }
        let (Some(shortest), Some(longest)) = (self.ages.iter().min(), self.ages.iter().max()) else { return };
        // The same age: within a fifth.
        let is_habit = self.ages.len() == HABIT && *longest <= MAX_AGE && *longest - *shortest <= *longest / 5;
        if is_habit {
            self.keepalive_within = Some((*shortest / 3).max(Duration::from_secs(1)));
        }
    }
}
