//! Decides when damaged pictures stand in for none, under a mark.
//!
//! After a loss nothing is shown until the next whole key frame. A network that loses so much that
//! hardly any key frame is whole would so show nothing at all. Time is an argument.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// What a unit is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quality {
    /// Its picture is what the camera sent.
    Whole,
    /// A decoder takes it, and its picture is damaged: data is missing in it, or in units to which it refers.
    Damaged,
    /// A decoder cannot begin with it, or it holds no part of a picture.
    Useless,
    /// It is not needed: the units before and after it are whole without it.
    Dispensable,
}

/// How a unit is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Showing {
    Plain,
    /// Only under a mark that says that the picture is damaged.
    Marked,
    Withheld,
}

/// Whether damaged pictures stand in for whole ones now, in one session with a camera.
#[derive(Debug, Default)]
pub(super) struct DamagedMode {
    /// When the last whole unit came; before that, when the first unit of any quality came.
    last_whole: Option<Instant>,
    /// Since when units have been whole without a break.
    whole_since: Option<Instant>,
    is_on: bool,
}

impl DamagedMode {
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Decides about a unit of `quality` that came at `at`. `limit`: without a whole unit for this long,
    /// damaged ones stand in, and after whole ones for this long they no longer do; `None` if they never may.
    pub(super) fn show(&mut self, quality: Quality, at: Instant, limit: Option<Duration>) -> Showing {
        let last_whole = *self.last_whole.get_or_insert(at);
        match quality {
            Quality::Whole => {
                self.last_whole = Some(at);
                let since = *self.whole_since.get_or_insert(at);
                self.is_on &= limit.is_some_and(|limit| at.saturating_duration_since(since) < limit);
                if self.is_on { Showing::Marked } else { Showing::Plain }
            }
            Quality::Damaged => {
                self.whole_since = None;
                let is_due = |limit| self.is_on || at.saturating_duration_since(last_whole) >= limit;
                self.is_on = limit.is_some_and(is_due);
                if self.is_on { Showing::Marked } else { Showing::Withheld }
            }
            Quality::Useless => {
                self.whole_since = None;
                Showing::Withheld
            }
            Quality::Dispensable => Showing::Withheld,
        }
    }
}

/// Number of reports on which the share of lost packets is based: some ten seconds.
const REPORTS: usize = 10;

/// The share of packets that were lost lately.
#[derive(Debug, Default)]
pub(super) struct RecentLoss {
    /// Packets received and lost since the session began, oldest report first.
    reports: VecDeque<(u64, u64)>,
}

impl RecentLoss {
    /// Takes the counters of the session so far, about once a second.
    pub(super) fn on_report(&mut self, received: u64, lost: u64) {
        if self.reports.is_empty() {
            self.reports.push_back((0, 0));
        }
        while self.reports.len() > REPORTS {
            self.reports.pop_front();
        }
        self.reports.push_back((received, lost));
    }

