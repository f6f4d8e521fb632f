//! Every row of the table against the parser, the differences of a reload and the shipped file.

use super::*;
use crate::config::{
    changes::Changes,
    key::{Reload, Row, Shape},
    schema::{DEFAULTS, SECTIONS, SectionRows},
};

type Setting = (String, String);

/// Returns a file with all sections, and the lines of its camera to be tried in the first one.
fn base() -> Vec<(String, Vec<Setting>)> {
    let settings = |pairs: &[(&str, &str)]| -> Vec<Setting> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let mut file: Vec<_> = SECTIONS.iter().map(|section| (section.head(), Vec::new())).collect();
    for (head, lines) in &mut file {
        match head.as_str() {
            "[defaults]" => *lines = settings(&[("username", "'u'"), ("password", "'p'")]),
            "[tls]" => *lines = settings(&[("certificate", "'a'"), ("key", "'b'")]),
            "[[user]]" => *lines = settings(&[("name", "'chief'"), ("password", &format!("'{}'", hash("AAAA")))]),
            "[[recorder]]" => *lines = settings(&[("id", "'nvr'"), ("ip", "'10.0.0.9'"), ("channels", "'3'")]),
            "[[rule]]" => *lines = settings(&[("on", "'gate:lost'"), ("from", "'01:00'"), ("to", "'02:00'")]),
            "[mqtt]" => {
                *lines = settings(&[
                    ("broker", "'mqtts://10.0.0.8'"),
                    ("fingerprint", &format!("'{}'", "ab".repeat(32))),
                    ("username", "'u'"),
                    ("password", "'p'"),
                ]);
            }
            "[[wall.at]]" => *lines = settings(&[("from", "'01:00'"), ("to", "'02:00'"), ("screen", "'off'")]),
            "[[camera]]" => *lines = settings(&[("id", "'yard'"), ("ip", "'10.0.0.1'")]),
            _ => {}
        }
    }
    file.push(("[wall.hall]".into(), settings(&[("cameras", "['gate']")])));
    file.push(("[[camera]]".into(), settings(&[("id", "'gate'"), ("ip", "'10.0.0.2'")])));
    file.push(("[[camera]]".into(), settings(&[("id", "'porch'"), ("ip", "'10.0.0.3'")])));
    file
}

/// The hash of some password with this beginning of its salt.
fn hash(salt: &str) -> String {
    format!("$argon2id$v=19$m=19456,t=2,p=1${salt}ZXNhbHRzb21lc2FsdA$UMDl5Bt7SgfiJQPBnFqz0FvUGLtZQR1wJ7VHUoPbAgY")
}

fn text(file: &[(String, Vec<Setting>)]) -> String {
    let section = |(head, lines): &(String, Vec<Setting>)| {
        let lines: String = lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        format!("{head}\n{lines}")
    };
    file.iter().map(section).collect()
}

/// Returns the base file with this value of `row` in `section`.
fn with(section: &SectionRows, row: &dyn Row, value: &str) -> String {
    let mut file = base();
    let (_, lines) = file.iter_mut().find(|(head, _)| *head == section.head()).unwrap();
    // These cannot stand next to another key of the base file.
    let replaced = match (section.head().as_str(), row.name()) {
        ("[[camera]]", "url" | "snapshot_url") => "ip",
        ("[[user]]", "token") => "password",
        ("[[wall.at]]", "wall") => "screen",
        ("[defaults]" | "[template.NAME]" | "[[camera]]" | "[[recorder]]" | "[mqtt]", "password_file") => "password",
        (_, name) => name,
    };
    lines.retain(|(key, _)| key != replaced);
    lines.push((row.name().to_owned(), value.to_owned()));
    // A rule that looks back needs a past.
    if value.contains("look_back") {
        let (_, limits) = file.iter_mut().find(|(head, _)| head == "[limits]").unwrap();
        limits.push(("look_back".into(), "60".into()));
    }
    text(&file)
}

fn every_row() -> Vec<(&'static SectionRows, &'static dyn Row)> {
    let rows: Vec<_> = SECTIONS.into_iter().flat_map(|section| section.rows().map(move |row| (section, row))).collect();
    assert!(rows.len() > 40, "{} rows", rows.len());
    rows
}

