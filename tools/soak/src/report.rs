//! The results as Markdown, and the assertion.

use std::{
    collections::BTreeMap,
    fmt::Write,
    time::{Duration, Instant},
};

use crate::{
    KEY_FRAMES, Task,
    board::{Remark, Summary},
    fault_kinds::{Effect, KINDS},
    incident::Outcome,
    schedule::NOTICE_WITHIN,
    usage::{Counts, Series},
    viewers::{Tally, VIEWER_KINDS, ViewerKind},
};

/// Limit from the first attempt that the pause allowed until live again. The agent reports its
/// pauses in whole seconds.
const AGAIN_WITHIN: Duration = Duration::from_secs(2).saturating_add(KEY_FRAMES).saturating_add(ROUNDING);
const ROUNDING: Duration = Duration::from_millis(500);

/// Limit until the next picture after the kill of a decoder that had been left alone for a minute.
const DECODER_WITHIN: Duration = Duration::from_millis(1500).saturating_add(KEY_FRAMES);

/// A steeper slope is a leak, in runs long enough to distinguish it from noise.
const FLAT_KB_PER_HOUR: f64 = 2048.0;
const LONG_ENOUGH_MINUTES: f64 = 30.0;

/// Maximum number of printed remarks of one kind.
const MAX_PRINTED: usize = 30;

pub struct Report {
    pub text: String,
    pub passed: bool,
}

/// Counts and measurements besides the incidents.
pub struct Facts {
    pub all_live_after: Duration,
    pub healed: bool,
    pub interrupted: bool,
    pub minutes: f64,
    pub start: Counts,
    pub finish: Option<Counts>,
    pub zombies: u64,
    pub agent_memory: Series,
    pub decoders_memory: Series,
    /// Seconds.
    pub agent_cpu: f64,
    pub log_lines: u64,
    pub passwords: u64,
    pub panics: u64,
    /// RTSP sessions that the cameras still hold.
    pub sessions: u64,
    /// The agent's exit, if it was not requested.
    pub agent_ended: Option<String>,
    pub stopped: Option<(String, Duration)>,
    pub lateness: Duration,
    pub reloads: usize,
    pub slowest_answer: Duration,
}

/// Writes the report.
pub fn write(
    task: &Task,
    outcomes: &[Outcome],
    seen: &Summary,
    tallies: &BTreeMap<ViewerKind, Tally>,
    facts: &Facts,
    left_out: &[&str],
    begun: Instant,
) -> Report {
    let mut text = String::new();
    // Writing into a String cannot fail.
    let _ = head(&mut text, task, facts, left_out);
    let _ = table_of_times(&mut text, outcomes);
    let _ = table_of_holdings(&mut text, facts);
    let _ = table_of_visitors(&mut text, tallies);
    let late = late(outcomes, begun);
    let assertions = assertions(task, outcomes, seen, facts, late.len());
    let _ = writeln!(text, "\n| what must hold | | |\n|---|---|---|");
    for assertion in &assertions {
        let word = match (assertion.holds, assertion.checked) {
            (true, _) => "yes",
            (false, true) => "**no**",
            (false, false) => "not checked",
        };
        let _ = writeln!(text, "| {} | {word} | {} |", assertion.what, assertion.detail);
    }
    for (title, remarks) in [
        ("Lies", lines(&seen.lies, outcomes, begun)),
        ("Cameras that stopped being live though nothing was done to them", lines(&seen.disturbances, outcomes, begun)),
        ("Too late", late),
        ("Remarks", lines(&seen.others, &[], begun)),
    ] {
        if !remarks.is_empty() {
            let _ = writeln!(text, "\n{title}: {}\n", remarks.len());
            remarks.iter().take(MAX_PRINTED).for_each(|remark| text.push_str(&format!("- {remark}\n")));
        }
    }
    let passed = !facts.interrupted && assertions.iter().all(|assertion| assertion.holds || !assertion.checked);
    Report { text, passed }
}

fn head(text: &mut String, task: &Task, facts: &Facts, left_out: &[&str]) -> std::fmt::Result {
    writeln!(
        text,
        "{:.1} minutes, {} cameras of 320x184 at 10 frames/s with a key frame each second, seed {}{}{}. All live {:.1} s after the start.",
        facts.minutes,
        task.cameras,
        task.seed,
        if task.build.is_empty() { String::new() } else { format!(", {}", task.build) },
        if task.busy { ", machine busy with other work" } else { "" },
        facts.all_live_after.as_secs_f64(),
    )?;
    if facts.interrupted {
        writeln!(text, "**Interrupted: what follows is not the whole.**")?;
    }
    if !left_out.is_empty() {
        writeln!(text, "Left out, as the virtual camera cannot do it: {}.", left_out.join("; "))?;
    }
    Ok(())
}

