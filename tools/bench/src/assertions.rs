//! The assertions about the measured values.

use std::{num::NonZero, thread};

use crate::{
    peer::Peer,
    round::Outcome,
    scene::Way,
    table::{Row, is_compared},
    test_clip::{FPS, Kind},
};

/// The share of all cores above which a machine does not count as idle.
const BUSY: f64 = 0.85;

/// Measurements that are not rows. Worst of all tries; `Err`: why there is none.
#[derive(Default)]
pub struct Waits {
    /// Milliseconds until the agent serves.
    pub ready: Option<Result<f64, String>>,
    /// Milliseconds to the first picture.
    pub first_untouched: Option<Result<f64, String>>,
    pub first_jpeg: Option<Result<f64, String>>,
    /// Seconds until all of sixteen cameras are shown.
    pub cold_untouched: Option<Result<f64, String>>,
    pub cold_jpeg: Option<Result<f64, String>>,
    /// Ages (95 %) in milliseconds with one core, with all, and with sixteen reported.
    pub cores: Option<Result<[Option<f64>; 3], String>>,
}

/// One line of "what it must show".
pub struct Line {
    what: String,
    bound: String,
    /// `Err`: not measured, and why.
    value: Result<String, String>,
    /// `None`: reported only.
    holds: Option<bool>,
}

impl Line {
    fn most(what: impl Into<String>, value: Option<f64>, most: f64, unit: &str) -> Self {
        Self::new(what, format!("at most {most}{unit}"), value, unit, |value| value <= most)
    }

    fn least(what: impl Into<String>, value: Option<f64>, least: f64, unit: &str) -> Self {
        Self::new(what, format!("at least {least}{unit}"), value, unit, |value| value >= least)
    }

    fn new(
        what: impl Into<String>,
        bound: String,
        value: Option<f64>,
        unit: &str,
        holds: impl FnOnce(f64) -> bool,
    ) -> Self {
        let shown = value.map(|value| format!("{value:.2}{unit}")).ok_or_else(|| "not run".to_owned());
        Self { what: what.into(), bound, value: shown, holds: Some(value.is_some_and(holds)) }
    }

    /// The cost of our picture as a fraction of that of `peer` in the same row.
    fn against(row: &Row, peer: Peer, bound: &str, holds: impl FnOnce(f64) -> bool) -> Self {
        let of = |peer| row.outcome(peer)?.per_picture();
        let share = of(Peer::Agent).zip(of(peer)).map(|(ours, theirs)| ours / theirs);
        let what = format!("{}: ours against {}, CPU per picture", row.scene.name, peer.title());
        Self::new(what, bound.to_owned(), share, " x", holds)
    }

    fn wait(what: &str, wait: Option<&Result<f64, String>>, most: f64, unit: &str) -> Self {
        let value = wait.and_then(|wait| wait.as_ref().ok().copied());
        let mut line = Self::most(what, value, most, unit);
        if let Some(Err(why)) = wait {
            line.value = Err(why.clone());
        }
        line
    }

    pub fn failed(&self) -> bool {
        self.value.is_ok() && self.holds == Some(false)
    }
}

/// All assertions, from all measurements.
pub fn check(rows: &[Row], waits: &Waits) -> Vec<Line> {
    let mut lines = Vec::new();
    untouched(rows, &mut lines);
    against_others(rows, &mut lines);
    viewers(rows, &mut lines);
    ages(rows, waits, &mut lines);
    memory(rows, &mut lines);
    let first = "first picture on a running agent, at the socket, worst of all tries";
    lines.push(Line::wait(&format!("{first}: untouched"), waits.first_untouched.as_ref(), 150.0, " ms"));
    lines.push(Line::wait(&format!("{first}: JPEG 1080p"), waits.first_jpeg.as_ref(), 300.0, " ms"));
    lines.push(Line::wait("start of the agent until it serves, worst of all tries", waits.ready.as_ref(), 50.0, " ms"));
    let cold = "cold start of the agent until all of 16 cameras show";
    lines.push(Line::wait(&format!("{cold}: untouched"), waits.cold_untouched.as_ref(), 1.0, " s"));
    lines.push(Line::wait(&format!("{cold}: JPEG 640x360"), waits.cold_jpeg.as_ref(), 3.0, " s"));
    lines
}

fn find<'a>(rows: &'a [Row], name: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.scene.name == name)
}

fn per_picture(rows: &[Row], name: &str, peer: Peer) -> Option<f64> {
    find(rows, name)?.outcome(peer)?.per_picture()
}

