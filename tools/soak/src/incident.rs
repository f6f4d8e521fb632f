//! One fault from its start until the camera is live again, with the duration of each step.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    board::{Seen, Sight, StateReport},
    fault_kinds::{Effect, Kind},
    net,
};

/// A short interruption that was not visible for this long will not become visible.
const UNNOTICED: Duration = Duration::from_secs(20);

/// A harmless fault is observed for this long after its end.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// A camera that is still live this long after its fault has survived it.
const SURVIVED: Duration = Duration::from_secs(1);

/// The agent's longest pause is 75 s, and an attempt may take some seconds.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The agent reports its pauses in whole seconds, so that each is wrong by at most half a second.
const ROUNDING: Duration = Duration::from_millis(500);

/// Minimum interval between attempts for a camera, however often the file is reloaded.
const BETWEEN_RELOADS: Duration = Duration::from_secs(2);
const BETWEEN_LOGINS: Duration = Duration::from_secs(20);

/// A moment on both clocks: the monotonic one, and the one burnt into the pictures.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub at: Instant,
    pub unix_ms: u64,
}

impl Moment {
    pub fn now() -> Self {
        Self { at: Instant::now(), unix_ms: net::unix_ms() }
    }
}

#[derive(Debug)]
pub struct Incident {
    pub kind: &'static Kind,
    pub camera: String,
    pub start: Moment,
    /// When it is due to end.
    pub until: Instant,
    /// When it was ended.
    pub end: Option<Moment>,
    /// The decoder had been left alone long enough to be replaced at once.
    pub earned: bool,
}

/// The result of an incident.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub kind: &'static Kind,
    pub camera: String,
    pub start: Instant,
    pub lasted: Duration,
    /// From the start until the viewer received the state.
    pub noticed: Option<Duration>,
    /// Whether the fault had to be visible.
    pub must_notice: bool,
    /// From the end until the first new picture on a live tile; `None` if the camera was never
    /// away.
    pub again: Option<Duration>,
    /// The same from the first attempt that the agent's backoff allowed.
    pub after_pause: Option<Duration>,
    /// Whether the camera worked normally afterwards, so that the time limits apply.
    pub must_hurry: bool,
    /// `again`, for a killed decoder that had been left alone for long enough.
    pub decoder_again: Option<Duration>,
    pub came_back: bool,
}

impl Incident {
    /// The result, once it is known. `reload_times` are the times at which a SIGHUP ended the pauses.
    pub fn assess(
        &self,
        sight: &Sight,
        reload_times: &[Instant],
        notice_within: Duration,
        now: Instant,
    ) -> Option<Outcome> {
        let end = self.end?;
        let noticed = sight
            .reports
            .iter()
            .find(|reports| reports.at >= self.start.at && !reports.is_live())
            .map(|reports| reports.at);
        let since = |from: Instant, to: Instant| to.saturating_duration_since(from);
        let lasted = since(self.start.at, end.at);
        let mut outcome = Outcome {
            kind: self.kind,
            camera: self.camera.clone(),
            start: self.start.at,
            lasted,
            noticed: noticed.map(|at| since(self.start.at, at)),
            must_notice: match self.kind.effect {
                Effect::Ends => lasted >= notice_within,
                Effect::Blinks | Effect::Hangs => true,
                Effect::Either | Effect::Harmless | Effect::Pauses => false,
            },
            again: None,
            after_pause: None,
            must_hurry: true,
            decoder_again: None,
            came_back: true,
        };
        if self.kind.effect == Effect::Pauses {
            let again = live_again(sight, self.start.at, self.start.unix_ms);
            outcome.came_back = again.is_some();
            outcome.again = again.map(|at| since(self.start.at, at));
            outcome.decoder_again = outcome.again.filter(|_| self.earned);
            let limit = if again.is_some() { AFTERWARDS } else { PATIENCE };
            return (since(self.start.at, now) >= limit).then_some(outcome);
        }
        let from = match (self.kind.effect, noticed) {
            (Effect::Harmless | Effect::Pauses, _) => return (since(end.at, now) >= AFTERWARDS).then_some(outcome),
            (Effect::Ends | Effect::Either, _) => end,
            (Effect::Blinks, Some(_)) => self.start,
            (Effect::Hangs, Some(at)) => Moment { at, unix_ms: self.start.unix_ms },
            (Effect::Blinks | Effect::Hangs, None) => {
                // A decoder that is replaced soon need not be noticed.
                let again = live_again(sight, self.start.at, self.start.unix_ms);
                let is_soon = again.is_some_and(|at| since(self.start.at, at) <= notice_within);
                outcome.must_notice &= self.kind.effect == Effect::Blinks || !is_soon;
                return (since(self.start.at, now) >= UNNOTICED).then_some(outcome);
            }
        };
        // A camera that returns to normal may be interrupted once more: the incident ends after
        // that.
        if live_again(sight, end.at + SURVIVED, end.unix_ms).is_none() {
            outcome.came_back = false;
            return (since(end.at, now) >= PATIENCE).then_some(outcome);
        }
        let again = match self.kind.effect {
            Effect::Blinks | Effect::Hangs => live_again(sight, noticed.unwrap_or(from.at), from.unix_ms)?,
            _ => live_again(sight, end.at, end.unix_ms)?,
        };
        let was_away = noticed.is_some_and(|at| at <= again)
            && (self.kind.effect != Effect::Either || !is_live_at(&sight.reports, end.at));
        if was_away {
            let allowed = allowed(&sight.reports, reload_times, from.at).filter(|at| *at <= again).unwrap_or(from.at);
            outcome.again = Some(since(from.at, again));
            outcome.after_pause = Some(since(allowed, again));
            outcome.must_hurry = from.at >= end.at;
        }
        Some(outcome)
    }
}

