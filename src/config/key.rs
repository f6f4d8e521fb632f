//! One key of the file as a row of a table: its name, the values that it takes, its default, and
//! one line about what it does. `keys.rs` holds the rows.

use std::{fmt::Display, net::SocketAddr};

/// A row: a key that takes the values of `V`. `D` is the type of its default, or [`Unset`].
pub(super) struct Key<V, D> {
    pub(super) name: &'static str,
    pub(super) values: V,
    pub(super) default: D,
    help: &'static str,
    aliases: &'static [&'static str],
    reload: Reload,
}

/// Returns the row of a key that a reload applies at once. `help` is one line of Markdown.
pub(super) const fn key<V: Copy, D: Copy>(name: &'static str, values: V, default: D, help: &'static str) -> Key<V, D> {
    Key { name, values, default, help, aliases: &[], reload: Reload::AtOnce }
}

impl<V: Copy, D: Copy> Key<V, D> {
    /// Sets the names by which other programs call such a key, and which people write from habit.
    pub(super) const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    pub(super) const fn reload(self, reload: Reload) -> Self {
        Self { reload, ..self }
    }
}

/// What a reload does if the value differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reload {
    /// It applies the value and touches no stream.
    AtOnce,
    /// It touches no stream; workers that start from then on have the value.
    NewWorkers,
    /// It opens the small stream again.
    SmallStream,
    /// It opens both streams of the camera again.
    Streams,
    /// It adds or removes a camera.
    Cameras,
}

/// A row of any type.
pub(super) trait Row: Sync {
    fn name(&self) -> &'static str;
    fn help(&self) -> &'static str;
    fn aliases(&self) -> &'static [&'static str];
    fn reload(&self) -> Reload;
    fn shape(&self) -> Shape;
    /// The default as it is written in the file. `Err`: what applies instead, in words.
    fn default(&self) -> Result<String, &'static str>;
}

impl<V: Values, D: DefaultValue> Row for Key<V, D> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn help(&self) -> &'static str {
        self.help
    }

    fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    fn reload(&self) -> Reload {
        self.reload
    }

    fn shape(&self) -> Shape {
        self.values.shape()
    }

    fn default(&self) -> Result<String, &'static str> {
        self.default.written()
    }
}

/// The default of a key.
pub(super) trait DefaultValue: Sync {
    /// The default as it is written in the file. `Err`: what applies instead, in words.
    fn written(&self) -> Result<String, &'static str>;
}

/// There is no fixed default. The text says what applies if the key is left out.
#[derive(Clone, Copy)]
pub(super) struct Unset(pub(super) &'static str);

impl DefaultValue for Unset {
    fn written(&self) -> Result<String, &'static str> {
        Err(self.0)
    }
}

impl DefaultValue for SocketAddr {
    fn written(&self) -> Result<String, &'static str> {
        Ok(format!("\"{self}\""))
    }
}

macro_rules! default_by_debug {
    ($($type:ty),+) => {
        $(impl DefaultValue for $type {
            fn written(&self) -> Result<String, &'static str> {
                Ok(format!("{self:?}"))
            }
        })+
    };
}

// `{:?}` writes these types as TOML does.
default_by_debug!(bool, u8, u16, u32, u64, usize, f64, &'static str);

/// The values that a key takes, for readers of the table that do not parse a file.
pub(super) enum Shape {
    Flag,
    Number {
        from: String,
        to: String,
        unit: &'static str,
        is_whole: bool,
        /// Whether 0 is taken too, although it is less than `from`.
        or_zero: bool,
    },
    /// One of these words.
    OneOf(Vec<&'static str>),
    /// One of these words, or rows of words.
    WordOrRows {
        words: &'static [&'static str],
        /// Rows as they are written in the file.
        example: &'static str,
    },
    Text {
        /// What the text is, in words.
        form: &'static str,
        /// Maximum length in characters.
        longest: Option<usize>,
        example: &'static str,
    },
    List {
        /// What the entries are, in words.
        of: &'static str,
        most: usize,
        /// As it is written in the file.
        example: &'static str,
    },
    /// What a function reads.
    Parsed {
        /// The correct values, in words.
        right: &'static str,
        /// As it is written in the file.
        example: &'static str,
    },
    /// A name for each of some numbers.
    Names {
        /// What is numbered, in words.
        of: &'static str,
        /// Maximum length of a name in characters.
        longest: usize,
        /// As it is written in the file.
        example: &'static str,
    },
}

/// The values that a key takes.
pub(super) trait Values: Sync {
    fn shape(&self) -> Shape;
}

/// `true` or `false`.
#[derive(Clone, Copy)]
pub(super) struct Flag;

/// A whole number; both limits are included.
#[derive(Clone, Copy)]
pub(super) struct Whole<T> {
    pub(super) from: T,
    pub(super) to: T,
    /// Such as `s`; empty for a count.
    pub(super) unit: &'static str,
}

/// A whole number of seconds within the limits, or 0 for never.
#[derive(Clone, Copy)]
pub(super) struct SecondsOrNever {
    pub(super) from: u32,
    pub(super) to: u32,
}

/// A number with or without a fraction; both limits are included.
#[derive(Clone, Copy)]
pub(super) struct Number {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) unit: &'static str,
}

