//! `docs/configuration.md`, made from the rows of the table.

use super::{
    key::{Reload, Row, Shape},
    schema::{Form, SECTIONS, SectionRows},
};

/// Columns of prose; rows of tables cannot be wrapped.
const COLUMNS: usize = 100;

const INTRODUCTION: [&str; 3] = [
    "The keys of `cameras.toml`. The [file shipped](../cameras.toml) has an example of each one; `cctv-agent check` \
     reports every mistake in a file. The file is TOML: texts stand in quotation marks, numbers and `true` or `false` \
     do not. A relative path starts at the directory of the file. An unknown key is a mistake.",
    "\"If left out\" says what applies without the key. \"On reload\" says what `cctv-agent reload` does with another \
     value: \"at once\" touches no stream.",
    "<!-- Made from src/config/keys.rs. Do not edit: change the row there, and run\n     \
     CCTV_AGENT_WRITE_REFERENCE=1 cargo test --lib config::reference -->",
];

/// Returns the text of `docs/configuration.md`: every section, and every key with its values, its
/// default and what it does.
pub fn reference() -> String {
    let mut text = "# Configuration\n".to_owned();
    for paragraph in INTRODUCTION {
        let is_comment = paragraph.starts_with("<!--");
        text += &format!("\n{}\n", if is_comment { paragraph.to_owned() } else { wrapped(paragraph) });
    }
    let mut shown: Vec<&[&dyn Row]> = Vec::new();
    for section in SECTIONS {
        text += &format!("\n## {}\n\n{}\n", heading(section), wrapped(section.help));
        text += "\n| key | values | if left out | what it does | on reload |\n|---|---|---|---|---|\n";
        for group in section.groups {
            // A group that two sections share stands below the first one.
            if !shown.iter().any(|other| std::ptr::eq(*other, *group)) {
                shown.push(group);
                text.extend(group.iter().map(|row| line(*row)));
            }
        }
    }
    text
}

fn heading(section: &SectionRows) -> String {
    match section.form {
        Form::Once | Form::List | Form::OnlyNamed => section.head(),
        Form::Named => format!("{}, [{}.NAME]", section.head(), section.name),
    }
}

fn line(row: &dyn Row) -> String {
    let default = row.default().map_or_else(str::to_owned, |value| format!("`{value}`"));
    let reload = match row.reload() {
        Reload::AtOnce => "at once",
        Reload::NewWorkers => "for new workers",
        Reload::SmallStream => "opens the small stream again",
        Reload::Streams => "opens the camera's streams again",
        Reload::Cameras => "adds or removes the camera",
    };
    format!("| `{}` | {} | {default} | {} | {reload} |\n", row.name(), values(&row.shape()), row.help())
}

fn values(shape: &Shape) -> String {
    match shape {
        Shape::Flag => "`true`, `false`".to_owned(),
        Shape::Number { from, to, unit, is_whole, or_zero } => {
            let zero = if *or_zero { "0 or " } else { "" };
            let noun = if *is_whole { "whole number" } else { "number" };
            let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
            format!("{noun}, {zero}{from} to {to}{unit}")
        }
        Shape::OneOf(words) => words.iter().map(|word| format!("`{word:?}`")).collect::<Vec<_>>().join(", "),
        Shape::WordOrRows { words, example } => {
            let words: String = words.iter().map(|word| format!("`{word:?}`, ")).collect();
            format!("{words}or a list of rows, like `{example}`")
        }
        Shape::Text { form, longest, example } => {
            let longest = longest.map_or_else(String::new, |longest| format!(", at most {longest} characters"));
            format!("{form}{longest}, like `{example:?}`")
        }
        Shape::Names { of, longest, example } => {
            format!("table of the numbers of {of} and names of at most {longest} characters, like `{example}`")
        }
        Shape::Parsed { right, example } => format!("{right}, like `{example}`"),
        Shape::List { of, most, example } => format!("list of at most {most} {of}, like `{example}`"),
    }
}

/// Wraps prose at [`COLUMNS`].
fn wrapped(prose: &str) -> String {
    let mut lines = vec![String::new()];
    for word in prose.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= COLUMNS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn page_in_docs_is_made_from_the_table() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
        if std::env::var_os("CCTV_AGENT_WRITE_REFERENCE").is_some() {
            fs::write(&page, reference()).unwrap();
        }
        assert!(
            fs::read_to_string(&page).unwrap_or_default() == reference(),
            "docs/configuration.md differs from src/config/keys.rs; make it again by\n\
             CCTV_AGENT_WRITE_REFERENCE=1 cargo test --lib config::reference"
        );
    }

    #[test]
    fn prose_is_wrapped_and_no_cell_breaks_its_table() {
        for line in reference().lines() {
            match line.strip_prefix('|') {
                Some(cells) => assert_eq!(cells.matches('|').count(), 5, "{line}"),
                None => assert!(line.chars().count() <= COLUMNS, "{line}"),
            }
        }
    }
}