/// When the first picture arrived, from `after` on, that was made later than `taken` and was on a
/// live tile.
fn live_again(sight: &Sight, after: Instant, taken: u64) -> Option<Instant> {
    let newer = |seen: &&Seen| seen.at >= after && seen.taken >= taken && is_live_at(&sight.reports, seen.at);
    sight.seen.iter().find(newer).map(|seen| seen.at)
}

fn is_live_at(reports: &VecDeque<StateReport>, at: Instant) -> bool {
    reports.iter().take_while(|reports| reports.at <= at).last().is_some_and(StateReport::is_live)
}

/// When the first attempt from `from` on began, according to the pauses that the agent reported. A
/// login that is refused again is not reported again, so one report may stand for several attempts.
fn allowed(reports: &VecDeque<StateReport>, reload_times: &[Instant], from: Instant) -> Option<Instant> {
    let reload_times = effective_reloads(reports, reload_times);
    let mut attempts = Vec::new();
    for (index, report) in reports.iter().enumerate() {
        let Some(pause) = announced_pause(&report.why) else { continue };
        let planned = report.at + pause;
        let until = reports.get(index + 1).map_or(planned, |next| next.at.min(planned));
        let reloaded: Vec<_> =
            reload_times.iter().copied().filter(|reload| (report.at..until).contains(reload)).collect();
        // A camera that announces itself is tried before that. An attempt that seems to begin right at
        // `from` may have begun before it.
        let attempt = if until + ROUNDING < planned { until } else { planned };
        if reloaded.is_empty() && attempt >= from + ROUNDING {
            attempts.push(attempt);
        }
        attempts.extend(reloaded.into_iter().filter(|reload| *reload >= from));
    }
    attempts.into_iter().min()
}

/// When reloads made the agent retry this camera: the agent limits their rate.
fn effective_reloads(reports: &VecDeque<StateReport>, reloads: &[Instant]) -> Vec<Instant> {
    let mut given: Vec<Instant> = Vec::new();
    for reload in reloads {
        let state =
            reports.iter().take_while(|reports| reports.at <= *reload).last().map_or("live", |reports| &reports.state);
        let between = match state {
            "live" => continue,
            "denied" => BETWEEN_LOGINS,
            _ => BETWEEN_RELOADS,
        };
        match given.last().copied() {
            // An attempt for the reload before is already pending.
            Some(last) if last > *reload => {}
            Some(last) => given.push((last + between).max(*reload)),
            None => given.push(*reload),
        }
    }
    given
}