fn untouched(rows: &[Row], lines: &mut Vec<Line>) {
    let cores = |name| find(rows, name)?.outcome(Peer::Agent)?.cores();
    for (name, cameras) in [("untouched-4", 4.0), ("untouched-16", 16.0)] {
        let each = cores(name).map(|cores| cores * 100.0 / cameras);
        lines.push(Line::most(format!("{name}: CPU per camera and viewer"), each, 0.2, " % of a core"));
    }
    for (name, most) in [("unwatched-1", 0.4), ("unwatched-64", 6.0)] {
        let whole = cores(name).map(|cores| cores * 100.0);
        lines.push(Line::most(format!("{name}: CPU of all processes"), whole, most, " % of a core"));
    }
    let each = |name, cameras: f64| cores(name).map(|cores| cores / cameras);
    let growth = each("unwatched-64", 64.0).zip(each("unwatched-light-1", 1.0)).map(|(many, one)| many / one);
    lines.push(Line::most("unwatched-64: CPU per camera against that of one such camera", growth, 1.0, " x"));
    let rate = find(rows, "untouched-16").and_then(|row| row.outcome(Peer::Agent)?.rate());
    lines.push(Line::least("untouched-16: frames delivered of each", rate, f64::from(FPS) * 0.98, " /s"));
}

fn against_others(rows: &[Row], lines: &mut Vec<Line>) {
    for row in rows {
        let cost = |peer| row.outcome(peer).and_then(|outcome| outcome.per_picture().or(outcome.cores()));
        for peer in [Peer::AgentBefore, Peer::Retina] {
            let Some(share) = cost(Peer::Agent).zip(cost(peer)).map(|(ours, theirs)| ours / theirs) else { continue };
            let what = format!("{}: ours against {}, CPU", row.scene.name, peer.title());
            let must_hold = row.scene.name == "1x1" && peer == Peer::AgentBefore;
            let bound = if must_hold { "at most 1 x" } else { "none" };
            let line = Line::new(what, bound.to_owned(), Some(share), " x", |share| share <= 1.0);
            lines.push(if must_hold { line } else { Line { holds: None, ..line } });
        }
    }
    for row in rows.iter().filter(|row| row.outcome(Peer::AgentTls).is_some()) {
        let cost = |peer| row.outcome(peer).and_then(Outcome::per_picture);
        let more = cost(Peer::AgentTls).zip(cost(Peer::Agent)).map(|(tls, clear)| tls - clear);
        let what = format!("{}: what https costs more than http, CPU per picture", row.scene.name);
        lines.push(Line { holds: None, ..Line::new(what, "none".to_owned(), more, " ms", |_| true) });
    }
    for (name, least) in [("1x1", 1.4), ("1x16", 10.0)] {
        let ours = per_picture(rows, name, Peer::Agent);
        for peer in [Peer::Predecessor, Peer::PredecessorOfDebian] {
            let factor = per_picture(rows, name, peer).zip(ours).map(|(theirs, ours)| theirs / ours);
            let what = format!("{name}: {} against ours, CPU per picture", peer.title());
            lines.push(Line::least(what, factor, least, " x"));
        }
    }
    for row in rows.iter().filter(|row| is_compared(row)) {
        for peer in [Peer::Motion, Peer::Ffmpeg] {
            lines.push(Line::against(row, peer, "less than 1 x", |share| share < 1.0));
        }
    }
    // `ffmpeg` only copies here: it decodes no picture, serves no second viewer and monitors
    // nothing.
    for row in rows.iter().filter(|row| row.outcome(Peer::FfmpegCopy).is_some()) {
        lines.push(Line { holds: None, ..Line::against(row, Peer::FfmpegCopy, "none", |_| true) });
    }
    for name in ["1x1", "4-small"] {
        for (peer, what) in [
            (Peer::BaselineBare, "decode + compress alone"),
            (Peer::BaselineFfmpeg, "ffmpeg decoding and compressing alone"),
        ] {
            let share = per_picture(rows, name, Peer::Agent).zip(per_picture(rows, name, peer)).map(|(a, b)| a / b);
            lines.push(Line::most(format!("{name}: ours against {what}"), share, 1.15, " x"));
        }
    }
}

fn viewers(rows: &[Row], lines: &mut Vec<Line>) {
    for (one, many) in [("1x1", "1x16"), ("mjpeg-1", "mjpeg-16")] {
        // Per picture of the rendition, not per picture delivered.
        let frame = |name, viewers: f64| per_picture(rows, name, Peer::Agent).map(|each| each * viewers);
        let more = frame(one, 1.0).zip(frame(many, 16.0)).map(|(one, many)| (many - one) / 15.0);
        lines.push(Line::most(format!("{many}: what each viewer adds to a rendition, per picture"), more, 0.15, " ms"));
    }
}