fn table_of_times(text: &mut String, outcomes: &[Outcome]) -> std::fmt::Result {
    writeln!(
        text,
        "\nSeconds: median / 95 % / worst.\n\n\
         | fault | times | noticed | until the viewer noticed | live again | of which after the agent's pause |\n\
         |---|---|---|---|---|---|"
    )?;
    for kind in KINDS {
        let of_kind: Vec<_> = outcomes.iter().filter(|outcome| outcome.kind.name == kind.name).collect();
        if of_kind.is_empty() {
            continue;
        }
        let times = |time: fn(&Outcome) -> Option<Duration>| {
            spread(of_kind.iter().filter_map(|outcome| time(outcome)).collect())
        };
        let noticed = of_kind.iter().filter(|outcome| outcome.noticed.is_some()).count();
        writeln!(
            text,
            "| {} | {} | {noticed} | {} | {} | {} |",
            kind.name,
            of_kind.len(),
            times(|outcome| outcome.noticed),
            times(|outcome| outcome.again),
            times(|outcome| outcome.after_pause),
        )?;
    }
    Ok(())
}

/// `median / 95 % / worst` in seconds.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let Some(worst) = times.last() else { return "–".to_owned() };
    // The smallest time that is at least as long as this part of all times.
    let part = |part: usize| times[(times.len() * part).div_ceil(100).max(1) - 1].as_secs_f64();
    format!("{:.2} / {:.2} / {:.2}", part(50), part(95), worst.as_secs_f64())
}

fn table_of_holdings(text: &mut String, facts: &Facts) -> std::fmt::Result {
    writeln!(text, "\n| without viewers | at the start | at the end |\n|---|---|---|")?;
    let finish = facts.finish.unwrap_or_default().rows();
    for ((name, start), (_, end)) in facts.start.rows().into_iter().zip(finish) {
        writeln!(text, "| {name} | {start} | {end} |")?;
    }
    for (name, series) in
        [("memory of the agent", &facts.agent_memory), ("memory of all decoders together", &facts.decoders_memory)]
    {
        let (least, most) = series.range().unwrap_or_default();
        let slope = |series: Series| series.slope_per_hour().map_or("–".to_owned(), |slope| format!("{slope:+.0}"));
        writeln!(
            text,
            "\n{name}: {least:.0} to {most:.0} kB, slope {} kB/h, without the first quarter {} kB/h",
            slope(series.clone()),
            slope(series.settled())
        )?;
    }
    writeln!(
        text,
        "\nagent: {:.1} % of a core; {:.1} log lines a minute; {} reloads; /healthz answered within {:.0} ms",
        facts.agent_cpu / (facts.minutes * 60.0).max(1.0) * 100.0,
        facts.log_lines as f64 / facts.minutes.max(0.1),
        facts.reloads,
        facts.slowest_answer.as_secs_f64() * 1000.0,
    )
}

fn table_of_visitors(text: &mut String, tallies: &BTreeMap<ViewerKind, Tally>) -> std::fmt::Result {
    writeln!(text, "\n| viewers | visits | pictures | cards | ended by the agent |\n|---|---|---|---|---|")?;
    for (kind, name) in VIEWER_KINDS {
        let tally = tallies.get(&kind).copied().unwrap_or_default();
        writeln!(text, "| {name} | {} | {} | {} | {} |", tally.visits, tally.pictures, tally.cards, tally.turned_away)?;
    }
    Ok(())
}

/// The times that exceeded their limit, one line each.
fn late(outcomes: &[Outcome], begun: Instant) -> Vec<String> {
    let mut late = Vec::new();
    for outcome in outcomes {
        let mut complain = |what: &str, time: Duration| {
            late.push(format!(
                "{} {}, {}, which lasted {:.1} s: {what} {:.2} s",
                clock(outcome.start, begun),
                outcome.camera,
                outcome.kind.name,
                outcome.lasted.as_secs_f64(),
                time.as_secs_f64()
            ));
        };
        match outcome.noticed {
            Some(noticed) if outcome.must_notice && noticed > NOTICE_WITHIN => complain("noticed after", noticed),
            None if outcome.must_notice && outcome.kind.effect == Effect::Ends => {
                complain("not noticed within", outcome.lasted)
            }
            _ => {}
        }
        match (outcome.decoder_again, outcome.after_pause) {
            (Some(again), _) if again > DECODER_WITHIN => complain("live again after", again),
            (None, Some(again)) if outcome.must_hurry && again > AGAIN_WITHIN => {
                complain("live again, the pause taken off, after", again)
            }
            _ => {}
        }
        if !outcome.came_back {
            complain("not live again within", crate::incident::PATIENCE);
        }
    }
    late
}

