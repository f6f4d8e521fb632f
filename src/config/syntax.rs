//! Syntax errors of TOML, explained for a reader who does not know TOML.

use std::borrow::Cow;

use toml::de::{DeTable, DeValue, Error};

use super::diagnostics::Diagnostics;

/// Maximum number of parses. The parser stops at a line without `=`; such a line is
/// blanked and the text is parsed again.
const MAX_PASSES: usize = 8;

/// Complains about every syntax error in `text` and returns the part that can be parsed: the same
/// text, in which lines that would stop the parser consist of spaces only.
pub(super) fn readable<'t>(text: &'t str, diagnostics: &mut Diagnostics<'_>) -> Cow<'t, str> {
    let mut readable = Cow::Borrowed(text);
    for _ in 0..MAX_PASSES {
        let (_, errors) = DeTable::parse_recoverable(&readable);
        let mut ends = Vec::new();
        for error in &errors {
            let at = text.floor_char_boundary(error.span().map_or(0, |span| span.start));
            diagnostics.broken(at, explain(text, error));
            if error.message().starts_with("key with no value") {
                ends.push(at);
            }
        }
        if ends.is_empty() {
            break;
        }
        for at in ends {
            let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
            let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
            readable.to_mut().replace_range(start..end, &" ".repeat(end - start));
        }
    }
    readable
}

/// Says what is wrong at `error` and what would be right. Does not quote the file, because that
/// part of it may be a password.
fn explain(text: &str, error: &Error) -> String {
    let message = error.message();
    let starts = |beginnings: &[&str]| beginnings.iter().any(|beginning| message.starts_with(beginning));
    let found = error.span().and_then(|span| text.get(span.start..)).unwrap_or("");
    let words = if found.starts_with(['“', '”', '„', '‘', '’', '«', '」', '「']) {
        "typographic quotation marks; use the straight ones, like \"gate\""
    } else if starts(&["string values must be quoted"]) {
        "text without quotation marks, or no value; write text like \"gate\", numbers like 80, and true or false"
    } else if starts(&["invalid float", "invalid integer", "unexpected leading zero", "invalid fraction"]) {
        "not a number; write numbers like 80, and text such as an address in quotation marks, like \"192.168.1.20\""
    } else if starts(&["invalid boolean"]) {
        "neither true nor false; write one of them, in small letters and without quotation marks"
    } else if message.ends_with("string, expected `\"`") || message.ends_with("string, expected `'`") {
        "the text has no end; close it with the same quotation mark that began it"
    } else if starts(&["missing escaped value"]) {
        "a single backslash in a text; write two of them, or put the text in single quotation marks"
    } else if starts(&["unexpected key or value"]) {
        "more after the end of the value; write one key per line, and a quotation mark inside a text as \\\""
    } else if starts(&["key with no value", "missing value for key"]) {
        "a key without a value; write key = value"
    } else if starts(&["duplicate key"]) {
        "written twice in the same place; keep one of them (every camera begins with its own [[camera]])"
    } else if starts(&["unclosed array table"]) {
        "the section name has no end; write it like [[camera]]"
    } else if starts(&["unclosed table"]) {
        "the section name has no end; write it like [server]"
    } else if starts(&["unclosed array"]) {
        "the list has no end; close it with ]"
    } else if starts(&["missing comma between array elements"]) {
        "no comma between two entries of a list; write it like [\"a\", \"b\"]"
    } else {
        return format!("not valid TOML: {}", message.replacen(", expected ", "; expected ", 1));
    };
    format!("not valid TOML: {words}")
}

/// Returns the byte at which the first password begins, in a text without syntax errors.
/// Passwords in URLs do not count.
pub(super) fn first_password(text: &str) -> Option<usize> {
    let (root, _) = DeTable::parse_recoverable(text);
    passwords(root.get_ref()).into_iter().min()
}

/// Whether this is a password itself; a user's is a hash.
fn is_clear(password: &str) -> bool {
    !password.is_empty() && !password.starts_with("$argon2")
}

fn passwords(table: &DeTable<'_>) -> Vec<usize> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value.get_ref() {
            DeValue::Table(inner) => found.extend(passwords(inner)),
            DeValue::Array(list) => {
                found.extend(list.iter().filter_map(|entry| entry.get_ref().as_table()).flat_map(passwords));
            }
            DeValue::String(text) if key.get_ref() == "password" && is_clear(text) => found.push(value.span().start),
            _ => {}
        }
    }
    found
}
