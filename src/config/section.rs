//! One section of the file and its typed values, with a complaint for each wrong value.

use std::{
    fmt::Display,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{camera, credentials, diagnostics::Diagnostics, limits, suggest, wall, watchdog};

/// A value and the byte at which it begins.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) at: usize,
    pub(super) value: T,
}

/// The sections of a file.
pub(super) struct Root<'t> {
    pub(super) server: Option<Section<'t>>,
    pub(super) defaults: Option<Section<'t>>,
    pub(super) limits: Option<Section<'t>>,
    pub(super) watchdog: Option<Section<'t>>,
    pub(super) cameras: Vec<Section<'t>>,
    pub(super) walls: Vec<wall::Named<'t>>,
}

/// One `[server]`, `[defaults]`, `[limits]`, `[watchdog]`, `[wall]` or `[[camera]]`.
pub(super) struct Section<'t> {
    /// The name of the section in complaints.
    pub(super) place: String,
    /// The byte at which its head begins.
    pub(super) at: usize,
    /// Whether a syntax error in the section may hide some of its keys.
    has_syntax_error: bool,
    /// The keys that are valid here.
    known: &'static [&'static str],
    table: DeTable<'t>,
}

const SECTIONS: &[&str] = &["server", "defaults", "limits", "watchdog", "wall", "camera"];

/// The same, as they are written.
const HEADS: &str = "[server], [defaults], [limits], [watchdog], [wall]";

impl<'t> Root<'t> {
    /// Splits `text`, which [`syntax::readable`] returned, into its sections. Complains about every
    /// section that does not exist or has the wrong kind of head.
    pub(super) fn parse(text: &'t str, diagnostics: &mut Diagnostics<'_>) -> Self {
        let (table, _) = DeTable::parse_recoverable(text);
        let mut root =
            Self { server: None, defaults: None, limits: None, watchdog: None, cameras: Vec::new(), walls: Vec::new() };
        for (key, value) in table.into_inner() {
            let (key_at, at) = (key.span().start, value.span().start);
            match (key.get_ref().as_ref(), value.into_inner()) {
                ("server", DeValue::Table(table)) => {
                    root.server = Some(Section::new("[server]", at, super::SERVER_KEYS, table))
                }
                ("defaults", DeValue::Table(table)) => {
                    root.defaults = Some(Section::new("[defaults]", at, camera::DEFAULTS_KEYS, table))
                }
                ("limits", DeValue::Table(table)) => {
                    root.limits = Some(Section::new("[limits]", at, limits::LIMITS_KEYS, table))
                }
                ("watchdog", DeValue::Table(table)) => {
                    root.watchdog = Some(Section::new("[watchdog]", at, watchdog::WATCHDOG_KEYS, table))
                }
                ("wall", DeValue::Table(table)) => root.walls = wall::sections(at, table),
                ("camera", DeValue::Array(list)) => root.cameras = cameras(list, diagnostics),
                ("camera", DeValue::Table(_)) => {
                    diagnostics.report(key_at, "[camera]", "cameras form a list; write [[camera]], with two brackets");
                }
                (name @ ("server" | "defaults" | "limits" | "watchdog" | "wall"), DeValue::Array(_)) => {
                    let words = format!("this section can occur only once; write [{name}], with single brackets");
                    diagnostics.report(key_at, &format!("[[{name}]]"), words);
                }
                (name, _) if SECTIONS.contains(&name) => {
                    let head = if name == "camera" { "[[camera]]" } else { &format!("[{name}]") };
                    diagnostics.report(key_at, head, format!("this is a section; write {head} on a line of its own"));
                }
                (unknown, value) => unknown_at_top(unknown, &value, key_at, diagnostics),
            }
        }
        root.mark_torn(text.len(), diagnostics);
        root
    }

