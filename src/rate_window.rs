//! Limits of the form "so many per second": counts in windows of a fixed length.
//!
//! Time is an argument, so tests do not wait.

use std::time::{Duration, Instant};

/// A sum of amounts, such as messages or bytes, that begins at zero in every window. A window
/// begins with the first amount after the end of the last one.
#[derive(Debug)]
pub struct RateWindow {
    length: Duration,
    /// When the current window began; `None` before the first one.
    began: Option<Instant>,
    sum: u64,
}

impl RateWindow {
    pub const fn new(length: Duration) -> Self {
        Self { length, began: None, sum: 0 }
    }

    /// Begins a new window if the current one is over at `now`, or if there is none. Returns
    /// whether it did.
    pub fn roll(&mut self, now: Instant) -> bool {
        let is_over = self.began.is_none_or(|began| now.saturating_duration_since(began) >= self.length);
        if is_over {
            (self.began, self.sum) = (Some(now), 0);
        }
        is_over
    }

    /// Adds `amount` at `now`; returns the sum of the window.
    pub fn add(&mut self, amount: u64, now: Instant) -> u64 {
        self.roll(now);
        self.sum = self.sum.saturating_add(amount);
        self.sum
    }

    /// The sum of the window at `now`.
    pub fn sum(&mut self, now: Instant) -> u64 {
        self.roll(now);
        self.sum
    }

    /// The end of the current window; `None` before the first one.
    pub fn end(&self) -> Option<Instant> {
        self.began.map(|began| began + self.length)
    }
}

/// Lets a few events per window pass and counts the others.
#[derive(Debug)]
pub struct Throttle {
    window: RateWindow,
    max: u64,
    held_back: u64,
}

impl Throttle {
    /// Lets `max` events pass per window of `length`.
    pub const fn new(max: u64, length: Duration) -> Self {
        Self { window: RateWindow::new(length), max, held_back: 0 }
    }

    /// `None` to hold an event at `now` back; else the number of events held back since the last
    /// one that passed.
    pub fn pass(&mut self, now: Instant) -> Option<u64> {
        if self.window.sum(now) >= self.max {
            self.held_back += 1;
            return None;
        }
        self.window.add(1, now);
        Some(std::mem::take(&mut self.held_back))
    }

    /// Number of events that passed in the window of the last one.
    pub fn passed(&self) -> u64 {
        self.window.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn window_begins_with_the_first_amount_after_the_last_one() {
        let (mut window, start) = (RateWindow::new(SECOND), Instant::now());
        assert_eq!(window.end(), None);
        assert_eq!([window.add(2, start), window.add(3, start + SECOND / 2)], [2, 5]);
        assert_eq!(window.end(), Some(start + SECOND));
        assert_eq!(window.sum(start + SECOND / 2), 5);
        assert!(!window.roll(start + SECOND / 2));
        let later = start + 3 * SECOND / 2;
        assert_eq!([window.sum(later), window.add(1, later)], [0, 1]);
        assert_eq!(window.end(), Some(later + SECOND));
        assert_eq!([window.add(u64::MAX, later), window.add(1, later)], [u64::MAX; 2], "it does not overflow");
    }

    #[test]
    fn flood_is_counted_and_not_passed() {
        let (mut throttle, start) = (Throttle::new(5, SECOND), Instant::now());
        assert_eq!((0..100).filter(|_| throttle.pass(start).is_some()).count(), 5);
        assert_eq!(throttle.passed(), 5);
        assert_eq!(throttle.pass(start + SECOND), Some(95));
        assert_eq!(throttle.pass(start + SECOND), Some(0));
    }
}
