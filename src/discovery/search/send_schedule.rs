//! When each message is sent: up to four times, because datagrams
//! get lost, and all again in rounds.

use std::time::{Duration, Instant};

use super::Limits;

/// Send times of a WS-Discovery message after its round begins, with the gaps of SOAP-over-UDP.
const WS_SENDS: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(150), Duration::from_millis(450), Duration::from_millis(950)];

/// Send times of an SSDP message after its round begins.
const SSDP_SENDS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(500), Duration::from_millis(1000)];

/// Maximum delay of a repeat, so that several searchers do not send in step.
const MAX_JITTER: Duration = Duration::from_millis(40);

/// No round begins with less time left than this, because devices take half a second to respond.
const MIN_ROUND: Duration = Duration::from_millis(500);

/// The protocol of a message, which decides where it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Ws,
    Ssdp,
}

/// One datagram to send.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduledProbe {
    pub at: Instant,
    pub text: String,
    pub protocol: Protocol,
}

/// The messages that are still to be sent, and the rounds that are still to begin.
#[derive(Debug)]
pub struct SendSchedule {
    probes: Vec<ScheduledProbe>,
    /// When rounds begin, the latest first.
    rounds: Vec<Instant>,
    begun: usize,
}

impl SendSchedule {
    /// Plans the rounds between `start` and `end`.
    pub fn new(start: Instant, end: Instant, limits: &Limits) -> Self {
        let mut rounds = vec![start];
        let mut next = start + limits.second_round;
        while next + MIN_ROUND <= end {
            rounds.push(next);
            // An interval of zero would make rounds without end.
            next += limits.further_rounds.max(MIN_ROUND);
        }
        rounds.reverse();
        Self { probes: Vec::new(), rounds, begun: 0 }
    }

    /// Returns the number, counted from 0, of a round that is due to begin; each round once.
    pub fn next_round(&mut self, now: Instant) -> Option<usize> {
        self.rounds.pop_if(|round| *round <= now)?;
        self.begun += 1;
        Some(self.begun - 1)
    }

    /// Schedules every repeat of `text`, from `now` on.
    pub fn repeat(&mut self, text: &str, protocol: Protocol, now: Instant) {
        let sends: &[Duration] = match protocol {
            Protocol::Ws => &WS_SENDS,
            Protocol::Ssdp => &SSDP_SENDS,
        };
        for after in sends {
            let late = if after.is_zero() { Duration::ZERO } else { MAX_JITTER.mul_f64(fastrand::f64()) };
            self.probes.push(ScheduledProbe { at: now + *after + late, text: text.to_owned(), protocol });
        }
    }

    /// Removes and returns the messages that are due.
    pub fn due(&mut self, now: Instant) -> Vec<ScheduledProbe> {
        self.probes.extract_if(.., |probe| probe.at <= now).collect()
    }

    /// Returns the time of the next message or round.
    pub fn next(&self) -> Option<Instant> {
        self.probes.iter().map(|probe| probe.at).chain(self.rounds.last().copied()).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quirk_31_every_question_is_sent_four_times_within_a_second() {
        let start = Instant::now();
        let mut send_schedule = SendSchedule::new(start, start + Duration::from_secs(3), &Limits::default());
        send_schedule.repeat("a", Protocol::Ws, start);
        assert_eq!(send_schedule.due(start).len(), 1);
        assert_eq!(send_schedule.due(start + Duration::from_millis(200)).len(), 1);
        assert_eq!(send_schedule.due(start + Duration::from_secs(1)).len(), 2);
        assert!(send_schedule.due(start + Duration::from_secs(9)).is_empty());
    }

    #[test]
    fn rounds_begin_while_there_is_time_for_answers() {
        let start = Instant::now();
        let rounds = |seconds| {
            let end = start + Duration::from_secs(seconds);
            let mut send_schedule = SendSchedule::new(start, end, &Limits::default());
            std::iter::from_fn(move || send_schedule.next_round(end)).collect::<Vec<_>>()
        };
        assert_eq!(rounds(1), [0]);
        assert_eq!(rounds(3), [0, 1]);
        assert_eq!(rounds(12), [0, 1, 2, 3]);
        let mut send_schedule = SendSchedule::new(start, start + Duration::from_secs(3), &Limits::default());
        assert_eq!((send_schedule.next_round(start), send_schedule.next_round(start)), (Some(0), None));
        assert_eq!(send_schedule.next(), Some(start + Duration::from_millis(1300)));
    }
}