    /// Marks sections with a syntax error. It can hide keys, so they need no complaint about those.
    fn mark_torn(&mut self, end: usize, diagnostics: &Diagnostics<'_>) {
        let single = self.server.iter_mut().chain(&mut self.defaults).chain(&mut self.limits).chain(&mut self.watchdog);
        let walls = self.walls.iter_mut().map(|wall| &mut wall.section);
        let mut sections: Vec<&mut Section<'_>> = single.chain(&mut self.cameras).chain(walls).collect();
        sections.sort_by_key(|section| section.at);
        let starts: Vec<usize> = sections.iter().map(|section| section.at).collect();
        for (index, section) in sections.into_iter().enumerate() {
            let last = starts.get(index + 1).is_none();
            let next = starts.get(index + 1).copied().unwrap_or(end);
            // The last section ends with the file, and the last line of the file belongs to it.
            section.has_syntax_error =
                diagnostics.is_broken_between(section.at, next) || (last && diagnostics.is_broken_between(end, end));
        }
    }
}

fn cameras<'t>(list: toml::de::DeArray<'t>, diagnostics: &mut Diagnostics<'_>) -> Vec<Section<'t>> {
    let mut cameras = Vec::new();
    for (index, entry) in list.into_iter().enumerate() {
        let at = entry.span().start;
        let number = format!("camera {}", index + 1);
        match entry.into_inner() {
            DeValue::Table(table) => {
                let id = table.get("id").and_then(|id| id.get_ref().as_str()).filter(|id| credentials::is_quotable(id));
                let place = id.map_or(number, |id| format!("camera {id:?}"));
                cameras.push(Section::new(&place, at, camera::CAMERA_KEYS, table));
            }
            other => {
                let words = format!("this is {}; write a section [[camera]]", kind(&other));
                diagnostics.report(at, &number, words);
            }
        }
    }
    cameras
}

fn unknown_at_top(name: &str, value: &DeValue<'_>, at: usize, diagnostics: &mut Diagnostics<'_>) {
    let is_section =
        value.is_table() || value.as_array().is_some_and(|list| list.iter().any(|e| e.get_ref().is_table()));
    if is_section {
        let place = format!("[{name}]");
        match suggest::nearest(name, SECTIONS) {
            Some("camera") => diagnostics.report(at, &place, "unknown section; did you mean [[camera]]?"),
            Some(near) => diagnostics.report(at, &place, format!("unknown section; did you mean [{near}]?")),
            None => {
                diagnostics.report(at, &place, format!("unknown section; there are {HEADS} and [[camera]]"));
            }
        }
    } else {
        let home = section_of_key(name).map_or_else(
            || format!("every key stands below {HEADS} or [[camera]]"),
            |home| format!("it belongs below {home}"),
        );
        diagnostics.report(at, "outside of any section", format!("key {name:?} has no section; {home}"));
    }
}

/// Returns the section that has a key named `name`.
fn section_of_key(name: &str) -> Option<&'static str> {
    if super::SERVER_KEYS.contains(&name) {
        Some("[server]")
    } else if camera::DEFAULTS_KEYS.contains(&name) {
        Some("[defaults] or [[camera]]")
    } else if limits::LIMITS_KEYS.contains(&name) {
        Some("[limits]")
    } else if watchdog::WATCHDOG_KEYS.contains(&name) {
        Some("[watchdog]")
    } else if wall::WALL_KEYS.contains(&name) {
        Some("[wall]")
    } else {
        camera::CAMERA_KEYS.contains(&name).then_some("[[camera]]")
    }
}