fn ages(rows: &[Row], waits: &Waits, lines: &mut Vec<Line>) {
    let interval = 1000.0 / f64::from(FPS);
    for row in rows.iter().filter(|row| matches!(row.scene.way, Way::Jpeg | Way::Untouched)) {
        let age = row.outcome(Peer::Agent).and_then(|outcome| outcome.age(0.95));
        let most = match (row.scene.name, row.scene.way) {
            ("slow-1", _) => 50.0,
            (_, Way::Untouched) => 3.0,
            ("1x1", _) => 16.0,
            _ => interval + 15.0,
        };
        let codec = if row.scene.kind == Kind::Jpeg { " (JPEG camera)" } else { "" };
        let mut line = Line::most(format!("{}: age, 95 %{codec}", row.scene.name), age, most, " ms");
        // The limit applies to an idle machine.
        let used = row.outcome(Peer::Agent).and_then(Outcome::cores).unwrap_or(0.0);
        if used > BUSY * thread::available_parallelism().map_or(1, NonZero::get) as f64 {
            line.what.push_str(" (no core was idle)");
            line.holds = None;
        }
        lines.push(line);
    }
    for (what, more, less) in
        [("all cores less that with one", 1, 0), ("sixteen reported cores less that with all", 2, 1)]
    {
        let grown = waits.cores.as_ref().and_then(|ages| match ages {
            Ok(ages) => ages[more].zip(ages[less]).map(|(more, less)| Ok(more - less)),
            Err(why) => Some(Err(why.clone())),
        });
        lines.push(Line::wait(&format!("1x1: age (95 %) with {what}"), grown.as_ref(), 5.0, " ms"));
    }
}

fn memory(rows: &[Row], lines: &mut Vec<Line>) {
    for row in rows {
        let Some(outcome) = row.outcome(Peer::Agent) else { continue };
        let most = 30.0 + 6.0 * row.scene.cameras as f64;
        let memory = Some(outcome.root_memory as f64 / 1e6);
        lines.push(Line::most(format!("{}: agent's memory (PSS)", row.scene.name), memory, most, " MB"));
    }
    let all = |name| Some(find(rows, name)?.outcome(Peer::Agent)?.memory as f64 / 1e6);
    for (name, most) in [("untouched-16", 40.0), ("unwatched-1", 15.0), ("unwatched-64", 100.0)] {
        lines.push(Line::most(format!("{name}: memory of all processes (PSS)"), all(name), most, " MB"));
    }
    let child = |name| Some(find(rows, name)?.outcome(Peer::Agent)?.largest_child as f64 / 1e6);
    for name in ["1x1", "4-small"] {
        let what = format!("{name}: a worker's own memory, decoding 1080p");
        lines.push(Line::most(what, child(name), 45.0, " MB"));
    }
}

/// The assertions as Markdown.
pub fn markdown(lines: &[Line]) -> String {
    let mut text = "| what it must show | bound | measured | |\n|---|---|---|---|\n".to_owned();
    for line in lines {
        let (value, word) = match &line.value {
            Ok(value) => (
                value.as_str(),
                match line.holds {
                    Some(true) => "PASS",
                    Some(false) => "**FAIL**",
                    None => "–",
                },
            ),
            Err(why) => (why.as_str(), "–"),
        };
        text.push_str(&format!("| {} | {} | {value} | {word} |\n", line.what, line.bound));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::SCENES;

    /// A row with one viewer in which our agent costs `ours` and motion `motion` milliseconds per
    /// picture.
    fn rows(ours: u64, motion: u64) -> [Row; 1] {
        let scene = SCENES.into_iter().find(|scene| scene.name == "1x1").unwrap();
        let outcome = |milliseconds: u64| Outcome {
            pictures: 100,
            nanoseconds: milliseconds * 100 * 1_000_000,
            seconds: 4.0,
            viewers: 1,
            ..Outcome::default()
        };
        [Row {
            scene,
            clip: (1920, 1080),
            outcomes: vec![(Peer::Agent, outcome(ours)), (Peer::Motion, outcome(motion))],
        }]
    }

    fn against_motion(lines: &[Line]) -> &Line {
        lines.iter().find(|line| line.what == "1x1: ours against motion, CPU per picture").unwrap()
    }

    #[test]
    fn what_costs_more_fails_and_what_was_not_run_neither_holds_nor_fails() {
        let good = check(&rows(5, 10), &Waits::default());
        assert!(against_motion(&good).holds == Some(true) && !against_motion(&good).failed());
        let bad = check(&rows(10, 10), &Waits::default());
        assert!(against_motion(&bad).failed());
        let not_run = good.iter().find(|line| line.what.starts_with("1x16: the way of 2019")).unwrap();
        assert!(not_run.holds == Some(false) && !not_run.failed());
        assert!(markdown(&bad).contains("| less than 1 x | 1.00 x | **FAIL** |"));
    }
    #[test]
    fn ages_of_a_busy_machine_are_told_and_not_judged() {
        let cores = thread::available_parallelism().unwrap().get() as u64;
        let checked = |milliseconds: u64| {
            let lines = check(&rows(milliseconds * cores, 1), &Waits::default());
            lines.into_iter().find(|line| line.what.starts_with("1x1: age, 95 %")).unwrap().holds
        };
        // A hundred pictures in four seconds.
        assert_eq!((checked(39), checked(10)), (None, Some(false)), "there are no ages");
    }
}
