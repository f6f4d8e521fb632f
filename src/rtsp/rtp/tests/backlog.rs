//! How old the first units of a session are.

use std::time::{Duration, Instant};

use super::super::{Backlog, Loss, Passage, Unit};

/// Units by their times, which are in milliseconds.
struct Session {
    backlog: Backlog,
    start: Instant,
    /// The ages in milliseconds, at their arrival, of the units that were let through.
    ages: Vec<u128>,
    arrivals: Vec<Instant>,
}

impl Session {
    fn new() -> Self {
        Self {
            backlog: Backlog::new(1000),
            start: Instant::now() + Duration::from_secs(3600),
            ages: Vec::new(),
            arrivals: Vec::new(),
        }
    }

    /// A unit of this time that comes so many milliseconds after the start. Returns whether it was let through.
    fn unit(&mut self, time: i64, at: u64) -> bool {
        let received_at = self.start + Duration::from_millis(at);
        self.arrivals.push(received_at);
        let unit = Unit {
            data: vec![1],
            is_key: false,
            is_whole: true,
            is_reference: true,
            is_leading: false,
            loss: Loss::None,
            lost_packets: 0,
            rtp_time: time as u32,
            camera_time: None,
            received_at,
        };
        let units = match self.backlog.pass(unit) {
            Passage::Held => return false,
            Passage::Settled(units) => units,
            Passage::Passed(unit) => vec![unit],
        };
        for unit in units {
            let arrived = self.arrivals[self.ages.len()];
            self.ages.push(arrived.duration_since(unit.received_at).as_millis());
        }
        true
    }

    /// Units at the pace of their times, until one is let through. Returns how many were held.
    fn live(&mut self, time: i64, at: u64, every: u64) -> usize {
        (0..100).find(|count| self.unit(time + (count * every) as i64, at + count * every)).unwrap() as usize
    }
}

#[test]
fn r111_units_that_come_at_the_pace_of_their_times_pass_after_150_ms() {
    for (every, held) in [(40, 4), (100, 2), (1000, 1), (20_000, 1)] {
        let mut session = Session::new();
        assert_eq!(session.live(7, 0, every), held, "{every}");
        assert_eq!(session.ages, vec![0; held + 1]);
        assert!(session.unit(0, 100_000), "later units always pass");
        assert_eq!(session.ages[held + 1..], [0]);
    }
}

#[test]
fn r111_one_kept_unit_before_the_live_ones_is_as_old_as_its_time_says() {
    let mut session = Session::new();
    assert!(!session.unit(0, 0));
    assert_eq!(session.live(9400, 30, 100), 2);
    assert_eq!(session.ages, [9370, 0, 0, 0]);
}

#[test]
fn r111_of_a_burst_of_kept_units_the_newest_counts() {
    let mut session = Session::new();
    for at in 0..50 {
        assert!(!session.unit(at * 40, at as u64));
    }
    assert_eq!(session.live(50 * 40, 60, 40), 4);
    // They came within 50 ms and are of 2 s.
    assert_eq!(session.ages[0], 1940);
    assert_eq!(session.ages[50..], [0; 5]);
    assert!(session.ages.is_sorted_by(|earlier, later| earlier >= later));
}

#[test]
fn r111_camera_that_works_off_what_it_kept_is_shown_when_it_has_caught_up() {
    let mut session = Session::new();
    // Twice as fast as its times, for 4 s.
    assert!((0..100).all(|count| !session.unit(count * 40, count as u64 * 20)));
    assert_eq!(session.live(4000, 2000, 40), 4);
    assert_eq!(session.ages[0], 2000);
    assert_eq!(session.ages[100..], [0; 5]);
}

#[test]
fn r111_unit_before_a_silence_is_known_by_its_arrival() {
    let mut session = Session::new();
    assert!(!session.unit(0, 0));
    assert!(session.unit(9400, 9400));
    assert_eq!(session.ages, [0, 0]);
}

#[test]
fn r086_times_that_cannot_be_believed_hold_up_nobody_for_ever() {
    // Times hours off every third frame, going back, standing still, too slow.
    let wrong: [&dyn Fn(i64) -> i64; 4] =
        [&|n| n * 40 + if n % 3 == 0 { 10_800_000 } else { 0 }, &|n| -n * 6000, &|_| 0, &|n| n * 30];
    for (kind, time) in wrong.iter().enumerate() {
        let mut session = Session::new();
        let held = (0..100).take_while(|count| !session.unit(time(*count), *count as u64 * 40)).count();
        assert_eq!(held, 4, "{kind}");
        assert!(session.ages.iter().all(|age| *age == 0), "{kind}: {:?}", session.ages);
    }
    // A clock that is twice too fast seems to catch up for ever.
    let mut session = Session::new();
    let held = (0..1000).take_while(|count| !session.unit(count * 80, *count as u64 * 40)).count();
    assert_eq!(held, 250, "10 s");
    assert_eq!(session.ages[250], 0);
}

#[test]
fn r111_b_frames_and_times_that_wrap_are_no_backlog() {
    let mut session = Session::new();
    let pattern = [0, 160, 40, 80, 120, 320, 200, 240, 280];
    let held = pattern.iter().enumerate().take_while(|(at, time)| !session.unit(**time, *at as u64 * 40)).count();
    assert!(held <= 6, "{held}");
    assert!(session.ages.iter().all(|age| *age == 0));

    let mut session = Session::new();
    assert_eq!(session.live(i64::from(u32::MAX) - 60, 0, 40), 4);
    assert_eq!(session.ages, [0; 5]);
}

#[test]
fn units_that_are_held_have_a_bound() {
    let mut session = Session::new();
    let held = (0..5000).take_while(|count| !session.unit(count * 40, 0)).count();
    assert_eq!(held, 1023);
}
