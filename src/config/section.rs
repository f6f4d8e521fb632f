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

use super::{
    diagnostics::Diagnostics,
    key::{
        DefaultValue, FilePath, Flag, Key, Line, MAX_PATH_LEN, Names, Number, OneOf, PageWord, Row, SecondsOrNever,
        Text, Whole, Words,
    },
    number::{whole_number, written_number},
    parsed::Parsed,
    schema::{self, SectionRows},
    wording::{kind, quoted},
};

/// A value and the byte at which it begins.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) at: usize,
    pub(super) value: T,
}

/// One `[server]`, `[defaults]`, `[limits]`, `[watchdog]`, `[wall]` or `[[camera]]`.
pub(super) struct Section<'t> {
    /// The name of the section in complaints.
    pub(super) place: String,
    /// The byte at which its head begins.
    pub(super) at: usize,
    /// Whether a syntax error in the section may hide some of its keys.
    pub(super) has_syntax_error: bool,
    /// Whether the file has the section, perhaps without keys.
    pub(super) is_written: bool,
    /// The keys that are valid here.
    rows: &'static SectionRows,
    table: DeTable<'t>,
}

impl<'t> Section<'t> {
    pub(super) fn new(place: &str, at: usize, rows: &'static SectionRows, table: DeTable<'t>) -> Self {
        Self { place: place.to_owned(), at, has_syntax_error: false, is_written: true, rows, table }
    }

    /// A section without keys: what applies if the file does not have it.
    pub(super) fn absent(rows: &'static SectionRows) -> Self {
        Self { is_written: false, ..Self::new(&rows.head(), 0, rows, DeTable::new()) }
    }

    pub(super) fn is_of(&self, rows: &SectionRows) -> bool {
        self.rows.name == rows.name
    }

    pub(super) fn report(&self, at: usize, text: impl Display, diagnostics: &mut Diagnostics<'_>) {
        diagnostics.report(at, &self.place, text);
    }

    /// Returns the byte at which `key` itself begins, if it is present and valid here, with any value.
    pub(super) fn key_at(&self, key: &dyn Row) -> Option<usize> {
        self.table.get_key_value(key.name()).filter(|_| self.rows.has(key.name())).map(|(key, _)| key.span().start)
    }

    /// Whether none of `keys` is here: not written correctly, not misspelled, and not possibly
    /// hidden by a syntax error. Each of these cases has a complaint of its own.
    pub(super) fn lacks(&self, keys: &[&dyn Row]) -> bool {
        let is_meant = |written: &str| {
            let meant = if self.rows.has(written) { Some(written) } else { self.rows.nearest(written) };
            keys.iter().any(|key| Some(key.name()) == meant)
        };
        !self.has_syntax_error && !self.table.keys().any(|key| is_meant(key.get_ref()))
    }