/// The pause in `...; trying again in 4 s (attempt 3)`, give or take [`ROUNDING`].
fn announced_pause(why: &str) -> Option<Duration> {
    if why.contains("beginning again at once") {
        return Some(Duration::ZERO);
    }
    let mut words = why.split_once("trying again in ")?.1.split([' ', ';', ',']);
    let number: f64 = words.next()?.parse().ok()?;
    let unit = match words.next()? {
        "s" => 1.0,
        "min" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * unit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault_kinds::KINDS;

    const WITHIN: Duration = Duration::from_millis(5500);

    struct Scenario {
        zero: Instant,
        sight: Sight,
    }

    impl Scenario {
        fn new() -> Self {
            let mut scenario = Self { zero: Instant::now(), sight: Sight::default() };
            scenario.report(0, "live", "");
            scenario
        }

        fn moment(&self, ms: u64) -> Moment {
            Moment { at: self.zero + Duration::from_millis(ms), unix_ms: 1_000_000 + ms }
        }

        fn report(&mut self, ms: u64, state: &str, why: &str) {
            let at = self.moment(ms).at;
            self.sight.reports.push_back(StateReport { at, state: state.to_owned(), why: why.to_owned() });
        }

        fn show(&mut self, ms: u64) {
            let Moment { at, unix_ms } = self.moment(ms);
            self.sight.seen.push_back(Seen { at, taken: unix_ms - 20 });
        }

        fn assess(&self, name: &str, start: u64, end: u64, reload_times: &[u64]) -> Option<Outcome> {
            let kind = KINDS.iter().find(|kind| kind.name == name).unwrap();
            let (start, end) = (self.moment(start), self.moment(end));
            let incident = Incident { kind, camera: "a".into(), start, until: end.at, end: Some(end), earned: true };
            let reload_times: Vec<_> = reload_times.iter().map(|ms| self.moment(*ms).at).collect();
            incident.assess(&self.sight, &reload_times, WITHIN, self.moment(60_000).at)
        }
    }

    fn ms(duration: Option<Duration>) -> Option<u128> {
        duration.map(|duration| duration.as_millis())
    }

    #[test]
    fn fault_is_noticed_and_its_pause_is_taken_off() {
        let mut scenario = Scenario::new();
        scenario.report(13_000, "stalled", "no frame for 3.0 s; trying again in 1 s (attempt 1)");
        scenario.report(15_000, "offline", "x; trying again in 4 s (attempt 2)");
        scenario.report(19_700, "live", "");
        scenario.show(19_800);
        let outcome = scenario.assess("stall", 10_000, 17_000, &[]).unwrap();
        assert_eq!((ms(outcome.noticed), outcome.must_notice), (Some(3000), true));
        assert_eq!((ms(outcome.again), ms(outcome.after_pause)), (Some(2800), Some(800)));
        let reloaded = scenario.assess("stall", 10_000, 17_000, &[18_000]).unwrap();
        assert_eq!(ms(reloaded.after_pause), Some(1800));
    }

    #[test]
    fn attempt_before_the_pause_is_over_or_right_at_the_end_is_not_counted() {
        let mut scenario = Scenario::new();
        scenario.report(11_000, "stalled", "no frame for 3.0 s; trying again in 9 s (attempt 3)");
        // The camera announced itself.
        scenario.report(13_000, "live", "");
        scenario.report(20_000, "offline", "the camera closed the connection; trying again in 18 s (attempt 5)");
        scenario.report(38_300, "live", "");
        scenario.show(38_400);
        scenario.show(39_400);
        let outcome = scenario.assess("drop", 19_900, 19_900, &[]).unwrap();
        assert_eq!((ms(outcome.again), ms(outcome.after_pause)), (Some(18_500), Some(400)));

        let mut scenario = Scenario::new();
        scenario.report(10_010, "offline", "connection refused; trying again in 6 s (attempt 3)");
        scenario.report(15_900, "offline", "connection refused; trying again in 17 s (attempt 4)");
        scenario.report(33_000, "live", "");
        scenario.show(33_100);
        let outcome = scenario.assess("refuse", 10_000, 16_000, &[]).unwrap();
        assert_eq!(ms(outcome.after_pause), Some(200), "the attempt at 16.0 s began before");

        let mut scenario = Scenario::new();
        scenario.report(15_900, "offline", "connection refused; trying again in 17 s (attempt 4)");
        // The camera announced itself.
        scenario.report(22_000, "live", "");
        scenario.show(22_100);
        let outcome = scenario.assess("refuse", 10_000, 16_000, &[]).unwrap();
        assert_eq!((ms(outcome.again), ms(outcome.after_pause)), (Some(6100), Some(100)));
    }

    #[test]
    fn decoder_that_hangs_and_is_replaced_before_anybody_sees_it_need_not_be_noticed() {
        let mut scenario = Scenario::new();
        scenario.show(15_300);
        let outcome = scenario.assess("decoder hangs", 10_000, 10_000, &[]).unwrap();
        assert_eq!((outcome.noticed, outcome.must_notice), (None, false));
        let mut scenario = Scenario::new();
        scenario.show(16_300);
        assert!(scenario.assess("decoder hangs", 10_000, 10_000, &[]).unwrap().must_notice);
    }

    #[test]
    fn login_that_was_refused_again_in_silence_is_tried_again_after_twenty_seconds() {
        let mut scenario = Scenario::new();
        scenario.report(10_000, "denied", "wrong; trying again in 30 min or after a reload");
        scenario.report(35_500, "live", "");
        scenario.show(36_000);
        // The first reload came while the password was still wrong; the second one is delayed.
        let outcome = scenario.assess("drop, wrong password", 9_900, 16_000, &[15_000, 16_000]).unwrap();
        assert_eq!((ms(outcome.again), ms(outcome.after_pause)), (Some(20_000), Some(1000)));
    }

    #[test]
    fn picture_taken_before_the_end_does_not_count() {
        let mut scenario = Scenario::new();
        scenario.report(13_000, "stalled", "");
        scenario.report(17_100, "live", "");
        scenario.show(17_010);
        assert!(scenario.assess("stall", 10_000, 17_000, &[]).is_none());
        scenario.show(17_200);
        assert!(scenario.assess("stall", 10_000, 17_000, &[]).is_none(), "it may break off once more");
        scenario.show(18_100);
        assert_eq!(ms(scenario.assess("stall", 10_000, 17_000, &[]).unwrap().again), Some(200));
    }

    #[test]
    fn short_fault_that_nobody_noticed_was_bridged() {
        let mut scenario = Scenario::new();
        scenario.show(12_500);
        scenario.show(13_000);
        let outcome = scenario.assess("freeze", 10_000, 12_000, &[]).unwrap();
        assert_eq!((outcome.noticed, outcome.must_notice, outcome.again), (None, false, None));
    }

    #[test]
    fn killed_decoder_counts_until_the_next_picture_and_a_hanging_one_from_when_it_was_noticed() {
        let mut scenario = Scenario::new();
        scenario.show(10_010);
        assert!(scenario.assess("decoder killed", 10_000, 10_000, &[]).is_none(), "taken before");
        scenario.show(11_600);
        let outcome = scenario.assess("decoder killed", 10_000, 10_000, &[]).unwrap();
        assert_eq!((ms(outcome.again), ms(outcome.decoder_again)), (Some(1600), Some(1600)));
        assert_eq!((outcome.noticed, outcome.came_back), (None, true));
        scenario.report(10_020, "stalled", "no picture for 5.0 s; trying again in 1 s (attempt 1)");
        scenario.report(11_500, "live", "");
        scenario.show(12_000);
        let outcome = scenario.assess("decoder hangs", 5_000, 5_000, &[]).unwrap();
        assert_eq!((ms(outcome.noticed), ms(outcome.again)), (Some(5020), Some(1580)));
    }

    #[test]
    fn pause_is_read_in_seconds_and_minutes() {
        assert_eq!(announced_pause("a; trying again in 4 s (attempt 3)"), Some(Duration::from_secs(4)));
        assert_eq!(announced_pause("a; trying again in 30 min or after a reload"), Some(Duration::from_secs(1800)));
        assert_eq!(announced_pause("a; beginning again at once"), Some(Duration::ZERO));
        assert_eq!(announced_pause("asking 10.0.0.1 for its stream"), None);
    }
}
