//! `[[wall.at]]` and `[[wall.NAME.at]]`: what a wall shows at which time of day.

use std::collections::BTreeSet;

use super::{
    diagnostics::Diagnostics,
    section::Section,
    suggest,
    wall_keys::{AT_DAYS, AT_WALL, DAY, DAYS, FROM, SCREEN, Screen, TO},
    wording::{kind, quoted},
};

/// What an entry shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shows {
    /// What the wall shows without a timetable.
    Own,
    /// Nothing: the screen is off.
    Nothing,
    /// The settings and the tour of the wall with this name.
    Wall(String),
}

/// One entry. The first one that fits applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Minutes since midnight, 0 to 1439.
    pub from: u16,
    /// Minutes since midnight, 0 to 1440, and not `from`; less than `from`: of the next day.
    pub to: u16,
    /// Whether it begins on each day of the week, Monday first.
    pub days: [bool; 7],
    pub shows: Shows,
}

impl Entry {
    /// Whether the entry applies while a clock shows `minute` (0 to 1439) of the day `weekday` (0: Monday).
    pub fn fits(&self, weekday: u8, minute: u16) -> bool {
        let is_day = |weekday: u8| self.days[usize::from(weekday) % 7];
        if self.from < self.to {
            return is_day(weekday) && (self.from..self.to).contains(&minute);
        }
        (is_day(weekday) && minute >= self.from) || (is_day(weekday + 6) && minute < self.to)
    }
}