impl<'t> Section<'t> {
    pub(super) fn new(place: &str, at: usize, known: &'static [&'static str], table: DeTable<'t>) -> Self {
        Self { place: place.to_owned(), at, has_syntax_error: false, known, table }
    }

    pub(super) fn report(&self, at: usize, text: impl Display, diagnostics: &mut Diagnostics<'_>) {
        diagnostics.report(at, &self.place, text);
    }

    /// Returns the byte at which `key` itself begins, if it is present, with any value.
    pub(super) fn key_at(&self, key: &str) -> Option<usize> {
        self.table.get_key_value(key).map(|(key, _)| key.span().start)
    }

    /// Whether none of `keys` is here: not written correctly, not misspelled, and not possibly
    /// hidden by a syntax error. Each of these cases has a complaint of its own.
    pub(super) fn lacks(&self, keys: &[&str]) -> bool {
        let meant = |written: &str| {
            let exact = self.known.iter().copied().find(|known| *known == written);
            exact.or_else(|| suggest::nearest(written, self.known))
        };
        !self.has_syntax_error
            && !self.table.keys().filter_map(|key| meant(key.get_ref())).any(|key| keys.contains(&key))
    }

    /// Complains about every key that is not valid here.
    pub(super) fn refuse_unknown(&self, diagnostics: &mut Diagnostics<'_>) {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            let hint = match (section_of_key(name), suggest::nearest(name, self.known)) {
                (Some(home), _) => format!("it belongs below {home}"),
                (None, Some(near)) => format!("did you mean {near:?}?"),
                (None, None) => format!("known here are {}", self.known.join(", ")),
            };
            let name =
                if credentials::is_quotable(name) { format!("unknown key {name:?}") } else { "unknown key".into() };
            self.report(key.span().start, format!("{name}; {hint}"), diagnostics);
        }
    }

    pub(super) fn value(&self, key: &str) -> Option<&Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    fn wrong_kind(&self, key: &str, value: &Spanned<DeValue<'_>>, right: &str, diagnostics: &mut Diagnostics<'_>) {
        self.report(value.span().start, format!("{key} is {}; write {right}", kind(value.get_ref())), diagnostics);
    }

    /// Returns the text of `key`. `example` is a correct value for the complaint.
    pub(super) fn text(&self, key: &str, example: &str, diagnostics: &mut Diagnostics<'_>) -> Option<Located<String>> {
        let value = self.value(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_kind(key, value, &format!("a text in quotation marks, like {example:?}"), diagnostics);
            return None;
        };
        Some(Located { at: value.span().start, value: text.to_owned() })
    }

    /// Like [`Self::text`], but the text must not be empty, must not be longer than `longest`
    /// characters, and must hold no control characters.
    pub(super) fn words(
        &self,
        key: &str,
        example: &str,
        longest: usize,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<Located<String>> {
        let text = self.text(key, example, diagnostics)?;
        let wrong = if text.value.trim().is_empty() {
            "is empty".to_owned()
        } else if text.value.chars().any(char::is_control) {
            "holds a line break or another control character".to_owned()
        } else if text.value.chars().count() > longest {
            format!("is longer than {longest} characters")
        } else {
            return Some(text);
        };
        self.report(
            text.at,
            format!("{key} {wrong}; write something like {example:?}, or leave the key out"),
            diagnostics,
        );
        None
    }

    /// Returns a path; a relative one starts at `base`.
    pub(super) fn path(&self, key: &str, base: &Path, diagnostics: &mut Diagnostics<'_>) -> Option<PathBuf> {
        let example = format!("/var/lib/{key}");
        self.words(key, &example, 4096, diagnostics).map(|text| base.join(text.value))
    }

    pub(super) fn flag(&self, key: &str, diagnostics: &mut Diagnostics<'_>) -> Option<bool> {
        let value = self.value(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        self.wrong_kind(key, value, "true or false, without quotation marks", diagnostics);
        None
    }

    /// Returns a whole number within `range`; `T` must hold the range.
    pub(super) fn whole<T: TryFrom<i64>>(
        &self,
        key: &str,
        range: RangeInclusive<i64>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let right = format!("a whole number from {} to {}", range.start(), range.end());
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_kind(key, value, &format!("{right}, without quotation marks"), diagnostics);
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let fitting = number.filter(|number| range.contains(number)).and_then(|number| T::try_from(number).ok());
        if fitting.is_none() {
            self.report(value.span().start, format!("{key} is {integer}; write {right}"), diagnostics);
        }
        fitting
    }

    /// Returns a number within `range`, with or without a fraction.
    pub(super) fn number(
        &self,
        key: &str,
        range: RangeInclusive<f64>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<f64> {
        let value = self.value(key)?;
        let right = format!("a number from {:?} to {:?}", range.start(), range.end());
        let written = match value.get_ref() {
            DeValue::Float(float) => float.as_str().to_owned(),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map_or_else(|_| integer.to_string(), |number| number.to_string()),
            _ => {
                self.wrong_kind(key, value, &format!("{right}, without quotation marks"), diagnostics);
                return None;
            }
        };
        let fitting = written.parse().ok().filter(|number| range.contains(number));
        if fitting.is_none() {
            self.report(value.span().start, format!("{key} is {written}; write {right}"), diagnostics);
        }
        fitting
    }
}

/// Names the type of a value in plain words.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(true) => "true",
        DeValue::Boolean(false) => "false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}