    /// Complains about every key that is not valid here.
    pub(super) fn refuse_unknown(&self, diagnostics: &mut Diagnostics<'_>) {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if self.rows.has(name) {
                continue;
            }
            let hint = match (schema::homes(name), self.rows.nearest(name)) {
                (Some(home), _) => format!("it belongs below {home}"),
                (None, Some(near)) => format!("did you mean {near:?}?"),
                (None, None) => {
                    let known: Vec<_> = self.rows.rows().map(Row::name).collect();
                    format!("known here are {}", known.join(", "))
                }
            };
            self.report(key.span().start, format!("unknown key{}; {hint}", quoted(name)), diagnostics);
        }
    }

    /// Returns the value of `key`; `None` if it is not here, or not valid here.
    pub(super) fn value(&self, key: &dyn Row) -> Option<&Spanned<DeValue<'t>>> {
        self.table.get(key.name()).filter(|_| self.rows.has(key.name()))
    }

    fn wrong_kind(&self, key: &str, value: &Spanned<DeValue<'_>>, right: &str, diagnostics: &mut Diagnostics<'_>) {
        self.report(value.span().start, format!("{key} is {}; write {right}", kind(value.get_ref())), diagnostics);
    }

    /// Returns the text of `key`, which is not checked further.
    pub(super) fn text<D: DefaultValue>(
        &self,
        key: &Key<Text, D>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<Located<String>> {
        self.any_text(key, key.values.example, diagnostics)
    }

    /// Returns the text of `key`. `example` is a correct value for the complaint.
    fn any_text(&self, key: &dyn Row, example: &str, diagnostics: &mut Diagnostics<'_>) -> Option<Located<String>> {
        let value = self.value(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_kind(key.name(), value, &format!("a text in quotation marks, like {example:?}"), diagnostics);
            return None;
        };
        Some(Located { at: value.span().start, value: text.to_owned() })
    }

    /// Returns the text of `key`; complaints do not quote it.
    pub(super) fn line<D: DefaultValue>(
        &self,
        key: &Key<Line, D>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<Located<String>> {
        let Line { longest, example } = key.values;
        let text = self.any_text(key, example, diagnostics)?;
        let wrong = if text.value.chars().any(char::is_control) {
            "holds a line break or another control character; write one line without them".to_owned()
        } else if text.value.chars().count() > longest {
            format!("is longer than {longest} characters; write a shorter one")
        } else {
            return Some(text);
        };
        self.report(text.at, format!("{} {wrong}", key.name), diagnostics);
        None
    }

    pub(super) fn words<D: DefaultValue>(
        &self,
        key: &Key<Words, D>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<String> {
        let Words { longest, example } = key.values;
        self.some_text(key, example, longest, diagnostics)
    }

    /// Returns a path; a relative one starts at `base`.
    pub(super) fn path<D: DefaultValue>(
        &self,
        key: &Key<FilePath, D>,
        base: &Path,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<PathBuf> {
        self.some_text(key, key.values.example, MAX_PATH_LEN, diagnostics).map(|text| base.join(text))
    }

    /// Returns a text of one line that is not empty.
    fn some_text(
        &self,
        key: &dyn Row,
        example: &str,
        longest: usize,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<String> {
        let Located { at, value } = self.any_text(key, example, diagnostics)?;
        let wrong = if value.trim().is_empty() {
            "is empty".to_owned()
        } else if value.chars().any(char::is_control) {
            "holds a line break or another control character".to_owned()
        } else if value.chars().count() > longest {
            format!("is longer than {longest} characters")
        } else {
            return Some(value);
        };
        let right = format!("write something like {example:?}, or leave the key out");
        self.report(at, format!("{} {wrong}; {right}", key.name()), diagnostics);
        None
    }

    /// Returns what the word of `key` means.
    pub(super) fn one_of<T: Copy + Sync, D: DefaultValue>(
        &self,
        key: &Key<OneOf<T>, D>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<Located<T>> {
        let OneOf(words) = key.values;
        let example = words.first().map_or("", |(word, _)| word);
        let Located { at, value: written } = self.any_text(key, example, diagnostics)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == written) {
            return Some(Located { at, value: *value });
        }
        let all: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        let wrong = format!("{}{} is unknown; write {}", key.name, quoted(&written), all.join(" or "));
        self.report(at, wrong, diagnostics);
        None
    }

    pub(super) fn flag<D: DefaultValue>(&self, key: &Key<Flag, D>, diagnostics: &mut Diagnostics<'_>) -> Option<bool> {
        let value = self.value(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        self.wrong_kind(key.name, value, "true or false, without quotation marks", diagnostics);
        None
    }

    pub(super) fn whole<T, D: DefaultValue>(
        &self,
        key: &Key<Whole<T>, D>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<T>
    where
        T: Copy + Display + PartialOrd + Sync + TryFrom<i64>,
    {
        let Whole { from, to, .. } = key.values;
        self.integer(key, from..=to, diagnostics)
    }

    /// Like [`Self::whole`]; the default if the key is absent or has a complaint.
    pub(super) fn whole_or_default<T>(&self, key: &Key<Whole<T>, T>, diagnostics: &mut Diagnostics<'_>) -> T
    where
        T: Copy + DefaultValue + Display + PartialOrd + TryFrom<i64>,
    {
        self.whole(key, diagnostics).unwrap_or(key.default)
    }

    /// Returns a number of seconds; 0 means never.
    pub(super) fn seconds_or_never<D: DefaultValue>(
        &self,
        key: &Key<SecondsOrNever, D>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<u32> {
        let SecondsOrNever { from, to } = key.values;
        let seconds = self.integer(key, 0..=to, diagnostics)?;
        if (1..from).contains(&seconds) {
            let at = self.value(key).map_or(self.at, |value| value.span().start);
            let right = format!("write {from} seconds or more, or 0 for never");
            self.report(at, format!("{} is {seconds}, too short to look at; {right}", key.name), diagnostics);
            return None;
        }
        Some(seconds)
    }

    fn integer<T: Display + PartialOrd + TryFrom<i64>>(
        &self,
        key: &dyn Row,
        range: RangeInclusive<T>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<T> {
        let (key, value) = (key.name(), self.value(key)?);
        let right = format!("a whole number from {} to {}", range.start(), range.end());
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_kind(key, value, &format!("{right}, without quotation marks"), diagnostics);
            return None;
        };
        let fitting =
            whole_number(integer).and_then(|number| T::try_from(number).ok()).filter(|number| range.contains(number));
        if fitting.is_none() {
            self.report(value.span().start, format!("{key} is {integer}; write {right}"), diagnostics);
        }
        fitting
    }

    pub(super) fn number<D: DefaultValue>(
        &self,
        key: &Key<Number, D>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<f64> {
        let Number { from, to, .. } = key.values;
        let (key, value) = (key.name, self.value(key)?);
        let right = format!("a number from {from:?} to {to:?}");
        let Some(written) = written_number(value.get_ref()) else {
            self.wrong_kind(key, value, &format!("{right}, without quotation marks"), diagnostics);
            return None;
        };
        let fitting = written.parse().ok().filter(|number| (from..=to).contains(number));
        if fitting.is_none() {
            self.report(value.span().start, format!("{key} is {written}; write {right}"), diagnostics);
        }
        fitting
    }

    /// Returns what the value of `key` means.
    pub(super) fn parsed<T, D: DefaultValue>(
        &self,
        key: &Key<Parsed<T>, D>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let parsed = (key.values.parse)(value.get_ref());
        if parsed.is_none() {
            let written = value.get_ref().as_str().map_or_else(String::new, quoted);
            let Parsed { right, example, .. } = key.values;
            let words = format!("{}{written} is not understood; write {right}, like {example}", key.name);
            self.report(value.span().start, words, diagnostics);
        }
        parsed
    }

    /// Returns each number in the table of `key` as it is written, with its name.
    pub(super) fn names<D: DefaultValue>(
        &self,
        key: &Key<Names, D>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Vec<Located<(String, String)>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Names { longest, example, .. } = key.values;
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_kind(key.name, value, &format!("a table like {example}"), diagnostics);
            return Vec::new();
        };
        let mut names = Vec::new();
        for (number, name) in table {
            let at = name.span().start;
            match name.get_ref().as_str() {
                Some(text) if is_name(text, longest) => {
                    let value = (number.get_ref().to_string(), text.to_owned());
                    names.push(Located { at: number.span().start, value });
                }
                _ => {
                    let right = format!("write texts of one line and at most {longest} characters, like {example}");
                    self.report(at, format!("{} has a value that is no name; {right}", key.name), diagnostics);
                }
            }
        }
        names
    }

    /// Returns the text of `key`, which is a word for the page.
    pub(super) fn page_word<D: DefaultValue>(
        &self,
        key: &Key<PageWord, D>,
        diagnostics: &mut Diagnostics<'_>,
    ) -> Option<Located<String>> {
        let example = key.values.0.last().copied().unwrap_or_default();
        self.any_text(key, example, diagnostics)
    }
}

/// Whether `text` is of one line, and neither empty nor too long.
fn is_name(text: &str, longest: usize) -> bool {
    !text.trim().is_empty() && !text.chars().any(char::is_control) && text.chars().count() <= longest
}
