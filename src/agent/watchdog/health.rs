//! Decides whether this agent is healthy; the heartbeats depend on it.
//!
//! A dead camera that is shown as dead is not unhealthy, nor is a supervisor that waits in a pause.
//! The agent is unhealthy if only a restart can help.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::probe::ProbeResult;
use crate::camera::CameraId;

/// Limit for one turn of the agent's main loop, which handles signals and turns every second;
/// reading a file from a bad disk may take a while.
const LOOP_LATE: Duration = Duration::from_secs(60);

/// A lack of descriptors passes when viewers leave, whose connections end within a minute. After
/// this time it counts as a leak, which only a restart fixes.
const SHORTAGE: Duration = Duration::from_secs(300);

/// The results of one check.
pub struct Findings {
    /// The probe result of each address on which the wall is served.
    pub listeners: Vec<(SocketAddr, ProbeResult)>,
    /// Supervisors that are later than `/healthz` allows, and by how much.
    pub overdue_supervisors: Vec<(CameraId, Duration)>,
    /// When the agent's main loop last turned.
    pub heartbeat: Instant,
}

/// Remembers conditions that count as unhealthy only if they last.
#[derive(Default)]
pub struct Health {
    short_since: Option<Instant>,
}

impl Health {
    /// Returns what is wrong as text, if anything.
    pub fn check(&mut self, findings: &Findings, now: Instant) -> Option<String> {
        let mut wrong = Vec::new();
        let heartbeat = now.saturating_duration_since(findings.heartbeat);
        if heartbeat > LOOP_LATE {
            wrong.push(format!("the agent's main loop has not run for {} s", heartbeat.as_secs()));
        }
        let mut short = false;
        for (address, finding) in &findings.listeners {
            match finding {
                // Nobody can reach an address that this machine has lost, and a restart does not
                // bring it back.
                ProbeResult::Answers | ProbeResult::Elsewhere => {}
                ProbeResult::Short => short = true,
                ProbeResult::Silent(why) => wrong.push(format!("nobody answers at {address}: {why}")),
            }
        }
        if short {
            let since = *self.short_since.get_or_insert(now);
            let short = now.saturating_duration_since(since);
            if short >= SHORTAGE {
                wrong.push(format!("no file descriptor has been free for {} s", short.as_secs()));
            }
        } else {
            self.short_since = None;
        }
        if !findings.overdue_supervisors.is_empty() {
            let late = |(id, late): &(CameraId, Duration)| format!("{id} (late by {} s)", late.as_secs());
            let names: Vec<_> = findings.overdue_supervisors.iter().map(late).collect();
            wrong.push(format!("nobody looks after {}", names.join(", ")));
        }
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn findings(finding: ProbeResult, heartbeat: Instant) -> Findings {
        let listeners =
            vec![("127.0.0.1:1".parse().unwrap(), ProbeResult::Answers), ("[::1]:2".parse().unwrap(), finding)];
        Findings { listeners, overdue_supervisors: Vec::new(), heartbeat }
    }

    #[test]
    fn wall_that_answers_is_well_and_so_is_one_whose_address_was_taken_away() {
        let (mut health, now) = (Health::default(), Instant::now());
        assert_eq!(health.check(&findings(ProbeResult::Answers, now), now), None);
        assert_eq!(health.check(&findings(ProbeResult::Elsewhere, now), now), None);
        let silent = health.check(&findings(ProbeResult::Silent("no answer within 5 s".to_owned()), now), now);
        assert_eq!(silent.as_deref(), Some("nobody answers at [::1]:2: no answer within 5 s"));
    }

    #[test]
    fn hanging_keeper_and_own_loop_are_named_with_their_delay() {
        let (mut health, start) = (Health::default(), Instant::now());
        let mut seen = findings(ProbeResult::Answers, start);
        assert_eq!(health.check(&seen, start + 60 * SECOND), None);
        seen.overdue_supervisors =
            vec![(CameraId::new("gate").unwrap(), 12 * SECOND), (CameraId::new("b").unwrap(), 13 * SECOND)];
        let words = health.check(&seen, start + 61 * SECOND).unwrap();
        let expected = "the agent's main loop has not run for 61 s; \
                        nobody looks after gate (late by 12 s), b (late by 13 s)";
        assert_eq!(words, expected);
    }

    #[test]
    fn shortage_of_descriptors_is_forgiven_for_a_while_and_not_for_ever() {
        let (mut health, start) = (Health::default(), Instant::now());
        for second in [0, 100, 299] {
            let now = start + second * SECOND;
            assert_eq!(health.check(&findings(ProbeResult::Short, now), now), None);
        }
        let now = start + 300 * SECOND;
        let words = health.check(&findings(ProbeResult::Short, now), now);
        assert_eq!(words.as_deref(), Some("no file descriptor has been free for 300 s"));
        assert_eq!(health.check(&findings(ProbeResult::Answers, now), now), None);
        assert_eq!(health.check(&findings(ProbeResult::Short, now), now), None, "counted anew");
    }
}
