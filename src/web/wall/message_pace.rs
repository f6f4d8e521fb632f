//! How fast the messages of one socket are read. Beyond the rate, the socket is read later, and TCP
//! slows the page down: nothing is lost, and nobody is cut off.

use std::time::{Duration, Instant};

/// Commands per second: a page sends one when its layout changes, and a ping now and then. Each may
/// subscribe to other pictures.
const COMMANDS: u32 = 20;

/// Messages of any kind per second. A page may report each picture of 64 tiles by itself, at 25
/// pictures per second.
const MESSAGES: u32 = 2000;

/// The pace of one socket. Up to a second's worth comes without a pause.
#[derive(Debug)]
pub struct MessagePace {
    commands: Pace,
    messages: Pace,
}

/// One rate: the time at which what has come would have come at that rate.
#[derive(Debug)]
struct Pace {
    interval: Duration,
    even: Instant,
}

impl MessagePace {
    pub fn new(now: Instant) -> Self {
        let pace = |rate| Pace { interval: Duration::from_secs(1) / rate, even: now };
        Self { commands: pace(COMMANDS), messages: pace(MESSAGES) }
    }

    /// Counts a message of any kind that was received at `now`.
    pub fn note_message(&mut self, now: Instant) {
        self.messages.note(now);
    }

    /// Counts a command among the messages.
    pub fn note_command(&mut self, now: Instant) {
        self.commands.note(now);
    }

    /// When the next message may be read; `None` if that is now.
    pub fn pause_until(&self, now: Instant) -> Option<Instant> {
        let due = self.commands.due().max(self.messages.due());
        (due > now).then_some(due)
    }
}

impl Pace {
    fn note(&mut self, now: Instant) {
        self.even = self.even.max(now) + self.interval;
    }

    fn due(&self) -> Instant {
        // Never before the process began, which some clocks cannot express.
        self.even.checked_sub(Duration::from_secs(1)).unwrap_or(self.even)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The time that `count` messages take if a page sends them as fast as they are read.
    fn time_of(count: u32, are_commands: bool) -> Duration {
        let start = Instant::now() + SECOND;
        let (mut pace, mut now) = (MessagePace::new(start), start);
        for _ in 0..count {
            now = pace.pause_until(now).unwrap_or(now);
            pace.note_message(now);
            if are_commands {
                pace.note_command(now);
            }
        }
        now - start
    }

    #[test]
    fn flood_of_commands_is_read_at_twenty_a_second() {
        assert_eq!(time_of(20, true), Duration::ZERO, "a page that lays out its wall anew is not held up");
        assert_eq!(time_of(21, true), Duration::ZERO);
        assert_eq!(time_of(121, true), 5 * SECOND);
    }

    #[test]
    fn flood_of_any_kind_is_read_at_two_thousand_a_second() {
        assert_eq!(time_of(2001, false), Duration::ZERO);
        assert_eq!(time_of(12_001, false), 5 * SECOND);
    }

    #[test]
    fn reports_of_64_tiles_with_25_pictures_a_second_are_never_held_up() {
        let start = Instant::now();
        let mut pace = MessagePace::new(start);
        for report in 0..64 * 25 * 60_u32 {
            let now = start + SECOND * (report / 64) / 25;
            assert_eq!(pace.pause_until(now), None, "report {report}");
            pace.note_message(now);
        }
    }

    #[test]
    fn pause_lets_a_second_pass_at_once_and_no_more() {
        let start = Instant::now();
        let mut pace = MessagePace::new(start);
        let later = start + 3600 * SECOND;
        (0..20).for_each(|_| pace.note_command(later));
        assert_eq!(pace.pause_until(later), None);
        pace.note_command(later);
        assert_eq!(pace.pause_until(later), Some(later + SECOND / 20));
    }
}