/// One of a few words, each with its meaning.
#[derive(Clone, Copy)]
pub(super) struct OneOf<T: 'static>(pub(super) &'static [(&'static str, T)]);

/// One of a few words that mean something to the page.
#[derive(Clone, Copy)]
pub(super) struct PageWord(pub(super) &'static [&'static str]);

/// A text that is checked where it is used.
#[derive(Clone, Copy)]
pub(super) struct Text {
    /// What the text is, in words.
    pub(super) form: &'static str,
    /// A correct value, for complaints.
    pub(super) example: &'static str,
}

/// A text of one line that complaints never quote. It may be empty.
#[derive(Clone, Copy)]
pub(super) struct Line {
    /// In characters.
    pub(super) longest: usize,
    pub(super) example: &'static str,
}

/// A text of one line that is not empty.
#[derive(Clone, Copy)]
pub(super) struct Words {
    /// In characters.
    pub(super) longest: usize,
    pub(super) example: &'static str,
}

/// A path; a relative one starts at the directory of the file.
#[derive(Clone, Copy)]
pub(super) struct FilePath {
    pub(super) example: &'static str,
}

/// Maximum length of a path, in characters: that of Linux (PATH_MAX).
pub(super) const MAX_PATH_LEN: usize = 4096;

/// A list of texts.
#[derive(Clone, Copy)]
pub(super) struct List {
    /// What the entries are, in words.
    pub(super) of: &'static str,
    /// Maximum number of entries.
    pub(super) most: usize,
    /// A correct value as it is written in the file, for complaints.
    pub(super) example: &'static str,
}

/// A table of names by number.
#[derive(Clone, Copy)]
pub(super) struct Names {
    /// What is numbered, in words.
    pub(super) of: &'static str,
    /// Maximum length of a name in characters.
    pub(super) longest: usize,
    /// A correct value as it is written in the file, for complaints.
    pub(super) example: &'static str,
}

impl<T: PartialEq> OneOf<T> {
    /// Returns the word for `meaning`.
    pub(super) fn word(&self, meaning: &T) -> Option<&'static str> {
        self.0.iter().find(|(_, other)| other == meaning).map(|(word, _)| *word)
    }
}

impl PageWord {
    /// Returns the word that is equal to `written`.
    pub(super) fn find(&self, written: &str) -> Option<&'static str> {
        self.0.iter().copied().find(|word| *word == written)
    }
}

impl Values for Flag {
    fn shape(&self) -> Shape {
        Shape::Flag
    }
}

impl<T: Display + Sync> Values for Whole<T> {
    fn shape(&self) -> Shape {
        let Self { from, to, unit } = self;
        Shape::Number { from: from.to_string(), to: to.to_string(), unit, is_whole: true, or_zero: false }
    }
}

impl Values for SecondsOrNever {
    fn shape(&self) -> Shape {
        let Self { from, to } = self;
        Shape::Number { from: from.to_string(), to: to.to_string(), unit: "s", is_whole: true, or_zero: true }
    }
}

impl Values for Number {
    fn shape(&self) -> Shape {
        let Self { from, to, unit } = self;
        Shape::Number { from: from.to_string(), to: to.to_string(), unit, is_whole: false, or_zero: false }
    }
}

impl<T: Sync> Values for OneOf<T> {
    fn shape(&self) -> Shape {
        Shape::OneOf(self.0.iter().map(|(word, _)| *word).collect())
    }
}

impl Values for PageWord {
    fn shape(&self) -> Shape {
        Shape::OneOf(self.0.to_vec())
    }
}

impl Values for Text {
    fn shape(&self) -> Shape {
        Shape::Text { form: self.form, longest: None, example: self.example }
    }
}

impl Values for Line {
    fn shape(&self) -> Shape {
        Shape::Text { form: "text", longest: Some(self.longest), example: self.example }
    }
}

impl Values for Words {
    fn shape(&self) -> Shape {
        Shape::Text { form: "text", longest: Some(self.longest), example: self.example }
    }
}

impl Values for FilePath {
    fn shape(&self) -> Shape {
        Shape::Text { form: "path", longest: Some(MAX_PATH_LEN), example: self.example }
    }
}

impl Values for List {
    fn shape(&self) -> Shape {
        Shape::List { of: self.of, most: self.most, example: self.example }
    }
}

impl Values for Names {
    fn shape(&self) -> Shape {
        Shape::Names { of: self.of, longest: self.longest, example: self.example }
    }
}

/// Declares rows, and the list of them.
macro_rules! rows {
    ($(#[$doc:meta])* $list:ident: $($row:ident: $type:ty = $key:expr;)+) => {
        $(pub(super) static $row: $type = $key;)+
        $(#[$doc])*
        pub(super) static $list: &[&dyn Row] = &[$(&$row),+];
    };
}

/// Defaults that are one of a few words.
macro_rules! default_by_word {
    ($($type:ty: $row:ident),+) => {
        $(impl DefaultValue for $type {
            fn written(&self) -> Result<String, &'static str> {
                $row.values.word(self).map(|word| format!("{word:?}")).ok_or("")
            }
        })+
    };
}

pub(super) use {default_by_word, rows};