/// Reads the timetable of the wall `name`; the one without a name has none. `walls` are the names of all walls.
pub(super) fn entries(
    name: Option<&str>,
    sections: &[Section<'_>],
    walls: &BTreeSet<&str>,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<Entry> {
    sections.iter().filter_map(|section| entry(name, section, walls, diagnostics)).collect()
}

/// `None` after a complaint.
fn entry(
    name: Option<&str>,
    section: &Section<'_>,
    walls: &BTreeSet<&str>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Entry> {
    section.refuse_unknown(diagnostics);
    let (from, to) = (section.parsed(&FROM, diagnostics), section.parsed(&TO, diagnostics));
    for (key, example) in [(&FROM, "\"22:00\""), (&TO, "\"06:00\"")] {
        if section.lacks(&[key]) {
            section.report(section.at, format!("{} is missing, like {example}", key.name), diagnostics);
        }
    }
    if let (Some(from), true, Some(at)) = (from, from == to, section.key_at(&TO)) {
        let right = if from == 0 { "write to = \"24:00\" for the whole day" } else { "write another time" };
        section.report(at, format!("from and to are the same; {right}"), diagnostics);
    }
    let days = days(section, diagnostics);
    let shows = shows(name, section, walls, diagnostics);
    Some(Entry { from: from?, to: to?, days: days?, shows: shows? })
}

fn shows(
    name: Option<&str>,
    section: &Section<'_>,
    walls: &BTreeSet<&str>,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Shows> {
    if section.lacks(&[&AT_WALL, &SCREEN]) {
        section.report(section.at, "it shows nothing; write wall = \"NAME\" or screen = \"off\"", diagnostics);
    }
    if let (Some(_), Some(at)) = (section.key_at(&AT_WALL), section.key_at(&SCREEN)) {
        section.report(at, "wall and screen are both given; keep one of them", diagnostics);
    }
    if let Some(screen) = section.one_of(&SCREEN, diagnostics) {
        return Some(if screen.value == Screen::Off { Shows::Nothing } else { Shows::Own });
    }
    let wall = section.text(&AT_WALL, diagnostics)?;
    let wrong = if name == Some(wall.value.as_str()) {
        "wall is this wall itself; write screen = \"on\"".to_owned()
    } else if walls.contains(wall.value.as_str()) {
        return Some(Shows::Wall(wall.value));
    } else {
        suggest::no_wall(&wall.value, walls.iter().copied())
    };
    section.report(wall.at, wrong, diagnostics);
    None
}

/// `None` after a complaint.
fn days(section: &Section<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<[bool; 7]> {
    let Some(value) = section.value(&AT_DAYS) else { return Some([true; 7]) };
    let right = format!("write a list of {}, like {}", DAYS.join(", "), AT_DAYS.values.example);
    let Some(list) = value.get_ref().as_array().filter(|list| !list.is_empty()) else {
        let what = if value.get_ref().is_array() { "an empty list" } else { kind(value.get_ref()) };
        section.report(value.span().start, format!("days is {what}; {right}"), diagnostics);
        return None;
    };
    let mut days = [false; 7];
    for entry in list {
        let written = entry.get_ref().as_str();
        let Some(day) = DAYS.iter().position(|day| Some(*day) == written) else {
            let what = written.map_or_else(|| format!(" {}", kind(entry.get_ref())), quoted);
            section.report(entry.span().start, format!("days holds{what}; {right}"), diagnostics);
            return None;
        };
        days[day] = true;
    }
    Some(days)
}

/// The moments of a week, as day and minute, at which the entries that fit may change.
pub fn boundaries(entries: &[Entry]) -> BTreeSet<(u8, u16)> {
    let moments = entries.iter().flat_map(|entry| [entry.from, entry.to % DAY]).chain([0]);
    moments.flat_map(|minute| (0..7).map(move |day| (day, minute))).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Walls, parse};

    const GATE: &str = "[[camera]]\nid='gate'\nip='10.0.0.1'\n[wall.night]\nlayout=1\n";

    fn read(text: &str) -> Result<Walls, Vec<String>> {
        let no_files = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        match parse(&format!("{GATE}{text}"), Path::new("c"), &no_files) {
            Ok(config) => Ok(config.walls),
            Err(complaints) => Err(complaints.iter().map(ToString::to_string).collect()),
        }
    }

    fn fits(keys: &str, weekday: u8, time: &str) -> bool {
        let walls = read(&format!("[[wall.at]]\nscreen='off'\n{keys}\n")).unwrap();
        let (hours, minutes) = time.split_once(':').unwrap();
        walls.standard.entries[0].fits(weekday, 60 * hours.parse::<u16>().unwrap() + minutes.parse::<u16>().unwrap())
    }

    #[test]
    fn entry_applies_from_its_first_minute_until_before_its_last_one() {
        for (keys, weekday, time, wanted) in [
            ("from='08:00'\nto='18:30'", 0, "07:59", false),
            ("from='08:00'\nto='18:30'", 0, "08:00", true),
            ("from='8:00'\nto='18:30'", 6, "18:29", true),
            ("from='08:00'\nto='18:30'", 6, "18:30", false),
            // Over midnight.
            ("from='22:00'\nto='06:00'", 0, "21:59", false),
            ("from='22:00'\nto='06:00'", 0, "22:00", true),
            ("from='22:00'\nto='06:00'", 0, "00:00", true),
            ("from='22:00'\nto='06:00'", 0, "05:59", true),
            ("from='22:00'\nto='06:00'", 0, "06:00", false),
            ("from='22:00'\nto='00:00'", 0, "00:00", false),
            ("from='22:00'\nto='24:00'", 0, "23:59", true),
            ("from='00:00'\nto='24:00'", 3, "12:00", true),
            // A night belongs to the day on which it begins.
            ("from='22:00'\nto='06:00'\ndays=['fri', 'sun']", 4, "23:00", true),
            ("from='22:00'\nto='06:00'\ndays=['fri', 'sun']", 4, "05:00", false),
            ("from='22:00'\nto='06:00'\ndays=['fri', 'sun']", 5, "05:00", true),
            ("from='22:00'\nto='06:00'\ndays=['fri', 'sun']", 5, "23:00", false),
            ("from='22:00'\nto='06:00'\ndays=['fri', 'sun']", 0, "05:00", true),
            ("from='08:00'\nto='09:00'\ndays=['tue']", 1, "08:30", true),
            ("from='08:00'\nto='09:00'\ndays=['tue']", 2, "08:30", false),
        ] {
            assert_eq!(fits(keys, weekday, time), wanted, "{keys} on day {weekday} at {time}");
        }
    }

    #[test]
    fn timetable_of_the_wall_without_a_name_is_that_of_walls_without_one() {
        let walls = read(
            "[[wall.at]]\nfrom='22:00'\nto='06:00'\nscreen='off'\n[[wall.hall.at]]\nfrom='20:00'\nto='22:00'\nwall='night'\n\
             [[wall.hall.at]]\nfrom='00:00'\nto='24:00'\nscreen='on'\n[wall.back]\nlayout=4\n",
        )
        .unwrap();
        let shows = |name: &str| walls.named[name].entries.iter().map(|entry| entry.shows.clone()).collect::<Vec<_>>();
        assert_eq!(shows("hall"), [Shows::Wall("night".into()), Shows::Own]);
        assert_eq!((shows("back"), shows("night")), (vec![Shows::Nothing], vec![Shows::Nothing]));
    }

    #[test]
    fn wrong_entries_are_complaints() {
        let at = |keys: &str| format!("[[wall.at]]\nfrom='22:00'\n{keys}");
        for (text, wrong) in [
            ("[[wall.at]]\nto='06:00'\nscreen='off'".into(), "c:6:1: [[wall.at]] 1: from is missing, like \"22:00\""),
            (at("screen='off'"), "c:6:1: [[wall.at]] 1: to is missing, like \"06:00\""),
            (at("to='06:00'"), "c:6:1: [[wall.at]] 1: it shows nothing; write wall = \"NAME\" or screen = \"off\""),
            (at("to='22:00'\nscreen='off'"), "c:8:1: [[wall.at]] 1: from and to are the same; write another time"),
            (
                "[[wall.at]]\nfrom='00:00'\nto='0:00'\nscreen='off'".into(),
                "c:8:1: [[wall.at]] 1: from and to are the same; write to = \"24:00\"",
            ),
            (
                at("to='6'\nscreen='off'"),
                "c:8:4: [[wall.at]] 1: to \"6\" is not understood; write a time of day, like \"06:00\"",
            ),
            (
                at("to='06:60'\nscreen='off'"),
                "c:8:4: [[wall.at]] 1: to \"06:60\" is not understood; write a time of day",
            ),
            (at("to='24:01'\nscreen='off'"), "c:8:4: [[wall.at]] 1: to \"24:01\" is not understood"),
            (at("to='6:5'\nscreen='off'"), "c:8:4: [[wall.at]] 1: to \"6:5\" is not understood"),
            (at("to='+6:05'\nscreen='off'"), "c:8:4: [[wall.at]] 1: to \"+6:05\" is not understood"),
            (
                at("to=06:00:00\nscreen='off'"),
                "c:8:4: [[wall.at]] 1: to is not understood; write a time of day, like \"06:00\"",
            ),
            (
                "[[wall.at]]\nfrom='24:00'\nto='06:00'\nscreen='off'".into(),
                "c:7:6: [[wall.at]] 1: from \"24:00\" is not understood",
            ),
            (
                at("to='06:00'\nscreen='dark'"),
                "c:9:8: [[wall.at]] 1: screen \"dark\" is unknown; write \"off\" or \"on\"",
            ),
            (
                at("to='06:00'\nscreen='off'\nwall='night'"),
                "c:9:1: [[wall.at]] 1: wall and screen are both given; keep one",
            ),
            (
                at("to='06:00'\nwall='nigth'"),
                "c:9:6: [[wall.at]] 1: there is no wall \"nigth\"; did you mean \"night\"?",
            ),
            (
                at("to='06:00'\nwall='cellar'"),
                "c:9:6: [[wall.at]] 1: there is no wall \"cellar\"; write the NAME of a [wall.NAME]",
            ),
            (
                "[[wall.night.at]]\nfrom='1:00'\nto='6:00'\nwall='night'".into(),
                "c:9:6: [[wall.night.at]] 1: wall is this wall itself; write screen = \"on\"",
            ),
            (
                at("to='06:00'\nscreen='off'\ndays='mon'"),
                "c:10:6: [[wall.at]] 1: days is a text; write a list of mon, tue",
            ),
            (
                at("to='06:00'\nscreen='off'\ndays=[]"),
                "c:10:6: [[wall.at]] 1: days is an empty list; write a list of mon",
            ),
            (
                at("to='06:00'\nscreen='off'\ndays=['mon', 'Montag']"),
                "c:10:14: [[wall.at]] 1: days holds \"Montag\"; write a list of",
            ),
            (
                at("to='06:00'\nscreen='off'\ndays=[1]"),
                "c:10:7: [[wall.at]] 1: days holds a whole number; write a list of",
            ),
            (
                at("to='06:00'\nscreen='off'\nuntil='x'"),
                "c:10:1: [[wall.at]] 1: unknown key \"until\"; known here are from, to",
            ),
            (
                "[wall.at]\nfrom='22:00'".into(),
                "c:6:7: [[wall.at]]: these form a list; write [[wall.at]], with two brackets",
            ),
        ] {
            let complaints = read(&text).unwrap_err();
            assert!(complaints.len() == 1 && complaints[0].starts_with(wrong), "{text}: {complaints:#?}");
        }
    }
}
