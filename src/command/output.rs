//! What the commands print.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

use serde_json::Value;

use super::table::shown;
use crate::text;

/// Writes a result to stdout. A reader that has closed its end, as `head` does, is not a failure.
pub fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Writes a result for programs to stdout, with all terminal control characters escaped.
pub fn print_json(answer: &Value) {
    print(&format!("{}\n", text::escaped_json(&format!("{answer:#}"))));
}

/// Writes one line to stderr, with all terminal control characters escaped.
pub fn complain(line: impl Display) {
    eprintln!("{}", shown(&line.to_string()));
}