/// Values that the key takes; at least one is not its default.
fn samples(row: &dyn Row) -> Vec<String> {
    match row.shape() {
        // The base file has a camera of the name in the example.
        _ if row.name() == "id" => vec!["'hall'".into()],
        Shape::Flag => vec!["true".into(), "false".into()],
        Shape::Number { from, to, or_zero, .. } => {
            let zero = or_zero.then(|| "0".to_owned());
            [from, to].into_iter().chain(zero).collect()
        }
        Shape::OneOf(words) => words.iter().map(|word| format!("{word:?}")).collect(),
        Shape::WordOrRows { words, example } => {
            words.iter().map(|word| format!("{word:?}")).chain([example.to_owned()]).collect()
        }
        Shape::Text { example, .. } => vec![format!("{example:?}")],
        // The base file has channel 3.
        Shape::Names { .. } => vec!["{ 3 = 'Gate' }".into()],
        Shape::List { example, .. } | Shape::Parsed { example, .. } => vec![example.to_owned()],
    }
}

/// Values that the key does not take, each with a part of the complaint.
fn mistakes(key: &str, shape: &Shape) -> Vec<(String, String)> {
    match shape {
        Shape::Flag => vec![("1".into(), format!("{key} is a whole number; write true or false"))],
        Shape::Number { from, to, is_whole: true, or_zero, .. } => {
            let (least, to) = (if *or_zero { 0 } else { from.parse::<i64>().unwrap() }, to.parse::<i64>().unwrap());
            let right = format!("write a whole number from {least} to {to}");
            let outside = [least - 1, to + 1].map(|number| (number.to_string(), format!("{key} is {number}; {right}")));
            let mut mistakes = outside.to_vec();
            mistakes.push(("'x'".into(), format!("{key} is a text; {right}, without quotation marks")));
            mistakes
        }
        Shape::Number { from, to, .. } => {
            let (from, to) = (from.parse::<f64>().unwrap(), to.parse::<f64>().unwrap());
            let right = format!("write a number from {from:?} to {to:?}");
            [from - 0.5, to + 0.5].map(|number| (number.to_string(), format!("{key} is {number}; {right}"))).to_vec()
        }
        Shape::OneOf(words) => words.iter().map(|word| ("'neither'".to_owned(), format!("{word:?}"))).collect(),
        Shape::WordOrRows { words, example } => {
            let mistakes = words.iter().map(|word| ("'neither'".to_owned(), format!("{word:?}")));
            mistakes.chain([("true".to_owned(), format!("or rows like {example}"))]).collect()
        }
        Shape::Text { longest, example, .. } => {
            let right = format!("{key} is a whole number; write a text in quotation marks, like {example:?}");
            let too_long = longest
                .map(|longest| (format!("'{}'", "x".repeat(longest + 1)), format!("{key} is longer than {longest}")));
            std::iter::once(("7".to_owned(), right)).chain(too_long).collect()
        }
        Shape::Names { .. } => vec![
            ("7".into(), format!("{key} is a whole number; write a table like")),
            ("{ 3 = 7 }".into(), format!("{key} has a value that is no name")),
            ("{ 4 = 'x' }".into(), format!("{key} has a name for \"4\"")),
        ],
        Shape::List { .. } => vec![("7".into(), format!("{key} is a whole number"))],
        Shape::Parsed { right, .. } => {
            ["7", "'x'"].map(|value| (value.to_owned(), format!("; write {right}"))).to_vec()
        }
    }
}

#[test]
fn every_default_is_the_same_as_no_key() {
    let without = parsed(&text(&base()));
    for (section, row) in every_row() {
        if let Ok(default) = row.default() {
            assert_eq!(parsed(&with(section, row, &default)), without, "{} = {default}", row.name());
        }
    }
}

#[test]
fn every_key_reaches_the_configuration_and_a_reload_does_what_its_row_says() {
    let without = parsed(&text(&base()));
    // Those of a template are tested in `template.rs`.
    let is_of_template = |section: &SectionRows, row: &dyn Row| {
        section.name == "template" || ["template", "channel", "small_url"].contains(&row.name())
    };
    for (section, row) in every_row().into_iter().filter(|(section, row)| !is_of_template(section, *row)) {
        let values = samples(row).into_iter().map(|value| parsed(&with(section, row, &value)));
        let others: Vec<Config> = values.filter(|config| *config != without).collect();
        assert!(!others.is_empty(), "{} {} is not read", section.head(), row.name());
        for other in others {
            let changes = Changes::between(&without, &other);
            let touched = (
                !changes.small_changed.is_empty(),
                !changes.reconnect.is_empty(),
                !(changes.added.is_empty() && changes.removed.is_empty()),
            );
            let expected = match row.reload() {
                Reload::AtOnce | Reload::NewWorkers => (false, false, false),
                Reload::SmallStream => (true, false, false),
                Reload::Streams => (false, true, false),
                Reload::Cameras => (false, false, true),
            };
            assert!(touched == expected && !changes.is_empty(), "{} {}: {changes}", section.head(), row.name());
        }
    }
}

