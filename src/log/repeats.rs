//! "Counted and summed, at most one line per ten seconds".
//!
//! What is noted goes out at once the first time. Further notes of the same within the window are
//! counted; their number goes out when the window is over, which begins the next one.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// The same is told at most once in this time.
pub const WINDOW: Duration = Duration::from_secs(10);

/// So many different things are remembered; more are told without being counted.
const MOST_KEYS: usize = 256;

/// Counts repeats of things called `K`.
pub struct Repeats<K> {
    windows: HashMap<K, Window>,
}

struct Window {
    began: Instant,
    /// Notes after the one that was told.
    repeats: u64,
}

impl<K> Default for Repeats<K> {
    fn default() -> Self {
        Self { windows: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash> Repeats<K> {
    /// Returns whether `key` is to be told now; otherwise it was counted. Ask [`Self::due`] before,
    /// or a repeat after the end of the window is added to those within it.
    pub fn note(&mut self, key: &K, now: Instant) -> bool {
        if let Some(window) = self.windows.get_mut(key) {
            window.repeats += 1;
            return false;
        }
        if self.windows.len() < MOST_KEYS {
            self.windows.insert(key.clone(), Window { began: now, repeats: 0 });
        }
        true
    }

    /// What was repeated within a window that is over, and how often, the oldest first. Forgets what
    /// was not repeated.
    pub fn due(&mut self, now: Instant) -> Vec<(K, u64)> {
        let mut due = Vec::new();
        self.windows.retain(|key, window| {
            if now.saturating_duration_since(window.began) < WINDOW {
                return true;
            }
            if window.repeats == 0 {
                return false;
            }
            due.push((window.began, key.clone(), window.repeats));
            *window = Window { began: now, repeats: 0 };
            true
        });
        in_order(due)
    }

    /// All that was repeated and not told yet, the oldest first; forgets everything.
    pub fn all(&mut self) -> Vec<(K, u64)> {
        let windows = self.windows.drain().filter(|(_, window)| window.repeats > 0);
        in_order(windows.map(|(key, window)| (window.began, key, window.repeats)).collect())
    }
}

fn in_order<K>(mut due: Vec<(Instant, K, u64)>) -> Vec<(K, u64)> {
    due.sort_by_key(|(began, ..)| *began);
    due.into_iter().map(|(_, key, repeats)| (key, repeats)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn first_is_told_at_once_and_repeats_are_summed_after_ten_seconds() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        assert!(repeats.note(&"a", start));
        assert!(!repeats.note(&"a", start + SECOND));
        assert!(!repeats.note(&"a", start + 9 * SECOND));
        assert_eq!(repeats.due(start + 9 * SECOND), []);
        assert_eq!(repeats.due(start + 10 * SECOND), [("a", 2)]);
    }

    #[test]
    fn sum_begins_the_next_window() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        repeats.note(&"a", start);
        repeats.note(&"a", start);
        repeats.due(start + 10 * SECOND);
        assert!(!repeats.note(&"a", start + 11 * SECOND));
        assert_eq!(repeats.due(start + 19 * SECOND), []);
        assert_eq!(repeats.due(start + 20 * SECOND), [("a", 1)]);
        assert_eq!(repeats.due(start + 30 * SECOND), []);
        assert!(repeats.note(&"a", start + 31 * SECOND), "quiet for a window: told at once again");
    }

    #[test]
    fn what_is_not_repeated_is_forgotten() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        for key in 0..10 {
            repeats.note(&key, start);
        }
        assert_eq!(repeats.due(start + WINDOW), []);
        assert!(repeats.windows.is_empty());
    }

    #[test]
    fn very_many_different_things_are_told_and_take_no_more_memory() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        assert!((0..10_000).all(|key| repeats.note(&key, start)));
        assert_eq!(repeats.windows.len(), MOST_KEYS);
    }

    #[test]
    fn end_tells_what_is_left_in_order() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        for (key, at) in [("b", 0), ("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            repeats.note(&key, start + at * SECOND);
        }
        assert_eq!(repeats.all(), [("b", 1), ("a", 1)]);
        assert_eq!(repeats.all(), []);
    }
}
