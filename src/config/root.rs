//! The file as a whole: splits it into its sections.

use toml::de::{DeArray, DeTable, DeValue};

use super::{
    diagnostics::Diagnostics,
    keys, rule_keys,
    schema::{self, Form, SectionRows},
    section::Section,
    server_keys, wall,
    wording::{is_quotable, kind},
};

/// The sections of a file.
#[derive(Default)]
pub(super) struct Root<'t> {
    /// Those that can stand only once.
    single: Vec<Section<'t>>,
    pub(super) users: Vec<Section<'t>>,
    pub(super) cameras: Vec<Section<'t>>,
    /// Each with its name.
    pub(super) templates: Vec<(String, Section<'t>)>,
    pub(super) recorders: Vec<Section<'t>>,
    pub(super) rules: Vec<Section<'t>>,
    pub(super) walls: Vec<wall::Named<'t>>,
}

impl<'t> Root<'t> {
    /// Splits `text`, which [`syntax::readable`] returned, into its sections. Complains about every
    /// section that does not exist or has the wrong kind of head.
    ///
    /// [`syntax::readable`]: super::syntax::readable
    pub(super) fn parse(text: &'t str, diagnostics: &mut Diagnostics<'_>) -> Self {
        let (table, _) = DeTable::parse_recoverable(text);
        let mut root = Self::default();
        for (key, value) in table.into_inner() {
            let (key_at, at) = (key.span().start, value.span().start);
            let name = key.get_ref().as_ref();
            let Some(rows) = schema::section(name) else {
                unknown_at_top(name, value.get_ref(), key_at, diagnostics);
                continue;
            };
            let head = rows.head();
            match (rows.form, value.into_inner()) {
                (Form::Once, DeValue::Table(table)) => root.single.push(Section::new(&head, at, rows, table)),
                (Form::Named, DeValue::Table(table)) => {
                    root.walls = wall::sections(at, table, diagnostics);
                }
                (Form::List, DeValue::Array(list)) if rows.name == schema::USER.name => {
                    root.users = entries(list, rows, server_keys::USER_NAME.name, diagnostics);
                }
                (Form::List, DeValue::Array(list)) if rows.name == schema::RECORDER.name => {
                    root.recorders = entries(list, rows, keys::ID.name, diagnostics);
                }
                (Form::List, DeValue::Array(list)) if rows.name == schema::RULE.name => {
                    root.rules = entries(list, rows, rule_keys::ON.name, diagnostics);
                }
                (Form::List, DeValue::Array(list)) => {
                    root.cameras = entries(list, rows, keys::ID.name, diagnostics);
                }
                (Form::List, DeValue::Table(_)) => {
                    let words = format!("{name}s form a list; write {head}, with two brackets");
                    diagnostics.report(key_at, &format!("[{name}]"), words);
                }
                (Form::OnlyNamed, DeValue::Table(table)) => {
                    root.templates = named(rows, table, diagnostics);
                }
                (Form::Once | Form::Named | Form::OnlyNamed, DeValue::Array(_)) => {
                    let words = format!("this section can occur only once; write {head}, with single brackets");
                    diagnostics.report(key_at, &format!("[{head}]"), words);
                }
                _ => diagnostics.report(key_at, &head, format!("this is a section; write {head} on a line of its own")),
            }
        }
        root.mark_torn(text.len(), diagnostics);
        root
    }

    /// Returns the section with these rows. It has no keys if the file does not have it.
    pub(super) fn section(&mut self, rows: &'static SectionRows) -> Section<'t> {
        let index = self.single.iter().position(|section| section.is_of(rows));
        index.map_or_else(|| Section::absent(rows), |index| self.single.swap_remove(index))
    }

    /// Marks sections with a syntax error. It can hide keys, so they need no complaint about those.
    fn mark_torn(&mut self, end: usize, diagnostics: &Diagnostics<'_>) {
        let walls = self.walls.iter_mut().flat_map(wall::Named::sections);
        let templates = self.templates.iter_mut().map(|(_, section)| section);
        let lists = self.users.iter_mut().chain(&mut self.cameras).chain(&mut self.recorders).chain(&mut self.rules);
        let mut sections: Vec<&mut Section<'_>> =
            self.single.iter_mut().chain(lists).chain(walls).chain(templates).collect();
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

/// Splits a list into its sections, which complaints name by the value of the key `naming`.
fn entries<'t>(
    list: DeArray<'t>,
    rows: &'static SectionRows,
    naming: &str,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<Section<'t>> {
    let noun = rows.name;
    let mut entries = Vec::new();
    for (index, entry) in list.into_iter().enumerate() {
        let at = entry.span().start;
        let number = format!("{noun} {}", index + 1);
        match entry.into_inner() {
            DeValue::Table(table) => {
                let id = table.get(naming).and_then(|id| id.get_ref().as_str()).filter(|id| is_quotable(id));
                let place = id.map_or(number, |id| format!("{noun} {id:?}"));
                entries.push(Section::new(&place, at, rows, table));
            }
            other => {
                let words = format!("this is {}; write a section {}", kind(&other), rows.head());
                diagnostics.report(at, &number, words);
            }
        }
    }
    entries
}

/// Splits a table into its named sections.
fn named<'t>(
    rows: &'static SectionRows,
    table: DeTable<'t>,
    diagnostics: &mut Diagnostics<'_>,
) -> Vec<(String, Section<'t>)> {
    let mut sections = Vec::new();
    for (key, value) in table {
        let (name, key_at, at) = (key.get_ref().to_string(), key.span().start, value.span().start);
        match value.into_inner() {
            DeValue::Table(table) => {
                let shown = if is_quotable(&name) { name.as_str() } else { "…" };
                let place = format!("[{}.{shown}]", rows.name);
                sections.push((name, Section::new(&place, at, rows, table)));
            }
            _ => {
                let words = format!("it has a name; write {}, with the name of a maker for instance", rows.head());
                diagnostics.report(key_at, &format!("[{}]", rows.name), words);
            }
        }
    }
    sections
}

fn unknown_at_top(name: &str, value: &DeValue<'_>, at: usize, diagnostics: &mut Diagnostics<'_>) {
    let is_section =
        value.is_table() || value.as_array().is_some_and(|list| list.iter().any(|e| e.get_ref().is_table()));
    if is_section {
        let hint = match schema::nearest_section(name) {
            Some(near) => format!("did you mean {}?", near.head()),
            None => format!("there are {}", schema::heads("and")),
        };
        diagnostics.report(at, &format!("[{name}]"), format!("unknown section; {hint}"));
    } else {
        let home = schema::homes(name).map_or_else(
            || format!("every key stands below {}", schema::heads("or")),
            |home| format!("it belongs below {home}"),
        );
        diagnostics.report(at, "outside of any section", format!("key {name:?} has no section; {home}"));
    }
}