#[test]
fn every_key_refuses_other_values_and_says_what_is_right() {
    for (section, row) in every_row() {
        for (value, wrong) in mistakes(row.name(), &row.shape()) {
            // `complaints` leaves out the directory of the file.
            let wrong = wrong.replace("/etc/cctv-agent/", "");
            let all = complaints(&with(section, row, &value));
            assert!(all.len() == 1 && all[0].contains(&wrong), "{} = {value}: {all:#?}\nnot {wrong}", row.name());
        }
    }
}

#[test]
fn every_habit_from_other_programs_finds_its_key() {
    for (section, row) in every_row() {
        for alias in row.aliases() {
            assert!(!section.has(alias), "{alias} is a key of {} itself", section.head());
            assert_eq!(section.nearest(alias), Some(row.name()), "{alias} in {}", section.head());
        }
    }
}

#[test]
fn every_key_in_the_wrong_section_is_sent_to_its_own() {
    for (home, row) in every_row() {
        for section in SECTIONS.into_iter().filter(|section| !section.has(row.name())) {
            let all = complaints(&with(section, row, "1"));
            let wrong = format!("unknown key {:?}; it belongs below ", row.name());
            assert!(all.len() == 1 && all[0].contains(&wrong) && all[0].contains(&home.head()), "{all:#?}");
        }
    }
}

#[test]
fn every_key_stands_once_in_its_section() {
    for section in SECTIONS {
        let mut names: Vec<_> = section.rows().map(Row::name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }
}

/// A block of lines of the shipped file without an empty line.
struct Block {
    /// The head of the section in which it stands.
    head: String,
    notes: String,
    examples: Vec<Setting>,
}

fn shipped_blocks() -> Vec<Block> {
    let mut head = String::new();
    let mut blocks = Vec::new();
    for paragraph in SHIPPED.split("\n\n") {
        let mut block = Block { head: head.clone(), notes: String::new(), examples: Vec::new() };
        for line in paragraph.lines() {
            let bare = line.strip_prefix('#').unwrap_or(line);
            if line.starts_with("# ") {
                block.notes += &line[1..];
            } else if bare.starts_with('[') {
                head = if bare.starts_with("[template.") { "[template.NAME]".into() } else { bare.to_owned() };
                block.head.clone_from(&head);
            } else if let Some((key, value)) = bare.split_once(" = ") {
                block.examples.push((key.to_owned(), value.to_owned()));
            }
        }
        blocks.push(block);
    }
    blocks
}

#[test]
fn shipped_file_explains_every_key_with_its_range_and_shows_its_default() {
    let blocks = shipped_blocks();
    for (section, row) in every_row() {
        // What all cameras have in common is explained once, in [defaults].
        let is_common = DEFAULTS.rows().any(|common| std::ptr::addr_eq(common, row));
        let head = if is_common { DEFAULTS.head() } else { section.head() };
        let is_example = |block: &&Block| block.head == head && block.examples.iter().any(|(key, _)| key == row.name());
        let block = blocks.iter().find(is_example).unwrap_or_else(|| panic!("{head} has no example of {}", row.name()));
        let words: Vec<_> = block.notes.split(|c: char| c.is_whitespace() || ",;:.\"()".contains(c)).collect();
        assert!(words.len() > 5, "{} has no explanation", row.name());
        let missing: Vec<String> = match row.shape() {
            Shape::Number { from, to, .. } => vec![from, to],
            Shape::OneOf(words) => words.into_iter().map(str::to_owned).collect(),
            Shape::WordOrRows { words, .. } => words.iter().copied().map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let missing: Vec<_> = missing.into_iter().filter(|word| !words.contains(&word.as_str())).collect();
        assert!(missing.is_empty(), "the explanation of {} does not name {missing:?}", row.name());
        let (_, shown) = block.examples.iter().find(|(key, _)| key == row.name()).unwrap();
        if let Ok(default) = row.default() {
            assert_eq!(*shown, default, "the example of {} is not its default", row.name());
        }
    }
}

#[test]
fn shipped_file_has_no_other_keys() {
    let known = every_row();
    for block in shipped_blocks() {
        for (key, _) in &block.examples {
            let head = if block.head.starts_with("[wall.") { "[wall]" } else { &block.head };
            assert!(known.iter().any(|(section, row)| section.head() == head && row.name() == key), "{head} {key}");
        }
    }
}
