//! The results as Markdown.

use std::{fs, time::SystemTime};

use crate::{
    peer::Peer,
    round::Outcome,
    scene::{BESIDE_BASELINES, Scene, Way},
    test_clip::Clip,
};

/// All results of one row.
pub struct Row {
    pub scene: Scene,
    pub clip: (usize, usize),
    pub outcomes: Vec<(Peer, Outcome)>,
}

impl Row {
    pub fn outcome(&self, peer: Peer) -> Option<&Outcome> {
        let outcome = self.outcomes.iter().find(|(other, _)| *other == peer).map(|(_, outcome)| outcome)?;
        outcome.skipped.is_none().then_some(outcome)
    }
}

/// A number with `digits`, or a dash if nothing was measured.
fn number(value: Option<f64>, digits: usize) -> String {
    value.filter(|value| value.is_finite()).map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

/// The table of `rows`, followed by its notes.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = "| | pictures/s each | kB each | CPU, ms per picture | CPU in all, % of a core | memory, MB | age, median ms | age, 95 % ms |\n\
                    |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    let mut notes = Vec::new();
    for row in rows {
        text.push_str(&format!("| **{}** | | | | | | | |\n", row.scene.title(row.clip)));
        for (peer, outcome) in &row.outcomes {
            let title = peer.title();
            if let Some(why) = &outcome.skipped {
                text.push_str(&format!("| {title} | not measured: {why} | | | | | | |\n"));
                continue;
            }
            let kilobytes = (outcome.bytes > 0).then(|| outcome.bytes as f64 / outcome.pictures as f64 / 1000.0);
            text.push_str(&format!(
                "| {title} | {} | {} | {} | {} | {} | {} | {} |\n",
                number(outcome.rate(), 1),
                number(kilobytes, 0),
                number(outcome.per_picture(), 2),
                number(outcome.cores().map(|cores| cores * 100.0), 1),
                number(Some(outcome.memory as f64 / 1e6), 1),
                number(outcome.age(0.5), 1),
                number(outcome.age(0.95), 1),
            ));
            let repeats = (outcome.repeats > 0).then(|| format!("{} repeated pictures not counted", outcome.repeats));
            for note in outcome.notes.iter().chain(&repeats) {
                notes.push(format!("- {}, {}: {note}\n", row.scene.name, title.trim_matches('*')));
            }
        }
    }
    if !notes.is_empty() {
        text.push_str("\nTo be known about these figures:\n\n");
        text.extend(notes);
    }
    text
}

/// Machine, date and clips.
pub fn heading(clips: &[Option<&Clip>], rounds: u32, seconds: f64) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once([':', '=']).map_or_else(String::new, |(_, value)| value.trim().trim_matches('"').to_owned())
    };
    let processor = field(&read("/proc/cpuinfo"), "model name");
    let virtual_ = if read("/proc/cpuinfo").contains(" hypervisor") { "a virtual machine with " } else { "" };
    let kilobytes: f64 = field(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or(f64::NAN);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    let clips: Vec<_> = clips
        .iter()
        .flatten()
        .map(|clip| format!("{}x{} {:.0} kbit/s", clip.width, clip.height, clip.kilobits()))
        .collect();
    format!(
        "Measured by `scripts/bench` on {}: {virtual_}{cores} cores ({processor}), {:.0} GB, {}, load at the end {}. \
         Cameras at 25 frames/s, if nothing else is said, on the same machine: {}. {rounds} rounds of {seconds} s for each line ({} beside baselines), all of a row in turn.\n\n",
        date(),
        kilobytes / 1e6,
        field(&read("/etc/os-release"), "PRETTY_NAME"),
        load.split(' ').next().unwrap_or_default(),
        clips.join(", "),
        BESIDE_BASELINES * rounds,
    )
}

/// Today in UTC, by the civil calendar.
fn date() -> String {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut year, mut day) = (1970, seconds / 86_400);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02}", month + 1, day + 1)
}

/// Whether a row is about Motion JPEG pictures, which the other peers can send as well.
pub fn is_compared(row: &Row) -> bool {
    row.scene.way == Way::Jpeg
}