struct Assertion {
    what: String,
    holds: bool,
    checked: bool,
    detail: String,
}

fn assertions(task: &Task, outcomes: &[Outcome], seen: &Summary, facts: &Facts, late: usize) -> Vec<Assertion> {
    // The checks at the end apply only to a complete run.
    let at_the_end = |mut assertion: Assertion| {
        assertion.checked &= !facts.interrupted;
        assertion
    };
    let assertion =
        |what: &str, holds: bool, detail: String| Assertion { what: what.to_owned(), holds, checked: true, detail };
    let lost = outcomes.iter().filter(|outcome| !outcome.came_back).count();
    let slope = facts.agent_memory.settled().slope_per_hour().unwrap_or(0.0);
    let stop = match &facts.stopped {
        Some((status, took)) => format!("{status} after {:.1} s", took.as_secs_f64()),
        None => "it had to be killed".to_owned(),
    };
    vec![
        assertion(
            "no picture that is not live looks live",
            seen.lies.is_empty(),
            format!(
                "{} pictures of the observer; the oldest shown as live was {:.1} s old; {} unreadable; the observer itself was {:.1} s late at most",
                seen.pictures,
                seen.oldest.as_secs_f64(),
                seen.damaged,
                facts.lateness.as_secs_f64()
            ),
        ),
        at_the_end(assertion(
            "every camera is live in the end",
            facts.healed && lost == 0,
            format!("{lost} did not come back in time"),
        )),
        assertion(
            "nobody else is disturbed",
            seen.disturbances.is_empty(),
            format!(
                "longest gap on a camera left alone: {:.2} s ({})",
                seen.longest_gap.0.as_secs_f64(),
                seen.longest_gap.1
            ),
        ),
        Assertion {
            what: format!(
                "noticed within {:.1} s; live again within {:.1} s after the pause; a picture after the kill of a decoder within {:.1} s",
                NOTICE_WITHIN.as_secs_f64(),
                AGAIN_WITHIN.as_secs_f64(),
                DECODER_WITHIN.as_secs_f64()
            ),
            holds: late == 0,
            checked: !task.busy,
            detail: format!("{late} of {} too late", outcomes.len()),
        },
        at_the_end(assertion(
            "no process, thread or descriptor more",
            facts.finish.is_some_and(|finish| finish.is_within(&facts.start)),
            String::new(),
        )),
        assertion("no zombie", facts.zombies == 0, facts.zombies.to_string()),
        at_the_end(assertion(
            "one RTSP session per camera",
            facts.sessions == u64::from(task.cameras),
            format!("{} sessions", facts.sessions),
        )),
        Assertion {
            what: format!("the agent's memory is flat (slope below {FLAT_KB_PER_HOUR} kB/h without the first quarter)"),
            holds: slope < FLAT_KB_PER_HOUR,
            checked: facts.minutes >= LONG_ENOUGH_MINUTES,
            detail: format!("{slope:+.0} kB/h"),
        },
        assertion("no password in the log", facts.passwords == 0, facts.passwords.to_string()),
        assertion(
            "the agent never ended, and stops when asked",
            facts.agent_ended.is_none()
                && facts.panics == 0
                && facts.stopped.as_ref().is_some_and(|(s, _)| s == "exit status: 0"),
            stop,
        ),
        assertion("no other remark", seen.others.is_empty(), seen.others.len().to_string()),
    ]
}

/// One line each, with the last fault of that camera.
fn lines(remarks: &[Remark], outcomes: &[Outcome], begun: Instant) -> Vec<String> {
    let line = |remark: &Remark| {
        let camera = remark.what.split(':').next().unwrap_or_default();
        let before = outcomes.iter().filter(|outcome| outcome.camera == camera && outcome.start <= remark.at);
        let last = before.max_by_key(|outcome| outcome.start).map_or(String::new(), |outcome| {
            let (name, lasted) = (outcome.kind.name, outcome.lasted.as_secs_f64());
            format!(" (before: {name} for {lasted:.1} s from {} on)", clock(outcome.start, begun))
        });
        format!("{} {}{last}", clock(remark.at, begun), remark.what)
    };
    remarks.iter().map(line).collect()
}

/// Minutes and seconds since the faults began.
fn clock(at: Instant, begun: Instant) -> String {
    let seconds = at.saturating_duration_since(begun).as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_names_times_that_were_measured() {
        assert_eq!(spread(Vec::new()), "–");
        let times = |count: u64| (1..=count).map(Duration::from_secs).collect();
        assert_eq!(spread(times(1)), "1.00 / 1.00 / 1.00");
        assert_eq!(spread(times(20)), "10.00 / 19.00 / 20.00");
        assert_eq!(spread(times(100)), "50.00 / 95.00 / 100.00");
    }
}