    /// In tenths of a percent; `None` if no packet was lost. It changes at reports alone.
    pub(super) fn permille(&self) -> Option<u16> {
        let (first, last) = (self.reports.front()?, self.reports.back()?);
        let (received, lost) = (last.0.saturating_sub(first.0), last.1.saturating_sub(first.1));
        let all = received.saturating_add(lost);
        let rounded = lost.saturating_mul(1000).saturating_add(all / 2).checked_div(all)?;
        // Too few to be written with one decimal are not none.
        (lost > 0).then(|| u16::try_from(rounded.clamp(1, 1000)).unwrap_or(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(2500);

    struct Scene {
        mode: DamagedMode,
        start: Instant,
        limit: Option<Duration>,
    }

    impl Scene {
        fn new() -> Self {
            Self { mode: DamagedMode::default(), start: Instant::now(), limit: Some(LIMIT) }
        }

        fn at(&mut self, milliseconds: u64, quality: Quality) -> Showing {
            self.mode.show(quality, self.start + Duration::from_millis(milliseconds), self.limit)
        }

        /// Sends 25 units a second; all must be shown in the same way.
        fn all(&mut self, times: std::ops::Range<u64>, quality: Quality) -> Showing {
            let first = self.at(times.start, quality);
            for at in times.step_by(40) {
                assert_eq!(self.at(at, quality), first, "{at}");
            }
            first
        }
    }

    #[test]
    fn damaged_units_stand_in_once_none_was_whole_for_the_limit() {
        let mut scene = Scene::new();
        assert_eq!(scene.all(0..1000, Quality::Whole), Showing::Plain);
        assert_eq!(scene.all(1000..3460, Quality::Damaged), Showing::Withheld, "the last whole one came at 960");
        assert_eq!(scene.all(3460..9000, Quality::Damaged), Showing::Marked);
        assert_eq!(scene.at(9000, Quality::Useless), Showing::Withheld, "a decoder cannot take it");
        assert!(scene.mode.is_on());
    }

    #[test]
    fn whole_units_in_between_keep_the_mark_away() {
        let mut scene = Scene::new();
        for second in 0..20 {
            let begin = second * 2000;
            assert_eq!(scene.all(begin..begin + 200, Quality::Whole), Showing::Plain);
            assert_eq!(scene.all(begin + 200..begin + 2000, Quality::Damaged), Showing::Withheld);
        }
    }

    #[test]
    fn mark_goes_after_whole_units_for_the_limit_and_does_not_flicker() {
        let mut scene = Scene::new();
        scene.at(0, Quality::Whole);
        scene.at(3000, Quality::Damaged);
        assert_eq!(scene.all(3040..5000, Quality::Whole), Showing::Marked, "whole, and not for long enough");
        assert_eq!(scene.at(5000, Quality::Damaged), Showing::Marked, "the time begins anew");
        assert_eq!(scene.all(5040..7540, Quality::Whole), Showing::Marked);
        assert_eq!(scene.all(7540..9000, Quality::Whole), Showing::Plain);
        assert!(!scene.mode.is_on());
        assert_eq!(scene.at(9000, Quality::Damaged), Showing::Withheld, "it was whole until now");
    }

    #[test]
    fn unit_that_nobody_needs_breaks_no_row_of_whole_ones() {
        let mut scene = Scene::new();
        scene.at(0, Quality::Whole);
        scene.at(3000, Quality::Damaged);
        scene.all(3040..4000, Quality::Whole);
        assert_eq!(scene.at(4000, Quality::Dispensable), Showing::Withheld);
        scene.all(4040..5540, Quality::Whole);
        assert_eq!(scene.at(5540, Quality::Whole), Showing::Plain);
    }

    #[test]
    fn session_without_a_whole_unit_waits_for_the_limit_too() {
        let mut scene = Scene::new();
        assert_eq!(scene.all(0..2480, Quality::Damaged), Showing::Withheld);
        assert_eq!(scene.at(2500, Quality::Damaged), Showing::Marked);
    }

    #[test]
    fn nothing_damaged_is_shown_where_it_is_forbidden_from_then_on() {
        let mut scene = Scene::new();
        scene.at(0, Quality::Whole);
        assert_eq!(scene.at(3000, Quality::Damaged), Showing::Marked);
        scene.limit = None;
        assert_eq!(scene.all(3040..9000, Quality::Damaged), Showing::Withheld);
        assert_eq!(scene.at(9000, Quality::Whole), Showing::Plain);
    }

    #[test]
    fn share_of_lost_packets_is_that_of_the_last_seconds() {
        let mut loss = RecentLoss::default();
        assert_eq!(loss.permille(), None);
        loss.on_report(0, 0);
        assert_eq!(loss.permille(), None, "nothing came");
        loss.on_report(988, 12);
        assert_eq!(loss.permille(), Some(12));
        for second in 2..=10 {
            loss.on_report(988 * second, 12 * second);
        }
        assert_eq!(loss.permille(), Some(12));
        for second in 1..=9 {
            loss.on_report(9880 + 1000 * second, 120);
        }
        assert_eq!(loss.permille(), Some(1), "the last loss was ten seconds ago");
        loss.on_report(19_880, 120);
        assert_eq!(loss.permille(), None);
        loss.on_report(19_880, 200);
        assert_eq!(loss.permille(), Some(9));
    }

    #[test]
    fn no_loss_is_written_as_none_and_none_as_more_than_all() {
        let mut loss = RecentLoss::default();
        loss.on_report(1_000_000, 1);
        assert_eq!(loss.permille(), Some(1), "less than 0.05 %");
        let mut loss = RecentLoss::default();
        loss.on_report(0, 500);
        assert_eq!(loss.permille(), Some(1000));
    }
}
